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

/* Domains on Xen, paravirtualized (xen-pv) or with the processor's help
 * (xen-pvh).
 *
 * Files of a domain: initrd, memory (of a suspended domain), built (see
 * xen-private.h), xen.log (what libxenlight said in the last job), process
 * (see process.h: the last job; removed when an orderly end was seen).
 *
 * Suspend: save to "memory.new", rename that to "memory", remove the domain.
 * Restore: build the domain from it, remove "memory", let it run.  So "memory"
 * and a domain that runs never belong together: whoever finds both knows that
 * the domain is to be removed.
 *
 * The host's side of a network card comes and goes with the domain, under the
 * name that the configuration gives it. */

#include <config.h>
#include "domain/domain-private.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain/image.h"
#include "domain/process.h"
#include "domain/xen-private.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_xen);

#define JOB_MS 120000
#define LOG "xen.log"

static struct xen *
xen_cast(const struct xf_domain *d)
{
    return CONTAINER_OF(d, struct xen, up);
}

static bool
has_file(const struct xen *x, const char *name)
{
    char *path = xf_domain_path(&x->up, name);
    bool has = !access(path, F_OK);

    free(path);
    return has;
}

static void
remove_file(const struct xen *x, const char *name)
{
    char *path = xf_domain_path(&x->up, name);

    unlink(path);
    free(path);
}

void
xf_xen_finish(struct xen *x, enum xf_domain_state state, char *error)
{
    xf_xen_close_move(x);
    x->op = XF_DOMAIN_OP_NONE;
    free(x->error);
    x->error = NULL;
    xf_domain_finish(&x->up, state, error);
}

/* ---- Jobs. ---- */

static void settle(struct xen *, char *error);

/* How long 'job' may take, in ms. */
static long long int
time_for(const struct xen *x, enum xf_xen_job job)
{
    bool copies = (job == XF_XEN_RESTORE || job == XF_XEN_SUSPEND
                   || job == XF_XEN_SEND || job == XF_XEN_RECEIVE);

    return (x->up.config.stop_s * 1000LL
            + (copies ? XF_XEN_MEMORY_JOB_MS : JOB_MS));
}

void
xf_xen_start_job(struct xen *x, enum xf_xen_job job)
{
    struct xf_xen_request request = {
        .job = job,
        .domain = &x->up,
        .memory_fd = x->child_fds[0],
        .word_fd = x->child_fds[1],
    };
    char *log = xf_domain_path(&x->up, LOG);
    const struct xf_process_spec spec = {
        /* To remove a domain says nothing about how it ended. */
        .folder = job == XF_XEN_REMOVE ? NULL : x->up.folder,
        .log = log,
        .numa_node = -1,
        .prepare = xf_xen_do,
        .aux = &request,
    };
    int error = xf_process_start(&spec, &x->worker);

    free(log);
    x->job = job;
    x->late = false;
    x->is_cleaning = x->op == XF_DOMAIN_OP_NONE;
    x->deadline_ms = x->now_ms + time_for(x, job);
    for (size_t i = 0; i < ARRAY_SIZE(x->child_fds); i++) {
        if (x->child_fds[i] >= 0) {
            close(x->child_fds[i]);
            x->child_fds[i] = -1;
        }
    }
    if (error) {
        char *sentence = xasprintf("a process can't be made (%s)",
                                   ovs_strerror(error));

        x->worker = NULL;
        if (x->is_cleaning) {
            VLOG_WARN("%s: %s", x->up.config.name, sentence);
            free(sentence);
        } else {
            settle(x, sentence);
        }
    }
}

/* Frees the worker, which ended.  Returns why it failed, or NULL. */
static char *
take_result(struct xen *x)
{
    char *end = xf_process_end(x->worker);
    char *error = NULL;

    if (x->late) {
        error = xstrdup("it took too long and was given up");
    } else if (strcmp(end, "exit code 0") && x->op != XF_DOMAIN_OP_ADOPT) {
        char *log = xf_domain_path(&x->up, LOG);
        char *line = xf_process_log_line(log);

        error = line ? line : xstrdup(end);
        free(log);
    }
    free(end);
    xf_process_close(x->worker);
    x->worker = NULL;
    return error;
}

/* ---- How operations end. ---- */

/* State of a domain that Xen has. */
static enum xf_domain_state
state_of(enum xf_xen_presence presence)
{
    return (presence == XF_XEN_PAUSED || presence == XF_XEN_SAVED
            ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING);
}

