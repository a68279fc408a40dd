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

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"
#include "engine/engine-private.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "seq.h"
#include "svec.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_link);

/* Between two writes of the file. */
#define WRITE_MS 20
/* Longest line of the file. */
#define LINE_MAX_SIZE 1024

static void read_file(struct xf_engine *);
static void write_file(struct xf_links *);

/* ---- Readers: any thread, RCU. ---- */

/* See engine/link.h. */
const struct xf_link_table *
xf_engine_links(const struct xf_engine *engine)
{
    return ovsrcu_get(struct xf_link_table *, &engine->links.table);
}

/* See engine/engine.h. */
struct seq *
xf_engine_links_seq(const struct xf_engine *engine)
{
    return engine->links_seq;
}

/* ---- Life. ---- */

/* Main thread, before the engine's thread begins. */
void
xf_links_init(struct xf_links *links)
{
    memset(links, 0, sizeof *links);
    ovsrcu_init(&links->table, NULL);
    mpsc_queue_init(&links->news);
    atomic_count_init(&links->n_news, 0);
    atomic_init(&links->n_news_dropped, UINT64_C(0));
    eth_addr_random(&links->mac);
    links->acked = true;
    links->next_probe_ms = links->next_answer_ms = LLONG_MAX;
}

/* The configuration of this switch is kept: so are its links. */
void
xf_links_load(struct xf_engine *engine)
{
    engine->links.file = xasprintf("%s/%s", ovs_dbdir(), XF_LINKS_FILE);
    read_file(engine);
}

static void
free_hops(struct xf_own_hop *hops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        xf_stat_unref(hops[i].hop.stats[0]);
        xf_stat_unref(hops[i].hop.stats[1]);
        free(hops[i].error);
    }
    free(hops);
}

/* The engine's thread ends. */
void
xf_links_end(struct xf_engine *engine)
{
    struct xf_links *links = &engine->links;

    if (links->file && links->dirty) {
        write_file(links);
    }
}

/* RCU callback: no thread reads any more. */
void
xf_links_destroy(struct xf_links *links)
{
    xf_links_drain(links);
    mpsc_queue_destroy(&links->news);
    xf_link_table_destroy(ovsrcu_get_protected(struct xf_link_table *,
                                               &links->table));
    free_hops(links->hops, links->n);
    free(links->file);
}

/* ---- Hops. ---- */

static int
compare_hops(const void *a_, const void *b_)
{
    const struct xf_hop *a = a_;
    const struct xf_hop *b = b_;
    int d = strcmp(a->link, b->link);

    d = d ? d : memcmp(&a->id, &b->id, sizeof a->id);
    d = d ? d : (a->generation < b->generation ? -1
                 : a->generation > b->generation);
    return d ? d : (int) a->position - b->position;
}

static bool
same_sides(const struct xf_hop *a, const struct xf_hop *b)
{
    for (int i = 0; i < 2; i++) {
        if (strcmp(a->sides[i].port, b->sides[i].port)
            || a->sides[i].vlan != b->sides[i].vlan
            || a->sides[i].edge != b->sides[i].edge) {
            return false;
        }
    }
    return true;
}

/* What is wrong with 'hop' by itself; NULL: nothing. */
char *
xf_hop_check(const struct xf_hop *hop)
{
    for (int i = 0; i < 2; i++) {
        char name[XF_NAME_MAX];
        char *error = xf_args_parse_name(hop->sides[i].port, "port", name);

        if (error) {
            return error;
        }
    }
    return NULL;
}

/* See engine/link-private.h. */
bool
xf_hop_is_acked(const struct xf_engine *engine, const struct xf_own_hop *own)
{
    return engine->acked >= own->since;
}

/* Moves what belongs to the same hop as 'new', or else makes it. */
static void
inherit(struct xf_own_hop *new, struct xf_links *links, size_t *next)
{
    while (*next < links->n
           && compare_hops(&links->hops[*next].hop, &new->hop) < 0) {
        ++*next;
    }

    struct xf_own_hop *old = *next < links->n ? &links->hops[*next] : NULL;
    bool same = old && !compare_hops(&old->hop, &new->hop);

    for (int i = 0; i < 2; i++) {
        new->hop.stats[i] = (same ? xf_stat_ref(old->hop.stats[i])
                             : xf_stat_create());
    }
    if (same && same_sides(&old->hop, &new->hop)) {
        new->probing = old->probing;
        new->since = old->since;
        new->left = old->left;
        new->error = nullable_xstrdup(old->error);
    }
}

