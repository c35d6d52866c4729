"""SHA-256 of bytes that come in pieces, and reading files within bounds."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
from typing import IO, Optional, Union

from . import _abi

#: What is taken as bytes.
Bytes = Union[bytes, bytearray, memoryview]
#: What is taken as the name of a file.
Path = Union[str, "os.PathLike[str]"]

_CHUNK = 1 << 20


class Hasher:
    """SHA-256 with :mod:`hashlib`'s habits, by the verifier's own code.

    It is finished by the first :meth:`digest` or :meth:`hexdigest`, which may then be asked again; a later
    :meth:`update` raises :exc:`ValueError`. May be used by several threads.

    >>> Hasher(b"abc").hexdigest()[:16]
    'ba7816bf8f01cfea'
    """

    name = "sha256"
    digest_size = _abi.SHA256_SIZE
    block_size = 64

    def __init__(self, data: Bytes = b"") -> None:
        created = ctypes.c_void_p()
        _abi.call(_abi.library.sync_hasher_create, 0, ctypes.byref(created))
        self._handle = _abi.Handle(created, _abi.library.sync_hasher_destroy)
        self._lock = threading.Lock()
        self._digest: Optional[bytes] = None
        if data:
            self.update(data)

    def update(self, data: Bytes) -> None:
        """Takes the next piece."""
        if isinstance(data, bytes):
            self._update(data, len(data))
            return
        with memoryview(data) as view:
            if view.readonly or not view.c_contiguous:
                copy = view.tobytes()
                self._update(copy, len(copy))
            elif view.nbytes > 0:
                # No copy, and the buffer cannot be resized meanwhile.
                self._update((ctypes.c_char * view.nbytes).from_buffer(view), view.nbytes)

    def _update(self, data: object, size: int) -> None:
        with self._lock:
            if self._digest is not None:
                raise ValueError("the hasher is finished: its digest was taken")
            _abi.call(_abi.library.sync_hasher_update, self._handle.pointer, data, size)

    def digest(self) -> bytes:
        """The digest of all pieces."""
        with self._lock:
            if self._digest is None:
                out = (ctypes.c_uint8 * _abi.SHA256_SIZE)()
                _abi.call(_abi.library.sync_hasher_finish, self._handle.pointer, ctypes.byref(out))
                self._digest = bytes(out)
            return self._digest

    def hexdigest(self) -> str:
        """The digest in hexadecimal."""
        return self.digest().hex()


def sha256_file(file: Union[Path, IO[bytes]]) -> bytes:
    """The digest of a regular file, or of what is left of an open binary file."""
    if isinstance(file, (str, os.PathLike)):
        with open_regular(file) as opened:
            return hash_rest(opened)
    return hash_rest(file)


def open_regular(path: Path) -> IO[bytes]:
    """Opens a file without waiting for a pipe's writer, and refuses what is no regular file."""
    file = open(path, "rb", buffering=0, opener=_open_at_once)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))
    return file


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def hash_rest(file: IO[bytes], size: Optional[int] = None) -> bytes:
    """The digest of the next ``size`` bytes, all of which there must be, or of all that is left."""
    hasher = Hasher()
    left = size
    while left is None or left > 0:
        piece = file.read(_CHUNK if left is None else min(left, _CHUNK))
        if piece is None:
            raise BlockingIOError("the file is non-blocking and has nothing to read now")
        if not piece:
            if left is None:
                break
            raise EOFError(f"the file became {left} bytes shorter while it was read")
        hasher.update(piece)
        if left is not None:
            left -= len(piece)
    return hasher.digest()


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """The next ``size`` bytes, or fewer at the file's end."""
    pieces = []
    while size > 0:
        piece = file.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def read_bounded(path: Path, limit: int) -> bytes:
    """The file's bytes, or the first ``limit + 1`` of them, which the library refuses as too many."""
    with open_regular(path) as file:
        return read_exactly(file, limit + 1)
