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

#include "openvswitch/json.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* What middleboxes select: select-add, -del, -list.  Engine's thread. */

/* ---- Directions. ---- */

#define SWAP(TYPE, A, B)                                                  \
    do {                                                                  \
        TYPE tmp_ = (A);                                                  \
        (A) = (B);                                                        \
        (B) = tmp_;                                                       \
    } while (0)

/* Exchanges source and destination in 'flow', which may be a mask. */
static void
reverse_flow(struct flow *flow, bool ports)
{
    SWAP(struct eth_addr, flow->dl_src, flow->dl_dst);
    SWAP(ovs_be32, flow->nw_src, flow->nw_dst);
    SWAP(struct in6_addr, flow->ipv6_src, flow->ipv6_dst);
    if (ports) {
        SWAP(ovs_be16, flow->tp_src, flow->tp_dst);
    }
}

/* Stores in '*out' what matches the answers to packets that 'in' matches. */
static char * OVS_WARN_UNUSED_RESULT
reverse_match(const struct xf_match *in, struct xf_match *out)
{
    const struct flow *flow = &in->match.flow;
    bool icmp = (flow->nw_proto
                 == (flow->dl_type == htons(ETH_TYPE_IPV6) ? IPPROTO_ICMPV6
                                                           : IPPROTO_ICMP));

    if (in->in_port[0]) {
        return xasprintf("in_port=%s says nothing of the answers: leave it "
                         "out, or state the two directions one by one",
                         in->in_port);
    }
    if (icmp && (in->match.wc.masks.tp_src || in->match.wc.masks.tp_dst)) {
        return xstrdup("icmp_type and icmp_code of the answers are others: "
                       "leave them out, or state the two directions one by "
                       "one");
    }
    *out = *in;
    reverse_flow(&out->match.flow, !icmp);
    reverse_flow(&out->match.wc.masks, !icmp);
    return NULL;
}

/* Checks that 'box' has a port called 'port'.  Stores the name of its other
 * port, or of its only one, in '*otherp' if that isn't NULL. */
static char * OVS_WARN_UNUSED_RESULT
find_ports(const struct xf_router *box, const char *port,
           const char **otherp)
{
    const struct xf_segments *segments = xf_router_segments(box);
    const char *other = port;
    bool found = false;

    for (size_t i = 0; i < segments->n; i++) {
        if (!strcmp(segments->segments[i].name, port)) {
            found = true;
        } else {
            other = segments->segments[i].name;
        }
    }
    if (otherp) {
        *otherp = other;
    }
    return found ? NULL : xasprintf("middlebox '%s' has no port '%s': see "
                                    "xenflow/port-list, or add it with "
                                    "xenflow/port-add", box->name, port);
}

/* ---- Commands. ---- */

/* A direction of a rule: its set, match and payload. */
struct half {
    struct xf_rule_set *set;
    struct xf_match match;
    struct xf_via via;
};

/* Stores in 'halves' what 'arg' names; '*n' is how many they are. */
static char * OVS_WARN_UNUSED_RESULT
get_halves(struct xf_router *box, const struct xf_select_arg *arg,
           struct half halves[2], size_t *n)
{
    memset(halves, 0, 2 * sizeof *halves); /* Payloads compare as bytes. */
    halves[0].set = box->selections[arg->reverse];
    halves[0].match = arg->match;
    ovs_strlcpy_arrays(halves[0].via.port, arg->via.port);
    *n = 1;
    if (!arg->both) {
        return NULL;
    }

    char *error = reverse_match(&arg->match, &halves[1].match);
    if (error) {
        return error;
    }
    if (match_equal(&halves[0].match.match, &halves[1].match.match)) {
        return xstrdup("the match is the same in both directions, so nothing "
                       "tells them apart: name a source or a destination, or "
                       "leave direction=both out");
    }
    halves[1].via.other = true;
    halves[1].set = box->selections[true];
    ovs_strlcpy_arrays(halves[1].via.port, arg->via.port);
    *n = 2;
    return NULL;
}

