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
dnl A switch with a router on the dummy datapath, for switch.at and others.
dnl Frames are made and shown by frame.py.

dnl XF_SWITCH_START([vsctl commands...])
dnl
dnl A bridge with two segments, VLAN 10 (p1, p3, vif v1) and VLAN 20 (p2, p4,
dnl vif v2), and router vr1 between them with a neighbour on each.  p5 is a
dnl trunk.  Frames that leave port P are in P-tx.pcap.  The router's translation is
dnl XF_TRANSLATION, where that is defined.
m4_define([XF_SWITCH_START], [
  OVS_VSWITCHD_START([dnl
    add-port br0 p1 tag=10 -- set int p1 type=dummy options:tx_pcap=p1-tx.pcap ofport_request=1 -- \
    add-port br0 p2 tag=20 -- set int p2 type=dummy options:tx_pcap=p2-tx.pcap ofport_request=2 -- \
    add-port br0 p3 tag=10 -- set int p3 type=dummy options:tx_pcap=p3-tx.pcap ofport_request=3 -- \
    add-port br0 p4 tag=20 -- set int p4 type=dummy options:tx_pcap=p4-tx.pcap ofport_request=4 -- \
    add-port br0 p5 -- set int p5 type=dummy options:tx_pcap=p5-tx.pcap ofport_request=5 -- \
    add-port br0 v1 tag=10 -- set int v1 type=dummy options:tx_pcap=v1-tx.pcap ofport_request=11 -- \
    add-port br0 v2 tag=20 -- set int v2 type=dummy options:tx_pcap=v2-tx.pcap ofport_request=12 -- \
    add-port br0 vr1 -- set int vr1 type=xenflow ofport_request=21 $1])

  AT_CHECK([ovs-ofctl add-flow br0 actions=NORMAL])

  dnl Neighbours are heard of on the wire before they are used: n1 on p1, n2
  dnl on p2, n3 on p3, n4 on p4.
  n1=aa:00:00:00:01:02 n2=aa:00:00:00:02:02
  n3=aa:00:00:00:01:03 n4=aa:00:00:00:02:04
  r1=52:54:00:00:01:01 r2=52:54:00:00:02:01

  # xf_send PORT KIND KEY=VALUE...
  xf_send () {
    port=$[]1; shift
    ovs-appctl netdev-dummy/receive $port `$PYTHON3 $XF_TOP/tests/frame.py "$[]@"` > /dev/null
  }
  # xf_got PORT: what left PORT since the last call.
  xf_got () {
    ovs-pcap $[]1-tx.pcap > $[]1-all
    tail -n +`cat $[]1-seen 2>/dev/null || echo 1` $[]1-all | $PYTHON3 $XF_TOP/tests/frame.py show
    echo $((`wc -l < $[]1-all` + 1)) > $[]1-seen
  }
  # xf_count PORT: how many frames left PORT since the last xf_got.
  xf_count () {
    echo $((`ovs-pcap $[]1-tx.pcap | wc -l` + 1 - `cat $[]1-seen 2>/dev/null || echo 1`))
  }
  # xf_flush: forget what left the ports so far.
  xf_flush () {
    for port in p1 p2 p3 p4 p5 v1 v2; do xf_got $port > /dev/null; done
  }
  # xf_punts REASON: how many packets vr1 punted for REASON.
  xf_punts () {
    ovs-appctl xenflow/stats-show --json vr1 | $PYTHON3 -c 'import json, sys
for row in json.load(sys.stdin)[["punts"]]:
    if row[["reason"]] == sys.argv[[1]]:
        print(row[["packets"]])' $[]1
  }
  # xf_hello: the neighbours' MACs become known to the bridge.
  xf_hello () {
    xf_send p2 ether smac=$n2 dmac=ff:ff:ff:ff:ff:ff type=0x9999
    xf_send p1 ether smac=$n1 dmac=ff:ff:ff:ff:ff:ff type=0x9999
    xf_send p3 ether smac=$n3 dmac=ff:ff:ff:ff:ff:ff type=0x9999
    xf_send p4 ether smac=$n4 dmac=ff:ff:ff:ff:ff:ff type=0x9999
    OVS_WAIT_UNTIL([test `ovs-appctl fdb/show br0 | grep -c aa:00` = 4])
    OVS_WAIT_UNTIL([test `xf_count p2` = 1])
    OVS_WAIT_UNTIL([test `xf_count p1` = 1])
    xf_flush
  }

  AT_CHECK([ovs-appctl xenflow/router-add vr1 punt-rate=0m4_ifdef([XF_TRANSLATION], [ translation=XF_TRANSLATION])])
  AT_CHECK([ovs-appctl xenflow/port-add vr1 eth1 vlan=10 mac=$r1 vif=v1 ifindex=2 address=10.0.1.1/24,2001:db8:1::1/64])
  AT_CHECK([ovs-appctl xenflow/port-add vr1 eth2 vlan=20 mac=$r2 vif=v2 ifindex=3 address=10.0.2.1/24,2001:db8:2::1/64])
  AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth1 10.0.1.2 $n1])
  AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth2 10.0.2.2 $n2])
  AT_CHECK([ovs-appctl xenflow/neigh-add vr1 eth2 2001:db8:2::2 $n2])
  xf_hello
])

dnl XF_ROUTE(ARGS): adds a route to vr1.
m4_define([XF_ROUTE], [AT_CHECK([ovs-appctl xenflow/rule-add vr1 $1])])

dnl XF_EXPECT(PORT, FRAMES): exactly FRAMES leave PORT.
m4_define([XF_EXPECT], [
  OVS_WAIT_UNTIL([test `xf_count $1` -ge m4_eval(m4_len(m4_bpatsubst([$2], [[^
]])))])
  AT_CHECK([xf_got $1], [0], [$2])
])

dnl XF_BY_TRANSLATION(FLOW, FIB): the one that goes with XF_TRANSLATION.
m4_define([XF_BY_TRANSLATION],
  [m4_if(XF_TRANSLATION, [flow], [$1], XF_TRANSLATION, [fib], [$2])])
