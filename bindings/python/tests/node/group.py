"""Folders of builders, made with the program. SYNC_COMMAND names it."""

import os
import re
import subprocess
import sys
from typing import Dict, List, Sequence, Type

from words import Keys

from synchronicity import node as sync

COMMAND = os.environ["SYNC_COMMAND"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", ".."))
INCLUDE = os.environ.get("SYNC_INCLUDE", os.path.join(ROOT, "include"))


def command(*arguments: str) -> None:
    subprocess.run([COMMAND, *arguments], check=True, stdout=subprocess.PIPE)


def make_group(
    folder: str, names: Sequence[str], with_python_keys: Sequence[str] = (), keys: Type[Keys] = Keys, **options: int
) -> None:
    """A folder for each builder, and the files `group.txt` and `policy`."""
    chooser = [sys.executable, os.path.join(ROOT, "scripts", "free-ports"), str(2 * len(names))]
    ports = int(subprocess.check_output(chooser))
    cards: List[str] = []
    for place, name in enumerate(names):
        here = os.path.join(folder, name)
        address = f"127.0.0.1:{ports + 2 * place}"
        command(
            "init", "--quiet", "--name", name, "--address", address, "--listen", address,
            "--gateway", f"127.0.0.1:{ports + 2 * place + 1}", "--directory", here)
        path = os.path.join(here, "config.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        changes = {
            "sandbox": 'sandbox = "py-echo"',
            "source": 'source = "py-words"',
            "group": 'group = "../group.txt"',
        }
        if name in with_python_keys:
            changes["source"] += '\nsigner = "py-keys"\nstorage = "py-map"'
            take_keys(os.path.join(here, f"{name}.member"), name, keys)
        for key, line in changes.items():
            text, count = re.subn(rf"^{key} = .*$", line, text, flags=re.MULTILINE)
            assert count == 1, key
        text = text.replace('\ndata = "data"\n', '\ndata = "data"\ncache = "cache"\n', 1)
        text += f'\n[toolchain]\ndigest = "{7:064}"\n'
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        cards.append(os.path.join(here, f"{name}.member"))
    given = {"commit_seconds": 12, "reveal_seconds": 12, **options}
    words = [word for key, value in given.items() for word in ("--" + key.replace("_", "-"), str(value))]
    command(
        "group", "create", "--origin", "python.example", *words, "--output", os.path.join(folder, "group.txt"),
        "--policy", os.path.join(folder, "policy"), *cards)


def take_keys(card: str, name: str, keys: Type[Keys] = Keys) -> None:
    """Puts the keys of the signer in Python into a member's card."""
    with open(card, encoding="utf-8") as file:
        text = file.read()
    for role in sync.KeyRole:
        if role is not sync.KeyRole.UNKNOWN:
            text = re.sub(
                rf"^{role.name.lower()}-key .*$", f"{role.name.lower()}-key {keys.pair(name, role)[0].hex()}", text,
                flags=re.MULTILINE)
    with open(card, "w", encoding="utf-8") as file:
        file.write(text)


def configuration(folder: str, extra: str = "") -> str:
    with open(os.path.join(folder, "config.toml"), encoding="utf-8") as file:
        return file.read() + extra


def threads_and_descriptors() -> Dict[str, int]:
    return {name: len(os.listdir(f"/proc/self/{name}")) for name in ("task", "fd")}
