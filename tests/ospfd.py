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
"""What is at the other end of ospfd's socket, for tests.

usage: ospfd.py SOCKET FILE

Answers each question by what is in FILE then: its bytes, three zeros and a
number, as FRR's daemons do.  If FILE isn't there it says nothing.  Ends with
its parent.
"""

import ctypes
import os
import signal
import socket
import sys

QUESTION = b"show ip ospf database router json\0"


def main(name, path):
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)      # PR_SET_PDEATHSIG
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen()
    silent = []
    while True:
        client = server.accept()[0]
        asked = b""
        while len(asked) < len(QUESTION):
            data = client.recv(100)
            if not data:
                break
            asked += data
        if asked != QUESTION:
            sys.exit("asked: %r" % asked)
        if not os.path.exists(path):
            silent.append(client)
            continue
        with open(path, "rb") as f:
            try:
                client.sendall(f.read() + bytes(4))
            except OSError:
                pass            # It was too much.
        client.close()


main(*sys.argv[1:])
