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

#include "xenflow-manager.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "sset.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-late.h"
#include "xenflow/hops.h"
#include "xenflow-openflow.h"
#include "xenflow-plan.h"

/* What the rows say of a migration.
 *
 * Which hosts are concerned has to be seen from rows alone, also when hops have
 * been removed and their hosts haven't carried that out: those that have hops
 * of its links, those that say something of its links or of itself (states go
 * when all is taken down), source and destination.  In prewire and undoing,
 * only those on the new ways, and these two: the old way may be what has
 * failed. */

const struct xfrec_link **
manager_links(struct ovsdb_idl *idl, const struct xfrec_migration *row,
              size_t *n)
{
    if (row->router) {
        return xf_plan_links(idl, row->router, n);
    }
    *n = row->link ? 1 : 0;
    return row->link ? xmemdup(&row->link, sizeof row->link) : NULL;
}

int64_t
manager_newest(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    int64_t newest = -1;
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && hop->position < XF_PLAN_TRANSFER) {
            newest = MAX(newest, hop->generation);
        }
    }
    return newest;
}

/* Whether there are hops that aren't in use. */
bool
manager_link_is_laid(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && (hop->generation != link->generation
                                  || hop->position >= XF_PLAN_TRANSFER)) {
            return true;
        }
    }
    return false;
}

const struct xfrec_migration_state *
manager_state_of(struct ovsdb_idl *idl, const struct xfrec_migration *row,
                 const struct xfrec_host *host)
{
    const struct xfrec_migration_state *state;

    XFREC_MIGRATION_STATE_FOR_EACH (state, idl) {
        if (host && uuid_equals(&state->migration, &row->header_.uuid)
            && !strcmp(state->host, host->name)) {
            return state;
        }
    }
    return NULL;
}

static const struct xfrec_host *
find_host(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_host *host;

    XFREC_HOST_FOR_EACH (host, idl) {
        if (!strcmp(host->name, name)) {
            return host;
        }
    }
    return NULL;
}

/* ---- Who has to acknowledge. ---- */

/* Hosts of hops of 'link', and those that say something of it; if 'only_new',
 * of those that aren't in use yet. */
static void
add_link(struct ovsdb_idl *idl, const struct xfrec_link *link, bool only_new,
         struct sset *names)
{
    const struct xfrec_link_state *state;
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link
            && (!only_new || hop->generation > link->generation)) {
            sset_add(names, hop->host->name);
        }
    }
    XFREC_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &link->header_.uuid)
            && (!only_new || state->generation > link->generation)) {
            sset_add(names, state->host);
        }
    }
}

static void
add_concerned(struct ovsdb_idl *idl, const struct xfrec_migration *row,
              const struct xfrec_link **links, size_t n, struct sset *names)
{
    bool only_new = (!strcmp(row->stage, "prewire")
                     || !strcmp(row->stage, "undoing"));
    const struct xfrec_migration_state *state;

    for (size_t i = 0; i < n; i++) {
        add_link(idl, links[i], only_new, names);
    }
    XFREC_MIGRATION_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->migration, &row->header_.uuid)) {
            sset_add(names, state->host);
        }
    }
    if (row->source) {
        sset_add(names, row->source->name);
    }
    if (row->destination) {
        sset_add(names, row->destination->name);
    }
}

/* Which hosts of 'names' haven't carried out 'number', as far as 'links' are
 * concerned, or NULL. */
static char *
find_late(const struct manager *mgr, const struct sset *names,
          const struct xfrec_link **links, size_t n, int64_t number)
{
    struct ds all = DS_EMPTY_INITIALIZER;
    const char **sorted = sset_sort(names);

    for (size_t i = 0; i < sset_count(names); i++) {
        const struct xfrec_host *host = find_host(mgr->idl, sorted[i]);
        struct ds ds = DS_EMPTY_INITIALIZER;

        if (host && xf_host_is_wanted(host)) {
            xf_late_put(mgr->idl, host->name, number, &ds);
        } else if (host && host->enabled && !strcmp(host->kind, "openflow")) {
            char *why = xf_openflow_late(mgr->openflow, host->name, links, n,
                                         number);

            ds_put_cstr(&ds, why ? why : "");
            free(why);
        }
        if (ds.length) {
            ds_put_format(&all, "%s%s (%s)", all.length ? ", " : "",
                          sorted[i], ds_cstr(&ds));
        }
        ds_destroy(&ds);
    }
    free(sorted);
    return all.length ? ds_steal_cstr(&all) : NULL;
}

static bool
has_acked(struct ovsdb_idl *idl, const struct xfrec_host *host,
          int64_t number)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    bool acked;

    xf_late_put(idl, host->name, number, &ds);
    acked = !ds.length;
    ds_destroy(&ds);
    return acked;
}

/* ---- Ways. ---- */

/* Whether 'host' has said that all ways of 'generation' of 'link' that end
 * there are proven or, if not 'probed', in its datapath; nobody says it of a
 * plain switch. */
static bool
is_proven_at(struct ovsdb_idl *idl, const struct xfrec_link *link,
             int64_t generation, const struct xfrec_host *host, bool probed)
{
    const struct xfrec_link_state *state;

    if (strcmp(host->kind, "xenflow")) {
        return true;
    }
    XFREC_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &link->header_.uuid)
            && !strcmp(state->host, host->name)) {
            return ((state->proven || !probed)
                    && state->generation >= generation);
        }
    }
    return false;
}

