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

/* Machines that move: rows, listener, Migration_State.  See
 * xenflow-hostd-move.h. */

#include <config.h>

#include "xenflow-hostd-move.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "unixctl.h"
#include "util.h"
#include "uuid.h"
#include "xenflow/frame.h"

VLOG_DEFINE_THIS_MODULE(xf_join_move);

#define HELLOS_MAX 16
#define HELLO_MS 3000           /* From accept to hello. */
#define LISTEN_AGAIN_MS 1000
#define PROGRESS_MS 250         /* Between two rows that say only that. */

/* A connection that hasn't said hello. */
struct hello {
    struct channel *channel;
    long long int deadline_ms;
};

struct join_moves {
    struct hmap moves;          /* struct move. */
    char *listens;              /* Names of 'listeners', or NULL. */
    struct pstream **listeners; /* NULL: it can't be listened there. */
    size_t n_listeners;
    long long int listen_ms;    /* When to try again; 0: all are there. */
    struct hello hellos[HELLOS_MAX];    /* The oldest first. */
    size_t n_hellos;
    struct sset held;           /* Steps, see move_is_held(). */
    const char *held_at;        /* The last that was held, or NULL. */
};

struct join_moves *
join_moves_create(void)
{
    struct join_moves *moves = xzalloc(sizeof *moves);

    hmap_init(&moves->moves);
    sset_init(&moves->held);
    return moves;
}

void
join_moves_monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &xfrec_migration_col_router, &xfrec_migration_col_source,
        &xfrec_migration_col_destination, &xfrec_migration_col_technique,
        &xfrec_migration_col_stage,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
    for (size_t i = 0; i < XFREC_MIGRATION_STATE_N_COLUMNS; i++) {
        ovsdb_idl_add_column(idl, &xfrec_migration_state_columns[i]);
    }
}

/* ---- One move. ---- */

static struct move *
find(const struct join *j, const struct uuid *router)
{
    struct move *m;

    HMAP_FOR_EACH_WITH_HASH (m, node, uuid_hash(router), &j->moves->moves) {
        if (uuid_equals(&m->router, router)) {
            return m;
        }
    }
    return NULL;
}

const struct xfrec_migration *
move_row(const struct join *j, const struct move *m)
{
    return xfrec_migration_get_for_uuid(j->xf.idl, &m->migration);
}

struct xf_domain *
move_domain(const struct join *j, const struct move *m)
{
    const struct join_router *r = join_router_find(j, &m->router);

    return r ? join_router_domain(j, r) : NULL;
}

enum xf_move_phase
move_phase(const struct join *j, const struct move *m)
{
    struct xf_domain *d = move_domain(j, m);
    struct xf_move_status status = { .phase = XF_MOVE_NONE };

    if (d) {
        xf_domain_get_move(d, &status);
    }
    return status.phase;
}

void
move_disconnect(struct move *m, const char *why)
{
    if (m->channel) {
        VLOG_INFO("%s: the connection to host %s is over%s%s", m->name,
                  m->peer, why ? ": " : "", why ? why : "");
        channel_close(m->channel);
        m->channel = NULL;
    }
    if (m->pending) {
        xf_frame_uninit(m->pending);
        free(m->pending);
        m->pending = NULL;
    }
    json_destroy(m->machine);
    m->machine = NULL;
    m->said_hello = m->is_ready = m->was_sent = m->is_received = false;
    m->said_yours = m->ends = m->said_ready = m->said_received = false;
    m->said_runs = m->said_refused = false;
}

static void
move_free(struct join *j, struct move *m)
{
    move_disconnect(m, NULL);
    join_ask_close(&m->ask);
    hmap_remove(&j->moves->moves, &m->node);
    free(m->name);
    free(m->peer);
    free(m->error);
    free(m);
}

static void
close_listeners(struct join_moves *moves)
{
    for (size_t i = 0; i < moves->n_listeners; i++) {
        pstream_close(moves->listeners[i]);
    }
    free(moves->listeners);
    free(moves->listens);
    moves->n_listeners = 0;
    moves->listeners = NULL;
    moves->listens = NULL;
}

void
join_moves_clear(struct join *j)
{
    struct join_moves *moves = j->moves;
    struct move *m;

    HMAP_FOR_EACH_SAFE (m, node, &moves->moves) {
        move_free(j, m);
    }
    for (size_t i = 0; i < moves->n_hellos; i++) {
        channel_close(moves->hellos[i].channel);
    }
    moves->n_hellos = 0;
    close_listeners(moves);
}

void
join_moves_destroy(struct join_moves *moves)
{
    hmap_destroy(&moves->moves);
    sset_destroy(&moves->held);
    free(moves);
}

