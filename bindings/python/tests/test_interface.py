"""What the package promises beyond the vectors: its errors, its objects' lives, threads, forks, memory."""

import copy
import ctypes
import dataclasses
import gc
import hashlib
import io
import os
import pickle
import random
import re
import subprocess
import sys
import threading
import unittest
from datetime import datetime, timezone
from typing import Callable, Dict, List, Union

import synchronicity as sync
from support import INCLUDE, LAYOUT, REPOSITORY_INCLUDE, accepted, path, read
from synchronicity import _abi


def defines(header: str) -> Dict[str, int]:
    """A C header's numbers. What is libsync's alone is not among the verifier's."""
    include = REPOSITORY_INCLUDE if header == "plugin.h" else INCLUDE
    with open(os.path.join(include, "sync", header), encoding="utf-8") as file:
        found = re.findall(r"^#define (SYNC_\w+) (\d+)$", file.read(), re.MULTILINE)
    return {name: int(value) for name, value in found}


class Header(unittest.TestCase):
    """The package says in Python what the C headers say."""

    def test_codes(self) -> None:
        wanted = {
            name.replace("SYNC_ERROR_", ""): value
            for name, value in {**defines("version.h"), **defines("plugin.h")}.items()
            if name.startswith("SYNC_ERROR_")
        }
        codes = {code.name: int(code) for code in sync.Code if code > 0}
        self.assertEqual(codes, wanted)

    def test_constants(self) -> None:
        wanted = defines("verify.h")
        self.assertEqual(defines("version.h")["SYNC_ABI_VERSION"], _abi.ABI_VERSION)
        for name in ("SHA256_SIZE", "POLICY_BYTES_MAX", "PROOF_BYTES_MAX"):
            self.assertEqual(getattr(_abi, name), wanted["SYNC_" + name])
        self.assertEqual(_abi.HEAD_SIZE, wanted["SYNC_EMBEDDED_HEAD_SIZE"])
        self.assertEqual(_abi.TAIL_SIZE, wanted["SYNC_EMBEDDED_TAIL_SIZE"])
        for enum, prefix in (
            (sync.Verdict, "SYNC_VERDICT_"),
            (sync.BuilderState, "SYNC_BUILDER_"),
            (sync.EmbeddedForm, "SYNC_EMBEDDED_"),
        ):
            for member in enum:
                if member.name != "UNKNOWN":
                    self.assertEqual(int(member), wanted[prefix + member.name])
            self.assertEqual(enum(99).name, "UNKNOWN")

    def test_layout(self) -> None:
        with open(LAYOUT, encoding="utf-8") as file:
            told = set(file.read().splitlines())
        for name, struct in (
            ("sync_verification", _abi.RawVerification),
            ("sync_proof_info", _abi.RawProofInfo),
            ("sync_builder_info", _abi.RawBuilder),
            ("sync_artifact_info", _abi.RawArtifact),
            ("sync_source_info", _abi.RawSource),
            ("sync_signature_info", _abi.RawSignature),
            ("sync_embedded", _abi.RawEmbedded),
        ):
            lines = {f"{name} size {ctypes.sizeof(struct)}"}
            for field, *_ in [*_abi.OpenStruct._fields_, *struct._fields_]:
                place = getattr(struct, field)
                lines.add(f"{name}.{field} at {place.offset} size {place.size}")
            self.assertEqual(lines, {line for line in told if re.match(rf"{name}\b", line)})


