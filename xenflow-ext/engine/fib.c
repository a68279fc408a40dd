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

#include "core/rule-table-fib.h"
#include "engine/engine-private.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"

VLOG_DEFINE_THIS_MODULE(xf_fib);

/* Counters of datapath threads are collected so often: a neighbour that is used
 * must be known as such long before it expires. */
#define FOLD_MS 1000

/* Most routes of a router of which that is done at a time.  Their counters are
 * for showing only. */
#define FOLD_ROUTES 50000

/* ---- Which translation is in force. ---- */

/* The name of 'translation' as operators write it. */
const char *
xf_translation_name(enum xf_translation translation)
{
    switch (translation) {
    case XF_TRANSLATION_AUTO:
        return "auto";
    case XF_TRANSLATION_FLOW:
        return "flow";
    case XF_TRANSLATION_FIB:
        return "fib";
    default:
        OVS_NOT_REACHED();
    }
}

/* Checks that element 'name' of 'role' can have 'translation'. */
char *
xf_translation_check(const char *name, enum xf_role role,
                     enum xf_translation translation)
{
    if (translation == XF_TRANSLATION_FIB && role != XF_ROLE_ROUTER) {
        return xasprintf("translation=fib is for a router, and '%s' is a %s: "
                         "leave it out", name, xf_role_name(role));
    }
    return NULL;
}

/* Brings the translation in force in line with the settings of 'router' and
 * with its datapath.  The table is compiled before translations can know of it,
 * and stays compiled: until all cached translations are revalidated, packets
 * are looked up there.  Returns true if something changed, which
 * xf_router_changed() is then to be told. */
bool
xf_router_update_translation(struct xf_router *router)
{
    const struct xf_switch *sw = router->engine->sw;
    bool fib = (router->role == XF_ROLE_ROUTER
                && router->config.translation != XF_TRANSLATION_FLOW
                && sw->has_fib(sw, router->name));

    if (fib == xf_router_is_fib(router)) {
        return false;
    }
    if (fib && !xf_rt_fib_is_enabled(router->rt)) {
        xf_rt_fib_enable(router->rt, sw->fib_mem);
        sw->router_set_table(sw, router->id, router->rt, router->ecmp_seed);
        VLOG_DBG("router %s: table compiled into %"PRIuSIZE" bytes",
                 router->name, xf_rt_fib_bytes(router->rt));
    }
    atomic_store_explicit(&router->fib, fib, memory_order_release);
    if (fib) {
        router->engine->next_fold_ms = 0;
    }
    return true;
}

/* Takes notice of what xf_engine_ports_changed() told. */
void
xf_translation_run(struct xf_engine *engine)
{
    struct xf_router *router;
    bool changed;

    atomic_read(&engine->ports_changed, &changed);
    if (!changed) {
        return;
    }
    atomic_store(&engine->ports_changed, false);
    LIST_FOR_EACH (router, node, &engine->routers) {
        if (xf_router_update_translation(router)) {
            xf_router_changed(router);
        }
    }
}

/* ---- Counters. ---- */

/* Collects what datapath threads have counted for 'router' since the last
 * time. */
void
xf_router_fold(struct xf_router *router, long long int now_ms)
{
    const struct xf_switch *sw = router->engine->sw;
    struct xf_counted_reader reader;

    if (!xf_rt_fib_is_enabled(router->rt)) {
        return;
    }
    sw->router_account(sw, router->id, router->name);
    reader.now_ms = now_ms;
    sw->router_counts(sw, router->id, XF_RT_NEIGHBORS, &reader);
    xf_counted_fold(xf_rt_counted(router->rt, XF_RT_NEIGHBORS), 0, SIZE_MAX,
                    &reader);
    sw->router_counts(sw, router->id, XF_RT_ROUTES, &reader);
    router->next_fold = xf_counted_fold(xf_rt_counted(router->rt,
                                                      XF_RT_ROUTES),
                                        router->next_fold, FOLD_ROUTES,
                                        &reader);
}

/* Numbers of routes and neighbours that are gone may be used again. */
static void
free_numbers(struct xf_router *router, long long int now_ms)
{
    const struct xf_switch *sw = router->engine->sw;
    struct xf_counted_reader readers[XF_RT_N_COUNTED];

    for (int i = 0; i < XF_RT_N_COUNTED; i++) {
        readers[i].now_ms = now_ms;
        sw->router_counts(sw, router->id, i, &readers[i]);
    }
    xf_rt_fib_grace(router->rt, readers);
}

/* RCU callback. */
static void
fold_grace_over(struct xf_engine *engine)
{
    atomic_store(&engine->fold_grace_over, true);
}

void
xf_fold_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_router *router;
    bool grace_over;

    if (now_ms < engine->next_fold_ms) {
        return;
    }
    engine->next_fold_ms = LLONG_MAX;
    atomic_read(&engine->fold_grace_over, &grace_over);
    LIST_FOR_EACH (router, node, &engine->routers) {
        xf_router_fold(router, now_ms);
        if (xf_rt_fib_is_enabled(router->rt)) {
            engine->next_fold_ms = now_ms + FOLD_MS;
            if (grace_over) {
                free_numbers(router, now_ms);
            }
        }
    }
    if (grace_over) {
        atomic_store(&engine->fold_grace_over, false);
        ovsrcu_postpone(fold_grace_over, engine);
    }
}

void
xf_fold_wait(struct xf_engine *engine)
{
    if (engine->next_fold_ms != LLONG_MAX) {
        poll_timer_wait_until(engine->next_fold_ms);
    }
}
