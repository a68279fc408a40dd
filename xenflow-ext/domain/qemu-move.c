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

/* Domains on QEMU that move.
 *
 * Memory goes through a UNIX socket, "memory.sock" in the folder: the source's
 * QEMU connects to it, that of the destination listens on it, and this process
 * carries the bytes, so that they take the way, the encryption and the rate
 * that we choose.
 *
 * Three ways, because copying the memory of a running machine loses changes
 * under TCG (QEMU 7.2; guests die after it):
 *
 *   KVM      pre-copy while it runs; when little is left, stop, the rest
 *   shared   memory is a file in /dev/shm that both QEMUs map, which they can
 *            if both hosts are on one machine: only devices are sent, after
 *            stop
 *   TCG      stop, then everything
 *
 * Capability pause-before-switchover keeps QEMU from stopping the machine by
 * itself before we have said so; if nothing is left to copy it does, and waits
 * for us then. */

#include <config.h>
#include "domain/qemu-private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "domain/process.h"
#include "domain/qmp.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_qemu_move);

#define SHARED_FOLDER "/dev/shm"
#define SHARED_PREFIX "xenflow-"
#define BLOCK_SIZE 512          /* Unit of st_blocks. */
#define SPARE_BYTES (64ULL * 1024 * 1024)   /* Of the folder, for others. */
#define SOCKET "memory.sock"
#define POLL_MS 20
#define COPY_MS 60000           /* Pre-copy that doesn't come to its end, after
                                 * all has been sent once. */
#define REST_MS 120000          /* Without progress. */
#define BACK_MS 10000
#define REST_BYTES (8 * 1024 * 1024)    /* Little enough to stop. */
#define NO_LIMIT (1LL << 40)

/* ---- Memory in a file. ---- */

static char *
memory_path(const struct uuid *uuid)
{
    return xasprintf(SHARED_FOLDER"/"SHARED_PREFIX UUID_FMT, UUID_ARGS(uuid));
}

/* Bytes that the files of machines, which are sparse, may still take. */
static unsigned long long int
promised_bytes(void)
{
    DIR *dir = opendir(SHARED_FOLDER);
    unsigned long long int sum = 0;
    struct dirent *entry;
    struct stat st;

    while (dir && (entry = readdir(dir)) != NULL) {
        if (!strncmp(entry->d_name, SHARED_PREFIX, strlen(SHARED_PREFIX))
            && !fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
            && st.st_size > st.st_blocks * BLOCK_SIZE) {
            sum += st.st_size - st.st_blocks * BLOCK_SIZE;
        }
    }
    if (dir) {
        closedir(dir);
    }
    return sum;
}

/* Whether the folder has room for 'size' bytes and all that is promised: a
 * machine whose memory has no place when it is written is killed. */
static bool
has_room(unsigned long long int size)
{
    struct statvfs vfs;

    return (!statvfs(SHARED_FOLDER, &vfs)
            && (unsigned long long int) vfs.f_bavail * vfs.f_frsize
               > size + promised_bytes() + SPARE_BYTES);
}

char *
xf_qemu_memory_path(const struct xf_domain *d, bool kvm)
{
    if (kvm || (d->op == XF_DOMAIN_OP_RECEIVE
                && !d->move.settings.shares_memory)) {
        return NULL;
    } else if (d->op == XF_DOMAIN_OP_RECEIVE) {
        return memory_path(&d->config.uuid);
    }
    return (has_room(d->config.memory_mb * 1024ULL * 1024)
            ? memory_path(&d->config.uuid) : NULL);
}

void
xf_qemu_remove_memory(const struct xf_domain *d)
{
    char *path = memory_path(&d->config.uuid);

    /* A given machine's is the other side's; so is one that we never had. */
    if (d->move.stage != XF_MOVE_STAGE_GIVEN
        && d->move.stage != XF_MOVE_STAGE_RECEIVING
        && d->move.stage != XF_MOVE_STAGE_RECEIVED) {
        unlink(path);
    }
    free(path);
}

