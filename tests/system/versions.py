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
"""A speaker whose every message is a version of the table, and what a packet
may meet.

What: each message changes one object: a route, a next hop, a group, a
neighbour. Message N makes version N out of N - 1.  An object keeps all its
states with the version each began with, so that the reference can forward a
packet by any version there was.

A packet that was sent when all versions up to A were acknowledged, and left
before any after S was sent, must have been forwarded by one of A to S.
"""

import bisect
import socket
import struct

import forwarder
import random_net

NEWROUTE, DELROUTE, NEWNEIGH, DELNEIGH, NEWNEXTHOP = 24, 25, 28, 29, 104
REQUEST, ACK, REPLACE, CREATE = 1, 4, 0x100, 0x400
ERROR, PERMANENT = 2, 0x80
FAMILY = {4: 2, 6: 10}
FOREVER = 1 << 60


def pack(family, address):
    return address.to_bytes(4 if family == 4 else 16, "big")


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (
        -len(data) % 4)


def number(kind, value):
    return attribute(kind, struct.pack("=I", value))


def hop_attributes(family, hop):
    """RTA_OIF and RTA_GATEWAY of (interface, gateway, weight)."""
    return number(4, hop[0].number) + attribute(5, pack(family, hop[1]))


def route_message(family, address, length, route):
    """(type, flags, body); route: None, ("group", id), or hops."""
    head = struct.pack("=8BI", FAMILY[family], length, 0, 0, 254, 186, 0, 1,
                       0)
    body = head + attribute(1, pack(family, address)) + number(6, 20)
    if route is None:
        return DELROUTE, 0, body
    if route[0] == "group":
        body += number(30, route[1])
    elif len(route) == 1:
        body += hop_attributes(family, route[0])
    else:
        body += attribute(9, b"".join(
            struct.pack("=HBBI", 8 + len(gateway), 0, hop[2] - 1,
                        hop[0].number) + gateway for hop in route
            for gateway in (attribute(5, pack(family, hop[1])),)))
    return NEWROUTE, CREATE | REPLACE, body


def nexthop_message(family, ident, hop):
    return NEWNEXTHOP, CREATE | REPLACE, struct.pack(
        "=BBBBI", FAMILY[family], 0, 186, 0, 0) + number(1, ident) + number(
            5, hop[0].number) + attribute(6, pack(family, hop[1]))


def group_message(ident, members):
    return NEWNEXTHOP, CREATE | REPLACE, struct.pack(
        "=BBBBI", 0, 0, 186, 0, 0) + number(1, ident) + attribute(
            2, b"".join(struct.pack("=IBBH", i, weight - 1, 0, 0)
                        for i, weight in members))


def neighbor_message(family, interface, address, mac):
    body = struct.pack("=BBHiHBB", FAMILY[family], 0, 0, interface.number,
                       PERMANENT, 0, 1) + attribute(1, pack(family, address))
    if mac is None:
        return DELNEIGH, 0, body
    return NEWNEIGH, CREATE | REPLACE, body + attribute(2, mac)


class Speaker:
    """A connection to a router; sends messages, counts the answers."""

    def __init__(self, target):
        host, port = target.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.sent = self.acked = 0      # Versions.
        self.out, self.buffer = b"", b""

    def send(self, kind, flags, body):
        self.sent += 1
        size = 16 + len(body)
        self.socket.sendall(struct.pack("!BBH", 1, 1, 4 + size) + struct.pack(
            "=IHHII", size, kind, REQUEST | ACK | flags, self.sent, 0) + body)

    def receive(self):
        """Takes the answers that came."""
        try:
            data = self.socket.recv(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            raise AssertionError("the router closed the connection")
        self.buffer += data
        ofs = 0
        while len(self.buffer) >= ofs + 4:
            size, = struct.unpack_from("!H", self.buffer, ofs + 2)
            if len(self.buffer) < ofs + size:
                break
            kind, = struct.unpack_from("=H", self.buffer, ofs + 8)
            if kind == ERROR:
                error, = struct.unpack_from("=i", self.buffer, ofs + 20)
                seq, = struct.unpack_from("=I", self.buffer, ofs + 32)
                if error or seq != self.acked + 1:
                    raise AssertionError("answer %d to message %d, after %d"
                                         % (error, seq, self.acked))
                self.acked = seq
            ofs += size
        self.buffer = self.buffer[ofs:]

    def close(self):
        self.socket.close()


class History:
    """States of one object."""

    def __init__(self):
        self.versions, self.states = [0], [None]

    def add(self, version, state):
        self.versions.append(version)
        self.states.append(state)

    def now(self):
        return self.states[-1]


class Reference(forwarder.Forwarder):
    """Forwards by the version 'at'; 'until' is the next one at which something
    that was looked at became another."""

    def __init__(self, net):
        super().__init__(net)
        self.at, self.until = 0, FOREVER
        self.histories = {}
        net.neighbors = self            # Has get().

    def history(self, *key):
        return self.histories.setdefault(key, History())

    def state(self, *key):
        h = self.history(*key)
        index = bisect.bisect_right(h.versions, self.at)
        if index < len(h.versions):
            self.until = min(self.until, h.versions[index])
        return h.states[index - 1]

    def get(self, key):
        return self.state("neighbor", *key)

    def lookup(self, family, address):
        """Of the prefixes there are, of one length above another."""
        for length in random_net.CHURN_LENGTHS[family]:
            shift = random_net.BITS[family] - length
            found = self.state("route", family, address >> shift << shift,
                               length)
            if found is not None:
                return self.hops(found)
        return None

    def hops(self, route):
        if route[0] != "group":
            return route
        return [self.state("nexthop", ident)[:2] + (weight,)
                for ident, weight in self.state("group", route[1])]

    def may_leave(self, port, frame, first, last):
        """What may leave for a frame by versions 'first' to 'last', one after
        the other: lists of (port, frame)."""
        self.at = first
        while self.at <= last:
            self.until = FOREVER
            out, at = self.take(port, frame).out, self.until
            yield out
            self.at = at
