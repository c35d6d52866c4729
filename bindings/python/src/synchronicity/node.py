"""A whole builder in your process: libsync for Python.

    with Registry() as registry:
        registry.add(MySandbox)
        with Node.load("alder/config.toml", registry=registry) as node:
            node.start()
            job = node.submit("pkg:cargo/itoa@1.0.1", timeout=600)
            node.wait(job, Phase.COSIGNED, timeout=3600)
            proof = node.proof(job)

Timeouts are seconds, None waits for ever. What is refused is a :exc:`NodeError` with its code; where time is up it is
a :exc:`TimedOutError`, which is a :exc:`TimeoutError`. Calls that wait let other threads of Python go on.

libsync is loaded when it is first needed: the one of :func:`load_library`, else of the environment's SYNC_LIBRARY,
else the loader's ``libsync.so.1``. It stays in memory, and after a fork the child may use nothing of this module.
"""

from __future__ import annotations

import atexit
import ctypes
import enum
import json
import os
import sys
import threading
import time
import weakref
from ctypes import byref, c_void_p
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Type, Union

from . import _abi, _plugins
from . import _runtime as c
from ._errors import Code, LibraryError, NodeError, TimedOutError
from ._hashing import Path, read_bounded
from ._plugins import LATER, Call, Change, CreateRequest, Ending, FetchRequest, Finding, KeyRole, Link, ListenRequest
from ._plugins import Mount, Peer, Plugin, PluginCode, PluginFailure, ResolveRequest, RunRequest, RunResult, Sandbox
from ._plugins import Signer, Source, Storage, Transport
from ._proof import Verdict

_Digest = Union[bytes, bytearray, memoryview, str]

_SLICE = 0.25
"""Seconds that one call of the library waits at most, so that Ctrl-C and close are heeded between two."""


def load_library(path: Path) -> str:
    """Loads libsync from a path, before anything else needs it; gives its version."""
    version: bytes = c.load(os.fspath(path)).sync_get_version()
    return version.decode("ascii")


class LogLevel(enum.IntEnum):
    UNKNOWN = -1
    DEBUG = 1
    INFO = 2
    NOTICE = 3
    WARNING = 4
    ERROR = 5
    CRITICAL = 6

    @classmethod
    def _missing_(cls, value: object) -> LogLevel:
        return cls.UNKNOWN


class Phase(enum.IntEnum):
    """How far a job has come, in this order."""

    UNKNOWN = 0
    COMMIT = 1
    """Ordered: builders rebuild and commit."""
    REVEAL = 2
    """Builders open their commitments."""
    LOGGED = 3
    """The verdict stands, and its evidence is in the log."""
    COSIGNED = 4
    """A quorum has cosigned the log with it: the proof can be had."""

    @classmethod
    def _missing_(cls, value: object) -> Phase:
        return cls.UNKNOWN


class NodeState(enum.IntEnum):
    UNKNOWN = -1
    CREATED = 0
    RUNNING = 1
    STOPPING = 2
    STOPPED = 3

    @classmethod
    def _missing_(cls, value: object) -> NodeState:
        return cls.UNKNOWN


class EventKind(enum.IntEnum):
    UNKNOWN = -1
    """One that this package does not know."""
    ORDERED = 1
    COMMITTED = 2
    ABSTAINED = 3
    REVEALING = 4
    REVEALED = 5
    VERDICT = 6
    """The number is the verdict."""
    LOGGED = 7
    """The number is the leaf's index."""
    COSIGNED = 8
    """The number is the tree's size: what has an index below can be proven."""
    MISBEHAVIOUR = 9
    """The text is the member, in whose name statements contradict each other."""
    EPOCH_ENDED = 10
    """The number is the epoch that is over."""
    FAULT = 11
    """The node ends by itself; the text says why."""

    @classmethod
    def _missing_(cls, value: object) -> EventKind:
        return cls.UNKNOWN


@dataclass(frozen=True)
class JobStatus:
    phase: Phase
    verdict: Optional[Verdict]
    """None while there is none."""
    agreeing: int
    """Builders that agree on the outcome that gave the verdict."""
    committed: int
    """Builders that have committed to an outcome."""
    leaf_index: Optional[int]
    """The evidence's, from :attr:`Phase.LOGGED` on."""


