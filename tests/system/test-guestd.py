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
"""Any routing software: FRR by FPM, FRR by the guest daemon, BIRD by the guest
daemon, each in a real VM with the same OSPF neighbours (IPv4 and IPv6), give
the same rule table and the same forwarding (XF-09).
"""

import json
import re

import harness
from harness import check, say
from lab import measure

NAME = "t-guestd"
KINDS = (("frr", "fpm"), ("frr", "guestd"), ("bird", "guestd"))
PREFIXES = ("10.9.0.0/16", "192.168.1.0/24", "192.168.2.0/24",
            "192.168.3.0/24", "fd00:1::/64", "fd00:2::/64", "fd00:3::/64")
DESTINATIONS = ("10.9.1.2", "192.168.2.2", "fd00:2::2")
TAPS = ["vr1-eth1", "vr1-eth2", "vr1-eth3"]
WATCH = {"s1": TAPS + ["n2-eth0", "n3-eth0"]}
RATE = 3000
# A few packets may pass the VM before a neighbour is known.
VIA_VM_MAX = 3


def table(control):
    """What the router does with which prefix: {prefix: next hops}.

    Which protocol and metric a speaker states, and local routes, which FPM
    has none of, aren't compared; nor are fe80::/64, which FPM states for one
    interface and the guest daemon for none, and the management link, which
    only FPM states."""
    return {row["prefix"]: sorted((hop.get("via") or "", hop["dev"])
                                  for hop in row["nexthops"])
            for row in control.json("xenflow/rule-list", "vr1", "best")
            if row["type"] == "unicast"
            and not row["prefix"].startswith(("fe80::", "169.254."))}


def forward(here, destination):
    """Sends to 'destination'; returns by which port the packets left."""
    harness.wait("ping %s" % destination, lambda: " 0% packet loss" in here.run(
        "e1", ["ping", "-c", "1", "-W", "1", destination], check=False))
    result = measure.run(here, "e1", "e2", destination, RATE, watch=WATCH,
                         end=("--seconds=2",))
    check(result["lost"] == 0 and result["duplicated"] == 0,
          "%s: %d of %d lost, %d duplicated", destination, result["lost"],
          result["sent"], result["duplicated"])
    seen = result["watched"]["s1"]
    via_vm = sum(seen[tap]["out"] for tap in TAPS)
    check(via_vm <= VIA_VM_MAX, "%s: %d packets through the VM", destination,
          via_vm)
    return ([port for port in ("n2-eth0", "n3-eth0")
             if seen[port]["out"] > result["sent"] / 2], result["sent"])


def check_change(here, control):
    """The better way gets worse: the table follows."""
    before = table(control)["10.9.0.0/16"]
    here.vtysh("n2", "configure terminal", "router ospf",
               "redistribute static metric 500")
    harness.wait("the other way", lambda: table(control).get("10.9.0.0/16")
                 not in (None, before), 30)
    return table(control)["10.9.0.0/16"]


def check_guest(here, control):
    """The guest daemon's report, and what it hides."""
    guest = harness.wait("a second load report", lambda: (
        lambda g: "cpu_user_percent" in g and g)(
            control.json("xenflow/guest-show", "vr1")), 20)
    here_total = re.search(r"MemTotal: +(\d+)", here.run(
        "vr1", ["cat", "/proc/meminfo"])).group(1)
    check(guest["memory_total"] == int(here_total) * 1024
          and 0 < guest["memory_available"] < guest["memory_total"],
          "memory: %s", guest)
    names = [i["name"] for i in guest["interfaces"]]
    check(set(names) >= {"mgmt", "eth1", "eth2", "eth3"}, "interfaces: %s",
          names)
    rules = control.json("xenflow/rule-list", "vr1", "all")
    check(not [r for r in rules if r["prefix"].startswith("169.254.")],
          "the management interface is reported")


def run_lab(routing, feed):
    """Returns the table, the ports used, the table after the change."""
    text = re.sub(r"kind = vm\n", "kind = vm\nrouting = %s\nfeed = %s\n"
                  % (routing, feed), harness.demo_topology())
    with harness.Up(NAME, text) as here:
        control = harness.Control(here.switches["s1"])
        harness.wait("all prefixes", lambda: set(PREFIXES) <= set(
            table(control)), 60)
        # n3's routes come with its own adjacency: wait until all is quiet.
        state = [table(control)]

        def is_settled():
            state.append(table(control))
            return len(state) > 30 and len(set(
                json.dumps(s, sort_keys=True) for s in state[-20:])) == 1

        harness.wait("a settled table", is_settled, 60)
        ports, sent = {}, 0
        for destination in DESTINATIONS:
            ports[destination], n = forward(here, destination)
            sent += n
        changed = check_change(here, control)
        if feed == "guestd":
            check_guest(here, control)
        speaker = control.json("xenflow/speaker-list", "vr1")[0]
        check(not speaker["refused"] and not speaker["nacks"],
              "messages were refused: %s", speaker)
        harness.check_alive(here)
        control.close()
    say("%s by %s: %d prefixes, %d packets, none lost", routing, feed,
        len(state[-1]), sent)
    return state[-1], ports, changed, sent


def test():
    harness.need_image()
    harness.need_programs("/usr/sbin/bird")
    results = {kind: run_lab(*kind) for kind in KINDS}
    first = results[KINDS[0]]
    for kind in KINDS[1:]:
        for what, one, other in zip(("tables", "ports", "new ways"), first,
                                    results[kind][:3]):
            check(one == other, "%s of FRR by FPM and %s by %s differ: %s, %s",
                  what, *kind, one, other)
    return "%s: same table of %d prefixes, same forwarding, %d packets, 0 " \
        "lost" % (", ".join("%s by %s" % kind for kind in KINDS),
                  len(first[0]), sum(r[3] for r in results.values()))


harness.main(test)
