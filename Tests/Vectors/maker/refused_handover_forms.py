"""Leaves that are no hand-over: logged, signed and cosigned as if they were, by and for groups of one member.

Their policy has nothing to spare, so that nothing but the rule that they break catches them.
"""

from .formats import (
    COSIGNATURE, ED25519, ORIGIN, Evidence, Proof, Reveal, base64, builder_vkey, key, key_id, line, log_vkey,
    member_name, policy, sha256, swap, vkey)
from .handovers import LAST, Approval, Handover, Handovers, approving, lone_policy

MALFORMED, UNSUPPORTED, NOT_HANDOVER = 1, 3, 19
FIRST = b"synchronicity-handover/v1\n"
GROUP_LINE = b"group vectors.example\n"


def logged(leaf, **settings):
    """A proof of a leaf under a head that the policy `one` is content with."""
    settings.setdefault("cosigners", ("dee",))
    return Proof(leaf=leaf, **settings)


class Form:
    """Leaves that break a rule of their form."""

    def __init__(self, table):
        self.table = table
        self.good = Handover(lone_policy("eve"), approving("dee")).encode()

    def refuse(self, name, why, leaf, policy="policies/one.policy", epoch=0, **settings):
        assert leaf != self.good, name
        made = self.table.file(f"leaf-{name}", logged(leaf, **settings))
        self.table.row(f"leaf-{name}", NOT_HANDOVER, why, [made], policy=policy, epoch=epoch)

    def edited(self, name, why, old, new):
        self.refuse(name, why, swap(old, new)(self.good))

    def with_policy(self, name, why, text):
        """The leaf's policy breaks a rule; the digest, the number of lines and the approval are of this very text."""
        self.refuse(f"policy-{name}", why, Handover(text, approving("dee")).encode())

    def with_approvals(self, name, why, approvals, **settings):
        made = Handover(lone_policy("eve"), approvals, **settings)
        self.refuse(f"approvals-{name}", why, made.encode())

    def of_group(self, name, why, group):
        """All is of a group whose name is none: the log, its policy, what is handed over."""
        old = self.table.policy(f"group-{name}", lone_policy("dee", group))
        leaf = Handover(lone_policy("eve", group), approving("dee"), group=group).encode()
        self.refuse(f"group-{name}", why, leaf, policy=old, origin=group, logs=("dee",))


def add_head(form):
    edited = form.edited
    edited("version-2", "The first line names another version", FIRST, b"synchronicity-handover/v2\n")
    edited("version-missing", "The first line is missing", FIRST, b"")
    edited("version-capital", "The first line begins with a capital", FIRST, b"S" + FIRST[1:])
    edited("version-of-evidence", "The first line is that of evidence", FIRST, b"synchronicity-evidence/v1\n")
    edited("newline-first", "An empty line stands first", FIRST, b"\n" + FIRST)
    edited("carriage-return", "The first line ends in a carriage return", FIRST, FIRST[:-1] + b"\r\n")
    edited("byte-order-mark", "A byte order mark stands first", FIRST, b"\xef\xbb\xbf" + FIRST)
    edited("group-missing", "The group is missing", GROUP_LINE, b"")
    edited("group-twice", "The group stands twice", GROUP_LINE, GROUP_LINE * 2)
    edited("group-behind-epoch", "Epoch and group are swapped", GROUP_LINE + b"epoch 0\n", b"epoch 0\n" + GROUP_LINE)
    edited("group-two-words", "The group has two words", GROUP_LINE, b"group vectors.example x\n")
    edited("group-two-spaces", "Two spaces stand before the group", GROUP_LINE, b"group  vectors.example\n")
    for name, why, group in (
        ("capital", "with a capital", b"Vectors.example"),
        ("dash-first", "that begins with a dash", b"-vectors.example"),
        ("dash-last", "that ends with a dash", b"vectors.example-"),
        ("dot-last", "that ends with a dot", b"vectors.example."),
        ("two-dots", "with two dots together", b"vectors..example"),
        ("underscore", "with an underscore", b"vectors_x.example"),
        ("port", "with a port", b"vectors.example:7600"),
        ("accent", "with an accent", "v\u00e9ctors.example".encode()),
        ("254-bytes", "of 254 bytes", b".".join([b"o" * 62] * 3) + b"." + b"o" * 65),
    ):
        form.of_group(name, f"The group is a name {why}", group)
    for name, why, epoch in (
        ("leading-zero", "has a leading zero", b"00"),
        ("plus", "has a plus", b"+0"),
        ("minus", "has a minus", b"-0"),
        ("hexadecimal", "is hexadecimal", b"0x0"),
        ("fraction", "is a fraction", b"0.0"),
        ("65-bits", "has 65 bits, of which 64 are zero", b"18446744073709551616"),
        ("empty", "is empty", b""),
        ("two-words", "has two words", b"0 0"),
        ("space-behind", "has a space behind it", b"0 "),
        ("carriage-return", "ends in a carriage return", b"0\r"),
    ):
        edited(f"epoch-{name}", f"The epoch {why}", b"epoch 0\n", b"epoch " + epoch + b"\n")
    edited("epoch-missing", "The epoch is missing", b"epoch 0\n", b"")
    edited("epoch-twice", "The epoch stands twice", b"epoch 0\n", b"epoch 0\n" * 2)
    last = Handover(lone_policy("eve"), approving("dee"), LAST).encode()
    form.refuse("epoch-last-of-all", "No epoch comes after the one that ends", last, epoch=LAST)


