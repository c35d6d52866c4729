"""Collects the cases and writes them out."""

import os

from .formats import describe, octets, sha256


class Corpus:
    def __init__(self):
        self.files = {}
        self.cases = []
        self.embedded = []
        self.followed = []
        self.contents = {}

    def _file(self, path, data):
        assert self.files.get(path, data) == data, f"{path} is there with other bytes"
        self.files[path] = data

    def policy(self, name, text):
        self._file(f"policies/{name}.policy", text)
        return name

    def proof(self, name, proof):
        """A proof, as a Proof or as bytes."""
        self._file(f"proofs/{name}.tlog-proof", proof if isinstance(proof, bytes) else proof.encode())
        return name

    def content(self, data):
        """Bytes whose digest some case asks about."""
        self.contents[sha256(data)] = data
        return sha256(data)

    def case(self, name, policy, proof, digest, status, why):
        assert "\t" not in why and why and why[0].isupper() and why[-1] != ".", why
        assert all(name != case[0] for case in self.cases), name
        assert f"policies/{policy}.policy" in self.files, policy
        assert f"proofs/{proof}.tlog-proof" in self.files, proof
        self.cases.append((name, policy, proof, digest, status, why))

    def accept(self, name, proof, policy="four", data=None, why="", proof_name=None):
        """A proof that holds. Without data, all of its artifacts are asked about, one case each."""
        proof_name = proof_name or name
        self.proof(proof_name, proof)
        self._file(f"described/{proof_name}.txt", describe(proof))
        artifacts = proof.evidence.outcomes[0].artifacts
        asked = [data] if data is not None else [artifact.data for artifact in artifacts][:3]
        for number, artifact in enumerate(asked):
            digest = self.content(artifact)
            self._file(f"artifacts/{digest.hex()}", artifact)
            self.case(name if number == 0 else f"{name}-{number + 1}", policy, proof_name, digest, 0, why)

    def refuse(self, name, status, why, proof, digest, policy="four"):
        self.proof(name, proof)
        self.case(name, policy, name, digest, status, why)

    def embed(self, name, data, form, content_size, proof_offset, proof_size, status, extension="bin"):
        path = f"embedded/{name}.{extension}"
        self._file(path, data)
        assert all(name != row[0] for row in self.embedded), name
        self.embedded.append((name, path, form, content_size, proof_offset, proof_size, status))

    def handover_file(self, name, data):
        self._file(f"handovers/{name}", data)
        return f"handovers/{name}"

    def follow(self, name, policy, epoch, handovers, proof, digest, status, why):
        assert "\t" not in why and why and why[0].isupper() and why[-1] != ".", why
        assert all(name != row[0] for row in self.followed), name
        for path in (policy, *handovers, *([proof] if proof else [])):
            assert path in self.files and " " not in path, path
        self.followed.append((name, policy, epoch, handovers, proof, digest, status, why))

    def finish(self):
        text = b"# name\tpolicy\tproof\tsha256hex\tstatus\twhy\n"
        for name, policy, proof, digest, status, why in self.cases:
            row = (name, f"policies/{policy}.policy", f"proofs/{proof}.tlog-proof", digest.hex(), status, why)
            text += b"\t".join(octets(field) for field in row) + b"\n"
        self._file("cases.tsv", text)
        text = b"# name\tfile\tform\tcontent_size\tproof_offset\tproof_size\tstatus\n"
        for row in self.embedded:
            text += b"\t".join(octets(field) for field in row) + b"\n"
        self._file("embedded.tsv", text)
        text = b"# name\tpolicy\tepoch\thandovers\tproof\tsha256hex\tstatus\twhy\n"
        for name, policy, epoch, handovers, proof, digest, status, why in self.followed:
            followed = (epoch, " ".join(handovers)) if handovers else ("-", "-")
            asked = (proof, digest.hex()) if proof else ("-", "-")
            text += b"\t".join(octets(field) for field in (name, policy, *followed, *asked, status, why)) + b"\n"
        self._file("handovers.tsv", text)

    def write(self, folder):
        for path, data in sorted(self.files.items()):
            target = os.path.join(folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(data)
