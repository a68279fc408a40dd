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
"""The database XenFlow with a server, and a lab as a network file for it."""

import os
import re

from lab import bird, frr, switch

XENFLOW = "xenflow-ext/xenflow.ovsschema"
SETTLE_S = 90


class Database(switch.Daemons):
    """The database XenFlow; xfctl finds it by $XF_DB."""

    def __init__(self, build, folder, netns=None):
        super().__init__(build, folder, netns)
        self.remote = "unix:" + self.path("db.sock")

    def environment(self):
        return dict(super().environment(), XF_DB=self.remote)

    def create(self):
        self.add_database("xenflow.db", XENFLOW)
        self.xfctl("init")

    def xfctl(self, *words):
        return self.tool("xfctl", *words)

    def load(self, text):
        """Imports a network file."""
        path = self.path("network.ini")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.xfctl("import", path)

    def settle(self):
        """Waits until all hosts have carried out all there is."""
        self.xfctl("--timeout=%d" % SETTLE_S, "wait")


# ---- A topology as a network file. ----

def network_file(topology):
    """Text for 'xfctl import'.  What isn't a part of a host (cables,
    neighbours, edges) has no row, but the ports it is plugged into."""
    lines = []
    hosts = topology.of_kind("switch")
    for node in hosts:
        lines.append("[host %s]" % node.name)
        if len(hosts) > 1:
            lines.append("addresses = %s" % node.underlay.ip)
    for trunk in topology.trunks:
        lines += ["[trunk %s]" % trunk.name.split()[-1],
                  "ends = %s:%s %s:%s" % (
                      trunk.ends[0], trunk.ports[0],
                      trunk.ends[1], trunk.ports[1])]
        lines += ["bandwidth = %d" % trunk.rate] if trunk.rate else []
    lines.append("[net %s]" % topology.name)
    for segment in topology.segments.values():
        if segment.vlan:
            lines += ["[segment %s]" % segment.name,
                      "vlan = %d" % segment.vlan,
                      "network = " + topology.name]
        if segment.switch:
            lines += _edges(topology, segment)
    for element in topology.elements.values():
        lines += _element(topology, element)
    for node in topology.of_kind("vm", "frr", "bare"):
        if node.xenflow:
            lines += _router(topology, node)
    for segment in topology.segments.values():
        if segment.is_link:
            # An edge port can be the second end alone.
            ends = sorted(segment.ifaces, key=lambda i: not i.node.xenflow)
            lines += ["[link %s]" % segment.name,
                      "ends = " + " ".join(map(_end, ends))]
    return "\n".join(lines) + "\n"


def _end(iface):
    """What a link calls its end."""
    return ("%s:%s" % (iface.node.name, iface.name) if iface.node.xenflow
            else "%s:%s" % (iface.host, iface.port))


def _edges(topology, segment):
    """Ports of the segment that aren't those of virtual elements."""
    via = {port for e in topology.elements.values() for port in e.via}
    for iface in segment.ifaces:
        if not iface.node.xenflow and iface.port not in via:
            yield "[edge %s:%s]" % (iface.host, iface.port)
            if not segment.is_link:
                yield "segment = " + segment.name


def _texts(key, texts):
    """Key with several lines of text, if there are any."""
    return [key + " ="] + ["    " + t for t in texts] if texts else []


def _element(topology, element):
    yield "[router %s]" % element.name
    yield "network = " + topology.name
    yield "host = " + element.switch
    yield "role = " + element.role
    if element.role == "switch":
        for segment in element.segments:
            yield "if %s = %s" % (segment.name, segment.name)
        return
    yield "fail = " + ("open" if element.fails_open else "closed")
    for port in element.via:
        segment = next(s for s in topology.segments.values()
                       for i in s.ifaces if i.port == port)
        yield "if %s = %s vif=%s" % (port, segment.name, port)
    select = []
    for match in element.select:
        answers = _reverse(match)
        select.append("%s via=%s" % (match, element.via[0]))
        if answers != match:
            select.append("%s via=%s direction=reverse" % (answers,
                                                           element.via[-1]))
    yield from _texts("select", select)


def _reverse(match):
    """What matches the answers to 'match'."""
    other = {"src": "dst", "dst": "src"}
    what = "nw|ipv6|dl" if match.startswith("icmp") else "[a-z0-9]+"
    return re.sub(r"\b(%s)_(src|dst)\b" % what, lambda found: "%s_%s" % (
        found.group(1), other[found.group(2)]), match)


def _router(topology, node):
    yield "[router %s]" % node.name
    yield "network = " + topology.name
    yield "host = " + node.switch
    yield "separated = " + ("true" if node.separated else "false")
    for iface in node.ifaces:
        yield "%s = %s %s mac=%s vif=%s%s" % (
            iface.name, "-" if iface.segment.is_link else iface.segment.name,
            " ".join(map(str, iface.addresses)), iface.mac, iface.port,
            "" if node.kind == "vm" else " ifindex=%d" % iface.ifindex)
    if node.kind == "vm":
        yield from _machine(topology, node)
    else:
        yield "listen = %s:%d" % (node.management(1).ip, switch.FPM_PORT)
        yield "device = " + node.management_tap


def _machine(topology, node):
    yield "backend = qemu"
    yield "memory = %d" % node.memory
    yield "restart = " + ("on-failure" if topology.supervised else "never")
    yield "routing = " + node.routing
    config = node.config.splitlines()
    if node.routing == "frr":
        if node.ospf:
            yield "ospf = " + " ".join(node.ospf)
            yield "ospf-dead = %d" % node.ospf_dead
        yield "feed = " + node.feed
        config = [*frr.network_lines(node), *config]
    elif node.routing == "bird":
        config = bird.configuration(node).splitlines()
    yield from _texts("config", [c.strip() for c in config if c.strip()])
