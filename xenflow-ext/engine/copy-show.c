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
#include "engine/copy-private.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "util.h"

/* xenflow/copy-show. */

static const struct xf_column columns[] = {
    { "router", "ROUTER", false, NULL },
    { "direction", "DIRECTION", false, NULL },
    { "host", "HOST", false, NULL },
    { "state", "STATE", false, NULL },
    { "routes", "ROUTES", true, NULL },
    { "neighbors", "NEIGHBORS", true, NULL },
    { "epochs", "EPOCHS", true, NULL },
    { "error", "ERROR", false, NULL },
};

static struct json *
copy_to_json(const struct xf_copy *copy)
{
    struct json *row = json_object_create();

    json_object_put_string(row, "router", copy->router->name);
    json_object_put_string(row, "direction", "from");
    json_object_put_string(row, "host", copy->source);
    json_object_put_string(row, "state", xf_copy_state_name(copy->state));
    xf_json_put_int(row, "routes",
                    xf_rt_source_n_routes(copy->router->rt,
                                          copy->router->listener_source));
    xf_json_put_int(row, "neighbors", copy->n_neighbors);
    xf_json_put_int(row, "epochs", copy->n_copies);
    if (copy->error) {
        json_object_put_string(row, "error", copy->error);
    }
    if (copy->listener) {
        json_object_put(row, "listener",
                        xf_listener_to_json(copy->listener, copy->heard_ms));
    }
    return row;
}

static struct json *
serving_to_json(const struct xf_serving *s)
{
    struct json *row = json_object_create();

    json_object_put_string(row, "router", s->router->name);
    json_object_put_string(row, "direction", "to");
    json_object_put_string(row, "host", s->host);
    json_object_put_string(row, "peer", s->peer);
    json_object_put_string(row, "state",
                           s->told_end ? "told all"
                           : s->told_state ? "waiting for its daemon"
                           : "telling");
    xf_json_put_int(row, "routes",
                    xf_rt_source_n_routes(s->router->rt,
                                          s->router->listener_source));
    xf_json_put_int(row, "epochs", s->n_begun);
    xf_json_put_int(row, "told", s->n_told);
    xf_json_put_int(row, "unsent_bytes", s->tail - s->head);
    return row;
}

static int
compare_names(const void *a_, const void *b_)
{
    const struct json *const *a = a_;
    const struct json *const *b = b_;

    return strcmp(json_string(shash_find_data(json_object(*a), "router")),
                  json_string(shash_find_data(json_object(*b), "router")));
}

/* copy-show */
char *
xf_run_copy_show(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_copies *copies = engine->copies;
    const struct xf_serving *s;
    const struct xf_copy *copy;
    struct xf_table table;
    struct json **rows;
    size_t n = 0;

    xf_table_init(&table, columns, ARRAY_SIZE(columns), job->json);
    if (copies) {
        rows = xmalloc((hmap_count(&copies->copies) + copies->n_servings + 1)
                       * sizeof *rows);
        HMAP_FOR_EACH (copy, node, &copies->copies) {
            rows[n++] = copy_to_json(copy);
        }
        LIST_FOR_EACH (s, node, &copies->servings) {
            if (s->router) {
                rows[n++] = serving_to_json(s);
            }
        }
        qsort(rows, n, sizeof *rows, compare_names);
        for (size_t i = 0; i < n; i++) {
            xf_table_add(&table, rows[i]);
        }
        free(rows);
    }
    xf_table_finish(&table, &job->body);
    return NULL;
}