@dataclass(frozen=True)
class NodeStatus:
    state: NodeState
    """Where it is not RUNNING, the rest is zero."""
    is_observing: bool
    """Signs nothing, since its journal may be older than what it has signed."""
    epoch: int
    view: int
    height: int
    """Of the last decided block."""
    log_size: int
    checkpoint_size: int
    """Of the newest checkpoint that a quorum has cosigned."""
    open_jobs: int
    connected_peers: int
    replicas: int
    quorum: int


@dataclass(frozen=True)
class Event:
    kind: EventKind
    job: Optional[bytes]
    """None where the event is about none."""
    number: int
    text: str
    """The builder, package or member, or why."""
    dropped: int
    """Events that were dropped just before this one, since nobody took them."""


@dataclass(frozen=True)
class CheckReport:
    """What the conformance suite of a plugin's kind found. True where every check was passed."""

    has_passed: bool
    text: str
    """A line for each check, ``pass: NAME`` or ``FAIL: NAME: WHAT WAS SEEN``, and a last one with their number."""

    def __bool__(self) -> bool:
        return self.has_passed

    def __str__(self) -> str:
        return self.text


class Registry:
    """Plugins that nodes can choose by name, beside those that are built in.

    Usable as a context manager; else it is freed with its last reference. Nodes keep what they need of it.
    """

    def __init__(self) -> None:
        created = c_void_p()
        library = c.load()
        c.call(library.sync_registry_create, 0, byref(created))
        self._handle: Optional[_abi.Handle] = _abi.Handle(created, _unless_forked(library.sync_registry_destroy))
        self._changing = threading.Lock()
        _open_registries.add(self)

    def add(
        self, plugin: Type[Plugin], make: Optional[Callable[[CreateRequest], Plugin]] = None
    ) -> None:
        """Adds a class: a Sandbox, a Signer, a Source or a Storage.

        Each node makes an instance for itself, and ends it with ``close``.

        :param make: makes the instances, instead of the class itself
        """
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin)):
            raise TypeError("a class is wanted that is a Sandbox, a Signer, a Source or a Storage")
        handle, library = self._open(), c.load()
        raw = _plugins.table(plugin)
        number = _plugins.keep(make or plugin)
        # From here on the library gives the number back, whatever comes.
        with self._changing:
            c.call(library.sync_registry_add, handle.pointer, byref(raw), number, _plugins.FORGET)

    def load(self, path: Path) -> None:
        """Adds the plugin that a shared object holds; it stays loaded. Load what you trust: it is in your process."""
        handle, library = self._open(), c.load()
        with self._changing:
            c.call(library.sync_registry_load, handle.pointer, c.as_path(path, "the path"))

    def check(
        self,
        name: str,
        *,
        settings: Optional[Mapping[str, str]] = None,
        toolchain: Optional[Path] = None,
        package: Optional[str] = None,
        escapes: bool = False,
        allowed: Optional[Mapping[str, str]] = None,
    ) -> CheckReport:
        """Runs the conformance suite of a plugin that was added here, by calling it as a node does.

        It takes seconds, for a sandbox minutes; Ctrl-C is heeded behind it. NodeError with NOT_FOUND when no plugin
        of that name was added, and with INVALID when something is missing that its kind wants.

        :param settings: as a configuration has them in ``[settings.PLUGIN]``
        :param toolchain: for a sandbox: a tar archive with /bin/sh, bash, coreutils and busybox
        :param package: for a source: one that it has, such as ``pkg:cargo/itoa@1.0.1``
        :param escapes: for a sandbox: also every attempt to leave it, which ``cc`` of this host compiles
        :param allowed: attempts that may succeed, by the word with which a report shows them, and why
        """
        options, passed, library = c.RawCheckOptions(), ctypes.c_int32(), c.load()
        for field, pairs in (("settings", settings), ("allowed", allowed)):
            texts = sorted((pairs or {}).items())
            raw = [c.RawSetting(c.as_text(key, field), c.as_text(value, field)) for key, value in texts]
            setattr(options, field, (c.RawSetting * len(raw))(*raw))
            setattr(options, f"{field}_count", len(raw))
        if toolchain is not None:
            options.toolchain = c.as_path(os.path.abspath(toolchain), "toolchain")
        options.package = None if package is None else c.as_text(package, "package")
        options.with_escapes = 1 if escapes else 0
        handle, text = self._open(), c.as_text(name, "name")
        report = c.copied(library.sync_registry_check, handle.pointer, text, byref(options), byref(passed))
        return CheckReport(passed.value == 1, report.decode("utf-8", "replace"))

    def close(self) -> None:
        """Frees the registry, as soon as no call of another thread uses it any more."""
        self._handle = None

    def __enter__(self) -> Registry:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<Registry, closed>" if self._handle is None else "<Registry>"

    def _open(self) -> _abi.Handle:
        handle = self._handle
        if handle is None:
            raise ValueError("the registry is closed")
        return handle


