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

/* What OSPF among the hosts says of this host's cables: column metric of
 * Physical_Link_State.
 *
 * Where FRR's ospfd runs on the host itself, its link-state database is asked
 * for once a second, by the socket that vtysh uses (a question ends with a
 * zero, an answer with three and a number).  Open_vSwitch's external_ids key
 * xenflow-ospf is the name of that socket; without it nobody is asked.
 *
 * A cable is the one of OSPF by the addresses of its port's device, or of VLAN
 * devices on it (PORT.VLAN): the least metric of a link of ours at one of them
 * counts.  One without addresses isn't OSPF's, nor is one that OSPF has never
 * had yet, for the first GRACE_MS: neighbours need so long to find each other.
 * If ospfd doesn't answer, or says what isn't understood, for MISSED_MAX
 * questions, its word doesn't count for any cable until it does, and an event
 * says why.
 *
 * Cost: O(answer + addresses * links) per second, and at most 9 % of the time:
 * the next question waits ten times as long as the last answer took. */

#include <config.h>

#include "xenflow-hostd.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "lib/vswitch-idl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "smap.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-ospf.h"

VLOG_DEFINE_THIS_MODULE(xf_join_ospf);

#define KEY "xenflow-ospf"
#define PERIOD_MS 1000
#define ANSWER_MS 5000          /* That it has for an answer. */
#define REST 10                 /* So much longer than an answer took. */
#define GRACE_MS 60000
#define MISSED_MAX 3            /* In a row. */
#define CHUNK 65536
#define N_CHUNKS 16             /* Read in one run. */

/* The end of an answer: zeros, then a number that says how it went. */
#define END_ZEROS 3
#define END_SIZE (END_ZEROS + 1)

static const char question[] = XF_OSPF_COMMAND; /* With its zero. */

struct join_ospf {
    char *socket;               /* In use; NULL: none. */
    struct stream *stream;      /* A question is under way, or NULL. */
    size_t n_sent;              /* Of the question. */
    struct ds answer;
    long long int asked_ms;
    long long int next_ms;      /* Next question. */
    long long int since_ms;     /* It answers all; 0: not the last. */
    int n_missed;               /* In a row. */
    bool trouble_told;
};

struct join_ospf *
join_ospf_create(void)
{
    struct join_ospf *ospf = xzalloc(sizeof *ospf);

    ds_init(&ospf->answer);
    return ospf;
}

static void
hang_up(struct join_ospf *ospf)
{
    stream_close(ospf->stream);
    ospf->stream = NULL;
    ds_destroy(&ospf->answer);
    ds_init(&ospf->answer);
}

void
join_ospf_destroy(struct join_ospf *ospf)
{
    hang_up(ospf);
    free(ospf->socket);
    free(ospf);
}

/* ---- What is said of cables. ---- */

/* Whether 'device' is that of 'port', or a VLAN device on it. */
static bool
is_of_port(const char *device, const char *port)
{
    size_t n = strlen(port);

    return !strncmp(device, port, n) && (!device[n] || device[n] == '.');
}

/* What metrics are found by. */
struct known {
    const struct xf_ospf *ospf;
    const struct ifaddrs *addrs;    /* All of this host. */
    bool settled;               /* What isn't there doesn't just come. */
};

/* What is known of the cable at 'port', of which 'old' was known. */
static int
metric_of_port(const char *port, int old, const void *known_)
{
    const struct known *known = known_;
    int result = JOIN_METRIC_NONE;

    for (const struct ifaddrs *ifa = known->addrs; ifa; ifa = ifa->ifa_next) {
        const struct sockaddr_in *sin = ALIGNED_CAST(
            const struct sockaddr_in *, ifa->ifa_addr);

        if (sin && sin->sin_family == AF_INET
            && is_of_port(ifa->ifa_name, port)) {
            int metric = xf_ospf_metric(known->ospf, sin->sin_addr.s_addr);

            if (result <= 0 || (metric && metric < result)) {
                result = metric;
            }
        }
    }
    return (!result && old == JOIN_METRIC_NONE && !known->settled
            ? JOIN_METRIC_NONE : result);
}

/* OSPF says nothing of any cable. */
static int
no_metric(const char *port OVS_UNUSED, int old OVS_UNUSED,
          const void *known OVS_UNUSED)
{
    return JOIN_METRIC_NONE;
}

/* Has all cables the metrics that 'ospf' says. */
static void
set_metrics(struct join *j, const struct xf_ospf *ospf)
{
    struct ifaddrs *addrs;

    if (!getifaddrs(&addrs)) {  /* Else the next time. */
        const struct known known = {
            .ospf = ospf,
            .addrs = addrs,
            .settled = time_msec() - j->ospf->since_ms > GRACE_MS,
        };

        join_probe_set_metrics(j, metric_of_port, &known);
        freeifaddrs(addrs);
    }
}

/* ---- Questions and answers. ---- */

/* The question under way has failed; takes 'why' over. */
static void
fail(struct join *j, char *why)
{
    struct join_ospf *ospf = j->ospf;

    hang_up(ospf);
    ospf->since_ms = 0;
    if (++ospf->n_missed >= MISSED_MAX) {
        join_probe_set_metrics(j, no_metric, NULL);
        if (!ospf->trouble_told) {
            ospf->trouble_told = true;
            join_event(j, "warning", "OSPF", "ospfd at %s: %s: until it "
                       "answers, cables count by probes alone", ospf->socket,
                       why);
        }
    }
    free(why);
}

