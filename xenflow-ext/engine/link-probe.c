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

#include <stdlib.h>
#include <string.h>

#include "engine/engine-private.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "random.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_link_probe);

/* Probing of ways that end in this switch.
 *
 * Requests go out fast until the way is proven, then once a second; when an
 * answer is missing they come faster again, and after XF_PROBE_LOST of them
 * without one the way isn't proven any more.  A way that stays unproven is
 * probed slowly: it may be that its other end isn't wired yet.
 *
 * A way with both of its ends here is proven as soon as the datapath has it.
 * */

#define NEWS_MAX 1024           /* In the queue. */
#define FAST_MS 20              /* Until proven, */
#define N_FAST 100              /* for so many requests, */
#define SLOW_MS 250             /* then. */
#define PROVEN_MS 1000
#define MISSING_MS 100          /* Proven, but an answer is missing. */
#define N_LOST 3
#define PER_TURN 64             /* Hops looked at, so that the main thread's
                                 * queue takes all requests. */

/* A probe that came out of a way. */
struct xf_probe_news {
    struct mpsc_queue_node node;
    struct xf_link_id id;       /* The hop that it came by, */
    uint64_t generation;
    uint8_t position;
    uint8_t in;                 /* and the side. */
    struct xf_probe probe;
};

/* ---- News: any thread. ---- */

/* See engine/link.h. */
void
xf_engine_probe_news(struct xf_engine *engine, const struct xf_way *way,
                     const struct xf_probe *probe)
{
    struct xf_links *links = &engine->links;

    if (atomic_count_inc(&links->n_news) >= NEWS_MAX) {
        uint64_t orig;

        atomic_count_dec(&links->n_news);
        atomic_add_relaxed(&links->n_news_dropped, UINT64_C(1), &orig);
        return;
    }

    struct xf_probe_news *news = xmalloc(sizeof *news);
    news->id = way->hop->id;
    news->generation = way->hop->generation;
    news->position = way->hop->position;
    news->in = way->in;
    news->probe = *probe;
    mpsc_queue_insert(&links->news, &news->node);
    xf_engine_wake(engine);
}

static struct xf_probe_news *
next_news(struct xf_links *links)
{
    struct mpsc_queue_node *node;

    mpsc_queue_acquire(&links->news);
    node = mpsc_queue_pop(&links->news);
    mpsc_queue_release(&links->news);
    if (!node) {
        return NULL;
    }
    atomic_count_dec(&links->n_news);
    return CONTAINER_OF(node, struct xf_probe_news, node);
}

/* Frees the news that wait (when no thread posts any more). */
void
xf_links_drain(struct xf_links *links)
{
    struct xf_probe_news *news;

    while ((news = next_news(links)) != NULL) {
        free(news);
    }
}

/* ---- Ends. ---- */

/* Whether the way of 'hop' ends at 'side' of it: at a router or an edge
 * port. */
bool
xf_hop_side_is_end(const struct xf_engine *engine, const struct xf_hop *hop,
                   int side)
{
    return (hop->sides[side].edge
            || xf_engine_router(engine, hop->sides[side].port));
}

/* The side of 'hop' at which its way ends, -1 if it merely passes; 2 if both
 * ends are here. */
int
xf_hop_end(const struct xf_engine *engine, const struct xf_hop *hop)
{
    bool end1 = xf_hop_side_is_end(engine, hop, 0);
    bool end2 = xf_hop_side_is_end(engine, hop, 1);

    return end1 && end2 ? 2 : end1 ? 0 : end2 ? 1 : -1;
}

/* ---- Probes. ---- */

/* Sends 'probe' into the way of 'hop' from its end 'side'. */
static void
send_probe(struct xf_engine *engine, const struct xf_hop *hop, int side,
           const struct xf_probe *probe)
{
    const struct xf_hop_side *out = &hop->sides[!side];
    uint8_t frame[XF_PROBE_FRAME_SIZE];

    xf_probe_compose(probe, engine->links.mac, frame);
    engine->sw->output(engine->sw, out->port, out->vlan, frame,
                       sizeof frame);
}

static void
set_proven(struct xf_engine *engine, struct xf_own_hop *own, bool proven)
{
    if (own->probing.proven != proven) {
        own->probing.proven = proven;
        engine->links.state_seq++;
        if (!proven) {
            VLOG_WARN("link %s: nothing comes through generation %"PRIu64
                      " any more", own->hop.link, own->hop.generation);
        } else {
            VLOG_INFO("link %s: generation %"PRIu64" is proven%s",
                      own->hop.link, own->hop.generation,
                      xf_hop_is_transfer(&own->hop) ? " (transfer)" : "");
        }
    }
}

