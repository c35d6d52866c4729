"""Hand-overs that hold, alone and in chains, and the proofs that hold by the policies that they lead to."""

from .formats import (
    COSIGNATURE, ED25519, MEMBERS, ORIGIN, Absent, Evidence, Proof, Reveal, agreeing, base64, builder_vkey, content,
    cosignature, key, large_tree, line, log_vkey, member_name, octets, policy, sha256, swap, vkey, witness_vkey)

DATA = content("libitoa.rlib")
LAST = 2**64 - 1


class Epoch:
    """The members of an epoch, of whom three sign by default: as many as its policy asks for."""

    def __init__(self, number, members, logs, log, origin=ORIGIN):
        self.number, self.members, self.logs, self.log, self.origin = number, members, logs, log, origin
        self.signers = members[:3]

    def policy(self, **settings):
        return policy(self.logs, self.members, self.members, origin=self.origin, **settings)

    def proof(self, leaf, **settings):
        """A proof of some leaf under a head of this epoch."""
        for name, value in dict(logs=(self.log,), cosigners=self.signers, origin=self.origin).items():
            settings.setdefault(name, value)
        return Proof(leaf=leaf, **settings)

    def evidence(self, epoch=None, reports=None, **settings):
        present = reports or agreeing(*self.signers)
        names = {report.name for report in present}
        absent = [Absent(name) for name in self.members if octets(name) not in names]
        number = self.number if epoch is None else epoch
        return Evidence(present + absent, epoch=number, group=self.origin, **settings)

    def rebuild(self, head=None, **settings):
        """A proof of this epoch's evidence, under this epoch's head or another one's."""
        return (head or self).proof(self.evidence(**settings).encode())

    def handover(self, to, approvals=None, epoch=None, head=None, **settings):
        """A proof by which this epoch's builders hand over to a policy."""
        given = approvals if approvals is not None else approving(*self.signers)
        number = self.number if epoch is None else epoch
        settings.setdefault("group", self.origin)
        return (head or self).proof(Handover(to, given, number, **settings).encode())


# Three of four stay from epoch to epoch. Of the logs' keys, one is of the epoch before as well; that one signs nowhere
# here unless it is said, so that each head is one epoch's alone.
ZERO = Epoch(0, MEMBERS, ("ada", "bob"), "ada")
ONE = Epoch(1, ("bob", "cyd", "dee", "eve"), ("bob", "cyd"), "cyd")
TWO = Epoch(2, ("cyd", "dee", "eve", "fay"), ("cyd", "dee"), "dee")
THREE = Epoch(3, ("dee", "eve", "fay", "gus"), ("dee", "eve"), "eve")


class Approval:
    """A builder's line. What is signed follows the leaf but for what `signed` says otherwise."""

    def __init__(self, name, signer=None, signed=None, message=None, signature=None):
        self.name, self.signed, self.message, self.signature = octets(name), signed or {}, message, signature
        self.signer = signer or key(self.name.decode("latin-1"), "builder")

    def signature_on(self, group, epoch, digest):
        if self.signature is not None:
            return self.signature
        said = dict(group=group, epoch=epoch, policy=digest, builder=self.name)
        said.update(self.signed)
        text = line("synchronicity-handover-approval/v1") + line("group", said["group"]) + line("epoch", said["epoch"])
        text += line("policy", said["policy"].hex()) + line("builder", said["builder"])
        return self.signer.sign(self.message(text) if self.message else text)

    def line(self, *approved):
        return line("builder", self.name, base64(self.signature_on(*approved)))


def approving(*names):
    return [Approval(name) for name in names]


class Handover:
    """A leaf. Sorts and counts as the format wants it, unless told otherwise."""

    def __init__(self, policy, approvals, epoch=0, group=ORIGIN, is_sorted=True, edit=None):
        self.policy, self.epoch, self.group, self.edit = policy, epoch, group, edit
        self.digest = sha256(policy)
        self.approvals = sorted(approvals, key=lambda approval: approval.name) if is_sorted else approvals

    def encode(self):
        text = line("synchronicity-handover/v1") + line("group", self.group) + line("epoch", self.epoch)
        text += line("policy", self.digest.hex(), self.policy.count(b"\n")) + self.policy
        text += b"".join(approval.line(self.group, self.epoch, self.digest) for approval in self.approvals)
        return self.edit(text) if self.edit else text


