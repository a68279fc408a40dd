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


/* The listener: its socket, who is connected, epochs, timers.
 *
 * Epochs: see engine/speaker.h.  'unsettled' from the mark to the end of the
 * sweep that follows it:
 *
 *   accept -> mark ----> NLMSG_DONE ------------------> sweep, a part per run
 *                  \---> first route, then silence --/
 *   close -> stale_ms -> mark ----------------------/
 *
 * The device: SO_BINDTODEVICE binds to an ifindex, and a virtual machine that
 * starts anew has a new tap of the old name.  So the name is looked up every
 * DEVICE_CHECK_MS, and the socket opened again if it means another device.  A
 * machine that was suspended meanwhile believes in its old connection, and may
 * have nothing to say by it for long: it is ended by the new device, so that the
 * speaker connects and states all again. */

#include <config.h>
#include "engine/speaker-private.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coverage.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_speaker);

COVERAGE_DEFINE(xf_speaker_connect);
COVERAGE_DEFINE(xf_speaker_refuse);
COVERAGE_DEFINE(xf_speaker_sweep);

/* Logs lines that a peer can cause. */
static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 20);

#define DEVICE_CHECK_MS 1000
/* Connections accepted, and all but the last one closed, in one run. */
#define ACCEPT_MAX 16
/* Keepalive: a peer that vanished is noticed after about 20 s. */
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_INTERVAL_S 3
#define KEEPALIVE_PROBES 3
/* Bound of the configured times: a year. */
#define TIMER_MAX_MS (365LL * 24 * 60 * 60 * 1000)
/* How soon an epoch that couldn't be settled is looked at again. */
#define SETTLE_RETRY_MS 100

static int open_socket(struct xf_listener *, char **errorp);
static void open_tls(struct xf_listener *, const char *peer, char **errorp);
static void drop_conn(struct xf_listener *);

/* ---- Life. ---- */

static long long int
bound_timer(long long int ms)
{
    return MAX(0, MIN(ms, TIMER_MAX_MS));
}

/* Names the listener for people; once its port is known. */
static char *
listener_name(const struct xf_listener *l)
{
    bool v6 = strchr(l->address, ':') != NULL;

    return xasprintf("%s%s%s%s:%"PRIu16"%s%s", l->tls ? "pssl:" : "",
                     v6 ? "[" : "", l->address, v6 ? "]" : "", l->port,
                     l->device[0] ? "%" : "", l->device);
}

/* Adds the listener's source.  Returns false with a sentence in '*errorp' if it
 * is there already, and may not be. */
static bool
add_source(struct xf_listener *l, const struct xf_listener_config *config,
           char **errorp)
{
    char *error = NULL;
    int code = xf_rt_source_add(l->rt, l->source, config->source_name,
                                XF_PREF_SPEAKER, &error);

    if (code == EEXIST && config->adopt) {
        free(error);
        return true;
    }
    *errorp = error;
    return !code;
}

struct xf_listener *
xf_listener_create(const struct xf_listener_config *config, struct xf_rt *rt,
                   const struct xf_listener_ops *ops, void *aux,
                   char **errorp)
{
    struct xf_listener *l = xzalloc(sizeof *l);

    l->address = xstrdup(config->address);
    l->device = xstrdup(config->device ? config->device : "");
    l->port = config->port;
    l->source = config->source;
    l->neigh_source = (config->neigh_source ? config->neigh_source
                       : config->source);
    l->ready = config->ready;
    l->rt = rt;
    l->ops = ops;
    l->aux = aux;
    l->stale_at_ms = LLONG_MAX;
    xf_listener_set_timers(l, config->stale_ms, config->settle_ms);

    *errorp = NULL;
    l->fd = l->parted = -1;
    l->passive = config->passive;
    if (l->passive) {
        ovs_assert(!l->ready);
    } else if (config->tls_peer) {
        open_tls(l, config->tls_peer, errorp);
    } else {
        l->fd = open_socket(l, errorp);
    }
    if (*errorp || !add_source(l, config, errorp)) {
        if (l->fd >= 0) {
            close(l->fd);
        }
        xf_tls_destroy(l->tls);
        free(l->address);
        free(l->device);
        free(l);
        return NULL;
    }
    l->name = listener_name(l);
    if (l->ready) {
        xf_ready_add(l->ready, &l->item);
    }
    return l;
}

