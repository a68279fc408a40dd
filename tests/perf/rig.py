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
"""The rig: hugepages, a switch with DPDK or dpdk-testpmd, and its counters.

What: one net_pcap port that sends a file over and over (infinite_rx) -> what
is measured -> net_null ports that throw away.  One forwarding thread, alone on
CPU FORWARD; all else, this program included, on CPU REST.

Why so: no generator, no NIC and no second core have a part in it, so what is
measured is what the forwarding thread does.  A sample is how many packets left
by each port and how much CPU time that thread got for them, from the kernel's
scheduler.  Packets per CPU-second say on a busy machine too what a packet
costs; packets per second say what else the machine does.

What it costs: the input port copies each frame from the file into a new buffer
and the outputs free it.  testpmd's io forwarding, which does nothing besides,
says how much that is.

Nothing is left behind: processes are children of this one and die with it,
hugepages are anonymous and given back, taps are in a network namespace of
tests/isolated.  (After SIGKILL the kernel keeps its pool of hugepages, empty;
the next run adds only what is missing.)
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "utilities"))

# pylint: disable=wrong-import-position
from lab import system                          # noqa: E402
from lab.control import Control                 # noqa: E402
from lab.switch import source_of, tools_path    # noqa: E402

REST, FORWARD = 0, 1            # CPUs.
BRIDGE, ROUTER = "br0", "vr1"
# Buffers: as many as Open vSwitch takes at most, 3 kB each, and what DPDK
# needs besides.
N_BUFFERS = 262144
HUGE_SIZE = 1280 << 20
EAL = ["--no-pci", "--iova-mode=va"]
START_S, STOP_S = 60, 30
NR_HUGEPAGES = "/proc/sys/vm/nr_hugepages"
LOCK = "/run/lock/xenflow-perf"


class RigError(Exception):
    """A sentence for the operator."""


def _number(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


class Machine:
    """with Machine(): 'size' bytes in hugepages are there, and no other
    benchmark runs."""

    def __init__(self, size=HUGE_SIZE):
        self.size = size
        self.added = 0
        self.lock = None

    def __enter__(self):
        if (os.cpu_count() or 1) <= FORWARD:
            raise RigError("the rig needs two CPUs: one forwards, one does "
                           "the rest")
        self.lock = open(LOCK, "w", encoding="ascii")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RigError("another benchmark runs on this machine: wait "
                           "for it") from None
        self._take()
        return self

    def _take(self):
        with open("/proc/meminfo", encoding="ascii") as f:
            info = dict(re.findall(r"^(\w+): +(\d+)", f.read(), re.MULTILINE))
        page = int(info["Hugepagesize"]) << 10
        free, before = int(info["HugePages_Free"]), _number(NR_HUGEPAGES)
        wanted = max(0, -(-self.size // page) - free)
        self._set(before + wanted)
        self.added = _number(NR_HUGEPAGES) - before
        if self.added < wanted:
            self._give_back()
            raise RigError("the kernel has no %d MB in hugepages: free some "
                           "memory" % (self.size >> 20))

    def _give_back(self):
        if self.added > 0:
            self._set(max(0, _number(NR_HUGEPAGES) - self.added))
        self.added = 0

    @staticmethod
    def _set(n):
        with open(NR_HUGEPAGES, "w", encoding="ascii") as f:
            f.write("%d\n" % n)

    def __exit__(self, *_):
        self._give_back()
        self.lock.close()


def stay_off():
    """Keeps this process and its children off the forwarding CPU."""
    os.sched_setaffinity(0, {REST})


def cpu_ns(pid, name):
    """CPU time that the thread of 'pid' whose name begins with 'name' got."""
    folder = "/proc/%d/task" % pid
    for tid in os.listdir(folder):
        with open("%s/%s/comm" % (folder, tid), encoding="ascii") as f:
            if f.read().startswith(name):
                with open("%s/%s/schedstat" % (folder, tid),
                          encoding="ascii") as g:
                    return int(g.read().split()[0])
    raise RigError("process %d has no thread '%s'" % (pid, name))


def stolen_s():
    """Seconds that the hypervisor below kept CPU FORWARD for others so far."""
    with open("/proc/stat", encoding="ascii") as f:
        match = re.search(r"^cpu%d (.*)$" % FORWARD, f.read(), re.MULTILINE)
    return int(match.group(1).split()[7]) / os.sysconf("SC_CLK_TCK")


class Sample:
    """Counters at one moment."""

    def __init__(self, cpu, tx, rx=None, dropped=0, flows=None, to_vms=0):
        self.cpu_ns = cpu
        self.wall_ns = time.monotonic_ns()
        self.tx = tx                    # {egress segment: packets}
        self.rx = rx                    # Packets; None: not counted.
        self.dropped = dropped          # At the egress ports.
        self.flows = flows or {}        # The flow cache: hit, missed, lost.
        self.to_vms = to_vms            # Packets sent to the VMs' ports.

    def packets(self, before):
        return sum(self.tx.values()) - sum(before.tx.values())


def _die_with_parent():
    system.LIBC.prctl(system.PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A daemon, our child, with its output in a file."""

    def __init__(self, name, command, log, env):
        self.name = name
        with open(log, "ab") as f:
            self.child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                env=env, preexec_fn=_die_with_parent)
        self.pid = self.child.pid

    def running(self):
        return self.child.poll() is None

    def stop(self):
        """Waits for its end, which somebody asked for; insists."""
        for act in (lambda: None, self.child.terminate, self.child.kill):
            act()
            try:
                self.child.wait(timeout=STOP_S)
                return
            except subprocess.TimeoutExpired:
                pass


