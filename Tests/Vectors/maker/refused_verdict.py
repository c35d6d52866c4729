"""Proofs that their log carries and that say too little: the group, the reveals, the verdict, the artifact.

What is false here was decided, logged and cosigned; the verifier counts and checks for itself.
"""

from . import ed25519
from .formats import (
    ED25519, MEMBERS, ORIGIN, Absent, Evidence, Outcome, Proof, Reveal, Spec, agreeing, built, content, flip, key, line,
    log_vkey, member_name, policy, sha256, some, swap, vkey)

REPRODUCERS, ARTIFACT, VERDICT, GROUP, NOT_REPRODUCED, INVALID_REVEAL = 9, 10, 11, 14, 16, 17
DATA = content("libitoa.rlib")
OTHER = b"other.example"


def add_group(corpus, refuse):
    refuse("group-other", GROUP, "The evidence is of another group than the log", Proof(Evidence(group=OTHER)))
    for name, group in (
        ("longer", b"vectors.example.org"),
        ("shorter", b"vectors.exampl"),
        ("below", b"a.vectors.example"),
        ("dash", b"vectors-example"),
    ):
        refuse(
            f"group-{name}",
            GROUP,
            f"The evidence is of another group than the log: {name}",
            Proof(Evidence(group=group)),
        )


def add_reveals(corpus, refuse):
    def lied(name, why, report, **settings):
        others = agreeing(*[member for member in ("ada", "bob", "dee") if member.encode() != report.name])
        refuse(f"reveal-{name}", INVALID_REVEAL, why, Proof(Evidence(some(*others, report), **settings)))

    for field, value in (
        ("group", OTHER),
        ("job", sha256("another job")),
        ("builder", b"bob"),
        ("outcome", built("other").digest),
        ("nonce", sha256("another nonce")),
        ("sandbox", b"chroot/0.2"),
        ("processor", b"Another CPU"),
        ("kernel", b"Linux 6.1.1"),
    ):
        lied(
            f"other-{field}", f"A builder signed another {field} than its line's", Reveal("ada", signed={field: value})
        )
    lied("bit-of-r", "One bit of a builder's R is turned over", Reveal("bob", signature=flip(_signed("bob"), 3)))
    lied("bit-of-s", "One bit of a builder's S is turned over", Reveal("dee", signature=flip(_signed("dee"), 300)))
    lied("zeros", "A builder's signature is zeros", Reveal("dee", signature=bytes(64)))
    end = int.from_bytes(_signed("ada")[32:], "little") + ed25519.L
    lied(
        "s-plus-order",
        "A builder's S is the right one plus the group's order",
        Reveal("ada", signature=_signed("ada")[:32] + end.to_bytes(32, "little")),
    )
    lied(
        "by-other-builder", "A builder's line is signed by another builder", Reveal("dee", signer=key("cyd", "builder"))
    )
    lied(
        "by-cosigner-key",
        "A builder's line is signed by its cosigner key",
        Reveal("dee", signer=key("dee", "cosigner")),
    )
    lied("by-log-key", "A builder's line is signed by its log key", Reveal("ada", signer=key("ada", "log")))
    lied(
        "newer-key",
        "A builder signed with a key that the policy does not have yet",
        Reveal("ada", signer=key("ada", "newer builder")),
    )
    lied(
        "with-outcome",
        "A builder signed the reveal with the outcome behind it",
        Reveal("ada", message=lambda text: text + built().text),
    )
    lied(
        "without-newline",
        "A builder signed the reveal without its last newline",
        Reveal("ada", message=lambda text: text[:-1]),
    )
    lied(
        "commitment",
        "A builder signed its commitment where the reveal is wanted",
        Reveal("ada", message=lambda text: text.replace(b"-reveal/", b"-commitment/").split(b"sandbox ")[0]),
    )
    lied("digest", "A builder signed the digest of its reveal", Reveal("ada", message=lambda text: sha256(text)))
    lied(
        "other-version",
        "A builder signed a reveal of version 2",
        Reveal("ada", message=swap(b"-reveal/v1", b"-reveal/v2")),
    )
    lied(
        "dissenting",
        "The builder that disagrees did not sign so",
        Reveal("cyd", built("of cyd"), signer=key("eve", "builder")),
    )
    lied(
        "dissenting-by-digest",
        "The outcome that stands by its digest was not signed",
        Reveal("cyd", built("of cyd"), signer=key("eve", "builder")),
        digest_only=(1,),
    )
    lied(
        "replayed",
        "A builder's line is from an earlier rebuild",
        Reveal("ada", signed={"job": sha256(Spec(rebuild=7).encode())}),
    )
    corpus.policy(
        "rotated-key-only",
        policy(
            edit=swap(
                vkey(member_name("ada"), ED25519, key("ada", "builder").public),
                vkey(member_name("ada"), ED25519, key("ada", "newer builder").public),
            )
        ),
    )
    refuse(
        "reveal-older-key",
        INVALID_REVEAL,
        "The policy has a newer key than the one that signed",
        Proof(),
        policy="rotated-key-only",
    )
    public = ed25519.encode(ed25519.IDENTITY)
    forged = Reveal("ada", signature=ed25519.encode(ed25519.BASE) + (1).to_bytes(32, "little"))
    corpus.policy(
        "builder-of-small-order",
        policy(
            edit=swap(
                vkey(member_name("ada"), ED25519, key("ada", "builder").public),
                vkey(member_name("ada"), ED25519, public),
            )
        ),
    )
    refuse(
        "reveal-key-of-small-order",
        INVALID_REVEAL,
        "A builder's key is the identity, for which anyone can sign",
        Proof(Evidence(some(forged, *agreeing("bob", "dee")))),
        policy="builder-of-small-order",
    )


