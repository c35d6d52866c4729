"""A source in Python: a package pkg:generic/NAME@VERSION is a folder of yours, DIRECTORY/NAME/VERSION.

Its recipe.sh finds the folder's other files in /input/package and writes /output/NAME:

    DIRECTORY/hello/1.0/recipe.sh       tr a-z A-Z </input/package/words.txt >/output/hello
    DIRECTORY/hello/1.0/words.txt

The configuration says source = "folders", and in [settings.folders] directory = "/absolute/path", and seconds where a
build may take more or less than 600. Builders fetch from their own folders: the same must be in all of them.
"""

import base64
import hashlib
import os
import re
import shutil
import stat
from typing import Iterator, Tuple

from synchronicity.node import Call, CreateRequest, FetchRequest, PluginCode, PluginFailure, ResolveRequest, Source

PART = r"[A-Za-z0-9_+~][A-Za-z0-9._+~-]*"
PACKAGE = re.compile(rf"pkg:generic/({PART})@({PART})")
RECIPE = "recipe.sh"


def files(folder: str) -> Iterator[Tuple[str, str]]:
    """What a tree is made of, by its relative path: all but the recipe, which the spec carries."""
    for here, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(here, name)
            relative, mode = os.path.relpath(path, folder), os.lstat(path).st_mode
            if not name.isprintable() or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise PluginFailure(PluginCode.INVALID, f"{relative!r} is no plain file, or not plainly named")
            if stat.S_ISREG(mode) and relative != RECIPE:
                yield relative, path


def tree(folder: str) -> str:
    """The digest of a source tree, as docs/FORMATS.md has it."""
    digest = hashlib.sha256(b"synchronicity-tree/v1\n")
    for relative, path in sorted(files(folder), key=lambda file: file[0].encode()):
        with open(path, "rb") as file:
            content = file.read()
        mode = 755 if os.stat(path).st_mode & stat.S_IXUSR else 644
        line = f"file {mode} {len(content)} {hashlib.sha256(content).hexdigest()} {relative}\n"
        digest.update(line.encode())
    return digest.hexdigest()


class Folders(Source):
    name = "folders"
    version = "1"
    type = "generic"
    origin_type = "generic"

    def __init__(self, request: CreateRequest) -> None:
        self.directory = request.settings.get("directory", "")
        if not os.path.isabs(self.directory) or not os.path.isdir(self.directory):
            raise PluginFailure(PluginCode.INVALID, "settings.folders.directory must be the absolute path of a folder")
        self.seconds = int(request.settings.get("seconds", "600"))

    def find(self, package: str) -> Tuple[str, str]:
        """A package's folder and name."""
        match = PACKAGE.fullmatch(package)
        if match is None:
            raise PluginFailure(PluginCode.INVALID, "Packages here are pkg:generic/NAME@VERSION")
        name, version = match.groups()
        folder = os.path.join(self.directory, name, version)
        if not os.path.isfile(os.path.join(folder, RECIPE)):
            raise PluginFailure(PluginCode.NOT_FOUND, f"There is no {name}/{version}/{RECIPE}")
        return folder, name

    def resolve(self, request: ResolveRequest, call: Call) -> str:
        folder, name = self.find(request.package)
        if request.features or request.programs or request.normalise or request.profile not in (None, "release"):
            raise PluginFailure(PluginCode.INVALID, "These packages are built in one way alone")
        with open(os.path.join(folder, RECIPE), "rb") as file:
            recipe = b"set -eu\n" + file.read()
        return "\n".join(
            [
                "synchronicity-spec/v1",
                f"package {request.package}",
                f"rebuild {request.rebuild}",
                f"toolchain {request.toolchain}",
                f"target {request.target or 'none'}",
                "profile release",
                f"source {request.package} {tree(folder)} - {request.package}",
                "lock -",
                "environment LC_ALL=C",
                "environment PATH=/usr/bin:/bin",
                f"wall-seconds {self.seconds}",
                f"cpu-seconds {self.seconds}",
                f"memory-bytes {1 << 30}",
                "processes 256",
                f"disk-bytes {1 << 30}",
                f"transcript-bytes {1 << 20}",
                f"recipe {base64.b64encode(recipe).decode()}",
                f"artifact {name}",
                "",
            ])

    def fetch(self, request: FetchRequest, call: Call) -> None:
        folder, _ = self.find(request.origin)
        os.mkdir(request.directory)
        for relative, path in files(folder):
            if call.is_cancelled:
                raise PluginFailure(PluginCode.CANCELLED)
            target = os.path.join(request.directory, relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(path, target)
