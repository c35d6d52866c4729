"""Checks of the test's own parts: the plan keeps its promise, and the audit finds what is planted."""
import base64
import hashlib
import pathlib
import sqlite3
import tempfile

import audit
import plan


def check():
    for nodes in (4, 5, 6, 7):
        for seed in range(50):
            _check_plan(seed, nodes)
    for size in (1, 256, 300):
        _check_logs(size)
    with tempfile.TemporaryDirectory() as folder:
        _check_journals(pathlib.Path(folder))


def _check_plan(seed, nodes):
    faults = plan.make(seed, 240, nodes, 0)
    assert faults == plan.make(seed, 240, nodes, 0)
    alone = [fault for fault in faults if fault.kind in plan.CRASH_LIKE]
    for fault in alone:
        under = {node for other in alone if other.at <= fault.at < other.until for node in other.nodes}
        assert len(under) <= (nodes - 1) // 3, (seed, fault)
    for away in (fault for fault in faults if fault.is_away):
        end = away.until + plan.RECOVERY_SECONDS - 0.1
        rest = [fault for fault in faults if fault.until > away.at and fault.at < end]
        assert rest == [away], (seed, rest)
    assert all(0 < fault.at < fault.until <= 240 for fault in faults), seed


class Publisher:
    """A node that publishes a log of so many leaves."""

    def __init__(self, name, size):
        self.name = name
        entries = [bytes([number % 256]) * 20 for number in range(size)]
        hashes = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
        root = base64.b64encode(audit.tree_root(hashes)).decode()
        self.files = {"/checkpoint": f"x.example\n{size}\n{root}\n\n".encode()}
        for level, path in audit.tile_paths(size):
            above = hashes if level in ("entries", 0) else [audit.tree_root(hashes[:256])]
            first = 0 if level not in ("entries", 0) or ".p/" not in path else size - size % 256
            last = first + 256
            framed = b"".join(b"\0\x14" + entry for entry in entries[first:last])
            self.files[path] = framed if level == "entries" else b"".join(above[first:last])

    def get(self, path, _timeout):
        return self.files[path]


def _check_logs(size):
    good, bad = Publisher("good", size), Publisher("bad", size)
    assert audit.compare_logs([good, bad])[1] == []
    for path in list(bad.files):
        whole = bad.files[path]
        # The first byte behind the origin and the size, of a tile its last.
        bad.files[path] = whole[:-1] + bytes([whole[-1] ^ 1]) if path != "/checkpoint" else whole.replace(
            b"\n\n", b"\n", 1).replace(f"\n{size}\n".encode(), f"\n{size}\nAAAA".encode())
        assert audit.compare_logs([good, bad])[1], path
        bad.files[path] = whole


# Two facts about blocks, whether one is final, and no signers.
CERTIFICATE = bytes(2 * (8 * 3 + 32 + 8 + 32 + 1) + 2)


class Keeper:
    """A node's journal with the shortest blocks that there can be."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder / name
        (self.folder / "data").mkdir(parents=True)
        with sqlite3.connect(self.folder / "data/journal.sqlite") as journal:
            journal.execute("CREATE TABLE entry (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)")
            journal.execute("CREATE TABLE ahead (generation INTEGER NOT NULL, is_open INTEGER NOT NULL)")
            journal.execute("INSERT INTO ahead VALUES (7, 0)")
        self.block = bytes(34) + CERTIFICATE + bytes(5)
        for height in (1, 2):
            self.put(b"cd/" + height.to_bytes(8, "big"), self.block + CERTIFICATE)

    def put(self, key, value):
        with sqlite3.connect(self.folder / "data/journal.sqlite") as journal:
            journal.execute("INSERT OR REPLACE INTO entry VALUES (?, ?)", (key, value))

    def remove(self, key):
        with sqlite3.connect(self.folder / "data/journal.sqlite") as journal:
            journal.execute("DELETE FROM entry WHERE key = ?", (key,))


def _check_journals(folder):
    good, bad = Keeper(folder, "good"), Keeper(folder, "bad")
    assert audit.compare_journals([good, bad]) == (2, [])
    key = b"cd/" + (1).to_bytes(8, "big")
    whole = bad.block + CERTIFICATE
    for record in (b"\1" + whole[1:], whole[:-1], whole + b"\0"):
        bad.put(key, record)
        assert audit.compare_journals([good, bad])[1], record
    # Another certificate behind the same block is no difference.
    bad.put(key, bad.block + b"\1" + CERTIFICATE[1:])
    assert audit.compare_journals([good, bad]) == (2, [])
    bad.remove(key)
    assert audit.compare_journals([good, bad])[1]
    bad.put(key, whole)
    # Blocks of the next epoch count as well.
    later = [b"e" + (1).to_bytes(8, "big") + b"d/" + height.to_bytes(8, "big") for height in (1, 2)]
    for keeper in good, bad:
        keeper.put(later[0], whole)
    assert audit.compare_journals([good, bad]) == (3, [])
    bad.put(later[0], b"\1" + whole[1:])
    assert audit.compare_journals([good, bad])[1]
    bad.remove(later[0])
    bad.put(later[1], whole)
    assert audit.compare_journals([good, bad])[1]
    bad.put(later[0], whole)
    bad.remove(later[1])
    assert audit.compare_journals([good, bad]) == (3, [])
    bad.put(b"e" + (1).to_bytes(8, "big") + b"m/", b"")
    assert audit.compare_journals([good, bad])[1]
    bad.remove(b"e" + (1).to_bytes(8, "big") + b"m/")
    bad.put(b"cm/", b"")
    assert audit.compare_journals([good, bad])[1]
