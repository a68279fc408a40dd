#!/usr/bin/env python3
# Copyright (c) 2026 The XenFlow Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""Packets while routes, next-hop groups, next hops and neighbours change: each
is forwarded by the table before or after a change, never by something
between.

For each translation: a speaker changes the table all the time, thousands of
times per second, while packets flow.  versions.py says which versions of
the table a packet may have met; the reference forwards it by each of these,
and what left, byte by byte and by which port, must be the same as by one of
them.  All versions have an answer for all packets, so none may be lost
either.

Each gateway's address has several MACs, each at another port of the bridge:
the MAC of one with the port of another can't pass for right.

XF_CHURN_PACKETS says how many packets for each translation (default 20,000),
XF_RANDOM_SEED which changes.
"""

import collections
import os
import random
import struct
import time

import harness
import random_frames
import random_net
import tap_rig
import versions
from harness import check, say

NAME, TRANSLATIONS = "t-churn-fib", ("fib", "flow")
N_PREFIXES, N_COVERS = 120, 4
N_NEXTHOPS, N_GROUPS, FIRST_GROUP = 12, 10, 100
# On their way at most: packets, changes that aren't acknowledged.
MAX_PACKETS, MAX_CHANGES = 600, 200
BURST, CHANGES = 40, 10         # At a time.
REST_S, PATIENCE_S, LONGEST_S = 0.3, 10, 200
MAC_PORTS = {"eth1": "atu", "eth2": "bcu", "eth3": "tu", "eth4": "tu"}


class Changes:
    """Random changes of 'reference's histories, as messages."""

    def __init__(self, net, reference, seed):
        self.net, self.reference = net, reference
        self.chance = random.Random(seed)
        self.gateways = {4: [], 6: []}  # (interface, address, MACs)
        self.prefixes = {4: [], 6: []}
        self.n = collections.Counter()
        for name, ports in MAC_PORTS.items():
            self._add_gateways(net.interfaces[name], ports)
        for family, (base, _) in ((4, random_net.BASES[4][0]),
                                  (6, random_net.BASES[6][1])):
            longer, shorter = random_net.CHURN_LENGTHS[family]
            n_bits = random_net.BITS[family]
            for cover in range(N_COVERS):
                address = base | cover + 1 << n_bits - shorter
                self.prefixes[family].append((address, shorter))
                self.prefixes[family] += [
                    (address | i << n_bits - longer, longer)
                    for i in range(N_PREFIXES // N_COVERS)]

    def _add_gateways(self, interface, ports):
        for host in (11, 12):
            macs = []
            for index, port in enumerate(ports):
                mac = bytes([2, 0, 0, 2, interface.number, host << 4 | index])
                self.net.macs[interface.vlan, mac] = port
                macs.append(mac)
            for family in (4, 6):
                self.gateways[family].append((interface, random_net.address_of(
                    family, interface, host), macs))

    def hop(self, family):
        interface, address, _ = self.chance.choice(self.gateways[family])
        return interface, address, 1

    def ids(self, family):
        """Of next hops: half of them for each family."""
        return range(1 + (family == 6), N_NEXTHOPS + 1, 2)

    def groups(self, family):
        return range(FIRST_GROUP + (family == 6), FIRST_GROUP + N_GROUPS, 2)

    # ---- One change each: what to record, and the message. ----

    def neighbor(self, family, index, mac):
        interface, address, _ = self.gateways[family][index]
        return (("neighbor", interface.name, address), mac,
                versions.neighbor_message(family, interface, address, mac))

    def nexthop(self, family, ident):
        hop = self.hop(family)
        return (("nexthop", ident), hop,
                versions.nexthop_message(family, ident, hop))

    def group(self, family, ident, only=None):
        members = [(only, 1)] if only else [
            (i, self.chance.randint(1, 5)) for i in self.chance.sample(
                self.ids(family), self.chance.randint(1, 4))]
        return (("group", ident), members,
                versions.group_message(ident, members))

    def route(self, family, prefix, route):
        return (("route", family, *prefix), route,
                versions.route_message(family, *prefix, route))

    # ---- What happens. ----

    def first(self):
        """The table to begin with."""
        for family in (4, 6):
            for index, gateway in enumerate(self.gateways[family]):
                yield self.neighbor(family, index, gateway[2][0])
            for ident in self.ids(family):
                yield self.nexthop(family, ident)
            for ident in self.groups(family):
                yield self.group(family, ident)
            for prefix in self.prefixes[family]:
                yield self.route(family, prefix, self.any_route(family))

    def any_route(self, family):
        kind = self.chance.random()
        if kind < 0.4:
            return "group", self.chance.choice(self.groups(family))
        if kind < 0.6:
            found = {(h[0].number, h[1]): h for h in (
                self.hop(family) for _ in range(4))}
            return [h[:2] + (self.chance.randint(1, 5),)
                    for h in found.values()]
        return [self.hop(family)]

    def next(self):
        """One or several changes in a row."""
        chance = self.chance
        family, kind = chance.choice((4, 6)), chance.random()
        prefix = chance.choice(self.prefixes[family])
        if kind < 0.20:
            self.n["neighbor"] += 1
            index = chance.randrange(len(self.gateways[family]))
            interface, address, macs = self.gateways[family][index]
            # The first may be unknown for a time.
            choice = macs
            if not index and self.reference.history(
                    "neighbor", interface.name, address).now():
                choice = macs + [None]
            return [self.neighbor(family, index, chance.choice(choice))]
        if kind < 0.35:
            self.n["next hop"] += 1
            return [self.nexthop(family, chance.choice(self.ids(family)))]
        if kind < 0.50:
            self.n["group"] += 1
            return [self.group(family, chance.choice(self.groups(family)))]
        if kind < 0.60:
            # The next hop changes before a route goes by it, or after.
            self.n["next hop, then route"] += 1
            ident = chance.choice(self.ids(family))
            group = chance.choice(self.groups(family))
            rows = [self.group(family, group, ident),
                    self.nexthop(family, ident),
                    self.route(family, prefix, ("group", group)),
                    self.route(family, prefix, [self.hop(family)]),
                    self.nexthop(family, ident)]
            return rows
        key = ("route", family, *prefix)
        if (kind < 0.75 and self.reference.history(*key).now() is not None
                and prefix[1] == random_net.CHURN_LENGTHS[family][0]):
            self.n["deletion"] += 1
            return [self.route(family, prefix, None)]
        self.n["route"] += 1
        return [self.route(family, prefix, self.any_route(family))]


class Traffic:
    """Packets of which each can be told from all others."""

    def __init__(self, changes, seed):
        self.chance = random.Random(seed)
        self.prefixes = changes.prefixes
        self.net = changes.net

    def make(self, number):
        family = self.chance.choice((4, 6))
        n_bits = random_net.BITS[family]
        address, length = self.chance.choice(self.prefixes[family])
        to = address | self.chance.getrandbits(n_bits - length)
        l4 = struct.pack("!HHHHI", number & 0xffff, 53, 12, 0, number)
        head = self.net.router_macs[10] + self.net.host_macs["a"]
        if family == 4:
            ip = struct.pack("!BBHHHBBHII", 0x45, 0, 32, 1, 0, 64, 17, 0,
                             172 << 24 | number & 0x3fffff, to)
            csum = struct.pack("!H", random_frames.sum16(ip))
            return head + b"\x08\x00" + ip[:10] + csum + ip[12:] + l4
        return head + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, 12, 17,
                                                64) + (
            random_net.SOURCES6 | number).to_bytes(16, "big") + to.to_bytes(
                16, "big") + l4


class Run:
    """Changes and packets for one switch."""

    def __init__(self, rig, half, speaker, seed):
        self.rig, self.half = rig, half
        self.reference = versions.Reference(rig.net)
        self.changes = Changes(rig.net, self.reference, seed)
        self.traffic = Traffic(self.changes, seed)
        self.speaker = speaker
        self.waiting = {}               # {number: (frame, first version)}
        self.seen = []                  # Arguments of judge().
        self.n_packets = self.n_wide = 0
        self.left = collections.Counter()

    def state(self, rows):
        for key, state, message in rows:
            self.reference.history(*key).add(self.speaker.sent + 1, state)
            self.speaker.send(*message)

    def settle(self):
        """Waits until all is acknowledged."""
        deadline = time.monotonic() + PATIENCE_S
        while self.speaker.acked < self.speaker.sent:
            check(time.monotonic() < deadline, "only %d of %d changes were "
                  "acknowledged", self.speaker.acked, self.speaker.sent)
            self.speaker.receive()
            self.receive(0.001)

    def send(self):
        for _ in range(BURST):
            frame = self.traffic.make(self.n_packets)
            self.waiting[self.n_packets] = frame, self.speaker.acked
            os.write(self.half.taps["a"].fd, frame)
            self.n_packets += 1

    def receive(self, timeout_s):
        last = self.speaker.sent
        found = self.rig.receive(timeout_s)
        for half, port, frame in found:
            if not random_net.is_question(frame, self.rig.net):
                number, = struct.unpack("!I", frame[-4:])
                sent = self.waiting.pop(number, None)
                check(sent, "%s: packet %d left twice, or never came: %s %s",
                      half.translation, number, port, frame.hex(" "))
                self.seen.append((number, port, frame, sent, last))
        return found

    def judge(self, number, port, frame, sent, last):
        """A packet that left, and the versions it may have met."""
        may = []
        for out in self.reference.may_leave("a", sent[0], sent[1], last):
            self.n_wide += not may and self.reference.until <= last
            may.append(out)
            if out == [(port, frame)]:
                break
        else:
            self.explain(number, port, frame, sent, last, may)
        self.left[port] += 1

    def explain(self, number, port, frame, sent, last, may):
        say("packet %d came when version %d was acknowledged and left by %s "
            "before version %d was sent:\n  %s\n  %s", number, sent[1], port,
            last + 1, sent[0].hex(" "), frame.hex(" "))
        for out in may:
            say("  by a version: %s", [(p, f.hex(" ")) for p, f in out])
        check(False, "%s: a packet was forwarded by no version of the table",
              self.half.translation)

    def go(self, n_packets):
        for row in self.changes.first():
            self.state([row])
        self.settle()
        begin, at_first = time.monotonic(), self.speaker.sent
        while self.n_packets < n_packets:
            check(time.monotonic() - begin < LONGEST_S, "only %d packets "
                  "within %d s", self.n_packets, LONGEST_S)
            if len(self.waiting) < MAX_PACKETS:
                self.send()
            for _ in range(CHANGES):
                if self.speaker.sent - self.speaker.acked < MAX_CHANGES:
                    self.state(self.changes.next())
            self.receive(0)
            self.speaker.receive()
        took = time.monotonic() - begin
        n_changes = self.speaker.sent - at_first
        self.settle()
        while self.waiting and self.receive(REST_S):
            pass
        check(not self.waiting, "%s: %d packets were lost, one of them %s",
              self.half.translation, len(self.waiting),
              next(iter(self.waiting.values()), None))
        for row in self.seen:
            self.judge(*row)
        say("%s: %d packets (%d/s), %d changes (%d/s: %s); for %d packets "
            "something changed on their way; left by %s",
            self.half.translation, self.n_packets, self.n_packets / took,
            n_changes, n_changes / took, dict(self.changes.n), self.n_wide,
            dict(self.left))
        check(self.n_wide > self.n_packets / 100 and n_changes > 100,
              "the test shows nothing")
        return n_changes


def test():
    n_packets = int(os.environ.get("XF_CHURN_PACKETS", "20000"))
    seed = int(os.environ.get("XF_RANDOM_SEED", random.randrange(1 << 30)))
    say("seed %d, %d packets each", seed, n_packets)
    found = []
    for translation in TRANSLATIONS:
        net = random_net.Base()
        # The bridge must know all MACs from the beginning.
        Changes(net, None, seed)
        with tap_rig.Rig(NAME, net, [translation]) as rig:
            half = rig.halves[0]
            with harness.system.Inside(half.host.netns):
                speaker = versions.Speaker(tap_rig.TARGET)
            run = Run(rig, half, speaker, seed)
            n_changes = run.go(n_packets)
            found.append("%s: %d packets during %d changes" % (
                translation, run.n_packets, n_changes))
            rig.check_end()
            speaker.close()
    return "; ".join(found) + ": each by the table before or after"


if __name__ == "__main__":
    harness.main(test)
