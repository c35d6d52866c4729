"""Plugins in Python: what a user's class has, and what stands between it and C.

One set of C functions serves every plugin, so that none is ever freed while a thread is in it. They find the object
by the number that C keeps for it.
"""

from __future__ import annotations

import ctypes
import enum
import itertools
import os
import select
import signal
import threading
from abc import ABC, abstractmethod
from ctypes import POINTER, byref, cast
from dataclasses import dataclass, field
from typing import Any, Callable, ClassVar, Dict, Iterable, Iterator, Mapping, Optional, Sequence, Tuple, Type, Union

from . import _runtime as c
from ._abi import OpenStruct
from ._errors import Code, NodeError

Answer = Any


class PluginCode(enum.IntEnum):
    """How a method fails."""

    UNAVAILABLE = 1
    """The host lacks something: a program, a permission, a kernel feature, a device."""
    NOT_FOUND = 2
    """There is no such package, toolchain or record."""
    CHECKSUM_MISMATCH = 3
    """Bytes do not have the digest that was asked for."""
    INVALID = 4
    """The request is malformed or out of bounds."""
    IO = 5
    """Reading or writing failed."""
    CANCELLED = 6
    """The call was cancelled."""


class PluginFailure(Exception):
    """Raised by a method, fails its call with this code and sentence. Any other exception counts as IO."""

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class _Later:
    def __repr__(self) -> str:
        return "LATER"


LATER = _Later()
"""What a method returns when :meth:`Call.finish` or :meth:`Call.fail` is called behind its return."""


# ---- What methods are asked, and what they answer ----


@dataclass(frozen=True)
class CreateRequest:
    """For whom an instance is made."""

    node: str
    """The builder's name in its group."""
    state_directory: str
    """Made for this plugin; what it keeps between starts goes there."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """``[settings.NAME]`` of the configuration."""


@dataclass(frozen=True)
class Mount:
    host_path: str
    inside_path: str
    is_writable: bool


@dataclass(frozen=True)
class RunRequest:
    """One program to run alone, without network or sight of the host."""

    run_id: str
    """1 to 100 letters, digits, ``-``, ``_``, ``.``; unique on this host."""
    toolchain: str
    """One that was prepared, in hexadecimal digits; its tree is the root."""
    command: Tuple[str, ...]
    """Absolute path inside, then the arguments."""
    environment: Mapping[str, str]
    """The whole of it."""
    working_directory: str
    mounts: Tuple[Mount, ...]
    host_name: str
    """Fixed inside."""
    scratch_directory: str
    """A folder of the host for this run's private files."""
    wall_seconds: int
    cpu_seconds: int
    memory_bytes: int
    processes: int
    disk_bytes: int
    transcript_bytes: int

    def host_path(self, inside_path: str) -> str:
        """Where on the host a mount is. Raises KeyError where there is none of that path."""
        for mount in self.mounts:
            if mount.inside_path == inside_path:
                return mount.host_path
        raise KeyError(inside_path)


class Ending(enum.IntEnum):
    """How a run ended."""

    EXITED = 0
    SIGNALLED = 1
    WALL_TIME_EXCEEDED = 2
    CPU_TIME_EXCEEDED = 3
    MEMORY_EXCEEDED = 4
    PROCESSES_EXCEEDED = 5
    DISK_EXCEEDED = 6
    TRANSCRIPT_EXCEEDED = 7


@dataclass(frozen=True)
class RunResult:
    ending: Ending = Ending.EXITED
    status: int = 0
    """Exit status 0...255, or the signal's number 1...64; else 0."""
    wall_nanoseconds: int = 0
    cpu_nanoseconds: int = 0
    """Of the whole tree; 0 where it is not known."""
    memory_peak_bytes: int = 0
    """0 where it is not known."""


@dataclass(frozen=True)
class Finding:
    """One checked requirement of a sandbox."""

    name: str
    """What is checked, such as "user namespaces"."""
    detail: str
    """What was found; when not met, what is wanted."""
    is_met: bool = True
    is_weaker: bool = False
    """Met, but by less than a better host gives; the detail says what."""
    mend: Optional[str] = None
    """One line that would mend it."""


