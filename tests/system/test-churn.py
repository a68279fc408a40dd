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
"""100,000 random changes through the wire while traffic flows.

Then the rule table is what the changes make of it (the test's own oracle), and
no packet was forwarded by a route whose deletion had been acknowledged before
the packet was sent.

How the second is known: the speaker logs when each addition is sent and when
the acknowledgement of each deletion arrived; the traffic tool stamps each
packet when it's sent and when it leaves the switch, all by one clock; each
gateway has a MAC of its own.  So for each packet that left, some route must
cover its destination, go to that MAC, have been sent before the packet left,
and not have its deletion acknowledged before the packet was sent.
"""

import bisect
import ipaddress
import os
import random
import re
import subprocess
import tempfile

import direct
import harness
import routes
from harness import check, say
from lab import measure, switch

NAME = "t-churn"
N_CHANGES, CHANGES_PER_S, WINDOW = 100000, 5000, 200
N_V4, N_V6, N_DESTINATIONS = 3000, 1000, 1500
PACKETS_PER_S = 4000
# A packet sent so soon after an acknowledgement shows that it holds.
SOON_NS = 20_000_000
MAX_EXPLAINED = 5


class Churn:
    """The changes: lines for the speaker, and what the table is then."""

    def __init__(self, chance, gateways):
        self.prefixes = (routes.random_prefixes(chance, N_V4,
                                                routes.V4_BASES)
                         + routes.random_prefixes(chance, N_V6,
                                                  routes.V6_BASES))
        self.table = {}
        self.lines = []
        self.added = {p: [] for p in self.prefixes}     # Hops, in order.
        self.n = {"add": 0, "replace": 0, "delete": 0}
        while len(self.lines) < N_CHANGES:
            self._change(chance, gateways)

    def _change(self, chance, gateways):
        prefix = chance.choice(self.prefixes)
        present = prefix in self.table
        if present and chance.random() < 0.5:
            del self.table[prefix]
            self.lines.append("del %s" % prefix)
            self.n["delete"] += 1
            return
        hops = routes.random_hops(chance, gateways)
        line = routes.for_speaker(prefix, hops)
        if present and chance.random() < 0.5:
            self.lines.append("del %s" % prefix)    # FRR's way to replace.
        elif present:
            line += " replace"
        self.lines.append(line)
        self.added[prefix].append(hops)
        self.table[prefix] = hops
        self.n["replace" if present else "add"] += 1


class History:
    """When which route could be in force, from the speaker's log."""

    def __init__(self, churn, path):
        self.events = {}        # prefix: [(time, hops, or None: gone)]
        counts = dict.fromkeys(churn.prefixes, 0)
        with open(path, encoding="ascii") as f:
            for line in f:
                when, what = line.split()
                prefix = ipaddress.ip_network(what.lstrip("+"))
                hops = None
                if what[0] == "+":
                    hops = churn.added[prefix][counts[prefix]]
                    counts[prefix] += 1
                self.events.setdefault(prefix, []).append((int(when), hops))
        check(counts == {p: len(a) for p, a in churn.added.items()},
              "the speaker's log doesn't name each addition")
        self.n_deletions = sum(h is None for e in self.events.values()
                               for _, h in e)
        self.covering = {}

    def cover(self, destination):
        """Events of each prefix that holds 'destination'."""
        if destination not in self.covering:
            self.covering[destination] = [
                e for p, e in self.events.items()
                if p.version == destination.version and destination in p]
        return self.covering[destination]

    def possible(self, destination, sent_ns, seen_ns):
        """MACs that the packet may have, and whether a deletion was
        acknowledged just before it was sent."""
        macs, soon = set(), False
        for events in self.cover(destination):
            # Back from the last addition sent before the packet was seen, to
            # the last deletion acknowledged before the packet was sent.
            index = bisect.bisect_right(events, seen_ns, key=lambda e: e[0])
            for when, hops in reversed(events[:index]):
                if hops is None and when < sent_ns:
                    soon = soon or sent_ns - when < SOON_NS
                    break
                if hops and not isinstance(hops, str):
                    macs.update(g.mac for g, _ in hops)
        return macs, soon


def check_packets(history, path):
    """All packets that left the switch; returns counts."""
    n, wrong = {"forwarded": 0, "soon": 0}, 0
    with open(path, encoding="ascii") as f:
        for line in f:
            port, way, _, number, to, mac, sent, seen = line.split()
            if way != "out" or port not in routes.SINKS:
                continue
            macs, soon = history.possible(ipaddress.ip_address(to),
                                          int(sent), int(seen))
            if mac not in macs:
                explain(history, ipaddress.ip_address(to), int(sent),
                        int(seen), mac)
                wrong += 1
                check(wrong < MAX_EXPLAINED, "%d packets by deleted routes",
                      wrong)
            n["forwarded"] += 1
            n["soon"] += soon
    check(not wrong, "%d packets by deleted routes", wrong)
    return n


