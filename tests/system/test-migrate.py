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
"""Routers move between three hosts in a ring, to neighbours of their host and
back, together with their links, while packets pass in all directions: nothing is
lost or duplicated, OSPF doesn't notice, the machines are those they were.

XF-27, XF-48..60, XF-66, XF-68, XF-70, XF-72, XF-73, XF-77, XF-79, VN-45, VN-50."""

import os

import harness
from harness import check, say
from lab import moving

NAME = "t-migrate"
RING = os.path.join(harness.TOP, "utilities/lab-examples/ring.ini")
ROUTERS = ("r1", "r2")
WAYS = (("e1", "e2", "10.2.0.9"), ("e2", "e1", "10.1.0.9"),
        ("e1", "e3", "fd00:3::9"))
RATE = 250                      # Of each way.
MOVES = (("r1", "s3"), ("r1", "s2"), ("r2", "s1"), ("r1", "s1"))
REORDERED_MAX = 10              # Per move.


def one_move(here, router, to):
    traffic = moving.Traffic(here, WAYS, RATE)
    total_s, suspended_ms = moving.move(here, router, to)
    counts = traffic.halt()
    say("%s to %s: %.1f s, machine suspended for %d ms; sent %d, lost %d, "
        "duplicated %d, reordered %d, longest gap %d ms", router, to, total_s,
        suspended_ms, counts["sent"], counts["lost"], counts["duplicated"],
        counts["reordered"], counts["longest_gap_ms"])
    check(moving.place(here, router) == to, "%s isn't at %s", router, to)
    check(counts["lost"] == 0, "lost %d of %d (the rig: %d)", counts["lost"],
          counts["sent"], counts["rig_drops"] + counts["softnet_drops"])
    check(counts["duplicated"] == 0, "%d duplicated", counts["duplicated"])
    check(counts["reordered"] <= REORDERED_MAX, "%d reordered",
          counts["reordered"])
    left = moving.leftovers(here)
    check(not left, "; ".join(left))
    return suspended_ms


def test():
    harness.need_image()
    with open(RING, encoding="ascii") as f:
        text = f.read()
    with harness.Up(NAME, text) as here:
        before = moving.all_full(here, ROUTERS, 2)
        boots = moving.boot_ids(here, ROUTERS)
        harness.wait("a way", lambda: moving.works(here, WAYS))
        suspended = [one_move(here, *each) for each in MOVES]
        check(moving.adjacencies(here, ROUTERS) == before,
              "OSPF has noticed: %s", moving.adjacencies(here, ROUTERS))
        check(moving.boot_ids(here, ROUTERS) == boots, "a machine is new")
        # A machine that has gone takes its side of the cards with it.
        harness.check_alive(here, "receiving data from r[12]-eth")
    return "%d moves; 0 lost; machines suspended for %d to %d ms" % (
        len(MOVES), min(suspended), max(suspended))


harness.main(test)
