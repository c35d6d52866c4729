"""The C interface as ctypes sees it: include/sync/version.h and include/sync/verify.h, and nothing of its own."""

from __future__ import annotations

import ctypes
import operator
import os
import sys
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64
from ctypes import c_void_p
from typing import Any, Callable, ClassVar, List, Sequence, Tuple, Type, TypeVar, Union

from ._errors import LibraryError, SyncError, refusal

ABI_VERSION = 1
SHA256_SIZE = 32
POLICY_BYTES_MAX = 1048576
PROOF_BYTES_MAX = 1048576
HEAD_SIZE = 8
TAIL_SIZE = 1048704

_SHA256 = c_uint8 * SHA256_SIZE
_BITS = c_uint8 * 16


class OpenStruct(Structure):
    """A struct that names its own size and version, so that the library writes no byte past what this package knows."""

    _fields_: ClassVar[Sequence[Any]] = [("struct_size", c_uint32), ("abi_version", c_uint32)]

    def __init__(self) -> None:
        super().__init__(ctypes.sizeof(self), ABI_VERSION)


class RawVerification(OpenStruct):
    _fields_ = [
        ("verdict", c_int32),
        ("cosigners", c_uint32),
        ("reproducers", c_uint32),
        ("builders", c_uint32),
        ("leaf_index", c_uint64),
        ("tree_size", c_uint64),
        ("height", c_uint64),
        ("time_milliseconds", c_uint64),
        ("reproducer_bits", _BITS),
        ("cosigner_bits", _BITS),
    ]


class RawProofInfo(OpenStruct):
    _fields_ = [
        ("log_origin", c_char_p),
        ("package", c_char_p),
        ("package_name", c_char_p),
        ("package_version", c_char_p),
        ("submitter", c_char_p),
        ("job_id", _SHA256),
        ("source_sha256", _SHA256),
        ("toolchain_sha256", _SHA256),
        ("leaf_index", c_uint64),
        ("tree_size", c_uint64),
        ("epoch", c_uint64),
        ("height", c_uint64),
        ("time_milliseconds", c_uint64),
        ("verdict", c_int32),
        ("agreeing", c_uint32),
        ("reproducers", c_uint32),
        ("builder_count", c_uint32),
        ("artifact_count", c_uint32),
        ("source_count", c_uint32),
        ("signature_count", c_uint32),
        ("outcome_count", c_uint32),
    ]


class RawBuilder(OpenStruct):
    _fields_ = [
        ("state", c_int32),
        ("outcome", c_uint32),
        ("name", c_char_p),
        ("sandbox", c_char_p),
        ("processor", c_char_p),
        ("kernel", c_char_p),
        ("outcome_sha256", _SHA256),
    ]


class RawArtifact(OpenStruct):
    _fields_ = [
        ("path", c_char_p),
        ("size", c_uint64),
        ("mode", c_uint32),
        ("reserved", c_uint32),
        ("sha256", _SHA256),
    ]


class RawSource(OpenStruct):
    _fields_ = [
        ("package", c_char_p),
        ("origin", c_char_p),
        ("tree_sha256", _SHA256),
        ("claimed_sha256", _SHA256),
        ("has_claim", c_uint32),
        ("reserved", c_uint32),
    ]


class RawSignature(OpenStruct):
    _fields_ = [
        ("name", c_char_p),
        ("key_id", c_uint32),
        ("is_timed", c_uint32),
        ("time_seconds", c_uint64),
    ]


class RawEmbedded(OpenStruct):
    _fields_ = [
        ("form", c_int32),
        ("reserved", c_uint32),
        ("content_size", c_uint64),
        ("proof_offset", c_uint64),
        ("proof_size", c_uint64),
    ]


_ERROR = POINTER(c_void_p)
_BYTES = [c_char_p, c_size_t]

