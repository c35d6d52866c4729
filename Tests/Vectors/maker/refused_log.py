"""Proofs in the right form whose log does not carry it: the path, the signatures, the log's key, the quorum.

Each is logged, signed and cosigned as it should be but for the one thing that its reason names.
"""

from . import ed25519
from .accepted import mixed_key, mixed_proof
from .formats import (
    COSIGNATURE, FIRST_COSIGNED, MEMBERS, ORIGIN, Evidence, Proof, Signature, agreeing, base64, built, content,
    cosignature, cosigned, flip, key, key_id, large_tree, leaf_hash, line, log_signature, log_vkey, lone, member_name,
    node_hash, policy, sha256, small_tree, swap, vkey)

INCLUSION, UNTRUSTED_LOG, INVALID_SIGNATURE, QUORUM = 4, 6, 7, 8
DATA = content("libitoa.rlib")
OTHER = b"other.example"


def add_inclusion(corpus, refuse_four):
    def refuse(name, status, why, proof):
        refuse_four(name, status, why, proof, policy="one")

    def changed(name, why, change):
        proof = lone()
        change(proof)
        refuse(f"inclusion-{name}", INCLUSION, why, proof)

    def setting(**values):
        return lambda proof: [setattr(proof, name, value) for name, value in values.items()]

    for index, why in (
        (4, "The index is its sibling's"),
        (7, "The index is another leaf's"),
        (8, "The index is the size"),
        (13, "The index is beyond the size"),
        (2**63, "The index is 2^63"),
        (2**64 - 1, "The index is 2^64 - 1"),
        (2**32 + 5, "The index is the right one modulo 2^32"),
    ):
        changed(f"index-{index}", why, setting(index=index))
    changed("path-cut", "The path's last hash is missing", lambda proof: proof.path.pop())
    changed("path-first-missing", "The path's first hash is missing", lambda proof: proof.path.pop(0))
    changed("path-empty", "The path is empty", lambda proof: proof.path.clear())
    changed("path-longer", "The path has one hash too many", lambda proof: proof.path.append(proof.path[0]))
    changed("path-ends-in-root", "The path has the root behind its end", lambda proof: proof.path.append(proof.root))
    changed("path-63-hashes", "The path has 63 hashes", lambda proof: proof.path.extend([bytes(32)] * 60))
    changed("path-swapped", "Two hashes of the path are swapped", lambda proof: proof.path.insert(0, proof.path.pop(1)))
    changed("path-reversed", "The path begins at the root", lambda proof: proof.path.reverse())
    for i in range(3):

        def turn(proof, i=i):
            proof.path[i] = flip(proof.path[i], 100 * i)

        changed(f"path-bit-{i}", f"One bit of hash {i} of the path is turned over", turn)
    leaf = lone().leaf
    for name, old, new in (
        ("group", b"group vectors.example", b"group vectorz.example"),
        ("time", b"time 17", b"time 18"),
        ("reproducers", b"\nreproducers 1", b"\nreproducers 2"),
        ("package", b"package pkg:cargo/itoa@1.0.1", b"package pkg:cargo/itoa@1.0.2"),
        ("artifact", sha256(DATA).hex(), sha256("other").hex()),
        ("outcome", built().digest.hex(), bytes(32).hex()),
        ("builder", b"builder dee", b"builder bob"),
        ("kernel", b"Linux 6.1.0", b"Linux 6.1.1"),
    ):
        changed(f"leaf-{name}", f"The leaf is another than the log's: its {name}", setting(leaf=swap(old, new)(leaf)))
    changed("leaf-longer", "A line was added to the leaf", setting(leaf=leaf + b"absent eve no-reveal\n"))
    changed("leaf-missing", "The leaf's line was taken out", setting(leaf=b""))
    changed("leaf-of-another-place", "The leaf is that of the next index", setting(leaf=b"leaf 6"))
    for i in (0, 8 * len(leaf) - 1):
        changed(f"leaf-bit-{i}", f"Bit {i} of the leaf is turned over", setting(leaf=flip(leaf, i)))

    def sized(size):
        return lambda body: swap(b"\n8\n", b"\n%d\n" % size)(body)

    for size in (0, 5, 6, 9, 16, 2**63 - 1):
        refuse(
            f"inclusion-size-{size}",
            INCLUSION,
            f"The signed checkpoint says {size} leaves for the root of 8",
            lone(body=sized(size)),
        )
    refuse(
        "inclusion-other-root",
        INCLUSION,
        "The signed checkpoint has another root",
        lone(body=lambda body: body.replace(body.splitlines()[2], base64(sha256("other root")))),
    )
    refuse(
        "inclusion-zero-root",
        INCLUSION,
        "The signed checkpoint has a root of zeros",
        lone(body=lambda body: body.replace(body.splitlines()[2], base64(bytes(32)))),
    )
    refuse(
        "inclusion-other-checkpoint",
        INCLUSION,
        "The checkpoint is of the log before it had the leaf",
        _with_note(lone(), lone(leaf=b"leaf 5")),
    )

    def plain_hash(leaf):
        return sha256(leaf)

    refuse(
        "inclusion-leaf-without-prefix",
        INCLUSION,
        "The tree hashes its leaves without their prefix",
        lone(tree=lambda leaf, index, size: small_tree(leaf, index, size, plain_hash)),
    )

    def plain_tree(leaf, index, size):
        a, b = leaf_hash(b"leaf 0"), leaf_hash(leaf)
        return sha256(a, b), [a]

    refuse(
        "inclusion-node-without-prefix",
        INCLUSION,
        "The tree hashes its nodes without their prefix",
        lone(index=1, size=2, tree=plain_tree),
    )

    def swapped_tree(leaf, index, size):
        a, b = leaf_hash(b"leaf 0"), leaf_hash(leaf)
        return node_hash(b, a), [a]

    refuse(
        "inclusion-children-swapped",
        INCLUSION,
        "The tree has left and right swapped",
        lone(index=1, size=2, tree=swapped_tree),
    )

    def short_tree(leaf, index, size):
        return leaf_hash(leaf), []

    refuse(
        "inclusion-leaf-as-root",
        INCLUSION,
        "The leaf's hash stands as the root of a larger tree",
        lone(tree=short_tree),
    )

    def wide_tree(leaf, index, size):
        right = sha256("right")
        return node_hash(leaf_hash(leaf), right), [right]

    refuse(
        "inclusion-path-beyond-one",
        INCLUSION,
        "The path leads to the root, and is longer than a log of one leaf allows",
        lone(index=0, size=1, tree=wide_tree),
    )

    def tall_tree(leaf, index, size):
        root, path = small_tree(leaf, index, size)
        return node_hash(sha256("left"), root), path + [sha256("left")]

    refuse(
        "inclusion-path-beyond-eight",
        INCLUSION,
        "The path leads to the root, and is longer than a log of eight leaves allows",
        lone(tree=tall_tree),
    )

    def low_tree(leaf, index, size):
        root, path = small_tree(leaf, 1, 4)
        return root, path

    refuse(
        "inclusion-path-below-eight",
        INCLUSION,
        "The path leads to the root, and is shorter than a log of eight leaves asks for",
        lone(tree=low_tree),
    )
    inner = node_hash(leaf_hash(b"leaf 0"), leaf_hash(b"leaf 1"))

    def inner_tree(leaf, index, size):
        return node_hash(inner, sha256("right")), [sha256("right")]

    refuse(
        "inclusion-node-as-leaf",
        INCLUSION,
        "A node's two hashes stand as the leaf",
        lone(leaf=leaf_hash(b"leaf 0") + leaf_hash(b"leaf 1"), index=0, size=2, tree=inner_tree),
    )
    deep = lone(index=5, size=2**63 - 1, tree=large_tree)
    deep.path[62] = flip(deep.path[62], 255)
    refuse("inclusion-deepest-bit", INCLUSION, "One bit of the last of 63 hashes is turned over", deep)


