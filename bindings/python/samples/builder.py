"""A builder in Python: `builder.py CONFIG` takes part until Ctrl-C, `builder.py CONFIG PACKAGE` rebuilds one package.

Its sandbox runs recipes as plain processes of this host: it isolates NOTHING and is for trying things out. The
configuration says sandbox = "plain", and may say source = "folders", which source.py has; everything else is built in,
or comes from plugins in [plugins] libraries.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterable

from source import Folders
from synchronicity import Verdict
from synchronicity.node import Call, Ending, Finding, LogLevel, Node, NodeError, PluginCode, PluginFailure, Registry
from synchronicity.node import RunRequest, RunResult, Sandbox


class Plain(Sandbox):
    name = "plain"
    version = "1"

    def probe(self, call: Call) -> Iterable[Finding]:
        yield Finding("isolation", "there is none", is_weaker=True)

    def has_toolchain(self, toolchain: str, call: Call) -> bool:
        return True  # It is the host.

    def prepare(self, toolchain: str, archive: str, call: Call) -> None:
        raise PluginFailure(PluginCode.UNAVAILABLE, "This sandbox unpacks nothing")

    def run(self, request: RunRequest, call: Call) -> RunResult:
        # Recipes know /input/… and /output; without a file system of its own the run gets the host's paths.
        script = Path(request.host_path("/input/recipe.sh")).read_text(encoding="utf-8")
        for mount in sorted(request.mounts, key=lambda mount: -len(mount.inside_path)):
            script = script.replace(mount.inside_path, mount.host_path)
        begun, ending = time.monotonic(), Ending.EXITED
        with open(os.path.join(request.scratch_directory, "transcript"), "w+b") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", script], env=dict(request.environment), cwd=request.scratch_directory,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
            while process.poll() is None:
                if time.monotonic() > begun + request.wall_seconds:
                    ending = Ending.WALL_TIME_EXCEEDED
                if call.wait_until_cancelled(0.05) or ending is not Ending.EXITED:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            output.seek(0)
            if not call.is_cancelled and not call.add_transcript(output.read(request.transcript_bytes + 1)):
                ending = Ending.TRANSCRIPT_EXCEEDED
        took = int((time.monotonic() - begun) * 1e9)
        if ending is Ending.EXITED and process.returncode < 0:
            ending = Ending.SIGNALLED
        status = abs(process.returncode) if ending in (Ending.EXITED, Ending.SIGNALLED) else 0
        return RunResult(ending, status, wall_nanoseconds=took)


def log(level: LogLevel, line: str) -> None:
    print(f"{level.name.lower()}: {line}", file=sys.stderr)


with Registry() as registry:
    registry.add(Plain)
    registry.add(Folders)
    try:
        with Node.load(sys.argv[1], registry=registry, log=log) as node, node.events() as events:
            node.start()
            if len(sys.argv) > 2:
                job = node.submit(sys.argv[2], timeout=3600)
                print((node.wait(job).verdict or Verdict.UNKNOWN).name.lower())
                with open(f"{job.hex()}.tlog-proof", "wb") as file:
                    file.write(node.proof(job))
            else:
                for event in events:
                    print(event.kind.name.lower(), event.job.hex() if event.job else "-", event.number, event.text)
    except KeyboardInterrupt:
        pass
    except NodeError as error:
        sys.exit(f"builder: {error}")
