"""Jobs that are submitted all the time, and what becomes of them."""
import dataclasses
import json
import random
import threading
import time

from group import Refused

# At once, so that a loaded machine still builds within the commit phase.
OPEN_MAX = 6
# One in so many is built by the real compiler.
REAL_EVERY = 12
# By package, what its verdict can be. `inconclusive`: too many builders were away for too long.
PACKAGES = {
    "pkg:cargo/sync-plain@0.1.0": ("reproduced", "inconclusive"),
    "pkg:cargo/sync-broken@0.1.0": ("failed", "inconclusive"),
    "pkg:cargo/sync-clock@0.1.0": ("diverged", "inconclusive", "reproduced"),
}
DECK = ["pkg:cargo/sync-plain@0.1.0"] * 6 + ["pkg:cargo/sync-broken@0.1.0", "pkg:cargo/sync-clock@0.1.0"]


@dataclasses.dataclass
class Job:
    id: str
    package: str
    rebuild: int
    # None for the quick one.
    toolchain: str
    # Who said that it takes it, in which of its lives and epochs; that and nothing else may be lost with these.
    builder: object
    life: tuple
    acknowledged: float
    ordered: float = 0.0
    verdict: float = 0.0


class Traffic:
    def __init__(self, builders, rust, seed, find):
        self.builders, self.rust, self.find = builders, rust, find
        self.chance = random.Random(seed)
        self.lock = threading.Lock()
        self.jobs = {}
        self.verdicts = []
        self.tried = self.refused = self.again = 0
        self.is_over = threading.Event()
        works = (self._submit, self._submit, self._watch)
        self.threads = [threading.Thread(target=work, daemon=True) for work in works]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(90)

    def open(self):
        with self.lock:
            return [job for job in self.jobs.values() if not job.verdict]

    # MARK: submitting

    def _submit(self):
        while not self.is_over.is_set():
            if self.submit_lost():
                continue
            if len(self.open()) >= OPEN_MAX:
                self.is_over.wait(0.3)
                continue
            with self.lock:
                self.tried += 1
                number = self.tried
                package = self.chance.choice(DECK)
            self._submit_anywhere(package, number, self.rust if number % REAL_EVERY == 0 else None)

    def submit_lost(self):
        """Submits again what only a process that is gone had; whether there was such a job."""
        job = self._take_lost()
        if job:
            self._submit_anywhere(job.package, job.rebuild, job.toolchain)
        return job is not None

    def _submit_anywhere(self, package, number, toolchain):
        with self.lock:
            up = [builder for builder in self.builders if builder.is_up]
            builder = self.chance.choice(up) if up else None
        if builder is None or not self.submit(builder, package, number, toolchain):
            self.refused += 1
            self.is_over.wait(0.5)

    def submit(self, builder, package, number, toolchain):
        life = builder.life, builder.epoch
        body = {"package": package, "rebuild": number} | ({"toolchain": toolchain} if toolchain else {})
        try:
            answer = builder.request("POST", "/v1/jobs", body, 40)
        except Refused:
            return False
        name = json.loads(answer)["id"]
        with self.lock:
            old = self.jobs.get(name)
            if old is None or not old.ordered:
                self.jobs[name] = Job(name, package, number, toolchain, builder, life, time.monotonic())
        return True

    def _take_lost(self):
        with self.lock:
            for job in self.jobs.values():
                if not job.ordered and job.builder and not (
                        job.builder.is_up and (job.builder.life, job.builder.epoch) == job.life):
                    job.builder = None
                    self.again += 1
                    return job
                if not job.ordered and job.builder is None and time.monotonic() - job.acknowledged > 15:
                    job.acknowledged = time.monotonic()
                    return job
        return None

    # MARK: watching

    def _watch(self):
        while not self.is_over.wait(0.2):
            for builder in self.builders:
                if builder.is_up and not builder.is_stopped:
                    self.look(builder)

    def look(self, builder, timeout=2.0):
        """Notes what a node tells of the open jobs; whether it told anything."""
        life = builder.life
        try:
            listed = builder.json("/v1/jobs?limit=50", timeout)["jobs"]
            status = builder.json("/v1/status", timeout)
        except Refused:
            return False
        if status["misbehaved"]:
            self.find(f"{builder.name} accuses {', '.join(status['misbehaved'])} of misbehaviour, and all are honest")
        if status["epoch"] < builder.epoch:
            self.find(f"{builder.name} is back in epoch {status['epoch']}")
        builder.epoch = max(builder.epoch, status["epoch"])
        builder.given_up[life, status["epoch"]] = status["viewsGivenUp"]
        now = time.monotonic()
        with self.lock:
            for told in listed:
                job = self.jobs.get(told["id"])
                if job is None:
                    continue
                job.ordered = job.ordered or now
                if "verdict" in told and not job.verdict:
                    job.verdict = now
                    self.verdicts.append(now)
        return True

    def longest_gap(self, start, end, left_out):
        """Seconds without a verdict from `start` to `end`, outside of the intervals that are left out."""
        moments, longest = sorted(self.verdicts), 0.0
        edges = [start] + [until for _, until in left_out]
        for edge, limit in zip(edges, [at for at, _ in left_out] + [end]):
            inside = [edge] + [moment for moment in moments if edge < moment < limit] + [limit]
            longest = max([longest] + [b - a for a, b in zip(inside, inside[1:])])
        return longest
