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
"""Hosts joined to a cluster of servers of the database XenFlow, by TLS, each in a
network namespace.  They are started again by the test, as an init system would.
"""

import contextlib
import os
import shutil
import signal
import tempfile

import harness
from harness import wait
from lab import database, switch, system

XENFLOW_DB = os.path.join(harness.TOP, "utilities/xenflow-db")
LISTEN, RAFT = 6641, 6643       # Ports of a server.


class Server(switch.Daemons):
    """A server of the database XenFlow in the cluster to which 'first' belongs
    (None: it is the first)."""

    NAME = "xenflow-db"         # Also of its files.

    def __init__(self, folder, net, node, certs, first=None):
        super().__init__(harness.BUILD, folder, net.netns(node))
        os.mkdir(folder)
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
        self.tool(XENFLOW_DB, *self.words, *self.commands[name], "start")

    def leads(self):
        return "Role: leader" in self.tool(XENFLOW_DB, *self.words, "status",
                                           check=False)


class Cluster(database.Database):
    """The database XenFlow with a server at each of 'nodes' of a Net, and
    certificates for 'hosts'."""

    def __init__(self, folder, net, nodes, hosts):
        super().__init__(harness.BUILD, folder)
        os.mkdir(folder)
        self.servers = []
        self.certs = self.path("certs")
        self.tool(XENFLOW_DB, "certs", self.certs, *hosts)
        for node in nodes:
            self.servers.append(Server(self.path(node), net, node, os.path.join(
                self.certs, "xenflow-db"), *self.servers[:1]))
        self.remote = ",".join("ssl:%s:%d" % (server.address, LISTEN)
                               for server in self.servers)

    def environment(self):
        return dict(super().environment(), XF_DB=",".join(
            "unix:" + server.path("xenflow.sock") for server in self.servers))

    def leader(self):
        return wait("an election", lambda: next(
            (server for server in self.servers if server.leads()), None))

    def stop(self):
        for server in self.servers:
            server.stop()


class Host(switch.Host):
    """A physical router called 'name', of which the cluster knows."""

    def __init__(self, folder, name, cluster, netns):
        super().__init__(harness.BUILD, folder, name, netns)
        self.start_switch()
        self.vsctl("--no-wait", "set-ssl", *(
            os.path.join(cluster.certs, name, part + ".pem")
            for part in ("privkey", "cert", "cacert")))
        self.join(cluster.remote, harness.IMAGE)

    def rules(self, router):
        """What is in effect of a router's rules: text."""
        return self.appctl("xenflow/rule-list", router)

    def last_lines(self):
        return system.run(["tail", "-n", "40",
                           self.path("xenflow-hostd.log")])


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