def lone_policy(member, origin=ORIGIN):
    """One log, one witness, one builder: the policy `one` for other members."""
    text = line("log", log_vkey(member, origin)) + line("witness w", witness_vkey(member, origin))
    return text + line("builder b", builder_vkey(member, origin)) + b"quorum w\nreproducers b\n"


class Handovers:
    """Adds rows to the table; whatever has a name is written once."""

    def __init__(self, corpus):
        self.corpus = corpus

    def policy(self, name, text):
        return self.corpus.handover_file(f"{name}.policy", text)

    def file(self, name, proof):
        """A hand-over, or a proof to be verified behind some."""
        return self.corpus.handover_file(f"{name}.tlog-proof", proof if isinstance(proof, bytes) else proof.encode())

    def row(self, name, status, why, files=(), proof=None, policy="policies/four.policy", epoch=0, digest=None):
        asked = (digest or sha256(DATA)) if proof else None
        self.corpus.follow(name, policy, epoch if files else None, files, proof, asked, status, why)

    def holds(self, name, why, *files, **settings):
        self.row(name, 0, why, files, **settings)


def add_epochs(table):
    """The chain that most rows begin with: three hand-overs, and each epoch's proof."""
    first = table.file("zero-to-one", ZERO.handover(ONE.policy()))
    second = table.file("one-to-two", ONE.handover(TWO.policy()))
    third = table.file("two-to-three", TWO.handover(THREE.policy()))
    chain = (first, second, third)
    table.holds("one-handover", "Three of four hand over to three of them and a new one", first)
    table.holds("two-handovers", "Two hand-overs, each by the builders of its epoch", *chain[:2])
    table.holds("three-handovers", "Three hand-overs: of the first four builders one is left", *chain)
    table.policy("one", ONE.policy())
    table.holds("from-the-second-epoch", "A later epoch's policy is followed from there on", second, third, epoch=1,
                policy="handovers/one.policy")
    proofs = [table.file(f"evidence-{epoch.number}", epoch.rebuild()) for epoch in (ZERO, ONE, TWO, THREE)]
    for number, proof in enumerate(proofs):
        name = f"three-handovers-evidence-{number}"
        table.holds(name, f"A proof of epoch {number} by the chain", *chain, proof=proof)
    table.holds("one-handover-evidence-0", "A proof from before the hand-over goes on to hold", first, proof=proofs[0])
    table.holds("one-handover-evidence-1", "A proof from behind the hand-over holds by it", first, proof=proofs[1])
    table.holds("no-handover-evidence-0", "A proof by the policy alone, nothing followed", proof=proofs[0])
    both = table.file("evidence-1-log-of-both", ONE.proof(ONE.evidence().encode(), logs=("bob",)))
    table.holds("no-handover-evidence-1", "A proof of the next epoch in which nobody new has a part", proof=both)
    for number, head in ((1, ONE), (2, TWO), (3, THREE)):
        old = table.file(f"evidence-0-head-{number}", ZERO.rebuild(head))
        table.holds(f"old-leaf-head-{number}", f"Evidence of epoch 0 under a head of epoch {number}", *chain, proof=old)
    old = table.file("evidence-1-head-3", ONE.rebuild(THREE))
    table.holds("middle-leaf-head-3", "Evidence of epoch 1 under a head of epoch 3", *chain, proof=old)
    late = table.file("evidence-9", THREE.rebuild(epoch=9))
    table.holds("evidence-of-an-epoch-behind-the-chain", "An epoch behind the chain is the last policy's", *chain,
                proof=late)
    early = table.file("evidence-of-epoch-3-by-zero", ZERO.rebuild(epoch=3))
    to_one = table.file("five-to-six", ZERO.handover(ONE.policy(), epoch=5))
    table.holds("evidence-of-an-epoch-before-the-chain", "An epoch before the first policy's is the first policy's",
                to_one, proof=early, epoch=5)
    table.holds("epoch-five", "The first policy is of epoch 5", to_one, epoch=5)
    largest = table.file("largest-epoch", ZERO.handover(ONE.policy(), epoch=LAST - 1))
    proof = table.file("evidence-largest-epoch", ONE.rebuild(epoch=LAST))
    table.holds("epoch-largest", "The last epoch but one ends", largest, epoch=LAST - 1)
    table.holds("epoch-largest-evidence", "A proof of the largest epoch", largest, proof=proof, epoch=LAST - 1)