/* Sends the next request, if it is time. */
static void
probe_hop(struct xf_engine *engine, struct xf_own_hop *own,
          long long int now_ms)
{
    struct xf_probing *p = &own->probing;
    int side = own->error ? -1 : xf_hop_end(engine, &own->hop);

    if (side < 0) {
        p->next_ms = now_ms + PROVEN_MS;
        set_proven(engine, own, false);
        return;
    } else if (side == 2) {
        p->next_ms = now_ms + PROVEN_MS;
        set_proven(engine, own, true);
        return;
    }

    if (!p->begun) {
        p->begun = true;
        p->nonce = random_uint64();
    }
    if (p->n_unanswered >= N_LOST) {
        set_proven(engine, own, false);
    }

    struct xf_probe probe = {
        .type = XF_PROBE_REQUEST,
        .id = own->hop.id,
        .generation = own->hop.generation,
        .nonce = p->nonce,
        .seq = ++p->seq,
        .position = own->hop.position,
    };
    send_probe(engine, &own->hop, side, &probe);
    p->n_sent++;
    p->n_unanswered++;

    /* Hops that came together don't go on together. */
    int period_ms = (p->proven
                     ? (p->n_unanswered > 1 ? MISSING_MS : PROVEN_MS)
                     : p->n_unanswered < N_FAST ? FAST_MS : SLOW_MS);
    p->next_ms = now_ms + period_ms + random_range(period_ms / 4);
}

static struct xf_own_hop *
find_hop(struct xf_links *links, const struct xf_probe_news *news)
{
    for (size_t i = 0; i < links->n; i++) {
        const struct xf_hop *hop = &links->hops[i].hop;

        if (hop->generation == news->generation
            && hop->position == news->position
            && !memcmp(&hop->id, &news->id, sizeof hop->id)) {
            return &links->hops[i];
        }
    }
    return NULL;
}

/* Answers a request, or takes an answer. */
static void
take_probe(struct xf_engine *engine, const struct xf_probe_news *news)
{
    struct xf_own_hop *own = find_hop(&engine->links, news);
    struct xf_probe probe = news->probe;

    if (!own) {
        return;                 /* It went meanwhile. */
    }
    if (memcmp(&probe.id, &own->hop.id, sizeof probe.id)
        || probe.generation != own->hop.generation
        || ((probe.position >= XF_PLAN_TRANSFER)
            != xf_hop_is_transfer(&own->hop))) {
        engine->links.n_bad_probes++;
        return;
    }

    struct xf_probing *p = &own->probing;
    if (probe.type == XF_PROBE_REQUEST) {
        p->n_answered++;
        probe.type = XF_PROBE_ANSWER;
        send_probe(engine, &own->hop, !news->in, &probe);
    } else if (p->begun && probe.nonce == p->nonce
               && probe.position == own->hop.position
               && p->seq - probe.seq < N_LOST) {
        p->n_answers++;
        p->n_unanswered = 0;
        set_proven(engine, own, true);
    } else {
        engine->links.n_bad_probes++;
    }
}

/* Sends what is due, as much as one turn may. */
static void
send_probes(struct xf_engine *engine, long long int now_ms)
{
    struct xf_links *links = &engine->links;
    size_t first = links->next_probe;
    int n = 0;

    links->next_probe_ms = LLONG_MAX;
    for (size_t i = 0; i < links->n; i++) {
        size_t j = (first + i) % links->n;
        struct xf_own_hop *own = &links->hops[j];

        if (!xf_hop_is_acked(engine, own)) {
            continue;           /* xf_links_run() comes back to it. */
        }
        if (now_ms >= own->probing.next_ms) {
            if (n++ >= PER_TURN) {
                links->next_probe = j;
                links->next_probe_ms = now_ms;
                return;
            }
            probe_hop(engine, own, now_ms);
        }
        links->next_probe_ms = MIN(links->next_probe_ms,
                                   own->probing.next_ms);
    }
}

/* Takes what came out of ways, and sends what is due. */
void
xf_probes_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_links *links = &engine->links;
    struct xf_probe_news *news;

    for (int i = 0; i < NEWS_MAX && (news = next_news(links)); i++) {
        take_probe(engine, news);
        free(news);
    }
    if (now_ms >= links->next_probe_ms) {
        send_probes(engine, now_ms);
    }
}

void
xf_probes_wait(struct xf_engine *engine)
{
    const struct xf_links *links = &engine->links;

    if (links->next_probe_ms != LLONG_MAX) {
        poll_timer_wait_until(links->next_probe_ms);
    }
    if (atomic_count_get(&CONST_CAST(struct xf_links *, links)->n_news)) {
        poll_immediate_wake();
    }
}
