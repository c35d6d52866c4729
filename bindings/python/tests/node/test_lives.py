"""Many lives of a node leave nothing behind. SYNC_CYCLES says how many: 50 unless given."""

import gc
import os
import tempfile
import threading
import time
import unittest
from typing import Dict, List

from group import make_group, threads_and_descriptors
from words import Echo, Keys, Map, Words

from synchronicity import _plugins
from synchronicity import node as sync

CYCLES = int(os.environ.get("SYNC_CYCLES", "50"))


def settled(limits: Dict[str, int]) -> Dict[str, int]:
    """Idle threads of the runtime end after ten seconds."""
    counts = threads_and_descriptors()
    for _ in range(300):
        if all(counts[name] <= limits.get(name, 0) for name in counts):
            break
        time.sleep(0.05)
        counts = threads_and_descriptors()
    return counts


def thread_names() -> List[str]:
    names = []
    for thread in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{thread}/comm", encoding="utf-8") as name, open(
            f"/proc/self/task/{thread}/wchan", encoding="ascii"
        ) as place:
            names.append(f"{name.read().strip()} in {place.read()}")
    return sorted(names)


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Lives(unittest.TestCase):
    def test_cycles(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            make_group(folder, ["alder", "birch"], with_python_keys=("birch",))
            before: Dict[str, int] = {}
            for cycle in range(CYCLES):
                if cycle == CYCLES // 5:
                    before, memory = settled({}), resident()
                self.live(os.path.join(folder, ("alder", "birch")[cycle % 2], "config.toml"), cycle)
            gc.collect()
            after = settled(before)
        print(f"{CYCLES} lives: after a fifth {before}, at the end {after};", end=" ")
        print(f"memory {memory // 1024} KiB, {resident() // 1024} KiB")
        for name, count in after.items():
            self.assertLessEqual(count, before[name], f"{name}: {thread_names()}")
        self.assertLess(resident(), memory + memory // 4 + (4 << 20))
        self.assertEqual(_plugins.held(), (0, 0))
        self.assertEqual(len(sync._logs), 0)
        self.assertEqual(len(sync._running), 0)

    def test_asking_while_it_ends(self) -> None:
        """Whoever asks a node that ends gets an answer or an error, and never waits for ever."""
        with tempfile.TemporaryDirectory() as folder:
            make_group(folder, ["alder", "birch"])
            failures: List[BaseException] = []
            for _ in range(10):
                with sync.Registry() as registry:
                    registry.add(Echo)
                    registry.add(Words)
                    node = sync.Node.load(os.path.join(folder, "alder", "config.toml"), registry=registry)
                node.start()
                ended = threading.Event()

                def ask() -> None:
                    while not ended.is_set():
                        try:
                            node.status()
                            node.job(bytes(32))
                            node.drain(0.01)
                        except sync.NodeError as error:
                            if error.code is not sync.Code.STATE:
                                failures.append(error)
                        except BaseException as error:
                            failures.append(error)

                threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
                for thread in threads:
                    thread.start()
                time.sleep(0.05)
                node.stop(20)
                ended.set()
                for thread in threads:
                    thread.join(10)
                    self.assertFalse(thread.is_alive(), "one waits for ever")
                node.close()
            self.assertEqual(failures, [])

    def live(self, path: str, cycle: int) -> None:
        with sync.Registry() as registry:
            for plugin in (Echo, Words, Map, Keys):
                registry.add(plugin)
            node = sync.Node.load(path, registry=registry, log=lambda level, line: None)
        with node.events() as events:
            if cycle % 10 != 9:
                node.start()
            if cycle % 3 == 0:
                node.stop()
            if cycle % 5 == 0:
                # Before the subscription, and else behind it.
                node.close()
        if cycle % 10 == 9:
            # Whoever forgets one that never ran.
            del node
        else:
            node.close()
        Echo.made.clear()


if __name__ == "__main__":
    unittest.main()
