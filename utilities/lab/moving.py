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

import itertools
import json
import os
import re
import signal
import subprocess
import time

from lab import measure, system

FULL_S = 60
ENDS = ("done", "undone", "failed")
LONGEST_S = 3600                # A flow that nobody ends.
# Several flows may have one receiver.
PORTS = itertools.cycle(range(measure.PORT, measure.PORT + 1000))
# What counts of a flow.
COUNTS = ("sent", "received", "lost", "duplicated", "reordered", "rig_drops",
          "softnet_drops")
MOVED = re.compile(r"(\w+) moved to (\w+) in ([0-9.]+) s"
                   r"(?:, machine suspended for ([0-9]+) ms)?")


class Traffic:
    """Numbered packets at 'rate' per second in each of 'ways', which are
    (source, target, address), until halt()."""

    def __init__(self, here, ways, rate, *options,
                 drain_ms=measure.DRAIN_MS):
        self.flows = [measure.Flow(here, *way, rate, *options,
                                   end=("--seconds=%d" % LONGEST_S,),
                                   port=next(PORTS), drain_ms=drain_ms)
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


class Watch:
    """The stages of migrations as they are written."""

    def __init__(self, here):
        self.child = subprocess.Popen(
            [here.database.program("ovsdb-client"), "--format=json",
             "monitor", here.database.remote, "XenFlow", "Migration",
             "stage"], stdout=subprocess.PIPE, text=True,
            env=here.database.environment())
        self.child.stdout.readline()    # What there was before.

    def wait_for(self, stage):
        """Returns when a migration enters 'stage' or has ended; whether it is
        'stage'."""
        for line in self.child.stdout:
            stages = [row[2] for row in json.loads(line)["data"]
                      if row[1] in ("insert", "new")]
            if stage in stages:
                return True
            if any(s in ENDS for s in stages):
                return False
        return False

    def close(self):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


class Transfer:
    """A TCP transfer paced to 'rate_mbps', by iperf3, until halt()."""

    PORT = 5201

    def __init__(self, here, source, target, address, rate_mbps):
        self.here, self.source, self.target = here, source, target
        self.server = self._start(target, "-s", "-1")
        deadline = time.monotonic() + FULL_S
        while str(self.PORT) not in here.run(target, ["ss", "-Hltn"]):
            if time.monotonic() > deadline:
                raise system.LabError("iperf3 doesn't listen at " + target)
            time.sleep(0.05)
        self.client = self._start(source, "-c", address, "-J", "-t",
                                  str(LONGEST_S), "-b", "%dM" % rate_mbps)

    def _start(self, node, *args):
        def prepare():
            system.LIBC.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
            system.enter(self.here.netns(node))

        try:
            return subprocess.Popen(["iperf3", *args], text=True,
                                    stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL,
                                    preexec_fn=prepare)
        except FileNotFoundError:
            raise system.LabError("iperf3 is missing: install package "
                                  "iperf3") from None

    def halt(self):
        """Returns what was received in Mb/s, and retransmissions."""
        self.client.send_signal(signal.SIGINT)
        text, _ = self.client.communicate(timeout=FULL_S)
        self.server.send_signal(signal.SIGINT)
        self.server.communicate(timeout=FULL_S)
        result = json.loads(text)
        if "end" not in result or "sum_sent" not in result["end"]:
            raise system.LabError("the TCP transfer broke: %s"
                                  % result.get("error"))
        total = result["end"]["sum_sent"]
        return {"mbps": total["bits_per_second"] / 1e6,
                "retransmits": total["retransmits"]}


def works(here, ways):
    """Whether all 'ways' lose nothing, be there other Traffic or not."""
    flows = [measure.Flow(here, *way, 100, end=("--count=20",),
                          port=next(PORTS))
             for way in ways]
    return not sum(flow.finish()["lost"] for flow in flows)


def move(here, router, to, *words):
    """Moves 'router'; returns (s in all, ms that its machine stood still)."""
    text = here.database.xfctl("--timeout=300", "router-migrate", router,
                               "--to=" + to, *words)
    match = MOVED.search(text)
    if not match or match.group(1) != router or match.group(2) != to \
            or not match.group(4):
        raise system.LabError("xfctl doesn't say that %s moved to %s, and for "
                              "how long it stood still: %s"
                              % (router, to, text))
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


def knows_routes(here, router):
    """Whether its switch has had all routes of 'router': only then it moves."""
    host = here.switches[place(here, router)]
    speakers = json.loads(host.appctl("xenflow/speaker-list", "--json",
                                      router))
    return bool(speakers) and all(speaker["epoch"] == "settled"
                                  for speaker in speakers)


def all_full(here, routers, n):
    """Waits for 'n' adjacencies in Full, and until switches know the routers'
    routes; returns adjacencies()."""
    deadline = time.monotonic() + FULL_S
    while True:
        found = adjacencies(here, routers)
        if len(found) == n and all(
                state.startswith("Full") for state, _ in found.values()) \
                and all(knows_routes(here, router) for router in routers):
            return found
        if time.monotonic() > deadline:
            raise system.LabError("OSPF isn't Full, or switches don't know its "
                                  "routes, after %d s: %s" % (FULL_S, found))
        time.sleep(0.2)


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
