"""Files that are no proof: the tlog-proof, the note and the checkpoint, byte by byte."""

from .formats import Signature, base64, content, line, lone, swap

MALFORMED, TOO_LARGE, UNSUPPORTED = 1, 2, 3
DATA = content("libitoa.rlib")


def add_first_line(corpus, refuse):
    first = b"c2sp.org/tlog-proof@v1\n"
    for name, new, status, why in (
        ("version-2", b"c2sp.org/tlog-proof@v2\n", UNSUPPORTED, "The first line names another version"),
        ("byte-order-mark", b"\xef\xbb\xbf" + first, UNSUPPORTED, "A byte order mark stands before the first line"),
        ("newline-first", b"\n" + first, UNSUPPORTED, "An empty line stands before the first line"),
        ("space-first", b" " + first, UNSUPPORTED, "A space stands before the first line"),
        ("space-behind-version", first[:-1] + b" \n", UNSUPPORTED, "A space stands behind the version"),
        ("version-in-capitals", first.upper(), UNSUPPORTED, "The first line is in capitals"),
        ("version-carriage-return", first[:-1] + b"\r\n", UNSUPPORTED, "The first line ends in a carriage return"),
        ("version-twice", first + first, MALFORMED, "The first line stands twice"),
        ("version-missing", b"", UNSUPPORTED, "The first line is missing"),
    ):
        refuse(f"file-{name}", status, why, lone(edit=swap(first, new)))
    proof = lone()
    refuse("file-empty", MALFORMED, "The file is empty", b"")
    refuse("file-newline-alone", UNSUPPORTED, "The file is one newline", b"\n")
    refuse("file-zeros", MALFORMED, "The file is zero bytes", bytes(64))
    refuse("file-evidence-alone", UNSUPPORTED, "The file is the evidence itself", proof.leaf)
    refuse("file-checkpoint-alone", UNSUPPORTED, "The file is the checkpoint itself", proof.note())
    refuse(
        "file-carriage-returns",
        UNSUPPORTED,
        "Every line ends in a carriage return",
        proof.encode().replace(b"\n", b"\r\n"),
    )
    refuse(
        "file-utf-16",
        MALFORMED,
        "The file is in UTF-16",
        b"\xff\xfe" + b"".join(bytes([byte, 0]) for byte in first[:-1]),
    )
    refuse("file-in-base64", MALFORMED, "The file is base64 of a proof", base64(proof.encode()))


def add_cuts(corpus, refuse):
    text = lone().encode()
    lines = text.splitlines(True)
    where = [
        "version",
        "leaf",
        "index",
        "hash",
        "second hash",
        "path",
        "empty line",
        "origin",
        "size",
        "root",
        "checkpoint",
    ]
    for number, name in enumerate(where):
        refuse(
            f"cut-behind-{name.replace(' ', '-')}",
            MALFORMED,
            f"The file ends behind the {name}",
            b"".join(lines[: number + 1]),
        )
    refuse("cut-in-version", MALFORMED, "The file ends inside the version", text[:10])
    refuse("cut-in-leaf", MALFORMED, "The file ends inside the leaf", text[:400])
    refuse("cut-last-newline", MALFORMED, "The last newline is missing", text[:-1])
    refuse("cut-in-signature", MALFORMED, "The file ends inside a signature", text[:-10])
    proof = lone()
    proof.signatures.append(Signature(b"other.example", b"\1\2\3\4", b"\5"))
    last = proof.encode().rindex(b"\xe2\x80\x94")
    refuse("cut-in-dash", MALFORMED, "The file ends inside the dash of a signature line", proof.encode()[: last + 2])
    for name, tail in (
        ("newline", b"\n"),
        ("space", b" "),
        ("zero", b"\0"),
        ("word", b"end\n"),
        ("proof", text),
        ("checkpoint", lone().note()),
        ("carriage-return", b"\r"),
        ("end-of-file", b"\x1a"),
    ):
        refuse(f"trailing-{name}", MALFORMED, f"Behind the end stands more: {name.replace('-', ' ')}", text + tail)


