#!/usr/bin/env python3
"""Writes a C program that prints the size of every struct of the given headers, and each field's offset and size.

  layout.py HEADER…

The headers are those below include/sync, whose structs hold one field a line or a function pointer of several.
"""
import re
import sys

COMMENT = re.compile(r"/\*.*?\*/", re.S)
STRUCT = re.compile(r"typedef struct (sync_\w+) \{(.*?)\n\} \1;", re.S)


def fields(body):
    """The names that a struct's declarations declare."""
    for declaration in COMMENT.sub("", body).split(";"):
        text = declaration.strip()
        if not text:
            continue
        pointer = re.match(r"[\w\s*]*\(\*(\w+)\)\(", text)
        plain = re.fullmatch(r"[\w\s*]*?\b(\w+)(\[\w+\])?", text)
        if not (pointer or plain):
            sys.exit(f"layout: this declares nothing that is known: {text}")
        yield (pointer or plain).group(1)


def main(paths):
    print("#include <stddef.h>\n#include <stdio.h>\n#include <sync.h>\n#include <sync/node.h>\nint main(void) {")
    for path in paths:
        with open(path, encoding="ascii") as file:
            structs = STRUCT.findall(file.read())
        if not structs:
            sys.exit(f"layout: {path} has no struct")
        for name, body in structs:
            print(f'  printf("{name} size %zu\\n", sizeof({name}));')
            for field in fields(body):
                print(
                    f'  printf("{name}.{field} at %zu size %zu\\n", offsetof({name}, {field}), '
                    f"sizeof((({name} *)0)->{field}));")
    print("  return 0;\n}")


main(sys.argv[1:])
