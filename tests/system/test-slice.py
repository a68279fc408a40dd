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
"""Slices: two virtual networks, each programmed by its own OpenFlow
controller, on the host's bridge and on an external switch.

    ra ba                                   rb bb
     | |                                     | |
    [ s1 ] ---- trunk, VLANs 100, 200 ---- [ s2 ]
      |  \\                                   /
      |   xenflow-slice -- TCP, OpenFlow 1.3 +
      |    |  TLS    |  TCP
     vmr (red)    vmb (blue): ovs-testcontroller

Red's hosts have the same addresses as blue's.  s2 stands for a switch of
somebody else's: it is reached by OpenFlow over TCP and nothing else.  vmr and
vmb stand for virtual machines with a management link to s1's host.

Shown: both networks forward, each its own frames only (XF-17, EV-14, EV-19);
controllers see the first packets of a flow (EV-15); controllers die, move, and
xenflow-slice dies, without a lost packet (EV-16); a hostile controller changes
nothing for the other.
"""

import json
import os
import socket
import subprocess
import time

import direct
import harness
from harness import check, say, wait
from lab import measure, system

NAME = "t-slice"
TOPOLOGY = """
[switch s1]
[switch s2]
[trunk t]
ends = s1 s2
[segment ra]
switch = s1
vlan = 11
[segment ba]
switch = s1
vlan = 12
[segment rb]
switch = s2
vlan = 13
[segment bb]
switch = s2
vlan = 14
[edge ra]
eth0 = ra 10.0.0.1/24
[edge ba]
eth0 = ba 10.0.0.1/24
[edge rb]
eth0 = rb 10.0.0.2/24
[edge bb]
eth0 = bb 10.0.0.2/24
"""
CONFIG = """
[switch s1]
remote = unix:{run}/br0.mgmt
[switch s2]
remote = tcp:192.0.2.2:6633
[slice red1]
switch = s1
controller = {red1}
tables = 10-13
max-groups = 4
port 1 = ra-eth0
port 2 = to-s2 vlan 100
[slice red2]
switch = s2
controller = ssl:169.254.1.2:6653
tables = 10-13
port 1 = rb-eth0
port 2 = to-s1 vlan 100
[slice blue1]
switch = s1
controller = tcp:169.254.2.2:6653
tables = 20-20
port 1 = ba-eth0
port 2 = to-s2 vlan 200
[slice blue2]
switch = s2
controller = tcp:169.254.2.2:6653
tables = 20-20
port 1 = bb-eth0
port 2 = to-s1 vlan 200
"""
RED = "ssl:169.254.1.2:6653"
HOSTILE = "ptcp:6654:169.254.1.1"   # Where the hostile controller connects.
RATE_PPS, SECONDS = 1000, 6
# What a hostile controller tries: ovs-ofctl's command and arguments, after
# which the target comes first.  Blue is port 2 (ba) and VLAN 200, table 20.
ATTACKS = [
    ("add-flow", "in_port=2,actions=output:3"),
    ("add-flow", "in_port=3,actions=output:1"),
    ("add-flow", "table=20,actions=output:1"),
    ("add-flow", "in_port=1,actions=NORMAL"),
    ("add-flow", "in_port=1,actions=LOCAL"),
    ("add-flow", "in_port=1,actions=output:7"),
    ("add-flow", "actions=goto_table:19"),
    ("add-flow", "actions=resubmit(,20)"),
    ("add-flow", "actions=resubmit(2,0)"),
    ("add-flow", "actions=learn(table=20,NXM_OF_IN_PORT[]),output:1"),
    ("add-flow", "actions=load:2->NXM_NX_REG0[],output:NXM_NX_REG0[]"),
    ("add-flow", "actions=load:2->NXM_OF_IN_PORT[],output:1"),
    ("add-flow", "actions=set_queue:1,output:1"),
    ("add-flow", "actions=set_field:0x200000000->metadata,goto_table:1"),
    ("add-flow", "actions=write_metadata:0x200000000,goto_table:1"),
    ("add-flow", "metadata=0x200000000/0xffffffff00000000,actions=drop"),
    ("add-flow", "actions=write_actions(group:21495809)"),
    ("add-flow", "actions=group:21495809"),
    ("add-flow", "actions=controller(id=1)"),
    ("add-flow", "tun_id=1,actions=output:1"),
    ("add-flow", "ip,actions=ct(table=20)"),
    ("mod-flows", "table=20,actions=drop"),
    ("del-flows", "table=20"),
    ("del-flows", "in_port=3"),
    ("del-flows", "out_port=3"),
    ("add-group", "group_id=21495809,type=all,bucket=output:1"),
    ("mod-group", "group_id=21495809,type=all,bucket=output:1"),
    ("add-group", "group_id=1,type=all,bucket=output:3"),
    ("add-group", "group_id=1,type=all,bucket=resubmit(,20)"),
    ("add-meter", "meter=1,pktps,band=type=drop,rate=1"),
    ("packet-out", "in_port=3,packet={frame},actions=output:1"),
    ("packet-out", "in_port=1,packet={frame},actions=output:3"),
    ("packet-out", "in_port=1,packet={frame},actions=NORMAL"),
    ("packet-out", "in_port=CONTROLLER,packet={frame},actions=TABLE"),
    ("mod-port", "1", "down"),
    ("set-frags", "drop"),
    ("queue-stats",),
    ("dump-flows", "table=20"),
    ("dump-ports", "3"),
]
CHANGES = ("add-flow", "mod-flows", "del-flows", "add-group", "mod-group",
           "add-meter", "packet-out", "mod-port")
