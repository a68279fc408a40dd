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

dnl Macros of domain.at and domain-qemu.at.

dnl XF_HOSTD_START: xenflow-hostd in the test's folder, and functions
dnl     hostd COMMAND...    gives it a command
dnl     settled             true if no operation is in progress
dnl     make_dummy NAME [SCRIPT]
dnl     try OPERATION NAME  begins it; says what came of it
dnl     bring NAME STATE    makes a dummy and brings it into the state
m4_define([XF_HOSTD_START],
  [hostd() { ovs-appctl -t "`pwd`/hostd.ctl" "$[]@"; }
   settled() { ! hostd domain/list | grep -q '(' ; }
   make_dummy() {
       echo "{\"name\": \"$[]1\", \"backend\": \"dummy\"@%:@" \
            "\"script\": \"$[]2\"}" | tr '@%:@' ',' >"$[]1.json"
       hostd domain/create "$[]1.json"
   }
   state() { hostd domain/list | sed -n "s/^$[]1 //p"; }
   try() {
       hostd "domain/$[]1" "$[]2" 2>stderr ||
           { sed -n 1p stderr; return; }
       n=0
       until settled || test $n = 1000; do n=$((n + 1)); done
       after=`state $[]2`
       echo "$[]1: ${after:-absent}"
       hostd domain/show "$[]2" 2>/dev/null | sed -n 's/ failed:/&/p'
   }
   bring() {
       make_dummy "$[]1"
       case $[]2 in
       running) try start "$[]1" ;;
       crashed) try start "$[]1"; hostd domain/script "$[]1" crash ;;
       suspended) try start "$[]1"; try suspend "$[]1" ;;
       paused) hostd domain/script "$[]1" fail=suspend:2
               try start "$[]1"; try suspend "$[]1"
               hostd domain/script "$[]1" "" ;;
       esac >/dev/null
   }
   on_exit 'test ! -e xenflow-hostd.pid || kill `cat xenflow-hostd.pid`'
   XF_HOSTD_DAEMON])

m4_define([XF_HOSTD_DAEMON],
  [AT_CHECK([xenflow-hostd --domains="`pwd`/domains" --enable-dummy --detach \
             --no-chdir --pidfile --log-file --unixctl="`pwd`/hostd.ctl" \
             -vconsole:off], [0], [], [ignore])])

dnl XF_HOSTD_STOP([SED-SCRIPT], [WARNINGS]): ends it; these warnings are left when
dnl the script has gone over those of its log.
m4_define([XF_HOSTD_STOP],
  [AT_CHECK([hostd exit])
   OVS_WAIT_UNTIL([test ! -e xenflow-hostd.pid])
   AT_CHECK([grep -E '\|(WARN|ERR|EMER)\|' xenflow-hostd.log |
             sed '/|timeval|/d;$1' | sort],
            [0], [$2])])
