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

/* Packets that operators want traced (Trace): asks the switch of this host, one
 * question at a time and without waiting for it, and writes what it says
 * (Trace_State).
 *
 * What is left to do can be seen from the rows: a question without an answer, an
 * answer without its question. */

#include <config.h>

#include "xenflow-hostd.h"

#include <string.h>

#include "openvswitch/json.h"
#include "util.h"

#define TEXT_MAX 65536          /* Bytes; see xenflow.ovsschema. */
#define ERROR_MAX 4096

struct join_trace {
    struct uuid question;       /* Which Trace. */
    struct join_ask ask;        /* The switch, while it hasn't answered. */
    char *text, *error;         /* The answer, till it is in the database: one
                                 * of the two isn't NULL. */
};

struct join_trace *
join_trace_create(void)
{
    return xzalloc(sizeof(struct join_trace));
}

void
join_trace_clear(struct join_trace *trace)
{
    join_ask_close(&trace->ask);
    free(trace->text);
    free(trace->error);
    memset(trace, 0, sizeof *trace);
}

void
join_trace_destroy(struct join_trace *trace)
{
    join_trace_clear(trace);
    free(trace);
}

/* ---- Rows. ---- */

static const struct xfrec_trace *
find_question(const struct join *j, const struct uuid *uuid)
{
    const struct xfrec_trace *row = xfrec_trace_get_for_uuid(j->xf.idl, uuid);

    return row && row->host == j->me ? row : NULL;
}

static bool
is_answered(const struct join *j, const struct uuid *question)
{
    const struct xfrec_trace_state *state;

    XFREC_TRACE_STATE_FOR_EACH (state, j->xf.idl) {
        if (uuid_equals(&state->trace, question)) {
            return true;
        }
    }
    return false;
}

bool
join_trace_is_due(const struct join *j)
{
    const struct xfrec_trace_state *state;

    if (j->trace->text || j->trace->error) {
        return true;
    }
    XFREC_TRACE_STATE_FOR_EACH (state, j->xf.idl) {
        if (!find_question(j, &state->trace)) {
            return true;
        }
    }
    return false;
}

void
join_trace_write(struct join *j)
{
    const struct xfrec_trace_state *state, *next;
    const struct join_trace *trace = j->trace;

    XFREC_TRACE_STATE_FOR_EACH_SAFE (state, next, j->xf.idl) {
        if (!find_question(j, &state->trace)) {
            xfrec_trace_state_delete(state);
        }
    }
    if (trace->text || trace->error) {
        state = xfrec_trace_state_insert(j->xf.txn);
        xfrec_trace_state_set_host(state, j->name);
        xfrec_trace_state_set_trace(state, trace->question);
        xfrec_trace_state_set_text(state, trace->text ? trace->text : "");
        xfrec_trace_state_set_error(state, trace->error ? trace->error : "");
    }
}

/* ---- The switch. ---- */

/* Keeps at most 'max' bytes of 's', which are whole characters. */
static char *
cut(char *s, size_t max)
{
    static const char more[] = "\n(the rest is left out)\n";
    size_t n = strlen(s);

    if (n <= max) {
        return s;
    }
    n = max - sizeof more;
    while (n && ((unsigned char) s[n] & 0xc0) == 0x80) {
        n--;
    }
    strcpy(&s[n], more);
    return s;
}

/* The answer is 'text' or 'error' (takes ownership; the other one is NULL). */
static void
answer(struct join_trace *trace, char *text, char *error)
{
    trace->text = text ? cut(text, TEXT_MAX) : NULL;
    trace->error = error ? cut(error, ERROR_MAX) : NULL;
}

/* Asks the switch what 'row' says. */
static void
ask(struct join *j, const struct xfrec_trace *row, long long int now_ms)
{
    const char *bridge = join_bridge_name(j);
    struct join_trace *trace = j->trace;

    trace->question = row->header_.uuid;
    if (!bridge) {
        answer(trace, NULL, xstrdup("this host has no switch"));
        return;
    }

    char *packet = (row->port[0]
                    ? xasprintf("in_port=\"%s\",%s", row->port, row->packet)
                    : xasprintf("in_port=LOCAL,%s", row->packet));
    char *error = join_ask(&trace->ask, "ofproto/trace", json_array_create_3(
        json_string_create("--names"), json_string_create(bridge),
        json_string_create(packet)), now_ms);

    free(packet);
    if (error) {
        answer(trace, NULL, error);
    }
}

void
join_trace_run(struct join *j, long long int now_ms)
{
    struct join_trace *trace = j->trace;
    const struct xfrec_trace *row;
    char *text, *error;

    if (!uuid_is_zero(&trace->question)
        && (!find_question(j, &trace->question)
            || is_answered(j, &trace->question))) {
        join_trace_clear(trace);
    }
    XFREC_TRACE_FOR_EACH (row, j->xf.idl) {
        if (uuid_is_zero(&trace->question) && row->host == j->me
            && !is_answered(j, &row->header_.uuid)) {
            ask(j, row, now_ms);
        }
    }
    if (join_ask_run(&trace->ask, now_ms, &text, &error)) {
        answer(trace, text, error);
    }
}

void
join_trace_wait(const struct join *j)
{
    join_ask_wait(&j->trace->ask);
}
