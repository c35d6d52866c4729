"""Writers of the formats in docs/FORMATS.md.

They write what they are told and check nothing, so that one rule can be broken at a time and everything around it
still be signed, hashed and logged as it should be.
"""

import base64 as standard_base64
import hashlib

from . import ed25519

ORIGIN = b"vectors.example"
MEMBERS = ("ada", "bob", "cyd", "dee")
ED25519, COSIGNATURE = 1, 4
FIRST_COSIGNED = 1790000001


def octets(value):
    """Text and numbers as they stand in a line."""
    if isinstance(value, bytes):
        return value
    return str(value).encode()


def line(*fields):
    return b" ".join(octets(field) for field in fields) + b"\n"


def sha256(*parts):
    return hashlib.sha256(b"".join(octets(part) for part in parts)).digest()


def base64(data):
    return standard_base64.b64encode(data)


_keys = {}


def key(member, role):
    """The key pair of the label `<member> <role>`."""
    label = f"{member} {role}"
    if label not in _keys:
        _keys[label] = ed25519.Key(label)
    return _keys[label]


def key_id(name, kind, public):
    return sha256(name, b"\n", bytes([kind]), public)[:4]


def vkey(name, kind, public):
    return octets(name) + b"+" + key_id(name, kind, public).hex().encode() + b"+" + base64(bytes([kind]) + public)


def member_name(member, origin=ORIGIN):
    return octets(member) + b"." + origin


def log_vkey(member, origin=ORIGIN):
    return vkey(origin, ED25519, key(member, "log").public)


def witness_vkey(member, origin=ORIGIN):
    return vkey(member_name(member, origin), COSIGNATURE, key(member, "cosigner").public)


def builder_vkey(member, origin=ORIGIN, role="builder"):
    return vkey(member_name(member, origin), ED25519, key(member, role).public)


def policy(logs=("ada", "bob"), witnesses=MEMBERS, builders=MEMBERS, quorum=3, reproducers=3, origin=ORIGIN, edit=None):
    """A policy that wants so many of the witnesses and so many of the builders."""
    text = b""
    for member in logs:
        text += line("log", log_vkey(member, origin))
    for member in witnesses:
        text += line("witness", octets(member) + b"-cosigner", witness_vkey(member, origin))
    for member in builders:
        text += line("builder", member, builder_vkey(member, origin))
    text += line("group cosigners", quorum, *[octets(member) + b"-cosigner" for member in witnesses])
    text += line("group rebuilders", reproducers, *builders)
    text += b"quorum cosigners\nreproducers rebuilders\n"
    return edit(text) if edit else text


class Spec:
    LIMITS = (
        ("wall-seconds", 600),
        ("cpu-seconds", 1200),
        ("memory-bytes", 2147483648),
        ("processes", 256),
        ("disk-bytes", 4294967296),
        ("transcript-bytes", 1048576),
    )

    def __init__(self, edit=None, **changes):
        self.package = b"pkg:cargo/itoa@1.0.1"
        self.rebuild = 0
        self.toolchain = sha256("toolchain")
        self.target = b"x86_64-unknown-linux-gnu"
        self.profile = b"release"
        self.features = [b"std"]
        # purl, tree, claim or None, origin
        self.sources = [(b"pkg:cargo/itoa@1.0.1", sha256("itoa tree"), None, b"pkg:deb/debian/itoa@1")]
        self.lock = None
        self.environment = [(b"LC_ALL", b"C")]
        self.limits = dict(Spec.LIMITS)
        self.recipe = b"make\n"
        self.artifacts = [b"libitoa.rlib", b"share/LICENSE"]
        for name, value in changes.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self.edit = edit

    def encode(self):
        def optional(digest):
            return digest.hex() if digest else "-"

        text = b"synchronicity-spec/v1\n" + line("package", self.package) + line("rebuild", self.rebuild)
        text += line("toolchain", self.toolchain.hex()) + line("target", self.target) + line("profile", self.profile)
        for feature in self.features:
            text += line("feature", feature)
        for purl, tree, claim, origin in self.sources:
            text += line("source", purl, tree.hex(), optional(claim), origin)
        text += line("lock", optional(self.lock))
        for name, value in self.environment:
            text += line("environment", name + b"=" + value)
        for name, _ in Spec.LIMITS:
            text += line(name, self.limits[name])
        text += line("recipe", base64(self.recipe))
        for path in self.artifacts:
            text += line("artifact", path)
        return self.edit(text) if self.edit else text


def content(path, variant=""):
    """The bytes of an artifact: short, and different for each path and variant."""
    return b"artifact " + octets(path)[:64] + b" " + octets(variant) + b"\n"