def explain(history, destination, sent_ns, seen_ns, mac):
    """Prints all that could have led a packet to 'mac'."""
    say("packet to %s left to %s %.3f ms after it was sent, but:",
        destination, mac, (seen_ns - sent_ns) / 1e6)
    for prefix, events in history.events.items():
        if prefix.version != destination.version or destination not in prefix:
            continue
        for when, hops in events:
            macs = hops if hops is None or isinstance(hops, str) else [
                g.mac for g, _ in hops]
            say("  %-20s %+10.3f ms %s", prefix, (when - sent_ns) / 1e6,
                "deletion acknowledged" if macs is None else
                "addition sent: %s" % macs)


def check_table(control, churn):
    """The rule table is the oracle's."""
    rows = control.json("xenflow/rule-list", "vr1", "all",
                        "limit=1000000")
    found = {}
    for row in rows:
        prefix = ipaddress.ip_network(row["prefix"])
        if row["source"] != "connected" and row["protocol"] != "kernel":
            found[prefix] = (row["type"] if row["type"] != "unicast" else
                             sorted((h["via"], h["dev"], h["weight"])
                                    for h in row["nexthops"]))
    wanted = {p: hops if isinstance(hops, str) else
              sorted((g.addresses[p.version], g.dev, w) for g, w in hops)
              for p, hops in churn.table.items()}
    for prefix in set(found) | set(wanted):
        check(found.get(prefix) == wanted.get(prefix),
              "%s is %s in the rule table, not %s", prefix,
              found.get(prefix), wanted.get(prefix))


def check_cached(control, sent):
    """The packets went by cached flows, which is what can be stale."""
    text = control.call("dpif-netdev/pmd-stats-show")
    hits = sum(int(n) for n in re.findall(r"hits: (\d+)", text))
    check(hits > sent / 2, "only %d of %d packets met a cached flow", hits,
          sent)


def run_speaker(here, scratch):
    """Starts the speaker in the router's namespace."""
    node = here.node("vr1")
    netns = here.netns("vr1")
    return subprocess.Popen(
        [os.path.join(here.build, "tests/test-xf-speaker"), "--ack",
         "--window=%d" % WINDOW, "--rate=%d" % CHANGES_PER_S, "--log-adds",
         "--log=" + os.path.join(scratch, "log"), "--hold",
         "%s:%d" % (node.management(1).ip, switch.FPM_PORT),
         os.path.join(scratch, "changes")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: harness.system.enter(netns))


def change_under_traffic(here, control, churn, destinations, scratch):
    """Runs changes and traffic at once; returns packets sent."""
    to, seen = (os.path.join(scratch, n) for n in ("to", "seen"))
    for name, lines in (("changes", churn.lines),
                        ("to", map(str, destinations))):
        with open(os.path.join(scratch, name), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
    watch = measure.Tool(here, "s1", "watch", "--list=" + seen,
                         *routes.SINKS)
    sender = measure.Tool(here, "e0", "send", "--rate=%d" % PACKETS_PER_S,
                          "--seconds=1000", "--to-file=" + to)
    speaker = run_speaker(here, scratch)
    line = speaker.stdout.readline()
    say("speaker: %s", line.strip())
    check("refused=0" in line, "the speaker says: %s", line)
    control.call("xenflow/router-sync", "vr1")
    check_table(control, churn)
    sent = sender.stop()
    harness.time.sleep(0.5)
    result = watch.stop()
    check(not any(i["rig_drops"] for i in result["interfaces"].values()),
          "the rig lost packets: %s", result)
    speaker.stdin.close()
    check(speaker.wait(timeout=10) == 0, "the speaker failed")
    return sent["sent"]


def test():
    harness.need_programs("ethtool")
    seed = random.randrange(1 << 32)
    say("seed %d", seed)
    chance = random.Random(seed)
    text = routes.TOPOLOGY % "kind = bare"
    with direct.Up(NAME, text) as here, \
            tempfile.TemporaryDirectory() as scratch:
        control = harness.Control(here.switches["s1"])
        gateways = routes.gateways(here.node("vr1"))
        routes.introduce(control, "vr1", gateways)
        churn = Churn(chance, gateways)
        destinations = routes.random_destinations(
            chance, dict.fromkeys(churn.prefixes), N_DESTINATIONS)
        sent = change_under_traffic(here, control, churn, destinations,
                                    scratch)
        history = History(churn, os.path.join(scratch, "log"))
        n = check_packets(history, os.path.join(scratch, "seen"))
        check(n["forwarded"] > sent / 10 and n["soon"] > 0,
              "the test shows nothing: %s of %d", n, sent)
        harness.check_alive(here)
        check_cached(control, sent)
        control.close()
    say("changes: %s", churn.n)
    return ("%d changes, %d packets, %d forwarded, %d of them within 20 ms "
            "after a deletion of theirs: none by a deleted route"
            % (N_CHANGES, sent, n["forwarded"], n["soon"]))


harness.main(test)
