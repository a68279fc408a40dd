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
"""Virtual links as parts of a cable's bandwidth (XF-52).

Two links go by one cable of 20 Mbit/s, and both are sent 18 Mbit/s.  Whichever
has been promised 15 gets that, the other one what is left; alone it gets all
that it is sent.  Then one moves to other cables: its queue is there, and gone
here, and each gets all.
"""

import harness
from harness import check, say, wait
from lab import measure

NAME = "t-linkbw"
TOPOLOGY = harness.RING + """\
[segment l1]
switch = s1
vlan = none
[segment l2]
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
[router a2]
kind = bare
switch = s1
xenflow = yes
separated = no
eth0 = l2 10.2.0.1/24
[router b2]
kind = bare
switch = s2
xenflow = yes
separated = no
eth0 = l2 10.2.0.2/24
"""
CABLE_BPS, PROMISED_BPS = 20_000_000, 15_000_000
SIZE, RATE, SECONDS = 1000, 2250, 5
# What HTB counts of a packet beyond its IP bytes: Ethernet and a tag.
OVERHEAD = 18
TOLERANCE = 0.15
FLOWS = {"l1": ("a1", "b1", "10.1.0.2"), "l2": ("a2", "b2", "10.2.0.2")}
SENT_BPS = RATE * 8 * (SIZE + OVERHEAD)


def rates(here, *links):
    """Bits per second out of each link, all sent at the same time."""
    flows = [measure.Flow(here, *FLOWS[link], RATE, "--size=%d" % SIZE,
                          end=("--seconds=%d" % SECONDS,), port=7100 + i)
             for i, link in enumerate(links)]
    found = []
    for flow in flows:
        counts = flow.finish()
        # From the first packet to the last.
        seconds = counts["sent"] / counts["sent_pps"]
        check(counts["sent_pps"] > RATE * 0.9, "sent only %d/s",
              counts["sent_pps"])
        found.append(counts["received"] * 8 * (SIZE + OVERHEAD) / seconds)
    say("%s: %s Mbit/s", ", ".join(links),
        ", ".join("%.2f" % (rate / 1e6) for rate in found))
    return found


def check_shares(here, winner, other):
    got, rest = rates(here, winner, other)
    check(got > PROMISED_BPS * (1 - TOLERANCE), "%s: %.2f Mbit/s", winner,
          got / 1e6)
    check(rest > (CABLE_BPS - PROMISED_BPS) * 0.5, "%s starves: %.2f Mbit/s",
          other, rest / 1e6)
    # What waits in the cable's queues at the end comes, too.
    check(got + rest < CABLE_BPS * 1.15, "more than the cable carries: %.2f",
          (got + rest) / 1e6)
    check(got > 1.5 * rest, "%.2f to %.2f", got / 1e6, rest / 1e6)
    return got


def check_all(found):
    for rate in found:
        check(rate > SENT_BPS * (1 - TOLERANCE), "%.2f of %.2f Mbit/s",
              rate / 1e6, SENT_BPS / 1e6)


def queues(here, host, port):
    """{number: minimum} of the queues of a port."""
    show = here.switches[host].vsctl
    qos = show("get", "port", port, "qos").strip()
    if qos == "[]":
        return {}
    rows = dict(pair.split("=") for pair in show(
        "get", "qos", qos, "queues").strip(" {}\n").split(", "))
    return {int(key): int(show("get", "queue", row,
                               "other_config:min-rate").strip().strip('"'))
            for key, row in rows.items()}


def classes(here, host, port):
    """How many classes the kernel has at a port, but the root's."""
    return here.run(host, ["tc", "class", "show", "dev", port]).count(
        " parent 1:fffe ")


def test():
    harness.need_programs("tc")
    with harness.LinkUp(NAME, TOPOLOGY) as here:
        for link, (node, _, to) in FLOWS.items():
            wait("a way through " + link, lambda n=node, t=to: "1 received"
                 in here.run(n, ["ping", "-c1", "-W1", t], check=False))
        check(not queues(here, "s1", "to-s2"), "queues of nobody")
        check_all(rates(here, "l1", "l2"))

        here.xfctl(*("trunk-set t12 bandwidth={0} -- trunk-set t13 "
                     "bandwidth={0} -- trunk-set t23 bandwidth={0} -- "
                     "link-set l1 bandwidth={1}".format(
                         CABLE_BPS, PROMISED_BPS).split()))
        check(sorted(queues(here, "s1", "to-s2").values()) == [
            CABLE_BPS - PROMISED_BPS, PROMISED_BPS], "s1: %s",
              queues(here, "s1", "to-s2"))
        wait("classes of the kernel's",
             lambda: classes(here, "s1", "to-s2") == 2)
        shares = [check_shares(here, "l1", "l2")]
        check_all(rates(here, "l2"))
        here.xfctl("link-set", "l1", "bandwidth=0", "--", "link-set", "l2",
                   "bandwidth=%d" % PROMISED_BPS)
        shares.append(check_shares(here, "l2", "l1"))

        here.xfctl("link-set", "l2", "policy=pinned", "path=t13 t23")
        here.xfctl("link-plan", "l2")
        found = {port: queues(here, "s1", port)
                 for port in ("to-s2", "to-s3")}
        check([len(found[port]) for port in ("to-s2", "to-s3")] == [1, 2],
              "queues: %s", found)
        check(len(queues(here, "s3", "to-s2")) == 2, "no queue in transit")
        wait("the kernel's classes, too", lambda: [
            classes(here, "s1", port) for port in ("to-s2", "to-s3")]
             == [1, 2])
        wait("a way through l2", lambda: "1 received" in here.run(
            "a2", ["ping", "-c1", "-W1", "10.2.0.2"], check=False))
        check_all(rates(here, "l1", "l2"))
        here.xfctl("link-set", "l2", "bandwidth=0")
        check(not any(queues(here, host, port) for host, port in (
            ("s1", "to-s2"), ("s1", "to-s3"), ("s3", "to-s2"))),
              "queues of nobody are left")
        harness.check_alive(here)
    return "%s of %.1f Mbit/s promised in a cable of %.1f" % (
        " and ".join("%.1f" % (share / 1e6) for share in shares),
        PROMISED_BPS / 1e6, CABLE_BPS / 1e6)


harness.main(test)
