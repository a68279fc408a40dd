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

#include <config.h>

#include "core/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/util.h"
#include "util.h"

#define NONE SIZE_MAX

struct host {
    char *name;
    char *trouble;              /* NULL: it can be used. */
    enum xf_path_state state;
    size_t *cables;             /* Those that end here. */
    size_t n, allocated;
};

struct cable {
    char *name;
    char *trouble;              /* NULL: it can be used. */
    enum xf_path_state state;
    size_t hosts[2];
    uint64_t latency_us;
    uint64_t metric;
    uint64_t bandwidth_bps;
    uint64_t used_bps;          /* Set aside. */
    int mtu;                    /* 0: not known. */
};

struct xf_path_graph {
    struct host *hosts;
    size_t n_hosts, allocated_hosts;
    struct cable *cables;
    size_t n_cables, allocated_cables;
};

/* How long a way is: the first number, then the second.  Neither can overflow,
 * nor is the length of a cable ever 0. */
struct length {
    uint64_t major;
    uint64_t minor;
};

/* What is left out of account when it is asked why there is no way. */
enum ignore {
    IGNORE_BANDWIDTH = 1 << 0,
    IGNORE_TROUBLE = 1 << 1,
};

/* ---- The graph. ---- */

struct xf_path_graph *
xf_path_graph_create(void)
{
    return xzalloc(sizeof(struct xf_path_graph));
}

void
xf_path_graph_destroy(struct xf_path_graph *g)
{
    if (!g) {
        return;
    }
    for (size_t i = 0; i < g->n_hosts; i++) {
        free(g->hosts[i].name);
        free(g->hosts[i].trouble);
        free(g->hosts[i].cables);
    }
    for (size_t i = 0; i < g->n_cables; i++) {
        free(g->cables[i].name);
        free(g->cables[i].trouble);
    }
    free(g->hosts);
    free(g->cables);
    free(g);
}

int
xf_path_add_host(struct xf_path_graph *g, const char *name,
                 enum xf_path_state state, const char *trouble, size_t *hostp)
{
    if (g->n_hosts >= XF_PATH_HOSTS_MAX) {
        return ENOSPC;
    }
    if (g->n_hosts >= g->allocated_hosts) {
        g->hosts = x2nrealloc(g->hosts, &g->allocated_hosts,
                              sizeof *g->hosts);
    }
    *hostp = g->n_hosts;
    g->hosts[g->n_hosts++] = (struct host) {
        .name = xstrdup(name),
        .trouble = nullable_xstrdup(trouble),
        .state = state,
    };
    return 0;
}

int
xf_path_add_cable(struct xf_path_graph *g, const struct xf_path_cable *cable,
                  size_t *cablep)
{
    if (g->n_cables >= XF_PATH_CABLES_MAX) {
        return ENOSPC;
    }
    if (g->n_cables >= g->allocated_cables) {
        g->cables = x2nrealloc(g->cables, &g->allocated_cables,
                               sizeof *g->cables);
    }
    *cablep = g->n_cables;
    g->cables[g->n_cables++] = (struct cable) {
        .name = xstrdup(cable->name),
        .trouble = nullable_xstrdup(cable->trouble),
        .state = cable->state,
        .hosts = { cable->hosts[0], cable->hosts[1] },
        .latency_us = MIN(cable->latency_us, XF_PATH_LATENCY_MAX),
        .metric = MIN(cable->metric, XF_PATH_METRIC_MAX),
        .bandwidth_bps = cable->bandwidth_bps,
        .mtu = cable->mtu,
    };
    for (int end = 0; end < 2; end++) {
        struct host *host = &g->hosts[cable->hosts[end]];

        if (host->n >= host->allocated) {
            host->cables = x2nrealloc(host->cables, &host->allocated,
                                      sizeof *host->cables);
        }
        host->cables[host->n++] = *cablep;
    }
    return 0;
}

void
xf_path_reserve(struct xf_path_graph *g, size_t cable, uint64_t bps)
{
    g->cables[cable].used_bps += bps;
}

