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
"""A reference for what a switch with a router does with a frame.

What: Forwarder.take(port, frame) returns what leaves by which port, and what
became of the frame.  It is written from the documentation (datapath.rst, the
reasons of punting in xenflow-appctl(8)), RFC 1812, 2992, 1624 and IEEE 802.1Q,
on bytes, and shares nothing with the code that it is a reference for.

Shape: a Network is ports (access or trunk), MACs that the bridge knows, and
the router: interfaces, neighbours and routes.  A route is a word
("blackhole", "unreachable", "prohibit", "local") or a list of hops
(interface, gateway, weight); without a gateway the destination itself is
the neighbour.
"""

import struct

FORWARDED, PUNTED, DROPPED = "forwarded", "punted", "dropped"
SWITCHED = "switched"           # Not the router's business.
TAG, IP4, IP6 = 0x8100, 0x0800, 0x86dd
PORTS_OF = (6, 17, 132)         # TCP, UDP, SCTP.
LEAST_L4 = {6: 20, 17: 8, 132: 12}
# Headers of IPv6 that are walked over, by how their length is written.
EIGHTS, FOURS, FRAGMENT = (0, 43, 60), 51, 44


def special4(address):
    return (address in (0, 0xffffffff) or address >> 24 == 127
            or address >> 28 == 14)


def special6(address):
    return (address in (0, 1) or address >> 118 == 0xfe80 >> 6
            or address >> 120 == 0xff or address >> 32 == 0xffff)


class Port:
    """Of the bridge.  'vlan' is that of an access port, None: a trunk;
    'trunks' are those of a trunk, None: all."""

    def __init__(self, name, vlan=None, trunks=None):
        self.name, self.vlan, self.trunks = name, vlan, trunks

    def carries(self, vlan):
        if self.vlan is not None:
            return vlan == self.vlan
        return self.trunks is None or vlan in self.trunks


class Interface:
    def __init__(self, name, number, vlan, **more):
        self.name, self.number, self.vlan = name, number, vlan
        self.mac = bytes([0x52, 0x54, 0, 0, number, 1])
        self.mtu = more.get("mtu", 1500)
        self.up = more.get("up", True)
        self.vif = more.get("vif")      # Port.


class Network:
    def __init__(self):
        self.ports = {}                 # {name: Port}
        self.macs = {}                  # {(VLAN, MAC): name of the port}
        self.interfaces = {}            # {name: Interface}
        self.neighbors = {}             # {(interface's name, address): MAC}
        self.routes = {4: {}, 6: {}}    # {length: {leading bits: route}}
        self.seed = 0

    def add_port(self, name, vlan=None, trunks=None):
        self.ports[name] = Port(name, vlan, trunks)

    def add_route(self, family, address, length, route):
        shift = (32 if family == 4 else 128) - length
        table = self.routes[family].setdefault(length, {})
        table[address >> shift] = route

    def interface_of(self, vlan, mac):
        for interface in self.interfaces.values():
            if interface.vlan == vlan and interface.mac == mac:
                return interface
        return None


def csum_add(csum, old, new):
    """RFC 1624, equation 3."""
    total = (~csum & 0xffff) + (~old & 0xffff) + new
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def rotate(x, n):
    return (x << n | x >> 32 - n) & 0xffffffff


def flow_hash(seed, words):
    """MurmurHash3 of 32-bit words, without the length."""
    h = seed
    for k in words:
        k = k * 0xcc9e2d51 & 0xffffffff
        h ^= rotate(k, 15) * 0x1b873593 & 0xffffffff
        h = (rotate(h, 13) * 5 + 0xe6546b64) & 0xffffffff
    h ^= h >> 16
    h = h * 0x85ebca6b & 0xffffffff
    h ^= h >> 13
    h = h * 0xc2b2ae35 & 0xffffffff
    return h ^ h >> 16


