"""Audits what the nodes publish: an implementation of RFC 6962 and C2SP tlog-tiles of its own."""
import base64
import contextlib
import hashlib
import sqlite3


def tile_name(index):
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    return "/".join(reversed(groups))


def tile_paths(size):
    """Of every tile of a tree of so many leaves: hashes of all levels, then the entries."""
    for level in ["entries", *range(6)]:
        count = size >> (0 if level == "entries" else 8 * level)
        for index in range(count >> 8):
            yield level, f"/tile/{level}/{tile_name(index)}"
        if count & 255:
            yield level, f"/tile/{level}/{tile_name(count >> 8)}.p/{count & 255}"


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    """RFC 6962, 2.1, of leaf hashes."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return node_hash(tree_root(hashes[:split]), tree_root(hashes[split:]))


def leaves(bundle):
    found, at = [], 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at:at + 2], "big")
        found.append(bundle[at + 2:at + 2 + length])
        if len(found[-1]) != length:
            raise ValueError("an entry bundle ends within a leaf")
        at += 2 + length
    return found


class Log:
    """All that one node publishes of the log."""

    def __init__(self, builder):
        self.name = builder.name
        note = builder.get("/checkpoint", 30).decode()
        self.origin, size, root = note.split("\n")[:3]
        self.size, self.root = int(size), base64.b64decode(root)
        self.tiles = {path: builder.get(path, 30) for _, path in tile_paths(self.size)}

    def faults(self):
        """What does not fit together, as sentences."""
        found = []
        entries = [leaf for level, path in tile_paths(self.size) if level == "entries" for leaf in
                   leaves(self.tiles[path])]
        hashes = [hashlib.sha256(b"\0" + leaf).digest() for leaf in entries]
        if len(hashes) != self.size:
            found.append(f"{self.name} publishes {len(hashes)} entries of {self.size}")
        if tree_root(hashes) != self.root:
            found.append(f"{self.name}: the checkpoint's root is not that of the entries")
        for level in range(6):
            tiles = b"".join(self.tiles[path] for at, path in tile_paths(self.size) if at == level)
            # One hash of the level above stands for 256 of this one.
            if tiles != b"".join(hashes):
                found.append(f"{self.name}: the tiles of level {level} are not those of the entries")
            hashes = [tree_root(hashes[at:at + 256]) for at in range(0, len(hashes) - 255, 256)]
        return found


def compare_logs(builders):
    logs = [Log(builder) for builder in builders]
    found = [fault for log in logs for fault in log.faults()]
    first = logs[0]
    for log in logs[1:]:
        if (log.origin, log.size, log.root) != (first.origin, first.size, first.root):
            found.append(f"the checkpoints of {first.name} and {log.name} differ: {first.size} and {log.size} leaves")
        elif log.tiles != first.tiles:
            paths = [path for path in first.tiles if log.tiles.get(path) != first.tiles[path]]
            found.append(f"{first.name} and {log.name} publish other bytes at {', '.join(paths[:5])}")
    return logs, found


class Reader:
    """The encodings of docs/consensus-protocol.md, as far as it takes to find where a block ends."""

    def __init__(self, content):
        self.content, self.at = content, 0

    def number(self, size):
        return int.from_bytes(self.skip(size), "big")

    def skip(self, size):
        part = self.content[self.at:self.at + size]
        if len(part) != size:
            raise ValueError("a record of the journal is cut off")
        self.at += size
        return part

    def optional(self, read):
        if self.number(1):
            read()

    def block_info(self):
        self.skip(8 * 3 + 32 + 8 + 32)
        self.optional(lambda: self.skip(32))

    def certificate(self):
        self.block_info()
        self.block_info()
        self.optional(self.block_info)
        bitmap = self.skip(self.number(1))
        self.skip(64 * sum(byte.bit_count() for byte in bitmap))

    def timeout_certificate(self):
        self.skip(8 * 2)
        self.certificate()
        self.skip(self.number(4) * (2 + 8 + 64))

    def block(self):
        self.skip(8 * 3 + 2 + 8)
        self.certificate()
        self.optional(self.timeout_certificate)
        for _ in range(self.number(4)):
            self.skip(self.number(4))


def decided_block(record):
    """A `d/` record without the certificate behind the block, which may have other signers at each node."""
    reader = Reader(record)
    reader.block()
    end = reader.at
    reader.certificate()
    if reader.at != len(record):
        raise ValueError("a record of the journal is longer than its block and certificate")
    return hashlib.sha256(record[:end]).digest()


def consensus_key(key):
    """The epoch of a record of the consensus, and its key there; None for what is another's."""
    if key[:1] == b"c":
        return 0, key[1:]
    return (int.from_bytes(key[1:9], "big"), key[9:]) if key[:1] == b"e" else None


def journal_blocks(builder):
    """The decided blocks by epoch and height and the proofs of misbehaviour in a journal whose node has ended."""
    blocks, accused = {}, 0
    with contextlib.closing(sqlite3.connect(builder.folder / "data/journal.sqlite")) as journal:
        if journal.execute("SELECT is_open FROM ahead").fetchone() != (0,):
            raise ValueError("its node was not stopped, so that batches may be in the file beside it alone")
        for key, value in journal.execute("SELECT key, value FROM entry WHERE key >= ? AND key < ?", (b"c", b"f")):
            epoch, rest = consensus_key(key) or (None, b"")
            if rest.startswith(b"d/"):
                blocks[epoch, int.from_bytes(rest[2:], "big")] = decided_block(value)
            accused += rest.startswith(b"m/")
    return blocks, accused


def gaps(blocks):
    """Whether an epoch's heights are not 1, 2, 3 and so on."""
    epochs = {epoch for epoch, _ in blocks}
    heights = [sorted(height for epoch, height in blocks if epoch == this) for this in sorted(epochs)]
    return sorted(epochs) != list(range(len(epochs))) or any(
        numbers != list(range(1, len(numbers) + 1)) for numbers in heights)


def compare_journals(builders):
    found, chains = [], []
    for builder in builders:
        try:
            blocks, accused = journal_blocks(builder)
        except (sqlite3.Error, ValueError) as error:
            found.append(f"the journal of {builder.name} cannot be read: {error}")
            continue
        chains.append((builder.name, blocks))
        if accused:
            found.append(f"the journal of {builder.name} holds {accused} proofs of misbehaviour")
        if gaps(blocks):
            found.append(f"the journal of {builder.name} has gaps among its {len(blocks)} blocks")
    for (first, ours), (other, theirs) in zip(chains, chains[1:]):
        both = ours.keys() & theirs.keys()
        for epoch, height in sorted(place for place in both if ours[place] != theirs[place])[:3]:
            found.append(f"{first} and {other} decided different blocks at height {height} of epoch {epoch}")
    return len(min((blocks for _, blocks in chains), key=len, default=())), found
