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

"xfctl import examples/three-routers.ini" brings up machines on both hosts; OSPF
becomes Full everywhere; edge e1 reaches e2 through all three.  Then each daemon
is killed under traffic and started again: nothing is lost
where the switch itself lives, and afterwards all is as wanted.  A machine that
dies is restarted, one is suspended and resumed.  At last all is removed, and
nothing is left.

XF-04, VN-15, EV-02."""

import os
import signal
import time

import harness
import hosts
from harness import check, say, wait
from lab import measure, system

EXAMPLE = os.path.join(harness.TOP, "examples/three-routers.ini")
ROUTERS = {"r1": ("s1", 1), "r2": ("s2", 2), "r3": ("s1", 1)}
PREFIX, TARGET = "10.3.0.", "10.3.0.9"
RATE = 500
FULL_S = 180                    # On a busy machine.
GAP_S = 15                      # Of a switch that is started again.


def set_up(net):
    net.cable("s1:eth1", "s2:eth1")
    net.cable("s1:eth2", "e1:eth0")
    net.cable("s2:eth2", "e2:eth0")
    for edge, number in (("e1", 1), ("e2", 3)):
        net.ip(edge, "addr", "add", "10.%d.0.9/24" % number, "dev", "eth0")
        net.ip(edge, "route", "add", "default", "via", "10.%d.0.1" % number)


def traffic(net, seconds):
    """256 flows at once."""
    return measure.Flow(net, "e1", "e2", TARGET, RATE, "--sources=256",
                        end=("--seconds=%d" % seconds,))


def bring_up(net, database, here):
    begin = time.monotonic()
    with open(EXAMPLE, encoding="ascii") as f:
        database.load(f.read())
    database.settle()
    say("acknowledged after %.1f s", time.monotonic() - begin)
    for router, (host, n) in ROUTERS.items():
        wait("OSPF of " + router, lambda host=host, router=router, n=n:
             here[host].n_full(router) == n, FULL_S)
    took = time.monotonic() - begin
    say("OSPF Full after %.1f s", took)
    wait("the way from e1 to e2", lambda: traffic(net, 1).finish()["lost"] == 0)
    return took


def kill(net, database, daemons, name):
    """Kills a daemon under traffic; returns packets lost."""
    flow = traffic(net, 8)
    time.sleep(1)
    daemons.kill(name)
    time.sleep(3)
    daemons.start(name)
    database.settle()
    result = flow.finish()
    if name == "switch":
        wait("traffic", lambda: traffic(net, 1).finish()["lost"] == 0, GAP_S)
    else:
        check(result["lost"] == 0, "%s of %s: %s lost of %s", name,
              daemons.folder, result["lost"], result["sent"])
    after = traffic(net, 2).finish()
    check(after["lost"] == 0, "after %s: %s lost", name, after["lost"])
    return result["lost"]


def kill_all(net, database, here):
    lost = {}
    for daemons, name in ((here["s1"], "hostd"), (here["s2"], "hostd"),
                          (database, "x"), (here["s1"], "db"),
                          (here["s1"], "switch"), (here["s2"], "switch")):
        lost[name] = max(lost.get(name, 0),
                         kill(net, database, daemons, name))
    states = {router: database.state(router) for router in ROUTERS}
    check(all(state == ["running", "0"] for state in states.values()),
          "states: %s", states)
    return lost


def check_machines(database, here):
    """One dies; one is suspended and resumed; one is stopped."""
    os.kill(here["s2"].machine_pid("r2"), signal.SIGKILL)
    wait("the restart of r2",
         lambda: database.state("r2") == ["running", "1"])
    database.xfctl("vm-suspend", "r1", "--", "vm-stop", "r3")
    database.settle()
    states = [database.state(router)[0] for router in ("r1", "r3")]
    check(states == ["suspended", "stopped"], "r1, r3: %s", states)
    database.xfctl("vm-resume", "r1")
    database.settle()
    wait("an answer of r1",
         lambda: here["s1"].ask("r1", "hostname") == "r1\n")


def take_down(database, here):
    pids = [here[host].machine_pid(router)
            for router, (host, _) in ROUTERS.items() if router != "r3"]
    database.xfctl("--all", "net-del", "demo")
    database.settle()
    check(all(system.process_start(pid) is None for pid in pids),
          "a QEMU is left")
    for name, host in here.items():
        check(not host.left(), "left on %s: %s", name, host.left())
    check(database.xfctl("--bare", "list", "Router_State") == "",
          "states are left")


def test():
    harness.need_image()
    net = hosts.Net("s1", "s2", "e1", "e2")
    started = []
    try:
        set_up(net)
        database = hosts.Database(net.folder + "/x")
        started.append(database)
        here = {}
        for name in ("s1", "s2"):
            here[name] = hosts.Host(os.path.join(net.folder, name), name,
                                    database, net.netns(name))
            started.append(here[name])
        took = bring_up(net, database, here)
        lost = kill_all(net, database, here)
        check_machines(database, here)
        take_down(database, here)
    except BaseException:
        for each in started[1:]:
            print(each.last_lines())
        if started:
            started[0].run("xfctl", "--all", "net-del", "demo", okay=False)
            time.sleep(5)
        raise
    finally:
        for each in reversed(started):
            each.stop()
        net.close()
    return ("OSPF Full after %.0f s; killed 6; lost %s" % (
        took, ", ".join("%s %d" % item for item in lost.items())))


harness.main(test)