static int
insert(const struct half *half, uint16_t priority, const void *payload,
       char **errorp)
{
    struct xf_rule_spec spec = {
        .match = half->match,
        .priority = priority,
        .payload = payload,
        .payload_size = sizeof half->via,
    };

    return xf_rule_set_insert(half->set, &spec, time_msec(), errorp);
}

/* Whether 'rule' of 'set' was stated together with the other direction. */
static bool
is_paired(const struct xf_router *box, const struct xf_rule_set *set,
          const struct xf_rule *rule)
{
    const struct xf_via *via = rule->payload;
    struct xf_match match, reverse;

    if (set == box->selections[true]) {
        return via->other;
    }
    xf_rule_get_match(rule, &match);
    char *error = reverse_match(&match, &reverse);
    if (error) {
        free(error);
        return false;
    }
    rule = xf_rule_set_find(box->selections[true], &reverse,
                            xf_rule_priority(rule));
    via = rule ? rule->payload : NULL;
    return via && via->other;
}

/* Checks that what is stated of one direction isn't stated as a pair, and the
 * other way round: each statement is taken back as it was made. */
static char * OVS_WARN_UNUSED_RESULT
check_pairing(const struct xf_router *box, const struct half halves[],
              size_t n, uint16_t priority)
{
    for (size_t i = 0; i < n; i++) {
        const struct xf_rule *rule = xf_rule_set_find(
            halves[i].set, &halves[i].match, priority);

        if (rule && is_paired(box, halves[i].set, rule) != (n > 1)) {
            struct ds s = DS_EMPTY_INITIALIZER;

            ds_put_cstr(&s, "rule '");
            xf_match_format(&halves[i].match, &s);
            ds_put_format(&s, "' of priority %"PRIu16" was stated with%s "
                          "direction=both: delete it so", priority,
                          n > 1 ? "out" : "");
            return ds_steal_cstr(&s);
        }
    }
    return NULL;
}

/* Inserts both halves or none. */
static char * OVS_WARN_UNUSED_RESULT
insert_halves(struct half halves[], size_t n, uint16_t priority)
{
    const struct xf_rule *old = xf_rule_set_find(halves[0].set,
                                                 &halves[0].match, priority);
    struct xf_via old_via;
    char *error = NULL;

    if (old) {
        old_via = *(const struct xf_via *) old->payload;
    }
    if (!insert(&halves[0], priority, &halves[0].via, &error) && n > 1
        && insert(&halves[1], priority, &halves[1].via, &error)) {
        xf_rule_set_delete(halves[0].set, &halves[0].match, priority);
        if (old) {
            insert(&halves[0], priority, &old_via, NULL);
        }
    }
    return error;
}

/* Lets readers see what was changed; 'job' waits for that. */
static void
publish(struct xf_router *box, struct xf_job *job)
{
    xf_rule_set_publish(box->selections[false]);
    xf_rule_set_publish(box->selections[true]);
    job->generation = xf_router_changed(box);
}

/* select-add */
char *
xf_run_select_add(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_select_arg *arg = &job->args.select;
    char *error = NULL;
    struct xf_router *box = xf_router_of_role(engine, job->args.router,
                                              XF_ROLE_MIDDLEBOX, &error);
    struct half halves[2];
    size_t n;

    if (!box) {
        return error;
    }
    error = find_ports(box, arg->via.port, NULL);
    error = error ? error : get_halves(box, arg, halves, &n);
    error = error ? error : check_pairing(box, halves, n, arg->priority);
    if (error) {
        return error;
    }
    error = insert_halves(halves, n, arg->priority);
    publish(box, job);
    return error;
}

static char *
no_such_rule(const struct xf_router *box, const struct xf_match *match,
             uint16_t priority)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "middlebox '%s' has no rule '", box->name);
    xf_match_format(match, &s);
    ds_put_format(&s, "' of priority %"PRIu16": see xenflow/select-list",
                  priority);
    return ds_steal_cstr(&s);
}

