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

/* What is the same for all backends of moving a machine: which step is allowed
 * when, and the promises on disk.  See "Moving" in xenflow/domain.h, and
 * move.h. */

#include <config.h>
#include "domain/domain-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domain/move.h"
#include "openvswitch/vlog.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_move);

#define RECORD_MAX 512          /* Bytes. */

/* ---- The record. ---- */

/* Puts 'stage' on disk.  Returns NULL, or a sentence. */
static char *
promise(struct xf_domain *d, enum xf_move_stage stage)
{
    const struct xf_move_record record = {
        .stage = stage,
        .migration = d->move.settings.migration,
    };
    char *text = stage ? xf_move_record_format(&record) : NULL;
    int error = xf_domain_write_safely(d->folder, XF_MOVE_FILE, text);

    free(text);
    if (error) {
        return xasprintf("%s/"XF_MOVE_FILE": can't be written (%s): make room "
                         "on that disk", d->folder, ovs_strerror(error));
    }
    d->move.stage = stage;
    return NULL;
}

/* The same where nothing depends on it. */
static void
note(struct xf_domain *d, enum xf_move_stage stage)
{
    char *error = promise(d, stage);

    if (error) {
        VLOG_WARN("%s: %s", d->config.name, error);
        free(error);
    }
}

void
xf_domain_recall_move(struct xf_domain *d)
{
    char *path = xf_domain_path(d, XF_MOVE_FILE);
    FILE *f = fopen(path, "r");
    struct xf_move_record record;
    char text[RECORD_MAX] = "";
    char *error;

    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
        error = xf_move_record_parse(text, &record);
        if (error) {
            /* Whatever it promised is kept. */
            VLOG_ERR("%s: %s; the machine is left as it is: remove the file "
                     "if it runs on no other host", path, error);
            free(error);
            record.stage = XF_MOVE_STAGE_GIVEN;
        }
        d->move.stage = record.stage;
        d->move.settings.migration = record.migration;
        d->move.recall = true;
    } else if (errno != ENOENT) {
        VLOG_ERR("%s: can't be read (%s)", path, ovs_strerror(errno));
        d->move.stage = XF_MOVE_STAGE_GIVEN;
        d->move.recall = true;
    }
    free(path);
}

/* ---- Phases. ---- */

void
xf_domain_set_phase(struct xf_domain *d, enum xf_move_phase phase)
{
    if (phase == XF_MOVE_RECEIVED) {
        char *error = promise(d, XF_MOVE_STAGE_RECEIVED);

        if (error) {
            d->move.phase = XF_MOVE_NONE;
            d->op = XF_DOMAIN_OP_RECEIVE;
            xf_domain_finish(d, d->state, error);
            return;
        }
    }
    if (phase != d->move.phase) {
        VLOG_INFO("%s: move: %s -> %s", d->config.name,
                  xf_move_phase_to_string(d->move.phase),
                  xf_move_phase_to_string(phase));
        d->move.phase = phase;
        xf_domain_changed(d);
    }
}

void
xf_domain_get_move(const struct xf_domain *d, struct xf_move_status *status)
{
    *status = (struct xf_move_status) {
        .phase = d->move.phase,
        .migration = d->move.settings.migration,
        .progress = d->move.progress,
        .has_cards = (d->backend->move
                      && (!d->backend->move->cards_come_last
                          || d->move.phase >= XF_MOVE_RECEIVED)
                      && d->move.phase >= XF_MOVE_WAITING),
    };
}

void
xf_domain_get_machine(const struct xf_domain *d,
                      struct xf_move_machine *machine)
{
    memset(machine, 0, sizeof *machine);
    if (d->backend->move) {
        d->backend->move->get_machine(d, machine);
    }
}

void
xf_domain_move_ended(struct xf_domain *d, enum xf_domain_op op,
                     enum xf_domain_state state, bool failed)
{
    if (op == XF_DOMAIN_OP_SEND) {
        ovs_assert(d->move.stage != XF_MOVE_STAGE_GIVEN);
        d->move.is_back = false;
        xf_domain_set_phase(d, XF_MOVE_NONE);
        note(d, XF_MOVE_STAGE_NONE);
        if (d->move.why) {
            free(d->error);
            d->error = d->move.why;
            d->move.why = NULL;
        }
    } else if (op == XF_DOMAIN_OP_RECEIVE) {
        if (state == XF_DOMAIN_RUNNING && !failed) {
            note(d, XF_MOVE_STAGE_RUNS);
            xf_domain_set_phase(d, XF_MOVE_TAKEN);
        } else {
            xf_domain_set_phase(d, XF_MOVE_NONE);
        }
    }
}