def _signed(member):
    return Reveal(member).signature_on(ORIGIN, sha256(Spec().encode()))


def add_verdicts(corpus, refuse):
    """False verdicts in a log that is signed as it should be: the verifier counts for itself."""
    two = some(*agreeing("ada", "bob"))
    apart = some(*agreeing("ada", "bob"), Reveal("cyd", built("other")), Reveal("dee", built("other")))
    failures = agreeing("ada", "bob", "dee", outcome=Outcome(failed="exit-status 101"))

    def lie(name, why, **settings):
        refuse(f"verdict-{name}", VERDICT, why, Proof(Evidence(**settings)))

    lie("two-are-not-three", "It says reproduced where two of three agree", reports=two, verdict="reproduced")
    lie("two-counted-as-three", "It says that three agree where two do", reports=two, verdict="reproduced", count=3)
    lie(
        "tie",
        "It says reproduced where two outcomes have two builders each",
        reports=apart,
        reproducers=2,
        verdict="reproduced",
    )
    lie("failure", "It says reproduced where three failed alike", reports=some(*failures), verdict="reproduced")
    lie("nobody", "It says reproduced where nobody revealed", reports=some(Absent("ada")), verdict="reproduced")
    lie("diverged", "It says diverged where three agree", verdict="diverged")
    lie("failed", "It says failed where three built alike", verdict="failed")
    lie("inconclusive", "It says inconclusive where three agree", verdict="inconclusive")
    lie("count-more", "It says that four agree where three do", count=4)
    lie("count-less", "It says that two agree where three do", count=2)
    lie("count-zero", "It says that nobody agrees where three do", count=0)
    lie("built-is-not-failed", "It says diverged where three failed alike", reports=some(*failures), verdict="diverged")
    for name, why, settings in (
        ("diverged", "Two builders each stand behind two outcomes", dict(reports=apart)),
        ("tie", "Two outcomes have as many builders each as the group asks for", dict(reports=apart, reproducers=2)),
        ("two-of-three", "Two agree where three are wanted", dict(reports=two)),
        ("nobody", "No builder revealed anything", dict(reports=some(Absent("ada", "no-commitment")))),
        ("failed-alike", "Three failed alike", dict(reports=some(*failures))),
        (
            "one-each",
            "Each builder has another outcome",
            dict(reports=[Reveal(name, built(name)) for name in MEMBERS], reproducers=1),
        ),
        (
            "failed-over-an-artifact",
            "Three missed the same artifact",
            dict(reports=some(*agreeing("ada", "bob", "dee", outcome=Outcome(failed="missing-artifact libitoa.rlib")))),
        ),
        (
            "failed-by-name",
            "Three recipes gave their failure the same name",
            dict(reports=some(*agreeing("ada", "bob", "dee", outcome=Outcome(failed="recipe needs-network")))),
        ),
        (
            "failed-over-memory",
            "Three ran out of memory",
            dict(reports=some(*agreeing("ada", "bob", "dee", outcome=Outcome(failed="memory")))),
        ),
    ):
        refuse(f"not-reproduced-{name}", NOT_REPRODUCED, why, Proof(Evidence(**settings)))


def add_artifacts(corpus, refuse):
    proof, good = Proof(), "absent-no-reveal"

    def asked(name, why, digest, policy="four", proof_name=good):
        corpus.case(f"artifact-{name}", policy, proof_name, digest, ARTIFACT, why)

    digest = sha256(DATA)
    asked("other", "The file is none of the artifacts", sha256("another file"))
    asked("zeros", "The digest is zeros", bytes(32))
    asked("first-bit", "The first bit of the digest is turned over", flip(digest, 7))
    asked("last-bit", "The last bit of the digest is turned over", flip(digest, 255))
    asked("reversed", "The digest is read backwards", digest[::-1])
    asked("of-nothing", "The file is empty", sha256(b""))
    asked("longer", "The file has a newline more", sha256(DATA + b"\n"))
    asked("source-tree", "The digest is the source tree's", sha256("itoa tree"))
    asked("toolchain", "The digest is the toolchain's", sha256("toolchain"))
    asked("job", "The digest is the spec's", sha256(Spec().encode()))
    asked("outcome", "The digest is the outcome's", built().digest)
    asked("leaf", "The digest is the leaf's", sha256(proof.leaf))
    asked("nonce", "The digest is a builder's nonce", sha256("nonce of ada"))
    asked("path", "The digest is that of the artifact's path", sha256("libitoa.rlib"))
    asked(
        "of-who-diverged",
        "The file is what the builder made that differs",
        sha256(content("libitoa.rlib", "of cyd")),
        proof_name="one-diverged",
    )
    asked("of-other-proof", "The file is another proof's artifact", sha256(content("a")))
    asked(
        "with-trailer",
        "The file has an embedded proof, which the digest must leave out",
        sha256(DATA + b"\0sync-proof/v1\n\0"),
    )