/* ---- What is said. ---- */

void
move_say_stage(struct move *m, const char *stage)
{
    if (!m->stage || strcmp(m->stage, stage)) {
        VLOG_INFO("%s: move: this host has reached '%s'", m->name, stage);
        m->stage = stage;
        m->unwritten = true;
    }
}

void
move_say_error(struct move *m, char *error)
{
    if (!nullable_string_is_equal(m->error, error)) {
        if (error) {
            VLOG_WARN("%s: move: %s", m->name, error);
        }
        m->unwritten = true;
        if (!m->stage) {
            m->stage = "planned";       /* So there is a row to say it. */
        }
    }
    free(m->error);
    m->error = error;
}

void
move_send(struct move *m, const char *word)
{
    if (m->channel) {
        struct json *json = json_object_create();

        VLOG_DBG("%s: to %s: %s", m->name, m->peer, word);
        json_object_put_string(json, "say", word);
        channel_send_word(m->channel, json);
        json_destroy(json);
    }
}

/* ---- Holding moves up, in tests. ---- */

bool
move_is_held(const struct join *j, const char *step)
{
    if (!sset_contains(&j->moves->held, step)) {
        return false;
    }
    j->moves->held_at = step;
    return true;
}

/* Command move/hold [STEP...]. */
static void
cmd_hold(struct unixctl_conn *conn, int argc, const char *argv[],
         void *moves_)
{
    struct join_moves *moves = moves_;

    sset_clear(&moves->held);
    moves->held_at = NULL;
    for (int i = 1; i < argc; i++) {
        sset_add(&moves->held, argv[i]);
    }
    poll_immediate_wake();
    unixctl_command_reply(conn, NULL);
}

void
join_moves_register(struct join_moves *moves)
{
    unixctl_command_register("move/hold", "[STEP...]", 0, 16, cmd_hold,
                             moves);
}

/* Appends what join/show says of moves. */
void
join_moves_format(const struct join *j, struct svec *lines)
{
    const struct move *m;

    HMAP_FOR_EACH (m, node, &j->moves->moves) {
        const struct xfrec_migration *row = move_row(j, m);

        svec_add_nocopy(lines, xasprintf(
            "router %s moves %s host %s: stage %s, machine %s, %s%s%s%s%s",
            m->name, m->is_source ? "to" : "from", m->peer,
            row ? row->stage : "?",
            xf_move_phase_to_string(move_phase(j, m)),
            m->channel ? "connected" : "not connected",
            j->moves->held_at ? ", held before " : "",
            j->moves->held_at ? j->moves->held_at : "",
            m->error ? ": " : "", m->error ? m->error : ""));
    }
}

/* ---- Rows. ---- */

static bool
is_live(const char *stage)
{
    return (strcmp(stage, "done") && strcmp(stage, "failed")
            && strcmp(stage, "undone"));
}

static bool
is_one_of(const char *stage, const char *a, const char *b, const char *c)
{
    return !strcmp(stage, a) || !strcmp(stage, b) || !strcmp(stage, c);
}

static void
take_row(struct join *j, const struct xfrec_migration *row)
{
    bool is_source = row->source == j->me;
    const struct xfrec_host *peer = is_source ? row->destination : row->source;
    const struct uuid *router = &row->router->header_.uuid;
    struct join_router *r = join_router_find(j, router);
    struct move *m = find(j, router);

    if (m && (!uuid_equals(&m->migration, &row->header_.uuid)
              || m->is_source != is_source || !peer
              || strcmp(m->peer, peer->name))) {
        move_free(j, m);
        m = NULL;
    }
    if (!m && peer && peer != j->me) {
        m = xzalloc(sizeof *m);
        m->router = *router;
        m->migration = row->header_.uuid;
        m->name = xstrdup(row->router->name);
        m->peer = xstrdup(peer->name);
        m->is_source = is_source;
        m->suspended_ms = -1;
        hmap_insert(&j->moves->moves, &m->node, uuid_hash(router));
    }
    if (m) {
        m->present = true;
        r = r ? r : join_router_add(j, router);
        join_router_dirty(j, r);
        join_router_unwritten(j, r);
    }
}

void
join_moves_update(struct join *j)
{
    const struct xfrec_migration *row;
    struct move *m;

    HMAP_FOR_EACH (m, node, &j->moves->moves) {
        m->present = false;
    }
    if (j->me) {
        XFREC_MIGRATION_FOR_EACH (row, j->xf.idl) {
            if (row->router && is_live(row->stage)
                && row->router->migration == row
                && (row->source == j->me || row->destination == j->me)) {
                take_row(j, row);
            }
        }
    }
    HMAP_FOR_EACH_SAFE (m, node, &j->moves->moves) {
        if (!m->present) {
            struct xf_domain *d = move_domain(j, m);
            struct join_router *r = join_router_find(j, &m->router);

            if (d) {
                xf_domain_settle(d);
            }
            if (r) {
                join_router_dirty(j, r);
            }
            move_free(j, m);
        }
    }
}