def add_policy_line(form):
    text = lone_policy("eve")
    digest, lines = sha256(text).hex().encode(), text.count(b"\n")
    old = b"policy " + digest + b" %d\n" % lines

    def other(name, why, digest=digest, lines=b"%d" % lines, end=b"\n"):
        form.edited(f"policy-line-{name}", why, old, b"policy " + digest + b" " + lines + end)

    for name, why, number in (
        ("less", "a line less", lines - 1),
        ("more", "a line more", lines + 1),
        ("zero", "no line", 0),
        ("16-bits", "65,536 lines more", lines + 2**16),
        ("32-bits", "2^32 lines more", lines + 2**32),
        ("64-bits", "2^64 lines more", lines + 2**64),
        ("minus", "a line less than none", -1),
    ):
        other(f"lines-{name}", f"The count of the policy's lines has {why}", lines=b"%d" % number)
    other("lines-leading-zero", "The count of the policy's lines has a leading zero", lines=b"0%d" % lines)
    other("digest-capitals", "The policy's digest is in capitals", digest.upper())
    other("digest-short", "The policy's digest has 63 digits", digest[:-1])
    other("digest-long", "The policy's digest has 65 digits", digest + b"0")
    other("digest-dash", "A dash stands for the policy's digest", b"-")
    other("third-word", "The policy's line has a third word", end=b" 0\n")
    other("two-spaces", "The policy's line has two spaces", b" " + digest)
    form.edited("policy-line-one-word", "The count of the policy's lines is missing", old, b"policy " + digest + b"\n")
    form.edited("policy-line-missing", "The policy's line is missing", old, b"")
    form.edited("policy-missing", "The policy is missing behind its line", text, b"")
    form.edited("policy-twice", "The policy stands twice", old + text, (old + text) * 2)
    wrong = sha256(lone_policy("fay"))
    other("digest-wrong", "The digest is another policy's; the approval is of the right one", wrong.hex().encode())
    signed = [Approval("dee", signed=dict(policy=wrong))]
    leaf = Handover(text, signed, edit=swap(digest, wrong.hex())).encode()
    form.refuse("policy-line-digest-wrong-approved", "The digest is another policy's, and so is the approval", leaf)
    line_digest = sha256(text[:-1])
    leaf = Handover(text, [Approval("dee", signed=dict(policy=line_digest))], edit=swap(digest, line_digest.hex()))
    form.refuse("policy-line-digest-without-newline", "The digest is of the text without its last newline",
                leaf.encode())
    form.edited("policy-changed", "The policy is another one under the digest of the one that was approved", text,
                lone_policy("fay"))


