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

/* Ways of links: see xenflow-plan.h. */

#include <config.h>

#include "xenflow-plan-private.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "svec.h"
#include "util.h"

/* Where a way begins or ends. */
struct end {
    const struct xfrec_host *host;
    const char *port;
    int vlan;                   /* -1: it needs one. */
};

void
xf_plan_destroy(struct xf_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        free(plan->hops[i].port1);
        free(plan->hops[i].port2);
    }
    free(plan->hops);
    plan->hops = NULL;
    plan->n = 0;
}

/* ---- Ends. ---- */

/* The VLAN that the way in use has at this end of the link, which is at 'port' of
 * 'host'; -1 if it doesn't end there. */
static int
kept_vlan(const struct xf_plan_session *s, const struct xfrec_link *link,
          int side, const struct xfrec_host *host, const char *port)
{
    int vlan = -1;
    size_t n;
    const struct xfrec_hop **hops = plan_hops(s->idl, link, link->generation,
                                              &n);

    if (n) {
        const struct xfrec_hop *hop = hops[side == 1 ? 0 : n - 1];

        if (hop->host == host
            && !strcmp(side == 1 ? hop->port1 : hop->port2, port)) {
            vlan = side == 1 ? hop->vlan1 : hop->vlan2;
        }
    }
    free(hops);
    return vlan;
}

static char * OVS_WARN_UNUSED_RESULT
find_end(const struct xf_plan_session *s, const struct xfrec_link *link,
         int side, const struct xfrec_router *moving,
         const struct xfrec_host *at, struct end *end)
{
    const struct xfrec_interface *iface = (side == 1 ? link->interface1
                                           : link->interface2);

    if (!iface && !(side == 2 && link->edge)) {
        return xasprintf("link '%s' has one end: set end%d", link->name,
                         side);
    } else if (!iface) {
        end->host = link->edge->host;
        end->port = link->edge->port;
        end->vlan = link->edge->vlan;
        return NULL;
    }
    end->host = iface->router == moving ? at : iface->router->host;
    end->port = iface->router->name;
    if (!end->host) {
        return xasprintf("link '%s': router '%s' has no host: set it with "
                         "router-set host=HOST", link->name,
                         iface->router->name);
    }
    end->vlan = kept_vlan(s, link, side, end->host, end->port);
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
give_vlan(struct xf_plan_session *s, const struct xfrec_link *link,
          struct end *end)
{
    if (end->vlan < 0) {
        end->vlan = plan_vlan_of_end(s, end->host);
        if (!end->vlan) {
            return xasprintf("link '%s': host '%s' has no VLAN left for it: "
                             "remove segments, or move routers away",
                             link->name, end->host->name);
        }
    }
    return NULL;
}

/* ---- Paths. ---- */

/* The largest packets that the routers of 'link' send. */
static int
largest_packet(const struct xfrec_link *link)
{
    int64_t mtu = 0;

    if (link->interface1) {
        mtu = link->interface1->mtu;
    }
    if (link->interface2) {
        mtu = MAX(mtu, link->interface2->mtu);
    }
    return MIN(mtu, INT_MAX);
}

/* Fills 'want' in but for bandwidth. */
static char * OVS_WARN_UNUSED_RESULT
make_want(const struct xf_plan_session *s, const struct xfrec_link *link,
          const struct end *end1, const struct end *end2,
          struct xf_path_want *want)
{
    const struct plan_host *host1 = plan_host_find(s, end1->host);
    const struct plan_host *host2 = plan_host_find(s, end2->host);

    if (!host1 || !host2) {
        return xasprintf("link '%s': there are too many hosts: split the "
                         "network", link->name);
    }
    *want = (struct xf_path_want) {
        .from = host1->number,
        .to = host2->number,
        .by_latency = !strcmp(link->policy, "latency"),
        .by_metric = !strcmp(link->policy, "ospf"),
        .also_down = s->wired,
        .mtu = largest_packet(link),
    };
    return NULL;
}

/* The way of a pinned link; '*leads' as of xf_path_pinned(). */
static char * OVS_WARN_UNUSED_RESULT
find_pinned(const struct xf_plan_session *s, const struct xfrec_link *link,
            const struct xf_path_want *want, bool *leads,
            struct xf_path *path)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    char *error = NULL;

    *leads = false;
    svec_parse_words(&words, link->path);

    size_t *cables = xcalloc(words.n + 1, sizeof *cables);
    for (size_t i = 0; i < words.n && !error; i++) {
        const struct shash_node *node = shash_find(&s->cables_by_name,
                                                   words.names[i]);

        cables[i] = node ? (uintptr_t) node->data : PLAN_NO_CABLE;
        if (!node) {
            error = xasprintf("its path names trunk '%s', which there isn't: "
                              "see trunk-list", words.names[i]);
        }
    }
    if (!error) {
        error = xf_path_pinned(s->graph, want, cables, words.n, leads, path);
    }
    free(cables);
    svec_destroy(&words);
    return error;
}

