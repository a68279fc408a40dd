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

#include "hmapx.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-late.h"
#include "xenflow/hops.h"
#include "xenflow-plan.h"

/* What is left over without a migration under way, and links over cables that
 * have failed.  One repair per transaction. */

VLOG_DEFINE_THIS_MODULE(xenflow_manager_repair);

#define ENDED_MAX 500           /* Records of ended migrations. */
#define REPLAN_MS 60000         /* After a link's migration that failed. */
#define CABLES_MS 1000          /* After a look for ways that found none. */

/* ---- Leftovers. ---- */

/* A router with a lock or a destination, and no migration of it. */
static const struct xfrec_router *
find_router(struct ovsdb_idl *idl)
{
    const struct xfrec_router *router;

    XFREC_ROUTER_FOR_EACH (router, idl) {
        if ((router->destination
             || (router->migration && xf_check_is_ended(router->migration)))
            && !xf_check_router_moves(idl, router, NULL)) {
            return router;
        }
    }
    return NULL;
}

/* A link with hops that aren't in use, and no migration of it. */
static const struct xfrec_link *
find_link(struct ovsdb_idl *idl)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if ((hop->generation != hop->link->generation
             || hop->position >= XF_PLAN_TRANSFER)
            && !xf_check_link_moves(idl, hop->link, NULL)) {
            return hop->link;
        }
    }
    return NULL;
}

/* The oldest ended migration if there are too many. */
static const struct xfrec_migration *
find_old(struct ovsdb_idl *idl)
{
    const struct xfrec_migration *row, *oldest = NULL;
    size_t n = 0;

    XFREC_MIGRATION_FOR_EACH (row, idl) {
        if (xf_check_is_ended(row)) {
            n++;
            if (!oldest || row->ended_ms < oldest->ended_ms) {
                oldest = row;
            }
        }
    }
    return n > ENDED_MAX ? oldest : NULL;
}

/* ---- Cables that have failed. ---- */

/* Whether all hosts that measure 'cable', and are heard of, say that it is
 * down, or both know OSPF's metric of it and one says that it isn't there. */
static bool
has_failed(struct ovsdb_idl *idl, const struct xfrec_physical_link *cable)
{
    const struct xfrec_physical_link_state *state;
    bool is_up = false, is_down = false, is_lost = false;
    int n_metrics = 0;

    XFREC_PHYSICAL_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &cable->header_.uuid)
            && xf_host_is_up(xf_host_state(idl, state->host),
                             time_wall_msec())) {
            is_up = is_up || state->up;
            is_down = is_down || !state->up;
            if (state->n_metric) {
                n_metrics++;
                is_lost = is_lost || !*state->metric;
            }
        }
    }
    return (is_down && !is_up) || (n_metrics > 1 && is_lost);
}

static bool
is_end_of(const struct xfrec_physical_link *cable,
          const struct xfrec_host *host, const char *port)
{
    return ((cable->host1 == host && !strcmp(cable->port1, port))
            || (cable->host2 == host && !strcmp(cable->port2, port)));
}

/* Whether a link's migration ended badly a moment ago. */
static bool
was_tried(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    const struct xfrec_migration *row;

    XFREC_MIGRATION_FOR_EACH (row, idl) {
        if (row->link == link && row->ended_ms + REPLAN_MS > time_wall_msec()
            && strcmp(row->stage, "done")) {
            return true;
        }
    }
    return false;
}

/* A pass over links that cables have failed. */
struct pass {
    struct ovsdb_idl *idl;
    struct xf_plan_session *session; /* NULL: not needed yet. */
    struct hmapx tried;         /* Links that have no other way. */
};

