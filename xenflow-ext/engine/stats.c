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

#include <inttypes.h>

#include "openvswitch/json.h"
#include "packets.h"
#include "util.h"

/* stats-show and memory-show.  Engine's thread. */

/* ---- stats-show. ---- */

static const struct xf_column router_stats_columns[] = {
    { "router", "router", false, NULL },
    { "forwarded_packets", "forwarded packets", false, NULL },
    { "forwarded_bytes", "forwarded bytes", false, NULL },
    { "blackholed_packets", "blackholed packets", false, NULL },
    { "denied_packets", "denied packets", false, NULL },
    { "denied_bytes", "denied bytes", false, NULL },
    { "neighbors_learned", "neighbors learned", false, NULL },
    { "neighbors_expired", "neighbors expired", false, NULL },
    { "neighbors_evicted", "neighbors evicted", false, NULL },
    { "neighbor_requests", "neighbor requests", false, NULL },
    { "neighbor_refusals", "neighbor refusals", false, NULL },
};

static const struct xf_column engine_stats_columns[] = {
    { "news_dropped", "neighbor news dropped", false, NULL },
    { "generation", "generation", false, NULL },
    { "acknowledged", "acknowledged", false, NULL },
    { "rounds", "rounds", false, NULL },
    { "round_average_ms", "round average (ms)", false, NULL },
    { "round_longest_ms", "round longest (ms)", false, NULL },
    { "main_turns", "main thread turns", false, NULL },
    { "main_average_us", "main thread average CPU (us)", false, NULL },
    { "main_longest_us", "main thread longest CPU (us)", false, NULL },
    { "main_long_turns", "main thread turns over 10 ms", false, NULL },
};

static const struct xf_column punt_columns[] = {
    { "reason", "PUNTED FOR", false, NULL },
    { "packets", "PACKETS", true, NULL },
    { "limited", "LIMITED", true, NULL },
};

static struct json *
engine_stats_to_json(struct xf_engine *engine)
{
    struct json *object = json_object_create();
    uint64_t n_dropped, n_turns, n_long, total_ns, max_ns;

    atomic_read_relaxed(&engine->n_news_dropped, &n_dropped);
    atomic_read_relaxed(&engine->n_turns, &n_turns);
    atomic_read_relaxed(&engine->turn_total_ns, &total_ns);
    atomic_read_relaxed(&engine->turn_max_ns, &max_ns);
    atomic_read_relaxed(&engine->n_long_turns, &n_long);
    xf_json_put_int(object, "news_dropped", n_dropped);
    xf_json_put_int(object, "generation", engine->generation);
    xf_json_put_int(object, "acknowledged", engine->acked);
    xf_json_put_int(object, "rounds", engine->n_rounds);
    xf_json_put_int(object, "round_average_ms",
                    engine->n_rounds
                    ? engine->rounds_total_ms / engine->n_rounds : 0);
    xf_json_put_int(object, "round_longest_ms", engine->rounds_max_ms);
    xf_json_put_int(object, "main_turns", n_turns);
    xf_json_put_int(object, "main_average_us",
                    n_turns ? total_ns / n_turns / 1000 : 0);
    xf_json_put_int(object, "main_longest_us", max_ns / 1000);
    xf_json_put_int(object, "main_long_turns", n_long);
    return object;
}

static struct json *
router_stats_to_json(const struct xf_router *router,
                     const struct xf_dp_stats *stats)
{
    struct json *object = json_object_create();

    json_object_put_string(object, "router", router->name);
    xf_json_put_int(object, "forwarded_packets", stats->n_forwarded);
    xf_json_put_int(object, "forwarded_bytes", stats->n_forwarded_bytes);
    xf_json_put_int(object, "blackholed_packets", stats->n_dropped);
    xf_rules_put_stats(&router->rules, object);
    xf_json_put_int(object, "neighbors_learned", router->n_learned);
    xf_json_put_int(object, "neighbors_expired", router->n_expired);
    xf_json_put_int(object, "neighbors_evicted", router->n_evicted);
    xf_json_put_int(object, "neighbor_requests", router->n_probes);
    xf_json_put_int(object, "neighbor_refusals", router->n_refused);
    return object;
}

/* Returns the punts of 'stats' by reason: all of them, or without those that
 * never happened. */
static struct json *
punts_to_json(const struct xf_dp_stats *stats, bool all)
{
    struct json *punts = json_array_create_empty();

    for (int i = 0; i < XF_N_PUNT_REASONS; i++) {
        if (all || stats->n_punted[i] || stats->n_punt_limited[i]) {
            struct json *row = json_object_create();

            json_object_put_string(row, "reason", xf_punt_reason_name(i));
            xf_json_put_int(row, "packets", stats->n_punted[i]);
            xf_json_put_int(row, "limited", stats->n_punt_limited[i]);
            json_array_add(punts, row);
        }
    }
    return punts;
}

