"""Proofs that hold, among them everything that a verifier might wrongly refuse."""

from . import ed25519
from .formats import (
    COSIGNATURE, ED25519, FIRST_COSIGNED, MEMBERS, ORIGIN, Absent, Artifact, Evidence, Outcome, Proof, Reveal,
    Signature, Spec, agreeing, base64, built, content, cosignature, cosigned, key, large_tree, line, log_vkey, lone,
    member_name, policy, sha256, some, swap, vkey, witness_vkey)

LARGEST = 2**64 - 1


def add_policies(corpus):
    corpus.policy("four", policy())
    corpus.policy("all-of-four", policy(quorum="all", reproducers="all"))
    corpus.policy("any-of-four", policy(quorum="any", reproducers="any"))
    # One witness that is spared by nobody, one builder that says nothing else.
    corpus.policy(
        "one",
        b"".join(
            [
                line("log", log_vkey("ada")),
                line("witness w", witness_vkey("dee")),
                line("builder b", vkey(member_name("dee"), ED25519, key("dee", "builder").public)),
                b"quorum w\nreproducers b\n",
            ]
        ),
    )
    corpus.policy(
        "no-quorum",
        policy(
            witnesses=(),
            edit=lambda text: text.replace(b"group cosigners 3\n", b"").replace(b"quorum cosigners", b"quorum none"),
        ),
    )


def add_members(corpus):
    for name, report in (
        ("all-four", Reveal("cyd")),
        ("absent-no-commitment", Absent("cyd", "no-commitment")),
        ("absent-no-reveal", Absent("cyd", "no-reveal")),
        ("absent-wrong-opening", Absent("cyd", "wrong-opening")),
        ("absent-sandbox-fault", Absent("cyd", "sandbox-fault")),
        ("one-diverged", Reveal("cyd", built("of cyd"))),
        ("one-failed", Reveal("cyd", Outcome(failed="exit-status 101"))),
        ("one-named-its-failure", Reveal("cyd", Outcome(failed="recipe needs-network"))),
        ("one-named-its-failure-at-length", Reveal("cyd", Outcome(failed="recipe " + "z9-" * 21))),
        ("one-missed-an-artifact", Reveal("cyd", Outcome(failed="missing-artifact share/LICENSE"))),
    ):
        evidence = Evidence(some(*agreeing("ada", "bob", "dee"), report))
        corpus.accept(name, Proof(evidence), why=f"Three agree, and the fourth: {name.replace('-', ' ')}")
    all_four = Proof(Evidence(agreeing(*MEMBERS)), cosigners=MEMBERS)
    corpus.accept("all-four-all-cosigned", all_four, "all-of-four", content("libitoa.rlib"), "All of four, twice")
    for policy_name in ("any-of-four", "one", "no-quorum"):
        corpus.accept(
            f"policy-{policy_name}",
            Proof(),
            policy_name,
            content("libitoa.rlib"),
            f"Another policy for the same proof: {policy_name}",
            proof_name="absent-no-reveal",
        )
    corpus.accept("lone", lone(), "one", content("libitoa.rlib"), "One builder and one witness, and a policy of them")
    corpus.accept(
        "not-cosigned",
        Proof(cosigners=()),
        "no-quorum",
        content("libitoa.rlib"),
        "A policy that asks for no cosignature",
    )

    # The second outcome stands by its digest alone, as where the leaf has no room.
    divided = Evidence(some(*agreeing("ada", "bob", "dee"), Reveal("cyd", built("of cyd"))), digest_only=(1,))
    corpus.accept("outcome-by-digest", Proof(divided), why="A dissenting outcome that is listed by its digest alone")

    seven = tuple("abcdefg")
    corpus.policy("seven", policy(logs=("ada",), witnesses=seven, builders=seven, quorum=5, reproducers=5))
    reports = agreeing(*seven[:5]) + [Reveal("f", built("of f")), Reveal("g", built("of g"))]
    corpus.accept(
        "seven-builders",
        Proof(Evidence(reports, reproducers=4), cosigners=seven[2:]),
        "seven",
        content("libitoa.rlib"),
        "Seven builders with three outcomes",
    )
    hundred = [Absent("m%03d" % i, "no-commitment") for i in range(97)] + agreeing("ada", "bob", "dee")
    corpus.accept(
        "hundred-builders", Proof(Evidence(hundred)), data=content("libitoa.rlib"), why="As many builders as may be"
    )
    corpus.policy("two-of-three", policy(builders=("ada", "bob", "cyd"), reproducers=2))
    unknown = Evidence(some(*agreeing("ada", "bob"), Reveal("dee", signer=key("cyd", "builder"))))
    corpus.accept(
        "unknown-builder-line",
        Proof(unknown),
        "two-of-three",
        content("libitoa.rlib"),
        "A false line of a builder that the policy does not know says nothing",
    )

    rotated = b"".join(
        [
            line("log", log_vkey("ada")),
            line("builder ada-old", vkey(member_name("ada"), ED25519, key("ada", "builder").public)),
            line("builder ada-new", vkey(member_name("ada"), ED25519, key("ada", "newer builder").public)),
            b"group ada 1 ada-old ada-new\nquorum none\nreproducers ada\n",
        ]
    )
    corpus.policy("rotated-key", rotated)
    old = Proof()
    corpus.accept(
        "rotated-key-old",
        old,
        "rotated-key",
        content("libitoa.rlib"),
        "Signed with the older of two keys",
        proof_name="absent-no-reveal",
    )
    reports = some(Reveal("ada", signer=key("ada", "newer builder")), *agreeing("bob", "dee"))
    corpus.accept(
        "rotated-key-new",
        Proof(Evidence(reports)),
        "rotated-key",
        content("libitoa.rlib"),
        "Signed with the newer of two keys",
    )