class KeyRole(enum.IntEnum):
    """What a key signs."""

    UNKNOWN = -1
    LOG = 0
    """The log's checkpoints."""
    COSIGNER = 1
    """Cosignatures on checkpoints."""
    BUILDER = 2
    """Submissions, commitments, reveals, abstentions, hand-overs."""
    CONSENSUS = 3
    """Votes and timeouts."""
    TRANSPORT = 4
    """The connections between nodes."""

    @classmethod
    def _missing_(cls, value: object) -> KeyRole:
        return cls.UNKNOWN


@dataclass(frozen=True)
class ResolveRequest:
    """A package whose every input is to be pinned."""

    package: str
    """Such as ``pkg:cargo/itoa@1.0.1``."""
    features: Tuple[str, ...]
    programs: Tuple[str, ...]
    """These alone."""
    library: bool
    """The library, with the named programs."""
    without_default_features: bool
    profile: Optional[str]
    """None: the package's choice."""
    target: Optional[str]
    """None: the toolchain's own host."""
    toolchain: str
    """The spec's, in hexadecimal digits."""
    rebuild: int
    """The spec's."""
    normalise: Tuple[str, ...]
    """Names, sorted, of what the recipe shall hold still."""
    scratch_directory: str
    """A folder for this call."""


@dataclass(frozen=True)
class FetchRequest:
    """A source whose tree is wanted."""

    purl: str
    origin: str
    tree_sha256: str
    directory: str
    """Absolute path; does not exist yet."""


@dataclass(frozen=True)
class Change:
    """A record to put; a value of None deletes it."""

    key: bytes
    value: Optional[bytes]


class Call:
    """One call of a method.

    Until it is answered it may be used by any thread, also behind the method's return.
    """

    __slots__ = ("_number", "_encode")

    def __init__(self, number: int, encode: Callable[[int, Answer], int]) -> None:
        self._number = number
        self._encode = encode

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for the answer: the call was cancelled, abandoned or answered."""
        return bool(c.load().sync_call_is_cancelled(self._number))

    @property
    def cancel_descriptor(self) -> Optional[int]:
        """Becomes readable when the call is cancelled; None once it is answered. Neither read from it nor close it."""
        descriptor: int = c.load().sync_call_get_cancel_descriptor(self._number)
        return descriptor if descriptor >= 0 else None

    def wait_until_cancelled(self, timeout: Optional[float] = None) -> bool:
        """Waits so many seconds at most; whether the call is cancelled."""
        descriptor = self.cancel_descriptor
        if descriptor is not None:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(None if timeout is None else max(0, int(timeout * 1000)))
        return self.is_cancelled

    def add_transcript(self, data: bytes) -> bool:
        """What the program printed, in a run.

        False when it is more than the run may print: what fits is kept, and the run is to end with
        :attr:`Ending.TRANSCRIPT_EXCEEDED`. One thread at a time.
        """
        status = c.load().sync_call_add_transcript(self._number, data, len(data))
        if status == Code.TOO_LARGE:
            return False
        _check(status)
        return True

    def finish(self, answer: Answer = None) -> None:
        """Answers, instead of returning it. Raises NodeError with STATE when it is answered, or too late."""
        _check(self._encode(self._number, answer))

    def fail(self, code: int, message: str = "") -> None:
        """Fails the call, instead of raising it. Raises as :meth:`finish` does."""
        _check(_fail(self._number, code, message))


# ---- What a user's class has ----


class Plugin(ABC):
    """An instance serves one node, or one epoch of it. Its methods run on threads of the runtime's; calls overlap."""

    name: ClassVar[str]
    """By which configurations choose it: 1 to 64 lower-case letters, digits, hyphens."""
    version: ClassVar[str] = "1"
    """For people and for statements: 1 to 64 printable characters."""

    def __init__(self, request: CreateRequest) -> None:
        """Makes the instance, in 60 s."""

    def close(self) -> None:
        """Ends the instance, once, after its last method has returned."""


