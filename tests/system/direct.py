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
"""A lab without a database: switches that take commands.

The switch refuses commands that change a router of the database, so tests of
commands, of the wire and of rules start one without.  with Up(name, text) as
here: ... as of harness; routers are ports made by commands, and no virtual
machines.
"""

import harness
from lab import lab, switch


class Lab(lab.Lab):
    def _start_control(self):
        for name, host in self.switches.items():
            host.start_switch()
            host.vsctl("add-br", switch.BRIDGE, "--", "set", "bridge",
                       switch.BRIDGE, "datapath_type=netdev",
                       "fail_mode=standalone")
            self._add_ports(name, host)
        for node in self.topology.of_kind("frr", "bare"):
            if node.xenflow:
                self._add_router(node)

    def _add_ports(self, name, host):
        command = []
        for segment in self.topology.segments.values():
            for iface in segment.ifaces:
                if segment.vlan and iface.host == name:
                    command += ["--", "add-port", switch.BRIDGE, iface.port,
                                "tag=%d" % segment.vlan]
        for trunk in self.topology.trunks:
            if name in trunk.ends:
                command += ["--", "add-port", switch.BRIDGE,
                            trunk.ports[trunk.ends.index(name)]]
        if command:
            host.vsctl(*command)

    def _add_router(self, node):
        """Makes 'node' a port of its switch; its rule table is fed over the
        management link."""
        host = self.switches[node.switch]
        host.vsctl("add-port", switch.BRIDGE, node.name, "--", "set",
                   "interface", node.name, "type=xenflow")
        host.appctl("xenflow/router-add", node.name, "listen=%s:%d" % (
            node.management(1).ip, switch.FPM_PORT),
            "device=" + node.management_tap)
        for iface in node.ifaces:
            host.appctl("xenflow/port-add", node.name, iface.name,
                        "vlan=%d" % iface.segment.vlan, "mac=" + iface.mac,
                        "vif=" + iface.port, "ifindex=%d" % iface.ifindex,
                        "address=" + ",".join(map(str, iface.addresses)))

    def _settle(self):
        pass


class Up(harness.Up):
    kind = Lab