bool
join_moves_has(const struct join *j, const struct uuid *router)
{
    return find(j, router) != NULL;
}

bool
join_moves_owns(const struct join *j, const struct uuid *router)
{
    const struct xfrec_router *row = join_router_any_row(j, router);
    const struct move *m = find(j, router);
    const struct xfrec_migration *migration = m ? move_row(j, m) : NULL;
    enum xf_move_phase phase = m ? move_phase(j, m) : XF_MOVE_NONE;

    if (!migration) {
        return false;
    } else if (phase != XF_MOVE_NONE && phase != XF_MOVE_TAKEN) {
        return true;
    } else if (!m->is_source) {
        return is_one_of(migration->stage, "prewire", "moving", "undoing");
    } else if (!strcmp(migration->stage, "undoing")) {
        return !m->is_resolved && !move_domain(j, m);
    } else if (!strcmp(migration->stage, "moving")) {
        return true;
    }
    /* It's the other host's for good. */
    return (row && (row->destination == j->me || row->host == j->me)
            && is_one_of(migration->stage, "flipping", "draining",
                         "draining"));
}

bool
join_moves_leaves(const struct join *j, const struct uuid *router)
{
    const struct move *m = find(j, router);

    return m && m->is_source && join_moves_owns(j, router);
}

bool
join_moves_is_here(const struct join *j, const struct uuid *router)
{
    const struct xfrec_router *row = join_router_any_row(j, router);

    return row && j->me && row->destination == j->me && find(j, router);
}

/* ---- Connections. ---- */

static bool
uses_tls(const struct join *j)
{
    return !strncmp(j->remote, "ssl:", 4);
}

char *
join_move_address(const struct join *j, const char *address, bool listens)
{
    bool is_v6 = strchr(address, ':') != NULL && address[0] != '[';
    const char *open = is_v6 ? "[" : "", *close = is_v6 ? "]" : "";
    const char *kind = uses_tls(j) ? "ssl" : "tcp";

    return (listens
            ? xasprintf("p%s:%d:%s%s%s", kind, XF_MOVE_PORT, open, address,
                        close)
            : xasprintf("%s:%s%s%s:%d", kind, open, address, close,
                        XF_MOVE_PORT));
}

/* Opens those listeners that aren't open. */
static void
open_listeners(struct join_moves *moves, const struct svec *names,
               long long int now_ms)
{
    moves->listen_ms = 0;
    for (size_t i = 0; i < names->n; i++) {
        int error = (moves->listeners[i] ? 0
                     : pstream_open(names->names[i], &moves->listeners[i],
                                    0));

        if (error) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

            VLOG_INFO_RL(&rl, "%s: can't listen for machines that move (%s)",
                         names->names[i], ovs_strerror(error));
            moves->listeners[i] = NULL;
            moves->listen_ms = now_ms + LISTEN_AGAIN_MS;
        }
    }
}

static void
listen_run(struct join *j, long long int now_ms)
{
    struct join_moves *moves = j->moves;
    struct svec names = SVEC_EMPTY_INITIALIZER;
    char *text;

    for (size_t i = 0; i < j->me->n_addresses; i++) {
        svec_add_nocopy(&names, join_move_address(j, j->me->addresses[i],
                                                  true));
    }
    text = svec_join(&names, " ", "");
    if (!nullable_string_is_equal(text, moves->listens)) {
        close_listeners(moves);
        moves->listens = xstrdup(text);
        moves->listeners = xcalloc(names.n, sizeof *moves->listeners);
        moves->n_listeners = names.n;
        open_listeners(moves, &names, now_ms);
    } else if (moves->listen_ms && now_ms >= moves->listen_ms) {
        open_listeners(moves, &names, now_ms);
    }
    free(text);
    svec_destroy(&names);
}

static void
accept_run(struct join *j, long long int now_ms)
{
    struct join_moves *moves = j->moves;

    for (size_t i = 0; i < moves->n_listeners; i++) {
        struct stream *stream;

        if (!moves->listeners[i]
            || pstream_accept(moves->listeners[i], &stream)) {
            continue;
        }
        if (moves->n_hellos >= HELLOS_MAX) {
            /* One of a host says hello at once. */
            channel_close(moves->hellos[0].channel);
            memmove(moves->hellos, moves->hellos + 1,
                    --moves->n_hellos * sizeof *moves->hellos);
        }
        moves->hellos[moves->n_hellos++] = (struct hello) {
            .channel = channel_accept(stream, now_ms),
            .deadline_ms = now_ms + HELLO_MS,
        };
    }
}