class Switch:
    """with Switch(build, n_egress, pcap) as s: a bridge with the input port
    (OpenFlow port 1, from start() on) and outputs (2 and up).

    'vlans' puts each port into a segment of its own, for a router.  'n_vms'
    are ports of virtual machines in the input's segment."""

    def __init__(self, build, n_egress, pcap, vlans=False, emc=False,
                 n_vms=0):
        self.build, self.n_egress, self.pcap = build, n_egress, pcap
        self.vlans, self.emc, self.n_vms = vlans, emc, n_vms
        self.folder = None
        self.daemons = []
        self.control = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="xenflow-perf-")
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.control:
            self.control.close()
        for daemon in reversed(self.daemons):
            if daemon.running():
                self.tool("ovs-appctl", "--timeout=%d" % STOP_S, "-t",
                          daemon.name, "exit", check=False)
            daemon.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- Start. ----

    def environment(self):
        env = dict(os.environ)
        env.update(OVS_RUNDIR=self.folder, OVS_DBDIR=self.folder,
                   OVS_LOGDIR=self.folder, OVS_SYSCONFDIR=self.folder,
                   PATH=tools_path(self.build) + ":" + env["PATH"])
        return env

    def tool(self, *command, check=True):
        return system.run(list(command), env=self.environment(), check=check)

    def vsctl(self, *args):
        return self.tool("ovs-vsctl", "--timeout=%d" % START_S, *args)

    def ofctl(self, *args):
        return self.tool("ovs-ofctl", *args)

    def _daemon(self, name, *args):
        env = self.environment()
        base = os.path.join(self.folder, name)
        program = shutil.which(name, path=env["PATH"])
        self.daemons.append(Process(
            name, [program, *args, "--pidfile=%s.pid" % base,
                   "--log-file=%s.log" % base, "-vconsole:off",
                   "-vsyslog:off"],
            base + ".out", env))

    def _start(self):
        database = os.path.join(self.folder, "conf.db")
        socket = os.path.join(self.folder, "db.sock")
        self.tool("ovsdb-tool", "create", database, os.path.join(
            source_of(self.build), "vswitchd/vswitch.ovsschema"))
        self._daemon("ovsdb-server", database, "--remote=punix:" + socket)
        wait("ovsdb-server", lambda: os.path.exists(socket))
        self.vsctl("--no-wait", "init", "--", "set", "open_vswitch", ".",
                   "other_config:dpdk-init=true",
                   "other_config:dpdk-lcore-mask=%#x" % (1 << REST),
                   "other_config:pmd-cpu-mask=%#x" % (1 << FORWARD),
                   'other_config:dpdk-extra="%s"' % " ".join(EAL),
                   # What forwards isn't cut short by how the cache is kept.
                   "other_config:n-handler-threads=1",
                   "other_config:n-revalidator-threads=1",
                   "other_config:max-idle=3600000",
                   "other_config:flow-limit=2000000",
                   *([] if self.emc else
                     ["other_config:emc-insert-inv-prob=0"]))
        self._daemon("ovs-vswitchd", "--disable-system-route",
                     "unix:" + socket)
        self._add_ports()
        self.control = Control(self)

    def _add_ports(self):
        """All but the input port."""
        command = ["add-br", BRIDGE, "--", "set", "bridge", BRIDGE,
                   "datapath_type=netdev", "fail_mode=%s" % (
                       "standalone" if self.vlans else "secure")]
        for segment in range(1, self.n_egress + 1):
            command += self._add_port(port(segment), segment, 1 + segment,
                                      "net_null%d,no-rx=1" % segment)
        for number in range(1, self.n_vms + 1):
            index = self.n_egress + number
            command += self._add_port(vm(number), 0, 1 + index,
                                      "net_null%d,no-rx=1" % index)
        self.vsctl(*command)
        self._check_ports()

    def _add_port(self, name, segment, ofport, devargs):
        """Arguments of ovs-vsctl."""
        tag = ["tag=%d" % vlan(segment)] if self.vlans else []
        return ["--", "add-port", BRIDGE, name, *tag,
                "--", "set", "interface", name, "type=dpdk",
                "ofport_request=%d" % ofport,
                'options:dpdk-devargs="%s"' % devargs]

    def _check_ports(self):
        bad = [row for row in self.vsctl(
            "--format=csv", "--no-headings", "--columns=name,error", "list",
            "interface").splitlines() if not row.endswith(",[]")]
        if bad:
            raise RigError("the switch refuses a port: %s" % "; ".join(bad))

    def start(self):
        """Lets packets come."""
        self.vsctl(*self._add_port(
            port(0), 0, 1, "net_pcap0,infinite_rx=1,rx_pcap=" + self.pcap))
        self._check_ports()

    def stop(self):
        """Lets no more packets come, and those that came leave: a thread that
        serves a pinned queue serves no other."""
        self.vsctl("set", "interface", port(1),
                   'other_config:pmd-rxq-affinity="0:%d"' % FORWARD)
        seen = [-1]

        def quiet():
            seen.append(self.sample().rx)
            time.sleep(0.1)
            return seen[-1] == seen[-2]
        wait("the end of packets", quiet)

    # ---- Counters. ----

    @staticmethod
    def parse_counters(text):
        """Of the text of dpctl/show -s: {port: ({counter: n} received, the
        same sent)}, and {counter: n} of the flow cache."""
        ports = {}
        for block in re.split(r"^  port \d+: ", text, flags=re.M)[1:]:
            ports[block.split()[0]] = tuple(
                {k: int(v) for k, v in re.findall(r"(\w+):(\d+)", line)}
                for line in re.findall(r"[RT]X (packets.*)", block))
        flows = re.findall(r"\b(hit|missed|lost|flows): ?(\d+)", text)
        return ports, {k: int(v) for k, v in flows}

    def sample(self):
        text = self.control.call("dpctl/show", "-s")
        cpu = cpu_ns(self.daemons[1].pid, "pmd-c%02d" % FORWARD)
        ports, flows = self.parse_counters(text)
        egress = {s: ports[port(s)][1] for s in range(1, self.n_egress + 1)}
        received = ports.get(port(0), ({"packets": 0}, {}))[0]["packets"]
        return Sample(
            cpu, {s: c["packets"] for s, c in egress.items()}, received,
            sum(c.get("dropped", 0) + c.get("errors", 0)
                for c in egress.values()), flows,
            sum(ports[vm(number)][1]["packets"]
                for number in range(1, self.n_vms + 1)))

    def memory(self):
        """Bytes that the switch has in RAM (without hugepages)."""
        with open("/proc/%d/status" % self.daemons[1].pid,
                  encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) << 10

    def log_tail(self):
        """The last warnings of the switch."""
        try:
            with open(os.path.join(self.folder, "ovs-vswitchd.log"),
                      encoding="utf-8", errors="replace") as f:
                lines = [x for x in f if "|WARN|" in x or "|ERR|" in x
                         or "|EMER|" in x]
        except FileNotFoundError:
            return ""
        return "".join(lines[-5:])


