"""Plugins for tests: packages pkg:words/WORD@1, whose recipe is WORD, and what runs such recipes.

A hostile sandbox does what the recipe says ill; another writes the artifact whatever it says.
"""

import base64
import ctypes
import ctypes.util
import hashlib
import os
import threading
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from synchronicity import node as sync

EMPTY_TREE = hashlib.sha256(b"synchronicity-tree/v1\n").hexdigest()


def artifact(word: str) -> bytes:
    return f"made by the recipe {word}\n".encode()


def spec(word: str, request: sync.ResolveRequest) -> str:
    package = f"pkg:words/{word}@1"
    return "\n".join(
        [
            "synchronicity-spec/v1",
            f"package {package}",
            f"rebuild {request.rebuild}",
            f"toolchain {request.toolchain}",
            "target none",
            "profile release",
            f"source {package} {EMPTY_TREE} - {package}",
            "lock -",
            "environment WORD=two words",
            "wall-seconds 1",
            "cpu-seconds 1",
            "memory-bytes 1048576",
            "processes 8",
            "disk-bytes 1048576",
            "transcript-bytes 1024",
            f"recipe {base64.b64encode(word.encode()).decode()}",
            "artifact out",
            "",
        ])


class Words(sync.Source):
    name = "py-words"
    type = "words"
    origin_type = "words"

    def resolve(self, request: sync.ResolveRequest, call: sync.Call) -> str:
        word = request.package[len("pkg:words/") :].split("@")[0]
        if word == "missing":
            raise sync.PluginFailure(sync.PluginCode.NOT_FOUND, "There is no such word")
        if word == "unpinned":
            raise ValueError("a sentence with ümlauts and a \0 inside")
        if word == "five":
            return 5  # type: ignore[return-value]
        if word == "slow":
            call.wait_until_cancelled(5)
        return "not a spec" if word == "nospec" else spec(word, request)

    def fetch(self, request: sync.FetchRequest, call: sync.Call) -> None:
        if request.tree_sha256 != EMPTY_TREE:
            raise sync.PluginFailure(sync.PluginCode.CHECKSUM_MISMATCH, "There is one tree")
        os.mkdir(request.directory)


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Echo(sync.Sandbox):
    """Writes the artifact, and isolates nothing."""

    name = "py-echo"
    version = "1.0"
    made: List["Echo"] = []
    ended = 0
    lock = threading.Lock()
    heard = threading.Event()
    """For what \"deaf\" waits, whoever cancels it."""

    def __init__(self, request: sync.CreateRequest) -> None:
        self.created = request
        self.hostile = request.settings.get("hostile") == "true"
        self.requests: Dict[str, sync.RunRequest] = {}
        self.cancelled: List[str] = []
        self.refused: List[int] = []
        with Echo.lock:
            Echo.made.append(self)

    def close(self) -> None:
        with Echo.lock:
            Echo.ended += 1

    def probe(self, call: sync.Call) -> Iterable[sync.Finding]:
        yield sync.Finding("isolation", "none is wanted in a test", mend="a cage")

    def prepare(self, toolchain: str, archive: str, call: sync.Call) -> None:
        raise sync.PluginFailure(sync.PluginCode.UNAVAILABLE, "Nothing is prepared here")

    def has_toolchain(self, toolchain: str, call: sync.Call) -> bool:
        return True

    def run(self, request: sync.RunRequest, call: sync.Call) -> sync.RunResult:
        with open(request.host_path("/input/recipe.sh"), encoding="utf-8") as file:
            word = file.read()
        self.requests[word] = request
        with open(os.path.join(request.host_path("/output"), "out"), "wb") as output:
            output.write(artifact(word))
        call.add_transcript(b"running\n")
        if self.hostile and word != "fine":
            return self.misbehave(word, call)
        return sync.RunResult(wall_nanoseconds=1000)

    def misbehave(self, word: str, call: sync.Call) -> sync.RunResult:
        good = sync.RunResult()
        if word == "raises":
            raise ValueError("\ud800 no text \0 at all")
        if word == "exits":
            raise SystemExit(3)
        if word == "mute":
            raise Mute
        if word == "deaf":
            Echo.heard.wait(60)
        if word == "fails":
            raise sync.PluginFailure(sync.PluginCode.UNAVAILABLE, "This sandbox\nwill not")
        if word == "number":
            raise sync.PluginFailure(4711)
        if word == "twice":
            call.finish(sync.RunResult(status=1))
            self.refused += [_status(lambda: call.finish(good)), _status(lambda: call.fail(5))]
            threading.Thread(target=lambda: self.refused.append(_status(lambda: call.finish(good)))).start()
        garbage = {
            "text": "garbage",
            "none": None,
            "ending": sync.RunResult(ending=99),  # type: ignore[arg-type]
            "huge": sync.RunResult(status=1 << 40),
            "minus": sync.RunResult(wall_nanoseconds=-1),
            "kind": sync.RunResult(status="0"),  # type: ignore[arg-type]
            "silent": sync.LATER,
        }
        if word == "printing":
            fitted = [call.add_transcript(b"x" * 100) for _ in range(20)]
            self.refused.append(0 if fitted.count(False) else -1)
            return sync.RunResult(ending=sync.Ending.TRANSCRIPT_EXCEEDED)
        if word == "blocked":
            if call.wait_until_cancelled():
                self.cancelled.append(word)
            raise sync.PluginFailure(sync.PluginCode.CANCELLED)
        if word == "late":
            threading.Timer(0.05, call.finish, [good]).start()
            return sync.LATER  # type: ignore[return-value]
        return garbage.get(word, good)  # type: ignore[return-value]


