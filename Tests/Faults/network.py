"""A network namespace for each node, and the relay between them.

The namespaces have no name: they are this process's descriptors and end with it and the processes inside, and so do
their TUN devices. Whatever happens to this process, nothing has to be removed.
"""
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def _check(status):
    if status != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def address(index):
    return f"10.77.0.{index + 1}"


class Namespace:
    """Where one node's processes and sockets are."""

    _home = None

    def __init__(self, index):
        Namespace._home = Namespace._home or os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(libc.unshare(CLONE_NEWNET))
        try:
            self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self.device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.device, TUNSETIFF, struct.pack("16sH22x", b"fault0", IFF_TUN | IFF_NO_PI))
            for command in (
                "link set lo up", f"address add {address(index)}/24 dev fault0", "link set fault0 mtu 1500 up",
            ):
                subprocess.run(["ip", *command.split()], check=True)
        finally:
            _check(libc.setns(Namespace._home, CLONE_NEWNET))

    @property
    def entrance(self):
        """A command line that runs what follows inside."""
        return ["nsenter", f"--net=/proc/{os.getpid()}/fd/{self.descriptor}"]

    def connect(self, port, timeout):
        """A connection to the namespace's own loopback: a socket stays where it was made, a thread goes back."""
        _check(libc.setns(self.descriptor, CLONE_NEWNET))
        try:
            connection = socket.socket()
        finally:
            _check(libc.setns(Namespace._home, CLONE_NEWNET))
        connection.settimeout(timeout)
        try:
            connection.connect(("127.0.0.1", port))
        except OSError:
            connection.close()
            raise
        return connection


class Network:
    """The state of every pair is the sum of what the faults under way do to it."""

    def __init__(self, count, seed):
        self.count = count
        self.namespaces = [Namespace(index) for index in range(count)]
        devices = [namespace.device for namespace in self.namespaces]
        self.effects = {}
        self.counts = {}
        self.relay = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, os.path.join(os.path.dirname(__file__), "relay.py"),
             str(seed), *map(str, devices)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=devices, text=True)
        for device in devices:
            os.close(device)

    def add(self, key, pairs, state):
        self.effects[key] = (pairs, state)
        self._apply()

    def remove(self, key):
        if self.effects.pop(key, None):
            self._apply()

    def _apply(self):
        states = {(a, b): {} for a in range(self.count) for b in range(self.count) if a != b}
        for pairs, effect in self.effects.values():
            for pair in pairs:
                state = states[pair]
                for name, value in effect.items():
                    old = state.get(name, 0)
                    if name in ("loss", "duplicate"):
                        state[name] = 1 - (1 - old) * (1 - value)
                    elif name == "rate":
                        state[name] = min(old or value, value)
                    else:
                        state[name] = old + value
        self.relay.stdin.write(json.dumps({f"{a}-{b}": state for (a, b), state in states.items()}) + "\n")
        self.relay.stdin.flush()
        self.counts = json.loads(self.relay.stdout.readline())

    def stop(self):
        self._apply()
        self.relay.stdin.close()
        self.relay.wait()
