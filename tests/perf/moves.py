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
"""One message that moves all prefixes of a router.

What: all routes have one group of next hops.  A message gives the group another
member, the member's neighbor another MAC, or takes one of two links down; all
packets then leave elsewhere.  Three times are looked at: *published*, from when
the engine read the message until the new state is in the table (the engine
says); *acknowledged*, from when the speaker sent it until it had the answer;
and that after it no packet leaves as before."""

import statistics
import time

import packets
import rig

N_MOVES = 20                            # Of each kind.
GROUP = 10                              # Its members are hops 1 and 2.
LOOK_S = 0.05                           # How long packets are looked at.


def prepare(where, _family):
    """The second egress port is in the first one's segment, too, where the
    second gateway is now."""
    name = rig.port(2)
    where.vsctl("clear", "port", name, "tag", "--", "set", "port", name,
                "trunks=%d,%d" % (rig.vlan(1), rig.vlan(2)))
    where.control.call("fdb/add", rig.BRIDGE, name, rig.vlan(1),
                       _mac(1, packets.GATEWAYS[1]))


def _mac(segment, number):
    return packets.GATEWAY_MAC % (segment, number)


def _neighbor(family, segment, number):
    """The first gateway of 'segment' has the MAC of gateway 'number'."""
    return "neigh %s dev %d lladdr %s permanent\n" % (
        packets.gateway_address(family, segment), 1 + segment,
        _mac(segment, number))


def _link(segment, state):
    return "link dev %d name eth%d mac %s %s\n" % (
        1 + segment, segment, packets.ROUTER_MAC % segment, state)


def _group(*hops):
    return "nexthop %d group %s\n" % (GROUP, " ".join(map(str, hops)))


def first_lines(family):
    """What the speaker states before the routes: all leave by port 1."""
    hops = ["nexthop %d via %s dev %d\n" % (
        s, packets.gateway_address(family, s), 1 + s) for s in (1, 2)]
    return "".join([_link(1, "up"), _link(2, "up"),
                    _neighbor(family, 1, packets.GATEWAYS[0]),
                    _neighbor(family, 2, packets.GATEWAYS[0]),
                    *hops, _group(1)])


def plan(family):
    """For each kind of move what comes before, and two messages in turns, each
    with the ports that packets leave by then."""
    one, two = packets.GATEWAYS
    return {"group": ("", ((_group(2), {2}), (_group(1), {1}))),
            "neighbor": ("", ((_neighbor(family, 1, two), {2}),
                              (_neighbor(family, 1, one), {1}))),
            "link": (_group(1, 2), ((_link(2, "down"), {1}),
                                    (_link(2, "up"), {1, 2})))}


def _ask(speaker, text):
    """Sends the message 'text'; returns how many ms its answer took."""
    speaker.stdin.write(text)
    speaker.stdin.flush()
    line = speaker.stdout.readline()
    if not line:
        raise rig.RigError("the speaker of moves has ended")
    return int(line) / 1000


def _used(where):
    """The egress ports by which packets leave now."""
    before = where.sample()
    time.sleep(LOOK_S)
    after = where.sample()
    return {s for s in after.tx if after.tx[s] > before.tx[s]}


def _published_ms(where):
    """What the engine says of the last message."""
    shown = where.control.json("xenflow/speaker-list", rig.ROUTER)[0]
    if shown["nacks"] or shown["rejected"] or shown["unknown_interface"]:
        raise rig.RigError("the message wasn't accepted: %s" % shown)
    return shown["turn_us"] / 1000


def measure(where, speaker, family):
    """{kind: {"published_ms": [...], "acknowledged_ms": [...]}}"""
    found = {}
    for kind, (before, turns) in plan(family).items():
        published, acknowledged = [], []
        if before:
            _ask(speaker, before)
        for number in range(N_MOVES):
            message, ports = turns[number % len(turns)]
            acknowledged.append(_ask(speaker, message))
            used = _used(where)
            published.append(_published_ms(where))
            if used != ports:
                raise rig.RigError("after '%s' packets left by %s, not %s" % (
                    message.strip(), sorted(used), sorted(ports)))
        found[kind] = {"published_ms": published,
                       "acknowledged_ms": acknowledged}
    return found


def worst(found, what):
    """(median, worst) of 'what' in measure()'s results of several runs."""
    all_ms = [ms for kinds in found for times in kinds.values()
              for ms in times[what]]
    return statistics.median(all_ms), max(all_ms)
