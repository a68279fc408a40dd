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
dnl Whether a daemon waits while there is nothing to do.

dnl XF_IDLE_FUNCTIONS: function
dnl     quiet NAME...    for each daemon with NAME.ctl and NAME.log
dnl It asks the daemon six things and counts what wakes its threads meanwhile: each
dnl question does so three or four times, and one that doesn't wait has turned
dnl hundreds of times at least.  What did is printed.
m4_define([XF_IDLE_FUNCTIONS],
  [quiet() {
       for daemon; do
           before=`grep -c 'wakeup due to' $daemon.log`
           ask="ovs-appctl -t `pwd`/$daemon.ctl"
           $ask vlog/set poll_loop:file:dbg || return 1
           for question in 1 2 3 4 5 6; do
               $ask version >/dev/null || return 1
           done
           $ask vlog/set poll_loop:file:info || return 1
           sed -n 's/.*wakeup due to //p' $daemon.log |
               tail -n +`expr $before + 1` >woken
           if test `grep -c . woken` -gt 120; then
               echo "$daemon doesn't wait:"
               sort woken | uniq -c | sort -rn | head -n 3
               return 1
           fi
       done
   }])
