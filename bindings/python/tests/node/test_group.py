"""Four builders in this process: their sandbox and source are Python, two keep their keys and their journal in it."""

import hashlib
import os
import tempfile
import threading
import time
import unittest
from typing import Callable, Dict, List, Tuple

from group import make_group
from words import Echo, Keys, Map, Words, artifact

from synchronicity import NotVerifiedError, Policy, Verdict, _plugins
from synchronicity import node as sync

Kind = sync.EventKind
NAMES = ("alder", "birch", "cedar", "elm")


class Group(unittest.TestCase):
    nodes: List[sync.Node]
    logs: Dict[str, List[Tuple[sync.LogLevel, str]]]

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        make_group(self.folder, NAMES, with_python_keys=("cedar", "elm"), reproducers=3)
        self.nodes, self.logs = [], {name: [] for name in NAMES}
        with sync.Registry() as registry:
            for plugin in (Echo, Words, Map, Keys):
                registry.add(plugin)
            for name in NAMES:
                node = sync.Node.load(
                    os.path.join(self.folder, name, "config.toml"), registry=registry,
                    log=self.logger(name))
                self.nodes.append(node)
                self.addCleanup(node.close)

    def logger(self, name: str) -> Callable[[sync.LogLevel, str], None]:
        return lambda level, line: self.logs[name].append((level, line))

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        end = time.monotonic() + 30
        while any(node.status().connected_peers < 3 for node in self.nodes):
            self.assertLess(time.monotonic(), end, "the builders do not find each other")
            time.sleep(0.02)

    def verify(self, node: sync.Node, job: bytes, word: str) -> None:
        policy, digest = Policy.load(os.path.join(self.folder, "policy")), hashlib.sha256(artifact(word)).digest()
        verification = policy.verify(node.proof(job), sha256=digest)
        self.assertIs(verification.verdict, Verdict.REPRODUCED)
        self.assertGreaterEqual(len(verification.reproducers), 3)
        self.assertEqual(verification.package, f"pkg:words/{word}@1")
        with self.assertRaises(NotVerifiedError):
            policy.verify(node.proof(job), sha256=bytes(32))
        with open(node.artifact_path(digest), "rb") as file:
            self.assertEqual(file.read(), artifact(word))

    def refused(self, code: sync.Code, part: str, node: sync.Node, package: str, timeout: float = 60) -> None:
        with self.assertRaises(sync.NodeError) as caught:
            node.submit(package, timeout=timeout)
        self.assertIs(caught.exception.code, code, str(caught.exception))
        self.assertIn(part, str(caught.exception))

    def check_order(self, events: List[sync.Event], job: bytes) -> None:
        mine = [event for event in events if event.job == job]
        kinds = [event.kind for event in mine]
        self.assertEqual(kinds[0], Kind.ORDERED)
        self.assertEqual(mine[0].text, "pkg:words/fine@1")
        self.assertEqual(kinds.count(Kind.COMMITTED), 4)
        self.assertEqual({event.text for event in mine if event.kind is Kind.COMMITTED}, set(NAMES))
        places = [kinds.index(kind) for kind in (
            Kind.ORDERED, Kind.COMMITTED, Kind.REVEALING, Kind.REVEALED, Kind.VERDICT, Kind.LOGGED)]
        self.assertEqual(places, sorted(places))
        verdict = mine[kinds.index(Kind.VERDICT)]
        self.assertEqual((Verdict(verdict.number), verdict.text), (Verdict.REPRODUCED, "reproduced"))
        logged = mine[kinds.index(Kind.LOGGED)]
        behind = events[events.index(logged) :]
        self.assertTrue(any(event.kind is Kind.COSIGNED and event.number > logged.number for event in behind))
        self.assertTrue(all(event.dropped == 0 for event in events))

    def test_a_group(self) -> None:
        made = len(Echo.made)
        alder, birch, cedar, elm = self.nodes
        events, small = birch.events(), birch.events(2)
        self.start()
        status = alder.status()
        self.assertEqual((status.state, status.replicas, status.quorum), (sync.NodeState.RUNNING, 4, 3))
        job = alder.submit("pkg:words/fine@1", timeout=60)
        self.assertEqual(cedar.submit("pkg:words/fine@1", timeout=60), job)
        self.assertNotEqual(elm.submit("pkg:words/fine@1", rebuild=1, timeout=60), job)
        for node in self.nodes:
            done = node.wait(job.hex(), timeout=60)
            self.assertEqual((done.phase, done.verdict), (sync.Phase.COSIGNED, Verdict.REPRODUCED))
            self.assertIsNotNone(done.leaf_index)
            self.assertEqual(node.job(job).agreeing, 4)
            self.verify(node, job, "fine")
        with self.assertRaises(TimeoutError):
            alder.wait(bytes(32), sync.Phase.COMMIT, timeout=0.1)
        self.assertEqual(alder.job(bytes(32)), sync.JobStatus(sync.Phase.UNKNOWN, None, 0, 0, None))
        with self.assertRaises(sync.NodeError) as caught:
            alder.wait(job, 9, timeout=1)  # type: ignore[arg-type]
        self.assertIs(caught.exception.code, sync.Code.INVALID_ARGUMENT)
        for ask in (alder.proof, alder.artifact_path):
            with self.assertRaises(sync.NodeError) as caught:
                ask(bytes(32))
            self.assertIs(caught.exception.code, sync.Code.NOT_FOUND)
        self.assertEqual(alder.status_json()["name"], "alder")

        # What a source gives is checked where it is submitted.
        self.refused(sync.Code.NOT_FOUND, "There is no such word", alder, "pkg:words/missing@1")
        self.refused(sync.Code.IO, "ValueError: a sentence with ümlauts and a   inside", alder, "pkg:words/unpinned@1")
        self.refused(sync.Code.IO, "TypeError: bytes is wanted, not int", alder, "pkg:words/five@1")
        self.refused(sync.Code.IO, "refused", alder, "pkg:words/nospec@1")
        self.refused(sync.Code.INVALID, "pkg:words", alder, "pkg:cargo/x@1")
        self.refused(sync.Code.TIMED_OUT, "Time is up", alder, "pkg:words/slow@1", timeout=0.2)

        for node in self.nodes:
            node.drain(60)
        # One is waited for, for ever, while its node ends.
        told: List[int] = []

        def wait() -> None:
            try:
                birch.wait(bytes(32))
            except sync.NodeError as error:
                told.append(error.status)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        for node in self.nodes:
            node.stop(60)
            self.assertIs(node.status().state, sync.NodeState.STOPPED)
        thread.join(10)
        self.assertEqual(told, [sync.Code.STATE])
        self.check_order(list(events), job)
        self.assertEqual(len(list(small)), 2)
        for node in self.nodes:
            node.close()
        for name, lines in self.logs.items():
            self.assertTrue(any("Started" in line for _, line in lines), name)
            self.assertEqual([line for level, line in lines if level >= sync.LogLevel.ERROR], [], name)

        # A request came whole, and all that was made is ended.
        request = Echo.made[made].requests["fine"]
        self.assertEqual(request.command, ("/bin/sh", "/input/recipe.sh"))
        self.assertEqual(request.environment, {"WORD": "two words"})
        self.assertEqual((request.wall_seconds, request.transcript_bytes), (1, 1024))
        self.assertTrue(request.scratch_directory.startswith(self.folder))
        self.assertEqual([m.inside_path for m in request.mounts if m.is_writable], ["/output"])
        self.assertEqual({sandbox.created.node for sandbox in Echo.made[made:]}, set(NAMES))
        for _ in range(500):
            if _plugins.held() == (0, 0):
                break
            time.sleep(0.01)
        self.assertEqual(_plugins.held(), (0, 0))
        self.assertEqual(Echo.ended, len(Echo.made))

    def test_a_submission_that_waits_while_the_node_closes(self) -> None:
        self.start()
        told: List[BaseException] = []

        def submit() -> None:
            try:
                self.nodes[0].submit("pkg:words/slow@1")
            except sync.NodeError as error:
                told.append(error)

        thread = threading.Thread(target=submit)
        thread.start()
        time.sleep(0.3)
        begun = time.monotonic()
        self.nodes[0].close()
        thread.join(20)
        self.assertFalse(thread.is_alive())
        self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(len(told), 1)


if __name__ == "__main__":
    unittest.main()