static void
stop(struct xf_listener *l)
{
    if (l->ready) {
        xf_ready_remove(&l->item);
        l->ready = NULL;
    }
    xf_speaker_conn_destroy(l->conn);
    l->conn = NULL;
    if (l->parted >= 0) {
        close(l->parted);
    }
}

void
xf_listener_destroy(struct xf_listener *l)
{
    if (l) {
        stop(l);
        xf_rt_source_del(l->rt, l->source, NULL);
        l->ops->changed(l->aux);
        xf_listener_abandon(l);
    }
}

void
xf_listener_abandon(struct xf_listener *l)
{
    if (l) {
        stop(l);
        if (l->fd >= 0) {
            close(l->fd);
        }
        xf_tls_destroy(l->tls);
        free(l->address);
        free(l->device);
        free(l->name);
        free(l->last_error);
        free(l);
    }
}

void
xf_listener_set_timers(struct xf_listener *l, long long int stale_ms,
                       long long int settle_ms)
{
    if (l->stale_at_ms != LLONG_MAX) {
        l->stale_at_ms += bound_timer(stale_ms) - l->stale_ms;
    }
    l->stale_ms = bound_timer(stale_ms);
    l->settle_ms = bound_timer(settle_ms);
}

uint64_t
xf_listener_generation(const struct xf_listener *l)
{
    return l->generation;
}

uint16_t
xf_listener_port(const struct xf_listener *l)
{
    return l->port;
}

void
xf_speaker_complain(struct xf_listener *l, char *error)
{
    VLOG_WARN_RL(&rl, "%s: %s: %s", l->name,
                 l->conn ? l->conn->peer : "no speaker", error);
    free(l->last_error);
    l->last_error = error;
}

/* ---- The socket. ---- */

/* Parses the configured address.  Returns false if it isn't one. */
static bool
parse_address(const struct xf_listener *l, struct sockaddr_storage *ss)
{
    struct sockaddr_in *sin = ALIGNED_CAST(struct sockaddr_in *, ss);
    struct sockaddr_in6 *sin6 = ALIGNED_CAST(struct sockaddr_in6 *, ss);

    memset(ss, 0, sizeof *ss);
    if (ip_parse(l->address, &sin->sin_addr.s_addr)) {
        sin->sin_family = AF_INET;
        sin->sin_port = htons(l->port);
        return true;
    }
    if (ipv6_parse(l->address, &sin6->sin6_addr)) {
        sin6->sin6_family = AF_INET6;
        sin6->sin6_port = htons(l->port);
        if (IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr)) {
            sin6->sin6_scope_id = if_nametoindex(l->device);
        }
        return true;
    }
    return false;
}

/* What an operator can do about 'error' of listening. */
static const char *
listen_advice(int error)
{
    switch (error) {
    case ENODEV:
        return "there is no such device: create it first, or name another";
    case EADDRINUSE:
        return "something listens there already: choose another address, "
               "port or device";
    case EADDRNOTAVAIL:
        return "this host doesn't have the address: give it to the device "
               "first";
    case EACCES:
    case EPERM:
        return "not permitted: run as root, or choose a port above 1023";
    default:
        return ovs_strerror(error);
    }
}

/* Binds 'fd' to the device, if one is configured, then to the address, and
 * listens.  Returns 0 or a positive errno. */
static int
bind_and_listen(struct xf_listener *l, int fd,
                const struct sockaddr_storage *ss)
{
    const int yes = 1;

    if (l->device[0]) {
        l->device_index = if_nametoindex(l->device);
        if (!l->device_index) {
            return ENODEV;
        }
        if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, l->device,
                       strlen(l->device) + 1)) {
            return errno;
        }
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes)
        || (ss->ss_family == AF_INET6
            && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes))
        || bind(fd, (const struct sockaddr *) ss, ss_length(ss))
        || listen(fd, ACCEPT_MAX)) {
        return errno;
    }
    return 0;
}

/* Opens the listening socket and sets 'l->port'.  Returns it, or -1 with a
 * sentence in '*errorp'. */
