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
"""What the lab does to the machine: processes, namespaces, host settings.

Nothing may be left behind, even after 'kill -9' of xenflow-lab at any point.
Hence:

- Everything of lab L lives in network namespaces called "xf.L.NODE" and in
  the folder RUN/L.  The folder is made first and removed last, and a lock on
  it is held meanwhile.
- A process that the lab starts is inside its namespace before the lock on the
  folder can be free: helpers inherit the lock (and die with their parent),
  daemons lose it only at exec, after they entered.  So 'down', which waits
  for the lock, sees every process by its namespace.
- 'down' kills what is in the namespaces, which nobody else uses, and removes
  them; devices go with their namespaces.  Process ids are never taken from a
  file without their start time.
"""

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import time

RUN = "/run/xenflow-lab"
NETNS = "/run/netns"
TUNING = os.path.join(RUN, ".tuning")
# Values that need raising, or the rig itself loses packets.  They are the
# whole machine's, so they are put back when the last lab is gone.
HOST_TUNING = {
    "/proc/sys/net/core/rmem_default": 67108864,
    "/proc/sys/net/core/rmem_max": 67108864,
    "/proc/sys/net/core/netdev_max_backlog": 100000,
}
CLONE_NEWNET = 0x40000000       # From <linux/sched.h>, <linux/mount.h>.
CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
PR_SET_PDEATHSIG = 1
LOCK_WAIT_S = 60

LIBC = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """A sentence for the operator."""


def _check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (what, os.strerror(error)))


def netns_path(lab, node):
    return os.path.join(NETNS, "xf.%s.%s" % (lab, node))


def enter(path):
    """Moves this thread to the network namespace 'path'."""
    fd = os.open(path, os.O_RDONLY)
    try:
        _check(LIBC.setns(fd, CLONE_NEWNET), "setns")
    finally:
        os.close(fd)


class Inside:
    """with Inside(path): ... runs in that network namespace."""

    def __init__(self, path):
        self.path = path
        self.home = None

    def __enter__(self):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        enter(self.path)

    def __exit__(self, *_):
        _check(LIBC.setns(self.home, CLONE_NEWNET), "setns")
        os.close(self.home)


class Folder:
    """RUN/<lab>, locked while this object is open."""

    def __init__(self, lab, create):
        self.path = os.path.join(RUN, lab)
        self.fd = None
        if create:
            with TuningLock():      # RUN isn't removed meanwhile.
                try:
                    os.mkdir(self.path, 0o755)
                except FileExistsError:
                    raise LabError("lab '%s' is up already, or is what an "
                                   "interrupted 'up' left: run 'xenflow-lab "
                                   "down %s' first" % (lab, lab)) from None
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                raise LabError("lab '%s' isn't up" % lab) from None
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                os.close(self.fd)
                if time.monotonic() > deadline:
                    raise LabError("lab '%s' is being changed by another "
                                   "xenflow-lab: wait for it, or end it"
                                   % lab) from None
                time.sleep(0.05)

    def close(self):
        os.close(self.fd)


def run(command, folder=None, netns=None, data=None, check=True, env=None):
    """Runs a short command to its end; returns its output (text).

    'folder' is passed on so that the lock lasts as long as the command."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if netns:
            enter(netns)

    try:
        done = subprocess.run(
            command, input=data, capture_output=True, text=True, check=False,
            env=env, preexec_fn=prepare,
            pass_fds=[folder.fd] if folder else [])
    except FileNotFoundError:
        raise LabError("program '%s' is missing: install the package it "
                       "comes with" % command[0]) from None
    if check and done.returncode:
        raise LabError("'%s' failed (%d): %s" % (
            " ".join(command)[:300], done.returncode,
            (done.stderr.strip() or done.stdout.strip())[-1000:]))
    return done.stdout


def _bind(source, target):
    """Puts folder 'source' in the place of 'target' for this process and its
    children only."""
    _check(LIBC.unshare(CLONE_NEWNS), "unshare")
    _check(LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None),
           "mount")
    _check(LIBC.mount(source.encode(), target.encode(), None, MS_BIND, None),
           "mount")


def daemon(command, netns, log, env=None, scratch=None):
    """Starts a daemon that detaches itself; waits until it did.  'scratch'
    is a folder to be its /var/tmp."""
    def prepare():
        if netns:
            enter(netns)
        if scratch:
            _bind(scratch, "/var/tmp")

    with open(log, "ab") as f:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                     stdout=f, stderr=f, env=env,
                                     start_new_session=True,
                                     preexec_fn=prepare)
        except FileNotFoundError:
            raise LabError("program '%s' is missing: install the package it "
                           "comes with" % command[0]) from None
        if child.wait(timeout=60):
            with open(log, encoding="utf-8", errors="replace") as f2:
                tail = f2.read()[-1500:].strip()
            raise LabError("'%s' failed (%d): %s" % (
                " ".join(command)[:200], child.returncode, tail))


def process_start(pid):
    """Start time of 'pid' in clock ticks, or None if there's none."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii",
                  errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def pids_inside(paths):
    """Processes whose network namespace is one of 'paths'."""
    wanted = set()
    for path in paths:
        try:
            info = os.stat(path)
            wanted.add((info.st_dev, info.st_ino))
        except FileNotFoundError:
            pass
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            info = os.stat("/proc/%s/ns/net" % name)
        except OSError:
            continue
        if ((info.st_dev, info.st_ino) in wanted
                and process_start(int(name)) is not None):
            found.append(int(name))
    return found


def kill_all(find, wait_s):
    """Ends the processes that find() returns: politely, then at once."""
    for sign, patience in ((signal.SIGTERM, wait_s), (signal.SIGKILL, 10)):
        deadline = time.monotonic() + patience
        told = set()
        while True:
            pids = find()
            if not pids:
                return
            for pid in set(pids) - told:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            told.update(pids)
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
    raise LabError("processes %s don't end: look at them with 'ps'" % find())


def namespaces(lab):
    prefix = "xf.%s." % lab
    try:
        return [os.path.join(NETNS, n) for n in sorted(os.listdir(NETNS))
                if n.startswith(prefix)]
    except FileNotFoundError:
        return []


class TuningLock:
    """Guards the values of the whole machine against another lab's."""

    def __enter__(self):
        while True:
            os.makedirs(RUN, exist_ok=True)
            self.fd = os.open(RUN, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self.fd, fcntl.LOCK_EX)
            if os.fstat(self.fd).st_nlink:      # Not removed meanwhile.
                return
            os.close(self.fd)

    def __exit__(self, *_):
        os.close(self.fd)


def _read_number(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


def tune_host():
    """Raises HOST_TUNING's values; remembers the old ones first."""
    with TuningLock():
        if not os.path.exists(TUNING):
            with open(TUNING + ".new", "w", encoding="ascii") as f:
                json.dump({p: _read_number(p) for p in HOST_TUNING}, f)
            os.rename(TUNING + ".new", TUNING)
        for path, value in HOST_TUNING.items():
            if _read_number(path) < value:
                with open(path, "w", encoding="ascii") as f:
                    f.write(str(value))


def untune_host():
    """Puts the values back if no lab is left, and removes RUN."""
    with TuningLock():
        names = os.listdir(RUN)
        if any(not n.startswith(".") for n in names):
            return
        try:
            with open(TUNING, encoding="ascii") as f:
                for path, value in json.load(f).items():
                    if path in HOST_TUNING:
                        with open(path, "w", encoding="ascii") as g:
                            g.write(str(value))
        except FileNotFoundError:
            pass
        for name in names:
            os.remove(os.path.join(RUN, name))
        os.rmdir(RUN)
