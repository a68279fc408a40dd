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
#include "xenflow-guestd-host.h"

#include <errno.h>
#include <string.h>

#include "core/wire.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "reconnect.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(guestd_host);

#define FPM_PORT 2620
/* Bytes to be sent, and those that leave no room. */
#define TX_SIZE (4 * XF_WIRE_MAX_FRAME)
#define TX_FULL (TX_SIZE - XF_WIRE_MAX_FRAME)
/* Between two tries to connect. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 8000

struct guestd_host {
    struct reconnect *fsm;
    struct stream *stream;      /* NULL: none. */
    unsigned int seqno;
    long long int silence_ms;
    long long int asked_ms;     /* Oldest question without answer; 0: none. */
    bool heard;                 /* Something came by this connection. */
    bool failure_logged;

    uint8_t tx[TX_SIZE];        /* tx[tx_head..tx_tail). */
    size_t tx_head, tx_tail;
    uint8_t rx[XF_WIRE_MAX_FRAME + 1]; /* rx[rx_head..rx_tail). */
    size_t rx_head, rx_tail;
};

struct guestd_host *
guestd_host_create(const char *remote, long long int silence_ms)
{
    struct guestd_host *h = xzalloc(sizeof *h);

    h->fsm = reconnect_create(time_msec());
    reconnect_set_name(h->fsm, remote);
    reconnect_set_quiet(h->fsm, true);
    reconnect_set_backoff(h->fsm, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
    reconnect_set_probe_interval(h->fsm, 0);
    reconnect_enable(h->fsm, time_msec());
    h->silence_ms = silence_ms;
    return h;
}

/* Closes the connection, without a word to 'h->fsm'. */
static void
close_stream(struct guestd_host *h)
{
    stream_close(h->stream);
    h->stream = NULL;
    h->tx_head = h->tx_tail = h->rx_head = h->rx_tail = 0;
}

void
guestd_host_destroy(struct guestd_host *h)
{
    if (h) {
        close_stream(h);
        reconnect_destroy(h->fsm);
        free(h);
    }
}

unsigned int
guestd_host_seqno(const struct guestd_host *h)
{
    return h->seqno;
}

bool
guestd_host_is_connected(const struct guestd_host *h)
{
    return h->stream && reconnect_is_connected(h->fsm);
}

/* ---- Connecting. ---- */

/* Logs a failure once, until the host says something.  (The FSM is told of no
 * error, or it would log every one.) */
static void
log_failure(struct guestd_host *h, const char *what, int error)
{
    if (!h->failure_logged) {
        VLOG_WARN("%s: %s (%s); trying again, without further lines",
                  reconnect_get_name(h->fsm), what,
                  ovs_retval_to_string(error));
        h->failure_logged = true;
    }
}

static void
begin_connecting(struct guestd_host *h)
{
    int error = stream_open_with_default_port(reconnect_get_name(h->fsm),
                                              FPM_PORT, &h->stream,
                                              DSCP_DEFAULT);

    if (error) {
        h->stream = NULL;
        log_failure(h, "cannot connect", error);
        reconnect_connect_failed(h->fsm, time_msec(), 0);
    } else {
        reconnect_connecting(h->fsm, time_msec());
    }
}

static void
continue_connecting(struct guestd_host *h)
{
    int error = stream_connect(h->stream);

    if (!error) {
        reconnect_connected(h->fsm, time_msec());
        h->heard = false;
        h->asked_ms = 0;
        h->seqno++;
    } else if (error != EAGAIN) {
        close_stream(h);
        log_failure(h, "cannot connect", error);
        reconnect_connect_failed(h->fsm, time_msec(), 0);
    }
}

void
guestd_host_disconnect(struct guestd_host *h, int error)
{
    if (guestd_host_is_connected(h)) {
        if (!h->heard) {
            log_failure(h, "closed without a word: is it the listener of "
                        "this router, does it want TLS?", error);
        } else {
            VLOG_WARN("%s: connection lost (%s)", reconnect_get_name(h->fsm),
                      error ? ovs_retval_to_string(error) : "closed by us");
        }
        close_stream(h);
        reconnect_disconnected(h->fsm, time_msec(), 0);
        h->seqno++;
    }
}

/* ---- Reading and writing. ---- */

static void
write_some(struct guestd_host *h)
{
    while (h->tx_head < h->tx_tail) {
        int n = stream_send(h->stream, h->tx + h->tx_head,
                            h->tx_tail - h->tx_head);

        if (n <= 0) {
            if (n != -EAGAIN) {
                guestd_host_disconnect(h, n ? -n : EPIPE);
            }
            return;
        }
        h->tx_head += n;
    }
    h->tx_head = h->tx_tail = 0;
}

static void
read_some(struct guestd_host *h)
{
    if (h->rx_head) {
        memmove(h->rx, h->rx + h->rx_head, h->rx_tail - h->rx_head);
        h->rx_tail -= h->rx_head;
        h->rx_head = 0;
    }
    if (h->rx_tail >= sizeof h->rx) {
        return;                 /* The frames in it come first. */
    }

    int n = stream_recv(h->stream, h->rx + h->rx_tail,
                        sizeof h->rx - h->rx_tail);
    if (n > 0) {
        h->rx_tail += n;
        h->asked_ms = 0;
        if (!h->heard) {
            VLOG_INFO("%s: connected", reconnect_get_name(h->fsm));
            h->heard = true;
            h->failure_logged = false;
        }
    } else if (n != -EAGAIN) {
        guestd_host_disconnect(h, n ? -n : EOF);
    } else if (h->asked_ms && time_msec() - h->asked_ms >= h->silence_ms) {
        guestd_host_disconnect(h, ETIMEDOUT);
    }
}

void
guestd_host_run(struct guestd_host *h)
{
    if (guestd_host_is_connected(h)) {
        stream_run(h->stream);
        write_some(h);
    }
    if (guestd_host_is_connected(h)) {
        read_some(h);
    }
    switch (reconnect_run(h->fsm, time_msec())) {
    case RECONNECT_CONNECT:
        if (!h->stream) {
            begin_connecting(h);
        }
        break;
    case RECONNECT_DISCONNECT:
        /* The try took too long. */
        close_stream(h);
        log_failure(h, "cannot connect", ETIMEDOUT);
        reconnect_connect_failed(h->fsm, time_msec(), 0);
        break;
    case RECONNECT_PROBE:
    default:
        break;
    }
    if (h->stream && !reconnect_is_connected(h->fsm)) {
        stream_run(h->stream);
        continue_connecting(h);
    }
}

void
guestd_host_wait(struct guestd_host *h)
{
    reconnect_wait(h->fsm, time_msec());
    if (!h->stream) {
        return;
    }
    stream_run_wait(h->stream);
    if (!guestd_host_is_connected(h)) {
        stream_connect_wait(h->stream);
        return;
    }
    stream_recv_wait(h->stream);
    if (h->tx_head < h->tx_tail) {
        stream_send_wait(h->stream);
    }
    if (h->asked_ms) {
        poll_timer_wait_until(h->asked_ms + h->silence_ms);
    }
}

/* ---- Frames. ---- */

bool
guestd_host_has_room(const struct guestd_host *h)
{
    return guestd_host_is_connected(h) && h->tx_tail - h->tx_head < TX_FULL;
}

void
guestd_host_send(struct guestd_host *h, const void *frame, size_t size)
{
    ovs_assert(guestd_host_has_room(h) && size <= XF_WIRE_MAX_FRAME);
    if (size > TX_SIZE - h->tx_tail) {
        memmove(h->tx, h->tx + h->tx_head, h->tx_tail - h->tx_head);
        h->tx_tail -= h->tx_head;
        h->tx_head = 0;
    }
    memcpy(h->tx + h->tx_tail, frame, size);
    h->tx_tail += size;
}

void
guestd_host_expect_answer(struct guestd_host *h)
{
    if (!h->asked_ms) {
        h->asked_ms = time_msec();
    }
}

const uint8_t *
guestd_host_next(struct guestd_host *h, size_t *size)
{
    size_t n = h->rx_tail - h->rx_head;
    int frame_size;

    if (!guestd_host_is_connected(h)) {
        return NULL;
    }
    frame_size = xf_wire_frame_size(h->rx + h->rx_head, n);
    if (frame_size < 0) {
        VLOG_WARN("%s: what comes isn't netlink in FPM frames: is it "
                  "XenFlow's listener?", reconnect_get_name(h->fsm));
        guestd_host_disconnect(h, EPROTO);
        return NULL;
    }
    if (!frame_size || (size_t) frame_size > n) {
        return NULL;
    }

    const uint8_t *frame = h->rx + h->rx_head;
    h->rx_head += frame_size;
    *size = frame_size;
    return frame;
}
