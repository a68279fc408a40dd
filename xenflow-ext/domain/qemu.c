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

/* Domains on QEMU.
 *
 * Files of a domain: initrd (the image's archive and the domain's own), qmp
 * (socket), console.log, qemu.log (what QEMU says), process (see process.h;
 * removed when the end was seen and orderly), memory (of a suspended domain).
 *
 * Suspend: stop, migrate to a file, rename that to "memory", quit.  With the
 * processors stopped no page changes meanwhile: copying memory of a running
 * machine loses changes under TCG (QEMU 7.2).  Restore: load with the
 * processors stopped, remove "memory", go on.  So "memory" and a running
 * machine never belong together: whoever finds both knows that the file is
 * old.
 *
 * How it ended: QEMU says why in its event SHUTDOWN before it ends
 * (-no-reboot).  Without that event it was killed, or broke. */

#include <config.h>
#include "domain/domain-private.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/image.h"
#include "domain/kvm.h"
#include "domain/process.h"
#include "domain/qemu-private.h"
#include "domain/qmp.h"
#include "domain/tap.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_qemu);

#define QUIT_MS 5000
#define KILL_MS 10000
#define CONSOLE_MAX (4 * 1024 * 1024)
#define CONSOLE_POLL_MS 10000

/* A fact about this host, so there is one. */
static struct xf_kvm_probe *kvm_probe;

static struct qemu *
qemu_cast(const struct xf_domain *d)
{
    return CONTAINER_OF(d, struct qemu, up);
}

void
xf_qemu_enter(struct qemu *q, enum phase phase, long long int ms)
{
    q->phase = phase;
    q->deadline_ms = q->now_ms + ms;
    q->poll_ms = q->now_ms + MEMORY_POLL_MS;
}

void
xf_qemu_remove_file(const struct qemu *q, const char *name)
{
    char *path = xf_domain_path(&q->up, name);

    unlink(path);
    free(path);
}

static bool
has_memory(const struct qemu *q)
{
    char *path = xf_domain_path(&q->up, "memory");
    bool has = !access(path, F_OK);

    free(path);
    return has;
}

/* The operation is over. */
void
xf_qemu_finish(struct qemu *q, enum xf_domain_state state, char *error)
{
    q->op = XF_DOMAIN_OP_NONE;
    q->phase = PHASE_NONE;
    xf_domain_finish(&q->up, state, error);
}

/* ---- Ending QEMU. ---- */

static void
kill_it(struct qemu *q)
{
    xf_process_kill(q->process, SIGKILL);
    xf_qemu_enter(q, PHASE_KILL, KILL_MS);
}

void
xf_qemu_quit(struct qemu *q)
{
    xf_qmp_command(q->qmp, "quit", NULL, q->now_ms + QUIT_MS, NULL);
    xf_qemu_enter(q, PHASE_QUIT, QUIT_MS);
}

/* The operation fails; a machine that isn't up in full goes. */
void
xf_qemu_fail(struct qemu *q, const char *error)
{
    if (!q->error) {
        q->error = xstrdup(error);
    }
    kill_it(q);
}

/* Removes what the domain has outside of its folder.  In a child: the kernel
 * takes 20 ms for a tap. */
static char *
clean_up(void *config_)
{
    const struct xf_domain_config *config = config_;

    for (size_t i = 0; i < config->n_nics; i++) {
        int error = xf_tap_destroy(config->nics[i].tap);

        if (error) {
            return xasprintf("tap '%s' can't be removed (%s): end what uses "
                             "it, then destroy again", config->nics[i].tap,
                             ovs_strerror(error));
        }
    }
    return NULL;
}

/* The domain has no QEMU any more. */
static void
begin_cleaning(struct qemu *q)
{
    char *log = xf_domain_path(&q->up, "destroy.log");
    const struct xf_process_spec spec = {
        .log = log,
        .numa_node = -1,
        .prepare = clean_up,
        .aux = &q->up.config,
    };
    int error = xf_process_start(&spec, &q->cleaner);

    free(log);
    xf_process_forget(q->up.folder);
    xf_qemu_remove_memory(&q->up);
    q->phase = PHASE_NONE;
    if (error) {
        xf_qemu_finish(q, XF_DOMAIN_STOPPED,
                       xasprintf("a process can't be made (%s): destroy again",
                                 ovs_strerror(error)));
    }
}