def _with_note(proof, other):
    """A proof with another's checkpoint and signatures."""
    proof.body, proof.signatures = other.body, other.signatures
    return proof


def add_signatures(corpus, refuse):
    def changed(name, why, number, change, proof=None):
        proof = proof or Proof()
        proof.signatures[number] = change(proof.signatures[number])
        refuse(f"signature-{name}", INVALID_SIGNATURE, why, proof)

    def turned(bit):
        return lambda old: old.replacing(blob=flip(old.blob, bit))

    who = ("log", "ada", "bob", "dee")
    for number, name in enumerate(who):
        start = 0 if number == 0 else 64
        if number:
            changed(f"{name}-time", f"One bit of the time of {name} is turned over", number, turned(63))
        changed(f"{name}-r", f"One bit of R of {name} is turned over", number, turned(start + 17))
        changed(f"{name}-s", f"One bit of S of {name} is turned over", number, turned(start + 256 + 100))

    def more(old):
        end = int.from_bytes(old.blob[-32:], "little") + ed25519.L
        return old.replacing(blob=old.blob[:-32] + end.to_bytes(32, "little"))

    changed("log-s-plus-order", "The log's S is the right one plus the group's order", 0, more)
    changed("witness-s-plus-order", "A witness's S is the right one plus the group's order", 2, more)
    changed("witness-s-high-bit", "The highest bit of a witness's S is set", 2, turned(72 * 8 - 1))
    changed("witness-zeros", "A witness's signature is zeros", 1, lambda old: old.replacing(blob=bytes(72)))
    changed("log-zeros", "The log's signature is zeros", 0, lambda old: old.replacing(blob=bytes(64)))
    changed("log-short", "The log's signature has 63 bytes", 0, lambda old: old.replacing(blob=old.blob[:-1]))
    changed("log-long", "The log's signature has 65 bytes", 0, lambda old: old.replacing(blob=old.blob + b"\0"))
    changed(
        "log-timed",
        "The log's key signed a cosignature, with a time",
        0,
        lambda old: old.replacing(blob=bytes(8) + key("ada", "log").sign(cosigned(0, Proof().body))),
    )
    changed("witness-short", "A cosignature has 71 bytes", 1, lambda old: old.replacing(blob=old.blob[:-1]))
    changed("witness-long", "A cosignature has 73 bytes", 1, lambda old: old.replacing(blob=old.blob + b"\0"))
    changed(
        "witness-untimed",
        "A cosigner signed the checkpoint itself, without a time",
        1,
        lambda old: old.replacing(blob=key("ada", "cosigner").sign(Proof().body)),
    )
    changed(
        "witness-empty-time",
        "A cosigner signed the checkpoint itself behind a time",
        1,
        lambda old: (old.replacing(blob=old.blob[:8] + key("ada", "cosigner").sign(Proof().body))),
    )
    changed(
        "witness-time-2-to-63",
        "A cosigner signed the time 2^63",
        1,
        lambda old: cosignature(Proof().body, key("ada", "cosigner"), old.name, 2**63),
    )
    changed(
        "witness-other-time",
        "A cosignature says another time than was signed",
        1,
        lambda old: old.replacing(blob=(FIRST_COSIGNED + 9).to_bytes(8, "big") + old.blob[8:]),
    )
    changed(
        "witness-other-version",
        "A cosigner signed behind the line of version 2",
        1,
        lambda old: old.replacing(
            blob=old.blob[:8]
            + key("ada", "cosigner").sign(
                swap(b"signature/v1", b"signature/v2")(cosigned(FIRST_COSIGNED, Proof().body))
            )
        ),
    )
    changed(
        "witness-other-tree-head",
        "A witness signed another tree head of the same size",
        2,
        lambda old: (Proof(leaf=b"another leaf").signatures[2]),
    )
    changed(
        "witness-older-tree-head", "A witness signed an older tree head", 3, lambda old: (Proof(size=7).signatures[3])
    )
    changed(
        "witness-other-origin",
        "A witness signed the tree head of another log",
        3,
        lambda old: (
            cosignature(Proof().body.replace(ORIGIN, OTHER), key("dee", "cosigner"), old.name, FIRST_COSIGNED + 2)
        ),
    )
    changed(
        "witness-by-other-key",
        "A cosignature is by another key",
        3,
        lambda old: cosignature(Proof().body, key("dee", "builder"), old.name, FIRST_COSIGNED + 2).replacing(
            identity=old.identity
        ),
    )
    changed(
        "log-by-other-key",
        "The log's line is by another key",
        0,
        lambda old: log_signature(Proof().body, key("cyd", "log")).replacing(identity=old.identity),
    )
    changed(
        "log-without-newline",
        "The log signed the checkpoint without its last newline",
        0,
        lambda old: (old.replacing(blob=key("ada", "log").sign(Proof().body[:-1]))),
    )
    changed(
        "log-whole-note",
        "The log signed the checkpoint with the empty line behind it",
        0,
        lambda old: (old.replacing(blob=key("ada", "log").sign(Proof().body + b"\n"))),
    )
    changed(
        "log-other-size",
        "The log signed another size",
        0,
        lambda old: (old.replacing(blob=key("ada", "log").sign(swap(b"\n8\n", b"\n9\n")(Proof().body)))),
    )
    proof = Proof()
    blobs = [signature.blob for signature in proof.signatures]
    proof.signatures[1].blob, proof.signatures[2].blob = blobs[2], blobs[1]
    refuse("signature-swapped", INVALID_SIGNATURE, "Two witnesses' signatures are swapped", proof)
    proof = Proof(cosigners=MEMBERS)
    changed("spare-witness", "A cosignature beyond the quorum is false", 3, turned(200), proof)
    proof = Proof()
    proof.signatures.append(turned(200)(proof.signatures[1]))
    refuse("signature-second-line", INVALID_SIGNATURE, "A witness's second line is false", proof)
    proof = Proof()
    proof.signatures.insert(0, turned(200)(proof.signatures[0]))
    refuse("signature-first-line", INVALID_SIGNATURE, "The log's first line of two is false", proof)
    refuse(
        "signature-extension-added",
        INVALID_SIGNATURE,
        "A line was added to the checkpoint",
        Proof(edit=swap(b"\n\n\xe2", b"\nmore\n\n\xe2")),
    )
    proof = Proof(logs=("ada", "bob"))
    changed("spare-log", "The second log key's line is false", 1, turned(200), proof)
    add_curve(corpus, refuse, changed)


