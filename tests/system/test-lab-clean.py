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
"""The lab leaves nothing behind: after down, and after being killed at any
point of up."""

import os
import random
import signal
import subprocess
import tempfile
import time

import harness
from harness import check, say

NAME = "t-clean"
# Kinds of everything, without a VM: it would only wait longer.
TOPOLOGY = """
[lab]
name = t-clean
supervise = yes
[switch s1]
[switch s2]
[trunk t]
ends = s1 s2
[segment lan1]
switch = s1
vlan = 10
[segment cable]
[router n1]
eth0 = lan1 10.0.1.2/24
eth1 = cable 192.168.1.1/24
ospf = eth0
[edge e1]
eth0 = cable 192.168.1.2/24
gateway = 192.168.1.1
"""
N_KILLS = 12


def processes():
    """Command lines that have to do with this lab."""
    found = []
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    line = f.read().replace(b"\0", b" ").decode(
                        errors="replace")
            except OSError:
                continue
            if "/%s/" % NAME in line or ".%s." % NAME in line:
                found.append(line)
    return found


def machine():
    """What of the machine a lab could change."""
    values = {}
    if [n for n in harness.lab.labs() if n != NAME]:
        return values           # Another lab has its own wishes.
    for path in harness.system.HOST_TUNING:
        with open(path, encoding="ascii") as f:
            values[path] = f.read().strip()
    try:
        values["crash logs"] = sorted(os.listdir("/var/tmp/frr"))
    except FileNotFoundError:
        values["crash logs"] = []
    return values


def check_gone(when, before):
    check(NAME not in harness.lab.labs(), "%s: lab is still listed", when)
    check(not harness.system.namespaces(NAME), "%s: namespaces left", when)
    check(not processes(), "%s: processes left: %s", when, processes())
    check(not os.path.exists(os.path.join(harness.system.RUN, NAME)),
          "%s: folder left", when)
    with open("/proc/mounts", encoding="utf-8") as f:
        check(NAME not in f.read(), "%s: mounts left", when)
    after = machine()
    if after and before:
        check(after == before, "%s: the machine was %s and is %s", when,
              before, after)


def lab_command(*args, run=subprocess.run):
    return run([harness.LAB, *args], stdout=subprocess.PIPE,
               stderr=subprocess.STDOUT, text=True)


def test():
    harness.need_programs("/usr/lib/frr/zebra", "ethtool")
    before = machine()
    seed = random.randrange(1 << 32)
    say("seed %d", seed)
    chance = random.Random(seed)
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as f:
        f.write(TOPOLOGY)
        f.flush()
        up = ["up", f.name, "--build", harness.BUILD]
        try:
            begin = time.monotonic()
            done = lab_command(*up)
            whole = time.monotonic() - begin
            check(done.returncode == 0, "up failed: %s", done.stdout)
            check(lab_command(*up).returncode != 0, "a second up succeeded")
            check(lab_command("--lab", NAME, "status").returncode == 0,
                  "no status")
            lab_command("down", NAME)
            check_gone("after down", before)
            for number in range(N_KILLS):
                after = chance.uniform(0, whole)
                child = lab_command(*up, run=subprocess.Popen)
                time.sleep(after)
                child.send_signal(signal.SIGKILL)
                child.communicate()
                done = lab_command("down", NAME)
                check(done.returncode == 0, "down failed: %s", done.stdout)
                check_gone("killed after %.3f s" % after, before)
                say("%d: killed after %.3f s: nothing left", number, after)
        finally:
            lab_command("down", NAME)
    return "up took %.1f s; killed %d times in it, nothing left" % (
        whole, N_KILLS)


harness.main(test)