def add_changes(table):
    """What the next policy may change."""
    def change(name, why, text, proof=None, **settings):
        to = table.file(f"to-{name}", ZERO.handover(text, **settings))
        table.holds(f"change-{name}", why, to)
        if proof:
            proof = table.file(f"behind-{name}", proof)
            why = f"A proof from behind it: {why[0].lower()}{why[1:]}"
            table.holds(f"change-{name}-evidence", why, to, proof=proof)
        return to

    def proof(signers, members=MEMBERS, **settings):
        epoch = Epoch(1, members, ("ada",), "ada")
        epoch.signers = signers
        return epoch.rebuild(**settings)

    change("nothing", "The next policy is the same", policy(), proof(("ada", "bob", "cyd")))
    five = MEMBERS + ("eve",)
    text = policy(witnesses=five, builders=five, quorum=4, reproducers=4)
    change("member-added", "A member more, and thresholds of four", text, proof(("bob", "cyd", "dee", "eve"), five))
    three = MEMBERS[:3]
    text = policy(witnesses=three, builders=three, quorum=2, reproducers=2)
    change("member-removed", "A member less, and thresholds of two", text, proof(("bob", "cyd"), three, reproducers=2))
    change("thresholds-raised", "All are wanted from now on", policy(quorum="all", reproducers="all"), proof(MEMBERS))
    change("thresholds-lowered", "Anyone is enough from now on", policy(quorum="any", reproducers="any"),
           proof(("dee",), reproducers=1))
    change("all-members", "Nobody stays", Epoch(1, ("eve", "fay", "gus", "hal"), ("eve",), "eve").policy(),
           Epoch(1, ("eve", "fay", "gus", "hal"), ("eve",), "eve").rebuild())
    change("to-one", "One is left", lone_policy("dee"),
           Proof(Evidence([Reveal("dee")], epoch=1, reproducers=1), logs=("dee",), cosigners=("dee",)))
    change("quorum-none", "No witness from now on",
           policy(witnesses=(), edit=lambda text: text.replace(b"group cosigners 3\n", b"").replace(
               b"quorum cosigners", b"quorum none")), Epoch(1, MEMBERS, (), "ada").proof(
                   ZERO.evidence(epoch=1).encode(), cosigners=()))
    change("no-log", "The next policy trusts no log", policy(logs=()))
    names = policy().replace(b"builder ada ", b"builder \xff ").replace(b"3 ada bob", b"3 \xff bob")
    change("names-of-the-policy", "The next policy has another name for a builder", names, proof(("ada", "bob", "cyd")))
    nested = policy().split(b"group")[0] + b"group first any ada-cosigner bob-cosigner\n"
    nested += b"group second all cyd-cosigner first\ngroup pair all bob dee\ngroup most 2 pair ada cyd\n"
    change("nested", "Groups of groups", nested + b"quorum second\nreproducers most\n", proof(("bob", "cyd", "dee")))
    url = swap(log_vkey("ada"), log_vkey("ada") + b" https://ada.example/\xc3\xa4")(policy())
    change("urls", "A log has a URL", url, proof(("ada", "bob", "cyd")))
    stranger = vkey(b"witness.elsewhere", COSIGNATURE, key("wes", "cosigner").public)
    text = swap(b"witness dee-cosigner " + witness_vkey("dee"), b"witness dee-cosigner " + stranger)(policy())
    change("witness-of-nobodys-group", "A witness that is no member", text)


