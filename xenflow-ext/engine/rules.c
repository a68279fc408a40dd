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

#include "engine/engine-private.h"

#include <errno.h>

#include "openvswitch/poll-loop.h"
#include "ovs-rcu.h"
#include "timeval.h"
#include "util.h"

/* Filters and flows of routers: life, changes, expiry.  See engine/rules.h. */

#define EXPIRY_MS 1000          /* Between two looks for timeouts. */

static const char *const kind_names[XF_N_RULE_KINDS] = {
    [XF_RULE_FILTER] = "filter",
    [XF_RULE_FLOW] = "flow",
};

/* ---- Readers: any thread, RCU. ---- */

const struct xf_rule_set *
xf_router_filters(const struct xf_router *router)
{
    return router->rules.sets[XF_RULE_FILTER];
}

const struct xf_rule_set *
xf_router_flows(const struct xf_router *router)
{
    return router->rules.sets[XF_RULE_FLOW];
}

/* See engine/engine.h. */
bool
xf_router_denies_by_default(const struct xf_router *router)
{
    bool deny;

    atomic_read_relaxed(&CONST_CAST(struct xf_router *, router)->rules.deny,
                        &deny);
    return deny;
}

/* See engine/engine.h. */
bool
xf_router_has_filters(const struct xf_router *router)
{
    return (xf_router_denies_by_default(router)
            || !xf_rule_set_is_empty(xf_router_filters(router)));
}

/* See engine/engine.h. */
bool
xf_router_has_flows(const struct xf_router *router)
{
    return !xf_rule_set_is_empty(xf_router_flows(router));
}

struct xf_stat *
xf_router_default_stat(const struct xf_router *router)
{
    return router->rules.by_default;
}

struct xf_stat *
xf_router_denied_stat(const struct xf_router *router)
{
    return router->rules.denied;
}

/* ---- Engine's thread: life. ---- */

static void
retire(void (*destroy)(void *obj), void *obj, void *aux OVS_UNUSED)
{
    ovsrcu_postpone__(destroy, obj);
}

/* Begins without rules, at most 'max' of each kind. */
void
xf_rules_init(struct xf_rules *rules, const uint32_t max[XF_N_RULE_KINDS],
              bool deny)
{
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        rules->sets[i] = xf_rule_set_create(max[i], retire, NULL);
    }
    atomic_init(&rules->deny, deny);
    rules->by_default = xf_stat_create();
    rules->denied = xf_stat_create();
}

/* Frees what 'rules' holds: no reader may be left. */
void
xf_rules_uninit(struct xf_rules *rules)
{
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        xf_rule_set_destroy(rules->sets[i]);
    }
    xf_stat_unref(rules->by_default);
    xf_stat_unref(rules->denied);
}

/* Changes the maxima.  On an error nothing has changed. */
char *
xf_rules_set_max(struct xf_rules *rules, const uint32_t max[XF_N_RULE_KINDS])
{
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        size_t n = xf_rule_set_count(rules->sets[i]);

        if (n > max[i]) {
            return xasprintf("max-%ss can't be %"PRIu32": the router has "
                             "%"PRIuSIZE" %ss; give at least that, or remove "
                             "some first", kind_names[i], max[i], n,
                             kind_names[i]);
        }
    }
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        xf_rule_set_set_max(rules->sets[i], max[i]);
    }
    return NULL;
}

/* Says what happens to IP packets that no filter matches. */
void
xf_rules_set_deny(struct xf_rules *rules, bool deny)
{
    atomic_store(&rules->deny, deny);
}

/* ---- Engine's thread: timeouts. ---- */

/* Removes flows whose time is over. */
void
xf_rules_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_router *router;

    if (now_ms < engine->next_expiry_ms) {
        return;
    }
    engine->next_expiry_ms = LLONG_MAX;
    LIST_FOR_EACH (router, node, &engine->routers) {
        struct xf_rule_set *flows = router->rules.sets[XF_RULE_FLOW];

        if (!xf_rule_set_has_timeouts(flows)) {
            continue;
        }
        engine->next_expiry_ms = now_ms + EXPIRY_MS;
        if (xf_rule_set_expire(flows, now_ms)) {
            xf_rule_set_publish(flows);
            xf_router_changed(router);
        }
    }
}

