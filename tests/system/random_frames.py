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
"""Random frames for the router of random_net.py, with all that headers can
have.

What: make(first, n) yields (port, frame, oddities).  Each number from
'first' on gives another 5-tuple: source and ports are made of it.  Headers
of layer 4 needn't be right: a router doesn't look at their checksums.

Nothing is made that teaches a switch or router anything (ARP and ND that
are whole), or that the test's own devices don't carry: frames below 14
bytes, or cut off in their VLAN tag.
"""

import random
import struct

import forwarder
import random_net

TAG, IP4, IP6 = forwarder.TAG, forwarder.IP4, forwarder.IP6
OTHER_TYPES = (0x88cc, 0x8847, 0x0806, 0x8035, 0x0026, 0xffff, 0x8863)
HOST_BITS = 22                  # Of sources.
PROTOCOLS = (17, 17, 17, 6, 6, 132, 1, 2, 47, 50, 89, 255)
PROTOCOLS6 = (17, 17, 17, 6, 6, 132, 58, 59, 47, 50, 89, 255)
PAYLOADS = (0, 6, 18, 18, 18, 18, 200, 560)
LONG = (1230, 1372, 1373, 1450, 1472, 1473, 3000, 8900)
MARTIANS4 = (0, 0x7f000001, 0xe0000001, 0xffffffff, 0x00010203, 0xf0000001)
MARTIANS6 = (0, 1, 0xfe80 << 112 | 2, 0xff02 << 112 | 1,
             0xffff << 32 | 0x0a090001)