class Events:
    """One subscription: the events since it was made.

    Iterating waits for each, and ends when the node has ended. Usable as a context manager; else it is freed with its
    last reference. Several threads may take from one; each event goes to one of them.
    """

    def __init__(self, handle: _abi.Handle, timeout: Optional[float]) -> None:
        """Use :meth:`Node.events`."""
        self._handle: Optional[_abi.Handle] = handle
        self._timeout = timeout

    def next(self, timeout: Optional[float] = None) -> Event:
        """Takes the oldest event. Raises TimedOutError when none came, and NodeError with STATE when the node has
        ended and none is left."""
        raw = c.RawEvent()

        def take(nanoseconds: int) -> None:
            handle = self._open()
            c.call(c.load().sync_events_next, handle.pointer, nanoseconds, byref(raw))

        _sliced(timeout, take)
        job = bytes(raw.job)
        return Event(
            kind=EventKind(raw.kind),
            job=job if any(job) else None,
            number=raw.number,
            text=raw.text.decode("utf-8", "replace"),
            dropped=raw.dropped,
        )

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        """The next event. Raises TimedOutError when none came in the time that :meth:`Node.events` was given."""
        try:
            return self.next(self._timeout)
        except NodeError as error:
            if error.code is Code.STATE and not c.is_of_parent():
                raise StopIteration from None
            raise
        except ValueError:
            # It was closed, maybe by another thread while this one waited.
            raise StopIteration from None

    def close(self) -> None:
        """Ends the subscription; who waits for an event hears of it at once."""
        handle, self._handle = self._handle, None
        if handle is not None and not c.is_of_parent():
            c.load().sync_events_close(handle.pointer)

    def __enter__(self) -> Events:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> _abi.Handle:
        handle = self._handle
        if handle is None:
            raise ValueError("the events are closed")
        return handle


