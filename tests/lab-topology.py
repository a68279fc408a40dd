#!/usr/bin/env python3
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
"""Parses topology files that are damaged at random.

usage: lab-topology.py SEED N FILE...

Makes N damaged copies of the files: each must be accepted, and then be shown
in all ways, or refused by the parser's own error with one line of text."""

import json
import os
import random
import sys

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(TOP, "utilities"))

# pylint: disable=wrong-import-position
from lab import database, picture, topology     # noqa: E402


def damage(chance, files):
    """A file with a few changes: bytes, words and lines of any file."""
    data = bytearray(chance.choice(files))
    for _ in range(chance.randint(1, 6)):
        kind = chance.randrange(6)
        at = chance.randrange(len(data) + 1)
        if kind == 0:
            data[at:at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del data[at:at + chance.randrange(20)]
        else:
            other = chance.choice(files)
            if kind < 4:
                parts = other.split(b"\n")
                at = data.find(b"\n", at) + 1
                data[at:at] = chance.choice(parts) + b"\n"
            else:
                word = chance.choice(other.split())
                end = data.find(b" ", at)
                data[at:end if end >= 0 else at] = word
    return bytes(data)


def main(seed, n, *paths):
    chance = random.Random(int(seed))
    files = []
    for path in paths:
        with open(path, "rb") as f:
            files.append(f.read())
    accepted = 0
    for _ in range(int(n)):
        data = damage(chance, files)
        try:
            made = topology.parse_bytes(data, "x")
        except topology.TopologyError as e:
            assert str(e) and "\n" not in str(e), (data, e)
            continue
        accepted += 1
        picture.as_text(made)
        picture.as_dot(made)
        json.dumps(picture.as_data(made))
        database.network_file(made)
    assert 0 < accepted < int(n), accepted


main(*sys.argv[1:])
