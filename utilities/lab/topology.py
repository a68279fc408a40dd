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
"""Topology files: which hosts, segments, routers and edges a lab has.

An INI file; see Documentation/ref/xenflow-lab.rst.  parse() checks everything
that can be known without touching the system, and returns a Topology whose
addresses, MACs and interface indexes are all decided: the same file always
gives the same network.

Shape: at most 99 nodes, 20 interfaces each.
"""

import configparser
import ipaddress
import os
import re

NAME_RE = re.compile(r"[a-z][a-z0-9]{0,7}$")
LAB_NAME_RE = re.compile(r"[a-z][a-z0-9-]{0,23}$")
IFACE_RE = re.compile(r"eth[0-9]{1,2}$")
MAX_NODES = 99
MAX_IFACES = 20
FIRST_IFINDEX = 3               # After lo and the management interface.
# A virtual machine with FRR, a namespace with FRR, one without any daemon.
ROUTER_KINDS = ("vm", "frr", "bare")
ROUTING = ("frr", "bird", "static")
FEEDS = ("fpm", "guestd")       # How the switch learns the routes.
KEYS = {
    "lab": {"name"},
    "switch": set(),
    "segment": {"switch", "vlan"},
    "trunk": {"ends"},
    "router": {"kind", "switch", "ospf", "config", "memory", "xenflow",
               "separated", "fpm-groups", "accel", "ospf-dead", "routing",
               "feed"},
    "edge": {"gateway", "local"},
}


class TopologyError(Exception):
    """A sentence that names what is wrong in the file."""


class Iface:
    """One interface of a router or an edge."""

    def __init__(self, node, name, number, segment, addresses):
        self.node = node
        self.name = name
        self.segment = segment
        self.addresses = addresses      # ipaddress.ip_interface objects.
        self.ifindex = FIRST_IFINDEX + number
        self.mac = "52:54:00:%02x:01:%02x" % (node.number, number + 1)
        self.port = "%s-%s" % (node.name, name)     # Name in the switch.

    def first(self, version):
        """First address of IP 'version', or None."""
        return next((a for a in self.addresses if a.version == version), None)


class Segment:
    """A LAN: a VLAN of a switch, or, without one, a cable with two ends."""

    def __init__(self, name, switch, vlan):
        self.name = name
        self.switch = switch
        self.vlan = vlan
        self.ifaces = []


class Node:
    """A switch host, a router or an edge host."""

    def __init__(self, name, kind, number):
        self.name = name
        self.kind = kind                # switch, vm, frr, bare or edge.
        self.number = number
        self.ifaces = []
        self.switch = None              # Of a router: name of its host.
        self.ospf = []
        self.ospf_dead = 20
        self.config = ""
        self.memory = 128
        self.xenflow = False            # Is a port of the switch.
        self.separated = True
        self.fpm_groups = False
        self.routing = "frr"
        self.feed = "fpm"
        self.accel = "tcg"
        self.gateways = []
        self.locals = []                # Prefixes whose addresses are its own.

    # Management link between a router and its host, the same wherever the
    # router is.
    def management(self, end):
        """Address of the link's 'end': 1 is the host, 2 the router."""
        return ipaddress.ip_interface("169.254.%d.%d/30" % (self.number, end))

    def management_mac(self, end):
        return "52:54:00:%02x:00:%02x" % (self.number, end)

    @property
    def management_tap(self):
        return "mgmt-" + self.name


class Topology:
    def __init__(self, name):
        self.name = name
        self.nodes = {}
        self.segments = {}
        self.trunks = []                # (switch, switch)

    def of_kind(self, *kinds):
        return [n for n in self.nodes.values() if n.kind in kinds]


def _yes(section, key, text):
    if text.lower() in ("yes", "true", "1", "on"):
        return True
    if text.lower() in ("no", "false", "0", "off"):
        return False
    raise TopologyError("[%s]: '%s = %s' must be yes or no"
                        % (section, key, text))


