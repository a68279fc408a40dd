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
"""Switches whose ports are taps that the test itself holds.

What: with Rig(name, net, translations) as rig: for each translation a
switch in a namespace of its own, with a bridge and a router; tables, MACs
and VLANs are the same.  Frames written to a tap arrive at the switch's
port; what the switch sends there is read from it, byte by byte as it left.
The kernel's packet sockets lie in between, so packets come in batches, as
from a NIC.

No packet is lost by the rig: those who send limit what is on its way, the
queues are longer, and check_drops() looks at their counters.
"""

import fcntl
import os
import select
import struct
import subprocess

import direct
import harness
import random_net
from harness import check
from lab import switch, system

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
MTU, QUEUE = 9200, 20000
SPEAKER = os.path.join(harness.BUILD, "tests/test-xf-speaker")
TARGET = "127.0.0.1:%d" % switch.FPM_PORT
ROUTER = "vr1"


def mac_text(mac):
    return ":".join("%02x" % b for b in mac)


class Tap:
    def __init__(self, name):
        self.name = name
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack(
            "16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))


class Half:
    """The switch for one translation."""

    def __init__(self, translation, host):
        self.translation, self.host = translation, host
        self.control = harness.Control(host)
        self.taps = {}                  # {name of the port: Tap}
        self.speaker = None

    def close(self):
        if self.speaker:
            self.speaker.kill()
            self.speaker.communicate()
        for tap in self.taps.values():
            os.close(tap.fd)
        self.control.close()

    # ---- Set up. ----

    def make_taps(self, ports):
        commands = ["link set lo up"]
        with system.Inside(self.host.netns):
            with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w",
                      encoding="ascii") as f:
                f.write("1")            # The kernel sends nothing of its own.
            for port in ports:
                self.taps[port] = Tap(port)
                commands.append("link set dev %s mtu %d txqueuelen %d up" % (
                    port, MTU, QUEUE))
        system.run(["ip", "-batch", "-"], netns=self.host.netns,
                   data="\n".join(commands) + "\n")

    def make_bridge(self, net):
        command = []
        for port in net.ports.values():
            command += ["--", "add-port", switch.BRIDGE, port.name]
            command += ["tag=%d" % port.vlan] if port.vlan is not None else []
            command += (["trunks=%s" % ",".join(map(str, port.trunks))]
                        if port.trunks else [])
        self.host.vsctl(*command, "--", "add-port", switch.BRIDGE, ROUTER,
                        "--", "set", "interface", ROUTER, "type=xenflow")
        for (vlan, mac), port in net.macs.items():
            self.control.call("fdb/add", switch.BRIDGE, port, vlan,
                              mac_text(mac))

    def make_router(self, net):
        call = self.control.call
        call("xenflow/router-add", ROUTER, "punt-rate=0", "stale=3600",
             "translation=" + self.translation, "ecmp-seed=%d" % net.seed,
             "listen=" + TARGET)
        for i in net.interfaces.values():
            more = ["vif=" + i.vif] if i.vif else []
            call("xenflow/port-add", ROUTER, i.name, "vlan=%d" % i.vlan,
                 "mac=" + mac_text(i.mac), "mtu=%d" % i.mtu,
                 "ifindex=%d" % i.number, "up=%s" % str(i.up).lower(),
                 "address=%s/24,%s/64" % tuple(
                     random_net.text(f, random_net.address_of(f, i, 1))
                     for f in (4, 6)), *more)
        for (name, address), mac in net.neighbors.items():
            call("xenflow/neigh-add", ROUTER, name, random_net.text(
                6 if address >> 32 else 4, address), mac_text(mac))

    def speak(self, lines):
        """Has a speaker state 'lines' to the router; it stays."""
        path = os.path.join(self.host.folder, "routes")
        with open(path, "w", encoding="ascii") as f:
            f.writelines(lines)
        self.speaker = subprocess.Popen(
            [SPEAKER, "--ack=100", "--hold", TARGET, path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: system.enter(self.host.netns))
        line = self.speaker.stdout.readline()
        check("refused=0" in line, "the speaker says: %s", line)
        self.control.call("xenflow/router-sync", ROUTER)

    # ---- Counters. ----

    def stats(self):
        return self.control.json("xenflow/stats-show", ROUTER)

    def check_drops(self):
        """Nothing was lost by taps that weren't read."""
        with system.Inside(self.host.netns):
            with open("/proc/net/dev", encoding="ascii") as f:
                rows = [line.replace(":", " ").split() for line in f
                        if ":" in line]
        lost = {r[0]: r[12] for r in rows
                if r[0] in self.taps and r[12] != "0"}
        check(not lost, "the rig lost packets on their way out: %s", lost)


class Rig:
    def __init__(self, name, net, translations):
        self.net, self.translations = net, translations
        self.up = direct.Up(name, "".join(
            "[switch %s]\n" % t for t in translations))
        self.here = None
        self.halves = []
        self.poll = select.poll()
        self.of_fd = {}                 # {fd: (half, port)}

    def __enter__(self):
        self.here = self.up.__enter__()
        try:
            for t in self.translations:
                half = Half(t, self.here.switches[t])
                self.halves.append(half)
                half.make_taps(self.net.ports)
                half.make_bridge(self.net)
                half.make_router(self.net)
                if self.net.stated:
                    half.speak(self.net.speaker_lines())
                for name, tap in half.taps.items():
                    self.of_fd[tap.fd] = half, name
                    self.poll.register(tap.fd, select.POLLIN)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for half in self.halves:
            half.close()
        self.up.__exit__()

    def receive(self, timeout_s):
        """Waits for frames; returns [(half, port, frame)], none if none came
        in time."""
        found = []
        for fd, _ in self.poll.poll(timeout_s * 1000):
            half, port = self.of_fd[fd]
            try:
                while True:
                    found.append((half, port, os.read(fd, 65536)))
            except BlockingIOError:
                pass
        return found

    def check_end(self):
        """All is well with the switches and the rig."""
        harness.check_alive(self.here)
        for half in self.halves:
            half.check_drops()