/* ---- Steps. ---- */

static char * OVS_WARN_UNUSED_RESULT
check_phase(const struct xf_domain *d, enum xf_move_phase phase,
            const char *what)
{
    return (d->move.phase == phase ? NULL
            : xasprintf("domain '%s' can't be %s: its move is in phase '%s', "
                        "not '%s'", d->config.name, what,
                        xf_move_phase_to_string(d->move.phase),
                        xf_move_phase_to_string(phase)));
}

static void
begin_op(struct xf_domain *d, enum xf_domain_op op)
{
    free(d->error);
    d->error = NULL;
    d->op = op;
    d->next_op = XF_DOMAIN_OP_NONE;
    xf_domain_changed(d);
}

char *
xf_domain_send(struct xf_domain *d, const struct xf_move_settings *settings,
               long long int now_ms)
{
    char *error;

    if (!d->backend->move) {
        return xasprintf("domain '%s' is one of backend %s: its machines "
                         "can't move", d->config.name, d->backend->name);
    } else if (d->op != XF_DOMAIN_OP_NONE || d->move.phase != XF_MOVE_NONE) {
        return xasprintf("domain '%s' can't be sent now: its %s is in "
                         "progress", d->config.name, d->op
                         ? xf_domain_op_to_string(d->op) : "move");
    } else if (d->state != XF_DOMAIN_RUNNING) {
        return xasprintf("domain '%s' is %s: one that is running can be sent",
                         d->config.name, xf_domain_state_to_string(d->state));
    }
    d->move.settings = *settings;
    error = promise(d, XF_MOVE_STAGE_SENDING);
    if (error) {
        return error;
    }
    d->move.progress = 0;
    begin_op(d, XF_DOMAIN_OP_SEND);
    xf_domain_set_phase(d, XF_MOVE_SENDING);
    d->backend->move->begin(d, XF_DOMAIN_OP_SEND, now_ms);
    return NULL;
}

void
xf_domain_receive(struct xf_domain *d, const struct xf_move_settings *settings,
                  long long int now_ms)
{
    d->move.settings = *settings;
    d->move.stage = XF_MOVE_STAGE_RECEIVING;
    begin_op(d, XF_DOMAIN_OP_RECEIVE);
    xf_domain_set_state(d, XF_DOMAIN_STARTING, NULL);
    xf_domain_set_phase(d, XF_MOVE_PREPARING);
    d->backend->move->begin(d, XF_DOMAIN_OP_RECEIVE, now_ms);
}

char *
xf_domain_halt(struct xf_domain *d, long long int now_ms)
{
    char *error = check_phase(d, XF_MOVE_READY, "halted");

    if (!error) {
        xf_domain_set_phase(d, XF_MOVE_HALTING);
        d->backend->move->halt(d, now_ms);
    }
    return error;
}

char *
xf_domain_give(struct xf_domain *d, long long int now_ms OVS_UNUSED)
{
    char *error = check_phase(d, XF_MOVE_SENT, "given");

    error = error ? error : promise(d, XF_MOVE_STAGE_GIVEN);
    if (!error) {
        xf_domain_set_phase(d, XF_MOVE_GIVEN);
    }
    return error;
}

char *
xf_domain_take_back(struct xf_domain *d, const char *why,
                    long long int now_ms)
{
    char *error;

    if (d->move.phase < XF_MOVE_SENDING || d->move.phase > XF_MOVE_GIVEN) {
        return check_phase(d, XF_MOVE_GIVEN, "taken back");
    } else if (d->move.is_back) {
        return NULL;
    }
    error = (d->move.stage == XF_MOVE_STAGE_SENDING ? NULL
             : promise(d, XF_MOVE_STAGE_SENDING));
    if (error) {
        return error;
    }
    VLOG_INFO("%s: it goes on here%s%s", d->config.name, why ? ": " : "",
              why ? why : "");
    d->op = XF_DOMAIN_OP_SEND;
    d->move.is_back = true;
    free(d->move.why);
    d->move.why = nullable_xstrdup(why);
    xf_domain_set_phase(d, XF_MOVE_SENDING);
    d->backend->move->resume(d, now_ms);
    return NULL;
}