/* Whether there is another way for 'link'. */
static bool
has_other_way(struct pass *pass, const struct xfrec_link *link)
{
    struct xf_plan way;
    char *error;
    bool other = false;

    if (!hmapx_add(&pass->tried, CONST_CAST(struct xfrec_link *, link))) {
        return false;
    }
    if (!pass->session) {
        pass->session = xf_plan_session_create(pass->idl, time_wall_msec());
    }
    error = xf_plan_link(pass->session, link, NULL, NULL, &way);
    if (!error) {
        other = xf_plan_differs(pass->idl, link, link->generation, &way);
        xf_plan_destroy(&way);
    }
    free(error);
    return other;
}

/* A link whose way in use goes over 'cable', and that can have another. */
static const struct xfrec_link *
find_link_over(struct pass *pass, const struct xfrec_physical_link *cable)
{
    struct ovsdb_idl *idl = pass->idl;
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->generation == hop->link->generation
            && hop->position < XF_PLAN_TRANSFER
            && (is_end_of(cable, hop->host, hop->port1)
                || is_end_of(cable, hop->host, hop->port2))
            && !xf_check_link_moves(idl, hop->link, NULL)
            && !was_tried(idl, hop->link)
            && has_other_way(pass, hop->link)) {
            return hop->link;
        }
    }
    return NULL;
}

/* A link that is to take another way, and the cable that is why.  If there is
 * none it looks again only after a while: planning costs, and rows change all
 * the time. */
static void
find_broken(struct manager *mgr, struct manager_repair *repair)
{
    struct pass pass = { .idl = mgr->idl };
    const struct xfrec_physical_link *cable;

    if (time_msec() < mgr->cables_ms) {
        return;
    }
    hmapx_init(&pass.tried);
    XFREC_PHYSICAL_LINK_FOR_EACH (cable, mgr->idl) {
        if (has_failed(mgr->idl, cable)) {
            repair->broken = find_link_over(&pass, cable);
            repair->cable = cable;
            if (repair->broken) {
                break;
            }
        }
    }
    if (!repair->broken && pass.session) {
        mgr->cables_ms = time_msec() + CABLES_MS;
    }
    hmapx_destroy(&pass.tried);
    xf_plan_session_destroy(pass.session);
}

/* Begins a migration of 'link' alone. */
static void
move_link(const struct manager *mgr, const struct xfrec_link *link)
{
    struct xfrec_migration *row = xfrec_migration_insert(mgr->txn);

    xfrec_link_verify_generation(link);
    xfrec_migration_set_link(row, link);
    xfrec_migration_set_name(row, link->name);
    xfrec_migration_set_technique(row, "separated");
    xfrec_migration_set_stage(row, "planned");
    xfrec_migration_set_coordinator(row, mgr->name);
    xfrec_migration_set_begun_ms(row, time_wall_msec());
}

/* ---- Both. ---- */

bool
manager_find_repair(struct manager *mgr, struct manager_repair *repair)
{
    memset(repair, 0, sizeof *repair);
    repair->router = find_router(mgr->idl);
    if (repair->router) {
        return true;
    }
    repair->unused = find_link(mgr->idl);
    if (repair->unused) {
        return true;
    }
    repair->old = find_old(mgr->idl);
    if (repair->old) {
        return true;
    }
    find_broken(mgr, repair);
    return repair->broken != NULL;
}

void
manager_repair(const struct manager *mgr, const struct manager_repair *repair)
{
    if (repair->router) {
        VLOG_WARN("router %s has a destination or a lock, and no migration: "
                  "both are removed", repair->router->name);
        xfrec_router_verify_migration(repair->router);
        xfrec_router_verify_destination(repair->router);
        xfrec_router_set_destination(repair->router, NULL);
        xfrec_router_set_migration(repair->router, NULL);
    } else if (repair->unused) {
        VLOG_WARN("link %s has hops that aren't in use, and no migration: "
                  "they are removed", repair->unused->name);
        manager_take_down(mgr, repair->unused);
    } else if (repair->old) {
        xfrec_migration_delete(repair->old);
    } else if (repair->broken) {
        VLOG_WARN("cable %s is down: link %s takes another way",
                  repair->cable->name, repair->broken->name);
        move_link(mgr, repair->broken);
    }
}