/* Whose hello that is; NULL and '*errorp': nobody's. */
static struct move *
hello_for(struct join *j, const struct channel *channel,
          const struct json *hello, char **errorp)
{
    const char *from = move_word(hello, "from");
    const char *peer = channel_peer(channel);
    struct uuid router, migration;
    struct move *m;

    *errorp = NULL;
    if (strcmp(move_word(hello, "say"), "hello")
        || !uuid_from_string(&router, move_word(hello, "router"))
        || !uuid_from_string(&migration, move_word(hello, "migration"))) {
        *errorp = xstrdup("it doesn't begin with hello");
        return NULL;
    }
    m = find(j, &router);
    if (!m || m->is_source || !uuid_equals(&m->migration, &migration)) {
        *errorp = xasprintf("the database knows of no migration "UUID_FMT
                            " of router "UUID_FMT" to this host",
                            UUID_ARGS(&migration), UUID_ARGS(&router));
    } else if (strcmp(m->peer, from)) {
        *errorp = xasprintf("it says that it's host '%.63s': router %s moves "
                            "from %s", from, m->name, m->peer);
    } else if (uses_tls(j) && (!peer || strcmp(peer, from))) {
        *errorp = xasprintf("it says that it's host '%.63s', its certificate "
                            "is that of '%s'", from, peer ? peer : "");
    }
    return *errorp ? NULL : m;
}

/* Carries a connection on that hasn't said hello.  Returns true if it's
 * over, or another's now. */
static bool
hello_run(struct join *j, const struct hello *hello, long long int now_ms)
{
    struct channel *channel = hello->channel;
    char *error = channel_run(channel, now_ms);
    struct move *m = NULL;
    struct xf_frame frame;

    if (!error && channel_recv(channel, now_ms, &frame, &error)) {
        if (frame.kind != XF_FRAME_JSON) {
            error = xstrdup("it doesn't begin with hello");
        } else {
            m = hello_for(j, channel, frame.json, &error);
        }
        if (m) {
            channel_trust(channel);
            destination_hello(j, m, channel, frame.json, now_ms);
        }
        xf_frame_uninit(&frame);
    } else if (!error && now_ms >= hello->deadline_ms) {
        error = xstrdup("it doesn't say hello");
    }
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        VLOG_WARN_RL(&rl, "a connection for a machine that moves is refused: "
                     "%s", error);
        free(error);
        channel_close(channel);
        return true;
    }
    return m != NULL;
}

/* ---- The loop. ---- */

/* A router without a machine. */
static void
step_nothing(struct move *m, const char *stage)
{
    move_say_stage(m, !strcmp(stage, "undoing") ? "undone"
                   : !strcmp(stage, "prewire") ? "prewire" : "moving");
}

static void
move_run(struct join *j, struct move *m, long long int now_ms)
{
    const struct xfrec_migration *row = move_row(j, m);

    /* A time that nobody acts on is over for ever: who waits for it turns. */
    m->retry_ms = now_ms < m->retry_ms ? m->retry_ms : 0;
    m->look_ms = now_ms < m->look_ms ? m->look_ms : 0;
    if (m->channel) {           /* Likewise, what nobody reads. */
        (m->is_source ? source_listen : destination_listen)(j, m, now_ms);
    }
    if (!strcmp(row->stage, "planned") || !row->router) {
        /* Later. */
    } else if (!strcmp(row->router->backend, "none")) {
        step_nothing(m, row->stage);
    } else {
        (m->is_source ? source_step : destination_step)(j, m, now_ms);
    }
    if (m->channel) {
        char *error = channel_run(m->channel, now_ms);  /* Sends. */

        if (error) {
            move_disconnect(m, error);
            free(error);
            poll_immediate_wake();
        }
    }
}

void
join_moves_run(struct join *j, long long int now_ms)
{
    struct join_moves *moves = j->moves;
    struct move *m;
    size_t n = 0;

    listen_run(j, now_ms);
    accept_run(j, now_ms);
    for (size_t i = 0; i < moves->n_hellos; i++) {
        if (!hello_run(j, &moves->hellos[i], now_ms)) {
            moves->hellos[n++] = moves->hellos[i];
        }
    }
    moves->n_hellos = n;
    HMAP_FOR_EACH (m, node, &moves->moves) {
        /* Its answer is waited for, whatever comes in between. */
        move_ask_run(j, m, now_ms);
        if (!move_row(j, m)) {
            continue;
        }
        move_run(j, m, now_ms);
        if (m->unwritten && m->stage) {
            struct join_router *r = join_router_find(j, &m->router);

            if (r) {
                join_router_unwritten(j, r);
                join_router_dirty(j, r);
            }
        }
    }
}

