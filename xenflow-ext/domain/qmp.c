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
#include "domain/qmp.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/list.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_qmp);

#define MESSAGE_MAX (1024 * 1024)
#define READS_PER_RUN 64
#define HANDSHAKE_MS 5000
#define RETRY_MIN_MS 50
#define RETRY_MAX_MS 500

enum qmp_state {
    QMP_IDLE,                   /* No connection; the next try has a time. */
    QMP_CONNECTING,
    QMP_GREETING,               /* Waits for QEMU's greeting. */
    QMP_NEGOTIATING,            /* Waits for the answer to qmp_capabilities. */
    QMP_READY,
};

struct command {
    struct ovs_list node;       /* In 'commands' of struct xf_qmp. */
    long long int id;
    char *name;
    struct json *args;
    bool sent;
    long long int deadline_ms;
    xf_qmp_cb *cb;
};

struct xf_qmp {
    char *name;                 /* Of the stream: "unix:PATH". */
    xf_qmp_event_cb *event;
    void *aux;

    enum qmp_state state;
    struct stream *stream;
    struct json_parser *parser;
    size_t parsed;              /* Bytes of the message in 'parser'. */
    struct ds output;
    size_t output_ofs;          /* Sent already. */
    long long int handshake_ms; /* When it must be over. */
    long long int retry_ms;     /* When to connect. */
    int backoff_ms;

    struct ovs_list commands;   /* Oldest first. */
    long long int next_id;
};

static void disconnect(struct xf_qmp *, const char *why, long long int now_ms);

struct xf_qmp *
xf_qmp_create(const char *path, xf_qmp_event_cb *event, void *aux)
{
    struct xf_qmp *qmp = xzalloc(sizeof *qmp);

    qmp->name = xasprintf("unix:%s", path);
    qmp->event = event;
    qmp->aux = aux;
    qmp->backoff_ms = RETRY_MIN_MS;
    ds_init(&qmp->output);
    ovs_list_init(&qmp->commands);
    qmp->next_id = 1;
    return qmp;
}

bool
xf_qmp_is_ready(const struct xf_qmp *qmp)
{
    return qmp->state == QMP_READY;
}

/* ---- Commands. ---- */

void
xf_qmp_command(struct xf_qmp *qmp, const char *name, struct json *args,
               long long int deadline_ms, xf_qmp_cb *cb)
{
    struct command *command = xmalloc(sizeof *command);

    *command = (struct command) {
        .id = qmp->next_id++,
        .name = xstrdup(name),
        .args = args,
        .deadline_ms = deadline_ms,
        .cb = cb,
    };
    ovs_list_push_back(&qmp->commands, &command->node);
}

static void
free_command(struct command *command)
{
    ovs_list_remove(&command->node);
    free(command->name);
    json_destroy(command->args);
    free(command);
}

/* The command is over. */
static void
end_command(struct xf_qmp *qmp, struct command *command,
            const struct json *result, const char *error)
{
    xf_qmp_cb *cb = command->cb;

    free_command(command);
    if (cb) {
        cb(result, error, qmp->aux);
    }
}

void
xf_qmp_destroy(struct xf_qmp *qmp)
{
    struct command *command;

    if (!qmp) {
        return;
    }
    LIST_FOR_EACH_SAFE (command, node, &qmp->commands) {
        free_command(command);
    }
    json_parser_abort(qmp->parser);
    stream_close(qmp->stream);
    ds_destroy(&qmp->output);
    free(qmp->name);
    free(qmp);
}

static void
put_command(struct xf_qmp *qmp, const char *name, long long int id,
            const struct json *args)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "execute", name);
    json_object_put(json, "id", json_integer_create(id));
    if (args) {
        json_object_put(json, "arguments", json_clone(args));
    }
    json_to_ds(json, JSSF_SORT, &qmp->output);
    ds_put_char(&qmp->output, '\n');
    json_destroy(json);
}

static void
send_commands(struct xf_qmp *qmp)
{
    struct command *command;

    if (qmp->state != QMP_READY) {
        return;
    }
    LIST_FOR_EACH (command, node, &qmp->commands) {
        if (!command->sent) {
            put_command(qmp, command->name, command->id, command->args);
            command->sent = true;
        }
    }
}

static const char *
state_text(const struct xf_qmp *qmp)
{
    return (qmp->state == QMP_IDLE || qmp->state == QMP_CONNECTING
            ? "its QMP socket can't be reached"
            : qmp->state == QMP_READY ? "it is busy or hangs"
            : "it doesn't greet: is another program at its QMP socket?");
}