static int
open_socket(struct xf_listener *l, char **errorp)
{
    struct sockaddr_storage ss;
    socklen_t size = sizeof ss;
    int error;

    if (!parse_address(l, &ss)) {
        *errorp = xasprintf("'%s' is not an IPv4 or IPv6 address: give the "
                            "address to listen on", l->address);
        return -1;
    }

    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0);
    error = fd < 0 ? errno : bind_and_listen(l, fd, &ss);
    if (!error && getsockname(fd, (struct sockaddr *) &ss, &size)) {
        error = errno;
    }
    if (error) {
        *errorp = xasprintf("cannot listen on %s port %"PRIu16"%s%s: %s",
                            l->address, l->port,
                            l->device[0] ? " of device " : "", l->device,
                            listen_advice(error));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    l->port = ss_get_port(&ss);
    l->item.is_ready = true;
    l->is_told = l->ready && xf_ready_watch(l->ready, fd, &l->item);
    return fd;
}

/* Likewise for TLS; sets 'l->tls'. */
static void
open_tls(struct xf_listener *l, const char *peer, char **errorp)
{
    int error = xf_tls_create(l->address, l->port, peer, &l->tls);

    if (error) {
        *errorp = xasprintf("cannot listen with TLS on %s port %"PRIu16": %s",
                            l->address, l->port, listen_advice(error));
    } else {
        l->port = xf_tls_port(l->tls);
    }
}

/* The device is gone or another one. */
static void
lose_device(struct xf_listener *l)
{
    close(l->fd);
    l->fd = -1;
    if (l->conn) {
        l->parted = xf_speaker_conn_part(l->conn);
        VLOG_INFO("%s: %s has gone with its device", l->name, l->conn->peer);
        drop_conn(l);
    }
}

/* Opens the socket again if the device's name has come to mean another one. */
static void
device_run(struct xf_listener *l)
{
    if (!l->device[0] || l->now_ms < l->check_ms) {
        return;
    }
    /* Of all listeners at the same time: one wakeup. */
    l->check_ms = ROUND_UP(l->now_ms + 1, DEVICE_CHECK_MS);
    if (l->fd >= 0) {
        if (if_nametoindex(l->device) == l->device_index) {
            return;
        }
        lose_device(l);
    }

    char *error = NULL;
    l->fd = open_socket(l, &error);
    if (l->fd >= 0) {
        VLOG_INFO("%s: listening again", l->name);
        l->check_failed = false;
        if (l->parted >= 0) {
            xf_speaker_farewell(l->parted, l->device);
            l->parted = -1;
        }
    } else if (!l->check_failed) {
        VLOG_WARN("%s: %s; trying again every second", l->name, error);
        l->check_failed = true;
    }
    free(error);
}

/* ---- Connections. ---- */

/* Ends the connection, if there is one. */
static void
drop_conn(struct xf_listener *l)
{
    xf_speaker_apply_held(l);
    xf_speaker_conn_destroy(l->conn);
    l->conn = NULL;
    l->stale_at_ms = (l->passive || l->is_held ? LLONG_MAX
                      : l->now_ms + l->stale_ms);
}

/* Ends the connection; 'why' is for the log, "": the peer closed it. */
static void
disconnect(struct xf_listener *l, const char *why)
{
    if (why[0]) {
        /* The kernel mustn't go on for a peer that doesn't read. */
        const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

        if (l->conn->fd >= 0 && l->conn->stalled_ms) {
            setsockopt(l->conn->fd, SOL_SOCKET, SO_LINGER, &reset,
                       sizeof reset);
        }
        VLOG_WARN_RL(&rl, "%s: closed the connection of %s: %s", l->name,
                     l->conn->peer, why);
        free(l->last_error);
        l->last_error = xstrdup(why);
    } else {
        VLOG_INFO_RL(&rl, "%s: %s has disconnected", l->name, l->conn->peer);
    }
    drop_conn(l);
}

/* A machine that is suspended, or being saved, answers no keepalive, and believes
 * in its connection afterwards.  So by a device the connection lives as long as
 * that. */
static void
set_socket_options(const struct xf_listener *l, int fd)
{
    const int yes = 1, idle = KEEPALIVE_IDLE_S;
    const int interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES;

    if (!l->device[0]) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    }
    setsockopt_tcp_nodelay(fd);
}

/* Makes 'fd' or 'stream' the listener's connection and begins an epoch.  Takes
 * ownership of both and of 'peer'. */
static void
connected(struct xf_listener *l, int fd, struct stream *stream, char *peer)
{
    COVERAGE_INC(xf_speaker_connect);
    VLOG_INFO_RL(&rl, "%s: %s has connected%s%s", l->name, peer,
                 l->conn ? " and takes the place of " : "",
                 l->conn ? l->conn->peer : "");
    drop_conn(l);
    l->conn = xf_speaker_conn_create(fd, stream, peer, l->now_ms);
    l->conn->guest.known = l->passive;
    l->stats.n_connects++;
    l->stale_at_ms = LLONG_MAX;
    xf_listener_begin(l);
}

