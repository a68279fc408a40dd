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
"""A guest attacks its router's FPM port: XF-07, XF-09.

For a minute random bytes, mutated captures and whole frames of nonsense; then a
speaker that asks for acknowledgements and never reads them, one that sends a
byte now and then, and 1,000 connections at once.  Meanwhile another router of
the same switch forwards: no packet is lost.  What was refused is counted and
shown, few turns of the main thread were long, the memory is bounded, and a good
speaker afterwards finds everything as it should be.  Of another router nothing
changes, and its listener can't be reached.
"""

import importlib.machinery
import importlib.util
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import time

import direct
import harness
from harness import check, say
from lab import measure, switch, system

NAME = "t-fpm-attack"
SECONDS = 60
PACKETS_PER_S = 1000
MAX_GROWTH_KB = 30000
# Share of the main thread's turns that may take over 10 ms: on a busy machine a
# few do without any attack.
MAX_LONG_TURNS = 0.001
TOPOLOGY = """
[switch s1]
[segment a0]
switch = s1
vlan = 5
[segment b0]
switch = s1
vlan = 15
[segment b1]
switch = s1
vlan = 20
[router vr1]
kind = bare
xenflow = yes
eth0 = a0 10.1.0.1/24 fd00:1::1/64
[router vr2]
kind = bare
xenflow = yes
eth0 = b0 10.2.0.1/24
eth1 = b1 10.2.1.1/24
[edge e0]
eth0 = b0 10.2.0.2/24
gateway = 10.2.0.1
[edge t0]
eth0 = b1 10.2.1.2/24
gateway = 10.2.1.1
"""


def captures():
    """Frames that speakers really send: the fuzzers' seeds."""
    path = os.path.join(harness.TOP, "tests/fuzz/seeds")
    loader = importlib.machinery.SourceFileLoader("seeds", path)
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("seeds", loader))
    loader.exec_module(module)
    return module.wire(module.at_files())