/* What tells the file of 'uuid' from all others; "": there is none. */
static void
memory_id(const struct uuid *uuid, char id[XF_MOVE_MEMORY_ID_MAX + 1])
{
    char *path = memory_path(uuid);
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    char boot[UUID_LEN + 1] = "";
    struct stat st;

    id[0] = '\0';
    if (f) {
        if (fgets(boot, sizeof boot, f) && !stat(path, &st)) {
            snprintf(id, XF_MOVE_MEMORY_ID_MAX + 1, "%s:%llu:%llu", boot,
                     (unsigned long long int) st.st_dev,
                     (unsigned long long int) st.st_ino);
        }
        fclose(f);
    }
    free(path);
}

bool
xf_domain_has_memory(const struct uuid *uuid, const char *id)
{
    char ours[XF_MOVE_MEMORY_ID_MAX + 1];

    memory_id(uuid, ours);
    return ours[0] && !strcmp(ours, id);
}

static void
qemu_get_machine(const struct xf_domain *d, struct xf_move_machine *machine)
{
    const struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    machine->kvm = q->kvm;
    if (!q->kvm) {
        memory_id(&d->config.uuid, machine->memory_id);
    }
}

/* ---- QMP. ---- */

static void
add_capability(struct json *array, const char *name, bool state)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "capability", name);
    json_object_put(json, "state", json_boolean_create(state));
    json_array_add(array, json);
}

/* Sets what both sides must have the same. */
static void
set_capabilities(struct qemu *q)
{
    struct json *array = json_array_create_empty();
    struct json *args = json_object_create();

    add_capability(array, "events", true);
    add_capability(array, "pause-before-switchover", q->kvm);
    add_capability(array, "x-ignore-shared",
                   q->up.move.settings.shares_memory);
    json_object_put(args, "capabilities", array);
    xf_qmp_command(q->qmp, "migrate-set-capabilities", args,
                   q->now_ms + COMMAND_MS, NULL);
}

static struct json *
parameters(const struct qemu *q)
{
    unsigned long long int rate = q->up.move.settings.rate_bps;
    struct json *args = json_object_create();

    json_object_put(args, "max-bandwidth",
                    json_integer_create(rate ? rate : NO_LIMIT));
    json_object_put(args, "downtime-limit", json_integer_create(1));
    return args;
}

static struct json *
uri(void)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "uri", "unix:"SOCKET);
    return json;
}

static void
close_socket(struct qemu *q)
{
    stream_close(q->memory);
    pstream_close(q->listener);
    q->memory = NULL;
    q->listener = NULL;
    xf_qemu_remove_file(q, SOCKET);
}

void
xf_qemu_close_move(struct qemu *q)
{
    stream_close(q->memory);
    pstream_close(q->listener);
}

static char *
socket_name(const struct qemu *q, const char *kind)
{
    return xasprintf("%s:%s/"SOCKET, kind, q->up.folder);
}

/* Waits for the caller's word, which has its own times. */
static void
hold(struct qemu *q)
{
    xf_qemu_enter(q, PHASE_HELD, 0);
    q->poll_ms = LLONG_MAX;
}

/* ---- Source. ---- */

static void begin_back(struct qemu *);

/* It can't be sent: it goes on here, unless it was given away. */
static void
fail_send(struct qemu *q, const char *error)
{
    if (xf_process_has_ended(q->process)
        || q->up.move.stage == XF_MOVE_STAGE_GIVEN) {
        return;
    }
    free(q->up.move.why);
    q->up.move.why = xstrdup(error);
    q->up.move.is_back = true;
    begin_back(q);
}

/* Whether the source goes on after an answer with 'error'. */
static bool
goes_on(struct qemu *q, const char *error)
{
    if (!xf_qemu_matters(q)) {
        return false;
    } else if (error) {
        fail_send(q, error);
    }
    return !error;
}

