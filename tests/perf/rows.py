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
"""The rows of the benchmarks: what is set up, and what is measured of it.

What: a Row names one case; its kind (a class of kinds.py) knows how to set it up.
All kinds are measured by the same code, in runs: load, let packets come, wait
until the flow cache is warm, count over a window of some seconds, check, stop.
Who calls this goes round the rows several times, so that what else the machine
does meets all rows alike.

When a row counts: in each run every egress port sent, in the shares that
the reference lookup says (within SHARE_TOLERANCE), what came in went out but
for MAX_LOST, and routers punted what they should within MAX_PUNTED.  Otherwise
the row is invalid and says why.  At the end no more packets come, and
all that came since the beginning must have left or be counted as punted or
dropped; what isn't is shown as unaccounted.  Upcalls don't make a row invalid:
they are what some rows are about, so they are shown."""

import statistics
import time

import churn
import kinds
import packets
import rig

SHARE_TOLERANCE = 0.02
MAX_LOST, MAX_PUNTED = 0.01, 0.0001
# The cache is warm when less than this share of packets missed it for a while.
WARM_MISSES, WARM_S = 1e-5, 1.5
STEP_S = 0.25
# A window in which the hypervisor took more of the CPU is repeated, so often.
MAX_STOLEN, MAX_WINDOWS = 0.03, 4
# Changes come in slices of so many seconds, with some without before, between
# and after; a window leaves out this much of both ends.
CHURN_SLICE_S, QUIET_S, EDGE_S = 10, 3, 0.5
UNIT = "Mpps per PMD CPU-second"


class Settings:
    """How to measure."""

    def __init__(self, build, cache):
        self.build, self.cache = build, cache
        self.seconds = 3.0              # Of a window.
        self.warm_s = 120.0             # Most seconds to wait for the cache.
        self.churn_s = 60.0             # How long routes change.
        self.is_first = True            # Of the runs.


class Row:
    """One case.  Its scene: 'warm', all flows are in the caches; 'storm', none
    is when the packets begin; 'churn', routes change all the time."""

    def __init__(self, kind, n=10000, family=4, **options):
        self.kind, self.n, self.family = kind, n, family
        self.n_egress = options.get("n_egress",
                                    kinds.KINDS[kind].n_egress)
        self.emc = options.get("emc", False)
        self.scene = options.get("scene", "warm")

    @property
    def name(self):
        text = self.kind
        if kinds.KINDS[self.kind].routes:
            text += "/v%d/%s" % (self.family, human(self.n))
        if kinds.KINDS[self.kind].ports:
            text += ("/%dp" % self.n_egress if self.n_egress
                     != kinds.KINDS[self.kind].n_egress else "")
            text += "/emc" if self.emc else ""
        text += "/" + self.scene if self.scene != "warm" else ""
        return text


def human(n):
    for size, letter in ((1000000, "M"), (1000, "k")):
        if n >= size:
            return "%g%s" % (n / size, letter)
    return "%d" % n


# ---- Measuring. ----

def warm_up(kind, where, settings):
    """Waits until the cache misses nothing any more; returns whether that
    came, and after how many seconds."""
    begin = quiet_since = time.monotonic()
    before = where.sample()
    while time.monotonic() - begin < settings.warm_s:
        kind.tend(where)
        time.sleep(STEP_S)
        now = where.sample()
        missed = now.flows.get("missed", 0) - before.flows.get("missed", 0)
        if missed > WARM_MISSES * now.packets(before) or now.packets(
                before) <= 0:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > WARM_S:
            return True, quiet_since - begin
        before = now
    return False, settings.warm_s


