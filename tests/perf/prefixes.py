#!/usr/bin/env python3
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
"""Routing tables for the benchmarks: deterministic, with the Internet's mix of
prefix lengths.

What: table(family, n, seed) is a list of 'n' different prefixes, each a pair
(address, length) of numbers, in random order.  The same arguments give the
same list on every machine and with every version of Python: only random() and
getrandbits() of the generator are used.

Why this mix: lookup structures and flow caches are sensitive to how many
lengths there are and how long they are.  IPv4: 62 % /24, 11 % /23, 11 % /22
and the rest over /8 to /21 as in public tables, where /16, /20 and /21 stand
out.
IPv6: mostly /48, /32, /44 and /40, below /32s of the regional registries' own
blocks.

Where it departs from the Internet: IPv4 prefixes lie anywhere in unicast
space, not in clusters, so less of a lookup structure stays in the caches.
Figures are therefore on the pessimistic side.

usage: prefixes.py FAMILY N SEED    print how many there are of each length,
                                    and a digest of the table
"""

import hashlib
import ipaddress
import random
import sys

BITS = {4: 32, 6: 128}

# Percent of a table, by length.
MIX = {
    4: {24: 62, 23: 11, 22: 11, 21: 4.8, 20: 4.4, 19: 2.6, 18: 1.5, 17: 0.9,
        16: 1.4, 15: 0.2, 14: 0.12, 13: 0.05, 12: 0.02, 11: 0.006,
        10: 0.002, 9: 0.001, 8: 0.001},
    6: {48: 47, 47: 2.5, 46: 3.5, 45: 1.5, 44: 9, 43: 0.7, 42: 2.5, 41: 0.8,
        40: 9, 39: 0.5, 38: 1, 37: 0.4, 36: 3.6, 35: 0.5, 34: 0.8, 33: 1.7,
        32: 12, 31: 0.2, 30: 0.3, 29: 2.5},
}

# First octets of IPv4 that hold special or private ranges (and the rig's own
# 10.0.0.0/8): nothing in a table is there.
RESERVED_OCTETS = {0, 10, 127, 169, 172, 192, 198}
MAX_OCTET = 223

# What the regional registries have of IPv6: the first 12 bits.
BLOCKS = (0x240, 0x260, 0x280, 0x2a0, 0x2c0)
N_BLOCK_BITS = 12
SITE_LENGTH = 32                # Longer prefixes lie in one of these.


def counts(family, n):
    """{length: how many} of a table of 'n' prefixes: shares of the mix, what
    rounding leaves over goes to the largest remainders."""
    mix = MIX[family]
    total = sum(mix.values())
    exact = {length: n * share / total for length, share in mix.items()}
    found = {length: int(value) for length, value in exact.items()}
    left = sorted(exact, key=lambda k: (found[k] - exact[k], -k))
    for length in left[:n - sum(found.values())]:
        found[length] += 1
    return {length: m for length, m in found.items() if m}


def _draw_v4(chance, length):
    while True:
        bits = chance.getrandbits(length)
        octet = bits >> (length - 8)
        if octet <= MAX_OCTET and octet not in RESERVED_OCTETS:
            return bits


class _DrawV6:
    """Prefixes below a limited number of sites."""

    def __init__(self, chance, n):
        self.sites = [self._site(chance) for _ in range(max(1, n // 8))]

    @staticmethod
    def _site(chance):
        block = BLOCKS[int(chance.random() * len(BLOCKS))]
        n_bits = SITE_LENGTH - N_BLOCK_BITS
        return block << n_bits | chance.getrandbits(n_bits)

    def draw(self, chance, length):
        if length <= SITE_LENGTH:
            return self._site(chance) >> (SITE_LENGTH - length)
        site = self.sites[int(chance.random() * len(self.sites))]
        n_bits = length - SITE_LENGTH
        return site << n_bits | chance.getrandbits(n_bits)


def table(family, n, seed):
    """'n' different prefixes, [(address, length)], in random order."""
    chance = random.Random("%d %d %d" % (family, n, seed))
    draw = _draw_v4 if family == 4 else _DrawV6(chance, n).draw
    rows = []
    for length, wanted in sorted(counts(family, n).items()):
        found, shift = set(), BITS[family] - length
        while len(found) < wanted:
            bits = draw(chance, length)
            if bits not in found:
                found.add(bits)
                rows.append((bits << shift, length))
    shuffle(chance, rows)
    return rows


def shuffle(chance, rows):
    """As random.shuffle(), whose result may differ between versions."""
    for i in range(len(rows) - 1, 0, -1):
        j = int(chance.random() * (i + 1))
        rows[i], rows[j] = rows[j], rows[i]


def text(family, address):
    """'address' as people write it."""
    if family == 4:                     # Called a million times.
        return "%d.%d.%d.%d" % (address >> 24, address >> 16 & 255,
                                address >> 8 & 255, address & 255)
    return str(ipaddress.IPv6Address(address))


class Lookup:
    """The reference: the longest of 'rows' that holds an address, by looking
    at every length there is."""

    def __init__(self, family, rows):
        self.bits = BITS[family]
        self.by_length = {}
        for index, (address, length) in enumerate(rows):
            self.by_length.setdefault(length, {})[
                address >> (self.bits - length)] = index
        self.lengths = sorted(self.by_length, reverse=True)

    def find(self, address):
        """Index in 'rows', or None."""
        for length in self.lengths:
            index = self.by_length[length].get(
                address >> (self.bits - length))
            if index is not None:
                return index
        return None


def main(args):
    if len(args) != 3 or args[0] not in ("4", "6"):
        sys.exit(__doc__)
    family, n, seed = map(int, args)
    rows = table(family, n, seed)
    found = {}
    for _, length in rows:
        found[length] = found.get(length, 0) + 1
    print("different %d" % len(set(rows)))
    print(*["/%d:%d" % item for item in sorted(found.items())])
    print("digest", hashlib.sha256(repr(rows).encode()).hexdigest()[:16])


if __name__ == "__main__":
    main(sys.argv[1:])