/* Whether the hosts of 'link' have ever been joined. */
static bool
has_way(const struct xf_plan_session *s, const struct xfrec_link *link)
{
    size_t n;

    free(plan_hops(s->idl, link, link->generation, &n));
    return n > 0;
}

/* "link 'L': no way from host 'A' to host 'B': sentence"; takes 'error' over. */
static char *
no_way(const struct xfrec_link *link, const struct end *end1,
       const struct end *end2, char *error)
{
    char *sentence;

    if (!error) {
        return NULL;
    } else if (end1->host == end2->host) {
        sentence = xasprintf("link '%s': no way in host '%s': %s", link->name,
                             end1->host->name, error);
    } else {
        sentence = xasprintf("link '%s': no way from host '%s' to host '%s': "
                             "%s", link->name, end1->host->name,
                             end2->host->name, error);
    }
    free(error);
    return sentence;
}

static char * OVS_WARN_UNUSED_RESULT
find_path(struct xf_plan_session *s, const struct xfrec_link *link,
          const struct end *end1, const struct end *end2, bool moves,
          struct xf_path *path)
{
    struct xf_path_want want;
    char *error = make_want(s, link, end1, end2, &want);
    bool leads = true;

    if (error) {
        return error;
    }
    want.bandwidth_bps = link->bandwidth;
    plan_own_begin(s, link);
    if (!strcmp(link->policy, "pinned")) {
        error = find_pinned(s, link, &want, &leads, path);
        if (!leads && (moves || has_way(s, link))) {
            /* Its routers have left the path: until they come back, or
             * another is set. */
            free(error);
            error = xf_path_find(s->graph, &want, path);
        }
    } else {
        error = xf_path_find(s->graph, &want, path);
    }
    plan_own_end(s, link, error ? NULL : path);
    return no_way(link, end1, end2, error);
}

char *
xf_plan_check_path(struct xf_plan_session *s, const struct xfrec_link *link)
{
    struct xf_path_want want;
    struct end end1, end2;
    struct xf_path path;
    bool leads = true;
    char *error;

    if (strcmp(link->policy, "pinned")) {
        return NULL;
    }
    error = find_end(s, link, 1, NULL, NULL, &end1);
    error = error ? error : find_end(s, link, 2, NULL, NULL, &end2);
    error = error ? error : make_want(s, link, &end1, &end2, &want);
    if (error) {
        return error;
    }
    want.also_down = true;
    error = find_pinned(s, link, &want, &leads, &path);
    if (!error) {
        xf_path_destroy(&path);
    } else if (leads) {
        free(error);            /* What it needs is off, but it leads there. */
        error = NULL;
    }
    return no_way(link, &end1, &end2, error);
}

/* Whether 'hops', a way of 'link', are over nothing but what is up. */
static bool
are_up(const struct xf_plan_session *s, const struct xfrec_link *link,
       const struct xfrec_hop *const hops[], size_t n)
{
    const struct end end1 = { .host = hops[0]->host };
    const struct end end2 = { .host = hops[n - 1]->host };
    size_t *cables = xcalloc(n, sizeof *cables);
    struct xf_path_want want;
    struct xf_path path;
    char *error = make_want(s, link, &end1, &end2, &want);
    bool leads;

    for (size_t i = 0; i + 1 < n && !error; i++) {
        cables[i] = plan_cable_at(s, hops[i]->host, hops[i]->port2);
        if (cables[i] == PLAN_NO_CABLE) {
            error = xstrdup("");
        }
    }
    error = error ? error : xf_path_pinned(s->graph, &want, cables, n - 1,
                                           &leads, &path);
    free(cables);
    if (!error) {
        xf_path_destroy(&path);
    }
    free(error);
    return !error;
}

bool
xf_plan_is_up(const struct xf_plan_session *s, const struct xfrec_link *link)
{
    size_t n;
    const struct xfrec_hop **hops = plan_hops(s->idl, link, link->generation,
                                              &n);
    bool up = n && are_up(s, link, hops, n);

    free(hops);
    return up;
}

/* ---- Hops. ---- */