class Sandbox(Plugin):
    """Runs one program alone, without network or sight of the host, bounded in everything."""

    @abstractmethod
    def probe(self, call: Call) -> Iterable[Finding]:
        """Checks what the host can do, without changing it; at least one finding. 60 s."""

    @abstractmethod
    def prepare(self, toolchain: str, archive: str, call: Call) -> None:
        """Unpacks a tar file, once, after checking its SHA-256. An hour."""

    @abstractmethod
    def has_toolchain(self, toolchain: str, call: Call) -> bool:
        """Whether it is prepared. 60 s."""

    @abstractmethod
    def run(self, request: RunRequest, call: Call) -> RunResult:
        """Runs to the end, and kills the whole tree when cancelled.

        A program that fails is a result, and only a fault of the sandbox an exception. ``wall_seconds`` and the
        setting ``patience-seconds``, which is 300 unless given.
        """

    def remove_leftovers(self, call: Call) -> Iterable[str]:
        """Clears away what a killed run has left; a line for each. Ten minutes."""
        return ()


class Signer(Plugin):
    """Keeps private keys and signs with them (Ed25519, RFC 8032)."""

    @abstractmethod
    def public_key(self, role: KeyRole, call: Call) -> bytes:
        """32 bytes. Asked once for each role. 10 s."""

    @abstractmethod
    def sign(self, role: KeyRole, message: bytes, call: Call) -> bytes:
        """The 64 bytes of the signature of exactly this message. The node waits for it. 10 s."""


class Source(Plugin):
    """Finds packages and fetches their sources."""

    type: ClassVar[str]
    """Of the packages that it serves, such as "cargo"."""
    origin_type: ClassVar[str]
    """Of the purl in its sources' origins, such as "generic"."""

    @abstractmethod
    def resolve(self, request: ResolveRequest, call: Call) -> Union[bytes, str]:
        """Pins every input of a package: a build spec, as docs/FORMATS.md has it. An hour."""

    @abstractmethod
    def fetch(self, request: FetchRequest, call: Call) -> None:
        """Puts a source's tree into the directory; its digest is checked by the node. An hour."""


class Storage(Plugin):
    """One ordered map from byte strings to byte strings, on a disk. The node waits for each call, a minute at most."""

    @abstractmethod
    def get(self, key: bytes, call: Call) -> Optional[bytes]:
        """The value, or None."""

    @abstractmethod
    def scan(self, prefix: bytes, start: bytes, limit: int, call: Call) -> Iterable[Tuple[bytes, bytes]]:
        """The records whose keys begin with the prefix and are not below start, ascending, at most so many."""

    @abstractmethod
    def apply(self, changes: Sequence[Change], durable: bool, call: Call) -> None:
        """All or none, in this order; where durable, they survive a power cut once this returns."""


@dataclass(frozen=True)
class Peer:
    """Another member of the group."""

    name: str
    address: str
    """HOST:PORT, as the group file has it; what it means is the transport's."""
    key: bytes
    """Its transport key: 32 bytes, Ed25519."""


class Link:
    """Where a transport tells what comes in, until :meth:`Transport.stop` has returned. From any thread, one at a time
    for each peer."""

    def __init__(self, number: int) -> None:
        self._number = number

    def connected(self, peer: str) -> None:
        """A connection stands, over which what is sent from now on reaches the peer."""
        self._tell(c.load().sync_link_connected(self._number, c.as_text(peer, "the peer")))

    def disconnected(self, peer: str) -> None:
        """It stands no more: nothing is handed over for this peer until it is connected again."""
        self._tell(c.load().sync_link_disconnected(self._number, c.as_text(peer, "the peer")))

    def receive(self, peer: str, message: bytes) -> None:
        """A whole message of the peer, at most 4 MiB."""
        name, data = c.as_text(peer, "the peer"), bytes(message)
        self._tell(c.load().sync_link_receive(self._number, name, data, len(data)))

    def sign(self, message: bytes) -> bytes:
        """Signs at most 65,536 bytes with the node's transport key; 64 bytes come back."""
        data, signature = bytes(message), ctypes.create_string_buffer(64)
        self._tell(c.load().sync_link_sign(self._number, data, len(data), signature))
        return signature.raw

    @staticmethod
    def _tell(status: int) -> None:
        if status:
            raise NodeError(f"the transport's link refuses this (status {status})", status)


