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
"""A routed, a switched and a middlebox network on one host, at the same time.

Three tenants with the same addresses where they can, each in its own VLANs
(EV-08), all under traffic: one is routed (XF-45), one is three VLANs that a
switch joins (XF-44), one sends chosen flows through a middlebox that really
forwards, a Linux bridge between its two interfaces (XF-46).  No packet is lost,
each goes the way it should and by no other, and a sniffer at every host sees
no frame from another tenant.  Then the middlebox goes away: what it had to see
stops or goes on, as it is told; all else isn't touched.
"""

import contextlib
import select
import socket
import threading

import direct
import harness
from harness import check, say, wait
from lab import measure, system

NAME = "t-roles"
RATE, SECONDS = 400, 6
TOPOLOGY = """
[switch s1]
[segment r1]
switch = s1
vlan = 10
[segment r2]
switch = s1
vlan = 11
[segment w1]
switch = s1
vlan = 20
[segment w2]
switch = s1
vlan = 21
[segment w3]
switch = s1
vlan = 22
[segment m]
switch = s1
vlan = 30
[router vr1]
xenflow = yes
eth0 = r1 10.1.0.1/24
eth1 = r2 10.1.1.1/24
[router mb]
kind = bare
eth0 = m
eth1 = m
[edge ra]
eth0 = r1 10.1.0.2/24
gateway = 10.1.0.1
[edge rb]
eth0 = r2 10.1.1.2/24
gateway = 10.1.1.1
[edge wa]
eth0 = w1 10.1.0.2/24
[edge wb]
eth0 = w2 10.1.0.3/24
[edge wc]
eth0 = w3 10.1.0.4/24
[edge ma]
eth0 = m 10.1.0.2/24
[edge mc]
eth0 = m 10.1.0.3/24
"""
TENANTS = {"routed": ["ra", "rb"], "switched": ["wa", "wb", "wc"],
           "middlebox": ["ma", "mc"]}
# source, target, address, UDP port, ports of s1 that the packets pass.
FLOWS = {
    "routed": ("ra", "rb", "10.1.1.2", 7001, ["ra-eth0", "rb-eth0"]),
    "switched": ("wa", "wb", "10.1.0.3", 7002, ["wa-eth0", "wb-eth0"]),
    "switched to the third": ("wc", "wa", "10.1.0.2", 7003,
                              ["wc-eth0", "wa-eth0"]),
    "chosen": ("ma", "mc", "10.1.0.3", 8000,
               ["ma-eth0", "mb-eth0", "mb-eth1", "mc-eth0"]),
    "chosen, back": ("mc", "ma", "10.1.0.2", 8001,
                     ["mc-eth0", "mb-eth1", "mb-eth0", "ma-eth0"]),
    "not chosen": ("ma", "mc", "10.1.0.3", 8002, ["ma-eth0", "mc-eth0"]),
}


class Sniffer:
    """Counts the frames that reach edge hosts, by (host, source MAC)."""

    def __init__(self, here, nodes):
        self.seen, self.sockets = {}, {}
        self.stopping = False
        for node in nodes:
            with system.Inside(here.netns(node)):
                s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                  socket.htons(3))
            self.sockets[s] = node
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            for s in select.select(list(self.sockets), [], [], 0.2)[0]:
                frame, address = s.recvfrom(64)
                if address[2] != socket.PACKET_OUTGOING:
                    key = self.sockets[s], frame[6:12].hex(":")
                    self.seen[key] = self.seen.get(key, 0) + 1

    def stop(self):
        self.stopping = True
        self.thread.join()
        for s in self.sockets:
            s.close()
        return self.seen


def start_middlebox(here):
    here.run("mb", ["ip", "link", "add", "bridge", "type", "bridge"])
    for iface in ("eth0", "eth1"):
        here.run("mb", ["ip", "link", "set", iface, "master", "bridge"])
    here.run("mb", ["sysctl", "-qw", "net.ipv6.conf.bridge.disable_ipv6=1"])
    here.run("mb", ["ip", "link", "set", "bridge", "up"])


