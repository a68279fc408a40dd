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
"""The leader of the database's three servers dies under traffic.

A host with a router that the switch alone carries reaches a cluster of three by
TLS.  Its leader is killed with kill -9: nothing is lost, of flows that were there
and of new ones, and what is wanted then is carried out.  So is what is wanted after
the server was started again.

VN-15, EV-02."""

import os
import time

import harness
import hosts
from harness import check, wait
from lab import measure

SERVERS = ("x1", "x2", "x3")
EDGES = {"e1": "10.1.0.9", "e2": "10.2.0.9"}
MAC = "52:54:00:00:09:%02x"
RATE = 500
NETWORK = """
[host s1]
[segment lan1]
vlan = 10
[segment lan2]
vlan = 20
[edge s1:eth1]
segment = lan1
[edge s1:eth2]
segment = lan2
[router r1]
host = s1
eth1 = lan1 10.1.0.1/24
eth2 = lan2 10.2.0.1/24
"""


def set_up(net):
    net.lan(*SERVERS, "s1")
    for i, (edge, address) in enumerate(EDGES.items(), 1):
        net.cable("s1:eth%d" % i, edge + ":eth0")
        net.ip(edge, "link", "set", "eth0", "address", MAC % i)
        net.ip(edge, "addr", "add", address + "/24", "dev", "eth0")
        net.ip(edge, "route", "add", "default", "via", "10.%d.0.1" % i)


def make_neighbours(net, database):
    """Nobody answers for the router, which has no machine."""
    words = []
    for i, (edge, address) in enumerate(EDGES.items(), 1):
        device = "eth%d" % i
        mac = database.xfctl("--bare", "--columns=mac", "find", "Interface",
                             "name=" + device).strip()
        net.ip(edge, "neigh", "add", "10.%d.0.1" % i, "lladdr", mac, "dev",
               "eth0")
        words += ["--", "neigh-add", "r1", device, address, MAC % i]
    database.xfctl(*words[1:])
    database.settle()


def traffic(net, seconds, source="e1", target="e2"):
    """256 flows at once."""
    return measure.Flow(net, source, target, EDGES[target], RATE,
                        "--sources=256", end=("--seconds=%d" % seconds,))


def kill_leader(net, database, host):
    """Returns after how many seconds a change was carried out."""
    old = traffic(net, 8)
    time.sleep(1)
    leader = database.leader()
    leader.kill(leader.NAME)
    begin = time.monotonic()
    database.xfctl("--timeout=60", "rule-add", "r1", "10.9.0.0/16",
                   "blackhole")
    database.settle()
    took = time.monotonic() - begin
    check("10.9.0.0/16" in host.rules("r1"), "the route isn't there: %s",
          host.rules("r1"))
    new = traffic(net, 2, "e2", "e1")
    leader.start()
    for flow in (new.finish(), old.finish()):
        check(flow["lost"] == 0, "%s of %s lost", flow["lost"], flow["sent"])
    return took


def test():
    harness.need_programs("ethtool", "openssl")
    net = hosts.Net("s1", *EDGES, *SERVERS)
    started = []
    try:
        set_up(net)
        database = hosts.Cluster(os.path.join(net.folder, "x"), net, SERVERS,
                                 ["s1"])
        started.append(database)
        host = hosts.Host(os.path.join(net.folder, "s1"), "s1", database,
                          net.netns("s1"))
        started.append(host)
        database.load(NETWORK)
        make_neighbours(net, database)
        wait("traffic", lambda: traffic(net, 1).finish()["lost"] == 0)
        took = kill_leader(net, database, host)
        database.xfctl("rule-del", "r1", "10.9.0.0/16")
        database.settle()
        check("10.9.0.0/16" not in host.rules("r1"), "the route is left")
    except BaseException:
        for each in started[1:]:
            print(each.last_lines())
        raise
    finally:
        for each in reversed(started):
            each.stop()
        net.close()
    return "a change is carried out %.1f s after kill -9; 0 lost" % took


harness.main(test)
