"""The package says in Python what include/sync/plugin.h and include/sync/node.h say in C."""

import ctypes
import os
import re
import subprocess
import tempfile
import unittest
from typing import Any, Dict, List, Tuple

from group import INCLUDE
from synchronicity import _runtime as c
from synchronicity import node as sync
from synchronicity._abi import OpenStruct

_STRUCTS: List[Tuple[str, Any]] = [
    ("sync_run_result", c.RawRunResult),
    ("sync_finding", c.RawFinding),
    ("sync_setting", c.RawSetting),
    ("sync_create_request", c.RawCreateRequest),
    ("sync_plain_request", c.RawPlainRequest),
    ("sync_toolchain_request", c.RawToolchainRequest),
    ("sync_mount", c.RawMount),
    ("sync_run_request", c.RawRunRequest),
    ("sync_sandbox_methods", c.RawSandboxMethods),
    ("sync_sign_request", c.RawSignRequest),
    ("sync_signer_methods", c.RawSignerMethods),
    ("sync_resolve_request", c.RawResolveRequest),
    ("sync_fetch_request", c.RawFetchRequest),
    ("sync_source_methods", c.RawSourceMethods),
    ("sync_storage_request", c.RawStorageRequest),
    ("sync_change", c.RawChange),
    ("sync_apply_request", c.RawApplyRequest),
    ("sync_storage_methods", c.RawStorageMethods),
    ("sync_peer", c.RawPeer),
    ("sync_listen_request", c.RawListenRequest),
    ("sync_message", c.RawMessage),
    ("sync_send_request", c.RawSendRequest),
    ("sync_transport_methods", c.RawTransportMethods),
    ("sync_plugin", c.RawPlugin),
    ("sync_check_options", c.RawCheckOptions),
    ("sync_plugin_setting", c.RawPluginSetting),
    ("sync_node_configuration", c.RawNodeConfiguration),
    ("sync_node_options", c.RawNodeOptions),
    ("sync_submit_request", c.RawSubmitRequest),
    ("sync_job_status", c.RawJobStatus),
    ("sync_node_status", c.RawNodeStatus),
    ("sync_event", c.RawEvent),
]


def text(*names: str) -> str:
    texts = []
    for name in names:
        with open(os.path.join(INCLUDE, "sync", name), encoding="utf-8") as file:
            texts.append(file.read())
    return "".join(texts)


def fields(struct: Any) -> List[str]:
    head = OpenStruct._fields_ if issubclass(struct, OpenStruct) else []
    return [name for name, *_ in [*head, *struct._fields_]]


class Header(unittest.TestCase):
    def test_layout(self) -> None:
        """A small C program prints the sizes and offsets that the compiler gives, field by field."""
        lines = ["#include <stddef.h>", "#include <stdio.h>", "#include <sync/node.h>", "int main(void) {"]
        wanted = []
        for name, struct in _STRUCTS:
            lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
            wanted.append(f"{name} {ctypes.sizeof(struct)}")
            for field in fields(struct):
                place = getattr(struct, field)
                lines.append(
                    f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));')
                wanted.append(f"{name}.{field} {place.offset} {place.size}")
        with tempfile.TemporaryDirectory() as folder:
            source, program = os.path.join(folder, "layout.c"), os.path.join(folder, "layout")
            with open(source, "w", encoding="utf-8") as file:
                file.write("\n".join([*lines, "return 0; }", ""]))
            compiler = os.environ.get("CC", "cc")
            subprocess.run([compiler, "-Wall", "-Werror", f"-I{INCLUDE}", "-o", program, source], check=True)
            told = subprocess.check_output([program], text=True).splitlines()
        self.assertEqual(told, wanted)

    def test_every_struct_and_field(self) -> None:
        """None is left out, which sizes alone may not show."""
        header = re.sub(r"/\*.*?\*/", "", text("plugin.h", "node.h"), flags=re.DOTALL)
        found = re.findall(r"typedef struct (\w+) \{(.*?)\n\} \1;", header, re.DOTALL)
        known = dict(_STRUCTS)
        # The host's table is for shared objects.
        self.assertEqual({name for name, _ in found} - {"sync_host"}, set(known))
        for name, body in found:
            if name in known:
                names = re.findall(r"(?:\(\*)?\b(\w+)(?:\[\w+\]|\)\([^;]*\))?;", body)
                self.assertEqual(names, fields(known[name]), name)

    def test_every_function(self) -> None:
        found = set(re.findall(r"^[a-z][\w \*]*?\b(sync_\w+)\(", text("plugin.h", "node.h"), re.MULTILINE))
        self.assertEqual(found - {"sync_get_host"} - {name for name, *_ in c._FUNCTIONS}, set())

    def test_numbers(self) -> None:
        given = {
            name: int(value)
            for name, value in re.findall(
                r"^#define (SYNC_\w+) (\d+)$", text("version.h", "plugin.h", "node.h"), re.MULTILINE)
        }
        enums: Dict[str, Any] = {
            "SYNC_PLUGIN_": sync.PluginCode,
            "SYNC_RUN_": sync.Ending,
            "SYNC_KEY_": sync.KeyRole,
            "SYNC_LOG_": sync.LogLevel,
            "SYNC_PHASE_": sync.Phase,
            "SYNC_EVENT_": sync.EventKind,
            "SYNC_ERROR_": sync.Code,
        }
        for prefix, enum in enums.items():
            wanted = {name: value for name, value in given.items() if name.startswith(prefix)}
            least = 1 if prefix in ("SYNC_ERROR_", "SYNC_PLUGIN_") else 0
            self.assertEqual(
                {prefix + member.name: int(member) for member in enum if member >= least},
                {name: value for name, value in wanted.items() if value >= least})
        for state in sync.NodeState:
            if state is not sync.NodeState.UNKNOWN:
                self.assertEqual(int(state), given["SYNC_NODE_" + state.name])
        self.assertEqual(given["SYNC_CONFIGURATION_BYTES_MAX"], c.CONFIGURATION_BYTES_MAX)
        for kind in (sync.KeyRole, sync.LogLevel, sync.Phase, sync.EventKind, sync.NodeState):
            self.assertEqual(kind(99).name, "UNKNOWN")


if __name__ == "__main__":
    unittest.main()
