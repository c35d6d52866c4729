"""Hand-overs that are refused, and proofs that do not hold by the policies that hand-overs lead to."""

from .formats import (
    MEMBERS, ORIGIN, Evidence, Outcome, Reveal, agreeing, base64, builder_vkey, content, cosigned, flip, key, line,
    policy, sha256, swap)
from .handovers import ONE, THREE, TWO, ZERO, Approval, Epoch, Handover, Handovers, approving

MALFORMED, INCLUSION, UNTRUSTED_LOG, INVALID_SIGNATURE, QUORUM, REPRODUCERS = 1, 4, 6, 7, 8, 9
ARTIFACT, VERDICT, GROUP, NOT_EVIDENCE, NOT_REPRODUCED, INVALID_REVEAL = 10, 11, 14, 15, 16, 17
NOT_HANDOVER, WRONG_EPOCH = 19, 20


def add_log(table):
    """The log, its witnesses and its tree."""
    leaf = Handover(ONE.policy(), approving("ada", "bob", "cyd")).encode()

    def refuse(name, status, why, proof):
        table.row(name, status, why, [table.file(name, proof)])

    proof = ZERO.proof(leaf)
    for name, why, index in (("sibling", "the leaf beside it", 4), ("first", "the first leaf", 0)):
        moved = swap(b"index 5\n", line("index", index))(proof.encode())
        refuse(f"inclusion-index-of-{name}", INCLUSION, f"The index is that of {why}", moved)
    sibling = base64(proof.path[1])
    refuse("inclusion-sibling-flipped", INCLUSION, "A bit of a sibling is turned over",
           swap(sibling, base64(flip(proof.path[1], 9)))(proof.encode()))
    refuse("inclusion-path-shorter", INCLUSION, "The path's last hash is missing",
           swap(line(base64(proof.path[2])), b"")(proof.encode()))
    other = Handover(ONE.policy(quorum="any"), approving("ada", "bob", "cyd")).encode()
    refuse("inclusion-other-leaf", INCLUSION, "Another hand-over than the one that is in the log",
           swap(base64(leaf), base64(other))(proof.encode()))
    for name, why, logs in (
        ("of-next", "The head is signed by the next epoch's log alone", ("cyd",)),
        ("of-nobody", "The head is signed by no log", ()),
        ("unknown", "The head is signed by a log that nobody knows", ("zoe",)),
    ):
        refuse(f"log-{name}", UNTRUSTED_LOG, why, ZERO.proof(leaf, logs=logs))
    own = Handover(ONE.policy(), approving("cyd", "dee", "eve")).encode()
    refuse("log-all-of-next", UNTRUSTED_LOG, "The next epoch's log, witnesses and builders hand over to themselves",
           ZERO.proof(own, logs=("cyd",), cosigners=("cyd", "dee", "eve")))
    foreign = ZERO.proof(Handover(ONE.policy(), approving("ada", "bob", "cyd")).encode(), origin=b"other.example")
    refuse("log-of-other-origin", UNTRUSTED_LOG, "The head is another log's, under the same keys", foreign)
    for name, why, cosigners in (
        ("one-missing", "Two witnesses of the three that are wanted", ("ada", "bob")),
        ("none", "No witness", ()),
        ("next-alone", "The next epoch's witnesses, of whom two are of this one", ("bob", "cyd", "eve")),
        ("next-all", "All of the next epoch's that are new", ("eve", "fay", "gus", "hal")),
    ):
        refuse(f"quorum-{name}", QUORUM, why, ZERO.proof(leaf, cosigners=cosigners))
    refuse("quorum-all-of-next", QUORUM, "The next epoch's witnesses and builders, and a log of both epochs",
           ZERO.proof(own, logs=("bob",), cosigners=("cyd", "dee", "eve")))
    proof = ZERO.proof(leaf, cosigners=("ada", "bob"))
    proof.signatures.append(proof.signatures[-1])
    refuse("quorum-one-twice", QUORUM, "One witness of the three that are wanted is there twice", proof)
    for name, why, place in (("log", "The log's signature", 0), ("witness", "A witness's signature", 3)):
        proof = ZERO.proof(leaf)
        signature = proof.signatures[place]
        bit = 8 * len(signature.blob) - 20
        proof.signatures[place] = signature.replacing(blob=flip(signature.blob, bit))
        refuse(f"signature-{name}-flipped", INVALID_SIGNATURE, f"{why} has a bit turned over", proof)
    proof = ZERO.proof(leaf, cosigners=MEMBERS)
    last = proof.signatures[-1]
    forged = key("eve", "cosigner").sign(cosigned(1790000004, proof.body))
    proof.signatures[-1] = last.replacing(blob=last.blob[:8] + forged)
    refuse("signature-witness-to-spare", INVALID_SIGNATURE, "A witness that is not needed has another's signature",
           proof)