void
xf_path_release(struct xf_path_graph *g, size_t cable, uint64_t bps)
{
    ovs_assert(g->cables[cable].used_bps >= bps);
    g->cables[cable].used_bps -= bps;
}

uint64_t
xf_path_reserved(const struct xf_path_graph *g, size_t cable)
{
    return g->cables[cable].used_bps;
}

void
xf_path_destroy(struct xf_path *path)
{
    free(path->hosts);
    free(path->cables);
    path->hosts = path->cables = NULL;
    path->n = 0;
}

/* ---- What can be used. ---- */

static bool
is_usable(const struct xf_path_want *want, enum xf_path_state state)
{
    return (state == XF_PATH_UP
            || (state == XF_PATH_DOWN && want->also_down));
}

static bool
takes_packets(const struct xf_path_want *want, const struct cable *c)
{
    return !c->mtu || c->mtu >= want->mtu;
}

static uint64_t
bandwidth_left(const struct cable *c)
{
    return c->bandwidth_bps > c->used_bps ? c->bandwidth_bps - c->used_bps : 0;
}

static bool
cable_fits(const struct xf_path_graph *g, const struct xf_path_want *want,
           size_t cable, int ignore)
{
    const struct cable *c = &g->cables[cable];

    return ((ignore & IGNORE_TROUBLE
             || (is_usable(want, c->state) && takes_packets(want, c)))
            && (ignore & IGNORE_BANDWIDTH
                || bandwidth_left(c) >= want->bandwidth_bps));
}

static bool
host_fits(const struct xf_path_graph *g, const struct xf_path_want *want,
          size_t host, int ignore)
{
    return ignore & IGNORE_TROUBLE || is_usable(want, g->hosts[host].state);
}

/* Why 'host' can't be used, or NULL. */
static char * OVS_WARN_UNUSED_RESULT
host_trouble(const struct xf_path_graph *g, const struct xf_path_want *want,
             size_t host)
{
    const struct host *h = &g->hosts[host];

    return (is_usable(want, h->state) ? NULL
            : xasprintf("host '%s' %s", h->name, h->trouble));
}

/* Why 'cable' can't be used, or NULL. */
static char * OVS_WARN_UNUSED_RESULT
cable_trouble(const struct xf_path_graph *g, const struct xf_path_want *want,
              size_t cable)
{
    const struct cable *c = &g->cables[cable];

    if (!is_usable(want, c->state)) {
        return xasprintf("trunk '%s' %s", c->name, c->trouble);
    } else if (!takes_packets(want, c)) {
        return xasprintf("trunk '%s' takes packets of %d bytes, and %d are "
                         "wanted: raise the MTU of its ports, or lower that "
                         "of the router's interface", c->name, c->mtu,
                         want->mtu);
    } else if (bandwidth_left(c) >= want->bandwidth_bps) {
        return NULL;
    } else if (!c->bandwidth_bps) {
        return xasprintf("trunk '%s' has no bandwidth that could be divided: "
                         "set it with trunk-set %s bandwidth=BITS-PER-SECOND",
                         c->name, c->name);
    }
    return xasprintf("trunk '%s' has %"PRIu64" of %"PRIu64" bit/s left, and "
                     "%"PRIu64" are wanted: want less, or add a trunk with "
                     "trunk-add", c->name, bandwidth_left(c),
                     c->bandwidth_bps, want->bandwidth_bps);
}

/* ---- Lengths. ---- */

static int
compare_lengths(struct length a, struct length b)
{
    return (a.major != b.major ? (a.major < b.major ? -1 : 1)
            : a.minor != b.minor ? (a.minor < b.minor ? -1 : 1) : 0);
}

static struct length
add_cable(const struct xf_path_graph *g, const struct xf_path_want *want,
          struct length length, size_t cable)
{
    length.major += (want->by_latency ? g->cables[cable].latency_us
                     : want->by_metric ? g->cables[cable].metric : 1);
    length.minor += want->by_latency || want->by_metric;
    return length;
}

static size_t
other_end(const struct cable *c, size_t host)
{
    return c->hosts[c->hosts[0] == host];
}

/* A host that is to be looked at, at this distance. */
struct visit {
    struct length length;
    size_t host;
};

