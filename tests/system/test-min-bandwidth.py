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
"""A minimum bandwidth for a flow, by rule (XF-16).

Two flows of 3.2 Mbit/s each leave by a port of 4 Mbit/s (linux-htb).  Without a
rule each gets what it can.  With a rule that puts one of them into a queue of
at least 2.8 Mbit/s, that one gets its share, and the other the rest; the rule
changes sides, and so do the shares.  The same behind a router: the rule holds
for what it routes.
"""

import direct
import harness
from harness import check, say, wait
from lab import measure

NAME = "t-band"
TOPOLOGY = """
[switch s1]
[segment a]
switch = s1
vlan = 10
[segment b]
switch = s1
vlan = 20
[router vr1]
xenflow = yes
eth0 = a 10.5.0.1/24
eth1 = b 10.5.1.1/24
[edge ea]
eth0 = a 10.5.0.2/24
[edge eb]
eth0 = a 10.5.0.3/24
[edge er]
eth0 = b 10.5.1.2/24
gateway = 10.5.1.1
[edge sink]
eth0 = a 10.5.0.9/24
gateway = 10.5.0.1
"""
PORT = "sink-eth0"
# A packet takes 2 ms: HTB's own timers don't count on a busy machine.
LINE_BPS, GUARANTEED_BPS, REST_BPS = 4_000_000, 2_800_000, 400_000
SIZE, RATE, SECONDS = 1000, 400, 6
# What HTB counts of a packet beyond its IP bytes.
OVERHEAD = 14
TOLERANCE = 0.05


def shape(host):
    """The port's queues; packets without a queue are in number 0."""
    host.vsctl(
        "set", "port", PORT, "qos=@qos", "--",
        "--id=@qos", "create", "qos", "type=linux-htb",
        "other-config:max-rate=%d" % LINE_BPS,
        "queues:0=@rest", "queues:1=@gold", "--",
        "--id=@rest", "create", "queue",
        "other-config:min-rate=%d" % REST_BPS, "--",
        "--id=@gold", "create", "queue",
        "other-config:min-rate=%d" % GUARANTEED_BPS)


def set_rules(host, *sources):
    """UDP packets from 'sources' to the sink are in queue 1."""
    host.tool("ovs-ofctl", "del-flows", "br0")
    host.tool("ovs-ofctl", "add-flow", "br0", "priority=0,actions=NORMAL")
    for source in sources:
        host.tool("ovs-ofctl", "add-flow", "br0", "priority=10,udp,nw_src=%s,"
                  "nw_dst=10.5.0.9,actions=set_queue:1,NORMAL" % source)


class Flow:
    """Packets from 'node' to a port of the sink."""

    def __init__(self, here, node, port, *end):
        options = ["--port=%d" % port,
                   "--stream=%d" % next(measure.STREAMS)]
        self.receiver = measure.Tool(here, "sink", "receive", *options,
                                     "--drain=%d" % measure.DRAIN_MS)
        self.sender = measure.Tool(here, node, "send", *options,
                                   "--rate=%d" % RATE, "--size=%d" % SIZE,
                                   *end, "10.5.0.9")

    def finish(self):
        sent = self.sender.result()
        received = self.receiver.stop()["received"]
        bits = 8 * (SIZE + OVERHEAD)
        return (sent["sent"] - received,
                received * bits / max(sent["seconds"], SECONDS))


def rates(here, *nodes):
    """Bits per second that arrive of each, all sending at the same time."""
    flows = [Flow(here, node, 7100 + i, "--seconds=%d" % SECONDS)
             for i, node in enumerate(nodes)]
    found = [flow.finish()[1] for flow in flows]
    say("%s: %s Mbit/s", ", ".join(nodes),
        ", ".join("%.2f" % (rate / 1e6) for rate in found))
    check(sum(found) < LINE_BPS * (1 + 2 * TOLERANCE),
          "more than the line carries: %s", found)
    return found


def is_guaranteed(rate):
    return rate > GUARANTEED_BPS * (1 - TOLERANCE)


def test():
    harness.need_programs("tc", "/usr/lib/frr/zebra")
    with direct.Up(NAME, TOPOLOGY) as here:
        host = here.switches["s1"]
        for node in ("ea", "eb", "er"):
            wait("%s reaches the sink" % node, lambda n=node: not Flow(
                here, n, 7000, "--count=3").finish()[0])
        shape(host)
        set_rules(host)
        plain = rates(here, "ea", "eb")
        check(not all(is_guaranteed(rate) for rate in plain), "no contention")
        shares = []
        for winner, pair in (("10.5.0.2", ("ea", "eb")),
                             ("10.5.0.3", ("eb", "ea")),
                             ("10.5.1.2", ("er", "ea"))):
            set_rules(host, winner)
            gold, rest = rates(here, *pair)
            check(is_guaranteed(gold), "%s got %.2f Mbit/s of %.2f", pair[0],
                  gold / 1e6, GUARANTEED_BPS / 1e6)
            check(rest > REST_BPS * (1 - TOLERANCE),
                  "%s starved: %.2f Mbit/s", pair[1], rest / 1e6)
            shares.append(gold)
        harness.check_alive(here)
    return ("%.1f and %.1f Mbit/s without a rule; with it %s of %.1f "
            "guaranteed" % (plain[0] / 1e6, plain[1] / 1e6,
                            ", ".join("%.1f" % (s / 1e6) for s in shares),
                            GUARANTEED_BPS / 1e6))


harness.main(test)
