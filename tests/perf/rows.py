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
"""The rows of the benchmarks: what is set up, and what is measured of it.

What: a Row names one case; its kind (a class of KINDS) knows how to set it up.
All kinds are measured by the same code, in runs: load, let packets come, wait
until the flow cache is warm, count over a window of some seconds, check, stop.
Who calls this goes round the rows several times, so that what else the machine
does meets all rows alike.

When a row counts: in each run every egress port sent, in the shares that
the reference lookup says (within SHARE_TOLERANCE), what came in went out but
for MAX_LOST, and a router punted no more than MAX_PUNTED.  Otherwise the row
is invalid and says why.  Upcalls don't make a row invalid: they are what some
rows are about, so they are shown."""

import os
import statistics
import subprocess
import time

import churn
import packets
import rig

SHARE_TOLERANCE = 0.02
MAX_LOST, MAX_PUNTED = 0.01, 0.0001
# The cache is warm when less than this share of packets missed it for a while.
WARM_MISSES, WARM_S = 1e-5, 1.5
STEP_S = 0.25
# A window in which the hypervisor took more of the CPU is repeated, so often.
MAX_STOLEN, MAX_WINDOWS = 0.03, 4
# How much longer than a window changes last.
CHURN_S = 4
# What the flow limit is kept at while measuring: else slow dumps shrink it.
FLOW_LIMIT = 2000000
UNIT = "Mpps per PMD CPU-second"


class Skip(Exception):
    """Why a row can't be measured with this build."""


class Settings:
    """How to measure."""

    def __init__(self, build, cache):
        self.build, self.cache = build, cache
        self.seconds = 3.0              # Of a window.
        self.warm_s = 120.0             # Most seconds to wait for the cache.


class Row:
    """One case.  Its scene: 'warm', all flows are in the caches; 'storm', none
    is when the packets begin; 'churn', routes change all the time."""

    def __init__(self, kind, n=10000, family=4, **options):
        self.kind, self.n, self.family = kind, n, family
        self.n_egress = options.get("n_egress", 1)
        self.emc = options.get("emc", False)
        self.scene = options.get("scene", "warm")

    @property
    def name(self):
        text = self.kind
        if KINDS[self.kind].routes:
            text += "/v%d/%s" % (self.family, human(self.n))
        if KINDS[self.kind].ports:
            text += "/%dp" % self.n_egress if self.n_egress > 1 else ""
            text += "/emc" if self.emc else ""
        text += "/" + self.scene if self.scene != "warm" else ""
        return text


def human(n):
    for size, letter in ((1000000, "M"), (1000, "k")):
        if n >= size:
            return "%g%s" % (n / size, letter)
    return "%d" % n


# ---- Kinds. ----

class Io:
    """testpmd's io forwarding: what the rig itself costs."""

    routes, ports, router = False, False, False
    n_routers = 1

    def __init__(self, row, settings):
        self.row, self.settings = row, settings
        self.load_s = None              # Seconds to load the routes.

    def open(self):
        return rig.Testpmd(self.pcap())

    def pcap(self):
        return self.settings.cache.pcap(self.row.family, self.row.n)

    def prepare(self, where):
        """Sets up what is measured on 'where', what open() gave."""

    def tend(self, where):
        """Called now and then."""

    def punted(self, _where):
        """Packets handed to the router's virtual machine so far."""
        return 0

    def expect_another(self, where):
        """Changes are about to come from somebody else."""

    def shares(self):
        """{segment: share of the packets that leave there}"""
        return {1: 1.0}

    def close(self):
        """Before what open() gave is closed."""


class Port(Io):
    """An OpenFlow flow from port to port."""

    ports = True
    FLOW = "in_port=1,actions=output:2"

    def open(self):
        return rig.Switch(self.settings.build, self.row.n_egress, self.pcap(),
                          vlans=self.router, emc=self.row.emc)

    def prepare(self, where):
        where.ofctl("add-flow", rig.BRIDGE, self.FLOW)

    def tend(self, where):
        where.control.call("upcall/set-flow-limit", FLOW_LIMIT)


