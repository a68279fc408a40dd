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
"""Two routers' machines by rows of the database XenFlow alone.

One host: a switch, xenflow-hostd, both databases.  "xfctl import" makes two
machines whose OSPF becomes Full through the switch; one is killed and comes
back; suspend and resume; removal leaves no process, port, row or file.
"""

import os
import shutil
import signal
import tempfile
import time

import harness
import hosts
from harness import check, say, wait
from lab import system

NETWORK = """
[host s1]
[net demo]
[segment core]
vlan = 12
network = demo
[router r1]
network = demo
host = s1
backend = qemu
memory = 128
ospf-dead = 4
eth0 = core 10.12.0.1/24
ospf = eth0
[router r2]
network = demo
host = s1
backend = qemu
memory = 128
ospf-dead = 4
eth0 = core 10.12.0.2/24
ospf = eth0
"""


def check_life(database, host):
    begin = time.monotonic()
    database.load(NETWORK)
    database.settle()
    check(database.state("r1") == ["running", "0"], "r1: %s",
          database.state("r1"))
    say("both machines run after %.1f s", time.monotonic() - begin)
    for router in ("r1", "r2"):
        wait("OSPF of " + router, lambda router=router: host.n_full(router))
    say("OSPF Full after %.1f s", time.monotonic() - begin)
    check(host.ask("r1", "hostname") == "r1\n", "r1 isn't called so")
    os.kill(host.machine_pid("r1"), signal.SIGKILL)
    wait("the restart of r1",
         lambda: database.state("r1") == ["running", "1"])
    database.xfctl("vm-suspend", "r2", "--", "vm-stop", "r1")
    database.settle()
    check(database.state("r2")[0] == "suspended", "r2: %s",
          database.state("r2"))
    database.xfctl("vm-resume", "r2")
    database.settle()
    wait("an answer of r2", lambda: host.ask("r2", "hostname") == "r2\n")
    say("killed, suspended, resumed after %.1f s", time.monotonic() - begin)


def check_end(database, host):
    pid = host.machine_pid("r2")
    database.xfctl("--all", "net-del", "demo")
    database.settle()
    check(system.process_start(pid) is None, "a QEMU is left")
    check(not host.left(), "left: %s", host.left())
    check(database.xfctl("--bare", "list", "Router_State") == "",
          "states are left")


def test():
    harness.need_image()
    system.LIBC.unshare(system.CLONE_NEWNET)
    folder = tempfile.mkdtemp(prefix="xf-join-")
    daemons = []
    try:
        database = hosts.Database(folder + "/x")
        daemons.append(database)
        host = hosts.Host(folder + "/s1", "s1", database)
        daemons.append(host)
        check_life(database, host)
        check_end(database, host)
    except BaseException:
        if len(daemons) == 2:
            print(host.last_lines())
            database.run("xfctl", "--all", "net-del", "demo", okay=False)
            time.sleep(5)
        raise
    finally:
        for each in reversed(daemons):
            each.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return "two routers by rows, OSPF Full, nothing left"


harness.main(test)
