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

#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-plan.h"

/* Actions of the state machine as rows, in the transaction under way. */

#define REPORT_MS 500           /* Progress is written so often at most, */
#define WAITS_MS 1000           /* and what is waited for after so long. */
#define WAITS_KEY "waits"       /* In external_ids. */

/* Links of 'row' get hops of their next generation. */
static char * OVS_WARN_UNUSED_RESULT
lay_link(const struct manager *mgr, const struct xfrec_migration *row,
         const struct xfrec_link *link, struct xf_plan_session *s)
{
    const struct xfrec_interface *ends[] = {
        link->interface1, link->interface2
    };
    int64_t generation = xf_plan_next_generation(mgr->idl, link);
    struct xf_plan way;
    char *error = xf_plan_link(s, link, row->router, row->destination, &way);

    if (error) {
        return error;
    }
    xf_plan_insert(mgr->txn, link, generation, &way);
    for (size_t i = 0; i < ARRAY_SIZE(ends) && !error; i++) {
        struct xf_plan transfer;

        if (!ends[i] || !row->router || ends[i]->router != row->router
            || !strcmp(row->technique, "native")) {
            continue;
        }
        error = xf_plan_transfer(s, link, ends[i], row->source,
                                 row->destination, &way, &transfer);
        if (!error) {
            xf_plan_insert(mgr->txn, link, generation, &transfer);
            xf_plan_destroy(&transfer);
        }
    }
    xf_plan_destroy(&way);
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
write_lay(const struct manager *mgr, const struct xfrec_migration *row)
{
    struct xf_plan_session *s = xf_plan_session_create(mgr->idl,
                                                       time_wall_msec());
    size_t n;
    const struct xfrec_link **links = manager_links(mgr->idl, row, &n);
    char *error = NULL;

    /* Whoever takes VLANs raises it: they are free only if nobody has. */
    xfrec_xf_global_verify_cfg(xfrec_xf_global_first(mgr->idl));
    for (size_t i = 0; i < n && !error; i++) {
        error = lay_link(mgr, row, links[i], s);
        if (error) {
            char *sentence = xasprintf("no way for link '%s': %s",
                                       links[i]->name, error);
            free(error);
            error = sentence;
        } else {
            xfrec_link_verify_generation(links[i]);
        }
    }
    if (row->router) {
        xfrec_router_verify_host(row->router);
        xfrec_router_verify_destination(row->router);
        xfrec_router_verify_migration(row->router);
        xfrec_router_set_destination(row->router, row->destination);
    }
    free(links);
    xf_plan_session_destroy(s);
    return error;
}

/* The one change that puts the new ways to use. */
static void
write_flip(const struct manager *mgr, const struct xfrec_migration *row)
{
    size_t n;
    const struct xfrec_link **links = manager_links(mgr->idl, row, &n);

    for (size_t i = 0; i < n; i++) {
        int64_t newest = manager_newest(mgr->idl, links[i]);

        xfrec_link_verify_generation(links[i]);
        if (newest > links[i]->generation) {
            xfrec_link_set_generation(links[i], newest);
        }
    }
    if (row->router) {
        xfrec_router_verify_host(row->router);
        xfrec_router_verify_migration(row->router);
        xfrec_router_set_host(row->router, row->destination);
        xfrec_router_set_destination(row->router, row->source);
    }
    free(links);
}

/* Hops of 'link' that aren't in use go. */
void
manager_take_down(const struct manager *mgr, const struct xfrec_link *link)
{
    xfrec_link_verify_generation(link);
    xf_plan_remove(mgr->idl, link, XF_PLAN_TRANSFERS);
    xf_plan_remove(mgr->idl, link, XF_PLAN_UNUSED);
}

static void
write_clear(const struct manager *mgr, const struct xfrec_migration *row)
{
    size_t n;
    const struct xfrec_link **links = manager_links(mgr->idl, row, &n);

    for (size_t i = 0; i < n; i++) {
        manager_take_down(mgr, links[i]);
    }
    if (row->router) {
        xfrec_router_verify_destination(row->router);
        xfrec_router_set_destination(row->router, NULL);
    }
    free(links);
}

/* Writes what hosts say of the machine. */
static void
write_machine(const struct manager *mgr, const struct xfrec_migration *row)
{
    const struct xfrec_migration_state *b
        = manager_state_of(mgr->idl, row, row->destination);
    const struct xfrec_migration_state *a
        = manager_state_of(mgr->idl, row, row->source);
    const struct xfrec_migration_state *said;

    said = b && b->n_suspended_ms ? b : a;
    if (said && said->n_suspended_ms) {
        xfrec_migration_set_suspended_ms(row, said->suspended_ms, 1);
    }
    said = b && b->n_memory_kb ? b : a;
    if (said && said->n_memory_kb) {
        xfrec_migration_set_memory_kb(row, said->memory_kb, 1);
    }
}

static void
write_end(const struct manager *mgr, const struct xfrec_migration *row)
{
    write_machine(mgr, row);
    xfrec_migration_set_ended_ms(row, time_wall_msec());
    if (row->router && row->router->migration == row) {
        xfrec_router_verify_migration(row->router);
        xfrec_router_set_migration(row->router, NULL);
    }
}

static int
stage_percent(enum xf_migration_stage stage)
{
    struct xf_migration m = { .stage = stage };
    struct xf_migration_seen seen = { .is_laid = true };

    return xf_migration_percent(&m, &seen);
}

/* Carries out 'action' in the transaction; 'why' is for column error.  Returns a
 * sentence if it can't be, and then the transaction is of no use. */
char *
manager_write(const struct manager *mgr, const struct xfrec_migration *row,
              enum xf_migration_action action, const char *why)
{
    enum xf_migration_stage now = xf_migration_stage_from_string(row->stage);
    enum xf_migration_stage next = xf_migration_next(now, action);
    char *error = NULL;

    xfrec_migration_verify_stage(row);
    xfrec_migration_verify_coordinator(row);
    if (action == XF_MIGRATION_LAY) {
        error = write_lay(mgr, row);
    } else if (action == XF_MIGRATION_FLIP) {
        write_flip(mgr, row);
        xfrec_migration_set_error(row, "");
    } else if (action == XF_MIGRATION_CLEAR) {
        write_clear(mgr, row);
    } else if (xf_migration_is_ended(next)) {
        write_end(mgr, row);
    }
    if (why) {
        char *text = xasprintf("%.4095s", why);

        xfrec_migration_set_error(row, text);
        free(text);
    }
    if (next != now) {
        xfrec_migration_set_stage(row, xf_migration_stage_to_string(next));
        xfrec_migration_set_progress(row, stage_percent(next));
    }
    if (smap_get(&row->external_ids, WAITS_KEY)) {
        xfrec_migration_update_external_ids_delkey(row, WAITS_KEY);
    }
    return error;
}

/* Takes a migration over. */
void
manager_adopt(const struct manager *mgr, const struct xfrec_migration *row)
{
    const struct xfrec_router *router = row->router;

    xfrec_migration_verify_stage(row);
    xfrec_migration_verify_coordinator(row);
    xfrec_migration_set_coordinator(row, mgr->name);
    if (!strcmp(row->stage, "planned")) {
        if (!row->begun_ms) {
            xfrec_migration_set_begun_ms(row, time_wall_msec());
        }
        if (router && !row->source) {
            xfrec_router_verify_host(router);
            xfrec_migration_set_source(row, router->host);
        }
        if (router && (!router->migration
                       || xf_check_is_ended(router->migration))) {
            xfrec_router_verify_migration(router);
            xfrec_router_set_migration(router, row);
        }
    }
}

/* Writes the progress; with no transaction under way, only says whether there is
 * something new. */
bool
manager_report(const struct manager *mgr, const struct xfrec_migration *row,
               const struct manager_move *move)
{
    const char *old = smap_get(&row->external_ids, WAITS_KEY);
    bool is_late = time_msec() >= move->m.entered_ms + WAITS_MS;
    const char *waits = move->waits && is_late ? move->waits : old;

    if (!mgr->txn) {
        return (time_msec() >= move->reported_ms + REPORT_MS
                && (row->progress != move->percent
                    || (waits && (!old || strcmp(waits, old)))));
    }
    xfrec_migration_verify_stage(row);
    xfrec_migration_set_progress(row, move->percent);
    write_machine(mgr, row);
    if (waits) {
        xfrec_migration_update_external_ids_setkey(row, WAITS_KEY, waits);
    }
    return true;
}