def add_extra(corpus, refuse):
    def edited(name, why, edit, status=MALFORMED):
        refuse(f"extra-{name}", status, why, lone(edit=edit))

    proof = lone()
    extra = line("extra", base64(proof.leaf))
    index = b"index 5\n"
    edited("empty", "The leaf is empty, where the line is to be left out", swap(extra, b"extra \n"))
    edited("bare", "The leaf's line has a key and nothing else", swap(extra, b"extra\n"))
    edited("twice", "The leaf stands twice", swap(extra, extra + extra))
    edited("behind-index", "The leaf stands behind the index", swap(extra + index, index + extra))
    edited("tab", "A tab divides key and leaf", swap(b"extra ", b"extra\t"))
    edited("two-spaces", "Two spaces divide key and leaf", swap(b"extra ", b"extra  "))
    edited("trailing-space", "A space stands behind the leaf", swap(extra, extra[:-1] + b" \n"))
    edited("carriage-return", "The leaf's line ends in a carriage return", swap(extra, extra[:-1] + b"\r\n"))
    edited("capital", "The key is in capitals", swap(b"extra ", b"EXTRA "))
    edited("wrapped", "The leaf's base64 is wrapped at 76 letters", swap(extra, extra[:76] + b"\n" + extra[76:]))
    edited("bad-letter", "The leaf's base64 has a letter of another alphabet", swap(b"extra c3lu", b"extra c3-u"))
    padded = lone(leaf=b"leaf of four")
    padded.leaf = b"leaf"
    refuse(
        "extra-without-padding",
        MALFORMED,
        "The leaf's base64 has no padding",
        swap(b"bGVhZg==", b"bGVhZg")(padded.encode()),
    )
    refuse(
        "extra-unused-bits",
        MALFORMED,
        "The leaf's base64 has unused bits that are not zero",
        swap(b"bGVhZg==", b"bGVhZh==")(padded.encode()),
    )
    refuse(
        "extra-padding-inside",
        MALFORMED,
        "The leaf's base64 has padding inside",
        swap(b"bGVhZg==", b"bG==Zg==")(padded.encode()),
    )
    refuse(
        "extra-padding-alone",
        MALFORMED,
        "The leaf's base64 is padding alone",
        swap(b"bGVhZg==", b"====")(padded.encode()),
    )
    refuse(
        "extra-hexadecimal",
        MALFORMED,
        "The leaf is in hexadecimal digits and of no base64 length",
        swap(b"bGVhZg==", b"6c656166a")(padded.encode()),
    )
    large = lone(leaf=bytes(65536), index=0, size=1)
    refuse("extra-too-long", TOO_LARGE, "The leaf has one byte more than 65535", large)


def add_index(corpus, refuse):
    for name, new, why in (
        ("missing", b"", "The index is missing"),
        ("leading-zero", b"index 05\n", "The index has a leading zero"),
        ("plus", b"index +5\n", "The index has a sign"),
        ("minus", b"index -5\n", "The index is negative"),
        ("empty", b"index \n", "The index is empty"),
        ("bare", b"index\n", "The index has a key and nothing else"),
        ("hexadecimal", b"index 0x5\n", "The index is in hexadecimal digits"),
        ("65-bits", b"index 18446744073709551616\n", "The index has 65 bits"),
        ("wraps-to-5", b"index 18446744073709551621\n", "The index is the right one modulo 2^64"),
        ("21-digits", b"index 000000000000000000005\n", "The index has 21 digits"),
        ("other-digits", "index \u0665\n".encode(), "The index is a digit of another script"),
        ("two-spaces", b"index  5\n", "Two spaces divide key and index"),
        ("tab", b"index\t5\n", "A tab divides key and index"),
        ("trailing-space", b"index 5 \n", "A space stands behind the index"),
        ("carriage-return", b"index 5\r\n", "The index ends in a carriage return"),
        ("twice", b"index 5\nindex 5\n", "The index stands twice"),
        ("two-fields", b"index 5 8\n", "The index has a second field"),
        ("capital", b"Index 5\n", "The key begins with a capital"),
    ):
        refuse(f"index-{name}", MALFORMED, why, lone(edit=swap(b"index 5\n", new)))


