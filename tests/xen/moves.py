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
"""Virtual routers on Xen that move from host to host under traffic.

Their interfaces are ends of virtual links:

    edge "a" -- vr1 -- vr2 -- edge "b"

so each can be on either host; what is between is the same to them.

Debian's Xen can't copy the memory of a paravirtualized machine while it runs,
and an emulated host copies some MB a second: such a machine stands still for
half a minute.  OSPF's neighbours wait longer than that here.
"""

import datetime
import json
import statistics
import time

from lab import measure, moving
from routers import HOSTD_LOG, check, wait

RATES = (500, 850, 1200, 1700, 2500, 3500, 5000)    # Tried, packets/s.
RATE = 500                      # Of the stream while machines move...
PART = 0.6                      # ...at most this of what is forwarded.
TRIAL_S = 4
FULL_S = 600                    # As in run.
BEFORE_S, AFTER_S = 0.5, 1.0    # Of traffic around a move.
SETTLE_S = 100
HEARD_MS = 105000               # Of 120 s.  Hellos come every 10 s.
# A thread of a switch there may get no processor time for five seconds.
DRAIN_MS = 10000
BEYOND_MS = 1500                # At most, of standing still, is not Xen's.
WAY = ("a", "b", "10.0.2.2")

PLACE = """
[host x1]
addresses = 10.255.0.1

[host x2]
addresses = 10.255.0.2

[trunk cable]
ends = x1:eth2 x2:eth2

[net lab]
prefixes = 10.0.0.0/16

[edge x1:eth1]

[edge x2:eth1]
"""
ROUTER = """
[router %(name)s]
network = lab
host = x%(number)d
backend = %(backend)s
memory = %(memory)d
eth1 = - 10.0.%(number)d.1/24
eth2 = - 10.0.12.%(number)d/24
ospf = eth1 eth2
ospf-dead = 120
config =
    interface eth1
    ip ospf passive
    exit
    interface eth2
    ip ospf network point-to-point
    exit

[link edge%(number)d]
ends = %(name)s:eth1 x%(number)d:eth1
"""
CORE = """
[link core]
ends = vr1:eth2 vr2:eth2
"""


