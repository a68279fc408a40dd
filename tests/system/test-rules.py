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
"""Filters and flows of a router with real packets, each kind with its counters.

A router between two segments, and a third one that it isn't on.  Permit and
deny, deny by default (EV-11); a flow that is switched past the router beside
others that are routed (XF-47, XF-51); rewrites that the receiver's kernel
accepts (EV-18); any subset of the 12 fields (EV-17); changes under traffic,
in which each packet goes one way, once (XF-18, XF-19).
"""

import select
import socket
import threading

import direct
import harness
from harness import check, say, wait
from lab import measure, system

NAME = "t-rules"
RATE, SECONDS = 400, 2
N_CHANGES = 40
TOPOLOGY = """
[switch s1]
[segment a]
switch = s1
vlan = 10
[segment b]
switch = s1
vlan = 11
[segment c]
switch = s1
vlan = 12
[router vr1]
xenflow = yes
eth0 = a 10.1.0.1/24
eth1 = b 10.1.1.1/24
[edge ea]
eth0 = a 10.1.0.2/24
gateway = 10.1.0.1
[edge eb]
eth0 = b 10.1.1.2/24
gateway = 10.1.1.1
[edge ec]
eth0 = c 10.1.2.2/24
"""
PORTS = ["ea-eth0", "eb-eth0", "ec-eth0"]


class Traffic:
    """Numbered packets from ea to 10.1.1.2, counted at the switch's ports."""

    def __init__(self, here, port, *end, target="eb"):
        options = ["--port=%d" % port,
                   "--stream=%d" % next(measure.STREAMS)]
        self.watch = measure.Tool(here, "s1", "watch", *options, *PORTS)
        self.receiver = measure.Tool(here, target, "receive", *options,
                                     "--drain=%d" % measure.DRAIN_MS)
        self.sender = measure.Tool(here, "ea", "send", *options,
                                   "--rate=%d" % RATE,
                                   *(end or ["--seconds=%d" % SECONDS]),
                                   "10.1.1.2")

    def finish(self):
        """Returns packets sent, received, and that left by eb and by ec."""
        sent = self.sender.result()["sent"]
        got = self.receiver.stop()
        counts = self.watch.stop()["interfaces"]
        check(not got["duplicated"], "%d arrived twice", got["duplicated"])
        check(counts["ea-eth0"]["in"] == sent, "%d of %d packets came in",
              counts["ea-eth0"]["in"], sent)
        return (sent, got["received"], counts["eb-eth0"]["out"],
                counts["ec-eth0"]["out"])


def run(here, *ports, target="eb"):
    """Traffic to all of 'ports' at once; returns what each finish() says."""
    flows = [Traffic(here, port, target=target) for port in ports]
    return [flow.finish() for flow in flows]


def counters(control, kind):
    """{match: (packets, bytes)} once the datapath's counts have arrived."""
    control.call("revalidator/wait")
    return {r["match"]: (r["packets"], r["bytes"])
            for r in control.json("xenflow/%s-list" % kind, "vr1")}


def clear(control):
    control.call("xenflow/filter-del", "vr1", "all")
    control.call("xenflow/flow-del", "vr1", "all")
    control.call("xenflow/router-set", "vr1", "filter-default=permit")


def filters(here, control):
    """A denied flow beside a permitted one."""
    control.call("xenflow/filter-add", "vr1", "udp,tp_dst=7001", "deny",
                 "priority=9")
    control.call("xenflow/filter-add", "vr1", "ip,nw_src=10.1.0.0/24",
                 "permit", "priority=8")
    (sent1, _, eb1, ec1), (sent2, got2, _, _) = run(here, 7001, 7002)
    check((eb1, ec1, got2) == (0, 0, sent2), "denied: %d and %d left; "
          "permitted: %d of %d arrived", eb1, ec1, got2, sent2)
    n = counters(control, "filter")
    check(n["udp,tp_dst=7001"][0] == sent1 and n["udp,tp_dst=7001"][1] > 0,
          "%d denied, counted %s", sent1, n)
    check(n["ip,nw_src=10.1.0.0/24"][0] >= sent2, "%d permitted, counted %s",
          sent2, n)
    denied = control.json("xenflow/stats-show", "vr1")["denied_packets"]
    check(denied == sent1, "%d denied, %d in all", sent1, denied)
    say("filters: %d denied, %d permitted", sent1, sent2)


