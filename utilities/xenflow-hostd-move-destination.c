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

/* Machines that come from another host.  See xenflow-hostd-move.h. */

#include <config.h>

#include "xenflow-hostd-move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "util.h"
#include "uuid.h"
#include "xenflow/frame.h"

VLOG_DEFINE_THIS_MODULE(xf_move_destination);

#define FRAMES_PER_RUN 64
#define SUSPENDED_MAX_MS 86400000

static bool
is_stage(const struct xfrec_migration *row, const char *stage)
{
    return !strcmp(row->stage, stage);
}

/* ---- Words. ---- */

static void
refuse(struct move *m, const char *why)
{
    if (m->channel && !m->said_refused) {
        struct json *json = json_object_create();

        json_object_put_string(json, "say", "refused");
        json_object_put_string(json, "why", why);
        channel_send_word(m->channel, json);
        json_destroy(json);
        m->said_refused = true;
    }
}

/* Nothing of it stays here.  Returns true once that is certain. */
static bool
drop(struct move *m, struct xf_domain *d, long long int now_ms)
{
    char *error = d ? xf_domain_drop(d, now_ms) : NULL;

    m->has_addresses = false;
    if (error) {
        move_say_error(m, error);
        return false;
    }
    m->is_taken = false;        /* That was of what was here. */
    return true;
}

/* Whether it isn't known yet what a predecessor of this process left. */
static bool
is_adopting(const struct xf_domain *d)
{
    struct xf_domain_status status = { .op = XF_DOMAIN_OP_NONE };

    if (d) {
        xf_domain_get_status(d, &status);
    }
    return status.op == XF_DOMAIN_OP_ADOPT;
}

void
destination_hello(struct join *j, struct move *m, struct channel *channel,
                  const struct json *hello, long long int now_ms)
{
    enum xf_move_phase phase = move_phase(j, m);
    struct xf_domain *d = move_domain(j, m);
    const char *have = move_word(hello, "have");
    bool has_all = phase == XF_MOVE_RECEIVED || phase == XF_MOVE_TAKEN;

    move_disconnect(m, "the other host has begun anew");
    if (is_adopting(d)) {
        channel_close(channel);     /* It asks again. */
        return;
    }
    m->channel = channel;
    m->n_bytes = 0;
    m->is_taken = false;
    m->stood_ms = -1;
    if (!strcmp(have, "machine")) {
        /* It's the source's: what is here of an older attempt isn't. */
        if (phase != XF_MOVE_TAKEN) {
            drop(m, d, now_ms);
            move_say_error(m, NULL);
        }
    } else if (has_all) {
        m->is_taken = true;
    } else if (drop(m, d, now_ms)) {
        refuse(m, m->error ? m->error : "it has nothing of that machine");
    }
}

/* How long the machine stood still, by a word; -1: that isn't known. */
static long long int
suspended_ms(const struct json *json)
{
    const struct json *ms = shash_find_data(json_object(json),
                                            "suspended_ms");

    return (ms && ms->type == JSON_INTEGER && json_integer(ms) >= 0
            && json_integer(ms) <= SUSPENDED_MAX_MS ? json_integer(ms) : -1);
}

/* Takes a frame over.  Returns NULL or a sentence. */
static char *
take_frame(struct move *m, struct xf_frame *frame, long long int now_ms)
{
    const char *word = frame->json ? move_word(frame->json, "say") : "";

    if (frame->kind == XF_FRAME_DATA) {
        m->pending = xmemdup(frame, sizeof *frame);
        m->pending_ofs = 0;
        m->n_bytes += frame->size;
        return NULL;
    }
    VLOG_DBG("%s: from %s: %s", m->name, m->peer, word);
    if (frame->kind == XF_FRAME_END) {
        m->ends = true;
    } else if (!strcmp(word, "machine")) {
        json_destroy(m->machine);
        m->machine = frame->json;
        frame->json = NULL;
    } else if (!strcmp(word, "yours")) {
        m->is_taken = true;
        m->stood_ms = suspended_ms(frame->json);
        m->given_ms = now_ms;
    } else if (!strcmp(word, "gone") && suspended_ms(frame->json) >= 0) {
        m->suspended_ms = suspended_ms(frame->json);
        m->unwritten = true;
    }
    xf_frame_uninit(frame);
    return NULL;
}