/* Hops from ends[0] to ends[1] by 'path', from 'position' on. */
static char * OVS_WARN_UNUSED_RESULT
make_hops(struct xf_plan_session *s, const struct xfrec_link *link,
          const struct end *const ends[2], const struct xf_path *path,
          int position, struct xf_plan *plan)
{
    const int max = (!position ? XF_PLAN_TRANSFER
                     : XF_PLAN_TRANSFER2 - XF_PLAN_TRANSFER);
    uint16_t vlan = ends[0]->vlan;

    if (path->n >= max) {
        return xasprintf("link '%s': its way has more than %d hosts: add a "
                         "trunk that makes it shorter", link->name, max);
    }
    plan->n = 0;
    plan->hops = xcalloc(path->n + 1, sizeof *plan->hops);
    for (size_t i = 0; i <= path->n; i++) {
        const struct xfrec_host *host = s->hosts[path->hosts[i]]->row;
        bool is_last = i == path->n;
        struct xf_plan_hop *hop = &plan->hops[plan->n++];

        hop->position = position + i;
        hop->host = host;
        hop->port1 = xstrdup(!i ? ends[0]->port
                             : plan_cable_port(s, path->cables[i - 1], host));
        hop->vlan1 = vlan;
        vlan = is_last ? ends[1]->vlan : plan_vlan_of_cable(s, path->cables[i]);
        hop->port2 = xstrdup(is_last ? ends[1]->port
                             : plan_cable_port(s, path->cables[i], host));
        hop->vlan2 = vlan;
        if (!vlan && !is_last) {
            xf_plan_destroy(plan);
            return xasprintf("link '%s': trunk '%s' has no VLAN left for it: "
                             "add another trunk beside it", link->name,
                             s->cables[path->cables[i]]->name);
        }
    }
    return NULL;
}

char *
xf_plan_link(struct xf_plan_session *s, const struct xfrec_link *link,
             const struct xfrec_router *moving, const struct xfrec_host *at,
             struct xf_plan *planp)
{
    struct end end1, end2;
    const struct end *const ends[] = { &end1, &end2 };
    struct xf_path path;
    struct xf_plan plan;
    char *error;

    error = find_end(s, link, 1, moving, at, &end1);
    error = error ? error : find_end(s, link, 2, moving, at, &end2);
    error = error ? error : find_path(s, link, &end1, &end2, moving != NULL,
                                      &path);
    if (error) {
        return error;
    }
    error = give_vlan(s, link, &end1);
    error = error ? error : give_vlan(s, link, &end2);
    error = error ? error : make_hops(s, link, ends, &path, 0, &plan);
    if (!error) {
        *planp = plan;
    }
    xf_path_destroy(&path);
    return error;
}

/* ---- Transfers. ---- */

/* Stores the VLAN that the new way 'way' has at end 'side', at 'to'. */
static char * OVS_WARN_UNUSED_RESULT
new_end(const struct xfrec_link *link, int side, const struct xf_plan *way,
        const struct xfrec_host *to, struct end *end)
{
    const struct xf_plan_hop *hop;

    hop = way->n ? &way->hops[side == 1 ? 0 : way->n - 1] : NULL;
    if (!hop || hop->host != to) {
        return xasprintf("link '%s': its new way doesn't lead to host '%s': "
                         "plan it with the router there", link->name,
                         to->name);
    }
    end->host = to;
    end->port = side == 1 ? hop->port1 : hop->port2;
    end->vlan = side == 1 ? hop->vlan1 : hop->vlan2;
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
find_transfer_path(struct xf_plan_session *s, const struct xfrec_link *link,
                   const struct end *end1, const struct end *end2,
                   struct xf_path *path)
{
    struct xf_path_want want;
    char *error = make_want(s, link, end1, end2, &want);

    return (error ? error
            : no_way(link, end1, end2, xf_path_find(s->graph, &want, path)));
}

char *
xf_plan_transfer(struct xf_plan_session *s, const struct xfrec_link *link,
                 const struct xfrec_interface *iface,
                 const struct xfrec_host *from, const struct xfrec_host *to,
                 const struct xf_plan *way, struct xf_plan *planp)
{
    int side = link->interface1 == iface ? 1 : 2;
    struct end old = { .host = from, .port = iface->router->name };
    struct end new;
    struct xf_path path;
    struct xf_plan plan;
    char *error;

    old.vlan = kept_vlan(s, link, side, from, old.port);
    if (old.vlan < 0) {
        return xasprintf("link '%s': the way in use doesn't end at router "
                         "'%s' on host '%s': wire it with link-plan %s",
                         link->name, old.port, from->name, link->name);
    }
    error = new_end(link, side, way, to, &new);
    if (error) {
        return error;
    }

    /* See xenflow/hops.h. */
    const struct end *const ends[] = { side == 1 ? &old : &new,
                                       side == 1 ? &new : &old };
    error = find_transfer_path(s, link, ends[0], ends[1], &path);
    if (error) {
        return error;
    }
    error = make_hops(s, link, ends, &path, side == 1 ? XF_PLAN_TRANSFER
                      : XF_PLAN_TRANSFER2, &plan);
    if (!error) {
        *planp = plan;
    }
    xf_path_destroy(&path);
    return error;
}
