"""The conformance suites on plugins in Python."""

import contextlib
import json
import os
import tempfile
import threading
import unittest
from typing import Dict, List

from words import Echo, Keys, Map, Words

from synchronicity import node as sync


class Twins(Keys):
    """The same key in two roles."""

    name = "py-twins"

    @staticmethod
    def seed(word: str, role: sync.KeyRole) -> bytes:
        return Keys.seed(word, sync.KeyRole.LOG if role is sync.KeyRole.COSIGNER else role)


class Known(Words):
    """The one package that it has."""

    name = "py-known"

    def resolve(self, request: sync.ResolveRequest, call: sync.Call) -> str:
        if request.package != "pkg:words/fine@1":
            raise sync.PluginFailure(sync.PluginCode.NOT_FOUND, "There is no such word")
        return super().resolve(request, call)


class Kept(Map):
    """A map in a file, which has what it had when it is opened again."""

    name = "py-kept"

    def __init__(self, request: sync.CreateRequest) -> None:
        super().__init__(request)
        self.path = os.path.join(request.state_directory, "map.json")
        if os.path.exists(self.path):
            with open(self.path, encoding="ascii") as file:
                texts: Dict[str, str] = json.load(file)
            self.records = {bytes.fromhex(key): bytes.fromhex(value) for key, value in texts.items()}

    def close(self) -> None:
        with open(self.path, "w", encoding="ascii") as file:
            json.dump({key.hex(): value.hex() for key, value in self.records.items()}, file)


class Check(unittest.TestCase):
    def setUp(self) -> None:
        self.registry = sync.Registry()
        self.addCleanup(self.registry.close)
        for plugin in (Keys, Twins, Map, Kept, Words, Known, Echo):
            self.registry.add(plugin)

    def refused(self, code: sync.Code, sentence: str, name: str, **options: object) -> None:
        with self.assertRaises(sync.NodeError) as caught:
            self.registry.check(name, **options)  # type: ignore[arg-type]
        self.assertIs(caught.exception.code, code)
        self.assertIn(sentence, str(caught.exception))

    def test_what_keeps_its_promises(self) -> None:
        for name, kind, options in (
            ("py-keys", "signer", {"settings": {"word": "one for all"}}),
            ("py-kept", "storage", {}),
            ("py-known", "source", {"package": "pkg:words/fine@1"}),
        ):
            with self.subTest(name=name):
                report = self.registry.check(name, **options)  # type: ignore[arg-type]
                self.assertTrue(report, report.text)
                lines = report.text.splitlines()
                self.assertTrue(all(line.startswith("pass: ") for line in lines[:-1]), report.text)
                self.assertGreaterEqual(len(lines), 5)
                count = len(lines) - 1
                self.assertRegex(lines[-1], rf"^{name} [^ ]+, a {kind}: {count} of {count} checks passed$")

    def test_what_does_not(self) -> None:
        for name, sentence in (("py-twins", "key is another role's too"), ("py-map", "FAIL: ")):
            with self.subTest(name=name):
                report = self.registry.check(name)
                self.assertFalse(report)
                failed = [line for line in str(report).splitlines() if line.startswith("FAIL: ")]
                self.assertTrue(any(sentence in line for line in failed), report.text)

    def test_what_is_asked_wrongly(self) -> None:
        self.refused(sync.Code.NOT_FOUND, "No plugin named 'py-nobody' was added", "py-nobody")
        self.refused(sync.Code.NOT_FOUND, "No plugin named 'sqlite'", "sqlite")
        self.refused(sync.Code.INVALID, "toolchain", "py-echo")
        self.refused(sync.Code.NOT_FOUND, "/no/such.tar", "py-echo", toolchain="/no/such.tar")
        self.refused(sync.Code.INVALID, "package", "py-words")
        self.refused(sync.Code.INVALID, "purl with a version", "py-words", package="words")
        self.refused(sync.Code.INVALID_ARGUMENT, "allowed", "py-keys", allowed={"bpf": "of no harm"})
        with self.assertRaises(ValueError):
            self.registry.check("py-keys", settings={"word": "a\0b"})

    def test_closed_meanwhile(self) -> None:
        """Whoever closes the registry does not take it from a check."""
        reports: List[sync.CheckReport] = []

        def check() -> None:
            # It may come too late.
            with contextlib.suppress(ValueError):
                reports.append(self.registry.check("py-keys"))

        thread = threading.Thread(target=check)
        thread.start()
        self.registry.close()
        thread.join()
        with self.assertRaises(ValueError):
            self.registry.check("py-keys")
        self.assertTrue(not reports or reports[0])

    def test_nothing_is_left(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            before = os.environ.get("TMPDIR")
            os.environ["TMPDIR"] = folder
            try:
                self.assertTrue(self.registry.check("py-keys"))
            finally:
                if before is None:
                    del os.environ["TMPDIR"]
                else:
                    os.environ["TMPDIR"] = before
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
