"""The C interface as ctypes sees it: include/sync/plugin.h and include/sync/node.h, and nothing of its own."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char, c_char_p, c_int32, c_int64, c_size_t, c_uint8
from ctypes import c_uint32, c_uint64, c_void_p
from typing import Any, Callable, List, Optional, Tuple, Type, TypeVar

from ._abi import ABI_VERSION, SHA256_SIZE, OpenStruct
from ._errors import Code, LibraryError, NodeError, TimedOutError

FOREVER = 2**64 - 1
CONFIGURATION_BYTES_MAX = 1048576

_TEXTS = POINTER(c_char_p)
Method = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)
"""Every method of a plugin, and create: instance or user data, request, call."""
Destroy = CFUNCTYPE(None, c_void_p)
Log = CFUNCTYPE(None, c_void_p, c_int32, c_char_p)
Observe = CFUNCTYPE(None, c_void_p, c_void_p)

# ---- plugin.h ----


class RawRunResult(OpenStruct):
    _fields_ = [
        ("ending", c_int32),
        ("status", c_int32),
        ("wall_nanoseconds", c_uint64),
        ("cpu_nanoseconds", c_uint64),
        ("memory_peak_bytes", c_uint64),
    ]


class RawFinding(OpenStruct):
    _fields_ = [
        ("is_met", c_int32),
        ("is_weaker", c_int32),
        ("name", c_char_p),
        ("detail", c_char_p),
        ("mend", c_char_p),
    ]


class RawSetting(Structure):
    _fields_ = [("name", c_char_p), ("value", c_char_p)]


class RawCreateRequest(OpenStruct):
    _fields_ = [
        ("node", c_char_p),
        ("state_directory", c_char_p),
        ("settings", POINTER(RawSetting)),
        ("settings_count", c_size_t),
    ]


class RawPlainRequest(OpenStruct):
    _fields_ = []


class RawToolchainRequest(OpenStruct):
    _fields_ = [("toolchain", c_char_p), ("archive", c_char_p)]


class RawMount(Structure):
    _fields_ = [
        ("host_path", c_char_p),
        ("inside_path", c_char_p),
        ("is_writable", c_int32),
        ("reserved", c_int32),
    ]


class RawRunRequest(OpenStruct):
    _fields_ = [
        ("run_id", c_char_p),
        ("toolchain", c_char_p),
        ("command", _TEXTS),
        ("command_count", c_size_t),
        ("environment", _TEXTS),
        ("environment_count", c_size_t),
        ("working_directory", c_char_p),
        ("mounts", POINTER(RawMount)),
        ("mounts_count", c_size_t),
        ("host_name", c_char_p),
        ("scratch_directory", c_char_p),
        ("wall_seconds", c_uint64),
        ("cpu_seconds", c_uint64),
        ("memory_bytes", c_uint64),
        ("processes", c_uint64),
        ("disk_bytes", c_uint64),
        ("transcript_bytes", c_uint64),
    ]


class RawSandboxMethods(OpenStruct):
    _fields_ = [
        ("probe", Method),
        ("prepare", Method),
        ("has_toolchain", Method),
        ("run", Method),
        ("remove_leftovers", Method),
    ]


class RawSignRequest(OpenStruct):
    _fields_ = [
        ("role", c_int32),
        ("reserved", c_int32),
        ("message", c_void_p),
        ("message_size", c_size_t),
    ]


class RawSignerMethods(OpenStruct):
    _fields_ = [("public_key", Method), ("sign", Method)]


class RawResolveRequest(OpenStruct):
    _fields_ = [
        ("package", c_char_p),
        ("features", _TEXTS),
        ("features_count", c_size_t),
        ("programs", _TEXTS),
        ("programs_count", c_size_t),
        ("library", c_int32),
        ("without_default_features", c_int32),
        ("profile", c_char_p),
        ("target", c_char_p),
        ("toolchain", c_char_p),
        ("rebuild", c_uint64),
        ("normalise", _TEXTS),
        ("normalise_count", c_size_t),
        ("scratch_directory", c_char_p),
    ]


class RawFetchRequest(OpenStruct):
    _fields_ = [
        ("purl", c_char_p),
        ("origin", c_char_p),
        ("tree_sha256", c_char_p),
        ("directory", c_char_p),
    ]


class RawSourceMethods(OpenStruct):
    _fields_ = [("type", c_char_p), ("origin_type", c_char_p), ("resolve", Method), ("fetch", Method)]


class RawStorageRequest(OpenStruct):
    _fields_ = [
        ("key", c_void_p),
        ("key_size", c_size_t),
        ("start", c_void_p),
        ("start_size", c_size_t),
        ("limit", c_uint64),
    ]


class RawChange(Structure):
    _fields_ = [("key", c_void_p), ("key_size", c_size_t), ("value", c_void_p), ("value_size", c_size_t)]


class RawApplyRequest(OpenStruct):
    _fields_ = [
        ("changes", POINTER(RawChange)),
        ("changes_count", c_size_t),
        ("durable", c_int32),
        ("reserved", c_int32),
    ]


class RawStorageMethods(OpenStruct):
    _fields_ = [("get", Method), ("scan", Method), ("apply", Method)]


class RawPeer(Structure):
    _fields_ = [("name", c_char_p), ("address", c_char_p), ("key", c_void_p)]


class RawListenRequest(OpenStruct):
    _fields_ = [
        ("link", c_void_p),
        ("name", c_char_p),
        ("listen", c_char_p),
        ("group", c_void_p),
        ("key", c_void_p),
        ("peers", POINTER(RawPeer)),
        ("peers_count", c_size_t),
    ]


class RawMessage(Structure):
    _fields_ = [("bytes", c_void_p), ("size", c_size_t)]


class RawSendRequest(OpenStruct):
    _fields_ = [("peer", c_char_p), ("messages", POINTER(RawMessage)), ("messages_count", c_size_t)]


class RawTransportMethods(OpenStruct):
    _fields_ = [("start", Method), ("send", Method), ("stop", Method)]


class RawPlugin(OpenStruct):
    _fields_ = [
        ("name", c_char_p),
        ("version", c_char_p),
        ("create", Method),
        ("destroy", Destroy),
        ("sandbox", POINTER(RawSandboxMethods)),
        ("signer", POINTER(RawSignerMethods)),
        ("source", POINTER(RawSourceMethods)),
        ("storage", POINTER(RawStorageMethods)),
        ("transport", POINTER(RawTransportMethods)),
    ]


# ---- node.h ----


class RawCheckOptions(OpenStruct):
    _fields_ = [
        ("settings", POINTER(RawSetting)),
        ("settings_count", c_size_t),
        ("toolchain", c_char_p),
        ("package", c_char_p),
        ("with_escapes", c_int32),
        ("reserved", c_int32),
        ("allowed", POINTER(RawSetting)),
        ("allowed_count", c_size_t),
    ]


class RawPluginSetting(Structure):
    _fields_ = [("plugin", c_char_p), ("name", c_char_p), ("value", c_char_p)]


class RawNodeConfiguration(OpenStruct):
    _fields_ = [
        ("name", c_char_p),
        ("group", c_char_p),
        ("seed", c_char_p),
        ("data", c_char_p),
        ("cache", c_char_p),
        ("listen_transport", c_char_p),
        ("plugins_sandbox", c_char_p),
        ("plugins_signer", c_char_p),
        ("plugins_storage", c_char_p),
        ("plugins_transport", c_char_p),
        ("plugins_source", _TEXTS),
        ("plugins_source_count", c_size_t),
        ("plugins_libraries", _TEXTS),
        ("plugins_libraries_count", c_size_t),
        ("plugins_folders", _TEXTS),
        ("plugins_folders_count", c_size_t),
        ("settings", POINTER(RawPluginSetting)),
        ("settings_count", c_size_t),
        ("plugins_docker_socket", c_char_p),
        ("plugins_exec_command", c_char_p),
        ("plugins_exec_arguments", _TEXTS),
        ("plugins_exec_arguments_count", c_size_t),
        ("plugins_exec_environment", _TEXTS),
        ("plugins_exec_environment_count", c_size_t),
        ("plugins_source_directory", c_char_p),
        ("plugins_registry", c_char_p),
        ("plugins_pypi_index", c_char_p),
        ("plugins_registry_allow_http", c_int32),
        ("plugins_exec_patience_seconds", c_int32),
        ("toolchain_digest", c_char_p),
        ("toolchain_cargo", c_char_p),
        ("toolchain_deb", c_char_p),
        ("toolchain_generic", c_char_p),
        ("toolchain_pypi", c_char_p),
        ("toolchain_directories", _TEXTS),
        ("toolchain_directories_count", c_size_t),
        ("build_memory", c_uint64),
        ("build_cores", c_int32),
        ("build_concurrent", c_int32),
        ("retention_artifacts", c_uint64),
        ("retention_sources", c_uint64),
        ("retention_proven", c_char_p),
        ("retention_diverged_days", c_int32),
        ("retention_diverged_megabytes", c_int32),
        ("retention_report_days", c_int32),
        ("retention_report_megabytes", c_int32),
        ("retention_transcript_days", c_int32),
        ("retention_transcript_megabytes", c_int32),
        ("divergence_compare", c_char_p),
        ("divergence_toolchain", c_char_p),
        ("divergence_seconds", c_int32),
        ("divergence_memory_megabytes", c_int32),
        ("log_level", c_char_p),
        ("consensus_timeout_base_milliseconds", c_int32),
        ("reserved", c_int32),
    ]


class RawNodeOptions(OpenStruct):
    _fields_ = [
        ("log", Log),
        ("log_user_data", c_void_p),
        ("is_restored", c_int32),
        ("reserved", c_int32),
        ("destroy_log_user_data", Destroy),
    ]


class RawSubmitRequest(OpenStruct):
    _fields_ = [
        ("package", c_char_p),
        ("features", _TEXTS),
        ("features_count", c_size_t),
        ("profile", c_char_p),
        ("target", c_char_p),
        ("toolchain", c_char_p),
        ("rebuild", c_uint64),
        ("without_default_features", c_int32),
        ("priority", c_int32),
    ]


class RawJobStatus(OpenStruct):
    _fields_ = [
        ("phase", c_int32),
        ("verdict", c_int32),
        ("agreeing", c_uint32),
        ("committed", c_uint32),
        ("leaf_index", c_uint64),
    ]


class RawNodeStatus(OpenStruct):
    _fields_ = [
        ("state", c_int32),
        ("is_observing", c_int32),
        ("epoch", c_uint64),
        ("view", c_uint64),
        ("height", c_uint64),
        ("log_size", c_uint64),
        ("checkpoint_size", c_uint64),
        ("open_jobs", c_uint32),
        ("connected_peers", c_uint32),
        ("replicas", c_uint32),
        ("quorum", c_uint32),
    ]


class RawEvent(OpenStruct):
    _fields_ = [
        ("kind", c_int32),
        ("dropped", c_uint32),
        ("number", c_uint64),
        ("job", c_uint8 * SHA256_SIZE),
        ("text", c_char * 256),
    ]


_CREATED = POINTER(c_void_p)
_ERROR = POINTER(c_void_p)

# Name, result (None for void), parameters.
_FUNCTIONS: List[Tuple[str, Any, List[Any]]] = [
    ("sync_get_version", c_char_p, []),
    ("sync_error_get_message", c_char_p, [c_void_p]),
    ("sync_error_get_offset", c_int64, [c_void_p]),
    ("sync_error_destroy", None, [c_void_p]),
    ("sync_call_is_cancelled", c_int32, [c_void_p]),
    ("sync_call_get_cancel_descriptor", c_int32, [c_void_p]),
    ("sync_call_finish", c_int32, [c_void_p]),
    ("sync_call_fail", c_int32, [c_void_p, c_int32, c_char_p]),
    ("sync_call_finish_instance", c_int32, [c_void_p, c_void_p]),
    ("sync_call_finish_bytes", c_int32, [c_void_p, c_char_p, c_size_t]),
    ("sync_call_finish_run", c_int32, [c_void_p, POINTER(RawRunResult)]),
    ("sync_call_add_transcript", c_int32, [c_void_p, c_char_p, c_size_t]),
    ("sync_call_add_finding", c_int32, [c_void_p, POINTER(RawFinding)]),
    ("sync_call_add_text", c_int32, [c_void_p, c_char_p]),
    ("sync_call_add_record", c_int32, [c_void_p, c_char_p, c_size_t, c_char_p, c_size_t]),
    ("sync_link_connected", c_int32, [c_void_p, c_char_p]),
    ("sync_link_disconnected", c_int32, [c_void_p, c_char_p]),
    ("sync_link_receive", c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    ("sync_link_sign", c_int32, [c_void_p, c_char_p, c_size_t, c_void_p]),
    ("sync_bytes_get_start", c_void_p, [c_void_p]),
    ("sync_bytes_get_size", c_size_t, [c_void_p]),
    ("sync_bytes_destroy", None, [c_void_p]),
    ("sync_registry_create", c_int32, [c_uint32, _CREATED, _ERROR]),
    ("sync_registry_add", c_int32, [c_void_p, POINTER(RawPlugin), c_void_p, Destroy, _ERROR]),
    ("sync_registry_load", c_int32, [c_void_p, c_char_p, _ERROR]),
    (
        "sync_registry_check",
        c_int32,
        [c_void_p, c_char_p, POINTER(RawCheckOptions), POINTER(c_int32), _CREATED, _ERROR],
    ),
    ("sync_registry_destroy", None, [c_void_p]),
    (
        "sync_node_create",
        c_int32,
        [c_char_p, c_size_t, c_char_p, c_void_p, POINTER(RawNodeOptions), _CREATED, _ERROR],
    ),
    (
        "sync_node_create_of_struct",
        c_int32,
        [POINTER(RawNodeConfiguration), c_char_p, c_void_p, POINTER(RawNodeOptions), _CREATED, _ERROR],
    ),
    ("sync_node_start", c_int32, [c_void_p, _ERROR]),
    ("sync_node_stop", c_int32, [c_void_p, c_uint64, _ERROR]),
    ("sync_node_destroy", None, [c_void_p]),
    (
        "sync_node_submit",
        c_int32,
        [c_void_p, POINTER(RawSubmitRequest), c_uint64, c_void_p, _ERROR],
    ),
    ("sync_node_get_job", c_int32, [c_void_p, c_char_p, POINTER(RawJobStatus), _ERROR]),
    (
        "sync_node_wait",
        c_int32,
        [c_void_p, c_char_p, c_int32, c_uint64, POINTER(RawJobStatus), _ERROR],
    ),
    ("sync_node_copy_proof", c_int32, [c_void_p, c_char_p, _CREATED, _ERROR]),
    ("sync_node_copy_artifact_path", c_int32, [c_void_p, c_char_p, _CREATED, _ERROR]),
    ("sync_node_get_status", c_int32, [c_void_p, POINTER(RawNodeStatus), _ERROR]),
    ("sync_node_copy_status_json", c_int32, [c_void_p, _CREATED, _ERROR]),
    ("sync_node_drain", c_int32, [c_void_p, c_uint64, _ERROR]),
    ("sync_node_subscribe", c_int32, [c_void_p, c_uint32, _CREATED, _ERROR]),
    ("sync_node_observe", c_int32, [c_void_p, c_uint32, Observe, c_void_p, _CREATED, _ERROR]),
    ("sync_events_next", c_int32, [c_void_p, c_uint64, POINTER(RawEvent), _ERROR]),
    ("sync_events_close", None, [c_void_p]),
    ("sync_events_destroy", None, [c_void_p]),
]

_loaded: Optional[ctypes.CDLL] = None
_loading = threading.Lock()
_process: Optional[int] = None
"""The one that has loaded it."""


def load(path: Optional[str] = None) -> ctypes.CDLL:
    """The one libsync of this process, loaded by the first that asks for it."""
    global _loaded, _process
    with _loading:
        if is_of_parent():
            raise NodeError("this process was forked: libsync runs nodes in the one that loaded it", Code.STATE)
        if _loaded is None:
            chosen = "" if sys.flags.ignore_environment else os.environ.get("SYNC_LIBRARY", "")
            _loaded = _open(path or chosen or "libsync.so.1")
            _process = os.getpid()
        elif path is not None and path != _loaded._name:
            raise LibraryError(f"{_loaded._name} is loaded already; a process has one libsync")
        return _loaded


def _open(path: str) -> ctypes.CDLL:
    """Refuses a library with another ABI before any other of its functions is called."""
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LibraryError(
            f"libsync cannot be loaded: {error}; name it to node.load_library, or in SYNC_LIBRARY"
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
        raise LibraryError(f"{path} is no libsync, or an older one: {error}") from error
    return library


def is_of_parent() -> bool:
    """Whether this is a forked child, which may not even free what it has inherited."""
    return _process is not None and os.getpid() != _process


def refusal(status: int) -> Type[NodeError]:
    """The exception for a status of a call about a node."""
    return TimedOutError if status == Code.TIMED_OUT else NodeError


def call(function: Callable[..., int], *arguments: object) -> None:
    """Calls, and raises what went wrong unless the status is 0."""
    library = load()
    error = c_void_p()
    status = function(*arguments, byref(error))
    if status == 0:
        return
    try:
        message = library.sync_error_get_message(error).decode("utf-8", "replace")
        offset = library.sync_error_get_offset(error)
    finally:
        library.sync_error_destroy(error)
    raise refusal(status)(message or f"status {status}", status, offset if offset >= 0 else None)


_Struct = TypeVar("_Struct", bound=OpenStruct)


def filled(struct: Type[_Struct], function: Callable[..., int], *arguments: object) -> _Struct:
    """A struct that the function, which takes it last but for the error, has filled."""
    value = struct()
    call(function, *arguments, byref(value))
    return value


def copied(function: Callable[..., int], *arguments: object) -> bytes:
    """The bytes that the function, which gives them last but for the error, has created."""
    library = load()
    created = c_void_p()
    call(function, *arguments, byref(created))
    try:
        return ctypes.string_at(library.sync_bytes_get_start(created), library.sync_bytes_get_size(created))
    finally:
        library.sync_bytes_destroy(created)


def as_text(value: str, name: str) -> bytes:
    """A C string, which has no NUL inside."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is a str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{name} holds a NUL")
    return value.encode("utf-8")


def as_path(value: "os.PathLike[str] | str", name: str) -> bytes:
    """The same for a path."""
    data = os.fsencode(value)
    if b"\0" in data:
        raise ValueError(f"{name} holds a NUL")
    return data


def as_nanoseconds(timeout: Optional[float]) -> int:
    """A timeout in seconds as C has it; None is for ever, and so is what does not fit."""
    if timeout is None:
        return FOREVER
    if timeout != timeout:
        raise ValueError("a timeout is a number of seconds, not NaN")
    return FOREVER if timeout > 1e9 else max(0, int(timeout * 1e9))
