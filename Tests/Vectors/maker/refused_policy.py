"""Policies that are refused, each beside a proof that a whole policy accepts."""

from .formats import (
    COSIGNATURE, ED25519, ORIGIN, base64, builder_vkey, content, key, key_id, line, log_vkey, member_name, policy,
    sha256, swap, vkey, witness_vkey)

MALFORMED, TOO_LARGE, INVALID_KEY, INVALID_POLICY = 1, 2, 12, 13
PROOF = "absent-no-reveal"


def add_form(broken):
    for name, why, edit in (
        ("last-newline", "The last newline is missing", lambda text: text[:-1]),
        ("carriage-returns", "Lines end in carriage returns", lambda text: text.replace(b"\n", b"\r\n")),
        ("zero", "A zero byte stands in a comment", lambda text: b"# \0\n" + text),
        ("escape", "An escape stands in a comment", lambda text: b"# \x1b[31m\n" + text),
        ("delete", "A delete stands in a name", lambda text: text.replace(b"rebuilders", b"re\x7fbuilders")),
        ("vertical-tab", "A vertical tab divides two words", lambda text: text.replace(b"quorum ", b"quorum\v")),
        ("unknown-line", "A line begins with an unknown word", lambda text: text + b"mirror x\n"),
        ("word-in-capitals", "A line begins with a word in capitals", swap(b"quorum c", b"QUORUM c")),
        ("byte-order-mark", "A byte order mark stands first", lambda text: b"\xef\xbb\xbf" + text),
        (
            "comment-behind",
            "A comment stands behind a line's words",
            swap(b"quorum cosigners", b"quorum cosigners # x"),
        ),
        ("log-without-key", "A log has no key", lambda text: text + b"log\n"),
        (
            "log-three-words",
            "A log has a word behind its URL",
            lambda text: text.replace(log_vkey("ada"), log_vkey("ada") + b" https://a.example x"),
        ),
        ("witness-without-key", "A witness has no key", lambda text: text + b"witness w\n"),
        (
            "builder-with-url",
            "A builder has a URL",
            lambda text: text.replace(builder_vkey("ada"), builder_vkey("ada") + b" https://a.example"),
        ),
        ("group-without-members", "A group has no members", lambda text: text + b"group g any\n"),
        ("quorum-two-words", "The quorum has two names", swap(b"quorum cosigners", b"quorum cosigners rebuilders")),
        ("quorum-no-word", "The quorum has no name", swap(b"quorum cosigners", b"quorum")),
        ("reproducers-no-word", "The reproducers have no name", swap(b"reproducers rebuilders", b"reproducers")),
        ("is-a-proof", "The policy is a proof", lambda text: b"c2sp.org/tlog-proof@v1\n" + text),
    ):
        broken(name, MALFORMED, why, edit)