def add_keys(table):
    """Builders with other keys, and with two."""
    newer = key("ada", "newer builder")
    rotated = swap(builder_vkey("ada"), builder_vkey("ada", role="newer builder"))(policy())
    to = table.file("to-rotated", ZERO.handover(rotated))
    table.holds("key-rotated", "A builder has a newer key from now on", to)
    reports = [Reveal("ada", signer=newer)] + agreeing("bob", "cyd")
    behind = table.file("behind-rotated", ZERO.rebuild(epoch=1, reports=reports))
    table.holds("key-rotated-evidence-1", "The newer key behind the hand-over", to, proof=behind)
    table.holds("key-rotated-evidence-0", "The older key before it", to, proof=table.file("evidence-0", ZERO.rebuild()))
    newer_first = [Approval("ada", signer=newer)] + approving("bob", "cyd")
    again = table.file("rotated-to-two", ZERO.handover(TWO.policy(), newer_first, epoch=1))
    table.holds("key-rotated-approves", "The newer key approves the next hand-over", to, again)
    older = vkey(member_name("ada"), ED25519, key("ada", "builder").public)
    both = swap(b"builder ada " + older, line("builder ada", older) + line(
        "builder ada-new", vkey(member_name("ada"), ED25519, newer.public))[:-1])(policy())
    both = swap(b"group rebuilders 3 ada", b"group adas any ada ada-new\ngroup rebuilders 3 adas")(both)
    both = table.policy("both-keys", both)
    table.holds("two-keys-older", "The policy has both keys of a builder; the older approves",
                table.file("zero-to-one", ZERO.handover(ONE.policy())), policy=both)
    table.holds("two-keys-newer", "The policy has both keys of a builder; the newer approves",
                table.file("zero-to-one-newer-key", ZERO.handover(ONE.policy(), newer_first)), policy=both)


def add_approvals(table):
    """Who may sign beside those that are wanted."""
    def approved(name, why, approvals, text=None, **settings):
        made = ZERO.handover(ONE.policy() if text is None else text, approvals, **settings)
        table.holds(f"approvals-{name}", why, table.file(f"approvals-{name}", made))

    approved("all-four", "All approve", approving(*MEMBERS))
    approved("others", "The next members approve too, whom the policy does not know", approving(*MEMBERS, "eve"))
    odd = [Approval("eve", signature=bytes(64)), Approval("zoe", signer=key("ada", "builder"))]
    approved("of-strangers", "Lines of builders that the policy does not know say nothing", approving(*MEMBERS) + odd)
    names = [Approval("Zed"), Approval("_"), Approval("0"), Approval("-"), Approval("z" * 64), Approval("ad")]
    approved("names-of-any-form", "Names are sorted by their bytes", approving(*MEMBERS) + names)
    hundred = approving(*MEMBERS[:3]) + [Approval(f"m{number:02}", signature=bytes(64)) for number in range(97)]
    approved("hundred", "As many approvals as may be", hundred)

    def padded(size):
        def leaf(length):
            url = b" https://" + b"x" * length
            text = swap(log_vkey("eve"), log_vkey("eve") + url)(lone_policy("eve"))
            return Handover(text, approving("dee")).encode()

        made = leaf(size - len(leaf(0)))
        assert len(made) == size
        return made

    one = "policies/one.policy"
    full = table.file("largest-leaf", Proof(leaf=padded(65535), cosigners=("dee",)))
    table.holds("largest-leaf", "A leaf of 65,535 bytes", full, policy=one)
    larger = table.file("leaf-too-large", Proof(leaf=padded(65536), cosigners=("dee",)))
    table.row("leaf-too-large", 2, "A leaf of 65,536 bytes", [larger], policy=one)
    eve = table.file("one-to-eve", Proof(leaf=Handover(lone_policy("eve"), approving("dee")).encode(),
                                         cosigners=("dee",)))
    table.holds("smallest", "One builder, one witness, one log", eve, policy=one)
    strict = table.policy("strict", policy(quorum="all", reproducers="all"))
    made = ZERO.proof(Handover(ONE.policy(), approving(*MEMBERS)).encode(), cosigners=MEMBERS)
    table.holds("policy-of-ones-own", "A stricter policy than the group's, which all satisfied",
                table.file("zero-to-one-by-all", made), policy=strict)