/* Lets readers see the hops as they are. */
static void
publish(struct xf_engine *engine)
{
    struct xf_links *links = &engine->links;
    struct xf_link_table *old = ovsrcu_get_protected(struct xf_link_table *,
                                                     &links->table);
    struct xf_hop *hops = xcalloc(MAX(links->n, 1), sizeof *hops);
    char **errors = xcalloc(MAX(links->n, 1), sizeof *errors);

    for (size_t i = 0; i < links->n; i++) {
        hops[i] = links->hops[i].hop;
    }
    ovsrcu_set(&links->table, xf_link_table_create(hops, links->n, errors));
    if (old) {
        ovsrcu_postpone(xf_link_table_destroy, old);
    }
    links->generation = xf_engine_changed(engine, true);
    links->acked = false;
    links->seen_acked = engine->acked;
    for (size_t i = 0; i < links->n; i++) {
        struct xf_own_hop *own = &links->hops[i];

        if (!own->since || !nullable_string_is_equal(own->error, errors[i])) {
            own->since = links->generation;
        }
        free(own->error);
        own->error = errors[i];
        xf_probes_leave(own, links->generation);
    }
    free(hops);
    free(errors);
    links->dirty = true;
    seq_change(engine->links_seq);
}

static bool
same_hops(const struct xf_links *links, const struct xf_hop *hops, size_t n)
{
    if (n != links->n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct xf_hop *old = &links->hops[i].hop;

        if (compare_hops(old, &hops[i]) || old->use != hops[i].use
            || old->promised != hops[i].promised || !same_sides(old, &hops[i])) {
            return false;
        }
    }
    return true;
}

/* See engine/link-private.h. */
bool
xf_links_set(struct xf_engine *engine, const struct xf_hop *hops_, size_t n)
{
    struct xf_links *links = &engine->links;
    struct xf_hop *hops = xmemdup(hops_, n * sizeof *hops);

    qsort(hops, n, sizeof *hops, compare_hops);
    if (same_hops(links, hops, n)) {
        free(hops);
        return false;
    }

    struct xf_own_hop *new = xcalloc(MAX(n, 1), sizeof *new);
    size_t next = 0;

    for (size_t i = 0; i < n; i++) {
        new[i].hop = hops[i];
        inherit(&new[i], links, &next);
    }
    free(hops);
    free_hops(links->hops, links->n);
    links->hops = new;
    links->n = n;
    publish(engine);
    return true;
}

/* See engine/link-private.h. */
bool
xf_links_have(const struct xf_links *links, const struct xf_hop *hop)
{
    BUILD_ASSERT_DECL(!offsetof(struct xf_own_hop, hop));

    return (links->n
            && bsearch(hop, links->hops, links->n, sizeof *links->hops,
                       compare_hops));
}

/* ---- What is said of a link. ---- */

/* Whether hop 'own' is in the datapath; if not, and 'error' is NULL, stores
 * the sentence that says why there. */
static bool
hop_works(const struct xf_engine *engine, const struct xf_own_hop *own,
          char **error)
{
    const struct xf_switch *sw = engine->sw;

    if (own->error) {
        *error = *error ? *error : xstrdup(own->error);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        const char *port = own->hop.sides[i].port;

        if (!sw->port_exists(sw, port)) {
            if (!*error) {
                *error = xasprintf("position %"PRIu8" of generation %"PRIu64
                                   ": there is no port '%s': add it to a "
                                   "bridge of this switch",
                                   own->hop.position, own->hop.generation,
                                   port);
            }
            return false;
        }
    }
    return xf_hop_is_acked(engine, own);
}

/* Stores in 's' what is true of the hops from 'i' to 'end', one generation. */
static void
summarize_generation(const struct xf_engine *engine, size_t i, size_t end,
                     struct xf_link_summary *s)
{
    const struct xf_own_hop *hops = engine->links.hops;
    uint64_t generation = hops[i].hop.generation;
    bool works = true, proven = true;
    size_t n_ends = 0;

    for (; i < end; i++) {
        int side = xf_hop_end(engine, &hops[i].hop);

        works = hop_works(engine, &hops[i], &s->error) && works;
        if (side >= 0) {
            n_ends++;
            proven = proven && hops[i].probing.proven;
        }
    }
    if (works) {
        s->generation = generation;
        s->in_datapath = true;
        s->proven = proven && n_ends;
    }
}

