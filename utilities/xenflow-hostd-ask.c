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

/* Questions to the switch of this host: commands of its control socket, without
 * waiting for the answer. */

#include <config.h>

#include "xenflow-hostd-move.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "dirs.h"
#include "jsonrpc.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_join_ask);

#define ANSWER_MS 5000          /* That the switch has. */
#define MOVE_MS 1000            /* The machine waits for that. */
#define LOOK_MS 1000            /* Between looks whether it's the same. */
#define AGAIN_MS 100            /* After it has refused. */

static char *
pidfile_name(void)
{
    return xasprintf("%s/ovs-vswitchd.pid", ovs_rundir());
}

pid_t
join_switch_pid(void)
{
    char *pidfile = pidfile_name();
    /* read_pidfile() would log that there is none. */
    pid_t pid = access(pidfile, R_OK) ? -errno : read_pidfile(pidfile);

    free(pidfile);
    return pid;
}

char *
join_ask(struct join_ask *ask, const char *command, struct json *args,
         long long int now_ms)
{
    pid_t pid = join_switch_pid();
    char *name = (pid < 0 ? pidfile_name()
                  : xasprintf("unix:%s/ovs-vswitchd.%ld.ctl", ovs_rundir(),
                              (long int) pid));
    struct stream *stream;
    int retval = pid < 0 ? -pid : stream_open(name, &stream, DSCP_DEFAULT);
    char *error = NULL;

    if (retval) {
        error = xasprintf("ovs-vswitchd of this host can't be asked (%s: %s): "
                          "is it running?", name, ovs_strerror(retval));
        json_destroy(args);
    } else {
        ask->rpc = jsonrpc_open(stream);
        ask->deadline_ms = now_ms + ANSWER_MS;
        /* An error comes back when the answer is looked for. */
        jsonrpc_send(ask->rpc, jsonrpc_create_request(command, args, NULL));
    }
    free(name);
    return error;
}

bool
join_ask_run(struct join_ask *ask, long long int now_ms, char **textp,
             char **errorp)
{
    struct jsonrpc_msg *msg;
    int retval;

    if (!ask->rpc) {
        return false;
    }
    jsonrpc_run(ask->rpc);
    retval = jsonrpc_recv(ask->rpc, &msg);
    if (retval == EAGAIN && now_ms < ask->deadline_ms) {
        return false;
    }
    *textp = *errorp = NULL;
    if (retval) {
        *errorp = (retval == EAGAIN
                   ? xasprintf("ovs-vswitchd of this host hasn't answered for "
                               "%d seconds", ANSWER_MS / 1000)
                   : xasprintf("ovs-vswitchd of this host didn't answer (%s)",
                               ovs_retval_to_string(retval)));
    } else {
        if (msg->error && msg->error->type == JSON_STRING) {
            *errorp = xstrdup(json_string(msg->error));
        } else if (msg->result && msg->result->type == JSON_STRING) {
            *textp = xstrdup(json_string(msg->result));
        } else {
            *errorp = xstrdup("ovs-vswitchd of this host answered something "
                              "else than text");
        }
        jsonrpc_msg_destroy(msg);
    }
    join_ask_close(ask);
    return true;
}

void
join_ask_wait(const struct join_ask *ask)
{
    if (ask->rpc) {
        jsonrpc_wait(ask->rpc);
        jsonrpc_recv_wait(ask->rpc);
        poll_timer_wait_until(ask->deadline_ms);
    }
}

void
join_ask_close(struct join_ask *ask)
{
    jsonrpc_close(ask->rpc);
    ask->rpc = NULL;
}

/* ---- Of a router that moves. ---- */

bool
move_is_separated(const struct join *j, const struct move *m)
{
    return !strcmp(move_row(j, m)->technique, "separated");
}

void
move_ask(struct join *j OVS_UNUSED, struct move *m, const char *command,
         long long int now_ms)
{
    struct json *args = json_array_create_1(json_string_create(m->name));
    char *error;

    join_ask_close(&m->ask);
    m->asked = command;
    error = join_ask(&m->ask, command, args, now_ms);
    m->ask_failed = error != NULL;
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        VLOG_INFO_RL(&rl, "%s: %s: %s", m->name, command, error);
        free(error);
        m->ask.rpc = NULL;
    } else {
        m->ask.deadline_ms = now_ms + MOVE_MS;
    }
}

bool
move_ask_run(struct join *j OVS_UNUSED, struct move *m, long long int now_ms)
{
    char *text, *error;

    if (!m->ask.rpc) {
        return true;
    }
    if (!join_ask_run(&m->ask, now_ms, &text, &error)) {
        return false;
    }
    m->ask_failed = error != NULL;
    if (error) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 5);

        VLOG_WARN_RL(&rl, "%s: %s: %s; what other routers say to it meanwhile "
                     "may be lost", m->name, m->asked, error);
    }
    free(text);
    free(error);
    return true;
}

bool
move_ask_keep(struct join *j, struct move *m, const char *command,
              long long int now_ms)
{
    if (!m->ask.rpc && now_ms >= m->look_ms) {
        pid_t pid = join_switch_pid();

        m->keeps = m->keeps && pid == m->keeper;
        if (!m->keeps) {
            m->keeper = pid;
            m->keeps = true;
            move_ask(j, m, command, now_ms);
        }
        m->look_ms = now_ms + LOOK_MS;
    }
    if (m->keeps && move_ask_run(j, m, now_ms) && m->ask_failed) {
        m->keeps = false;
        m->look_ms = now_ms + AGAIN_MS;
    }
    return m->keeps && !m->ask.rpc;
}