static void
run_cleaning(struct qemu *q)
{
    char *end, *log;

    if (!xf_process_has_ended(q->cleaner)) {
        return;
    }
    end = xf_process_end(q->cleaner);
    log = xf_domain_path(&q->up, "destroy.log");
    if (!strcmp(end, "exit code 0")) {
        xf_qemu_finish(q, XF_DOMAIN_ABSENT, NULL);
    } else {
        char *line = xf_process_log_line(log);

        xf_qemu_finish(q, XF_DOMAIN_STOPPED, line ? line : xstrdup(end));
    }
    free(end);
    free(log);
    xf_process_close(q->cleaner);
    q->cleaner = NULL;
}

/* Why QEMU ended though nobody here asked it to; sets '*statep'. */
static char *
explain_end(const struct qemu *q, const char *end,
            enum xf_domain_state *statep)
{
    const char *shutdown = q->shutdown ? q->shutdown : "";

    *statep = XF_DOMAIN_CRASHED;
    if (!strcmp(shutdown, "guest-shutdown")) {
        *statep = XF_DOMAIN_STOPPED;
        return xstrdup("the guest shut itself down");
    } else if (!strcmp(shutdown, "guest-reset")) {
        return xstrdup("the guest reset itself, as a kernel that panics does: "
                       "see console.log");
    } else if (!strcmp(shutdown, "guest-panic")) {
        return xstrdup("the guest's kernel panicked: see console.log");
    } else if (q->shutdown) {
        return xasprintf("another program ended QEMU (%s)", shutdown);
    }

    char *path = xf_domain_path(&q->up, "qemu.log");
    char *line = xf_process_log_line(path);
    char *reason = xasprintf("QEMU ended unexpectedly (%s)%s%s", end,
                             line ? ": " : "", line ? line : "");
    free(path);
    free(line);
    return reason;
}

/* QEMU ended while the domain was being started or restored. */
static char *
explain_failed_start(const struct qemu *q, const char *end)
{
    char *path = xf_domain_path(&q->up, "qemu.log");
    char *line = xf_process_log_line(path);
    char *error;

    if (q->error && !line) {
        error = xstrdup(q->error);
    } else {
        error = xasprintf("%s (%s)%s%s", q->error ? q->error
                          : "QEMU ended while it started", end,
                          line ? ": " : "", line ? line : "");
    }
    free(path);
    free(line);
    return error;
}

static void
handle_end(struct qemu *q)
{
    char *end = xf_process_end(q->process);
    enum xf_domain_op op = q->op;
    enum xf_domain_state state;
    char *reason = explain_end(q, end, &state);

    VLOG_INFO("%s: QEMU ended (%s)", q->up.config.name, end);
    if (op == XF_DOMAIN_OP_STOP || op == XF_DOMAIN_OP_START
        || op == XF_DOMAIN_OP_RESTORE || op == XF_DOMAIN_OP_RECEIVE
        || (op == XF_DOMAIN_OP_SUSPEND && q->saved)
        || state == XF_DOMAIN_STOPPED) {
        xf_process_forget(q->up.folder);
    }
    if (op != XF_DOMAIN_OP_DESTROY) {
        xf_qemu_remove_memory(&q->up);
    }
    if (op == XF_DOMAIN_OP_NONE
        || (op == XF_DOMAIN_OP_SEND
            && q->up.move.stage == XF_MOVE_STAGE_GIVEN)) {
        q->phase = PHASE_NONE;
        xf_domain_set_state(&q->up, state, reason);
        reason = NULL;
    } else if (op == XF_DOMAIN_OP_DESTROY) {
        begin_cleaning(q);
    } else if (op == XF_DOMAIN_OP_STOP) {
        xf_qemu_finish(q, XF_DOMAIN_STOPPED, NULL);
    } else if (op == XF_DOMAIN_OP_SUSPEND && q->saved) {
        xf_qemu_finish(q, XF_DOMAIN_SUSPENDED, NULL);
    } else if (op == XF_DOMAIN_OP_START || op == XF_DOMAIN_OP_RESTORE
               || op == XF_DOMAIN_OP_RECEIVE) {
        xf_qemu_finish(q, has_memory(q) ? XF_DOMAIN_SUSPENDED
                       : XF_DOMAIN_STOPPED, explain_failed_start(q, end));
    } else if (op == XF_DOMAIN_OP_ADOPT && has_memory(q)) {
        xf_process_forget(q->up.folder);
        xf_qemu_finish(q, XF_DOMAIN_SUSPENDED,
                       xstrdup(q->error ? q->error : reason));
    } else {
        xf_qemu_finish(q, state,
                       xasprintf("%s%s%s", q->error ? q->error : "",
                                 q->error ? "; " : "", reason));
    }
    xf_qemu_remove_file(q, "memory.new");
    free(reason);
    free(end);
    xf_process_close(q->process);
    xf_qmp_destroy(q->qmp);
    q->process = NULL;
    q->qmp = NULL;
    xf_qemu_remove_file(q, "qmp");
}