def add_signers(table):
    """Who approved of what."""
    next_policy = ONE.policy()

    def refuse(name, status, why, approvals, text=next_policy, **settings):
        made = ZERO.handover(text, approvals, **settings)
        table.row(name, status, why, [table.file(name, made)])

    two = approving("ada", "bob")

    def false(name, why, cyd, to_spare=False):
        refuse(f"approval-{name}", INVALID_SIGNATURE, why, two + [cyd] + (approving("dee") if to_spare else []))

    good = Approval("cyd").signature_on(ORIGIN, 0, sha256(next_policy))
    for name, signed in (
        ("epoch", dict(epoch=1)),
        ("group", dict(group=b"other.example")),
        ("policy", dict(policy=sha256(TWO.policy()))),
        ("builder", dict(builder=b"dee")),
        ("epoch-leading-zero", dict(epoch=b"00")),
    ):
        what = "the epoch with a leading zero" if name == "epoch-leading-zero" else f"another {name}"
        false(f"other-{name}", f"A builder approved {what}", Approval("cyd", signed=signed))
    false("present-policy", "A builder approved the policy that is replaced", Approval("cyd", signed=dict(
        policy=sha256(policy()))))
    false("bit-of-r", "A bit of an approval's R is turned over", Approval("cyd", signature=flip(good, 3)))
    false("bit-of-s", "A bit of an approval's S is turned over", Approval("cyd", signature=flip(good, 300)))
    false("zeros", "An approval is zeros", Approval("cyd", signature=bytes(64)))
    false("by-other-builder", "An approval is signed by another builder", Approval("cyd", signer=key("dee", "builder")))
    false("by-log-key", "An approval is signed by the builder's log key", Approval("cyd", signer=key("cyd", "log")))
    false("by-cosigner-key", "An approval is signed by the builder's cosigner key",
          Approval("cyd", signer=key("cyd", "cosigner")))
    false("by-newer-key", "An approval is signed by a key that the policy does not have yet",
          Approval("cyd", signer=key("cyd", "newer builder")))
    false("to-spare", "A false approval that is not needed", Approval("cyd", signer=key("eve", "builder")), True)
    for name, why, message in (
        ("without-newline", "the text without its last newline", lambda text: text[:-1]),
        ("digest-of-it", "the digest of the text", sha256),
        ("other-version", "the text of version 2", swap(b"-approval/v1", b"-approval/v2")),
        ("policy-itself", "the next policy itself", lambda text: next_policy),
        ("policy-digest", "the next policy's digest", lambda text: sha256(next_policy)),
        ("leaf-version", "the text under the leaf's own first line", swap(b"-approval/v1", b"/v1")),
        ("as-note", "the text as a cosigner would", lambda text: cosigned(1790000001, text)),
    ):
        false(name, f"A builder signed {why}", Approval("cyd", message=message))
    false("a-reveal", "A builder's signature on a reveal stands for its approval", Approval(
        "cyd", signature=Reveal("cyd").signature_on(ORIGIN, sha256("job"))))
    refuse("approvals-two", REPRODUCERS, "Two approve where three are wanted", two)
    refuse("approvals-one", REPRODUCERS, "One approves where three are wanted", approving("dee"))
    refuse("approvals-of-next", REPRODUCERS, "Three of the next members approve, of whom two are of this epoch",
           approving("bob", "cyd", "eve"))
    refuse("approvals-by-strangers", REPRODUCERS, "Four approve whom the policy does not know",
           approving("eve", "fay", "gus", "hal"))
    capitals = [Approval(name.upper(), signer=key(name, "builder")) for name in MEMBERS]
    refuse("approvals-in-capitals", REPRODUCERS, "Names in capitals are other names", capitals)
    refuse("approvals-next-asks-one", REPRODUCERS, "The next policy is content with one; this one is not", two,
           ONE.policy(reproducers="any", quorum="any"))
    made = ZERO.handover(next_policy, approving(*MEMBERS[:3]))
    table.row("approvals-policy-asks-all", REPRODUCERS, "A stricter policy of the consumer's own, not satisfied",
              [table.file("zero-to-one", made)], policy=table.policy("strict-builders", policy(reproducers="all")))
    table.row("approvals-keys-of-other-group", REPRODUCERS, "The policy has these keys for another group's members",
              [table.file("zero-to-one", made)], policy="policies/builders-of-other-group.policy")
    pair = policy().replace(b"builder ada ", b"builder ada-old ").replace(b"3 ada bob cyd dee", b"all ada-old ada-new")
    pair = swap(b"group cosigners", line("builder ada-new", builder_vkey("ada", role="newer builder"))
                + b"group cosigners")(pair)
    table.row("approvals-two-keys-of-one", REPRODUCERS, "Two keys of one builder are not two builders",
              [table.file("zero-to-one", made)], policy=table.policy("two-keys-of-one", pair))


