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
"""Checks a table of bad inputs: each is refused with the sentence that the
table gives, and changes nothing.

usage: bad-input.py TABLE       checks; prints how many of each kind there are
       bad-input.py --fill TABLE       prints the table with today's sentences

A line of the table is INPUT, a tab, "=> SENTENCE" (its beginning, if it ends
in "..."); an input is

  xenflow/...          a command
  fpm HEX              a message on the connection of the router's speaker, in
                       an FPM frame of its own
  raw HEX              bytes on a connection of their own, instead of a frame
  file LINE|LINE...    a topology file of xenflow-lab ("\\0": a zero byte)

Lines "+ ..." prepare: they must succeed.  "#" begins a comment.

Commands and messages go to a real engine (test-xf-engine) over its own socket.
The state is what all list commands show, before and after."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path.insert(0, os.path.join(TOP, "utilities"))
SEPARATOR = "\t=> "
# What changes by itself, or counts what was refused.
VOLATILE = {"changes", "acknowledged", "connected_ms", "silent_ms", "bytes",
            "frames", "messages", "refused", "rejected", "nacks", "acks",
            "unknown_interface", "last_error", "connections", "peer",
            "acks_pending", "epoch", "connected", "swept", "folded",
            "stale_routes", "confirmed", "unfinished", "duration"}


class Engine:
    """A test-xf-engine that is talked to line by line."""

    def __init__(self):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            ["test-xf-engine"], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE)
        self.n = 0

    def ask(self, line):
        """The answer to a line of its script."""
        self.n += 1
        mark = "# mark %d" % self.n
        self.process.stdin.write("%s\n%s\n" % (line, mark))
        self.process.stdin.flush()
        lines = []
        for answer in self.process.stdout:
            answer = answer.rstrip("\n")
            if answer == mark:
                return "\n".join(lines[1:])
            lines.append(answer)
        sys.exit("test-xf-engine ended at: %s" % line)

    def json(self, command):
        text = self.ask(command)
        try:
            return json.loads(text)
        except ValueError:
            sys.exit("%s: %s" % (command, text))

    def close(self):
        self.process.stdin.close()
        if self.process.wait(30):
            sys.exit("test-xf-engine: exit code %d" % self.process.returncode)


def steady(value):
    """'value' without what changes by itself."""
    if isinstance(value, dict):
        return {k: steady(v) for k, v in value.items() if k not in VOLATILE}
    if isinstance(value, list):
        return [steady(v) for v in value]
    return value


class State:
    def __init__(self, engine):
        self.engine = engine
        self.lists = [c for c in ("rule-list", "neigh-list", "port-list",
                                  "router-show", "speaker-list",
                                  "filter-list", "flow-list")
                      if "isn't understood" not in
                      engine.ask("xenflow/%s --json vr1" % c)
                      and "not a valid command" not in
                      engine.ask("xenflow/%s --json vr1" % c)]

    def read(self):
        routers = self.engine.json("xenflow/router-list --json")
        state = {"routers": routers}
        for router in routers:
            for command in self.lists:
                state[router["name"], command] = self.engine.json(
                    "xenflow/%s --json %s" % (command, router["name"]))
        return {k: steady(v) for k, v in state.items()}


class Speaker:
    """The router's speaker: sends, and finds what was said of it."""

    def __init__(self, engine):
        self.engine = engine
        self.socket = None
        listener = engine.json("xenflow/speaker-list --json vr1")[0]
        self.port = listener["port"]

    def connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))

    def listener(self):
        return self.engine.json("xenflow/speaker-list --json vr1")[0]

    def send(self, data):
        """Sends 'data', waits until it was read; returns the refusal."""
        before = self.listener()
        self.socket.sendall(data)
        for _ in range(200):
            now = self.listener()
            if now["bytes"] >= before["bytes"] + len(data):
                break
            time.sleep(0.01)
        self.engine.ask("warp 100")
        self.engine.ask("xenflow/router-sync vr1")
        now = self.listener()
        new = [k for k, v in now["refused"].items()
               if v != before["refused"].get(k, 0)]
        for key in "rejected", "unknown_interface":
            if now[key] != before[key]:
                new.append(key)
        if not new:
            return "accepted"
        text = now.get("last_error", "")
        if "unknown_interface" in new:      # Normal: a VM has others too.
            text = ""
        return "%s%s" % (" ".join(new), ": " + text if text else "")

    def refuse(self, kind, data):
        if kind == "raw":
            self.connect()
            return self.send(data)
        if not self.socket or not self.listener()["connected"]:
            self.connect()
        return self.send(struct.pack("!BBH", 1, 1, 4 + len(data)) + data)


def refuse_file(text):
    from lab import topology    # pylint: disable=import-outside-toplevel
    with open("file", "wb") as f:
        f.write(text.replace("|", "\n").replace("\\0", "\0").encode())
    try:
        topology.parse("file")
    except topology.TopologyError as e:
        return str(e)
    return "accepted"


def is_expected(expected, said):
    """An expected sentence that ends in "..." is only the beginning."""
    if expected.endswith("..."):
        return said.startswith(expected[:-3])
    return expected == said


def answer(engine, speaker, line):
    kind, _, rest = line.partition(" ")
    if kind in ("fpm", "raw"):
        return speaker.refuse(kind, bytes.fromhex(rest.split(";")[0]))
    if kind == "file":
        return refuse_file(rest)
    text = engine.ask(line)
    return re.sub("^error: ", "", text) if text.startswith("error: ") \
        else "accepted: %s" % text


def main(args):
    fill = args[:1] == ["--fill"]
    with open(args[-1], encoding="utf-8") as f:
        lines = f.read().split("\n")
    engine, counts, bad = Engine(), {}, 0
    state = speaker = before = None
    for line in lines:
        if line.startswith("+ "):
            said = engine.ask(line[2:])
            if said:
                sys.exit("%s\n%s" % (line, said))
            state = speaker = None
        if not line or line[0] in "+#":
            if fill:
                print(line)
            continue
        given, _, expected = line.partition(SEPARATOR)
        if not state:
            state, speaker = State(engine), Speaker(engine)
            before = state.read()
        said = answer(engine, speaker, given)
        after = state.read()
        if fill:
            print(given + SEPARATOR + (
                expected if is_expected(expected, said) else said))
        elif not is_expected(expected, said) or after != before:
            bad += 1
            print("%s\n  expected: %s\n  got:      %s" % (given, expected,
                                                         said))
        if after != before:
            for key in sorted(set(before) | set(after), key=str):
                if before.get(key) != after.get(key):
                    print("  changed: %s\n    was %s\n    is  %s" % (
                        key, before.get(key), after.get(key)))
            before = after
        kind = given.split()[0]
        kind = "commands" if "/" in kind else kind
        counts[kind] = counts.get(kind, 0) + 1
    engine.close()
    if not fill:
        print(", ".join("%s: %d" % x for x in sorted(counts.items())))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main(sys.argv[1:])
