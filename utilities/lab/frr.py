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
"""FRR's configuration for a router of the lab, and FRR in a namespace.

In a virtual machine it is xenflow-hostd's, which writes the same frr.conf but
for network_lines().  OSPF (and OSPFv3 where an
interface has an IPv6 address) runs in area 0 with hellos of 1 s; an interface
whose segment has exactly two OSPF routers is point-to-point, so that the
adjacency doesn't wait for an election.
"""

import os
import shutil

from lab import system

DAEMONS = "/usr/lib/frr"
OSPF_HELLO_S = 1
OSPF_RETRANSMIT_S = 3
BGP_TIMERS_S = 2, 10            # Keepalive, hold.
GRACE_S = 60
SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv6.conf.all.forwarding": 1,
    "net.ipv4.conf.all.rp_filter": 0,
    "net.ipv4.conf.default.rp_filter": 0,
    "net.ipv4.fib_multipath_hash_policy": 1,
    "net.ipv6.fib_multipath_hash_policy": 1,
    "net.ipv4.conf.all.send_redirects": 0,
    "net.ipv4.conf.default.send_redirects": 0,
    "net.ipv6.conf.all.accept_dad": 0,
    "net.ipv6.conf.default.accept_dad": 0,
}


def _interface_lines(node, iface):
    peers = [i for i in iface.segment.ifaces if i.name in i.node.ospf]
    kind = "point-to-point" if len(peers) == 2 else "broadcast"
    yield "interface %s" % iface.name
    for version, command in ((4, "ip ospf"), (6, "ipv6 ospf6")):
        if iface.first(version) or version == 6 and any(
                i.first(6) for i in peers):
            yield " %s area 0" % command
            yield " %s network %s" % (command, kind)
            yield " %s hello-interval %d" % (command, OSPF_HELLO_S)
            yield " %s dead-interval %d" % (command, node.ospf_dead)
            yield " %s retransmit-interval %d" % (command, OSPF_RETRANSMIT_S)
            if peers == [iface]:
                yield " %s passive" % command
    yield "exit"


def network_lines(node):
    """What of _interface_lines() xenflow-hostd writes otherwise: it takes each
    segment for one of several routers, since that may change."""
    for iface in node.ifaces:
        if iface.name not in node.ospf:
            continue
        wanted = [line for line in _interface_lines(node, iface)
                  if line.endswith(("point-to-point", "passive"))]
        if wanted:
            yield from ["interface " + iface.name, *wanted, "exit"]


def _fpm_lines(node):
    yield "fpm address %s" % node.management(1).ip
    if not node.fpm_groups:
        yield "no fpm use-next-hop-groups"


def _bgp_neighbours(node):
    """(IP version, address, AS) of BGP's neighbours: the other BGP routers on
    the segments of its BGP interfaces, by each IP version both have."""
    for iface in node.ifaces:
        for peer in iface.segment.ifaces:
            if (iface.name in node.bgp and peer is not iface
                    and peer.name in peer.node.bgp):
                for version in (4, 6):
                    if iface.first(version) and peer.first(version):
                        yield (version, peer.first(version).ip,
                               peer.node.asn)


def _bgp_lines(node):
    neighbours = list(_bgp_neighbours(node))
    yield "router bgp %d" % node.asn
    yield " bgp router-id %s" % router_id(node)
    yield " no bgp default ipv4-unicast"
    yield " no bgp ebgp-requires-policy"
    yield " no bgp network import-check"
    yield " timers bgp %d %d" % BGP_TIMERS_S
    for _, address, asn in neighbours:
        yield " neighbor %s remote-as %d" % (address, asn)
        yield " neighbor %s timers connect 1" % address
        yield " neighbor %s advertisement-interval 0" % address
    for version in (4, 6):
        yield " address-family ipv%d unicast" % version
        for other, address, _ in neighbours:
            if other == version:
                yield "  neighbor %s activate" % address
        for prefix in node.announce:
            if prefix.version == version:
                yield "  network %s" % prefix
        yield " exit-address-family"
    yield "exit"