# What is carried out, but within the slice.
CONFINED = [
    ("add-flow", "priority=1,in_port=1,actions=IN_PORT"),
    ("add-flow", "priority=65535,actions=FLOOD"),
    ("add-flow", "priority=65534,actions=ALL"),
    ("add-flow", "priority=2,in_port=1,actions=push_vlan:0x8100,"
                 "set_field:4296->vlan_vid,output:2"),
    ("add-flow", "priority=3,in_port=1,actions=write_actions("
                 "push_vlan:0x8100,set_field:4296->vlan_vid,output:2)"),
    ("packet-out", "in_port=CONTROLLER,packet={frame},actions=ALL"),
    ("packet-out", "in_port=1,packet={tagged},actions=output:2,TABLE"),
    ("dump-group-stats", "group_id=21495809"),
    ("del-groups",),
    ("del-flows", "cookie=0/0"),
    ("del-flows",),
]
FRAME = "ffffffffffff%s88b5" + "00" * 46
TAGGED = "ffffffffffff%s810000c888b5" + "00" * 46
ETH_P_ALL = 3
# Fields that ovs-testcontroller leaves out of its flows (OFPFW10_*): otherwise
# each measurement, with a port of its own, would be a new flow.
ALL_BUT_PORT_AND_MACS = 0x3ffff2


class Sniffer:
    """Counts frames at a node by their source."""

    def __init__(self, here, node):
        with system.Inside(here.netns(node)):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                        socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self.socket.setblocking(False)

    def sources(self):
        counts = {}
        while True:
            try:
                frame, address = self.socket.recvfrom(2048)
            except BlockingIOError:
                return counts
            if address[2] != socket.PACKET_OUTGOING:
                mac = frame[6:12].hex(":")
                counts[mac] = counts.get(mac, 0) + 1


