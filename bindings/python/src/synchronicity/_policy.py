"""Verifying: a trust policy, and what it makes of a proof."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Optional, Tuple, Union

from . import _abi
from ._errors import policy_refusal
from ._hashing import Bytes, Path, read_bounded, sha256_file
from ._proof import Proof, Verdict, time_from_milliseconds


@dataclass(frozen=True)
class Cosigner:
    """A witness of the policy whose cosignature on the checkpoint counts."""

    name: str
    """The key's name."""
    time_seconds: int
    """When it says that it cosigned, in seconds since 1970-01-01 UTC."""

    @property
    def time(self) -> datetime:
        """The same as a UTC time. Raises OverflowError for one behind the year 9999."""
        return time_from_milliseconds(1000 * self.time_seconds)


@dataclass(frozen=True)
class Verification:
    """What a proof has shown. There is one only where everything held."""

    verdict: Verdict
    package: str
    """The package URL. The proof is about this package, whatever the artifact's file is called: compare it."""
    artifact_sha256: bytes
    """Digest of the artifact that was rebuilt."""
    reproducers: Tuple[str, ...]
    """Builders of the policy that signed for this very artifact, sorted by name."""
    cosigners: Tuple[Cosigner, ...]
    """Witnesses of the policy that cosigned the log's tree head."""
    builders: int
    """Members that the evidence accounts for, present or absent."""
    log_origin: str
    """The log's name, which is its group's."""
    leaf_index: int
    """Zero-based number of the evidence in the log."""
    tree_size: int
    """Leaves in the log at the checkpoint."""
    height: int
    """Height of the decided block that gave the verdict."""
    time_milliseconds: int
    """That block's decided time, in milliseconds since 1970-01-01 UTC."""

    @property
    def time(self) -> datetime:
        """The same as a UTC time. Raises OverflowError for one behind the year 9999."""
        return time_from_milliseconds(self.time_milliseconds)


class Policy:
    """A trust policy, parsed once to verify many proofs.

    Immutable; several threads may use one at once, and so may a child process after a fork. Usable as a context
    manager; else it is freed with its last reference. After :meth:`close` it raises :exc:`ValueError`.
    """

    def __init__(self, handle: _abi.Handle) -> None:
        """Use :meth:`parse` or :meth:`load`."""
        self._handle: Optional[_abi.Handle] = handle

    @classmethod
    def parse(cls, policy: Bytes) -> Policy:
        """Parses a policy's bytes. Raises PolicyError."""
        data = _abi.as_bytes(policy)
        created = ctypes.c_void_p()
        _abi.call(
            _abi.library.sync_policy_create, data, len(data), 0, ctypes.byref(created), refused=policy_refusal)
        return cls(_abi.Handle(created, _abi.library.sync_policy_destroy))

    @classmethod
    def load(cls, path: Path) -> Policy:
        """Reads a file, at most 1 MiB and a byte of it, and parses it. Raises also what :func:`open` does."""
        return cls.parse(read_bounded(path, _abi.POLICY_BYTES_MAX))

    def close(self) -> None:
        """Frees the policy, as soon as no call of another thread uses it any more."""
        self._handle = None

    def __enter__(self) -> Policy:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Policy, closed>" if self._handle is None else "<Policy>"

    def _open(self) -> _abi.Handle:
        handle = self._handle
        if handle is None:
            raise ValueError("the policy is closed")
        return handle

    def follow(self, handover: Union[Bytes, Path], epoch: int) -> Policy:
        """Goes on by a hand-over, by which the builders of this policy hand over to those of the next epoch.

        Returns another policy, by which proofs of either epoch hold; this one stays as it is, and neither needs the
        other.

        :param handover: a hand-over's bytes, or the path of its file
        :param epoch: the one that this policy is of, which the hand-over must end: 0 for a group's first policy, and
            one more behind each hand-over. Take it from where the policy came from and never from the hand-over: most
            builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to members who
            have left, may hold as well.
        :raises NotVerifiedError: the policy does not believe it, or it is no hand-over, or another epoch's
        :raises MalformedError: what is no proof file
        :raises ValueError: an epoch out of range
        :raises OSError: the file cannot be read
        """
        number = _abi.as_epoch(epoch)
        handle = self._open()
        if isinstance(handover, (str, os.PathLike)):
            handover = read_bounded(handover, _abi.PROOF_BYTES_MAX)
        data = _abi.as_bytes(handover)
        created = ctypes.c_void_p()
        _abi.call(
            _abi.library.sync_policy_follow, handle.pointer, number, data, len(data), 0, ctypes.byref(created))
        return Policy(_abi.Handle(created, _abi.library.sync_policy_destroy))

    def verify(
        self,
        proof: Union[Proof, Bytes, Path],
        *,
        artifact: Union[Path, IO[bytes], None] = None,
        sha256: Union[Bytes, str, None] = None,
    ) -> Verification:
        """Checks that the policy's builders rebuilt this very artifact. Returns only if all of it holds.

        :param proof: a parsed proof, a proof's bytes, or the path of a proof file
        :param artifact: the artifact's path, or an open binary file of which all that is left is hashed
        :param sha256: instead of ``artifact``, its digest: 32 bytes, or 64 hexadecimal digits
        :raises NotVerifiedError: a well-formed proof that does not prove it
        :raises MalformedError: what is no proof
        :raises OSError: a file cannot be read
        """
        if (artifact is None) == (sha256 is None):
            raise TypeError("verify() wants either artifact or sha256")
        handle = self._open()
        if isinstance(proof, (str, os.PathLike)):
            proof = read_bounded(proof, _abi.PROOF_BYTES_MAX)
        digest = sha256_file(artifact) if artifact is not None else _abi.as_digest(sha256 or b"")
        raw = _abi.RawVerification()
        if isinstance(proof, Proof):
            opened = proof._open()
            _abi.call(
                _abi.library.sync_proof_verify, opened.pointer, handle.pointer, digest, 0, ctypes.byref(raw))
            return _verification(raw, Proof(opened), digest)
        data = _abi.as_bytes(proof)
        _abi.call(
            _abi.library.sync_policy_verify, handle.pointer, data, len(data), digest, 0, ctypes.byref(raw))
        return _verification(raw, Proof.parse(data), digest)


def _has_bit(bits: ctypes.Array[ctypes.c_uint8], index: int) -> bool:
    return bool(bits[index // 8] >> (index % 8) & 1)


def _verification(raw: _abi.RawVerification, proof: Proof, digest: bytes) -> Verification:
    reproducers = [b.name for i, b in enumerate(proof.builders) if _has_bit(raw.reproducer_bits, i)]
    cosigners = [s for i, s in enumerate(proof.signatures) if _has_bit(raw.cosigner_bits, i)]
    return Verification(
        verdict=Verdict(raw.verdict),
        package=proof.package,
        artifact_sha256=digest,
        reproducers=tuple(reproducers),
        cosigners=tuple(Cosigner(s.name, s.time_seconds or 0) for s in cosigners),
        builders=raw.builders,
        log_origin=proof.log_origin,
        leaf_index=raw.leaf_index,
        tree_size=raw.tree_size,
        height=raw.height,
        time_milliseconds=raw.time_milliseconds,
    )