class Artifact:
    def __init__(self, path, data, mode=0o644, size=None):
        self.path, self.data, self.mode = octets(path), data, mode
        self.size = len(data) if size is None else size
        self.sha256 = sha256(data)

    def line(self):
        return line("artifact", "%04o" % self.mode, self.size, self.sha256.hex(), self.path)


class Outcome:
    """Built, with artifacts, or failed, with a reason."""

    def __init__(self, artifacts=(), failed=None, edit=None):
        self.artifacts, self.failed = list(artifacts), failed
        text = b"synchronicity-outcome/v1\n"
        if failed:
            text += line("failed", failed)
        else:
            text += b"built\n" + b"".join(artifact.line() for artifact in self.artifacts)
        self.text = edit(text) if edit else text
        self.digest = sha256(self.text)


def built(variant="", spec=None, edit=None):
    spec = spec or Spec()
    return Outcome([Artifact(path, content(path, variant)) for path in spec.artifacts], edit=edit)


def opening(group, job, builder, outcome, nonce):
    return (
        line("group", group)
        + line("job", job.hex())
        + line("builder", builder)
        + line("outcome", outcome.hex())
        + line("nonce", base64(nonce))
    )


class Reveal:
    """A builder's line. What is signed follows the line but for what `signed` says otherwise."""

    def __init__(
        self,
        name,
        outcome=None,
        signer=None,
        signed=None,
        message=None,
        signature=None,
        nonce=None,
        sandbox=b"chroot/0.1",
        processor=b"Example CPU",
        kernel=b"Linux 6.1.0",
    ):
        self.name, self.outcome = octets(name), outcome or built()
        self.signer = signer or key(name if isinstance(name, str) else name.decode("latin-1"), "builder")
        self.signed, self.message, self.signature = signed or {}, message, signature
        self.nonce = nonce if nonce is not None else sha256("nonce of ", name)
        self.sandbox, self.processor, self.kernel = sandbox, processor, kernel

    def signature_on(self, group, job):
        if self.signature:
            return self.signature
        said = dict(
            group=group,
            job=job,
            builder=self.name,
            outcome=self.outcome.digest,
            nonce=self.nonce,
            sandbox=self.sandbox,
            processor=self.processor,
            kernel=self.kernel,
        )
        said.update(self.signed)
        text = b"synchronicity-reveal/v1\n" + opening(
            said["group"], said["job"], said["builder"], said["outcome"], said["nonce"]
        )
        for name in ("sandbox", "processor", "kernel"):
            text += line(name, said[name])
        return self.signer.sign(self.message(text) if self.message else text)

    def line(self, number, group, job):
        statement = b"|".join([self.sandbox, self.processor, self.kernel])
        return line("builder", self.name, number, base64(self.nonce), base64(self.signature_on(group, job)), statement)


class Absent:
    def __init__(self, name, why="no-reveal"):
        self.name, self.why, self.outcome = octets(name), why, None

    def line(self, number, group, job):
        return line("absent", self.name, self.why)


def some(*reports):
    """Reports of the whole group: those given, and for the other members absence."""
    given = {report.name for report in reports}
    return list(reports) + [Absent(name) for name in MEMBERS if octets(name) not in given]


def agreeing(*names, outcome=None):
    return [Reveal(name, outcome) for name in names]


