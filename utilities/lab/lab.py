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
"""A lab: the nodes of one topology, brought up, used and taken down.

The folder RUN/<lab> holds "state.json" (what is needed to find the lab again:
topology file's text, build and image folders) and "pids" (one line per daemon:
process id, start time, name), both only for status, exec and a last look at
strays; 'down' itself goes by namespaces (see system.py).
"""

import contextlib
import glob
import json
import os
import shutil
import sys

from lab import (bird, database, frr, guestd, supervise, switch, system,
                 topology, vm)

EDGE_SYSCTLS = {"net.ipv6.conf.all.accept_dad": 0,
                "net.ipv6.conf.default.accept_dad": 0,
                "net.ipv4.conf.all.rp_filter": 0,
                "net.ipv4.conf.default.rp_filter": 0}
MANAGEMENT_IFINDEX = 2
UNDERLAY_IFINDEX = 99
# Namespace and folder of the database's server: no node can be called so.
DATABASE = "xenflow-db"
# The network by which several hosts reach each other's daemons: a bridge in the
# namespace of the database, and a device of each host.
UNDERLAY, UNDERLAY_MAC = "under0", "52:54:00:fd:00:%02x"
MANAGER = "xenflow-manager"      # At each of several hosts; one acts.
# A token bucket's size, and how long packets may wait for tokens.
MIN_BURST, BURSTS_PER_S, QUEUE_MS = 16000, 100, 50
STOP_S = 5


def default_paths():
    """(build folder, image folder) of the source tree this file is in."""
    top = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.realpath(__file__))))
    return (os.path.join(top, "build/default"),
            os.path.join(top, "build/image"))


def labs():
    """Names of the labs that are up, in whole or in part."""
    names = set()
    for path in (system.RUN, system.NETNS):
        try:
            found = os.listdir(path)
        except FileNotFoundError:
            continue
        if path == system.RUN:
            names.update(n for n in found if not n.startswith("."))
        else:
            names.update(n.split(".")[1] for n in found
                         if n.startswith("xf.") and n.count(".") == 2)
    return sorted(names)


