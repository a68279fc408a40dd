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
"""The database XenFlow, and what is asked of its routers on Xen hosts.

The database's server, xfctl and ovs-vsctl run beside the emulated hosts, not in
them: what is told and asked there costs no emulated processor, on which each
program that a shell starts takes a large part of a second.
"""

import os
import re
import shutil
import subprocess
import time

import rig
from lab import switch, system

DOMAINS = "/var/lib/openvswitch/domains"
HOSTD_LOG = "/var/log/openvswitch/xenflow-hostd.log"
ADDRESS, PORT = "10.255.0.254", 6641
KEYS = "/etc/openvswitch/xenflow"
SETTLE_S = 300                  # Of a machine of type PVH, on a busy host.

DAEMON = """
run() {
    name=$1; shift
    setsid "$name" "$@" --detach --no-chdir \\
        --pidfile=/var/run/openvswitch/$name.pid \\
        --log-file=/var/log/openvswitch/$name.log -vconsole:off -vsyslog:off \\
        </dev/null || exit 1
}
hostd() {
    run xenflow-hostd --domains=%s --images=/xf/images
}
""" % DOMAINS
# Its standard input: an archive with the host's key and certificates.
START = DAEMON + """
mkdir -p /var/run/openvswitch /var/log/openvswitch /var/lib/openvswitch \\
    %(keys)s /usr/local/var/run /usr/local/var/log /usr/local/etc
busybox tar -C %(keys)s -xf - || exit 1
for i in run log; do
    ln -sfn /var/$i/openvswitch /usr/local/var/$i/openvswitch
done
ln -sfn /etc/openvswitch /usr/local/etc/openvswitch
ip link set eth1 up
ip link set eth2 up
ovsdb-tool create /etc/openvswitch/conf.db /xf/share/vswitch.ovsschema
run ovsdb-server /etc/openvswitch/conf.db --remote=ptcp:6640 \\
    --remote=punix:/var/run/openvswitch/db.sock
ovs-vsctl -vconsole:off --no-wait init \\
    -- set-ssl %(keys)s/privkey.pem %(keys)s/cert.pem %(keys)s/cacert.pem \\
    -- set open_vswitch . external_ids:xenflow-host=%(name)s \\
       external_ids:xenflow-remote=ssl:%(address)s:%(port)d || exit 1
run ovs-vswitchd --disable-system-route
hostd
# What hosts do themselves goes before what their guests do.
xl sched-credit2 -d Domain-0 -w 4096
"""
# Waits for a line of hostd's log.
BEGUN = """
mkfifo /run/lines
tail -n 20 -f %(log)s >/run/lines &
while read -r line; do
    case $line in *"|%(name)s: %(operation)s") break ;; esac
done </run/lines
kill $!
rm /run/lines
"""
KILL_HOSTD = """
read -r pid </var/run/openvswitch/xenflow-hostd.pid
kill -9 "$pid" || exit 1
rm -f /var/run/openvswitch/xenflow-hostd.*
hostd
"""


def check(condition, text, *args):
    if not condition:
        raise AssertionError(text % args if args else text)


def wait(what, condition, seconds, every_s=1):
    """Waits until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s didn't happen within %d s"
                                 % (what, seconds))
        time.sleep(every_s)


class Database:
    """The database XenFlow: its server listens by TLS to the hosts."""

    def __init__(self, build, folder):
        self.folder = folder
        self.source = switch.source_of(build)
        self.env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder,
                        OVS_SYSCONFDIR=folder,
                        XF_DB="unix:" + self.path("xenflow.sock"),
                        PATH=switch.tools_path(build) + ":"
                        + os.environ["PATH"])

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *words):
        """Runs a program of the build; returns its output."""
        return system.run(words, netns=rig.namespace("hosts"), env=self.env)

    def start(self, hosts):
        """Makes certificates for 'hosts', and an empty database."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        program = os.path.join(rig.dom0.TOP, "utilities/xenflow-db")
        self.run(program, "certs", self.path("pki"), *hosts)
        self.run(program, "--db=" + self.path("xenflow.db"),
                  "--certs=" + self.path("pki/xenflow-db"),
                  "--schema=" + os.path.join(
                      self.source, "xenflow-ext/xenflow.ovsschema"),
                  "--listen=%d:%s" % (PORT, ADDRESS), "start")

    def start_manager(self):
        """Starts who coordinates migrations, beside the database."""
        self.run("xenflow-manager", "--db=" + self.env["XF_DB"], "--detach",
                 "--no-chdir", "--pidfile=" + self.path("manager.pid"),
                 "--overwrite-pidfile", "--log-file="
                 + self.path("manager.log"), "-vconsole:off", "-vsyslog:off",
                 "--unixctl=" + self.path("manager.ctl"))

    def keys(self, host):
        """An archive with what a host needs to join."""
        return subprocess.run(
            ["tar", "-C", self.path("pki/" + host), "-cf", "-", "privkey.pem",
             "cert.pem", "cacert.pem"], stdout=subprocess.PIPE,
            check=True).stdout

    def xfctl(self, *words):
        return self.run("xfctl", *words)

    def load(self, text):
        """Imports a network file."""
        with open(self.path("net.ini"), "w", encoding="ascii") as f:
            f.write(text)
        self.xfctl("import", self.path("net.ini"))

    def settle(self):
        """Waits until both hosts have carried out all there is."""
        self.xfctl("--timeout=%d" % SETTLE_S, "wait")

    def state(self, router, column="state"):
        """What its host says of a router; "" if it says nothing."""
        uuid = self.xfctl("get", "router", router, "_uuid").strip()
        return self.xfctl("--bare", "--columns=" + column, "find",
                          "Router_State", "router=" + uuid).strip()


