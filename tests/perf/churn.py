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
"""Route changes while packets flow.

What: a change gives a random prefix of the table another next hop: the other
of two gateways of its segment, so that packets leave by the port they left by.
Routers get their changes from a second speaker, which takes over the first
one's routes; the naive rows from ovs-ofctl, many to a call.

How many changes arrived is counted, not assumed: by the switch, of frames of
the speaker, or of calls of ovs-ofctl that ended."""

import os
import random
import subprocess
import threading

import packets
import prefixes
import rig

RATE = 10000                    # Changes per second.
SPEAKER = "tests/test-xf-speaker"
HOST = "127.0.0.1"
BATCH = 1000                     # Flows per call of ovs-ofctl.
LATE_S = 20                      # Most that changes may take longer.


class Changes:
    """Random changes of a row's table."""

    def __init__(self, cache, row):
        self.row = row
        self.table = cache.table(row.family, row.n)
        self.chance = random.Random("changes %d %d" % (row.n, cache.seed))
        self.turned = bytearray(row.n)  # Which of the gateways each has.

    def take(self, n):
        """The next 'n': (prefix, length, segment, number of the gateway).
        None says what was so already."""
        for _ in range(n):
            index = int(self.chance.random() * len(self.table))
            address, length = self.table[index]
            self.turned[index] ^= 1
            yield (prefixes.text(self.row.family, address), length,
                   packets.egress_of(index, self.row.n_egress),
                   packets.GATEWAYS[self.turned[index]])


class ToSpeaker:
    """The next of 'changes' for a router, for so many seconds."""

    def __init__(self, where, settings, changes, seconds):
        self.where, self.settings = where, settings
        self.seconds = seconds
        self.path = os.path.join(where.folder, "changes")
        with open(self.path, "w", encoding="ascii") as f:
            for prefix, length, segment, number in changes.take(
                    int(RATE * seconds)):
                f.write("add %s/%d via %s dev %d replace\n" % (
                    prefix, length, packets.gateway_address(
                        changes.row.family, segment, number), 1 + segment))
        self.speaker = None

    def start(self):
        self.speaker = subprocess.Popen(
            [os.path.join(self.settings.build, SPEAKER), "--rate=%d" % RATE,
             HOST, self.path], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True)

    def count(self):
        """Changes that arrived so far."""
        shown = self.where.control.json("xenflow/speaker-list", rig.ROUTER)
        if shown[0]["nacks"] or shown[0]["rejected"]:
            raise rig.RigError("changes were refused: %s" % shown[0])
        return shown[0]["frames"]

    def finish(self):
        """Waits until all are made."""
        try:
            said = self.speaker.communicate(timeout=self.seconds + LATE_S)[0]
        except subprocess.TimeoutExpired:
            raise rig.RigError("changes didn't end") from None
        if self.speaker.returncode:
            raise rig.RigError("the speaker of changes says: %s" % said)
        self.where.control.call("xenflow/router-sync", rig.ROUTER)

    def stop(self):
        self.speaker.kill()
        self.speaker.communicate()


class ToFlows:
    """The same as OpenFlow flows."""

    def __init__(self, where, _settings, changes, seconds):
        lines = [packets.flow_line(changes.row.family, prefix, length,
                                   segment, number)
                 for prefix, length, segment, number in changes.take(
                     int(RATE * seconds))]
        self.where = where
        self.batches = [lines[i:i + BATCH]
                        for i in range(0, len(lines), BATCH)]
        self.done = 0
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        path = os.path.join(self.where.folder, "changes")
        pause = BATCH / RATE
        for batch in self.batches:
            clock = threading.Timer(pause, lambda: None)
            clock.start()
            with open(path, "w", encoding="ascii") as f:
                f.writelines(batch)
            self.where.ofctl("add-flows", rig.BRIDGE, path)
            self.done += len(batch)
            clock.join()
            if self.ending.is_set():
                return

    def start(self):
        self.thread.start()

    def count(self):
        return self.done

    def finish(self):
        """Waits until the call under way has ended: it may never keep up."""
        self.stop()

    def stop(self):
        self.ending.set()
        self.thread.join()
