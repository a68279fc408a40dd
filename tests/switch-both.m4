dnl Copyright (c) 2026 The XenFlow Authors.
dnl
dnl Licensed under the Apache License, Version 2.0 (the "License");
dnl you may not use this file except in compliance with the License.
dnl You may obtain a copy of the License at:
dnl
dnl     http://www.apache.org/licenses/LICENSE-2.0
dnl
dnl Unless required by applicable law or agreed to in writing, software
dnl distributed under the License is distributed on an "AS IS" BASIS,
dnl WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
dnl See the License for the specific language governing permissions and
dnl limitations under the License.
dnl
dnl Routers in a real ovs-vswitchd on the dummy datapath: what they do, whichever
dnl translation is in force.  switch-flow.at and switch-fib.at include this file,
dnl with XF_TRANSLATION defined.  Frames are made and shown by frame.py.

AT_SETUP([xf switch - a packet is routed: MACs, TTL, checksum (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
dnl XF-37, XF-38, XF-39: the first packet is itself delivered.
xf_send p1 udp4
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
xf_send p1 udp4 ttl=2
xf_send p1 udp4 ttl=255 dst=10.9.200.3 tos=8
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 1 len 46 csum ok udp 1000 > 2000 ok
52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.200.3 tos 8 ttl 254 len 46 csum ok udp 1000 > 2000 ok
])
dnl One megaflow, whatever TTL, ToS and ports; in translation fib, whatever
dnl destination.
AT_CHECK([ovs-appctl dpctl/dump-flows --names | strip_ufid | grep xenflow | sed 's/used:.*s,/used:T,/; s/recirc(0x@<:@1-9@:>@)/recirc(N)/'], [0],
  [XF_BY_TRANSLATION([dnl
recirc_id(0),in_port(p1),packet_type(ns=0,id=0),eth(src=aa:00:00:00:01:02,dst=52:54:00:00:01:01),eth_type(0x0800),ipv4(dst=10.9.1.2/255.255.0.0,frag=no), packets:2, bytes:120, used:T, actions:xenflow(router=1,src=52:54:00:00:02:01,dst=aa:00:00:00:02:02,mtu=1500,forward(p2),punt(v1))
], [dnl
recirc_id(0),in_port(p1),packet_type(ns=0,id=0),eth(src=aa:00:00:00:01:02,dst=52:54:00:00:01:01),eth_type(0x0800),ipv4(frag=no), packets:2, bytes:120, used:T, actions:xenflow(router=1,fib,recirc(N),punt(v1))
])])
dnl The VM saw nothing.
AT_CHECK([xf_got v1; xf_got v2])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - IPv6 is routed (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([2001:db8:9::/48 via 2001:db8:2::2])
xf_send p1 udp6
xf_send p1 udp6 ttl=9 dst=2001:db8:9:ffff::1
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 2001:db8:1::2 > 2001:db8:9::2 hlim 63 len 66 udp 1000 > 2000 ok
52:54:00:00:02:01 > aa:00:00:00:02:02 2001:db8:1::2 > 2001:db8:9:ffff::1 hlim 8 len 66 udp 1000 > 2000 ok
])
AT_CHECK([xf_got v1; xf_got v2])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - what is punted, unmodified and by reason (XF_TRANSLATION)])
AT_KEYWORDS([xf switch punt XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
XF_ROUTE([10.10.0.0/16 unreachable])
XF_ROUTE([10.11.0.0/16 prohibit])
XF_ROUTE([2001:db8:9::/48 via 2001:db8:2::2])
AT_CHECK([ovs-appctl xenflow/port-set vr1 eth2 mtu=1400])
dnl Each line: reason, frame.
AT_DATA([punts], [dnl
local udp4 dst=10.0.1.1
local udp4 dst=10.0.2.1
local udp4 dst=10.0.2.255
local udp6 dst=2001:db8:1::1
local udp6 dst=2001:db8:2::
special udp4 dst=224.0.0.5
special udp4 dst=127.0.0.1
special udp4 dst=255.255.255.255
special udp4 dst=0.0.0.0
special udp6 dst=fe80::1
special udp6 dst=ff02::1
special udp6 dst=::1
special udp6 dst=::ffff:10.9.1.2
no-route udp4 dst=11.1.1.1
no-route udp6 dst=2001:db9::1
unreachable udp4 dst=10.10.1.1
prohibit udp4 dst=10.11.1.1
no-neighbor udp4 dst=10.0.2.77
no-neighbor udp6 dst=2001:db8:2::77
ttl udp4 ttl=1
ttl udp4 ttl=0
ttl udp6 ttl=1
options udp4 opts=01010101
options udp4 opts=94040000
hop-by-hop udp6 opts=hbh
too-big udp4 len=1400
too-big udp4 len=1400 df=1
too-big udp6 len=1400
martian udp4 src=127.0.0.1
martian udp4 src=224.0.0.1
martian udp4 src=0.1.2.3
martian udp6 src=fe80::2
martian udp6 src=::
non-ip ether type=0x8847 len=60
non-ip ether type=0x9999
])
while read reason frame; do
  xf_punts $reason > before
  hex=`$PYTHON3 $XF_TOP/tests/frame.py $frame`
  AT_CHECK([ovs-appctl netdev-dummy/receive p1 $hex], [0], [ignore])
  OVS_WAIT_UNTIL([test `xf_count v1` = 1])
  AT_CHECK_UNQUOTED([ovs-pcap v1-tx.pcap | tail -1], [0], [$hex
])
  xf_got v1 > /dev/null
  AT_CHECK_UNQUOTED([echo "$reason $frame" $((`xf_punts $reason` - `cat before`))], [0], [$reason $frame 1
])
done < punts
AT_CHECK([xf_got p2; xf_got p3; xf_got v2])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - headers that contradict each other are punted (XF_TRANSLATION)])
AT_KEYWORDS([xf switch punt XF_TRANSLATION])
dnl The version isn't the EtherType's; the bytes would pass for a header of the
dnl other family, whose TTL isn't where the packet's is.
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
XF_ROUTE([2001:db8:9::/48 via 2001:db8:2::2])
hex4=`$PYTHON3 $XF_TOP/tests/frame.py udp4`
hex6=`$PYTHON3 $XF_TOP/tests/frame.py udp6 src=2001:db8:a01::2`
for i in 1 2; do
  for hex in `echo $hex4 | sed 's/08004500002e00010000/08006500002e00011fff/'` \
             `echo $hex6 | sed 's/86dd60000000/86dd45000042/'`; do
    AT_CHECK([test $hex != $hex4 && test $hex != $hex6])
    AT_CHECK([ovs-appctl netdev-dummy/receive p1 $hex], [0], [ignore])
    OVS_WAIT_UNTIL([test `xf_count v1` = 1])
    AT_CHECK_UNQUOTED([ovs-pcap v1-tx.pcap | tail -1], [0], [$hex
])
    xf_flush
  done
