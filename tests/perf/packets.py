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
"""The packets of the benchmarks, and the files that are made of a table.

What: a pcap file that the rig sends over and over: UDP packets to random
addresses inside a table, each packet with a 5-tuple of its own; and the table
as a speaker states it and as ovs-ofctl reads it.

Why 5-tuples of their own: a cache of exact flows (EMC) then holds at most as
many packets as it has entries, as with the traffic of many users.

Shape: IPv4 60 bytes, IPv6 78 bytes (16 bytes of payload), without FCS.
Checksums are right.  Packet i of a file goes to destinations()[i].

Files are kept in a cache folder, named after all they were made from, this
code included; each is written under another name first.
"""

import hashlib
import os
import random
import struct
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

# pylint: disable=wrong-import-position
import frame                                    # noqa: E402
import prefixes                                 # noqa: E402

SIZE = {4: 60, 6: 78}
PAYLOAD = {4: 18, 6: 16}
TTL = 64

# The rig's own addresses: the router has 10.0.S.1 and fd00:0:S::1 on segment
# S; segment 0 is where packets come from, the others have two gateways each:
# .2, which all routes begin with, and .3.  Packets come from 11 bits of hosts
# and as many source ports as it takes.
ROUTER_MAC = "02:00:00:00:%02x:01"
GATEWAY_MAC = "02:00:00:00:%02x:%02x"
GATEWAYS = (2, 3)
SENDER_MAC = "02:00:00:00:00:02"
SOURCES = {4: 10 << 24 | 8 << 16, 6: 0xfd00 << 112 | 8}
N_SOURCE_BITS = 11

# Busy rows: several routers, the first with the table, the others with fewer
# routes; one of so many packets is punted.
BUSY_ROUTERS, BUSY_OTHERS, BUSY_PUNT = 4, 1000, 1000
FIRST_PORT = 1024


def router_address(family, segment):
    return ("10.0.%d.1" if family == 4 else "fd00:0:%x::1") % segment


def gateway_address(family, segment, number=GATEWAYS[0]):
    return ("10.0.%d.%d" if family == 4 else "fd00:0:%x::%d") % (segment,
                                                                 number)


def router_macs(number):
    """MACs of the interfaces of router 'number', with %x for the segment."""
    return ("02:00:00:%02x:%%02x:01" % number) if number else ROUTER_MAC


def busy_router(index):
    """Router that packet 'index' of a busy row goes to: seven of ten to the
    first."""
    return max(0, index % 10 - 6)


def busy_ttl(index):
    """One packet of BUSY_PUNT has a TTL that the router must not forward, of
    each router its share."""
    return 1 if index % BUSY_PUNT == index // BUSY_PUNT % 10 else TTL


def flow_line(family, prefix, length, segment, number=GATEWAYS[0]):
    """A route as ovs-ofctl reads it; segment S is OpenFlow port 1 + S."""
    return ("priority=%d,%s=%s/%d,actions=mod_dl_src:%s,mod_dl_dst:%s,"
            "dec_ttl,output:%d\n" % (
                100 + length, "ip,nw_dst" if family == 4 else "ipv6,ipv6_dst",
                prefix, length, ROUTER_MAC % segment,
                GATEWAY_MAC % (segment, number), 1 + segment))


def egress_of(index, n_egress):
    """Segment by which route 'index' of a table leaves, 1 to 'n_egress'."""
    return 1 + index % n_egress


