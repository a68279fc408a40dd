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
dnl xenflow-hostd joined to the database XenFlow: one server of that, and hosts
dnl with a server of Open_vSwitch each, without a switch; machines are dummies.

dnl Macros of join.at and move.at.

dnl XF_JOIN_START([OPTIONS]): the server of XenFlow, and functions
dnl     sync HOST...       waits until the hosts have carried out all there is
dnl     hostd HOST COMMAND...
dnl     vsctl HOST ARGUMENTS...
dnl     states             rows of Router_State by the routers' names
dnl     ports HOST         ports of its bridge with tag, trunks, external_ids
m4_define([XF_JOIN_START],
  [OVS_RUNDIR=`pwd`; export OVS_RUNDIR
   OVS_LOGDIR=`pwd`; export OVS_LOGDIR
   XF_DB=unix:x.sock; export XF_DB
   hostd() { h=$[]1; shift; ovs-appctl -t "`pwd`/$h.ctl" "$[]@"; }
   vsctl() { h=$[]1; shift; ovs-vsctl --no-wait --db=unix:$h.sock "$[]@"; }
   sync() {
       number=`xfctl get XF_Global . cfg` || return 1
       number=`expr $number + 1`
       xfctl set XF_Global . cfg=$number || return 1
       for h; do
           n=0
           until test "`cfg $h`" = $number; do
               n=`expr $n + 1`
               test $n -lt 500 || { echo "$h is at `cfg $h`"; return 1; }
               sleep 0.02
           done
       done
   }
   cfg() { xfctl --bare --columns=cfg find Host_State host=$[]1; }
   states() {
       xfctl --format=csv --columns=router,host,state,restarts,error \
           list Router_State | sed 1d | while IFS=, read -r uuid rest; do
               name=`xfctl --bare --columns=name list Router $uuid 2>/dev/null`
               echo "${name:-removed},$rest" | tr -d '"'
           done | sort
   }
   ports() {
       vsctl $[]1 --format=csv --no-headings --columns=name,tag,trunks,vlan_mode \
           list Port | tr -d '"' | sort
   }
   AT_CHECK([ovsdb-tool create x.db $XF_TOP/xenflow-ext/xenflow.ovsschema])
   XF_JOIN_SERVER([$1])
   AT_CHECK([xfctl init])])

m4_define([XF_JOIN_SERVER],
  [AT_CHECK([ovsdb-server --detach --no-chdir --pidfile=x.pid \
       --log-file=x.log --unixctl=`pwd`/x.ctl --remote=punix:x.sock $1 x.db],
       [0], [], [ignore])
   on_exit 'kill `cat x.pid`'])

dnl XF_JOIN_SWITCH_DB(HOST)
m4_define([XF_JOIN_SWITCH_DB],
  [AT_CHECK([ovsdb-server --detach --no-chdir --pidfile=$1-db.pid \
       --log-file=$1-db.log --unixctl=`pwd`/$1-db.ctl --remote=punix:$1.sock \
       $1.db], [0], [], [ignore])
   on_exit 'kill `cat $1-db.pid`'])

dnl XF_JOIN_DAEMON(HOST, [OPTIONS])
m4_define([XF_JOIN_DAEMON],
  [AT_CHECK([xenflow-hostd --domains="`pwd`/$1-domains" --enable-dummy \
       --ovs=unix:$1.sock --detach --no-chdir --pidfile=$1.pid \
       --log-file=$1.log --unixctl="`pwd`/$1.ctl" -vconsole:off $2],
       [0], [], [ignore])
   on_exit 'test ! -e $1.pid || kill `cat $1.pid`'])

dnl XF_JOIN_HOST(HOST, [OPTIONS]): a host that joins by the one command.
m4_define([XF_JOIN_HOST],
  [AT_CHECK([ovsdb-tool create $1.db $abs_top_srcdir/vswitchd/vswitch.ovsschema])
   XF_JOIN_SWITCH_DB([$1])
   AT_CHECK([vsctl $1 init])
   XF_JOIN_DAEMON([$1], [$2])
   AT_CHECK([xfctl host-add $1])
   AT_CHECK([vsctl $1 set open_vswitch . external_ids:xenflow-host=$1 \
       external_ids:xenflow-remote=unix:`pwd`/x.sock])])

dnl XF_JOIN_END(HOST, [SED-SCRIPT]): hostd ends; its log has no warnings but
dnl those that the script removes.
m4_define([XF_JOIN_END],
  [AT_CHECK([hostd $1 exit])
   OVS_WAIT_UNTIL([test ! -e $1.pid])
   AT_CHECK([grep -E '\|(WARN|ERR|EMER)\|' $1.log | sed '/|timeval|/d;/running -> crashed/d
$2'])])
