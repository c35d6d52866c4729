"""What happens to the group and when: a function of the seed, the time and the number of nodes alone."""
import dataclasses
import random

# A window in which a quorum may be missing is followed by one without faults, in which the group must recover.
RECOVERY_SECONDS = 20
# A node whose clock is off by more than this refuses the others' proposals, or they its own.
CRASH_LIKE = ["kill", "stop", "isolate", "clock", "mute", "kill", "cut", "disk", "clock", "deaf", "kill", "stop"]
AWAY = ["split", "kill-many", "power", "stop-many"]
LINKS = ["delay", "loss", "duplicate", "delay", "loss", "slow"]


@dataclasses.dataclass(frozen=True)
class Fault:
    at: float
    until: float
    kind: str
    nodes: tuple
    # By name: what the relay does to a pair, or the clock's "offset" in milliseconds.
    detail: dict = dataclasses.field(default_factory=dict)
    # The directed pairs of nodes that it touches, if it touches the network.
    pairs: tuple = ()

    @property
    def is_away(self):
        return self.kind in AWAY


class Deck:
    """Every kind comes before one comes again."""

    def __init__(self, chance, kinds):
        self.chance, self.kinds, self.left = chance, kinds, []

    def draw(self, allowed=lambda kind: True):
        for _ in range(2):
            for kind in self.left:
                if allowed(kind):
                    self.left.remove(kind)
                    return kind
            fresh = list(self.kinds)
            self.chance.shuffle(fresh)
            self.left += fresh
        raise ValueError("no kind is allowed")


def all_pairs(nodes):
    return [(a, b) for a in range(nodes) for b in range(nodes) if a != b]


def make(seed, seconds, nodes, disk_node):
    """Faults in the order of their beginnings; the full disk is `disk_node`'s alone."""
    # Text: Python's own hash of a tuple is no promise over versions.
    chance = random.Random(f"{seed} {seconds} {nodes}")
    faults = []
    crashes, aways, links = (Deck(chance, kinds) for kinds in (CRASH_LIKE, AWAY, LINKS))
    start = 2.0
    while start < seconds - 10:
        end = start + chance.uniform(25, 40)
        with_away = end + 15 + RECOVERY_SECONDS <= seconds
        if not with_away:
            end = seconds
        faults += _crash_phase(chance, crashes, start, end, nodes, disk_node)
        for _ in range(2):
            faults += _link_lane(chance, links, start, end, nodes)
        if not with_away:
            break
        away_end = end + chance.uniform(8, 14)
        faults.append(_away(chance, aways.draw(), end, away_end, nodes))
        start = away_end + RECOVERY_SECONDS
    return sorted((_rounded(fault) for fault in faults), key=lambda fault: (fault.at, fault.until, fault.kind))


def _rounded(fault):
    return dataclasses.replace(fault, at=round(fault.at, 2), until=round(fault.until, 2))


def _crash_phase(chance, deck, start, end, nodes, disk_node):
    """At no time more than f nodes are dead, stopped, cut off, full or off in their clocks."""
    faults = []
    slots = [start + chance.uniform(0, 4) for _ in range((nodes - 1) // 3)]
    while True:
        slot = min(range(len(slots)), key=lambda index: slots[index])
        at = slots[slot]
        if at + 3 > end:
            return faults
        # Those whose last fault is not over a while ago are taken.
        taken = {node for fault in faults if fault.until + 2 > at for node in fault.nodes}
        free = [node for node in range(nodes) if node not in taken]
        kind = deck.draw(lambda kind: kind != "disk" or disk_node in free)
        node = disk_node if kind == "disk" else chance.choice(free)
        until = min(at + _length(chance, kind), end)
        faults.append(_crash_like(chance, kind, at, until, node, nodes))
        slots[slot] = until + chance.uniform(2, 7)


def _length(chance, kind):
    if kind == "kill":
        return chance.choice([chance.uniform(0.1, 1), chance.uniform(1, 10)])
    if kind == "stop":
        return chance.uniform(1, 10)
    return chance.uniform(5, 18)


def _crash_like(chance, kind, at, until, node, nodes):
    others = [other for other in range(nodes) if other != node]
    if kind == "isolate":
        pairs = [pair for pair in all_pairs(nodes) if node in pair]
    elif kind == "mute":
        pairs = [(node, other) for other in others]
    elif kind == "deaf":
        pairs = [(other, node) for other in others]
    elif kind == "cut":
        pairs = [(node, chance.choice(others))]
    else:
        offset = int(1000 * chance.uniform(1, 120)) * chance.choice([-1, 1])
        return Fault(at, until, kind, (node,), {"offset": offset} if kind == "clock" else {})
    return Fault(at, until, kind, (node,), {"blocked": True}, tuple(pairs))


def _link_lane(chance, deck, start, end, nodes):
    """What TCP has to live with: no node counts as lost by it."""
    faults = []
    at = start + chance.uniform(0, 5)
    while at + 3 < end:
        until = min(at + chance.uniform(5, 15), end)
        kind = deck.draw()
        node, other = chance.sample(range(nodes), 2)
        pairs = chance.choice([
            all_pairs(nodes), [pair for pair in all_pairs(nodes) if node in pair], [(node, other), (other, node)],
            [(node, other)],
        ])
        delay = chance.randint(5, 200)
        state = {
            "delay": {"delay": delay, "jitter": chance.randint(0, delay)},
            "loss": {"loss": round(chance.uniform(0.01, 0.2), 3)},
            "duplicate": {"duplicate": round(chance.uniform(0.05, 0.5), 3)},
            "slow": {"rate": chance.randint(20_000, 200_000)},
        }[kind]
        faults.append(Fault(at, until, kind, (), state, tuple(pairs)))
        at = until + chance.uniform(1, 5)
    return faults


def _away(chance, kind, at, until, nodes):
    """More than f nodes are missing: nothing can be decided, and afterwards all must go on."""
    order = chance.sample(range(nodes), nodes)
    if kind == "power":
        return Fault(at, until, kind, tuple(range(nodes)))
    half = order[:nodes // 2]
    if kind == "split":
        pairs = [(a, b) for a, b in all_pairs(nodes) if (a in half) != (b in half)]
        return Fault(at, until, kind, tuple(sorted(half)), {"blocked": True}, tuple(pairs))
    count = chance.randint((nodes - 1) // 3 + 1, nodes - 1)
    return Fault(at, until, kind, tuple(sorted(order[:count])))
