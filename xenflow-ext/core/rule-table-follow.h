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

#ifndef XF_CORE_RULE_TABLE_FOLLOW_H
#define XF_CORE_RULE_TABLE_FOLLOW_H 1

/* What some sources of a rule table state, and each change of that.
 * ================================================================
 *
 * What
 * ----
 * A follower is handed the statements of its sources as messages of the wire
 * protocol, a few at a time, while the table goes on changing: first all that
 * there is, then what changes.  Applied in that order to another table, they
 * make it state the same.
 *
 * Why this structure
 * ------------------
 * A source keeps its statements in lists, in the order in which they were
 * stated.  The follower is a place in these lists: what comes or changes goes
 * to their end, behind that place.  So snapshot and changes are one thing; a
 * route costs no memory for being followed; and what changes ten times while
 * the other side doesn't read is told once, as it is by then.  Only what goes
 * must be remembered: by its key, which is looked up again when its turn comes,
 * so that what was stated anew meanwhile isn't withdrawn.
 *
 * Limits
 * ------
 * XF_RT_GONE_MAX keys; beyond, 'lost' and to be begun anew.  One follower per
 * table.  What isn't tied to an interface with an ifindex isn't told
 * (neighbours and addresses of interfaces of which the guest has said nothing).
 *
 * Cost
 * ----
 * O(1) per statement told; one comparison per statement that comes or goes.
 *
 * Invariants
 * ----------
 * - What isn't told yet is behind the place, or its key is among those gone.
 * - A statement that is stated again in a new epoch is told again.
 *
 * Threads: the table's writer. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/rule-table.h"

struct xf_rt_follower;
struct xf_wire_msg;

#define XF_RT_GONE_MAX 65536
#define XF_RT_FOLLOW_MAX 4      /* Sources of one follower. */

/* Follows the 'n' sources 'ids' of 'rt', which need not exist yet.  'rt' must
 * have no follower. */
struct xf_rt_follower *xf_rt_follow(struct xf_rt *rt, const uint32_t *ids,
                                    size_t n);
/* Accepts NULL.  To be called before the table is destroyed. */
void xf_rt_unfollow(struct xf_rt_follower *);

/* Begins anew. */
void xf_rt_follow_restart(struct xf_rt_follower *);

/* Stores what is to be told next in '*msg' and returns true; false if there is
 * nothing (yet). */
bool xf_rt_follow_next(struct xf_rt_follower *, struct xf_wire_msg *msg);

/* True if too much has gone, or a source has come or gone with all that it
 * stated: whoever was told must be told all from the beginning. */
bool xf_rt_follow_is_lost(const struct xf_rt_follower *);

/* ---- Counters. ----
 *
 * They are told in rounds over all statements, of those that were used since
 * 'since_ms'; for neighbours also when they were confirmed last. */

struct xf_rt_count {
    bool is_neigh;              /* Else it is of a route. */
    struct xf_prefix prefix;    /* Of the route; 'addr': of the neighbour. */
    uint32_t number;            /* Metric, or ifindex. */
    const struct xf_stat *stat; /* Borrowed. */
    long long int confirmed_ms; /* Neighbour. */
};

/* Begins a round. */
void xf_rt_follow_recount(struct xf_rt_follower *);
/* Stores the next count in '*count' and returns true; false if there is none
 * among the next '*budget' statements, which is reduced by those looked at: if
 * some are left, the round is over. */
bool xf_rt_follow_next_count(struct xf_rt_follower *, long long int since_ms,
                             size_t *budget, struct xf_rt_count *count);

/* Gives what 'count' names ('stat' isn't used), of 'source' if it is a route,
 * at least so many packets and bytes. */
void xf_rt_raise_count(struct xf_rt *, uint32_t source,
                       const struct xf_rt_count *count, uint64_t n_packets,
                       uint64_t n_bytes, long long int used_ms);

#endif /* core/rule-table-follow.h */