void
join_moves_wait(const struct join *j)
{
    const struct join_moves *moves = j->moves;
    const struct move *m;

    for (size_t i = 0; i < moves->n_listeners; i++) {
        if (moves->listeners[i]) {
            pstream_wait(moves->listeners[i]);
        }
    }
    if (moves->listen_ms) {
        poll_timer_wait_until(moves->listen_ms);
    }
    for (size_t i = 0; i < moves->n_hellos; i++) {
        channel_wait(moves->hellos[i].channel, true);
        poll_timer_wait_until(moves->hellos[i].deadline_ms);
    }
    HMAP_FOR_EACH (m, node, &moves->moves) {
        join_ask_wait(&m->ask);
        if (m->retry_ms) {
            poll_timer_wait_until(m->retry_ms);
        }
        if (m->look_ms) {
            poll_timer_wait_until(m->look_ms);
        }
        (m->is_source ? source_wait : destination_wait)(j, m);
    }
}

/* ---- Migration_State. ---- */

static const struct xfrec_migration_state *
find_state(const struct join *j, const struct uuid *migration)
{
    const struct xfrec_migration_state *state;

    XFREC_MIGRATION_STATE_FOR_EACH (state, j->xf.idl) {
        if (uuid_equals(&state->migration, migration)
            && !strcmp(state->host, j->name)) {
            return state;
        }
    }
    return NULL;
}

/* Whether there is a row of 'm'. */
bool
move_is_said(const struct join *j, const struct move *m)
{
    return find_state(j, &m->migration) != NULL;
}

/* Whether a row is of a migration that is over. */
static bool
is_old(const struct join *j, const struct xfrec_migration_state *state)
{
    const struct xfrec_migration *row = xfrec_migration_get_for_uuid(
        j->xf.idl, &state->migration);

    return !row || !is_live(row->stage);
}

bool
join_moves_is_due(const struct join *j, long long int now_ms)
{
    const struct xfrec_migration_state *state;
    const struct move *m;

    HMAP_FOR_EACH (m, node, &j->moves->moves) {
        if (m->stage && (m->unwritten
                         || (m->progress && now_ms >= m->written_ms
                             + PROGRESS_MS && m->progress
                             != m->written_progress))) {
            return true;
        }
    }
    XFREC_MIGRATION_STATE_FOR_EACH (state, j->xf.idl) {
        if (is_old(j, state)) {
            return true;
        }
    }
    return false;
}

static void
write_move(struct join *j, struct move *m, long long int now_ms)
{
    const struct xfrec_migration_state *state = find_state(j, &m->migration);
    int64_t suspended_ms = m->suspended_ms;
    int64_t memory_kb = DIV_ROUND_UP(m->n_bytes, 1024);

    if (!state) {
        struct xfrec_migration_state *new;

        new = xfrec_migration_state_insert(j->xf.txn);
        xfrec_migration_state_set_host(new, j->name);
        xfrec_migration_state_set_migration(new, m->migration);
        state = new;
    }
    xfrec_migration_state_set_stage(state, m->stage);
    xfrec_migration_state_set_progress(state, m->progress);
    xfrec_migration_state_set_error(state, m->error ? m->error : "");
    if (suspended_ms >= 0) {
        xfrec_migration_state_set_suspended_ms(state, &suspended_ms, 1);
        xfrec_migration_state_set_memory_kb(state, &memory_kb, 1);
    }
    m->unwritten = false;
    m->written_ms = now_ms;
    m->written_progress = m->progress;
}

void
join_moves_write(struct join *j, long long int now_ms)
{
    const struct xfrec_migration_state *state, *next;
    struct move *m;

    XFREC_MIGRATION_STATE_FOR_EACH_SAFE (state, next, j->xf.idl) {
        if (is_old(j, state)) {
            xfrec_migration_state_delete(state);
        }
    }
    HMAP_FOR_EACH (m, node, &j->moves->moves) {
        if (m->stage && (m->unwritten || m->progress != m->written_progress)) {
            write_move(j, m, now_ms);
        }
    }
}

void
join_moves_unwritten(struct join *j)
{
    struct move *m;

    HMAP_FOR_EACH (m, node, &j->moves->moves) {
        m->unwritten = m->stage != NULL;
    }
}