def ports_of(proto, data):
    """Source and destination port of a header that is whole, else zeros."""
    if proto not in PORTS_OF or len(data) < LEAST_L4[proto]:
        return 0, 0
    if proto == 6 and not 20 <= (data[12] >> 4) * 4 <= len(data):
        return 0, 0
    return struct.unpack_from("!HH", data)


class Packet4:
    """IPv4.  'wrong' says that it can't be looked up."""

    family = 4

    def __init__(self, data):
        self.data = data
        self.wrong = True
        if len(data) < 20:
            return
        self.head = (data[0] & 15) * 4
        self.total, = struct.unpack_from("!H", data, 2)
        self.wrong = not 20 <= self.head <= self.total <= len(data)
        self.src, self.dst = struct.unpack_from("!II", data, 12)

    def special(self):
        return special4(self.dst)

    def fault(self, mtu):
        """Why the router leaves it to its machine, or None."""
        data, first = self.data, self.src >> 24
        if data[0] >> 4 != 4:
            return "malformed"
        if self.head > 20:
            return "options"
        if first in (0, 127) or first >= 224:
            return "martian"
        if data[8] <= 1:
            return "ttl"
        return "too-big" if self.total > mtu else None

    def hash(self, seed):
        data = self.data
        proto, ports = data[9], (0, 0)
        if not struct.unpack_from("!H", data, 6)[0] & 0x3fff:
            ports = ports_of(proto, data[self.head:self.total])
        return flow_hash(seed, (0, 0, 0, 0, 0xffff, 0xffff, self.src,
                                self.dst, ports[0] << 16 | ports[1], proto))

    def next(self):
        """The packet as it leaves."""
        data = bytearray(self.data)
        csum, = struct.unpack_from("!H", data, 10)
        old = data[8] << 8
        data[8] -= 1
        struct.pack_into("!H", data, 10, csum_add(csum, old, data[8] << 8))
        return bytes(data)


class Packet6:
    family = 6

    def __init__(self, data):
        self.data = data
        self.wrong = True
        if len(data) < 40:
            return
        self.total = 40 + struct.unpack_from("!H", data, 4)[0]
        self.wrong = self.total > len(data)
        self.src = int.from_bytes(data[8:24], "big")
        self.dst = int.from_bytes(data[24:40], "big")

    def special(self):
        return special6(self.dst)

    def fault(self, mtu):
        data, src = self.data, self.src
        if data[0] >> 4 != 6:
            return "malformed"
        if data[6] == 0:
            return "hop-by-hop"
        if special6(src):
            return "martian"
        if data[7] <= 1:
            return "ttl"
        return "too-big" if self.total > mtu else None

    def l4(self):
        """Protocol, and ports if they are there."""
        data = self.data[:self.total]
        proto, ofs, fragment = data[6], 40, False
        while proto in EIGHTS or proto in (FOURS, FRAGMENT):
            if len(data) < ofs + 8:
                return 0, (0, 0)
            size = 8
            if proto in EIGHTS:
                size = (data[ofs + 1] + 1) * 8
            elif proto == FOURS:
                size = (data[ofs + 1] + 2) * 4
            if len(data) < ofs + size:
                return 0, (0, 0)
            if proto == FRAGMENT:
                where, = struct.unpack_from("!H", data, ofs + 2)
                fragment = fragment or where != 0
                if where & 0xfff8:
                    return FRAGMENT, (0, 0)
            proto, ofs = data[ofs], ofs + size
        return proto, (0, 0) if fragment else ports_of(proto, data[ofs:])

    def hash(self, seed):
        proto, ports = self.l4()
        words = struct.unpack("!4I", self.data[8:24]), struct.unpack(
            "!4I", self.data[24:40])
        return flow_hash(seed, [w for pair in zip(*words) for w in pair] + [
            ports[0] << 16 | ports[1], proto])

    def next(self):
        data = bytearray(self.data)
        data[7] -= 1
        return bytes(data)


class Result:
    """What became of a frame: 'fate', a reason if it was punted, and what
    left: [(port, frame)]."""

    def __init__(self, fate, reason=None, out=()):
        self.fate, self.reason, self.out = fate, reason, list(out)


