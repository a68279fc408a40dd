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
"""Two routers' machines by rows of the database XenFlow alone.

One host: a switch, xenflow-hostd, both databases.  "xfctl import" makes two
machines whose OSPF becomes Full through the switch; one is killed and comes
back; suspend and resume; removal leaves no process, port, row or file.
"""

import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
from harness import check, say, wait
from lab import switch, system

NETWORK = """
[host s1]
[net demo]
[segment core]
vlan = 12
network = demo
[router r1]
network = demo
host = s1
backend = qemu
memory = 128
ospf-dead = 4
eth0 = core 10.12.0.1/24
ospf = eth0
[router r2]
network = demo
host = s1
backend = qemu
memory = 128
ospf-dead = 4
eth0 = core 10.12.0.2/24
ospf = eth0
"""


class Host:
    """Daemons and databases, with their files in 'folder'."""

    def __init__(self, folder):
        self.folder = folder
        self.env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder,
                        OVS_DBDIR=folder, XF_DB="unix:%s/x.sock" % folder,
                        PATH=switch.tools_path(harness.BUILD) + ":"
                        + os.environ["PATH"])
        self.daemons = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words, okay=True):
        done = subprocess.run(words, env=self.env, capture_output=True,
                              text=True, check=False, cwd=self.folder)
        check(done.returncode == 0 or not okay, "%s: %s", " ".join(words),
              done.stderr)
        return done.stdout

    def daemon(self, name, *words):
        self.run(*words, "--detach", "--no-chdir",
                 "--pidfile=" + self.path(name + ".pid"),
                 "--unixctl=" + self.path(name + ".ctl"),
                 "--log-file=" + self.path(name + ".log"), "-vconsole:off")
        self.daemons.append(name)

    def start(self):
        source = switch.source_of(harness.BUILD)
        for name, schema in (("x", "xenflow-ext/xenflow.ovsschema"),
                             ("db", "vswitchd/vswitch.ovsschema")):
            self.run("ovsdb-tool", "create", self.path(name + ".db"),
                     os.path.join(source, schema))
            self.daemon(name, "ovsdb-server", "--remote=punix:"
                        + self.path(name + ".sock"), self.path(name + ".db"))
        self.run("ovs-vsctl", "--no-wait", "init")
        self.daemon("switch", "ovs-vswitchd", "--disable-system-route",
                    "unix:" + self.path("db.sock"))
        self.daemon("hostd", "xenflow-hostd",
                    "--images=" + self.path("images"),
                    "--domains=" + self.path("domains"))
        self.run("xfctl", "init")
        self.run("ovs-vsctl", "--no-wait", "set", "open_vswitch", ".",
                 "external_ids:xenflow-remote=" + self.env["XF_DB"],
                 "external_ids:xenflow-host=s1")

    def stop(self):
        for name in reversed(self.daemons):
            with open(self.path(name + ".pid"), encoding="ascii") as f:
                pid = int(f.read())
            os.kill(pid, signal.SIGTERM)
            wait("the end of " + name,
                 lambda pid=pid: system.process_start(pid) is None)

    def settle(self):
        """Waits until hostd has carried out all there is."""
        number = str(int(self.run("xfctl", "get", "XF_Global", ".", "cfg"))
                     + 1)
        self.run("xfctl", "set", "XF_Global", ".", "cfg=" + number)
        wait("hostd's acknowledgement", lambda: self.run(
            "xfctl", "--bare", "--columns=cfg", "list",
            "Host_State").strip() == number)

    def state(self, router):
        uuid = self.run("xfctl", "get", "router", router, "_uuid").strip()
        return self.run("xfctl", "--bare", "--columns=state,restarts", "find",
                        "Router_State", "router=" + uuid).split()

    def ask(self, router, text):
        """Runs a shell command in a router's machine; its output, or ""."""
        words = self.run("ovs-vsctl", "get", "interface", router,
                         "external_ids:hostd-router")
        parts = words.split("listen=")[1].split(":")[0].split(".")
        parts[3] = str(int(parts[3]) + 1)
        output = b""
        try:
            with socket.create_connection((".".join(parts), 2323),
                                          timeout=5) as s:
                s.sendall(base64.b64encode(text.encode()) + b"\n")
                s.shutdown(socket.SHUT_WR)
                while True:
                    part = s.recv(65536)
                    if not part:
                        break
                    output += part
        except OSError:
            return ""
        return output.partition(b"\0exit ")[0].decode()

    def is_full(self, router):
        return "Full" in self.ask(router,
                                  "vtysh -c 'show ip ospf neighbor'")

    def pid(self, router):
        text = self.run("ovs-appctl", "-t", self.path("hostd.ctl"),
                        "domain/show", router)
        return int(text.split("pid: ")[1].split()[0])


def check_life(host):
    begin = time.monotonic()
    with open(host.path("net.ini"), "w", encoding="ascii") as f:
        f.write(NETWORK)
    host.run("xfctl", "import", host.path("net.ini"))
    host.settle()
    check(host.state("r1") == ["running", "0"], "r1: %s", host.state("r1"))
    say("both machines run after %.1f s", time.monotonic() - begin)
    for router in ("r1", "r2"):
        wait("OSPF of " + router, lambda router=router: host.is_full(router))
    say("OSPF Full after %.1f s", time.monotonic() - begin)
    check(host.ask("r1", "hostname") == "r1\n", "r1 isn't called so")
    os.kill(host.pid("r1"), signal.SIGKILL)
    wait("the restart of r1", lambda: host.state("r1") == ["running", "1"])
    host.run("xfctl", "vm-suspend", "r2", "--", "vm-stop", "r1")
    host.settle()
    check(host.state("r2")[0] == "suspended", "r2: %s", host.state("r2"))
    host.run("xfctl", "vm-resume", "r2")
    host.settle()
    wait("an answer of r2", lambda: host.ask("r2", "hostname") == "r2\n")
    say("killed, suspended, resumed after %.1f s", time.monotonic() - begin)


def check_end(host):
    pids = [host.pid("r2")]
    host.run("xfctl", "--all", "net-del", "demo")
    host.settle()
    check(all(system.process_start(pid) is None for pid in pids),
          "a QEMU is left")
    check(not os.listdir(host.path("domains")), "files are left: %s",
          os.listdir(host.path("domains")))
    check(host.run("ovs-vsctl", "list-ports", "br0") == "",
          "ports are left: %s", host.run("ovs-vsctl", "list-ports", "br0"))
    check(host.run("xfctl", "--bare", "list", "Router_State") == "",
          "states are left")
    left = [name for _, name in socket.if_nameindex()
            if name.startswith(("xm", "xv"))]
    check(not left, "devices are left: %s", left)


def test():
    harness.need_image()
    system.LIBC.unshare(system.CLONE_NEWNET)
    folder = tempfile.mkdtemp(prefix="xf-join-")
    host = Host(folder)
    os.mkdir(host.path("images"))
    os.symlink(harness.IMAGE, host.path("images/default"))
    try:
        host.start()
        check_life(host)
        check_end(host)
    except BaseException:
        with open(host.path("hostd.log"), encoding="utf-8") as f:
            print("".join(f.readlines()[-40:]))
        host.run("xfctl", "--all", "net-del", "demo", okay=False)
        time.sleep(5)
        raise
    finally:
        host.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return "two routers by rows, OSPF Full, nothing left"


harness.main(test)