class Testpmd:
    """with Testpmd(pcap) as t: dpdk-testpmd forwards between the same devices,
    one input to one output."""

    PROMPT = "testpmd> "
    EGRESS = 1                          # Its number of the first output.

    def __init__(self, pcap):
        self.pcap = pcap
        self.child = None
        self.screen = None

    def __enter__(self):
        program = shutil.which("dpdk-testpmd")
        if not program:
            raise RigError("dpdk-testpmd is missing: install package "
                           "dpdk-dev")
        # Into a pipe it would write now and then only.
        self.screen, other = os.openpty()
        self.child = subprocess.Popen(
            [program, "-l", "%d,%d" % (REST, FORWARD), "--main-lcore=%d"
             % REST, "--in-memory", *EAL,
             "--vdev=net_pcap0,infinite_rx=1,rx_pcap=" + self.pcap,
             "--vdev=net_null0,no-rx=1", "--", "-i", "--forward-mode=io",
             "--nb-cores=1", "--total-num-mbufs=%d" % N_BUFFERS],
            stdin=subprocess.PIPE, stdout=other, stderr=other,
            preexec_fn=self._prepare)
        os.close(other)
        os.set_blocking(self.screen, False)
        try:
            self._ask("", self.PROMPT)
        except BaseException:
            self.__exit__()
            raise
        return self

    @staticmethod
    def _prepare():
        _die_with_parent()
        os.sched_setaffinity(0, {REST, FORWARD})

    def _ask(self, command, answer):
        """Gives a command, or none; returns the match of what it prints with
        'answer'."""
        if command:
            self.child.stdin.write(command.encode() + b"\n")
            self.child.stdin.flush()
        text = ""
        deadline = time.monotonic() + START_S
        while True:
            try:
                text += os.read(self.screen, 65536).decode()
            except (BlockingIOError, OSError):  # Nothing; closed.
                pass
            match = re.search(answer, text)
            if match:
                return match
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise RigError("dpdk-testpmd: %s" % text[-1000:])
            time.sleep(0.001)

    def __exit__(self, *_):
        if self.child.poll() is None:
            try:
                self._ask("quit", "Bye")
                self.child.wait(timeout=STOP_S)
            except (OSError, RigError, subprocess.TimeoutExpired):
                self.child.kill()
                self.child.wait()
        self.child.stdin.close()
        os.close(self.screen)

    @staticmethod
    def memory():
        return 0

    def start(self):
        self._ask("start", "packet forwarding")

    def stop(self):
        """As Switch.stop()."""
        self._ask("stop", "Done")

    def sample(self):
        match = self._ask("show port stats %d" % self.EGRESS,
                          r"TX-packets: (\d+) +TX-errors: (\d+)")
        return Sample(cpu_ns(self.child.pid, "rte-worker"),
                      {1: int(match.group(1))}, dropped=int(match.group(2)))


def port(segment):
    """Name of the switch's port in 'segment'; 0 is the input."""
    return "out%d" % segment if segment else "in"


def vm(number):
    """Name of the port of virtual machine 'number', from 1."""
    return "vm%d" % number


def vlan(segment):
    return 10 + segment


def wait(what, condition, seconds=START_S):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RigError("%s isn't there after %d s" % (what, seconds))
        time.sleep(0.02)
