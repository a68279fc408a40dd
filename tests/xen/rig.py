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
"""Two emulated Xen hosts on one machine, and edge hosts beside them.

    edge "a" -- eth1 [x1] eth2 ---- eth2 [x2] eth1 -- edge "b"

x1 and x2 are QEMUs (TCG) that run Xen with a Debian dom0 (dom0.py) and what
was built; edges are network namespaces.  Commands go over eth0.  All is in
network namespaces of the lab's naming, so what is left by a run that was
killed is found and removed by the next one (lab/system.py).
"""

import os
import shutil
import signal
import subprocess
import time

import dom0
from lab import switch, system, vm

LAB = "check-xen"
QEMU = "qemu-system-x86_64"
# SMAP kills a paravirtualized dom0; without nested paging Debian's Xen runs no
# PVH domain.
CPU = "qemu64,+npt"
# What guards a real processor's secrets empties the emulated one's caches at
# each system call.
XEN_ARGS = "spec-ctrl=no xpti=no"
LINUX_ARGS = "mitigations=off"
DOM0_MB, HOST_MB = 1024, 2048
READY_S = 180
COMMAND_S = 240
PROGRAMS = ["ovsdb/ovsdb-server", "ovsdb/ovsdb-tool", "ovsdb/ovsdb-client",
            "utilities/ovs-appctl", "utilities/ovs-ofctl",
            "utilities/ovs-vsctl", "utilities/xenflow-hostd",
            "utilities/xfctl", "vswitchd/ovs-vswitchd"]
SCHEMAS = ["vswitchd/vswitch.ovsschema", "xenflow-ext/xenflow.ovsschema"]


def namespace(name):
    return system.netns_path(LAB, name)


def ip(name, *lines):
    """Runs lines of ip(8) in a namespace."""
    system.run(["ip", "-batch", "-"], netns=namespace(name),
               data="\n".join(lines) + "\n")


def remove_all():
    """Ends what is in our namespaces and removes them."""
    paths = system.namespaces(LAB)
    system.kill_all(lambda: system.pids_inside(paths), 2)
    for path in paths:
        system.run(["ip", "netns", "delete", os.path.basename(path)])


def make_payload(build, image, path):
    """Makes the disk with what is tested."""
    folder = path + ".new"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("bin", "share", "images/default"):
        os.makedirs(os.path.join(folder, name))
    for name in PROGRAMS:
        target = os.path.join(folder, "bin", os.path.basename(name))
        dom0.run("strip", "-o", target, os.path.join(build, name))
    source = switch.source_of(build)
    for name in SCHEMAS:
        shutil.copy(os.path.join(source, name),
                    os.path.join(folder, "share"))
    for name in ("vmlinux", "initramfs.gz"):
        shutil.copy(os.path.join(image, name),
                    os.path.join(folder, "images/default"))
    dom0.make_disk(folder, path, 8)
    shutil.rmtree(folder)


