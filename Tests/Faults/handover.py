"""The members hand over to the next epoch while faults go on, as docs/EPOCHS.md says it."""
import random
import subprocess
import threading
import traceback

from group import GATEWAY_PORT, REVEAL_SECONDS, Refused, run

NODE = f"http://127.0.0.1:{GATEWAY_PORT}"


class Handover:
    """One phase takes a second more in the next epoch; keys, members and addresses stay.

    What a node has taken and not got ordered is lost with it, so whoever's word is not seen by the group says it again.
    """

    def __init__(self, group, program, seed, seconds, find):
        self.builders, self.find = group.builders, find
        self.next, self.proof = group.folder / "next.txt", group.folder / "handover"
        run([program, "group", "next", "--reveal-seconds", REVEAL_SECONDS + 1, "--output", self.next,
             group.folder / "group.txt"])
        self.chance = random.Random(f"handover {seed}")
        self.at = self.chance.uniform(0.25, 0.5) * seconds
        self.words = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._hand_over, daemon=True)

    def start(self):
        self.thread.start()

    def stop(self):
        """Goes on until it has come to pass, or the judge has seen that it does not."""
        self.is_over.set()
        self.thread.join(90)

    def _hand_over(self):
        if self.is_over.wait(self.at):
            return None
        while not self.is_over.wait(1):
            try:
                up = [builder for builder in self.builders if builder.is_up and not builder.is_stopped]
                if any(self._epoch(builder) for builder in up):
                    return None
                self._say_once_more(up)
            except (Refused, IndexError, subprocess.TimeoutExpired):
                continue
            except Exception:  # pylint: disable=broad-except
                return self.find(f"the hand-over ended with {traceback.format_exc(limit=3)}")
        return None

    @staticmethod
    def _epoch(builder):
        try:
            return builder.json("/v1/status", 5)["epoch"]
        except Refused:
            return 0

    def _say_once_more(self, up):
        known = self.chance.choice(up).json("/v1/handovers", 5)["proposals"]
        said = {known[0]["proposer"], *known[0]["approvals"]} if known else set()
        missing = [builder for builder in self.builders if builder.name not in said]
        if not missing:
            return
        speaker = self.chance.choice(missing)
        self.words += 1
        done = self.chance.choice(up).command(
            "group", "approve" if known else "propose", "--config", speaker.folder / "config.toml", "--node", NODE,
            self.next)
        # 2: it was said already, or what is approved is not known there yet. 3: no answer, or not now.
        if done.returncode not in (0, 2, 3):
            self.find(f"{speaker.name} cannot hand over: {done.returncode} {done.stderr.strip()[:300]}")

    # MARK: afterwards

    def has_come(self):
        """Every builder is in the next epoch."""
        return all(builder.json("/v1/status", 10)["epoch"] == 1 for builder in self.builders)

    def fetch(self):
        done = self.builders[0].command("group", "handover", "--node", NODE, "--output", self.proof, 0)
        if done.returncode != 0:
            self.find(f"the hand-over cannot be fetched: {done.stderr.strip()[:300]}")
