"""Checks, offline, that independent builders rebuilt an artifact: libsyncverify for Python.

    policy = Policy.load("policy")
    verification = policy.verify("itoa.tlog-proof", artifact="libitoa.rlib")
    print(len(verification.reproducers), "of", verification.builders, "builders rebuilt", verification.package)

:meth:`Policy.verify` and :func:`verify_file` return only if everything held; else they raise :exc:`NotVerifiedError`,
or :exc:`MalformedError` for what is no proof at all. :class:`Proof` shows what a file says and believes none of it.
Nothing opens a socket, and no file but those that a caller names. A whole builder is in :mod:`synchronicity.node`.
"""

from ._abi import library as _library
from ._embedded import Embedded, EmbeddedForm, find_embedded, verify_file
from ._errors import Code, LibraryError, MalformedError, NodeError, NotVerifiedError, PolicyError, SyncError
from ._errors import TimedOutError
from ._hashing import Hasher, sha256_file
from ._policy import Cosigner, Policy, Verification
from ._proof import Artifact, Builder, BuilderState, Proof, Signature, Source, Verdict

__version__ = "0.1.0"


def library_version() -> str:
    """The version of libsyncverify that is loaded."""
    version: bytes = _library.sync_get_version()
    return version.decode("ascii")


__all__ = [
    "Artifact",
    "Builder",
    "BuilderState",
    "Code",
    "Cosigner",
    "Embedded",
    "EmbeddedForm",
    "Hasher",
    "LibraryError",
    "MalformedError",
    "NodeError",
    "NotVerifiedError",
    "Policy",
    "PolicyError",
    "Proof",
    "Signature",
    "Source",
    "SyncError",
    "TimedOutError",
    "Verdict",
    "Verification",
    "find_embedded",
    "library_version",
    "sha256_file",
    "verify_file",
]