def mutate(chance, data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        kind = chance.random()
        if kind < 0.6:
            data[at] = chance.getrandbits(8)
        elif kind < 0.8:
            del data[at:at + chance.randint(1, 8)]
        else:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        if not data:
            return b"\1"
    if chance.random() < 0.7 and len(data) >= 4:
        # Past the frame's header, to what is in it.
        data[:4] = struct.pack("!BBH", 1, 1, len(data) & 0xffff)
    return bytes(data)


def volley(chance, frames):
    """What one connection sends."""
    kind = chance.random()
    if kind < 0.2:
        return chance.randbytes(chance.randint(1, 3000))
    if kind < 0.3:
        body = chance.randbytes(chance.randint(0, 2000))
        return struct.pack("!BBH", 1, 1, 4 + len(body)) + body
    return b"".join(mutate(chance, chance.choice(frames))
                    for _ in range(chance.randint(1, 30)))


def connect(address):
    s = socket.create_connection(address, timeout=5)
    # No TIME_WAIT: ports must last.
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return s


def bombard(chance, address, seconds):
    """Returns (connections, bytes)."""
    frames, n, n_bytes = captures(), 0, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = volley(chance, frames)
        with connect(address) as s:
            try:
                s.sendall(data)
                if chance.random() < 0.5:
                    s.shutdown(socket.SHUT_WR)
                    s.recv(65536)
            except OSError:
                pass            # It hung up on us.
        n += 1
        n_bytes += len(data)
        time.sleep(0.002)
    return n, n_bytes


def route(number):
    """A route that asks for an acknowledgement."""
    attrs = struct.pack("<HH4B", 8, 1, 30, number >> 8 & 255, number & 255, 0)
    rtm = struct.pack("<BBBBBBBBI", 2, 24, 0, 0, 254, 11, 0, 6, 0)
    body = struct.pack("<IHHII", 28 + len(attrs), 24, 0x505, number, 1) \
        + rtm + attrs
    return struct.pack("!BBH", 1, 1, 4 + len(body)) + body


def never_read(address, seconds):
    """Asks and doesn't listen; returns how long it was borne."""
    begin = time.monotonic()
    with connect(address) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(1)
        number = 0
        while time.monotonic() < begin + seconds:
            try:
                s.sendall(b"".join(route(number + i) for i in range(500)))
                number += 500
            except socket.timeout:
                pass
            except OSError:
                return time.monotonic() - begin
    return None


def drip(address, seconds):
    """A byte now and then, of a frame that never ends."""
    with connect(address) as s:
        s.sendall(struct.pack("!BBH", 1, 1, 65535))
        for _ in range(int(seconds * 10)):
            s.sendall(b"\0")
            time.sleep(0.1)


def throng(address, n):
    """'n' connections at once, each with a byte."""
    sockets = []
    for _ in range(n):
        sockets.append(connect(address))
        sockets[-1].send(b"\1")
    time.sleep(1)
    for s in sockets:
        s.close()


def is_reached(address):
    """Whether somebody at 'address' talks to us."""
    try:
        connect(address).close()
        return True
    except OSError:
        return False


def attack(seed, host, port, other):
    """In the guest: all of the above; prints what it did.  'other' is where the
    switch listens for another router."""
    chance = random.Random(seed)
    address = (host, port)
    print("bombard: %d connections, %d bytes"
          % bombard(chance, address, SECONDS), flush=True)
    stalled = never_read(address, 40)
    print("never-read: closed after %s s" % (stalled and round(stalled)),
          flush=True)
    drip(address, 3)
    throng(address, 1000)
    print("another router's listener: %s" % (
        "reached" if is_reached((other, port)) else "refused"), flush=True)
    print("done", flush=True)


def rss_kb(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def good_speaker(here, control, node):
    """One that behaves, after all this: all its routes, and no others."""
    with tempfile.NamedTemporaryFile("w", suffix=".routes") as f:
        for i in range(200):
            f.write("add 40.%d.0.0/16 blackhole\n" % i)
        f.write("done\n")
        f.flush()
        done = subprocess.run(
            [os.path.join(here.build, "tests/test-xf-speaker"), "--ack",
             "%s:%d" % (node.management(1).ip, switch.FPM_PORT), f.name],
            capture_output=True, text=True, check=False, timeout=60,
            preexec_fn=lambda: system.enter(here.netns("vr1")))
        say("good speaker: %s%s", done.stdout.strip(), done.stderr.strip())
        check(not done.returncode and "refused=0" in done.stdout,
              "the good speaker failed")
    rows = control.json("xenflow/rule-list", "vr1", "all", "limit=1000000")
    prefixes = {r["prefix"] for r in rows if r["source"] == "speaker"
                and "stale" not in r["flags"]}
    check(prefixes == {"40.%d.0.0/16" % i for i in range(200)},
          "%d routes after all, not the 200 of the good speaker",
          len(prefixes))


def under_attack(here, node, seed):
    """Runs the attack under traffic; returns the traffic's counts."""
    me = os.path.realpath(__file__)
    other = str(here.node("vr2").management(1).ip)
    system.run(["ip", "route", "add", other, "via",
                str(node.management(1).ip)], netns=here.netns("vr1"))
    flow = measure.Flow(here, "e0", "t0", "10.2.1.2", PACKETS_PER_S,
                        end=("--seconds=1000",))
    with subprocess.Popen(
            [sys.executable, me, "--attack", str(seed),
             str(node.management(1).ip), str(switch.FPM_PORT), other],
            stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: system.enter(here.netns("vr1"))) as child:
        said = child.stdout.read()
    say("%s", said.strip())
    result = flow.halt()
    check(child.returncode == 0 and "done" in said, "the attack failed")
    check("never-read: closed after None" not in said,
          "who never reads is borne for ever")
    check("another router's listener: refused" in said,
          "a guest talks for another router")
    return result


def objects(control, router):
    """What the switch knows of a router that doesn't change by itself."""
    rows = control.json("xenflow/rule-list", router, "all", "limit=1000000")
    return ([row["prefix"] for row in rows],
            control.json("xenflow/config-list", router),
            control.json("xenflow/speaker-list", router))


def check_other(here, control, was):
    """Nothing of vr2 changed, and it reaches its own listener."""
    now = objects(control, "vr2")
    check(now == was, "vr2 was %s, is %s", was, now)
    with system.Inside(here.netns("vr2")):
        check(is_reached((str(here.node("vr2").management(1).ip),
                          switch.FPM_PORT)), "nobody listens for vr2")


def pid_of_switch(here):
    return next(pid for name, pid, alive in here.processes()
                if alive and name.endswith("/ovs-vswitchd"))


def test():
    harness.need_programs("ethtool")
    seed = random.randrange(1 << 32)
    say("seed %d", seed)
    with direct.Up(NAME, TOPOLOGY) as here:
        control = harness.Control(here.switches["s1"])
        node, pid = here.node("vr1"), pid_of_switch(here)
        measure.run(here, "e0", "t0", "10.2.1.2", 100, end=("--seconds=2",))
        stats = control.json("xenflow/stats-show")
        engine, before = stats["engine"], rss_kb(pid)
        other = objects(control, "vr2")
        with measure.priority(here):
            result = under_attack(here, node, seed)
        check_other(here, control, other)
        good_speaker(here, control, node)
        growth = rss_kb(pid) - before
        later = control.json("xenflow/stats-show")["engine"]
        turns = later["main_turns"] - engine["main_turns"]
        long_turns = later["main_long_turns"] - engine["main_long_turns"]
        speaker = control.json("xenflow/speaker-list", "vr1")[0]
        say("traffic: %s", {k: result[k] for k in ("sent", "lost",
                                                   "softnet_drops")})
        say("refused: %s, rejected %d, %d of %d turns long, %d kB "
            "more", speaker["refused"], speaker["rejected"], long_turns,
            turns, growth)
        check(result["lost"] <= result["softnet_drops"], "%d packets lost",
              result["lost"])
        check(long_turns <= turns * MAX_LONG_TURNS,
              "%d of %d turns of the main thread were long", long_turns, turns)
        check(sum(speaker["refused"].values()) > 1000
              and len(speaker["refused"]) >= 5, "refusals aren't counted")
        check(growth < MAX_GROWTH_KB, "%d kB more memory", growth)
        harness.check_alive(here)
        control.close()
    return ("%d packets, %d lost; %d refusals of %d kinds; %d kB more"
            % (result["sent"], result["lost"],
               sum(speaker["refused"].values()), len(speaker["refused"]),
               growth))


if sys.argv[1:2] == ["--attack"]:
    attack(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5])
else:
    harness.main(test)