/* ---- Memory. ---- */

/* Gives the domain what has come.  Returns NULL or a sentence. */
static char *
write_memory(struct join *j, struct move *m)
{
    struct xf_domain *d = move_domain(j, m);

    while (m->pending) {
        struct xf_frame *frame = m->pending;
        int n = 0;

        if (move_phase(j, m) != XF_MOVE_WAITING) {
            return xstrdup("memory came that nobody waits for");
        }
        if (m->pending_ofs < frame->size) {
            n = xf_domain_write(d, frame->data + m->pending_ofs,
                                frame->size - m->pending_ofs);
        }
        if (n == -EAGAIN) {
            return NULL;
        } else if (n < 0) {
            return xasprintf("the hypervisor doesn't take the memory (%s)",
                             ovs_strerror(-n));
        }
        m->pending_ofs += n;
        if (m->pending_ofs >= frame->size) {
            xf_frame_uninit(frame);
            free(frame);
            m->pending = NULL;
        }
    }
    if (m->ends && move_phase(j, m) == XF_MOVE_WAITING) {
        m->ends = false;
        xf_domain_write_end(d);
    }
    return NULL;
}

void
destination_listen(struct join *j, struct move *m, long long int now_ms)
{
    char *error = channel_run(m->channel, now_ms);
    struct xf_frame frame;

    for (int i = 0; i < FRAMES_PER_RUN && !error && m->channel; i++) {
        error = write_memory(j, m);
        if (error || m->pending
            || !channel_recv(m->channel, now_ms, &frame, &error)) {
            break;
        }
        error = take_frame(m, &frame, now_ms);
    }
    if (error) {
        move_disconnect(m, error);
        free(error);
    }
}

/* ---- Preparing. ---- */

/* Makes the configuration here of the source's 'config': the same machine, on
 * cards that our rows know, with our image.  Returns NULL or a sentence. */
static char *
adapt(struct join *j, const struct move *m, struct xf_domain_config *config)
{
    const struct xfrec_router *row = move_row(j, m)->router;
    struct xf_domain_config own;
    char *error = join_guest_config(j, row, &own);

    if (error) {
        return error;
    }
    if (!uuid_equals(&config->uuid, &m->router)
        || strcmp(config->name, own.name)
        || strcmp(config->backend, own.backend)) {
        error = xasprintf("what is sent is machine '%s' of backend %s, not "
                          "'%s' of backend %s", config->name, config->backend,
                          own.name, own.backend);
    }
    for (size_t i = 0; i < config->n_nics && !error; i++) {
        bool known = false;

        for (size_t k = 0; k < own.n_nics; k++) {
            known |= (!strcmp(config->nics[i].tap, own.nics[k].tap)
                      && eth_addr_equals(config->nics[i].mac,
                                         own.nics[k].mac));
        }
        if (!known) {
            error = xasprintf("its card %s isn't among the router's "
                              "interfaces: xfctl vm-restart %s before it "
                              "moves", config->nics[i].tap, own.name);
        }
    }
    if (!error) {
        free(config->image);
        config->image = xstrdup(own.image);
        free(config->script);
        config->script = xstrdup("");
        free(join_host_place(j, config->name, config, &config->numa_node));
    }
    xf_domain_config_uninit(&own);
    return error;
}

static char *
prepare__(struct join *j, struct move *m, long long int now_ms)
{
    struct join_router *r = join_router_find(j, &m->router);
    const struct json *config_json = shash_find_data(
        json_object(m->machine), "config");
    const struct json *kvm = shash_find_data(json_object(m->machine), "kvm");
    const struct json *boot = shash_find_data(json_object(m->machine), "boot");
    const char *memory = move_word(m->machine, "memory");
    struct xf_move_settings settings = {
        .migration = m->migration,
        .machine.kvm = kvm && kvm->type == JSON_TRUE,
        .shares_memory = (memory[0]
                          && xf_domain_has_memory(&m->router, memory)),
        .announces = !move_is_separated(j, m),
    };
    struct xf_domain_config config;
    struct xf_domain *d;
    char *error;

    if (!config_json) {
        return xstrdup("no configuration is sent");
    }
    error = xf_domain_config_parse(config_json, &config);
    if (error) {
        return error;
    }
    error = adapt(j, m, &config);
    error = error ? error : xf_domains_receive(j->domains, &config, &settings,
                                               now_ms, &d);
    if (!error) {
        free(r->domain);
        r->domain = xstrdup(xf_domain_get_config(d)->name);
        if (boot && boot->type == JSON_INTEGER) {
            r->boot = json_integer(boot);   /* Carried out there. */
            join_router_unwritten(j, r);
        }
    }
    xf_domain_config_uninit(&config);
    m->shares = settings.shares_memory;
    return error;
}

