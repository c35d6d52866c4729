"""samples/builder.py, as a program of its own."""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from typing import List

from group import configuration, make_group
from words import artifact

from synchronicity import Policy

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.join(HERE, "..", "..", "samples", "builder.py")
# Its registry gets the tests' source besides.
CODE = """
import runpy, sys
from synchronicity import node
from words import Scripts
made = node.Registry.__init__
def make(self):
    made(self)
    self.add(Scripts)
node.Registry.__init__ = make
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Sample(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        make_group(self.folder, ["alder"])
        self.path = os.path.join(self.folder, "alder", "config.toml")
        text = configuration(os.path.dirname(self.path)).replace('"py-echo"', '"plain"')
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        words: List[str] = [sys.executable, "-u", "-W", "error", "-c", CODE, SAMPLE, self.path, *arguments]
        return subprocess.Popen(
            words, cwd=self.folder, env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, HERE])},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_a_package(self) -> None:
        out, err = self.begin("pkg:words/fine@1").communicate(timeout=60)
        self.assertEqual(out, "reproduced\n", err)
        proof, = [name for name in os.listdir(self.folder) if name.endswith(".tlog-proof")]
        Policy.load(os.path.join(self.folder, "policy")).verify(
            os.path.join(self.folder, proof), sha256=hashlib.sha256(artifact("fine")).digest())

    def test_how_a_run_ends(self) -> None:
        for word, sentence in (
            ("dies", "signalled(15)"), ("hangs", "wallTimeExceeded"), ("prints", "transcriptExceeded")
        ):
            out, err = self.begin(f"pkg:words/{word}@1").communicate(timeout=60)
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
text = pathlib.Path({self.path!r}).read_text().replace('"plain"', '"py-echo"')
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
text = pathlib.Path({self.path!r}).read_text().replace('"plain"', '"py-echo"')
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