/* What another switch has learned is of one epoch with what the speaker
 * stated. */
void
xf_listener_begin(struct xf_listener *l)
{
    xf_rt_source_mark(l->rt, l->source, NULL);
    if (l->passive) {
        xf_rt_source_mark(l->rt, l->neigh_source, NULL);
    }
    l->unsettled = true;
    l->got_route = false;
    l->n_failed = 0;
    l->sweeping = false;
}

void
xf_listener_connect(struct xf_listener *l, struct stream *stream, char *peer,
                    long long int now_ms)
{
    l->now_ms = now_ms;
    connected(l, -1, stream, peer);
}

void
xf_listener_disconnect(struct xf_listener *l)
{
    if (l->conn) {
        drop_conn(l);
    }
}

static void
accept_run(struct xf_listener *l)
{
    if (l->is_told && !l->item.is_ready) {
        return;
    }
    for (int i = 0; i < ACCEPT_MAX && l->fd >= 0; i++) {
        struct sockaddr_storage ss;
        socklen_t size = sizeof ss;
        int fd = accept4(l->fd, (struct sockaddr *) &ss, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR)) {
            continue;           /* Others may wait behind it. */
        } else if (fd < 0) {
            l->item.is_ready = errno != EAGAIN;
            if (l->item.is_ready) {
                VLOG_WARN_RL(&rl, "%s: cannot accept a connection: %s",
                             l->name, ovs_strerror(errno));
            }
            break;
        }

        struct ds peer = DS_EMPTY_INITIALIZER;
        ss_format_address(&ss, &peer);
        ds_put_format(&peer, ":%"PRIu16, ss_get_port(&ss));
        set_socket_options(l, fd);
        connected(l, fd, NULL, ds_steal_cstr(&peer));
    }
}

/* Likewise for TLS.  Refusals are counted; the first since a peer got through
 * is logged. */
static void
tls_run(struct xf_listener *l)
{
    for (int i = 0; l->tls && i < ACCEPT_MAX; i++) {
        char *why;
        struct stream *stream = xf_tls_run(l->tls, l->now_ms, &why);

        if (stream) {
            l->refusal_logged = false;
            connected(l, -1, stream, xstrdup(stream_get_name(stream)));
        } else if (why) {
            COVERAGE_INC(xf_speaker_refuse);
            l->stats.n_refused_peers++;
            if (!l->refusal_logged) {
                VLOG_WARN("%s: %s (further ones are only counted)", l->name,
                          why);
                l->refusal_logged = true;
            }
            free(l->last_error);
            l->last_error = why;
        } else {
            break;
        }
    }
}

/* ---- Epochs. ---- */

void
xf_speaker_sweep(struct xf_listener *l)
{
    l->sweeping = true;
}

/* Decides whether a sweep is due. */
static void
epoch_run(struct xf_listener *l)
{
    if (l->passive) {
        return;
    }
    if (l->conn) {
        if (l->unsettled && l->got_route && !l->sweeping
            && l->now_ms - l->conn->last_rx_ms >= l->settle_ms
            && xf_speaker_conn_is_idle(l->conn)) {
            l->sweeping = true;
        }
    } else if (l->now_ms >= l->stale_at_ms) {
        l->stale_at_ms = LLONG_MAX;
        xf_rt_source_mark(l->rt, l->source, NULL);
        l->sweeping = true;
        VLOG_INFO_RL(&rl, "%s: no speaker for %lld ms: its routes go",
                     l->name, l->stale_ms);
    }
}

static void
sweep_run(struct xf_listener *l)
{
    if (!l->sweeping) {
        return;
    }
    COVERAGE_INC(xf_speaker_sweep);

    size_t n = xf_rt_source_sweep(l->rt, l->source, XF_SPEAKER_SWEEP_MAX);
    if (l->passive && n < XF_SPEAKER_SWEEP_MAX) {
        n += xf_rt_source_sweep(l->rt, l->neigh_source,
                                XF_SPEAKER_SWEEP_MAX - n);
    }
    if (n) {
        l->stats.n_swept += n;
        l->generation = l->ops->changed(l->aux);
    }
    if (n < XF_SPEAKER_SWEEP_MAX) {
        l->sweeping = false;
        l->unsettled = false;
        l->settled_once = l->settled_once || l->conn;
        if (l->conn && l->conn->end.wanted) {
            const struct xf_speaker_ack end = l->conn->end;

            l->conn->end.wanted = false;
            xf_speaker_answer(l, &end, 0);
        }
    }
}