def add_keys(broken):
    good, public = log_vkey("ada"), key("ada", "log").public
    identity = key_id(ORIGIN, ED25519, public).hex().encode()

    def keyed(name, why, new):
        broken(f"key-{name}", INVALID_KEY, why, swap(good, new))

    def of_type(kind, material=public):
        return ORIGIN + b"+" + key_id(ORIGIN, kind, material).hex().encode() + b"+" + base64(bytes([kind]) + material)

    keyed("id-other", "A key ID is not the key's", swap(identity, b"00000000")(good))
    keyed("id-capitals", "A key ID is in capitals", swap(identity, identity.upper())(good))
    keyed("id-short", "A key ID has six digits", swap(identity, identity[2:])(good))
    keyed("id-long", "A key ID has ten digits", swap(identity, identity + b"00")(good))
    keyed("id-of-other-name", "A key ID is that of another name", swap(ORIGIN, b"vectorz.example")(good))
    keyed(
        "id-without-newline",
        "A key ID leaves the newline out of its hash",
        swap(identity, sha256(ORIGIN, bytes([1]), public)[:4].hex())(good),
    )
    keyed("one-plus", "A key has one plus", swap(b"+" + identity, b"")(good))
    keyed("name-empty", "A key has no name", vkey(b"", ED25519, public))
    keyed("name-no-break-space", "A key's name has a no-break space", vkey("v\u00a0x".encode(), ED25519, public))
    keyed("name-invalid-utf-8", "A key's name is not UTF-8", vkey(b"v\xff", ED25519, public))
    keyed("name-cut-utf-8", "A key's name ends inside a character", vkey(b"v\xe2\x80", ED25519, public))
    keyed("name-513-bytes", "A key's name has 513 bytes", vkey(b"n" * 513, ED25519, public))
    keyed("31-bytes", "A key has 31 bytes", of_type(1, public[:-1]))
    keyed("33-bytes", "A key has 33 bytes", of_type(1, public + b"\0"))
    keyed("no-bytes", "A key has no bytes", ORIGIN + b"+" + identity + b"+")
    keyed("type-2", "A key is of the type 2, ECDSA", of_type(2))
    keyed("type-6", "A key is of the type 6, ML-DSA-44", of_type(6))
    keyed("type-255", "A key is of the type 255", of_type(255))
    keyed("letter-missing", "A key's base64 lacks its last letter", good[:-1])
    keyed("url-alphabet", "A key's base64 is of the URL alphabet", good[:-3] + b"-_-")
    for name, old, kind, member in (
        ("log-cosigns", good, COSIGNATURE, ("ada", "log")),
        ("witness-signs", witness_vkey("ada"), ED25519, ("ada", "cosigner")),
        ("builder-cosigns", builder_vkey("ada"), COSIGNATURE, ("ada", "builder")),
    ):
        owner = ORIGIN if kind == COSIGNATURE and "log" in name else member_name("ada")
        broken(
            f"type-{name}",
            INVALID_POLICY,
            f"A key has the type of another role: {name.replace('-', ' ')}",
            swap(old, vkey(owner, kind, key(*member).public)),
        )


def same_key_id(name):
    """Two public keys whose four bytes of key ID are the same; nobody has their private halves."""
    seen, number = {}, 0
    while True:
        public = sha256("public key without a private one ", number)
        identity = key_id(name, COSIGNATURE, public)
        if identity in seen:
            return seen[identity], public
        seen[identity], number = public, number + 1