def add_trees(corpus):
    for name, index, size in (
        ("tree-of-one", 0, 1),
        ("tree-of-two", 1, 2),
        ("tree-first-leaf", 0, 13),
        ("tree-lone-last-leaf", 12, 13),
        ("tree-right-edge", 11, 13),
    ):
        corpus.accept(
            name, Proof(index=index, size=size), data=content("libitoa.rlib"), why=f"Leaf {index} in a log of {size}"
        )
    for name, index, size in (
        ("tree-of-a-trillion", 700_000_000_001, 10**12),
        ("tree-deepest-path", 5, 2**63 - 1),
        ("tree-largest", 2**63 - 2, 2**63 - 1),
        ("tree-power-of-two", 2**62, 2**62 + 1),
    ):
        corpus.accept(
            name,
            Proof(index=index, size=size, tree=large_tree),
            data=content("libitoa.rlib"),
            why=f"Leaf {index} in a log of {size}, its siblings made up",
        )


def add_artifacts(corpus):
    names = ["a", "b/c", "b/d", "b0", "~"]
    outcome = Outcome(
        [
            Artifact("a", content("a"), 0o755),
            Artifact("b/c", b""),
            Artifact("b/d", content("b/d"), 0),
            Artifact("b0", content("b0"), 0o7777),
            Artifact("~", content("~"), size=LARGEST),
        ]
    )
    spec = Spec(artifacts=[name.encode() for name in names])
    evidence = Evidence(some(*agreeing("ada", "bob", "dee", outcome=outcome)), spec)
    corpus.accept("artifacts", Proof(evidence), why="Several artifacts, one of them of no bytes")
    twice = Outcome([Artifact("a", content("same")), Artifact("b", content("same"))])
    evidence = Evidence(some(*agreeing("ada", "bob", "dee", outcome=twice)), Spec(artifacts=[b"a", b"b"]))
    corpus.accept("artifact-twice", Proof(evidence), data=content("same"), why="Two artifacts with the same bytes")