done
AT_CHECK([xf_punts malformed], [0], [4
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - frames with two VLAN tags are punted (XF_TRANSLATION)])
AT_KEYWORDS([xf switch punt vlan XF_TRANSLATION])
XF_SWITCH_START([-- set Open_vSwitch . other_config:vlan-limit=2])
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
dnl The megaflow of one tag can't match that there is no second one.
xf_send p5 udp4 vlan=10
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
hex=`$PYTHON3 $XF_TOP/tests/frame.py udp4 vlan=10 | sed 's/8100000a/&81000014/'`
AT_CHECK([ovs-appctl netdev-dummy/receive p5 $hex], [0], [ignore])
XF_EXPECT([v1], [aa:00:00:00:01:02 > 52:54:00:00:01:01 vlan 20 10.0.1.2 > 10.9.1.2 ttl 64 len 46 csum ok udp 1000 > 2000 ok
])
dnl A customer's tag in a port's tunnel is a second one, too.
AT_CHECK([ovs-vsctl set port p3 vlan_mode=dot1q-tunnel])
xf_flush
xf_send p3 udp4 vlan=7
OVS_WAIT_UNTIL([test `xf_punts non-ip` = 2])
AT_CHECK([xf_got p2])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - acknowledged route changes take effect at once (XF_TRANSLATION)])
AT_KEYWORDS([xf switch revalidation XF_TRANSLATION])
XF_SWITCH_START
AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth2 10.0.2.4 $n4])
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
xf_send p1 udp4
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 2])
xf_flush
dnl XF-41, XF-42: replaced, split by a longer prefix, merged, withdrawn; no
dnl packet follows the old rule after the command returned.
for i in 1 2 3 4 5; do
  AT_CHECK([ovs-appctl xenflow/rule-add vr1 10.9.1.0/24 via 10.0.2.4])
  xf_send p1 udp4
  xf_send p1 udp4 dst=10.9.2.2
  OVS_WAIT_UNTIL([test `xf_count p4` = 1 && test `xf_count p2` = 1])
  AT_CHECK([xf_got p4], [0], [52:54:00:00:02:01 > aa:00:00:00:02:04 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
  AT_CHECK([xf_got p2], [0], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.2.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
  AT_CHECK([ovs-appctl xenflow/rule-del vr1 10.9.1.0/24])
  xf_send p1 udp4
  OVS_WAIT_UNTIL([test `xf_count p2` = 1])
  AT_CHECK([xf_got p2], [0], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
done
AT_CHECK([ovs-appctl xenflow/rule-del vr1 10.9.0.0/16])
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count v1` = 1])
AT_CHECK([xf_got p2; xf_got p4])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - a shorter prefix gives no wrong megaflow (XF_TRANSLATION)])
AT_KEYWORDS([xf switch revalidation XF_TRANSLATION])
dnl Regression of upstream's 21410ff80, in our terms: a packet of the /16 installs
dnl a megaflow that must not cover the /24.
XF_SWITCH_START
AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth2 10.0.2.4 $n4])
XF_ROUTE([0.0.0.0/0 via 10.0.2.4])
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
XF_ROUTE([10.9.1.0/24 via 10.0.2.4])
XF_ROUTE([10.9.1.128/25 via 10.0.2.2])
for dst in 10.9.2.2 10.9.1.2 10.9.1.200 10.8.0.1 10.9.0.255; do xf_send p1 udp4 dst=$dst; done
OVS_WAIT_UNTIL([test `xf_count p2` = 3 && test `xf_count p4` = 2])
AT_CHECK([xf_got p2 | awk '{print $6}'], [0], [10.9.2.2
10.9.1.200
10.9.0.255
])
AT_CHECK([xf_got p4 | awk '{print $6}'], [0], [10.9.1.2
10.8.0.1
])
XF_BY_TRANSLATION([
AT_CHECK([ovs-appctl dpctl/dump-flows | grep xenflow | tr , '\n' | grep 'ipv4.dst' | cut -d= -f2 | sort], [0], [dnl
10.8.0.1/255.255.0.0
10.9.0.255/255.255.255.0
10.9.1.2/255.255.255.128
10.9.1.200/255.255.255.128
10.9.2.2/255.255.254.0
])
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - two routers with the same addresses and MACs (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
dnl XF-12.  The second router lives in VLANs 30 and 40, which end in trunk p5.
XF_SWITCH_START([-- add-port br0 v3 tag=30 -- set int v3 type=dummy options:tx_pcap=v3-tx.pcap ofport_request=13 \
  -- add-port br0 vr2 -- set int vr2 type=xenflow ofport_request=22])
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
AT_CHECK([ovs-appctl xenflow/router-add vr2])
AT_CHECK([ovs-appctl xenflow/port-add vr2 eth1 vlan=30 mac=$r1 vif=v3 ifindex=2 address=10.0.1.1/24])
AT_CHECK([ovs-appctl xenflow/port-add vr2 eth2 vlan=40 mac=$r2 ifindex=3 address=10.0.2.1/24])
AT_CHECK([ovs-appctl xenflow/neigh-add vr2 eth2 10.0.2.2 aa:00:00:00:04:04])
AT_CHECK([ovs-appctl xenflow/rule-add vr2 10.9.0.0/16 via 10.0.2.2])
xf_send p5 ether vlan=40 smac=aa:00:00:00:04:04 dmac=ff:ff:ff:ff:ff:ff type=0x9999
OVS_WAIT_UNTIL([ovs-appctl fdb/show br0 | grep aa:00:00:00:04:04])
xf_flush
xf_send p1 udp4
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
dnl In and out by one trunk, from one segment into another.
xf_send p5 udp4 vlan=30
XF_EXPECT([p5], [52:54:00:00:02:01 > aa:00:00:00:04:04 vlan 40 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
AT_CHECK([xf_got p2])
AT_CHECK([ovs-appctl xenflow/rule-del vr2 10.9.0.0/16])
xf_send p5 udp4 vlan=30
OVS_WAIT_UNTIL([test `ovs-pcap v3-tx.pcap | wc -l` -ge 1])
AT_CHECK([xf_got v1; xf_got v2])
dnl The first is undisturbed.
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 1])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - out by the segment and port it came in (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth1 10.0.1.3 $n3])
XF_ROUTE([10.9.0.0/16 via 10.0.1.2])
XF_ROUTE([10.8.0.0/16 via 10.0.1.3])
xf_send p1 udp4
XF_EXPECT([p1], [52:54:00:00:01:01 > aa:00:00:00:01:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
xf_send p1 udp4 dst=10.8.1.2
XF_EXPECT([p3], [52:54:00:00:01:01 > aa:00:00:00:01:03 10.0.1.2 > 10.8.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
AT_CHECK([xf_got v1])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - ECMP: flows split, lookup agrees with forwarding (XF_TRANSLATION)])
AT_KEYWORDS([xf switch ecmp XF_TRANSLATION])
XF_SWITCH_START
AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth2 10.0.2.4 $n4])
XF_ROUTE([10.9.0.0/16 via 10.0.2.2 nexthop via 10.0.2.4])
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
  xf_send p1 udp4 sport=$i
  OVS_WAIT_UNTIL([test $((`xf_count p2` + `xf_count p4`)) = 1])
  { xf_got p2; xf_got p4; } | awk '{print $3}' >> actual
  ovs-appctl xenflow/route-lookup --json vr1 10.9.1.2 proto=17 src=10.0.1.2 sport=$i dport=2000 | $PYTHON3 -c 'import json, sys
print(json.load(sys.stdin)[["mac"]])' >> expected
done
AT_CHECK([diff actual expected])
AT_CHECK([sort -u actual | wc -l], [0], [2
])
dnl One of them goes: the other takes all.
XF_ROUTE([10.9.0.0/16 via 10.0.2.4])
xf_flush
for i in 1 2 3 4 5 6 7 8; do xf_send p1 udp4 sport=$i; done
OVS_WAIT_UNTIL([test `xf_count p4` = 8])
AT_CHECK([xf_got p2])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - blackhole drops, counted (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 blackhole])
xf_send p1 udp4
xf_send p1 udp4
OVS_WAIT_UNTIL([ovs-appctl xenflow/stats-show vr1 | grep -i 'blackhole.* 2$'])
XF_BY_TRANSLATION([
AT_CHECK([ovs-appctl dpctl/dump-flows | grep -o 'actions:xenflow.*'], [0], [actions:xenflow(router=1,drop)
])
])
AT_CHECK([xf_got p2; xf_got v1])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - trace explains each step (XF_TRANSLATION)])
AT_KEYWORDS([xf switch trace XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
AT_CHECK([ovs-appctl ofproto/trace --names br0 in_port=p1,udp,dl_src=$n1,dl_dst=$r1,nw_src=10.0.1.2,nw_dst=10.9.1.2,nw_ttl=64], [0], [stdout])
dnl In translation fib the trace goes on behind the router by itself.
AT_CHECK([sed -n '/router vr1/p; /^bridge/p; /forwarding/p; /^Megaflow: /p; /^Datapath actions: /p; /^recirc/p' stdout | sed 's/(0x@<:@0-9a-f@:>@*)/(N)/; s/id=0x@<:@0-9a-f@:>@*/id=N/'], [0],
  [XF_BY_TRANSLATION([dnl
bridge("br0")
     -> router vr1, in eth1: 10.9.0.0/16 (16 bits decided) via 10.0.2.2 dev eth2: forward to aa:00:00:00:02:02 vlan 20 mtu 1500
bridge("br0")
     -> forwarding to learned port
Megaflow: recirc_id=0,eth,ip,in_port=p1,dl_src=aa:00:00:00:01:02,dl_dst=52:54:00:00:01:01,nw_dst=10.9.0.0/16,nw_frag=no
Datapath actions: xenflow(router=1,src=52:54:00:00:02:01,dst=aa:00:00:00:02:02,mtu=1500,forward(p2),punt(v1))
], [dnl
bridge("br0")
     -> router vr1, in eth1: 10.9.0.0/16 (16 bits decided) via 10.0.2.2 dev eth2: forward to aa:00:00:00:02:02 vlan 20 mtu 1500
Megaflow: recirc_id=0,eth,ip,in_port=p1,dl_src=aa:00:00:00:01:02,dl_dst=52:54:00:00:01:01,nw_frag=no
Datapath actions: xenflow(router=1,fib,recirc(N),punt(v1))
recirc(N)
bridge("br0")
     -> forwarding to learned port
Megaflow: recirc_id=N,eth,ip,in_port=p1,dl_vlan=20,dl_vlan_pcp=0,dl_src=52:54:00:00:02:01,dl_dst=aa:00:00:00:02:02,nw_frag=no
Datapath actions: pop_vlan,p2
])])
AT_CHECK([ovs-appctl ofproto/trace br0 in_port=p1,udp,dl_src=$n1,dl_dst=$r1,nw_dst=11.9.1.2,nw_ttl=64 | grep -o 'router vr1.*'], [0], [dnl
router vr1, in eth1: punt to v1 (no-route)
])
AT_CHECK([ovs-appctl ofproto/trace br0 in_port=p1,udp,dl_src=$n1,dl_dst=$r1,nw_dst=10.9.1.2,nw_ttl=1 | grep -o 'a packet with.*'], [0], [dnl
a packet with this TTL is punted)
])
dnl A trace changes nothing.
AT_CHECK([ovs-appctl ofproto/trace br0 in_port=p1,arp,dl_src=$n3,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,arp_spa=10.0.1.99,arp_sha=$n3,arp_tpa=10.0.1.1 | grep -o 'router vr1.*'], [0], [dnl
router vr1 hears on eth1 that 10.0.1.99 is at aa:00:00:00:01:03
])
AT_CHECK([ovs-appctl xenflow/neigh-list vr1 | grep -c 10.0.1.99], [1], [0
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - users' OpenFlow rules before and after the router (XF_TRANSLATION)])
AT_KEYWORDS([xf switch openflow XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
dnl Before: an access list.  After, from the router's port: DSCP and a drop.
AT_DATA([flows.txt], [dnl
priority=100,in_port=p1,udp,tp_dst=53 actions=drop
priority=100,in_port=vr1,udp,tp_dst=80 actions=mod_nw_tos:32,NORMAL
priority=100,in_port=vr1,udp,tp_dst=81 actions=drop
priority=100,in_port=vr1,udp,tp_dst=82,nw_ttl=63 actions=output:p4
priority=0 actions=NORMAL
])
AT_CHECK([ovs-ofctl --bundle replace-flows br0 flows.txt])
xf_send p1 udp4 dport=53
xf_send p1 udp4 dport=81
xf_send p1 udp4 dport=2000
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
xf_send p1 udp4 dport=80
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 tos 32 ttl 63 len 46 csum ok udp 1000 > 80 ok
])
dnl A rule that reads the TTL makes the megaflow match it.
xf_send p1 udp4 dport=82
XF_EXPECT([p4], [52:54:00:00:02:01 > aa:00:00:00:02:02 vlan 20 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 82 ok
])
xf_send p1 udp4 dport=82 ttl=65
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 64 len 46 csum ok udp 1000 > 82 ok
])
dnl A rule may send to a router without NORMAL, too.
AT_DATA([flows.txt], [dnl
priority=100,in_port=p1,ip,dl_dst=52:54:00:00:01:01 actions=output:vr1
priority=100,in_port=vr1 actions=output:p3
])
AT_CHECK([ovs-ofctl --bundle replace-flows br0 flows.txt])
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p3` = 1])
AT_CHECK([xf_got p3 | sed 's/vlan 20 //'], [0], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
dnl Deleting all flows takes nothing from the router but its pipeline.
AT_CHECK([ovs-ofctl del-flows br0])
AT_CHECK([ovs-ofctl add-flow br0 actions=NORMAL])
xf_flush
xf_send p1 udp4
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - ordinary switching and mirrors beside the router (XF_TRANSLATION)])
AT_KEYWORDS([xf switch mirror XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
dnl XF-33, XF-47: bridged traffic of the same segment.
xf_send p1 udp4 dmac=$n3 dst=10.0.1.3
XF_EXPECT([p3], [aa:00:00:00:01:02 > aa:00:00:00:01:03 10.0.1.2 > 10.0.1.3 ttl 64 len 46 csum ok udp 1000 > 2000 ok
])
AT_CHECK([ovs-vsctl -- --id=@p2 get port p2 -- --id=@p5 get port p5 -- --id=@m create mirror name=m select_dst_port=@p2 output_port=@p5 -- set bridge br0 mirrors=@m], [0], [ignore])
xf_send p1 udp4
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
dnl The mirror shows the packet as it was sent (in its VLAN: p5 is a trunk).
XF_EXPECT([p5], [52:54:00:00:02:01 > aa:00:00:00:02:02 vlan 20 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - ports and routers come and go (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 1])
dnl The router's port goes: its MAC is an unknown one again, flooded.
AT_CHECK([ovs-vsctl del-port vr1])
xf_flush
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count v1` = 1])
AT_CHECK([xf_got p2])
AT_CHECK([ovs-vsctl add-port br0 vr1 -- set int vr1 type=xenflow ofport_request=33])
xf_flush
xf_send p1 udp4
XF_EXPECT([p2], [52:54:00:00:02:01 > aa:00:00:00:02:02 10.0.1.2 > 10.9.1.2 ttl 63 len 46 csum ok udp 1000 > 2000 ok
])
dnl The back-end goes: forwarding goes on.
AT_CHECK([ovs-vsctl del-port v1])
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 1])
dnl The router goes, then the bridge.
xf_flush
AT_CHECK([ovs-appctl xenflow/router-del vr1])
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p3` = 1])
AT_CHECK([xf_got p2])
AT_CHECK([ovs-appctl dpctl/dump-flows | grep -c xenflow], [1], [0
])
AT_CHECK([ovs-vsctl del-br br0])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - interface of type xenflow: statistics and errors (XF_TRANSLATION)])
AT_KEYWORDS([xf switch XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
xf_send p1 udp4
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 2])
AT_CHECK([ovs-appctl revalidator/wait])
OVS_WAIT_UNTIL([ovs-ofctl dump-ports br0 vr1 | grep 'rx pkts=2'])
AT_CHECK([ovs-ofctl dump-ports br0 vr1 | tr -s ' ' | grep -o 'pkts=[[0-9]]*, bytes=[[0-9]]*'], [0], [pkts=2, bytes=120
pkts=2, bytes=120
])
AT_CHECK([ovs-appctl xenflow/rule-list --json vr1 10.9.0.0/16 | $PYTHON3 -c 'import json, sys
print(json.load(sys.stdin)[[0]][["packets"]])'], [0], [2
])
XF_BY_TRANSLATION([
AT_CHECK([ovs-appctl xenflow/megaflow-list vr1 | grep -c 'ipv4.dst=10.9.1.2/255.255.0.0,.*forward.p2.,punt.v1.'], [0], [1
])
AT_CHECK([ovs-appctl xenflow/megaflow-list --json vr1 | $PYTHON3 -c 'import json, sys
print([[row["packets"] for row in json.load(sys.stdin) if "10.9" in row["flow"]]])'], [0], [[[1]
]])
])
AT_CHECK([ovs-vsctl add-port br0 vr9 -- set int vr9 type=xenflow])
AT_CHECK([ovs-appctl ofproto/trace br0 in_port=p1,udp,dl_src=$n1,dl_dst=aa:aa:aa:aa:aa:aa | grep -o 'no router is.*'], [0], [dnl
no router is called vr9: add it by "ovs-appctl xenflow/router-add"
])
OVS_VSWITCHD_STOP
AT_CLEANUP

