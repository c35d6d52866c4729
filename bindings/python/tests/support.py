"""Where the vectors are, and how they are read. SYNC_VECTORS names their folder, SYNC_INCLUDE that of the C headers,
SYNC_LAYOUT what Tests/CABI/layout.c has printed."""

import os
from typing import Dict, List

VECTORS = os.environ["SYNC_VECTORS"]
INCLUDE = os.environ["SYNC_INCLUDE"]
LAYOUT = os.environ["SYNC_LAYOUT"]
REPOSITORY_INCLUDE = os.path.join(os.path.dirname(__file__), "..", "..", "..", "include")


def path(*parts: str) -> str:
    return os.path.join(VECTORS, *parts)


def read(*parts: str) -> bytes:
    with open(path(*parts), "rb") as file:
        return file.read()


def rows(name: str) -> List[Dict[str, str]]:
    """A table's rows by its columns' names, which stand in its first line behind a `#`."""
    lines = read(name).decode("utf-8").split("\n")
    columns = lines[0].lstrip("# ").split("\t")
    return [dict(zip(columns, line.split("\t"))) for line in lines[1:] if line]


def accepted(name: str = "all-four") -> Dict[str, str]:
    """One case that is accepted."""
    return next(row for row in rows("cases.tsv") if row["name"] == name and row["status"] == "0")
