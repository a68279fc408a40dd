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
"""Starts daemons of a lab again when they die, however that was.

ovs-vswitchd's own --monitor doesn't after SIGKILL.  A supervisor runs in the
namespace of a host, or of the database, so that 'down' finds it; it is told in RUN/<lab>/<node>/supervised (a line of JSON per
daemon: name, command, pid_file, log, env) what to look after, and appends to
RUN/<lab>/pids what it has started.

As a program: supervise.py LAB-FOLDER NODE detaches itself and goes on until it
is ended.
"""

import json
import os
import select
import subprocess
import sys
import time

AGAIN_S = 1                     # Between two attempts at one daemon.


def register(folder, command, base, env):
    """Has the daemon 'command', whose files begin with 'base', looked after
    by the supervisor of 'folder' (a switch host's)."""
    with open(os.path.join(folder, "supervised"), "a",
              encoding="utf-8") as f:
        f.write(json.dumps({"command": command, "base": base,
                            "env": env}) + "\n")


class Daemon:
    """One daemon that is looked after."""

    def __init__(self, base, command, env):
        self.base, self.command, self.env = base, command, env
        self.pidfd = None
        self.next_try = 0

    def watch(self):
        """Opens a handle on the running process; False if there's none."""
        try:
            with open(self.base + ".pid", encoding="ascii") as f:
                self.pid = int(f.read())
            self.pidfd = os.pidfd_open(self.pid)
        except (OSError, ValueError):
            self.pidfd = None
        return self.pidfd is not None

    def start(self):
        """Starts it again, as it was; it detaches itself."""
        self.next_try = time.monotonic() + AGAIN_S
        with open(self.base + ".out", "ab") as log:
            done = subprocess.run(self.command, stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, env=self.env,
                                  start_new_session=True, check=False)
        return done.returncode == 0 and self.watch()


def load(folder):
    with open(os.path.join(folder, "supervised"), encoding="utf-8") as f:
        return [Daemon(**json.loads(line)) for line in f]


def record(lab_folder, daemon):
    """As Lab.record(): tells status of the new process."""
    with open("/proc/%d/stat" % daemon.pid, encoding="ascii",
              errors="replace") as f:
        start = f.read().rpartition(")")[2].split()[19]
    with open(os.path.join(lab_folder, "pids"), "a", encoding="ascii") as f:
        f.write("%d %s %s\n" % (daemon.pid, start, os.path.relpath(
            daemon.base, lab_folder)))


def supervise(lab_folder, node):
    daemons = load(os.path.join(lab_folder, node))
    for daemon in daemons:
        daemon.watch()
    while True:
        poll = select.poll()
        missing = [d for d in daemons if d.pidfd is None]
        for daemon in daemons:
            if daemon.pidfd is not None:
                poll.register(daemon.pidfd, select.POLLIN)
        ended = {fd for fd, _ in poll.poll(100 if missing else None)}
        for daemon in daemons:
            if daemon.pidfd in ended:
                os.close(daemon.pidfd)
                daemon.pidfd = None
            if daemon.pidfd is None and time.monotonic() >= daemon.next_try \
                    and daemon.start():
                record(lab_folder, daemon)


def main():
    lab_folder, node = sys.argv[1:]
    child = os.fork()
    if child:
        with open(os.path.join(lab_folder, node, "supervisor.pid"), "w",
                  encoding="ascii") as f:
            f.write(str(child))
        os._exit(0)
    os.setsid()
    supervise(lab_folder, node)


if __name__ == "__main__":
    main()