/* Wakes the engine's thread when xf_rules_run() has something to do. */
void
xf_rules_wait(struct xf_engine *engine)
{
    if (engine->next_expiry_ms != LLONG_MAX) {
        poll_timer_wait_until(engine->next_expiry_ms);
    }
}

/* ---- Engine's thread: commands. ---- */

/* Checks what can be checked of ports: that a flow doesn't send packets back
 * to its own router. */
static char * OVS_WARN_UNUSED_RESULT
check_outputs(const struct xf_router *router,
              const struct xf_flow_actions *flow)
{
    for (size_t i = 0; i < flow->n; i++) {
        const struct xf_step *step = &flow->steps[i];

        if (step->type == XF_STEP_OUTPUT
            && !strcmp(step->port, router->name)) {
            return xasprintf("output:%s would bring the packets back to this "
                             "router for ever: use normal for ordinary "
                             "routing", step->port);
        }
    }
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
run_add(struct xf_engine *engine, struct xf_job *job, enum xf_rule_kind kind)
{
    const struct xf_rule_args *args = &job->args.rule;
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (!router) {
        return error;
    }

    struct xf_rule_spec spec = {
        .match = args->match,
        .priority = args->priority,
        .idle_s = args->idle_s,
        .hard_s = args->hard_s,
    };
    if (kind == XF_RULE_FILTER) {
        spec.payload = &args->filter;
        spec.payload_size = sizeof args->filter;
    } else {
        spec.payload = &args->flow;
        spec.payload_size = (offsetof(struct xf_flow_actions, steps)
                             + args->flow.n * sizeof *args->flow.steps);
        error = check_outputs(router, &args->flow);
    }

    struct xf_rule_set *set = router->rules.sets[kind];
    int err = error ? EINVAL : xf_rule_set_insert(set, &spec, time_msec(),
                                                  &error);
    if (err == ENOSPC) {
        free(error);
        error = xasprintf("router '%s' has %"PRIuSIZE" %ss, the most it may "
                          "have: remove some, or raise max-%ss with "
                          "xenflow/router-set", router->name,
                          xf_rule_set_count(set), kind_names[kind],
                          kind_names[kind]);
    }
    if (!err) {
        xf_rule_set_publish(set);
        if (spec.idle_s || spec.hard_s) {
            engine->next_expiry_ms = 0;
        }
        job->generation = xf_router_changed(router);
    }
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
run_del(struct xf_engine *engine, struct xf_job *job, enum xf_rule_kind kind)
{
    const struct xf_rule_args *args = &job->args.rule;
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (!router) {
        return error;
    }

    struct xf_rule_set *set = router->rules.sets[kind];
    if (args->all) {
        xf_rule_set_clear(set);
    } else if (!xf_rule_set_delete(set, &args->match, args->priority)) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        ds_put_format(&ds, "router '%s' has no %s '", router->name,
                      kind_names[kind]);
        xf_match_format(&args->match, &ds);
        ds_put_format(&ds, "' with priority %"PRIu16": see xenflow/%s-list",
                      args->priority, kind_names[kind]);
        return ds_steal_cstr(&ds);
    }
    xf_rule_set_publish(set);
    job->generation = xf_router_changed(router);
    return NULL;
}

/* filter-add */
char *
xf_run_filter_add(struct xf_engine *engine, struct xf_job *job)
{
    return run_add(engine, job, XF_RULE_FILTER);
}

/* filter-del */
char *
xf_run_filter_del(struct xf_engine *engine, struct xf_job *job)
{
    return run_del(engine, job, XF_RULE_FILTER);
}

/* flow-add */
char *
xf_run_flow_add(struct xf_engine *engine, struct xf_job *job)
{
    return run_add(engine, job, XF_RULE_FLOW);
}

/* flow-del */
char *
xf_run_flow_del(struct xf_engine *engine, struct xf_job *job)
{
    return run_del(engine, job, XF_RULE_FLOW);
}
