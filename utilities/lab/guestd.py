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
"""The guest daemon (xenflow-guestd) of a router of the lab.

It tells the switch what the kernel of the router knows: inside a virtual
machine (started by lab/guest-init), or in a namespace (start()).
"""

import os

from lab import system

MANAGEMENT = "mgmt"
# A virtual machine that was started again needs so long to learn its routes.
HOLD_S = 60


def is_wanted(node, xenflow):
    """Whether router 'node' feeds the switch by a guest daemon."""
    return xenflow and node.feed == "guestd"


def arguments(node):
    """Its arguments for router 'node'."""
    return ["--remote=tcp:%s" % node.management(1).ip,
            "--management=" + MANAGEMENT, "--interval=1",
            "--hold=%d" % HOLD_S]


def start(lab, node):
    """Starts it in the namespace of router 'node'."""
    base = os.path.join(lab.folder_path, node.name, "xenflow-guestd")
    os.makedirs(os.path.dirname(base), exist_ok=True)
    program = os.path.join(lab.build, "utilities/xenflow-guestd")
    system.daemon([program, *arguments(node), "--unixctl=%s.ctl" % base,
                   "--pidfile=%s.pid" % base, "--log-file=%s.log" % base,
                   "-vconsole:off", "--detach", "--no-chdir"],
                  system.netns_path(lab.name, node.name), base + ".out")
    lab.record(base + ".pid")
