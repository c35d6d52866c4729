"""Files with a proof inside, whole and broken."""

from .formats import Artifact, Evidence, Outcome, Proof, Signature, Spec, agreeing, some

MAGIC = b"\0sync-proof/v1\n\0"
PROOF_MAX = 1 << 20
NONE, TRAILER, ARCHIVE = 0, 1, 2
ARCHIVE_START = b"!<arch>\n"


def trailer(proof, length=None, magic=MAGIC):
    return proof + (len(proof) if length is None else length).to_bytes(8, "big") + magic


def header(size, name=b"sync.tlog-proof/", time=b"0", mode=b"644", end=b"`\n"):
    return (
        name.ljust(16)
        + time.ljust(12)
        + b"0".ljust(6)
        + b"0".ljust(6)
        + mode.ljust(8)
        + str(size).encode().ljust(10)
        + end
    )


def member(proof, padding=None, length=None, size=None, **changes):
    padding = (b"\n" if len(proof) % 2 else b"") if padding is None else padding
    data = padding + trailer(proof, length)
    return header(len(data) if size is None else size, **changes) + data


ELF = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\x3e\0\x01\0\0\0" + bytes(40) + b"a tiny file that begins as ELF does\n"
)
PLAIN = b"a plain file\n"
_INNER = b"artifact inside an archive\n"
AR = ARCHIVE_START + header(len(_INNER), name=b"inner.o/") + _INNER + b"\n"


def proof_about(data, is_odd):
    """A proof whose size is odd or even, as asked, by an unknown signer's name."""
    outcome = Outcome([Artifact("file", data)])
    evidence = Evidence(some(*agreeing("ada", "bob", "dee", outcome=outcome)), Spec(artifacts=[b"file"]))
    for name in (b"odd", b"even"):
        proof = Proof(evidence)
        proof.signatures.append(Signature(name, bytes(4), b"\0"))
        if len(proof.encode()) % 2 == is_odd:
            return proof
    raise AssertionError("one of two names of unlike length fits")


def whole(corpus, name, data, is_odd, form, why, extension="bin"):
    proof = proof_about(data, is_odd)
    corpus.accept(f"embedded-{name}", proof, data=data, why=why)
    proof = proof.encode()
    region = trailer(proof) if form == TRAILER else member(proof)
    corpus.embed(
        name, data + region, form, len(data), len(data) + len(region) - 24 - len(proof), len(proof), 0, extension
    )


def add_whole(corpus):
    whole(corpus, "trailer-elf", ELF, False, TRAILER, "Embedded behind a file that begins as ELF does", "elf")
    whole(corpus, "trailer-odd", ELF, True, TRAILER, "Embedded behind the same, a proof of odd size", "elf")
    whole(corpus, "archive-even", AR, False, ARCHIVE, "Embedded as a member of even size", "rlib")
    whole(corpus, "archive-odd", AR, True, ARCHIVE, "Embedded as a member that wants a byte of padding", "rlib")
    empty = ARCHIVE_START
    whole(corpus, "archive-without-members", empty, True, ARCHIVE, "Embedded in an archive without members", "rlib")


def add_none(corpus):
    def none(name, data, extension="bin"):
        corpus.embed(f"none-{name}", data, NONE, len(data), 0, 0, 0, extension)

    none("plain", PLAIN)
    none("elf", ELF, "elf")
    none("archive", AR, "rlib")
    none("empty", b"")
    none("one-byte", b"\0")
    none("magic-cut", PLAIN + trailer(b"proof")[:-1])
    none("magic-without-first-byte", PLAIN + b"x" + MAGIC[1:])
    none("magic-of-version-2", PLAIN + trailer(b"proof", magic=MAGIC.replace(b"v1", b"v2")))
    none("magic-in-capitals", PLAIN + trailer(b"proof", magic=MAGIC.upper()))
    none("byte-behind-magic", PLAIN + trailer(b"proof") + b"\n")
    none("magic-at-the-start", MAGIC + PLAIN)
    none("archive-byte-behind-magic", AR + member(b"proof!") + b"\n", "rlib")


