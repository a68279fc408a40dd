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
"""A router that is a virtual machine: commands in it, over its management link
(lab/guest-command).  The machine itself is xenflow-hostd's.
"""

import base64
import socket
import threading
import time

from lab import system

COMMAND_PORT = 2323
READY_S = 240


def _send(s, data):
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass                    # The receiving side reports it.


def command_at(netns, address, text, data=b"", timeout_s=120):
    """Runs shell command 'text' in the machine with 'address', seen from
    'netns'.  As Machine.command()."""
    with system.Inside(netns):
        s = socket.socket()
    with s:
        s.settimeout(timeout_s)
        s.connect((address, COMMAND_PORT))
        sender = threading.Thread(target=_send, args=(
            s, base64.b64encode(text.encode()) + b"\n" + data))
        sender.start()          # Both ways at once: neither may stall.
        parts = []
        while True:
            part = s.recv(65536)
            if not part:
                break
            parts.append(part)
        sender.join()
    output, mark, trailer = b"".join(parts).rpartition(b"\0exit ")
    if not mark or not trailer.strip().isdigit():
        raise ConnectionError("the connection ended before the command")
    return int(trailer), output


class Machine:
    """Virtual machine of router 'name' at 'host' (a switch.Host)."""

    def __init__(self, host, name):
        self.host, self.name = host, name

    def wait(self):
        """Waits until the machine answers a command."""
        deadline = time.monotonic() + READY_S
        while True:
            try:
                self.command("true", timeout_s=5)
                return
            except OSError as e:
                error = e
            alive = self.host.machine_pid(self.name)
            if not alive or time.monotonic() > deadline:
                raise system.LabError(
                    "router VM '%s' %s (%s); its console is in %s" % (
                        self.name, "didn't answer within %d s" % READY_S
                        if alive else "ended", error,
                        self.host.machine_file(self.name, "console.log")))
            time.sleep(0.1)

    def command(self, text, data=b"", timeout_s=120):
        """Runs shell command 'text' in the machine with 'data' (bytes) as
        input; returns (exit code, output in bytes).  Raises OSError."""
        address = self.host.machine_address(self.name)
        if not address:
            raise ConnectionError("it has no address yet")
        return command_at(self.host.netns, address, text, data, timeout_s)
