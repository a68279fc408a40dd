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

#include "engine/link-private.h"

#include "engine/engine-private.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "timeval.h"
#include "util.h"

/* Routers that move: what is for their machine.
 *
 * At the source, from transfer-begin to transfer-end, all of it goes into the
 * transfer ways.  At the destination, from hold-begin to hold-end, it waits in
 * the datapath, a bounded queue per segment (seam/xf-hold.h).
 *
 * hold-end has two steps, so that no frame overtakes another: the main thread
 * releases what waits, until nothing does; from then on the same datapath
 * action hands frames over at once.  Only then do translations hand over
 * without it.
 *
 * While a machine moves, and for a while after it goes on, the switch answers
 * ARP for it (seam/xf-xlate-link.h): its guest has to connect its cards anew.
 *
 * Both are of the running switch only: a switch that restarts does neither.
 * Engine's thread, unless said otherwise. */

#define ANSWER_MS 30000         /* After a machine has gone on. */

/* ---- Readers: any thread. ---- */

/* See engine/link.h. */
bool
xf_router_is_transferring(const struct xf_router *router)
{
    bool yes;

    atomic_read_relaxed(&CONST_CAST(struct xf_router *, router)->transferring,
                        &yes);
    return yes;
}

/* See engine/link.h. */
bool
xf_router_is_holding(const struct xf_router *router)
{
    bool yes;

    atomic_read_relaxed(&CONST_CAST(struct xf_router *, router)->holding,
                        &yes);
    return yes;
}

/* See engine/link.h. */
bool
xf_router_is_answered_for(const struct xf_router *router)
{
    bool yes;

    atomic_read_relaxed(&CONST_CAST(struct xf_router *, router)->answering,
                        &yes);
    return (yes || xf_router_is_transferring(router)
            || xf_router_is_holding(router));
}

/* ---- Life. ---- */

/* A router begins. */
void
xf_transfer_init(struct xf_router *router)
{
    atomic_init(&router->transferring, false);
    atomic_init(&router->holding, false);
    atomic_init(&router->answering, false);
}

/* ---- After a move. ---- */

static void
answer_for(struct xf_engine *engine, struct xf_router *router)
{
    struct xf_links *links = &engine->links;

    router->answer_until_ms = time_msec() + ANSWER_MS;
    links->next_answer_ms = MIN(links->next_answer_ms,
                                router->answer_until_ms);
    atomic_store_relaxed(&router->answering, true);
}

/* Lets routers answer for themselves whose time has come. */
void
xf_transfer_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_links *links = &engine->links;
    struct xf_router *router;

    if (now_ms < links->next_answer_ms) {
        return;
    }
    links->next_answer_ms = LLONG_MAX;
    LIST_FOR_EACH (router, node, &engine->routers) {
        bool answering;

        atomic_read_relaxed(&router->answering, &answering);
        if (answering && now_ms >= router->answer_until_ms) {
            atomic_store_relaxed(&router->answering, false);
            xf_engine_changed(engine, true);
        } else if (answering) {
            links->next_answer_ms = MIN(links->next_answer_ms,
                                        router->answer_until_ms);
        }
    }
}

void
xf_transfer_wait(const struct xf_engine *engine)
{
    if (engine->links.next_answer_ms != LLONG_MAX) {
        poll_timer_wait_until(engine->links.next_answer_ms);
    }
}

/* ---- Commands. ---- */

/* Sets 'flag' of the router of 'job' to 'value'. */
static char * OVS_WARN_UNUSED_RESULT
set_flag(struct xf_engine *engine, struct xf_job *job, size_t offset,
         bool value)
{
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (router) {
        atomic_store_relaxed(ALIGNED_CAST(atomic_bool *,
                                          (char *) router + offset), value);
        job->generation = xf_engine_changed(engine, true);
    }
    return error;
}

/* transfer-begin */
char *
xf_run_transfer_begin(struct xf_engine *engine, struct xf_job *job)
{
    return set_flag(engine, job, offsetof(struct xf_router, transferring),
                    true);
}

/* transfer-end */
char *
xf_run_transfer_end(struct xf_engine *engine, struct xf_job *job)
{
    return set_flag(engine, job, offsetof(struct xf_router, transferring),
                    false);
}

/* hold-begin */
char *
xf_run_hold_begin(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (router) {
        engine->sw->hold_begin(engine->sw, router->id);
        error = set_flag(engine, job, offsetof(struct xf_router, holding),
                         true);
    }
    return error;
}

struct release_aux {
    const struct xf_switch *sw;
    const struct xf_router *router;
};

static bool
release_iface(const struct xf_iface *iface, void *aux_)
{
    const struct release_aux *aux = aux_;

    aux->sw->hold_release(aux->sw, aux->router->id, aux->router->name,
                          iface->vlan, iface->vif);
    return true;
}

/* hold-end: begins; xf_hold_end_done() goes on. */
char *
xf_run_hold_end(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (router && xf_router_is_holding(router)) {
        struct release_aux aux = { engine->sw, router };

        xf_rt_for_each_iface(router->rt, release_iface, &aux);
        engine->sw->hold_release(engine->sw, router->id, router->name, 0,
                                 NULL);
        job->router_id = router->id;
    }
    return error;
}

/* Carries the hold-end of 'job' on.  Returns true once nothing waits (or the
 * router is gone). */
bool
xf_hold_end_done(struct xf_engine *engine, struct xf_job *job)
{
    struct xf_router *router = xf_engine_router_by_id(engine,
                                                      job->router_id);

    if (!router) {
        job->failed = true;
        ds_put_format(&job->body, "router '%s' was deleted meanwhile",
                      job->args.router);
        return true;
    }
    if (!engine->sw->hold_released(engine->sw, job->router_id)) {
        return false;
    }
    atomic_store_relaxed(&router->holding, false);
    answer_for(engine, router);
    job->generation = xf_engine_changed(engine, true);
    return true;
}

/* ---- transfer-show. ---- */

static const struct xf_column columns[] = {
    { "router", "ROUTER", false, NULL },
    { "transferring", "TRANSFERRING", false, NULL },
    { "holding", "HOLDING", false, NULL },
    { "held", "HELD", true, NULL },
    { "dropped", "DROPPED", true, NULL },
    { "released", "RELEASED", true, NULL },
};

/* transfer-show: routers that do either, or have held something. */
char *
xf_run_transfer_show(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_router *router;
    struct xf_table table;

    xf_table_init(&table, columns, ARRAY_SIZE(columns), job->json);
    LIST_FOR_EACH (router, node, &engine->routers) {
        bool transferring = xf_router_is_transferring(router);
        bool holding = xf_router_is_holding(router);
        struct xf_hold_stats stats;

        bool held = engine->sw->hold_stats(engine->sw, router->id, &stats);
        if (transferring || holding || held) {
            struct json *row = json_object_create();

            json_object_put_string(row, "router", router->name);
            xf_json_put_bool(row, "transferring", transferring);
            xf_json_put_bool(row, "holding", holding);
            xf_json_put_int(row, "held", stats.n_held);
            xf_json_put_int(row, "dropped", stats.n_dropped);
            xf_json_put_int(row, "released", stats.n_released);
            xf_table_add(&table, row);
        }
    }
    xf_table_finish(&table, &job->body);
    return NULL;
}
