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
"""A router VM with FRR: its OSPF routes forward packets in the switch.

Once with routes that carry their next hops, once with next-hop groups (FRR's
"fpm use-next-hop-groups"), each with the real VM and real neighbours.
"""

import ipaddress
import json
import time

import harness
from harness import check, say
from lab import measure

NAME = "t-ospf"
ADDRESS, ADDRESS6, SOURCE = "10.9.1.2", "fd00:2::2", "192.168.1.2"
NEIGHBOURS = 3
TAPS = ["vr1-eth1", "vr1-eth2", "vr1-eth3"]
WATCH = {"s1": TAPS + ["n2-eth0", "n3-eth0"]}
RATE = 3000
REACHABLE_S = 2                 # Life of a neighbour that isn't heard of.


def full(here):
    """OSPF and OSPFv3 neighbours in Full."""
    v4 = json.loads(here.vtysh("vr1", "show ip ospf neighbor json"))
    v6 = json.loads(here.vtysh("vr1", "show ipv6 ospf6 neighbor json"))
    n = sum("Full" in entry.get("nbrState", entry.get("state", ""))
            for entries in v4["neighbors"].values() for entry in entries)
    return (n == NEIGHBOURS and NEIGHBOURS == sum(
        "Full" in e.get("state", "") for e in v6["neighbors"]))


def kernel_routes(here):
    """{prefix: {(gateway, interface)}} of OSPF in the VM's kernel."""
    routes = {}
    for family in ("-4", "-6"):
        text = here.run("vr1", ["ip", "-j", family, "route", "show", "proto",
                                "ospf"])
        for route in json.loads(text or "[]"):
            hops = route.get("nexthops", [route])
            prefix = ipaddress.ip_network(route["dst"])
            routes[str(prefix)] = {(h.get("gateway", h.get("via", {}).get(
                "host") if h.get("via") else None), h["dev"]) for h in hops}
    return routes


def rule_routes(control):
    return {r["prefix"]: {(h.get("via"), h["dev"]) for h in r["nexthops"]}
            for r in control.json("xenflow/rule-list", "vr1")
            if r["protocol"] == "ospf"}


def answers(here, *options):
    return here.run("e1", ["ping", "-c", "1", "-W", "1", *options],
                    check=False)


def check_punts(here):
    """What only the VM's own stack can answer."""
    check("Time to live exceeded" in answers(here, "-t", "2", ADDRESS),
          "no answer to TTL 1 at the router")
    for address in ("10.0.1.1", "10.0.2.1", "fd00:0:3::1"):
        check(" 0% packet loss" in answers(here, address),
              "the router's own address %s doesn't answer", address)
    check(" 0% packet loss" in answers(here, "-R", ADDRESS),
          "a packet with IP options doesn't pass")
    check("Unreachable" in answers(here, "-c", "3", "10.77.1.1"),
          "no answer for a destination without route")


def check_traffic(here, address):
    harness.wait("ping %s" % address, lambda: " 0% packet loss" in answers(
        here, address))
    result = measure.run(here, "e1", "e2", address, RATE, watch=WATCH,
                         end=("--seconds=3",))
    check(result["lost"] == 0 and result["duplicated"] == 0,
          "%s: %d of %d lost, %d duplicated", address, result["lost"],
          result["sent"], result["duplicated"])
    via_vm = sum(result["watched"]["s1"][tap]["out"] for tap in TAPS)
    check(via_vm <= NEIGHBOURS, "%s: %d packets through the VM", address,
          via_vm)
    return result["sent"]


def check_change(here, control):
    """The better way gets worse while traffic flows."""
    def way():
        return control.json("xenflow/route-lookup", "vr1",
                            ADDRESS).get("nexthop")

    before = way()
    flow = measure.Flow(here, "e1", "e2", ADDRESS, RATE, watch=WATCH,
                        end=("--seconds=5",))
    time.sleep(1.5)
    here.vtysh("n2", "configure terminal", "router ospf",
               "redistribute static metric 500")
    harness.wait("a new way", lambda: way() not in (None, before))
    result = flow.finish()
    seen = result["watched"]["s1"]
    check(result["lost"] == 0, "%d lost in the change", result["lost"])
    check(seen["n2-eth0"]["out"] and seen["n3-eth0"]["out"],
          "traffic didn't move: %s", seen)
    via_vm = sum(seen[tap]["out"] for tap in TAPS)
    check(via_vm <= NEIGHBOURS, "%d packets through the VM in the change",
          via_vm)
    here.vtysh("n2", "configure terminal", "router ospf",
               "redistribute static metric 10")
    harness.wait("the old way", lambda: way() == before)


def check_unseparated(here):
    """Private data plane: all through the VM, and back.  Longer than
    neighbours live in the rule table, which must know them again at once."""
    here.xfctl("router-set", "vr1", "reachable=%d" % REACHABLE_S)
    here.separate("vr1", False)
    time.sleep(3 * REACHABLE_S)
    result = measure.run(here, "e1", "e2", ADDRESS, 500, watch=WATCH,
                         end=("--seconds=2",))
    via_vm = sum(result["watched"]["s1"][tap]["out"] for tap in TAPS)
    check(via_vm == result["sent"] and not result["lost"],
          "plane separation off: %d sent, %d through the VM, %d lost",
          result["sent"], via_vm, result["lost"])
    here.separate("vr1", True)
    result = measure.run(here, "e1", "e2", ADDRESS, 500, watch=WATCH,
                         end=("--seconds=2",))
    via_vm = sum(result["watched"]["s1"][tap]["out"] for tap in TAPS)
    check(via_vm < result["sent"] / 10 and not result["lost"],
          "plane separation on again: %d sent, %d through the VM, %d lost",
          result["sent"], via_vm, result["lost"])


def check_lab(groups):
    with harness.Up(NAME, harness.demo_topology()) as here:
        if groups == "yes":
            here.vtysh("vr1", "configure terminal",
                       "fpm use-next-hop-groups")
        control = harness.Control(here.switches["s1"])
        harness.wait("OSPF Full", lambda: full(here))
        harness.wait("the VM's routes in the rule table", lambda: (
            kernel_routes(here) == rule_routes(control)
            and len(rule_routes(control)) >= 7), 30)
        sent = check_traffic(here, ADDRESS) + check_traffic(here, ADDRESS6)
        check_change(here, control)
        check_punts(here)
        if groups == "no":
            check_unseparated(here)
        n_routes = len(rule_routes(control))
        harness.check_alive(here)
        control.close()
    say("next-hop groups %s: %d OSPF routes, %d packets, none lost", groups,
        n_routes, sent)
    return sent


def test():
    harness.need_image()
    sent = check_lab("no") + check_lab("yes")
    return "both ways of FRR to state routes; %d packets, 0 lost" % sent


harness.main(test)
