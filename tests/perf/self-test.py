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
"""Checks the benchmarks' own parts that need no switch: tests/perf.at runs it.

usage: self-test.py packets | lookup | faults | report
"""

import os
import random
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]

# pylint: disable=wrong-import-position
import frame                                    # noqa: E402
import packets                                  # noqa: E402
import prefixes                                 # noqa: E402
import report                                   # noqa: E402
import rig                                      # noqa: E402
import rows                                     # noqa: E402

N_PACKETS = 3000


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    ofs, found = 24, []
    while ofs < len(data):
        size = struct.unpack("=I", data[ofs + 8:ofs + 12])[0]
        found.append(data[ofs + 16:ofs + 16 + size])
        ofs += 16 + size
    return found


def check_packets():
    """Sizes, checksums, 5-tuples, destinations; the same file again."""
    for family, n in ((4, 1), (4, 1000), (6, 1000)):
        with tempfile.TemporaryDirectory() as one, \
                tempfile.TemporaryDirectory() as two:
            cache = packets.Cache(one, N_PACKETS, 5)
            found = read_pcap(cache.pcap(family, n))
            again = packets.Cache(two, N_PACKETS, 5)
            assert read_pcap(again.pcap(family, n)) == found
            other = packets.Cache(two, N_PACKETS, 6)
            assert read_pcap(other.pcap(family, n)) != found
        lookup = prefixes.Lookup(family, cache.table(family, n))
        ofs, size = (26, 4) if family == 4 else (22, 16)
        tuples, to = set(), set()
        for data in found:
            shown = frame.show(data.hex())
            assert shown.endswith("ok") and "BAD" not in shown, shown
            tuples.add(data[ofs:ofs + 2 * size + 4])
            to.add(data[ofs + size:ofs + 2 * size])
        assert all(lookup.find(int.from_bytes(d, "big")) is not None
                   for d in to)
        print("v%d of %d: %d packets of %d bytes, %d 5-tuples, "
              "destinations: %s" % (
                  family, n, len(found), *{len(d) for d in found},
                  len(tuples), "1" if len(to) == 1 else "many"))


def longest(family, table, address):
    """Index of the longest of 'table' that holds 'address', by looking at
    all."""
    bits = prefixes.BITS[family]
    fitting = [(length, index) for index, (prefix, length) in enumerate(table)
               if prefix >> (bits - length) == address >> (bits - length)]
    return max(fitting)[1] if fitting else None


def check_lookup():
    """The reference lookup against one that looks at every prefix."""
    seed = random.randrange(1 << 32)
    print("seed %d" % seed, file=sys.stderr)
    for family in (4, 6):
        table = prefixes.table(family, 500, seed)
        # Shorter ones on top, so that there is a choice.
        bits = prefixes.BITS[family]
        table += list({(a >> (bits - 9) << (bits - 9), 9) for a, _ in table})
        lookup = prefixes.Lookup(family, table)
        for to in packets.destinations(family, table, 500, seed):
            assert lookup.find(to) == longest(family, table, to), (seed, to)
        nowhere = 10 << 24 if family == 4 else 1
        assert lookup.find(nowhere) is None
    print("agrees")


def check_faults():
    """A window in which something went wrong doesn't count."""
    window = rows.Window.__new__(rows.Window)
    for tx, received, punted, shares in (
            ({1: 1000}, 1000, 0, {1: 1.0}),
            ({1: 1000}, None, 0, {1: 1.0}),
            ({1: 0}, 1000, 0, {1: 1.0}),
            ({1: 0}, 1000, 7, {1: 1.0}),
            ({1: 500, 2: 500}, 1000, 0, {1: 0.5, 2: 0.5}),
            ({1: 600, 2: 400}, 1000, 0, {1: 0.5, 2: 0.5}),
            ({1: 1000, 2: 0}, 1000, 0, {1: 0.99, 2: 0.01}),
            ({1: 900}, 1000, 0, {1: 1.0}),
            ({1: 300, 2: 600}, 1000, 0, {1: 0.5, 2: 0.5}),
            ({1: 1100}, 1000, 0, {1: 1.0}),
            ({1: 1000}, 1000, 1, {1: 1.0})):
        window.tx, window.n = tx, sum(tx.values())
        window.received, window.punted = received, punted
        # pylint: disable=protected-access
        print(window._fault(shares))
    text = rig.Switch.parse_counters(
        "  lookups: hit:70 missed:3 lost:0\n  flows: 2\n"
        "  port 1: in (dpdk: mtu=1500)\n"
        "    RX packets:100 errors:0 dropped:0\n"
        "    TX packets:0 errors:? dropped:0\n"
        "  port 2: out1 (dpdk: mtu=1500)\n"
        "    RX packets:0 errors:0 dropped:0\n"
        "    TX packets:99 errors:1 dropped:4\n")
    print(text)


class Counted:
    """A rows.Window that went as its arguments say."""

    def __init__(self, rate, fault=None):
        self.tx, self.received, self.n = {1: 70, 2: 30}, 100, 100
        self.dropped, self.punted, self.upcalls = 2, 1, 6
        self.megaflows, self.fault = 7, fault
        self.cpu_s, self.wall_s, self.stolen_s = 1.0, 2.0, 0.2
        self.rate = lambda: rate


def check_report():
    """The table: rows that are fine, invalid, skipped, and failed."""
    def run(rate, fault=None, **more):
        found = rows.Run.__new__(rows.Run)
        found.__dict__.update(window=Counted(rate, fault), quiet=None,
                              changes=None, warm=True, warm_s=1, load_s=None,
                              memory=0)
        found.__dict__.update(more)
        return found

    def row(kind, runs, **options):
        name = rows.Row(kind, n_egress=2, n=20000, **options)
        return dict(rows.describe(name, settings), **(
            runs if isinstance(runs, dict) else rows.summarize(runs)))

    with tempfile.TemporaryDirectory() as folder:
        settings = rows.Settings(None, packets.Cache(folder, N_PACKETS, 5))
    found = [
        row("testpmd-io", [run(50), run(40), run(45)]),
        row("naive", [run(9, warm=False, warm_s=60, memory=16000000)]),
        row("flow", [run(30), run(20, "no packet left")]),
        row("flow", [run(30, changes=9000, quiet=Counted(33))], scene="churn"),
        row("fib", {"skipped": "not here"}),
        row("fib", {"valid": False, "reason": "it ended\nat once"})]
    report.compare(found)
    print(report.table(found))


if __name__ == "__main__":
    {"packets": check_packets, "lookup": check_lookup,
     "faults": check_faults, "report": check_report}[sys.argv[1]]()
