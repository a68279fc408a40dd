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
 * down. */
static bool
has_failed(struct ovsdb_idl *idl, const struct xfrec_physical_link *cable)
{
    const struct xfrec_physical_link_state *state;
    bool is_down = false;

    XFREC_PHYSICAL_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &cable->header_.uuid)
            && xf_host_is_up(xf_host_state(idl, state->host),
                             time_wall_msec())) {
            if (state->up) {
                return false;
            }
            is_down = true;
        }
    }
    return is_down;
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

/* Whether there is another way for 'link'. */
static bool
has_other_way(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    struct xf_plan_session *s = xf_plan_session_create(idl, time_wall_msec());
    struct xf_plan way;
    char *error = xf_plan_link(s, link, NULL, NULL, &way);
    bool other = false;

    if (!error) {
        other = xf_plan_differs(idl, link, link->generation, &way);
        xf_plan_destroy(&way);
    }
    free(error);
    xf_plan_session_destroy(s);
    return other;
}

/* A link whose way in use goes over 'cable', and that can have another. */
static const struct xfrec_link *
find_link_over(struct ovsdb_idl *idl, const struct xfrec_physical_link *cable)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        if (hop->generation == hop->link->generation
            && hop->position < XF_PLAN_TRANSFER
            && (is_end_of(cable, hop->host, hop->port1)
                || is_end_of(cable, hop->host, hop->port2))
            && !xf_check_link_moves(idl, hop->link, NULL)
            && !was_tried(idl, hop->link)
            && has_other_way(idl, hop->link)) {
            return hop->link;
        }
    }
    return NULL;
}

static const struct xfrec_link *
find_broken(struct ovsdb_idl *idl, const char **cable_name)
{
    const struct xfrec_physical_link *cable;

    XFREC_PHYSICAL_LINK_FOR_EACH (cable, idl) {
        if (has_failed(idl, cable)) {
            const struct xfrec_link *link = find_link_over(idl, cable);

            if (link) {
                *cable_name = cable->name;
                return link;
            }
        }
    }
    return NULL;
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
manager_needs_repair(const struct manager *mgr)
{
    const char *cable;

    return (find_router(mgr->idl) || find_link(mgr->idl)
            || find_old(mgr->idl) || find_broken(mgr->idl, &cable));
}

void
manager_repair(const struct manager *mgr)
{
    const struct xfrec_router *router = find_router(mgr->idl);
    const struct xfrec_migration *old = find_old(mgr->idl);
    const struct xfrec_link *link = find_link(mgr->idl);
    const char *cable = "";

    if (router) {
        VLOG_WARN("router %s has a destination or a lock, and no migration: "
                  "both are removed", router->name);
        xfrec_router_verify_migration(router);
        xfrec_router_verify_destination(router);
        xfrec_router_set_destination(router, NULL);
        xfrec_router_set_migration(router, NULL);
    } else if (link) {
        VLOG_WARN("link %s has hops that aren't in use, and no migration: "
                  "they are removed", link->name);
        manager_take_down(mgr, link);
    } else if (old) {
        xfrec_migration_delete(old);
    } else {
        link = find_broken(mgr->idl, &cable);
        if (link) {
            VLOG_WARN("cable %s is down: link %s takes another way", cable,
                      link->name);
            move_link(mgr, link);
        }
    }
}