def configuration(node, xenflow):
    """Text of frr.conf for router 'node'; 'xenflow': routes go to the
    switch."""
    lines = ["hostname %s" % node.name, "log syslog warnings"]
    if speaks(node, xenflow):
        lines += _fpm_lines(node)
    # Before the interfaces, which would begin to speak under another id.
    for daemon, name in (("ospf", "router ospf"), ("ospf6", "router ospf6")):
        if not uses(node, daemon):
            continue
        lines.append(name)
        lines.append(" %s router-id %s" % (daemon, router_id(node)))
        lines.append(" timers throttle spf 0 50 500")
        if daemon == "ospf":
            lines.append(" timers throttle lsa all 0")
            lines.append(" timers lsa min-arrival 0")
        lines.append("exit")
    for iface in node.ifaces:
        if iface.name in node.ospf:
            lines += _interface_lines(node, iface)
    if node.bgp:
        lines += _bgp_lines(node)
    lines += node.config.splitlines()
    return "\n".join(lines) + "\n"


def router_id(node):
    """Router ID: the first IPv4 address."""
    return next((i.first(4).ip for i in node.ifaces if i.first(4)),
                node.management(2).ip)


def speaks(node, xenflow):
    """Whether FRR itself tells the switch of its routes."""
    return xenflow and node.feed == "fpm"


def uses(node, daemon):
    """Whether 'node' needs 'daemon' (ospf or ospf6)."""
    version = 6 if daemon == "ospf6" else 4
    return any(i.name in node.ospf and i.first(version) for i in node.ifaces)


def daemons(node, xenflow):
    """List of (program, its arguments) to start for router 'node'."""
    # A zebra that was started again leaves the kernel's routes alone until the
    # daemons have stated theirs.
    chosen = [("zebra", ["-K", str(GRACE_S)]
               + (["-M", "dplane_fpm_nl"] if speaks(node, xenflow) else [])),
              ("staticd", [])]
    if uses(node, "ospf"):
        chosen.append(("ospfd", []))
    if uses(node, "ospf6"):
        chosen.append(("ospf6d", []))
    if node.bgp:
        chosen.append(("bgpd", []))
    return chosen


class Router:
    """FRR in namespace of router 'node'."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.netns = system.netns_path(lab.name, node.name)
        self.folder = os.path.join(lab.folder_path, node.name)

    def start(self, xenflow):
        """Starts FRR's daemons and gives them their configuration."""
        os.makedirs(self.folder, exist_ok=True)
        config = os.path.join(self.folder, "frr.conf")
        empty = os.path.join(self.folder, "empty.conf")
        for path, text in ((config, configuration(self.node, xenflow)),
                           (empty, ""),
                           (os.path.join(self.folder, "vtysh.conf"), "")):
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        # A daemon that is killed leaves a crash log's folder in /var/tmp.
        scratch = os.path.join(self.folder, "tmp")
        os.mkdir(scratch)
        for path in (self.folder, scratch):
            shutil.chown(path, "frr", "frr")    # Whom the daemons become.
        for name, args in daemons(self.node, xenflow):
            base = os.path.join(self.folder, name)
            system.daemon(
                [os.path.join(DAEMONS, name), "-d", "-i", base + ".pid", "-z",
                 self.folder + "/zserv", "--vty_socket", self.folder,
                 "-f", empty, *args],
                self.netns, base + ".out", scratch=scratch)
            self.lab.record(base + ".pid")
        self._write_vtysh()
        system.run([os.path.join(self.folder, "bin/vtysh"), "-b"],
                   folder=self.lab.folder, netns=self.netns)

    def _write_vtysh(self):
        """A vtysh that speaks to this router's daemons."""
        os.makedirs(os.path.join(self.folder, "bin"), exist_ok=True)
        path = os.path.join(self.folder, "bin/vtysh")
        with open(path, "w", encoding="ascii") as f:
            f.write("#!/bin/sh\nVTYSH_PAGER=cat exec /usr/bin/vtysh "
                    "--vty_socket %s --config_dir %s \"$@\"\n"
                    % (self.folder, self.folder))
        os.chmod(path, 0o755)

    def environment(self):
        return dict(os.environ, PATH="%s/bin:%s" % (self.folder,
                                                    os.environ["PATH"]))
