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
"""A connection to a running ovs-vswitchd, for many commands in a row.

ovs-appctl costs a process per command; this speaks the same JSON-RPC on the
same socket (ovs-appctl(8)), so that 10,000 lookups take seconds.
"""

import json
import os
import socket

from lab import system


class Control:
    """Commands to the switch of host 'host' (a switch.Switch)."""

    def __init__(self, host):
        with open(os.path.join(host.folder, "ovs-vswitchd.pid"),
                  encoding="ascii") as f:
            pid = int(f.read())
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(os.path.join(host.folder,
                                         "ovs-vswitchd.%d.ctl" % pid))
        self.decoder = json.JSONDecoder()
        self.buffer = ""
        self.number = 0

    def _receive(self):
        while True:
            # Not with each piece of a long reply: that would take for ever.
            if self.buffer.endswith("}"):
                try:
                    value, end = self.decoder.raw_decode(self.buffer)
                    self.buffer = self.buffer[end:].lstrip()
                    return value
                except ValueError:
                    pass
            data = self.socket.recv(1 << 20)
            if not data:
                raise system.LabError("ovs-vswitchd closed the connection")
            self.buffer += data.decode()

    def call(self, command, *args):
        """Returns the reply's text; an error of the command is raised."""
        self.number += 1
        self.socket.sendall(json.dumps({
            "method": command, "params": [str(a) for a in args],
            "id": self.number}).encode())
        reply = self._receive()
        if reply.get("error") is not None:
            raise system.LabError("%s: %s" % (command,
                                              str(reply["error"]).strip()))
        return reply["result"]

    def json(self, command, *args):
        """Reply of 'command --json args', decoded."""
        return json.loads(self.call(command, "--json", *args))

    def close(self):
        self.socket.close()