def add_groups(table):
    """Another group's hand-over in our log, and the other way round."""
    other = Epoch(0, MEMBERS, ("ada", "bob"), "ada", origin=b"other.example")
    leaf = Handover(other.policy(), approving(*MEMBERS), group=b"other.example").encode()
    table.row("group-other", GROUP, "The log holds another group's hand-over",
              [table.file("group-other", ZERO.proof(leaf))])
    as_ours = [Approval(name, signed=dict(group=ORIGIN)) for name in MEMBERS]
    leaf = Handover(other.policy(), as_ours, group=b"other.example").encode()
    table.row("group-other-approved-as-ours", GROUP, "The same, and its approvals are signed for this group",
              [table.file("group-other-approved-as-ours", ZERO.proof(leaf))])
    shorter = Epoch(0, MEMBERS, ("ada",), "ada", origin=b"ectors.example")
    leaf = Handover(shorter.policy(), approving(*MEMBERS), group=b"ectors.example").encode()
    table.row("group-shorter", GROUP, "The hand-over is of a group whose name is the end of the log's",
              [table.file("group-shorter", ZERO.proof(leaf))])


def add_epochs(table):
    first = table.file("zero-to-one", ZERO.handover(ONE.policy()))
    second = table.file("one-to-two", ONE.handover(TWO.policy()))
    third = "handovers/two-to-three.tlog-proof"

    def refuse(name, why, *files, status=WRONG_EPOCH, **settings):
        table.row(name, status, why, files, **settings)

    refuse("epoch-earlier", "The hand-over is of an epoch that is over", first, epoch=1)
    refuse("epoch-later", "The hand-over is of the next epoch", table.file("epoch-later", ZERO.handover(
        ONE.policy(), epoch=1)))
    refuse("epoch-much-later", "The hand-over is of epoch 2^32", table.file("epoch-32-bits", ZERO.handover(
        ONE.policy(), epoch=2**32)))
    refuse("epoch-twice", "The same hand-over twice", first, first)
    refuse("epoch-left-out", "The second hand-over is left out", first, third)
    refuse("epochs-swapped", "The hand-overs stand in the wrong order", second, first)
    refuse("epoch-back", "The first hand-over once more behind the second", first, second, first)
    both = table.file("one-to-two-skipping", ONE.handover(TWO.policy(), epoch=2))
    refuse("epoch-skipped", "The next epoch's builders hand over in the name of the one behind it", first, both)
    fork = table.file("zero-to-two", ZERO.handover(TWO.policy()))
    refuse("epoch-fork", "A second hand-over of the epoch, to another policy, that holds as well", first, fork)
    other = table.file("zero-to-one-by-others", ZERO.handover(ONE.policy(), approving("bob", "cyd", "dee")))
    refuse("epoch-twice-by-others", "A second hand-over of the epoch, to the same policy by others", first, other)
    back = table.file("one-to-zero", ONE.handover(policy()))
    two = table.policy("two-of-each", TWO.policy(quorum=2, reproducers=2))
    refuse("epoch-replayed-back", "An earlier hand-over, which leads back, and whose builders are still there", back,
           policy=two, epoch=2)
    # What the consumer's number is for: the same files, and the epoch taken from the hand-over.
    table.row("epoch-taken-from-the-handover", 0, "The same where the consumer says that the policy is of epoch 1",
              [back], policy=two, epoch=1)

    def chained(name, status, why, proof):
        refuse(name, why, first, table.file(name, proof), status=status)

    chained("second-by-first", REPRODUCERS, "The removed builder's approval counts no more in the next epoch",
            ONE.handover(TWO.policy(), approving("ada", "bob", "cyd")))
    chained("second-under-first-head", UNTRUSTED_LOG, "The next epoch's hand-over under a head of the first's log",
            ONE.proof(Handover(TWO.policy(), approving("bob", "cyd", "dee"), 1).encode(), logs=("ada",)))
    chained("second-all-of-first", UNTRUSTED_LOG, "The first epoch's log, witnesses and builders hand over once more",
            ZERO.handover(TWO.policy(), epoch=1))
    chained("second-first-witnesses", QUORUM, "The next epoch's hand-over under the first's witnesses",
            ONE.proof(Handover(TWO.policy(), approving("bob", "cyd", "dee"), 1).encode(), cosigners=MEMBERS[:3]))
    newer = key("bob", "newer builder")
    rotated = ONE.policy(edit=swap(builder_vkey("bob"), builder_vkey("bob", role="newer builder")))
    to = table.file("to-rotated-bob", ZERO.handover(rotated))
    old = table.file("rotated-by-older-key", ONE.handover(TWO.policy()))
    refuse("second-by-older-key", "A builder approves with the key that the hand-over before took away", to, old,
           status=INVALID_SIGNATURE)
    good = table.file("rotated-by-newer-key", ONE.handover(
        TWO.policy(), [Approval("bob", signer=newer)] + approving("cyd", "dee")))
    table.row("second-by-newer-key", 0, "A builder approves with the key that the hand-over before gave it", (to, good))
    no_log = "handovers/to-no-log.tlog-proof"
    again = table.file("behind-no-log", ZERO.handover(ONE.policy(), epoch=1))
    refuse("second-without-log", "The next policy trusts no log, so that nothing follows from it", no_log, again,
           status=UNTRUSTED_LOG)