def _number(section, key, text, low, high):
    if not text.isdigit() or not low <= int(text) <= high:
        raise TopologyError("[%s]: '%s = %s' must be a number from %d to %d"
                            % (section, key, text, low, high))
    return int(text)


def _load(path):
    ini = configparser.ConfigParser(
        interpolation=None, inline_comment_prefixes=(";",), delimiters=("=",))
    try:
        with open(path, encoding="utf-8") as f:
            ini.read_file(f)
    except (OSError, UnicodeDecodeError, configparser.Error) as e:
        raise TopologyError("topology '%s' can't be read: %s"
                            % (path, str(e).replace("\n", " "))) from None
    return ini


def _split(section):
    """Kind and name of a section's heading."""
    kind, _, name = section.partition(" ")
    name = name.strip()
    if kind not in KEYS:
        raise TopologyError("[%s]: unknown kind '%s' (use %s)"
                            % (section, kind, ", ".join(sorted(KEYS))))
    if kind != "lab" and not NAME_RE.match(name):
        raise TopologyError("[%s]: name '%s' must be a lower-case letter and "
                            "up to 7 letters or digits" % (section, name))
    return kind, name


def _check_keys(section, kind, keys):
    for key in keys:
        if key not in KEYS[kind] and not (
                kind in ("router", "edge") and IFACE_RE.match(key)):
            raise TopologyError("[%s]: unknown key '%s'" % (section, key))


def _add_ifaces(topology, node, section, body):
    for key, text in body.items():
        if not IFACE_RE.match(key):
            continue
        words = text.split()
        if not words or words[0] not in topology.segments:
            raise TopologyError("[%s]: '%s = %s' must begin with the name of "
                                "a segment" % (section, key, text))
        try:
            addresses = [ipaddress.ip_interface(w) for w in words[1:]]
        except ValueError as e:
            raise TopologyError("[%s]: '%s': %s" % (section, key, e)) from None
        segment = topology.segments[words[0]]
        iface = Iface(node, key, len(node.ifaces), segment, addresses)
        node.ifaces.append(iface)
        segment.ifaces.append(iface)
    if not 0 < len(node.ifaces) <= MAX_IFACES:
        raise TopologyError("[%s] must have 1 to %d interfaces"
                            % (section, MAX_IFACES))


def _add_router(topology, node, section, body):
    node.kind = body.get("kind", "frr")
    if node.kind not in ROUTER_KINDS:
        raise TopologyError("[%s]: 'kind = %s' must be vm, frr or bare"
                            % (section, node.kind))
    _add_ifaces(topology, node, section, body)
    node.config = body.get("config", "")
    node.ospf = body.get("ospf", "").split()
    unknown = set(node.ospf) - {i.name for i in node.ifaces}
    if unknown:
        raise TopologyError("[%s]: 'ospf' names '%s', which isn't an interface"
                            % (section, unknown.pop()))
    node.ospf_dead = _number(section, "ospf-dead",
                             body.get("ospf-dead", "20"), 2, 65535)
    node.memory = _number(section, "memory", body.get("memory", "128"),
                          112, 65536)
    node.xenflow = _yes(section, "xenflow", body.get(
        "xenflow", "yes" if node.kind == "vm" else "no"))
    node.separated = _yes(section, "separated", body.get("separated", "yes"))
    node.fpm_groups = _yes(section, "fpm-groups",
                           body.get("fpm-groups", "no"))
    _set_routing(node, section, body)
    node.accel = body.get("accel", "tcg")
    if node.accel not in ("tcg", "kvm"):
        raise TopologyError("[%s]: 'accel = %s' must be tcg or kvm"
                            % (section, node.accel))
    node.switch = body.get("switch")
    if node.switch is None:
        node.switch = next((i.segment.switch for i in node.ifaces
                            if i.segment.switch), None)
    if node.kind == "vm" or node.xenflow:
        _check_on_switch(topology, node, section)


