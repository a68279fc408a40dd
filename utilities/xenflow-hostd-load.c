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

/* What routers take and hold: Router_State:load of their machines, and
 * Router_State:routes, as the switch says when it's asked.  Once per keep-alive,
 * and only what differs from the row. */

#include <config.h>

#include "xenflow-hostd.h"

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_join_load);

struct join_load {
    struct join_ask ask;        /* The switch, while it hasn't answered. */
    struct shash routes;        /* How many, by the router's name. */
};

struct join_load *
join_load_create(void)
{
    struct join_load *load = xzalloc(sizeof *load);

    shash_init(&load->routes);
    return load;
}

void
join_load_destroy(struct join_load *load)
{
    join_ask_close(&load->ask);
    shash_destroy_free_data(&load->routes);
    free(load);
}

/* ---- Routes. ---- */

/* Takes what xenflow/router-list said. */
static void
take_routes(struct join_load *load, const char *text)
{
    struct json *list = json_from_string(text);

    shash_clear_free_data(&load->routes);
    for (size_t i = 0; list->type == JSON_ARRAY && i < list->array.n; i++) {
        const struct json *router = list->array.elems[i];

        if (router->type == JSON_OBJECT) {
            const struct json *name = shash_find_data(json_object(router),
                                                      "name");
            const struct json *routes = shash_find_data(json_object(router),
                                                        "routes");

            if (name && name->type == JSON_STRING
                && routes && routes->type == JSON_INTEGER) {
                int64_t *n = xmalloc(sizeof *n);

                *n = json_integer(routes);
                free(shash_replace(&load->routes, json_string(name), n));
            }
        }
    }
    json_destroy(list);
}

void
join_load_run(struct join *j, long long int now_ms)
{
    char *text, *error;

    if (join_ask_run(&j->load->ask, now_ms, &text, &error)) {
        if (text) {
            take_routes(j->load, text);
        } else {
            VLOG_DBG("%s", error);
        }
        free(text);
        free(error);
    }
}

void
join_load_wait(const struct join *j)
{
    join_ask_wait(&j->load->ask);
}

/* ---- Machines. ---- */

double
join_load_percent(unsigned long long int new, unsigned long long int old,
                  long long int elapsed_ms)
{
    return (new > old && elapsed_ms > 0
            ? (100 * (new - old) + elapsed_ms / 2) / elapsed_ms : 0);
}

static void
write_machine(struct join *j, struct join_router *r,
              const struct xfrec_router_state *state, long long int now_ms)
{
    static const char *const keys[] = { "cpu-user", "cpu-system",
                                        "memory-used" };
    struct xf_domain *d = join_router_domain(j, r);
    struct xf_domain_usage usage;
    double values[ARRAY_SIZE(keys)];

    if (!d || !xf_domain_get_usage(d, &usage)) {
        xfrec_router_state_set_load(state, NULL, NULL, 0);
        r->usage_ms = 0;
        return;
    }
    if (r->usage_ms) {
        long long int elapsed_ms = now_ms - r->usage_ms;

        values[0] = join_load_percent(usage.cpu_user_ms, r->usage.cpu_user_ms,
                                      elapsed_ms);
        values[1] = join_load_percent(usage.cpu_system_ms,
                                      r->usage.cpu_system_ms, elapsed_ms);
        values[2] = usage.memory_mb;
        xfrec_router_state_set_load(state, CONST_CAST(const char **, keys),
                                    values, ARRAY_SIZE(keys));
    }
    r->usage = usage;
    r->usage_ms = now_ms;
}

void
join_load_write(struct join *j, long long int now_ms)
{
    struct join_load *load = j->load;
    const struct xfrec_router_state *state;

    XFREC_ROUTER_STATE_FOR_EACH (state, j->xf.idl) {
        struct join_router *r = join_router_find(j, &state->router);
        const struct xfrec_router *row = join_router_row(j, &state->router);
        const int64_t *n = row ? shash_find_data(&load->routes, row->name)
                           : NULL;

        if (r) {
            write_machine(j, r, state, now_ms);
            xfrec_router_state_set_routes(state, n ? *n : 0);
        }
    }
    if (!load->ask.rpc) {
        char *error = join_ask(&load->ask, "xenflow/router-list",
                               json_array_create_1(
                                   json_string_create("--json")), now_ms);

        if (error) {
            shash_clear_free_data(&load->routes);
            free(error);
        }
    }
}