def sum16(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


class Frames:
    """'net' is a random_net.Net."""

    def __init__(self, net, seed):
        self.net, self.seed = net, seed
        self.bytes = random.Random(seed).randbytes(1 << 16)
        self.chance = None
        self.odd = []
        self.ports = b""

    def make(self, first, n):
        self.chance = random.Random(self.seed << 32 | first)
        for number in range(first, first + n):
            yield self.one(number)

    def one(self, number):
        self.odd = []
        self.ports = struct.pack("!HH", number & 0xffff, number >> 16)
        rand = self.chance.random
        host = number & (1 << HOST_BITS) - 1
        kind = rand()
        if kind < 0.6:
            ether, data = IP4, self.ip4(host)
        elif kind < 0.97:
            ether, data = IP6, self.ip6(host)
        else:
            ether = self.chance.choice(OTHER_TYPES)
            data = self.some(self.chance.choice((20, 46, 100)))
            self.odd.append("not IP")
        if ether in (IP4, IP6) and rand() < 0.03:
            data = data[:self.chance.randrange(len(data))]
            self.odd.append("cut off")
        if rand() < 0.06:
            data += self.some(self.chance.randrange(1, 40))
            self.odd.append("padding behind")
        port, head = self.ethernet()
        frame = head + struct.pack("!H", ether) + data
        if len(head) > 12 and len(frame) < 24:
            frame += bytes(24 - len(frame)) # What the kernel carries.
        return port, frame, self.odd or ["none"]

    def some(self, n):
        """'n' bytes."""
        ofs = self.chance.getrandbits(12)
        return self.bytes[ofs:ofs + n]

    # ---- Ethernet. ----

    def ethernet(self):
        """(port, header without its type)"""
        rand, kind = self.chance.random, self.chance.random()
        pcp = self.chance.getrandbits(3) << 13
        if kind < 0.62:
            port, vlan, tag = "a", 10, b""
        elif kind < 0.66:
            port, vlan, tag = "a", 10, struct.pack("!HH", TAG, pcp)
            self.odd.append("priority tag")
        elif kind < 0.84:
            port, vlan = "t", self.chance.choice((10, 10, 20, 30))
            tag = struct.pack("!HH", TAG, vlan | pcp)
            self.odd.append("segment's tag")
        elif kind < 0.90:
            port, vlan, tag = "t", 0, b""
            self.odd.append("untagged segment")
        elif kind < 0.93:
            # Not priority 0: whether the bridge strips such a tag depends on
            # what came before, as upstream's megaflows let it.
            port, vlan = "t", 0
            tag = struct.pack("!HH", TAG, pcp or 1 << 13)
            self.odd.append("priority tag")
        elif kind < 0.96:
            port, vlan = self.chance.choice("at"), 99
            tag = struct.pack("!HH", TAG, vlan | pcp)
            self.odd.append("other tag")
        else:
            port = self.chance.choice("at")
            vlan = 10
            tag = struct.pack("!HHHH", TAG, (vlan if port == "t" else 0) | pcp,
                              TAG, self.chance.choice((0, 10, 77)))
            self.odd.append("two tags")
        mac = self.net.router_macs.get(vlan, self.net.router_macs[10])
        if rand() < 0.03:
            mac = self.chance.choice(self.net.wrong_macs)
            self.odd.append("other MAC")
        return port, mac + self.net.host_macs[port] + tag

    # ---- IPv4. ----

    def ip4(self, host):
        rand, choice = self.chance.random, self.chance.choice
        proto, l4 = self.layer4(PROTOCOLS)
        ihl, flags, ttl = 5, 0, 64
        src = 172 << 24 | host
        version, options = 4, b""
        if rand() < 0.10:
            ttl = choice((0, 1, 1, 2, 2, 255))
            self.odd.append("TTL %d" % ttl)
        if rand() < 0.05:
            ihl = choice((6, 7, 10, 15))
            options = self.some(ihl * 4 - 20)
            self.odd.append("options")
        if rand() < 0.03:
            src = choice(MARTIANS4)
            self.odd.append("martian source")
        if rand() < 0.10:
            flags = choice((0x2000, 0x0010, 0x2010, 0x4000, 0x4000, 0x8000,
                            0x6000))
            self.odd.append({0x2000: "first fragment", 0x4000: "DF",
                             0x8000: "reserved flag"}.get(
                                 flags & 0xe000 if not flags & 0x1fff
                                 else 0, "later fragment"
                                 if flags & 0x1fff else "DF and MF"))
        total = ihl * 4 + len(l4)
        if rand() < 0.04:
            total = choice((0, 19, ihl * 4 - 1, ihl * 4, total - 1, total + 1,
                            65535)) & 0xffff
            self.odd.append("wrong length")
        if rand() < 0.03:
            ihl = choice((0, 1, 4, 15))
            self.odd.append("wrong IHL")
        if rand() < 0.02:
            version = choice((0, 5, 6, 15))
            self.odd.append("wrong version")
        head = struct.pack("!BBHHHBBHII", version << 4 | ihl,
                           self.chance.getrandbits(8), total,
                           self.chance.getrandbits(16), flags, ttl, proto, 0,
                           src, self.destination(4)) + options
        csum = sum16(head)
        if rand() < 0.05:
            csum = choice((csum ^ 1, 0, 0xffff, self.chance.getrandbits(16)))
            self.odd.append("wrong checksum")
        return head[:10] + struct.pack("!H", csum) + head[12:] + l4

    # ---- IPv6. ----

    def ip6(self, host):
        rand, choice = self.chance.random, self.chance.choice
        proto, l4 = self.layer4(PROTOCOLS6)
        ttl, version = 64, 6
        src = random_net.SOURCES6 | host
        if rand() < 0.10:
            ttl = choice((0, 1, 1, 2, 2, 255))
            self.odd.append("TTL %d" % ttl)
        if rand() < 0.03:
            src = choice(MARTIANS6)
            self.odd.append("martian source")
        if rand() < 0.15:
            proto, l4 = self.extend(proto, l4)
        size = len(l4)
        if rand() < 0.04:
            size = choice((0, 7, max(0, size - 1), size + 1, 65535))
            self.odd.append("wrong length")
        if rand() < 0.02:
            version = choice((0, 4, 5, 15))
            self.odd.append("wrong version")
        return struct.pack("!IHBB", version << 28 | self.chance.getrandbits(
            28), size, proto, ttl) + src.to_bytes(16, "big") \
            + self.destination(6).to_bytes(16, "big") + l4

    def extend(self, proto, l4):
        """Puts one or two extension headers before 'l4'."""
        for _ in range(self.chance.choice((1, 1, 2))):
            kind = self.chance.choice((0, 43, 60, 44, 44, 51))
            if kind == 44:
                where = self.chance.choice((1, 0, 8 << 3, 8 << 3 | 1))
                l4 = struct.pack("!BBHI", proto, 0, where, 7) + l4
                self.odd.append("fragment header")
            else:
                size = self.chance.choice((8, 8, 16, 24))
                n = size // 8 - 1 if kind != 51 else size // 4 - 2
                if self.chance.random() < 0.05:
                    n = 255             # Longer than the packet.
                l4 = bytes([proto, n]) + self.some(size - 2) + l4
                self.odd.append("hop-by-hop header" if kind == 0 else
                                "other extension header")
            proto = kind
        return proto, l4

    # ---- Both. ----

    def layer4(self, protocols):
        """(protocol, bytes)"""
        rand = self.chance.random
        proto = self.chance.choice(protocols)
        n = self.chance.choice(PAYLOADS)
        if rand() < 0.02:
            n = self.chance.choice(LONG)
            self.odd.append("long")
        if proto == 6:
            ctl = self.chance.choice((0x50, 0x50, 0x50, 0x60, 0x40, 0xf0))
            l4 = self.ports + self.some(8) + bytes([
                ctl, self.chance.getrandbits(8)]) + self.some(6 + n)
        elif proto == 58:               # Echo; never ND.
            l4 = bytes([128, 0]) + self.some(2) + self.ports + self.some(n)
        else:
            l4 = self.ports + self.some(8 + n)
        if proto not in (6, 17):
            self.odd.append("protocol %d" % proto)
        if rand() < 0.02:
            l4 = l4[:self.chance.randrange(20)]
            self.odd.append("layer 4 cut off")
        return proto, l4

    def destination(self, family):
        """Near a prefix of the table, or of a kind of its own."""
        net, n_bits = self.net, 32 if family == 4 else 128
        if self.chance.random() < 0.12:
            self.odd.append("special destination")
            return self.chance.choice(net.special[family])
        address, length = self.chance.choice(net.prefixes[family])
        host = n_bits - length
        if not host:
            return address
        kind = self.chance.random()
        if kind < 0.05:                 # The last of it, or the one behind.
            address += (1 << host) - (1 if kind < 0.04 else 0)
            return address & (1 << n_bits) - 1
        return address | self.chance.getrandbits(host)