static void
sending(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (goes_on(q, error)) {
        bool copies = q->up.move.phase == XF_MOVE_SENDING;

        xf_qemu_enter(q, copies ? PHASE_COPY : PHASE_REST,
                      copies ? COPY_MS : REST_MS);
        q->poll_ms = q->now_ms + POLL_MS;
    }
}

/* What goes before the machine stops. */
static void
can_send(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!goes_on(q, error)) {
        return;
    } else if (q->kvm) {
        xf_qemu_command(q, "migrate", uri(), COMMAND_MS, sending);
    } else {
        hold(q);
        xf_domain_set_phase(&q->up, XF_MOVE_READY);
    }
}

static void
begin_send(struct qemu *q)
{
    char *name = socket_name(q, "punix");
    int error;

    close_socket(q);
    error = pstream_open(name, &q->listener, 0);
    free(name);
    if (error) {
        char *sentence = xasprintf("%s/"SOCKET": can't be made (%s)",
                                   q->up.folder, ovs_strerror(error));

        q->listener = NULL;
        fail_send(q, sentence);
        free(sentence);
        return;
    }
    set_capabilities(q);
    xf_qemu_command(q, "migrate-set-parameters", parameters(q), COMMAND_MS,
                    can_send);
}

static void
stopped(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!goes_on(q, error)) {
        return;
    } else if (q->kvm) {
        xf_qemu_enter(q, PHASE_REST, REST_MS);
        q->poll_ms = q->now_ms;
    } else {
        xf_qemu_command(q, "migrate", uri(), COMMAND_MS, sending);
    }
}

static void
qemu_halt(struct xf_domain *d, long long int now_ms)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    q->now_ms = now_ms;
    xf_qemu_command(q, "stop", NULL, COMMAND_MS, stopped);
}

/* ---- Back at the source. ---- */

static void
back(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (xf_qemu_matters(q)) {
        xf_qemu_finish(q, error ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING,
                       error ? xstrdup(error) : NULL);
    }
}

static void
begin_back(struct qemu *q)
{
    close_socket(q);
    xf_qmp_command(q->qmp, "migrate_cancel", NULL, q->now_ms + COMMAND_MS,
                   NULL);
    xf_qemu_enter(q, PHASE_BACK, BACK_MS);
    q->poll_ms = q->now_ms;
}

static void
qemu_resume(struct xf_domain *d, long long int now_ms)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    q->now_ms = now_ms;
    q->op = XF_DOMAIN_OP_SEND;
    if (!q->process) {
        xf_qemu_finish(q, XF_DOMAIN_CRASHED,
                       xstrdup("its QEMU has ended meanwhile"));
    } else {
        begin_back(q);
    }
}

/* ---- Destination. ---- */

static void
fail_receive(struct qemu *q, const char *error)
{
    close_socket(q);
    xf_qemu_fail(q, error);
}

static void
listening(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;
    char *name;
    int retval;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        fail_receive(q, error);
        return;
    }
    name = socket_name(q, "unix");
    retval = stream_open(name, &q->memory, 0);
    free(name);
    if (retval) {
        q->memory = NULL;
        fail_receive(q, "QEMU doesn't take the memory");
        return;
    }
    xf_qemu_enter(q, PHASE_REST, REST_MS);
    q->deadline_ms = LLONG_MAX; /* As long as the other side likes. */
    q->poll_ms = LLONG_MAX;     /* Events tell. */
    xf_domain_set_phase(&q->up, XF_MOVE_WAITING);
}

void
xf_qemu_receive_memory(struct qemu *q)
{
    set_capabilities(q);
    xf_qemu_command(q, "migrate-incoming", uri(), BOOT_MS, listening);
}

static void
taken(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (!error && q->up.move.settings.announces) {
        struct json *args = json_object_create();

        json_object_put(args, "initial", json_integer_create(50));
        json_object_put(args, "max", json_integer_create(550));
        json_object_put(args, "rounds", json_integer_create(5));
        json_object_put(args, "step", json_integer_create(100));
        xf_qmp_command(q->qmp, "announce-self", args, q->now_ms + COMMAND_MS,
                       NULL);
    }
    xf_qemu_finish(q, error ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING,
                   error ? xstrdup(error) : NULL);
}