/* ---- What QEMU says. ---- */

const char *
xf_qemu_string(const struct json *json, const char *name)
{
    const struct json *value = (json && json->type == JSON_OBJECT
                                ? shash_find_data(json_object(json), name)
                                : NULL);

    return value && value->type == JSON_STRING ? json_string(value) : "";
}

static void
handle_event(const char *event, const struct json *data, void *q_)
{
    struct qemu *q = q_;

    if (!strcmp(event, "SHUTDOWN")) {
        free(q->shutdown);
        q->shutdown = xstrdup(xf_qemu_string(data, "reason"));
    } else if (!strcmp(event, "GUEST_PANICKED")) {
        VLOG_WARN("%s: the guest's kernel panicked", q->up.config.name);
    } else if (!strcmp(event, "MIGRATION")) {
        if (q->phase == PHASE_COPY || q->phase == PHASE_REST
            || q->phase == PHASE_BACK) {
            q->poll_ms = q->now_ms;
        }
    } else if (q->op == XF_DOMAIN_OP_NONE && !q->shutdown
               && q->up.move.stage == XF_MOVE_STAGE_NONE) {
        if (!strcmp(event, "STOP")) {
            xf_domain_set_state(&q->up, XF_DOMAIN_PAUSED,
                                xstrdup("another program stopped it"));
        } else if (!strcmp(event, "RESUME")) {
            xf_domain_set_state(&q->up, XF_DOMAIN_RUNNING, NULL);
        }
    }
}

void
xf_qemu_command(struct qemu *q, const char *name, struct json *args, int ms,
                xf_qmp_cb *cb)
{
    xf_qemu_enter(q, PHASE_ANSWER, 0);
    xf_qmp_command(q->qmp, name, args, q->now_ms + ms, cb);
}

/* Whether an answer still matters: the operation may have gone on to end QEMU,
 * or QEMU has ended and handle_end() will tell. */
bool
xf_qemu_matters(struct qemu *q)
{
    return (q->op != XF_DOMAIN_OP_NONE && q->phase == PHASE_ANSWER
            && !xf_process_has_ended(q->process));
}

/* The processors were told to go on. */
static void
continued(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (q->error) {             /* A suspend failed, this puts it back. */
        char *why = q->error;

        q->error = NULL;
        xf_qemu_finish(q, error ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING, why);
    } else if (error) {
        xf_qemu_finish(q, XF_DOMAIN_PAUSED, xstrdup(error));
    } else {
        xf_qemu_finish(q, XF_DOMAIN_RUNNING, NULL);
    }
}

void
xf_qemu_continue(struct qemu *q)
{
    xf_qemu_command(q, "cont", NULL, COMMAND_MS, continued);
}

/* ---- Start and restore. ---- */