class Lab:
    """One lab.  Made by up() or attach()."""

    def __init__(self, topo, build, image):
        self.topology = topo
        self.name = topo.name
        self.build = os.path.abspath(build)
        self.image = os.path.abspath(image)
        self.folder = None
        self.folder_path = os.path.join(system.RUN, topo.name)
        self.database = database.Database(
            self.build, self.path(DATABASE), self.netns(DATABASE))
        self.switches = {
            n.name: switch.Host(self.build, self.path(n.name), n.name,
                                self.netns(n.name))
            for n in topo.of_kind("switch")}
        kinds = {"frr": frr.Router, "bird": bird.Router}
        self.routers = {n.name: kinds[n.routing](self, n)
                        for n in topo.of_kind("frr") if n.routing in kinds}
        self.machines = {n.name: vm.Machine(self.switches[n.switch], n.name)
                         for n in topo.of_kind("vm")}

    # ---- Finding out. ----

    def path(self, node):
        """Folder of a node."""
        return os.path.join(self.folder_path, node)

    def netns(self, node):
        return system.netns_path(self.name, node)

    def node(self, name):
        try:
            return self.topology.nodes[name]
        except KeyError:
            raise system.LabError("lab '%s' has no node '%s' (it has %s)" % (
                self.name, name, ", ".join(self.topology.nodes))) from None

    def machine(self, name):
        """The machine of router 'name', at the host that has it now."""
        for host in self.switches.values():
            if host.machine_pid(name):
                return vm.Machine(host, name)
        return self.machines[name]

    def all_machines(self):
        """{name: Machine}, also of routers that were added by xfctl."""
        return {**self.machines, **{
            name: self.machine(name) if name in self.machines
            else vm.Machine(host, name) for host in self.switches.values()
            for name in host.machines()}}

    def environment(self, name):
        """Environment for programs that run at node 'name'."""
        if name in self.switches:
            return dict(self.switches[name].environment(),
                        XF_DB=self.database.remote)
        if name in self.routers:
            return self.routers[name].environment()
        return dict(os.environ)

    def run(self, name, command, data=None, check=True):
        """Runs 'command' (a list) at node 'name'; returns its output."""
        if name in self.machines:
            text = " ".join(quote(word) for word in command)
            code, output = self.machine(name).command(
                text, (data or "").encode())
            output = output.decode(errors="replace")
            if code and check:
                raise system.LabError("'%s' at %s failed (%d): %s" % (
                    text[:300], name, code, output[-1000:]))
            return output
        self.node(name)
        env = self.environment(name)
        program = shutil.which(command[0], path=env["PATH"]) or command[0]
        return system.run([program, *command[1:]], netns=self.netns(name),
                          data=data, check=check, env=env)

    def vtysh(self, router, *commands):
        """Output of FRR's commands at 'router'."""
        words = ["vtysh"]
        for command in commands:
            words += ["-c", command]
        return self.run(router, words)

    def xfctl(self, *words):
        """Changes the lab's database, and waits until that is in effect."""
        self.database.xfctl(*words)
        self.database.settle()

    def separate(self, router, separated):
        """Turns plane separation of 'router' on or off."""
        self.xfctl("router-set", router, "separated=%s" % (
            "true" if separated else "false"))

    def record(self, pid_file):
        """Notes a daemon for status."""
        with open(pid_file, encoding="ascii") as f:
            pid = int(f.read())
        name = os.path.relpath(pid_file[:-len(".pid")], self.folder_path)
        with open(os.path.join(self.folder_path, "pids"), "a",
                  encoding="ascii") as f:
            f.write("%d %s %s\n" % (pid, system.process_start(pid), name))

    def processes(self):
        """[(name, pid, alive)] of the recorded daemons, of each the one that
        was started last, and of machines."""
        result = {}
        try:
            with open(os.path.join(self.folder_path, "pids"),
                      encoding="ascii") as f:
                for line in f:
                    pid, start, name = line.split()
                    alive = str(system.process_start(int(pid))) == start
                    result[name] = (name, int(pid), alive)
        except FileNotFoundError:
            pass
        for name, machine in self.all_machines().items():
            pid = machine.host.machine_pid(name)
            if pid:
                result[name] = (name + "/qemu", pid, True)
        return list(result.values())

    # ---- Bringing up. ----

    def _ip(self, node, lines):
        """Runs ip(8) batch 'lines' in the namespace of 'node'."""
        system.run(["ip", "-batch", "-"], folder=self.folder,
                   netns=self.netns(node), data="\n".join(lines) + "\n")

    def _make_namespaces(self):
        self._make_namespace(DATABASE)
        for node in self.topology.nodes.values():
            if node.kind == "vm":
                continue
            self._make_namespace(node.name)
            values = EDGE_SYSCTLS if node.kind == "edge" else frr.SYSCTLS
            if node.kind != "switch":
                system.run(["sysctl", "-qw"] + [
                    "%s=%d" % item for item in values.items()],
                    folder=self.folder, netns=self.netns(node.name))
            else:
                # The host's own stack must stay out of the segments.
                system.run(["sysctl", "-qw",
                            "net.ipv6.conf.default.disable_ipv6=1"],
                           folder=self.folder, netns=self.netns(node.name))

    def _make_namespace(self, name):
        system.run(["ip", "netns", "add", os.path.basename(self.netns(name))],
                   folder=self.folder)
        self._ip(name, ["link set lo up"])

    def _make_cable(self, node, iface, ifindex, mac, peer_node, peer):
        """veth 'iface' at 'node' to 'peer' at 'peer_node'.

        Offloads are off: a frame that leaves through an AF_PACKET port must
        carry its checksum."""
        self._ip(node, ["link add dev %s index %d address %s type veth peer "
                        "name %s netns xf.%s.%s" % (
                            iface, ifindex, mac, peer, self.name, peer_node)])
        for at, name in ((node, iface), (peer_node, peer)):
            system.run(["ethtool", "-K", name, "tx", "off"],
                       folder=self.folder, netns=self.netns(at))
            self._ip(at, ["link set %s up" % name])

    def _make_links(self):
        for node in self.topology.of_kind("frr", "bare", "edge"):
            if node.xenflow:
                self._make_cable(node.name, "mgmt", MANAGEMENT_IFINDEX,
                                 node.management_mac(2), node.switch,
                                 node.management_tap)
                self._ip(node.name, ["address add %s dev mgmt"
                                     % node.management(2)])
                self._ip(node.switch, ["address add %s dev %s" % (
                    node.management(1), node.management_tap)])
            for iface in node.ifaces:
                if iface.segment.switch:
                    self._make_cable(node.name, iface.name, iface.ifindex,
                                     iface.mac, iface.host, iface.port)
        for segment in self.topology.segments.values():
            if not segment.switch:
                self._make_wire(*segment.ifaces)
                self._limit(segment.cable, *[(i.node.name, i.name)
                                             for i in segment.ifaces])
        for node in self.topology.of_kind("frr", "bare", "edge"):
            lines = ["address add %s dev %s%s" % (
                a, i.name, " nodad" if a.version == 6 else "")
                     for i in node.ifaces for a in i.addresses]
            lines += ["route add default via %s" % g for g in node.gateways]
            lines += ["route add local %s dev lo" % p for p in node.locals]
            self._ip(node.name, lines)

    def _make_wire(self, one, other):
        """A cable between two nodes, outside any switch."""
        self._make_cable(one.node.name, one.name, one.ifindex, one.mac,
                         other.node.name, "wire-tmp")
        self._ip(other.node.name, [
            "link set wire-tmp down",
            "link set wire-tmp name %s" % other.name,
            "link set %s address %s up" % (other.name, other.mac)])

    def _make_trunks(self):
        for number, trunk in enumerate(self.topology.trunks):
            self._make_cable(trunk.ends[0], trunk.ports[0], 100 + number,
                             "52:54:00:fe:00:%02x" % number, trunk.ends[1],
                             trunk.ports[1])

    def _make_underlay(self):
        hosts = self.topology.of_kind("switch")
        if len(hosts) < 2:
            return
        self._ip(DATABASE, ["link add %s type bridge" % UNDERLAY,
                            "link set %s up" % UNDERLAY])
        for node in hosts:
            port = "to-" + node.name
            self._make_cable(node.name, UNDERLAY, UNDERLAY_IFINDEX,
                             UNDERLAY_MAC % node.number, DATABASE, port)
            self._ip(node.name, ["address add %s dev %s"
                                 % (node.underlay, UNDERLAY)])
            self._ip(DATABASE, ["link set %s master %s" % (port, UNDERLAY)])

    def _limit(self, cable, *ends):
        """Gives a cable its rate and delay, in both directions; 'ends' are
        pairs of node and device."""
        for node, device in ends:
            command = ["tc", "qdisc", "add", "dev", device, "root"]
            rate = ["rate", "%dbit" % cable.rate] if cable.rate else []
            if cable.delay:
                command += ["netem", "delay", "%dms" % cable.delay, *rate]
            elif rate:
                command += ["tbf", *rate, "burst", str(max(
                    MIN_BURST, cable.rate // 8 // BURSTS_PER_S)),
                    "latency", "%dms" % QUEUE_MS]
            else:
                return
            try:
                system.run(command, folder=self.folder,
                           netns=self.netns(node))
            except system.LabError as e:
                if not cable.delay:
                    raise
                raise system.LabError(
                    "[%s]: this machine's kernel has no netem, so a cable "
                    "can't have a delay: leave 'delay' out (%s)"
                    % (cable.name, e)) from None

    def _has_started(self, daemons, name):
        base = daemons.path(name)
        supervise.register(daemons.folder, daemons.commands[name], base,
                           daemons.environment())
        self.record(base + ".pid")

    def _start_control(self):
        """Starts database and hosts, and says in rows what there shall be."""
        self.database.create()
        for host in self.switches.values():
            host.start_switch()
            host.join(self.database.remote, self.image)
            if len(self.switches) > 1:
                self._add_manager(host)
        self.database.load(database.network_file(self.topology))

    def _add_manager(self, host):
        host.add(MANAGER, "--db=" + self.database.remote,
                 "--name=" + host.name)

    def _settle(self):
        """Waits until all of it is there."""
        self.database.settle()
        for machine in self.machines.values():
            machine.wait()

    def _finish(self):
        """What is done when the ports are there."""
        for trunk in self.topology.trunks:
            if trunk.rate or trunk.delay:
                for node, port in zip(trunk.ends, trunk.ports):
                    self.switches[node].keep_qdisc(port)
            self._limit(trunk, *zip(trunk.ends, trunk.ports))
        for node in self.topology.of_kind("bare"):
            if node.config:     # Before, a middlebox's machine is a loop.
                self._ip(node.name, node.config.split("\n"))

    def _bring_up(self):
        with open(os.path.join(self.folder_path, "state.json"), "x",
                  encoding="utf-8") as f:
            json.dump({"build": self.build, "image": self.image}, f)
        system.tune_host()
        self._make_namespaces()
        self._make_links()
        self._make_trunks()
        self._make_underlay()
        self._start_control()
        for name, router in self.routers.items():
            router.start(self.node(name).xenflow)
        for node in self.topology.of_kind("frr", "bare"):
            if guestd.is_wanted(node, node.xenflow):
                guestd.start(self, node)
        self._settle()
        self._finish()
        for daemons in (self.database, *self.switches.values()):
            if self.topology.supervised and daemons.commands:
                self._supervise(daemons)

    def _supervise(self, daemons):
        """Has 'daemons' started again when they die."""
        base = daemons.path("supervisor")
        system.daemon([sys.executable, "-B", supervise.__file__,
                       self.folder_path, os.path.basename(daemons.folder)],
                      daemons.netns, base + ".out")
        self.record(base + ".pid")

    def change(self, folder):
        """The lab is being changed, under the lock 'folder'; or no longer."""
        self.folder = folder
        for daemons in (self.database, *self.switches.values()):
            daemons.lock = folder
            daemons.on_start = self._has_started


def quote(word):
    """'word' as one word of a shell."""
    return "'" + word.replace("'", "'\\''") + "'"


def check_image(folder):
    """Raises LabError if there's no image in 'folder'."""
    for name in ("vmlinux", "initramfs.gz"):
        if not os.path.exists(os.path.join(folder, name)):
            raise system.LabError(
                "no router image in '%s': run 'utilities/xenflow-image %s'"
                % (folder, folder))


def up(path, build=None, image=None, kind=Lab):
    """Brings the lab of topology file 'path' up; returns it, a 'kind'.  What
    was made before a failure is taken down again."""
    topo = topology.parse(path)
    lab = kind(topo, build or default_paths()[0], image or default_paths()[1])
    if lab.machines:
        check_image(lab.image)
    folder = system.Folder(topo.name, create=True)
    try:
        shutil.copyfile(path, os.path.join(folder.path, "topology"))
        lab.change(folder)
        lab._bring_up()
    except BaseException:
        lab.change(None)
        folder.close()
        down(topo.name)
        raise
    lab.change(None)
    folder.close()
    return lab


def attach(name=None):
    """The lab that is up; 'name' says which if there are several."""
    names = labs()
    if name is None:
        if len(names) != 1:
            raise system.LabError(
                "say which lab with --lab: %s" % ", ".join(names) if names
                else "no lab is up: run 'xenflow-lab up TOPOLOGY'")
        name = names[0]
    path = os.path.join(system.RUN, name)
    try:
        with open(os.path.join(path, "state.json"), encoding="utf-8") as f:
            state = json.load(f)
        topo = topology.parse(os.path.join(path, "topology"))
    except (OSError, ValueError, topology.TopologyError):
        raise system.LabError("lab '%s' isn't up (or only in part: then run "
                              "'xenflow-lab down %s')" % (name, name)) \
            from None
    topo.name = name
    return Lab(topo, state["build"], state["image"])


def remove_memory(path):
    """Removes what QEMUs of the lab in folder 'path' had as memory: files that
    outlive them if they're killed with their xenflow-hostd."""
    for config in glob.glob(os.path.join(path, "*/domains/*/config.json")):
        with contextlib.suppress(OSError, ValueError, KeyError), \
                open(config, encoding="utf-8") as f:
            os.unlink("/dev/shm/xenflow-" + json.load(f)["uuid"])


def down(name):
    """Takes lab 'name' down, whatever is left of it.  Returns False if there
    was nothing."""
    if name not in labs():
        return False
    try:
        folder = system.Folder(name, create=False)
    except system.LabError:
        if os.path.isdir(os.path.join(system.RUN, name)):
            raise
        folder = None
    paths = system.namespaces(name)
    system.kill_all(lambda: system.pids_inside(paths), STOP_S)
    for path in paths:
        system.run(["ip", "netns", "del", os.path.basename(path)],
                   check=False)
        if os.path.exists(path):
            os.unlink(path)     # Made, but not mounted yet.
    if folder:
        remove_memory(folder.path)
        shutil.rmtree(folder.path)
        folder.close()
    system.untune_host()
    return True