/* Fails commands whose time is over. */
static void
expire(struct xf_qmp *qmp, long long int now_ms)
{
    bool again = true;

    while (again) {             /* A callback may add commands. */
        struct command *command;

        again = false;
        LIST_FOR_EACH (command, node, &qmp->commands) {
            if (now_ms >= command->deadline_ms) {
                char *error = xasprintf("QEMU didn't answer '%s' in time (%s)",
                                        command->name, state_text(qmp));

                end_command(qmp, command, NULL, error);
                free(error);
                again = true;
                break;
            }
        }
    }
}

/* Fails the commands that were sent: their answers are lost. */
static void
fail_sent(struct xf_qmp *qmp, const char *why)
{
    bool again = true;

    while (again) {
        struct command *command;

        again = false;
        LIST_FOR_EACH (command, node, &qmp->commands) {
            if (command->sent) {
                end_command(qmp, command, NULL, why);
                again = true;
                break;
            }
        }
    }
}

/* ---- What QEMU says. ---- */

static const struct json *
member(const struct json *json, const char *name, enum json_type type)
{
    const struct json *value = (json->type == JSON_OBJECT
                                ? shash_find_data(json_object(json), name)
                                : NULL);

    return value && value->type == type ? value : NULL;
}

static void
handle_answer(struct xf_qmp *qmp, const struct json *message,
              const struct json *result, const struct json *error)
{
    const struct json *id = member(message, "id", JSON_INTEGER);
    const struct json *desc = error ? member(error, "desc", JSON_STRING)
                              : NULL;
    struct command *command;

    LIST_FOR_EACH (command, node, &qmp->commands) {
        if (id && command->sent && command->id == json_integer(id)) {
            char *text = !error ? NULL
                : xasprintf("QEMU refused '%s': %s", command->name,
                            desc ? json_string(desc) : "it doesn't say why");

            end_command(qmp, command, error ? NULL : result, text);
            free(text);
            return;
        }
    }
    /* Its time was over. */
}

/* Handles a message.  Returns NULL, or what is wrong with it. */
static const char *
handle_message(struct xf_qmp *qmp, const struct json *message)
{
    const struct json *event = member(message, "event", JSON_STRING);
    const struct json *error = member(message, "error", JSON_OBJECT);
    const struct json *result = (message->type == JSON_OBJECT
                                 ? shash_find_data(json_object(message),
                                                   "return") : NULL);

    if (qmp->state == QMP_GREETING) {
        if (!member(message, "QMP", JSON_OBJECT)) {
            return "it doesn't greet as QEMU does";
        }
        put_command(qmp, "qmp_capabilities", 0, NULL);
        qmp->state = QMP_NEGOTIATING;
    } else if (event) {
        qmp->event(json_string(event), member(message, "data", JSON_OBJECT),
                   qmp->aux);
    } else if (qmp->state == QMP_NEGOTIATING) {
        if (!result) {
            return "it refused qmp_capabilities";
        }
        qmp->state = QMP_READY;
        qmp->backoff_ms = RETRY_MIN_MS;
    } else if (result || error) {
        handle_answer(qmp, message, result, error);
    } else {
        return "it sent a message that is no event and no answer";
    }
    return NULL;
}

/* Takes in 'n' bytes.  Returns NULL, or what is wrong, to be freed. */
static char *
feed(struct xf_qmp *qmp, const char *p, size_t n)
{
    while (n) {
        if (!qmp->parser) {
            if (strchr(" \r\n\t", *p) && *p) {
                p++;
                n--;
                continue;
            }
            qmp->parser = json_parser_create(0);
            qmp->parsed = 0;
        }

        size_t used = json_parser_feed(qmp->parser, p, n);
        p += used;
        n -= used;
        qmp->parsed += used;
        if (json_parser_is_done(qmp->parser)) {
            struct json *message = json_parser_finish(qmp->parser);
            const char *wrong;
            char *error;

            qmp->parser = NULL;
            wrong = (message->type == JSON_STRING ? json_string(message)
                     : handle_message(qmp, message));
            error = wrong ? xstrdup(wrong) : NULL;
            json_destroy(message);
            if (error) {
                return error;
            }
        } else if (qmp->parsed > MESSAGE_MAX) {
            return xasprintf("it sent a message above %d bytes", MESSAGE_MAX);
        }
    }
    return NULL;
}

/* ---- The connection. ---- */

