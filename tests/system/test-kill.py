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
"""Everything that can die is killed under traffic (kill -9), one after the
other: nothing needs a hand, and what was withdrawn meanwhile is swept.

The network: a --lan0-- (s1: vr1, a virtual machine) --lan1-- n1 -- b.  vr1 has
the way to b's addresses by OSPF from n1, which has static ways.  Per process
that dies: packets lost of those that the switch routes, the longest gap, and
the time until everything is as before, including that no route is stale.  A
route is withdrawn while the one that would report it is dead.

XF-09, XF-13, XF-34."""

import os
import signal
import sys
import time

import harness
from harness import check, say
from lab import measure

NAME = "t-kill"
TOPOLOGY = """
supervise = yes
[switch s1]
[segment lan0]
switch = s1
vlan = 10
[segment lan1]
switch = s1
vlan = 20
[segment cable]
[router vr1]
kind = vm
eth0 = lan0 10.0.0.1/24
eth1 = lan1 10.0.1.1/24
ospf = eth0 eth1
%s
[router n1]
eth0 = lan1 10.0.1.2/24
eth1 = cable 192.168.1.1/24
ospf = eth0
config =
    ip route 10.0.0.0/24 10.0.1.1
    ip route 10.9.0.0/16 192.168.1.2
    router ospf
    redistribute static
[edge a]
eth0 = lan0 10.0.0.2/24
gateway = 10.0.0.1
[edge b]
eth0 = cable 192.168.1.2/24
gateway = 192.168.1.1
local = 10.9.0.0/16
"""
ADDRESS = "10.9.1.2"
WITHDRAWN = "10.8.%d.0/24"
RATE = 500
SETTLE_S = 30                   # Longer than OSPF takes on a slow machine,
# and shorter than GRACE_S of lab/frr.py.
# Hosts ask for their gateway's MAC this often: the virtual machine answers, and
# they give the gateway up if it's dead then.
ARP_MS = 600000
WHOLE_S = 150
# What may be lost when the switch itself dies.
MAX_GAP_S = 8


class Kills:
    def __init__(self, here, feed):
        self.here, self.feed = here, feed
        self.host = here.switches["s1"]
        self.rows = []

    def xf(self, command, *args):
        """A command's rows; None while the switch doesn't answer."""
        control = None
        try:
            control = harness.Control(self.host)
            return control.json("xenflow/" + command, *args)
        except (OSError, ValueError, harness.system.LabError):
            return None
        finally:
            if control:
                control.close()

    # ---- What can be killed: each returns what says "it is back". ----

    def kill_host(self, name):
        """A daemon of the host; returns whether another one runs."""
        old = self.pid(name)
        os.kill(old, signal.SIGKILL)
        return lambda: self.pid(name) not in (None, old)

    def pid(self, name):
        return next((pid for daemon, pid, alive in self.here.processes()
                     if daemon == name and alive), None)

    def kill_guest(self, name):
        """A daemon of the virtual machine."""
        def pid():
            try:
                return self.here.run("vr1", ["pidof", name]).split()
            except (OSError, harness.system.LabError):
                return []

        old = pid()
        check(len(old) == 1, "%s runs %d times", name, len(old))
        self.here.run("vr1", ["kill", "-9", *old])
        return lambda: pid() not in ([], old)

    # ---- What is to be as before. ----

    def missing(self, withdrawn=None):
        """What isn't as it should be, or nothing."""
        rules = self.xf("rule-list", "vr1")
        speakers = self.xf("speaker-list", "vr1")
        way = self.xf("route-lookup", "vr1", ADDRESS)
        router = self.xf("router-show", "vr1")
        bridges = self.host.tool("ovs-vsctl", "--timeout=2", "list-br",
                                 check=False).strip()
        if not (rules and speakers and way and router):
            return "an answer of ovs-vswitchd"
        if bridges != "br0" or not router["config"]["written"]:
            return "the database"
        if not speakers[0].get("peer"):
            return "the speaker"
        if way["verdict"] != "forward" or way.get("protocol") != "ospf":
            return "the way to b (%s)" % way
        stale = [r["prefix"] for r in rules if "stale" in r["flags"]]
        if stale:
            return "the end of stale routes %s" % stale
        if withdrawn in [r["prefix"] for r in rules]:
            return "the end of %s" % withdrawn
        return ""

    def wait_whole(self, when, withdrawn=None):
        deadline = time.monotonic() + WHOLE_S
        while self.missing(withdrawn):
            check(time.monotonic() < deadline, "%s: after %d s still "
                  "missing: %s", when, WHOLE_S, self.missing(withdrawn))
            time.sleep(0.1)

    def has_route(self, prefix):
        return bool(self.xf("rule-list", "vr1", prefix))

    def route(self, number, verb):
        """n1 states or withdraws a route."""
        self.here.vtysh("n1", "configure terminal", "%sip route %s blackhole"
                        % ("no " if verb == "withdraw" else "",
                           WITHDRAWN % number))

    # ---- One row of the table. ----

    def row(self, what, kill, argument):
        number = len(self.rows)
        prefix = WITHDRAWN % number
        self.route(number, "state")
        harness.wait("route %s" % prefix, lambda: self.has_route(prefix))
        flow = measure.Flow(self.here, "a", "b", ADDRESS, RATE,
                            end=("--seconds=%d" % (WHOLE_S + 60),))
        time.sleep(1)
        begin = time.monotonic()
        is_back = kill(argument)
        self.route(number, "withdraw")
        harness.wait("%s again" % what, is_back, WHOLE_S)
        back = time.monotonic() - begin
        self.wait_whole("after the death of " + what, prefix)
        whole = time.monotonic() - begin
        time.sleep(1)
        result = flow.halt()
        self.rows.append((what, result, back, whole))
        say("%-14s %6d %6d %8.0f %8.1f %8.1f", what, result["sent"],
            result["lost"], result["longest_gap_ms"], back, whole)
        return result


