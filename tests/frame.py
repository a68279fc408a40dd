#!/usr/bin/env python3
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
"""Makes and shows Ethernet frames for the switch tests.

usage: frame.py KIND KEY=VALUE...      print a frame as hexadecimal digits
       frame.py show                   one line per frame of hex on stdin
       frame.py left PORT...           what PORT-tx.pcap has since the last
                                       call: PORT, or PORT:VLAN, per frame

KIND and its keys (all have defaults):
  udp4, udp6   src dst sport dport ttl tos id df opts bad-csum pad
  arp          op sha spa tha tpa
  ns, na       src dst target lladdr ttl       (IPv6 neighbour discovery)
  ether        type
common: smac dmac vlan pcp, and len: bytes of payload (default 18)

"opts" is hexadecimal IPv4 options (a multiple of 4 bytes), or for udp6 "hbh"
for a hop-by-hop header.  "show" checks lengths and checksums.
"""

import ipaddress
import struct
import sys


def mac(s):
    return bytes(int(x, 16) for x in s.split(":"))


def csum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip(s):
    return ipaddress.ip_address(s).packed


def pseudo(src, dst, proto, payload):
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, proto, len(payload))
    return src + dst + struct.pack("!IHBB", len(payload), 0, 0, proto)


def l4(src, dst, proto, payload, ofs):
    """Returns 'payload' with its checksum put at 'ofs'."""
    c = csum(pseudo(src, dst, proto, payload) + payload)
    return payload[:ofs] + struct.pack("!H", c or 0xffff) + payload[ofs + 2:]


def udp(a, src, dst):
    data = bytes(i & 0xff for i in range(int(a.get("len", 18))))
    return l4(src, dst, 17,
              struct.pack("!HHHH", int(a.get("sport", 1000)),
                          int(a.get("dport", 2000)), 8 + len(data), 0) + data,
              6)


def udp4(a):
    src, dst = ip(a.get("src", "10.0.1.2")), ip(a.get("dst", "10.9.1.2"))
    opts = bytes.fromhex(a.get("opts", ""))
    payload = udp(a, src, dst)
    head = struct.pack("!BBHHHBBH", 0x45 + len(opts) // 4,
                       int(a.get("tos", 0)), 20 + len(opts) + len(payload),
                       int(a.get("id", 1)), 0x4000 if a.get("df") else 0,
                       int(a.get("ttl", 64)), 17, 0) + src + dst + opts
    c = csum(head) ^ (1 if a.get("bad-csum") else 0)
    head = head[:10] + struct.pack("!H", c) + head[12:]
    return 0x0800, head + payload + bytes(int(a.get("pad", 0)))


def ip6(a, src, dst, proto, payload, ttl):
    if a.get("opts") == "hbh":
        payload = bytes([proto, 0, 5, 2, 0, 0, 1, 0]) + payload
        proto = 0
    return 0x86dd, struct.pack("!IHBB", 6 << 28, len(payload), proto,
                               ttl) + src + dst + payload


def udp6(a):
    src, dst = ip(a.get("src", "2001:db8:1::2")), ip(a.get("dst",
                                                         "2001:db8:9::2"))
    return ip6(a, src, dst, 17, udp(a, src, dst), int(a.get("ttl", 64)))


def arp(a):
    return 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, int(a["op"])) \
        + mac(a["sha"]) + ip(a["spa"]) \
        + mac(a.get("tha", "00:00:00:00:00:00")) + ip(a["tpa"])


def nd(a, kind, option):
    src, dst, target = ip(a["src"]), ip(a["dst"]), ip(a["target"])
    flags = 0x60000000 if kind == 136 else 0
    payload = struct.pack("!BBHI", kind, 0, 0, flags) + target
    if "lladdr" in a:
        payload += bytes([option, 1]) + mac(a["lladdr"])
    return ip6(a, src, dst, 58, l4(src, dst, 58, payload, 2),
               int(a.get("ttl", 255)))


def ns(a):
    return nd(a, 135, 1)


def na(a):
    return nd(a, 136, 2)


def ether(a):
    return int(a.get("type", "0x88cc"), 0), bytes(int(a.get("len", 46)))


