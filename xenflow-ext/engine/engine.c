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

#include "engine/engine-private.h"

#include <time.h>

#include "coverage.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "seq.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_engine);

COVERAGE_DEFINE(xf_engine_round);

/* Answers given in one turn of the main loop. */
#define REPLIES_PER_TURN 64
/* No command waits longer for its acknowledgement. */
#define ACK_MAX_MS 30000

static void *engine_main(void *);
static struct xf_job *next_reply(struct xf_engine *);

/* ---- Main thread. ---- */

/* Creates the engine and starts its thread.  'sw' must outlive the engine. */
struct xf_engine *
xf_engine_create(const struct xf_switch *sw)
{
    struct xf_engine *engine = xzalloc(sizeof *engine);

    engine->sw = sw;
    engine->config_seq = seq_create();
    engine->reply_seq = seq_create();
    engine->links_seq = seq_create();
    xf_links_init(&engine->links);
    latch_init(&engine->exit_latch);
    latch_init(&engine->wake_latch);
    engine->ready = xf_ready_create();
    cmap_init(&engine->routers_by_name);
    cmap_init(&engine->routers_by_id);
    cmap_init(&engine->claims);
    cmap_init(&engine->members);
    mpsc_queue_init(&engine->news);
    atomic_count_init(&engine->n_news, 0);
    atomic_init(&engine->n_news_dropped, 0);
    atomic_init(&engine->grace_over, false);
    atomic_init(&engine->fold_grace_over, true);
    atomic_init(&engine->fib_translated, false);
    engine->next_fold_ms = LLONG_MAX;
    ovs_mutex_init(&engine->mutex);
    ovs_list_init(&engine->jobs);
    ovs_list_init(&engine->replies);
    ovs_list_init(&engine->routers);
    ovs_list_init(&engine->dying);
    ovs_list_init(&engine->waiting);
    ovs_list_init(&engine->syncing);
    ovs_list_init(&engine->writing);
    atomic_init(&engine->load, false);
    engine->started_ms = time_wall_msec();
    atomic_init(&engine->ports_changed, false);
    atomic_init(&engine->links_ports_changed, false);
    atomic_init(&engine->n_turns, 0);
    atomic_init(&engine->turn_total_ns, 0);
    atomic_init(&engine->turn_max_ns, 0);
    atomic_init(&engine->n_long_turns, 0);
    xf_commands_register(engine);
    engine->thread = ovs_thread_create("xf-engine", engine_main, engine);
    return engine;
}

/* See engine/engine.h. */
void
xf_engine_keep(struct xf_engine *engine, const char *remote)
{
    char *copy = xstrdup(remote);
    char *save = NULL;
    bool local = true;

    for (char *one = strtok_r(copy, ",", &save); one;
         one = strtok_r(NULL, ",", &save)) {
        local = local && !strncmp(one, "unix:", strlen("unix:"));
    }
    free(copy);
    if (!local) {
        VLOG_WARN("database %s isn't a local socket: what commands configure "
                  "isn't kept; use unix:FILE", remote);
        return;
    }
    ovs_mutex_lock(&engine->mutex);
    engine->database = xstrdup(remote);
    ovs_mutex_unlock(&engine->mutex);
    xf_engine_wake(engine);
}

/* See engine/engine.h. */
void
xf_engine_load(struct xf_engine *engine)
{
    atomic_store(&engine->load, true);
    xf_engine_wake(engine);
}

/* See engine/engine.h. */
void
xf_engine_configure(struct xf_engine *engine, const struct smap *external_ids)
{
    const char *remote = smap_get_def(external_ids, "xenflow-remote", "");
    char *host = xf_db_host_name(external_ids);

    ovs_mutex_lock(&engine->mutex);
    if (strcmp(remote, engine->db_remote ? engine->db_remote : "")
        || (remote[0] && strcmp(host, engine->db_host))) {
        free(engine->db_remote);
        free(engine->db_host);
        engine->db_remote = xstrdup(remote);
        engine->db_host = xstrdup(host);
        engine->db_news = true;
        xf_engine_wake(engine);
    }
    ovs_mutex_unlock(&engine->mutex);
    free(host);
}

/* See engine/engine.h. */
void
xf_engine_ports_changed(struct xf_engine *engine)
{
    atomic_store(&engine->ports_changed, true);
    atomic_store(&engine->links_ports_changed, true);
    xf_engine_wake(engine);
}

