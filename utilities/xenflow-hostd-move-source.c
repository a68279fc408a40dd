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

/* Machines that move away.  See xenflow-hostd-move.h.
 *
 * Nothing is remembered of what was done but by the domain's phase: what is to
 * be done next follows from that, from the stage, and from what the other side
 * has said on this connection. */

#include <config.h>

#include "xenflow-hostd-move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "util.h"
#include "uuid.h"
#include "xenflow/frame.h"

VLOG_DEFINE_THIS_MODULE(xf_move_source);

#define RETRY_MS 250
#define PIECE_SIZE 32768
#define PIECES_PER_RUN 32
#define RATE_MAX_MBPS 1000000
#define TRANSFER "xenflow/transfer-begin"

static struct xf_domain_status
domain_status(const struct xf_domain *d)
{
    struct xf_domain_status status = { .state = XF_DOMAIN_ABSENT };

    if (d) {
        xf_domain_get_status(d, &status);
    }
    return status;
}

/* ---- Connecting. ---- */

/* What this host has of the machine. */
static const char *
what_we_have(const struct join *j, const struct move *m)
{
    return (move_phase(j, m) == XF_MOVE_GIVEN ? "given"
            : move_domain(j, m) ? "machine" : "nothing");
}

static void
say_hello(struct join *j, struct move *m)
{
    struct json *json = json_object_create();

    m->have = what_we_have(j, m);
    json_object_put_string(json, "say", "hello");
    json_object_put_string(json, "from", j->name);
    json_object_put_string(json, "have", m->have);
    json_object_put_format(json, "router", UUID_FMT, UUID_ARGS(&m->router));
    json_object_put_format(json, "migration", UUID_FMT,
                           UUID_ARGS(&m->migration));
    channel_send_word(m->channel, json);
    json_destroy(json);
    m->said_hello = true;
    m->n_bytes = 0;
}

/* What the other side has to prepare. */
static void
describe(struct join *j, struct move *m)
{
    const struct join_router *r = join_router_find(j, &m->router);
    const struct xf_domain *d = move_domain(j, m);
    struct json *json = json_object_create();
    struct xf_move_machine machine;

    xf_domain_get_machine(d, &machine);
    json_object_put_string(json, "say", "machine");
    json_object_put(json, "config",
                    xf_domain_config_to_json(xf_domain_get_config(d)));
    json_object_put(json, "kvm", json_boolean_create(machine.kvm));
    json_object_put_string(json, "memory", machine.memory_id);
    json_object_put(json, "boot", json_integer_create(r->boot));
    channel_send_word(m->channel, json);
    json_destroy(json);
}

static void
connect_(struct join *j, struct move *m, long long int now_ms)
{
    const struct xfrec_migration *row = move_row(j, m);
    const struct xfrec_host *peer = row->destination;
    char *name;
    int error;

    if (m->channel || now_ms < m->retry_ms || !peer) {
        return;
    }
    m->retry_ms = now_ms + RETRY_MS;
    if (!peer->n_addresses) {
        move_say_error(m, xasprintf(
            "host %s has no address to be reached by: xfctl host-set %s "
            "addresses=ADDRESS", m->peer, m->peer));
        return;
    }
    name = join_move_address(j, peer->addresses[m->address++
                                                % peer->n_addresses], false);
    error = channel_open(name, m->peer, now_ms, &m->channel);
    if (error) {
        m->channel = NULL;
        VLOG_INFO("%s: %s: can't connect (%s)", m->name, name,
                  ovs_strerror(error));
    } else {
        say_hello(j, m);
        if (!strcmp(m->have, "machine")) {
            describe(j, m);
        }
    }
    free(name);
}

/* ---- What the other side says. ---- */