def destinations(family, rows, n_packets, seed):
    """Where each packet goes: to a random address inside a random prefix.  A
    table of one prefix has one destination."""
    chance = random.Random("packets %d %d" % (len(rows), seed))
    n_bits = prefixes.BITS[family]
    found = []
    for _ in range(n_packets if len(rows) > 1 else 1):
        address, length = rows[int(chance.random() * len(rows))]
        host = n_bits - length
        found.append(address | (chance.getrandbits(host) if host else 0))
    return found * (n_packets // len(found))


class Frames:
    """Makes frames that differ in destination and source alone."""

    def __init__(self, family, mac=ROUTER_MAC % 0):
        self.family = family
        self.ethernet = (frame.mac(mac) + frame.mac(SENDER_MAC)
                         + (b"\x08\x00" if family == 4 else b"\x86\xdd"))
        n = PAYLOAD[family]
        self.payload = bytes(range(n))
        self.udp_length = 8 + n
        self.payload_sum = sum(struct.unpack("!%dH" % (n // 2), self.payload))

    def _udp(self, addresses, sport):
        """UDP header and payload; 'addresses' are both packed."""
        total = (sum(struct.unpack("!%dH" % (len(addresses) // 2), addresses))
                 + 17 + 2 * self.udp_length + sport + 53 + self.payload_sum)
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        return struct.pack("!HHHH", sport, 53, self.udp_length,
                           ~total & 0xffff or 0xffff) + self.payload

    def make(self, index, destination, ttl=TTL):
        """Frame number 'index'."""
        source = SOURCES[self.family] + ((index & (1 << N_SOURCE_BITS) - 1)
                                         << (0 if self.family == 4 else 64))
        sport = FIRST_PORT + (index >> N_SOURCE_BITS)
        if self.family == 4:
            both = struct.pack("!II", source, destination)
            head = struct.pack("!BBHHHBB", 0x45, 0, 20 + self.udp_length,
                               index & 0xffff, 0, ttl, 17)
            head += struct.pack("!H", frame.csum(head + both))
        else:
            both = (source.to_bytes(16, "big")
                    + destination.to_bytes(16, "big"))
            head = struct.pack("!IHBB", 6 << 28, self.udp_length, 17, ttl)
        return self.ethernet + head + both + self._udp(both, sport)


def write_pcap(path, frames):
    head = struct.Struct("=IIII")
    with open(path, "wb") as f:
        f.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            f.write(head.pack(0, 0, len(data), len(data)) + data)


class Cache:
    """Files made from tables, in 'folder'."""

    def __init__(self, folder, n_packets, seed):
        self.folder, self.n_packets, self.seed = folder, n_packets, seed
        self.tables = {}
        self.known_shares = {}
        code = hashlib.sha256()
        for name in ("prefixes.py", "packets.py"):
            with open(os.path.join(HERE, name), "rb") as f:
                code.update(f.read())
        self.version = code.hexdigest()[:8]
        os.makedirs(folder, exist_ok=True)

    def table(self, family, n):
        """The table, made once."""
        if (family, n) not in self.tables:
            self.tables.clear()         # A large one is some 200 MB.
            self.tables[family, n] = prefixes.table(family, n, self.seed)
        return self.tables[family, n]

    def _file(self, name, write):
        """Path of the file called 'name'; write(path) makes it."""
        path = os.path.join(self.folder, "%s-%d-%s" % (name, self.seed,
                                                       self.version))
        if not os.path.exists(path):
            write(path + ".new")
            os.rename(path + ".new", path)
        return path

    def destinations(self, family, n):
        return destinations(family, self.table(family, n), self.n_packets,
                            self.seed)

    def pcap(self, family, n):
        """Path of the packets for a table of 'n' prefixes."""
        def write(path):
            frames = Frames(family)
            write_pcap(path, (frames.make(index, to) for index, to in
                              enumerate(self.destinations(family, n))))
        return self._file("v%d-%d-%d.pcap" % (family, n, self.n_packets),
                          write)

    def busy_pcap(self, family, n):
        """The same for several routers, the first of which has the table."""
        def write(path):
            to = [self.destinations(family, BUSY_OTHERS),
                  self.destinations(family, n)]
            frames = [Frames(family, router_macs(number) % 0)
                      for number in range(BUSY_ROUTERS)]
            write_pcap(path, (
                frames[number].make(index, to[not number][index],
                                    busy_ttl(index))
                for index, number in enumerate(map(busy_router, range(
                    self.n_packets)))))
        return self._file("busy-v%d-%d-%d.pcap" % (family, n, self.n_packets),
                          write)

    def busy_fates(self, family, n, n_egress):
        """For each packet of busy_pcap() the segment it leaves by, 0: it is
        punted.  By the reference lookup."""
        def write(path):
            fates = bytearray(self.n_packets)
            for first, m in ((True, n), (False, BUSY_OTHERS)):
                lookup = prefixes.Lookup(family, self.table(family, m))
                for index, to in enumerate(self.destinations(family, m)):
                    if (busy_router(index) == 0) == first and \
                            busy_ttl(index) > 1:
                        fates[index] = egress_of(lookup.find(to), n_egress)
            with open(path, "wb") as f:
                f.write(fates)
        with open(self._file("fates%d-v%d-%d-%d" % (
                n_egress, family, n, self.n_packets), write), "rb") as f:
            return f.read()

    def _lines(self, name, family, n, line, first=""):
        """Path of a file with line(prefix, length, index) per route."""
        def write(path):
            with open(path, "w", encoding="ascii") as f:
                f.write(first)
                for index, (address, length) in enumerate(
                        self.table(family, n)):
                    f.write(line(prefixes.text(family, address), length,
                                 index))
        return self._file("v%d-%d-%s" % (family, n, name), write)

    def speaker(self, family, n, n_egress):
        """Path of the table as messages for test-xf-speaker; segment S is
        interface 1 + S."""
        ways = ["via %s dev %d\n" % (gateway_address(family, s), 1 + s)
                for s in range(n_egress + 1)]
        return self._lines("speaker%d" % n_egress, family, n,
                           lambda prefix, length, index: "add %s/%d %s" % (
                               prefix, length,
                               ways[egress_of(index, n_egress)]))

    def group(self, family, n, group, first):
        """The same with next hop 'group' for all, after the lines 'first'."""
        digest = hashlib.sha256(first.encode()).hexdigest()[:8]
        return self._lines("group%d-%s" % (group, digest), family, n,
                           lambda prefix, length, index: "add %s/%d nhid %d\n"
                           % (prefix, length, group), first)

    def flows(self, family, n, n_egress):
        """Path of the table as OpenFlow flows."""
        return self._lines("flows%d" % n_egress, family, n,
                           lambda prefix, length, index: flow_line(
                               family, prefix, length,
                               egress_of(index, n_egress)))

    def shares(self, family, n, n_egress):
        """{segment: share of the packets that leave there}, by the reference
        lookup."""
        if n_egress == 1:
            return {1: 1.0}
        key = family, n, n_egress
        if key in self.known_shares:
            return self.known_shares[key]
        lookup = prefixes.Lookup(family, self.table(family, n))
        found = dict.fromkeys(range(1, n_egress + 1), 0)
        for to in self.destinations(family, n):
            found[egress_of(lookup.find(to), n_egress)] += 1
        self.known_shares[key] = {s: m / self.n_packets
                                  for s, m in found.items()}
        return self.known_shares[key]
