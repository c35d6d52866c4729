"""The builders: folders, processes, clocks, disks, and questions to their gateways."""
import hashlib
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tarfile

import network

NAMES = ["alder", "birch", "cedar", "elm", "fir", "hazel", "larch"]
GATEWAY_PORT = 7680
TRANSPORT_PORT = 7600
COMMIT_SECONDS = 180
REVEAL_SECONDS = 60
# Journals, attempts and artifacts of an hour; small enough to be filled at once.
DISK_MEGABYTES = 192
# As the other toolchains have it; the same bytes every time.
TAR_TIME = 1_700_000_000


class Refused(Exception):
    """No answer, or one that is no success."""


class Builder:
    def __init__(self, index, folder, namespace, program):
        self.index, self.namespace, self.program = index, namespace, program
        self.name = NAMES[index]
        self.folder = folder / self.name
        self.log = folder / f"{self.name}.log"
        self.clock = folder / f"{self.name}.clock"
        self.library = folder / "clock.so"
        self.process = None
        # Counts the starts: what a process has only in memory ends with it.
        self.life = 0
        # The newest that it was seen in; what it had in memory alone is forgotten at an epoch's end as well.
        self.epoch = 0
        # Views that it has given up, as it last told of each of its lives and epochs.
        self.given_up = {}
        self.is_stopped = False
        self.set_clock(0)

    # MARK: the process

    @property
    def is_up(self):
        # Read once: other threads end it and start it anew.
        process = self.process
        return process is not None and process.poll() is None

    def start(self):
        """The process dies with the thread that calls this."""
        environment = dict(os.environ, LD_PRELOAD=str(self.library), SYNC_CLOCK_FILE=str(self.clock))
        preload = [f"{name}={environment.pop(name)}" for name in ("LD_PRELOAD", "SYNC_CLOCK_FILE")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.namespace.entrance, "setpriv", "--pdeathsig", "KILL", "env", *preload, self.program, "node",
                 "run", "--config", str(self.folder / "config.toml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.life += 1
        self.is_stopped = False

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        self.is_stopped = False

    def stop(self):
        if self.is_up:
            self.process.send_signal(signal.SIGSTOP)
            self.is_stopped = True

    def go_on(self):
        if self.is_up:
            self.process.send_signal(signal.SIGCONT)
        self.is_stopped = False

    def end(self, seconds):
        """As an operator does; whether it ended by itself in time, with status 0."""
        if self.process is None:
            return True
        self.process.terminate()
        try:
            return self.process.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            return False

    def set_clock(self, milliseconds):
        mode = "r+b" if self.clock.exists() else "wb"
        with open(self.clock, mode, buffering=0) as file:
            file.write(struct.pack("=q", milliseconds))

    # MARK: the disk

    @property
    def ballast(self):
        return self.folder / "data" / "ballast"

    def fill(self):
        """Takes all room that is left, and again what was freed since."""
        with open(self.ballast, "ab") as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        os.write(file.fileno(), bytes(size))
                except OSError:
                    pass

    def free(self):
        self.ballast.unlink(missing_ok=True)

    # MARK: the gateway

    def request(self, method, path, body=None, timeout=5.0):
        connection = http.client.HTTPConnection("127.0.0.1", GATEWAY_PORT)
        try:
            connection.sock = self.namespace.connect(GATEWAY_PORT, timeout)
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"{self.name}: {error!r}") from None
        finally:
            connection.close()
        if answer.status not in (200, 202):
            raise Refused(f"{self.name}: {path}: {answer.status} {content[:200].decode(errors='replace')}")
        return content

    def get(self, path, timeout=5.0):
        return self.request("GET", path, None, timeout)

    def json(self, path, timeout=5.0):
        return json.loads(self.get(path, timeout))

    def all_jobs(self):
        """By their names."""
        jobs, before = {}, ""
        while True:
            page = self.json(f"/v1/jobs?limit=200{before}", 30)
            jobs.update((job["id"], job) for job in page["jobs"])
            if "next" not in page:
                return jobs
            before = f"&before={page['next']}"

    def command(self, *arguments, timeout=120):
        """A command of the program beside this builder, without its clock."""
        return subprocess.run(
            [*self.namespace.entrance, self.program, *map(str, arguments)], capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL)


class Group:
    """Made as the README says it, on the fixtures' crates."""

    def __init__(self, root, folder, program, namespaces, disk_node):
        self.folder = folder
        self.policy = folder / "policy"
        (folder / "toolchains").mkdir()
        rust = run([root / "scripts/toolchain", "rust", "--path"]).strip()
        self.rust = pathlib.Path(rust).stem
        (folder / "toolchains" / f"{self.rust}.tar").symlink_to(rust)
        quick = quick_toolchain(run([root / "scripts/toolchain", "tiny", "--path"]).strip(), folder / "toolchains")
        run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", folder / "clock.so",
             pathlib.Path(__file__).parent / "clock.c"])
        self.builders = [Builder(index, folder, namespace, program) for index, namespace in enumerate(namespaces)]
        self.disk = self.builders[disk_node].folder / "data"
        for builder in self.builders:
            run([program, "init", "--quiet", "--name", builder.name, "--address",
                 f"{network.address(builder.index)}:{TRANSPORT_PORT}", "--gateway", f"127.0.0.1:{GATEWAY_PORT}",
                 "--directory", builder.folder])
            shutil.copytree(root / "Tests/Fixtures/crates", builder.folder / "crates")
            self._configure(builder.folder / "config.toml", quick)
        run([program, "group", "create", "--origin", "faults.example", "--commit-seconds", COMMIT_SECONDS,
             "--reveal-seconds", REVEAL_SECONDS, "--output", folder / "group.txt", "--policy", self.policy,
             *(builder.folder / f"{builder.name}.member" for builder in self.builders)])
        for builder in self.builders:
            run([program, "group", "join", "--config", builder.folder / "config.toml", folder / "group.txt"])
        self.disk.mkdir(exist_ok=True)
        run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m,mode=0700", "faults", self.disk])

    @staticmethod
    def _configure(path, toolchain):
        text = path.read_text()
        for old, new in (
            ('source = "debian-crates"', 'source = "directory"'),
            ('# source-directory = "crates"', 'source-directory = "crates"'),
            # Who is connected with whom, and why not.
            ('level = "info"', 'level = "debug"'),
        ):
            if old not in text:
                raise SystemExit(f"test-faults: {path} has no line {old}")
            text = text.replace(old, new)
        path.write_text(f'{text}\n[toolchain]\ndigest = "{toolchain}"\ndirectories = ["../toolchains"]\n')

    def remove(self):
        for builder in self.builders:
            builder.kill()
        if os.path.ismount(self.disk):
            subprocess.run(["umount", "--lazy", str(self.disk)], check=False)


def quick_toolchain(tiny, folder):
    """The tiny toolchain with stand-ins for cargo and rustc, which take no time to speak of; its digest."""
    path = folder / "quick.tar"
    with tarfile.open(tiny) as old, tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as new:
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
        for tool in ("cargo", "rustc"):
            content = (pathlib.Path(__file__).parent / "quick" / tool).read_bytes()
            member = tarfile.TarInfo(f"./usr/local/bin/{tool}")
            member.mode, member.size, member.mtime = 0o755, len(content), TAR_TIME
            new.addfile(member, io.BytesIO(content))
        for tool in ("awk", "grep", "sed"):
            member = tarfile.TarInfo(f"./usr/local/bin/{tool}")
            member.type, member.linkname, member.mtime = tarfile.SYMTYPE, "../../bin/busybox", TAR_TIME
            new.addfile(member)
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path.rename(folder / f"{digest}.tar")
    return digest


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"test-faults: {' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