@dataclass(frozen=True)
class ListenRequest:
    """Where a transport listens, and whom it connects to."""

    link: Link
    name: str
    """This node's."""
    listen: str
    """``listen.transport`` of its configuration, HOST:PORT."""
    group: bytes
    """32 bytes of the group, in all its epochs; both sides of a connection hold the same."""
    key: bytes
    """This node's transport key."""
    peers: Tuple[Peer, ...]


class Transport(Plugin):
    """Authenticated, ordered messages between the members of a group. The node keeps what waits for each peer."""

    @abstractmethod
    def start(self, request: ListenRequest, call: Call) -> None:
        """Listens, and begins to connect to every peer. Once; when it fails nothing is left. 60 s."""

    @abstractmethod
    def send(self, peer: str, messages: Sequence[bytes], call: Call) -> None:
        """Takes messages to a connected peer; returns when the next may come. One at a time for each peer. 60 s."""

    @abstractmethod
    def stop(self, call: Call) -> None:
        """Ends every connection and frees the place. 10 s."""


# ---- Between it and C ----

_inside = threading.local()
_numbers = itertools.count(1)
_lock = threading.Lock()
_factories: Dict[int, Callable[[CreateRequest], Plugin]] = {}
"""By user data: what a registry, or a node that was made with it, still holds."""
_instances: Dict[int, Plugin] = {}
"""By ``self``: made and not ended."""


def is_inside() -> bool:
    """Whether this thread runs a function that C has called."""
    return getattr(_inside, "depth", 0) > 0


class Inside:
    """For as long as a function that C has called runs."""

    def __enter__(self) -> None:
        _inside.depth = getattr(_inside, "depth", 0) + 1

    def __exit__(self, *_: object) -> None:
        _inside.depth -= 1


def held() -> Tuple[int, int]:
    """Plugins and instances of which C has not let go."""
    with _lock:
        return len(_factories), len(_instances)


def _keep(table: Dict[int, Any], value: Any) -> int:
    number = next(_numbers)
    with _lock:
        table[number] = value
    return number


def _drop(table: Dict[int, Any], number: int) -> Any:
    with _lock:
        return table.pop(number, None)


def _check(status: int) -> None:
    if status == Code.STATE:
        raise NodeError("the call is answered, or its time is over", status)
    if status:
        raise NodeError(f"the answer was refused with {status}", status)


def _said(value: object) -> str:
    """Its text; nothing where its own class cannot give that."""
    try:
        return str(value)
    except BaseException:
        return ""


def _sentence(text: object) -> bytes:
    return _said(text).replace("\0", " ").encode("utf-8", "replace")


def _fail(number: int, code: int, message: str) -> int:
    known = isinstance(code, int) and 0 < code < 1 << 31
    status: int = c.load().sync_call_fail(number, code if known else PluginCode.IO, _sentence(message) or None)
    return status


def _wanted(answer: Answer, kind: Any, what: str) -> Any:
    if not isinstance(answer, kind):
        raise TypeError(f"{what} is wanted, not {type(answer).__name__}")
    return answer


def _whole(value: Answer, bits: int, name: str) -> int:
    # ctypes would cut what does not fit.
    if not 0 <= _wanted(value, int, f"a number as {name}") < 1 << bits:
        raise ValueError(f"{name} is {value}, which does not fit")
    return int(value)


def _as_bytes(answer: Answer) -> bytes:
    return bytes(_wanted(answer, (bytes, bytearray, memoryview), "bytes"))


def _finish_bytes(number: int, data: bytes) -> int:
    status: int = c.load().sync_call_finish_bytes(number, data, len(data))
    return status


def _finish(number: int) -> int:
    status: int = c.load().sync_call_finish(number)
    return status


def _end_done(number: int, answer: Answer) -> int:
    if answer is not None:
        raise TypeError(f"None is wanted, not {type(answer).__name__}")
    return _finish(number)