def start_elements(control, host):
    for name in ("sw1", "mb1"):
        host.vsctl("add-port", "br0", name, "--", "set", "interface", name,
                   "type=xenflow")
    control.call("xenflow/router-add", "sw1", "role=switch")
    for port, vlan in (("a", 20), ("b", 21), ("c", 22)):
        control.call("xenflow/port-add", "sw1", port, "vlan=%d" % vlan)
    control.call("xenflow/router-add", "mb1", "role=middlebox")
    control.call("xenflow/port-add", "mb1", "in", "vlan=30", "vif=mb-eth0")
    control.call("xenflow/port-add", "mb1", "out", "vlan=30", "vif=mb-eth1")
    control.call("xenflow/select-add", "mb1", "udp,tp_dst=8000", "via=in",
                 "direction=both")
    control.call("xenflow/select-add", "mb1", "udp,tp_dst=8001", "via=out",
                 "direction=reverse", "priority=9")


class Flow:
    """Numbered packets to a UDP port, counted where they arrive and at all
    ports of the switch."""

    def __init__(self, here, flow, *end):
        source, target, address, port, _ = flow
        options = ["--port=%d" % port,
                   "--stream=%d" % next(measure.STREAMS)]
        ports = [i.port for n in here.topology.nodes.values()
                 for i in n.ifaces]
        self.watch = measure.Tool(here, "s1", "watch", *options, *ports)
        self.receiver = measure.Tool(here, target, "receive", *options,
                                     "--drain=%d" % measure.DRAIN_MS)
        self.sender = measure.Tool(here, source, "send", *options,
                                   "--rate=%d" % RATE, *end, address)

    def finish(self):
        sent = self.sender.result()["sent"]
        result = self.receiver.stop()
        result.update(sent=sent, lost=sent - result["received"],
                      ports=self.watch.stop()["interfaces"])
        return result


def reaches(here, flow):
    """Whether packets arrive; the first ones wait for ARP."""
    return not Flow(here, flow, "--count=3").finish()["lost"]


def broadcast(here, node):
    """Sends frames to everyone from 'node': none of another tenant may hear
    them."""
    mac = bytes.fromhex(here.node(node).ifaces[0].mac.replace(":", ""))
    with system.Inside(here.netns(node)):
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind(("eth0", 0))
            for to in (b"\xff" * 6, b"\x01\x00\x5e\x00\x00\x05",
                       b"\x52\x54\x00\xee\xee\xee"):
                s.send(to + mac + b"\x88\xb5" + bytes(46))


def check_way(name, result, through):
    """All packets of flow 'name' passed the ports 'through' of the switch
    and no other, once each way."""
    for port, counts in result["ports"].items():
        expected = [0, 0]
        if port in through:
            # In at the source and where the middlebox gives back.
            index = through.index(port)
            expected[index % 2] = result["sent"]
        check([counts["in"], counts["out"]] == expected,
              "%s: %s packets in and out at %s instead of %s", name,
              [counts["in"], counts["out"]], port, expected)
    drops = [c["rig_drops"] for c in result["ports"].values()]
    check(not any(drops), "the rig lost packets: %s", drops)


def traffic(here, names, seconds=SECONDS):
    """Runs the flows 'names' at the same time; returns their results."""
    flows = {name: Flow(here, FLOWS[name], "--seconds=%d" % seconds)
             for name in names}
    return {name: flow.finish() for name, flow in flows.items()}


def check_isolated(here, seen):
    """What each host saw came from its own tenant."""
    owner = {i.mac: node for node in here.topology.nodes.values()
             for i in node.ifaces}
    n = 0
    for (node, mac), count in seen.items():
        tenant = next(t for t, members in TENANTS.items() if node in members)
        source = owner.get(mac)
        check(source, "%s saw %d frames from %s, which nobody has", node,
              count, mac)
        check(source.name in TENANTS[tenant] + ["vr1"] * (tenant == "routed"),
              "%s saw %d frames from %s, of another tenant", node, count,
              source.name)
        n += count
    return n


def segments(control, name):
    return {s["port"]: s for s in
            control.json("xenflow/stats-show", name)["segments"]}


