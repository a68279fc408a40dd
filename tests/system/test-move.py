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
"""A machine of QEMU moves between two hosts, with the rows of a migration written
by hand: ten times to and fro, then with xenflow-hostd killed on either side
before the steps that matter.  It is the same machine at the end: its kernel has
not started anew, a program in it still counts, it answers; and one host has it.

XF-54, XF-73, XF-76, VN-46."""

import statistics
import time

import harness
from harness import check, say, wait
from lab import lab, system, vm

NAME = "t-move"
MOVES = 10
TOPOLOGY = """
[host s1]
[host s2]
[link t12]
ends = s1 s2
"""
ROWS = ["segment-add", "lan1", "vlan=10", "--", "router-add", "r1", "host=s1",
        "backend=qemu", "routing=static", "separated=false", "--", "if-add",
        "r1", "eth1", "segment=lan1", "mac=52:54:00:00:00:01",
        "address=10.1.0.1/24"]
# (step, host that is held before it, host whose xenflow-hostd is killed there):
# where the machine goes on.
KILLS = {("send", "from", "from"): "to", ("halt", "from", "to"): "from",
         ("give", "from", "from"): "to", ("give", "from", "to"): "from",
         ("received", "to", "to"): "from", ("yours", "from", "from"): "to",
         ("yours", "from", "to"): "to", ("take", "to", "to"): "to",
         ("runs", "to", "to"): "to", ("forget", "from", "from"): "to"}


class Unmanaged(lab.Lab):
    """Hosts without managers: the test is the coordinator."""

    def _add_manager(self, host):
        pass


class Up(harness.Up):
    kind = Unmanaged


class Migration:
    """Of r1; the test is its coordinator."""

    def __init__(self, here, source, target):
        self.here, self.source, self.target = here, source, target
        self.uuids = {key: self.db("get", *words, "_uuid").strip()
                      for key, words in (("r", ("Router", "r1")),
                                         (source, ("Host", source)),
                                         (target, ("Host", target)))}
        self.id = self.db(
            "--", "--id=@m", "create", "Migration", "name=r1",
            "router=" + self.uuids["r"], "source=" + self.uuids[source],
            "destination=" + self.uuids[target], "technique=native",
            "stage=prewire", "coordinator=test", "--", "set", "Router", "r1",
            "migration=@m", "destination=" + self.uuids[target]).split()[0]

    def db(self, *words):
        return self.here.database.xfctl(*words)

    def stage(self, name, *words):
        self.db("set", "Migration", self.id, "stage=" + name, *words)

    def said(self, host, column="stage"):
        return self.db("--bare", "--columns=" + column, "find",
                       "Migration_State", "migration=" + self.id,
                       "host=" + host).strip()

    def wait(self, host, stage, seconds=60):
        wait("%s of %s" % (stage, host),
             lambda: self.said(host) == stage, seconds)

    def finish(self):
        """From moving to done; returns ms of suspension and kB sent."""
        self.stage("flipping", "--", "set", "Router", "r1",
                   "host=" + self.uuids[self.target],
                   "destination=" + self.uuids[self.source])
        self.wait(self.source, "moving")
        figures = [self.said(self.target, column)
                   for column in ("suspended_ms", "memory_kb")]
        self.stage("draining")
        self.db("set", "Router", "r1", "destination=[]")
        wait("the end of Router_State", lambda: not self.db(
            "--bare", "find", "Router_State", "host=" + self.source))
        self.stage("done", "--", "set", "Router", "r1", "migration=[]")
        return figures

    def undo(self):
        self.stage("undoing")
        for host in (self.source, self.target):
            self.wait(host, "undone")
        self.db("set", "Router", "r1", "destination=[]")
        self.stage("undone", "--", "set", "Router", "r1", "migration=[]")


def ask(here, text):
    """Runs a shell command in the machine; its output, or ""."""
    for host in here.switches.values():
        if host.machine_pid("r1"):
            try:
                return vm.Machine(host, "r1").command(text, timeout_s=5)[
                    1].decode()
            except OSError:
                pass
    return ""


def boot_id(here):
    return ask(here, "cat /proc/sys/kernel/random/boot_id").strip()


