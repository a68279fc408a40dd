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
"""A virtual link over three switches in namespaces (XF-48 to XF-51).

Routers on s1 and s3 are joined by a link that passes s2; hosts behind them send
through it, both ways.  On the cables is the frame that left the router, with
its VLAN tag and nothing else.  The link changes its way 20 times under
traffic, each time with one change at either end, and no packet is lost.
"""

import socket
import struct
import threading
import time

import direct
import harness
from harness import check, say, wait
from lab import system

NAME = "t-links"
RATE, FLIPS = 500, 20
PORT = 7700
TOPOLOGY = """
[switch s1]
[switch s2]
[switch s3]
[trunk t1]
ends = s1 s2
[trunk t2]
ends = s2 s3
[segment la]
switch = s1
vlan = 10
[segment lb]
switch = s3
vlan = 20
[edge ea]
eth0 = la 10.1.0.2/24
gateway = 10.1.0.1
[edge eb]
eth0 = lb 10.2.0.2/24
gateway = 10.2.0.1
"""
MAC = {"r1": "52:54:00:00:01:07", "r3": "52:54:00:00:03:09"}
VLAN = {"r1": 7, "r3": 9}           # Of the link, in each router's switch.
ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA = 3, 263, 8


def start_router(host, name, network, peer, there):
    """Router 'name': 10.NETWORK.0.1 towards its host, 10.0.0.NETWORK in the
    link, by which it reaches 'there' through 'peer'."""
    lan = 10 if name == "r1" else 20
    host.vsctl("add-port", "br0", name, "--", "set", "interface", name,
               "type=xenflow")
    host.appctl("xenflow/router-add", name, "punt-rate=0")
    host.appctl("xenflow/port-add", name, "eth0", "vlan=%d" % lan,
                "mac=52:54:00:00:0%d:01" % network, "ifindex=2",
                "address=10.%d.0.1/24" % network)
    host.appctl("xenflow/port-add", name, "eth1", "vlan=%d" % VLAN[name],
                "mac=" + MAC[name], "ifindex=3",
                "address=10.0.0.%d/24" % network)
    host.appctl("xenflow/neigh-add", name, "eth1", "10.0.0.%d" % (
        3 - network), MAC[peer])
    host.appctl("xenflow/rule-add", name, there, "via", "10.0.0.%d" % (
        3 - network))


def hops(generation):
    """The hops of a generation, by switch."""
    a, b = 100 + generation % 2, 200 + generation % 2
    return {"s3": (2, "to-s2", b, "r3", VLAN["r3"]),
            "s2": (1, "to-s1", a, "to-s3", b),
            "s1": (0, "r1", VLAN["r1"], "to-s2", a)}


def add_generation(here, generation, use):
    for name, (position, port1, vlan1, port2, vlan2) in hops(
            generation).items():
        here.switches[name].appctl(
            "xenflow/link-add", "l1", "generation=%d" % generation,
            "position=%d" % position, "port1=" + port1, "vlan1=%d" % vlan1,
            "port2=" + port2, "vlan2=%d" % vlan2, "use=%d" % use)


def states(host, generation):
    lines = host.appctl("xenflow/link-show", "l1").splitlines()[1:]
    return [line.split()[9] for line in lines
            if line.split()[1] == str(generation)]


def await_proven(here, generation):
    wait("a proof of generation %d" % generation,
         lambda: states(here.switches["s1"], generation) == ["proven"]
         and states(here.switches["s3"], generation) == ["proven"])


class Traffic:
    """UDP from one edge host to another, numbered."""

    def __init__(self, here, source, target, address, marker):
        with system.Inside(here.netns(source)):
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with system.Inside(here.netns(target)):
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("", PORT))
        self.receiver.settimeout(1)
        self.address, self.marker = address, marker
        self.n_sent, self.got = 0, []
        self.stopping = False
        self.threads = [threading.Thread(target=run, daemon=True)
                        for run in (self._send, self._receive)]

    def payload(self, number):
        return self.marker + struct.pack("!I", number) + bytes(40)

    def _send(self):
        start = time.monotonic()
        while not self.stopping:
            self.sender.sendto(self.payload(self.n_sent),
                               (self.address, PORT))
            self.n_sent += 1
            ahead = start + self.n_sent / RATE - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)

    def _receive(self):
        while True:
            try:
                data = self.receiver.recv(2048)
            except socket.timeout:
                if self.stopping:
                    return
                continue
            self.got.append(struct.unpack("!I", data[4:8])[0])

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        self.sender.close()
        self.receiver.close()

    def verdict(self):
        """Packets lost, received twice, out of order."""
        return (self.n_sent - len(set(self.got)),
                len(self.got) - len(set(self.got)),
                sum(a > b for a, b in zip(self.got, self.got[1:])))


