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
"""Measurements in a lab: numbered traffic, who saw it, how much goes through.

Uses xenflow-traffic at the lab's nodes.  Nothing here judges: results are
dictionaries of what was counted.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess

from lab import system

READY_S = 10
# So long a silence means that nothing is on its way any more.
DRAIN_MS = 400
# Weight of the rig on the CPUs while rates are measured, as of nice(1).
PRIORITY = -10
MAX_LOSS = 0.001                # Of a rate that counts as carried.
TRIAL_S, FULL_S = 1, 5          # A first look, and the measurement.
STEP_UP, STEP_DOWN = 1.5, 0.9
BISECTIONS = 3
MIN_RATE, MAX_RATE = 500, 2_000_000
PORT = 7777                     # xenflow-traffic's.
STREAMS = itertools.count(1)


class Tool:
    """One running xenflow-traffic at a node."""

    def __init__(self, lab, node, *args):
        def prepare():
            system.LIBC.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)
            system.enter(lab.netns(node))

        program = os.path.join(lab.build, "utilities/xenflow-traffic")
        try:
            self.child = subprocess.Popen(
                [program, *map(str, args)], stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, preexec_fn=prepare)
        except FileNotFoundError:
            raise system.LabError("'%s' is missing: run './boot.sh build'"
                                  % program) from None
        if args[0] != "send":
            line = self.child.stdout.readline()
            if line != "ready\n":
                self.result()

    def result(self):
        """Waits for the end; returns what it printed."""
        out, err = self.child.communicate()
        if self.child.returncode:
            raise system.LabError("xenflow-traffic failed: " + err.strip())
        return json.loads(out)

    def stop(self):
        """Ends it; returns what it counted."""
        self.child.send_signal(signal.SIGTERM)
        return self.result()


def softnet_drops():
    """Packets the kernel dropped on the way between two interfaces of the
    rig (whole machine)."""
    with open("/proc/net/softnet_stat", encoding="ascii") as f:
        return sum(int(line.split()[1], 16) for line in f)


class Flow:
    """Numbered traffic from one node to addresses of another, in the
    background: start, do something, finish()."""

    def __init__(self, lab, source, target, to, rate, *options, watch=None,
                 end=("--seconds=%d" % FULL_S,), port=PORT, drain_ms=DRAIN_MS):
        """'watch': {node: [interfaces]} whose packets are counted too; 'end':
        when the sender stops; 'drain_ms': what came nowhere for so long is
        lost."""
        # A late packet of another flow isn't one of this.
        stream = ["--stream=%d" % next(STREAMS), "--port=%d" % port]
        self.drops = softnet_drops()
        self.watches = {node: Tool(lab, node, "watch", *stream, *names)
                        for node, names in (watch or {}).items()}
        self.receiver = Tool(lab, target, "receive", *stream,
                             "--drain=%d" % drain_ms)
        addresses = [to] if isinstance(to, str) else list(to)
        self.sender = Tool(lab, source, "send", *stream, "--rate=%d" % rate,
                           *end, *options, *addresses)

    def finish(self):
        """Waits for the sender, then for stragglers; returns the counts."""
        sent = self.sender.result()
        result = self.receiver.stop()
        lost = sent["sent"] - result["received"]
        result.update(sent=sent["sent"], sent_pps=sent["rate_pps"],
                      lost=lost, loss=lost / max(1, sent["sent"]),
                      softnet_drops=softnet_drops() - self.drops,
                      watched={node: tool.stop()["interfaces"]
                               for node, tool in self.watches.items()})
        return result

    def halt(self):
        """Ends the sender early; returns the counts."""
        self.sender.child.send_signal(signal.SIGTERM)
        return self.finish()


def run(*args, **kwargs):
    """A Flow from begin to end."""
    return Flow(*args, **kwargs).finish()


def seen(result, node, direction="out"):
    """Packets seen on all watched interfaces of 'node'."""
    return sum(i[direction] for i in result["watched"][node].values())


def _weigh(pid, nice):
    """Gives process 'pid', and its session where the kernel weighs sessions
    ("autogroup"), the weight 'nice'."""
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            os.setpriority(os.PRIO_PROCESS, int(task), nice)
        with open("/proc/%d/autogroup" % pid, "w", encoding="ascii") as f:
            f.write(str(nice))
    except OSError:
        pass                    # Then other work shows in the figures.


@contextlib.contextmanager
def priority(lab):
    """Keeps other work on this machine out of the figures, as far as can be:
    the lab's switches and virtual machines and the tools weigh more."""
    pids = [pid for name, pid, alive in lab.processes()
            if alive and name.endswith(("/ovs-vswitchd", "/qemu"))]
    for pid in pids + [os.getpid()]:
        _weigh(pid, PRIORITY)
    try:
        yield
    finally:
        for pid in pids + [os.getpid()]:
            _weigh(pid, 0)


def highest_rate(lab, source, target, to, start, say=lambda text: None):
    """The highest rate at which at most MAX_LOSS is lost in FULL_S seconds.

    Short trials: up in steps until one loses, then bisection; then trials of
    full length, downwards until one doesn't lose.  Returns (rate in packets/s
    as it was sent, result of that run)."""
    def trial(rate, seconds):
        result = run(lab, source, target, to, rate, "--sources=8",
                     end=("--seconds=%d" % seconds,))
        say("%7d packets/s for %d s: %.3f %% lost"
            % (result["sent_pps"], seconds, 100 * result["loss"]))
        return result

    good, bad = MIN_RATE, None
    rate = start
    while rate < MAX_RATE and not bad:
        result = trial(rate, TRIAL_S)
        if result["loss"] > MAX_LOSS:
            bad = rate
        else:
            good = result["sent_pps"]
            if good < 0.8 * rate:
                bad = rate              # More can't be sent here.
            rate *= STEP_UP
    for _ in range(BISECTIONS):
        rate = (good + bad) / 2
        result = trial(rate, TRIAL_S)
        if result["loss"] > MAX_LOSS:
            bad = rate
        else:
            good = rate
    rate = good
    while rate >= MIN_RATE:
        result = trial(rate, FULL_S)
        if result["loss"] <= MAX_LOSS:
            return result["sent_pps"], result
        rate *= STEP_DOWN
    return 0, None
