"""Proofs with two faults: the status is that of the one that docs/FORMATS.md has first."""

from .formats import Evidence, Outcome, Proof, Reveal, agreeing, content, flip, key, sha256, some

OTHER = b"other.example"


def add(corpus):
    asked = sha256(content("libitoa.rlib"))

    def refuse(name, status, why, proof, digest=asked, policy="four"):
        corpus.refuse(f"order-{name}", status, why, proof, digest, policy)

    def spoiled(proof):
        proof.signatures[1].blob = flip(proof.signatures[1].blob, 200)
        return proof

    proof = spoiled(Proof())
    proof.index = 4
    refuse("path-signature", 4, "The path is wrong, and a signature is false", proof)
    refuse("signature-log", 7, "A signature is false, and the log did not sign", spoiled(Proof(logs=())))
    refuse("log-quorum", 6, "The log did not sign, and a witness is missing", Proof(logs=(), cosigners=("ada", "bob")))
    refuse(
        "quorum-group",
        8,
        "A witness is missing, and the evidence is another group's",
        Proof(Evidence(group=OTHER), cosigners=("ada", "bob")),
    )
    forged = some(*agreeing("ada", "bob"), Reveal("dee", signer=key("eve", "builder")))
    refuse(
        "group-reveal",
        14,
        "The evidence is another group's, and a reveal is false",
        Proof(Evidence(forged, group=OTHER)),
    )
    failure = Outcome(failed="memory")
    failed = some(*agreeing("ada", "bob", outcome=failure), Reveal("dee", failure, signer=key("eve", "builder")))
    refuse("reveal-verdict", 17, "A reveal is false, and the verdict is another", Proof(Evidence(failed)))
    refuse(
        "verdict-artifact",
        16,
        "The verdict is another, and so is the artifact",
        Proof(Evidence(some(*agreeing("ada", "bob")))),
        sha256("another file"),
    )
    refuse(
        "artifact-reproducers",
        10,
        "The artifact is another, and a builder is missing",
        Proof(Evidence(some(*agreeing("ada", "bob")), reproducers=2)),
        sha256("another file"),
    )
