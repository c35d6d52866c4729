"""Proofs that travel with their artifact: inside its file, or beside it."""

from __future__ import annotations

import enum
import errno
import os
from dataclasses import dataclass
from typing import IO, Optional, Tuple

from . import _abi
from ._hashing import Path, hash_rest, open_regular, read_bounded, read_exactly
from ._policy import Policy, Verification


class EmbeddedForm(enum.IntEnum):
    """How a proof was put into a file."""

    UNKNOWN = -1
    """A number that this package does not know."""
    TRAILER = 1
    """Behind the end of the content."""
    ARCHIVE_MEMBER = 2
    """In the last member of an ar archive, such as an .rlib."""

    @classmethod
    def _missing_(cls, value: object) -> EmbeddedForm:
        return cls.UNKNOWN


@dataclass(frozen=True)
class Embedded:
    """Where in a file its proof is."""

    form: EmbeddedForm
    content_size: int
    """The artifact that the proof is about is the file's first bytes, so many of them."""
    proof_offset: int
    proof_size: int


def find_embedded(path: Path) -> Optional[Embedded]:
    """Looks for a proof inside a file, from the file's ends alone; None where there is none.

    Raises MalformedError for a file that ends like a proof but holds none.
    """
    with open_regular(path) as file:
        return _find(file)[0]


def verify_file(path: Path, policy: Policy) -> Verification:
    """Verifies a file by the proof inside it or, where there is none, by the file ``path + ".tlog-proof"``.

    With a proof inside, the artifact is what stands before it. Raises what :meth:`Policy.verify` does;
    FileNotFoundError if there is no proof in either place.
    """
    with open_regular(path) as file:
        found, tail, size = _find(file)
        file.seek(0)
        if found is not None:
            digest = hash_rest(file, found.content_size)
            start = found.proof_offset - (size - len(tail))
            return policy.verify(tail[start : start + found.proof_size], sha256=digest)
        sidecar = os.fspath(path) + ".tlog-proof"
        try:
            proof = read_bounded(sidecar, _abi.PROOF_BYTES_MAX)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                errno.ENOENT, "No proof inside the file, and none beside it as", sidecar) from error
        return policy.verify(proof, artifact=file)


def _find(file: IO[bytes]) -> Tuple[Optional[Embedded], bytes, int]:
    """What is embedded, the tail that was read, and the file's size."""
    size = os.fstat(file.fileno()).st_size
    head = read_exactly(file, min(size, _abi.HEAD_SIZE))
    file.seek(max(0, size - _abi.TAIL_SIZE))
    tail = read_exactly(file, min(size, _abi.TAIL_SIZE))
    if len(head) != min(size, _abi.HEAD_SIZE) or len(tail) != min(size, _abi.TAIL_SIZE):
        raise EOFError("the file became shorter while it was read")
    raw = _abi.filled(
        _abi.RawEmbedded, _abi.library.sync_embedded_find, head, len(head), tail, len(tail), size, 0)
    if raw.form == 0:
        return None, tail, size
    return Embedded(EmbeddedForm(raw.form), raw.content_size, raw.proof_offset, raw.proof_size), tail, size
