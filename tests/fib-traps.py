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
"""Routes, and what must become of them, for fib-traps.at.

usage: fib-traps.py all           messages that add some 900 nested prefixes
       fib-traps.py third         messages that restate every third of them, by
                                  another gateway; all others are to be swept
       fib-traps.py lookups       what packets then do, per line: destination,
                                  prefix (or "none")
       fib-traps.py frames        frames to these destinations
       fib-traps.py rounds N      N times: 600 host routes come and go; they stay
                                  in the end
       fib-traps.py hosts N       frames to 120 of these
       fib-traps.py nexthops N    N times: next hops and a group, one too many,
                                  come and go; they stay in the end
"""

import ipaddress
import random
import sys

import frame

BASE = ipaddress.ip_network("10.64.0.0/12")


def prefixes():
    """Each /16, and longer ones below most."""
    chance = random.Random(1)
    found = {}
    for parent in BASE.subnets(new_prefix=16):
        found[parent] = None
        for _ in range(60):
            below = chance.choice(list(found)[-30:])
            length = min(32, below.prefixlen + chance.choice((1, 2, 4, 8)))
            address = int(below.network_address) | chance.getrandbits(16) & (
                1 << 32 - below.prefixlen) - 1
            found[ipaddress.ip_network((address, length),
                                       strict=False)] = None
    return list(found)


def kept():
    return prefixes()[::3]


def destinations():
    """In what stays and in what goes."""
    return [p[-1] for p in prefixes()[::9] + prefixes()[1::9]]


def lookups():
    rows = kept()
    for to in destinations():
        found = [p for p in rows if to in p]
        yield to, max(found, key=lambda p: p.prefixlen, default="none")


def frames(to):
    return [frame.make("udp4", {"dst": str(address)}) for address in to]


def hosts(number):
    chance = random.Random(number)
    return {BASE[chance.getrandbits(20)]: None for _ in range(600)}


def rounds(n):
    for number in range(n):
        yield from ("add %s/32 via 10.0.2.2 dev 3" % h for h in hosts(number))
        if number < n - 1:
            yield from ("del %s/32" % h for h in hosts(number))


def nexthops(n):
    for number in range(n):
        for i in range(1, 5):
            yield "nexthop %d via 10.0.2.%d dev 3" % (i, 2 if i % 2 else 4)
        yield "nexthop 9 group 1 3"
        yield "nexthop 10 group 2 4"    # There is no room for it.
        if number < n - 1:
            for i in (9, 1, 2, 3, 4):
                yield "nexthop-del %d" % i
    yield "add 10.64.0.0/16 nhid 9"


def main(args):
    if args == ["all"]:
        lines = ["add %s via 10.0.2.2 dev 3" % p for p in prefixes()]
        lines += ["done"]
    elif args == ["third"]:
        lines = ["add %s via 10.0.2.4 dev 3" % p for p in kept()] + ["done"]
    elif args == ["lookups"]:
        lines = ["%s %s" % row for row in lookups()]
    elif args == ["frames"]:
        lines = frames(destinations())
    elif args[:1] == ["hosts"] and len(args) == 2:
        lines = frames(list(hosts(int(args[1]) - 1))[:120])
    elif args[:1] == ["rounds"] and len(args) == 2:
        lines = rounds(int(args[1]))
    elif args[:1] == ["nexthops"] and len(args) == 2:
        lines = nexthops(int(args[1]))
    else:
        sys.exit(__doc__)
    for line in lines:
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
