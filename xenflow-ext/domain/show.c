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

/* Domains as text and as JSON. */

#include <config.h>
#include "domain/domain-private.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"

/* The configuration as it's shown: without the contents of files, which may be
 * keys. */
static struct json *
config_to_json(const struct xf_domain_config *config)
{
    struct json *json = xf_domain_config_to_json(config);
    const struct json *files = shash_find_data(json_object(json), "files");
    const struct json_array *array = json_array(files);

    for (size_t i = 0; i < array->n; i++) {
        struct shash *file = json_object(array->elems[i]);
        struct json *content = shash_find_and_delete(file, "content");
        size_t size = strlen(json_string(content));

        json_destroy(content);
        json_object_put(array->elems[i], "size", json_integer_create(size));
    }
    return json;
}

struct json *
xf_domain_to_json(const struct xf_domain *d)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "name", d->config.name);
    json_object_put_string(json, "state",
                           xf_domain_state_to_string(d->state));
    if (d->reason) {
        json_object_put_string(json, "reason", d->reason);
    }
    json_object_put_string(json, "operation", xf_domain_op_to_string(d->op));
    json_object_put_string(json, "last-operation",
                           xf_domain_op_to_string(d->last_op));
    if (d->error) {
        json_object_put_string(json, "error", d->error);
    }
    json_object_put(json, "crashes", json_integer_create(d->n_crashes));
    json_object_put_string(json, "folder", d->folder);
    json_object_put(json, "config", config_to_json(&d->config));
    d->backend->show(d, json);
    return json;
}

/* Lines "label: value" of what isn't empty. */
void
xf_domain_format(const struct xf_domain *d, struct ds *ds)
{
    const struct xf_domain_config *config = &d->config;
    struct json *own = json_object_create();
    const struct shash_node **nodes;

    ds_put_format(ds, "%s: %s%s%s\n", config->name,
                  xf_domain_state_to_string(d->state), d->reason ? ", " : "",
                  d->reason ? d->reason : "");
    if (d->op != XF_DOMAIN_OP_NONE) {
        ds_put_format(ds, "  operation: %s\n", xf_domain_op_to_string(d->op));
    }
    if (d->error) {
        ds_put_format(ds, "  %s failed: %s\n",
                      xf_domain_op_to_string(d->last_op), d->error);
    }
    if (d->n_crashes) {
        ds_put_format(ds, "  crashes: %u\n", d->n_crashes);
    }
    ds_put_format(ds, "  backend: %s, %u MB, %u vCPU%s", config->backend,
                  config->memory_mb, config->n_vcpus,
                  config->n_vcpus == 1 ? "" : "s");
    if (config->numa_node >= 0) {
        ds_put_format(ds, ", NUMA node %d", config->numa_node);
    }
    ds_put_char(ds, '\n');
    for (size_t i = 0; i < config->n_nics; i++) {
        ds_put_format(ds, "  nic: "ETH_ADDR_FMT" on %s\n",
                      ETH_ADDR_ARGS(config->nics[i].mac),
                      config->nics[i].tap);
    }
    d->backend->show(d, own);
    nodes = shash_sort(json_object(own));
    for (size_t i = 0; i < shash_count(json_object(own)); i++) {
        const struct json *value = nodes[i]->data;
        char *s = (value->type == JSON_STRING ? xstrdup(json_string(value))
                   : json_to_string(value, JSSF_SORT));

        ds_put_format(ds, "  %s: %s\n", nodes[i]->name, s);
        free(s);
    }
    free(nodes);
    json_destroy(own);
}
