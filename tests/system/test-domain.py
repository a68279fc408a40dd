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
"""A router's virtual machine through its life with xenflow-hostd.

Create, start, ends of all kinds, suspend and restore, a killed xenflow-hostd,
stop, destroy; the machine is asked by its command server each time.
"""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
from harness import check, say, wait
from lab import system

TAPS = ["xfd-t-mgmt", "xfd-t-eth1"]
MACS = ["52:54:00:fd:00:01", "52:54:00:fd:00:02"]
HOST, GUEST, PORT = "169.254.99.1", "169.254.99.2", 2323
NETWORK = """hostname vr1
mac %s mgmt
address mgmt %s/24
mac %s eth1
address eth1 10.1.1.1/24
""" % (MACS[0], GUEST, MACS[1])


class Hostd:
    """The daemon, with its files in 'folder'."""

    def __init__(self, folder):
        self.folder = folder
        self.domains = os.path.join(folder, "domains")
        self.env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder,
                        OVS_DBDIR=folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        subprocess.run([
            os.path.join(harness.BUILD, "utilities/xenflow-hostd"),
            "--domains=" + self.domains, "--detach", "--no-chdir",
            "--pidfile", "--log-file", "--unixctl=" + self.path("ctl"),
            "-vconsole:off"], env=self.env, check=True,
            stderr=subprocess.DEVNULL)

    def pid(self):
        with open(self.path("xenflow-hostd.pid"), encoding="ascii") as f:
            return int(f.read())

    def call(self, *words):
        done = subprocess.run(
            [os.path.join(harness.BUILD, "utilities/ovs-appctl"), "-T", "60",
             "-t", self.path("ctl"), *words], env=self.env,
            capture_output=True, text=True, check=False)
        check(done.returncode == 0, "%s: %s", " ".join(words), done.stderr)
        return done.stdout

    def show(self):
        return json.loads(self.call("domain/show", "--json", "vr1"))

    def do(self, operation, state, error=None):
        """Carries 'operation' out, which must lead to 'state'."""
        begin = time.monotonic()
        self.call("domain/" + operation, "vr1")
        wait(operation, lambda: self.show()["operation"] == "none")
        now = self.show()
        check(now["state"] == state and (error or "") in now.get("error", "")
              and bool(error) == ("error" in now),
              "after %s: %s, not %s", operation, now, state)
        say("%s: %s after %.2f s%s", operation, state,
            time.monotonic() - begin, ", as it should: "
            + now["error"] if error else "")
        return now

    def wait_state(self, state, reason):
        wait("state " + state, lambda: self.show()["state"] == state)
        check(reason in self.show().get("reason", ""),
              "reason of '%s': %s", state, self.show())


def ask(text):
    """Runs a shell command in the guest; returns its output."""
    with socket.create_connection((GUEST, PORT), timeout=5) as s:
        s.sendall(base64.b64encode(text.encode()) + b"\n")
        s.shutdown(socket.SHUT_WR)
        output = b""
        while True:
            part = s.recv(65536)
            if not part:
                return output.partition(b"\0exit ")[0].decode()
            output += part


def answers(text="echo yes", expected="yes\n"):
    try:
        return ask(text) == expected
    except OSError:
        return False


def configuration(image):
    return {"name": "vr1", "image": image, "memory": 128, "stop-timeout": 1,
            "nics": [{"mac": m, "tap": t} for m, t in zip(MACS, TAPS)],
            "files": [{"path": "etc/xenflow/network", "content": NETWORK},
                      {"path": "root/own", "content": "my own\n"}]}


def tell_and_forget(text):
    """A command to which no answer will come."""
    try:
        ask(text)
    except OSError:
        pass


def boot(hostd):
    hostd.do("start", "running")
    subprocess.run(["ip", "address", "replace", HOST + "/24", "dev", TAPS[0]],
                   check=True)
    wait("an answer of the guest", answers)


def check_ends(hostd):
    """Ends of the machine that nobody asked xenflow-hostd for."""
    tell_and_forget("poweroff -f")
    hostd.wait_state("stopped", "shut itself down")
    boot(hostd)
    os.kill(hostd.show()["pid"], signal.SIGKILL)
    hostd.wait_state("crashed", "signal 9")
    boot(hostd)
    tell_and_forget("echo c >/proc/sysrq-trigger")
    hostd.wait_state("crashed", "panics")
    boot(hostd)
    check(hostd.show()["crashes"] == 2, "crashes: %s", hostd.show())


def check_suspend(hostd):
    ask("echo kept >/tmp/mark")
    pid = hostd.show()["pid"]
    hostd.do("suspend", "suspended")
    check(system.process_start(pid) is None, "QEMU is still there")
    check(not answers(), "a suspended guest answers")
    hostd.do("restore", "running")
    wait("an answer after restore",
         lambda: answers("cat /tmp/mark", "kept\n"))
    # No room for its memory: the machine goes on as before.
    os.mkdir(os.path.join(hostd.domains, "vr1/memory.new"))
    hostd.do("suspend", "running", error="memory can't be saved")
    os.rmdir(os.path.join(hostd.domains, "vr1/memory.new"))
    wait("an answer after a failed suspend",
         lambda: answers("cat /tmp/mark", "kept\n"))


