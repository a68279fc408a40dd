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
"""Routers of a lab that move from host to host under traffic."""

import json
import os
import re

from harness import check, wait
from lab import measure

LONGEST_S = 3600                # A flow that nobody ends.
# What counts of a flow.
COUNTS = ("sent", "received", "lost", "duplicated", "reordered", "rig_drops",
          "softnet_drops")
MOVED = re.compile(r"(\w+) moved to (\w+) in ([0-9.]+) s"
                   r"(?:, machine suspended for ([0-9]+) ms)?")


class Traffic:
    """Numbered packets at 'rate' per second in each of 'ways', which are
    (source, target, address), until halt()."""

    def __init__(self, here, ways, rate, *options):
        self.flows = [measure.Flow(here, *way, rate, *options,
                                   end=("--seconds=%d" % LONGEST_S,))
                      for way in ways]

    def halt(self):
        """Returns the sums of COUNTS and the longest gap in ms."""
        totals = dict.fromkeys(COUNTS, 0)
        totals["longest_gap_ms"] = 0
        for flow in self.flows:
            result = flow.halt()
            for key in COUNTS:
                totals[key] += result[key]
            totals["longest_gap_ms"] = max(totals["longest_gap_ms"],
                                           result["longest_gap_ms"])
        return totals


def works(here, ways):
    """Whether all 'ways' lose nothing."""
    flows = [measure.Flow(here, *way, 100, end=("--count=20",))
             for way in ways]
    return not sum(flow.finish()["lost"] for flow in flows)


def move(here, router, to, *words):
    """Moves 'router'; returns (s in all, ms that its machine stood still)."""
    text = here.database.xfctl("--timeout=300", "router-migrate", router,
                               "--to=" + to, *words)
    match = MOVED.search(text)
    check(match, "xfctl didn't say that it moved: %s", text)
    check(match.group(1) == router and match.group(2) == to, text)
    check(match.group(4), "how long it stood still isn't told: %s", text)
    return float(match.group(3)), int(match.group(4))


def place(here, router):
    """Name of the host that the database says has 'router'."""
    host = here.database.xfctl("get", "Router", router, "host").strip()
    return here.database.xfctl("get", "Host", host, "name").strip().strip('"')


def adjacencies(here, routers):
    """{(router, neighbour): (state, changes of state)} as FRR says."""
    result = {}
    for router in routers:
        text = here.vtysh(router, "show ip ospf neighbor detail json")
        for neighbour, entries in json.loads(text)["neighbors"].items():
            for entry in entries:
                result[router, neighbour] = (entry["nbrState"],
                                             entry["stateChangeCounter"])
    return result


def all_full(here, routers, n):
    """Waits for 'n' adjacencies in Full; returns adjacencies()."""
    def full():
        found = adjacencies(here, routers)
        return len(found) == n and all(
            state.startswith("Full") for state, _ in found.values()) and found
    return wait("OSPF Full", full)


def uptime(here, router):
    """Seconds that the kernel of the router's machine has lived."""
    return float(here.run(router, ["cat", "/proc/uptime"]).split()[0])


def boot_ids(here, routers):
    """What changes when a machine is another one."""
    return {r: here.run(r, ["cat", "/proc/sys/kernel/random/boot_id"]).strip()
            for r in routers}


def leftovers(here):
    """Sentences about what a migration must not leave."""
    found = []
    locks = here.database.xfctl("--bare", "--columns=name", "find", "Router",
                                "migration!=[]").split()
    found += ["router %s is locked" % name for name in locks]
    away = here.database.xfctl("--bare", "--columns=name", "find", "Router",
                               "destination!=[]").split()
    found += ["router %s has a destination" % name for name in away]
    for host in here.switches.values():
        for router in host.machines():
            if (place(here, router) != host.name
                    and os.path.isdir(host.machine_file(router, ""))):
                found.append("%s has a domain of %s" % (host.name, router))
    return found