class Rig:
    """The lab with management links, xenflow-slice and controllers."""

    def __init__(self, here):
        self.here = here
        self.host = here.switches["s1"]
        self.folder = here.folder_path
        self.conf = os.path.join(self.folder, "slices.conf")
        self.macs = {i.node.name: i.mac
                     for segment in here.topology.segments.values()
                     for i in segment.ifaces}

    def ip(self, *words):
        system.run(["ip", *words])

    def link(self, one, name1, address1, other, name2, address2):
        """A cable between two namespaces."""
        self.ip("-n", one, "link", "add", name1, "type", "veth", "peer",
                "name", name2, "netns", other)
        for where, name, address in ((one, name1, address1),
                                     (other, name2, address2)):
            self.ip("-n", where, "address", "add", address + "/30", "dev",
                    name)
            self.ip("-n", where, "link", "set", name, "up")

    def namespace(self, name):
        return os.path.basename(self.here.netns(name))

    def add_machine(self, name, number):
        """A namespace with a management link, as a virtual machine has."""
        self.ip("netns", "add", self.namespace(name))
        self.ip("-n", self.namespace(name), "link", "set", "lo", "up")
        self.plug(name, number)

    def plug(self, name, number):
        self.link(self.namespace("s1"), "mgmt-" + name,
                  "169.254.%d.1" % number, self.namespace(name), "eth0",
                  "169.254.%d.2" % number)

    def unplug(self, name):
        """Takes a machine's management link away."""
        self.ip("-n", self.namespace("s1"), "link", "delete", "mgmt-" + name)

    def make_certificates(self):
        """A certificate authority, and two certificates of it."""
        def openssl(*words):
            system.run(["openssl", *words])

        def path(name):
            return os.path.join(self.folder, name)

        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", "/CN=ca", "-keyout", path("ca.key"), "-out",
                path("ca.pem"))
        for name in ("slice", "vmr"):
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj",
                    "/CN=" + name, "-keyout", path(name + ".key"), "-out",
                    path(name + ".csr"))
            openssl("x509", "-req", "-days", "2", "-in", path(name + ".csr"),
                    "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
                    "-CAcreateserial", "-out", path(name + ".pem"))

    def tls(self, name):
        return ["--private-key=%s/%s.key" % (self.folder, name),
                "--certificate=%s/%s.pem" % (self.folder, name),
                "--ca-cert=%s/ca.pem" % self.folder]

    def daemon(self, node, name, program, *args):
        base = os.path.join(self.folder, name)
        system.daemon([self.host.program(program), *args, "--detach",
                       "--no-chdir", "--pidfile=%s.pid" % base,
                       "--log-file=%s.log" % base, "-vconsole:off",
                       "-vsyslog:off", "--unixctl=%s.ctl" % base],
                      self.here.netns(node), base + ".out",
                      env=self.host.environment())

    def start_controller(self, name):
        secure = name == "vmr"
        self.daemon(name, "controller-" + name, "ovs-testcontroller",
                    "--protocols=OpenFlow13", "--max-idle=permanent",
                    "--wildcards=%#x" % ALL_BUT_PORT_AND_MACS,
                    "pssl:6653" if secure else "ptcp:6653",
                    *(self.tls("vmr") if secure else ()))

    def write_config(self, red1=RED):
        with open(self.conf, "w", encoding="ascii") as f:
            f.write(CONFIG.format(run=self.host.folder, red1=red1))

    def start_slice(self):
        self.daemon("s1", "xenflow-slice", "xenflow-slice", self.conf,
                    *self.tls("slice"))

    def kill(self, name):
        """kill -9, and waits for its end."""
        with open(os.path.join(self.folder, name + ".pid"),
                  encoding="ascii") as f:
            pid = int(f.read())
        os.kill(pid, 9)
        wait("end of " + name, lambda: not os.path.exists("/proc/%d" % pid))

    def slices(self):
        text = self.host.appctl("-t", self.folder + "/xenflow-slice.ctl",
                                "slice/show", "--json")
        return {s["name"]: s for s in json.loads(text)}

    def wait_active(self, *names):
        wait("slices " + ", ".join(names),
             lambda: all(self.slices()[n]["state"] == "active"
                         for n in names))

    def flows(self, node, tables):
        """Flows of a switch in some tables, without what counts."""
        found = []
        for table in tables:
            text = self.here.switches[node].tool(
                "ovs-ofctl", "-O", "OpenFlow13", "--no-stats", "dump-flows",
                "br0", "table=%d" % table)
            found += sorted(line.strip() for line in text.splitlines())
        return found


