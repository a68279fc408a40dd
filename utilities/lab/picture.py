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
"""A topology as text, as data, and as a picture for Graphviz.

Nothing here touches the system: it shows what a file says.
"""

SHAPES = {"switch": "box3d", "vm": "oval", "frr": "oval", "bare": "oval",
          "edge": "box"}


def _limits(cable):
    parts = []
    if cable.rate:
        parts.append("%g Mbit/s" % (cable.rate / 1e6))
    if cable.delay:
        parts.append("%d ms" % cable.delay)
    return ", ".join(parts)


def describe(node):
    """What 'node' is, in a few words."""
    if node.kind == "switch":
        return "switch host"
    if node.kind == "edge":
        return "edge host"
    words = ["virtual machine" if node.kind == "vm" else "namespace",
             {"frr": "FRR", "bird": "BIRD",
              "static": "static routes"}[node.routing]]
    words += ["OSPF"] if node.ospf else []
    words += ["BGP AS %d" % node.asn] if node.bgp else []
    if node.xenflow:
        words.append("router of %s by %s" % (
            node.switch, "FPM" if node.feed == "fpm" else "guest daemon"))
    return ", ".join(words)


def as_data(topology):
    """The topology as what JSON can say."""
    def cable(c):
        return {"rate_bps": c.rate, "delay_ms": c.delay}

    return {
        "name": topology.name,
        "nodes": [{
            "name": n.name, "kind": n.kind, "is": describe(n),
            "interfaces": [{
                "name": i.name, "segment": i.segment.name, "mac": i.mac,
                "port": i.port if i.segment.switch else None,
                "addresses": [str(a) for a in i.addresses]}
                for i in n.ifaces]} for n in topology.nodes.values()],
        "segments": [{
            "name": s.name, "switch": s.switch, "vlan": s.vlan or None,
            "ends": [[i.node.name, i.name] for i in s.ifaces],
            **cable(s.cable)} for s in topology.segments.values()],
        "links": [{"ends": list(t.ends), **cable(t)}
                  for t in topology.trunks],
        "elements": [{
            "name": e.name, "role": e.role, "switch": e.switch,
            "segments": [s.name for s in e.segments], "via": e.via,
            "select": e.select} for e in topology.elements.values()]}


def _place(iface):
    """What an interface is plugged into."""
    segment = iface.segment
    if segment.is_link:
        return "link %s at %s" % (segment.name, iface.host)
    if segment.switch:
        return "%s, VLAN %d of %s" % (segment.name, segment.vlan, iface.host)
    return "cable %s" % segment.name


def as_text(topology):
    """The topology as a page for people."""
    lines = ["lab %s" % topology.name]
    for node in topology.nodes.values():
        lines.append("%-8s %s" % (node.name, describe(node)))
        for i in node.ifaces:
            where = _place(i)
            lines.append("  %-6s %-24s %s" % (
                i.name, where, " ".join(map(str, i.addresses))))
    for element in topology.elements.values():
        lines.append("%-8s %s on %s: %s%s" % (
            element.name, element.role, element.switch,
            " ".join(s.name for s in element.segments),
            " through %s" % " ".join(element.via) if element.via else ""))
    for cable in topology.trunks:
        lines.append("link     %s - %s  %s" % (*cable.ends, _limits(cable)))
    return "\n".join(line.rstrip() for line in lines)


def as_dot(topology):
    """The topology in Graphviz' language: pipe it into 'dot -Tsvg'.

    Nodes at a VLAN are tied to it; a host is a box around its VLANs."""
    lines = ["graph \"%s\" {" % topology.name,
             "  node [fontname=sans, fontsize=11];",
             "  edge [fontname=sans, fontsize=9];"]
    for host in topology.of_kind("switch"):
        lines.append("  subgraph cluster_%s {" % host.name)
        lines.append("    label=\"%s\"; style=rounded;" % host.name)
        lines.append("    \"%s\" [shape=box3d];" % host.name)
        for s in topology.segments.values():
            if s.switch == host.name and not s.is_link:
                lines.append("    \"%s\" [shape=plaintext, label=\"%s\\nVLAN "
                             "%d\"];" % (s.name, s.name, s.vlan))
        for node in topology.nodes.values():
            if node.is_on_host and node.switch == host.name:
                lines.append("    \"%s\";" % node.name)
        lines.append("  }")
    for node in topology.nodes.values():
        if node.kind != "switch":
            lines.append("  \"%s\" [shape=%s, label=\"%s\\n%s\"];" % (
                node.name, SHAPES[node.kind], node.name,
                describe(node).replace(", ", "\\n")))
    for element in topology.elements.values():
        lines.append("  \"%s\" [shape=diamond, label=\"%s\\n%s\"];" % (
            element.name, element.name, element.role))
        lines += ["  \"%s\" -- \"%s\";" % (element.name, s.name)
                  for s in element.segments]
    for s in topology.segments.values():
        if s.vlan:
            lines += ["  \"%s\" -- \"%s\" [label=\"%s\"];" % (
                i.node.name, s.name, i.name) for i in s.ifaces]
        else:
            one, other = s.ifaces
            lines.append("  \"%s\" -- \"%s\" [taillabel=%s, headlabel=%s, "
                         "label=\"%s\"];" % (
                             one.node.name, other.node.name, one.name,
                             other.name, _limits(s.cable)))
    for cable in topology.trunks:
        lines.append("  \"%s\" -- \"%s\" [penwidth=3, label=\"%s\"];" % (
            *cable.ends, _limits(cable)))
    return "\n".join(lines + ["}"])
