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
"""Prints random frames for router vr1 of switch-macros.m4, one per line.

usage: fib-random.py SEED N

Destinations are near and at the prefixes that fib-switch.at adds; headers have
all that a router must look at: TTL, options, lengths, fragments, checksums,
extension headers, martian sources, headers that are cut off or contradict
themselves.
"""

import random
import sys

import frame

DST4 = ["10.9.%d.%d", "10.9.1.%d", "10.8.0.%d", "10.0.1.%d", "10.0.2.%d",
        "10.7.0.%d", "10.10.0.%d", "10.11.1.%d", "127.0.0.%d", "224.0.0.%d",
        "0.0.0.%d", "255.255.255.25%d", "11.1.%d.%d"]
DST6 = ["2001:db8:9::%x", "2001:db8:9:1::%x", "2001:db8:2::%x", "fe80::%x",
        "ff02::%x", "::%x", "2001:db8:1::%x", "2001:db8:10::%x",
        "::ffff:10.9.1.%d"]
SRC4 = ["10.0.1.2"] * 8 + ["127.0.0.1", "0.0.0.0", "224.0.0.1"]
SRC6 = ["2001:db8:1::2"] * 8 + ["fe80::2", "::", "::1", "ff02::1"]


def address(rng, patterns):
    pattern = rng.choice(patterns)
    small = 6 if pattern.endswith("25%d") else 256
    return pattern % tuple(rng.choice([rng.randrange(min(small, 6)),
                                       rng.randrange(small)])
                           for _ in range(pattern.count("%")))


def make(rng):
    v4 = rng.random() < 0.6
    a = {"dst": address(rng, DST4 if v4 else DST6),
         "src": rng.choice(SRC4 if v4 else SRC6),
         "sport": rng.randrange(65536), "dport": rng.randrange(65536),
         "ttl": rng.choice([0, 1, 2, 64, 255]),
         "len": rng.choice([0, 18, 18, 18, 600, 1400, 1472, 1473])}
    if v4:
        a["tos"] = rng.randrange(256)
        if rng.random() < 0.1:
            a["opts"] = rng.choice(["01010101", "94040000"])
        if rng.random() < 0.1:
            a["bad-csum"] = 1
        if rng.random() < 0.1:
            a["pad"] = rng.randrange(1, 30)
    elif rng.random() < 0.1:
        a["opts"] = "hbh"
    data = bytearray.fromhex(frame.make("udp4" if v4 else "udp6", a))
    if v4 and rng.random() < 0.1:       # A fragment; the checksum is off.
        data[20] = rng.choice([0x20, 0x20, 0])
        data[21] = rng.choice([0, 5])
    if rng.random() < 0.1:
        data[rng.randrange(14, min(len(data), 60))] ^= 1 << rng.randrange(8)
    if rng.random() < 0.05:
        del data[rng.randrange(14, len(data)):]
    return bytes(data).hex()


def main(args):
    if len(args) != 2:
        sys.exit(__doc__)
    rng = random.Random(int(args[0]))
    for _ in range(int(args[1])):
        print(make(rng))


if __name__ == "__main__":
    main(sys.argv[1:])
