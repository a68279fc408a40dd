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

#ifndef XF_CORE_RULE_TABLE_FIB_H
#define XF_CORE_RULE_TABLE_FIB_H 1

/* The rule table as datapath threads use it.
 * ==========================================
 *
 * What
 * ----
 * For a table with this enabled, the tries are also held in compiled form
 * (core/fib.h).  A lookup there gives a *value*: a target (what is done) and a
 * number (under which the thread counts it for the route).  A target is a
 * verdict, or a next hop; what a next hop means now is asked with
 * xf_rt_paths(), and may be kept by the thread for as long as xf_rt_version()
 * stays the same.
 *
 * Why
 * ---
 * Routes change often, and then only the compiled tries do.  Next hops, links
 * and neighbours change seldom, and are few: each such change raises the
 * version, and threads ask again for what they use.  So whatever number of
 * routes is behind a next hop, its change costs the same.
 *
 * Invariants
 * ----------
 * - Lookup, paths and the neighbour on the link together say what
 *   xf_rt_lookup() says.
 * - A change is published before the version is raised: who has seen a version
 *   asks no answer from before it.
 *
 * Threads: as core/rule-table.h. */

#include "core/counted.h"
#include "core/fib.h"
#include "core/rule-table.h"

/* ---- Writer. ---- */

/* Compiles the tries of 'rt' into memory of 'mem' (NULL: the heap) and keeps
 * them so. */
void xf_rt_fib_enable(struct xf_rt *, const struct xf_fib_mem *);
void xf_rt_fib_disable(struct xf_rt *);
bool xf_rt_fib_is_enabled(const struct xf_rt *);

/* What datapath threads count by number. */
enum xf_rt_counted {
    XF_RT_ROUTES,               /* Number: of a value. */
    XF_RT_NEIGHBORS,            /* Number: 'neighbor' of a path. */
    XF_RT_N_COUNTED
};
struct xf_counted *xf_rt_counted(struct xf_rt *, enum xf_rt_counted);

/* A grace period that began after the last call is over. */
void xf_rt_fib_grace(struct xf_rt *,
                     const struct xf_counted_reader[XF_RT_N_COUNTED]);

size_t xf_rt_fib_bytes(const struct xf_rt *);
/* Aborts if the compiled form isn't what the table says (for tests). */
void xf_rt_fib_check(const struct xf_rt *);

/* ---- Readers (any thread, RCU). ---- */

/* The compiled form for one family; NULL if it isn't enabled. */
const struct xf_fib *xf_rt_fib(const struct xf_rt *, bool is_v4);

/* Parts of a value. */
#define XF_TARGET_DROP 1
#define XF_TARGET_PUNT 2        /* + enum xf_punt_reason. */
#define XF_TARGET_NEXTHOP 64    /* + index of a next hop. */
BUILD_ASSERT_DECL(XF_TARGET_PUNT + XF_N_PUNT_REASONS <= XF_TARGET_NEXTHOP);

static inline uint32_t
xf_value_target(uint64_t value)
{
    return value >> 32;
}

static inline uint32_t
xf_value_number(uint64_t value)
{
    return value;
}

uint32_t xf_rt_version(const struct xf_rt *);

/* One of the ways that a next hop gives. */
struct xf_path {
    enum xf_verdict verdict;
    enum xf_punt_reason reason; /* If XF_PUNT. */
    bool on_link;               /* The packet's destination is the neighbour:
                                 * ask xf_rt_path_on_link(). */
    uint16_t weight;
    uint32_t neighbor;          /* Its number, if XF_FORWARD. */
    const struct xf_iface *out; /* NULL if none. */
    struct eth_addr dmac;       /* If XF_FORWARD. */
};

/* Stores the ways that 'target' (from XF_TARGET_NEXTHOP on) gives now and
 * returns how many, at least 1.  If there are several, the hash of the flow
 * chooses by their weights, in order (RFC 2992). */
size_t xf_rt_paths(const struct xf_rt *, uint32_t target,
                   struct xf_path paths[XF_NH_MAX]);

/* Makes 'path', which is 'on_link', the way to 'dst'. */
void xf_rt_path_on_link(const struct xf_rt *, const struct in6_addr *dst,
                        struct xf_path *path);

#endif /* core/rule-table-fib.h */