def default_deny(here, control):
    control.call("xenflow/router-set", "vr1", "filter-default=deny")
    control.call("xenflow/filter-add", "vr1",
                 "in_port=ea-eth0,udp,nw_dst=10.1.1.2,tp_dst=7003/0xfffe",
                 "permit")
    (sent1, got1, eb1, _), (sent2, got2, _, _) = run(here, 7001, 7003)
    check((got1, eb1, got2) == (0, 0, sent2), "by default %d left; permitted: "
          "%d of %d arrived", eb1, got2, sent2)
    n = counters(control, "filter")
    check(n["(default)"][0] >= sent1, "%d denied, counted %s", sent1, n)
    say("default deny: %d denied, %d permitted", sent1, sent2)


def switched_and_routed(here, control):
    """What is switched leaves as it came: destination MAC and TTL."""
    control.call("xenflow/flow-add", "vr1", "udp,tp_dst=7004,dl_vlan=10",
                 "actions=output:ec-eth0")
    seen, stop = set(), threading.Event()
    with system.Inside(here.netns("ec")):
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                socket.htons(0x800))

    def sniff():
        while not stop.is_set():
            if select.select([sniffer], [], [], 0.1)[0]:
                frame = sniffer.recv(100)
                if frame[36:38] == (7004).to_bytes(2, "big"):
                    seen.add((frame[:6].hex(":"), frame[22]))
    thread = threading.Thread(target=sniff)
    thread.start()
    try:
        (sent1, got1, eb1, ec1), (sent2, got2, _, ec2) = run(here, 7004, 7005)
    finally:
        stop.set()
        thread.join()
        sniffer.close()
    check((got1, eb1, ec1) == (0, 0, sent1), "switched: %d by eb, %d of %d by "
          "ec", eb1, ec1, sent1)
    check((got2, ec2) == (sent2, 0), "routed: %d of %d arrived, %d by ec",
          got2, sent2, ec2)
    mac = here.node("vr1").ifaces[0].mac
    check(seen == {(mac, 64)}, "switched packets were changed: %s", seen)
    n = counters(control, "flow")
    check(n["udp,dl_vlan=10,tp_dst=7004"][0] == sent1, "%d, counted %s",
          sent1, n)
    say("%d packets switched unmodified, %d routed at the same time", sent1,
        sent2)


def rewritten(here, control):
    """A host of another segment gets packets as if they were for it."""
    mac = here.node("ec").ifaces[0].mac
    control.call("xenflow/flow-add", "vr1", "udp,tp_dst=7006",
                 "actions=mod_dl_dst:%s,mod_nw_dst:10.1.2.2,mod_nw_tos:32,"
                 "output:ec-eth0" % mac)
    sent, got, _, ec = run(here, 7006, target="ec")[0]
    check(got == ec == sent, "%d of %d arrived, %d by ec", got, sent, ec)
    say("rewritten: %d of %d delivered", got, sent)


def changed_under_traffic(here, control):
    """To and fro: no packet is lost, or sent twice."""
    flow = Traffic(here, 7007, "--seconds=%d" % (3 * SECONDS))
    harness.time.sleep(0.5)
    for i in range(N_CHANGES):
        control.call("xenflow/flow-add", "vr1", "udp,tp_dst=7007",
                     "actions=%s" % ("normal" if i % 2 else
                                     "output:ec-eth0"))
        harness.time.sleep(0.05)
    sent, got, eb, ec = flow.finish()
    check(eb + ec == sent and got == eb and eb and ec, "of %d packets %d left "
          "by eb, %d by ec, %d arrived", sent, eb, ec, got)
    say("%d changes under traffic: %d + %d of %d packets", N_CHANGES, eb, ec,
        sent)


def test():
    harness.need_programs("/usr/lib/frr/zebra", "ethtool")
    with direct.Up(NAME, TOPOLOGY) as here:
        control = harness.Control(here.switches["s1"])
        wait("packets arrive",
             lambda: Traffic(here, 7000, "--count=3").finish()[1] == 3)
        for part in (filters, default_deny, switched_and_routed, rewritten,
                     changed_under_traffic):
            part(here, control)
            clear(control)
        harness.check_alive(here)
        control.close()
    return ("filters, default deny, switched beside routed, rewritten, "
            "%d changes: all packets as the rules say" % N_CHANGES)


harness.main(test)