static void
started(const struct json *result, const char *error, void *q_)
{
    struct qemu *q = q_;
    const char *status = xf_qemu_string(result, "status");

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        xf_qemu_fail(q, error);
    } else if (strcmp(status, "running")) {
        char *sentence = xasprintf("QEMU is up but in state '%s'", status);

        xf_qemu_fail(q, sentence);
        free(sentence);
    } else {
        xf_qemu_finish(q, XF_DOMAIN_RUNNING, NULL);
    }
}

static void
launch(struct qemu *q)
{
    bool restores = q->op == XF_DOMAIN_OP_RESTORE;
    bool incoming = restores || q->op == XF_DOMAIN_OP_RECEIVE;
    char *error;

    free(q->shutdown);
    q->shutdown = NULL;
    xf_qemu_remove_file(q, "qmp");
    if (!incoming) {
        xf_qemu_remove_file(q, "console.log");
    }
    error = xf_qemu_launch(&q->up, q->kvm, incoming, &q->process);
    if (error) {
        xf_qemu_finish(q, restores ? XF_DOMAIN_SUSPENDED
                       : XF_DOMAIN_STOPPED, error);
        return;
    }

    char *path = xf_domain_path(&q->up, "qmp");
    q->qmp = xf_qmp_create(path, handle_event, q);
    free(path);
    if (restores) {
        xf_qemu_load_memory(q);
    } else if (incoming) {
        xf_qemu_receive_memory(q);
    } else {
        xf_qemu_command(q, "query-status", NULL, BOOT_MS, started);
    }
}

/* Finds out about KVM, then launches. */
static void
run_accel(struct qemu *q)
{
    if (q->op == XF_DOMAIN_OP_RECEIVE) {
        q->kvm = q->up.move.settings.machine.kvm;
    } else if (q->up.config.accel == XF_DOMAIN_ACCEL_AUTO) {
        if (!kvm_probe) {
            kvm_probe = xf_kvm_probe_start(q->up.folder, q->now_ms);
        }

        enum xf_kvm answer = xf_kvm_probe_run(kvm_probe, q->now_ms);
        if (answer == XF_KVM_UNKNOWN) {
            return;
        }
        q->kvm = answer == XF_KVM_WORKS;
    } else {
        q->kvm = q->up.config.accel == XF_DOMAIN_ACCEL_KVM;
    }
    launch(q);
}

void
xf_qemu_begin_start(struct qemu *q)
{
    const struct xf_domain_config *config = &q->up.config;
    char *error = xf_image_check(config->image);

    for (size_t i = 0; i < config->n_nics && !error; i++) {
        error = xf_tap_create(config->nics[i].tap);
    }
    if (error) {
        xf_qemu_finish(q, q->op == XF_DOMAIN_OP_RESTORE ? XF_DOMAIN_SUSPENDED
                       : XF_DOMAIN_STOPPED, error);
        return;
    }
    if (q->op == XF_DOMAIN_OP_START) {
        xf_qemu_remove_file(q, "memory");
    }
    if (q->op != XF_DOMAIN_OP_RECEIVE) {
        xf_qemu_remove_memory(&q->up);  /* An old one may be in use. */
    }
    xf_process_forget(q->up.folder);
    xf_qemu_enter(q, PHASE_ACCEL, 0);
    run_accel(q);
}

/* ---- Adoption. ---- */

static void
adopted(const struct json *result, const char *error, void *q_)
{
    struct qemu *q = q_;
    const char *status = xf_qemu_string(result, "status");

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        xf_qemu_finish(q, XF_DOMAIN_RUNNING, xasprintf(
            "%s; stop or destroy the domain", error));
    } else if (!strcmp(status, "running")) {
        xf_qemu_remove_file(q, "memory");
        xf_qemu_finish(q, XF_DOMAIN_RUNNING, NULL);
    } else if (!strcmp(status, "inmigrate")) {
        xf_qemu_fail(q, "restore was interrupted: restore again");
    } else {
        xf_qmp_command(q->qmp, "migrate_cancel", NULL,
                       q->now_ms + COMMAND_MS, NULL);
        xf_qemu_remove_file(q, "memory");
        xf_qemu_remove_file(q, "memory.new");
        xf_qemu_finish(q, XF_DOMAIN_PAUSED, NULL);
    }
}