PROCESSES = {
    "guestd": [("guestd", Kills.kill_guest, "xenflow-guestd"),
               ("zebra", Kills.kill_guest, "zebra"),
               ("ovsdb-server", Kills.kill_host, "s1/ovsdb-server"),
               ("VM", Kills.kill_host, "vr1/qemu"),
               ("ovs-vswitchd", Kills.kill_host, "s1/ovs-vswitchd")],
    "fpm": [("ovs-vswitchd", Kills.kill_host, "s1/ovs-vswitchd")],
}


def check_row(what, result):
    if what == "ovs-vswitchd":
        check(result["longest_gap_ms"] < 1000 * MAX_GAP_S,
              "%s: nothing for %d ms", what, result["longest_gap_ms"])
    else:
        check(result["lost"] == 0, "%s: %d of %d lost", what, result["lost"],
              result["sent"])


def check_feed(feed):
    with harness.Up(NAME, TOPOLOGY % ("feed = " + feed)) as here:
        kills = Kills(here, feed)
        here.xfctl("router-set", "vr1", "settle=%d" % SETTLE_S)
        for node in ("a", "n1"):
            here.run(node, ["sysctl", "-qw", "net.ipv4.neigh.eth0."
                            "base_reachable_time_ms=%d" % ARP_MS])
        kills.wait_whole("at first")
        harness.wait("a way", lambda: " 0% packet loss" in here.run(
            "a", ["ping", "-c", "1", "-W", "1", ADDRESS], check=False))
        say("%-14s %6s %6s %8s %8s %8s", feed, "sent", "lost", "gap ms",
            "back s", "whole s")
        for what, kill, argument in PROCESSES[feed]:
            check_row(what, kills.row(what, lambda a, k=kill: k(kills, a),
                                      argument))
    return kills.rows


def test():
    harness.need_image()
    rows = [row for feed in sys.argv[1:] or PROCESSES
            for row in check_feed(feed)]
    return "killed %d; lost %s" % (len(rows), ", ".join(
        "%s %d" % (what, result["lost"]) for what, result, _, _ in rows))


harness.main(test)