def _end_bytes(number: int, answer: Answer) -> int:
    return _finish_bytes(number, _as_bytes(answer))


def _end_spec(number: int, answer: Answer) -> int:
    return _finish_bytes(number, answer.encode("utf-8") if isinstance(answer, str) else _as_bytes(answer))


def _end_found(number: int, answer: Answer) -> int:
    return _finish(number) if _wanted(answer, bool, "True or False") else _fail(number, PluginCode.NOT_FOUND, "")


def _end_value(number: int, answer: Answer) -> int:
    return _fail(number, PluginCode.NOT_FOUND, "") if answer is None else _end_bytes(number, answer)


def _end_run(number: int, answer: Answer) -> int:
    result = _wanted(answer, RunResult, "a RunResult")
    raw = c.RawRunResult()
    for name, bits in (
        ("ending", 31), ("status", 31), ("wall_nanoseconds", 64), ("cpu_nanoseconds", 64), ("memory_peak_bytes", 64)
    ):
        setattr(raw, name, _whole(getattr(result, name), bits, name))
    status: int = c.load().sync_call_finish_run(number, byref(raw))
    return status


def _end_findings(number: int, answer: Answer) -> int:
    for finding in answer:
        _wanted(finding, Finding, "a Finding")
        raw = c.RawFinding()
        raw.is_met, raw.is_weaker = bool(finding.is_met), bool(finding.is_weaker)
        raw.name, raw.detail = _sentence(finding.name), _sentence(finding.detail)
        raw.mend = None if finding.mend is None else _sentence(finding.mend)
        _check(c.load().sync_call_add_finding(number, byref(raw)))
    return _finish(number)


def _end_texts(number: int, answer: Answer) -> int:
    for text in answer:
        _check(c.load().sync_call_add_text(number, _sentence(_wanted(text, str, "a str"))))
    return _finish(number)


def _end_records(number: int, answer: Answer) -> int:
    for key, value in answer:
        key, value = _as_bytes(key), _as_bytes(value)
        status = c.load().sync_call_add_record(number, key, len(key), value, len(value))
        # The answer is full: the next scan begins behind what was taken.
        if status == Code.TOO_LARGE:
            break
        _check(status)
    return _finish(number)


def _end_instance(number: int, answer: Answer) -> int:
    instance = _keep(_instances, _wanted(answer, Plugin, "a Plugin"))
    status: int = c.load().sync_call_finish_instance(number, instance)
    if status:
        # Nobody waits for it any more, and nobody else ends it.
        _drop(_instances, instance)
        answer.close()
    return status


def _text(data: Optional[bytes]) -> str:
    return (data or b"").decode("utf-8", "replace")


def _optional(data: Optional[bytes]) -> Optional[str]:
    return None if data is None else _text(data)


def _path(data: Optional[bytes]) -> str:
    return os.fsdecode(data or b"")


def _texts(start: Any, count: int) -> Tuple[str, ...]:
    return tuple(_text(start[i]) for i in range(count))


def _data(start: Optional[int], size: int) -> bytes:
    return ctypes.string_at(start, size) if start and size else b""


def _pairs(texts: Iterable[str]) -> Iterator[Tuple[str, str]]:
    for text in texts:
        name, _, value = text.partition("=")
        yield name, value


def _ask_create(factory: Any, raw: Any, call: Call) -> Answer:
    settings = {_text(s.name): _text(s.value) for s in raw.settings[: raw.settings_count]}
    return factory(CreateRequest(_text(raw.node), _path(raw.state_directory), settings))


