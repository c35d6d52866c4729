"""Policies that are followed through hand-overs: the vectors, lives, wrong calls."""

import gc
import threading
import unittest
from typing import Dict, List

import synchronicity as sync
from support import path, read, rows

FIRST = "handovers/zero-to-one.tlog-proof"
SECOND = "handovers/one-to-two.tlog-proof"
BEFORE = "handovers/evidence-0.tlog-proof"
BEHIND = "handovers/evidence-1.tlog-proof"
DIGEST = next(row["sha256hex"] for row in rows("handovers.tsv") if row["proof"] == BEHIND)


def first_policy() -> sync.Policy:
    return sync.Policy.load(path("policies", "four.policy"))


class Rows(unittest.TestCase):
    def test_rows(self) -> None:
        count = {True: 0, False: 0}
        for row in rows("handovers.tsv"):
            with self.subTest(row["name"]):
                wanted = int(row["status"])
                count[wanted == 0] += 1
                self.assertEqual(self.status(row), wanted)
        print(f"hand-overs: {count[True]} accepted, {count[False]} refused")
        self.assertGreaterEqual(count[True], 60)
        self.assertGreaterEqual(count[False], 200)

    def status(self, row: Dict[str, str]) -> int:
        """Follows by files and by bytes in turn; a verification by a parsed proof has to agree."""
        policy = sync.Policy.load(path(row["policy"]))
        try:
            for number, name in enumerate([] if row["handovers"] == "-" else row["handovers"].split(" ")):
                epoch = int(row["epoch"]) + number
                policy = policy.follow(path(name) if number % 2 == 0 else read(name), epoch)
            if row["proof"] == "-":
                return 0
            verification = policy.verify(path(row["proof"]), sha256=row["sha256hex"])
        except sync.SyncError as error:
            is_malformed = error.code in (sync.Code.MALFORMED, sync.Code.TOO_LARGE, sync.Code.UNSUPPORTED_VERSION)
            self.assertIs(type(error), sync.MalformedError if is_malformed else sync.NotVerifiedError)
            self.assertTrue(str(error))
            return error.status
        self.assertEqual(verification, policy.verify(sync.Proof.load(path(row["proof"])), sha256=row["sha256hex"]))
        return 0


class Lives(unittest.TestCase):
    def test_each_is_of_its_own(self) -> None:
        policy = first_policy()
        followed = policy.follow(read(FIRST), 0)
        further = followed.follow(read(SECOND), 1)
        # What holds by the first alone is as it was.
        self.assertTrue(policy.verify(read(BEFORE), sha256=DIGEST))
        with self.assertRaises(sync.NotVerifiedError):
            policy.verify(read(BEHIND), sha256=DIGEST)
        policy.close()
        del policy
        gc.collect()
        # What was freed too early is given to others.
        others = [first_policy() for _ in range(20)]
        for each in (followed, further):
            for proof in (BEFORE, BEHIND):
                self.assertTrue(each.verify(read(proof), sha256=DIGEST))
        with self.assertRaises(sync.NotVerifiedError) as caught:
            followed.follow(read(FIRST), 0)
        self.assertIs(caught.exception.code, sync.Code.WRONG_EPOCH)
        followed.close()
        self.assertTrue(further.verify(read(BEHIND), sha256=DIGEST))
        self.assertEqual(len(others), 20)

    def test_two_ways_from_one_policy(self) -> None:
        policy = first_policy()
        ways = [policy.follow(read(FIRST), 0), policy.follow(path("handovers/zero-to-two.tlog-proof"), 0)]
        self.assertTrue(ways[0].verify(read(BEHIND), sha256=DIGEST))
        with self.assertRaises(sync.NotVerifiedError):
            ways[1].verify(read(BEHIND), sha256=DIGEST)

    def test_threads(self) -> None:
        policy = first_policy()
        failures: List[BaseException] = []

        def work() -> None:
            try:
                for _ in range(50):
                    policy.follow(read(FIRST), 0).verify(read(BEHIND), sha256=DIGEST)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class WrongCalls(unittest.TestCase):
    def test_a_refusal_leaves_the_policy(self) -> None:
        policy = first_policy()
        for handover, epoch, code in (
            (read(FIRST), 1, sync.Code.WRONG_EPOCH),
            (read(FIRST), (1 << 64) - 1, sync.Code.WRONG_EPOCH),
            (read(SECOND), 0, sync.Code.WRONG_EPOCH),
            (read(BEFORE), 0, sync.Code.NOT_HANDOVER),
            (b"", 0, sync.Code.MALFORMED),
            (read(FIRST)[:-1], 0, sync.Code.MALFORMED),
            (b"\n" * 1048577, 0, sync.Code.TOO_LARGE),
        ):
            with self.assertRaises(sync.SyncError) as caught:
                policy.follow(handover, epoch)
            self.assertIs(caught.exception.code, code)
        self.assertTrue(policy.follow(read(FIRST), 0).verify(read(BEHIND), sha256=DIGEST))
        # The first to be followed says of which epoch the policy is; from then on it is known.
        with self.assertRaises(sync.NotVerifiedError) as wrong:
            policy.follow(read(FIRST), 0).follow(read(SECOND), 2)
        self.assertIs(wrong.exception.code, sync.Code.WRONG_EPOCH)

    def test_epochs_and_types(self) -> None:
        policy = first_policy()
        # ctypes would take 64 bits of the first, and of the second as many.
        for epoch in (1 << 64, -1, -(1 << 64)):
            with self.assertRaises(ValueError):
                policy.follow(read(FIRST), epoch)
        odd: List[object] = ["0", 0.0, None, b"0"]
        for each in odd:
            with self.assertRaises(TypeError):
                policy.follow(read(FIRST), each)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            policy.follow(read(FIRST))  # type: ignore[call-arg]
        with self.assertRaises(TypeError):
            policy.follow(4, 0)  # type: ignore[arg-type]
        with self.assertRaises(FileNotFoundError):
            policy.follow(path("handovers", "none.tlog-proof"), 0)
        policy.close()
        with self.assertRaisesRegex(ValueError, "is closed"):
            policy.follow(read(FIRST), 0)

    def test_kinds_of_bytes(self) -> None:
        for kind in (bytes, bytearray, memoryview):
            followed = first_policy().follow(kind(read(FIRST)), 0)
            self.assertTrue(followed.verify(read(BEHIND), sha256=DIGEST))


if __name__ == "__main__":
    unittest.main()