def set_up(rig):
    """Everything but the slices' traffic."""
    one, two = rig.namespace("s1"), rig.namespace("s2")
    rig.link(one, "of-s2", "192.0.2.1", two, "of-s1", "192.0.2.2")
    rig.here.switches["s2"].vsctl(
        "set-fail-mode", "br0", "secure", "--", "set-controller", "br0",
        "ptcp:6633:192.0.2.2")
    rig.add_machine("vmr", 1)
    rig.add_machine("vmb", 2)
    rig.make_certificates()
    rig.write_config()
    for name in ("vmr", "vmb"):
        rig.start_controller(name)
    rig.start_slice()
    rig.wait_active("red1", "red2", "blue1", "blue2")


def check_forwarding(rig):
    """Both networks forward, with the same addresses, and only the first
    packets are seen by controllers."""
    for one in ("ra", "ba"):
        wait("ping from " + one, lambda one=one: " 0% packet loss" in
             rig.here.run(one, ["ping", "-c", "2", "-W", "1", "10.0.0.2"],
                          check=False))
    before = {n: s["packet_ins"] for n, s in rig.slices().items()}
    flows = [measure.Flow(rig.here, source, target, "10.0.0.2", RATE_PPS,
                          end=("--seconds=%d" % SECONDS,))
             for source, target in (("ra", "rb"), ("ba", "bb"))]
    results = [flow.finish() for flow in flows]
    after = {n: s["packet_ins"] for n, s in rig.slices().items()}
    seen = sum(after.values()) - sum(before.values())
    sent = sum(r["sent"] for r in results)
    check(all(r["lost"] == 0 for r in results), "lost: %s",
          [r["lost"] for r in results])
    check(seen < sent / 100, "controllers saw %d of %d packets", seen, sent)
    say("forwarding: %d packets, 0 lost, %d seen by controllers", sent, seen)
    return sent, seen


def fix_neighbors(rig):
    """From here on nobody asks for MACs, which would be a new flow."""
    for one, other in (("ra", "rb"), ("ba", "bb")):
        rig.here.run(one, ["ip", "neighbor", "replace", "10.0.0.2", "lladdr",
                           rig.macs[other], "dev", "eth0", "nud",
                           "permanent"])
        rig.here.run(other, ["ip", "neighbor", "replace", "10.0.0.1",
                             "lladdr", rig.macs[one], "dev", "eth0", "nud",
                             "permanent"])


def under_traffic(rig, what, act):
    """Does act() while both networks forward; nothing may be lost."""
    flows = [measure.Flow(rig.here, source, target, "10.0.0.2", RATE_PPS,
                          end=("--seconds=60",))
             for source, target in (("ra", "rb"), ("ba", "bb"))]
    time.sleep(0.5)
    begin = time.monotonic()
    act()
    took = time.monotonic() - begin
    time.sleep(0.5)
    results = [flow.halt() for flow in flows]
    check(all(r["lost"] == 0 and r["received"] > RATE_PPS / 2
              for r in results), "%s: %s", what, results)
    say("%s (%.1f s): %d packets, 0 lost", what, took,
        sum(r["sent"] for r in results))


def move(rig, name, number):
    """As a virtual machine that moves live: its link goes, the machine with
    its connections is the same, and it has the same address elsewhere."""
    rig.unplug(name)
    time.sleep(2)
    rig.plug(name, number)
    wait("an answer of the moved controller", lambda: all(
        s["state"] == "active" for s in rig.slices().values()))


def wait_whole(rig):
    """Until xenflow-slice knows what the switches hold."""
    wait("slices", lambda: all(
        s["state"] == "waiting for its controller" and s["flows"]
        for s in rig.slices().values()))


def check_recovery(rig):
    """Controllers come back.  This one begins by deleting all flows, so what
    follows is a beginning again, not a continuation."""
    for name in ("vmr", "vmb"):
        rig.start_controller(name)
    rig.wait_active("red1", "red2", "blue1", "blue2")
    for one in ("ra", "ba"):
        wait("ping from " + one, lambda one=one: " 0% packet loss" in
             rig.here.run(one, ["ping", "-c", "2", "-W", "1", "10.0.0.2"],
                          check=False))


