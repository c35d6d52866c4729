"""What is looked at when all faults are over."""
import random
import re
import subprocess
import time

import audit
from group import COMMIT_SECONDS, REVEAL_SECONDS, Refused
from traffic import PACKAGES

# A bound that two cores with a load of thirty meet; without load everything takes a few seconds.
PATIENCE_SECONDS = 120
VERDICT_SECONDS = COMMIT_SECONDS + REVEAL_SECONDS + PATIENCE_SECONDS
PROOFS_MAX = 6
# What no honest node may say, at any time.
NEVER_SAID = re.compile(
    r"misbehaviour|Wrong opening|different commitment|is not what this builder committed|Fatal error|Stack dump|"
    r"is damaged|not whole|another outcome|contradicts", re.IGNORECASE)


def within(seconds, condition):
    """The seconds until the condition holds, or None."""
    start = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - start
        except Refused:
            pass
        if time.monotonic() - start > seconds:
            return None
        time.sleep(0.3)


class Judge:
    def __init__(self, group, traffic, handover, seed, find):
        self.builders, self.policy, self.folder = group.builders, group.policy, group.folder
        self.traffic, self.handover, self.find = traffic, handover, find
        self.chance = random.Random(seed)
        self.figures = {}

    def statuses(self):
        return [builder.json("/v1/status", 10) for builder in self.builders]

    def recovery(self):
        peers = len(self.builders) - 1
        took = within(PATIENCE_SECONDS, lambda: all(len(s["connectedPeers"]) == peers for s in self.statuses()))
        if took is None:
            self.find(f"not all nodes are connected {PATIENCE_SECONDS} s after the last fault")
        # What was taken in the first epoch and got no order there is ordered in the next one.
        start, came = time.monotonic(), []
        epochs_left = 1 if within(3, lambda: self._has_come(start, came)) is not None else 2
        seconds = VERDICT_SECONDS * epochs_left
        took = within(seconds, lambda: self._have_verdicts() & self._has_come(start, came))
        if not came:
            epochs = ", ".join(f"{s['name']} {s['epoch']}" for s in self.statuses())
            self.find(f"the next epoch has not come for all {seconds} s after the last fault: {epochs}")
        elif came[0] > VERDICT_SECONDS:
            self.find(f"the next epoch has come {came[0]:.0f} s after the last fault")
        self.handover.stop()
        self.handover.fetch()
        for job in self.traffic.open():
            self.find(
                f"{job.package} rebuild {job.rebuild}, which a node took, has no verdict {seconds} s after "
                f"the last fault ({'ordered' if job.ordered else 'never ordered'}): {job.id}")
        self.figures["openJobs"] = took
        self.figures["fresh"] = self._fresh_job()
        took = within(VERDICT_SECONDS, self._are_level)
        if took is None:
            numbers = ("logSize", "checkpointSize", "openJobs")
            logs = ", ".join(" ".join([s["name"], *(str(s[number]) for number in numbers)]) for s in self.statuses())
            self.find(f"the nodes do not come to the same log (leaves/cosigned/open jobs): {logs}")

    def _has_come(self, start, came):
        """Notes in `came` how long the next epoch took."""
        if not came and self.handover.has_come():
            came.append(time.monotonic() - start)
        return bool(came)

    def _have_verdicts(self):
        self.traffic.submit_lost()
        for builder in self.builders:
            self.traffic.look(builder, 10)
        return not self.traffic.open()

    def _are_level(self):
        statuses = self.statuses()
        return len({(s["logSize"], s["checkpointSize"], s["openJobs"]) for s in statuses}) == 1 and \
            statuses[0]["logSize"] == statuses[0]["checkpointSize"] and statuses[0]["openJobs"] == 0

    def _fresh_job(self):
        builder = self.chance.choice(self.builders)
        start = time.monotonic()
        try:
            done = builder.command(
                "submit", "--wait", "--rebuild", 1_000_000, "pkg:cargo/sync-plain@0.1.0", timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            return self.find(f"a fresh job at {builder.name} is not reproduced within {PATIENCE_SECONDS} s")
        if done.returncode != 0:
            return self.find(f"a fresh job at {builder.name}: {done.stderr.strip()}")
        return time.monotonic() - start

    def logs(self):
        try:
            found, faults = audit.compare_logs(self.builders)
        except (Refused, ValueError) as error:
            return self.find(f"the log cannot be read: {error}")
        for fault in faults:
            self.find(fault)
        self.figures["leaves"] = found[0].size
        for builder in self.builders:
            for said in "since the snapshot is of no use", "The snapshot was not what the decided blocks give":
                if said in builder.log.read_text(errors="replace"):
                    self.find(f"{builder.name} says: {said}")
        return None

    def jobs(self):
        """Every job's evidence, as each node tells it."""
        try:
            told = [builder.all_jobs() for builder in self.builders]
        except Refused as error:
            return self.find(f"the jobs cannot be listed: {error}")
        for builder, jobs in zip(self.builders, told):
            if jobs != told[0]:
                names = [name for name in told[0].keys() | jobs.keys() if jobs.get(name) != told[0].get(name)]
                self.find(f"{self.builders[0].name} and {builder.name} tell {len(names)} jobs differently: {names[:2]}")
        for name in self.traffic.jobs.keys() - told[0].keys():
            self.find(f"the group does not know the job {name}, which a node took")
        verdicts = {}
        for job in told[0].values():
            verdict = job.get("verdict", "none")
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            if verdict not in PACKAGES[job["package"]]:
                self.find(f"the verdict of {job['package']} is {verdict}: {job['id']}")
        self.figures["verdicts"] = verdicts
        self._outcomes(told[0])
        self._proofs([job for job in told[0].values() if job.get("verdict") == "reproduced"])
        return None

    def _outcomes(self, jobs):
        """A fault of this machine is no outcome of a build: whoever has an outcome of these has the same one."""
        alone = 0
        for job in jobs.values():
            if "sync-clock" in job["package"]:
                continue
            whole = self.chance.choice(self.builders).json(f"/v1/jobs/{job['id']}", 10)
            alone += len(whole.get("absent", []))
            if len(whole.get("outcomes", [])) > 1:
                self.find(f"builders of {job['package']} got {len(whole['outcomes'])} outcomes: {whole['outcomes']}")
        self.figures["absent"] = alone

    def _proofs(self, jobs):
        """Of some jobs, fetched from two nodes each."""
        checked = 0
        artifact, other, proof = (self.folder / name for name in ("artifact", "other", "proof"))
        for job in self.chance.sample(jobs, min(PROOFS_MAX, len(jobs))):
            for builder in self.chance.sample(self.builders, 2):
                try:
                    artifact.write_bytes(self._artifact(job["artifacts"][0]["sha256"]))
                    proof.write_bytes(builder.get(f"/v1/proofs/{job['id']}", 10))
                except Refused as error:
                    self.find(f"no proof of {job['id']}: {error}")
                    continue
                other.write_bytes(artifact.read_bytes() + b"!")
                for path, wanted in ((artifact, 0), (other, 1)):
                    done = builder.command(
                        "verify", "--policy", self.policy, "--epoch", 0, "--handover", self.handover.proof, "--proof",
                        proof, path)
                    if done.returncode != wanted:
                        self.find(
                            f"verify of {job['id']} from {builder.name} ends with {done.returncode}, not {wanted}: "
                            f"{done.stdout.strip()} {done.stderr.strip()}")
                checked += 1
        self.figures["proofs"] = checked
        if not checked:
            self.find("no job was reproduced, so no proof could be verified")

    def _artifact(self, sha256):
        for builder in self.builders:
            try:
                return builder.get(f"/v1/artifacts/{sha256}", 10)
            except Refused:
                pass
        raise Refused(f"no node has the artifact {sha256}")

    def ends(self):
        """All end when asked; then their journals can be read."""
        for builder in self.builders:
            if builder.is_up:
                builder.process.terminate()
        for builder in self.builders:
            if not builder.end(PATIENCE_SECONDS):
                self.find(f"{builder.name} does not end by itself with status 0 after SIGTERM")
                builder.kill()
        self.figures["blocks"], faults = audit.compare_journals(self.builders)
        for fault in faults:
            self.find(fault)
        for builder in self.builders:
            for line in builder.log.read_text(errors="replace").splitlines():
                if NEVER_SAID.search(line):
                    self.find(f"{builder.name} says: {line[:300]}")
