/*
 * Copyright (c) 2026 The XenFlow Authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/* Ids of next-hop objects: what a speaker calls them, and the rule table.
 *
 * A routing daemon that starts again numbers its next hops anew.  Its routes
 * of before are still in the table, stale, and must go on to lead where they
 * led until they are stated again: so an id means something only within a
 * connection, and each connection's ids become new ones in the table.  What
 * the old ones name is swept with the epoch.
 *
 * Within a connection an id keeps its number in the table as long as something
 * there bears it: routes that name a next hop that was withdrawn follow it when
 * it is stated again.
 *
 * Cost: about 40 bytes per id, as many as the table may have next hops.  Those
 * whose last route went after the next hop itself are looked for when there is
 * no room, at most once a second. */

#include <config.h>
#include "engine/speaker-private.h"

#include "hash.h"
#include "openvswitch/hmap.h"
#include "util.h"

#define SWEEP_MS 1000

struct xf_speaker_nhid {
    struct hmap_node node;      /* In struct xf_speaker_conn's 'nhids'. */
    uint32_t id;                /* The speaker's. */
    uint32_t table_id;          /* The table's. */
};

static struct xf_speaker_nhid *
find(const struct xf_speaker_conn *conn, uint32_t id)
{
    struct xf_speaker_nhid *nhid;

    HMAP_FOR_EACH_WITH_HASH (nhid, node, hash_int(id, 0), &conn->nhids) {
        if (nhid->id == id) {
            return nhid;
        }
    }
    return NULL;
}

uint32_t
xf_speaker_nhid_get(struct xf_listener *l, uint32_t id)
{
    struct hmap *nhids = &l->conn->nhids;
    struct xf_speaker_nhid *nhid = find(l->conn, id);

    if (nhid) {
        return nhid->table_id;
    }
    if (hmap_count(nhids) >= xf_rt_limits(l->rt)->max_nexthops) {
        return 0;
    }
    /* A copy, or the speaker before a restart of the listener, may have some
     * of them. */
    do {
        if (!++l->last_nhid) {
            l->last_nhid = 1;
        }
    } while (xf_rt_nexthop_is_known(l->rt, l->source, l->last_nhid));
    nhid = xmalloc(sizeof *nhid);
    nhid->id = id;
    nhid->table_id = l->last_nhid;
    hmap_insert(nhids, &nhid->node, hash_int(id, 0));
    return nhid->table_id;
}

uint32_t
xf_speaker_nhid_find(const struct xf_listener *l, uint32_t id)
{
    const struct xf_speaker_nhid *nhid = find(l->conn, id);

    return nhid ? nhid->table_id : 0;
}

/* Forgets 'nhid' if nothing in the table bears its number. */
static void
forget_unknown(struct xf_listener *l, struct xf_speaker_nhid *nhid)
{
    if (!xf_rt_nexthop_is_known(l->rt, l->source, nhid->table_id)) {
        hmap_remove(&l->conn->nhids, &nhid->node);
        free(nhid);
    }
}

void
xf_speaker_nhid_withdrawn(struct xf_listener *l, uint32_t id)
{
    struct xf_speaker_nhid *nhid = find(l->conn, id);

    if (nhid) {
        forget_unknown(l, nhid);
    }
}

void
xf_speaker_nhids_make_room(struct xf_listener *l, size_t n)
{
    struct xf_speaker_conn *conn = l->conn;
    struct xf_speaker_nhid *nhid;

    if (hmap_count(&conn->nhids) + n <= xf_rt_limits(l->rt)->max_nexthops
        || (conn->swept_ms && l->now_ms < conn->swept_ms + SWEEP_MS)) {
        return;
    }
    conn->swept_ms = l->now_ms;
    HMAP_FOR_EACH_SAFE (nhid, node, &conn->nhids) {
        forget_unknown(l, nhid);
    }
}

void
xf_speaker_nhids_destroy(struct xf_speaker_conn *conn)
{
    struct xf_speaker_nhid *nhid;

    HMAP_FOR_EACH_POP (nhid, node, &conn->nhids) {
        free(nhid);
    }
    hmap_destroy(&conn->nhids);
}
