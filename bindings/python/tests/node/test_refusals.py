"""What is refused before anything runs, and how."""

import copy
import math
import os
import pickle
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, Callable, List, Tuple, Type

from group import configuration, make_group
from words import Echo, Keys, Map, Words

from synchronicity import SyncError, _plugins, _runtime
from synchronicity import node as sync

Code = sync.Code


class Refusals(unittest.TestCase):
    folder: "tempfile.TemporaryDirectory[str]"
    alder: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        make_group(cls.folder.name, ["alder"])
        cls.alder = os.path.join(cls.folder.name, "alder")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def refused(self, code: Code, part: str, act: Any, *arguments: Any, **named: Any) -> None:
        with self.assertRaises(sync.NodeError, msg=part) as caught:
            act(*arguments, **named)
        self.assertIs(caught.exception.code, code, str(caught.exception))
        self.assertIn(part, str(caught.exception))

    def node(self, extra: str = "", **named: Any) -> sync.Node:
        return sync.Node(configuration(self.alder, extra), self.alder, **named)

    def registry(self) -> sync.Registry:
        registry = sync.Registry()
        for plugin in (Echo, Words, Map, Keys):
            registry.add(plugin)
        return registry

    def settles(self) -> None:
        """The library calls back from a thread of its own."""
        for _ in range(500):
            if _plugins.held() == (0, 0):
                return
            time.sleep(0.01)
        self.assertEqual(_plugins.held(), (0, 0))

    def test_configurations(self) -> None:
        with self.registry() as registry:
            rows: List[Tuple[str, Code, str]] = [
                ("name = 1", Code.INVALID, "name"),
                ("no toml at all", Code.INVALID, ""),
                ("", Code.INVALID, "name"),
                (configuration(self.alder, "[nothing]\n"), Code.INVALID, "nothing"),
                (configuration(self.alder).replace("../group.txt", "none.txt"), Code.IO, "none.txt"),
                (configuration(self.alder).replace('"py-echo"', '"no-such"'), Code.INVALID, "no-such"),
                (configuration(self.alder, '[settings]\npy-echo = 1\n'), Code.INVALID, "settings.py-echo"),
                (" " * (1 << 20 | 1), Code.TOO_LARGE, "1048576"),
            ]
            for text, code, part in rows:
                self.refused(code, part, sync.Node, text, self.alder, registry=registry)
        self.refused(Code.INVALID, "py-echo", self.node)
        with self.assertRaises(TypeError):
            sync.Node(5)  # type: ignore[arg-type]
        with self.assertRaises(ValueError):
            sync.Node("", "a\0b")
        with self.assertRaises(FileNotFoundError):
            sync.Node.load(os.path.join(self.alder, "none.toml"))
        self.settles()

    def test_tables(self) -> None:
        """Each is refused with a sentence, and let go of once."""

        class Both(Echo, Keys):
            name = "both"

        class BadName(Echo):
            name = "Bad Name"

        class NoVersion(Echo):
            name = "no-version"
            version = ""

        class BadType(Words):
            name = "bad-type"
            type = "Words 1"

        class Nothing(sync.Plugin):
            name = "nothing"

        with self.registry() as registry:
            for plugin, part in (
                (Both, "2 of them"), (BadName, "lower-case"), (NoVersion, "version"), (BadType, "purl type"),
                (Nothing, "0 of them"), (Echo, "already"),
            ):
                self.refused(Code.INVALID, part, registry.add, plugin)
            self.refused(Code.INVALID, "absolute", registry.load, "relative.so")
            self.refused(Code.INVALID, "/no/such.so", registry.load, "/no/such.so")
            self.refused(Code.INVALID, "no plugin", registry.load, _runtime.load()._name)
            for wrong in (Echo(sync.CreateRequest("a", "b")), 5, object):
                with self.assertRaises(TypeError):
                    registry.add(wrong)  # type: ignore[arg-type]
            for name, value, error in (("name", 5, TypeError), ("version", "a\0b", ValueError)):
                with self.assertRaises(error):
                    registry.add(type("Odd", (Echo,), {name: value}))
            for _ in range(500):
                if _plugins.held()[0] == 4:
                    break
                time.sleep(0.01)
            self.assertEqual(_plugins.held()[0], 4)
        with self.assertRaisesRegex(ValueError, "is closed"):
            registry.add(Echo)
        with self.assertRaisesRegex(ValueError, "is closed"):
            self.node(registry=registry)
        self.settles()

    def test_states(self) -> None:
        with self.registry() as registry:
            node = self.node(registry=registry)
        with node:
            self.assertEqual(node.status(), sync.NodeStatus(sync.NodeState.CREATED, False, *[0] * 9))
            self.assertEqual(repr(node), "<Node, created>")
            for act in (
                lambda: node.submit("pkg:words/fine@1"), lambda: node.wait(bytes(32)), lambda: node.job("00" * 32),
                lambda: node.proof(bytes(32)), lambda: node.artifact_path(bytes(32)), node.drain, node.status_json,
            ):
                self.refused(Code.STATE, "start", act)
            for capacity in (0, 65537):
                self.refused(Code.OUT_OF_RANGE, "capacity", node.events, capacity)
            with node.events(1, timeout=0.01) as events:
                begun = time.monotonic()
                with self.assertRaises(TimeoutError) as caught:
                    events.next(0.5)
                self.assertGreaterEqual(time.monotonic() - begun, 0.5)
                self.assertIsInstance(caught.exception, sync.NodeError)
                with self.assertRaises(sync.TimedOutError):
                    next(events)
                node.stop()
                self.assertEqual(list(events), [])
                self.refused(Code.STATE, "ended", events.next)
            self.refused(Code.STATE, "once", node.start)
        node.close()
        self.assertEqual(repr(node), "<Node, closed>")
        uses: List[Callable[[], object]] = [node.start, node.stop, node.status, node.events, node.__enter__]
        for use in uses:
            with self.assertRaisesRegex(ValueError, "is closed"):
                use()
        self.settles()

    def test_arguments(self) -> None:
        with self.registry() as registry, self.node(registry=registry) as node:
            rows: List[Tuple[Callable[[], object], Type[Exception]]] = [
                (lambda: node.wait(bytes(31)), ValueError),
                (lambda: node.wait("xy" * 32), ValueError),
                (lambda: node.proof(5), TypeError),  # type: ignore[arg-type]
                (lambda: node.submit("a\0b"), ValueError),
                (lambda: node.submit(b"a"), TypeError),  # type: ignore[arg-type]
                (lambda: node.submit("a", features="bc"), TypeError),
                (lambda: node.submit("a", rebuild=-1), ValueError),
                (lambda: node.submit("a", priority=1 << 31), ValueError),
                (lambda: node.stop(math.nan), ValueError),
                (lambda: node.events(-1), ValueError),
            ]
            for act, error in rows:
                with self.assertRaises(error):
                    act()

    def test_a_start_that_fails(self) -> None:
        with self.registry() as registry:
            node = self.node("[settings.py-echo]\npatience-seconds = 0\n", registry=registry)
            self.refused(Code.INVALID, "patience-seconds", node.start)
            self.assertIs(node.status().state, sync.NodeState.STOPPED)
            # Why it ended is told once more, and never where it would hide what the program raised itself.
            self.refused(Code.INVALID, "patience-seconds", node.stop)
            with self.assertRaises(ZeroDivisionError):
                with node:
                    1 / 0

            def fails(request: sync.CreateRequest) -> Echo:
                raise RuntimeError("no instance")

            with sync.Registry() as other:
                other.add(Words)
                other.add(Echo, fails)
                node = self.node(registry=other)
                self.refused(Code.IO, "RuntimeError: no instance", node.start)
                node.close()
                node = self.node(registry=other)
                del node
        self.settles()

    def test_errors_travel_between_processes(self) -> None:
        for error in (sync.NodeError("a sentence", 106, 7), sync.TimedOutError("another")):
            for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertIs(type(twin), type(error))
                self.assertEqual((str(twin), twin.code, twin.offset), (str(error), error.code, error.offset))
        self.assertTrue(issubclass(sync.TimedOutError, SyncError))

    def test_fork(self) -> None:
        """A child may not even free what it has."""
        registry = self.registry()
        node = self.node(registry=registry)
        events = node.events()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try:
                    node.status()
                except sync.NodeError as error:
                    status = 0 if error.code is Code.STATE else 2
                events.close()
                registry.close()
                node.close()
                del events, registry, node
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertIs(node.status().state, sync.NodeState.CREATED)
        node.close()
        registry.close()
        self.settles()

    def test_fork_before_the_library_is_loaded(self) -> None:
        """A child whose parent has only imported the module may run nodes."""
        code = (
            "import os, synchronicity.node as n\n"
            "if os.fork() == 0: n.Registry().close(); os._exit(7)\n"
            "print(os.waitstatus_to_exitcode(os.wait()[1]))")
        result = self.run_with(code, os.environ["SYNC_LIBRARY"])
        self.assertEqual((result.stdout, result.stderr), ("7\n", ""))

    def run_with(self, code: str, library: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code], env={**os.environ, "SYNC_LIBRARY": library},
            capture_output=True, text=True, timeout=60)

    def test_libraries(self) -> None:
        path = os.path.abspath(os.environ["SYNC_LIBRARY"])
        load = "import synchronicity.node as n, os; os.environ['SYNC_LIBRARY'] = {!r}; n.Registry()"
        for library, sentence in (
            ("/nowhere", "libsync cannot be loaded: /nowhere"), ("libc.so.6", "libc.so.6 is no libsync")
        ):
            self.assertIn(f"LibraryError: {sentence}", self.run_with(load.format(library), path).stderr)
        again = f"import synchronicity.node as n; print(n.load_library({path!r})); n.load_library('/other')"
        result = self.run_with(again, path)
        self.assertEqual(result.stdout, "0.1.0\n")
        self.assertIn("is loaded already", result.stderr)


if __name__ == "__main__":
    unittest.main()
