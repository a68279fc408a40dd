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

dnl Macros of slice.at and slice-switch.at.

dnl XF_SLICE_CONF: the configuration of most tests, into file slices.conf.  Red has
dnl two ports of its own and two VLANs of p5, blue one and one.
m4_define([XF_SLICE_CONF],
  [AT_DATA([slices.conf], [[[switch br0]
remote = unix:br0.mgmt

[slice red]
switch = br0
controller = punix:red.sock
tables = 10-12
max-flows = 20
max-groups = 4
max-meters = 2
port 1 = p1
port 2 = p2
port 3 = p5 vlan 100
port 4 = p5 vlan 101

[slice blue]
switch = br0
controller = punix:blue.sock
tables = 20-20
max-groups = 4
port 1 = p3
port 2 = p5 vlan 200
]])])

dnl XF_SLICE_START: a switch br0 with p1 to p6, and xenflow-slice with
dnl slices.conf.
m4_define([XF_SLICE_START],
  [OVS_VSWITCHD_START([dnl
add-port br0 p1 -- set interface p1 type=dummy ofport_request=1 dnl
  options:tx_pcap=p1.pcap -- dnl
add-port br0 p2 -- set interface p2 type=dummy ofport_request=2 dnl
  options:tx_pcap=p2.pcap -- dnl
add-port br0 p3 -- set interface p3 type=dummy ofport_request=3 dnl
  options:tx_pcap=p3.pcap -- dnl
add-port br0 p4 -- set interface p4 type=dummy ofport_request=4 -- dnl
add-port br0 p5 -- set interface p5 type=dummy ofport_request=5 -- dnl
add-port br0 p6 -- set interface p6 type=dummy ofport_request=6])
   XF_SLICE_DAEMON])

m4_define([XF_SLICE_DAEMON],
  [AT_CHECK([xenflow-slice --detach --no-chdir --pidfile --log-file \
                 slices.conf], [0], [ignore], [ignore])
   on_exit 'kill `cat xenflow-slice.pid`'
   OVS_WAIT_UNTIL([ovs-appctl -t xenflow-slice slice/list |
                   grep 'slice red: waiting for its controller'])])

dnl XF_SLICE_STOP: its log may have no warnings but $1.
m4_define([XF_SLICE_STOP],
  [OVS_APP_EXIT_AND_WAIT([xenflow-slice])
   OVS_VSWITCHD_STOP([$1])])

dnl XF_REFUSED([SLICE], [REASON]): how often that was counted.
m4_define([XF_REFUSED],
  [ovs-appctl -t xenflow-slice slice/show $1 |
   sed -n 's/.* $2:\([[0-9]][[0-9]]*\).*/\1/p'])