def add_heads(table):
    """Where in which log the hand-over is."""
    leaf = Handover(ONE.policy(), approving("ada", "bob", "cyd")).encode()
    for name, why, made in (
        ("tree-of-one", "The only leaf of its log", ZERO.proof(leaf, index=0, size=1)),
        ("tree-last-leaf", "The last leaf of its epoch", ZERO.proof(leaf, index=12, size=13)),
        ("tree-of-a-trillion", "In a log of a trillion leaves",
         ZERO.proof(leaf, index=700_000_000_001, size=10**12, tree=large_tree)),
        ("log-of-both-epochs", "The head is signed by a log of this epoch and the next",
         ZERO.proof(leaf, logs=("bob",))),
        ("cosigned-by-more", "The head has the next members' lines too",
         ZERO.proof(leaf, logs=("ada", "cyd"), cosigners=MEMBERS + ("eve",))),
        ("checkpoint-extensions", "The checkpoint has further lines", ZERO.proof(leaf, extension=b"more\n")),
    ):
        table.holds(f"head-{name}", why, table.file(f"head-{name}", made))
    first = table.file("zero-to-one", ZERO.handover(ONE.policy()))
    proof = ZERO.proof(ZERO.evidence().encode(), logs=("cyd",), cosigners=("bob", "cyd", "dee"))
    other = key("zoe", "cosigner")
    proof.signatures.append(cosignature(proof.body, key("ada", "cosigner"), member_name("ada"), 1790000009))
    good = proof.signatures[-1]
    proof.signatures[-1] = good.replacing(blob=cosignature(proof.body, other, member_name("ada"), 1790000009).blob)
    table.holds("old-leaf-head-1-false-old-line",
                "A false line of a key that only an earlier policy knows: the later policy is satisfied", first,
                proof=table.file("evidence-0-false-old-line", proof))


def add_groups(table):
    """A consumer that trusts two groups."""
    other = Epoch(0, ("ivy", "jon", "kim", "lou"), ("ivy",), "ivy", origin=b"other.example")
    text = policy().split(b"group")[0] + other.policy().split(b"group")[0]
    text = b"".join(sorted(text.splitlines(True), key=lambda row: [b"l", b"w", b"b"].index(row[:1])))
    text += line("group ours 3", *[octets(name) + b"-cosigner" for name in MEMBERS])
    text += line("group theirs 3", *[octets(name) + b"-cosigner" for name in other.members])
    text += b"group either any ours theirs\n"
    text += line("group builders 3", *MEMBERS) + line("group others 3", *other.members)
    text += b"group anyone any builders others\nquorum either\nreproducers anyone\n"
    two = table.policy("two-groups", text)
    first = table.file("zero-to-one", ZERO.handover(ONE.policy()))
    evidence = table.file("evidence-other-group", other.rebuild(epoch=7))
    table.holds("two-groups", "One of two groups hands over", first, policy=two)
    table.holds("two-groups-other", "The other group's proof goes on to hold by the first policy", first, policy=two,
                proof=evidence)
    table.holds("two-groups-other-alone", "The same, nothing followed", policy=two, proof=evidence)
    table.holds("two-groups-own", "The group's own proof by its chain", first, policy=two,
                proof=table.file("evidence-1", ONE.rebuild()))
    theirs = table.file("other-zero-to-one", other.handover(other.policy()))
    table.holds("two-groups-theirs", "The other group hands over", theirs, policy=two)
    later = table.file("other-one-to-two", other.handover(other.policy(), epoch=1))
    table.row("group-other-second", 14, "The second hand-over is the other group's", [first, later], policy=two)


def add(corpus):
    table = Handovers(corpus)
    for part in (add_epochs, add_changes, add_keys, add_approvals, add_heads, add_groups):
        part(table)
