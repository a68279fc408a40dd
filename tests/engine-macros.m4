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
dnl What the engine's modules of tests share.

dnl XF_ENGINE_CHECK([[SCRIPT]], [[TRANSCRIPT]])
dnl
dnl Compares what test-xf-engine prints for SCRIPT, without what differs from
dnl run to run: rounds of acknowledgement, CPU time, bytes, ports chosen by the
dnl kernel.
m4_define([XF_ENGINE_CHECK],
  [AT_DATA([script], [$1])
   AT_CHECK([test-xf-engine < script > transcript], [0], [], [])
   AT_CHECK([[sed '/^\(generation\|acknowledged:  *[0-9]\|round \|rounds\|main thread\)/d
s/"engine":{.*"news_dropped"/"engine":{"news_dropped"/
s/\("news_dropped":[0-9]*\),[^}]*/\1/
s/"bytes":[0-9]*\(.*"trie_nodes":\)[0-9]*/"bytes":N\1N/
/^[>e]/!s/\(127\.0\.0\.1\|\[::1\]\):[1-9][0-9]*/\1:PORT/
s/^\(speaker port: \)[0-9]*/\1PORT/
s/127\.0\.0\.1  *[0-9][0-9]* /127.0.0.1 PORT /' transcript]], [0], [$2])])
