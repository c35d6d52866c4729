"""Why something was refused, as Python's exceptions."""

from __future__ import annotations

import enum
import errno
from typing import Any, Optional, Tuple, Type


class Code(enum.IntEnum):
    """The library's status numbers. A number never changes its meaning; a newer library may have more."""

    UNKNOWN = -1
    """A number that this package does not know; :attr:`SyncError.status` holds it. Treat it as a refusal."""
    OK = 0
    MALFORMED = 1
    """The bytes are not in the format: truncated, not canonical, trailing, out of bounds."""
    TOO_LARGE = 2
    """A named limit was passed (size, count)."""
    UNSUPPORTED_VERSION = 3
    """The format's first line names a version that the library does not know."""
    INCLUSION_MISMATCH = 4
    """A Merkle path does not lead to the root."""
    CONSISTENCY_MISMATCH = 5
    """A consistency path does not lead from the old root to the new one."""
    UNTRUSTED_LOG = 6
    """No log of the policy signed the checkpoint."""
    INVALID_SIGNATURE = 7
    """A signature by a known key does not verify."""
    QUORUM_MISSED = 8
    """Too few cosignatures for the policy's quorum."""
    REPRODUCERS_MISSED = 9
    """Too few builders of the policy revealed the artifact, or approved the hand-over."""
    ARTIFACT_MISMATCH = 10
    """The artifact's digest is not among the artifacts on which the builders agreed."""
    VERDICT_MISMATCH = 11
    """The evidence's verdict is not the one that its own lines give."""
    INVALID_KEY = 12
    """A verifier key is not in the vkey form, of an unknown type, or its key ID is not its own."""
    INVALID_POLICY = 13
    """A trust policy is well-formed but does not hold together."""
    GROUP_MISMATCH = 14
    """The evidence names another group than the log that holds it."""
    NOT_EVIDENCE = 15
    """The proof carries no leaf, or one that is not evidence."""
    NOT_REPRODUCED = 16
    """The evidence's verdict is sound but is not "reproduced"."""
    INVALID_REVEAL = 17
    """A reveal by a builder that the policy knows is not signed by that builder."""
    INVALID_SPEC = 18
    """A build spec is well-formed but out of a bound or out of order."""
    NOT_HANDOVER = 19
    """The proof carries no leaf, or one that is no hand-over."""
    WRONG_EPOCH = 20
    """A hand-over is another epoch's than the one that comes next."""
    NULL_ARGUMENT = 100
    UNKNOWN_FLAG = 101
    STRUCT_SIZE = 102
    ABI_VERSION = 103
    OUT_OF_RANGE = 104
    INVALID_ARGUMENT = 105
    STATE = 106
    """Not in this state, or not on this thread."""
    TIMED_OUT = 107
    """Time is up; what was asked for may happen all the same."""
    UNAVAILABLE = 201
    """The host lacks something: a program, a permission, a kernel feature, a device."""
    NOT_FOUND = 202
    """There is no such package, toolchain, proof or artifact."""
    CHECKSUM_MISMATCH = 203
    """Bytes do not have the digest that was asked for."""
    INVALID = 204
    """What was asked for, or a configuration, is malformed or out of bounds."""
    IO = 205
    """Reading or writing failed, or a plugin did."""
    CANCELLED = 206
    """It was cancelled."""

    @classmethod
    def _missing_(cls, value: object) -> Code:
        return cls.UNKNOWN


class SyncError(Exception):
    """Anything that the library refuses. Raised as itself only if this package called the library wrongly.

    ``str(error)`` is one sentence for people; programs compare :attr:`code`.
    """

    def __init__(self, message: str, status: int = Code.UNKNOWN, offset: Optional[int] = None) -> None:
        # All of it is in args, so that the error can be pickled on its way between processes.
        super().__init__(message, status, offset)
        self.message = message
        self.status = int(status)
        """The library's number, also where :attr:`code` does not know it."""
        self.offset = offset
        """The byte of the input at which reading stopped, where there is one."""

    @property
    def code(self) -> Code:
        """What went wrong, for programs."""
        return Code(self.status)

    def __str__(self) -> str:
        return self.message


class MalformedError(SyncError, ValueError):
    """The proof, or what stands at the end of a file, is not in its format."""


class PolicyError(SyncError, ValueError):
    """The trust policy is not one, or does not hold together."""


class NotVerifiedError(SyncError):
    """A well-formed proof that does not prove what was asked."""


class LibraryError(SyncError, ImportError):
    """libsyncverify or libsync is missing, or is not the one that this package is for."""


class NodeError(SyncError):
    """What a node, or a registry of plugins, could not do or would not take."""


class TimedOutError(NodeError, TimeoutError):
    """Time is up. What was asked for may happen all the same."""

    def __init__(self, message: str, status: int = Code.TIMED_OUT, offset: Optional[int] = None) -> None:
        # TimeoutError's own form, for those who look at errno.
        OSError.__init__(self, errno.ETIMEDOUT, message)
        self.message, self.status, self.offset = message, int(status), offset

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.message, self.status, self.offset)


def refusal(status: int) -> Type[SyncError]:
    """The exception for a status of a call that had a proof or a file to judge."""
    if status in (Code.MALFORMED, Code.TOO_LARGE, Code.UNSUPPORTED_VERSION):
        return MalformedError
    return SyncError if status >= Code.NULL_ARGUMENT else NotVerifiedError


def policy_refusal(status: int) -> Type[SyncError]:
    """The same for a call that had a policy to judge."""
    return SyncError if status >= Code.NULL_ARGUMENT else PolicyError
