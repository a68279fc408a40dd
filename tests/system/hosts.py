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
"""Hosts joined to the database XenFlow, each in a network namespace.

A Host has the daemons of a physical router: ovsdb-server, ovs-vswitchd and
xenflow-hostd.  They are started again by the test, as an init system would.
The database is one server at a socket, or a cluster, which hosts reach by TLS.
"""

import base64
import contextlib
import os
import shutil
import signal
import socket
import tempfile

import harness
from harness import wait
from lab import switch, system

XENFLOW_DB = os.path.join(harness.TOP, "utilities/xenflow-db")
LISTEN, RAFT = 6641, 6643       # Ports of a server.
XENFLOW = "xenflow-ext/xenflow.ovsschema"
OPEN_VSWITCH = "vswitchd/vswitch.ovsschema"
SHELL_PORT = 2323               # In the image: see utilities/lab/guest-init.


class Daemons:
    """Daemons with their files in 'folder', in the network namespace 'netns'
    (None: the caller's)."""

    def __init__(self, folder, netns=None):
        os.mkdir(folder)
        self.folder, self.netns = folder, netns
        self.env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder,
                        OVS_DBDIR=folder, PATH=switch.tools_path(harness.BUILD)
                        + ":" + os.environ["PATH"])
        self.commands = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words, okay=True):
        """A short command; its output."""
        return system.run(words, netns=self.netns, env=self.env, check=okay)

    def start(self, name):
        """Starts a daemon that was added, or again one that died."""
        self.run(*self.commands[name], "--detach", "--no-chdir",
                 "--pidfile=" + self.path(name + ".pid"),
                 "--unixctl=" + self.path(name + ".ctl"),
                 "--log-file=" + self.path(name + ".log"), "-vconsole:off")

    def add(self, name, *words):
        self.commands[name] = words
        self.start(name)

    def add_database(self, name, schema):
        """Creates a database with a server on NAME.sock."""
        self.run("ovsdb-tool", "create", self.path(name + ".db"),
                 os.path.join(switch.source_of(harness.BUILD), schema))
        self.add(name, "ovsdb-server", "--remote=punix:"
                 + self.path(name + ".sock"), self.path(name + ".db"))

    def pid(self, name):
        with open(self.path(name + ".pid"), encoding="ascii") as f:
            return int(f.read())

    def signal(self, name, number):
        """Sends a signal that ends it, and waits for the end."""
        pid = self.pid(name)
        os.kill(pid, number)
        wait("the end of " + name,
             lambda: system.process_start(pid) is None)

    def kill(self, name):
        self.signal(name, signal.SIGKILL)

    def stop(self):
        for name in reversed(self.commands):
            with contextlib.suppress(OSError):
                self.signal(name, signal.SIGTERM)


class Database(Daemons):
    """The database XenFlow."""

    certs = None

    def __init__(self, folder):
        super().__init__(folder)
        self.remote = "unix:" + self.path("x.sock")
        self.env["XF_DB"] = self.remote
        self.add_database("x", XENFLOW)
        self.run("xfctl", "init")

    def xfctl(self, *words):
        return self.run("xfctl", *words)

    def load(self, text):
        """Imports a network file."""
        with open(self.path("net.ini"), "w", encoding="ascii") as f:
            f.write(text)
        self.xfctl("import", self.path("net.ini"))

    def settle(self):
        """Waits until all hosts have carried out all there is."""
        self.xfctl("--timeout=60", "wait")

    def state(self, router):
        """[state, number of restarts] of a router's machine."""
        uuid = self.xfctl("get", "router", router, "_uuid").strip()
        return self.xfctl("--bare", "--columns=state,restarts", "find",
                          "Router_State", "router=" + uuid).split()


class Server(Daemons):
    """A server of the database XenFlow in the cluster to which 'first' belongs
    (None: it is the first)."""

    NAME = "xenflow-db"         # Also of its files.

    def __init__(self, folder, net, node, certs, first=None):
        super().__init__(folder, net.netns(node))
        self.address = net.addresses[node]
        self.words = ["--db=" + self.path("x.db"), "--certs=" + certs]
        self.commands[self.NAME] = [
            "--cluster-local=%s:%d" % (self.address, RAFT)]
        if first:
            self.commands[self.NAME].append(
                "--cluster-remote=%s:%d" % (first.address, RAFT))
        else:
            self.commands[self.NAME].append("--listen=%d" % LISTEN)
        self.start()

    def start(self, name=NAME):
        self.run(XENFLOW_DB, *self.words, *self.commands[name], "start")

    def leads(self):
        return "Role: leader" in self.run(XENFLOW_DB, *self.words, "status",
                                          okay=False)


class Cluster(Database):
    """The database XenFlow with a server at each of 'nodes' of a Net, and
    certificates for 'hosts'."""

    def __init__(self, folder, net, nodes, hosts):
        Daemons.__init__(self, folder)
        self.certs = self.path("certs")
        self.run(XENFLOW_DB, "certs", self.certs, *hosts)
        self.servers = []
        for node in nodes:
            self.servers.append(Server(self.path(node), net, node, os.path.join(
                self.certs, "xenflow-db"), *self.servers[:1]))
        self.remote = ",".join("ssl:%s:%d" % (server.address, LISTEN)
                               for server in self.servers)
        self.env["XF_DB"] = ",".join("unix:" + server.path("xenflow.sock")
                                     for server in self.servers)

    def leader(self):
        return wait("an election", lambda: next(
            (server for server in self.servers if server.leads()), None))

    def stop(self):
        for server in self.servers:
            server.stop()


