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
#
"""Plays all hosts of a database XenFlow, for tests of migrations.

usage: manager-hosts.py SOCKET [--hold=STAGE,...] [--mute=HOST] [--fail=HOST]

Writes what hosts and their switches would, as soon as rows change: states,
acknowledgements, machines that move at once.  With --hold nobody does anything
while a migration is in one of the STAGEs; with --mute HOST never does; with --fail HOST says
that it can't go on when it is told to move a machine.  Whatever must never be
seen in the rows is printed.
"""

import json
import socket
import sys

TABLES = ["XF_Global", "Host", "Link", "Hop", "Router", "Migration",
          "Host_State", "Switch_State", "Link_State", "Migration_State",
          "Table_State", "Router_State"]
ENDED = ("done", "failed", "undone")


class Database:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.decoder = json.JSONDecoder()
        self.text = ""
        self.n = 0
        self.changed = True

    def send(self, method, params, number):
        self.socket.sendall(json.dumps(dict(
            method=method, params=params, id=number)).encode())

    def receive(self):
        while True:
            try:
                message, end = self.decoder.raw_decode(self.text)
                self.text = self.text[end:].lstrip()
                break
            except ValueError:
                data = self.socket.recv(65536)
                if not data:
                    sys.exit(0)         # The test is over.
                self.text += data.decode()
        if message.get("method") == "echo":
            self.socket.sendall(json.dumps(dict(
                result=[], error=None, id=message["id"])).encode())
        elif message.get("method") == "update":
            self.changed = True
        return message

    def call(self, method, params):
        self.n += 1
        self.send(method, params, self.n)
        while True:
            message = self.receive()
            if message.get("id") == self.n and "method" not in message:
                return message["result"]

    def transact(self, operations):
        return self.call("transact", ["XenFlow"] + operations)

    def read(self):
        """All rows, by table, by UUID."""
        results = self.transact([dict(op="select", table=t, where=[])
                                 for t in TABLES])
        return {t: {row["_uuid"][1]: row for row in result["rows"]}
                for t, result in zip(TABLES, results)}


def ref(value):
    """UUID of an optional reference, or None."""
    return value[1] if value[0] == "uuid" else None


