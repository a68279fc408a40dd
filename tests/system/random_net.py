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
"""The network of the tests with random packets: a bridge and a router with a
random table, for the reference and as commands.

    a   access port of VLAN 10      v1  machine's port, VLAN 10
    b,c access ports of VLAN 20     v2  the same, VLAN 20
    t   trunk                       v3  the same, VLAN 30
    u   trunk                       v0  the same, untagged

The router has an interface in each of these VLANs, in the untagged segment,
and one that is down.  There are two gateways in each segment, on different
ports, and hosts on the link.  Frames arrive at a and t.
"""

import ipaddress
import random

import forwarder

SEED_OF_HASH = 4711
SOURCES6 = int(ipaddress.ip_address("2001:db8:ffff::"))
HOSTS = {"a": b"\x02\x00\x00\x00\x0a\x01", "t": b"\x02\x00\x00\x00\x0a\x02"}
UNKNOWN = bytes.fromhex("020000000bad")
# Interface: VLAN, MTU, the machine's port, ports of gateways 11 and 12.
INTERFACES = {
    "eth1": (10, 1500, "v1", "at"), "eth2": (20, 1500, "v2", "bc"),
    "eth3": (30, 9000, "v3", "tu"), "eth4": (0, 1400, "v0", "tu"),
    "eth5": (50, 1500, None, ""),
}
PORTS = {"a": (10, None), "b": (20, None), "c": (20, None), "t": (None, None),
         "u": (None, None), "v1": (10, None), "v2": (20, None),
         "v3": (30, None), "v0": (None, [0])}
N_ROUTES = {4: 3000, 6: 1500}
BASES = {4: [(20 << 24, 8), (60 << 24, 8), (99 << 24, 8), (240 << 24, 5)],
         6: [(0x20010db8 << 96, 32), (0x24001000 << 96, 20)]}
BITS = {4: 32, 6: 128}
# Prefixes of the test with changes: specific ones below others.
CHURN_LENGTHS = {4: (24, 16), 6: (64, 48)}


def number(text):
    return int(ipaddress.ip_address(text))


def text(family, address):
    return str((ipaddress.IPv4Address if family == 4
                else ipaddress.IPv6Address)(address))


def address_of(family, interface, host):
    """Of 'host' in the subnet of an interface."""
    return number("10.0.%d.%d" % (interface.number, host) if family == 4
                  else "2001:db8:%x::%x" % (interface.number, host))


def is_question(frame, net):
    """True if the switch itself asks for a neighbour."""
    ofs = 16 if frame[12:14] == b"\x81\x00" else 12
    return frame[6:12] in net.router_macs.values() and (
        frame[ofs:ofs + 2] == b"\x08\x06"
        or frame[ofs:ofs + 2] == b"\x86\xdd" and frame[ofs + 8] == 58
        and frame[ofs + 42] == 135)


class Base(forwarder.Network):
    """Ports and interfaces, as yet without routes."""

    def __init__(self):
        super().__init__()
        self.seed = SEED_OF_HASH
        self.stated = []        # (family, address, length, route)
        self.host_macs = HOSTS
        for name, (vlan, trunks) in PORTS.items():
            self.add_port(name, vlan, trunks)
        for index, (name, (vlan, mtu, vif, _)) in enumerate(
                INTERFACES.items(), 1):
            self.interfaces[name] = forwarder.Interface(
                name, index, vlan, mtu=mtu, vif=vif, up=name != "eth5")
        self.router_macs = {i.vlan: i.mac for i in self.interfaces.values()}
        for vlan in (0, 10, 20, 30, 99):
            self.macs[vlan, HOSTS["t"]] = "t"
        self.macs[10, HOSTS["a"]] = "a"