/* How it was started. */
static void
adopted_kvm(const struct json *result, const char *error OVS_UNUSED, void *q_)
{
    struct qemu *q = q_;
    const struct json *enabled = (result && result->type == JSON_OBJECT
                                  ? shash_find_data(json_object(result),
                                                    "enabled") : NULL);

    q->kvm = enabled && enabled->type == JSON_TRUE;
}

static void
qemu_adopt(struct xf_domain *d, long long int now_ms)
{
    struct qemu *q = qemu_cast(d);

    q->now_ms = now_ms;
    q->process = xf_process_adopt(d->folder);
    if (q->process) {
        char *path = xf_domain_path(d, "qmp");

        q->qmp = xf_qmp_create(path, handle_event, q);
        free(path);
        q->op = d->op = XF_DOMAIN_OP_ADOPT;
        xf_domain_set_state(d, XF_DOMAIN_STARTING, NULL);
        xf_qmp_command(q->qmp, "query-kvm", NULL, now_ms + COMMAND_MS,
                       adopted_kvm);
        xf_qemu_command(q, "query-status", NULL, COMMAND_MS, adopted);
    } else if (has_memory(q)) {
        xf_process_forget(d->folder);
        xf_domain_set_state(d, XF_DOMAIN_SUSPENDED, NULL);
    } else if (xf_process_is_recorded(d->folder)) {
        xf_domain_set_state(d, XF_DOMAIN_CRASHED, xstrdup(
            "QEMU ended while no xenflow-hostd was there, or the host did"));
    }
}

/* ---- The backend. ---- */

static struct xf_domain *
qemu_alloc(const struct xf_domain_config *config OVS_UNUSED)
{
    struct qemu *q = xzalloc(sizeof *q);

    return &q->up;
}

static char *
qemu_check(const struct xf_domain_config *config)
{
    if (config->script[0]) {
        return xstrdup("script: only backend dummy has one");
    }
    return xf_image_check(config->image);
}

static void
qemu_close(struct xf_domain *d)
{
    struct qemu *q = qemu_cast(d);

    xf_process_close(q->process);
    xf_process_close(q->cleaner);
    xf_qmp_destroy(q->qmp);
    xf_qemu_close_move(q);
    free(q->error);
    free(q->shutdown);
    free(q);
}

static void
begin_stop(struct qemu *q)
{
    unsigned int stop_s = q->up.config.stop_s;

    if (!q->process) {
        xf_qemu_remove_file(q, "memory");
        xf_process_forget(q->up.folder);
        xf_qemu_finish(q, XF_DOMAIN_STOPPED, NULL);
    } else if (q->up.state == XF_DOMAIN_RUNNING && stop_s) {
        xf_qmp_command(q->qmp, "system_powerdown", NULL,
                       q->now_ms + COMMAND_MS, NULL);
        xf_qemu_enter(q, PHASE_POWERDOWN, stop_s * 1000LL);
    } else {
        xf_qemu_quit(q);
    }
}

static void
qemu_begin(struct xf_domain *d, enum xf_domain_op op, long long int now_ms)
{
    struct qemu *q = qemu_cast(d);

    q->now_ms = now_ms;
    q->op = op;
    q->saved = false;
    free(q->error);
    q->error = NULL;
    switch ((int) op) {
    case XF_DOMAIN_OP_START:
    case XF_DOMAIN_OP_RESTORE:
        if (q->process) {
            xf_qemu_continue(q);
        } else {
            xf_qemu_begin_start(q);
        }
        break;
    case XF_DOMAIN_OP_STOP:
        begin_stop(q);
        break;
    case XF_DOMAIN_OP_SUSPEND:
        xf_qemu_save_memory(q);
        break;
    case XF_DOMAIN_OP_DESTROY:
        if (q->process) {
            kill_it(q);
        } else {
            begin_cleaning(q);
        }
        break;
    default:
        OVS_NOT_REACHED();
    }
}