static bool
is_proven(struct ovsdb_idl *idl, const struct xfrec_migration *row,
          const struct xfrec_link *link)
{
    int64_t generation = manager_newest(idl, link);
    bool has_transfer = false, probed = true, proven;
    const struct xfrec_hop *hop;
    int last = -1;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && hop->generation == generation) {
            if (hop->position >= XF_PLAN_TRANSFER) {
                has_transfer = true;
            } else {
                last = MAX(last, hop->position);
            }
        }
    }
    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && hop->generation == generation
            && (hop->position == 0 || hop->position == last)
            && strcmp(hop->host->kind, "xenflow")) {
            probed = false;     /* A plain switch answers no probes. */
        }
    }
    proven = generation > link->generation && last >= 0;
    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->link == link && hop->generation == generation
            && (hop->position == 0 || hop->position == last)) {
            proven = (proven && is_proven_at(idl, link, generation, hop->host,
                                             probed));
        }
    }
    if (has_transfer && row->source && row->destination) {
        proven = (proven
                  && is_proven_at(idl, link, generation, row->source, true)
                  && is_proven_at(idl, link, generation, row->destination,
                                  probed));
    }
    return proven;
}

static char *
find_unproven(struct ovsdb_idl *idl, const struct xfrec_migration *row,
              const struct xfrec_link **links, size_t n)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < n; i++) {
        if (!is_proven(idl, row, links[i])) {
            ds_put_format(&ds, "%s%s", ds.length ? ", " : "", links[i]->name);
        }
    }
    return ds.length ? ds_steal_cstr(&ds) : NULL;
}

/* ---- The machine. ---- */

static void
see_host(struct ovsdb_idl *idl, const struct xfrec_migration *row,
         const struct xfrec_host *host, int64_t number,
         struct xf_migration_host *seen)
{
    const struct xfrec_migration_state *state
        = manager_state_of(idl, row, host);
    const struct xfrec_router_state *machine;

    if (!host || !xf_host_is_wanted(host)) {
        seen->is_out = true;
    } else {
        seen->acked = number && has_acked(idl, host, number);
    }
    if (state) {
        seen->stage = xf_migration_stage_from_string(state->stage);
        seen->progress = state->progress;
        seen->error = state->error[0] ? state->error : NULL;
    }
    if (row->router && host) {
        XFREC_ROUTER_STATE_FOR_EACH (machine, idl) {
            if (uuid_equals(&machine->router, &row->router->header_.uuid)
                && !strcmp(machine->host, host->name)) {
                seen->has_machine = true;
            }
        }
    }
}

static void
see_table(struct ovsdb_idl *idl, const struct xfrec_migration *row,
          struct xf_migration_seen *seen)
{
    const struct xfrec_table_state *state;

    if (!row->router || !row->destination) {
        return;
    }
    XFREC_TABLE_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->router, &row->router->header_.uuid)
            && !strcmp(state->host, row->destination->name)) {
            seen->in_step = !strcmp(state->state, "in-step");
            seen->table = state->error[0] ? state->error : state->state;
            return;
        }
    }
}

/* Why a planned migration can't be, or NULL. */
static char *
find_refusal(struct ovsdb_idl *idl, const struct xfrec_migration *row)
{
    struct svec reasons = SVEC_EMPTY_INITIALIZER;
    char *refusal = NULL;

    if (row->link) {
        xf_check_link_move(idl, row->link, row, time_wall_msec(), &reasons);
    } else if (row->router && row->router->migration
               && row->router->migration != row) {
        svec_add(&reasons, "another migration of the router has its lock: "
                 "wait for it, or cancel it");
    } else if (row->router && !row->destination) {
        svec_add(&reasons, "its destination is no host: name another");
    } else if (row->router) {
        xf_check_router_move(idl, row->router, row->destination,
                             row->technique, row, time_wall_msec(), &reasons);
    }
    if (reasons.n) {
        refusal = svec_join(&reasons, "; ", "");
    }
    svec_destroy(&reasons);
    return refusal;
}

void
manager_see(const struct manager *mgr, const struct xfrec_migration *row,
            const struct manager_move *move, struct manager_view *view)
{
    struct ovsdb_idl *idl = mgr->idl;
    struct xf_migration_seen *seen = &view->seen;
    struct sset names = SSET_INITIALIZER(&names);
    size_t n;
    const struct xfrec_link **links = manager_links(idl, row, &n);

    memset(view, 0, sizeof *view);
    seen->is_link = !row->router && !row->source;
    seen->is_native = !strcmp(row->technique, "native");
    seen->cancelled = row->cancelled;
    seen->is_gone = !row->router && !row->link;
    seen->is_laid = row->router && row->router->destination;
    for (size_t i = 0; i < n; i++) {
        seen->is_laid = seen->is_laid || manager_link_is_laid(idl, links[i]);
    }
    if (move->m.stage == XF_MIGRATION_PLANNED) {
        view->refusal = find_refusal(idl, row);
    } else {
        add_concerned(idl, row, links, n, &names);
        view->late = find_late(mgr, &names, links, n, move->awaited);
        view->unproven = find_unproven(idl, row, links, n);
        see_table(idl, row, seen);
    }
    seen->acked = !view->late;
    seen->proven = !view->unproven;
    seen->refusal = view->refusal;
    seen->late = view->late;
    seen->unproven = view->unproven;
    if (!seen->is_link) {
        see_host(idl, row, row->source, move->awaited, &seen->a);
        see_host(idl, row, row->destination, move->awaited, &seen->b);
    }
    sset_destroy(&names);
    free(links);
}

void
manager_view_uninit(struct manager_view *view)
{
    free(view->refusal);
    free(view->late);
    free(view->unproven);
}
