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
"""One hour of an idle control plane under traffic, 60 times as fast.

A VM with static routes, its neighbours' entries in its kernel age and are
collected as garbage, since the kernel sees no traffic.  No packet is lost, and
none passes the VM (XF-09).

Time is scaled by the guest's timers: reachable, stale and garbage collection
times are 1/60 of the kernel's defaults (but at least 1 s where the kernel
counts in seconds), and collection begins with the first entry instead of the
129th.  The switch's reachable= is 1 s instead of 30, its least.  How long
a probe may take to be answered isn't scaled.
"""

import json

import harness
from harness import check, say
from lab import measure

NAME = "t-idle"
SCALE = 60
SECONDS = 3600 // SCALE
RATE = 500
TOPOLOGY = """
[switch s1]
[segment lan1]
switch = s1
vlan = 10
[segment lan2]
switch = s1
vlan = 20
[router vr1]
kind = vm
routing = static
feed = guestd
eth1 = lan1 10.0.1.1/24 fd00:1::1/64
eth2 = lan2 10.0.2.1/24 fd00:2::1/64
config =
    route add 10.9.0.0/16 via 10.0.2.2
    route add fd00:9::/64 via fd00:2::2
[edge e1]
eth0 = lan1 10.0.1.2/24 fd00:1::2/64
gateway = 10.0.1.1 fd00:1::1
[edge e2]
eth0 = lan2 10.0.2.2/24 fd00:2::2/64
gateway = 10.0.2.1 fd00:2::1
local = 10.9.0.0/16 fd00:9::/64
"""
DESTINATIONS = ("10.9.1.2", "fd00:9::2")
TAPS = ["vr1-eth1", "vr1-eth2"]
# Defaults of the kernel, in seconds, and in what unit it takes them.
TIMERS = (("base_reachable_time_ms", 30, 1000), ("gc_stale_time", 60, 1),
          ("delay_first_probe_time", 5, 1))
# Answers to probes go to the router's own address, link-local ones among them
# (special); ARP isn't IP.  None of these can be traffic.
ANSWERS = ("local", "special", "non-ip")


def set_timers(here):
    lines = []
    for version in (4, 6):
        for name, seconds, unit in TIMERS:
            value = max(1, seconds * unit // SCALE)
            lines += ["net.ipv%d.neigh.%s.%s=%d" % (version, iface, name,
                                                     value)
                      for iface in ("default", "eth1", "eth2")]
        lines += ["net.ipv%d.neigh.default.gc_interval=1" % version,
                  "net.ipv%d.neigh.default.gc_thresh1=0" % version]
    here.run("vr1", ["sysctl", "-qw", *lines])


def punts(control):
    """Packets punted, by reason."""
    stats = control.json("xenflow/stats-show", "vr1")
    return {row["reason"]: row["packets"] for row in stats["punts"]}


def warm_up(here, control):
    for destination in DESTINATIONS:
        harness.wait("ping %s" % destination, lambda: " 0% packet loss" in
                     here.run("e1", ["ping", "-c", "1", "-W", "1",
                                     destination], check=False))
    harness.wait("both neighbours in the rule table", lambda: {
        "10.0.2.2", "fd00:2::2"} <= {
            row["address"] for row in control.json("xenflow/neigh-list",
                                                   "vr1")})


def sent_by_guest(here):
    """Frames that the virtual machine has sent, since it began."""
    total = 0
    for tap in TAPS:
        link, = json.loads(here.run("s1", ["ip", "-j", "-s", "link", "show",
                                           "dev", tap]))
        total += link["stats64"]["rx"]["packets"]
    return total


def run_hour(here, control):
    """Traffic for an hour; returns (packets sent, told, answers)."""
    before, told = punts(control), used(control)
    probes = -sent_by_guest(here)
    result = measure.run(here, "e1", "e2", DESTINATIONS, 2 * RATE,
                         watch={"s1": TAPS}, end=("--seconds=%d" % SECONDS,))
    check(result["sent"] >= 2 * RATE * SECONDS * 0.9, "only %d sent",
          result["sent"])
    check(result["lost"] == 0 and result["duplicated"] == 0,
          "%d of %d lost, %d duplicated", result["lost"], result["sent"],
          result["duplicated"])
    via_vm = sum(result["watched"]["s1"][tap]["out"] for tap in TAPS)
    check(via_vm == 0, "%d packets through the VM", via_vm)
    grown = {reason: n - before[reason] for reason, n in
             punts(control).items() if n != before[reason]}
    check(not set(grown) - set(ANSWERS), "packets were punted: %s", grown)
    told = used(control) - told
    check(told >= SECONDS / 10, "the guest was told of neighbours in use only "
          "%d times", told)
    # An answer for each probe, by the guest's kernel or by the switch.  50:
    # what the others in the segments ask.
    stats = control.json("xenflow/stats-show", "vr1")
    probes += sent_by_guest(here) + stats["neighbor_requests"]
    answers = sum(grown.values())
    check(answers <= probes + 50, "%d answers to %d probes: %s", answers,
          probes, grown)
    check(answers <= result["sent"] / 50, "%d answers during %d packets: %s",
          answers, result["sent"], grown)
    return result["sent"], told, grown


def used(control):
    return control.json("xenflow/guest-show", "vr1")["neighbors_used"]


def test():
    harness.need_image()
    with harness.Up(NAME, TOPOLOGY) as here:
        control = harness.Control(here.switches["s1"])
        here.xfctl("router-set", "vr1", "reachable=1")
        set_timers(here)
        warm_up(here, control)
        sent, told, grown = run_hour(here, control)
        kernel = here.run("vr1", ["ip", "neigh", "show", "nud", "failed"])
        check("10.0.2.2" not in kernel and "fd00:2::2" not in kernel,
              "the guest's kernel gave a neighbour up that is in use: %s",
              kernel)
        harness.check_alive(here)
        control.close()
    say("answers to probes: %s", grown)
    return "an hour at %d times the speed: %d packets, 0 lost, 0 punted; " \
        "guest told %d times of neighbours in use" % (SCALE, sent, told)


harness.main(test)