static void
connect_(struct xf_qmp *qmp, long long int now_ms)
{
    int error = stream_open(qmp->name, &qmp->stream, 0);

    if (error) {
        qmp->stream = NULL;
        disconnect(qmp, NULL, now_ms);
        return;
    }
    qmp->state = QMP_CONNECTING;
    qmp->handshake_ms = now_ms + HANDSHAKE_MS;
}

/* Ends the connection and sets the time of the next.  'why' fails what was
 * sent; NULL: there was no connection. */
static void
disconnect(struct xf_qmp *qmp, const char *why, long long int now_ms)
{
    stream_close(qmp->stream);
    qmp->stream = NULL;
    json_parser_abort(qmp->parser);
    qmp->parser = NULL;
    ds_clear(&qmp->output);
    qmp->output_ofs = 0;
    qmp->state = QMP_IDLE;
    qmp->retry_ms = now_ms + qmp->backoff_ms;
    qmp->backoff_ms = MIN(2 * qmp->backoff_ms, RETRY_MAX_MS);
    if (why) {
        char *error = xasprintf("the connection to QEMU broke: %s", why);

        VLOG_DBG("%s: %s", qmp->name, error);
        fail_sent(qmp, error);
        free(error);
    }
}

static void
flush(struct xf_qmp *qmp, long long int now_ms)
{
    while (qmp->output_ofs < qmp->output.length) {
        int n = stream_send(qmp->stream, qmp->output.string + qmp->output_ofs,
                            qmp->output.length - qmp->output_ofs);

        if (n == -EAGAIN) {
            return;
        } else if (n <= 0) {
            disconnect(qmp, ovs_strerror(-n), now_ms);
            return;
        }
        qmp->output_ofs += n;
    }
    ds_clear(&qmp->output);
    qmp->output_ofs = 0;
}

/* Returns false when all that has come is read. */
static bool
receive(struct xf_qmp *qmp, long long int now_ms)
{
    char buf[4096];
    int n = stream_recv(qmp->stream, buf, sizeof buf);

    if (n == -EAGAIN) {
        return false;
    } else if (n <= 0) {
        disconnect(qmp, n ? ovs_strerror(-n) : "it closed it", now_ms);
        return false;
    }

    char *error = feed(qmp, buf, n);
    if (error) {
        disconnect(qmp, error, now_ms);
        free(error);
        return false;
    }
    return true;
}

static void
run_connection(struct xf_qmp *qmp, long long int now_ms)
{
    stream_run(qmp->stream);
    if (qmp->state == QMP_CONNECTING) {
        int error = stream_connect(qmp->stream);

        if (error && error != EAGAIN) {
            disconnect(qmp, NULL, now_ms);
            return;
        } else if (!error) {
            qmp->state = QMP_GREETING;
        }
    }
    for (int i = 0; i < READS_PER_RUN && qmp->state >= QMP_GREETING; i++) {
        if (!receive(qmp, now_ms)) {
            break;
        }
    }
    if (qmp->state != QMP_IDLE && qmp->state != QMP_READY
        && now_ms >= qmp->handshake_ms) {
        disconnect(qmp, "it doesn't greet", now_ms);
    }
    send_commands(qmp);
    if (qmp->stream) {
        flush(qmp, now_ms);
    }
}

void
xf_qmp_run(struct xf_qmp *qmp, long long int now_ms)
{
    if (qmp->state == QMP_IDLE && now_ms >= qmp->retry_ms) {
        connect_(qmp, now_ms);
    }
    if (qmp->stream) {
        run_connection(qmp, now_ms);
    }
    expire(qmp, now_ms);
}

void
xf_qmp_wait(const struct xf_qmp *qmp)
{
    const struct command *command;

    if (qmp->stream) {
        stream_run_wait(qmp->stream);
        stream_wait(qmp->stream, qmp->state == QMP_CONNECTING ? STREAM_CONNECT
                    : STREAM_RECV);
        if (qmp->output_ofs < qmp->output.length) {
            stream_wait(qmp->stream, STREAM_SEND);
        }
        if (qmp->state != QMP_READY) {
            poll_timer_wait_until(qmp->handshake_ms);
        }
    } else {
        poll_timer_wait_until(qmp->retry_ms);
    }
    LIST_FOR_EACH (command, node, &qmp->commands) {
        poll_timer_wait_until(command->deadline_ms);
        if (!command->sent && qmp->state == QMP_READY) {
            poll_immediate_wake();
        }
    }
}