def add_bounds(corpus):
    lowest = dict.fromkeys(Spec().limits, 1)
    spec = Spec(
        features=[],
        environment=[],
        limits=lowest,
        recipe=b"\0",
        artifacts=[b"a"],
        target=b"t",
        profile=b"p",
        package=b"pkg:t/n@1",
        sources=[(b"pkg:t/n@1", bytes(32), None, b"!")],
    )
    reports = [Reveal("b", built(spec=spec), sandbox=b"s", processor=b"p", kernel=b"k")]
    evidence = Evidence(reports, spec, b"x", 0, 0, 0, "s", 1)
    text = line("log", vkey(b"x", ED25519, key("ada", "log").public))
    text += line("builder b", vkey(b"b.x", ED25519, key("b", "builder").public)) + b"quorum none\nreproducers b\n"
    corpus.policy("shortest", text)
    corpus.accept(
        "shortest",
        Proof(evidence, index=0, size=1, origin=b"x", cosigners=()),
        "shortest",
        why="Every name, list and number as short as may be",
    )

    origin = b".".join([b"o" * 62] * 4) + b"-1"
    origin = origin[: 253 - 2] + b"-1" if len(origin) > 253 else origin
    members = [letter * 64 for letter in ("a", "b", "c")]
    limits = dict(zip(Spec().limits, (604800, 604800000, 2**50, 2**22, 2**50, 2**40)))
    purl = b"pkg:t/" + b"n" * (255 - 8) + b"@1"
    path = b"/".join([b"d" * 50] * 5)
    spec = Spec(
        package=purl,
        rebuild=LARGEST,
        features=[b"f" * 128],
        limits=limits,
        target=b"T" * 128,
        profile=b"P" * 64,
        sources=[(purl, sha256("tree"), sha256("claim"), b"o" * 255)],
        lock=sha256("lock"),
        environment=[(b"N" * 64, b"v" * 1024)],
        artifacts=[path],
    )
    outcome = Outcome([Artifact(path, b"longest\n", 0o7777, LARGEST)])
    reports = [Reveal(name, outcome, sandbox=b"s" * 32, processor=b"p" * 64, kernel=b"k" * 48) for name in members]
    evidence = Evidence(reports, spec, origin, LARGEST, LARGEST, LARGEST, "s" * 64)
    corpus.policy("longest", policy(("ada",), members, members, 3, 3, origin))
    assert len(origin) == 253 and len(purl) == 255 and len(path) <= 255
    corpus.accept(
        "longest",
        Proof(evidence, origin=origin, cosigners=members),
        "longest",
        b"longest\n",
        "Every name and number as long as may be",
    )


def add_specs(corpus):
    for name, spec in (
        (
            "purl-namespace",
            Spec(
                package=b"pkg:deb/debian/zlib1g@1.2.13.dfsg-1+b1",
                sources=[
                    (b"pkg:cargo/itoa@1.0.1", sha256("itoa tree"), None, b"o"),
                    (b"pkg:deb/debian/zlib1g@1.2.13.dfsg-1+b1", sha256("zlib tree"), sha256("zlib"), b"o"),
                ],
            ),
        ),
        (
            "purl-odd-letters",
            Spec(
                package=b"pkg:a_B-c.9/+x/~y/_z@~+_-1.",
                sources=[(b"pkg:a_B-c.9/+x/~y/_z@~+_-1.", sha256("odd tree"), None, b"~")],
            ),
        ),
        (
            "purl-three-sources",
            Spec(
                sources=[
                    (b"pkg:cargo/a@1", sha256("a"), sha256("a claim"), b"pkg:deb/debian/librust-a-dev@1?arch=amd64"),
                    (b"pkg:cargo/a@1.0", sha256("a, later"), None, b"o"),
                    (b"pkg:cargo/itoa@1.0.1", sha256("itoa tree"), sha256("itoa"), b"o"),
                ]
            ),
        ),
        ("no-features-no-environment", Spec(features=[], environment=[])),
        ("environment", Spec(environment=[(b"A", b""), (b"B", b"="), (b"_", b" two spaces "), (b"_9", b"'\"$(x)~")])),
        ("features", Spec(features=[b"!", b"a", b"a-b", b"a/b", b"~"])),
        ("lock", Spec(lock=sha256("lock"))),
        ("recipe-of-any-bytes", Spec(recipe=bytes(range(256)))),
    ):
        evidence = Evidence(some(*agreeing("ada", "bob", "dee", outcome=built(spec=spec))), spec)
        corpus.accept(name, Proof(evidence), data=content("libitoa.rlib"), why=f"A spec: {name.replace('-', ' ')}")
    spec = largest_spec()
    evidence = Evidence([Reveal("dee", built(spec=spec))], spec, reproducers=1)
    corpus.accept(
        "largest-spec",
        lone(evidence),
        "one",
        content("libitoa.rlib"),
        "A spec about which evidence just always fits a leaf",
    )
    evidence = Evidence(
        some(Reveal("ada", sandbox=b"a b", processor=b"!\"#$%&'()*+,-./ 0:;<=>?@[\\]^_`{}~"), *agreeing("bob", "dee"))
    )
    corpus.accept(
        "statement-of-any-letters",
        Proof(evidence),
        data=content("libitoa.rlib"),
        why="A builder's own words with every kind of printable letter",
    )