/* See engine/link-private.h. */
size_t
xf_link_summarize(const struct xf_engine *engine, size_t i,
                  struct xf_link_summary *s)
{
    const struct xf_links *links = &engine->links;
    const struct xf_hop *first = &links->hops[i].hop;

    memset(s, 0, sizeof *s);
    s->hop = first;
    while (i < links->n
           && !memcmp(&links->hops[i].hop.id, &first->id, sizeof first->id)) {
        size_t end = i;

        while (end < links->n
               && !memcmp(&links->hops[end].hop.id, &first->id,
                          sizeof first->id)
               && (links->hops[end].hop.generation
                   == links->hops[i].hop.generation)) {
            end++;
        }
        summarize_generation(engine, i, end, s);
        i = end;
    }
    return i;
}

/* ---- The file. ---- */

static char * OVS_WARN_UNUSED_RESULT
read_line(char *line, struct xf_hop *hop)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;

    svec_parse_words(&words, line);
    char *error = xf_hop_parse(hop, words.n, (const char **) words.names);
    svec_destroy(&words);
    return error;
}

/* Takes the hops of the file, as far as they are sound. */
static void
read_file(struct xf_engine *engine)
{
    struct xf_links *links = &engine->links;
    FILE *stream = fopen(links->file, "r");
    char line[LINE_MAX_SIZE];
    struct xf_hop *hops;
    size_t n = 0;

    if (!stream) {
        if (errno != ENOENT) {
            VLOG_WARN("%s: links can't be read (%s): until the database says "
                      "them there are none", links->file,
                      ovs_strerror(errno));
        }
        return;
    }
    hops = xcalloc(XF_HOPS_MAX, sizeof *hops);
    while (n < XF_HOPS_MAX && fgets(line, sizeof line, stream)) {
        char *error = read_line(line, &hops[n]);

        if (error) {
            VLOG_WARN("%s: a line isn't understood (%s): it is left out",
                      links->file, error);
            free(error);
        } else {
            n++;
        }
    }
    fclose(stream);
    xf_links_set(engine, hops, n);
    free(hops);
    links->dirty = false;
}

/* Replaces the file.  Not synchronized to the disk: after a crash of the host
 * an older file, or none, is as good, as the database says it all. */
static void
write_file(struct xf_links *links)
{
    char *name = xasprintf("%s.tmp", links->file);
    FILE *stream = fopen(name, "w");
    struct ds ds = DS_EMPTY_INITIALIZER;
    bool failed = !stream;

    for (size_t i = 0; i < links->n; i++) {
        xf_hop_put(&links->hops[i].hop, &ds);
        ds_put_char(&ds, '\n');
    }
    if (stream) {
        failed = fwrite(ds_cstr(&ds), 1, ds.length, stream) != ds.length;
        failed = fclose(stream) || failed;
        failed = failed || rename(name, links->file);
    }
    if (failed) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        VLOG_WARN_RL(&rl, "%s: links can't be written (%s): after a restart "
                     "there are none until the database says them",
                     links->file, ovs_strerror(errno));
        unlink(name);
    }
    ds_destroy(&ds);
    free(name);
    links->dirty = false;
}

/* ---- In each turn. ---- */

/* Probes, and writes what is to be kept. */
void
xf_links_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_links *links = &engine->links;
    bool ports_changed;

    if (!links->acked && engine->acked != links->seen_acked) {
        /* Some hops may be in the datapath, though others change on. */
        links->seen_acked = engine->acked;
        links->acked = engine->acked >= links->generation;
        links->state_seq++;
        links->next_probe_ms = now_ms;
        xf_probes_left(engine, now_ms);
    }
    atomic_read(&engine->links_ports_changed, &ports_changed);
    if (ports_changed) {
        atomic_store(&engine->links_ports_changed, false);
        links->state_seq++;
    }
    xf_probes_run(engine, now_ms);
    xf_transfer_run(engine, now_ms);
    if (links->dirty && links->file && now_ms >= links->next_write_ms) {
        write_file(links);
        links->next_write_ms = now_ms + WRITE_MS;
    }
}

void
xf_links_wait(struct xf_engine *engine)
{
    const struct xf_links *links = &engine->links;

    xf_probes_wait(engine);
    xf_transfer_wait(engine);
    if (links->dirty && links->file) {
        poll_timer_wait_until(links->next_write_ms);
    }
    if (!links->acked && engine->acked != links->seen_acked) {
        poll_immediate_wake();
    }
}
