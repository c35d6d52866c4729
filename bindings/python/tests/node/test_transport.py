"""Four builders whose messages are carried by a transport in Python, which is one process and no network."""

import hashlib
import os
import tempfile
import threading
import unittest
from typing import Callable, Dict, List, Sequence

from group import make_group
from words import Echo, Words, artifact

from synchronicity import Policy, Verdict
from synchronicity import node as sync

NAMES = ("alder", "birch", "cedar", "elm")


class Wire(sync.Transport):
    """Hands a message to the other transport. A link is told of one thing at a time."""

    name, version = "py-wire", "1"
    lock = threading.RLock()
    started: Dict[str, "Wire"] = {}
    faults: List[str] = []
    carried = 0

    def start(self, request: sync.ListenRequest, call: sync.Call) -> None:
        self.link, self.me = request.link, request.name
        with self.lock:
            if self.me in self.started or {peer.name for peer in request.peers} | {self.me} != set(NAMES):
                raise sync.PluginFailure(sync.PluginCode.INVALID, "this is not the group that is wanted")
            if any(len(peer.key) != 32 for peer in request.peers) or len(request.key) != 32 or len(request.group) != 32:
                self.faults.append("a key or the group has another size")
            if len(self.link.sign(b"the transport's own words")) != 64:
                self.faults.append("a signature has another size")
            refusals: List[Callable[[], object]] = [
                lambda: self.link.connected("nobody"), lambda: self.link.disconnected("alder"),
                lambda: self.link.receive("nobody", b""), lambda: self.link.sign(bytes(65537))]
            for refused in refusals:
                try:
                    refused()
                    self.faults.append("what cannot be was taken")
                except sync.NodeError:
                    pass
            for name, other in self.started.items():
                other.link.connected(self.me)
                self.link.connected(name)
            self.started[self.me] = self

    def send(self, peer: str, messages: Sequence[bytes], call: sync.Call) -> None:
        with self.lock:
            other = self.started.get(peer)
            if other is None or self.me not in self.started:
                raise sync.PluginFailure(sync.PluginCode.IO, f"{peer} is not here")
            for message in messages:
                Wire.carried += 1
                other.link.receive(self.me, message)

    def stop(self, call: sync.Call) -> None:
        with self.lock:
            del self.started[self.me]
            for other in self.started.values():
                other.link.disconnected(self.me)


class Transports(unittest.TestCase):
    def test_group(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        make_group(folder.name, NAMES, reproducers=4)
        nodes = []
        with sync.Registry() as registry:
            for plugin in (Echo, Words, Wire):
                registry.add(plugin)
            for name in NAMES:
                path = os.path.join(folder.name, name, "config.toml")
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace("[plugins]\n", '[plugins]\ntransport = "py-wire"\n', 1))
                nodes.append(sync.Node.load(path, registry=registry))
                self.addCleanup(nodes[-1].close)
        for node in nodes:
            node.start()
        job = nodes[0].submit("pkg:words/fine@1", timeout=30)
        for node in nodes:
            node.wait(job, sync.Phase.COSIGNED, timeout=60)
        shown = Policy.load(os.path.join(folder.name, "policy")).verify(
            nodes[3].proof(job), sha256=hashlib.sha256(artifact("fine")).digest())
        self.assertIs(shown.verdict, Verdict.REPRODUCED)
        self.assertEqual(nodes[0].status().connected_peers, 3)
        # One that has gone is gone for the others, and comes back in its place.
        link = Wire.started["elm"].link
        nodes[3].close()
        self.assertEqual(nodes[0].status().connected_peers, 2)
        with self.assertRaises(sync.NodeError):
            link.receive("alder", b"late")
        for node in nodes:
            node.close()
        self.assertEqual((Wire.faults, Wire.started), ([], {}))
        self.assertGreater(Wire.carried, 20)


if __name__ == "__main__":
    unittest.main()