/* select-del */
char *
xf_run_select_del(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_select_arg *arg = &job->args.select;
    char *error = NULL;
    struct xf_router *box = xf_router_of_role(engine, job->args.router,
                                              XF_ROLE_MIDDLEBOX, &error);
    struct half halves[2];
    size_t n;

    if (!box) {
        return error;
    }
    error = get_halves(box, arg, halves, &n);
    for (size_t i = 0; !error && i < n; i++) {
        if (!xf_rule_set_find(halves[i].set, &halves[i].match,
                              arg->priority)) {
            error = no_such_rule(box, &halves[i].match, arg->priority);
        }
    }
    error = error ? error : check_pairing(box, halves, n, arg->priority);
    if (!error) {
        for (size_t i = 0; i < n; i++) {
            xf_rule_set_delete(halves[i].set, &halves[i].match,
                               arg->priority);
        }
        publish(box, job);
    }
    return error;
}

/* What count_rules() works on. */
struct rule_count {
    const char *port;
    size_t n;
};

static bool
count_rule(const struct xf_rule *rule, void *count_)
{
    struct rule_count *count = count_;
    const struct xf_via *via = rule->payload;

    count->n += !via->other && !strcmp(via->port, count->port);
    return true;
}

/* Checks that no rule of 'router' names 'port', which is to be deleted. */
char *
xf_role_check_port_del(const struct xf_router *router, const char *port)
{
    struct rule_count count = { .port = port };

    for (int i = 0; router->selections[0] && i < 2; i++) {
        xf_rule_set_for_each(router->selections[i], count_rule, &count);
    }
    return count.n ? xasprintf("%"PRIuSIZE" rules of middlebox '%s' name port "
                               "'%s': delete them first, see "
                               "xenflow/select-list", count.n, router->name,
                               port)
                   : NULL;
}

static const struct xf_column select_columns[] = {
    { "priority", "PRIORITY", true, NULL },
    { "match", "MATCH", false, NULL },
    { "via", "VIA", false, NULL },
    { "direction", "DIRECTION", false, NULL },
    { "packets", "PACKETS", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "duration", "DURATION", true, NULL },
};

struct select_list_aux {
    const struct xf_router *box;
    struct xf_table *table;
    struct xf_page page;
    long long int now_ms;
    bool reverse;
};

static bool
list_rule(const struct xf_rule *rule, void *aux_)
{
    struct select_list_aux *aux = aux_;
    const struct xf_via *via = rule->payload;
    struct ds s = DS_EMPTY_INITIALIZER;
    const char *other = via->port;
    uint64_t n_packets, n_bytes;
    struct xf_match match;

    if (!xf_page_take(&aux->page)) {
        return true;
    }
    struct json *row = json_object_create();
    xf_rule_get_match(rule, &match);
    xf_match_format(&match, &s);
    atomic_read_relaxed(&rule->stat->n_packets, &n_packets);
    atomic_read_relaxed(&rule->stat->n_bytes, &n_bytes);
    xf_json_put_int(row, "priority", xf_rule_priority(rule));
    json_object_put(row, "match",
                    json_string_create_nocopy(ds_steal_cstr(&s)));
    free(find_ports(aux->box, via->port, &other));
    json_object_put_string(row, "via", via->other ? other : via->port);
    json_object_put_string(row, "direction",
                           aux->reverse ? "reverse" : "forward");
    xf_json_put_int(row, "packets", n_packets);
    xf_json_put_int(row, "bytes", n_bytes);
    xf_json_put_int(row, "duration",
                    MAX(0, aux->now_ms - rule->created_ms) / 1000);
    xf_table_add(aux->table, row);
    return true;
}

/* select-list */
char *
xf_run_select_list(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *box = xf_router_of_role(engine, job->args.router,
                                              XF_ROLE_MIDDLEBOX, &error);
    if (!box) {
        return error;
    }

    struct xf_table table;
    struct select_list_aux aux = {
        .box = box,
        .table = &table,
        .page = { .skip = job->args.skip, .limit = job->args.limit },
        .now_ms = time_msec(),
    };
    xf_table_init(&table, select_columns, ARRAY_SIZE(select_columns),
                  job->json);
    xf_rule_set_for_each(box->selections[false], list_rule, &aux);
    aux.reverse = true;
    xf_rule_set_for_each(box->selections[true], list_rule, &aux);
    xf_table_finish_page(&table, &aux.page, &job->body);
    return NULL;
}
