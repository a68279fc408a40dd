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
"""What the benchmarks must show, and whether they do.

What: judge() looks at the rows' objects and gives a verdict per demand.  Each
has a figure per run: ratios are made of rows of the same run, and the median of
the ratios counts.  Demands on rows that weren't measured are left out; a row
that failed or is invalid fails its demands."""

import statistics

CONSTANT = "testpmd-io"
FULL, HALF = 1050000, 500000
MOVES = ("group", "neighbor", "link")


class Demand:
    """'figures' makes the figures of the runs from the objects of 'rows', in
    their order.  Without 'at_least' figures must not be above 'must'.
    'judged' makes one of them."""

    def __init__(self, what, rows, figures, must, goal=None, **options):
        self.what, self.rows, self.figures = what, rows, figures
        self.must, self.goal = must, goal
        self.at_least = options.get("at_least", False)
        self.unit = options.get("unit", "")
        self.judged = options.get("judged", max)

    def meets(self, figure, bound):
        return figure >= bound if self.at_least else figure <= bound

    def verdict(self, figure):
        if not self.meets(figure, self.must):
            return "FAIL"
        if self.goal is not None and self.meets(figure, self.goal):
            return "goal"
        return "ok"

    def judge(self, found):
        """The verdict as an object; None: not measured."""
        mine = [found.get(name) for name in self.rows]
        if None in mine:
            return None
        result = {"what": self.what, "unit": self.unit, "must": self.must,
                  "goal": self.goal, "at_least": self.at_least,
                  "figure": None, "min": None, "max": None}
        bad = [row for row in mine if not row.get("valid", False)]
        if bad:
            return dict(result, verdict="FAIL", reason="%s: %s" % (
                bad[0]["row"], bad[0].get("skipped") or bad[0]["reason"]))
        figures = self.figures(*mine)
        figure = self.judged(figures)
        return dict(result, figure=figure, min=min(figures), max=max(figures),
                    verdict=self.verdict(figure), reason=None)


# ---- Figures. ----

def _ratio(row, other):
    return [a / b for a, b in zip(row["runs"], other["runs"])]


def _upcalls(row):
    """Beyond the one that each megaflow begins with."""
    return [n - m for n, m in zip(row["all_upcalls"], row["all_megaflows"])]


def _per_route(key):
    def figures(row):
        n = row["parameters"]["prefixes"]
        return [sum(more[k] for k in key) / n for more in row["more"]]
    return figures


def _memory(divisor):
    return lambda row: [m / divisor for m in row["all_memory"]]


def _moved(kind, what):
    return lambda row: [ms for more in row["more"]
                        for ms in more["moves"][kind][what + "_ms"]]


def _churn(key):
    return lambda row: [one[key] for one in row["churn"]]


def _slices(row):
    return [share for one in row["churn"] for share in one["shares"]]


def _lost(row):
    return [one["lost"] + abs(n) for one, n in zip(row["churn"],
                                                   row["unaccounted"])]


# ---- Demands. ----

def _rates():
    def share(what, row, other, must, goal=None):
        return Demand(what, (row, other), _ratio, must, goal, at_least=True,
                      judged=statistics.median)

    return [
        *(share("%s, of %s" % (row, CONSTANT), row, CONSTANT, must, goal)
          for row, must, goal in (("busy/v4/10k", 0.30, 0.50),
                                  ("busy/v4/100k", 0.22, 0.35),
                                  ("busy/v4/1.05M", 0.21, 0.28),
                                  ("fib/v6/200k", 0.15, 0.25))),
        share("fib/v4/1.05M, of naive", "fib/v4/1.05M", "naive/v4/1.05M", 3,
              4),
        share("fib/v4/1, of port-to-port-mac", "fib/v4/1",
              "port-to-port-mac", 0.9)]


def _storms():
    return [Demand("fib/v4/10k/storm, upcalls but one per megaflow",
                   ("fib/v4/10k/storm",), _upcalls, 0)]


def _sizes():
    row, few, many = "fib/v4/1.05M", "many-fib/v4/10", "many-fib/v4/1k"
    return [
        Demand(row + ", lookup structure per route", (row,),
               _per_route(("lookup_bytes",)), 100, unit="B"),
        Demand(row + ", with rule table, by its own account", (row,),
               _per_route(("lookup_bytes", "table_bytes")), 300, unit="B"),
        Demand(row + ", with rule table, in RAM", (row,), _memory(FULL), 300,
               unit="B"),
        Demand(few + ", in RAM per router", (few,), _memory(1000 * 1024), 64,
               unit="KB"),
        Demand(many + ", in RAM", (many,), _memory(1e9), 1, unit="GB")]


def _changes():
    row, moving = "fib/v4/100k/churn", "move/v4/500k"
    return [
        *(Demand("%s, %s %s, %s" % (moving, kind, what, word), (moving,),
                 _moved(kind, what), must, unit="ms", judged=judged)
          for what, must in (("published", 10), ("acknowledged", 30))
          for kind in MOVES
          for word, judged in (("median", statistics.median),
                               ("worst", max))),
        Demand(row + ", changes per second", (row,), _churn("changes_per_s"),
               9900, at_least=True, judged=statistics.median),
        Demand(row + ", upcalls meanwhile", (row,), _churn("upcalls"), 0),
        Demand(row + ", packets lost", (row,), _lost, 0),
        Demand(row + ", of the rate without", (row,), _slices, 0.9,
               at_least=True, judged=statistics.median)]


def judge(found):
    """Verdicts on the rows 'found'."""
    by_name = {row["row"]: row for row in found}
    return [verdict for verdict in (
        demand.judge(by_name) for demand in (
            *_rates(), *_storms(), *_sizes(), *_changes())) if verdict]


def _number(value):
    return "%.0f" % value if value >= 1000 or value == int(value) \
        else "%.3g" % value


def text(verdicts):
    """The verdicts as lines."""
    lines = []
    for v in verdicts:
        sign = ">=" if v["at_least"] else "<="
        unit = " " + v["unit"] if v["unit"] else ""
        if v["figure"] is None:
            seen = v["reason"].splitlines()[0]
        else:
            seen = "%s%s (%s to %s)" % (
                _number(v["figure"]), unit, _number(v["min"]),
                _number(v["max"]))
        bounds = "must %s %s" % (sign, _number(v["must"]))
        if v["goal"] is not None:
            bounds += ", goal %s %s" % (sign, _number(v["goal"]))
        lines.append("%-4s  %s: %s; %s" % (v["verdict"], v["what"], seen,
                                           bounds))
    return "\n".join(lines)