static void
take_refusal(struct join *j, struct move *m, const char *why,
             long long int now_ms)
{
    enum xf_move_phase phase = move_phase(j, m);
    char *error = xasprintf("host %s can't take it: %.1000s", m->peer, why);

    if (phase >= XF_MOVE_SENDING && phase <= XF_MOVE_GIVEN) {
        char *wrong = xf_domain_take_back(move_domain(j, m), error, now_ms);

        if (wrong) {
            free(error);
            error = wrong;
        }
    } else if (!move_domain(j, m)) {
        struct join_router *r = join_router_find(j, &m->router);

        m->is_resolved = true;
        if (r) {
            join_router_dirty(j, r);
        }
    }
    move_say_error(m, error);
}

static void
take_word(struct join *j, struct move *m, const struct json *json,
          long long int now_ms)
{
    const char *word = move_word(json, "say");

    VLOG_DBG("%s: from %s: %s", m->name, m->peer, word);
    if (!strcmp(word, "ready")) {
        m->is_ready = true;
        move_say_error(m, NULL);
        m->shares = !strcmp(move_word(json, "shares"), "yes");
    } else if (!strcmp(word, "received")) {
        m->is_received = true;
    } else if (!strcmp(word, "runs")) {
        enum xf_move_phase phase = move_phase(j, m);

        if (phase == XF_MOVE_GIVEN || !move_domain(j, m)) {
            m->peer_runs = true;
            if (m->halted_ms && m->suspended_ms < 0) {
                m->suspended_ms = now_ms - m->halted_ms;
            }
        } else {
            move_say_error(m, xasprintf(
                "host %s says that it runs there, too: stop one of them with "
                "ovs-appctl -t xenflow-hostd domain/stop %s", m->peer,
                m->name));
        }
    } else if (!strcmp(word, "refused")) {
        take_refusal(j, m, move_word(json, "why"), now_ms);
    }
}

void
source_listen(struct join *j, struct move *m, long long int now_ms)
{
    char *error = channel_run(m->channel, now_ms);
    struct xf_frame frame;

    while (!error && m->channel
           && channel_recv(m->channel, now_ms, &frame, &error)) {
        if (frame.kind == XF_FRAME_JSON) {
            take_word(j, m, frame.json, now_ms);
        } else {
            error = xstrdup("it sends memory, which goes the other way");
        }
        xf_frame_uninit(&frame);
    }
    if (error) {
        move_disconnect(m, error);
        m->retry_ms = now_ms + RETRY_MS;
        free(error);
    } else if (m->channel && strcmp(m->have, what_we_have(j, m))
               && strcmp(m->have, "machine")) {
        move_disconnect(m, NULL);       /* It has another question. */
    }
}

/* ---- Sending. ---- */

/* Carries memory to the other side. */
static void
pump(struct move *m, struct xf_domain *d)
{
    uint8_t piece[PIECE_SIZE];

    for (int i = 0; i < PIECES_PER_RUN && channel_has_room(m->channel)
         && !m->was_sent; i++) {
        int n = xf_domain_read(d, piece, sizeof piece);

        if (n == -EAGAIN) {
            break;
        } else if (n > 0) {
            channel_send_memory(m->channel, piece, n);
            m->n_bytes += n;
        } else {
            /* An error is the domain's to tell. */
            channel_send_end(m->channel);
            m->was_sent = true;
        }
    }
    m->reads = !m->was_sent && channel_has_room(m->channel);
}

/* The switch is told before the machine stands still. */
static void
halt(struct join *j, struct move *m, struct xf_domain *d,
     long long int now_ms)
{
    if (move_is_separated(j, m) && !m->transfers) {
        if (move_is_held(j, "transfer")) {
            return;
        }
        m->transfers = true;
        m->back_asked = m->keeps = false;
        m->look_ms = 0;
        move_ask_keep(j, m, TRANSFER, now_ms);
    }
    if (move_ask_run(j, m, now_ms) && !move_is_held(j, "halt")) {
        char *error = xf_domain_halt(d, now_ms);

        m->halted_ms = now_ms;
        free(error);
    }
}

static unsigned long long int
rate_bps(const struct join *j)
{
    int mbps = smap_get_int(&j->me->other_config, "move-rate", 0);

    return mbps > 0 && mbps <= RATE_MAX_MBPS ? mbps * 1000000ULL / 8 : 0;
}