/* Time limits of the phases that wait for QEMU's end. */
static void
run_ending(struct qemu *q)
{
    if (q->now_ms < q->deadline_ms) {
        return;
    }
    if (q->phase == PHASE_POWERDOWN) {
        xf_qemu_quit(q);
    } else if (q->phase == PHASE_QUIT) {
        kill_it(q);
    } else {
        xf_qemu_finish(q, XF_DOMAIN_PAUSED, xasprintf(
            "QEMU (process %d) can't be killed: the host's kernel holds it",
            (int) xf_process_pid(q->process)));
    }
}

/* A guest may write as much as it likes. */
static void
trim_console(struct qemu *q)
{
    char *path = xf_domain_path(&q->up, "console.log");
    struct stat st;

    if (!stat(path, &st) && st.st_size > CONSOLE_MAX
        && truncate(path, 0)) {
        VLOG_WARN("%s: can't be made shorter (%s)", path,
                  ovs_strerror(errno));
    }
    free(path);
    q->poll_ms = q->now_ms + CONSOLE_POLL_MS;
}

static void
qemu_run(struct xf_domain *d, long long int now_ms)
{
    struct qemu *q = qemu_cast(d);

    q->now_ms = now_ms;
    if (q->phase == PHASE_ACCEL) {
        run_accel(q);
    }
    if (q->cleaner) {
        run_cleaning(q);
    }
    if (!q->process) {
        return;
    }
    xf_qmp_run(q->qmp, now_ms);
    if (xf_process_has_ended(q->process)) {
        xf_qmp_run(q->qmp, now_ms);     /* What it said last. */
        handle_end(q);
    } else if (q->phase == PHASE_SAVE || q->phase == PHASE_LOAD) {
        xf_qemu_run_memory(q);
    } else if (q->phase >= PHASE_COPY && q->phase <= PHASE_BACK) {
        xf_qemu_run_move(q);
    } else if (q->phase >= PHASE_POWERDOWN) {
        run_ending(q);
    } else if (now_ms >= q->poll_ms) {
        trim_console(q);
    }
}

static void
qemu_wait(const struct xf_domain *d)
{
    const struct qemu *q = qemu_cast(d);

    if (q->phase == PHASE_ACCEL && kvm_probe) {
        xf_kvm_probe_wait(kvm_probe);
    }
    if (q->cleaner) {
        xf_process_wait(q->cleaner);
    }
    if (q->process) {
        xf_qmp_wait(q->qmp);
        xf_process_wait(q->process);
        if (q->phase < PHASE_POWERDOWN) {
            poll_timer_wait_until(q->poll_ms);
        }
        if (q->phase >= PHASE_POWERDOWN || q->phase == PHASE_REST
            || q->phase == PHASE_BACK) {
            poll_timer_wait_until(q->deadline_ms);
        }
    }
}

static void
qemu_show(const struct xf_domain *d, struct json *object)
{
    const struct qemu *q = qemu_cast(d);

    if (q->process) {
        json_object_put(object, "pid",
                        json_integer_create(xf_process_pid(q->process)));
        json_object_put(object, "qmp", json_string_create(
            xf_qmp_is_ready(q->qmp) ? "connected" : "not connected"));
    }
}

static bool
qemu_usage(const struct xf_domain *d, struct xf_domain_usage *usage)
{
    const struct qemu *q = qemu_cast(d);

    return q->process && xf_process_usage(xf_process_pid(q->process), usage);
}

const struct xf_domain_backend xf_domain_qemu = {
    .name = "qemu",
    .has_taps = true,
    .alloc = qemu_alloc,
    .check = qemu_check,
    .adopt = qemu_adopt,
    .close = qemu_close,
    .begin = qemu_begin,
    .run = qemu_run,
    .wait = qemu_wait,
    .show = qemu_show,
    .usage = qemu_usage,
    .move = &xf_qemu_move,
};