/* Likewise; of one that is absent, what its files say. */
static enum xf_domain_state
state_by_files(const struct xen *x, enum xf_xen_presence presence)
{
    return (presence != XF_XEN_ABSENT ? state_of(presence)
            : has_file(x, "memory") ? XF_DOMAIN_SUSPENDED
            : xf_process_is_recorded(x->up.folder) ? XF_DOMAIN_CRASHED
            : XF_DOMAIN_STOPPED);
}

static void
end_start(struct xen *x, enum xf_xen_presence presence, char *error)
{
    if (!error) {
        xf_xen_finish(x, XF_DOMAIN_RUNNING, NULL);
    } else if (x->job == XF_XEN_CONTINUE) {
        xf_xen_finish(x, state_by_files(x, presence), error);
    } else {
        xf_process_forget(x->up.folder);
        xf_xen_finish(x, state_by_files(x, presence), error);
    }
}

/* What is there after an adoption. */
static void
end_adopt(struct xen *x, enum xf_xen_presence presence, char *error)
{
    enum xf_domain_state state = state_by_files(x, presence);

    if (state == XF_DOMAIN_CRASHED) {
        xf_domain_set_state(&x->up, state, xstrdup(
            "it ended while no xenflow-hostd was there, or the host did"));
    }
    remove_file(x, "memory.new");
    xf_xen_finish(x, state, error);
}