class PortMac(Port):
    """The same through a megaflow that matches the destination's MAC."""

    FLOW = "in_port=1,dl_dst=%s,actions=output:2" % (packets.ROUTER_MAC % 0)


class Naive(Port):
    """Each route an OpenFlow flow."""

    routes = True
    CHURN = churn.ToFlows

    def prepare(self, where):
        row, begin = self.row, time.monotonic()
        where.ofctl("add-flows", rig.BRIDGE, self.settings.cache.flows(
            row.family, row.n, row.n_egress))
        self.load_s = time.monotonic() - begin

    def shares(self):
        row = self.row
        return self.settings.cache.shares(row.family, row.n, row.n_egress)


class Flow(Naive):
    """A router whose routes come from a speaker; translation flow."""

    router = True
    TRANSLATION = "flow"
    CHURN = churn.ToSpeaker
    speaker = None

    def prepare(self, where):
        self._add_interfaces(where, [rig.ROUTER])
        self._add_router(where, rig.ROUTER, packets.ROUTER_MAC)
        self._add_neighbors(where)
        self._load(where)

    @staticmethod
    def _add_interfaces(where, names):
        """The routers' own ports of the bridge."""
        where.vsctl(*(word for name in names for word in (
            "--", "add-port", rig.BRIDGE, name, "--", "set", "interface",
            name, "type=xenflow")))

    def _add_router(self, where, name, macs, port=2620):
        """Router 'name', without routes; it listens on 'port'.  'macs' makes
        the MACs of its interfaces."""
        call = where.control.call
        options = [name, "listen=%s:%d" % (churn.HOST, port), "punt-rate=0",
                   "stale=3600"]
        try:
            call("xenflow/router-add", *options,
                 "translation=" + self.TRANSLATION)
        except rig.system.LabError:
            # A build that doesn't know the word has translation flow only.
            call("xenflow/router-add", *options)
            if self.TRANSLATION != "flow":
                raise Skip("this build has no %s translation"
                           % self.TRANSLATION) from None
        for s in range(self.row.n_egress + 1):
            addresses = ["%s/%d" % (packets.router_address(f, s), length)
                         for f, length in ((4, 24), (6, 64))]
            call("xenflow/port-add", name, "eth%d" % s,
                 "vlan=%d" % rig.vlan(s), "mac=" + macs % s,
                 "ifindex=%d" % (1 + s), "address=" + ",".join(addresses))

    def _add_neighbors(self, where):
        call = where.control.call
        for s in range(1, self.row.n_egress + 1):
            for number in packets.GATEWAYS:
                mac = packets.GATEWAY_MAC % (s, number)
                call("fdb/add", rig.BRIDGE, rig.port(s), rig.vlan(s), mac)
                for family in (4, 6):
                    call("xenflow/neigh-add", rig.ROUTER, "eth%d" % s,
                         packets.gateway_address(family, s, number), mac)

    def _speak(self, where, name, port=2620):
        """Loads the table into router 'name'; returns the speaker, which holds
        its connection until its input is closed."""
        row = self.row
        speaker = subprocess.Popen(
            [os.path.join(self.settings.build, churn.SPEAKER), "--ack=1000",
             "--hold", "%s:%d" % (churn.HOST, port),
             self.settings.cache.speaker(row.family, row.n, row.n_egress)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = speaker.stdout.readline()
        if "refused=0" not in line:
            raise rig.RigError("the speaker says: %s" % line)
        where.control.call("xenflow/router-sync", name)
        return speaker

    def _load(self, where):
        begin = time.monotonic()
        self.speaker = self._speak(where, rig.ROUTER)
        self.load_s = time.monotonic() - begin

    def close(self):
        if self.speaker:
            self.speaker.kill()
            self.speaker.communicate()

    def expect_another(self, where):
        """The speaker goes; its routes stay, whatever the next one says."""
        where.control.call("xenflow/router-set", rig.ROUTER, "settle=3600")
        self.close()
        self.speaker = None

    def punted(self, where):
        shown = where.control.json("xenflow/stats-show", rig.ROUTER)
        return sum(r["packets"] for r in shown["punts"])


class Fib(Flow):
    """The same with translation fib: a lookup in the datapath."""

    TRANSLATION = "fib"


class ManyFlow(Flow):
    """As many routers as a large host has, all with the same table; one of
    them has packets."""

    n_routers = 1000

    def prepare(self, where):
        super().prepare(where)
        begin = time.monotonic()
        names = ["r%d" % index for index in range(1, self.n_routers)]
        self._add_interfaces(where, names)
        for index, name in enumerate(names, 1):
            port = 10000 + index
            # Above those of the router with packets.
            self._add_router(where, name, "02:01:%02x:%02x:%%02x:01" % (
                index >> 8, index & 255), port)
            self._speak(where, name, port).communicate()
        self.load_s += time.monotonic() - begin


class ManyFib(ManyFlow):
    """The same with translation fib."""

    TRANSLATION = "fib"


KINDS = {"testpmd-io": Io, "port-to-port": Port, "port-to-port-mac": PortMac,
         "naive": Naive, "flow": Flow, "fib": Fib, "many-flow": ManyFlow,
         "many-fib": ManyFib}


# ---- Measuring. ----

def warm_up(kind, where, settings):
    """Waits until the cache misses nothing any more; returns whether that
    came, and after how many seconds."""
    begin = quiet_since = time.monotonic()
    before = where.sample()
    while time.monotonic() - begin < settings.warm_s:
        kind.tend(where)
        time.sleep(STEP_S)
        now = where.sample()
        missed = now.flows.get("missed", 0) - before.flows.get("missed", 0)
        if missed > WARM_MISSES * now.packets(before) or now.packets(
                before) <= 0:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > WARM_S:
            return True, quiet_since - begin
        before = now
    return False, settings.warm_s


class Window:
    """What happened in one window."""

    def __init__(self, kind, where, settings):
        punted, before = kind.punted(where), where.sample()
        steal = rig.stolen_s()
        end = time.monotonic() + settings.seconds
        while time.monotonic() < end:
            time.sleep(min(STEP_S, max(0, end - time.monotonic())))
            kind.tend(where)
        after = where.sample()
        self.punted = kind.punted(where) - punted
        self.stolen_s = rig.stolen_s() - steal
        self.cpu_s = (after.cpu_ns - before.cpu_ns) / 1e9
        self.wall_s = (after.wall_ns - before.wall_ns) / 1e9
        self.tx = {s: after.tx[s] - before.tx[s] for s in after.tx}
        self.n = sum(self.tx.values())
        self.received = None if after.rx is None else after.rx - before.rx
        self.dropped = after.dropped - before.dropped
        self.upcalls = (after.flows.get("missed", 0)
                        - before.flows.get("missed", 0))
        self.megaflows = after.flows.get("flows")
        self.fault = self._fault(kind.shares())

    def _fault(self, shares):
        """Why this window doesn't count, or None."""
        found = ["%s sent %.1f %% of the packets, not %.1f %%" % (
            rig.port(s), 100 * self.tx[s] / self.n, 100 * share)
            for s, share in shares.items() if self.n and (
                abs(self.tx[s] / self.n - share) > SHARE_TOLERANCE
                or share and not self.tx[s])]
        if not self.n:
            found = ["no packet left"]
        elif self.received is not None:
            lost = 1 - self.n / max(1, self.received)
            if abs(lost) > MAX_LOST:
                found.append("%.1f %% of the packets didn't leave"
                             % (100 * lost))
        if self.punted > MAX_PUNTED * self.n:
            found.append("%d packets were punted" % self.punted)
        return "; ".join(found) or None

    def stolen(self):
        """Share of the CPU that the hypervisor took."""
        return self.stolen_s / self.wall_s

    def rate(self):
        """Million packets per CPU-second."""
        return self.n / self.cpu_s / 1e6


class Run:
    """One start of what a row is about, and its window."""

    def __init__(self, row, settings):
        kind = KINDS[row.kind](row, settings)
        kind.pcap()                     # Made before anything runs.
        self.quiet = self.changes = None
        self.warm, self.warm_s = None, 0
        with kind.open() as where:
            try:
                memory = where.memory()
                kind.prepare(where)
                self.memory = where.memory() - memory
                where.start()
                getattr(self, "_" + row.scene)(kind, where, settings)
            except rig.RigError as e:
                raise rig.RigError("%s\n%s" % (e, getattr(
                    where, "log_tail", str)())) from None
            finally:
                kind.close()
        self.load_s = kind.load_s

    def _storm(self, kind, where, settings):
        self.window = Window(kind, where, settings)

    def _warm(self, kind, where, settings):
        """Takes more windows if the hypervisor took the CPU: time that it
        takes is counted as the thread's, which got nothing for it."""
        self.warm, self.warm_s = warm_up(kind, where, settings)
        for turn in range(MAX_WINDOWS):
            found = Window(kind, where, settings)
            if not turn or found.stolen() < self.window.stolen():
                self.window = found
            if found.stolen() <= MAX_STOLEN:
                return

    def _churn(self, kind, where, settings):
        self._warm(kind, where, settings)
        self.quiet = self.window
        kind.expect_another(where)
        changing = kind.CHURN(where, settings, kind.row,
                              settings.seconds + CHURN_S)
        changing.start()
        try:
            time.sleep(CHURN_S / 2)     # Until it is in full swing.
            before, begin = changing.count(), time.monotonic()
            self.window = Window(kind, where, settings)
            self.changes = ((changing.count() - before)
                            / (time.monotonic() - begin))
        finally:
            changing.stop()


def describe(row, settings):
    """The members of a row's object that say what it is."""
    kind = KINDS[row.kind]
    return {"row": row.name, "unit": UNIT, "parameters": {
        "kind": row.kind, "scene": row.scene, "family": row.family,
        "prefixes": row.n if kind.routes else None,
        "routers": kind.n_routers if kind.router else None,
        "egress_ports": row.n_egress if kind.ports else 1,
        "emc": row.emc if kind.ports else None,
        "frame_size": packets.SIZE[row.family],
        "packets": settings.cache.n_packets,
        "seconds": settings.seconds, "seed": settings.cache.seed}}


def summarize(runs):
    """What 'runs' of a row say, as members of its object."""
    windows = [r.window for r in runs]
    rates = [w.rate() for w in windows if w.cpu_s > 0]
    faults = [w.fault for w in windows if w.fault]
    wall_s = sum(w.wall_s for w in windows)
    median = statistics.median(rates)
    return {
        "median": median, "min": min(rates), "max": max(rates),
        "runs": rates,
        "ns_per_packet": 1e3 / median if median else None,
        "cpu_share": sum(w.cpu_s for w in windows) / wall_s,
        "stolen_share": sum(w.stolen_s for w in windows) / wall_s,
        "tx_packets": {rig.port(s): sum(w.tx[s] for w in windows)
                       for s in windows[0].tx},
        "tx_dropped": sum(w.dropped for w in windows),
        "punted": sum(w.punted for w in windows),
        "upcalls_per_s": sum(w.upcalls for w in windows) / wall_s,
        "megaflows": windows[-1].megaflows,
        "quiet": None if runs[0].quiet is None
        else statistics.median(r.quiet.rate() for r in runs),
        "changes_per_s": None if runs[0].changes is None
        else statistics.median(r.changes for r in runs),
        "warm": None if runs[0].warm is None else all(r.warm for r in runs),
        "warm_s": max(r.warm_s for r in runs),
        "load_s": None if runs[0].load_s is None
        else statistics.median(r.load_s for r in runs),
        "memory": statistics.median(r.memory for r in runs),
        "valid": not faults, "reason": faults[0] if faults else None,
    }