class Node:
    """A builder.

    Its methods may be called from any thread. Leaving it as a context manager stops and frees it; so does
    :meth:`close`. One that runs is not freed otherwise, before the interpreter ends.
    """

    def __init__(
        self,
        configuration: Union[str, bytes],
        folder: Path = ".",
        *,
        registry: Optional[Registry] = None,
        log: Optional[Callable[[LogLevel, str], None]] = None,
        restored: bool = False,
    ) -> None:
        """Reads a configuration, as ``synchronicity node run`` takes it, and the group file that it names.

        Nothing else is touched. Its gateway is not served: that is the program's.

        :param folder: what relative paths are relative to
        :param log: gets the node's log, line by line, on a thread of its own, until :meth:`close` returns
        :param restored: for one start: the data folder was put back from an older copy, or is new although this
            builder has signed before
        """
        data = configuration.encode("utf-8") if isinstance(configuration, str) else _abi.as_bytes(configuration)
        library = c.load()
        options = c.RawNodeOptions()
        options.is_restored = 1 if restored else 0
        held = registry._open() if registry is not None else None
        self._log = _keep_log(log) if log is not None else 0
        if log is not None:
            options.log, options.log_user_data = _LOG, self._log
        created = c_void_p()
        self._users = 0
        self._is_closing = False
        self._changed = threading.Condition()
        self._pointer: Optional[int] = None
        try:
            c.call(
                library.sync_node_create, data, len(data), c.as_path(os.path.abspath(folder), "folder"),
                held.pointer if held is not None else None, byref(options), byref(created))
        except BaseException:
            _logs.pop(self._log, None)
            raise
        self._pointer = created.value
        _open_nodes.add(self)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        registry: Optional[Registry] = None,
        log: Optional[Callable[[LogLevel, str], None]] = None,
        restored: bool = False,
    ) -> Node:
        """The same from a configuration file, in whose folder relative paths begin. Raises also what :func:`open`
        does."""
        folder = os.path.dirname(os.path.abspath(os.fspath(path)))
        text = read_bounded(path, c.CONFIGURATION_BYTES_MAX)
        return cls(text, folder, registry=registry, log=log, restored=restored)

    # ---- Its life ----

    def start(self) -> None:
        """Opens keys, journal and plugins, listens, and begins to take part; returns when it does. Once."""
        with self._in_use() as pointer:
            _running.add(self)
            try:
                c.call(c.load().sync_node_start, pointer)
            except NodeError:
                if c.filled(c.RawNodeStatus, c.load().sync_node_get_status, pointer).state == NodeState.STOPPED:
                    _running.discard(self)
                raise

    def stop(self, timeout: Optional[float] = None) -> None:
        """Ends the node: builds are killed and begin anew at the next start; nothing is lost.

        Returns when all is closed. Raises TimedOutError when it is not yet, and then it goes on ending; and the error
        with which the node ended by itself, if it did.
        """
        with self._in_use() as pointer:
            _sliced(timeout, lambda nanoseconds: c.call(c.load().sync_node_stop, pointer, nanoseconds))

    def close(self) -> None:
        """Stops the node, waits for that, and frees it. Not from a plugin's method, nor from the log's function."""
        if c.is_of_parent():
            return
        if _plugins.is_inside():
            raise NodeError("a function that the node calls cannot close it: it would wait for itself", Code.STATE)
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closing or self._pointer is None)
            if self._pointer is None:
                return
            self._is_closing = True
        pointer: Optional[int] = self._pointer
        library = c.load()
        try:
            try:
                _sliced(None, lambda nanoseconds: c.call(library.sync_node_stop, pointer, nanoseconds))
            except NodeError:
                # With this it had ended by itself, which stop() tells.
                pass
            with self._changed:
                # Who waits gets an error, since the node has ended.
                self._changed.wait_for(lambda: self._users == 0)
            library.sync_node_destroy(pointer)
            _logs.pop(self._log, None)
            _running.discard(self)
            _open_nodes.discard(self)
            pointer = None
        finally:
            # Where Ctrl-C came between, it can be closed again.
            with self._changed:
                self._is_closing, self._pointer = pointer is None, pointer
                self._changed.notify_all()

    def __enter__(self) -> Node:
        with self._in_use():
            return self

    def __exit__(self, kind: Optional[Type[BaseException]], *_: object) -> None:
        try:
            if not self._is_closing:
                self.stop()
        except NodeError:
            # Why the node ended, unless there is something more to the point.
            if kind is None:
                raise
        finally:
            self.close()

    def __del__(self) -> None:
        # It does not run: a running one is held. On a thread of its own, for this may be one that C has called.
        # While the interpreter ends, none can be started any more.
        if getattr(self, "_pointer", None) is None or self._is_closing or c.is_of_parent() or sys.is_finalizing():
            return
        pointer, log = self._pointer, self._log

        def end() -> None:
            c.load().sync_node_destroy(pointer)
            _logs.pop(log, None)

        threading.Thread(target=end, daemon=True).start()

    def __repr__(self) -> str:
        if self._is_closing or c.is_of_parent():
            return "<Node, closed>"
        return f"<Node, {self.status().state.name.lower()}>"

    # ---- Jobs ----

    def submit(
        self,
        package: str,
        *,
        features: Sequence[str] = (),
        default_features: bool = True,
        profile: Optional[str] = None,
        target: Optional[str] = None,
        toolchain: Optional[str] = None,
        rebuild: int = 0,
        priority: int = 0,
        timeout: Optional[float] = None,
    ) -> bytes:
        """Pins a package's inputs, signs the job and hands it to the group; gives the job's 32 bytes.

        The same spec is the same job. With TimedOutError it may be submitted all the same. Ctrl-C is heeded behind
        it.

        :param package: such as ``pkg:cargo/itoa@1.0.1``
        :param features: beside the default ones
        :param profile: ``release`` unless given
        :param target: the toolchain's own host unless given
        :param toolchain: 64 hexadecimal digits; the configuration's unless given
        :param rebuild: a number that was not used before asks for a fresh rebuild
        :param priority: -100 to 100, in this node's own queue
        """
        if isinstance(features, str):
            raise TypeError("features is a sequence of texts, not one")
        texts = [c.as_text(feature, "a feature") for feature in features]
        request = c.RawSubmitRequest()
        request.package = c.as_text(package, "package")
        request.features, request.features_count = (ctypes.c_char_p * len(texts))(*texts), len(texts)
        for name, value in (("profile", profile), ("target", target), ("toolchain", toolchain)):
            setattr(request, name, None if value is None else c.as_text(value, name))
        if not (0 <= rebuild < 1 << 64 and -(1 << 31) <= priority < 1 << 31):
            raise ValueError(f"rebuild is {rebuild} and priority {priority}, which do not fit")
        request.rebuild, request.priority = rebuild, priority
        request.without_default_features = 0 if default_features else 1
        job = ctypes.create_string_buffer(_abi.SHA256_SIZE)
        with self._in_use() as pointer:
            c.call(c.load().sync_node_submit, pointer, byref(request), c.as_nanoseconds(timeout), job)
        return job.raw

    def wait(self, job: _Digest, phase: Phase = Phase.COSIGNED, timeout: Optional[float] = None) -> JobStatus:
        """Waits until the job has come as far as this. NodeError with STATE when the node ends."""
        digest, raw = _abi.as_digest(job), c.RawJobStatus()
        with self._in_use() as pointer:
            _sliced(
                timeout,
                lambda nanoseconds: c.call(
                    c.load().sync_node_wait, pointer, digest, phase, nanoseconds, byref(raw)))
        return _job_status(raw)

    def job(self, job: _Digest) -> JobStatus:
        """How far it has come."""
        digest = _abi.as_digest(job)
        with self._in_use() as pointer:
            return _job_status(c.filled(c.RawJobStatus, c.load().sync_node_get_job, pointer, digest))

    def proof(self, job: _Digest) -> bytes:
        """The static proof file of a job that is COSIGNED; else NodeError with NOT_FOUND."""
        digest = _abi.as_digest(job)
        with self._in_use() as pointer:
            return c.copied(c.load().sync_node_copy_proof, pointer, digest)

    def artifact_path(self, sha256: _Digest) -> str:
        """The path of a local file that holds the artifact; else NodeError with NOT_FOUND."""
        digest = _abi.as_digest(sha256)
        with self._in_use() as pointer:
            return os.fsdecode(c.copied(c.load().sync_node_copy_artifact_path, pointer, digest))

    # ---- At a glance ----

    def status(self) -> NodeStatus:
        with self._in_use() as pointer:
            raw = c.filled(c.RawNodeStatus, c.load().sync_node_get_status, pointer)
        return NodeStatus(
            state=NodeState(raw.state),
            is_observing=raw.is_observing != 0,
            epoch=raw.epoch,
            view=raw.view,
            height=raw.height,
            log_size=raw.log_size,
            checkpoint_size=raw.checkpoint_size,
            open_jobs=raw.open_jobs,
            connected_peers=raw.connected_peers,
            replicas=raw.replicas,
            quorum=raw.quorum,
        )

    def status_json(self) -> Dict[str, Any]:
        """The same and more, as the gateway's /v1/status gives it."""
        with self._in_use() as pointer:
            status: Dict[str, Any] = json.loads(c.copied(c.load().sync_node_copy_status_json, pointer))
        return status

    def drain(self, timeout: Optional[float] = None) -> None:
        """Waits until the node has no open job. Whoever wants it to stay so submits no more: other members may."""
        with self._in_use() as pointer:
            _sliced(timeout, lambda nanoseconds: c.call(c.load().sync_node_drain, pointer, nanoseconds))

    def events(self, capacity: int = 1024, timeout: Optional[float] = None) -> Events:
        """Subscribes, in any state of the node.

        :param capacity: events that wait at most, 1 to 65,536; of more, the newest are dropped and counted
        :param timeout: how long iterating waits for each
        """
        if not 0 <= capacity < 1 << 32:
            raise ValueError(f"capacity is {capacity}; 1 to 65536 events can wait")
        created, library = c_void_p(), c.load()
        with self._in_use() as pointer:
            c.call(library.sync_node_subscribe, pointer, capacity, byref(created))
        return Events(_abi.Handle(created, _unless_forked(library.sync_events_destroy)), timeout)

    def _in_use(self) -> _Use:
        return _Use(self)