def worst_leaf(spec):
    """The bytes that evidence about a spec may take at most, as docs/FORMATS.md sums them up."""
    name, digest = b"m" * 64, bytes(32).hex()
    text = line("synchronicity-evidence/v1") + line("group", b"o" * 253) + line("submitter", name)
    text += b"".join(line(key, LARGEST) for key in ("epoch", "height", "time"))
    text += line("reproducers 100") + line("verdict inconclusive") + line("agreeing 100")
    encoded = spec.encode()
    text += line("spec", encoded.count(b"\n")) + encoded
    outcome = Outcome([Artifact(path, b"", 0, LARGEST) for path in spec.artifacts]).text
    text += line("outcome", digest, outcome.count(b"\n")) + outcome + line("outcome", digest, 0) * 99
    statement = b"|".join([b"s" * 32, b"p" * 64, b"k" * 48])
    return len(text + line("builder", name, 99, base64(bytes(32)), base64(bytes(64)), statement) * 100)


def largest_spec(more=0):
    """A spec about which evidence always fits a leaf, with no byte to spare, or so many bytes more."""

    def spec(recipe, value=b""):
        return Spec(recipe=b"#" * recipe, environment=[(b"A", value)])

    recipe = (65535 - worst_leaf(spec(3))) // 4 * 3
    return spec(recipe, b"v" * (65535 + more - worst_leaf(spec(recipe))))


def add_signatures(corpus):
    data = content("libitoa.rlib")
    proof = Proof()
    junk = [
        Signature(b"someone.example", bytes(4), b"\6"),
        Signature(ORIGIN, b"\1\2\3\4", bytes(64)),
        Signature("w\u00edtness.\u4f8b".encode(), b"\xff" * 4, bytes(1000)),
        Signature(member_name("ada"), b"\0\0\0\1", FIRST_COSIGNED.to_bytes(8, "big") + bytes(64)),
        Signature(b"n" * 512, b"\0\0\0\2", b"x"),
        Signature(b"!\x7f\\|", b"\0\0\0\3", bytes(72)),
    ]
    proof.signatures = junk[:3] + proof.signatures + junk[3:]
    corpus.accept("signatures-unknown", proof, data=data, why="Lines of unknown keys and types are skipped")
    proof = Proof(logs=("bob", "ada"), cosigners=MEMBERS + ("eve",))
    corpus.accept("signatures-more", proof, data=data, why="Two log keys and cosigners beyond the quorum")
    proof = Proof()
    proof.signatures.reverse()
    corpus.accept("signatures-reversed", proof, data=data, why="Signature lines have no order")
    proof = Proof()
    proof.signatures += proof.signatures
    corpus.accept("signatures-repeated", proof, data=data, why="Each line twice: each verifies, and counts once")
    proof = Proof()
    proof.signatures.append(cosignature(proof.body, key("ada", "cosigner"), member_name("ada"), FIRST_COSIGNED + 3600))
    corpus.accept("signatures-two-times", proof, data=data, why="One cosigner at two times counts once")
    proof = Proof()
    proof.signatures += [Signature(b"a", bytes([0, 0, 0, i]), b"x") for i in range(100 - len(proof.signatures))]
    corpus.accept("signatures-hundred", proof, data=data, why="As many signature lines as may be")
    for name, time in (("earliest", 0), ("latest", 2**63 - 3)):
        corpus.accept(f"cosigned-{name}", Proof(first_time=time), data=data, why=f"Cosigned from the second {time} on")
    corpus.accept(
        "checkpoint-extensions",
        Proof(extension=b" first\nsecond \xe2\x80\x94\n\xe2\x80\x94 x AAAA\n"),
        data=data,
        why="Further lines of the checkpoint are signed along",
    )