static void
begin(struct join *j, struct move *m, struct xf_domain *d,
      long long int now_ms)
{
    const struct xf_move_settings settings = {
        .migration = m->migration,
        .shares_memory = m->shares,
        .rate_bps = rate_bps(j),
    };
    char *error = xf_domain_send(d, &settings, now_ms);

    m->halted_ms = 0;
    m->suspended_ms = -1;
    m->begun = true;
    if (error) {
        move_say_error(m, error);
    }
}

/* The promise, then the word. */
static void
give(struct join *j, struct move *m, struct xf_domain *d,
     long long int now_ms)
{
    if (move_phase(j, m) == XF_MOVE_SENT && m->is_received
        && !move_is_held(j, "give")) {
        char *error = xf_domain_give(d, now_ms);

        if (error) {
            free(xf_domain_take_back(d, error, now_ms));
            free(error);
        }
    }
    if (move_phase(j, m) == XF_MOVE_GIVEN && m->channel && !m->said_yours
        && !strcmp(m->have, "machine") && !move_is_held(j, "yours")) {
        struct json *json = json_object_create();

        json_object_put_string(json, "say", "yours");
        json_object_put(json, "suspended_ms", json_integer_create(
            m->halted_ms ? now_ms - m->halted_ms : -1));
        channel_send_word(m->channel, json);
        json_destroy(json);
        m->said_yours = true;
    }
}

/* ---- Stages. ---- */

/* The other side has it: what is here goes. */
static void
part(struct join *j, struct move *m, long long int now_ms)
{
    struct xf_domain *d = move_domain(j, m);

    if (d && !move_is_held(j, "forget")) {
        char *error = xf_domain_drop(d, now_ms);

        if (error) {
            move_say_error(m, error);
        }
    } else if (!d) {
        if (m->channel && !m->said_gone) {
            struct json *json = json_object_create();

            json_object_put_string(json, "say", "gone");
            json_object_put(json, "suspended_ms",
                            json_integer_create(m->suspended_ms));
            channel_send_word(m->channel, json);
            json_destroy(json);
            m->said_gone = true;
        }
        move_say_error(m, NULL);
        move_say_stage(m, "moving");
    }
}

/* In the middle of it: connected, and not given yet. */
static void
send_(struct join *j, struct move *m, struct xf_domain *d,
      long long int now_ms)
{
    enum xf_move_phase phase = move_phase(j, m);

    if (!m->channel || !m->is_ready) {
        char *error = xf_domain_take_back(
            d, "the connection to the other host broke", now_ms);

        free(error);
        return;
    }
    if (phase == XF_MOVE_READY) {
        halt(j, m, d, now_ms);
    }
    pump(m, d);
    if (phase == XF_MOVE_SENT && m->was_sent) {
        give(j, m, d, now_ms);
    }
}

/* Returns true if the switch gives the machine its frames again: a
 * predecessor of this process, too, may have told it to transfer them. */
static bool
end_transfer(struct join *j, struct move *m, long long int now_ms)
{
    if (!m->back_asked && move_is_separated(j, m)) {
        move_ask(j, m, "xenflow/transfer-end", now_ms);
        m->transfers = m->keeps = false;
    }
    m->back_asked = true;
    return move_ask_run(j, m, now_ms);
}

static void
step_moving(struct join *j, struct move *m, struct xf_domain *d,
            long long int now_ms)
{
    struct xf_domain_status status = domain_status(d);
    enum xf_move_phase phase = move_phase(j, m);

    if (m->peer_runs) {
        part(j, m, now_ms);
    } else if (phase == XF_MOVE_GIVEN || !d) {
        connect_(j, m, now_ms);
        give(j, m, d, now_ms);
    } else if (phase != XF_MOVE_NONE) {
        if (status.op == XF_DOMAIN_OP_SEND && phase < XF_MOVE_GIVEN) {
            send_(j, m, d, now_ms);
        }
    } else if (m->begun && status.last_op == XF_DOMAIN_OP_SEND
               && status.error) {
        move_say_error(m, xstrdup(status.error));
        end_transfer(j, m, now_ms);
    } else if (m->error || status.op != XF_DOMAIN_OP_NONE) {
        /* Until it is undone. */
    } else if (status.state != XF_DOMAIN_RUNNING) {
        move_say_error(m, xasprintf("its machine is %s, not running",
                                    xf_domain_state_to_string(status.state)));
    } else {
        connect_(j, m, now_ms);
        if (end_transfer(j, m, now_ms) && m->is_ready
            && !move_is_held(j, "send")) {
            begin(j, m, d, now_ms);
        }
    }
}

