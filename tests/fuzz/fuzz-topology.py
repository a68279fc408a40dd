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
"""Fuzzes the parser of topology files (utilities/lab/topology.py).

usage: fuzz-topology.py [--seconds=N] [--crashes=PREFIX] CORPUS SEEDS
       fuzz-topology.py FILE

The parser is Python, so libFuzzer can't watch it: an input is kept in the
folder CORPUS if it reaches a line of the parser that none before did.  Inputs
come from there, from the examples and from the parts of both.  An input fails
if anything but TopologyError is raised, if that says nothing, or if it takes
longer than 2 seconds.  With FILE, that alone is tried.
"""

import argparse
import glob
import hashlib
import os
import random
import sys
import time
import traceback

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(TOP, "utilities"))

from lab import database, topology  # noqa: E402 (the path comes first)

MAX_SIZE = 8192
MAX_S = 2
WATCHED = ("topology.py", "inifile.py")
WORDS = [b"\n", b"[", b"]", b"=", b" ", b"#", b"\0", b"\xff", b"\xc3\xa9",
         b"0", b"-1", b"4095", b"4294967296", b"1e9", b"::", b"/", b"/33",
         b"10.0.0.1/24", b"fe80::1/64", b"yes", b"mbit", b"%s", b"${x}"]


class Lines:
    """Which lines of the parser have run."""

    def __init__(self):
        self.seen = set()
        self.is_new = False

    def trace(self, frame, event, _):
        name = frame.f_code.co_filename
        if not name.endswith(WATCHED):
            return None
        if event == "line":
            line = (name, frame.f_lineno)
            if line not in self.seen:
                self.seen.add(line)
                self.is_new = True
        return self.trace


def why_failed(data):
    """None, or what is wrong with how the parser takes 'data'."""
    begin = time.monotonic()
    try:
        database.network_file(topology.parse_bytes(data, "fuzz"))
    except topology.TopologyError as error:
        if not str(error).strip():
            return "refused without a reason"
    except Exception:           # Whatever it is, it is what is looked for.
        return traceback.format_exc()
    took = time.monotonic() - begin
    return "took %.1f s" % took if took > MAX_S else None


def mutate(rng, inputs):
    """A new input from one or two of 'inputs'."""
    data = bytearray(rng.choice(inputs))
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 4, 16, 64)))
        kind = rng.randrange(6)
        if kind == 0:
            data[at:end] = b""
        elif kind == 1:
            data[at:at] = rng.choice(WORDS)
        elif kind == 2:
            data[at:end] = rng.choice(WORDS)
        elif kind == 3 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 4:
            lines = bytes(data).split(b"\n")
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i], lines[j] = lines[j], lines[rng.choice((i, j))]
            data = bytearray(b"\n".join(lines))
        else:
            other = rng.choice(inputs)
            start = rng.randrange(len(other) + 1)
            data[at:at] = other[start:start + rng.choice((8, 64, 512))]
    return bytes(data[:MAX_SIZE])


def read(path):
    with open(path, "rb") as f:
        return f.read()[:MAX_SIZE]


def fuzz(args):
    seed = int.from_bytes(os.urandom(4), "big")
    rng = random.Random(seed)
    lines = Lines()
    folders = [args.corpus, args.seeds]
    paths = [p for folder in folders for p in glob.glob(folder + "/*")]
    paths += glob.glob(os.path.join(TOP, "utilities/lab-examples/*.ini"))
    waiting = [read(path) for path in paths]
    inputs, n, end = [b"\n"], 0, time.monotonic() + args.seconds
    while time.monotonic() < end:
        data = waiting.pop() if waiting else mutate(rng, inputs)
        lines.is_new = False
        sys.settrace(lines.trace)
        why = why_failed(data)
        sys.settrace(None)
        n += 1
        digest = hashlib.sha1(data).hexdigest()
        if why:
            with open(args.crashes + digest, "wb") as f:
                f.write(data)
            print("ERROR: %s\nseed %d, input %d" % (why, seed, n))
            return 1
        if lines.is_new:
            inputs.append(data)
            with open(os.path.join(args.corpus, digest), "wb") as f:
                f.write(data)
    print("stat::number_of_executed_units: %d\nlines of the parser: %d"
          % (n, len(lines.seen)))
    return 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1]
                                     .split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--crashes", default="./crash-")
    parser.add_argument("corpus")
    parser.add_argument("seeds", nargs="?")
    args = parser.parse_args()
    if args.seeds is not None:
        return fuzz(args)
    why = why_failed(read(args.corpus))
    print(why or "nothing is wrong with it")
    return 1 if why else 0


sys.exit(main())