def check_counters(control, results):
    """The elements counted all packets (and the broadcasts before them)."""
    n = {name: r["sent"] for name, r in results.items()}
    sw, mb = segments(control, "sw1"), segments(control, "mb1")
    check(sw["a"]["rx_packets"] >= n["switched"], "switch: %s", sw)
    check(sw["b"]["tx_packets"] >= n["switched"], "switch: %s", sw)
    check(sw["c"]["rx_packets"] >= n["switched to the third"], "switch: %s",
          sw)
    for port, flow in (("in", "chosen"), ("out", "chosen, back")):
        check(mb[port]["tx_packets"] >= n[flow], "middlebox: %s", mb)
    check(mb["out"]["rx_packets"] >= n["chosen"], "middlebox: %s", mb)
    rules = {r["match"]: r["packets"]
             for r in control.json("xenflow/select-list", "mb1")}
    check(rules["udp,tp_dst=8000"] >= n["chosen"]
          and rules["udp,tp_dst=8001"] >= n["chosen, back"], "rules: %s",
          rules)
    forwarded = control.json("xenflow/stats-show", "vr1")
    check(forwarded["forwarded_packets"] >= n["routed"] - 5, "router: %s",
          forwarded)


def together(here, control):
    """All networks under traffic at the same time."""
    nodes = [n for members in TENANTS.values() for n in members]
    sniffer = Sniffer(here, nodes)
    with contextlib.ExitStack() as stack:
        stack.callback(sniffer.stop)
        results = traffic(here, FLOWS)
        for node in nodes:
            broadcast(here, node)
        harness.time.sleep(0.5)
        stack.pop_all()
    n_frames = check_isolated(here, sniffer.stop())
    for name, result in results.items():
        check(not result["lost"] and not result["duplicated"],
              "%s: %d lost, %d twice of %d", name, result["lost"],
              result["duplicated"], result["sent"])
        check_way(name, result, FLOWS[name][4])
    # The last counts arrive with the next dump of datapath flows.
    control.call("revalidator/wait")
    check_counters(control, results)
    n = sum(r["sent"] for r in results.values())
    say("%d packets in %d flows: 0 lost; %d frames sniffed, none foreign", n,
        len(results), n_frames)
    return n


def without_middlebox(here, control):
    """Its VM's interface loses its carrier."""
    names = ["chosen", "not chosen", "switched"]
    for fail in ("closed", "open"):
        control.call("xenflow/router-set", "mb1", "fail=" + fail)
        here.run("mb", ["ip", "link", "set", "eth1", "down"])
        wait("the switch sees no carrier", lambda: "LINK_DOWN" in
             here.switches["s1"].tool("ovs-ofctl", "dump-ports-desc", "br0",
                                      "mb-eth1"))
        results = traffic(here, names, 2)
        for name in names:
            lost = results[name]["lost"]
            expected = (results[name]["sent"]
                        if (name, fail) == ("chosen", "closed") else 0)
            check(lost == expected, "fail=%s, %s: %d lost instead of %d",
                  fail, name, lost, expected)
        here.run("mb", ["ip", "link", "set", "eth1", "up"])
        say("fail=%s: as it should", fail)
    control.call("revalidator/wait")
    counts = segments(control, "mb1")["in"]
    check(counts["refused_packets"] and counts["bypassed_packets"],
          "counters: %s", counts)
    wait("the middlebox is back", lambda: not traffic(
        here, ["chosen"], 1)["chosen"]["lost"])


def test():
    harness.need_programs("/usr/lib/frr/zebra", "ethtool")
    with direct.Up(NAME, TOPOLOGY) as here:
        control = harness.Control(here.switches["s1"])
        # In this order: two ports of a bridge in one VLAN are a loop.
        start_elements(control, here.switches["s1"])
        start_middlebox(here)
        for name, flow in FLOWS.items():
            wait(name, lambda f=flow: reaches(here, f))
        n = together(here, control)
        without_middlebox(here, control)
        harness.check_alive(here)
        control.close()
    return ("3 networks, %d packets: 0 lost, each its own way, no foreign "
            "frame; middlebox away: closed and open" % n)


harness.main(test)