SMALL_ORDER = [("identity", ed25519.encode(ed25519.IDENTITY))]
SMALL_ORDER += [
    (f"order-{order}", ed25519.encode(ed25519.multiply(8 // order, ed25519.TORSION))) for order in (2, 4, 8)
]
SMALL_ORDER += [
    ("order-8-negative", ed25519.encode(ed25519.negate(ed25519.TORSION))),
    ("not-canonical-identity", (ed25519.P + 1).to_bytes(32, "little")),
    ("not-canonical-order-4", ed25519.P.to_bytes(32, "little")),
    ("negative-zero", (1 | 1 << 255).to_bytes(32, "little")),
    ("not-canonical-negative-zero", (ed25519.P + 1 | 1 << 255).to_bytes(32, "little")),
]


def add_curve(corpus, refuse, changed):
    """Signatures that only a lenient verifier takes."""
    base = ed25519.encode(ed25519.BASE)
    for name, public in SMALL_ORDER:
        # S is 1 and R the base point: what S*B = R + h*A asks for where h*A is nothing.
        proof = Proof(cosigners=())
        witness = b"witness.example"
        time = FIRST_COSIGNED
        while ed25519.hash_scalar(base, public, cosigned(time, proof.body)) % 8:
            time += 1
        blob = time.to_bytes(8, "big") + base + (1).to_bytes(32, "little")
        proof.signatures.append(Signature(witness, key_id(witness, COSIGNATURE, public), blob))
        text = policy(
            witnesses=(),
            edit=lambda text, public=public: text.replace(
                b"group cosigners 3\n", line("witness w", vkey(b"witness.example", COSIGNATURE, public))
            ).replace(b"quorum cosigners", b"quorum w"),
        )
        corpus.policy(f"key-{name}", text)
        refuse(
            f"curve-key-{name}",
            INVALID_SIGNATURE,
            f"A witness's key is a point of small order: {name}",
            proof,
            policy=f"key-{name}",
        )
    for name, start in SMALL_ORDER:
        if "order-2" == name or "order-4" == name or "order-8" in name or "order-4" in name:
            continue

        # R is the identity, S = h*a: the equation holds, and everyone can see the key's scalar.
        def forged(old, start=start):
            signer, message = key("bob", "cosigner"), cosigned(FIRST_COSIGNED + 1, Proof().body)
            end = ed25519.hash_scalar(start, signer.public, message) * signer.scalar % ed25519.L
            return old.replacing(blob=old.blob[:8] + start + end.to_bytes(32, "little"))

        changed(f"curve-r-{name}", f"R is a point of small order: {name}", 2, forged)

    def torsion_in_start(old):
        signer, message = key("bob", "cosigner"), cosigned(FIRST_COSIGNED + 1, Proof().body)
        nonce = 12345
        start = ed25519.encode(ed25519.add(ed25519.multiply_base(nonce), ed25519.TORSION))
        end = (nonce + ed25519.hash_scalar(start, signer.public, message) * signer.scalar) % ed25519.L
        signature = start + end.to_bytes(32, "little")
        assert ed25519.verify(signer.public, message, signature, cofactored=True)
        return old.replacing(blob=old.blob[:8] + signature)

    changed(
        "curve-r-of-mixed-order", "R has a part of small order: only the cofactored equation holds", 2, torsion_in_start
    )
    proof, text = mixed_proof(False)
    corpus.policy("mixed-order-witness", text)
    refuse(
        "curve-key-of-mixed-order",
        INVALID_SIGNATURE,
        "The key has a part of small order: only the cofactored equation holds",
        proof,
        policy="mixed-order-witness",
    )
    # A key of mixed order lets R be of small order in the cofactorless equation too.
    signer, proof, name = mixed_key("witness of mixed order", ed25519.TORSION), Proof(cosigners=()), b"witness.example"
    start = ed25519.encode(ed25519.negate(ed25519.TORSION))
    time = FIRST_COSIGNED
    while ed25519.hash_scalar(start, signer.public, cosigned(time, proof.body)) % 8 != 1:
        time += 1
    message = cosigned(time, proof.body)
    end = ed25519.hash_scalar(start, signer.public, message) * signer.scalar % ed25519.L
    blob = time.to_bytes(8, "big") + start + end.to_bytes(32, "little")
    proof.signatures.append(Signature(name, key_id(name, COSIGNATURE, signer.public), blob))
    refuse(
        "curve-r-of-small-order",
        INVALID_SIGNATURE,
        "R is of order 8, and the cofactorless equation holds",
        proof,
        policy="mixed-order-witness",
    )
    off_curve = next(number.to_bytes(32, "little") for number in range(2, 99) if ed25519.x_of(number, 0) is None)
    changed(
        "curve-r-not-on-curve",
        "R is no point of the curve",
        2,
        lambda old: old.replacing(blob=old.blob[:8] + off_curve + old.blob[40:]),
    )
    proof = Proof(cosigners=())
    proof.signatures.append(Signature(name, key_id(name, COSIGNATURE, off_curve), bytes(72)))
    corpus.policy(
        "key-not-on-curve",
        policy(
            witnesses=(),
            edit=lambda text: text.replace(
                b"group cosigners 3\n", line("witness w", vkey(name, COSIGNATURE, off_curve))
            ).replace(b"quorum cosigners", b"quorum w"),
        ),
    )
    refuse(
        "curve-key-not-on-curve",
        INVALID_SIGNATURE,
        "A witness's key is no point of the curve",
        proof,
        policy="key-not-on-curve",
    )


def add_log(corpus, refuse):
    proof = Proof(logs=("cyd",))
    refuse("log-unknown-key", UNTRUSTED_LOG, "The log's key is none of the policy's", proof)
    refuse("log-not-signed", UNTRUSTED_LOG, "Witnesses signed the checkpoint, the log did not", Proof(logs=()))
    proof = Proof()
    proof.signatures[0] = proof.signatures[0].replacing(identity=flip(proof.signatures[0].identity, 0))
    refuse("log-other-key-id", UNTRUSTED_LOG, "The log's line has another key ID, so nobody's key", proof)
    proof = Proof()
    proof.signatures[0] = proof.signatures[0].replacing(name=b"vectors.example.")
    refuse("log-other-name", UNTRUSTED_LOG, "The log's line has another name, so nobody's key", proof)
    evidence = Evidence(group=OTHER)
    refuse(
        "log-other-origin",
        UNTRUSTED_LOG,
        "The checkpoint is another group's, whole and well signed",
        Proof(evidence, origin=OTHER),
    )
    proof = Proof(evidence, origin=OTHER, logs=(), cosigners=())
    proof.signatures = [log_signature(proof.body, key("ada", "log"))]
    proof.signatures += [
        cosignature(proof.body, key(name, "cosigner"), member_name(name), FIRST_COSIGNED) for name in MEMBERS[:3]
    ]
    refuse(
        "log-signs-other-origin",
        UNTRUSTED_LOG,
        "The log and the witnesses signed a checkpoint of another origin",
        proof,
    )
    proof = Proof(logs=())
    proof.signatures.insert(0, log_signature(proof.body, key("ada", "builder")))
    refuse("log-signed-by-builder", UNTRUSTED_LOG, "A builder's key signed as the log", proof)
    proof = Proof(logs=())
    proof.signatures.insert(0, cosignature(proof.body, key("ada", "log"), ORIGIN, FIRST_COSIGNED))
    refuse("log-cosigns", UNTRUSTED_LOG, "The log's key made a cosignature, of a type that is not the log's", proof)
    text = swap(b"log " + log_vkey("ada"), b"log " + log_vkey("ada", OTHER))(policy(logs=("ada",)))
    corpus.policy("log-of-other-origin", text)
    refuse(
        "log-key-of-other-origin",
        UNTRUSTED_LOG,
        "The policy has the key under another origin",
        Proof(),
        policy="log-of-other-origin",
    )
    corpus.policy("no-log", policy(logs=()))
    refuse("log-none-in-policy", UNTRUSTED_LOG, "The policy knows no log", Proof(), policy="no-log")


def add_quorum(corpus, refuse):
    refuse(
        "quorum-one-missing", QUORUM, "Two witnesses cosigned where three are wanted", Proof(cosigners=("ada", "bob"))
    )
    refuse("quorum-none", QUORUM, "No witness cosigned", Proof(cosigners=()))
    refuse("quorum-same-thrice", QUORUM, "One of two witnesses cosigned twice", Proof(cosigners=("ada", "bob", "ada")))
    refuse(
        "quorum-unknown-witness",
        QUORUM,
        "One of three cosigners is not the policy's",
        Proof(cosigners=("ada", "bob", "eve")),
    )
    proof = Proof()
    proof.signatures[3].identity = flip(proof.signatures[3].identity, 9)
    refuse("quorum-other-key-id", QUORUM, "A cosigner's line has another key ID, so nobody's key", proof)
    proof = Proof()
    proof.signatures[3].name = b"dee.vectors.example.org"
    refuse("quorum-other-name", QUORUM, "A cosigner's line has another name, so nobody's key", proof)
    proof = Proof(cosigners=("ada", "bob"))
    proof.signatures.append(log_signature(proof.body, key("dee", "cosigner"), member_name("dee")))
    refuse(
        "quorum-plain-signature", QUORUM, "A cosigner signed as a log does, under a key ID that is not its own", proof
    )
    proof = Proof(cosigners=("ada", "bob"))
    proof.signatures.append(cosignature(proof.body, key("dee", "builder"), member_name("dee"), FIRST_COSIGNED))
    refuse("quorum-builder-key", QUORUM, "A builder's key cosigned", proof)
    proof = Proof(cosigners=("ada", "bob"))
    proof.signatures.append(log_signature(proof.body, key("bob", "log")))
    refuse("quorum-log-key", QUORUM, "A second log key signed where a third witness is wanted", proof)
    refuse(
        "quorum-all",
        QUORUM,
        "Three of four witnesses cosigned where all are wanted",
        Proof(Evidence(agreeing(*MEMBERS))),
        policy="all-of-four",
    )
    refuse(
        "quorum-one",
        QUORUM,
        "The one witness that the policy knows did not cosign",
        Proof(cosigners=("ada", "bob", "cyd")),
        policy="one",
    )
    refuse(
        "quorum-nested",
        QUORUM,
        "Two of one group where one each of two groups is wanted",
        Proof(cosigners=("ada", "bob", "cyd")),
        policy="nested",
    )


def add(corpus):
    digest = corpus.content(DATA)

    def refuse(name, status, why, proof, policy="four"):
        corpus.refuse(name, status, why, proof, digest, policy)

    for part in (add_inclusion, add_signatures, add_log, add_quorum):
        part(corpus, refuse)