class Host:
    """An emulated host that joins the database."""

    def __init__(self, emulated, database):
        self.emulated = emulated
        self.database = database
        self.name = emulated.name
        self.run, self.write = emulated.run, emulated.write

    def start_daemons(self):
        self.run(START % {"keys": KEYS, "name": self.name, "address": ADDRESS,
                          "port": PORT}, self.database.keys(self.name))

    def kill_hostd(self, when=""):
        """Kills xenflow-hostd after shell commands 'when', and starts it
        again."""
        self.run(DAEMON + when + KILL_HOSTD)

    def vsctl(self, *words):
        return self.database.run(
            "ovs-vsctl", "--db=tcp:%s:6640" % self.emulated.address,
            "--timeout=60", *words)

    def hostd(self, *command):
        return self.run("ovs-appctl -vconsole:off -t xenflow-hostd "
                        + " ".join(command))

    def in_xen(self):
        """Xen's numbers of its domains by name, without dom0."""
        return dict(line.split()[:2]
                    for line in self.run("xl list").splitlines()[2:])

    def left(self):
        """What is there of routers: domains, files, devices, processes."""
        return self.run(
            "ls %s; xl list | sed 1,2d; ip -o link | grep ': x[mv]'; "
            "ovs-vsctl -vconsole:off --bare --columns=name find interface "
            "type=xenflow; ps -ef | grep '[l]ibxl'" % DOMAINS,
            check=False).strip()


class Router:
    """A virtual router on a host."""

    def __init__(self, host, backend, memory):
        self.host = host
        self.number = host.emulated.number
        self.name = "vr%d" % self.number
        self.backend = backend
        self.memory = memory
        self.address = None     # Of its machine's management interface.
        self.vifs = []

    def learn(self):
        """Asks the switch how it reaches the machine."""
        ids = self.host.vsctl("--bare", "--columns=external_ids", "list",
                              "interface", self.name)
        listen = re.search(r"hostd-router=listen=([\d.]+)\.(\d+):", ids)
        self.vifs = re.findall(r"hostd-port-\w+=vif=(\w+)", ids)
        check(listen and len(self.vifs) == 2, "%s in the switch: %s",
              self.name, ids)
        self.address = "%s.%d" % (listen.group(1), int(listen.group(2)) + 1)

    def guest(self, text):
        """Runs a shell command in the machine; returns its output, or "" if
        that can't be reached."""
        return self.host.emulated.guest(self.address, text)

    def is_full(self):
        return "Full" in self.guest("vtysh -c 'show ip ospf neighbor'")

    def uptime(self):
        """Seconds, or 0 if the machine doesn't answer."""
        return float((self.guest("cat /proc/uptime").split() or ["0"])[0])

    def has_route(self, prefix):
        """Whether its machine has told the switch of it, by the connection
        that there is."""
        text = self.host.run(
            "for i in router-show rule-list; do "
            "ovs-appctl -vconsole:off xenflow/$i %s; done" % self.name)
        return ("speaker connected: true" in text
                and re.search("^%s .* ospf (?!.*stale)" % re.escape(prefix),
                              text, re.MULTILINE))

    def packets(self):
        """(packets of the machine's data interfaces, both ways; packets that
        the router's port received): the switch's numbers, up to 5 s old."""
        words = []
        for name, key in [(self.name, "rx")] + [
                (vif, key) for vif in self.vifs for key in ("rx", "tx")]:
            words += ["--", "get", "interface", name,
                      "statistics:%s_packets" % key]
        port, *vifs = map(int, self.host.vsctl(*words[1:]).split())
        return sum(vifs), port

    def begun(self, operation):
        """Shell commands that end when xenflow-hostd has begun it."""
        return BEGUN % {"log": HOSTD_LOG, "name": self.name,
                        "operation": operation}