def _status(act: Callable[[], None]) -> int:
    try:
        act()
    except sync.NodeError as error:
        return error.status
    return 0


class Map(sync.Storage):
    """A map in memory."""

    name = "py-map"

    def __init__(self, request: sync.CreateRequest) -> None:
        self.records: Dict[bytes, bytes] = {}
        self.lock = threading.Lock()

    def get(self, key: bytes, call: sync.Call) -> Optional[bytes]:
        with self.lock:
            return self.records.get(key)

    def scan(self, prefix: bytes, start: bytes, limit: int, call: sync.Call) -> Iterable[Tuple[bytes, bytes]]:
        with self.lock:
            found = sorted((k, v) for k, v in self.records.items() if k.startswith(prefix) and k >= start)
        return found[:limit]

    def apply(self, changes: Sequence[sync.Change], durable: bool, call: sync.Call) -> None:
        with self.lock:
            for change in changes:
                if change.value is None:
                    self.records.pop(change.key, None)
                else:
                    self.records[change.key] = change.value


_sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


class Keys(sync.Signer):
    """Keys made from a word and the role: for tests alone."""

    name = "py-keys"

    def __init__(self, request: sync.CreateRequest) -> None:
        self.word = request.settings.get("word", request.node)

    @staticmethod
    def seed(word: str, role: sync.KeyRole) -> bytes:
        return hashlib.sha256(f"{word} {role.name}".encode()).digest()

    @classmethod
    def pair(cls, word: str, role: sync.KeyRole) -> Tuple[bytes, bytes]:
        public, secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        _sodium.crypto_sign_seed_keypair(public, secret, cls.seed(word, role))
        return public.raw, secret.raw

    def public_key(self, role: sync.KeyRole, call: sync.Call) -> bytes:
        return self.pair(self.word, role)[0]

    def sign(self, role: sync.KeyRole, message: bytes, call: sync.Call) -> bytes:
        signature = ctypes.create_string_buffer(64)
        _sodium.crypto_sign_detached(
            signature, None, message, ctypes.c_ulonglong(len(message)), self.pair(self.word, role)[1])
        return signature.raw