class Net(Base):
    """What the reference knows, and what there is to send to."""

    def __init__(self, seed):
        super().__init__()
        self.chance = random.Random(seed)
        self.prefixes = {4: [], 6: []}
        self.special = {}
        self.wrong_macs = [HOSTS["a"], HOSTS["t"], UNKNOWN, b"\xff" * 6,
                           bytes.fromhex("01005e010203"),
                           bytes.fromhex("333300000001"),
                           self.interfaces["eth5"].mac]
        self.gateways = []      # (interface, number of the host)
        self._add_neighbors()
        self._add_connected()
        for family in (4, 6):
            self._add_routes(family)
            self._add_special(family)

    def _add_neighbors(self):
        for name, (vlan, _, _, ports) in INTERFACES.items():
            interface = self.interfaces[name]
            for index, port in enumerate(ports):
                mac = bytes([2, 0, 0, 1, interface.number, 11 + index])
                self.macs[vlan, mac] = port
                self.gateways.append((interface, 11 + index))
                for family in (4, 6):
                    self.neighbors[name, address_of(
                        family, interface, 11 + index)] = mac

    def _add_connected(self):
        for i in self.interfaces.values():
            for family, length, edge in ((4, 24, 255), (6, 64, 0)):
                own = address_of(family, i, 1)
                self._state(family, own, BITS[family], "local")
                self._state(family, address_of(family, i, edge),
                            BITS[family], "local")
                self._state(family, address_of(family, i, 0), length,
                            [(i, None, 1)])

    def _state(self, family, address, length, route):
        self.add_route(family, address, length, route)
        self.prefixes[family].append((address, length))

    # ---- Routes. ----

    def _add_routes(self, family):
        found, below = set(self.prefixes[family]), list(BASES[family])
        while len(found) < N_ROUTES[family]:
            base, length = self.chance.choice(
                BASES[family] if self.chance.random() < 0.2 else below)
            longer = min(BITS[family], length + self.chance.choice(
                (1, 2, 3, 4, 6, 8, 8, 12, 16)))
            shift = BITS[family] - longer
            address = base | self.chance.getrandbits(BITS[family] - length)
            prefix = (address >> shift << shift, longer)
            if prefix in found:
                continue
            found.add(prefix)
            below = below[-200:] + [prefix]
            route = self._random_route(family)
            self._state(family, *prefix, route)
            self.stated.append((family, *prefix, route))

    def _random_route(self, family):
        kind = self.chance.random()
        for word, share in (("blackhole", 0.06), ("unreachable", 0.04),
                            ("prohibit", 0.02), ("local", 0.02)):
            kind -= share
            if kind < 0:
                return word
        if kind < 0.03:                 # The destination is the neighbour.
            return [(self.interfaces["eth2"], None, 1)]
        if kind < 0.06:                 # Nobody is there.
            i = self.interfaces["eth2"]
            return [(i, address_of(family, i, 99), 1)]
        if kind < 0.08:
            i = self.interfaces["eth5"]
            return [(i, address_of(family, i, 11), 1)]
        if kind < 0.18:
            hops = [(i, address_of(family, i, host), self.chance.randint(1, 9))
                    for i, host in self.chance.sample(
                        self.gateways, self.chance.randint(2, 6))]
            if kind < 0.11:             # One of them down, one unresolved.
                down, i = self.interfaces["eth5"], self.interfaces["eth2"]
                hops.insert(1, (down, address_of(family, down, 11), 5))
                hops.append((i, address_of(family, i, 98), 1))
            return hops
        i, host = self.chance.choice(self.gateways)
        return [(i, address_of(family, i, host), 1)]

    def _add_special(self, family):
        own = [address_of(family, i, host) for host in (1, 2)
               for i in self.interfaces.values()]
        near = [address_of(family, i, host) for i, host in self.gateways]
        edge = [address_of(family, i, 255 if family == 4 else 0)
                for i in self.interfaces.values()]
        # A neighbour behind a route to the link, whose address is its own.
        if family == 4:
            other = map(number, ("0.0.0.0", "0.0.0.1", "127.0.0.1",
                                 "224.0.0.5", "239.1.1.1", "240.0.0.1",
                                 "255.255.255.255", "255.255.255.254",
                                 "10.0.1.0", "10.0.2.77", "11.1.1.1",
                                 "169.254.1.1", "192.0.2.1"))
        else:
            other = map(number, ("::", "::1", "::2", "fe80::1", "fec0::1",
                                 "ff02::1", "ff0e::1", "::ffff:20.1.1.1",
                                 "::fffe:20.1.1.1", "2001:db8:2::77",
                                 "fd00::1", "64:ff9b::1"))
        self.special[family] = own + near * 2 + edge + list(other)

    # ---- As commands. ----

    def speaker_lines(self):
        """The table for test-xf-speaker; interface N has number N there."""
        for family, address, length, route in self.stated:
            what = route
            if not isinstance(route, str):
                what = " ".join("%sdev %d weight %d" % (
                    "" if gateway is None else
                    "via %s " % text(family, gateway), i.number, weight)
                    for i, gateway, weight in route)
            yield "add %s/%d %s\n" % (text(family, address), length, what)
