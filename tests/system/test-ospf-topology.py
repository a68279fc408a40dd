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
"""The physical topology from OSPF (XF-22).

Three hosts in a ring run FRR's ospfd on their cables.  A link with policy
"ospf" goes where the metrics say, and elsewhere when a metric changes.  When
OSPF loses a cable, whose probes go on, the link leaves it by itself.  An ospfd
that ends takes nothing down.
"""

import os
import shutil
import signal

import harness
from harness import check, say, wait
from lab import frr, system

NAME = "t-ospftopo"
TOPOLOGY = harness.RING + """\
[segment l1]
switch = s1
vlan = none
[router a1]
kind = bare
switch = s1
xenflow = yes
separated = no
eth0 = l1 10.1.0.1/24
[router b1]
kind = bare
switch = s2
xenflow = yes
separated = no
eth0 = l1 10.1.0.2/24
"""
# Of each cable: its ends, and the network there.
CABLES = {"t12": ("s1", "s2", "192.0.2.0"), "t13": ("s1", "s3", "192.0.2.4"),
          "t23": ("s2", "s3", "192.0.2.8")}
METRICS = {"t12": 10, "t13": 20, "t23": 20}
FULL_S = 90


def address(network, end):
    head, tail = network.rsplit(".", 1)
    return "%s.%d" % (head, int(tail) + 1 + end)


class Ospf:
    """FRR's zebra and ospfd at a host, on its cables."""

    def __init__(self, here, name):
        self.here, self.name = here, name
        self.folder = os.path.join(here.path(name), "frr")
        os.mkdir(self.folder)
        lines = []
        for cable, (one, two, network) in CABLES.items():
            if name in (one, two):
                device = "to-" + (two if name == one else one)
                here.run(name, ["ip", "address", "add", "%s/30" % address(
                    network, name == two), "dev", device])
                # The switch leaves untagged frames of cables to the host.
                here.switches[name].tool(
                    "ovs-ofctl", "add-flow", "br0", "priority=9,in_port=%s,"
                    "vlan_tci=0,actions=drop" % device)
                lines += ["interface " + device,
                          " ip ospf network point-to-point",
                          " ip ospf area 0", " ip ospf hello-interval 1",
                          " ip ospf dead-interval 4",
                          " ip ospf cost %d" % METRICS[cable], "exit"]
        lines += ["router ospf", " ospf router-id 198.51.100." + name[1:],
                  "exit"]
        self.config = os.path.join(self.folder, "frr.conf")
        with open(self.config, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        shutil.chown(self.folder, "frr", "frr")     # Whom daemons become.
        self.start("zebra")
        self.start("ospfd")
        here.switches[name].vsctl(
            "set", "open_vswitch", ".",
            "external_ids:xenflow-ospf=%s/ospfd.vty" % self.folder)

    def start(self, daemon):
        base = os.path.join(self.folder, daemon)
        system.daemon(
            [os.path.join(frr.DAEMONS, daemon), "-d", "-i", base + ".pid",
             "-z", self.folder + "/zserv", "--vty_socket", self.folder,
             "-f", self.config], self.here.netns(self.name), base + ".out")

    def tell(self, *commands):
        words = ["vtysh", "--vty_socket", self.folder, "--config_dir",
                 self.folder, "-c", "configure terminal"]
        for command in commands:
            words += ["-c", command]
        self.here.run(self.name, words)

    def kill(self):
        with open(os.path.join(self.folder, "ospfd.pid"),
                  encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGTERM)


def metrics(here):
    """{(cable, host): metric} of what hosts say of cables."""
    get = here.database.xfctl
    found = {}
    for cable, (one, two, _) in CABLES.items():
        uuid = get("get", "Physical_Link", cable, "_uuid").strip()
        for host in (one, two):
            found[cable, host] = get(
                "--bare", "--columns=metric", "find", "Physical_Link_State",
                "link=" + uuid, "host=" + host).strip()
    return found


def expect(**changed):
    """What metrics() is to be."""
    return {(cable, host): str(changed.get(cable, METRICS[cable]))
            for cable, ends in CABLES.items() for host in ends[:2]}


def way(here):
    """Hosts by which the link goes."""
    return [line.split()[1] for line in here.database.xfctl(
        "link-show", "l1").splitlines() if line.split()[0] == "hop"]


def works(here):
    return "1 received" in here.run(
        "a1", ["ping", "-c1", "-W1", "10.1.0.2"], check=False)


def test():
    harness.need_programs("vtysh", "/usr/lib/frr/ospfd")
    with harness.LinkUp(NAME, TOPOLOGY) as here:
        check(set(metrics(here).values()) == {""}, "metrics without OSPF")
        ospf = {name: Ospf(here, name) for name in here.switches}
        wait("OSPF's metrics", lambda: metrics(here) == expect(), FULL_S)
        here.xfctl("link-set", "l1", "policy=ospf")
        here.xfctl("link-plan", "l1")
        check(way(here) == ["s1", "s2"], "way: %s", way(here))

        for name, device in (("s1", "to-s2"), ("s2", "to-s1")):
            ospf[name].tell("interface " + device, "ip ospf cost 100")
        wait("the new metric", lambda: metrics(here) == expect(t12=100))
        here.xfctl("link-plan", "l1")
        check(way(here) == ["s1", "s3", "s2"], "way: %s", way(here))
        wait("the way by s3", lambda: works(here))
        say("metric 100 instead of 10: the link goes by %s",
            " ".join(way(here)))

        # OSPF alone loses the cable; a manager sees it, and moves the link.
        ospf["s1"].tell("interface to-s3", "ip ospf passive")
        wait("t13 out of OSPF", lambda: metrics(here) == expect(t12=100,
                                                                t13=0))
        wait("the link's leaving t13", lambda: way(here) == ["s1", "s2"])
        wait("the way by t12", lambda: works(here))
        here.database.settle()
        check("down" not in here.database.xfctl("show").split("trunk t13")[
            1].splitlines()[0], "probes of t13 failed")
        say("a cable that OSPF lost: the link goes by %s", " ".join(
            way(here)))

        # Without ospfd the cables of a host count by probes again.
        ospf["s3"].kill()
        wait("s3's silence", lambda: metrics(here)["t23", "s3"] == ""
             and metrics(here)["t13", "s3"] == "")
        here.xfctl("link-set", "l1", "policy=pinned", "path=t13 t23")
        here.xfctl("link-plan", "l1")
        check(way(here) == ["s1", "s3", "s2"], "way: %s", way(here))
        ospf["s3"].start("ospfd")
        ospf["s1"].tell("interface to-s3", "no ip ospf passive")
        wait("all metrics", lambda: metrics(here) == expect(t12=100), FULL_S)
        harness.check_alive(here)
    return "a link follows the metrics, and leaves a cable that OSPF lost"


harness.main(test)