static void
ask(struct join *j, long long int now_ms)
{
    struct join_ospf *ospf = j->ospf;
    char *name = xasprintf("unix:%s", ospf->socket);
    int error;

    ospf->asked_ms = now_ms;
    ospf->next_ms = now_ms + PERIOD_MS;
    ospf->n_sent = 0;
    error = stream_open(name, &ospf->stream, DSCP_DEFAULT);
    if (error) {
        ospf->stream = NULL;
        fail(j, xasprintf("its socket can't be opened (%s): start it, or take "
                          "external_ids:xenflow-ospf out",
                          ovs_strerror(error)));
    }
    free(name);
}

/* The answer is complete. */
static void
take_answer(struct join *j)
{
    struct join_ospf *ospf = j->ospf;
    struct xf_ospf said;
    char *error;

    ds_truncate(&ospf->answer, ospf->answer.length - END_SIZE);
    error = xf_ospf_parse(ds_cstr(&ospf->answer), &said);
    if (error) {
        fail(j, xasprintf("its answer isn't understood: %s", error));
        free(error);
        return;
    }
    hang_up(ospf);
    ospf->n_missed = 0;
    ospf->since_ms = ospf->since_ms ? ospf->since_ms : time_msec();
    if (ospf->trouble_told) {
        ospf->trouble_told = false;
        join_event(j, "info", "OSPF", "ospfd at %s answers", ospf->socket);
    }
    set_metrics(j, &said);
    xf_ospf_destroy(&said);
    ospf->next_ms = MAX(ospf->next_ms, time_msec()
                        + REST * (time_msec() - ospf->asked_ms));
}

/* Whether the answer so far ends as one does. */
static bool
is_complete(const struct ds *answer)
{
    static const char zeros[END_ZEROS];

    return (answer->length >= END_SIZE
            && !memcmp(answer->string + answer->length - END_SIZE, zeros,
                       END_ZEROS));
}

/* Sends what is left of the question.  Returns 0, EAGAIN or another errno. */
static int
send_question(struct join_ospf *ospf)
{
    int error = stream_connect(ospf->stream);

    while (!error && ospf->n_sent < sizeof question) {
        int n = stream_send(ospf->stream, question + ospf->n_sent,
                            sizeof question - ospf->n_sent);

        if (n < 0) {
            error = -n;
        } else {
            ospf->n_sent += n;
        }
    }
    return error;
}

/* Receives what there is.  Returns 0 when the answer is complete, EAGAIN, EOF
 * or another errno. */
static int
receive_answer(struct join_ospf *ospf)
{
    for (int i = 0; i < N_CHUNKS; i++) {
        char *end;
        int n;

        if (is_complete(&ospf->answer)) {
            return 0;
        } else if (ospf->answer.length > XF_OSPF_TEXT_MAX) {
            return EMSGSIZE;
        }
        end = ds_put_uninit(&ospf->answer, CHUNK);
        n = stream_recv(ospf->stream, end, CHUNK);
        ds_truncate(&ospf->answer, ospf->answer.length - CHUNK + MAX(n, 0));
        if (n <= 0) {
            return n ? -n : EOF;
        }
    }
    poll_immediate_wake();
    return is_complete(&ospf->answer) ? 0 : EAGAIN;
}

/* Takes the name of the socket over if it has changed. */
static void
configure(struct join *j)
{
    const struct ovsrec_open_vswitch *cfg =
        j->ovs.idl ? ovsrec_open_vswitch_first(j->ovs.idl) : NULL;
    const char *name = cfg ? smap_get(&cfg->external_ids, KEY) : NULL;
    struct join_ospf *ospf = j->ospf;

    if (!nullable_string_is_equal(name, ospf->socket)) {
        hang_up(ospf);
        free(ospf->socket);
        ospf->socket = nullable_xstrdup(name);
        ospf->next_ms = ospf->since_ms = 0;
        ospf->n_missed = 0;
        ospf->trouble_told = false;
        join_probe_set_metrics(j, no_metric, NULL);
    }
}

void
join_ospf_run(struct join *j, long long int now_ms)
{
    struct join_ospf *ospf = j->ospf;
    int error;

    configure(j);
    if (!ospf->stream) {
        if (!ospf->socket || now_ms < ospf->next_ms) {
            return;
        }
        ask(j, now_ms);
        if (!ospf->stream) {
            return;
        }
    }
    stream_run(ospf->stream);
    error = send_question(ospf);
    error = error ? error : receive_answer(ospf);
    if (!error) {
        take_answer(j);
    } else if (error == EMSGSIZE) {
        fail(j, xasprintf("its answer is longer than %d bytes: split the "
                          "area", XF_OSPF_TEXT_MAX));
    } else if (error != EAGAIN) {
        fail(j, xasprintf("it doesn't answer (%s)",
                          ovs_retval_to_string(error)));
    } else if (now_ms > ospf->asked_ms + ANSWER_MS) {
        fail(j, xasprintf("it hasn't answered for %d seconds",
                          ANSWER_MS / 1000));
    }
}

void
join_ospf_wait(const struct join *j)
{
    const struct join_ospf *ospf = j->ospf;

    if (ospf->stream) {
        stream_run_wait(ospf->stream);
        if (ospf->n_sent < sizeof question) {
            stream_send_wait(ospf->stream);
        } else {
            stream_recv_wait(ospf->stream);
        }
        poll_timer_wait_until(ospf->asked_ms + ANSWER_MS);
    } else if (ospf->socket) {
        poll_timer_wait_until(ospf->next_ms);
    }
}
