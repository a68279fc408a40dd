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
"""Three routers on two hosts by one command, and what dies meanwhile.

In the empty lab two-hosts "xfctl import examples/three-routers.ini" brings up
machines on both hosts; OSPF becomes Full everywhere; edge e1 reaches e2 through
all three.  Then each daemon is killed under traffic and started again: nothing
is lost where the switch itself lives, and afterwards all is as wanted.  A
machine that dies is restarted, one is suspended and resumed.  At last all is
removed, and nothing is left.

XF-04, VN-15, EV-02."""

import json
import os
import signal
import socket
import time

import harness
from harness import check, say, wait
from lab import measure, system

NAME = "t-hosts"
LAB = os.path.join(harness.TOP, "utilities/lab-examples/two-hosts.ini")
EXAMPLE = os.path.join(harness.TOP, "examples/three-routers.ini")
ROUTERS = {"r1": ("s1", 1), "r2": ("s2", 2), "r3": ("s1", 1)}
TARGET = "10.3.0.9"
RATE = 500
FULL_S = 180                    # On a busy machine.
GAP_S = 15                      # Of a switch that is started again.


def traffic(here, seconds):
    """256 flows at once."""
    return measure.Flow(here, "e1", "e2", TARGET, RATE, "--sources=256",
                        end=("--seconds=%d" % seconds,))


# ---- What is there. ----

def state(here, router):
    """[state, number of restarts] of a router's machine."""
    uuid = here.database.xfctl("get", "router", router, "_uuid").strip()
    return here.database.xfctl(
        "--bare", "--columns=state,restarts", "find", "Router_State",
        "router=" + uuid).split()


def ask(here, router, text):
    """Runs a shell command in a router's machine; its output, or ""."""
    try:
        return here.all_machines()[router].command(text, timeout_s=5)[
            1].decode()
    except (OSError, KeyError):
        return ""


def n_full(here, router):
    """How many OSPF neighbours of the router are Full."""
    return ask(here, router,
               "vtysh -c 'show ip ospf neighbor'").count("Full")


def left(host):
    """What is there of routers at a host: ports, devices, files."""
    with system.Inside(host.netns):
        devices = [name for _, name in socket.if_nameindex()
                   if name.startswith(("xm", "xv"))]
    ports = host.vsctl("--bare", "--columns=name", "find", "interface",
                       "type=xenflow").split()
    return ports + devices + os.listdir(host.path("domains"))


# ---- What is tried. ----

def bring_up(here):
    begin = time.monotonic()
    here.xfctl("import", EXAMPLE)
    say("acknowledged after %.1f s", time.monotonic() - begin)
    for router, (_, n) in ROUTERS.items():
        wait("OSPF of " + router, lambda router=router, n=n:
             n_full(here, router) == n, FULL_S)
    took = time.monotonic() - begin
    say("OSPF Full after %.1f s", took)
    wait("the way from e1 to e2",
         lambda: traffic(here, 1).finish()["lost"] == 0)
    return took


def kill(here, daemons, name):
    """Kills a daemon under traffic; returns packets lost."""
    flow = traffic(here, 8)
    time.sleep(1)
    daemons.kill(name)
    time.sleep(3)
    daemons.start(name)
    here.database.settle()
    result = flow.finish()
    if name == "ovs-vswitchd":
        wait("traffic", lambda: traffic(here, 1).finish()["lost"] == 0, GAP_S)
    else:
        check(result["lost"] == 0, "%s of %s: %s lost of %s", name,
              daemons.folder, result["lost"], result["sent"])
    after = traffic(here, 2).finish()
    check(after["lost"] == 0, "after %s: %s lost", name, after["lost"])
    return result["lost"]


def kill_all(here):
    lost = {}
    s1, s2 = here.switches.values()
    for daemons, name in ((s1, "xenflow-hostd"), (s2, "xenflow-hostd"),
                          (here.database, "ovsdb-server"),
                          (s1, "ovsdb-server"), (s1, "ovs-vswitchd"),
                          (s2, "ovs-vswitchd")):
        lost[name] = max(lost.get(name, 0), kill(here, daemons, name))
    states = {router: state(here, router) for router in ROUTERS}
    check(all(s == ["running", "0"] for s in states.values()),
          "states: %s", states)
    return lost


def check_machines(here):
    """One dies; one is suspended and resumed; one is stopped."""
    os.kill(here.switches["s2"].machine_pid("r2"), signal.SIGKILL)
    wait("the restart of r2",
         lambda: state(here, "r2") == ["running", "1"])
    here.xfctl("vm-suspend", "r1", "--", "vm-stop", "r3")
    states = [state(here, router)[0] for router in ("r1", "r3")]
    check(states == ["suspended", "stopped"], "r1, r3: %s", states)
    here.xfctl("vm-resume", "r1")
    wait("an answer of r1", lambda: ask(here, "r1", "hostname") == "r1\n")


def check_usage(here):
    """What machines take, and how many routes routers have, is told."""
    shown = {}

    def is_told():
        for net in json.loads(here.database.xfctl("-f", "json", "show"))[
                "networks"]:
            for router in net["routers"]:
                shown[router["name"]] = (router.get("routes", 0),
                                         router.get("load", {}))
        return all(shown[name][0] >= 8 and shown[name][1].get(
            "memory-used", 0) > 50 for name in ROUTERS)
    wait("routes and load in xfctl show: %s" % shown, is_told, 30)


def take_down(here):
    pids = [here.switches[host].machine_pid(router)
            for router, (host, _) in ROUTERS.items() if router != "r3"]
    here.xfctl("--all", "net-del", "demo")
    check(all(system.process_start(pid) is None for pid in pids),
          "a QEMU is left")
    for name, host in here.switches.items():
        check(not left(host), "left on %s: %s", name, left(host))
    check(here.database.xfctl("--bare", "list", "Router_State") == "",
          "states are left")


def test():
    harness.need_image()
    with open(LAB, encoding="ascii") as f:
        text = f.read()
    with harness.Up(NAME, text) as here:
        try:
            took = bring_up(here)
            check_usage(here)
            lost = kill_all(here)
            check_machines(here)
            take_down(here)
        except BaseException:
            for host in here.switches.values():
                print(system.run(["tail", "-n", "40",
                                  host.path("xenflow-hostd.log")]))
            raise
    return ("OSPF Full after %.0f s; killed 6; lost %s" % (
        took, ", ".join("%s %d" % item for item in lost.items())))


harness.main(test)