/* RCU callback: no reader can hold the engine any more. */
static void
engine_free(struct xf_engine *engine)
{
    ovs_mutex_lock(&engine->mutex);
    free(engine->database);
    free(engine->db_remote);
    free(engine->db_host);
    ovs_mutex_unlock(&engine->mutex);
    xf_neigh_drain(engine);
    mpsc_queue_destroy(&engine->news);
    ovs_mutex_destroy(&engine->mutex);
    latch_destroy(&engine->exit_latch);
    latch_destroy(&engine->wake_latch);
    xf_ready_destroy(engine->ready);
    seq_destroy(engine->config_seq);
    seq_destroy(engine->reply_seq);
    seq_destroy(engine->links_seq);
    xf_links_destroy(&engine->links);
    free(engine);
}

/* Refuses all jobs in 'list'. */
static void
refuse_jobs(struct ovs_list *list)
{
    struct xf_job *job;

    LIST_FOR_EACH_POP (job, node, list) {
        xf_job_refuse(job, "the engine was stopped before this was "
                           "acknowledged: start the switch again and repeat "
                           "the command");
    }
}

/* Stops the engine's thread, answers pending commands with an error, deletes
 * all routers.  Accepts NULL. */
void
xf_engine_destroy(struct xf_engine *engine)
{
    if (!engine) {
        return;
    }

    xf_commands_unregister(engine);
    latch_set(&engine->exit_latch);
    /* The engine's thread waits for a grace period before it ends. */
    ovsrcu_quiesce_start();
    xpthread_join(engine->thread, NULL);
    ovsrcu_quiesce_end();

    struct xf_job *job;
    while ((job = next_reply(engine)) != NULL) {
        xf_job_answer(job);
    }
    struct ovs_list jobs = OVS_LIST_INITIALIZER(&jobs);
    ovs_mutex_lock(&engine->mutex);
    ovs_list_push_back_all(&jobs, &engine->jobs);
    ovs_mutex_unlock(&engine->mutex);
    refuse_jobs(&engine->waiting);
    refuse_jobs(&engine->syncing);
    refuse_jobs(&engine->writing);
    refuse_jobs(&jobs);

    cmap_destroy(&engine->routers_by_name);
    cmap_destroy(&engine->routers_by_id);
    cmap_destroy(&engine->claims);
    cmap_destroy(&engine->members);
    ovsrcu_postpone(engine_free, engine);
}

/* Nanoseconds of CPU time that the calling thread has used. */
static uint64_t
thread_cpu_ns(void)
{
    struct timespec ts;

    return (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts)
            ? 0 : ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec);
}

/* Adds the turn of the main loop that ends here, all of it, to the
 * statistics. */
static void
count_turn(struct xf_engine *engine)
{
    uint64_t now = thread_cpu_ns();
    uint64_t ns = engine->turn_start_ns ? now - engine->turn_start_ns : 0;
    uint64_t orig, max;

    engine->turn_start_ns = now;
    atomic_add_relaxed(&engine->n_turns, UINT64_C(1), &orig);
    atomic_add_relaxed(&engine->turn_total_ns, ns, &orig);
    atomic_read_relaxed(&engine->turn_max_ns, &max);
    if (ns > max) {
        atomic_store_relaxed(&engine->turn_max_ns, ns);
    }
    if (ns > XF_LONG_TURN_NS) {
        atomic_add_relaxed(&engine->n_long_turns, UINT64_C(1), &orig);
    }
}

/* Takes the next job to be answered, NULL if there is none. */
static struct xf_job *
next_reply(struct xf_engine *engine)
{
    struct xf_job *job = NULL;

    ovs_mutex_lock(&engine->mutex);
    if (!ovs_list_is_empty(&engine->replies)) {
        job = CONTAINER_OF(ovs_list_pop_front(&engine->replies),
                           struct xf_job, node);
    }
    ovs_mutex_unlock(&engine->mutex);
    return job;
}

/* Answers commands that the engine's thread has finished. */
void
xf_engine_run(struct xf_engine *engine)
{
    struct xf_job *job;

    count_turn(engine);
    for (int i = 0; i < REPLIES_PER_TURN && (job = next_reply(engine)); i++) {
        xf_job_answer(job);
    }
}

