#!/usr/bin/env python3
"""Carries IP packets between the TUN devices of several network namespaces, as badly as it is told to.

  relay.py SEED DESCRIPTOR…      a TUN device's descriptor for each node; node i has the address 10.77.0.(i + 1)

Standard input takes one JSON object a line: {"FROM-TO": {"delay": MS, "jitter": MS, "loss": 0…1, "duplicate": 0…1,
"rate": BYTES_A_SECOND, "blocked": BOOL}}; what is left out is as in a perfect network, and a pair that is left out
stays as it is. Jitter reorders. Each line is answered on standard output by the counts so far. The relay ends with its
standard input.
"""
import heapq
import json
import os
import random
import select
import sys
import time

PACKET_BYTES_MAX = 2048
# What one direction of one pair may hold back for its rate, as a router's buffer would; what is beyond is dropped.
QUEUE_SECONDS_MAX = 1.0
# Packets under way in all; a bound for the memory alone.
UNDER_WAY_MAX = 50_000


class Link:
    """One direction of one pair."""

    def __init__(self):
        self.free_at = 0.0
        self.set({})

    def set(self, state):
        self.delay = state.get("delay", 0) / 1000
        self.jitter = state.get("jitter", 0) / 1000
        self.loss = state.get("loss", 0)
        self.duplicate = state.get("duplicate", 0)
        self.rate = state.get("rate", 0)
        self.blocked = state.get("blocked", False)


class Relay:
    def __init__(self, seed, devices):
        self.chance = random.Random(seed)
        self.devices = devices
        self.links = {(a, b): Link() for a in range(len(devices)) for b in range(len(devices)) if a != b}
        self.under_way = []
        self.number = 0
        self.counts = {"carried": 0, "lost": 0, "duplicated": 0, "blocked": 0}
        self.poll = select.poll()
        self.poll.register(0, select.POLLIN)
        for device in devices:
            os.set_blocking(device, False)
            self.poll.register(device, select.POLLIN)

    def run(self):
        commands = b""
        while True:
            wait = max(0.0, self.under_way[0][0] - time.monotonic()) if self.under_way else None
            for descriptor, _ in self.poll.poll(None if wait is None else wait * 1000):
                if descriptor != 0:
                    self.take(self.devices.index(descriptor))
                    continue
                more = os.read(0, 65_536)
                if not more:
                    return
                *lines, commands = (commands + more).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            self.deliver()

    def obey(self, command):
        for pair, state in command.items():
            a, b = pair.split("-")
            self.links[int(a), int(b)].set(state)
        print(json.dumps(self.counts), flush=True)

    def take(self, source):
        for _ in range(64):
            try:
                packet = os.read(self.devices[source], PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            # IPv4 to one of the nodes; the rest (IPv6's own announcements) has nobody to go to.
            if len(packet) < 20 or packet[0] >> 4 != 4 or packet[16:19] != bytes([10, 77, 0]):
                continue
            link = self.links.get((source, packet[19] - 1))
            if link:
                self.send(link, packet[19] - 1, packet)

    def send(self, link, target, packet):
        if link.blocked:
            self.counts["blocked"] += 1
            return
        if self.chance.random() < link.loss or len(self.under_way) >= UNDER_WAY_MAX:
            self.counts["lost"] += 1
            return
        now = time.monotonic()
        start = max(now, link.free_at)
        if start - now > QUEUE_SECONDS_MAX:
            self.counts["lost"] += 1
            return
        if link.rate:
            start = link.free_at = start + len(packet) / link.rate
        copies = 2 if self.chance.random() < link.duplicate else 1
        self.counts["duplicated"] += copies - 1
        for _ in range(copies):
            due = start + link.delay + self.chance.random() * link.jitter
            self.number += 1
            heapq.heappush(self.under_way, (due, self.number, link, target, packet))

    def deliver(self):
        now = time.monotonic()
        while self.under_way and self.under_way[0][0] <= now:
            _, _, link, target, packet = heapq.heappop(self.under_way)
            if link.blocked:
                self.counts["blocked"] += 1
                continue
            try:
                os.write(self.devices[target], packet)
                self.counts["carried"] += 1
            except OSError:
                self.counts["lost"] += 1


if __name__ == "__main__":
    Relay(int(sys.argv[1]), [int(text) for text in sys.argv[2:]]).run()