class Host:
    """An emulated Xen host."""

    def __init__(self, number, folder):
        self.name = "x%d" % number
        self.number = number
        self.folder = folder
        self.address = "10.255.0.%d" % number
        self.serial = os.path.join(folder, self.name + "-serial.log")
        self.process = None

    def start(self, payload):
        files = [os.path.join(self.folder, n) for n in (
            "xen", "vmlinuz", "initrd.gz", "dom0.ext4")]
        command = [
            QEMU, "-name", self.name, "-accel", "tcg", "-cpu", CPU,
            "-m", str(HOST_MB), "-smp", "1", "-nodefaults", "-display",
            "none", "-no-reboot", "-kernel", files[0],
            "-append", "console=com1 com1=115200,8n1 dom0_mem=%dM,max:%dM "
            "bootscrub=0 noreboot %s" % (DOM0_MB, DOM0_MB, XEN_ARGS),
            "-initrd", "%s console=hvc0 quiet %s xf.name=%s xf.address=%s/24,%s"
            % (files[1], LINUX_ARGS, self.name, self.address, files[2]),
            "-drive", "file=%s,if=virtio,format=raw,snapshot=on" % files[3],
            "-drive", "file=%s,if=virtio,format=raw,readonly=on" % payload,
            "-serial", "file:" + self.serial]
        for card in range(3):
            command += [
                "-netdev", "tap,id=n%d,ifname=%s,script=no,downscript=no"
                % (card, self.tap(card)), "-device",
                "virtio-net-pci,netdev=n%d,mac=52:54:00:ff:%02x:%02x,romfile="
                % (card, self.number, card)]
        with open(os.path.join(self.folder, self.name + "-qemu.log"),
                  "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                preexec_fn=lambda: system.enter(namespace("hosts")))

    def tap(self, card):
        return "%s-eth%d" % (self.name, card)

    def run(self, text, data=b"", check=True):
        """Runs a shell command in dom0; returns its output."""
        code, output = vm.command_at(
            namespace("hosts"), self.address,
            "PATH=/xf/bin:/usr/lib/xen-4.17/bin:$PATH; " + text, data,
            COMMAND_S)
        output = output.decode("utf-8", "replace")
        if check and code:
            raise AssertionError("%s: '%s' failed (%d): %s" % (
                self.name, text[:200], code, output.strip()[-1500:]))
        return output

    def write(self, path, text):
        self.run("cat >'%s'" % path, text.encode())

    def guest(self, address, text):
        """Runs a shell command in the virtual router with 'address'; returns
        its output, or "" if that can't be reached."""
        output = self.run(
            "{ base64 -w0; echo; } | busybox nc -w 20 %s 2323 | "
            "tr '\\000' '\\n'" % address, text.encode(), check=False)
        return output.rpartition("\nexit ")[0]

    def wait_ready(self):
        deadline = time.monotonic() + READY_S
        while True:
            if self.process.poll() is not None:
                raise dom0.RigError("host %s ended: see %s" % (
                    self.name, self.serial))
            try:
                self.run("true")
                return
            except OSError as e:
                if time.monotonic() > deadline:
                    raise dom0.RigError("host %s isn't ready after %d s (%s):"
                                        " see %s" % (self.name, READY_S, e,
                                                     self.serial)) from None
            time.sleep(0.5)


class Rig:
    """with Rig(...) as rig: rig.hosts, rig.edge()"""

    def __init__(self, folder, payload):
        self.hosts = [Host(1, folder), Host(2, folder)]
        self.payload = payload

    def __enter__(self):
        remove_all()
        try:
            self._network()
            for host in self.hosts:
                host.start(self.payload)
            for host in self.hosts:
                host.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        remove_all()
        for host in self.hosts:
            if host.process:
                host.process.wait()

    def _network(self):
        for name in ("hosts", "a", "b"):
            system.run(["ip", "netns", "add",
                        os.path.basename(namespace(name))])
            ip(name, "link set lo up")
        lines = []
        for bridge in ("mgmt", "edge-a", "edge-b", "cable"):
            lines += ["link add %s type bridge" % bridge,
                      "link set %s up" % bridge]
        x1, x2 = self.hosts
        for host, edge in ((x1, "a"), (x2, "b")):
            for card, bridge in enumerate(("mgmt", "edge-" + edge, "cable")):
                tap = host.tap(card)
                lines += ["tuntap add dev %s mode tap" % tap,
                          "link set %s master %s txqueuelen 10000 up"
                          % (tap, bridge)]
            lines += ["link add to-%s type veth peer name eth0 netns %s"
                      % (edge, os.path.basename(namespace(edge))),
                      "link set to-%s master edge-%s up" % (edge, edge)]
        # A bridge keeps frames that measure a cable to itself, and those for an
        # address it saw on the same side; a cable doesn't.
        lines.append("link set cable type bridge group_fwd_mask 0x4000")
        lines += ["link set %s type bridge_slave learning off" % host.tap(2)
                  for host in self.hosts]
        lines.append("address add 10.255.0.254/24 dev mgmt")
        ip("hosts", *lines)
        for number, edge in ((1, "a"), (2, "b")):
            ip(edge, "link set eth0 up",
               "address add 10.0.%d.2/24 dev eth0" % number,
               "route add default via 10.0.%d.1" % number)

    @staticmethod
    def edge(name, *command):
        """Runs a command on an edge host; returns its output."""
        return system.run(list(command), netns=namespace(name), check=False)