def add_reproducers(corpus, refuse):
    corpus.policy("three-of-three", policy(builders=("ada", "bob", "cyd"), reproducers=3))
    corpus.case(
        "reproducers-one-missing",
        "all-of-four",
        corpus.proof("reproducers-one-missing", Proof(cosigners=MEMBERS)),
        sha256(DATA),
        REPRODUCERS,
        "Three of four builders agree where the policy wants all",
    )
    refuse(
        "reproducers-other-three",
        REPRODUCERS,
        "The policy knows two of the three that agree",
        Proof(),
        policy="three-of-three",
    )
    two = some(*agreeing("ada", "bob"), Absent("cyd"), Absent("dee"))
    refuse(
        "reproducers-group-asks-two",
        REPRODUCERS,
        "Two conspire: the group's threshold is two, the policy's three",
        Proof(Evidence(two, reproducers=2)),
    )
    refuse(
        "reproducers-group-asks-one",
        REPRODUCERS,
        "One builder alone: the group's threshold is one, the policy's three",
        Proof(Evidence(some(*agreeing("ada")), reproducers=1)),
    )
    strangers = [Reveal(name, signer=key(name, "builder")) for name in ("eve", "fay", "gus", "hal")]
    refuse(
        "reproducers-strangers",
        REPRODUCERS,
        "Four agree, and the policy knows none of them",
        Proof(Evidence(strangers)),
    )
    reports = [Reveal("ada")] + strangers[:3]
    refuse(
        "reproducers-mostly-strangers",
        REPRODUCERS,
        "Four agree, and the policy knows one of them",
        Proof(Evidence(reports)),
    )
    refuse(
        "reproducers-case",
        REPRODUCERS,
        "Names in capitals are other names",
        Proof(Evidence([Reveal(name.upper(), signer=key(name, "builder")) for name in ("ada", "bob", "dee")])),
    )
    other = policy()
    for name in MEMBERS:
        old = vkey(member_name(name), ED25519, key(name, "builder").public)
        other = swap(old, vkey(member_name(name, OTHER), ED25519, key(name, "builder").public))(other)
    corpus.policy("builders-of-other-group", other)
    refuse(
        "reproducers-of-other-group",
        REPRODUCERS,
        "The policy's builders have these keys in another group",
        Proof(),
        policy="builders-of-other-group",
    )
    minority = [Reveal("ada", built("of ada"))] + agreeing("bob", "cyd", "dee")
    refuse(
        "reproducers-who-diverged",
        REPRODUCERS,
        "The one that must agree is the one that does not",
        Proof(Evidence(minority)),
        policy="ada-must",
    )
    both = b"".join(
        [
            line("log", log_vkey("ada")),
            line("builder old", vkey(member_name("ada"), ED25519, key("ada", "builder").public)),
            line("builder new", vkey(member_name("ada"), ED25519, key("ada", "newer builder").public)),
            b"group pair all old new\nquorum none\nreproducers pair\n",
        ]
    )
    corpus.policy("two-keys-of-one", both)
    refuse(
        "reproducers-two-keys-of-one",
        REPRODUCERS,
        "Two keys of one builder are not two builders",
        Proof(),
        policy="two-keys-of-one",
    )
    refuse(
        "reproducers-nested",
        REPRODUCERS,
        "One of a pair and another, where the pair or both others are wanted",
        Proof(Evidence(some(*agreeing("ada", "bob"), Reveal("cyd", built("of cyd"))), reproducers=2)),
        policy="nested",
    )


def add(corpus):
    digest = corpus.content(DATA)
    corpus.policy(
        "ada-must",
        policy(edit=swap(b"reproducers rebuilders\n", b"group must all ada\nreproducers must\n")).replace(
            b"group rebuilders 3 ada", b"group rebuilders 3"
        ),
    )

    def refuse(name, status, why, proof, policy="four"):
        corpus.refuse(name, status, why, proof, digest, policy)

    for part in (add_group, add_reveals, add_verdicts, add_artifacts, add_reproducers):
        part(corpus, refuse)
