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

usage: self-test.py packets | lookup | busy | changes | faults | report |
                    verdicts
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
import churn                                    # noqa: E402
import frame                                    # noqa: E402
import kinds                                    # noqa: E402
import packets                                  # noqa: E402
import prefixes                                 # noqa: E402
import report                                   # noqa: E402
import rig                                      # noqa: E402
import rows                                     # noqa: E402
import verdicts                                 # noqa: E402

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
    for tx, received, punted, shares, *more in (
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
            ({1: 1000}, 1000, 1, {1: 1.0}),
            ({1: 99900}, 100000, 100, {1: 1.0}, 0.001),
            ({1: 99800}, 100000, 200, {1: 1.0}, 0.001),
            ({1: 100000}, 100000, 0, {1: 1.0}, 0.001)):
        window.tx, window.n = tx, sum(tx.values())
        window.received, window.punted = received, punted
        window.punt_share = more[0] if more else 0
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


def check_busy():
    """Routers, TTLs and fates of the packets of a busy row; what its counters
    must be at the end."""
    with tempfile.TemporaryDirectory() as folder:
        settings = rows.Settings(None, packets.Cache(folder, N_PACKETS, 5))
        kind = kinds.Busy(rows.Row("busy", n=5000), settings)
        found, fates = read_pcap(kind.pcap()), kind.fates()
        assert len(found) == len(fates) == N_PACKETS
        tables = [settings.cache.table(4, packets.BUSY_OTHERS),
                  prefixes.table(4, 5000, 5)]
        macs = [frame.mac(packets.router_macs(number) % 0)
                for number in range(kind.n_routers)]
        seen = dict.fromkeys(range(kind.n_routers), 0)
        for data, fate in zip(found, fates):
            number = macs.index(data[:6])
            seen[number] += 1
            if data[22] == 1:
                assert fate == 0
            else:
                index = longest(4, tables[not number],
                                int.from_bytes(data[30:34], "big"))
                assert fate == packets.egress_of(index, kind.row.n_egress)
        print(seen, "punted %d" % fates.count(0))

        sent = {s: 2 * fates.count(s) + fates[:7].count(s) for s in range(1, 5)}
        for lost, vms, counted in (
                (0, 7, None), (0, 6, None), (1, 6, None), (1, 8, None),
                (0, 7, 6000), (0, 7, 6007)):
            kind.counted = counted
            print(kind.faults(rig.Sample(0, sent, 2 * N_PACKETS + 7, 0,
                                         {"lost": lost}, vms)))


def check_changes():
    """Each change is one: a prefix never gets the gateway that it has."""
    with tempfile.TemporaryDirectory() as folder:
        changes = churn.Changes(packets.Cache(folder, N_PACKETS, 5),
                                rows.Row("fib", n=100))
        has = {}
        for prefix, length, _, number in [*changes.take(300),
                                          *changes.take(300)]:
            assert number != has.get((prefix, length), packets.GATEWAYS[0])
            has[prefix, length] = number
    print("%d prefixes changed" % len(has))


def check_verdicts():
    """Ratios are of the same run; what isn't measured isn't judged."""
    def row(name, runs=(), **more):
        return dict({"row": name, "runs": list(runs), "valid": True,
                     "parameters": {"prefixes": 10}}, **more)

    def churn_of(**more):
        return [dict({"changes_per_s": 10000, "upcalls": 0, "lost": 0,
                      "shares": [0.97, 0.8, 0.95]}, **more)]

    times = {"published_ms": [1, 12, 2], "acknowledged_ms": [5, 6, 29]}
    for found in (
            [row("testpmd-io", [100, 10, 10]),
             row("busy/v4/10k", [40, 6, 5]),
             row("busy/v4/100k", [20, 2, 3]),
             row("busy/v4/1.05M", valid=False, reason="lost\nall"),
             {"row": "fib/v6/200k", "skipped": "not here"}],
            [row("fib/v4/10k/storm", all_upcalls=[2, 3],
                 all_megaflows=[2, 2])],
            [row("fib/v4/1.05M", all_memory=[210e6, 336e6], more=[
                {"lookup_bytes": 900, "table_bytes": 2000}])],
            [row("many-fib/v4/10", all_memory=[65e6]),
             row("many-fib/v4/1k", all_memory=[1.1e9])],
            [row("move/v4/500k", more=[{"moves": dict.fromkeys(
                verdicts.MOVES, times)}])],
            [row("fib/v4/100k/churn", unaccounted=[0], churn=churn_of())],
            [row("fib/v4/100k/churn", unaccounted=[-3], churn=churn_of(
                upcalls=1, lost=2, changes_per_s=5000))]):
        print(verdicts.text(verdicts.judge(found)))


def check_report():
    """The table: rows that are fine, invalid, skipped, and failed."""
    def run(rate, fault=None, **more):
        found = rows.Run.__new__(rows.Run)
        found.__dict__.update(window=Counted(rate, fault), slices=None,
                              warm=True, warm_s=1, load_s=None, memory=0,
                              upcalls=5, megaflows=4, received=100, more={},
                              unaccounted=0)
        found.__dict__.update(more)
        return found

    def row(kind, runs, **options):
        name = rows.Row(kind, n_egress=2, n=20000, **options)
        return dict(rows.describe(name, settings), **(
            runs if isinstance(runs, dict) else rows.summarize(runs)))

    with tempfile.TemporaryDirectory() as folder:
        settings = rows.Settings(None, packets.Cache(folder, N_PACKETS, 5))
    slices = rows.Slices()
    slices.quiet = [Counted(32), Counted(33), Counted(34)]
    slices.changed = [Counted(30), Counted(31)]
    slices.rates, slices.n_changes, slices.upcalls = [9000, 9100], 9900, 3
    found = [
        row("testpmd-io", [run(50), run(40), run(45)]),
        row("naive", [run(9, warm=False, warm_s=60, memory=16000000)]),
        row("flow", [run(30), run(20, "no packet left")]),
        row("flow", [run(30, slices=slices)], scene="churn"),
        row("fib", [run(30), run(30, unaccounted=2)], scene="storm"),
        row("fib", [run(30, more={"moves": {"link": {
            "published_ms": [1, 2, 9], "acknowledged_ms": [4]}}})]),
        row("fib", {"skipped": "not here"}),
        row("fib", {"valid": False, "reason": "it ended\nat once"})]
    report.compare(found)
    print(report.table(found))


if __name__ == "__main__":
    {"packets": check_packets, "lookup": check_lookup, "busy": check_busy,
     "changes": check_changes, "verdicts": check_verdicts,
     "faults": check_faults, "report": check_report}[sys.argv[1]]()