def _ask_run(sandbox: Any, raw: Any, call: Call) -> Answer:
    mounts = tuple(
        Mount(_path(m.host_path), _path(m.inside_path), m.is_writable != 0) for m in raw.mounts[: raw.mounts_count])
    request = RunRequest(
        run_id=_text(raw.run_id),
        toolchain=_text(raw.toolchain),
        command=_texts(raw.command, raw.command_count),
        environment=dict(_pairs(_texts(raw.environment, raw.environment_count))),
        working_directory=_path(raw.working_directory),
        mounts=mounts,
        host_name=_text(raw.host_name),
        scratch_directory=_path(raw.scratch_directory),
        wall_seconds=raw.wall_seconds,
        cpu_seconds=raw.cpu_seconds,
        memory_bytes=raw.memory_bytes,
        processes=raw.processes,
        disk_bytes=raw.disk_bytes,
        transcript_bytes=raw.transcript_bytes,
    )
    return sandbox.run(request, call)


def _ask_resolve(source: Any, raw: Any, call: Call) -> Answer:
    request = ResolveRequest(
        package=_text(raw.package),
        features=_texts(raw.features, raw.features_count),
        programs=_texts(raw.programs, raw.programs_count),
        library=raw.library != 0,
        without_default_features=raw.without_default_features != 0,
        profile=_optional(raw.profile),
        target=_optional(raw.target),
        toolchain=_text(raw.toolchain),
        rebuild=raw.rebuild,
        normalise=_texts(raw.normalise, raw.normalise_count),
        scratch_directory=_path(raw.scratch_directory),
    )
    return source.resolve(request, call)


def _ask_fetch(source: Any, raw: Any, call: Call) -> Answer:
    return source.fetch(
        FetchRequest(_text(raw.purl), _text(raw.origin), _text(raw.tree_sha256), _path(raw.directory)), call)


def _ask_apply(storage: Any, raw: Any, call: Call) -> Answer:
    changes = [
        Change(_data(r.key, r.key_size), None if r.value is None else _data(r.value, r.value_size))
        for r in raw.changes[: raw.changes_count]
    ]
    return storage.apply(changes, raw.durable != 0, call)


def _ask_scan(storage: Any, raw: Any, call: Call) -> Answer:
    return storage.scan(_data(raw.key, raw.key_size), _data(raw.start, raw.start_size), raw.limit, call)


def _ask_start(transport: Any, raw: Any, call: Call) -> Answer:
    peers = tuple(Peer(_text(p.name), _text(p.address), _data(p.key, 32)) for p in raw.peers[: raw.peers_count])
    request = ListenRequest(
        Link(raw.link or 0), _text(raw.name), _text(raw.listen), _data(raw.group, 32), _data(raw.key, 32), peers)
    return transport.start(request, call)


def _ask_send(transport: Any, raw: Any, call: Call) -> Answer:
    messages = [_data(m.bytes, m.size) for m in raw.messages[: raw.messages_count]]
    return transport.send(_text(raw.peer), messages, call)