def add_policy_text(form):
    text = lone_policy("eve")
    many = policy(logs=("eve",), quorum="all", reproducers="any")
    for name, why, changed in (
        ("comment", "The policy has a comment", b"# eve\n" + text),
        ("empty-line", "The policy has an empty line", text + b"\n"),
        ("tab", "A tab stands in the policy", swap(b"quorum w", b"quorum\tw")(text)),
        ("two-spaces", "Two spaces stand in the policy", swap(b"quorum w", b"quorum  w")(text)),
        ("space-first", "A line of the policy begins with a space", swap(b"quorum w", b" quorum w")(text)),
        ("space-last", "A line of the policy ends with a space", swap(b"quorum w", b"quorum w ")(text)),
        ("reproducers-first", "Quorum and reproducers are swapped",
         swap(b"quorum w\nreproducers b\n", b"reproducers b\nquorum w\n")(text)),
        ("builder-first", "The builder stands first",
         b"".join(sorted(text.splitlines(True), key=lambda row: row[:1] != b"b"))),
        ("all-in-digits", "A threshold of all stands in digits", swap(b"cosigners all ", b"cosigners 4 ")(many)),
        ("any-in-digits", "A threshold of one stands in digits", swap(b"rebuilders any ", b"rebuilders 1 ")(many)),
        ("all-of-one", "A threshold of one of one is written any",
         swap(b"quorum w\n", b"group g any w\nquorum g\n")(text)),
        ("group-behind-quorum", "A group stands behind the quorum",
         swap(b"quorum w\n", b"quorum w\ngroup g all b\n")(text).replace(b"reproducers b", b"reproducers g")),
        ("no-quorum", "The policy has no quorum", swap(b"quorum w\n", b"")(text)),
        ("no-reproducers", "The policy has no reproducers", swap(b"reproducers b\n", b"")(text)),
        ("reproducers-none", "No builder is wanted", swap(b"reproducers b", b"reproducers none")(text)),
        ("quorum-of-builders", "The quorum is a builder", swap(b"quorum w", b"quorum b")(text)),
        ("unknown-line", "The policy has a line of another kind", text + b"epoch 1\n"),
        ("name-twice", "A name stands twice", swap(b"builder b ", b"builder w ")(text)),
        ("key-twice", "A key stands twice", swap(b"builder b " + builder_vkey("eve"), b"builder b " + vkey(
            member_name("eve"), ED25519, key("eve", "log").public))(text)),
        ("key-id-wrong", "A key ID is not the key's", swap(
            key_id(ORIGIN, ED25519, key("eve", "log").public).hex(), b"00000000")(text)),
        ("key-of-other-type", "A builder has a cosigner's type of key", swap(builder_vkey("eve"), vkey(
            member_name("eve"), COSIGNATURE, key("eve", "builder").public))(text)),
        ("carriage-returns", "The policy's lines end in carriage returns", text.replace(b"\n", b"\r\n")),
        ("is-none", "The policy is an empty line", b"\n"),
    ):
        form.with_policy(name, why, changed)
    form.with_policy("is-empty", "The policy has no line", b"")
    log = log_vkey("eve")
    for name, origin, why in (
        ("other", b"other.example", "of another group"),
        ("longer", b"vectors.example.org", "of a group with a longer name"),
        ("shorter", b"ectors.example", "of a group with a shorter name"),
        ("below", b"a.vectors.example", "below the group"),
        ("capital", b"Vectors.example", "whose name has a capital"),
    ):
        foreign = line("log", vkey(origin, ED25519, key("fay", "log").public))
        form.with_policy(f"log-{name}", f"A second log is one {why}", swap(
            line("log", log), line("log", log) + foreign)(text))
    alone = swap(log, log_vkey("eve", b"other.example"))(text)
    form.with_policy("log-other-alone", "The only log is of another group", alone)
    for name, builder, why in (
        ("other", b"fay.other.example", "of another group"),
        ("longer", b"fay.vectors.example.org", "of a group with a longer name"),
        ("shorter", b"fay.ectors.example", "of a group with a shorter name"),
        ("group", b"vectors.example", "with the group's own name"),
        ("no-name", b".vectors.example", "without a name"),
        ("no-dot", b"fayvectors.example", "without a dot before the group"),
        ("two-names", b"f.ay.vectors.example", "with two names"),
        ("name-of-65-bytes", b"f" * 65 + b".vectors.example", "with a name of 65 bytes"),
        ("capital", b"fay.Vectors.example", "of a group with a capital"),
    ):
        more = line("builder c", vkey(builder, ED25519, key("fay", "builder").public))
        changed = swap(b"quorum w\n", more + b"quorum w\n")(text)
        form.with_policy(f"builder-{name}", f"A second builder is one {why}", changed)