def attack(rig, command, *args):
    """One command of the hostile controller; True if it succeeded."""
    frame = FRAME % rig.macs["ra"].replace(":", "")
    tagged = TAGGED % rig.macs["ra"].replace(":", "")
    words = [a.format(frame=frame, tagged=tagged) if "packet=" in a else a
             for a in args]
    done = subprocess.run(
        ["ip", "netns", "exec", rig.namespace("vmr"),
         rig.host.program("ovs-ofctl"), "-O", "OpenFlow13", "--timeout=10",
         command, "tcp:169.254.1.1:6654", *words],
        capture_output=True, text=True, check=False)
    return done.returncode == 0


def check_attacks(rig):
    """The controller of red1 becomes hostile."""
    rig.write_config(red1=HOSTILE)
    rig.host.appctl("-t", rig.folder + "/xenflow-slice.ctl", "slice/reload")
    blue = {n: rig.flows(n, (0, 20)) for n in ("s1", "s2")}
    wait("hostile controller", lambda: attack(rig, "show"))
    sniffers = {n: Sniffer(rig.here, n) for n in ("ba", "bb")}
    traffic = measure.Flow(rig.here, "ba", "bb", "10.0.0.2", RATE_PPS,
                           end=("--seconds=300",))
    for words in ATTACKS:
        before = sum(rig.slices()["red1"]["refused"].values())
        # Of requests, ovs-ofctl only prints the error.
        check(not attack(rig, *words) or words[0] not in CHANGES,
              "succeeded: %s", words)
        check(sum(rig.slices()["red1"]["refused"].values()) > before,
              "not counted: %s", words)
    for words in CONFINED:
        check(attack(rig, *words), "failed: %s", words)
        rig.here.run("ra", ["ping", "-c", "1", "-W", "0.1", "10.0.0.2"],
                     check=False)
    result = traffic.halt()
    now = {n: rig.flows(n, (0, 20)) for n in ("s1", "s2")}
    check(now == blue, "blue's flows were %s and are %s", blue, now)
    check(result["lost"] == result["duplicated"] == 0,
          "blue's traffic: %s", result)
    for node, sniffer in sniffers.items():
        sources = sniffer.sources()
        red = {m: n for m, n in sources.items()
               if m in (rig.macs["ra"], rig.macs["rb"])}
        check(not red, "%s got frames of red: %s", node, red)
        check(node == "ba" or sources.get(rig.macs["ba"]),
              "%s saw nothing: the sniffer doesn't work", node)
    refused = {k: v for k, v in rig.slices()["red1"]["refused"].items() if v}
    others = [n for n in ("red2", "blue1", "blue2")
              if sum(rig.slices()[n]["refused"].values())]
    check(not others, "refusals counted for %s too", others)
    say("%d attacks refused %s, %d confined, %d packets of blue undisturbed",
        len(ATTACKS), refused, len(CONFINED), result["sent"])


def test():
    harness.need_programs("openssl", "ethtool", "ping")
    with direct.Up(NAME, TOPOLOGY) as here:
        rig = Rig(here)
        set_up(rig)
        sent, seen = check_forwarding(rig)
        fix_neighbors(rig)
        under_traffic(rig, "vmr moved", lambda: move(rig, "vmr", 1))
        under_traffic(rig, "controllers killed", lambda: (
            rig.kill("controller-vmr"), rig.kill("controller-vmb")))
        under_traffic(rig, "xenflow-slice killed",
                      lambda: rig.kill("xenflow-slice"))
        under_traffic(rig, "xenflow-slice back", lambda: (
            rig.start_slice(), wait_whole(rig)))
        check_recovery(rig)
        check_attacks(rig)
    return ("%d packets, %d seen by controllers; 0 lost over 4 failures; %d "
            "attacks refused, %d confined" % (sent, seen, len(ATTACKS),
                                              len(CONFINED)))


harness.main(test)