/* The nearest first.  A host that is found again nearer is entered again. */
struct queue {
    struct visit *visits;
    size_t n, allocated;
};

static void
queue_push(struct queue *q, struct visit visit)
{
    size_t i;

    if (q->n >= q->allocated) {
        q->visits = x2nrealloc(q->visits, &q->allocated, sizeof *q->visits);
    }
    for (i = q->n++; i; i = (i - 1) / 2) {
        struct visit *parent = &q->visits[(i - 1) / 2];

        if (compare_lengths(parent->length, visit.length) <= 0) {
            break;
        }
        q->visits[i] = *parent;
    }
    q->visits[i] = visit;
}

static struct visit
queue_pop(struct queue *q)
{
    struct visit first = q->visits[0], last = q->visits[--q->n];
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < q->n; i = child) {
        if (child + 1 < q->n
            && compare_lengths(q->visits[child + 1].length,
                               q->visits[child].length) < 0) {
            child++;
        }
        if (compare_lengths(last.length, q->visits[child].length) <= 0) {
            break;
        }
        q->visits[i] = q->visits[child];
    }
    q->visits[i] = last;
    return first;
}

/* Stores the length of the shortest way from each host to want->to in
 * 'lengths', (UINT64_MAX, UINT64_MAX) if there is none. */
static void
measure(const struct xf_path_graph *g, const struct xf_path_want *want,
        int ignore, struct length *lengths)
{
    struct queue q = { .n = 0 };

    for (size_t i = 0; i < g->n_hosts; i++) {
        lengths[i] = (struct length) { UINT64_MAX, UINT64_MAX };
    }
    if (host_fits(g, want, want->to, ignore)) {
        lengths[want->to] = (struct length) { 0, 0 };
        queue_push(&q, (struct visit) { lengths[want->to], want->to });
    }
    while (q.n) {
        struct visit visit = queue_pop(&q);
        const struct host *h = &g->hosts[visit.host];

        if (compare_lengths(visit.length, lengths[visit.host]) > 0) {
            continue;           /* It was found again, nearer. */
        }
        for (size_t i = 0; i < h->n; i++) {
            size_t next = other_end(&g->cables[h->cables[i]], visit.host);
            struct length length = add_cable(g, want, visit.length,
                                             h->cables[i]);

            if (cable_fits(g, want, h->cables[i], ignore)
                && host_fits(g, want, next, ignore)
                && compare_lengths(length, lengths[next]) < 0) {
                lengths[next] = length;
                queue_push(&q, (struct visit) { length, next });
            }
        }
    }
    free(q.visits);
}

/* The cable by which the way goes on at 'host': of those that begin a shortest
 * way, the one whose name is first. */
static size_t
next_cable(const struct xf_path_graph *g, const struct xf_path_want *want,
           int ignore, const struct length *lengths, size_t host)
{
    const struct host *h = &g->hosts[host];
    size_t best = NONE;

    for (size_t i = 0; i < h->n; i++) {
        size_t cable = h->cables[i];
        size_t next = other_end(&g->cables[cable], host);

        if (cable_fits(g, want, cable, ignore)
            && lengths[next].major != UINT64_MAX
            && !compare_lengths(add_cable(g, want, lengths[next], cable),
                                lengths[host])
            && (best == NONE || strcmp(g->cables[cable].name,
                                       g->cables[best].name) < 0)) {
            best = cable;
        }
    }
    ovs_assert(best != NONE);
    return best;
}

/* ---- Ways. ---- */

/* Room for 'max' cables, and the first host. */
static void
path_init(struct xf_path *path, size_t from, size_t max)
{
    path->hosts = xcalloc(max + 1, sizeof *path->hosts);
    path->cables = xcalloc(max + 1, sizeof *path->cables);
    path->hosts[0] = from;
    path->n = 0;
}

static void
path_add(const struct xf_path_graph *g, struct xf_path *path, size_t cable)
{
    path->cables[path->n] = cable;
    path->hosts[path->n + 1] = other_end(&g->cables[cable],
                                         path->hosts[path->n]);
    path->n++;
}

