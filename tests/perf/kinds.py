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
"""What a row of the benchmarks sets up, by its kind.

What: open() starts a switch (or testpmd), prepare() gives it routes; rows.py
then measures.  KINDS names them all."""

import itertools
import os
import subprocess
import time

import churn
import moves
import packets
import rig

# What the flow limit is kept at while measuring: else slow dumps shrink it.
FLOW_LIMIT = 2000000
FIRST_OFPORT = 100                      # Of routers.
PORT = 2620                             # That routers listen on, the first.


class Skip(Exception):
    """Why a row can't be measured with this build."""


class Io:
    """testpmd's io forwarding: what the rig itself costs."""

    routes, ports, router = False, False, False
    n_routers, n_egress, n_vms = 1, 1, 0
    fixed = False                       # Its ports and scene are its own.
    once = False                        # Runs would not differ.
    punt_share = 0                      # Of the packets.

    def __init__(self, row, settings):
        self.row, self.settings = row, settings
        self.load_s = None              # Seconds to load the routes.

    @classmethod
    def n_routes(cls, n):
        """Of all routers, with a table of 'n' prefixes."""
        return n * cls.n_routers

    def open(self):
        return rig.Testpmd(self.pcap())

    def pcap(self):
        return self.settings.cache.pcap(self.row.family, self.row.n)

    def prepare(self, where):
        """Sets up what is measured on 'where', what open() gave."""

    def more(self, _where):
        """What else there is to measure, after the windows: members of the
        row's object."""
        return {}

    def faults(self, _end):
        """What is wrong with the counters at the end, a rig.Sample."""
        return []

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
                          vlans=self.router, emc=self.row.emc,
                          n_vms=self.n_vms)

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

    def __init__(self, row, settings):
        super().__init__(row, settings)
        self.ofports = itertools.count(FIRST_OFPORT)

    def prepare(self, where):
        self._add_interfaces(where, [rig.ROUTER])
        self._add_router(where, rig.ROUTER, packets.ROUTER_MAC)
        self._add_stations(where)
        self._add_neighbors(where, rig.ROUTER)
        begin = time.monotonic()
        self.speaker = self._speak(where, rig.ROUTER)
        self.load_s = time.monotonic() - begin

    def names(self):
        """Those of the routers that have packets."""
        return [rig.ROUTER]

    def _add_interfaces(self, where, names):
        """The routers' own ports of the bridge, with numbers that the rig's
        don't ask for."""
        where.vsctl(*(word for name in names for word in (
            "--", "add-port", rig.BRIDGE, name, "--", "set", "interface",
            name, "type=xenflow",
            "ofport_request=%d" % next(self.ofports))))

    def _add_router(self, where, name, macs, port=PORT, vif=None):
        """Router 'name', without routes; it listens on 'port'.  'macs' makes
        the MACs of its interfaces; its virtual machine is at 'vif'."""
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
                 "ifindex=%d" % (1 + s), "address=" + ",".join(addresses),
                 *(["vif=" + vif] if vif and not s else []))

    def _gateways(self):
        """(segment, number, MAC) of each."""
        return [(s, number, packets.GATEWAY_MAC % (s, number))
                for s in range(1, self.row.n_egress + 1)
                for number in packets.GATEWAYS]

    def _add_stations(self, where):
        """The bridge knows where the gateways are."""
        for s, _, mac in self._gateways():
            where.control.call("fdb/add", rig.BRIDGE, rig.port(s),
                               rig.vlan(s), mac)

    def _add_neighbors(self, where, name):
        """Router 'name' knows the gateways."""
        for s, number, mac in self._gateways():
            for family in (4, 6):
                where.control.call(
                    "xenflow/neigh-add", name, "eth%d" % s,
                    packets.gateway_address(family, s, number), mac)

    def _speak(self, where, name, port=PORT, n=None):
        """Loads the table (of 'n' prefixes) into router 'name'; returns the
        speaker, which holds its connection until its input is closed."""
        row = self.row
        return self._start_speaker(
            where, name, port, "--hold", self.settings.cache.speaker(
                row.family, n or row.n, row.n_egress))

    def _start_speaker(self, where, name, port, option, path):
        speaker = subprocess.Popen(
            [os.path.join(self.settings.build, churn.SPEAKER), "--ack=1000",
             option, "%s:%d" % (churn.HOST, port), path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = speaker.stdout.readline()
        if "refused=0" not in line:
            raise rig.RigError("the speaker says: %s" % line)
        where.control.call("xenflow/router-sync", name)
        return speaker

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
        return sum(r["packets"] for name in self.names()
                   for r in where.control.json("xenflow/stats-show",
                                               name)["punts"])

    def more(self, where):
        total = where.control.json("xenflow/memory-show")[-1]
        return {"table_bytes": total["bytes"],
                "lookup_bytes": total["lookup_bytes"]}


class Fib(Flow):
    """The same with translation fib: a lookup in the datapath."""

    TRANSLATION = "fib"


class ManyFlow(Flow):
    """As many routers as a large host has, all with the same table; one of
    them has packets."""

    n_routers = 1000
    fixed = once = True                 # It is about memory.

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


class Busy(Fib):
    """All at work: several routers, the first of which has the table and most
    of the packets, several egress ports, packets that are punted to virtual
    machines, and counters of all routes."""

    n_routers, n_egress = packets.BUSY_ROUTERS, 4
    n_vms, fixed = n_routers, True
    punt_share = 1 / packets.BUSY_PUNT
    # Rows of a list that are asked for at a time; the counters of how many
    # routes a command collects.
    PAGE, COLLECTED = 50000, 50000

    def __init__(self, row, settings):
        super().__init__(row, settings)
        self.speakers = []
        self.counted = None

    def pcap(self):
        return self.settings.cache.busy_pcap(self.row.family, self.row.n)

    def fates(self):
        row = self.row
        return self.settings.cache.busy_fates(row.family, row.n, row.n_egress)

    @classmethod
    def n_routes(cls, n):
        return n + (cls.n_routers - 1) * packets.BUSY_OTHERS

    def names(self):
        return ["vr%d" % (1 + i) for i in range(self.n_routers)]

    def sizes(self):
        """{router: its number of routes}"""
        sizes = dict.fromkeys(self.names(), packets.BUSY_OTHERS)
        sizes[rig.ROUTER] = self.row.n
        return sizes

    def prepare(self, where):
        self._add_interfaces(where, self.names())
        self._add_stations(where)
        begin = time.monotonic()
        for number, (name, n) in enumerate(self.sizes().items()):
            port = PORT + number
            self._add_router(where, name, packets.router_macs(number), port,
                             rig.vm(1 + number))
            self._add_neighbors(where, name)
            self.speakers.append(self._speak(where, name, port, n))
        self.load_s = time.monotonic() - begin

    def close(self):
        for self.speaker in self.speakers:
            super().close()

    def shares(self):
        fates = self.fates()
        n = len(fates) - fates.count(0)
        return {s: fates.count(s) / n
                for s in range(1, self.row.n_egress + 1)}

    def more(self, where):
        where.stop()
        if self.settings.is_first:
            self.counted = sum(self._count(where, name, n)
                               for name, n in self.sizes().items())
        return dict(super().more(where), counted=self.counted)

    def _count(self, where, name, n):
        """Packets that the counters of the routes of router 'name' say."""
        ask, found = where.control.json, 0
        for _ in range(0, n + self.COLLECTED, self.COLLECTED):
            ask("xenflow/neigh-list", name)
        for skip in range(0, n + self.PAGE, self.PAGE):
            found += sum(r.get("packets", 0) for r in ask(
                "xenflow/rule-list", name, "skip=%d" % skip,
                "limit=%d" % self.PAGE))
        return found

    def faults(self, end):
        """Each packet of the file must have met its fate, as often as the file
        has been sent, but for those that the switch counts as lost (before
        it has its first flows).  Routes count what is looked up there."""
        fates, missing = self.fates(), {}
        turns, rest = divmod(end.rx, len(fates))
        for fate in range(self.row.n_egress + 1):
            wanted = turns * fates.count(fate) + fates[:rest].count(fate)
            missing[rig.port(fate) if fate else "to virtual machines"] = (
                wanted - (end.tx[fate] if fate else end.to_vms))
        lost = end.dropped + end.flows["lost"]
        found = []
        if min(missing.values()) < 0 or sum(missing.values()) != lost:
            found.append("%d packets were lost, but what should have left: %s"
                         % (lost, ", ".join("%s %+d" % (name, -n) for name, n
                                            in missing.items())))
        looked_up = sum(end.tx.values()) + end.to_vms
        if self.counted not in (None, looked_up):
            found.append("routes counted %d packets, not %d" % (
                self.counted, looked_up))
        return found


class Move(Fib):
    """One message moves all prefixes at once, under traffic: to another group
    of next hops, to another neighbor, to another link."""

    n_egress, fixed = 2, True

    def prepare(self, where):
        row, cache = self.row, self.settings.cache
        self._add_interfaces(where, [rig.ROUTER])
        self._add_router(where, rig.ROUTER, packets.ROUTER_MAC)
        self._add_stations(where)
        moves.prepare(where, row.family)
        begin = time.monotonic()
        self.speaker = self._start_speaker(
            where, rig.ROUTER, PORT, "--ask",
            cache.group(row.family, row.n, moves.GROUP, moves.first_lines(
                row.family)))
        self.load_s = time.monotonic() - begin

    def shares(self):
        return {1: 1.0, 2: 0.0}

    def more(self, where):
        return dict(super().more(where), moves=moves.measure(
            where, self.speaker, self.row.family))


KINDS = {"testpmd-io": Io, "port-to-port": Port, "port-to-port-mac": PortMac,
         "naive": Naive, "flow": Flow, "fib": Fib, "many-flow": ManyFlow,
         "many-fib": ManyFib, "busy": Busy, "move": Move}