/* Arranges for poll_block() to wake when xf_engine_run() has something to
 * do. */
void
xf_engine_wait(struct xf_engine *engine)
{
    ovs_mutex_lock(&engine->mutex);
    if (ovs_list_is_empty(&engine->replies)) {
        seq_wait(engine->reply_seq, seq_read(engine->reply_seq));
    } else {
        poll_immediate_wake();
    }
    ovs_mutex_unlock(&engine->mutex);
}

/* Any thread. */
struct seq *
xf_engine_config_seq(const struct xf_engine *engine)
{
    return engine->config_seq;
}

/* ---- Engine's thread: acknowledgement. ---- */

/* Wakes the engine's thread.  Any thread. */
void
xf_engine_wake(struct xf_engine *engine)
{
    latch_set(&engine->wake_latch);
}

/* Notes that something changed; if 'revalidate', cached translations may depend
 * on it.  Returns the generation whose acknowledgement will cover it. */
uint64_t
xf_engine_changed(struct xf_engine *engine, bool revalidate)
{
    engine->generation++;
    if (revalidate) {
        engine->revalidate_generation = engine->generation;
    }
    return engine->generation;
}

/* RCU callback: all readers have seen what was published before. */
static void
grace_over(struct xf_engine *engine)
{
    atomic_store(&engine->grace_over, true);
    xf_engine_wake(engine);
}

/* Hands 'job' to the main thread to be answered. */
static void
job_done(struct xf_engine *engine, struct xf_job *job)
{
    ovs_mutex_lock(&engine->mutex);
    ovs_list_push_back(&engine->replies, &job->node);
    ovs_mutex_unlock(&engine->mutex);
    seq_change(engine->reply_seq);
}

/* 'job' is acknowledged: hands it over, as soon as it's written. */
static void
job_acked(struct xf_engine *engine, struct xf_job *job, long long int now_ms)
{
    if (engine->config && !xf_config_is_written(engine->config, job)) {
        job->waiting_ms = now_ms;
        ovs_list_push_back(&engine->writing, &job->node);
    } else {
        job_done(engine, job);
    }
}

/* Hands over jobs that are written by now, or have waited long enough. */
static void
writing_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_job *job;

    LIST_FOR_EACH_SAFE (job, node, &engine->writing) {
        if (xf_config_is_written(engine->config, job)
            || now_ms - job->waiting_ms >= XF_CONFIG_WRITE_MS) {
            ovs_list_remove(&job->node);
            job_done(engine, job);
        }
    }
}

/* The round's generation is in the datapath: tells all who wait for it. */
static void
ack_round_done(struct xf_engine *engine, long long int now_ms)
{
    long long int took_ms = MAX(0, now_ms - engine->round_start_ms);

    COVERAGE_INC(xf_engine_round);
    engine->acked = engine->round_generation;
    engine->n_rounds++;
    engine->rounds_total_ms += took_ms;
    engine->rounds_max_ms = MAX(engine->rounds_max_ms, took_ms);

    xf_listeners_acked(engine->ready, engine->acked);

    struct xf_router *router;
    LIST_FOR_EACH_SAFE (router, node, &engine->dying) {
        if (router->generation <= engine->acked) {
            xf_router_release(router);
        }
    }

    struct xf_job *job;
    LIST_FOR_EACH_SAFE (job, node, &engine->waiting) {
        if (job->generation > engine->acked) {
            break;
        }
        ovs_list_remove(&job->node);
        job_acked(engine, job, now_ms);
    }
}

/* True if cached translations may be from before a change that isn't
 * acknowledged yet.  To be asked after the grace period: translations that began
 * before it are known by then. */
static bool
ack_needs_revalidation(struct xf_engine *engine)
{
    bool translated;

    atomic_read(&engine->fib_translated, &translated);
    return translated || engine->revalidate_generation > engine->acked;
}

