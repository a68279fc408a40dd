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
"""The lab's examples do what they say: the files of utilities/lab-examples,
each brought up and tried.  demo.ini is the demonstration's."""

import os
import time

import harness
from harness import check, say
from lab import measure, topology

EXAMPLES = os.path.join(harness.TOP, "utilities/lab-examples")
RATE = 300
# 50 Mbit/s of 1,400-byte packets is 4,464 a second, headers apart.
LIMITED_RATE, LIMITED_SIZE, MAX_LIMITED = 8000, 1400, 4600


def up(name, more=""):
    with open(os.path.join(EXAMPLES, name + ".ini"), encoding="ascii") as f:
        return harness.Up("t-" + name, f.read() + more)


def answers(here, node, address):
    return " 0% packet loss" in here.run(
        node, ["ping", "-c", "1", "-W", "1", address], check=False)


def routed(here, source, target, addresses, switches):
    """Traffic to 'addresses' is forwarded by the routers of all
    'switches'."""
    for address in addresses:
        harness.wait("ping %s" % address, lambda a=address: answers(
            here, source, a))
    before = {s: forwarded(here, s) for s in switches}
    for address in addresses:
        result = measure.run(here, source, target, address, RATE,
                             end=("--seconds=2",))
        check(result["lost"] == 0, "%s: %d lost", address, result["lost"])
    for s in switches:
        n = forwarded(here, s) - before[s]
        check(n >= len(addresses) * RATE, "%s forwarded %d", s, n)


def forwarded(here, switch):
    """Packets that the routers of 'switch' have forwarded."""
    control = harness.Control(here.switches[switch])
    total = sum(control.json("xenflow/stats-show",
                             node.name)["forwarded_packets"]
                for node in here.topology.nodes.values()
                if node.xenflow and node.switch == switch)
    control.close()
    return total


def bgp6():
    with up("bgp6") as here:
        harness.wait("BGP", lambda: "2001:db8:2::/64" in here.switches[
            "s1"].appctl("xenflow/rule-list", "r1"))
        routed(here, "e1", "e2", ["2001:db8:2::2", "192.0.2.130"],
               ["s1", "s2"])
        result = measure.run(here, "e1", "e2", "2001:db8:2::2",
                             LIMITED_RATE, "--size=%d" % LIMITED_SIZE,
                             end=("--seconds=2",))
        rate = result["received"] / 2
        check(rate < MAX_LIMITED, "the link carried %d packets/s", rate)
        harness.check_alive(here)
    return "BGP: 2 hosts, IPv6 and IPv4; link of 50 Mbit/s carried %d " \
        "packets/s of 1,400 B" % rate


def ospf3():
    with up("ospf3") as here:
        harness.wait("OSPF", lambda: all(
            text in here.switches["s1"].appctl("xenflow/rule-list", "r1")
            for text in ("10.3.0.0/24", "fd00:3::/64")))
        routed(here, "e1", "e3", ["10.3.0.2", "fd00:3::2"],
               ["s1", "s2", "s3"])
        harness.check_alive(here)
    return "OSPF: 3 hosts in a row, IPv4 and IPv6"


def links3():
    with up("links3") as here:
        harness.wait("OSPF", lambda: all(
            text in here.switches["s1"].appctl("xenflow/rule-list", "r1")
            for text in ("10.3.0.0/24", "fd00:3::/64")))
        harness.wait("all links are proven", lambda: here.database.xfctl(
            "show").count(": proven ") == 3)
        routed(here, "e1", "e3", ["10.3.0.2", "fd00:3::2"], ["s1", "s3"])
        way = here.database.xfctl("link-show", "core")
        check(all("hop %s " % s in way for s in ("s1", "s2", "s3")),
              "the way of core is %s", way)
        # What has a way that is up keeps it.
        check(here.database.xfctl("link-plan") == "", "link-plan replans")
        harness.check_alive(here)
    return "links: OSPF over a virtual link of 3 hosts"


def failed_cable():
    """A link whose cable fails moves to another way by itself."""
    with up("links3", "\n[link l13]\nends = s1 s3\n") as here:
        xfctl = here.database.xfctl
        harness.wait("all links are proven", lambda: xfctl(
            "show").count(": proven ") == 3)
        harness.wait("the routes", lambda: answers(here, "e1", "10.3.0.2"))
        check("hop s2" not in xfctl("link-show", "core"), "no direct way")
        here.run("s1", ["ip", "link", "set", "to-s3", "down"])
        begun = time.monotonic()
        harness.wait("ping", lambda: answers(here, "e1", "10.3.0.2"))
        took_s = time.monotonic() - begun
        harness.wait("the new way is proven", lambda: "link core: proven"
                     in xfctl("show"))
        check("hop s2" in xfctl("link-show", "core"), "the way isn't by s2")
        check("core" in xfctl("migration-list"), "nobody moved it")
    return "failed cable: packets pass again after %.1f s" % took_s


def roles():
    with up("roles") as here:
        harness.wait("the switch", lambda: answers(here, "e1", "10.1.0.3"))
        routed(here, "e1", "e3", ["10.2.0.2"], ["s1"])
        routed(here, "e2", "e3", ["10.2.0.2"], ["s1"])
        control = harness.Control(here.switches["s1"])
        here.run("e1", ["bash", "-c", "exec 3<>/dev/tcp/10.2.0.2/80"],
                 check=False)
        chosen = control.json("xenflow/select-list", "fw")
        check(sum(row["packets"] for row in chosen) >= 2,
              "the middlebox saw %s", chosen)
        control.close()
        harness.check_alive(here)
    return "roles: switched, routed, and through a middlebox"


def check_files():
    """All files are right, and can be shown in every way."""
    for name in sorted(os.listdir(EXAMPLES)):
        path = os.path.join(EXAMPLES, name)
        topology.parse(path)
        for option in ((), ("--json",), ("--dot",)):
            text = harness.system.run([harness.LAB, "show", path, *option])
            check("s1" in text, "show %s %s: %s", name, option, text)
    harness.system.run([harness.LAB, "check"] + [
        os.path.join(EXAMPLES, n) for n in os.listdir(EXAMPLES)])


def test():
    harness.need_programs("/usr/lib/frr/bgpd", "ethtool", "tc")
    check_files()
    lines = []
    for example in (bgp6, ospf3, links3, failed_cable, roles):
        lines.append(example())
        say(lines[-1])
    return "; ".join(lines)


harness.main(test)
