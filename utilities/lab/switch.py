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
"""Daemons of a build folder, and those of a physical router.

A Host has ovsdb-server, ovs-vswitchd and, once it has joined a database
XenFlow, xenflow-hostd.  A group of daemons has one folder, which is their
rundir, dbdir and logdir, and one network namespace.
"""

import contextlib
import os
import re
import signal
import time

from lab import system

PROGRAMS = ("vswitchd", "ovsdb", "utilities")
BRIDGE = "br0"
FPM_PORT = 2620
OPEN_VSWITCH = "vswitchd/vswitch.ovsschema"
END_S = 30


def tools_path(build):
    """Folders of the build's programs, for PATH."""
    return ":".join(os.path.join(build, name) for name in PROGRAMS)


def source_of(build):
    """The source folder a build folder was configured from."""
    try:
        with open(os.path.join(build, "Makefile"), encoding="utf-8") as f:
            match = re.search(r"^abs_srcdir = (.+)$", f.read(), re.MULTILINE)
        return match.group(1)
    except (OSError, AttributeError):
        raise system.LabError("'%s' isn't a build folder: run './boot.sh "
                              "build', or give one with --build"
                              % build) from None


class Daemons:
    """Daemons called by the names of their programs, with their files in
    'folder', in the network namespace 'netns' (None: the caller's)."""

    def __init__(self, build, folder, netns=None):
        self.build, self.folder, self.netns = build, folder, netns
        self.commands = {}
        self.lock = None        # Folder of a lab that is being changed.
        self.on_start = None    # Is told (self, name) of each first start.

    def environment(self):
        return dict(os.environ, OVS_RUNDIR=self.folder, OVS_DBDIR=self.folder,
                    OVS_LOGDIR=self.folder, OVS_SYSCONFDIR=self.folder,
                    PATH=tools_path(self.build) + ":" + os.environ["PATH"])

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        for folder in PROGRAMS:
            path = os.path.join(self.build, folder, name)
            if os.path.exists(path):
                return path
        raise system.LabError("build folder '%s' has no program '%s': run "
                              "'./boot.sh build'" % (self.build, name))

    def tool(self, name, *args, check=True):
        """Runs one of the build's programs; its output."""
        return system.run([self.program(name), *args], folder=self.lock,
                          netns=self.netns, env=self.environment(),
                          check=check)

    # ---- Starting and ending. ----

    def start(self, name):
        """Starts a daemon that was added, or again one that died."""
        system.daemon(self.commands[name], self.netns,
                      self.path(name + ".out"), env=self.environment())

    def add(self, name, *args):
        base = self.path(name)
        self.commands[name] = [
            self.program(name), *args, "--detach", "--no-chdir",
            "--pidfile=%s.pid" % base, "--log-file=%s.log" % base,
            "-vconsole:off", "-vsyslog:off"]
        self.start(name)
        if self.on_start:
            self.on_start(self, name)

    def add_database(self, name, schema):
        """Creates a database with a server on db.sock."""
        os.makedirs(self.folder, exist_ok=True)
        self.tool("ovsdb-tool", "create", self.path(name),
                  os.path.join(source_of(self.build), schema))
        self.add("ovsdb-server", self.path(name),
                 "--remote=punix:" + self.path("db.sock"))

    def pid(self, name):
        with open(self.path(name + ".pid"), encoding="ascii") as f:
            return int(f.read())

    def signal(self, name, number):
        """Sends a signal that ends it, and waits for the end."""
        pid = self.pid(name)
        os.kill(pid, number)
        deadline = time.monotonic() + END_S
        while system.process_start(pid) is not None:
            if time.monotonic() > deadline:
                raise system.LabError("%s doesn't end" % name)
            time.sleep(0.02)

    def kill(self, name):
        self.signal(name, signal.SIGKILL)

    def stop(self):
        for name in reversed(self.commands):
            with contextlib.suppress(OSError):
                self.signal(name, signal.SIGTERM)


class Host(Daemons):
    """The physical router called 'name'."""

    def __init__(self, build, folder, name, netns=None):
        super().__init__(build, folder, netns)
        self.name = name

    def vsctl(self, *args):
        return self.tool("ovs-vsctl", "--timeout=30", *args)

    def appctl(self, *args, check=True):
        return self.tool("ovs-appctl", "--timeout=60", *args, check=check)

    def start_switch(self):
        self.add_database("conf.db", OPEN_VSWITCH)
        self.vsctl("--no-wait", "init")
        self.add("ovs-vswitchd", "--disable-system-route",
                 "unix:" + self.path("db.sock"))

    def join(self, remote, image):
        """Joins the database XenFlow at 'remote', which knows the host or will
        know it; machines are made of the files in folder 'image'."""
        os.mkdir(self.path("images"))
        os.symlink(image, self.path("images/default"))
        self.vsctl("--no-wait", "set", "open_vswitch", ".",
                   "external_ids:xenflow-remote=" + remote,
                   "external_ids:xenflow-host=" + self.name)
        self.add("xenflow-hostd")

    def keep_qdisc(self, port):
        """Has the switch leave the queueing of 'port' to others."""
        self.vsctl("--", "--id=@q", "create", "qos", "type=linux-noop", "--",
                   "set", "port", port, "qos=@q")

    # ---- Machines of routers. ----

    def machines(self):
        """Names of routers that have a machine here."""
        try:
            return [entry.name for entry in os.scandir(self.path("domains"))
                    if entry.is_dir() and not entry.name.startswith(".")]
        except FileNotFoundError:
            return []           # xenflow-hostd hasn't been here yet.

    def machine_file(self, router, name):
        return self.path(os.path.join("domains", router, name))

    def machine_pid(self, router):
        """Process of a router's machine, or None if it doesn't run."""
        try:
            with open(self.machine_file(router, "process"),
                      encoding="ascii") as f:
                pid, start = f.read().split()[:2]
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if str(system.process_start(int(pid))) == start \
            else None

    def machine_address(self, router):
        """Address of a router's machine on its management link, or None if it
        has none yet."""
        words = self.vsctl("--if-exists", "get", "interface", router,
                           "external_ids:hostd-router")
        match = re.search(r"listen=([0-9.]+)\.([0-9]+):", words)
        return match and "%s.%d" % (match.group(1), int(match.group(2)) + 1)
