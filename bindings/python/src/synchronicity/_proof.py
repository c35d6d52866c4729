"""What a proof file says."""

from __future__ import annotations

import ctypes
import enum
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Callable, List, Optional, Tuple, Type, TypeVar

from . import _abi
from ._hashing import Bytes, Path, read_bounded

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ZERO = bytes(_abi.SHA256_SIZE)


class Verdict(enum.IntEnum):
    """What the builders' reveals amount to."""

    UNKNOWN = -1
    """A number that this package does not know."""
    REPRODUCED = 1
    """As many builders as the log's group asks for revealed the same artifacts."""
    DIVERGED = 2
    """Builders revealed different outcomes, and none has enough builders behind it."""
    FAILED = 3
    """As many builders as the group asks for revealed the same failure."""
    INCONCLUSIVE = 4
    """Too few builders revealed anything."""

    @classmethod
    def _missing_(cls, value: object) -> Verdict:
        return cls.UNKNOWN


class BuilderState(enum.IntEnum):
    """How a builder came out of a job."""

    UNKNOWN = -1
    """A number that this package does not know."""
    REVEALED = 1
    """It revealed an outcome."""
    NO_COMMITMENT = 2
    """It committed to nothing before the deadline."""
    NO_REVEAL = 3
    """It committed and never opened its commitment."""
    WRONG_OPENING = 4
    """What it revealed was not what it had committed to."""
    SANDBOX_FAULT = 5
    """Its sandbox failed, by its own word."""

    @classmethod
    def _missing_(cls, value: object) -> BuilderState:
        return cls.UNKNOWN


def time_from_milliseconds(milliseconds: int) -> datetime:
    """A UTC time. Raises OverflowError for one behind the year 9999, which a hostile file may hold."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


@dataclass(frozen=True)
class Builder:
    """What a proof says of one builder."""

    name: str
    """Its name in the group."""
    state: BuilderState
    outcome: Optional[int]
    """Which outcome it revealed, 0 being the one with most builders; None unless it revealed."""
    outcome_sha256: Optional[bytes]
    """Digest of that outcome; None unless it revealed."""
    sandbox: str
    """What it says of its sandbox; empty unless it revealed, as for the next two."""
    processor: str
    kernel: str


@dataclass(frozen=True)
class Artifact:
    """One file on which the builders agree."""

    path: str
    """Below the build's output folder."""
    size: int
    mode: int
    """Permission bits, such as 0o644."""
    sha256: bytes


@dataclass(frozen=True)
class Source:
    """One source that the build was given."""

    package: str
    """Its package URL."""
    origin: str
    """Where it came from, by the submitter's word."""
    tree_sha256: bytes
    """Digest of the tree that was built."""
    claimed_sha256: Optional[bytes]
    """The packager's checksum of its archive, where there is one."""


@dataclass(frozen=True)
class Signature:
    """One signature line of the checkpoint, whoever made it."""

    name: str
    """The key's name."""
    key_id: int
    """The key's ID, its four bytes read big-endian."""
    time_seconds: Optional[int]
    """When a timestamped cosignature says that it was made, in seconds since 1970; None for any other signature."""

    @property
    def time(self) -> Optional[datetime]:
        """The same as a UTC time. Raises OverflowError for one behind the year 9999."""
        return None if self.time_seconds is None else time_from_milliseconds(1000 * self.time_seconds)


_Raw = TypeVar("_Raw", bound=_abi.OpenStruct)
_Item = TypeVar("_Item")


