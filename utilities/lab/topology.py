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
gives the same network.  parse_bytes() raises TopologyError and nothing else,
whatever the bytes are.

Shape: at most 99 nodes, 20 interfaces each.
"""

import ipaddress
import os
import re

from lab import inifile

NAME_RE = re.compile(r"[a-z][a-z0-9]{0,7}$")
LAB_NAME_RE = re.compile(r"[a-z][a-z0-9-]{0,23}$")
IFACE_RE = re.compile(r"eth[0-9]{1,2}$")
MAX_NODES = 99
MAX_IFACES = 20
MAX_SENTENCE = 400
FIRST_IFINDEX = 3               # After lo and the management interface.
# A virtual machine with FRR, a namespace with FRR, one without any daemon.
ROUTER_KINDS = ("vm", "frr", "bare")
ROUTING = ("frr", "bird", "static")
ROLES = ("router", "switch", "middlebox")
RATE_UNITS = {"kbit": 1000, "mbit": 10 ** 6, "gbit": 10 ** 9}
FEEDS = ("fpm", "guestd")       # How the switch learns the routes.
KEYS = {
    "lab": {"name", "supervise"},
    "switch": set(),
    "segment": {"switch", "vlan", "rate", "delay"},
    "trunk": {"ends", "rate", "delay"},
    "router": {"kind", "switch", "ospf", "config", "memory", "xenflow",
               "separated", "fpm-groups", "ospf-dead", "routing", "feed",
               "bgp", "asn", "announce"},
    "element": {"switch", "role", "segments", "via", "select", "fail"},
    "edge": {"gateway", "local"},
}
ALIASES = {"host": "switch", "link": "trunk"}   # Other names of kinds.


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

    @property
    def host(self):
        """Name of the switch it is plugged into, or None."""
        return (self.node.switch if self.node.is_on_host
                else self.segment.switch)

    def first(self, version):
        """First address of IP 'version', or None."""
        return next((a for a in self.addresses if a.version == version), None)


class Cable:
    """What limits a cable: 'rate' in bit/s, 'delay' in ms, or None."""

    def __init__(self, section, body):
        self.name = section
        self.rate = _rate(section, body.get("rate"))
        self.delay = body.get("delay")
        if self.delay is not None:
            match = re.match("([0-9]{1,5})ms$", self.delay)
            if not match:
                raise TopologyError("[%s]: 'delay = %s' must be a number of "
                                    "milliseconds such as 10ms"
                                    % (section, self.delay))
            self.delay = int(match.group(1))
        self.ends = ()          # Of a link between hosts: these,
        self.ports = ()         # and its port at each.


class Element:
    """A virtual switch or middlebox of a host: a port of its bridge that joins
    segments, or that sends flows of its segments through a machine."""

    def __init__(self, name, role, switch):
        self.name, self.role, self.switch = name, role, switch
        self.segments = []
        self.via = []           # Interfaces of the machine (middlebox).
        self.select = []        # Matches, each a line (middlebox).
        self.fails_open = False


class Segment:
    """A LAN: a VLAN of a switch; or a virtual link (VLAN 0), which has two ends
    and a VLAN of its own at each; or, without a switch, a cable with two
    ends."""

    def __init__(self, name, switch, vlan, cable):
        self.name = name
        self.cable = cable
        self.switch = switch
        self.vlan = vlan
        self.ifaces = []

    @property
    def is_link(self):
        return self.vlan == 0


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
        self.memory = 160
        self.xenflow = False            # Is a port of the switch.
        self.separated = True
        self.fpm_groups = False
        self.routing = "frr"
        self.feed = "fpm"
        self.bgp = []                   # Interfaces with BGP neighbours.
        self.asn = None
        self.announce = []              # Prefixes that BGP announces.
        self.gateways = []
        self.locals = []                # Prefixes whose addresses are its own.

    @property
    def is_on_host(self):
        """Whether it is a part of its switch host: a machine or a router of
        the switch."""
        return self.xenflow

    @property
    def underlay(self):
        """Address by which other hosts reach this one."""
        return ipaddress.ip_interface("198.18.0.%d/24" % self.number)

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
        self.trunks = []                # Cables between switches.
        self.elements = {}
        self.supervised = False         # Switches and VMs are started again.

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
    if not re.match("[0-9]{1,9}$", text) or not low <= int(text) <= high:
        raise TopologyError("[%s]: '%s = %s' must be a number from %d to %d"
                            % (section, key, text, low, high))
    return int(text)


def _rate(section, text):
    """Bits per second in 'text' such as 100mbit."""
    if text is None:
        return None
    match = re.match("([0-9]{1,6})(kbit|mbit|gbit)$", text)
    if not match or not int(match.group(1)):
        raise TopologyError("[%s]: 'rate = %s' must be a number with kbit, "
                            "mbit or gbit such as 100mbit" % (section, text))
    return int(match.group(1)) * RATE_UNITS[match.group(2)]


def _split(section):
    """Kind and name of a section's heading."""
    kind, _, name = section.partition(" ")
    name = name.strip()
    kind = ALIASES.get(kind, kind)
    if kind not in KEYS:
        raise TopologyError("[%s]: unknown kind '%s' (use %s)" % (
            section, kind, ", ".join(sorted([*KEYS, *ALIASES]))))
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
    node.memory = _number(section, "memory", body.get("memory", "160"),
                          112, 65536)
    node.xenflow = _yes(section, "xenflow", body.get(
        "xenflow", "yes" if node.kind == "vm" else "no"))
    node.separated = _yes(section, "separated", body.get("separated", "yes"))
    node.fpm_groups = _yes(section, "fpm-groups",
                           body.get("fpm-groups", "no"))
    _set_routing(node, section, body)
    _set_bgp(node, section, body)
    node.switch = body.get("switch")
    if node.switch is None:
        node.switch = next((i.segment.switch for i in node.ifaces
                            if i.segment.switch), None)
    if node.kind == "vm":
        _check_machine(node, section)
    if node.xenflow:
        _check_on_switch(topology, node, section)