class Evidence:
    """A leaf. Sorts, counts and judges as the format wants it, unless told otherwise."""

    def __init__(
        self,
        reports=None,
        spec=None,
        group=ORIGIN,
        epoch=1,
        height=42,
        time=1790000000000,
        submitter=b"ada",
        reproducers=3,
        verdict=None,
        count=None,
        outcomes=None,
        digest_only=(),
        is_sorted=True,
        edit=None,
    ):
        self.spec = spec or Spec()
        self.group, self.epoch, self.height, self.time = group, epoch, height, time
        self.submitter, self.reproducers = octets(submitter), reproducers
        self.reports = reports or some(*agreeing("ada", "bob", "dee", outcome=built(spec=self.spec)))
        if is_sorted:
            self.reports = sorted(self.reports, key=lambda report: report.name)
        self.outcomes = self._ranked() if outcomes is None else outcomes
        self.digest_only, self.edit = digest_only, edit
        self.job = sha256(self.spec.encode())
        supporters = [self._supporters(outcome) for outcome in self.outcomes]
        self.agreeing = count if count is not None else max(supporters, default=0)
        self.verdict = verdict or self._judge(supporters)

    def _supporters(self, outcome):
        return sum(1 for r in self.reports if r.outcome and r.outcome.digest == outcome.digest)

    def _ranked(self):
        seen = {report.outcome.digest: report.outcome for report in self.reports if report.outcome}
        return sorted(seen.values(), key=lambda outcome: (-self._supporters(outcome), outcome.digest))

    def _judge(self, supporters):
        if not supporters:
            return "inconclusive"
        leads = len(supporters) == 1 or supporters[1] < supporters[0]
        if leads and supporters[0] >= self.reproducers:
            return "failed" if self.outcomes[0].failed else "reproduced"
        return "diverged" if len(supporters) > 1 else "inconclusive"

    def number(self, report):
        if not report.outcome:
            return 0
        return [outcome.digest for outcome in self.outcomes].index(report.outcome.digest)

    def encode(self):
        spec = self.spec.encode()
        text = b"synchronicity-evidence/v1\n" + line("group", self.group) + line("epoch", self.epoch)
        text += line("height", self.height) + line("time", self.time) + line("submitter", self.submitter)
        text += line("reproducers", self.reproducers) + line("verdict", self.verdict) + line("agreeing", self.agreeing)
        text += line("spec", spec.count(b"\n")) + spec
        for number, outcome in enumerate(self.outcomes):
            listed = b"" if number in self.digest_only else outcome.text
            text += line("outcome", outcome.digest.hex(), listed.count(b"\n")) + listed
        for report in self.reports:
            text += report.line(self.number(report), self.group, self.job)
        return self.edit(text) if self.edit else text


def leaf_hash(leaf):
    return sha256(b"\0", leaf)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def tree_path(index, hashes):
    """The root over some leaf hashes, and the siblings on the way from one of them (RFC 6962 section 2.1)."""
    if len(hashes) == 1:
        return hashes[0], []
    half = 1
    while 2 * half < len(hashes):
        half *= 2
    if index < half:
        (left, path), (right, _) = tree_path(index, hashes[:half]), tree_path(0, hashes[half:])
        return node_hash(left, right), path + [right]
    (left, _), (right, path) = tree_path(0, hashes[:half]), tree_path(index - half, hashes[half:])
    return node_hash(left, right), path + [left]


def small_tree(leaf, index, size, leaf_hash=leaf_hash):
    """A log of `leaf 0`, `leaf 1` and so on, but for the one leaf."""
    return tree_path(index, [leaf_hash(leaf if i == index else b"leaf %d" % i) for i in range(size)])


def large_tree(leaf, index, size):
    """A log too large to be computed: the siblings are made up, the root is what they lead to."""
    node, path, level, last = leaf_hash(leaf), [], 0, size - 1
    while last > 0:
        sibling = sha256("sibling at level ", level)
        if index & 1:
            node, path = node_hash(sibling, node), path + [sibling]
        elif index < last:
            node, path = node_hash(node, sibling), path + [sibling]
        index, last, level = index >> 1, last >> 1, level + 1
    return node, path


def cosigned(time, body):
    return line("cosignature/v1") + line("time", time) + body


class Signature:
    """A signature line: a name, and a key ID with what follows it."""

    def __init__(self, name, identity, blob):
        self.name, self.identity, self.blob = octets(name), identity, blob

    def line(self):
        return "\u2014 ".encode() + self.name + b" " + base64(self.identity + self.blob) + b"\n"

    def replacing(self, **changes):
        made = Signature(self.name, self.identity, self.blob)
        for name, value in changes.items():
            assert hasattr(made, name), name
            setattr(made, name, value)
        return made


def log_signature(body, signer, name=ORIGIN):
    return Signature(name, key_id(name, ED25519, signer.public), signer.sign(body))


def cosignature(body, signer, name, time):
    blob = time.to_bytes(8, "big") + signer.sign(cosigned(time, body))
    return Signature(name, key_id(name, COSIGNATURE, signer.public), blob)