/* Makes the machine's place, once this host has said that it has it. */
static void
prepare(struct join *j, struct move *m, long long int now_ms)
{
    struct join_router *r = join_router_find(j, &m->router);
    char *error;

    if (!r || !r->recalled || move_domain(j, m)
        || move_is_held(j, "prepare")) {
        return;
    }
    if (!m->stage) {
        move_say_stage(m, "planned");   /* From now on there is something. */
    }
    if (!join_router_state(j, &m->router) || !move_is_said(j, m)) {
        if (join_moves_is_here(j, &m->router)) {
            join_router_unwritten(j, r);
        }
        return;
    }
    error = prepare__(j, m, now_ms);
    json_destroy(m->machine);
    m->machine = NULL;
    if (error) {
        refuse(m, error);
        move_say_error(m, error);
    }
}

/* Whether the switch's ports are as they should be. */
static bool
has_ports(const struct join *j)
{
    return (!j->ovs.idl || (!j->ports_dirty && !j->ovs.txn
                            && sset_is_empty(&j->replaced)));
}

/* Has the switch hold what comes for the router.  Returns true while it
 * does. */
static bool
hold(struct join *j, struct move *m, long long int now_ms)
{
    return (!move_is_separated(j, m)
            || move_ask_keep(j, m, "xenflow/hold-begin", now_ms));
}

/* Gives the host's sides of its cards, once they are there, what they need.
 * Returns true when they have it. */
static bool
connect_cards(struct join *j, struct move *m, struct xf_domain *d)
{
    struct join_router *r = join_router_find(j, &m->router);

    if (!m->has_addresses) {
        m->has_addresses = true;
        join_router_set_addresses(r, d);
        j->ports_dirty = j->ovs.idl != NULL;
        return false;
    }
    return has_ports(j);
}

static bool
has_cards(const struct xf_domain *d)
{
    struct xf_move_status status;

    xf_domain_get_move(d, &status);
    return status.has_cards;
}

/* Its hypervisor waits for memory: the rest of its place, then the word. */
static void
become_ready(struct join *j, struct move *m, struct xf_domain *d,
             long long int now_ms)
{
    if (has_cards(d) && !connect_cards(j, m, d)) {
        return;
    }
    if (hold(j, m, now_ms) && m->channel && !move_is_held(j, "ready")) {
        struct json *json = json_object_create();

        json_object_put_string(json, "say", "ready");
        json_object_put_string(json, "shares", m->shares ? "yes" : "no");
        channel_send_word(m->channel, json);
        json_destroy(json);
        m->said_ready = true;
        move_say_stage(m, "prewire");
    }
}

/* ---- Stages. ---- */

/* Returns true if the switch doesn't hold frames any more. */
static bool
end_hold(struct join *j, struct move *m, long long int now_ms)
{
    if (!m->back_asked && move_is_separated(j, m)) {
        move_ask(j, m, "xenflow/hold-end", now_ms);
        m->keeps = false;
    }
    m->back_asked = true;
    return move_ask_run(j, m, now_ms);
}

static void
step_received(struct join *j, struct move *m, struct xf_domain *d,
              long long int now_ms)
{
    struct xf_domain_status status;
    bool is_connected = connect_cards(j, m, d);

    xf_domain_get_status(d, &status);
    if (status.state != XF_DOMAIN_PAUSED) {
        if (drop(m, d, now_ms)) {       /* It has ended. */
            refuse(m, status.reason ? status.reason : "its machine ended");
        }
    } else if (m->is_taken) {
        if (is_connected && !move_is_held(j, "take")) {
            char *error = xf_domain_take(d, now_ms);

            if (error) {
                if (drop(m, d, now_ms)) {
                    refuse(m, error);
                }
                move_say_error(m, error);
            }
        }
    } else if (m->channel && !m->said_received
               && !move_is_held(j, "received")) {
        move_send(m, "received");
        m->said_received = true;
    }
}

