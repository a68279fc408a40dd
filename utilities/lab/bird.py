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
"""BIRD's configuration for a router of the lab, and BIRD in a namespace.

OSPF (v3 for IPv6) as lab/frr.py configures it for FRR: area 0, hellos of 1 s,
point-to-point where a segment has exactly two routers.  BIRD puts its routes
into the kernel; a guest daemon tells the switch of them.
"""

import os

from lab import frr, system

BIRD = "/usr/sbin/bird"
BIRDC = "/usr/sbin/birdcl"


def _interface_lines(node, iface):
    peers = [i for i in iface.segment.ifaces if i.name in i.node.ospf]
    yield "    interface \"%s\" {" % iface.name
    yield "      type %s;" % ("ptp" if len(peers) == 2 else "broadcast")
    yield "      hello %d;" % frr.OSPF_HELLO_S
    yield "      dead %d;" % node.ospf_dead
    yield "      retransmit %d;" % frr.OSPF_RETRANSMIT_S
    if peers == [iface]:
        yield "      stub;"
    yield "    };"


def _protocols(node, version):
    """Lines for IP 'version': routes to the kernel, static ones, OSPF."""
    channel = "ipv%d" % version
    yield "protocol kernel kernel%d {" % version
    yield "  merge paths yes;"
    yield "  %s { import none; export where source != RTS_DEVICE; };" % channel
    yield "}"
    if not frr.uses(node, "ospf" if version == 4 else "ospf6"):
        return
    yield "protocol ospf v%d ospf%d {" % (2 if version == 4 else 3, version)
    yield "  ecmp yes;"
    yield "  %s { import all; export where source = RTS_STATIC; };" % channel
    yield "  area 0 {"
    for iface in node.ifaces:
        if iface.name in node.ospf and iface.first(version):
            yield from _interface_lines(node, iface)
    yield "  };"
    yield "}"


def configuration(node):
    """Text of bird.conf for router 'node'."""
    lines = ["router id %s;" % frr.router_id(node),
             "protocol device { scan time 10; }"]
    for version in (4, 6):
        lines += _protocols(node, version)
    lines += node.config.splitlines()
    return "\n".join(lines) + "\n"


class Router:
    """BIRD in namespace of router 'node'."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.netns = system.netns_path(lab.name, node.name)
        self.folder = os.path.join(lab.folder_path, node.name)

    def start(self, _xenflow):
        """Starts BIRD."""
        os.makedirs(self.folder, exist_ok=True)
        base = os.path.join(self.folder, "bird")
        with open(base + ".conf", "w", encoding="ascii") as f:
            f.write(configuration(self.node))
        system.daemon([BIRD, "-c", base + ".conf", "-s", base + ".ctl",
                       "-P", base + ".pid"], self.netns, base + ".out")
        self.lab.record(base + ".pid")

    def environment(self):
        return dict(os.environ)
