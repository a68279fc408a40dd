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
"""A router as a real virtual machine: QEMU, image of xenflow-image.

QEMU runs in the namespace of the switch host, on taps that are ports of the
switch.  The first network card is the management link, the same address and
MAC wherever the machine is; commands go over it (lab/guest-command).
"""

import base64
import os
import socket
import threading
import time

from lab import bird, cpio, frr, guestd, supervise, switch, system

QEMU = "qemu-system-x86_64"
COMMAND_PORT = 2323
READY_S = 90


def network_file(node, xenflow):
    """Text of /etc/xenflow/network, see lab/guest-init."""
    lines = ["hostname " + node.name]
    lines += ["sysctl %s %s" % item for item in frr.SYSCTLS.items()]
    lines.append("mac %s mgmt" % node.management_mac(2))
    lines.append("address mgmt %s" % node.management(2))
    for iface in node.ifaces:
        lines.append("mac %s %s" % (iface.mac, iface.name))
        lines.append("up " + iface.name)
        lines += ["address %s %s" % (iface.name, a) for a in iface.addresses]
    if node.routing == "frr":
        for name, args in frr.daemons(node, xenflow):
            lines.append(" ".join(["daemon", name, *args]))
    elif node.routing == "bird":
        lines.append("run " + bird.BIRD)
    else:
        lines += ["run ip " + line for line in node.config.splitlines()]
    if guestd.is_wanted(node, xenflow):
        lines.append("guestd " + " ".join(guestd.arguments(node)))
    return "\n".join(lines) + "\n"


def _send(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass                    # The receiving side reports it.


class Machine:
    """Virtual machine of router 'node'."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.netns = system.netns_path(lab.name, node.switch)
        self.folder = os.path.join(lab.folder_path, node.name)

    def _initrd(self, xenflow):
        """Writes image plus this machine's own archive; returns the path."""
        archive = cpio.Writer()
        archive.file("etc/xenflow/network", network_file(self.node, xenflow))
        if self.node.routing == "frr":
            archive.file("etc/frr/frr.conf",
                         frr.configuration(self.node, xenflow))
        elif self.node.routing == "bird":
            archive.file("etc/bird/bird.conf", bird.configuration(self.node))
        path = os.path.join(self.folder, "initrd")
        try:
            with open(os.path.join(self.lab.image, "initramfs.gz"),
                      "rb") as f:
                image = f.read()
        except FileNotFoundError:
            raise system.LabError(
                "no router image in '%s': run 'utilities/xenflow-image %s'"
                % (self.lab.image, self.lab.image)) from None
        with open(path, "wb") as f:
            f.write(image + b"\0" * (-len(image) % 4) + archive.finish())
        return path

    def start(self, xenflow):
        """Starts the machine; wait() tells when it's ready."""
        os.makedirs(self.folder, exist_ok=True)
        base = os.path.join(self.folder, "qemu")
        command = [
            QEMU, "-name", self.node.name, "-accel", self.node.accel,
            "-M", "q35", "-m", str(self.node.memory), "-nodefaults",
            "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", os.path.join(self.lab.image, "vmlinux"),
            "-initrd", self._initrd(xenflow),
            "-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on",
            "-serial", "file:%s/console.log" % self.folder,
            "-qmp", "unix:%s/qmp,server=on,wait=off" % self.folder,
            "-pidfile", base + ".pid", "-daemonize"]
        taps = [(self.node.management_tap, self.node.management_mac(2))]
        taps += [(i.port, i.mac) for i in self.node.ifaces]
        for number, (tap, mac) in enumerate(taps):
            command += [
                "-netdev", "tap,id=n%d,ifname=%s,script=no,downscript=no,"
                "vnet_hdr=off" % (number, tap),
                "-device", "virtio-net-pci,netdev=n%d,mac=%s,romfile="
                % (number, mac)]
        system.daemon(command, self.netns, base + ".out")
        supervise.register(self.lab.switches[self.node.switch].folder,
                           command, base, dict(os.environ))
        self.lab.record(base + ".pid")

    def tap_commands(self):
        """Batch lines for ip(8) in the switch's namespace."""
        taps = [self.node.management_tap] + [i.port for i in self.node.ifaces]
        for tap in taps:
            yield "tuntap add dev %s mode tap" % tap
            yield "link set %s txqueuelen %d up" % (tap,
                                                    switch.TAP_QUEUE_LENGTH)
        yield "address add %s dev %s" % (self.node.management(1), taps[0])

    def wait(self):
        """Waits until the machine answers a command."""
        deadline = time.monotonic() + READY_S
        pid_file = os.path.join(self.folder, "qemu.pid")
        while True:
            try:
                self.command("true", timeout_s=5)
                return
            except OSError as e:
                error = e
            try:
                with open(pid_file, encoding="ascii") as f:
                    alive = system.process_start(int(f.read())) is not None
            except FileNotFoundError:
                alive = False   # QEMU takes it away at its end.
            if not alive or time.monotonic() > deadline:
                raise system.LabError(
                    "router VM '%s' %s (%s); its console is in "
                    "%s/console.log" % (
                        self.node.name, "didn't answer within %d s" % READY_S
                        if alive else "ended", error, self.folder))
            time.sleep(0.1)

    def command(self, text, data=b"", timeout_s=120):
        """Runs shell command 'text' in the machine with 'data' (bytes) as
        input; returns (exit code, output in bytes).  Raises OSError."""
        with system.Inside(self.netns):
            s = socket.socket()
        with s:
            s.settimeout(timeout_s)
            s.connect((str(self.node.management(2).ip), COMMAND_PORT))
            sender = threading.Thread(target=_send, args=(
                s, base64.b64encode(text.encode()) + b"\n" + data))
            sender.start()      # Both ways at once: neither may stall.
            parts = []
            while True:
                part = s.recv(65536)
                if not part:
                    break
                parts.append(part)
            sender.join()
        output, mark, trailer = b"".join(parts).rpartition(b"\0exit ")
        if not mark or not trailer.strip().isdigit():
            raise ConnectionError("the connection ended before the command")
        return int(trailer), output