class _Use:
    """Keeps a node from being freed while a call is in it."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def __enter__(self) -> int:
        node = self._node
        c.load()
        with node._changed:
            if node._is_closing or node._pointer is None:
                raise ValueError("the node is closed")
            node._users += 1
            return node._pointer

    def __exit__(self, *_: object) -> None:
        with self._node._changed:
            self._node._users -= 1
            self._node._changed.notify_all()


def _sliced(timeout: Optional[float], wait: Callable[[int], None]) -> None:
    """Waits in short pieces, between which Python handles its signals."""
    c.as_nanoseconds(timeout)
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _SLICE if end is None else end - time.monotonic()
        try:
            return wait(c.as_nanoseconds(min(left, _SLICE)))
        except TimedOutError:
            if end is not None and left <= _SLICE:
                raise


def _job_status(raw: c.RawJobStatus) -> JobStatus:
    phase = Phase(raw.phase)
    return JobStatus(
        phase=phase,
        verdict=Verdict(raw.verdict) if raw.verdict else None,
        agreeing=raw.agreeing,
        committed=raw.committed,
        leaf_index=raw.leaf_index if phase >= Phase.LOGGED else None,
    )


def _unless_forked(destroy: Callable[[c_void_p], None]) -> Callable[[c_void_p], None]:
    return lambda pointer: None if c.is_of_parent() else destroy(pointer)


_running: Set[Node] = set()
_open_nodes: "weakref.WeakSet[Node]" = weakref.WeakSet()
"""Also those that do not run."""
_open_registries: "weakref.WeakSet[Registry]" = weakref.WeakSet()
_logs: Dict[int, Callable[[LogLevel, str], None]] = {}


def _keep_log(log: Callable[[LogLevel, str], None]) -> int:
    number = next(_plugins._numbers)
    _logs[number] = log
    return number


def _hand_over(number: Optional[int], level: int, line: Optional[bytes]) -> None:
    log = _logs.get(number or 0)
    if log is not None:
        with _plugins.Inside():
            log(LogLevel(level), (line or b"").decode("utf-8", "replace"))


_LOG = c.Log(_hand_over)


def _close_all() -> None:
    """Before the interpreter ends: C must call nothing behind that."""
    if c.is_of_parent():
        return
    for node in [*_running, *_open_nodes]:
        node.close()
    for registry in list(_open_registries):
        registry.close()
    end = time.monotonic() + 2
    while any(_plugins.held()) and time.monotonic() < end:
        time.sleep(0.01)


atexit.register(_close_all)

__all__ = [
    "LATER",
    "Call",
    "Change",
    "CheckReport",
    "Code",
    "CreateRequest",
    "Ending",
    "Event",
    "EventKind",
    "Events",
    "FetchRequest",
    "Finding",
    "JobStatus",
    "KeyRole",
    "LibraryError",
    "Link",
    "ListenRequest",
    "LogLevel",
    "Mount",
    "Node",
    "NodeError",
    "NodeState",
    "NodeStatus",
    "Peer",
    "Phase",
    "Plugin",
    "PluginCode",
    "PluginFailure",
    "Registry",
    "ResolveRequest",
    "RunRequest",
    "RunResult",
    "Sandbox",
    "Signer",
    "Source",
    "Storage",
    "TimedOutError",
    "Transport",
    "load_library",
]