class _Signals:
    """Lets signals through, which the runtime's threads block: a process that is started here would inherit that."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted

    def __enter__(self) -> None:
        if self._wanted:
            self._before = signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def __exit__(self, *_: object) -> None:
        if self._wanted:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._before)


def _method(
    struct: Type[OpenStruct], ask: Callable[[Any, Any, Call], Answer], end: Callable[[int, Answer], int],
    table: Dict[int, Any] = _instances, starts_processes: bool = True,
) -> Any:
    """A C function that asks the object behind its first argument, and answers whatever comes."""

    def run(owner: Optional[int], request: Optional[int], number: Optional[int]) -> int:
        with Inside(), _Signals(starts_processes):
            try:
                raw = cast(request or 0, POINTER(struct)).contents
                if raw.struct_size < ctypes.sizeof(struct):
                    raise PluginFailure(PluginCode.UNAVAILABLE, "libsync is older than this package")
                call = Call(number or 0, end)
                answer = ask(table[owner or 0], raw, call)
                if answer is not LATER:
                    # One that is answered already, or comes too late, does nothing.
                    end(number or 0, answer)
            except PluginFailure as failure:
                _fail(number or 0, failure.code, failure.message)
            except BaseException as error:
                name, said = type(error).__name__, _said(error)
                _fail(number or 0, PluginCode.IO, f"{name}: {said}" if said else name)
        return 0

    return c.Method(run)


def _destroy(number: Optional[int]) -> None:
    with Inside():
        instance = _drop(_instances, number or 0)
        if instance is not None:
            instance.close()


def _forget(number: Optional[int]) -> None:
    _drop(_factories, number or 0)


_CREATE = _method(c.RawCreateRequest, _ask_create, _end_instance, _factories)
_DESTROY = c.Destroy(_destroy)
FORGET = c.Destroy(_forget)


def _filled(struct: Any, **fields: Any) -> Any:
    value = struct()
    for name, content in fields.items():
        setattr(value, name, content)
    return value


_TOOLCHAIN = c.RawToolchainRequest
_SANDBOX = _filled(
    c.RawSandboxMethods,
    probe=_method(c.RawPlainRequest, lambda o, r, call: o.probe(call), _end_findings),
    prepare=_method(_TOOLCHAIN, lambda o, r, call: o.prepare(_text(r.toolchain), _path(r.archive), call), _end_done),
    has_toolchain=_method(_TOOLCHAIN, lambda o, r, call: o.has_toolchain(_text(r.toolchain), call), _end_found),
    run=_method(c.RawRunRequest, _ask_run, _end_run),
    remove_leftovers=_method(c.RawPlainRequest, lambda o, r, call: o.remove_leftovers(call), _end_texts),
)
_SIGNER = _filled(
    c.RawSignerMethods,
    public_key=_method(c.RawSignRequest, lambda o, r, call: o.public_key(KeyRole(r.role), call), _end_bytes),
    sign=_method(
        c.RawSignRequest,
        lambda o, r, call: o.sign(KeyRole(r.role), _data(r.message, r.message_size), call),
        _end_bytes,
        starts_processes=False,
    ),
)
_STORAGE = _filled(
    c.RawStorageMethods,
    get=_method(
        c.RawStorageRequest, lambda o, r, call: o.get(_data(r.key, r.key_size), call), _end_value,
        starts_processes=False),
    scan=_method(c.RawStorageRequest, _ask_scan, _end_records, starts_processes=False),
    apply=_method(c.RawApplyRequest, _ask_apply, _end_done, starts_processes=False),
)
_TRANSPORT = _filled(
    c.RawTransportMethods,
    start=_method(c.RawListenRequest, _ask_start, _end_done),
    send=_method(c.RawSendRequest, _ask_send, _end_done, starts_processes=False),
    stop=_method(c.RawPlainRequest, lambda o, r, call: o.stop(call), _end_done),
)
_RESOLVE = _method(c.RawResolveRequest, _ask_resolve, _end_spec)
_FETCH = _method(c.RawFetchRequest, _ask_fetch, _end_done)


def table(plugin: Type[Plugin]) -> c.RawPlugin:
    """The C table of a class: valid for as long as it is held."""
    raw = _filled(
        c.RawPlugin,
        name=c.as_text(plugin.name, "the plugin's name"),
        version=c.as_text(plugin.version, "the plugin's version"),
        create=_CREATE,
        destroy=_DESTROY,
    )
    # A class that is more than one of these is refused by the library.
    if issubclass(plugin, Sandbox):
        raw.sandbox = ctypes.pointer(_SANDBOX)
    if issubclass(plugin, Signer):
        raw.signer = ctypes.pointer(_SIGNER)
    if issubclass(plugin, Source):
        methods = _filled(
            c.RawSourceMethods,
            type=c.as_text(plugin.type, "the source's type"),
            origin_type=c.as_text(plugin.origin_type, "the source's origin_type"),
            resolve=_RESOLVE,
            fetch=_FETCH,
        )
        raw.source = ctypes.pointer(methods)
    if issubclass(plugin, Storage):
        raw.storage = ctypes.pointer(_STORAGE)
    if issubclass(plugin, Transport):
        raw.transport = ctypes.pointer(_TRANSPORT)
    return raw  # type: ignore[no-any-return]


def keep(factory: Callable[[CreateRequest], Plugin]) -> int:
    """The user data for a plugin whose instances this makes, until C gives it to :data:`FORGET`."""
    return _keep(_factories, factory)


def forget(number: int) -> None:
    """Takes :func:`keep` back, where C was not given it."""
    _drop(_factories, number)