def add_path(corpus, refuse):
    proof = lone()
    first = base64(proof.path[0]) + b"\n"
    for name, new, why in (
        ("31-bytes", base64(proof.path[0][:31]) + b"\n", "A hash has 31 bytes"),
        ("33-bytes", base64(proof.path[0] + b"\0") + b"\n", "A hash has 33 bytes"),
        ("hexadecimal", proof.path[0].hex().encode() + b"\n", "A hash is in hexadecimal digits"),
        ("without-padding", first.replace(b"=", b""), "A hash has no padding"),
        ("leading-space", b" " + first, "A space stands before a hash"),
        ("trailing-space", first[:-1] + b" \n", "A space stands behind a hash"),
        ("carriage-return", first[:-1] + b"\r\n", "A hash's line ends in a carriage return"),
        ("two-on-a-line", first[:-1] + b" " + first, "Two hashes stand on one line"),
        ("comment", b"# hash\n" + first, "A comment stands before a hash"),
        ("key", b"hash " + first, "A hash stands behind a key"),
    ):
        refuse(f"path-{name}", MALFORMED, why, lone(edit=swap(first, new)))
    unused = first[:-3] + bytes([first[-3] + 1]) + first[-2:]
    refuse(
        "path-unused-bits",
        MALFORMED,
        "A hash's base64 has unused bits that are not zero",
        lone(edit=swap(first, unused)),
    )
    hashes = line(base64(bytes(32))) * 64
    refuse("path-64-hashes", TOO_LARGE, "The path has 64 hashes", lone(edit=swap(b"index 5\n", b"index 5\n" + hashes)))
    empty = b"\n\n" + proof.origin
    refuse(
        "empty-line-missing",
        MALFORMED,
        "No empty line stands between path and checkpoint",
        lone(edit=swap(empty, empty[1:])),
    )
    refuse(
        "empty-line-twice",
        MALFORMED,
        "Two empty lines stand between path and checkpoint",
        lone(edit=swap(empty, b"\n" + empty)),
    )
    refuse(
        "empty-line-space",
        MALFORMED,
        "The line between path and checkpoint has a space",
        lone(edit=swap(empty, b"\n \n" + proof.origin)),
    )
    refuse(
        "empty-line-early",
        MALFORMED,
        "The empty line stands before the last hash",
        lone(edit=swap(base64(proof.path[2]) + b"\n\n", b"\n" + base64(proof.path[2]) + b"\n")),
    )


def add_checkpoint(corpus, refuse):
    """Each body is signed as it stands: only its form is wrong."""

    def bodied(name, why, body):
        refuse(f"checkpoint-{name}", MALFORMED, why, lone(body=body))

    def field(number, change):
        def body(text):
            lines = text.splitlines(True)
            lines[number] = change(lines[number])
            return b"".join(lines)

        return body

    bodied("origin-empty", "The origin is empty", field(0, lambda old: b"\n"))
    bodied("origin-missing", "The origin is missing", field(0, lambda old: b""))
    bodied("origin-tab", "The origin has a tab", field(0, lambda old: b"vectors\texample\n"))
    bodied("size-missing", "The size is missing", field(1, lambda old: b""))
    bodied("size-leading-zero", "The size has a leading zero", field(1, lambda old: b"0" + old))
    bodied("size-plus", "The size has a sign", field(1, lambda old: b"+" + old))
    bodied("size-empty", "The size is empty", field(1, lambda old: b"\n"))
    bodied("size-space", "A space stands behind the size", field(1, lambda old: old[:-1] + b" \n"))
    bodied("size-2-to-63", "The size is 2^63", field(1, lambda old: b"9223372036854775808\n"))
    bodied("size-65-bits", "The size is the right one modulo 2^64", field(1, lambda old: b"18446744073709551624\n"))
    bodied("size-hexadecimal", "The size is in hexadecimal digits", field(1, lambda old: b"0x8\n"))
    bodied("root-missing", "The root is missing", field(2, lambda old: b""))
    bodied("root-31-bytes", "The root has 31 bytes", field(2, lambda old: line(base64(bytes(31)))))
    bodied("root-33-bytes", "The root has 33 bytes", field(2, lambda old: line(base64(bytes(33)))))
    bodied("root-without-padding", "The root has no padding", field(2, lambda old: old.replace(b"=", b"")))
    bodied(
        "root-unused-bits",
        "The root's base64 has unused bits that are not zero",
        field(2, lambda old: old[:-3] + bytes([old[-3] + 1]) + old[-2:]),
    )
    bodied("root-hexadecimal", "The root is in hexadecimal digits", field(2, lambda old: line(bytes(32).hex())))
    bodied("root-space", "A space stands behind the root", field(2, lambda old: old[:-1] + b" \n"))
    bodied(
        "size-and-root-swapped",
        "The root stands before the size",
        lambda text: b"".join(text.splitlines(True)[i] for i in (0, 2, 1)),
    )
    bodied("extension-empty", "A further line of the checkpoint is empty", lambda text: text + b"\n")
    bodied("extension-empty-inside", "An empty line stands among the further lines", lambda text: text + b"a\n\nb\n")
    for name, raw, why in (
        ("zero", b"a\0b", "a zero byte"),
        ("escape", b"\x1b[31m", "an escape"),
        ("tab", b"a\tb", "a tab"),
        ("carriage-return", b"a\r", "a carriage return"),
        ("overlong", b"\xc0\xaf", "an overlong form"),
        ("overlong-3", b"\xe0\x80\xaf", "an overlong form of three bytes"),
        ("overlong-4", b"\xf0\x80\x80\xaf", "an overlong form of four bytes"),
        ("surrogate", b"\xed\xa0\x80", "a surrogate"),
        ("beyond-unicode", b"\xf4\x90\x80\x80", "no Unicode scalar"),
        ("continuation-alone", b"\x80", "a continuation byte alone"),
        ("cut", b"\xe2\x80", "a cut sequence"),
        ("latin-1", b"caf\xe9", "Latin-1"),
        ("byte-ff", b"\xff", "a byte that is in no UTF-8"),
    ):
        bodied(f"bytes-{name}", f"A further line of the checkpoint has {why}", lambda text, raw=raw: text + raw + b"\n")


