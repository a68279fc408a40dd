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
"""Rule table, forwarding and the kernel agree.

50,000 random routes (nested, default, ECMP, blackhole, unreachable, IPv4 and
IPv6) go into the kernel of a router by "ip -batch", and through the wire
into the rule table.  For 10,000 random destinations the kernel's "ip route
get", xenflow/route-lookup and a real packet must say the same; with ECMP each
must be one of the route's next hops.  Also: what the main loop of the switch
spends while the routes load (at most 10 ms of CPU in one turn).
"""

import ipaddress
import os
import random
import re
import subprocess
import tempfile

import direct
import harness
import routes
from harness import check, say
from lab import measure, switch

NAME = "t-fib"
N_V4, N_V6, N_DESTINATIONS = 35000, 15000, 10000
RATE = 2000
BARE = "kind = bare"


def load_kernel(here, table):
    lines = [routes.for_kernel(*item) for item in table.items()]
    here.run("vr1", ["ip", "-batch", "-"], "\n".join(lines))


def load_switch(here, table, path):
    """Sends 'table' through the wire; returns the speaker, which holds the
    connection."""
    with open(path, "w", encoding="ascii") as f:
        f.write("".join(routes.for_speaker(*item) + "\n"
                        for item in table.items()))
    netns = here.netns("vr1")
    speaker = subprocess.Popen(
        [os.path.join(here.build, "tests/test-xf-speaker"), "--ack=100",
         "--hold", "%s:%d" % (here.node("vr1").management(1).ip,
                              switch.FPM_PORT), path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: harness.system.enter(netns))
    line = speaker.stdout.readline()
    check("refused=0" in line, "the speaker says: %s", line)
    say("through the wire: %s", line.strip())
    return speaker


def main_loop(control, pid):
    """(turns, CPU in ns) of the main thread so far."""
    with open("/proc/%d/task/%d/schedstat" % (pid, pid),
              encoding="ascii") as f:
        cpu_ns = int(f.read().split()[0])
    return control.json("xenflow/stats-show")["engine"], cpu_ns


def kernel_hops(here, destinations):
    """{destination: (gateway, interface)} that "ip route get" gives; what it
    refuses is missing."""
    data = "".join("route get %s\n" % d for d in destinations)
    output = here.run("vr1", ["ip", "-o", "-force", "-batch", "-"], data,
                      check=False)
    found = {}
    for line in output.splitlines():
        match = re.match(r"(?:unicast )?(\S+) (?:from :: )?via (\S+) "
                         r"dev (\S+)", line)
        if match:
            found[ipaddress.ip_address(match.group(1))] = match.groups()[1:]
    return found


def hop_set(version, hops):
    return {(g.addresses[version], g.dev) for g, _ in hops}


def check_lookup(control, destination, expected, kernel):
    """One destination in kernel and rule table, against 'expected', the
    oracle's (prefix, hops)."""
    prefix, hops = expected
    reply = control.json("xenflow/route-lookup", "vr1", destination)
    where = "%s (%s, seed above): kernel %s, rule table %s" % (
        destination, prefix, kernel, reply)
    check(ipaddress.ip_network(reply["prefix"]) == prefix,
          "wrong prefix for %s", where)
    if isinstance(hops, str):
        check(kernel is None, "kernel forwards %s", where)
        check(reply["verdict"] == ("drop" if hops == "blackhole"
                                   else "punt"), "wrong verdict: %s", where)
        return
    wanted = hop_set(destination.version, hops)
    mine = {(h["via"], h["dev"]) for h in reply.get("nexthops", [])}
    check(reply["verdict"] == "forward", "not forwarded: %s", where)
    check(mine == wanted or len(wanted) == 1, "wrong next hops: %s", where)
    check((reply["nexthop"], reply["interface"]) in wanted,
          "wrong next hop: %s", where)
    check(kernel in wanted, "the kernel disagrees: %s", where)


def send_all(here, destinations, scratch):
    """One packet to each; returns {number: {(port, MAC)}} where it was
    seen."""
    path, log = os.path.join(scratch, "to"), os.path.join(scratch, "seen")
    with open(path, "w", encoding="ascii") as f:
        f.write("".join("%s\n" % d for d in destinations))
    watch = measure.Tool(here, "s1", "watch", "--list=" + log,
                         *routes.SINKS, *routes.TAPS)
    sent = measure.Tool(here, "e0", "send", "--rate=%d" % RATE, "--count=%d"
                        % len(destinations), "--to-file=" + path).result()
    check(sent["sent"] == len(destinations), "sent only %s", sent)
    harness.time.sleep(1)
    result = watch.stop()
    check(not any(i["rig_drops"] for i in result["interfaces"].values()),
          "the rig lost packets: %s", result)
    seen = {}
    with open(log, encoding="ascii") as f:
        for line in f:
            port, way, _, number, _, mac, _, _ = line.split()
            if way == "out":
                seen.setdefault(int(number), set()).add((port, mac))
    return seen


def check_packet(number, destination, expected, seen):
    hops = expected[1]
    where = "packet %d to %s (%s) was seen at %s" % (
        number, destination, expected[0], sorted(seen))
    sinks = {s for s in seen if s[0] in routes.SINKS}
    if isinstance(hops, str):
        check(not sinks, "forwarded by a %s route: %s", hops, where)
        return
    check(len(seen) == 1, "not exactly one copy: %s", where)
    check(sinks <= {(g.sink, g.mac) for g, _ in hops} and sinks,
          "wrong way: %s", where)


def test():
    harness.need_programs("ethtool")
    seed = random.randrange(1 << 32)
    say("seed %d", seed)
    chance = random.Random(seed)
    with direct.Up(NAME, routes.TOPOLOGY % BARE) as here, \
            tempfile.TemporaryDirectory() as scratch:
        control = harness.Control(here.switches["s1"])
        gateways = routes.gateways(here.node("vr1"))
        routes.introduce(control, "vr1", gateways)
        table = routes.random_table(chance, N_V4, N_V6, gateways)
        load_kernel(here, table)
        pid = next(p for n, p, _ in here.processes()
                   if n == "s1/ovs-vswitchd")
        before, before_ns = main_loop(control, pid)
        speaker = load_switch(here, table, os.path.join(scratch, "routes"))
        control.call("xenflow/router-sync", "vr1")
        after, after_ns = main_loop(control, pid)
        turns = after["main_turns"] - before["main_turns"]
        long = after["main_long_turns"] - before["main_long_turns"]
        say("main loop while %d routes loaded: %d turns, %.0f us of CPU in "
            "all of them together, %d turns over 10 ms (longest since the "
            "switch began: %d us)", len(table), turns,
            (after_ns - before_ns) / 1000, long, after["main_longest_us"])
        check(long == 0, "%d turns took more than 10 ms", long)
        destinations = routes.random_destinations(chance, table,
                                                  N_DESTINATIONS)
        oracle = routes.Oracle(table)
        expected = [oracle.lookup(d) for d in destinations]
        kernel = kernel_hops(here, destinations)
        for destination, route in zip(destinations, expected):
            check_lookup(control, destination, route,
                         kernel.get(destination))
        harness.wait("ping the router", lambda: " 0% packet loss" in here.run(
            "e0", ["ping", "-c", "1", "-W", "1", "10.0.0.1"], check=False))
        here.run("e0", ["ping", "-c", "1", "-W", "1", "fd00::1"])
        seen = send_all(here, destinations, scratch)
        for number, destination in enumerate(destinations):
            check_packet(number, destination, expected[number],
                         seen.get(number, set()))
        harness.check_alive(here)
        speaker.kill()
        control.close()
    n_ecmp = sum(not isinstance(h, str) and len(h) > 1 for _, h in expected)
    n_none = sum(isinstance(h, str) for _, h in expected)
    return ("%d routes; %d destinations (%d by ECMP, %d blackhole or "
            "unreachable): kernel, table and packets agree" % (
                len(table), len(destinations), n_ecmp, n_none))


harness.main(test)