def add_evidence(table):
    """Proofs by a chain of policies, or by too short a one."""
    chain = [f"handovers/{name}.tlog-proof" for name in ("zero-to-one", "one-to-two", "two-to-three")]

    def refuse(name, status, why, proof, files=chain[:1], **settings):
        path = proof if isinstance(proof, str) else table.file(name, proof)
        table.row(name, status, why, files, proof=path, **settings)

    refuse("evidence-not-followed", UNTRUSTED_LOG, "A proof of the next epoch, nothing followed",
           "handovers/evidence-1.tlog-proof", files=[])
    refuse("evidence-not-followed-witnesses", QUORUM, "Two of its witnesses are of the first epoch, nothing followed",
           ONE.proof(ONE.evidence().encode(), logs=("bob",), cosigners=("cyd", "dee", "eve")), files=[])
    refuse("evidence-followed-less-far", UNTRUSTED_LOG, "A proof of epoch 3 where two hand-overs are followed",
           "handovers/evidence-3.tlog-proof", files=chain[:2])
    refuse("evidence-by-removed", REPRODUCERS, "The first builders rebuild in the next epoch, under its head",
           ZERO.rebuild(ONE, epoch=1))
    refuse("evidence-old-head", UNTRUSTED_LOG, "The next epoch's evidence under a head of the first's log",
           ONE.proof(ONE.evidence().encode(), logs=("ada",)))
    refuse("evidence-old-witnesses", QUORUM, "The next epoch's evidence under the first's witnesses",
           ONE.proof(ONE.evidence().encode(), cosigners=MEMBERS[:3]))
    refuse("evidence-mixed-head", QUORUM, "Witnesses of two epochs, and of neither enough",
           ZERO.proof(ZERO.evidence().encode(), logs=("bob",), cosigners=("ada", "bob", "eve")))
    refuse("evidence-backdated", REPRODUCERS, "The next builders rebuild in the first epoch",
           ZERO.proof(ONE.evidence(0, agreeing("bob", "cyd", "eve")).encode()))
    refuse("evidence-backdated-head-1", REPRODUCERS, "The same under their own head",
           ONE.proof(ONE.evidence(0, agreeing("bob", "cyd", "eve")).encode()))
    refuse("evidence-later-than-chain", REPRODUCERS, "The first builders in an epoch behind the chain",
           ZERO.rebuild(ONE, epoch=9))
    refuse("evidence-of-middle-by-last", REPRODUCERS, "The last epoch's builders in the middle one, under their head",
           THREE.rebuild(epoch=1, reports=agreeing("eve", "fay", "gus")), files=chain)
    refuse("evidence-by-older-key", INVALID_REVEAL, "A builder's older key behind the hand-over that took it away",
           ZERO.rebuild(epoch=1), files=["handovers/to-rotated.tlog-proof"])
    newer = [Reveal("ada", signer=key("ada", "newer builder"))] + agreeing("bob", "cyd")
    refuse("evidence-by-newer-key-before", INVALID_REVEAL, "A builder's newer key before the hand-over that gave it",
           ZERO.rebuild(reports=newer), files=["handovers/to-rotated.tlog-proof"])
    refuse("evidence-thresholds-raised", REPRODUCERS, "Three agree where all are wanted since the hand-over",
           ZERO.proof(ZERO.evidence(1).encode(), cosigners=MEMBERS),
           files=["handovers/to-thresholds-raised.tlog-proof"])
    refuse("evidence-no-log", UNTRUSTED_LOG, "The policy behind the hand-over trusts no log", ZERO.rebuild(epoch=1),
           files=["handovers/to-no-log.tlog-proof"])
    lowered = Evidence(agreeing("dee"), epoch=0, reproducers=1)
    refuse("evidence-before-thresholds-lowered", REPRODUCERS, "One agrees where three were wanted before the hand-over",
           ZERO.proof(lowered.encode()), files=["handovers/to-thresholds-lowered.tlog-proof"])
    refuse("evidence-artifact", ARTIFACT, "Another artifact, by the chain", "handovers/evidence-1.tlog-proof",
           digest=sha256(content("another")))
    proof = ONE.rebuild()
    refuse("evidence-inclusion", INCLUSION, "The index is that of the leaf beside it, by the chain",
           swap(b"index 5\n", b"index 4\n")(proof.encode()))
    last = proof.signatures[-1]
    proof.signatures[-1] = last.replacing(blob=flip(last.blob, 200))
    refuse("evidence-signature", INVALID_SIGNATURE, "A bit of a later witness's signature is turned over", proof)
    reports = [Reveal("bob", signer=key("zoe", "builder"))] + agreeing("cyd", "dee", "eve")
    refuse("evidence-reveal", INVALID_REVEAL, "A reveal of the next epoch is not signed", ONE.rebuild(reports=reports))
    refuse("evidence-verdict", VERDICT, "It says reproduced where two of three agree, by the chain",
           ONE.proof(ONE.evidence(reports=agreeing("bob", "cyd"), verdict="reproduced").encode()))
    failed = agreeing("bob", "cyd", "dee", outcome=Outcome(failed="exit-status 101"))
    refuse("evidence-failed", NOT_REPRODUCED, "Three failed alike, by the chain", ONE.rebuild(reports=failed))
    refuse("evidence-group", GROUP, "The log holds another group's evidence, by the chain",
           ONE.proof(Evidence(ONE.evidence().reports, epoch=1, group=b"other.example").encode()))
    refuse("evidence-is-handover", NOT_EVIDENCE, "The proof to be verified is a hand-over",
           "handovers/zero-to-one.tlog-proof", files=[])
    refuse("evidence-is-handover-followed", NOT_EVIDENCE, "The proof to be verified is the hand-over that was followed",
           "handovers/zero-to-one.tlog-proof")
    refuse("evidence-is-next-handover", NOT_EVIDENCE, "The proof to be verified is the next hand-over",
           "handovers/one-to-two.tlog-proof")
    refuse("evidence-cut", MALFORMED, "The proof's last byte is missing, by the chain", ONE.rebuild().encode()[:-1])
    refuse("evidence-behind-refused", WRONG_EPOCH, "A proof that holds, behind a hand-over that does not",
           "handovers/evidence-0.tlog-proof", files=[chain[1]])
    refuse("handover-is-evidence", NOT_HANDOVER, "The hand-over is a proof of evidence",
           "handovers/evidence-0.tlog-proof", files=["handovers/evidence-0.tlog-proof"])


