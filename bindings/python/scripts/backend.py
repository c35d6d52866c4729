"""Builds the wheel with nothing but the standard library (PEP 517), the same bytes from the same input.

The library to carry inside is named by SYNC_LIBRARY. Times come from SOURCE_DATE_EPOCH, else they are 1980-01-01.
"""

import base64
import hashlib
import os
import re
import struct
import time
import zipfile

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGE = os.path.join(_HERE, "src", "synchronicity")
_LIBRARY = "libsyncverify.so.1"
_LICENSE = os.path.join(_HERE, "..", "..", "LICENSE")
_MACHINES = {62: "x86_64", 183: "aarch64"}


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517's hook: returns the file name of the wheel that it has written."""
    project = _project()
    library = _read(_library_path())
    files = {f"synchronicity/{_LIBRARY}": library}
    for name in os.listdir(_PACKAGE):
        if name.endswith(".py") or name == "py.typed":
            files[f"synchronicity/{name}"] = _read(os.path.join(_PACKAGE, name))
    tag = f"py3-none-{_platform(library)}"
    info = f"{project['name']}-{project['version']}.dist-info"
    files.update({f"{info}/{name}": data for name, data in _metadata(project, tag).items()})
    files[f"{info}/RECORD"] = _record(files, f"{info}/RECORD")
    wheel = f"{project['name']}-{project['version']}-{tag}.whl"
    _write(os.path.join(wheel_directory, wheel), files, last=f"{info}/")
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    """PEP 517's other hook: a source archive would lack the library, which is not built here."""
    raise NotImplementedError("there is no source archive: build a wheel")


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _library_path():
    path = os.environ.get("SYNC_LIBRARY", "")
    if not os.path.isfile(path):
        raise SystemExit(f"SYNC_LIBRARY={path!r} is no file; name the {_LIBRARY} that the wheel is to carry")
    return path


def _project():
    """The plain strings of pyproject.toml's [project]: Python has no TOML reader before 3.11."""
    text = _read(os.path.join(_HERE, "pyproject.toml")).decode("utf-8")
    section = text.split("[project]\n")[1].split("\n[")[0]
    return dict(re.findall(r'^([a-z-]+) = "([^"\\]*)"$', section, re.MULTILINE))


def _platform(library):
    """The tag of PEP 600: the processor, and the oldest glibc that has every symbol version the library names."""
    is_elf64 = library[:6] == b"\x7fELF\x02\x01"
    machine = _MACHINES.get(struct.unpack_from("<H", library, 18)[0]) if is_elf64 else None
    versions = [(int(a), int(b)) for a, b in re.findall(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])", library)]
    if machine is None or not versions:
        raise SystemExit("the library is no ELF file for glibc on " + " or ".join(_MACHINES.values()))
    major, minor = max(versions)
    return f"manylinux_{major}_{minor}_{machine}"


def _metadata(project, tag):
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        "License: Apache-2.0",
        "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        "Classifier: Operating System :: POSIX :: Linux",
        "Classifier: Typing :: Typed",
        "Description-Content-Type: text/markdown",
        "",
        _read(os.path.join(_HERE, project["readme"])).decode("utf-8"),
    ]
    wheel = ["Wheel-Version: 1.0", "Generator: synchronicity", "Root-Is-Purelib: false", f"Tag: {tag}", ""]
    return {
        "METADATA": "\n".join(metadata).encode("utf-8"),
        "WHEEL": "\n".join(wheel).encode("utf-8"),
        "LICENSE": _read(_LICENSE),
    }


def _record(files, itself):
    lines = []
    for name in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode("ascii")
        lines.append(f"{name},sha256={digest},{len(files[name])}\n")
    return "".join([*lines, f"{itself},,\n"]).encode("utf-8")


def _write(path, files, last):
    """Sorted, the metadata at the end as PEP 427 advises; stored, because compressed bytes depend on the zlib."""
    moment = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800))[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files, key=lambda name: (name.startswith(last), name)):
            entry = zipfile.ZipInfo(name, moment)
            entry.create_system = 3
            entry.external_attr = (0o100755 if name.endswith(_LIBRARY) else 0o100644) << 16
            archive.writestr(entry, files[name])