class Moves:
    """Steps with routers that move; 'steps' are those of run, which have made
    'database', 'hosts', 'routers' and 'rig'."""

    def __init__(self, steps, n_moves, build, namespace):
        self.steps = steps
        self.database = steps.database
        self.n_moves = n_moves  # Of each router.
        # What measure.Flow asks of a lab.
        self.build, self.netns = build, namespace

    def all(self):
        if not self.n_moves:
            return []
        return [self.link, self.capacity, self.move_vr2, self.move_vr1,
                self.move_vr2_native, self.move_vr1_native]

    def link(self):
        """Makes the routers anew, at links."""
        self.database.load(PLACE + "".join(
            ROUTER % vars(router) for router in self.steps.routers) + CORE)
        self.database.start_manager()
        self.database.settle()
        for router in self.steps.routers:
            router.learn()
        self.steps.wait_way()
        for router in self.steps.routers:
            wait("OSPF Full in " + router.name, router.is_full, FULL_S)
        return "two routers on three links, OSPF Full"

    def capacity(self):
        """Measures what both hosts forward without loss."""
        best = 0
        for rate in RATES:
            result = measure.run(self, *WAY, rate,
                                 end=("--seconds=%d" % TRIAL_S,))
            print("       %d packets/s: %d of %d lost" % (
                rate, result["lost"], result["sent"]), flush=True)
            if result["lost"]:
                break
            best = rate
        check(RATE <= best * PART, "only %d packets/s go without loss, "
              "routers are to move under %d", best, RATE)
        return "%d packets/s without loss; routers move under %d" % (
            best, RATE)

    @staticmethod
    def neighbour(router):
        """What FRR says of the other router."""
        def ask():
            text = router.guest("vtysh -c 'show ip ospf neighbor detail json'")
            try:
                return json.loads(text)["neighbors"]
            except ValueError:
                return None     # The guest didn't get round to it.

        neighbours = wait("an answer of vtysh in " + router.name, ask, SETTLE_S)
        entries = [entry for each in neighbours.values() for entry in each]
        check(len(entries) == 1, "%s has neighbours %s", router.name,
              neighbours)
        return entries[0]

    def adjacencies(self):
        """(state, how often it changed) of each router's neighbour."""
        return [(entry["nbrState"], entry["stateChangeCounter"])
                for entry in map(self.neighbour, self.steps.routers)]

    def settle(self, router):
        """Waits until 'router' answers and both hear each other.  Its guest has
        to connect its cards anew, which it does slowly if its memory is copied
        meanwhile, and before that it doesn't let itself be suspended."""
        wait("an answer of " + router.name, router.uptime, SETTLE_S)
        for each in self.steps.routers:
            wait("hellos in " + each.name, lambda r=each: self.neighbour(
                r)["routerDeadIntervalTimerDueMsec"] > HEARD_MS, SETTLE_S)

    def other_host(self, router):
        return next(h for h in self.steps.hosts if h is not router.host)

    @staticmethod
    def beyond(router):
        """ms from when Xen had all of its machine until that ran, as its host
        says."""
        lines = router.host.run(
            "grep -e '|%s: .* -> paused' -e '|%s: paused -> running' %s | "
            "tail -n 2" % (router.name, router.name, HOSTD_LOG)).splitlines()
        check(len(lines) == 2, "%s: %s", router.name, lines)
        begin, end = (datetime.datetime.fromisoformat(line[:23])
                      for line in lines)
        return (end - begin).total_seconds() * 1000

    def move(self, router, *words):
        """Moves it to the other host under traffic; returns what was counted,
        with 'total_s', 'suspended_ms' and 'beyond_ms'."""
        host = self.other_host(router)
        flow = moving.Traffic(self, [WAY], RATE, drain_ms=DRAIN_MS)
        try:
            time.sleep(BEFORE_S)
            total_s, suspended_ms = moving.move(self, router.name, host.name,
                                                *words)
            time.sleep(AFTER_S)
        finally:
            result = flow.halt()
        router.host = host
        self.settle(router)
        result.update(total_s=total_s, suspended_ms=suspended_ms,
                      beyond_ms=self.beyond(router))
        print("       %s to %s: lost %d, duplicated %d, reordered %d of %d; "
              "stood still %d ms, %d of them after Xen was done, %.1f s in "
              "all" % (
                  router.name, host.name, result["lost"],
                  result["duplicated"], result["reordered"], result["sent"],
                  suspended_ms, result["beyond_ms"], total_s), flush=True)
        return result

    def moves(self, router, separated, n_moves):
        """Moves it 'n_moves' times, there and back; returns (line, results,
        whether OSPF saw nothing)."""
        technique = "separated" if separated else "native"
        uptime = router.uptime()
        before = self.adjacencies()
        results = [self.move(router, "--technique=" + technique)
                   for _ in range(n_moves)]
        after = self.adjacencies()
        check(router.uptime() > uptime, "%s booted anew", router.name)
        locks = self.database.xfctl("--bare", "--columns=name", "find",
                                    "Router", "migration!=[]").strip()
        check(not locks, "locked: %s", locks)

        def total(key):
            return sum(result[key] for result in results)

        line = "%s, %s: %d moves: lost %d, duplicated %d, reordered %d of " \
            "%d; OSPF %s; stood still %d ms, %.1f s in all (means), %d ms " \
            "after Xen was done (median)" % (
                router.backend, technique, len(results), total("lost"),
                total("duplicated"), total("reordered"), total("sent"),
                "stayed Full" if before == after else "%s -> %s" % (
                    before, after), total("suspended_ms") / len(results),
                total("total_s") / len(results), statistics.median(
                    result["beyond_ms"] for result in results))
        return line, results, before == after

    def separated(self, router):
        line, results, is_same = self.moves(router, True, self.n_moves)
        for key in "lost", "duplicated", "reordered":
            check(not sum(r[key] for r in results), "%s", line)
        check(is_same and statistics.median(
            result["beyond_ms"] for result in results) <= BEYOND_MS, "%s", line)
        return line

    def native(self, router):
        """For comparison: the machine forwards, so packets are lost."""
        self.database.xfctl("router-set", router.name, "separated=false")
        self.database.settle()
        wait("ping from a to b", lambda: self.steps.ping(1), FULL_S)
        line = self.moves(router, False, min(2, self.n_moves))[0]
        self.database.xfctl("router-set", router.name, "separated=true")
        self.database.settle()
        wait("ping from a to b", lambda: self.steps.ping(1), FULL_S)
        return line

    def move_vr1(self):
        return self.separated(self.steps.vr1)

    def move_vr2(self):
        return self.separated(self.steps.vr2)

    def move_vr1_native(self):
        return self.native(self.steps.vr1)

    def move_vr2_native(self):
        return self.native(self.steps.vr2)