AT_SETUP([xf switch - sFlow and IPFIX tell ports and packets (XF_TRANSLATION)])
AT_KEYWORDS([xf switch sflow ipfix XF_TRANSLATION])
XF_SWITCH_START
XF_ROUTE([10.9.0.0/16 via 10.0.2.2])
on_exit 'kill `cat test-sflow.pid`'
AT_CHECK([ovstest test-sflow --log-file --detach --no-chdir --pidfile 0:127.0.0.1 > sflow.log], [0], [], [ignore])
PARSE_LISTENING_PORT([test-sflow.log], [SFLOW_PORT])
AT_CHECK([ovs-vsctl set int p1 options:ifindex=1001 -- set int p2 options:ifindex=1002 -- set int v1 options:ifindex=1011 \
  -- set bridge br0 sflow=@sf -- --id=@sf create sflow targets=\"127.0.0.1:$SFLOW_PORT\" header=128 sampling=1 polling=100 agent=lo], [0], [ignore])
AT_CHECK([ovs-vsctl -- --id=@br0 get bridge br0 -- --id=@i create ipfix targets=\"127.0.0.1:4739\" \
  -- --id=@cs create flow_sample_collector_set id=1 bridge=@br0 ipfix=@i], [0], [ignore])
AT_CHECK([ovs-ofctl add-flow br0 'priority=40000,in_port=vr1,udp actions=sample(probability=65535,collector_set_id=1),NORMAL'])
xf_send p1 udp4
xf_send p1 udp4
OVS_WAIT_UNTIL([test `xf_count p2` = 2])
dnl sFlow shows the packet as it came, and the port it left by; a packet that
dnl the action punts is rare enough to be shown likewise.
OVS_WAIT_UNTIL([test `grep -c 'in_ifindex=1001 .*out_ifindex=1002 .*hdr=52-54-00-00-01-01-AA-00-00-00-01-02-08-00' sflow.log` = 2])
dnl IPFIX of a rule behind the router shows it as it left.
AT_CHECK([ovs-ofctl dump-ipfix-flow br0 | grep -o 'sampled pkts=[[0-9]]*, ipv4 ok=[[0-9]]*'], [0], [sampled pkts=2, ipv4 ok=2
])
OVS_VSWITCHD_STOP(["/sending to collector failed/d"])
OVS_APP_EXIT_AND_WAIT([test-sflow])
AT_CLEANUP
