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
"""Random packets through translation flow, translation fib and a reference:
what leaves, and by which port, is the same byte by byte.

XF_RANDOM_PACKETS says how many (default 100,000), XF_RANDOM_SEED which.
Each packet has a 5-tuple of its own; random_frames.py says what headers
they have, random_net.py what there is to route by.  A chunk of packets goes
through both switches and is over when everything that the reference says
has left them; what then leaves later is found with the next one.  At the
end the counters of both routers must say what the reference says:
forwarded, blackholed, and punted by reason.
"""

import collections
import multiprocessing
import os
import random
import time

import forwarder
import harness
import random_frames
import random_net
import tap_rig
from harness import check, say

NAME, TRANSLATIONS = "t-random", ("flow", "fib")
CHUNK = 2000
PATIENCE_S, REST_S, PROGRESS_S = 60, 0.5, 10
SHOWN = 10


class Work:
    """Makes chunks, in processes of its own."""

    def __init__(self, seed, n):
        net = random_net.Net(seed)
        self.frames = random_frames.Frames(net, seed)
        self.reference = forwarder.Forwarder(net)
        self.n = n

    def chunk(self, first):
        """[(port, frame, oddities, Result)]"""
        return [(port, frame, odd, self.reference.take(port, frame))
                for port, frame, odd in self.frames.make(
                    first, min(CHUNK, self.n - first))]


def start_work(*args):
    start_work.it = Work(*args)


def chunk(first):
    return start_work.it.chunk(first)


def chunks(seed, n):
    """All chunks, some of them made ahead."""
    processes = max(1, (os.cpu_count() or 1) - 1)
    with multiprocessing.Pool(processes, start_work, (seed, n)) as pool:
        ahead = collections.deque()
        for first in range(0, n, CHUNK):
            ahead.append(pool.apply_async(chunk, (first,)))
            if len(ahead) > 2 * processes:
                yield ahead.popleft().get()
        while ahead:
            yield ahead.popleft().get()


class Tally:
    """What came of all packets."""

    def __init__(self):
        self.fates = collections.Counter()
        self.oddities = collections.Counter()
        self.both = collections.Counter()
        self.left = collections.Counter()

    def add(self, odd, result):
        fate = result.fate if not result.reason else "%s (%s)" % (
            result.fate, result.reason)
        self.fates[fate] += 1
        for what in odd:
            self.oddities[what] += 1
            self.both[what, result.fate] += 1
        for port, _ in result.out:
            self.left[port] += 1

    def show(self):
        fates = (forwarder.FORWARDED, forwarder.PUNTED, forwarder.DROPPED,
                 forwarder.SWITCHED)
        say("%-24s %9s %9s %9s %9s %9s", "oddity", "packets", *fates)
        for what, n in sorted(self.oddities.items()):
            say("%-24s %9d %9d %9d %9d %9d", what, n,
                *(self.both[what, f] for f in fates))
        for what, n in sorted(self.fates.items()):
            say("%-34s %9d", what, n)
        say("frames that left: %s", ", ".join(
            "%s %d" % item for item in sorted(self.left.items())))


def exchange(rig, rows):
    """Sends frames; returns what left too much and too little: {half:
    Counter}."""
    due = collections.Counter(
        (port, frame) for row in rows for port, frame in row[3].out)
    missing = {half: due.copy() for half in rig.halves}
    n_missing = dict.fromkeys(rig.halves, sum(due.values()))
    extra = {half: collections.Counter() for half in rig.halves}
    for port, frame, _, _ in rows:
        for half in rig.halves:
            os.write(half.taps[port].fd, frame)
    while any(n_missing.values()):
        found = rig.receive(PATIENCE_S)
        if not found:
            break
        for half, port, frame in found:
            if missing[half][port, frame] > 0:
                missing[half][port, frame] -= 1
                n_missing[half] -= 1
            elif not random_net.is_question(frame, rig.net):
                extra[half][port, frame] += 1
    return extra, {h: +c for h, c in missing.items()}


def explain(rows, half, what, frames):
    """Prints some of the 'frames' that differ, and which they were."""
    for (port, frame), n in list(frames.items())[:SHOWN]:
        say("%s: %s %s (%d): %s", half.translation, what, port, n,
            frame[:100].hex(" "))
    for in_port, frame, odd, result in rows:
        if any(out in frames for out in result.out):
            say("  came by %s, %s: %s; %s %s", in_port, ", ".join(odd),
                frame[:100].hex(" "), result.fate, result.reason or "")


def check_counters(half, tally):
    """Each packet counted as what it was."""
    shown = half.stats()
    counted = {"punted (%s)" % row["reason"]: row["packets"]
               for row in shown["punts"]}
    counted["forwarded"] = shown["forwarded_packets"]
    limited = sum(row["limited"] for row in shown["punts"])
    check(not limited, "%s: %d punts were limited", half.translation, limited)
    wrong = ["%s %d instead of %d" % (what, n, tally.fates[what])
             for what, n in counted.items() if n != tally.fates[what]]
    check(not wrong, "%s counted %s", half.translation, ", ".join(wrong))


def run(rig, seed, n, tally):
    """Sends 'n' packets; returns how many frames differed."""
    n_differences, done, shown_at = 0, 0, time.monotonic()
    for rows in chunks(seed, n):
        for _, _, odd, result in rows:
            tally.add(odd, result)
        extra, missing = exchange(rig, rows)
        for half in rig.halves:
            explain(rows, half, "left, but shouldn't", extra[half])
            explain(rows, half, "should have left", missing[half])
            n_differences += sum(extra[half].values()) + sum(
                missing[half].values())
        check(n_differences < SHOWN, "%d differences", n_differences)
        done += len(rows)
        if time.monotonic() - shown_at > PROGRESS_S:
            shown_at = time.monotonic()
            say("%d of %d packets, %d differences", done, n, n_differences)
    late = [x for x in rig.receive(REST_S)
            if not random_net.is_question(x[2], rig.net)]
    check(not late, "%d frames more left", len(late))
    return n_differences


def test():
    n = int(os.environ.get("XF_RANDOM_PACKETS", "100000"))
    seed = int(os.environ.get("XF_RANDOM_SEED", random.randrange(1 << 30)))
    say("seed %d, %d packets", seed, n)
    tally = Tally()
    with tap_rig.Rig(NAME, random_net.Net(seed), TRANSLATIONS) as rig:
        n_differences = run(rig, seed, n, tally)
        tally.show()
        rig.check_end()
        check(not n_differences, "%d differences", n_differences)
        for half in rig.halves:
            check_counters(half, tally)
    return ("%d packets: %d forwarded, %d punted, %d dropped, %d switched: "
            "flow, fib and the reference agree, 0 differences" % (
                n, tally.fates["forwarded"], sum(
                    m for f, m in tally.fates.items() if f[0] == "p"),
                tally.fates["dropped"], tally.fates["switched"]))


if __name__ == "__main__":
    harness.main(test)