def _check_machine(node, section):
    """What a virtual machine can't be."""
    if not node.xenflow:
        raise TopologyError("[%s]: 'xenflow = no': a virtual machine is a "
                            "router of the switch; use 'separated = no' to "
                            "have it forward by itself" % section)
    if node.fpm_groups:
        raise TopologyError("[%s]: 'fpm-groups' is for 'kind = frr'"
                            % section)
    if node.feed == "fpm" and node.routing == "static":
        raise TopologyError("[%s]: 'feed = fpm': a virtual machine without "
                            "routing software has 'feed = guestd'" % section)


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


def _set_bgp(node, section, body):
    node.bgp = body.get("bgp", "").split()
    unknown = set(node.bgp) - {i.name for i in node.ifaces}
    if unknown:
        raise TopologyError("[%s]: 'bgp' names '%s', which isn't an interface"
                            % (section, sorted(unknown)[0]))
    if not node.bgp:
        for key in ("asn", "announce"):
            if key in body:
                raise TopologyError("[%s]: '%s' needs 'bgp', the interfaces "
                                    "with BGP neighbours" % (section, key))
        return
    if node.routing != "frr" or node.kind != "frr":
        raise TopologyError("[%s]: 'bgp' needs 'kind = frr' and 'routing = "
                            "frr': the virtual machines' image has no bgpd"
                            % section)
    node.asn = _number(section, "asn", body.get("asn", ""), 1, 999999999)
    for word in body.get("announce", "").split():
        try:
            node.announce.append(ipaddress.ip_network(word))
        except ValueError as e:
            raise TopologyError("[%s]: 'announce': %s"
                                % (section, e)) from None


def _add_element(topology, name, section, body):
    role = body.get("role", "switch")
    if role not in ROLES[1:]:
        raise TopologyError("[%s]: 'role = %s' must be switch or middlebox "
                            "(a router is a [router NAME])" % (section, role))
    element = Element(name, role, body.get("switch"))
    for word in body.get("segments", "").split():
        segment = topology.segments.get(word)
        if not segment or not segment.vlan:
            raise TopologyError("[%s]: 'segments' names '%s', which isn't a "
                                "VLAN of a switch" % (section, word))
        element.segments.append(segment)
    if len(element.segments) < (2 if role == "switch" else 1):
        raise TopologyError("[%s]: 'segments' must name %s of a switch"
                            % (section, "two or more segments"
                               if role == "switch" else "one or more"))
    element.switch = element.switch or element.segments[0].switch
    if element.switch not in topology.nodes:
        raise TopologyError("[%s]: 'switch = %s' isn't a switch"
                            % (section, element.switch))
    element.via = body.get("via", "").split()
    element.select = [s for s in body.get("select", "").split("\n") if s]
    fail = body.get("fail", "closed")
    if fail not in ("open", "closed"):
        raise TopologyError("[%s]: 'fail = %s' must be open or closed"
                            % (section, fail))
    element.fails_open = fail == "open"
    topology.elements[name] = element


