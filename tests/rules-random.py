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
"""Random filters and flows, random packets: each must go where a linear search
says.

usage: rules-random.py SEED ROUNDS

Runs in a test that began with XF_SWITCH_START and filters and flows of "vr1".
Packets come by p1 (access, VLAN 10) and p5 (trunk), differ in few values of each
field, so that they share megaflows with their neighbours, and carry a number.
Between rounds rules change and the same packets are sent again, now cached.
"""

import random
import subprocess
import sys
import time

import frame

OUTPUTS = ["p2", "p3", "p4", "v2"]
MAGIC = 0xa5000000              # Of packets' numbers.
N_FLOWS, N_FILTERS, N_PACKETS, N_CHANGES = 24, 10, 120, 6


def appctl(*args):
    done = subprocess.run(["ovs-appctl", *args], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        sys.exit("%s: %s" % (" ".join(args), done.stderr))


class Packet:
    """A UDP packet for the router, or a frame that isn't IP."""

    def __init__(self, chance, number):
        self.number = number
        self.fields = f = {
            "in_port": chance.choice(["p1", "p5"]),
            "dl_src": "aa:00:00:00:01:0%d" % chance.randrange(2, 5),
            "dl_type": chance.choice([0x800, 0x800, 0x86dd, 0x1234]),
            "dl_vlan": 10,
            "dl_vlan_pcp": 0,
            "nw_src": chance.randrange(4), "nw_dst": chance.randrange(4),
            "nw_tos": chance.choice([0, 32]), "nw_proto": 17,
            "tp_src": chance.randrange(4), "tp_dst": chance.randrange(4),
        }
        keys = {"smac": f["dl_src"], "sport": f["tp_src"],
                "dport": f["tp_dst"], "ttl": chance.randrange(2, 255)}
        if f["in_port"] == "p5":
            f["dl_vlan_pcp"] = chance.randrange(3)
            keys.update(vlan=10, pcp=f["dl_vlan_pcp"])
        if f["dl_type"] == 0x800:
            kind = "udp4"
            keys.update(src="10.0.1.%d" % f["nw_src"], tos=f["nw_tos"],
                        dst="10.9.0.%d" % f["nw_dst"])
        elif f["dl_type"] == 0x86dd:
            kind = "udp6"
            f["nw_tos"] = 0
            keys.update(src="2001:db8:1::%d" % f["nw_src"],
                        dst="2001:db8:9::%d" % f["nw_dst"])
        else:
            kind = "ether"
            keys.update(type="0x1234")
            for key in ("nw_src", "nw_dst", "nw_tos", "nw_proto", "tp_src",
                        "tp_dst"):
                f[key] = None
        text = frame.make(kind, keys)
        # The number takes the place of the last bytes of the payload; of UDP
        # the checksum then is wrong, which nobody here looks at.
        self.hex = text[:-8] + "%08x" % (MAGIC + number)


class Match:
    """Any subset of the fields: text, and what each wants."""

    def __init__(self, chance, ip):
        self.words, self.want = [], {}
        dl_type = chance.choice([0x800, 0x86dd] + ([] if ip else
                                                   [0x1234, None, None]))
        if dl_type:
            self.words.append("dl_type=0x%x" % dl_type)
            self.want["dl_type"] = (dl_type, 0xffff)
        if chance.random() < .3:
            self.exact("in_port", chance.choice(["p1", "p5"]))
        if chance.random() < .3:
            self.exact("dl_src", "aa:00:00:00:01:0%d" % chance.randrange(2, 5))
        if chance.random() < .2:
            self.exact("dl_vlan", chance.choice([10, 20]))
        if chance.random() < .2:
            self.exact("dl_vlan_pcp", chance.randrange(3))
        if dl_type in (0x800, 0x86dd):
            self.ip_fields(chance, dl_type)

    def exact(self, name, value):
        self.words.append("%s=%s" % (name, value))
        self.want[name] = (value, None)

    def ip_fields(self, chance, dl_type):
        for name, v4, v6 in (("nw_src", "10.0.1.%d/%d", "2001:db8:1::%d/%d"),
                             ("nw_dst", "10.9.0.%d/%d", "2001:db8:9::%d/%d")):
            if chance.random() < .5:
                bits, value = chance.randrange(3), chance.randrange(4)
                mask = 3 << bits & 3
                text = (v4 % (value & mask, 32 - bits) if dl_type == 0x800
                        else v6 % (value & mask, 128 - bits))
                self.words.append("%s=%s" % (
                    name if dl_type == 0x800 else name.replace("nw", "ipv6"),
                    text))
                self.want[name] = (value & mask, mask)
        if chance.random() < .3:
            self.exact("nw_tos", chance.choice([0, 32]))
        if chance.random() < .5:
            self.exact("nw_proto", chance.choice([17, 17, 6]))
            for name in ("tp_src", "tp_dst"):
                if chance.random() < .4:
                    mask = chance.choice([0xffff, 1, 2])
                    value = chance.randrange(4) & mask
                    self.words.append("%s=%d/0x%x" % (name, value, mask))
                    self.want[name] = (value, mask)

    def text(self):
        return ",".join(self.words) or "any"

    def matches(self, packet):
        for name, (value, mask) in self.want.items():
            has = packet.fields[name]
            if has is None or (has if mask is None else has & mask) != value:
                return False
        return True


class Rules:
    """Rules of one kind, by priority; 'what' is what the rule does."""

    def __init__(self, kind, whats, ip):
        self.kind, self.whats, self.ip = kind, whats, ip
        self.rules = {}

    def add(self, chance, priority):
        match, what = Match(chance, self.ip), chance.choice(self.whats)
        if priority in self.rules:
            appctl("xenflow/%s-del" % self.kind, "vr1",
                   self.rules[priority][0].text(), "priority=%d" % priority)
        appctl("xenflow/%s-add" % self.kind, "vr1", match.text(), what,
               "priority=%d" % priority)
        self.rules[priority] = (match, what)

    def find(self, packet):
        for priority in sorted(self.rules, reverse=True):
            match, what = self.rules[priority]
            if match.matches(packet):
                return what
        return None


def expected(filters, flows, packet):
    """The port that 'packet' leaves by, or None."""
    if packet.fields["dl_type"] != 0x1234 and filters.find(packet) == "deny":
        return None
    what = flows.find(packet)
    if what in (None, "actions=normal", "actions=punt"):
        return "v1"             # There are no routes.
    return what.partition("output:")[2] or None


def outputs(seen):
    """{number: port} of what left since 'seen', which is brought up to date."""
    left = {}
    for port in OUTPUTS + ["v1"]:
        lines = subprocess.run(["ovs-pcap", port + "-tx.pcap"],
                               capture_output=True, text=True,
                               check=True).stdout.split()
        for line in lines[seen.get(port, 0):]:
            number = int(line[-8:], 16) - MAGIC
            if not 0 <= number < N_PACKETS:
                continue        # None of ours.
            assert number not in left, "packet %d left twice" % number
            left[number] = port
        seen[port] = len(lines)
    return left


def send(packets):
    for port in ("p1", "p5"):
        appctl("netdev-dummy/receive", port,
               *[p.hex for p in packets if p.fields["in_port"] == port])


def main(seed, rounds):
    chance = random.Random(seed)
    filters = Rules("filter", ["permit", "deny"], True)
    flows = Rules("flow", ["actions=output:" + p for p in OUTPUTS]
                  + ["actions=drop", "actions=normal", "actions=punt"], False)
    packets = [Packet(chance, i) for i in range(N_PACKETS)]
    seen, n = {}, 0
    outputs(seen)
    for turn in range(rounds):
        changes = ([(flows, i) for i in range(N_FLOWS)]
                   + [(filters, i) for i in range(N_FILTERS)])
        for rules, priority in (changes if not turn else
                                chance.sample(changes, N_CHANGES)):
            rules.add(chance, priority)
        want = {}
        for p in packets:
            port = expected(filters, flows, p)
            if port:
                want[p.number] = port
        send(packets)
        got, deadline = {}, time.monotonic() + 20
        while len(got) < len(want) and time.monotonic() < deadline:
            got.update(outputs(seen))
        got.update(outputs(seen))
        for p in packets:
            if got.get(p.number) != want.get(p.number):
                print("seed %d round %d: %s left by %s, not by %s\n%s %s" % (
                    seed, turn, p.fields, got.get(p.number),
                    want.get(p.number), filters.find(p), flows.find(p)))
                n += 1
    print("%d wrong" % n)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