class Errors(unittest.TestCase):
    def setUp(self) -> None:
        self.case = accepted()
        self.policy = sync.Policy.load(path(self.case["policy"]))

    def test_no_verification_is_falsy_by_accident(self) -> None:
        with self.assertRaises(sync.NotVerifiedError) as caught:
            self.policy.verify(path(self.case["proof"]), sha256=bytes(32))
        self.assertIs(caught.exception.code, sync.Code.ARTIFACT_MISMATCH)
        self.assertTrue(self.policy.verify(path(self.case["proof"]), sha256=self.case["sha256hex"]))

    def test_offset(self) -> None:
        data = bytearray(read(self.case["proof"]))
        data[0] ^= 0x80
        with self.assertRaises(sync.MalformedError) as caught:
            sync.Proof.parse(data)
        self.assertEqual(caught.exception.offset, 0)

    def test_errors_travel_between_processes(self) -> None:
        for error in (sync.MalformedError("a sentence", 1, 7), sync.NotVerifiedError("another", 10)):
            for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertIs(type(twin), type(error))
                self.assertEqual((str(twin), twin.code, twin.offset), (str(error), error.code, error.offset))

    def test_python_habits(self) -> None:
        self.assertTrue(issubclass(sync.MalformedError, ValueError))
        self.assertTrue(issubclass(sync.PolicyError, ValueError))
        self.assertTrue(issubclass(sync.LibraryError, ImportError))
        self.assertFalse(issubclass(sync.NotVerifiedError, sync.MalformedError))

    def test_an_unknown_status_is_a_refusal(self) -> None:
        error = sync.NotVerifiedError("from a newer library", 77)
        self.assertIs(error.code, sync.Code.UNKNOWN)
        self.assertEqual(error.status, 77)

    def test_wrong_calls(self) -> None:
        proof = read(self.case["proof"])
        with self.assertRaises(TypeError):
            self.policy.verify(proof)
        with self.assertRaises(TypeError):
            self.policy.verify(proof, artifact="x", sha256=bytes(32))
        digests: List[Union[bytes, str]] = [b"", bytes(31), bytes(33), "", "00" * 31, "xy" * 32]
        for digest in digests:
            with self.assertRaises(ValueError):
                self.policy.verify(proof, sha256=digest)
        # bytes(32) would be a digest of zeros, and bytes(4) four of them.
        with self.assertRaises(TypeError):
            self.policy.verify(proof, sha256=32)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            self.policy.verify(4, sha256=bytes(32))  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            sync.Policy.parse(4)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            sync.Proof.parse("text")  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            self.policy.verify(proof, artifact=io.StringIO("text"))  # type: ignore[arg-type]


class Library(unittest.TestCase):
    """Which library is loaded, seen from outside."""

    def run_with(self, library: str, *options: str) -> "subprocess.CompletedProcess[str]":
        code = "import synchronicity; print(synchronicity.library_version())"
        return subprocess.run(
            [sys.executable, *options, "-c", code],
            env={**os.environ, "SYNC_LIBRARY": library},
            capture_output=True,
            text=True,
        )

    def test_missing(self) -> None:
        result = self.run_with("/nowhere/libsyncverify.so.1")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("LibraryError: libsyncverify cannot be loaded: /nowhere", result.stderr)

    def test_another_library(self) -> None:
        result = self.run_with("libc.so.6")
        self.assertIn("LibraryError: libc.so.6 is no libsyncverify", result.stderr)

    def test_foreign_version(self) -> None:
        result = self.run_with(os.environ["SYNC_FOREIGN_LIBRARY"])
        self.assertIn("has ABI version 2; this package is for 1", result.stderr)

    def test_an_ignored_environment(self) -> None:
        result = self.run_with("/nowhere/libsyncverify.so.1", "-E")
        self.assertEqual(result.stdout, sync.__version__ + "\n", result.stderr)