static void
qemu_take(struct xf_domain *d, long long int now_ms)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    q->now_ms = now_ms;
    q->op = XF_DOMAIN_OP_RECEIVE;
    close_socket(q);
    if (!q->process) {
        xf_qemu_finish(q, XF_DOMAIN_CRASHED, xstrdup("its QEMU has ended"));
    } else {
        xf_qemu_command(q, "cont", NULL, COMMAND_MS, taken);
    }
}

/* ---- Progress. ---- */

static long long int
get_integer(const struct json *json, const char *name)
{
    const struct json *value = (json && json->type == JSON_OBJECT
                                ? shash_find_data(json_object(json), name)
                                : NULL);

    return value && value->type == JSON_INTEGER ? json_integer(value) : 0;
}

static void
measure(struct qemu *q, const struct json *result)
{
    const struct json *ram = (result && result->type == JSON_OBJECT
                              ? shash_find_data(json_object(result), "ram")
                              : NULL);
    long long int total = get_integer(ram, "total");
    long long int left = get_integer(ram, "remaining");
    bool sent_once = get_integer(ram, "dirty-sync-count") >= 2;

    if (total > 0 && left >= 0 && left <= total) {
        q->up.move.progress = 100 - left * 100 / total;
        if (q->op == XF_DOMAIN_OP_SEND && q->phase == PHASE_REST
            && left < q->left) {
            q->deadline_ms = q->now_ms + REST_MS;
        }
        q->left = left;
    }
    if (q->phase == PHASE_COPY && !sent_once) {
        q->deadline_ms = q->now_ms + COPY_MS;   /* As long as that takes. */
    } else if (q->phase == PHASE_COPY
               && (left < REST_BYTES || q->now_ms >= q->deadline_ms)) {
        hold(q);
        xf_domain_set_phase(&q->up, XF_MOVE_READY);
    }
}

static bool
is_active(const char *status)
{
    return (!strcmp(status, "active") || !strcmp(status, "setup")
            || !strcmp(status, "cancelling") || !strcmp(status, "device")
            || !strcmp(status, "pre-switchover"));
}

/* The machine is stopped, QEMU waits to send the rest. */
static void
pre_switchover(struct qemu *q)
{
    if (q->phase == PHASE_COPY) {
        hold(q);
        xf_domain_set_phase(&q->up, XF_MOVE_READY);
    } else if (q->phase == PHASE_REST) {
        struct json *args = json_object_create();

        json_object_put_string(args, "state", "pre-switchover");
        xf_qmp_command(q->qmp, "migrate-continue", args,
                       q->now_ms + COMMAND_MS, NULL);
    }
}

static void
failed(struct qemu *q, const struct json *result)
{
    const char *why = xf_qemu_string(result, "error-desc");
    char *sentence = xasprintf("its memory can't be moved: %s",
                               *why ? why : "QEMU doesn't say why");

    if (q->op == XF_DOMAIN_OP_SEND) {
        fail_send(q, sentence);
    } else {
        fail_receive(q, sentence);
    }
    free(sentence);
}

static void
completed(struct qemu *q)
{
    hold(q);
    if (q->op == XF_DOMAIN_OP_SEND) {
        q->up.move.progress = 100;
        xf_domain_set_phase(&q->up, XF_MOVE_SENT);
    } else {
        close_socket(q);
        xf_domain_set_state(&q->up, XF_DOMAIN_PAUSED, NULL);
        xf_domain_set_phase(&q->up, XF_MOVE_RECEIVED);
    }
}

