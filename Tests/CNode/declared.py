#!/usr/bin/env python3
"""Prints the names of all functions that the given headers declare, one a line, sorted; with --forms instead a piece of
C, or of C++, that includes one header alone and has a function that uses all of its SYNC_…_INIT.

  declared.py HEADER…
  declared.py --forms HEADER
"""
import pathlib
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
BODY = re.compile(r"\{[^{}]*\}")
FUNCTION = re.compile(r"(\w+)\s*\(")
FORM = re.compile(r"^#define (SYNC_\w+_INIT)\b", re.M)


def text(path):
    return COMMENT.sub("", pathlib.Path(path).read_text("ascii"))


def functions(path):
    """What stands before the first parenthesis of each declaration; what typedef declares is a type."""
    rest = DIRECTIVE.sub("", text(path)).replace('extern "C" {', "")
    while BODY.search(rest):
        rest = BODY.sub("", rest)
    for declaration in rest.split(";"):
        declaration = declaration.strip()
        found = FUNCTION.search(declaration)
        if found and not declaration.startswith("typedef"):
            yield found.group(1)


def forms(path):
    print(f"#include <sync/{pathlib.Path(path).name}>\n#include <stddef.h>")
    print("int use(void);\nint use(void) {\n  size_t sum = 0;")
    for name in sorted(set(FORM.findall(text(path)))):
        kind = name.removesuffix("_INIT").lower()
        print(f"  {kind} of_{kind} = {name};\n  sum += of_{kind}.struct_size;")
    print("  return (int)sum;\n}")


def main(arguments):
    if not arguments or arguments[0] == "--forms" and len(arguments) != 2:
        sys.exit("usage: declared.py HEADER…, or declared.py --forms HEADER")
    if arguments[0] == "--forms":
        return forms(arguments[1])
    for name in sorted({name for path in arguments for name in functions(path)}):
        print(name)


main(sys.argv[1:])