/* ---- Running. ---- */

void
xf_listener_run(struct xf_listener *l, long long int now_ms)
{
    l->now_ms = now_ms;
    l->created_ms = l->created_ms ? l->created_ms : now_ms;
    device_run(l);
    accept_run(l);
    tls_run(l);
    if (l->conn) {
        char *why = xf_speaker_conn_run(l);

        if (why) {
            disconnect(l, why);
            free(why);
        }
    }
    if (l->held.valid && now_ms >= l->held.until_ms) {
        xf_speaker_apply_held(l);
    }
    epoch_run(l);
    sweep_run(l);
    if (l->conn) {
        xf_speaker_guest_run(l);
        xf_speaker_conn_flush(l);
    }
}

void
xf_listener_wait(struct xf_listener *l)
{
    if (l->fd >= 0 && !l->is_told) {
        poll_fd_wait(l->fd, POLLIN);
    }
    if (l->tls) {
        xf_tls_wait(l->tls);
    }
    if (l->device[0]) {
        poll_timer_wait_until(l->check_ms);
    }
    if (l->conn) {
        xf_speaker_conn_wait(l);
        if (l->unsettled && l->got_route && !l->passive) {
            long long int due_ms = l->conn->last_rx_ms + l->settle_ms;

            poll_timer_wait_until(due_ms > l->now_ms ? due_ms
                                  : l->now_ms + SETTLE_RETRY_MS);
        }
    } else if (l->stale_at_ms != LLONG_MAX) {
        poll_timer_wait_until(l->stale_at_ms);
    }
    if (l->held.valid) {
        poll_timer_wait_until(l->held.until_ms);
    }
    if (l->sweeping) {
        poll_immediate_wake();
    }
}

void
xf_listener_acked(struct xf_listener *l, uint64_t generation)
{
    l->acked = MAX(l->acked, generation);
    if (l->conn) {
        xf_speaker_conn_flush(l);
    }
}

/* ---- Many listeners. ---- */

/* True if nothing has to be run before a connection comes or the device is to
 * be looked at. */
static bool
listener_is_quiet(const struct xf_listener *l)
{
    return (!l->conn && !l->tls && !l->held.valid && !l->sweeping
            && l->stale_at_ms == LLONG_MAX && l->generation <= l->acked
            && (l->fd < 0 || (l->is_told && !l->item.is_ready)));
}

void
xf_listeners_run(struct xf_ready *ready, long long int now_ms)
{
    struct xf_listener *l;

    xf_ready_run(ready);
    if (now_ms >= ready->check_ms) {
        ready->check_ms = ROUND_UP(now_ms + 1, DEVICE_CHECK_MS);
        xf_ready_wake_all(ready);
    }
    LIST_FOR_EACH_SAFE (l, item.awake_node, &ready->awake) {
        xf_listener_run(l, now_ms);
        if (listener_is_quiet(l)) {
            xf_ready_sleep(&l->item);
        }
    }
}

void
xf_listeners_wait(const struct xf_ready *ready)
{
    struct xf_listener *l;

    xf_ready_wait(ready);
    if (!ovs_list_is_empty(&ready->all)) {
        poll_timer_wait_until(ready->check_ms);
    }
    LIST_FOR_EACH (l, item.awake_node, &ready->awake) {
        xf_listener_wait(l);
    }
}

void
xf_listeners_acked(struct xf_ready *ready, uint64_t generation)
{
    struct xf_listener *l;

    LIST_FOR_EACH (l, item.awake_node, &ready->awake) {
        xf_listener_acked(l, generation);
    }
}

bool
xf_listener_is_idle(const struct xf_listener *l)
{
    struct pollfd pfd = { .fd = l->fd, .events = POLLIN };

    return (!l->held.valid && !l->sweeping
            && (l->fd < 0 || poll(&pfd, 1, 0) <= 0)
            && (!l->tls || xf_tls_is_idle(l->tls))
            && (!l->conn || xf_speaker_conn_is_idle(l->conn)));
}