# Name, result (None for void), parameters.
_FUNCTIONS: List[Tuple[str, Any, List[Any]]] = [
    ("sync_get_version", c_char_p, []),
    ("sync_get_abi_version", c_uint32, []),
    ("sync_error_get_message", c_char_p, [c_void_p]),
    ("sync_error_get_offset", c_int64, [c_void_p]),
    ("sync_error_destroy", None, [c_void_p]),
    ("sync_policy_create", c_int32, [*_BYTES, c_uint32, POINTER(c_void_p), _ERROR]),
    (
        "sync_policy_follow",
        c_int32,
        [c_void_p, c_uint64, *_BYTES, c_uint32, POINTER(c_void_p), _ERROR],
    ),
    (
        "sync_policy_verify",
        c_int32,
        [c_void_p, *_BYTES, c_char_p, c_uint32, POINTER(RawVerification), _ERROR],
    ),
    ("sync_policy_destroy", None, [c_void_p]),
    ("sync_proof_create", c_int32, [*_BYTES, c_uint32, POINTER(c_void_p), _ERROR]),
    (
        "sync_proof_verify",
        c_int32,
        [c_void_p, c_void_p, c_char_p, c_uint32, POINTER(RawVerification), _ERROR],
    ),
    ("sync_proof_destroy", None, [c_void_p]),
    ("sync_proof_get_info", c_int32, [c_void_p, POINTER(RawProofInfo), _ERROR]),
    ("sync_proof_get_builder", c_int32, [c_void_p, c_uint32, POINTER(RawBuilder), _ERROR]),
    ("sync_proof_get_artifact", c_int32, [c_void_p, c_uint32, POINTER(RawArtifact), _ERROR]),
    ("sync_proof_get_source", c_int32, [c_void_p, c_uint32, POINTER(RawSource), _ERROR]),
    ("sync_proof_get_signature", c_int32, [c_void_p, c_uint32, POINTER(RawSignature), _ERROR]),
    ("sync_hasher_create", c_int32, [c_uint32, POINTER(c_void_p), _ERROR]),
    ("sync_hasher_update", c_int32, [c_void_p, c_void_p, c_size_t, _ERROR]),
    ("sync_hasher_finish", c_int32, [c_void_p, POINTER(_SHA256), _ERROR]),
    ("sync_hasher_destroy", None, [c_void_p]),
    (
        "sync_embedded_find",
        c_int32,
        [*_BYTES, *_BYTES, c_uint64, c_uint32, POINTER(RawEmbedded), _ERROR],
    ),
]


def library_path() -> str:
    """The library inside the package, or the one that SYNC_LIBRARY names (unless Python ignores the environment)."""
    chosen = "" if sys.flags.ignore_environment else os.environ.get("SYNC_LIBRARY", "")
    return chosen or os.path.join(os.path.dirname(os.path.abspath(__file__)), "libsyncverify.so.1")


def load(path: str) -> ctypes.CDLL:
    """Loads the library and refuses one with another ABI before any other of its functions is called."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LibraryError(
            f"libsyncverify cannot be loaded: {error}; install the wheel, or name the library in SYNC_LIBRARY"
        ) from error
    try:
        function = library.sync_get_abi_version
        function.restype, function.argtypes = c_uint32, []
        version = function()
        if version != ABI_VERSION:
            raise LibraryError(f"{path} has ABI version {version}; this package is for {ABI_VERSION}")
        for name, result, parameters in _FUNCTIONS:
            function = getattr(library, name)
            function.restype, function.argtypes = result, parameters
    except AttributeError as error:
        raise LibraryError(f"{path} is no libsyncverify, or an older one: {error}") from error
    return library


library = load(library_path())


def call(
    function: Callable[..., int], *arguments: object, refused: Callable[[int], Type[SyncError]] = refusal
) -> None:
    """Calls, and raises what ``refused`` makes of the status unless it is 0."""
    error = c_void_p()
    status = function(*arguments, byref(error))
    if status == 0:
        return
    try:
        message = library.sync_error_get_message(error).decode("utf-8", "replace")
        offset = library.sync_error_get_offset(error)
    finally:
        library.sync_error_destroy(error)
    raise refused(status)(message or f"status {status}", status, offset if offset >= 0 else None)


class Handle:
    """Owns one object of the library.

    Whoever calls into the library holds a reference meanwhile, so that another thread's ``close`` cannot free what is
    in use; the last reference frees it.
    """

    __slots__ = ("pointer", "_destroy")

    def __init__(self, pointer: c_void_p, destroy: Callable[[c_void_p], None]) -> None:
        self.pointer = pointer
        self._destroy = destroy

    def __del__(self) -> None:
        self._destroy(self.pointer)


_Struct = TypeVar("_Struct", bound=OpenStruct)


def filled(struct: Type[_Struct], function: Callable[..., int], *arguments: object) -> _Struct:
    """A struct that the function, which takes it last but for the error, has filled."""
    value = struct()
    call(function, *arguments, byref(value))
    return value


def as_bytes(data: Union[bytes, bytearray, memoryview]) -> bytes:
    """The bytes themselves or a copy; TypeError for anything else, also for a number, of which bytes() makes zeros."""
    return data if isinstance(data, bytes) else memoryview(data).tobytes()


def as_epoch(epoch: int) -> int:
    """The number itself, where it is one of 64 bits: of a larger one ctypes would take what is left of it."""
    number = operator.index(epoch)
    if not 0 <= number < 1 << 64:
        raise ValueError(f"the epoch {number}; 0 to {(1 << 64) - 1} are possible")
    return number


def as_digest(digest: Union[bytes, bytearray, memoryview, str]) -> bytes:
    """A digest from its bytes or its hexadecimal digits, of the right size: the library is given no length for it."""
    data = bytes.fromhex(digest) if isinstance(digest, str) else as_bytes(digest)
    if len(data) != SHA256_SIZE:
        raise ValueError(f"a SHA-256 digest of {len(data)} bytes; {SHA256_SIZE} are wanted")
    return data