class Window:
    """What happened in one window."""

    def __init__(self, kind, where, seconds):
        punted, before = kind.punted(where), where.sample()
        steal = rig.stolen_s()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(min(STEP_S, max(0, end - time.monotonic())))
            kind.tend(where)
        after = where.sample()
        self.punted = kind.punted(where) - punted
        self.punt_share = kind.punt_share
        self.stolen_s = rig.stolen_s() - steal
        self.cpu_s = (after.cpu_ns - before.cpu_ns) / 1e9
        self.wall_s = (after.wall_ns - before.wall_ns) / 1e9
        self.tx = {s: after.tx[s] - before.tx[s] for s in after.tx}
        self.n = sum(self.tx.values())
        self.received = None if after.rx is None else after.rx - before.rx
        self.dropped = after.dropped - before.dropped
        self.upcalls = (after.flows.get("missed", 0)
                        - before.flows.get("missed", 0))
        self.megaflows = after.flows.get("flows")
        self.fault = self._fault(kind.shares())

    def _fault(self, shares):
        """Why this window doesn't count, or None."""
        found = ["%s sent %.1f %% of the packets, not %.1f %%" % (
            rig.port(s), 100 * self.tx[s] / self.n, 100 * share)
            for s, share in shares.items() if self.n and (
                abs(self.tx[s] / self.n - share) > SHARE_TOLERANCE
                or share and not self.tx[s])]
        if not self.n:
            found = ["no packet left"]
        elif self.received is not None:
            lost = 1 - (self.n + self.punted) / max(1, self.received)
            if abs(lost) > MAX_LOST:
                found.append("%.1f %% of the packets didn't leave"
                             % (100 * lost))
        wanted = self.punt_share / (1 - self.punt_share) * self.n
        if abs(self.punted - wanted) > MAX_PUNTED * self.n:
            found.append("%d packets were punted%s" % (
                self.punted, ", not %d" % wanted if wanted else ""))
        return "; ".join(found) or None

    def stolen(self):
        """Share of the CPU that the hypervisor took."""
        return self.stolen_s / self.wall_s

    def rate(self):
        """Million packets per CPU-second."""
        return self.n / self.cpu_s / 1e6


class Run:
    """One start of what a row is about, and its window."""

    def __init__(self, row, settings):
        kind = kinds.KINDS[row.kind](row, settings)
        kind.pcap()                     # Made before anything runs.
        kind.shares()
        self.slices = None
        self.warm, self.warm_s = None, 0
        with kind.open() as where:
            try:
                memory = where.memory()
                kind.prepare(where)
                self.memory = where.memory() - memory
                where.start()
                getattr(self, "_" + row.scene)(kind, where, settings)
                self.more = kind.more(where)
                self._end(kind, where)
            except rig.RigError as e:
                raise rig.RigError("%s\n%s" % (e, getattr(
                    where, "log_tail", str)())) from None
            finally:
                kind.close()
        self.load_s = kind.load_s

    def _end(self, kind, where):
        """Where all packets have gone, from the first on."""
        where.stop()
        end = where.sample()
        self.upcalls = end.flows.get("missed")
        self.megaflows = end.flows.get("flows")
        self.received, self.unaccounted = end.rx, None
        if end.rx is not None:
            self.unaccounted = (end.rx - sum(end.tx.values()) - end.dropped
                                - kind.punted(where)
                                - end.flows.get("lost", 0))
            faults = kind.faults(end)
            self.window.fault = self.window.fault or (
                "; ".join(faults) or None)

    def _storm(self, kind, where, settings):
        self.window = Window(kind, where, settings.seconds)

    def _warm(self, kind, where, settings):
        """Takes more windows if the hypervisor took the CPU: time that it
        takes is counted as the thread's, which got nothing for it."""
        self.warm, self.warm_s = warm_up(kind, where, settings)
        for turn in range(MAX_WINDOWS):
            found = Window(kind, where, settings.seconds)
            if not turn or found.stolen() < self.window.stolen():
                self.window = found
            if found.stolen() <= MAX_STOLEN:
                return

    def _churn(self, kind, where, settings):
        kind.expect_another(where)
        changes = churn.Changes(settings.cache, kind.row)
        # Packets to either gateway.
        first = kind.CHURN(where, settings, changes, 1)
        first.start()
        first.finish()
        self.warm, self.warm_s = warm_up(kind, where, settings)
        self.slices = Slices()
        self.slices.quiet.append(Window(kind, where, QUIET_S))
        for _ in range(max(1, round(settings.churn_s / CHURN_SLICE_S))):
            self.slices.change(kind, where, settings, changes)
            self.slices.quiet.append(Window(kind, where, QUIET_S))
        self.window = self.slices.median()
        self.window.fault = next(
            (w.fault for w in self.slices.quiet + self.slices.changed
             if w.fault), None)