class Forwarder:
    def __init__(self, network):
        self.net = network
        self.lengths = {f: sorted(t, reverse=True)
                        for f, t in network.routes.items()}

    # ---- Bridge. ----

    def take(self, port_name, frame):
        """A frame arrives at a port."""
        port = self.net.ports[port_name]
        tci, rest = 0, frame[12:]
        if struct.unpack_from("!H", rest)[0] == TAG:
            tci, = struct.unpack_from("!H", rest, 2)
            rest = rest[4:]
        vlan = tci & 0xfff
        if port.vlan is not None:
            if vlan:
                return Result(DROPPED)
            vlan = port.vlan
        elif not port.carries(vlan):
            return Result(DROPPED)
        arrived = (port_name, vlan, tci & 0xe000, frame[:12], rest)
        interface = self.net.interface_of(vlan, frame[:6])
        if interface:
            return self.route(interface, arrived)
        return Result(SWITCHED, out=self.switch(*arrived))

    def switch(self, port_name, vlan, priority, macs, rest):
        """Sends a frame to where its MAC is known to be, or everywhere."""
        to = None if macs[0] & 1 else self.net.macs.get((vlan, macs[:6]))
        if to == port_name:
            return []
        names = [to] if to else [
            n for n, p in self.net.ports.items()
            if n != port_name and p.carries(vlan)]
        return [self.leave(n, vlan, priority, macs, rest) for n in names]

    def leave(self, name, vlan, priority, macs, rest):
        tag = b""
        if self.net.ports[name].vlan is None and (vlan or priority):
            tag = struct.pack("!HH", TAG, vlan | priority)
        return name, macs + tag + rest

    # ---- Router. ----

    def route(self, interface, arrived):
        rest = arrived[4]
        fate, what = self.decide(rest)
        if fate == DROPPED:
            return Result(DROPPED)
        if fate == PUNTED:
            vif = interface.vif
            return Result(PUNTED, what, [self.leave(vif, *arrived[1:])]
                          if vif and vif != arrived[0] else [])
        out, mac, data = what
        return Result(FORWARDED, out=self.switch(
            None, out.vlan, 0, mac + out.mac, rest[:2] + data))

    def decide(self, rest):
        """(PUNTED, reason), (DROPPED, None), or (FORWARDED, (interface, MAC,
        packet))"""
        kind, = struct.unpack_from("!H", rest)
        if kind not in (IP4, IP6):
            return PUNTED, "non-ip"
        packet = (Packet4 if kind == IP4 else Packet6)(rest[2:])
        if packet.wrong:
            return PUNTED, "malformed"
        if packet.special():
            return PUNTED, "special"
        route = self.lookup(packet.family, packet.dst)
        if route is None:
            return PUNTED, "no-route"
        if route == "blackhole":
            return DROPPED, None
        if isinstance(route, str):
            return PUNTED, route
        return self.follow(packet, route)

    def lookup(self, family, address):
        n_bits = 32 if family == 4 else 128
        for length in self.lengths[family]:
            found = self.net.routes[family][length].get(
                address >> n_bits - length)
            if found is not None:
                return found
        return None

    def follow(self, packet, hops):
        hops = [h for h in hops if h[0].up]
        if not hops:
            return PUNTED, "link-down"
        interface, gateway, _ = self.choose(packet, hops)
        mac = self.net.neighbors.get((
            interface.name, packet.dst if gateway is None else gateway))
        if mac is None:
            return PUNTED, "no-neighbor"
        fault = packet.fault(interface.mtu)
        if fault:
            return PUNTED, fault
        return FORWARDED, (interface, mac, packet.next())

    def choose(self, packet, hops):
        """RFC 2992: the hash space is divided in proportion to the
        weights."""
        if len(hops) == 1:
            return hops[0]
        point = packet.hash(self.net.seed) * sum(h[2] for h in hops) >> 32
        for hop in hops:
            if point < hop[2]:
                return hop
            point -= hop[2]
        raise AssertionError("no hop")