def _set_routing(node, section, body):
    """What computes the routes, and who tells the switch of them."""
    node.routing = body.get("routing",
                            "static" if node.kind == "bare" else "frr")
    node.feed = body.get("feed", "fpm" if node.routing == "frr"
                         or node.kind == "bare" else "guestd")
    for key, value, known in (("routing", node.routing, ROUTING),
                              ("feed", node.feed, FEEDS)):
        if value not in known:
            raise TopologyError("[%s]: '%s = %s' must be %s" % (
                section, key, value, " or ".join(known)))
    if node.feed == "fpm" and node.routing == "bird":
        raise TopologyError("[%s]: BIRD doesn't speak FPM: use 'feed = "
                            "guestd'" % section)


def _check_on_switch(topology, node, section):
    if node.switch not in topology.nodes:
        raise TopologyError("[%s]: 'switch = %s' isn't a switch"
                            % (section, node.switch))
    for iface in node.ifaces:
        if iface.segment.vlan is None:
            raise TopologyError("[%s]: segment '%s' of %s must be one of a "
                                "switch" % (section, iface.segment.name,
                                            iface.name))


def _add_edge(topology, node, section, body):
    _add_ifaces(topology, node, section, body)
    for key, into, make in (
            ("gateway", node.gateways, ipaddress.ip_address),
            ("local", node.locals, ipaddress.ip_network)):
        for word in body.get(key, "").split():
            try:
                into.append(make(word))
            except ValueError as e:
                raise TopologyError("[%s]: '%s': %s"
                                    % (section, key, e)) from None


def _add_segment(topology, name, section, body):
    switch, vlan = body.get("switch"), None
    if switch is not None:
        if switch not in topology.nodes:
            raise TopologyError("[%s]: 'switch = %s' isn't a switch"
                                % (section, switch))
        vlan = _number(section, "vlan", body.get("vlan", ""), 1, 4094)
        for other in topology.segments.values():
            if other.vlan == vlan:
                raise TopologyError("[%s]: VLAN %d is segment '%s' already"
                                    % (section, vlan, other.name))
    topology.segments[name] = Segment(name, switch, vlan)


def _check_segments(topology):
    for segment in topology.segments.values():
        if segment.vlan is None and len(segment.ifaces) != 2:
            raise TopologyError("segment '%s' is on no switch, so it's a "
                                "cable and must have two ends, not %d"
                                % (segment.name, len(segment.ifaces)))


def _add_trunk(topology, section, body):
    ends = body.get("ends", "").split()
    if len(ends) != 2 or ends[0] == ends[1] or any(
            e not in topology.nodes for e in ends):
        raise TopologyError("[%s]: 'ends' must be two switches" % section)
    topology.trunks.append(tuple(ends))


def parse(path):
    """Returns the Topology in file 'path', or raises TopologyError."""
    ini = _load(path)
    name = os.path.splitext(os.path.basename(path))[0]
    name = ini.get("lab", "name", fallback=name)
    if not LAB_NAME_RE.match(name):
        raise TopologyError("lab name '%s' must be a lower-case letter and up "
                            "to 23 letters, digits or hyphens" % name)
    topology = Topology(name)
    sections = []
    for section in ini.sections():
        kind, part = _split(section)
        _check_keys(section, kind, ini[section])
        sections.append((kind, part, section, ini[section]))
        if kind in ("switch", "router", "edge"):
            if part in topology.nodes or len(topology.nodes) == MAX_NODES:
                raise TopologyError("[%s]: a second node '%s', or more than "
                                    "%d" % (section, part, MAX_NODES))
            topology.nodes[part] = Node(part, kind, len(topology.nodes) + 1)
    _fill(topology, sections)
    _check_segments(topology)
    return topology


def _fill(topology, sections):
    """Second pass: what refers to something by name."""
    switches = {n.name: n for n in topology.of_kind("switch")}
    nodes, topology.nodes = topology.nodes, switches
    for kind, name, section, body in sections:
        if kind == "segment":
            _add_segment(topology, name, section, body)
        elif kind == "trunk":
            _add_trunk(topology, section, body)
    for kind, name, section, body in sections:
        if kind == "router":
            _add_router(topology, nodes[name], section, body)
        elif kind == "edge":
            _add_edge(topology, nodes[name], section, body)
    topology.nodes = nodes
