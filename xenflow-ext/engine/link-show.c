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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine-private.h"
#include "openvswitch/json.h"
#include "util.h"

/* Commands about links: link-add, link-use, link-del, link-show.  Engine's
 * thread. */

/* ---- Commands that change. ---- */

/* Links are those of the database, if there is one. */
static char * OVS_WARN_UNUSED_RESULT
check_no_database(const struct xf_engine *engine)
{
    return (engine->db
            ? xstrdup("the database XenFlow says what links there are: change "
                      "them there, with xfctl")
            : NULL);
}

/* A copy of all hops, with room for one more. */
static struct xf_hop *
copy_hops(const struct xf_links *links)
{
    struct xf_hop *hops = xcalloc(links->n + 1, sizeof *hops);

    for (size_t i = 0; i < links->n; i++) {
        hops[i] = links->hops[i].hop;
    }
    return hops;
}

/* Makes the 'n' at 'hops', which is freed, all hops. */
static void
set_hops(struct xf_engine *engine, struct xf_job *job, struct xf_hop *hops,
         size_t n)
{
    if (xf_links_set(engine, hops, n)) {
        job->generation = engine->links.generation;
    }
    free(hops);
}

/* link-add: a hop, or other words for one. */
char *
xf_run_link_add(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_links *links = &engine->links;
    const struct xf_hop *new = &job->args.hop;
    char *error = check_no_database(engine);
    size_t i;

    if (error) {
        return error;
    }
    struct xf_hop *hops = copy_hops(links);
    for (i = 0; i < links->n; i++) {
        if (!strcmp(hops[i].link, new->link)
            && hops[i].generation == new->generation
            && hops[i].position == new->position) {
            break;
        }
    }
    if (i >= XF_HOPS_MAX) {
        free(hops);
        return xasprintf("there are %d hops, the most a switch has: delete "
                         "one first", XF_HOPS_MAX);
    }
    hops[i] = *new;

    /* What contradicts another one is refused. */
    char **errors = xcalloc(links->n + 1, sizeof *errors);
    xf_link_table_destroy(xf_link_table_create(hops, MAX(links->n, i + 1),
                                               errors));
    error = nullable_xstrdup(errors[i]);
    for (size_t j = 0; j <= links->n; j++) {
        free(errors[j]);
    }
    free(errors);
    if (error) {
        free(hops);
        return error;
    }
    set_hops(engine, job, hops, MAX(links->n, i + 1));
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
no_such_hop(const char *link)
{
    return xasprintf("there is no such hop of a link '%s': see "
                     "xenflow/link-show", link);
}

/* link-use: another generation is in use. */
char *
xf_run_link_use(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_hop *which = &job->args.hop;
    char *error = check_no_database(engine);
    bool found = false;

    if (error) {
        return error;
    }
    struct xf_hop *hops = copy_hops(&engine->links);
    for (size_t i = 0; i < engine->links.n; i++) {
        if (!strcmp(hops[i].link, which->link)) {
            hops[i].use = which->use;
            found = true;
        }
    }
    if (!found) {
        free(hops);
        return no_such_hop(which->link);
    }
    set_hops(engine, job, hops, engine->links.n);
    return NULL;
}

/* link-del: a link, or one generation of it. */
char *
xf_run_link_del(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_hop *which = &job->args.hop;
    char *error = check_no_database(engine);
    size_t n = 0;

    if (error) {
        return error;
    }
    struct xf_hop *hops = copy_hops(&engine->links);
    for (size_t i = 0; i < engine->links.n; i++) {
        if (strcmp(hops[i].link, which->link)
            || (which->generation != UINT64_MAX
                && which->generation != hops[i].generation)) {
            hops[n++] = hops[i];
        }
    }
    if (n == engine->links.n) {
        free(hops);
        return no_such_hop(which->link);
    }
    set_hops(engine, job, hops, n);
    return NULL;
}

/* ---- link-show. ---- */

static const struct xf_column columns[] = {
    { "link", "LINK", false, NULL },
    { "generation", "GENERATION", true, NULL },
    { "position", "POSITION", true, NULL },
    { "port1", "PORT1", false, NULL },
    { "vlan1", "VLAN1", true, NULL },
    { "port2", "PORT2", false, NULL },
    { "vlan2", "VLAN2", true, NULL },
    { "in_use", "IN-USE", false, NULL },
    { "end", "END", false, NULL },
    { "state", "STATE", false, NULL },
    { "packets1", "PACKETS1", true, NULL },
    { "packets2", "PACKETS2", true, NULL },
};

/* Whether all of 'own' is in the datapath; why not, if it never will be. */
static const char *
hop_state(const struct xf_engine *engine, const struct xf_own_hop *own)
{
    const struct xf_switch *sw = engine->sw;

    return (own->error ? "refused"
            : !sw->port_exists(sw, own->hop.sides[0].port)
              || !sw->port_exists(sw, own->hop.sides[1].port) ? "no port"
            : !xf_hop_is_acked(engine, own) ? "pending"
            : own->probing.empties ? "emptying"
            : own->probing.proven ? "proven"
            : xf_hop_end(engine, &own->hop) >= 0 ? "unproven"
            : "forwarding");
}

static void
put_stats(struct json *row, const struct xf_hop *hop)
{
    for (int i = 0; i < 2; i++) {
        uint64_t n_packets, n_bytes;
        char key[16];

        atomic_read_relaxed(&hop->stats[i]->n_packets, &n_packets);
        atomic_read_relaxed(&hop->stats[i]->n_bytes, &n_bytes);
        snprintf(key, sizeof key, "packets%d", i + 1);
        xf_json_put_int(row, key, n_packets);
        snprintf(key, sizeof key, "bytes%d", i + 1);
        xf_json_put_int(row, key, n_bytes);
    }
}

static struct json *
hop_to_json(const struct xf_engine *engine, const struct xf_own_hop *own)
{
    static const char *const ends[] = { "none", "1", "2", "both" };
    const struct xf_hop *hop = &own->hop;
    struct json *row = json_object_create();

    json_object_put_string(row, "link", hop->link);
    xf_json_put_int(row, "generation", hop->generation);
    xf_json_put_int(row, "position", hop->position);
    json_object_put_string(row, "port1", hop->sides[0].port);
    xf_json_put_int(row, "vlan1", hop->sides[0].vlan);
    json_object_put_string(row, "port2", hop->sides[1].port);
    xf_json_put_int(row, "vlan2", hop->sides[1].vlan);
    xf_json_put_bool(row, "in_use", hop->generation == hop->use);
    xf_json_put_bool(row, "promised", hop->promised);
    json_object_put_string(row, "end", ends[xf_hop_end(engine, hop) + 1]);
    json_object_put_string(row, "state", hop_state(engine, own));
    if (own->error) {
        json_object_put_string(row, "error", own->error);
    }
    put_stats(row, hop);
    xf_json_put_int(row, "probes_sent", own->probing.n_sent);
    xf_json_put_int(row, "probes_returned", own->probing.n_answers);
    xf_json_put_int(row, "probes_answered", own->probing.n_answered);
    return row;
}

/* link-show */
char *
xf_run_link_show(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_links *links = &engine->links;
    const char *link = job->args.router;
    struct xf_table table;
    bool found = !link[0];

    xf_table_init(&table, columns, ARRAY_SIZE(columns), job->json);
    for (size_t i = 0; i < links->n; i++) {
        if (!link[0] || !strcmp(links->hops[i].hop.link, link)) {
            xf_table_add(&table, hop_to_json(engine, &links->hops[i]));
            found = true;
        }
    }
    xf_table_finish(&table, &job->body);
    if (!found) {
        ds_clear(&job->body);
        return no_such_hop(link);
    }
    return NULL;
}