class Proof:
    """A proof file. By default the policy's thresholds are met with none to spare."""

    # What each said when it was made, before any damage (leaf, index, path, body), and the file that said it.
    made = {}

    def __init__(
        self,
        evidence=None,
        leaf=None,
        index=5,
        size=8,
        tree=small_tree,
        origin=ORIGIN,
        extension=b"",
        logs=("ada",),
        cosigners=("ada", "bob", "dee"),
        body=None,
        first_time=FIRST_COSIGNED,
        edit=None,
    ):
        self.evidence = evidence or (Evidence(group=origin) if leaf is None else None)
        self.leaf = self.evidence.encode() if leaf is None else leaf
        self.index, self.size = index, size
        self.root, self.path = tree(self.leaf, index, size)
        self.origin, self.edit = origin, edit
        self.body = line(origin) + line(size) + line(base64(self.root)) + extension
        if body:
            self.body = body(self.body)
        self.signatures = [log_signature(self.body, key(member, "log"), origin) for member in logs]
        for number, member in enumerate(cosigners):
            name = member_name(member, origin)
            self.signatures.append(cosignature(self.body, key(member, "cosigner"), name, first_time + number))
        Proof.made[self.leaf, index, tuple(self.path), self.body] = self._text()

    def note(self):
        return self.body + b"\n" + b"".join(signature.line() for signature in self.signatures)

    def _text(self):
        text = b"c2sp.org/tlog-proof@v1\n"
        if self.leaf:
            text += line("extra", base64(self.leaf))
        text += line("index", self.index) + b"".join(line(base64(sibling)) for sibling in self.path)
        return text + b"\n" + self.note()

    def encode(self):
        return self.edit(self._text()) if self.edit else self._text()


def lone(evidence=None, **settings):
    """The shortest that proves anything: one builder and one witness, for the policy `one`."""
    if evidence is None and "leaf" not in settings:
        evidence = Evidence([Reveal("dee")], reproducers=1)
    settings.setdefault("cosigners", ("dee",))
    return Proof(evidence, **settings)


VERDICTS = {"reproduced": 1, "diverged": 2, "failed": 3, "inconclusive": 4}
ABSENCES = {"no-commitment": 2, "no-reveal": 3, "wrong-opening": 4, "sandbox-fault": 5}
ZERO = bytes(32)


def describe(proof):
    """What a proof says, field by field as include/sync/verify.h has it."""
    evidence, spec = proof.evidence, proof.evidence.spec
    artifacts = evidence.outcomes[0].artifacts if evidence.verdict == "reproduced" else []
    name, _, version = spec.package.partition(b"/")[2].rpartition(b"@")
    rows = [
        ("log_origin", proof.origin),
        ("package", spec.package),
        ("package_name", name),
        ("package_version", version),
        ("submitter", evidence.submitter),
        ("job_id", evidence.job.hex()),
        ("source_sha256", next(tree for purl, tree, _, _ in spec.sources if purl == spec.package).hex()),
        ("toolchain_sha256", spec.toolchain.hex()),
        ("leaf_index", proof.index),
        ("tree_size", proof.size),
        ("epoch", evidence.epoch),
        ("height", evidence.height),
        ("time_milliseconds", evidence.time),
        ("verdict", VERDICTS[evidence.verdict]),
        ("agreeing", evidence.agreeing),
        ("reproducers", evidence.reproducers),
        ("builder_count", len(evidence.reports)),
        ("artifact_count", len(artifacts)),
        ("source_count", len(spec.sources)),
        ("signature_count", len(proof.signatures)),
        ("outcome_count", len(evidence.outcomes)),
    ]
    for i, report in enumerate(evidence.reports):
        is_revealed = report.outcome is not None
        values = [1 if is_revealed else ABSENCES[report.why], evidence.number(report), report.name]
        values += [report.sandbox, report.processor, report.kernel] if is_revealed else [b"", b"", b""]
        values.append((report.outcome.digest if is_revealed else ZERO).hex())
        rows += _numbered("builder", i, "state outcome name sandbox processor kernel outcome_sha256", values)
    for i, artifact in enumerate(artifacts):
        values = [artifact.path, artifact.size, artifact.mode, artifact.sha256.hex()]
        rows += _numbered("artifact", i, "path size mode sha256", values)
    for i, (purl, tree, claim, origin) in enumerate(spec.sources):
        values = [purl, origin, tree.hex(), (claim or ZERO).hex(), 1 if claim else 0]
        rows += _numbered("source", i, "package origin tree_sha256 claimed_sha256 has_claim", values)
    for i, signature in enumerate(proof.signatures):
        is_timed = len(signature.blob) == 72
        time = int.from_bytes(signature.blob[:8], "big") if is_timed else 0
        values = [signature.name, signature.identity.hex(), 1 if is_timed else 0, time]
        rows += _numbered("signature", i, "name key_id is_timed time_seconds", values)
    return b"".join(octets(name) + b"\t" + octets(value) + b"\n" for name, value in rows)


def _numbered(kind, i, names, values):
    names = names.split()
    assert len(names) == len(values)
    return [(f"{kind}.{i}.{name}", value) for name, value in zip(names, values)]


def flip(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def swap(old, new, count=1):
    """An edit: what stands exactly so often becomes something else."""
    old, new = octets(old), octets(new)

    def edit(text):
        assert text.count(old) == count, (old, text.count(old))
        return text.replace(old, new)

    return edit