def count(here):
    """Seconds that a program in the machine has counted."""
    text = ask(here, "cat /tmp/count").strip()
    return int(text) if text.isdigit() else -1


def is_alive(here, boot, before):
    """It answers, is the same, and its program goes on."""
    wait("an answer", lambda: boot_id(here) == boot, 30)
    wait("that it counts on", lambda: count(here) > before, 30)


def where(here):
    return [name for name, host in here.switches.items()
            if host.machine_pid("r1")]


def hostd(here, name, *words):
    return here.switches[name].appctl("-t", "xenflow-hostd", *words)


def move(here, source, target):
    """Returns what Migration.finish() does, and s in all."""
    begin = time.monotonic()
    migration = Migration(here, source, target)
    migration.wait(target, "prewire")
    migration.stage("moving")
    migration.wait(target, "moving")
    figures = migration.finish()
    check(where(here) == [target], "it runs on %s", where(here))
    return figures + [time.monotonic() - begin]


def attempt(here, source, target, step, held, killed):
    """Kills a hostd when the move is held; returns where it goes on."""
    host = {"from": source, "to": target}
    hostd(here, host[held], "move/hold", step)
    migration = Migration(here, source, target)
    migration.wait(target, "prewire")
    migration.stage("moving")
    wait("the hold before " + step, lambda: "held before " + step in hostd(
        here, host[held], "join/show"))
    here.switches[host[killed]].kill("xenflow-hostd")
    check(len(where(here)) <= 2, "it is on %s", where(here))
    here.switches[host[killed]].start("xenflow-hostd")
    hostd(here, host[held], "move/hold")
    wait("an outcome", lambda: migration.said(target) == "moving"
         or migration.said(source, "error"), 60)
    if migration.said(target) == "moving":
        migration.finish()
        return "to"
    migration.undo()
    return "from"


def bring_up(here):
    for host in here.switches.values():
        host.kill("xenflow-hostd")      # Its moves can be held with this:
        host.commands["xenflow-hostd"].append("--enable-dummy")
        host.start("xenflow-hostd")
    here.database.xfctl(*ROWS)
    boot = wait("the machine", lambda: boot_id(here), 120)
    ask(here, "(n=0; while :; do n=$((n + 1)); echo $n >/tmp/count; sleep 1; "
              "done) >/dev/null 2>&1 </dev/null &")
    wait("that it counts", lambda: count(here) > 0)
    return boot


def kill_all(here, boot):
    """Returns the number of kills; each has the outcome that KILLS says."""
    for (step, held, killed), outcome in KILLS.items():
        source = where(here)[0]
        target = "s2" if source == "s1" else "s1"
        before = count(here)
        now = attempt(here, source, target, step, held, killed)
        say("%-8s hostd of %s killed: goes on at %s", step,
            "the source" if killed == "from" else "the destination",
            "the source" if now == "from" else "the destination")
        check(now == outcome, "%s, %s killed: %s", step, killed, now)
        check(len(where(here)) == 1, "it runs on %s", where(here))
        is_alive(here, boot, before)
    return len(KILLS)


def test():
    harness.need_image()
    with Up(NAME, TOPOLOGY) as here:
        try:
            boot = bring_up(here)
            ends = ["s1", "s2"]
            suspended, sizes, times = [], [], []
            for _ in range(MOVES):
                before = count(here)
                ms, kb, s = move(here, *ends)
                is_alive(here, boot, before)
                suspended.append(int(ms))
                sizes.append(int(kb))
                times.append(s)
                ends.reverse()
            say("suspended ms: %s", " ".join(map(str, suspended)))
            say("kB sent: %s", " ".join(map(str, sizes)))
            n = kill_all(here, boot)
            last = where(here)[0]
            here.database.xfctl("router-del", "r1")
            wait("its end", lambda: not where(here))
        except BaseException:
            for host in here.switches.values():
                print(system.run(["tail", "-n", "60",
                                  host.path("xenflow-hostd.log")]))
            raise
    return ("%d moves, suspended %d ms (median), %d at most, %.1f s in all; "
            "killed %d, at last on %s" % (
                MOVES, statistics.median(suspended), max(suspended),
                statistics.median(times), n, last))


harness.main(test)
