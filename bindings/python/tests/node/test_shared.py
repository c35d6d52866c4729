"""Keys from a plugin in C, a shared object that the registry loads, beside plugins in Python."""

import hashlib
import os
import subprocess
import tempfile
import unittest

from group import INCLUDE, ROOT, configuration, make_group
from words import Echo, Keys, Words, artifact

from synchronicity import Policy, Verdict
from synchronicity import node as sync


class CKeys(Keys):
    """What Tests/CNode/signer.c makes of a name and a role."""

    @staticmethod
    def seed(word: str, role: sync.KeyRole) -> bytes:
        return hashlib.sha256(f"test key {word} {int(role)}".encode()).digest()


class Shared(unittest.TestCase):
    def test_keys_in_c(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            library = os.path.join(folder, "signer.so")
            subprocess.run(
                [
                    os.environ.get("CC", "cc"), "-std=gnu11", "-shared", "-fPIC", "-DSHARED",
                    "-DSIGNER_ENTRY=sync_plugin_entry", f"-I{INCLUDE}", "-o", library,
                    os.path.join(ROOT, "Tests", "CNode", "signer.c"), "-lsodium",
                ],
                check=True)
            make_group(folder, ["alder"], with_python_keys=("alder",), keys=CKeys)
            alder = os.path.join(folder, "alder")
            text = configuration(alder).replace('"py-keys"', '"test-keys"').replace('storage = "py-map"\n', "")
            with sync.Registry() as registry:
                registry.load(library)
                registry.add(Echo)
                registry.add(Words)
                with self.assertRaises(sync.NodeError) as caught:
                    registry.load(library)
                self.assertIs(caught.exception.code, sync.Code.INVALID)
                self.assertIn("already", str(caught.exception))
                with sync.Node(text, alder, registry=registry) as node:
                    node.start()
                    job = node.submit("pkg:words/fine@1", timeout=60)
                    self.assertIs(node.wait(job, timeout=60).verdict, Verdict.REPRODUCED)
                    proof = node.proof(job)
                # One that signs something else is found out where it starts.
                wrong = sync.Node(text + "[settings.test-keys]\nwrong = true\n", alder, registry=registry)
                self.addCleanup(wrong.close)
                with self.assertRaises(sync.NodeError) as caught:
                    wrong.start()
                self.assertIn("does not verify", str(caught.exception))
            Policy.load(os.path.join(folder, "policy")).verify(
                proof, sha256=hashlib.sha256(artifact("fine")).digest())


if __name__ == "__main__":
    unittest.main()
