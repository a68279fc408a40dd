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
"""What the system tests share: a lab that is taken down at the end, waiting,
and the way a test says how it went.

A test is a function without arguments given to main(); it returns a line for
the summary, or raises.  Skip says why it can't run here.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "utilities"))

# pylint: disable=wrong-import-position
from lab import lab, system, topology          # noqa: E402
from lab.control import Control                # noqa: E402

BUILD = os.environ.get("XF_BUILD", os.path.join(TOP, "build/default"))
IMAGE = os.environ.get("XF_IMAGE", os.path.join(TOP, "build/image"))
LAB = os.path.join(TOP, "utilities/xenflow-lab")
DEMO = os.path.join(TOP, "utilities/lab-examples/demo.ini")
SKIPPED = 77


class Skip(Exception):
    """Why the test can't run here."""


def need_programs(*names):
    missing = [n for n in names if not shutil.which(n)
               and not os.path.exists(n)]
    if missing:
        raise Skip("%s isn't installed" % ", ".join(missing))


def need_image():
    """Builds the image of router VMs, or skips."""
    need_programs("qemu-system-x86_64", "/usr/lib/frr/zebra")
    done = subprocess.run([os.path.join(TOP, "utilities/xenflow-image"),
                           IMAGE], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise Skip(done.stderr.strip())


class Up:
    """with Up(topology text) as lab: ..."""

    kind = lab.Lab

    def __init__(self, name, text):
        self.name = name
        self.text = "[lab]\nname = %s\n%s" % (name, text)

    def __enter__(self):
        lab.down(self.name)
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as f:
            f.write(self.text)
            f.flush()
            return lab.up(f.name, BUILD, IMAGE, self.kind)

    def __exit__(self, *_):
        lab.down(self.name)


class LinkLab(lab.Lab):
    """A lab whose routers come with its links: a switch may say that a
    port of a link is missing, which just comes."""

    def _settle(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                super()._settle()
                return
            except system.LabError as e:
                if ("there is no port" not in str(e)
                        or time.monotonic() > deadline):
                    raise
                time.sleep(0.5)


class LinkUp(Up):
    """with LinkUp(topology text) as lab: ..."""

    kind = LinkLab


# Three hosts, each with a cable to each; for topologies of tests.
RING = """
[host s1]
[host s2]
[host s3]
[link t12]
ends = s1 s2
[link t13]
ends = s1 s3
[link t23]
ends = s2 s3
"""


def demo_topology():
    with open(DEMO, encoding="ascii") as f:
        return f.read()


def wait(what, condition, seconds=60):
    """Waits until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError("%s didn't happen within %d s"
                                 % (what, seconds))
        time.sleep(0.1)


def check(condition, text, *args):
    """A claim: raises with 'text' if it isn't so."""
    if not condition:
        raise AssertionError(text % args if args else text)


def check_alive(here, expected="$^"):
    """No daemon of the lab ended, and no switch logged an error but what
    matches 'expected'."""
    dead = [name for name, _, alive in here.processes() if not alive]
    check(not dead, "ended by themselves: %s", ", ".join(dead))
    for name, host in here.switches.items():
        with open(os.path.join(host.folder, "ovs-vswitchd.log"),
                  encoding="utf-8", errors="replace") as f:
            bad = [line for line in f if ("|ERR|" in line or "|EMER|" in line)
                   and not re.search(expected, line)]
        check(not bad, "%s logged: %s", name, "".join(bad[:5]))


def say(text, *args):
    print(text % args if args else text, flush=True)


def main(test):
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        if os.geteuid():
            raise Skip("needs root (network namespaces)")
        line = test()
    except Skip as e:
        print(e)
        sys.exit(SKIPPED)
    except (AssertionError, system.LabError, topology.TopologyError,
            OSError) as e:
        traceback.print_exc()
        print("FAILED: %s" % e)
        sys.exit(1)
    print(line or "")
