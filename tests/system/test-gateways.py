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
"""Routing between VLANs without a virtual router.

By an external gateway, a machine with an interface in each VLAN, which also
filters (EV-09); and by the host's own kernel, with internal ports of the bridge
as gateways (EV-10).  VLANs between which nobody routes don't reach each other
(EV-08).
"""

import direct
import harness
from harness import check, wait
from lab import measure

NAME = "t-gate"
TOPOLOGY = """
[switch s1]
[segment g1]
switch = s1
vlan = 60
[segment g2]
switch = s1
vlan = 61
[segment k1]
switch = s1
vlan = 70
[segment k2]
switch = s1
vlan = 71
[router gw]
kind = bare
eth0 = g1 10.6.0.1/24
eth1 = g2 10.6.1.1/24
[edge ga]
eth0 = g1 10.6.0.2/24
gateway = 10.6.0.1
[edge gb]
eth0 = g1 10.6.0.3/24
gateway = 10.6.0.1
[edge gc]
eth0 = g2 10.6.1.2/24
gateway = 10.6.1.1
[edge ka]
eth0 = k1 10.7.0.2/24
gateway = 10.7.0.1
[edge kb]
eth0 = k2 10.7.1.2/24
gateway = 10.7.1.1
"""
RATE, SECONDS = 1000, 4


class Flow:
    """Packets from one edge to another; counted at 'ports' of the switch."""

    def __init__(self, here, source, target, ports, *end):
        to = str(here.node(target).ifaces[0].first(4).ip)
        number = next(measure.STREAMS)
        options = ["--stream=%d" % number, "--port=%d" % (7000 + number)]
        self.watch = measure.Tool(here, "s1", "watch", *options, *ports)
        self.receiver = measure.Tool(here, target, "receive", *options,
                                     "--drain=%d" % measure.DRAIN_MS)
        self.sender = measure.Tool(here, source, "send", *options,
                                   "--rate=%d" % RATE, *end, to)

    def finish(self):
        sent = self.sender.result()["sent"]
        received = self.receiver.stop()["received"]
        return sent, sent - received, self.watch.stop()["interfaces"]


def reaches(here, source, target):
    return not Flow(here, source, target, ["ga-eth0"],
                    "--count=3").finish()[1]


def route_by_kernel(here, host):
    """Internal ports of the bridge are the gateways."""
    for vlan, address in ((70, "10.7.0.1/24"), (71, "10.7.1.1/24")):
        name = "gw%d" % vlan
        host.vsctl("add-port", "br0", name, "tag=%d" % vlan, "--", "set",
                   "interface", name, "type=internal")
        here.run("s1", ["ip", "address", "add", address, "dev", name])
        here.run("s1", ["ip", "link", "set", name, "up"])
    here.run("s1", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])


def test():
    harness.need_programs("ip", "ethtool")
    with direct.Up(NAME, TOPOLOGY) as here:
        host = here.switches["s1"]
        route_by_kernel(here, host)
        # The gateway's filter: gb may not get out of its VLAN.
        here.run("gw", ["ip", "rule", "add", "from", "10.6.0.3", "iif",
                        "eth0", "prohibit"])
        wait("the gateway routes", lambda: reaches(here, "ga", "gc"))
        wait("the kernel routes", lambda: reaches(here, "ka", "kb"))
        ways = {"ga": ("gc", ["ga-eth0", "gw-eth0", "gw-eth1", "gc-eth0"]),
                "ka": ("kb", ["ka-eth0", "gw70", "gw71", "kb-eth0"]),
                "gb": ("gc", ["gb-eth0", "gw-eth0"]),
                "gc": ("ka", ["gc-eth0", "gw-eth1"])}
        ports = sorted({p for _, ps in ways.values() for p in ps})
        flows = {source: Flow(here, source, target, ports,
                              "--seconds=%d" % SECONDS)
                 for source, (target, _) in ways.items()}
        n = 0
        for source, flow in flows.items():
            sent, lost, seen = flow.finish()
            target, way = ways[source]
            refused = source in ("gb", "gc")
            check(lost == (sent if refused else 0),
                  "%s to %s: %d of %d lost", source, target, lost, sent)
            foreign = {p: c for p, c in seen.items()
                       if p not in way and (c["in"] or c["out"])}
            check(not foreign, "%s to %s was seen at %s", source, target,
                  foreign)
            n += 0 if refused else sent
        harness.check_alive(here)
    return ("gateway and kernel routed %d packets, 0 lost; refused and "
            "unrouted ones went nowhere" % n)


harness.main(test)