static void
step_undoing(struct join *j, struct move *m, struct xf_domain *d,
             long long int now_ms)
{
    const struct xfrec_migration *row = move_row(j, m);
    struct xf_domain_status status = domain_status(d);
    enum xf_move_phase phase = move_phase(j, m);

    if (m->peer_runs) {
        part(j, m, now_ms);
    } else if (phase == XF_MOVE_GIVEN || (!d && !m->is_resolved)) {
        connect_(j, m, now_ms);
        give(j, m, d, now_ms);
    } else if (phase != XF_MOVE_NONE) {
        if (status.op == XF_DOMAIN_OP_SEND) {
            free(xf_domain_take_back(d, "the migration is undone", now_ms));
        }
    } else if (status.op == XF_DOMAIN_OP_NONE
               && (status.state == XF_DOMAIN_RUNNING
                   || strcmp(row->router->state, "running"))
               && end_transfer(j, m, now_ms)) {
        move_disconnect(m, "the migration is undone");
        move_say_stage(m, "undone");
    }
}

static void
step_prewire(struct join *j, struct move *m, struct xf_domain *d,
             long long int now_ms)
{
    struct xf_domain_status status = domain_status(d);

    move_say_stage(m, "prewire");
    if (strcmp(move_row(j, m)->router->state, "running")) {
        /* One that crashed may come back; this one won't. */
        move_say_error(m, xasprintf(
            "its machine is to be %s, and one that stands still moves with "
            "xfctl router-set %s host=HOST", move_row(j, m)->router->state,
            m->name));
    }
    if (move_phase(j, m) == XF_MOVE_GIVEN) {
        connect_(j, m, now_ms);
    } else if (d && status.state == XF_DOMAIN_RUNNING
               && status.op == XF_DOMAIN_OP_NONE) {
        connect_(j, m, now_ms);
    } else if (m->channel) {
        move_disconnect(m, "its machine doesn't run");
    }
}

/* Whether the machine stands still, or has left: the switch transfers what is
 * for it.  A predecessor of this process may have begun with that. */
static bool
is_leaving(const struct join *j, const struct move *m)
{
    const struct xfrec_migration *row = move_row(j, m);
    enum xf_move_phase phase = move_phase(j, m);

    return (move_is_separated(j, m)
            && (phase == XF_MOVE_GIVEN
                || (m->transfers && phase != XF_MOVE_NONE)
                || (!move_domain(j, m) && strcmp(row->stage, "prewire")
                    && strcmp(row->stage, "undoing"))));
}

void
source_step(struct join *j, struct move *m, long long int now_ms)
{
    const struct xfrec_migration *row = move_row(j, m);
    struct xf_domain *d = move_domain(j, m);

    if (is_leaving(j, m)) {
        move_ask_keep(j, m, TRANSFER, now_ms);
    }
    m->reads = false;
    if (d) {
        struct xf_move_status status;

        xf_domain_get_move(d, &status);
        m->progress = status.phase ? status.progress : 0;
    }
    if (!strcmp(row->stage, "prewire")) {
        step_prewire(j, m, d, now_ms);
    } else if (!strcmp(row->stage, "undoing")) {
        step_undoing(j, m, d, now_ms);
    } else {
        step_moving(j, m, d, now_ms);
    }
}

void
source_wait(const struct join *j, const struct move *m)
{
    const struct xf_domain *d = move_domain(j, m);

    if (m->channel) {
        channel_wait(m->channel, true);
        if (d && m->reads) {
            xf_domain_read_wait(d);
        }
    }
}
