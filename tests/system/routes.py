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
"""Random routes for the tests that compare rule table, kernel and forwarding.

Prefixes nest deeply: most are drawn below a few short ones.  Gateways are
addresses on three segments, each with a MAC of its own that the switch is told
to be at that segment's sink, so that a watcher sees which next hop a packet
was sent to."""

import ipaddress

SEGMENTS = (1, 2, 3)
GATEWAYS_EACH = 4
V4_BASES = [ipaddress.ip_network("%d.0.0.0/8" % n) for n in (20, 21, 60, 99)]
V6_BASES = [ipaddress.ip_network(p) for p in ("2001:db8::/32",
                                              "2400:1000::/20")]


class Gateway:
    def __init__(self, segment, number, ifindex):
        self.dev = "eth%d" % segment
        self.ifindex = ifindex
        self.sink = "t%d-eth0" % segment        # Port of the switch.
        self.vlan = 10 * segment
        self.mac = "52:54:00:99:%02x:%02x" % (segment, number)
        self.addresses = {4: "10.0.%d.%d" % (segment, number),
                          6: "fd00:0:%d::%d" % (segment, number)}


def gateways(router):
    """All gateways of 'router' (a node of the lab)."""
    ifindex = {i.name: i.ifindex for i in router.ifaces}
    return [Gateway(s, 10 + n, ifindex["eth%d" % s]) for s in SEGMENTS
            for n in range(GATEWAYS_EACH)]


TOPOLOGY = """
[switch s1]
[segment lan0]
switch = s1
vlan = 5
[segment lan1]
switch = s1
vlan = 10
[segment lan2]
switch = s1
vlan = 20
[segment lan3]
switch = s1
vlan = 30
[router vr1]
%s
xenflow = yes
eth0 = lan0 10.0.0.1/24 fd00::1/64
eth1 = lan1 10.0.1.1/24 fd00:0:1::1/64
eth2 = lan2 10.0.2.1/24 fd00:0:2::1/64
eth3 = lan3 10.0.3.1/24 fd00:0:3::1/64
[edge e0]
eth0 = lan0 10.0.0.2/24 fd00::2/64
gateway = 10.0.0.1 fd00::1
[edge t1]
eth0 = lan1 10.0.1.2/24
[edge t2]
eth0 = lan2 10.0.2.2/24
[edge t3]
eth0 = lan3 10.0.3.2/24
"""
SINKS = ["t%d-eth0" % s for s in SEGMENTS]
TAPS = ["vr1-eth%d" % n for n in range(4)]


def introduce(control, router, all_gateways):
    """Tells router and switch where each gateway is."""
    for g in all_gateways:
        control.call("fdb/add", "br0", g.sink, g.vlan, g.mac)
        for address in g.addresses.values():
            control.call("xenflow/neigh-add", router, g.dev, address, g.mac)


def random_prefix(chance, bases, below):
    """A prefix in one of 'bases', or often below one of 'below'."""
    if below and chance.random() < 0.8:
        parent = chance.choice(below)
    else:
        parent = chance.choice(bases)
    bits = parent.max_prefixlen
    length = min(bits, parent.prefixlen + chance.choice(
        (1, 2, 3, 4, 6, 8, 8, 12, 16, 32)))
    address = int(parent.network_address) | chance.getrandbits(
        bits - parent.prefixlen)
    shift = bits - length
    return type(parent)((address >> shift << shift, length))


def random_prefixes(chance, n, bases):
    """'n' different prefixes."""
    found, below = set(), []
    while len(found) < n:
        prefix = random_prefix(chance, bases, below)
        if prefix not in found:
            found.add(prefix)
            if prefix.prefixlen < prefix.max_prefixlen - 2 and \
                    len(below) < 200:
                below.append(prefix)
    return sorted(found, key=lambda p: (int(p.network_address), p.prefixlen))


def random_hops(chance, all_gateways, may_be_none=True):
    """[(gateway, weight)], or the name of a type without next hops."""
    kind = chance.random()
    if may_be_none and kind < 0.08:
        return "blackhole"
    if may_be_none and kind < 0.10:
        return "unreachable"
    if kind < 0.30:
        return [(g, chance.randint(1, 4)) for g in
                chance.sample(all_gateways, chance.randint(2, 4))]
    return [(chance.choice(all_gateways), 1)]


def random_table(chance, n4, n6, all_gateways):
    """{prefix: hops} with both default routes."""
    table = {}
    for n, bases, default in ((n4, V4_BASES, "0.0.0.0/0"),
                              (n6, V6_BASES, "::/0")):
        table[ipaddress.ip_network(default)] = random_hops(
            chance, all_gateways, may_be_none=False)
        for prefix in random_prefixes(chance, n - 1, bases):
            table[prefix] = random_hops(chance, all_gateways)
    return table


def for_kernel(prefix, hops):
    """Line of ip -batch."""
    if isinstance(hops, str):
        return "route add %s %s" % (hops, prefix)
    return "route add %s %s" % (prefix, " ".join(
        "%svia %s dev %s%s" % ("nexthop " if len(hops) > 1 else "",
                               g.addresses[prefix.version], g.dev,
                               " weight %d" % w if len(hops) > 1 else "")
        for g, w in hops))


def for_speaker(prefix, hops):
    """Line of test-xf-speaker."""
    if isinstance(hops, str):
        return "add %s %s" % (prefix, hops)
    return "add %s %s" % (prefix, " ".join(
        "via %s dev %d weight %d" % (g.addresses[prefix.version], g.ifindex,
                                     w) for g, w in hops))


class Oracle:
    """Longest prefix match by looking at every length there is."""

    def __init__(self, table):
        self.tables = {4: {}, 6: {}}
        for prefix, hops in table.items():
            self.tables[prefix.version].setdefault(prefix.prefixlen, {})[
                int(prefix.network_address)] = (prefix, hops)
        self.lengths = {v: sorted(t, reverse=True)
                        for v, t in self.tables.items()}

    def lookup(self, address):
        """(prefix, hops) of the route for 'address', or None."""
        number, version = int(address), address.version
        for length in self.lengths[version]:
            shift = address.max_prefixlen - length
            found = self.tables[version][length].get(number >> shift << shift)
            if found:
                return found
        return None


def random_destinations(chance, table, n):
    """Half of them below random prefixes of 'table', half anywhere near."""
    prefixes = list(table)
    found = []
    for number in range(n):
        if number % 2:
            parent = chance.choice(prefixes)
        else:
            parent = chance.choice(V4_BASES if number % 4 else V6_BASES)
        if not parent.prefixlen:        # Not just anywhere: no multicast.
            parent = chance.choice(V4_BASES if parent.version == 4
                                   else V6_BASES)
        found.append(parent[chance.getrandbits(
            parent.max_prefixlen - parent.prefixlen)])
    return found