/* Carries the acknowledgement round on.  See engine/engine.h. */
static void
ack_run(struct xf_engine *engine, long long int now_ms)
{
    const struct xf_switch *sw = engine->sw;
    bool over;

    switch (engine->ack_state) {
    case XF_ACK_IDLE:
        if (engine->acked == engine->generation) {
            return;
        }
        engine->round_generation = engine->generation;
        engine->round_start_ms = now_ms;
        engine->ack_state = XF_ACK_GRACE;
        atomic_store(&engine->grace_over, false);
        ovsrcu_postpone(grace_over, engine);
        return;

    case XF_ACK_GRACE:
        atomic_read(&engine->grace_over, &over);
        if (!over) {
            return;
        }
        engine->round_ticket = (ack_needs_revalidation(engine)
                                ? sw->revalidate(sw) : 0);
        engine->ack_state = XF_ACK_REVALIDATE;
        /* Fall through. */

    case XF_ACK_REVALIDATE:
        if (engine->round_ticket
            && !sw->revalidated(sw, engine->round_ticket)) {
            return;
        }
        engine->ack_state = XF_ACK_IDLE;
        ack_round_done(engine, now_ms);
        if (engine->acked != engine->generation) {
            xf_engine_wake(engine);
        }
        return;
    }
    OVS_NOT_REACHED();
}

/* ---- Engine's thread: jobs. ---- */

/* Hands 'job' over if its change is acknowledged, else lets it wait. */
static void
job_settle(struct xf_engine *engine, struct xf_job *job, long long int now_ms)
{
    if (job->generation > engine->acked) {
        job->waiting_ms = now_ms;
        ovs_list_push_back(&engine->waiting, &job->node);
    } else {
        job_acked(engine, job, now_ms);
    }
}

/* Answers commands that have waited too long: revalidators can be paused. */
static void
waiting_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_job *job;

    LIST_FOR_EACH_SAFE (job, node, &engine->waiting) {
        if (now_ms - job->waiting_ms < ACK_MAX_MS) {
            break;
        }
        ovs_list_remove(&job->node);
        job->failed = true;
        ds_clear(&job->body);
        ds_put_format(&job->body, "it is done, but the datapath hasn't "
                      "acknowledged it for %d seconds, so packets may still "
                      "follow the state before: see whether revalidators "
                      "are paused (ovs-appctl revalidator/resume), then wait "
                      "with xenflow/router-sync", ACK_MAX_MS / 1000);
        job_done(engine, job);
    }
}

/* Carries out 'job' as far as it can be now. */
static void
job_run(struct xf_engine *engine, struct xf_job *job, long long int now_ms)
{
    char *error = (engine->config ? xf_config_check_job(engine->config, job)
                   : NULL);

    error = error ? error : job->command->run(engine, job);

    if (error) {
        job->failed = true;
        job->generation = 0;
        ds_clear(&job->body);
        ds_put_cstr(&job->body, error);
        free(error);
    } else if (engine->config) {
        xf_config_note(engine->config, job);
    }
    if (job->router_id) {
        ovs_list_push_back(&engine->syncing, &job->node);
    } else {
        job_settle(engine, job, now_ms);
    }
}

/* Carries out the commands that have been posted; looks after those of
 * "router-sync". */
static void
jobs_run(struct xf_engine *engine, long long int now_ms)
{
    struct ovs_list jobs = OVS_LIST_INITIALIZER(&jobs);
    struct xf_job *job;

    ovs_mutex_lock(&engine->mutex);
    ovs_list_push_back_all(&jobs, &engine->jobs);
    ovs_mutex_unlock(&engine->mutex);
    LIST_FOR_EACH_POP (job, node, &jobs) {
        job_run(engine, job, now_ms);
    }

    LIST_FOR_EACH_SAFE (job, node, &engine->syncing) {
        bool done = (job->command->run == xf_run_hold_end
                     ? xf_hold_end_done(engine, job)
                     : xf_router_sync_done(engine, job, now_ms));
        if (done) {
            ovs_list_remove(&job->node);
            job_settle(engine, job, now_ms);
        }
    }
}

/* ---- Engine's thread: its loop. ---- */

/* Keeps the configuration.  Returns false while commands have to wait for
 * it. */
static bool
config_run(struct xf_engine *engine, long long int now_ms)
{
    bool load;

    if (!engine->config) {
        ovs_mutex_lock(&engine->mutex);
        char *remote = engine->database;
        engine->database = NULL;
        ovs_mutex_unlock(&engine->mutex);
        if (!remote) {
            return true;
        }
        engine->config = xf_config_create(engine, remote);
        xf_links_load(engine);
        free(remote);
    }
    atomic_read(&engine->load, &load);
    if (load) {
        xf_config_load(engine->config, now_ms);
    }
    xf_config_run(engine->config, now_ms);
    return xf_config_is_loaded(engine->config, now_ms);
}