/* Finds the shortest way; false if there is none. */
static bool
find(const struct xf_path_graph *g, const struct xf_path_want *want,
     int ignore, struct xf_path *path)
{
    struct length *lengths = xcalloc(g->n_hosts, sizeof *lengths);
    bool found;

    measure(g, want, ignore, lengths);
    found = lengths[want->from].major != UINT64_MAX;
    if (found) {
        path_init(path, want->from, g->n_hosts);
        while (path->hosts[path->n] != want->to) {
            path_add(g, path, next_cable(g, want, ignore, lengths,
                                         path->hosts[path->n]));
        }
    }
    free(lengths);
    return found;
}

/* What of 'path' can't be used, or NULL. */
static char * OVS_WARN_UNUSED_RESULT
path_trouble(const struct xf_path_graph *g, const struct xf_path_want *want,
             const struct xf_path *path)
{
    char *trouble = host_trouble(g, want, path->hosts[0]);

    for (size_t i = 0; i < path->n && !trouble; i++) {
        trouble = cable_trouble(g, want, path->cables[i]);
        trouble = (trouble ? trouble
                   : host_trouble(g, want, path->hosts[i + 1]));
    }
    return trouble;
}

/* Why there is no way: whatever is the least that would help.  What is at an end
 * would help in any case. */
static char * OVS_WARN_UNUSED_RESULT
explain(const struct xf_path_graph *g, const struct xf_path_want *want)
{
    char *sentence = host_trouble(g, want, want->from);
    struct xf_path path;

    sentence = sentence ? sentence : host_trouble(g, want, want->to);
    if (sentence) {
        return sentence;
    }
    if (find(g, want, IGNORE_BANDWIDTH, &path)
        || find(g, want, IGNORE_TROUBLE, &path)
        || find(g, want, IGNORE_BANDWIDTH | IGNORE_TROUBLE, &path)) {
        sentence = path_trouble(g, want, &path);
        xf_path_destroy(&path);
        return sentence;
    }
    return xstrdup("no trunks connect them: add one with trunk-add");
}

char *
xf_path_find(const struct xf_path_graph *g, const struct xf_path_want *want,
             struct xf_path *path)
{
    return find(g, want, 0, path) ? NULL : explain(g, want);
}

/* Follows 'pinned'.  Returns a sentence if it doesn't lead to want->to. */
static char * OVS_WARN_UNUSED_RESULT
follow(const struct xf_path_graph *g, const struct xf_path_want *want,
       const size_t *pinned, size_t n, struct xf_path *path)
{
    bool *seen = xcalloc(g->n_hosts, sizeof *seen);
    char *error = NULL;

    seen[want->from] = true;
    for (size_t i = 0; i < n && !error; i++) {
        const struct cable *c = &g->cables[pinned[i]];
        size_t at = path->hosts[path->n];

        if (c->hosts[0] != at && c->hosts[1] != at) {
            error = xasprintf("its path comes to host '%s', where trunk '%s' "
                              "doesn't begin: set one that leads from end to "
                              "end", g->hosts[at].name, c->name);
            break;
        }
        path_add(g, path, pinned[i]);
        at = path->hosts[path->n];
        if (seen[at]) {
            error = xasprintf("its path comes to host '%s' twice: set "
                              "one that doesn't",
                              g->hosts[at].name);
        }
        seen[at] = true;
    }
    if (!error && path->hosts[path->n] != want->to) {
        error = xasprintf("its path ends at host '%s': set one that leads "
                          "from end to end",
                          g->hosts[path->hosts[path->n]].name);
    }
    free(seen);
    return error;
}

char *
xf_path_pinned(const struct xf_path_graph *g, const struct xf_path_want *want,
               const size_t *pinned, size_t n, bool *leads,
               struct xf_path *path)
{
    struct xf_path way;
    char *error;

    path_init(&way, want->from, n);
    error = follow(g, want, pinned, n, &way);
    *leads = !error;
    error = error ? error : path_trouble(g, want, &way);
    if (error) {
        xf_path_destroy(&way);
    } else {
        *path = way;
    }
    return error;
}