class Hosts:
    def __init__(self, db, options):
        self.db, self.options = db, options

    def run(self):
        self.db.call("monitor", ["XenFlow", None,
                                 {t: {} for t in TABLES}])
        while True:
            while not self.db.changed:
                self.db.receive()
            self.db.changed = False
            self.act()

    def act(self):
        self.rows = self.db.read()
        self.operations = []
        self.names = {uuid: row["name"]
                      for uuid, row in self.rows["Host"].items()}
        self.plain = {row["name"] for row in self.rows["Host"].values()
                      if row["kind"] == "openflow"}
        self.living = {u: m for u, m in self.rows["Migration"].items()
                       if m["stage"] not in ENDED}
        self.look()
        if any(m["stage"] in self.options.get("hold", "").split(",")
               for m in self.living.values()):
            return
        self.play_links()
        self.play_machines()
        self.play_numbers()
        if self.operations:
            self.db.transact(self.operations)

    def look(self):
        """Prints what must never be."""
        for uuid, link in self.rows["Link"].items():
            if link["generation"] and not any(
                    hop["link"][1] == uuid and hop["position"] == 0
                    and hop["generation"] == link["generation"]
                    for hop in self.rows["Hop"].values()):
                print("link %s has no way in use" % link["name"], flush=True)
        for uuid, migration in self.living.items():
            if migration["stage"] in ("prewire", "moving", "flipping"):
                router = ref(migration["router"])
                if router and ref(self.rows["Router"][router][
                        "migration"]) != uuid:
                    print("%s has no lock" % migration["name"], flush=True)

    def say(self, table, host, key, target, **columns):
        """Makes a state, or changes it if it differs."""
        if host == self.options.get("mute") or host in self.plain:
            return
        value = ["uuid", target] if target else None
        for uuid, row in self.rows[table].items():
            if row["host"] == host and (not key or row[key] == value):
                if any(row[c] != v for c, v in columns.items()):
                    self.operations.append(dict(
                        op="update", table=table, row=columns,
                        where=[["_uuid", "==", ["uuid", uuid]]]))
                return
        row = dict(columns, host=host)
        if key:
            row[key] = value
        self.operations.append(dict(op="insert", table=table, row=row))

    def unsay(self, table, wanted):
        """Removes states that 'wanted' says no to."""
        for uuid, row in self.rows[table].items():
            if (row["host"] != self.options.get("mute")
                    and not wanted(row)):
                self.operations.append(dict(
                    op="delete", table=table,
                    where=[["_uuid", "==", ["uuid", uuid]]]))

    def play_numbers(self):
        cfg = next(iter(self.rows["XF_Global"].values()))["cfg"]
        for host in self.names.values():
            self.say("Host_State", host, None, None, cfg=cfg)
            self.say("Switch_State", host, None, None, cfg=cfg)

    def play_links(self):
        have = {}
        for hop in self.rows["Hop"].values():
            key = (self.names[hop["host"][1]], hop["link"][1])
            have[key] = max(have.get(key, 0), hop["generation"])
        for (host, link), generation in have.items():
            self.say("Link_State", host, "link", link, generation=generation,
                     proven=self.is_proven(host, link, generation))
        self.unsay("Link_State",
                   lambda row: (row["host"], row["link"][1]) in have)

    def is_proven(self, host, link, generation):
        """A way to a plain switch is never proven."""
        way = sorted((hop["position"], self.names[hop["host"][1]])
                     for hop in self.rows["Hop"].values()
                     if hop["link"][1] == link and hop["position"] < 128
                     and hop["generation"] == generation)
        ends = {way[0][1], way[-1][1]} if way else set()
        return host not in ends or not ends & self.plain

    def stage_of(self, host, migration):
        for row in self.rows["Migration_State"].values():
            if row["host"] == host and row["migration"][1] == migration:
                return row["stage"]
        return None

    def play_machines(self):
        where = {u: {self.names.get(ref(r["host"]))}
                 for u, r in self.rows["Router"].items()
                 if r["backend"] != "none"}
        for uuid, migration in self.living.items():
            router = ref(migration["router"])
            if router:
                self.play_move(uuid, migration, router, where)
        for router, hosts in where.items():
            for host in hosts - {None}:
                self.say("Router_State", host, "router", router,
                         state="running")
        self.unsay("Router_State",
                   lambda row: row["host"] in where.get(row["router"][1], ()))
        self.unsay("Migration_State",
                   lambda row: row["migration"][1] in self.living)
        destinations = {(self.names[ref(r["destination"])], u)
                        for u, r in self.rows["Router"].items()
                        if ref(r["destination"])}
        self.unsay("Table_State", lambda row: (
            row["host"], row["router"][1]) in destinations)

    def play_move(self, uuid, migration, router, where):
        a, b = (self.names[ref(migration[c])]
                for c in ("source", "destination"))
        stage = migration["stage"]
        arrived = self.stage_of(b, uuid) == "moving"
        if stage == "prewire":
            self.say("Table_State", b, "router", router, state="in-step")
            self.say("Migration_State", b, "migration", uuid, stage="prewire")
            where.get(router, set()).update((a, b))
        elif stage == "moving" and self.options.get("fail") in (a, b):
            self.say("Migration_State", self.options["fail"], "migration",
                     uuid, stage="prewire", error="it can't be")
            where.get(router, set()).update((a, b))
        elif stage == "moving" or (stage == "undoing" and arrived):
            self.say("Migration_State", b, "migration", uuid, stage="moving",
                     suspended_ms=74, memory_kb=65536, progress=100)
            self.say("Migration_State", a, "migration", uuid, stage="moving")
            where.get(router, set()).update((a, b))
        elif stage == "undoing":
            for host in (a, b):
                self.say("Migration_State", host, "migration", uuid,
                         stage="undone", error="")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    options = dict(arg[2:].split("=") for arg in sys.argv[2:])
    Hosts(Database(sys.argv[1]), options).run()


if __name__ == "__main__":
    main()