/* Carries out what the database XenFlow says, if one is configured. */
static void
db_run(struct xf_engine *engine, long long int now_ms)
{
    ovs_mutex_lock(&engine->mutex);
    if (engine->db_news && engine->config) {
        engine->db_news = false;
        xf_copies_destroy(engine->copies);
        engine->copies = NULL;
        xf_db_destroy(engine->db);
        engine->db = NULL;
        if (engine->db_remote[0]) {
            engine->db = xf_db_create(engine, engine->db_remote,
                                      engine->db_host);
            engine->copies = xf_copies_create(engine, engine->db);
            /* First of all, what is kept of it. */
            xf_config_load(engine->config, now_ms);
        } else {
            xf_config_follow(engine->config, false);
        }
    }
    ovs_mutex_unlock(&engine->mutex);
    if (engine->db && xf_config_is_loaded(engine->config, now_ms)) {
        xf_db_run(engine->db, now_ms);
        xf_copies_run(engine->copies, now_ms);
    }
}

static void
engine_wait(struct xf_engine *engine)
{
    const struct xf_switch *sw = engine->sw;

    xf_listeners_wait(engine->ready);
    xf_neigh_wait(engine);
    xf_rules_wait(engine);
    xf_fold_wait(engine);
    if (engine->ack_state == XF_ACK_REVALIDATE) {
        sw->revalidated_wait(sw, engine->round_ticket);
    }
    if (engine->config) {
        xf_config_wait(engine->config);
    }
    /* As db_run(): what it doesn't take mustn't wake it. */
    if (engine->db && xf_config_is_loaded(engine->config, time_msec())) {
        xf_db_wait(engine->db);
        xf_copies_wait(engine->copies);
    }
    xf_links_wait(engine);
    if (!ovs_list_is_empty(&engine->syncing)) {
        poll_timer_wait(10);
    }
    if (!ovs_list_is_empty(&engine->writing)) {
        const struct xf_job *job = CONTAINER_OF(
            ovs_list_front(&engine->writing), struct xf_job, node);

        poll_timer_wait_until(job->waiting_ms + XF_CONFIG_WRITE_MS);
    }
    if (!ovs_list_is_empty(&engine->waiting)) {
        const struct xf_job *job = CONTAINER_OF(
            ovs_list_front(&engine->waiting), struct xf_job, node);

        poll_timer_wait_until(job->waiting_ms + ACK_MAX_MS);
    }
    latch_wait(&engine->wake_latch);
    latch_wait(&engine->exit_latch);
}

/* Ends all routers; leaves no RCU callback of a round under way. */
static void
engine_end(struct xf_engine *engine)
{
    struct xf_router *router;

    xf_links_end(engine);
    xf_copies_destroy(engine->copies);
    engine->copies = NULL;
    xf_db_destroy(engine->db);
    engine->db = NULL;
    xf_config_destroy(engine->config);
    engine->config = NULL;
    LIST_FOR_EACH_SAFE (router, node, &engine->routers) {
        xf_router_delete(router);
    }
    LIST_FOR_EACH_SAFE (router, node, &engine->dying) {
        xf_router_release(router);
    }
    while (engine->ack_state == XF_ACK_GRACE) {
        bool over;

        latch_poll(&engine->wake_latch);
        atomic_read(&engine->grace_over, &over);
        if (over) {
            break;
        }
        latch_wait(&engine->wake_latch);
        poll_block();
    }
}

static void *
engine_main(void *engine_)
{
    struct xf_engine *engine = engine_;

    while (!latch_is_set(&engine->exit_latch)) {
        latch_poll(&engine->wake_latch);

        long long int now_ms = time_msec();
        xf_neigh_run(engine, now_ms);
        xf_listeners_run(engine->ready, now_ms);
        xf_translation_run(engine);
        if (config_run(engine, now_ms)) {
            db_run(engine, now_ms);
            jobs_run(engine, now_ms);
        }
        xf_rules_run(engine, now_ms);
        xf_fold_run(engine, now_ms);
        ack_run(engine, now_ms);
        xf_links_run(engine, now_ms);
        waiting_run(engine, now_ms);
        writing_run(engine, now_ms);

        engine_wait(engine);
        poll_block();
    }
    engine_end(engine);
    return NULL;
}