def kill_hostd(hostd):
    os.kill(hostd.pid(), signal.SIGKILL)


def check_adoption(hostd):
    """A killed xenflow-hostd, and a machine that died meanwhile."""
    pid = hostd.show()["pid"]
    kill_hostd(hostd)
    check(answers("cat /tmp/mark", "kept\n"), "no answer without hostd")
    hostd.start()
    wait("adoption", lambda: hostd.show()["state"] == "running")
    check(hostd.show()["pid"] == pid, "another process: %s", hostd.show())
    hostd.do("suspend", "suspended")
    kill_hostd(hostd)
    hostd.start()
    hostd.do("restore", "running")
    wait("an answer", lambda: answers("cat /tmp/mark", "kept\n"))
    # In the middle of operations, wherever that is.
    for operation, delay_s in (("suspend", 0), ("suspend", 0.05),
                               ("suspend", 0.2), ("restore", 0.1)):
        if hostd.show()["state"] == "suspended" and operation == "suspend":
            hostd.do("restore", "running")
        elif hostd.show()["state"] == "running" and operation == "restore":
            hostd.do("suspend", "suspended")
        hostd.call("domain/" + operation, "vr1")
        time.sleep(delay_s)
        kill_hostd(hostd)
        hostd.start()
        wait("adoption", lambda: hostd.show()["operation"] == "none")
        state = hostd.show()["state"]
        say("killed %.2f s after %s: adopted %s", delay_s, operation, state)
        check(state in ("running", "paused", "suspended"), "%s: %s",
              operation, hostd.show())
        if state == "paused":
            hostd.do("start", "running")
        elif state == "suspended":
            hostd.do("restore", "running")
        wait("an answer", lambda: answers("cat /tmp/mark", "kept\n"))
    pid = hostd.show()["pid"]
    kill_hostd(hostd)
    os.kill(pid, signal.SIGKILL)
    wait("the end of QEMU", lambda: system.process_start(pid) is None)
    hostd.start()
    hostd.wait_state("crashed", "while no xenflow-hostd")


def check_end(hostd):
    boot(hostd)
    hostd.do("restart", "running")
    wait("an answer after restart", answers)
    check(not answers("cat /tmp/mark", "kept\n"), "it didn't start anew")
    # A QEMU that says nothing any more: asked, told, killed.
    pid = hostd.show()["pid"]
    os.kill(pid, signal.SIGSTOP)
    hostd.do("stop", "stopped")
    check(system.process_start(pid) is None, "QEMU is still there")
    hostd.do("start", "running")
    pid = hostd.show()["pid"]
    hostd.call("domain/destroy", "vr1")
    wait("the end of all", lambda: not hostd.call("domain/list"))
    check(system.process_start(pid) is None, "QEMU is still there")
    check(not os.listdir(hostd.domains), "left: %s",
          os.listdir(hostd.domains))
    for tap in TAPS:
        check(not os.path.exists("/sys/class/net/" + tap), "tap %s is left",
              tap)


def check_refusals(hostd):
    """What QEMU or the host refuses is said."""
    subprocess.run(["ip", "link", "add", TAPS[0], "type", "bridge"],
                   check=True)
    hostd.do("start", "stopped", error="an interface of that name")
    subprocess.run(["ip", "link", "delete", TAPS[0]], check=True)
    path = os.path.join(hostd.domains, "vr1/process")
    check(not os.path.exists(path), "%s is there", path)


def life(folder):
    image = os.path.join(folder, "image")
    os.symlink(harness.IMAGE, image)
    hostd = Hostd(folder)
    with open(hostd.path("vr1.json"), "w", encoding="ascii") as f:
        json.dump(configuration(image), f)
    hostd.start()
    try:
        hostd.call("domain/create", hostd.path("vr1.json"))
        check_refusals(hostd)
        boot(hostd)
        check(ask("hostname; cat /root/own") == "vr1\nmy own\n",
              "the guest isn't what was asked for")
        check_ends(hostd)
        check_suspend(hostd)
        check_adoption(hostd)
        check_end(hostd)
    except BaseException:
        with open(hostd.path("xenflow-hostd.log"), encoding="utf-8") as f:
            print("".join(f.readlines()[-40:]))
        raise
    finally:
        if os.path.exists(os.path.join(hostd.domains, "vr1")):
            subprocess.run([os.path.join(harness.BUILD, "utilities/ovs-appctl"),
                            "-t", hostd.path("ctl"), "domain/destroy", "vr1"],
                           check=False)
            time.sleep(1)
        hostd.call("exit")


def test():
    harness.need_image()
    # A namespace of its own: its taps go with it.
    system.LIBC.unshare(system.CLONE_NEWNET)
    folder = tempfile.mkdtemp(prefix="xf-domain-")
    try:
        life(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return "one machine through all states, nothing left"


harness.main(test)