def add_malformed(corpus):
    def bad(name, data, extension="bin"):
        corpus.embed(f"bad-{name}", data, NONE, 0, 0, 0, 1, extension)

    bad("magic-alone", MAGIC)
    bad("too-short-for-length", b"\0" * 7 + MAGIC)
    bad("length-zero", ELF + trailer(b""))
    bad("length-zero-alone", trailer(b""))
    bad("plain", PLAIN + trailer(proof_about(PLAIN, True).encode()))
    bad("script", b"#!/bin/sh\nexit 0\n" + trailer(b"proof"))
    bad("elf-head-cut", ELF[:3] + trailer(b"proof"))
    bad("elf-head-in-proof", ELF[:2] + trailer(ELF[2:]))
    bad("length-beyond-file", ELF + trailer(b"proof", len(ELF) + 6))
    bad("length-beyond-limit", ELF + trailer(b"proof", PROOF_MAX + 1))
    bad("length-of-63-bits", ELF + trailer(b"proof", 2**63))
    bad("length-of-64-bits", ELF + trailer(b"proof", 2**64 - 1))
    bad("length-wraps-around", ELF + trailer(b"proof", 2**64 - 24))
    bad("length-little-endian", ELF + b"proof" + (5).to_bytes(8, "little") + MAGIC)

    once = ELF + trailer(b"proof")
    bad("twice", once + trailer(b"another"))
    bad("content-is-mark", MAGIC + trailer(b"proof"))
    bad("content-ends-in-mark", ELF + MAGIC + trailer(b"proof"))
    bad("thin-archive", b"!<thin>\n" + trailer(b"proof"))
    bad("thin-archive-member", b"!<thin>\n" + member(b"proof"))
    bad("content-and-proof-read-as-archive", b"!<arch>" + trailer(b"\nproof"))
    bad("proof-reads-as-thin-archive", trailer(b"!<thin>\nproof"))

    def bad_archive(name, region, start=AR):
        bad(f"archive-{name}", start + region, "rlib")

    proof, odd = b"proof!", b"proof"
    bad_archive("trailer", trailer(proof))
    bad_archive("no-room-for-header", trailer(b"p" * 10), ARCHIVE_START)
    bad_archive("header-cut", member(proof)[1:])
    bad_archive("odd-content", member(proof), AR + b"x")
    bad_archive("twice", member(proof), AR + member(odd))
    bad_archive("content-ends-in-mark", member(proof), AR + MAGIC)
    bad_archive("trailer-behind-member", trailer(proof), AR + member(proof))
    bad_archive("trailer-before-member", member(proof), AR + trailer(proof))
    bad_archive("name", member(proof, name=b"sync.tlog-proog/"))
    bad_archive("name-without-slash", member(proof, name=b"sync.tlog-proof"))
    bad_archive("time", member(proof, time=b"1"))
    bad_archive("mode", member(proof, mode=b"755"))
    bad_archive("mode-with-zero", member(proof, mode=b"0644"))
    bad_archive("header-end", member(proof, end=b"`\r"))
    bad_archive("size-zero", member(proof, size=0))
    bad_archive("size-more", member(proof, size=32))
    bad_archive("size-leading-zero", member(proof, size="030"))
    bad_archive("size-of-proof", member(proof, size=6))
    bad_archive("size-empty", member(proof, size=""))
    bad_archive("padding-missing", member(odd, padding=b""))
    bad_archive("padding-not-wanted", member(proof, padding=b"\n"))
    bad_archive("padding-twice", member(odd, padding=b"\n\n\n"))
    bad_archive("padding-is-space", member(odd, padding=b" "))
    bad_archive("padding-is-zero", member(odd, padding=b"\0"))
    bad_archive("length-zero", member(b""))
    bad_archive("length-less", member(proof, length=4))
    bad_archive("length-more", member(proof, length=8))
    bad_archive("length-beyond-limit", member(proof, length=PROOF_MAX + 1))
    bad_archive("owner", member(proof).replace(b"0     0     ", b"0     1     "))
    bad_archive("spaces-are-zeros", member(proof).replace(b"644     ", b"644\0\0\0\0\0"))


def add(corpus):
    add_whole(corpus)
    add_none(corpus)
    add_malformed(corpus)