def add_signature_lines(corpus, refuse):
    """A line that no key of the policy made still must have the form."""
    good = Signature(b"other.example", b"\1\2\3\4", b"\5").line()
    dash = "\u2014 ".encode()

    def lined(name, why, raw, status=MALFORMED):
        refuse(f"signature-line-{name}", status, why, lone().encode() + raw)

    for name, new, why in (
        ("hyphen", b"- ", "It begins with a hyphen"),
        ("en-dash", "\u2013 ".encode(), "It begins with an en dash"),
        ("no-space", dash[:3], "No space follows the dash"),
        ("two-spaces", dash + b" ", "Two spaces follow the dash"),
        ("no-dash", b"", "The dash is missing"),
        ("leading-space", b" " + dash, "A space stands before the dash"),
    ):
        lined(name, why, swap(dash, new)(good))
    for name, new, why in (
        ("name-empty", b"", "The name is empty"),
        ("name-plus", b"other+example", "The name has a plus"),
        ("name-no-break-space", "other\u00a0example".encode(), "The name has a no-break space"),
        ("name-ideographic-space", "other\u3000example".encode(), "The name has an ideographic space"),
        ("name-next-line", "other\u0085".encode(), "The name has a next-line character"),
        ("name-line-separator", "other\u2028".encode(), "The name has a line separator"),
        ("name-two-words", b"other example", "The name has a space"),
        ("name-tab", b"other\texample", "The name has a tab"),
        ("name-invalid-utf-8", b"other\xff", "The name is not UTF-8"),
        ("name-513-bytes", b"n" * 513, "The name has 513 bytes"),
    ):
        lined(name, why, swap(b"other.example", new)(good))
    encoded = base64(b"\1\2\3\4\5")
    for name, new, why in (
        ("key-id-alone", base64(b"\1\2\3\4"), "A key ID and no signature"),
        ("three-bytes", base64(b"\1\2\3"), "Three bytes, too few for a key ID"),
        ("no-bytes", b"", "A name and nothing else"),
        ("without-padding", encoded.replace(b"=", b""), "The base64 has no padding"),
        ("unused-bits", encoded.replace(b"U=", b"V="), "The base64 has unused bits that are not zero"),
        ("url-alphabet", b"-_-_-_-_", "The base64 is of the URL alphabet"),
        ("trailing-space", encoded + b" ", "A space stands at the end"),
        ("carriage-return", encoded + b"\r", "A carriage return stands at the end"),
        ("third-field", encoded + b" x", "A further field stands at the end"),
    ):
        lined(name, why, swap(encoded, new)(good))
    lined(
        "101",
        "The note has 101 signature lines",
        b"".join(Signature(b"a", bytes([0, 0, 0, i]), b"x").line() for i in range(99)),
        TOO_LARGE,
    )
    proof = lone(logs=(), cosigners=())
    refuse("signature-line-none", MALFORMED, "The note has no signature line", proof)
    proof = lone()
    refuse(
        "signature-line-empty-line-between",
        MALFORMED,
        "An empty line stands between two signature lines",
        swap(proof.signatures[1].line(), b"\n" + proof.signatures[1].line())(proof.encode()),
    )


def add(corpus):
    digest = corpus.content(DATA)

    def refuse(name, status, why, proof, policy="one"):
        corpus.refuse(name, status, why, proof, digest, policy)

    for part in (add_first_line, add_cuts, add_extra, add_index, add_path, add_checkpoint, add_signature_lines):
        part(corpus, refuse)