def add_names(broken):
    def invalid(name, why, edit):
        broken(name, INVALID_POLICY, why, edit)

    def more(text):
        return lambda whole: whole.replace(b"quorum cosigners", text + b"quorum cosigners")

    ada = line("witness ada-cosigner", witness_vkey("ada"))
    eve = witness_vkey("eve")
    invalid("log-twice", "A log's key stands twice", more(line("log", log_vkey("ada"))))
    invalid("witness-key-twice", "A witness's key stands twice", more(line("witness again", witness_vkey("ada"))))
    invalid("builder-key-twice", "A builder's key stands twice", more(line("builder again", builder_vkey("ada"))))
    invalid(
        "key-in-two-roles",
        "A log's key is a builder's too",
        more(line("builder eve", vkey(member_name("eve"), ED25519, key("ada", "log").public))),
    )
    invalid(
        "key-of-witness-and-builder",
        "A witness's key is a builder's too",
        more(line("builder eve", vkey(member_name("eve"), ED25519, key("ada", "cosigner").public))),
    )
    invalid(
        "key-under-two-names",
        "One key stands under two names",
        more(line("witness eve", vkey(member_name("eve"), COSIGNATURE, key("ada", "cosigner").public))),
    )
    one, other = same_key_id(member_name("eve"))
    invalid(
        "key-id-of-two-keys",
        "Two witnesses' keys have one name and one key ID",
        more(
            line("witness e1", vkey(member_name("eve"), COSIGNATURE, one))
            + line("witness e2", vkey(member_name("eve"), COSIGNATURE, other))
        ),
    )
    invalid("name-twice", "Two witnesses have one name", more(line("witness ada-cosigner", eve)))
    invalid("name-of-builder", "A witness has a builder's name", more(line("witness ada", eve)))
    invalid("name-of-group", "A witness has a group's name", more(line("witness cosigners", eve)))
    invalid("name-none", "A witness is named none", more(line("witness none", eve)))
    invalid("name-513-bytes", "A witness's name has 513 bytes", more(line("witness", b"w" * 513, eve)))
    invalid("group-name-twice", "Two groups have one name", more(b"group cosigners any rebuilders\n"))
    invalid("group-named-none", "A group is named none", more(b"group none any cosigners\n"))
    invalid("group-of-itself", "A group is its own member", more(b"group g any g\n"))
    invalid("group-cycle", "Two groups are each other's members", more(b"group g any h\ngroup h any g\n"))
    invalid("group-of-unknown", "A group's member is not defined", more(b"group g any eve\n"))
    invalid(
        "group-before-member",
        "A group stands before its member",
        lambda text: text.replace(ada, b"").replace(b"quorum cosigners", ada + b"quorum cosigners"),
    )
    invalid("group-member-twice", "A group has a member twice", swap(b"3 ada-cosigner", b"3 ada-cosigner ada-cosigner"))
    invalid("member-of-two-groups", "A witness is in two groups", more(b"group g any ada-cosigner\n"))
    invalid(
        "group-mixed",
        "A group has a builder among its witnesses",
        more(line("witness eve", eve) + line("builder eve-b", builder_vkey("eve")) + b"group g any eve eve-b\n"),
    )
    for name, threshold in (
        ("0", b"0"),
        ("more", b"5"),
        ("minus", b"-1"),
        ("leading-zero", b"03"),
        ("word", b"most"),
        ("capitals", b"ALL"),
        ("fraction", b"2.5"),
        ("65-bits", b"18446744073709551619"),
    ):
        invalid(
            f"threshold-{name}",
            f"A threshold is {threshold.decode()}",
            swap(b"group cosigners 3", b"group cosigners " + threshold),
        )
    invalid("quorum-missing", "The quorum is missing", swap(b"quorum cosigners\n", b""))
    invalid("quorum-twice", "The quorum stands twice", lambda text: text + b"quorum cosigners\n")
    invalid("quorum-unknown", "The quorum is an unknown name", swap(b"quorum cosigners", b"quorum others"))
    invalid("quorum-of-builders", "The quorum is a group of builders", swap(b"quorum cosigners", b"quorum rebuilders"))
    invalid(
        "quorum-before-group",
        "The quorum stands before its group",
        lambda text: b"quorum cosigners\n" + text.replace(b"quorum cosigners\n", b""),
    )
    invalid("reproducers-missing", "The reproducers are missing", swap(b"reproducers rebuilders\n", b""))
    invalid("reproducers-twice", "The reproducers stand twice", lambda text: text + b"reproducers rebuilders\n")
    invalid("reproducers-none", "The reproducers are none", swap(b"reproducers rebuilders", b"reproducers none"))
    invalid(
        "reproducers-unknown",
        "The reproducers are an unknown name",
        swap(b"reproducers rebuilders", b"reproducers others"),
    )
    invalid(
        "reproducers-of-witnesses",
        "The reproducers are a group of witnesses",
        swap(b"reproducers rebuilders", b"reproducers cosigners"),
    )
    invalid("empty", "The policy is empty", lambda text: b"")
    invalid("comments-alone", "The policy has comments and nothing else", lambda text: b"# nothing\n\n")
    invalid(
        "foreign",
        "The policy has no builders: one of other tools",
        lambda text: b"".join(
            row for row in text.splitlines(True) if not row.startswith((b"builder", b"group r", b"reproducers"))
        ),
    )
    chain = b"".join(b"group g%d any g%d\n" % (i, i - 1) for i in range(1, 1025))
    broken(
        "1025-groups",
        TOO_LARGE,
        "There are 1025 groups beside the two",
        more(line("witness eve", eve) + b"group g0 any eve\n" + chain),
    )


def add(corpus):
    digest = sha256(content("libitoa.rlib"))

    def broken(name, status, why, edit):
        made = policy(edit=edit)
        assert made != policy(), name
        corpus.case(f"policy-{name}", corpus.policy(f"bad-{name}", made), PROOF, digest, status, why)

    for part in (add_form, add_keys, add_names):
        part(broken)