static void
step_taken(struct join *j, struct move *m, struct xf_domain *d,
           long long int now_ms)
{
    struct xf_domain_status status;

    xf_domain_get_status(d, &status);
    if (status.op == XF_DOMAIN_OP_RECEIVE) {
        return;
    }
    if (m->stood_ms >= 0 && m->suspended_ms < 0) {
        /* "gone" knows better, but may come when all is over. */
        m->suspended_ms = m->stood_ms + now_ms - m->given_ms;
        m->unwritten = true;
    }
    if (m->channel && !m->said_runs && !move_is_held(j, "runs")) {
        move_send(m, "runs");
        m->said_runs = true;
    }
    if (!move_is_held(j, "runs") && end_hold(j, m, now_ms)) {
        move_say_error(m, NULL);
        move_say_stage(m, "moving");
    }
    if (status.op == XF_DOMAIN_OP_NONE && status.state == XF_DOMAIN_CRASHED
        && (is_stage(move_row(j, m), "moving")
            || is_stage(move_row(j, m), "undoing"))) {
        free(xf_domain_begin(d, XF_DOMAIN_OP_START, now_ms));
    }
}

/* Receiving failed, or what was taken can't go on. */
static void
step_failed(struct move *m, struct xf_domain *d, long long int now_ms)
{
    struct xf_domain_status status;

    xf_domain_get_status(d, &status);
    if (status.op == XF_DOMAIN_OP_NONE
        && status.last_op == XF_DOMAIN_OP_RECEIVE && status.error) {
        char *why = xstrdup(status.error);

        if (drop(m, d, now_ms)) {
            refuse(m, why);
        }
        move_say_error(m, why);
    }
}

static void
step(struct join *j, struct move *m, long long int now_ms)
{
    enum xf_move_phase phase = move_phase(j, m);
    struct xf_domain *d = move_domain(j, m);

    if (m->machine) {
        prepare(j, m, now_ms);
    } else if (d && phase == XF_MOVE_NONE) {
        step_failed(m, d, now_ms);
    } else if (phase == XF_MOVE_PREPARING || phase == XF_MOVE_WAITING) {
        if (!m->channel) {
            drop(m, d, now_ms);         /* The source begins anew. */
        } else if (phase == XF_MOVE_WAITING && !m->said_ready) {
            become_ready(j, m, d, now_ms);
        } else if (phase == XF_MOVE_WAITING) {
            hold(j, m, now_ms);
        }
    } else if (phase == XF_MOVE_RECEIVED) {
        hold(j, m, now_ms);
        step_received(j, m, d, now_ms);
    } else if (phase == XF_MOVE_TAKEN) {
        step_taken(j, m, d, now_ms);
    }
}

static void
step_undoing(struct join *j, struct move *m, long long int now_ms)
{
    struct xf_domain *d = move_domain(j, m);

    if (move_phase(j, m) == XF_MOVE_TAKEN) {
        step_taken(j, m, d, now_ms);
    } else if (is_adopting(d)) {
        /* It may run already. */
    } else if (d) {
        /* Whatever the source has promised: it's refused now. */
        if (drop(m, d, now_ms)) {
            refuse(m, "the migration is undone");
        }
    } else if (end_hold(j, m, now_ms)) {
        json_destroy(m->machine);
        m->machine = NULL;
        move_say_stage(m, "undone");
    }
}

void
destination_step(struct join *j, struct move *m, long long int now_ms)
{
    if (is_stage(move_row(j, m), "undoing")) {
        step_undoing(j, m, now_ms);
    } else {
        step(j, m, now_ms);
    }
}

void
destination_wait(const struct join *j, const struct move *m)
{
    if (m->channel) {
        channel_wait(m->channel, !m->pending);
    }
    if (m->pending && move_phase(j, m) == XF_MOVE_WAITING) {
        xf_domain_write_wait(move_domain(j, m));
    }
}
