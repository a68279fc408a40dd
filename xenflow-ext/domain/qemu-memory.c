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

/* Memory of a domain on QEMU: to a file and back. */

#include <config.h>
#include "domain/qemu-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/process.h"
#include "domain/qmp.h"
#include "openvswitch/json.h"
#include "util.h"

#define MEMORY_MS 120000        /* To save or load. */
#define SAVE_BANDWIDTH (1LL << 40)

/* Arguments of "migrate": the command runs in the domain's folder. */
static struct json *
uri(const char *s)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "uri", s);
    return json;
}

/* ---- Saving. ---- */

/* The suspend fails: the machine goes on as before. */
static void
fail_suspend(struct qemu *q, const char *error)
{
    if (xf_process_has_ended(q->process)) {
        return;
    }
    xf_qemu_remove_file(q, "memory.new");
    xf_qmp_command(q->qmp, "migrate_cancel", NULL, q->now_ms + COMMAND_MS,
                   NULL);
    if (q->was_running) {
        q->error = xstrdup(error);
        xf_qemu_continue(q);
    } else {
        xf_qemu_finish(q, XF_DOMAIN_PAUSED, xstrdup(error));
    }
}

static void
saving(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        fail_suspend(q, error);
    } else {
        xf_qemu_enter(q, PHASE_SAVE, MEMORY_MS);
    }
}

static void
stopped_for_saving(const struct json *result OVS_UNUSED, const char *error,
                   void *q_)
{
    struct qemu *q = q_;
    struct json *args;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        fail_suspend(q, error);
        return;
    }
    args = json_object_create();
    json_object_put(args, "max-bandwidth",
                    json_integer_create(SAVE_BANDWIDTH));
    xf_qmp_command(q->qmp, "migrate-set-parameters", args,
                   q->now_ms + COMMAND_MS, NULL);
    xf_qemu_command(q, "migrate", uri("exec:cat >memory.new"), COMMAND_MS,
                    saving);
}

void
xf_qemu_save_memory(struct qemu *q)
{
    q->was_running = q->up.state == XF_DOMAIN_RUNNING;
    xf_qemu_command(q, "stop", NULL, COMMAND_MS, stopped_for_saving);
}

/* Memory is in the file. */
static void
saved(struct qemu *q)
{
    char *new = xf_domain_path(&q->up, "memory.new");
    char *path = xf_domain_path(&q->up, "memory");
    int error = rename(new, path) ? errno : 0;

    if (error) {
        char *sentence = xasprintf("%s: can't be renamed (%s)", new,
                                   ovs_strerror(error));
        fail_suspend(q, sentence);
        free(sentence);
    } else {
        q->saved = true;
        xf_qemu_quit(q);
    }
    free(new);
    free(path);
}

/* ---- Loading. ---- */

static void
loading(const struct json *result OVS_UNUSED, const char *error, void *q_)
{
    struct qemu *q = q_;

    if (!xf_qemu_matters(q)) {
        return;
    }
    if (error) {
        xf_qemu_fail(q, error);
    } else {
        xf_qemu_enter(q, PHASE_LOAD, MEMORY_MS);
    }
}

void
xf_qemu_load_memory(struct qemu *q)
{
    xf_qemu_command(q, "migrate-incoming", uri("exec:cat <memory"), BOOT_MS,
                    loading);
}

/* ---- Progress of both. ---- */

static void
progress_failed(struct qemu *q, const char *error)
{
    if (q->op == XF_DOMAIN_OP_SUSPEND) {
        fail_suspend(q, error);
    } else {
        xf_qemu_fail(q, error);
    }
}

static void
progress(const struct json *result, const char *error, void *q_)
{
    struct qemu *q = q_;
    const char *status = xf_qemu_string(result, "status");

    q->poll_ms = q->now_ms + MEMORY_POLL_MS;
    if ((q->phase != PHASE_SAVE && q->phase != PHASE_LOAD)
        || xf_process_has_ended(q->process)) {
        return;
    }
    if (error) {
        progress_failed(q, error);
    } else if (!strcmp(status, "failed") || !strcmp(status, "cancelled")) {
        const char *why = xf_qemu_string(result, "error-desc");
        char *sentence = xasprintf("memory can't be %s: %s",
                                   q->phase == PHASE_SAVE ? "saved" : "loaded",
                                   *why ? why : "is there room on the disk?");
        progress_failed(q, sentence);
        free(sentence);
    } else if (!strcmp(status, "completed") && q->phase == PHASE_SAVE) {
        saved(q);
    } else if (!strcmp(status, "completed")) {
        xf_qemu_remove_file(q, "memory");
        xf_qemu_continue(q);
    }
}

void
xf_qemu_run_memory(struct qemu *q)
{
    if (q->now_ms >= q->deadline_ms) {
        progress_failed(q, "saving or loading memory took too long");
    } else if (q->now_ms >= q->poll_ms) {
        q->poll_ms = LLONG_MAX;     /* Until this is answered. */
        xf_qmp_command(q->qmp, "query-migrate", NULL, q->now_ms + COMMAND_MS,
                       progress);
    }
}
