#!/usr/bin/env python3
"""Runs the vectors through a verifier that is a program: its exit codes, and the codes and names in its JSON.

  check_program.py COMMAND…

COMMAND takes --json, --policy, --epoch, --handover, --proof, --sha256 and files, as synchronicity-verify does. Each
difference is a line on standard error; exit 1 if there is one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

# Statuses of bytes that are not in their form; a policy that is refused for any reason counts as one too.
MALFORMED = (1, 2, 3)
NOT_EVIDENCE = 15
# Bytes of the largest policy and of the largest proof.
SIZE_MAX = 1 << 20


class Checker:
    def __init__(self, command):
        self.command, self.folder = command, os.path.dirname(os.path.abspath(__file__))
        self.differences = 0

    def differ(self, name, what):
        self.differences += 1
        print(f"{name}: {what}", file=sys.stderr)

    def rows(self, table):
        with open(os.path.join(self.folder, table), encoding="utf-8", newline="\n") as file:
            return [row.rstrip("\n").split("\t") for row in file if not row.startswith("#")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, name, *arguments):
        """The exit code and the one object on standard output."""
        command = [*self.command, "--json", *arguments]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        try:
            lines = done.stdout.decode("utf-8", "strict").splitlines()
            answer = json.loads(lines[0]) if len(lines) == 1 else None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.differ(name, f"exit {done.returncode}, no JSON object on one line: {done.stderr[:200]!r}")
            answer = {}
        return done.returncode, answer

    def expect(self, name, ended, answer, exit_code, code):
        is_verified = exit_code == 0
        if ended != exit_code or answer.get("verified") is not is_verified or answer.get("code") != code:
            self.differ(name, f"exit {ended} with {answer.get('code')}, wanted {exit_code} with {code}: {answer}")

    def case(self, name, policy, proof, digest, status, _):
        files = ("--policy", self.path(policy), "--proof", self.path(proof))
        ended, answer = self.run(name, *files, "--sha256", digest)
        status = int(status)
        is_malformed = status in MALFORMED or os.path.basename(policy).startswith("bad-")
        self.expect(name, ended, answer, 0 if status == 0 else 2 if is_malformed else 1, status or None)
        if status == 0:
            if answer.get("sha256") != digest or answer.get("verdict") != "reproduced":
                self.differ(name, "the answer is about another artifact")
            ended, answer = self.run(name, *files, self.path(f"artifacts/{digest}"))
            self.expect(f"{name}, the file itself", ended, answer, 0, None)
        return status == 0

    def embedded(self, name, file, form, content_size, proof_offset, proof_size, status):
        policy = ("--policy", self.path("policies/four.policy"))
        if status != "0":
            ended, answer = self.run(name, *policy, self.path(file))
            self.expect(name, ended, answer, 2, int(status))
        elif form != "0":
            ended, answer = self.run(name, *policy, self.path(file))
            self.expect(name, ended, answer, 0, None)
        elif int(content_size) > 0:
            ended, answer = self.run(name, *policy, self.path(file))
            if ended == 0:
                self.differ(name, "a file without a proof is verified")

    def handover(self, name, policy, epoch, handovers, proof, digest, status, _):
        """Hand-overs come before the proof: where the row has none, the last of them is given as one, and is none."""
        followed = [] if handovers == "-" else handovers.split(" ")
        arguments = ["--policy", self.path(policy), *(["--epoch", epoch] if followed else [])]
        for path in followed:
            arguments += ["--handover", self.path(path)]
        status = int(status)
        if proof == "-":
            proof, digest, status = followed[-1], "0" * 64, status or NOT_EVIDENCE
        ended, answer = self.run(name, *arguments, "--proof", self.path(proof), "--sha256", digest)
        exit_code = 0 if status == 0 else 2 if status in MALFORMED else 1
        self.expect(name, ended, answer, exit_code, status or None)
        if status == 0 and (answer.get("sha256") != digest or answer.get("verdict") != "reproduced"):
            self.differ(name, "the answer is about another artifact")

    def sidecar(self):
        """A proof beside the artifact is found; one beside a changed artifact proves nothing."""
        with tempfile.TemporaryDirectory() as folder:
            artifact = os.path.join(folder, "artifact")
            shutil.copy(self.path("proofs/lone.tlog-proof"), f"{artifact}.tlog-proof")
            digest = next(row[3] for row in self.rows("cases.tsv") if row[0] == "lone")
            shutil.copy(self.path(f"artifacts/{digest}"), artifact)
            policy = ("--policy", self.path("policies/one.policy"))
            self.expect("sidecar", *self.run("sidecar", *policy, artifact), 0, None)
            with open(artifact, "ab") as file:
                file.write(b"\n")
            self.expect("sidecar, changed", *self.run("sidecar", *policy, artifact), 1, 10)


    def sizes(self):
        """Files of the largest size hold, and one byte more is refused: too large to be kept among the vectors."""
        with open(self.path("policies/one.policy"), "rb") as file:
            policy = file.read()
        with open(self.path("proofs/lone.tlog-proof"), "rb") as file:
            proof = file.read()
        digest = next(row[3] for row in self.rows("cases.tsv") if row[0] == "lone")
        room = SIZE_MAX - len(proof) - 6
        line = "\u2014 ".encode() + b"n" * (4 + room % 4) + b" " + b"A" * (room // 4 * 4 - 4) + b"\n"
        comment = b"#" + b"x" * (SIZE_MAX - len(policy) - 2) + b"\n"
        for name, policy_bytes, proof_bytes, exit_code, code in (
            ("largest policy", policy + comment, proof, 0, None),
            ("policy too large", policy + comment + b"\n", proof, 2, 2),
            ("largest proof", policy, proof + line, 0, None),
            ("proof too large", policy, proof + line.replace(b" n", b" nn", 1), 2, 2),
        ):
            with tempfile.TemporaryDirectory() as folder:
                names = [os.path.join(folder, part) for part in ("policy", "proof")]
                for path, data in zip(names, (policy_bytes, proof_bytes)):
                    with open(path, "wb") as file:
                        file.write(data)
                ended, answer = self.run(name, "--policy", names[0], "--proof", names[1], "--sha256", digest)
                self.expect(name, ended, answer, exit_code, code)


def main(arguments):
    if not arguments:
        print("usage: check_program.py COMMAND...", file=sys.stderr)
        return 2
    checker = Checker(arguments)
    cases = checker.rows("cases.tsv")
    accepted = sum(checker.case(*row) for row in cases)
    files = checker.rows("embedded.tsv")
    for row in files:
        checker.embedded(*row)
    handovers = checker.rows("handovers.tsv")
    for row in handovers:
        checker.handover(*row)
    checker.sidecar()
    checker.sizes()
    tail = f"; {checker.differences} differences" if checker.differences else ""
    rows = f"{len(cases)} cases, {accepted} accepted, {len(files)} embedded, {len(handovers)} of hand-overs"
    print(f"vectors: {rows}{tail}")
    return 0 if not checker.differences and accepted else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