class Capture:
    """Frames that a port sends or receives, each as bytes with its tag."""

    def __init__(self, host, port):
        with system.Inside(host.netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        # Before the first frame comes.
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.socket.bind((port, ETH_P_ALL))
        self.socket.settimeout(0.5)

    def frames(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(4096, 256)
            except socket.timeout:
                continue
            for level, kind, aux in ancillary:
                if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                    status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH",
                                                                  aux[:20])
                    if status & 0x10:       # The kernel took the tag out.
                        data = (data[:12]
                                + struct.pack("!HH", tpid if status & 0x40
                                              else 0x8100, tci) + data[12:])
            yield data


def mac(text):
    return bytes(int(x, 16) for x in text.split(":"))


def check_frames(here, traffic, switch, port, vlan):
    """Every frame of the traffic on a cable is the router's own."""
    capture = Capture(here.switches[switch], port)
    n = 0
    for frame in capture.frames(1):
        at = frame.find(traffic.marker)
        if at < 0:
            continue
        head = mac(MAC["r3"]) + mac(MAC["r1"]) + struct.pack(
            "!HHH", 0x8100, vlan, 0x0800)
        size = 20 + 8 + len(traffic.payload(0))
        check(frame[:18] == head, "%s %s: %s", switch, port, frame.hex())
        check(len(frame) == 18 + size, "%d bytes: %s", len(frame),
              frame.hex())
        version, total = frame[18], struct.unpack("!H", frame[20:22])[0]
        check(version == 0x45 and total == size, "no plain IPv4 packet: %s",
              frame.hex())
        check(frame[26] == 63 and at == 18 + 28, "not as it was: %s",
              frame.hex())
        n += 1
    check(n > RATE / 4, "only %d frames seen at %s %s", n, switch, port)
    return n


def flip(here, generation):
    """Makes 'generation' the way, which isn't there yet, and takes the one
    before down."""
    add_generation(here, generation, generation - 1)
    await_proven(here, generation)
    for name in ("s1", "s3", "s2"):
        here.switches[name].appctl("xenflow/link-use", "l1",
                                   str(generation))
    time.sleep(0.2)                 # What is under way arrives.
    for host in here.switches.values():
        host.appctl("xenflow/link-del", "l1", str(generation - 1))


def test():
    with direct.Up(NAME, TOPOLOGY) as here:
        start_router(here.switches["s1"], "r1", 1, "r3", "10.2.0.0/24")
        start_router(here.switches["s3"], "r3", 2, "r1", "10.1.0.0/24")
        add_generation(here, 1, 1)
        await_proven(here, 1)
        # Routers without a machine neither answer ARP nor ask.
        for name, node, network in (("s1", "ea", 1), ("s3", "eb", 2)):
            here.switches[name].appctl(
                "xenflow/neigh-add", "r1" if network == 1 else "r3", "eth0",
                "10.%d.0.2" % network, here.node(node).ifaces[0].mac)
            here.run(node, ["ip", "neigh", "replace", "10.%d.0.1" % network,
                            "lladdr", "52:54:00:00:0%d:01" % network,
                            "dev", "eth0"])
        # MACs are learned, caches filled.
        wait("an answer of eb", lambda: "1 received" in here.run(
            "ea", ["ping", "-c1", "-W1", "10.2.0.2"], check=False))
        flows = [Traffic(here, "ea", "eb", "10.2.0.2", b"there"[:4]),
                 Traffic(here, "eb", "ea", "10.1.0.2", b"back")]
        time.sleep(1)
        for flow in flows:
            flow.start()
        n = [check_frames(here, flows[0], "s1", "to-s2", 101),
             check_frames(here, flows[0], "s3", "to-s2", 201)]
        say("frames on the cables, each the router's and a tag: %d and %d",
            *n)
        for generation in range(2, FLIPS + 2):
            flip(here, generation)
        for flow in flows:
            flow.stop()
        results = [flow.verdict() for flow in flows]
        harness.check_alive(here)
        check(all(flow.n_sent > FLIPS * RATE / 10 for flow in flows),
              "too few were sent")
        check(results == [(0, 0, 0)] * 2, "lost, twice, out of order: %s",
              results)
        return "links: %d flips, %d packets, 0 lost, 0 twice, 0 reordered" % (
            FLIPS, sum(flow.n_sent for flow in flows))


if __name__ == "__main__":
    harness.main(test)