KINDS = {"udp4": udp4, "udp6": udp6, "arp": arp, "ns": ns, "na": na,
         "ether": ether}


def make(kind, a):
    eth_type, payload = KINDS[kind](a)
    head = mac(a.get("dmac", "52:54:00:00:01:01")) \
        + mac(a.get("smac", "aa:00:00:00:01:02"))
    if "vlan" in a:
        head += struct.pack("!HH", 0x8100,
                            int(a["vlan"]) | int(a.get("pcp", 0)) << 13)
    return (head + struct.pack("!H", eth_type) + payload).hex()


def fmt_mac(b):
    return ":".join("%02x" % x for x in b)


def show_l4(src, dst, proto, p):
    if proto != 17 or len(p) < 8:
        return "proto %d" % proto
    sport, dport, length = struct.unpack("!HHH", p[:6])
    ok = length == len(p) and csum(pseudo(src, dst, 17, p) + p) == 0
    return "udp %d > %d %s" % (sport, dport, "ok" if ok else "BAD")


def show_ip4(p):
    hlen, total = (p[0] & 15) * 4, struct.unpack("!H", p[2:4])[0]
    src, dst = p[12:16], p[16:20]
    return "%s > %s %sttl %d len %d csum %s %s%s" % (
        ipaddress.ip_address(src), ipaddress.ip_address(dst),
        "tos %d " % p[1] if p[1] else "", p[8], total,
        "ok" if csum(p[:hlen]) == 0 else "BAD",
        "opts " if hlen > 20 else "",
        show_l4(src, dst, p[9], p[hlen:total]))


def show_ip6(p):
    src, dst = p[8:24], p[24:40]
    length = struct.unpack("!H", p[4:6])[0]
    return "%s > %s hlim %d len %d %s" % (
        ipaddress.ip_address(src), ipaddress.ip_address(dst), p[7],
        40 + length, show_l4(src, dst, p[6], p[40:40 + length]))


def show_arp(p):
    return "arp %d %s %s > %s %s" % (
        struct.unpack("!H", p[6:8])[0], fmt_mac(p[8:14]),
        ipaddress.ip_address(p[14:18]), fmt_mac(p[18:24]),
        ipaddress.ip_address(p[24:28]))


def show(line):
    b = bytes.fromhex(line.strip())
    text, ofs = "%s > %s " % (fmt_mac(b[6:12]), fmt_mac(b[:6])), 12
    if b[12:14] == b"\x81\x00":
        tci = struct.unpack("!H", b[14:16])[0]
        text += "vlan %d " % (tci & 0xfff)
        text += "pcp %d " % (tci >> 13) if tci >> 13 else ""
        ofs = 16
    eth_type, p = struct.unpack("!H", b[ofs:ofs + 2])[0], b[ofs + 2:]
    kinds = {0x0800: show_ip4, 0x86dd: show_ip6, 0x0806: show_arp}
    if eth_type in kinds:
        return text + kinds[eth_type](p)
    return text + "type 0x%04x len %d" % (eth_type, len(p))


def left(port):
    """The VLANs ("" if untagged) of frames that left 'port' since last time."""
    try:
        with open(port + "-left", encoding="ascii") as f:
            ofs = int(f.read())
    except FileNotFoundError:
        ofs = 24                # Of the file's header.
    with open(port + "-tx.pcap", "rb") as f:
        data = f.read()
    vlans = []
    while ofs + 16 <= len(data):
        frame = data[ofs + 16:ofs + 16 + struct.unpack("=I", data[ofs + 8:
                                                                  ofs + 12])[0]]
        vlans.append(":%d" % (struct.unpack("!H", frame[14:16])[0] & 0xfff)
                     if frame[12:14] == b"\x81\x00" else "")
        ofs += 16 + len(frame)
    with open(port + "-left", "w", encoding="ascii") as f:
        f.write("%d" % ofs)
    return sorted(vlans)


def main(args):
    if args[:1] == ["left"]:
        print(*[port + vlan for port in args[1:] for vlan in left(port)])
    elif args == ["show"]:
        for line in sys.stdin:
            print(show(line))
    elif args and args[0] in KINDS and all("=" in x for x in args[1:]):
        print(make(args[0], dict(x.split("=", 1) for x in args[1:])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
