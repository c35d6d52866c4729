"""The vectors that every form of the verifier and every binding runs."""

import os
import unittest
from typing import Iterator, Optional, Tuple

import synchronicity as sync
from support import path, read, rows

MALFORMED = {sync.Code.MALFORMED, sync.Code.TOO_LARGE, sync.Code.UNSUPPORTED_VERSION}


class Cases(unittest.TestCase):
    def test_is_the_installed_package(self) -> None:
        self.assertIn("site-packages", sync.__file__)
        self.assertEqual(sync.library_version(), sync.__version__)

    def test_cases(self) -> None:
        count = {True: 0, False: 0}
        for row in rows("cases.tsv"):
            with self.subTest(row["name"]):
                wanted = int(row["status"])
                count[wanted == 0] += 1
                self.assertEqual(self.status(row["policy"], read(row["proof"]), row["sha256hex"]), wanted)
        print(f"cases: {count[True]} accepted, {count[False]} refused")
        self.assertGreaterEqual(count[True], 40)
        self.assertGreaterEqual(count[False], 200)

    def status(self, policy: str, proof: bytes, digest: str) -> int:
        """The status of a verification by a proof's bytes; one by a parsed proof has to agree."""
        try:
            parsed = sync.Policy.load(path(policy))
        except sync.SyncError as error:
            self.assertIsInstance(error, sync.PolicyError)
            return error.status
        try:
            by_bytes = parsed.verify(proof, sha256=digest)
        except sync.SyncError as error:
            self.assertIs(type(error), sync.MalformedError if error.code in MALFORMED else sync.NotVerifiedError)
            self.assertNotEqual(error.code, sync.Code.UNKNOWN)
            self.assertTrue(str(error))
            with self.assertRaises((sync.MalformedError, sync.NotVerifiedError)):
                parsed.verify(sync.Proof.parse(proof), sha256=digest)
            return error.status
        by_proof = parsed.verify(sync.Proof.parse(proof), sha256=bytes.fromhex(digest))
        self.assertEqual(by_bytes, by_proof)
        self.assertIs(by_bytes.verdict, sync.Verdict.REPRODUCED)
        self.assertEqual(by_bytes.artifact_sha256.hex(), digest)
        self.assertGreater(len(by_bytes.reproducers), 0)
        return 0

    def test_described(self) -> None:
        count = 0
        for name in sorted(os.listdir(path("described"))):
            with self.subTest(name):
                proof = sync.Proof.parse(read("proofs", name.replace(".txt", ".tlog-proof")))
                listing = "".join(f"{key}\t{value}\n" for key, value in described(proof))
                self.assertEqual(listing, read("described", name).decode("utf-8"))
                count += 1
        print(f"described: {count} proofs")
        self.assertGreaterEqual(count, 40)

    def test_artifacts(self) -> None:
        """Where the artifact is a file, it is verified as one."""
        count = 0
        for row in rows("cases.tsv"):
            artifact = path("artifacts", row["sha256hex"])
            if row["status"] != "0" or not os.path.exists(artifact):
                continue
            with self.subTest(row["name"]):
                count += 1
                policy = sync.Policy.load(path(row["policy"]))
                self.assertEqual(sync.sha256_file(artifact).hex(), row["sha256hex"])
                verification = policy.verify(path(row["proof"]), artifact=artifact)
                with open(artifact, "rb") as file:
                    self.assertEqual(policy.verify(path(row["proof"]), artifact=file), verification)
        print(f"artifacts: {count} files")
        self.assertGreater(count, 0)


class EmbeddedProofs(unittest.TestCase):
    def test_embedded(self) -> None:
        policy = sync.Policy.load(path("policies", "four.policy"))
        count = 0
        for row in rows("embedded.tsv"):
            with self.subTest(row["name"]):
                count += 1
                file = path(row["file"])
                if row["status"] != "0":
                    with self.assertRaises(sync.MalformedError) as found_none:
                        sync.find_embedded(file)
                    with self.assertRaises(sync.MalformedError) as verified_none:
                        sync.verify_file(file, policy)
                    for caught in (found_none, verified_none):
                        self.assertEqual(caught.exception.status, int(row["status"]))
                    continue
                found = sync.find_embedded(file)
                if row["form"] == "0":
                    self.assertIsNone(found)
                    continue
                assert found is not None
                wanted = [int(row[key]) for key in ("form", "content_size", "proof_offset", "proof_size")]
                self.assertEqual([found.form, found.content_size, found.proof_offset, found.proof_size], wanted)
                verification = sync.verify_file(file, policy)
                content = read(row["file"])[: found.content_size]
                self.assertEqual(sync.Hasher(content).digest(), verification.artifact_sha256)
        print(f"embedded: {count} files")
        self.assertGreater(count, 0)


def described(proof: sync.Proof) -> Iterator[Tuple[str, object]]:
    """The listing of described/: the C structs' keys and values from the binding's own objects."""

    def digest(value: Optional[bytes]) -> str:
        return (value or bytes(32)).hex()

    for key in ("log_origin", "package", "package_name", "package_version", "submitter"):
        yield key, getattr(proof, key)
    for key in ("job_id", "source_sha256", "toolchain_sha256"):
        yield key, digest(getattr(proof, key))
    for key in ("leaf_index", "tree_size", "epoch", "height", "time_milliseconds"):
        yield key, getattr(proof, key)
    yield "verdict", int(proof.verdict)
    yield "agreeing", proof.agreeing
    yield "reproducers", proof.reproducers
    yield "builder_count", len(proof.builders)
    yield "artifact_count", len(proof.artifacts)
    yield "source_count", len(proof.sources)
    yield "signature_count", len(proof.signatures)
    yield "outcome_count", proof.outcome_count
    for index, builder in enumerate(proof.builders):
        at = f"builder.{index}."
        yield at + "state", int(builder.state)
        yield at + "outcome", builder.outcome or 0
        yield at + "name", builder.name
        yield at + "sandbox", builder.sandbox
        yield at + "processor", builder.processor
        yield at + "kernel", builder.kernel
        yield at + "outcome_sha256", digest(builder.outcome_sha256)
    for index, artifact in enumerate(proof.artifacts):
        at = f"artifact.{index}."
        yield at + "path", artifact.path
        yield at + "size", artifact.size
        yield at + "mode", artifact.mode
        yield at + "sha256", artifact.sha256.hex()
    for index, source in enumerate(proof.sources):
        at = f"source.{index}."
        yield at + "package", source.package
        yield at + "origin", source.origin
        yield at + "tree_sha256", source.tree_sha256.hex()
        yield at + "claimed_sha256", digest(source.claimed_sha256)
        yield at + "has_claim", int(source.claimed_sha256 is not None)
    for index, signature in enumerate(proof.signatures):
        at = f"signature.{index}."
        yield at + "name", signature.name
        yield at + "key_id", f"{signature.key_id:08x}"
        yield at + "is_timed", int(signature.time_seconds is not None)
        yield at + "time_seconds", signature.time_seconds or 0


if __name__ == "__main__":
    unittest.main()