def _check_elements(topology):
    """Second look: machines of middleboxes."""
    for element in topology.elements.values():
        ports = {i.port: i for s in topology.segments.values()
                 for i in s.ifaces
                 if i.host == element.switch and not s.is_link}
        for port in element.via:
            if port not in ports:
                raise TopologyError(
                    "[element %s]: 'via' names '%s', which isn't NODE-IFACE "
                    "of a node on '%s'" % (element.name, port,
                                           element.switch))
        is_box = element.role == "middlebox"
        if is_box != bool(element.via) or is_box != bool(element.select):
            raise TopologyError("[element %s]: 'via' and 'select' are what a "
                                "middlebox has, and no switch"
                                % element.name)


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
        vlan = (0 if body.get("vlan") == "none" else _number(
            section, "vlan", body.get("vlan", ""), 1, 4094))
        for other in topology.segments.values():
            if vlan and other.vlan == vlan:
                raise TopologyError("[%s]: VLAN %d is segment '%s' already"
                                    % (section, vlan, other.name))
    cable = Cable(section, body)
    if switch and (cable.rate or cable.delay):
        raise TopologyError("[%s]: rate and delay are of cables: of a [link] "
                            "between hosts, or of a segment without switch"
                            % section)
    if name in topology.segments:
        raise TopologyError("[%s]: a second segment '%s'" % (section, name))
    topology.segments[name] = Segment(name, switch, vlan, cable)


def _check_segments(topology):
    for segment in topology.segments.values():
        if segment.vlan is None and len(segment.ifaces) != 2:
            raise TopologyError("segment '%s' is on no switch, so it's a "
                                "cable and must have two ends, not %d"
                                % (segment.name, len(segment.ifaces)))
        outside = [i for i in segment.ifaces if not i.node.xenflow]
        if segment.is_link and (len(segment.ifaces) != 2 or len(outside) > 1):
            raise TopologyError("segment '%s' has no VLAN, so it's a link and "
                                "must have two ends, one or both of them of "
                                "a router of the switch" % segment.name)


def _add_trunk(topology, section, body):
    ends = body.get("ends", "").split()
    if len(ends) != 2 or ends[0] == ends[1] or any(
            e not in topology.nodes for e in ends):
        raise TopologyError("[%s]: 'ends' must be two switches" % section)
    trunk = Cable(section, body)
    trunk.ends = tuple(ends)
    trunk.ports = "to-" + ends[1], "to-" + ends[0]
    topology.trunks.append(trunk)


def parse(path):
    """Returns the Topology in file 'path', or raises TopologyError."""
    try:
        with open(path, "rb") as f:
            data = f.read(inifile.MAX_BYTES + 1)
    except OSError as e:
        raise TopologyError("topology '%s' can't be read: %s"
                            % (path, e.strerror)) from None
    try:
        return parse_bytes(data, os.path.splitext(os.path.basename(path))[0])
    except TopologyError as e:
        raise TopologyError("%s: %s" % (path, e)) from None


def _with_line(ini, text):
    """'text', which begins with the section it is about, with the line; as
    one line, whatever it quotes."""
    text = " ".join(text.split())[:MAX_SENTENCE]
    match = (re.match(r"\[([^\]]*)\](?::.*?'([a-z0-9-]+)(?: =|'))?", text)
             or re.match("(segment '[a-z0-9]+)'", text))
    if not match:
        return text
    section = match.group(1).replace("'", "")
    key = match.group(2) if match.lastindex == 2 else None
    line = ini.locate(section, key)
    return "line %d: %s" % (line, text) if line else text


def parse_bytes(data, name):
    """Returns the Topology in 'data' (bytes), called 'name' unless it says
    otherwise; or raises TopologyError."""
    try:
        ini = inifile.parse(data)
    except inifile.IniError as e:
        raise TopologyError(str(e)) from None
    try:
        return _parse(ini, name)
    except TopologyError as e:
        raise TopologyError(_with_line(ini, str(e))) from None


def _parse(ini, name):
    name = ini.get("lab", "name", name)
    if not LAB_NAME_RE.match(name):
        raise TopologyError("lab name '%s' must be a lower-case letter and up "
                            "to 23 letters, digits or hyphens" % name)
    topology = Topology(name)
    topology.supervised = _yes("lab", "supervise",
                               ini.get("lab", "supervise", "no"))
    sections = []
    for section, body in ini.sections.items():
        kind, part = _split(section)
        _check_keys(section, kind, body)
        sections.append((kind, part, section, body))
        if kind in ("switch", "router", "edge"):
            if part in topology.nodes or len(topology.nodes) == MAX_NODES:
                raise TopologyError("[%s]: a second node '%s', or more than "
                                    "%d" % (section, part, MAX_NODES))
            topology.nodes[part] = Node(part, kind, len(topology.nodes) + 1)
    _fill(topology, sections)
    _check_segments(topology)
    _check_elements(topology)
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
    for kind, name, section, body in sections:
        if kind == "element":
            if name in nodes or name in topology.elements:
                raise TopologyError("[%s]: a second '%s'" % (section, name))
            _add_element(topology, name, section, body)
    topology.nodes = nodes