def add_policy_forms(corpus):
    text = policy()
    loose = b"# a comment\n \t\n#\xff\n" + text.replace(b" ", b"  \t").replace(b"\n", b" \n\n\t") + b"\n"
    corpus.policy("loose", loose)
    mixed = b"".join(sorted(text.splitlines(True), key=lambda row: [b"b", b"w", b"g", b"r", b"q", b"l"].index(row[:1])))
    corpus.policy("other-order", mixed)
    corpus.policy(
        "urls",
        swap(b"log " + log_vkey("ada"), b"log " + log_vkey("ada") + b" https://\xc3\xa4.example/x")(
            swap(witness_vkey("bob"), witness_vkey("bob") + b" sftp:\xff\xfe")(text)
        ),
    )
    nested = text.replace(b"group cosigners 3 ", b"group cosigners 3 ").split(b"group")[0]
    nested += (
        b"group first any ada-cosigner bob-cosigner\ngroup second all cyd-cosigner\ngroup third 2 first dee-cosigner\n"
    )
    nested += b"group pair all bob dee\ngroup most 2 pair ada cyd\nquorum third\nreproducers most\n"
    corpus.policy("nested", nested)
    corpus.policy(
        "names",
        text.replace(b"ada-cosigner", b"\xff")
        .replace(b"group rebuilders", b"group #")
        .replace(b"reproducers rebuilders", b"reproducers #")
        .replace(b"cosigners", b"quorum"),
    )
    for name, why in (
        ("loose", "White space, comments and empty lines are free"),
        ("other-order", "Lines in another order"),
        ("urls", "URLs are not looked at"),
        ("nested", "Groups of groups"),
        ("names", "Names of any visible bytes"),
    ):
        corpus.accept(
            f"policy-{name}",
            Proof(),
            name,
            content("libitoa.rlib"),
            f"Another policy: {why}",
            proof_name="absent-no-reveal",
        )


def mixed_key(label, torsion):
    """A key with a part of small order: its signatures verify without the cofactor only now and then."""
    made = ed25519.Key(label)
    made.public = ed25519.encode(ed25519.add(ed25519.multiply_base(made.scalar), torsion))
    return made


def find_time(body, signer, accepted):
    """The first time whose cosignature is, or is not, accepted without the cofactor, and always is with it."""
    time = FIRST_COSIGNED
    while True:
        message = cosigned(time, body)
        signature = signer.sign(message)
        assert ed25519.verify(signer.public, message, signature, cofactored=True)
        if ed25519.verify(signer.public, message, signature) == accepted:
            return time
        time += 1


def mixed_proof(accepted):
    """A proof whose one witness has a key of mixed order, and the policy that knows it."""
    signer = mixed_key("witness of mixed order", ed25519.TORSION)
    name = b"witness.example"
    proof = Proof(cosigners=())
    proof.signatures.append(cosignature(proof.body, signer, name, find_time(proof.body, signer, accepted)))
    text = policy(
        witnesses=(),
        edit=lambda text: text.replace(
            b"group cosigners 3\n", line("witness w", vkey(name, COSIGNATURE, signer.public))
        ).replace(b"quorum cosigners", b"quorum w"),
    )
    return proof, text


def add_curve(corpus):
    proof, text = mixed_proof(True)
    corpus.policy("mixed-order-witness", text)
    corpus.accept(
        "key-of-mixed-order",
        proof,
        "mixed-order-witness",
        content("libitoa.rlib"),
        "A key with a part of small order whose signature the cofactorless equation accepts",
    )


def add(corpus):
    add_policies(corpus)
    add_members(corpus)
    add_trees(corpus)
    add_artifacts(corpus)
    add_bounds(corpus)
    add_specs(corpus)
    add_signatures(corpus)
    add_policy_forms(corpus)
    add_curve(corpus)