char *
xf_domain_take(struct xf_domain *d, long long int now_ms)
{
    char *error = check_phase(d, XF_MOVE_RECEIVED, "taken");

    error = error ? error : promise(d, XF_MOVE_STAGE_TAKEN);
    if (!error) {
        d->op = XF_DOMAIN_OP_RECEIVE;
        xf_domain_set_phase(d, XF_MOVE_TAKEN);
        d->backend->move->take(d, now_ms);
    }
    return error;
}

char *
xf_domain_drop(struct xf_domain *d, long long int now_ms)
{
    bool is_given = d->move.stage == XF_MOVE_STAGE_GIVEN;
    char *error;

    if (d->op == XF_DOMAIN_OP_DESTROY) {
        return NULL;
    } else if (d->move.stage == XF_MOVE_STAGE_NONE
               || d->move.stage == XF_MOVE_STAGE_SENDING
               || d->move.stage == XF_MOVE_STAGE_RUNS) {
        return check_phase(d, XF_MOVE_GIVEN, "dropped");
    }
    /* Without a record a receiver has nothing that may ever run.  A given
     * one's goes with the folder. */
    error = is_given ? NULL : promise(d, XF_MOVE_STAGE_RECEIVING);
    if (!error) {
        xf_domain_set_phase(d, is_given ? XF_MOVE_GIVEN : XF_MOVE_NONE);
        begin_op(d, XF_DOMAIN_OP_DESTROY);
        xf_domain_begin__(d, XF_DOMAIN_OP_DESTROY, now_ms);
    }
    return error;
}

void
xf_domain_settle(struct xf_domain *d)
{
    if (d->move.stage == XF_MOVE_STAGE_RUNS) {
        xf_domain_set_phase(d, XF_MOVE_NONE);
        note(d, XF_MOVE_STAGE_NONE);
    }
}

/* ---- Memory. ---- */

int
xf_domain_read(struct xf_domain *d, void *p, size_t size)
{
    return d->backend->move->read(d, p, size);
}

int
xf_domain_write(struct xf_domain *d, const void *p, size_t size)
{
    return d->backend->move->write(d, p, size);
}

void
xf_domain_write_end(struct xf_domain *d)
{
    d->backend->move->write_end(d);
}

void
xf_domain_read_wait(const struct xf_domain *d)
{
    d->backend->move->read_wait(d);
}

void
xf_domain_write_wait(const struct xf_domain *d)
{
    d->backend->move->write_wait(d);
}

/* ---- After a predecessor. ---- */

static void
carry_out(struct xf_domain *d, enum xf_move_decision decision,
          long long int now_ms)
{
    char *error = NULL;

    switch (decision) {
    case XF_MOVE_GO_ON:
        note(d, XF_MOVE_STAGE_NONE);
        break;
    case XF_MOVE_RESUME:
        d->move.phase = XF_MOVE_SENDING;
        error = xf_domain_take_back(d, NULL, now_ms);
        break;
    case XF_MOVE_KEEP_GIVEN:
        xf_domain_set_phase(d, XF_MOVE_GIVEN);
        break;
    case XF_MOVE_KEEP_RECEIVED:
        d->op = XF_DOMAIN_OP_RECEIVE;
        xf_domain_set_phase(d, XF_MOVE_RECEIVED);
        break;
    case XF_MOVE_TAKE:
        d->move.phase = XF_MOVE_RECEIVED;
        error = xf_domain_take(d, now_ms);
        break;
    case XF_MOVE_DROP:
        error = xf_domain_drop(d, now_ms);
        break;
    case XF_MOVE_NOTHING:
        note(d, XF_MOVE_STAGE_RUNS);
        xf_domain_set_phase(d, XF_MOVE_TAKEN);
        break;
    }
    if (error) {
        VLOG_ERR("%s: %s", d->config.name, error);
        free(error);
    }
}

void
xf_domain_run_move(struct xf_domain *d, long long int now_ms)
{
    if (d->move.recall && d->op == XF_DOMAIN_OP_NONE) {
        enum xf_move_decision decision = xf_move_decide(d->move.stage,
                                                        d->state);

        d->move.recall = false;
        if (!d->backend->move) {
            decision = XF_MOVE_GO_ON;
        }
        VLOG_INFO("%s: a move was under way: %s", d->config.name,
                  xf_move_decision_to_string(decision));
        carry_out(d, decision, now_ms);
    }
}