/* Appends the part of 'router' as text, or puts it into 'object'. */
static struct json *
put_router_stats(const struct xf_router *router, bool json, struct ds *out)
{
    const struct xf_switch *sw = router->engine->sw;
    struct xf_dp_stats stats;

    memset(&stats, 0, sizeof stats);
    sw->router_stats(sw, router->id, &stats);
    struct json *object = router_stats_to_json(router, &stats);
    struct json *punts = punts_to_json(&stats, json);
    if (json) {
        json_object_put(object, "punts", punts);
        return object;
    }

    struct xf_table table;
    xf_object_put(router_stats_columns, ARRAY_SIZE(router_stats_columns),
                  false, object, out);
    xf_table_init(&table, punt_columns, ARRAY_SIZE(punt_columns), false);
    for (size_t i = 0; i < json_array(punts)->n; i++) {
        xf_table_add(&table, json_clone(json_array(punts)->elems[i]));
    }
    xf_table_finish(&table, out);
    json_destroy(punts);
    json_destroy(object);
    return NULL;
}

/* stats-show */
char *
xf_run_stats_show(struct xf_engine *engine, struct xf_job *job)
{
    const char *name = job->args.router;
    struct xf_router *router = NULL;
    struct json *object = NULL;
    char *error = NULL;

    if (name[0]) {
        router = xf_router_by_name(engine, name, &error);
        if (!router) {
            return error;
        }
        object = (router->role == XF_ROLE_ROUTER
                  ? put_router_stats(router, job->json, &job->body)
                  : xf_role_put_stats(router, job->json, &job->body));
    }

    struct json *mine = engine_stats_to_json(engine);
    if (job->json) {
        object = object ? object : json_object_create();
        json_object_put(object, "engine", mine);
        json_to_ds(object, JSSF_SORT, &job->body);
        ds_put_char(&job->body, '\n');
        json_destroy(object);
    } else {
        xf_object_put(engine_stats_columns, ARRAY_SIZE(engine_stats_columns),
                      false, mine, &job->body);
        json_destroy(mine);
    }
    return NULL;
}

/* ---- memory-show. ---- */

static const struct xf_column memory_columns[] = {
    { "router", "ROUTER", false, NULL },
    { "routes", "ROUTES", true, NULL },
    { "prefixes", "PREFIXES", true, NULL },
    { "nexthops", "NEXTHOPS", true, NULL },
    { "neighbors", "NEIGHBORS", true, NULL },
    { "ports", "PORTS", true, NULL },
    { "addresses", "ADDRESSES", true, NULL },
    { "trie_nodes", "NODES", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "lookup_bytes", "LOOKUP", true, NULL },
};

/* 'lookup_bytes' is what the table takes besides, compiled for the
 * datapath. */
static struct json *
usage_to_json(const char *name, const struct xf_rt_usage *usage,
              size_t lookup_bytes)
{
    struct json *row = json_object_create();

    json_object_put_string(row, "router", name);
    xf_json_put_int(row, "routes", usage->n_routes);
    xf_json_put_int(row, "prefixes", usage->n_prefixes);
    xf_json_put_int(row, "nexthops", usage->n_nexthops);
    xf_json_put_int(row, "neighbors", usage->n_neighbors);
    xf_json_put_int(row, "ports", usage->n_ifaces);
    xf_json_put_int(row, "addresses", usage->n_addresses);
    xf_json_put_int(row, "trie_nodes", usage->n_trie_nodes);
    xf_json_put_int(row, "bytes", usage->n_bytes);
    xf_json_put_int(row, "lookup_bytes", lookup_bytes);
    return row;
}

static void
usage_add(struct xf_rt_usage *sum, const struct xf_rt_usage *usage)
{
    sum->n_routes += usage->n_routes;
    sum->n_prefixes += usage->n_prefixes;
    sum->n_nexthops += usage->n_nexthops;
    sum->n_neighbors += usage->n_neighbors;
    sum->n_ifaces += usage->n_ifaces;
    sum->n_addresses += usage->n_addresses;
    sum->n_trie_nodes += usage->n_trie_nodes;
    sum->n_bytes += usage->n_bytes;
}

/* memory-show: routers in order of creation, then their sum. */
char *
xf_run_memory_show(struct xf_engine *engine, struct xf_job *job)
{
    struct xf_rt_usage sum = { 0 };
    size_t sum_lookup = 0;
    struct xf_router *router;
    struct xf_table table;

    xf_table_init(&table, memory_columns, ARRAY_SIZE(memory_columns),
                  job->json);
    LIST_FOR_EACH (router, node, &engine->routers) {
        size_t lookup_bytes = (xf_rt_fib_is_enabled(router->rt)
                               ? xf_rt_fib_bytes(router->rt) : 0);
        struct xf_rt_usage usage;

        xf_rt_get_usage(router->rt, &usage);
        usage_add(&sum, &usage);
        sum_lookup += lookup_bytes;
        xf_table_add(&table, usage_to_json(router->name, &usage,
                                           lookup_bytes));
    }
    xf_table_add(&table, usage_to_json("(total)", &sum, sum_lookup));
    xf_table_finish(&table, &job->body);
    return NULL;
}