class Proof:
    """A proof file, taken apart.

    **Nothing here is verified.** Every property is the file's own word, good for showing and for choosing a policy;
    only what :meth:`Policy.verify` returns has been checked.

    Immutable; several threads may use one at once. Usable as a context manager; else it is freed with its last
    reference. After :meth:`close` its properties raise :exc:`ValueError`.
    """

    def __init__(self, handle: _abi.Handle) -> None:
        """Use :meth:`parse` or :meth:`load`."""
        self._handle: Optional[_abi.Handle] = handle
        self._info = _abi.filled(_abi.RawProofInfo, _abi.library.sync_proof_get_info, handle.pointer)

    @classmethod
    def parse(cls, proof: Bytes) -> Proof:
        """Takes a proof's bytes apart.

        Raises MalformedError for what is no proof file, NotVerifiedError for one that is about something else than a
        rebuild.
        """
        data = _abi.as_bytes(proof)
        created = ctypes.c_void_p()
        _abi.call(_abi.library.sync_proof_create, data, len(data), 0, ctypes.byref(created))
        return cls(_abi.Handle(created, _abi.library.sync_proof_destroy))

    @classmethod
    def load(cls, path: Path) -> Proof:
        """Reads a file, at most 1 MiB and a byte of it, and parses it. Raises also what :func:`open` does."""
        return cls.parse(read_bounded(path, _abi.PROOF_BYTES_MAX))

    def close(self) -> None:
        """Frees the proof, as soon as no call of another thread uses it any more."""
        self._handle = None

    def __enter__(self) -> Proof:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Proof, closed>" if self._handle is None else f"<Proof of {self.package}, not verified>"

    def _open(self) -> _abi.Handle:
        handle = self._handle
        if handle is None:
            raise ValueError("the proof is closed")
        return handle

    def _text(self, name: str) -> str:
        # The handle owns the bytes, and lives in this variable until they are copied.
        handle = self._open()  # noqa: F841
        value: bytes = getattr(self._info, name)
        return value.decode("utf-8")

    def _number(self, name: str) -> int:
        self._open()
        value: int = getattr(self._info, name)
        return value

    def _digest(self, name: str) -> bytes:
        self._open()
        return bytes(getattr(self._info, name))

    @property
    def log_origin(self) -> str:
        """The log's name, which is its group's."""
        return self._text("log_origin")

    @property
    def package(self) -> str:
        """The package URL, such as ``pkg:cargo/itoa@1.0.4``."""
        return self._text("package")

    @property
    def package_name(self) -> str:
        """What stands between the type and the version in the package URL, as it stands there: ``itoa``."""
        return self._text("package_name")

    @property
    def package_version(self) -> str:
        """The version in the package URL: ``1.0.4``; empty where there is none."""
        return self._text("package_version")

    @property
    def submitter(self) -> str:
        """The member that asked for the rebuild."""
        return self._text("submitter")

    @property
    def job_id(self) -> bytes:
        """Digest of the build spec."""
        return self._digest("job_id")

    @property
    def source_sha256(self) -> Optional[bytes]:
        """Tree digest of the package's own source; None where there is none."""
        digest = self._digest("source_sha256")
        return None if digest == _ZERO else digest

    @property
    def toolchain_sha256(self) -> bytes:
        """Digest of the toolchain."""
        return self._digest("toolchain_sha256")

    @property
    def leaf_index(self) -> int:
        """Zero-based number of the evidence in the log."""
        return self._number("leaf_index")

    @property
    def tree_size(self) -> int:
        """Leaves in the log at the checkpoint."""
        return self._number("tree_size")

    @property
    def epoch(self) -> int:
        """The group's membership in force."""
        return self._number("epoch")

    @property
    def height(self) -> int:
        """Height of the decided block that gave the verdict."""
        return self._number("height")

    @property
    def time_milliseconds(self) -> int:
        """That block's decided time, in milliseconds since 1970-01-01 UTC."""
        return self._number("time_milliseconds")

    @property
    def time(self) -> datetime:
        """The same as a UTC time. Raises OverflowError for one behind the year 9999."""
        return time_from_milliseconds(self.time_milliseconds)

    @property
    def verdict(self) -> Verdict:
        """What the evidence says that the builders found."""
        return Verdict(self._number("verdict"))

    @property
    def agreeing(self) -> int:
        """Builders behind the first outcome."""
        return self._number("agreeing")

    @property
    def reproducers(self) -> int:
        """How many agreeing builders the group asks for."""
        return self._number("reproducers")

    @property
    def outcome_count(self) -> int:
        """Distinct outcomes that were revealed."""
        return self._number("outcome_count")

    @property
    def builders(self) -> Tuple[Builder, ...]:
        """Every member of the group, present or absent, sorted by name."""
        return self._items(
            "builder_count", _abi.RawBuilder, _abi.library.sync_proof_get_builder, _builder)

    @property
    def artifacts(self) -> Tuple[Artifact, ...]:
        """The files that were rebuilt, sorted by path; none unless the verdict is REPRODUCED."""
        return self._items(
            "artifact_count", _abi.RawArtifact, _abi.library.sync_proof_get_artifact, _artifact)

    @property
    def sources(self) -> Tuple[Source, ...]:
        """What the build was given, in the spec's order."""
        return self._items("source_count", _abi.RawSource, _abi.library.sync_proof_get_source, _source)

    @property
    def signatures(self) -> Tuple[Signature, ...]:
        """The checkpoint's signature lines, in their order."""
        return self._items(
            "signature_count", _abi.RawSignature, _abi.library.sync_proof_get_signature, _signature)

    def _items(
        self, count: str, struct: Type[_Raw], function: Callable[..., int], convert: Callable[[_Raw], _Item]
    ) -> Tuple[_Item, ...]:
        handle = self._open()
        items: List[_Item] = []
        for index in range(self._number(count)):
            items.append(convert(_abi.filled(struct, function, handle.pointer, index)))
        return tuple(items)


def _builder(raw: _abi.RawBuilder) -> Builder:
    state = BuilderState(raw.state)
    revealed = state is BuilderState.REVEALED
    return Builder(
        name=raw.name.decode("utf-8"),
        state=state,
        outcome=raw.outcome if revealed else None,
        outcome_sha256=bytes(raw.outcome_sha256) if revealed else None,
        sandbox=raw.sandbox.decode("utf-8"),
        processor=raw.processor.decode("utf-8"),
        kernel=raw.kernel.decode("utf-8"),
    )


def _artifact(raw: _abi.RawArtifact) -> Artifact:
    return Artifact(path=raw.path.decode("utf-8"), size=raw.size, mode=raw.mode, sha256=bytes(raw.sha256))


def _source(raw: _abi.RawSource) -> Source:
    return Source(
        package=raw.package.decode("utf-8"),
        origin=raw.origin.decode("utf-8"),
        tree_sha256=bytes(raw.tree_sha256),
        claimed_sha256=bytes(raw.claimed_sha256) if raw.has_claim else None,
    )


def _signature(raw: _abi.RawSignature) -> Signature:
    return Signature(
        name=raw.name.decode("utf-8"),
        key_id=raw.key_id,
        time_seconds=raw.time_seconds if raw.is_timed else None,
    )
