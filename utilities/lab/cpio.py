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
"""Archives that the Linux kernel unpacks at boot ("newc" cpio).

The kernel accepts several archives after one another, each padded to 4 bytes;
so one image serves every virtual machine and its own configuration follows as
a second, uncompressed archive.

Shape: members are written in the order given; times are 0, so the same input
gives the same bytes.  Source: the kernel's
Documentation/driver-api/early-userspace/buffer-format.rst.
"""

import stat

TRAILER = "TRAILER!!!"


class Writer:
    """Collects members; 'data' is the archive after finish()."""

    def __init__(self):
        self.parts = []
        self.folders = {""}
        self.inode = 1

    def _member(self, name, mode, body=b"", device=(0, 0)):
        fields = (self.inode, mode, 0, 0, 1, 0, len(body), 0, 0,
                  device[0], device[1], len(name.encode()) + 1, 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields)
        head += name.encode() + b"\0"
        self.inode += 1
        self.parts += [_pad(head), _pad(body)]

    def folder(self, path, mode=0o755):
        """Adds folder 'path' and those above it, each once."""
        path = path.strip("/")
        if path in self.folders:
            return
        self.folder(path.rpartition("/")[0])
        self.folders.add(path)
        self._member(path, stat.S_IFDIR | mode)

    def file(self, path, body, mode=0o644):
        """Adds a file with 'body' (bytes or str)."""
        path = path.strip("/")
        self.folder(path.rpartition("/")[0])
        body = body.encode() if isinstance(body, str) else body
        self._member(path, stat.S_IFREG | mode, body)

    def link(self, path, target):
        """Adds a symbolic link."""
        path = path.strip("/")
        self.folder(path.rpartition("/")[0])
        self._member(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path, major, minor):
        path = path.strip("/")
        self.folder(path.rpartition("/")[0])
        self._member(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def finish(self):
        """Returns the whole archive."""
        self._member(TRAILER, 0)
        return b"".join(self.parts)


def _pad(data):
    return data + b"\0" * (-len(data) % 4)