class Host(Daemons):
    """A physical router called 'name', of which the database knows."""

    def __init__(self, folder, name, database, netns=None):
        super().__init__(folder, netns)
        self.name = name
        os.mkdir(self.path("images"))
        os.symlink(harness.IMAGE, self.path("images/default"))
        self.add_database("db", OPEN_VSWITCH)
        self.run("ovs-vsctl", "--no-wait", "init")
        self.add("switch", "ovs-vswitchd", "--disable-system-route",
                 "unix:" + self.path("db.sock"))
        self.add("hostd", "xenflow-hostd",
                 "--images=" + self.path("images"),
                 "--domains=" + self.path("domains"))
        if database.certs:
            self.run("ovs-vsctl", "--no-wait", "set-ssl", *(
                os.path.join(database.certs, name, part + ".pem")
                for part in ("privkey", "cert", "cacert")))
        self.run("ovs-vsctl", "--no-wait", "set", "open_vswitch", ".",
                 "external_ids:xenflow-remote=" + database.remote,
                 "external_ids:xenflow-host=" + name)

    def rules(self, router):
        """What is in effect of a router's rules: text."""
        return self.run("ovs-appctl", "-t", self.path("switch.ctl"),
                        "xenflow/rule-list", router)

    def ask(self, router, text):
        """Runs a shell command in a router's machine; its output, or ""."""
        words = self.run("ovs-vsctl", "--if-exists", "get", "interface",
                         router, "external_ids:hostd-router")
        if "listen=" not in words:
            return ""
        parts = words.split("listen=")[1].split(":")[0].split(".")
        parts[3] = str(int(parts[3]) + 1)
        output = b""
        try:
            with self.inside(), socket.create_connection(
                    (".".join(parts), SHELL_PORT), timeout=5) as s:
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

    def inside(self):
        return (system.Inside(self.netns) if self.netns
                else contextlib.nullcontext())

    def n_full(self, router):
        """How many OSPF neighbours of the router are Full."""
        return self.ask(router,
                        "vtysh -c 'show ip ospf neighbor'").count("Full")

    def machine_pid(self, router):
        text = self.run("ovs-appctl", "-t", self.path("hostd.ctl"),
                        "domain/show", router)
        return int(text.split("pid: ")[1].split()[0])

    def left(self):
        """What is there of routers: ports, files, devices."""
        with self.inside():
            devices = [name for _, name in socket.if_nameindex()
                       if name.startswith(("xm", "xv"))]
        ports = self.run("ovs-vsctl", "--bare", "--columns=name", "find",
                         "interface", "type=xenflow").split()
        return ports + devices + os.listdir(self.path("domains"))

    def last_lines(self):
        with open(self.path("hostd.log"), encoding="utf-8") as f:
            return "".join(f.readlines()[-40:])


class Net:
    """Network namespaces with cables, and a folder; gone at its end.  Has what
    lab.measure wants of a lab."""

    def __init__(self, *nodes):
        self.build = harness.BUILD
        self.prefix = "xfh.%d." % os.getpid()
        self.folder = tempfile.mkdtemp(prefix="xf-hosts-")
        self.nodes, self.addresses = [], {}
        for node in nodes:
            self.add(node)

    def add(self, node):
        system.run(["ip", "netns", "add", self.prefix + node])
        self.nodes.append(node)
        self.ip(node, "link", "set", "lo", "up")

    def netns(self, node):
        return os.path.join(system.NETNS, self.prefix + node)

    def ip(self, node, *words):
        system.run(["ip", "-n", self.prefix + node, *words])

    def cable(self, *ends):
        """Of two "NODE:DEVICE"; checksums are computed, as on a wire."""
        (node1, name1), (node2, name2) = (end.split(":") for end in ends)
        system.run(["ip", "link", "add", name1, "netns", self.prefix + node1,
                    "type", "veth", "peer", "name", name2, "netns",
                    self.prefix + node2])
        for node, name in ((node1, name1), (node2, name2)):
            self.ip(node, "link", "set", name, "up")
            system.run(["ethtool", "-K", name, "tx", "off"],
                       netns=self.netns(node))

    def lan(self, *nodes):
        """One network: each node has an address at its eth0."""
        self.add("lan")
        self.ip("lan", "link", "add", "lan", "type", "bridge")
        self.ip("lan", "link", "set", "lan", "up")
        for i, node in enumerate(nodes):
            self.cable(node + ":eth0", "lan:" + node)
            self.ip("lan", "link", "set", node, "master", "lan")
            self.addresses[node] = "192.0.2.%d" % (i + 1)
            self.ip(node, "addr", "add", self.addresses[node] + "/24", "dev",
                    "eth0")

    def close(self):
        """Ends what a test that failed has left, too."""
        for node in self.nodes:
            for pid in system.run(["ip", "netns", "pids", self.prefix + node],
                                  check=False).split():
                with contextlib.suppress(OSError):
                    os.kill(int(pid), signal.SIGKILL)
            system.run(["ip", "netns", "del", self.prefix + node],
                       check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
