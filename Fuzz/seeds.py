"""Writes the inputs that fuzzing starts from: the vectors and their parts, a folder for each target; and a file of
the SHA-256 of all that the vectors' keys signed, which is all that anything made from these inputs may prove.

  seeds.py VECTORS FOLDER SIGNED
"""

import base64
import binascii
import hashlib
import itertools
import os
import sys


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def blocks(leaf, key, last):
    """The texts that stand inside the evidence behind a line `key … <lines>`."""
    lines = leaf.splitlines(True)
    for number, line in enumerate(lines):
        fields = line.split()
        if len(fields) == last and fields[0] == key and fields[-1].isdigit() and len(fields[-1]) < 6:
            text = b"".join(lines[number + 1 : number + 1 + int(fields[-1])])
            if text:
                yield text


def parts_of_proof(proof):
    yield "proof", proof
    _, _, note = proof.partition(b"\n\n")
    yield "note", note
    yield "checkpoint", note.partition(b"\n\n")[0] + b"\n"
    extra = next((line for line in proof.splitlines() if line.startswith(b"extra ")), b"")
    try:
        leaf = base64.b64decode(extra[6:], validate=True)
    except binascii.Error:
        return
    yield "evidence", leaf
    for text in blocks(leaf, b"spec", 2):
        yield "spec", text
    for text in blocks(leaf, b"outcome", 3):
        yield "outcome", text


def seeds(vectors):
    for name in sorted(os.listdir(os.path.join(vectors, "proofs"))):
        yield from parts_of_proof(read(vectors, f"proofs/{name}"))
    for name in sorted(os.listdir(os.path.join(vectors, "handovers"))):
        text = read(vectors, f"handovers/{name}")
        if name.endswith(".policy"):
            yield "policy", text
            continue
        yield "handover", text
        for target, part in parts_of_proof(text):
            # A hand-over's leaf, and what its policy holds.
            if target == "evidence" and part.startswith(b"synchronicity-handover/"):
                yield "handover", part
                for policy in blocks(part, b"policy", 3):
                    yield "policy", policy
    for name in sorted(os.listdir(os.path.join(vectors, "policies"))):
        policy = read(vectors, f"policies/{name}")
        yield "policy", policy
        for word in policy.split()[:3]:
            yield "parts", word
    for name in sorted(os.listdir(os.path.join(vectors, "embedded"))):
        yield "embedded", read(vectors, f"embedded/{name}")
    for text in (b"tile/0/x001/x234/067", b"tile/entries/000.p/17", b"tile/8/001.p/255", b"\2\0\1a\0\2bc\0\0"):
        yield "parts", text
    for size in (24, 56, 88, 312):
        yield "parts", hashlib.sha512(b"%d" % size).digest() * 5 + bytes(size)
    # Calls on the C interface: create both, verify, look, hash; then any.
    for number in range(40):
        noise = b"".join(hashlib.sha256(b"%d %d" % (number, i)).digest() for i in range(number))
        opening = b"".join(bytes([0, call]) + bytes(8) for call in (0, 14, 1, 4, 5, 6, 7, 8, 9, 2, 11, 12, 13, 10))
        yield "abi", opening + noise


def signed(keys, proofs):
    """Lines `signed` for each signed message, `made` for each proof as it was before any damage."""
    for message in keys.messages:
        yield f"signed {hashlib.sha256(message).hexdigest()}\n"
    for leaf, index, path, body in proofs.made:
        if 0 <= index < 2**64:
            place = hashlib.sha256(leaf).digest() + index.to_bytes(8, "big") + hashlib.sha256(body).digest()
            yield f"made {hashlib.sha256(place + b''.join(path)).hexdigest()}\n"


def main(vectors, folder, signed_file):
    sys.dont_write_bytecode = True
    sys.path.insert(0, vectors)
    from maker import accepted, embedded, handovers, refused, refused_handover_forms, refused_handovers
    from maker.corpus import Corpus
    from maker.ed25519 import Key
    from maker.formats import Proof

    corpus = Corpus()
    for part in (accepted, embedded, refused, handovers, refused_handover_forms, refused_handovers):
        part.add(corpus)
    undamaged = (("proof", data) for data in Proof.made.values())
    for target, data in itertools.chain(seeds(vectors), undamaged):
        os.makedirs(os.path.join(folder, target), exist_ok=True)
        with open(os.path.join(folder, target, hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)
    with open(signed_file, "w") as file:
        file.writelines(sorted(signed(Key, Proof)))


if __name__ == "__main__":
    main(*sys.argv[1:])