/* The job of operation x->op is done; takes ownership of 'error'. */
static void
end_operation(struct xen *x, enum xf_xen_presence presence, char *error)
{
    switch ((int) x->op) {
    case XF_DOMAIN_OP_START:
    case XF_DOMAIN_OP_RESTORE:
        end_start(x, presence, error);
        break;
    case XF_DOMAIN_OP_STOP:
        if (presence == XF_XEN_ABSENT) {
            xf_process_forget(x->up.folder);
            free(error);
            error = NULL;
            xf_xen_finish(x, XF_DOMAIN_STOPPED, NULL);
        } else {
            xf_xen_finish(x, state_of(presence), error ? error
                          : xstrdup("Xen still has it: stop it again"));
        }
        break;
    case XF_DOMAIN_OP_SUSPEND:
        if (has_file(x, "memory")) {
            free(error);
            error = NULL;
        } else if (!error) {
            error = xstrdup("there is no saved memory");
        }
        xf_xen_finish(x, state_by_files(x, presence), error);
        break;
    case XF_DOMAIN_OP_DESTROY:
        if (presence == XF_XEN_ABSENT) {
            free(error);
            xf_xen_finish(x, XF_DOMAIN_ABSENT, NULL);
        } else {
            xf_xen_finish(x, state_of(presence), error ? error
                          : xstrdup("Xen still has it: destroy it again"));
        }
        break;
    case XF_DOMAIN_OP_ADOPT:
        end_adopt(x, presence, error);
        break;
    case XF_DOMAIN_OP_SEND:
    case XF_DOMAIN_OP_RECEIVE:
        xf_xen_move_ended(x, presence, error);
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* Whether what Xen has is of no use: not built in full, left by a restore that
 * didn't come to its end, or saved. */
static bool
is_remains(const struct xen *x, enum xf_xen_presence presence)
{
    return (presence != XF_XEN_ABSENT
            && (has_file(x, "memory") || !has_file(x, XF_XEN_BUILT)));
}

/* Nothing works on the domain any more; goes on with its operation.  Takes
 * ownership of 'error'. */
static void
settle(struct xen *x, char *error)
{
    struct xf_xen_info info;
    char *problem;

    xf_xen_forget_list();
    problem = xf_xen_look(&x->up.config.uuid, x->now_ms, &info);
    x->id = info.id;
    if (problem) {              /* watch() will know better. */
        free(error);
        xf_xen_finish(x, has_file(x, "memory") ? XF_DOMAIN_SUSPENDED
                      : xf_process_is_recorded(x->up.folder)
                      ? XF_DOMAIN_PAUSED : XF_DOMAIN_STOPPED, problem);
    } else if (is_remains(x, info.presence) && x->job != XF_XEN_REMOVE) {
        if (!error && x->op == XF_DOMAIN_OP_ADOPT
            && !has_file(x, XF_XEN_BUILT)) {
            error = xstrdup("a start was interrupted");
        }
        free(x->error);
        x->error = error;
        xf_xen_start_job(x, XF_XEN_REMOVE);
    } else {
        char *first = x->error;

        x->error = NULL;
        if (first) {
            free(error);
            error = first;
        }
        end_operation(x, info.presence, error);
    }
}

static void
handle_end(struct xen *x)
{
    char *error = take_result(x);

    if (x->is_cleaning) {
        x->is_cleaning = false;
        if (error) {
            VLOG_WARN("%s: Xen can't remove it: %s", x->up.config.name,
                      error);
            free(error);
        }
        xf_xen_forget_list();
        x->id = 0;
    } else if (!x->is_queued) {
        settle(x, error);
    } else {
        free(error);            /* Of an operation that nobody waits for. */
    }
}

/* ---- How operations begin. ---- */

static void
begin_start(struct xen *x)
{
    bool is_restore = x->op == XF_DOMAIN_OP_RESTORE;
    char *error;

    if (x->up.state == XF_DOMAIN_PAUSED) {
        xf_xen_start_job(x, XF_XEN_CONTINUE);
        return;
    }
    error = xf_image_check(x->up.config.image);
    error = error ? error : xf_xen_check_host();
    if (error) {
        xf_xen_finish(x, is_restore ? XF_DOMAIN_SUSPENDED
                      : XF_DOMAIN_STOPPED, error);
        return;
    }
    if (!is_restore) {
        remove_file(x, "memory");
    }
    remove_file(x, XF_XEN_BUILT);
    xf_process_forget(x->up.folder);
    xf_xen_start_job(x, is_restore ? XF_XEN_RESTORE : XF_XEN_START);
}

/* Stop or destroy. */
static void
begin_end(struct xen *x)
{
    struct xf_xen_info info;
    char *error;

    xf_xen_forget_list();
    error = xf_xen_look(&x->up.config.uuid, x->now_ms, &info);
    if (error) {
        xf_xen_finish(x, x->up.state, error);
    } else if (info.presence == XF_XEN_ABSENT) {
        remove_file(x, "memory");
        xf_process_forget(x->up.folder);
        xf_xen_finish(x, x->op == XF_DOMAIN_OP_STOP ? XF_DOMAIN_STOPPED
                      : XF_DOMAIN_ABSENT, NULL);
    } else {
        xf_xen_start_job(x, x->op == XF_DOMAIN_OP_STOP ? XF_XEN_STOP
                         : XF_XEN_REMOVE);
    }
}

static void
begin(struct xen *x)
{
    x->job = XF_XEN_START;
    switch ((int) x->op) {
    case XF_DOMAIN_OP_START:
    case XF_DOMAIN_OP_RESTORE:
        begin_start(x);
        break;
    case XF_DOMAIN_OP_SUSPEND:
        xf_xen_start_job(x, XF_XEN_SUSPEND);
        break;
    case XF_DOMAIN_OP_STOP:
    case XF_DOMAIN_OP_DESTROY:
        begin_end(x);
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* ---- Domains that end by themselves. ---- */

static void
watch(struct xen *x)
{
    struct xf_domain *d = &x->up;
    enum xf_domain_state state = XF_DOMAIN_CRASHED;
    struct xf_xen_info info = { .id = x->id };
    const char *reason;
    char *error;

    if (x->now_ms < x->look_ms) {
        return;
    }
    /* All at the same time: one wakeup. */
    x->look_ms = ROUND_UP(x->now_ms + 1, XF_XEN_LIST_MS);
    error = (xf_xen_look_at(&d->config.uuid, &info) ? NULL
             : xf_xen_look(&d->config.uuid, x->now_ms, &info));
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

        VLOG_WARN_RL(&rl, "%s", error);
        free(error);
        return;
    }
    x->id = info.id;
    switch (info.presence) {
    case XF_XEN_RUNNING:
        if (d->state != XF_DOMAIN_RUNNING) {
            xf_domain_set_state(d, XF_DOMAIN_RUNNING, NULL);
        }
        return;
    case XF_XEN_PAUSED:
    case XF_XEN_SAVED:
        if (d->state != XF_DOMAIN_PAUSED) {
            xf_domain_set_state(d, XF_DOMAIN_PAUSED,
                                xstrdup("another program stopped it"));
        }
        return;
    case XF_XEN_POWEROFF:
        state = XF_DOMAIN_STOPPED;
        reason = "the guest shut itself down";
        break;
    case XF_XEN_REBOOT:
        reason = "the guest reset itself";
        break;
    case XF_XEN_CRASHED:
        reason = "the guest's kernel panicked";
        break;
    case XF_XEN_ABSENT:
    default:
        reason = "another program removed it from Xen";
        break;
    }
    if (state == XF_DOMAIN_STOPPED) {
        xf_process_forget(d->folder);
    }
    xf_domain_set_state(d, state, xstrdup(reason));
    if (info.presence != XF_XEN_ABSENT) {
        xf_xen_start_job(x, XF_XEN_REMOVE);
    }
}

static bool
is_watched(const struct xen *x)
{
    return (x->op == XF_DOMAIN_OP_NONE && !x->worker
            && (x->up.state == XF_DOMAIN_RUNNING
                || x->up.state == XF_DOMAIN_PAUSED));
}

/* ---- The backend. ---- */

static struct xf_domain *
xen_alloc(const struct xf_domain_config *config OVS_UNUSED)
{
    struct xen *x = xzalloc(sizeof *x);

    x->memory_fd = x->word_fd = -1;
    x->child_fds[0] = x->child_fds[1] = -1;
    return &x->up;
}

static char *
xen_check(const struct xf_domain_config *config)
{
    if (config->script[0]) {
        return xstrdup("script: only backend dummy has one");
    }
    if (config->accel != XF_DOMAIN_ACCEL_AUTO) {
        return xasprintf("accel: %s has no choice of it, only backend qemu "
                         "has", config->backend);
    }
    return xf_image_check(config->image);
}

static void
xen_adopt(struct xf_domain *d, long long int now_ms)
{
    struct xen *x = xen_cast(d);

    x->now_ms = now_ms;
    x->op = d->op = XF_DOMAIN_OP_ADOPT;
    x->job = XF_XEN_START;
    x->worker = xf_process_adopt(d->folder);
    if (x->worker) {            /* What it does, it does to the end. */
        xf_domain_set_state(d, XF_DOMAIN_STARTING, NULL);
        x->deadline_ms = now_ms + XF_XEN_MEMORY_JOB_MS;
    } else {
        settle(x, NULL);
    }
}

static void
xen_close(struct xf_domain *d)
{
    struct xen *x = xen_cast(d);

    xf_xen_close_move(x);
    xf_process_close(x->worker);
    free(x->error);
    free(x);
}

static void
xen_begin(struct xf_domain *d, enum xf_domain_op op, long long int now_ms)
{
    struct xen *x = xen_cast(d);

    x->now_ms = now_ms;
    x->op = op;
    xf_xen_close_move(x);
    x->is_queued = x->worker != NULL;
    if (x->is_queued) {
        x->deadline_ms = MIN(x->deadline_ms, now_ms + JOB_MS);
    } else {
        begin(x);
    }
}

static void
xen_run(struct xf_domain *d, long long int now_ms)
{
    struct xen *x = xen_cast(d);

    x->now_ms = now_ms;
    if (x->worker) {
        xf_xen_run_move(x);
        if (xf_process_has_ended(x->worker)) {
            handle_end(x);
            if (x->is_queued) {
                x->is_queued = false;
                begin(x);
            }
        } else if (now_ms >= x->deadline_ms && !x->late) {
            /* With what it started itself: it leads a session. */
            kill(-xf_process_pid(x->worker), SIGKILL);
            x->late = true;
        }
    } else if (is_watched(x)) {
        watch(x);
    }
}

static void
xen_wait(const struct xf_domain *d)
{
    const struct xen *x = xen_cast(d);

    if (x->worker) {
        xf_process_wait(x->worker);
        if (!x->late) {
            poll_timer_wait_until(x->deadline_ms);
        }
        xf_xen_wait_move(x);
    } else if (is_watched(x)) {
        poll_timer_wait_until(x->look_ms);
    }
}

static void
xen_show(const struct xf_domain *d, struct json *object)
{
    const struct xen *x = xen_cast(d);

    if (x->id) {
        json_object_put(object, "xen-id", json_integer_create(x->id));
    }
}

/* Xen doesn't tell a domain's own time by user and system. */
static bool
xen_usage(const struct xf_domain *d, struct xf_domain_usage *usage)
{
    struct xf_xen_info info = { .id = xen_cast(d)->id };

    if (!xf_xen_look_at(&d->config.uuid, &info)) {
        return false;
    }
    usage->cpu_user_ms = info.cpu_ms;
    usage->memory_mb = info.memory_mb;
    return true;
}

#define XEN_BACKEND(NAME)                       \
    {                                           \
        .name = NAME,                           \
        .has_taps = true,                       \
        .alloc = xen_alloc,                     \
        .check = xen_check,                     \
        .adopt = xen_adopt,                     \
        .close = xen_close,                     \
        .begin = xen_begin,                     \
        .run = xen_run,                         \
        .wait = xen_wait,                       \
        .show = xen_show,                       \
        .usage = xen_usage,                     \
        .move = &xf_xen_move,                   \
    }

const struct xf_domain_backend xf_domain_xen_pv = XEN_BACKEND("xen-pv");
const struct xf_domain_backend xf_domain_xen_pvh = XEN_BACKEND("xen-pvh");
