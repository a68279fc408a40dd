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
"""What the benchmarks print: progress, and a table of the rows."""

import statistics
import sys

# What all others are a share of.
CONSTANT = "testpmd-io"
HEAD = ("row", "Mpps/CPU-s", "min", "max", "ns/pkt", "of rig", "megaflows",
        "upcalls/s", "load s", "B/route", "stolen")
# With fewer routes, memory says nothing about a route.
MEMORY_FROM = 10000
NOTE = """\
Mpps/CPU-s: million packets per CPU-second of the forwarding thread, median of
%d runs; of rig: share of testpmd-io's; B/route:
memory that the routes took; stolen: time the hypervisor took."""


def progress(text, *args):
    sys.stderr.write(text % args)
    sys.stderr.flush()


def outcome(run):
    """A rows.Run in some words."""
    return "%.2f%s%s" % (
        run.window.rate(), "" if run.warm is not False else
        ", flow cache not warm after %d s" % run.warm_s,
        ", INVALID: " + run.window.fault if run.window.fault else "")


def compare(found):
    """Adds to each row's object its share of the rig's constant."""
    constant = next((r.get("median") for r in found
                     if r["row"] == CONSTANT), None)
    for row in found:
        row["share_of_rig"] = row["median"] / constant if constant and \
            "median" in row else None


def _cells(row):
    def some(text, value):
        return "-" if value is None else text % value

    if "median" not in row:
        return [row["row"], "-"] + [""] * (len(HEAD) - 2)
    return [row["row"], "%.2f" % row["median"], "%.2f" % row["min"],
            "%.2f" % row["max"], some("%.1f", row["ns_per_packet"]),
            some("%.2f", row.get("share_of_rig")),
            some("%d", row["megaflows"]), "%.0f" % row["upcalls_per_s"],
            some("%.1f", row["load_s"]),
            some("%.0f", _bytes_per_route(row)),
            "%.0f %%" % (100 * row["stolen_share"])]


def _bytes_per_route(row):
    n = row["parameters"]["routes"] or 0
    return row["memory"] / n if n >= MEMORY_FROM else None


def _remarks(row):
    """What the table can't show of a row."""
    if "skipped" in row:
        return ["skipped: " + row["skipped"]]
    if "median" not in row:
        return ["FAILED: " + " / ".join(row["reason"].splitlines())]
    found = []
    if not row["valid"]:
        found.append("INVALID: " + row["reason"])
    if row["warm"] is False:
        found.append("the flow cache wasn't warm after %d s" % row["warm_s"])
    for churn in row["churn"]:
        found.append("%d changes, %.0f/s, %d upcalls meanwhile; without them "
                     "%.2f Mpps/CPU-s, with them %.2f of that" % (
                         churn["changes"], churn["changes_per_s"],
                         churn["upcalls"], churn["quiet"], churn["share"]))
    if row["row"].endswith("/storm"):
        found.append("since the first packet: " + ", ".join(
            "%d upcalls of %d packets" % both for both in zip(
                row["all_upcalls"], row["all_received"])))
    found += _moves(row["more"])
    if any(row["unaccounted"]):
        found.append("%s packets unaccounted for" % ", ".join(
            map(str, row["unaccounted"])))
    if row["tx_dropped"]:
        found.append("%d packets dropped at egress" % row["tx_dropped"])
    if row["punted"]:
        found.append("%d packets punted" % row["punted"])
    if len(row["tx_packets"]) > 1:
        total = sum(row["tx_packets"].values()) or 1
        found.append("egress " + ", ".join(
            "%s %.1f %%" % (name, 100 * n / total)
            for name, n in row["tx_packets"].items()))
    return found


def _moves(more):
    """A line for each kind of move."""
    runs = [one["moves"] for one in more if "moves" in one]
    return ["%s: %s" % (kind, "; ".join(
        "%s in %.2f ms, at worst %.2f" % (
            what, statistics.median(times), max(times))
        for what, times in (
            (what, [ms for run in runs for ms in run[kind][what + "_ms"]])
            for what in ("published", "acknowledged"))))
            for kind in (runs[0] if runs else ())]


def table(found):
    """The rows as text, remarks below the row they are about."""
    cells = [HEAD] + [_cells(row) for row in found]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    lines = []
    for index, line in enumerate(cells):
        lines.append("  ".join(
            c.ljust(w) if i == 0 else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths))).rstrip())
        if index:
            lines += ["    " + text for text in _remarks(found[index - 1])]
    n_runs = max((len(r.get("runs", ())) for r in found), default=0)
    return "\n".join(lines) + "\n" + NOTE % n_runs