def add_approvals(form):
    dee, good = Approval("dee"), Approval("dee").signature_on(ORIGIN, 0, sha256(lone_policy("eve")))
    made = base64(good)
    form.with_approvals("none", "Nobody approves", [])
    form.with_approvals("unsorted", "The approvals are not in order", [Approval("eve"), dee], is_sorted=False)
    form.with_approvals("unsorted-case", "Capitals are in order behind small letters", [dee, Approval("Zed")],
                        is_sorted=False)
    form.with_approvals("twice", "An approval stands twice", [dee, dee])
    form.with_approvals("twice-unknown", "An approval that says nothing stands twice", [dee] + approving("eve", "eve"))
    strangers = [Approval(f"m{number:03}", signature=bytes(64)) for number in range(100)]
    form.with_approvals("101", "There are 101 approvals", [dee] + strangers)
    for name, why, member in (
        ("dot", "with a dot", b"z.y"),
        ("65-bytes", "of 65 bytes", b"z" * 65),
        ("accent", "with an accent", "z\u00e9".encode()),
        ("plus", "with a plus", b"z+"),
        ("origin", "with its group", b"zoe.vectors.example"),
    ):
        form.with_approvals(f"name-{name}", f"An approval of a stranger has a name {why}",
                            [dee, Approval(member, signature=bytes(64))])

    def signature(name, why, text):
        form.edited(f"signature-{name}", f"The approval's signature {why}", made + b"\n", text + b"\n")

    signature("unpadded", "is not padded", made.rstrip(b"="))
    signature("padded-more", "is padded once more", made + b"=")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    signature("unused-bits", "has an unused bit that is set", made[:-3] + alphabet[
        alphabet.index(made[-3:-2]) + 1:][:1] + b"==")
    signature("hexadecimal", "is hexadecimal", good.hex().encode())
    signature("tab-behind", "has a tab behind it", made + b"\t")
    signature("third-word", "has a word behind it", made + b" x")
    signature("carriage-return", "ends in a carriage return", made + b"\r")
    form.edited("signature-missing", "The approval has no signature", b" " + made, b"")
    for size in (63, 65, 0):
        odd = [dee, Approval("zoe", signature=bytes(size))]
        why = f"An approval of a stranger has a signature of {size} bytes"
        form.with_approvals(f"signature-{size}-bytes", why, odd)
    row = b"builder dee " + made + b"\n"
    form.edited("approval-before-policy", "The approval stands before the policy's line", b"policy ", row + b"policy ")
    form.edited("approval-in-two-spaces", "Two spaces stand in the approval", b"builder dee ", b"builder  dee ")
    for name, why, end in (
        ("newline", "An empty line stands", b"\n"),
        ("zero", "A zero byte stands", b"\0"),
        ("absent", "A line of a builder that is absent stands", b"absent zoe no-reveal\n"),
        ("space", "A space stands", b" "),
        ("epoch", "The next epoch's line stands", b"epoch 1\n"),
    ):
        form.edited(f"end-{name}", f"{why} behind the approvals", row, row + end)
    form.edited("end-without-newline", "The last newline is missing", row, row[:-1])


def add_other_leaves(form):
    form.refuse("evidence", "The leaf is evidence", Evidence([Reveal("dee")], epoch=0, reproducers=1).encode())
    form.refuse("none", "The proof carries no leaf", b"")
    text = line("synchronicity-misbehaviour/v1") + line("chain", bytes(32).hex()) + b"member dee\nkind votes\n"
    form.refuse("misbehaviour", "The leaf is a proof of misbehaviour", text + line("statement", base64(b"\1\0\0")))
    form.refuse("policy-alone", "The leaf is a policy", lone_policy("eve"))
    message = line("synchronicity-handover-approval/v1") + GROUP_LINE + b"epoch 0\n"
    message += line("policy", sha256(lone_policy("eve")).hex()) + b"builder dee\n"
    form.refuse("approval-alone", "The leaf is what a builder signs", message)


def add_files(table):
    good = logged(Handover(lone_policy("eve"), approving("dee")).encode()).encode()

    def broken(name, status, why, data):
        made = table.file(f"file-{name}", data)
        table.row(f"file-{name}", status, why, [made], policy="policies/one.policy")

    broken("empty", MALFORMED, "The file is empty", b"")
    broken("version-2", UNSUPPORTED, "The file's first line names another version", good.replace(b"@v1", b"@v2", 1))
    broken("leaf-bare", UNSUPPORTED, "The file is a leaf without its proof",
           Handover(lone_policy("eve"), approving("dee")).encode())
    broken("newline-behind", MALFORMED, "An empty line stands behind the file's end", good + b"\n")
    broken("cut", MALFORMED, "The file's last byte is missing", good[:-1])
    broken("cut-before-checkpoint", MALFORMED, "The file ends before its checkpoint", good.split(b"\n\n")[0] + b"\n\n")
    broken("twice", MALFORMED, "The file stands twice", good * 2)
    broken("is-a-policy", UNSUPPORTED, "The file is the next policy", lone_policy("eve"))


def add(corpus):
    table = Handovers(corpus)
    form = Form(table)
    for part in (add_head, add_policy_line, add_policy_text, add_approvals, add_other_leaves):
        part(form)
    add_files(table)