class Slices:
    """Windows with changes, each between two without."""

    def __init__(self):
        self.quiet, self.changed = [], []
        self.rates = []                 # Changes per second.
        self.n_changes = 0
        self.upcalls = self.lost = 0    # While routes changed.

    def change(self, kind, where, settings, changes):
        changing = kind.CHURN(where, settings, changes, CHURN_SLICE_S)
        start, first = where.sample(), changing.count()
        changing.start()
        try:
            time.sleep(EDGE_S)
            before, begin = changing.count(), time.monotonic()
            self.changed.append(Window(kind, where,
                                       CHURN_SLICE_S - 2 * EDGE_S))
            self.rates.append((changing.count() - before)
                              / (time.monotonic() - begin))
            changing.finish()
        finally:
            changing.stop()
        end = where.sample()
        self.upcalls += end.flows["missed"] - start.flows["missed"]
        self.lost += (end.flows["lost"] - start.flows["lost"]
                      + end.dropped - start.dropped)
        self.n_changes += (changing.count() - first)

    def median(self):
        """The window with the median rate of those with changes."""
        found = sorted(self.changed, key=Window.rate)
        return found[len(found) // 2]

    def shares(self):
        """For each slice with changes, its rate as a share of that without
        just before and just after."""
        return [window.rate() * 2 / (before.rate() + after.rate())
                for before, window, after in zip(self.quiet, self.changed,
                                                 self.quiet[1:])]

    def to_object(self):
        shares = self.shares()
        return {"shares": shares, "share": statistics.median(shares),
                "quiet": statistics.median(w.rate() for w in self.quiet),
                "changes_per_s": statistics.median(self.rates),
                "changes": self.n_changes, "upcalls": self.upcalls,
                "lost": self.lost}


def describe(row, settings):
    """The members of a row's object that say what it is."""
    kind = kinds.KINDS[row.kind]
    return {"row": row.name, "unit": UNIT, "parameters": {
        "kind": row.kind, "scene": row.scene, "family": row.family,
        "prefixes": row.n if kind.routes else None,
        "routes": kind.n_routes(row.n) if kind.routes else None,
        "routers": kind.n_routers if kind.router else None,
        "egress_ports": row.n_egress if kind.ports else 1,
        "emc": row.emc if kind.ports else None,
        "frame_size": packets.SIZE[row.family],
        "packets": settings.cache.n_packets,
        "seconds": settings.seconds, "seed": settings.cache.seed}}


def summarize(runs):
    """What 'runs' of a row say, as members of its object."""
    windows = [r.window for r in runs]
    rates = [w.rate() for w in windows if w.cpu_s > 0]
    faults = [w.fault for w in windows if w.fault]
    wall_s = sum(w.wall_s for w in windows)
    median = statistics.median(rates)
    return {
        "median": median, "min": min(rates), "max": max(rates),
        "runs": rates,
        "ns_per_packet": 1e3 / median if median else None,
        "cpu_share": sum(w.cpu_s for w in windows) / wall_s,
        "stolen_share": sum(w.stolen_s for w in windows) / wall_s,
        "tx_packets": {rig.port(s): sum(w.tx[s] for w in windows)
                       for s in windows[0].tx},
        "tx_dropped": sum(w.dropped for w in windows),
        "punted": sum(w.punted for w in windows),
        "upcalls_per_s": sum(w.upcalls for w in windows) / wall_s,
        "megaflows": windows[-1].megaflows,
        "all_memory": [r.memory for r in runs],
        "all_megaflows": [r.megaflows for r in runs],
        "all_upcalls": [r.upcalls for r in runs],
        "all_received": [r.received for r in runs],
        "unaccounted": [r.unaccounted for r in runs],
        "churn": [r.slices.to_object() for r in runs if r.slices],
        "more": [r.more for r in runs],
        "warm": None if runs[0].warm is None else all(r.warm for r in runs),
        "warm_s": max(r.warm_s for r in runs),
        "load_s": None if runs[0].load_s is None
        else statistics.median(r.load_s for r in runs),
        "memory": statistics.median(r.memory for r in runs),
        "valid": not faults, "reason": faults[0] if faults else None,
    }