class Lives(unittest.TestCase):
    def setUp(self) -> None:
        self.case = accepted()
        self.proof = read(self.case["proof"])

    def test_closed(self) -> None:
        with sync.Policy.load(path(self.case["policy"])) as policy, sync.Proof.parse(self.proof) as proof:
            policy.verify(proof, sha256=self.case["sha256hex"])
            self.assertIn("not verified", repr(proof))
        uses: List[Callable[[], object]] = [
            lambda: policy.verify(self.proof, sha256=self.case["sha256hex"]),
            lambda: proof.package,
            lambda: proof.builders,
            lambda: proof.tree_size,
            lambda: proof.job_id,
            lambda: policy.__enter__(),
            lambda: proof.__enter__(),
        ]
        for use in uses:
            with self.assertRaisesRegex(ValueError, "is closed"):
                use()
        policy.close()
        proof.close()
        self.assertEqual((repr(policy), repr(proof)), ("<Policy, closed>", "<Proof, closed>"))
        with sync.Policy.load(path(self.case["policy"])) as policy:
            with self.assertRaisesRegex(ValueError, "the proof is closed"):
                policy.verify(proof, sha256=self.case["sha256hex"])

    def test_values_outlive_their_proof(self) -> None:
        proof = sync.Proof.parse(self.proof)
        builders, package = proof.builders, proof.package
        del proof
        gc.collect()
        self.assertEqual([builder.name for builder in builders], ["ada", "bob", "cyd", "dee"])
        self.assertEqual(package, "pkg:cargo/itoa@1.0.1")

    def test_verification_is_a_value(self) -> None:
        policy = sync.Policy.load(path(self.case["policy"]))
        verification = policy.verify(self.proof, sha256=self.case["sha256hex"])
        self.assertEqual(pickle.loads(pickle.dumps(verification)), verification)
        self.assertEqual(hash(copy.deepcopy(verification)), hash(verification))
        with self.assertRaises(dataclasses.FrozenInstanceError):
            verification.package = "x"  # type: ignore[misc]
        self.assertEqual(verification.package, "pkg:cargo/itoa@1.0.1")
        self.assertEqual(verification.reproducers, ("ada", "bob", "cyd", "dee"))
        self.assertEqual(verification.time, datetime(2026, 9, 21, 14, 13, 20, tzinfo=timezone.utc))
        first = verification.cosigners[0]
        self.assertEqual((first.name, first.time_seconds), ("ada.vectors.example", 1790000001))
        self.assertEqual(first.time, datetime(2026, 9, 21, 14, 13, 21, tzinfo=timezone.utc))
        self.assertLess(verification.leaf_index, verification.tree_size)

    def test_a_time_out_of_range(self) -> None:
        signature = sync.Signature("x", 1, 1 << 63)
        with self.assertRaises(OverflowError):
            signature.time
        self.assertIsNone(sync.Signature("x", 1, None).time)

    def test_kinds_of_bytes(self) -> None:
        policy = read(self.case["policy"])
        for kind in (bytes, bytearray, memoryview):
            verification = sync.Policy.parse(kind(policy)).verify(kind(self.proof), sha256=self.case["sha256hex"])
            self.assertIs(verification.verdict, sync.Verdict.REPRODUCED)

    def test_threads(self) -> None:
        """Eight threads verify by one policy and one proof, which another closes meanwhile."""
        policy = sync.Policy.load(path(self.case["policy"]))
        proof = sync.Proof.parse(self.proof)
        failures: List[BaseException] = []
        begun = threading.Barrier(9)

        def work() -> None:
            begun.wait()
            try:
                for _ in range(200):
                    policy.verify(proof, sha256=self.case["sha256hex"])
            except ValueError as error:
                if "is closed" not in str(error):
                    failures.append(error)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        begun.wait()
        policy.verify(proof, sha256=self.case["sha256hex"])
        policy.close()
        proof.close()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_fork(self) -> None:
        policy = sync.Policy.load(path(self.case["policy"]))
        proof = sync.Proof.parse(self.proof)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                policy.verify(proof, sha256=self.case["sha256hex"])
                policy.close()
                del proof
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        policy.verify(proof, sha256=self.case["sha256hex"])

    @unittest.skipUnless(os.path.exists("/proc/self/statm"), "no /proc")
    def test_nothing_leaks(self) -> None:
        policy = read(self.case["policy"])
        changed = self.proof[:-2]

        def once() -> None:
            parsed = sync.Policy.parse(policy)
            proof = sync.Proof.parse(self.proof)
            self.assertEqual(len(proof.builders), 4)
            parsed.verify(proof, sha256=self.case["sha256hex"])
            with self.assertRaises(sync.NotVerifiedError):
                parsed.verify(proof, sha256=bytes(32))
            with self.assertRaises(sync.SyncError):
                sync.Proof.parse(changed)
            sync.Hasher(b"abc").digest()

        for _ in range(200):
            once()
        before = resident()
        for _ in range(3000):
            once()
        gc.collect()
        growth = resident() - before
        print(f"memory: {growth // 1024} KiB more after 3,000 rounds")
        # One lost proof a round would be some 30 MiB; an allocator's own drift is far below this.
        self.assertLess(growth, 2 << 20)


def resident() -> int:
    """Bytes of memory that the process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Hashing(unittest.TestCase):
    def test_pieces(self) -> None:
        source = random.Random(7)
        data = source.randbytes(100_000)
        for _ in range(50):
            hasher, start = sync.Hasher(), 0
            while start < len(data):
                end = start + source.choice([0, 1, 63, 64, 65, 1000, 50_000])
                kind = source.choice([bytes, bytearray, memoryview])
                hasher.update(kind(data[start:end]))
                start = end
            self.assertEqual(hasher.digest(), hashlib.sha256(data).digest())

    def test_habits(self) -> None:
        hasher = sync.Hasher(b"abc")
        self.assertEqual((hasher.name, hasher.digest_size, hasher.block_size), ("sha256", 32, 64))
        self.assertEqual(hasher.hexdigest(), hashlib.sha256(b"abc").hexdigest())
        self.assertEqual(hasher.digest(), hashlib.sha256(b"abc").digest())
        with self.assertRaisesRegex(ValueError, "finished"):
            hasher.update(b"d")
        self.assertEqual(sync.Hasher().digest(), hashlib.sha256().digest())
        with self.assertRaises(TypeError):
            sync.Hasher("text")  # type: ignore[arg-type]

    def test_views(self) -> None:
        data = bytearray(range(256))
        whole = memoryview(data)
        for view in (whole[3:99], whole[::2], whole.toreadonly(), whole.cast("I"), whole[:0]):
            hasher = sync.Hasher()
            hasher.update(view)
            self.assertEqual(hasher.digest(), hashlib.sha256(view.tobytes()).digest())


if __name__ == "__main__":
    unittest.main()
