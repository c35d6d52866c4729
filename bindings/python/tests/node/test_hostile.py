"""A builder whose sandbox is hostile: each way costs one job, and not the node."""

import os
import tempfile
import threading
import time
import unittest
from typing import List, Optional

from group import configuration, make_group
from words import Echo, Words

from synchronicity import Verdict, _plugins
from synchronicity import node as sync


class Hostile(unittest.TestCase):
    def test_each_way(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_group(folder, ["alder"], commit_seconds=15)
            alder = os.path.join(folder, "alder")
            text = configuration(alder, "[settings.py-echo]\nhostile = true\npatience-seconds = 1\n")
            lines: List[str] = []
            with sync.Registry() as registry:
                registry.add(Echo)
                registry.add(Words)
                node = sync.Node(text, alder, registry=registry, log=lambda _, line: lines.append(line))
            self.addCleanup(Echo.heard.clear)
            with node:
                node.start()
                self.check(node, lines)
        for _ in range(500):
            if _plugins.held() == (0, 0):
                break
            time.sleep(0.01)
        self.assertEqual(_plugins.held(), (0, 0))

    def check(self, node: sync.Node, lines: List[str]) -> None:
        rows = [
            # The word, the verdict, what the log says.
            ("raises", Verdict.INCONCLUSIVE, "ValueError: ? no text   at all"),
            ("exits", Verdict.INCONCLUSIVE, "SystemExit: 3"),
            ("fails", Verdict.INCONCLUSIVE, "This sandbox will not"),
            ("mute", Verdict.INCONCLUSIVE, "(run) failed: Mute"),
            ("number", Verdict.INCONCLUSIVE, "4711"),
            ("text", Verdict.INCONCLUSIVE, "a RunResult is wanted, not str"),
            ("none", Verdict.INCONCLUSIVE, "a RunResult is wanted, not NoneType"),
            ("ending", Verdict.INCONCLUSIVE, "the ending 99"),
            ("huge", Verdict.INCONCLUSIVE, "status is 1099511627776, which does not fit"),
            ("minus", Verdict.INCONCLUSIVE, "wall_nanoseconds is -1, which does not fit"),
            ("kind", Verdict.INCONCLUSIVE, "a number as status is wanted, not str"),
            ("silent", Verdict.INCONCLUSIVE, "gave no answer in 2 s"),
            ("blocked", Verdict.INCONCLUSIVE, "gave no answer in 2 s"),
            # Does not heed that, and so returns far behind its job.
            ("deaf", Verdict.INCONCLUSIVE, "gave no answer in 2 s"),
            # Its first answer counts.
            ("twice", Verdict.FAILED, None),
            ("printing", Verdict.FAILED, None),
            ("late", Verdict.REPRODUCED, None),
            ("fine", Verdict.REPRODUCED, None),
        ]
        jobs = [node.submit(f"pkg:words/{word}@1", timeout=60) for word, _, _ in rows]
        for (word, verdict, sentence), job in zip(rows, jobs):
            with self.subTest(word):
                self.assertIs(node.wait(job, timeout=60).verdict, verdict)
                if sentence is not None:
                    self.assertTrue(any(sentence in line for line in lines), "\n".join(lines))
        node.drain(10)
        self.assertIs(node.status().state, sync.NodeState.RUNNING)
        Echo.heard.set()
        sandbox = Echo.made[-1]
        for _ in range(200):
            if len(sandbox.refused) == 4 and sandbox.cancelled:
                break
            time.sleep(0.01)
        self.assertEqual(sorted(sandbox.refused), [0, sync.Code.STATE, sync.Code.STATE, sync.Code.STATE])
        # A fault is tried again, as long as there is time.
        self.assertEqual(set(sandbox.cancelled), {"blocked"})

    def test_ending_from_within(self) -> None:
        """Asking is allowed in a method and in the log's function, ending is not."""
        told: List[object] = []
        nodes: List[sync.Node] = []

        class Within(Echo):
            def run(self, request: sync.RunRequest, call: sync.Call) -> sync.RunResult:
                node = nodes[0]
                told.append(node.status().state)
                for act in (node.stop, node.close, lambda: node.drain(0)):
                    told.append(status(act))
                return super().run(request, call)

        def status(act: object) -> Optional[int]:
            try:
                act()  # type: ignore[operator]
            except sync.NodeError as error:
                return error.status
            return None

        in_log: List[Optional[int]] = []

        def log(level: sync.LogLevel, line: str) -> None:
            if "Rebuilt" in line:
                in_log.append(status(nodes[0].status))
                in_log.append(status(nodes[0].close))

        with tempfile.TemporaryDirectory() as folder:
            make_group(folder, ["alder"])
            with sync.Registry() as registry:
                registry.add(Within)
                registry.add(Words)
                with sync.Node.load(os.path.join(folder, "alder", "config.toml"), registry=registry, log=log) as node:
                    nodes.append(node)
                    node.start()
                    job = node.submit("pkg:words/fine@1", timeout=60)
                    self.assertIs(node.wait(job, timeout=60).verdict, Verdict.REPRODUCED)
                nodes.clear()
        state, timed_out = sync.Code.STATE, sync.Code.TIMED_OUT
        self.assertEqual(told, [sync.NodeState.RUNNING, state, state, timed_out])
        self.assertEqual(in_log, [None, state])

    def test_events_closed_by_another_thread(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_group(folder, ["alder"])
            with sync.Registry() as registry:
                registry.add(Echo)
                registry.add(Words)
                with sync.Node.load(os.path.join(folder, "alder", "config.toml"), registry=registry) as node:
                    node.start()
                    events = node.events()
                    threading.Timer(0.2, events.close).start()
                    self.assertEqual(list(events), [])


if __name__ == "__main__":
    unittest.main()