def add_order(table):
    """Two faults at once: the status is that of the first."""
    def refuse(name, status, why, proof, **settings):
        table.row(f"order-{name}", status, why, [table.file(f"order-{name}", proof)], **settings)

    approvals = approving("ada", "bob")
    refuse("inclusion-leaf", INCLUSION, "No hand-over, and not in the tree",
           swap(b"index 5\n", b"index 4\n")(ZERO.rebuild(epoch=7).encode()))
    refuse("leaf-epoch", NOT_HANDOVER, "No hand-over, of another epoch, by nobody",
           ZERO.handover(ONE.policy(), [], epoch=1, edit=swap(b"epoch 1\n", b"epoch 01\n")))
    proof = ZERO.handover(ONE.policy(), epoch=1)
    proof.signatures[0] = proof.signatures[0].replacing(blob=flip(proof.signatures[0].blob, 9))
    refuse("epoch-signature", WRONG_EPOCH, "Another epoch, and a log's signature that is false", proof)
    proof = ZERO.handover(ONE.policy(), head=Epoch(0, ("ada", "bob"), (), "cyd"))
    proof.signatures[1] = proof.signatures[1].replacing(blob=flip(proof.signatures[1].blob, 99))
    refuse("signature-log", INVALID_SIGNATURE, "A witness's signature that is false, and no log of the policy", proof)
    refuse("log-quorum", UNTRUSTED_LOG, "No log of the policy, and too few witnesses",
           ZERO.proof(Handover(ONE.policy(), approvals).encode(), logs=("cyd",), cosigners=("ada",)))
    other = Epoch(0, MEMBERS, ("ada",), "ada", origin=b"other.example")
    leaf = Handover(other.policy(), approvals, group=b"other.example").encode()
    refuse("quorum-group", QUORUM, "Too few witnesses, and another group's hand-over",
           ZERO.proof(leaf, cosigners=("ada",)))
    refuse("group-approvals", GROUP, "Another group's hand-over, and too few approvals", ZERO.proof(leaf))
    refuse("approval-count", INVALID_SIGNATURE, "A false approval, and too few others",
           ZERO.handover(ONE.policy(), [Approval("ada"), Approval("bob", signer=key("zoe", "builder"))]))
    first = "handovers/zero-to-one.tlog-proof"
    theirs = table.file("order-group-epoch", other.handover(other.policy(), approvals, epoch=9))
    table.row("order-group-epoch", GROUP, "Another group's hand-over in the second place, and another epoch's",
              [first, theirs])
    table.row("order-first-refused", REPRODUCERS, "The first has too few approvals, the second is of its epoch",
              ["handovers/approvals-two.tlog-proof", first])


def add(corpus):
    table = Handovers(corpus)
    for part in (add_log, add_signers, add_groups, add_epochs, add_evidence, add_order):
        part(table)
