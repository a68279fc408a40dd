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
"""A switch host: a namespace with its own ovsdb-server and ovs-vswitchd.

Both run from a build folder (the project's build/default, or any other build
of Open vSwitch: 'plain' labs work with an unpatched one).  The host's files
are in RUN/<lab>/<node>, which is its rundir, dbdir and logdir.
"""

import os
import re
import sys

from lab import supervise, system

PROGRAMS = ("vswitchd", "ovsdb", "utilities")
TAP_QUEUE_LENGTH = 10000
BRIDGE = "br0"
FPM_PORT = 2620


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


class Switch:
    """Switch host 'node' of a lab."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.netns = system.netns_path(lab.name, node.name)
        self.folder = os.path.join(lab.folder_path, node.name)

    def environment(self):
        env = dict(os.environ)
        env.update(OVS_RUNDIR=self.folder, OVS_DBDIR=self.folder,
                   OVS_LOGDIR=self.folder, OVS_SYSCONFDIR=self.folder,
                   PATH=tools_path(self.lab.build) + ":" + env["PATH"])
        return env

    def program(self, name):
        for folder in PROGRAMS:
            path = os.path.join(self.lab.build, folder, name)
            if os.path.exists(path):
                return path
        raise system.LabError("build folder '%s' has no program '%s': run "
                              "'./boot.sh build'" % (self.lab.build, name))

    def tool(self, name, *args, check=True):
        """Runs one of Open vSwitch's programs on this host; its output."""
        return system.run([self.program(name), *args],
                          folder=self.lab.folder, netns=self.netns,
                          env=self.environment(), check=check)

    def vsctl(self, *args):
        return self.tool("ovs-vsctl", "--timeout=30", *args)

    def appctl(self, *args, check=True):
        return self.tool("ovs-appctl", "--timeout=60", *args, check=check)

    def start(self):
        """Starts both daemons."""
        os.makedirs(self.folder, exist_ok=True)
        database = os.path.join(self.folder, "conf.db")
        schema = os.path.join(source_of(self.lab.build),
                              "vswitchd/vswitch.ovsschema")
        self.tool("ovsdb-tool", "create", database, schema)
        for name, args in (
                ("ovsdb-server", [database, "--remote=punix:%s/db.sock"
                                  % self.folder]),
                ("ovs-vswitchd", ["--disable-system-route",
                                  "unix:%s/db.sock" % self.folder])):
            base = os.path.join(self.folder, name)
            command = [self.program(name), *args, "--detach", "--no-chdir",
                       "--pidfile=%s.pid" % base, "--log-file=%s.log" % base,
                       "-vconsole:off", "-vsyslog:off"]
            system.daemon(command, self.netns, base + ".out",
                          env=self.environment())
            supervise.register(self.folder, command, base,
                               self.environment())
            if name == "ovsdb-server":
                self.vsctl("--no-wait", "init")
            self.lab.record(base + ".pid")
        self.vsctl("add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
                   "datapath_type=netdev", "fail_mode=standalone")

    def supervise(self):
        """Has what was started on this host started again when it dies."""
        base = os.path.join(self.folder, "supervisor")
        system.daemon([sys.executable, "-B", supervise.__file__,
                       self.lab.folder_path, self.node.name],
                      self.netns, base + ".out")
        self.lab.record(base + ".pid")

    def add_ports(self, ports):
        """Adds access ports: 'ports' is a list of (name, VLAN); VLAN 0 is a
        trunk."""
        command = []
        for name, vlan in ports:
            command += ["--", "add-port", BRIDGE, name]
            command += ["tag=%d" % vlan] if vlan else []
        if command:
            self.vsctl(*command)

    def keep_qdisc(self, port):
        """Has the switch leave the queueing of 'port' to others."""
        self.vsctl("--", "--id=@q", "create", "qos", "type=linux-noop", "--",
                   "set", "port", port, "qos=@q")

    def has_xenflow(self):
        """Whether this build's switch can be a router."""
        return "xenflow/router-add" in self.appctl("list-commands")

    def add_router(self, router):
        """Makes 'router' (a Node) a port of the switch; its rule table is
        fed over the management link."""
        self.vsctl("add-port", BRIDGE, router.name, "--", "set", "interface",
                   router.name, "type=xenflow")
        self.appctl("xenflow/router-add", router.name, "listen=%s:%d" % (
            router.management(1).ip, FPM_PORT),
            "device=" + router.management_tap)
        for iface in router.ifaces:
            self.appctl("xenflow/port-add", router.name, iface.name,
                        "vlan=%d" % iface.segment.vlan, "mac=" + iface.mac,
                        "vif=" + iface.port, "ifindex=%d" % iface.ifindex,
                        "address=" + ",".join(map(str, iface.addresses)))
        self.separate(router.name, router.separated)

    def add_element(self, element):
        """Makes a virtual switch or middlebox (a topology.Element)."""
        name = element.name
        self.vsctl("add-port", BRIDGE, name, "--", "set", "interface", name,
                   "type=xenflow")
        self.appctl("xenflow/router-add", name, "role=" + element.role, *(
            ["fail=open"] if element.fails_open else []))
        if element.role == "switch":
            for segment in element.segments:
                self.appctl("xenflow/port-add", name, segment.name,
                            "vlan=%d" % segment.vlan)
            return
        for port in element.via:
            vlan = next(i.segment.vlan for s in element.segments
                        for i in s.ifaces if i.port == port)
            self.appctl("xenflow/port-add", name, port, "vlan=%d" % vlan,
                        "vif=" + port)
        for match in element.select:
            self.appctl("xenflow/select-add", name, match,
                        "via=" + element.via[0], "direction=both")

    def separate(self, router, separated):
        """Turns plane separation of 'router' on or off."""
        self.appctl("xenflow/router-set", router, "separated=%s" % (
            "true" if separated else "false"))
