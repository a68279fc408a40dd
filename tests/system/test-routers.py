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
"""Many routers on one switch: EV-20.

1,000 routers of 10 routes, each with a listener of its own: the memory that one
takes, what the idle switch costs, and what a change in one of them costs the
engine, compared with 10.  CPU time of the engine's thread, the median of
some rounds, so that what else the machine does stays out of the figures."""

import os
import statistics
import time

import direct
import harness
from harness import check, say

NAME = "t-routers"
FEW, MANY, ROUTES, IDLE_S = 10, 1000, 10, 5
ROUNDS, CHANGES = 9, 25
MAX_PER_ROUTER_US = 0.2       # Of a change, with all its wake-ups.
MAX_IDLE = 0.02
MAX_KB = 100
TOPOLOGY = """
[switch s1]
[segment a0]
switch = s1
vlan = 5
[edge e0]
eth0 = a0 10.1.0.2/24
[edge e1]
eth0 = a0 10.1.0.3/24
"""


def cpu_s(pid, thread=None):
    """CPU seconds of a process, or of its thread of that name."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        folder = "/proc/%d/task/%s/" % (pid, task)
        with open(folder + "comm", encoding="ascii") as f:
            name = f.read()
        if not thread or name.startswith(thread):
            with open(folder + "schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total / 1e9


def rss_kb(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def add_router(control, number):
    name = "r%d" % number
    control.call("xenflow/router-add", name, "listen=127.0.0.1:0")
    control.call("xenflow/port-add", name, "eth0",
                 "vlan=%d" % (number % 4000 + 10), "ifindex=2",
                 "mac=52:54:00:aa:%02x:%02x" % (number >> 8, number & 255),
                 "address=10.0.0.1/24")
    for i in range(ROUTES):
        control.call("xenflow/rule-add", name, "10.%d.0.0/16" % (20 + i),
                     "via", "10.0.0.%d" % (2 + i))


def cost_of_change(control, pid):
    """Seconds of the engine's CPU time per change of one router."""
    rounds = []
    for _ in range(ROUNDS):
        begin = cpu_s(pid, "xf-engine")
        for i in range(CHANGES):
            control.call("xenflow/rule-add", "r0", "10.99.%d.0/24" % i, "via",
                         "10.0.0.2")
            control.call("xenflow/rule-del", "r0", "10.99.%d.0/24" % i)
        rounds.append((cpu_s(pid, "xf-engine") - begin) / (2 * CHANGES))
    return statistics.median(rounds)


def idle(pid):
    """Share of a CPU that the switch takes while nothing happens."""
    time.sleep(1)
    begin = cpu_s(pid)
    time.sleep(IDLE_S)
    return (cpu_s(pid) - begin) / IDLE_S


def test():
    harness.need_programs("ethtool")
    with direct.Up(NAME, TOPOLOGY) as here:
        control = harness.Control(here.switches["s1"])
        pid = next(p for name, p, alive in here.processes()
                   if alive and name.endswith("/ovs-vswitchd"))
        for i in range(FEW):
            add_router(control, i)
        few, few_idle, few_kb = (cost_of_change(control, pid), idle(pid),
                                 rss_kb(pid))
        for i in range(FEW, MANY):
            add_router(control, i)
        many, many_idle = cost_of_change(control, pid), idle(pid)
        each_kb = (rss_kb(pid) - few_kb) / (MANY - FEW)
        say("a change costs the engine %.0f us among %d routers, %.0f us "
            "among %d", few * 1e6, FEW, many * 1e6, MANY)
        say("idle: %.2f %% of a CPU with %d routers, %.2f %% with %d",
            few_idle * 100, FEW, many_idle * 100, MANY)
        say("memory: %.1f kB per router of %d routes", each_kb, ROUTES)
        check(len(control.json("xenflow/router-list")) == MANY,
              "not all routers are there")
        each_us = (many - few) * 1e6 / (MANY - FEW)
        check(each_us < MAX_PER_ROUTER_US,
              "a change costs %.1f us more per router", each_us)
        check(many_idle - few_idle < MAX_IDLE, "idle CPU grew by %.2f %%",
              100 * (many_idle - few_idle))
        check(each_kb < MAX_KB, "%.1f kB per router", each_kb)
        harness.check_alive(here)
        control.close()
    return ("change %.0f us among %d, %.0f us among %d; idle %.2f %%; "
            "%.1f kB each" % (few * 1e6, FEW, many * 1e6, MANY,
                              many_idle * 100, each_kb))


harness.main(test)