static void
progress(const struct json *result, const char *error, void *q_)
{
    struct qemu *q = q_;
    const char *status = xf_qemu_string(result, "status");

    /* An answer that comes late, when all has been read, says nothing. */
    if (q->phase < PHASE_COPY || q->phase > PHASE_BACK
        || q->phase == PHASE_HELD
        || xf_process_has_ended(q->process)) {
        return;
    }
    /* An event that came meanwhile asks at once. */
    if (q->op == XF_DOMAIN_OP_SEND || q->deadline_ms != LLONG_MAX) {
        q->poll_ms = MIN(q->poll_ms, q->now_ms + POLL_MS);
    }
    if (q->phase == PHASE_BACK) {
        if (error || !is_active(status)) {
            xf_qemu_command(q, "cont", NULL, COMMAND_MS, back);
        }
        return;
    }
    measure(q, result);
    if (error) {
        failed(q, NULL);
    } else if (!strcmp(status, "failed") || !strcmp(status, "cancelled")) {
        failed(q, result);
    } else if (!strcmp(status, "pre-switchover")) {
        pre_switchover(q);
    } else if (!strcmp(status, "completed") && q->phase == PHASE_REST) {
        completed(q);
    }
}

void
xf_qemu_run_move(struct qemu *q)
{
    if (q->phase == PHASE_REST && q->now_ms >= q->deadline_ms) {
        failed(q, NULL);
    } else if (q->phase == PHASE_BACK && q->now_ms >= q->deadline_ms) {
        xf_qemu_command(q, "cont", NULL, COMMAND_MS, back);
    } else if (q->now_ms >= q->poll_ms) {
        q->poll_ms = LLONG_MAX; /* Until this is answered. */
        xf_qmp_command(q->qmp, "query-migrate", NULL, q->now_ms + COMMAND_MS,
                       progress);
    }
}

/* ---- Memory. ---- */

/* Has the connection from the source's QEMU, or doesn't yet. */
static bool
accept_memory(struct qemu *q)
{
    if (!q->memory && q->listener
        && pstream_accept(q->listener, &q->memory)) {
        q->memory = NULL;
    }
    if (q->memory) {
        stream_run(q->memory);
    }
    return q->memory && !stream_connect(q->memory);
}

static int
qemu_read(struct xf_domain *d, void *p, size_t size)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    return accept_memory(q) ? stream_recv(q->memory, p, size) : -EAGAIN;
}

static int
qemu_write(struct xf_domain *d, const void *p, size_t size)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);
    int error;

    if (!q->memory) {
        return -EPIPE;
    }
    stream_run(q->memory);
    error = stream_connect(q->memory);
    return error ? -error : stream_send(q->memory, p, size);
}

/* QEMU sees the end of what it needs by itself. */
static void
qemu_write_end(struct xf_domain *d)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    if (q->phase == PHASE_REST) {
        q->deadline_ms = q->now_ms + REST_MS;
        q->poll_ms = q->now_ms;
    }
}

static void
qemu_read_wait(const struct xf_domain *d)
{
    const struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    if (q->memory) {
        stream_recv_wait(q->memory);
    } else if (q->listener) {
        pstream_wait(q->listener);
    }
}

static void
qemu_write_wait(const struct xf_domain *d)
{
    const struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    if (q->memory) {
        stream_run_wait(q->memory);
        stream_send_wait(q->memory);
    }
}

static void
qemu_move_begin(struct xf_domain *d, enum xf_domain_op op,
                long long int now_ms)
{
    struct qemu *q = CONTAINER_OF(d, struct qemu, up);

    q->now_ms = now_ms;
    q->op = op;
    q->saved = false;
    free(q->error);
    q->error = NULL;
    if (op == XF_DOMAIN_OP_SEND) {
        begin_send(q);
    } else {
        xf_qemu_begin_start(q);
    }
}

const struct xf_move_backend xf_qemu_move = {
    .get_machine = qemu_get_machine,
    .begin = qemu_move_begin,
    .halt = qemu_halt,
    .resume = qemu_resume,
    .take = qemu_take,
    .read = qemu_read,
    .write = qemu_write,
    .write_end = qemu_write_end,
    .read_wait = qemu_read_wait,
    .write_wait = qemu_write_wait,
};
