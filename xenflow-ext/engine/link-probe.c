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
 *
 * When another way is put to use, the old one still has frames in it: in cables,
 * and in queues of switches that are slow.  So each end says, by a last request,
 * that it sends nothing more into it; what it received and answered shows that
 * the way is empty.  Where the link goes on (a newer way has the same end) that
 * is at once.  A router that has left this switch goes on forwarding what still
 * comes to it by its other old ways: it ends these when all of them have
 * ended.  Until all are empty this switch doesn't acknowledge the configuration
 * that put the others to use (engine/db.c), for EMPTY_MS at most, so nobody takes
 * old ways away too early. */

#define NEWS_MAX 1024           /* In the queue. */
#define FAST_MS 20              /* Until proven, */
#define N_FAST 100              /* for so many requests, */
#define SLOW_MS 250             /* then. */
#define PROVEN_MS 1000
#define MISSING_MS 100          /* Proven, but an answer is missing. */
#define EMPTY_MS 5000           /* What may be under way for so long. */
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

/* ---- Ways that empty. ---- */

/* 'own' was published with the engine's 'generation'. */
void
xf_probes_leave(struct xf_own_hop *own, uint64_t generation)
{
    const struct xf_hop *hop = &own->hop;
    struct xf_probing *p = &own->probing;

    /* A transfer way is of the new generation, and has served by then. */
    if (hop->use < hop->generation
        || (hop->use == hop->generation && !xf_hop_is_transfer(hop))) {
        own->left = 0;
        p->empties = p->heard_last = p->answered_last = false;
        p->last_seq = 0;
    } else if (!own->left) {
        own->left = generation;
        p->empties = p->proven;
        p->empty_by_ms = LLONG_MAX;
    }
}

/* The datapath has acknowledged something. */
void
xf_probes_left(struct xf_engine *engine, long long int now_ms)
{
    struct xf_links *links = &engine->links;

    for (size_t i = 0; i < links->n; i++) {
        struct xf_own_hop *own = &links->hops[i];
        struct xf_probing *p = &own->probing;

        if (p->empties && p->empty_by_ms == LLONG_MAX
            && engine->acked >= own->left) {
            p->empty_by_ms = now_ms + EMPTY_MS;
            p->next_ms = now_ms;
        }
    }
}

/* Whether 'side' is the same in both. */
static bool
same_end(const struct xf_hop *a, const struct xf_hop *b, int side)
{
    for (int i = 0; i < 2; i++) {
        if (!strcmp(a->sides[side].port, b->sides[i].port)
            && a->sides[side].vlan == b->sides[i].vlan) {
            return true;
        }
    }
    return false;
}

/* Whether nothing is sent any more from the end 'side' of 'own' into its way,
 * which is to be empty. */
static bool
has_ended(const struct xf_engine *engine, const struct xf_own_hop *own,
          int side)
{
    const struct xf_links *links = &engine->links;
    const char *port = own->hop.sides[side].port;
    bool all_heard = true;

    if (engine->acked < own->left) {
        return false;
    }
    for (size_t i = 0; i < links->n; i++) {
        const struct xf_own_hop *other = &links->hops[i];

        if (!memcmp(&other->hop.id, &own->hop.id, sizeof own->hop.id)
            && other->hop.generation > own->hop.generation
            && !xf_hop_is_transfer(&other->hop)
            && same_end(&own->hop, &other->hop, side)) {
            return true;
        }
        if (other->probing.empties && !other->probing.heard_last
            && !xf_hop_is_transfer(&other->hop)
            && (!strcmp(other->hop.sides[0].port, port)
                || !strcmp(other->hop.sides[1].port, port))) {
            all_heard = false;
        }
    }
    return all_heard;
}

/* Notes that 'own' has emptied, if so. */
static void
check_empty(struct xf_own_hop *own, long long int now_ms)
{
    struct xf_probing *p = &own->probing;

    if (p->empties && p->heard_last && p->answered_last) {
        p->empties = false;
    } else if (p->empties && now_ms >= p->empty_by_ms) {
        p->empties = false;
        VLOG_WARN("link %s: after %d ms it isn't sure that generation %"PRIu64
                  " is empty (%s): it isn't waited for any longer",
                  own->hop.link, EMPTY_MS, own->hop.generation,
                  p->heard_last ? "no answer came" : "its other end hasn't "
                  "said that it sends nothing more");
    }
}

/* See engine/link-private.h. */
bool
xf_links_are_empty(const struct xf_engine *engine)
{
    const struct xf_links *links = &engine->links;

    for (size_t i = 0; i < links->n; i++) {
        if (links->hops[i].probing.empties) {
            return false;
        }
    }
    return true;
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
        p->empties = false;
        set_proven(engine, own, false);
        return;
    } else if (side == 2) {
        p->next_ms = now_ms + PROVEN_MS;
        p->empties = false;
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

    bool is_last = p->empties && has_ended(engine, own, side);
    struct xf_probe probe = {
        .type = is_last ? XF_PROBE_LAST : XF_PROBE_REQUEST,
        .id = own->hop.id,
        .generation = own->hop.generation,
        .nonce = p->nonce,
        .seq = ++p->seq,
        .position = own->hop.position,
    };
    if (is_last && !p->last_seq) {
        p->last_seq = probe.seq;
    }
    send_probe(engine, &own->hop, side, &probe);
    p->n_sent++;
    p->n_unanswered++;

    /* Hops that came together don't go on together. */
    int period_ms = (p->empties ? MISSING_MS
                     : p->proven
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

/* Some end may have its last request sent now. */
static void
hasten(struct xf_links *links)
{
    for (size_t i = 0; i < links->n; i++) {
        struct xf_probing *p = &links->hops[i].probing;

        if (p->empties && !p->last_seq) {
            p->next_ms = links->next_probe_ms = LLONG_MIN;
        }
    }
}

/* Takes the answer to request 'seq'; returns false if that is none, or too
 * old to prove anything but that the way is empty. */
static bool
take_answer(struct xf_probing *p, uint32_t seq)
{
    uint32_t age = p->seq - seq;

    if (p->last_seq && age <= p->seq - p->last_seq) {
        p->answered_last = true;
    }
    return age < N_LOST;
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
    if (probe.type != XF_PROBE_ANSWER) {
        if (probe.type == XF_PROBE_LAST && !p->heard_last) {
            p->heard_last = true;
            hasten(&engine->links);
        }
        p->n_answered++;
        probe.type = XF_PROBE_ANSWER;
        send_probe(engine, &own->hop, !news->in, &probe);
    } else if (p->begun && probe.nonce == p->nonce
               && probe.position == own->hop.position
               && take_answer(p, probe.seq)) {
        p->n_answers++;
        p->n_unanswered = 0;
        set_proven(engine, own, true);
    } else {
        engine->links.n_bad_probes++;
    }
    check_empty(own, LLONG_MIN);
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
        check_empty(own, now_ms);
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
