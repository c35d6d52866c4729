"""Files: bounded reading, proofs inside and beside, and what is no file at all."""

import io
import os
import shutil
import tempfile
import threading
import unittest
from typing import Callable, List

import synchronicity as sync
from support import accepted, path, read, rows


class Files(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.case = next(
            row for row in rows("cases.tsv")
            if row["status"] == "0" and os.path.exists(path("artifacts", row["sha256hex"]))
        )
        self.policy = sync.Policy.load(path(self.case["policy"]))
        self.artifact = os.path.join(self.folder, "libitoa.rlib")
        shutil.copyfile(path("artifacts", self.case["sha256hex"]), self.artifact)

    def test_sidecar(self) -> None:
        with self.assertRaises(FileNotFoundError) as caught:
            sync.verify_file(self.artifact, self.policy)
        self.assertEqual(caught.exception.filename, self.artifact + ".tlog-proof")
        shutil.copyfile(path(self.case["proof"]), self.artifact + ".tlog-proof")
        verification = sync.verify_file(self.artifact, self.policy)
        self.assertEqual(verification.artifact_sha256.hex(), self.case["sha256hex"])
        with open(self.artifact, "ab") as file:
            file.write(b"x")
        with self.assertRaises(sync.NotVerifiedError) as refused:
            sync.verify_file(self.artifact, self.policy)
        self.assertIs(refused.exception.code, sync.Code.ARTIFACT_MISMATCH)

    def test_the_proof_inside_comes_first(self) -> None:
        """A sidecar cannot speak for a file that carries its own proof."""
        file = os.path.join(self.folder, "inside")
        shutil.copyfile(path("embedded", "trailer-elf.elf"), file)
        with open(file + ".tlog-proof", "wb") as sidecar:
            sidecar.write(b"no proof")
        policy = sync.Policy.load(path("policies", "four.policy"))
        self.assertIs(sync.verify_file(file, policy).verdict, sync.Verdict.REPRODUCED)
        data = bytearray(read("embedded", "trailer-elf.elf"))
        data[20] ^= 1
        with open(file, "wb") as changed:
            changed.write(data)
        with self.assertRaises(sync.NotVerifiedError):
            sync.verify_file(file, policy)

    def test_a_large_content(self) -> None:
        """The ends alone decide, whatever lies between."""
        file = os.path.join(self.folder, "large")
        with open(file, "wb") as sparse:
            sparse.write(b"\x7fELF")
            sparse.truncate(1 << 32)
        self.assertIsNone(sync.find_embedded(file))
        region = read("embedded", "trailer-odd.elf")[100:]
        with open(file, "ab") as sparse:
            sparse.write(region)
        found = sync.find_embedded(file)
        assert found is not None
        self.assertEqual((found.content_size, found.proof_offset), (1 << 32, 1 << 32))

    def test_too_large(self) -> None:
        """A proof of 1 GiB is refused after its first MiB."""
        file = os.path.join(self.folder, "huge")
        with open(file, "wb") as sparse:
            sparse.truncate(1 << 30)
        uses: List[Callable[[], object]] = [
            lambda: sync.Proof.load(file),
            lambda: self.policy.verify(file, sha256=bytes(32)),
            lambda: sync.Policy.load(file),
        ]
        for use in uses:
            before = read_so_far()
            with self.assertRaises(sync.SyncError) as caught:
                use()
            self.assertIs(caught.exception.code, sync.Code.TOO_LARGE)
            self.assertIsInstance(caught.exception, ValueError)
            self.assertLess(read_so_far() - before, 1_100_000)

    def test_the_largest(self) -> None:
        for size, code in ((1 << 20, sync.Code.MALFORMED), ((1 << 20) + 1, sync.Code.TOO_LARGE)):
            with self.assertRaises(sync.MalformedError) as caught:
                sync.Proof.parse(bytes(size))
            self.assertEqual(caught.exception.code in (sync.Code.TOO_LARGE,), code is sync.Code.TOO_LARGE)

    def test_a_pipe(self) -> None:
        """Pieces of any size, and no seeking."""
        pipe = os.path.join(self.folder, "pipe")
        os.mkfifo(pipe)
        data = read(self.case["proof"])

        def write() -> None:
            with open(pipe, "wb", buffering=0) as file:
                for start in range(0, len(data), 100):
                    file.write(data[start : start + 100])

        writer = threading.Thread(target=write)
        writer.start()
        with open(pipe, "rb", buffering=0) as file:
            self.assertEqual(sync.sha256_file(file), sync.Hasher(data).digest())
        writer.join()

    def test_a_path_to_no_regular_file(self) -> None:
        """Refused at once: opening a pipe would wait for its writer."""
        pipe = self.artifact + ".tlog-proof"
        os.mkfifo(pipe)
        for name in (pipe, "/dev/zero"):
            uses: List[Callable[[], object]] = [
                lambda: sync.Proof.load(name),
                lambda: sync.Policy.load(name),
                lambda: sync.sha256_file(name),
                lambda: sync.find_embedded(name),
                lambda: sync.verify_file(name, self.policy),
                lambda: self.policy.verify(name, artifact=self.artifact),
                lambda: self.policy.verify(path(self.case["proof"]), artifact=name),
            ]
            for use in uses:
                with self.assertRaisesRegex(OSError, "Not a regular file") as caught:
                    use()
                self.assertEqual(caught.exception.filename, name)
        with self.assertRaisesRegex(OSError, "Not a regular file"):
            sync.verify_file(self.artifact, self.policy)

    def test_what_is_left_of_a_file(self) -> None:
        data = b"before" + read("artifacts", self.case["sha256hex"])
        file = io.BytesIO(data)
        file.seek(6)
        verification = self.policy.verify(path(self.case["proof"]), artifact=file)
        self.assertEqual(verification.artifact_sha256.hex(), self.case["sha256hex"])

    def test_no_file(self) -> None:
        missing = os.path.join(self.folder, "missing")
        uses: List[Callable[[], object]] = [
            lambda: sync.Policy.load(missing),
            lambda: sync.Proof.load(missing),
            lambda: sync.sha256_file(missing),
            lambda: sync.find_embedded(missing),
            lambda: sync.verify_file(missing, self.policy),
            lambda: self.policy.verify(missing, sha256=bytes(32)),
            lambda: self.policy.verify(path(self.case["proof"]), artifact=missing),
        ]
        for use in uses:
            with self.assertRaises(FileNotFoundError) as caught:
                use()
            self.assertEqual(caught.exception.filename, missing)
        with self.assertRaises(IsADirectoryError):
            sync.verify_file(self.folder, self.policy)
        with self.assertRaises(OSError):
            sync.find_embedded("/dev/null")

    def test_nothing_stays_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        for row in rows("embedded.tsv"):
            try:
                sync.verify_file(path(row["file"]), self.policy)
            except (sync.SyncError, OSError):
                pass
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


def read_so_far() -> int:
    """Bytes that the process has read from files."""
    with open("/proc/self/io", encoding="ascii") as file:
        return int(file.readline().split()[1])


if __name__ == "__main__":
    unittest.main()
