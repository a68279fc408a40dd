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

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "timeval.h"
#include "util.h"

/* filter-list and flow-list, and what other commands show of rules.  Engine's
 * thread. */

static const struct xf_column filter_columns[] = {
    { "priority", "PRIORITY", true, NULL },
    { "match", "MATCH", false, NULL },
    { "action", "ACTION", false, NULL },
    { "packets", "PACKETS", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "duration", "DURATION", true, NULL },
    { "used", "USED", true, NULL },
};

static const struct xf_column flow_columns[] = {
    { "priority", "PRIORITY", true, NULL },
    { "match", "MATCH", false, NULL },
    { "actions", "ACTIONS", false, NULL },
    { "packets", "PACKETS", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "duration", "DURATION", true, NULL },
    { "used", "USED", true, NULL },
    { "idle", "IDLE", true, NULL },
    { "hard", "HARD", true, NULL },
};

static const char *
filter_action(bool permit)
{
    return permit ? "permit" : "deny";
}

static char *
rule_match_string(const struct xf_rule *rule)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct xf_match m;

    xf_rule_get_match(rule, &m);
    xf_match_format(&m, &ds);
    return ds_steal_cstr(&ds);
}

static char *
rule_actions_string(const struct xf_rule *rule)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_flow_actions_format(rule->payload, &ds);
    return ds_steal_cstr(&ds);
}

static bool
is_permit(const struct xf_rule *rule)
{
    const struct xf_filter *filter = rule->payload;

    return filter->permit;
}

/* See engine/rules.h. */
void
xf_rule_put_args(enum xf_rule_kind kind, const struct xf_rule *rule,
                 struct ds *out)
{
    char *match = rule_match_string(rule);

    ds_put_cstr(out, match);
    free(match);
    if (kind == XF_RULE_FILTER) {
        ds_put_format(out, " %s", filter_action(is_permit(rule)));
    } else {
        ds_put_cstr(out, " actions=");
        xf_flow_actions_format(rule->payload, out);
    }
    ds_put_format(out, " priority=%d", xf_rule_priority(rule));
    if (rule->idle_s) {
        ds_put_format(out, " idle=%"PRIu32, rule->idle_s);
    }
    if (rule->hard_s) {
        ds_put_format(out, " hard=%"PRIu32, rule->hard_s);
    }
}

struct list_aux {
    enum xf_rule_kind kind;
    struct xf_table table;
    struct xf_page page;
    long long int now_ms;
};

static bool
list_rule(const struct xf_rule *rule, void *aux_)
{
    struct list_aux *aux = aux_;

    if (!xf_page_take(&aux->page)) {
        return true;
    }
    struct ds args = DS_EMPTY_INITIALIZER;
    struct json *row = json_object_create();
    xf_json_put_int(row, "priority", xf_rule_priority(rule));
    json_object_put(row, "match",
                    json_string_create_nocopy(rule_match_string(rule)));
    if (aux->kind == XF_RULE_FILTER) {
        json_object_put_string(row, "action",
                               filter_action(is_permit(rule)));
    } else {
        json_object_put(row, "actions",
                        json_string_create_nocopy(rule_actions_string(rule)));
        json_object_put(row, "idle", rule->idle_s
                        ? json_integer_create(rule->idle_s)
                        : json_null_create());
        json_object_put(row, "hard", rule->hard_s
                        ? json_integer_create(rule->hard_s)
                        : json_null_create());
    }
    xf_rule_put_args(aux->kind, rule, &args);
    json_object_put(row, "args",
                    json_string_create_nocopy(ds_steal_cstr(&args)));
    xf_json_put_int(row, "duration",
                    MAX(0, aux->now_ms - rule->created_ms) / 1000);
    xf_json_put_stat(row, rule->stat, aux->now_ms);
    xf_table_add(&aux->table, row);
    return true;
}

/* The row of what no filter matches. */
static void
list_default(const struct xf_router *router, struct list_aux *aux)
{
    if (xf_page_take(&aux->page)) {
        struct json *row = json_object_create();

        json_object_put_string(row, "match", "(default)");
        json_object_put_string(
            row, "action",
            filter_action(!xf_router_denies_by_default(router)));
        xf_json_put_stat(row, router->rules.by_default, aux->now_ms);
        xf_table_add(&aux->table, row);
    }
}

static char * OVS_WARN_UNUSED_RESULT
run_list(struct xf_engine *engine, struct xf_job *job, enum xf_rule_kind kind)
{
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, job->args.router,
                                                 XF_ROLE_ROUTER, &error);
    if (!router) {
        return error;
    }

    struct list_aux aux = {
        .kind = kind,
        .page = { .skip = job->args.skip, .limit = job->args.limit },
        .now_ms = time_msec(),
    };
    if (kind == XF_RULE_FILTER) {
        xf_table_init(&aux.table, filter_columns, ARRAY_SIZE(filter_columns),
                      job->json);
    } else {
        xf_table_init(&aux.table, flow_columns, ARRAY_SIZE(flow_columns),
                      job->json);
    }
    xf_rule_set_for_each(router->rules.sets[kind], list_rule, &aux);
    if (kind == XF_RULE_FILTER) {
        list_default(router, &aux);
    }
    xf_table_finish_page(&aux.table, &aux.page, &job->body);
    return NULL;
}

/* filter-list */
char *
xf_run_filter_list(struct xf_engine *engine, struct xf_job *job)
{
    return run_list(engine, job, XF_RULE_FILTER);
}

/* flow-list */
char *
xf_run_flow_list(struct xf_engine *engine, struct xf_job *job)
{
    return run_list(engine, job, XF_RULE_FLOW);
}

/* Puts what router-show says of 'rules' into 'object'. */
void
xf_rules_put_settings(const struct xf_rules *rules, struct json *object)
{
    const struct xf_rule_set *filters = rules->sets[XF_RULE_FILTER];
    const struct xf_rule_set *flows = rules->sets[XF_RULE_FLOW];
    bool deny;

    atomic_read_relaxed(&CONST_CAST(struct xf_rules *, rules)->deny, &deny);
    json_object_put_string(object, "filter_default", filter_action(!deny));
    xf_json_put_int(object, "filters", xf_rule_set_count(filters));
    xf_json_put_int(object, "max_filters", xf_rule_set_max(filters));
    xf_json_put_int(object, "flows", xf_rule_set_count(flows));
    xf_json_put_int(object, "max_flows", xf_rule_set_max(flows));
}

/* Puts what stats-show says of 'rules' into 'object'. */
void
xf_rules_put_stats(const struct xf_rules *rules, struct json *object)
{
    uint64_t n_packets, n_bytes;

    atomic_read_relaxed(&rules->denied->n_packets, &n_packets);
    atomic_read_relaxed(&rules->denied->n_bytes, &n_bytes);
    xf_json_put_int(object, "denied_packets", n_packets);
    xf_json_put_int(object, "denied_bytes", n_bytes);
}
