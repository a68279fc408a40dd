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
"""Checks a table of bad inputs to the database XenFlow: each is refused with
the sentence that the table gives, and changes nothing.

usage: control-bad.py [--fill] DATABASE TABLE

With --fill, prints the table with today's sentences instead.

A line of the table is INPUT, a tab, "=> SENTENCE"; an input is

  xfctl WORD...          a command, words as the shell splits them
  file LINE|LINE...      a network file, imported ("\\0": a zero byte)
  ovsdb OPERATION,...    a transaction, sent past xfctl to the server

Lines "+ ..." prepare: they must succeed.  "#" begins a comment.  DATABASE is
where a server listens.  The state is the dump of all tables."""

import json
import re
import shlex
import subprocess
import sys

SEPARATOR = "\t=> "
UUID_RE = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def run(words):
    """(exit code, output, messages) of a program."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def dump(database):
    code, out, err = run(["ovsdb-client", "dump", database, "XenFlow"])
    if code:
        sys.exit("dump: %s" % err)
    return out


def refuse_xfctl(database, words):
    code, out, err = run(["xfctl", "--db=" + database, *words])
    if not code:
        return "accepted: %s" % out
    return re.sub("^xfctl: ", "", err.strip().split("\n")[0])


def refuse_ovsdb(database, text):
    code, out, err = run(["ovsdb-client", "transact", database,
                          '["XenFlow",%s]' % text])
    if code:
        return err.strip()
    for result in json.loads(out):
        if result and "error" in result:
            # Which of two rows is named first depends on their UUIDs.
            text = result.get("details", result["error"])
            return UUID_RE.sub("UUID", text.partition(".  First row")[0])
    return "accepted"


def answer(database, line):
    kind, _, rest = line.partition(" ")
    if kind == "xfctl":
        return refuse_xfctl(database, shlex.split(rest))
    if kind == "ovsdb":
        return refuse_ovsdb(database, rest)
    with open("file", "wb") as f:
        f.write(rest.replace("|", "\n").replace("\\0", "\0").encode())
    return refuse_xfctl(database, ["import", "file"])


def check(database, lines):
    """Prints what isn't as the table says; returns the counts by kind."""
    counts, before = {}, None
    for line in lines:
        if line.startswith("+ "):
            code, _, err = run(["xfctl", "--db=" + database,
                                *shlex.split(line[2:])])
            if code:
                sys.exit("%s\n%s" % (line, err))
            before = None
        if not line or line[0] in "+#":
            continue
        before = before or dump(database)
        given, _, expected = line.partition(SEPARATOR)
        said = answer(database, given)
        if said != expected:
            print("%s\n  expected: %s\n  got:      %s" % (given, expected,
                                                         said))
        after = dump(database)
        if after != before:
            print("%s\n  changed the database" % given)
            before = after
        kind = given.split()[0]
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def fill(database, lines):
    for line in lines:
        if line.startswith("+ "):
            run(["xfctl", "--db=" + database, *shlex.split(line[2:])])
        if line and line[0] not in "+#":
            given = line.partition(SEPARATOR)[0]
            line = given + SEPARATOR + answer(database, given)
        print(line)


def main(args):
    with open(args[-1], encoding="utf-8") as f:
        lines = f.read().rstrip("\n").split("\n")
    if args[0] == "--fill":
        fill(args[1], lines)
        return
    counts = check(args[0], lines)
    print(", ".join("%s: %d" % x for x in sorted(counts.items())))


if __name__ == "__main__":
    main(sys.argv[1:])
