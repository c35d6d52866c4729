"""samples/builder.py and samples/source.py, as a program of their own."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from group import configuration, make_group

from synchronicity import Policy

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(HERE, "..", "..", "samples", "builder.py")
RECIPES = {
    "fine": "tr a-z A-Z </input/package/words.txt >/output/fine; /input/package/bin/more.sh >>/output/fine",
    "hangs": "echo hangs; exec sleep 100",
    "dies": "kill -TERM $$",
    "prints": "head -c 2000000 /dev/zero",
    "fails": "false; true",
    "linked": "true",
}
# What they are started with, instead of what runs the tests.
CLEAN = [sys.executable, "-u", "-W", "error"]


class Sample(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        make_group(self.folder, ["alder"])
        self.path = os.path.join(self.folder, "alder", "sample.toml")
        self.words = os.path.join(self.folder, "alder", "config.toml")
        self.packages = os.path.join(self.folder, "packages")
        for name, recipe in RECIPES.items():
            self.put(name, "recipe.sh", recipe + "\n")
        self.put("fine", "words.txt", "made of words\n")
        self.put("fine", "bin/more.sh", "#!/bin/sh\necho and more\n", 0o755)
        os.symlink("recipe.sh", os.path.join(self.packages, "linked", "1", "again"))
        text = configuration(os.path.dirname(self.path)).replace('"py-echo"', '"plain"')
        text = text.replace('"py-words"', '"folders"')
        text += f'[settings.folders]\ndirectory = "{self.packages}"\nseconds = 2\n'
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def put(self, name: str, path: str, text: str, mode: int = 0o644) -> None:
        place = os.path.join(self.packages, name, "1", path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(place, mode)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*CLEAN, SAMPLE, self.path, *arguments], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def test_a_package(self) -> None:
        out, err = self.begin("pkg:generic/fine@1").communicate(timeout=60)
        self.assertEqual(out, "reproduced\n", err)
        proof, = [name for name in os.listdir(self.folder) if name.endswith(".tlog-proof")]
        Policy.load(os.path.join(self.folder, "policy")).verify(
            os.path.join(self.folder, proof), sha256=hashlib.sha256(b"MADE OF WORDS\nand more\n").digest())

    def test_how_a_run_ends(self) -> None:
        for name, sentence in (
            ("dies", "signalled(15)"), ("hangs", "wallTimeExceeded"), ("prints", "transcriptExceeded"),
            ("fails", "exited(status: 1)"),
        ):
            out, err = self.begin(f"pkg:generic/{name}@1").communicate(timeout=60)
            self.assertIn(sentence, err)

    def test_what_is_no_package(self) -> None:
        for package, sentence in (
            ("pkg:generic/nothing@1", "There is no nothing/1/recipe.sh"), ("pkg:generic/linked@1", "no plain file"),
            ("pkg:words/fine@1", "pkg:generic"),
        ):
            process = self.begin(package)
            _, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1)
            self.assertIn("builder: ", err)
            self.assertIn(sentence, err)

    def test_interrupted(self) -> None:
        process = self.begin()
        assert process.stderr is not None
        while "Started" not in process.stderr.readline():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, out), (0, ""), err)
        self.assertIn("Stopping", err)
        self.assertNotIn("Traceback", err)

    def test_an_end_without_close(self) -> None:
        """A program that just ends, with a node that runs and a thread that waits for events."""
        code = f"""
import pathlib, sys, threading
from synchronicity import node as n
from words import Echo, Words
registry = n.Registry()
registry.add(Echo), registry.add(Words)
text = pathlib.Path({self.words!r}).read_text()
node = n.Node(text, {os.path.dirname(self.path)!r}, registry=registry, log=lambda level, line: print(line))
node.start()
threading.Thread(target=lambda: list(node.events()), daemon=True).start()
node.wait(node.submit("pkg:words/fine@1"))
sys.exit(7)
"""
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], cwd=self.folder, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, HERE])})
        self.assertEqual((result.returncode, result.stderr), (7, ""))
        self.assertIn("Stopping", result.stdout)

    def test_an_end_with_a_node_that_does_not_run(self) -> None:
        """Nor was closed: one that never was started, and one that did not start."""
        code = f"""
import pathlib
from synchronicity import node as n
from words import Echo, Words
registry = n.Registry()
registry.add(Echo), registry.add(Words)
text = pathlib.Path({self.words!r}).read_text()
"""
        make = f"node = n.Node(text, {os.path.dirname(self.path)!r}, registry=registry)\n"
        fails = (
            "text += '[settings.py-echo]\\npatience-seconds = 0\\n'\n" + make
            + "try: node.start()\nexcept n.NodeError: print('refused')\n")
        for rest, wanted in ((make, ""), (fails, "refused\n")):
            result = subprocess.run(
                [sys.executable, "-W", "error", "-c", code + rest], cwd=self.folder, capture_output=True, text=True,
                timeout=20, env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, HERE])})
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, wanted, ""))

    def test_a_bad_configuration(self) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("[nothing]\n")
        process = self.begin()
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 1)
        self.assertIn("builder: ", err)
        self.assertNotIn("Traceback", err)


if __name__ == "__main__":
    unittest.main()
