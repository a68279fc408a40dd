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


/* One connection of a listener: bytes in, messages out, acknowledgements.
 *
 * Bounds
 * ------
 * - A run handles XF_SPEAKER_RUN_BYTES or XF_SPEAKER_RUN_MS, whichever is over
 *   first; the rest waits for the next run.
 * - A frame is handled when it is whole, so the buffer is at most one frame of
 *   the largest size.  A message's answers must have room before it is looked
 *   at: otherwise nothing is read, and TCP slows the speaker down.
 * - Answers are encoded when the socket takes them; if it takes none for
 *   XF_SPEAKER_STALL_MS, the connection is over. */

#include <config.h>
#include "engine/speaker-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_speaker_conn);

#define RX_MIN 16384
#define ACKS_MIN 64

/* How many messages are applied between two looks at the clock. */
#define MSGS_PER_CLOCK 32

struct xf_speaker_conn *
xf_speaker_conn_create(int fd, struct stream *stream, char *peer,
                       long long int now_ms)
{
    struct xf_speaker_conn *conn = xzalloc(sizeof *conn);

    conn->fd = fd;
    conn->stream = stream;
    conn->peer = peer;
    conn->since_ms = now_ms;
    conn->last_rx_ms = now_ms;
    conn->rx_capacity = RX_MIN;
    conn->rx = xmalloc(conn->rx_capacity);
    sset_init(&conn->linked);
    hmap_init(&conn->nhids);
    return conn;
}

void
xf_speaker_conn_destroy(struct xf_speaker_conn *conn)
{
    if (conn) {
        if (conn->stream) {
            stream_close(conn->stream);
        } else {
            close(conn->fd);
        }
        free(conn->peer);
        free(conn->rx);
        free(conn->acks);
        xf_speaker_guest_uninit(&conn->guest);
        sset_destroy(&conn->linked);
        xf_speaker_nhids_destroy(conn);
        free(conn);
    }
}

/* ---- A device that goes. ---- */

int
xf_speaker_conn_part(const struct xf_speaker_conn *conn)
{
    return fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
}

void
xf_speaker_farewell(int fd, const char *device)
{
    uint8_t unread[4096];

    /* If something were left, the kernel would send a reset, once; an end it
     * repeats until the peer has got it. */
    while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0) {
        continue;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
                   strlen(device) + 1)) {
        VLOG_WARN("%s: a connection can't be ended by the new device (%s): "
                  "its speaker may take it for alive", device,
                  ovs_strerror(errno));
    }
    close(fd);
}

/* ---- The socket, plain or TLS: as send() and recv(), never blocking. ---- */

static ssize_t
conn_send(struct xf_speaker_conn *conn, const void *data, size_t size)
{
    if (conn->stream) {
        ssize_t n = stream_send(conn->stream, data, size);

        if (n < 0) {
            errno = -n;
            return -1;
        }
        return n;
    }
    return send(conn->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t
conn_recv(struct xf_speaker_conn *conn, void *data, size_t size)
{
    if (conn->stream) {
        ssize_t n = stream_recv(conn->stream, data, size);

        if (n < 0) {
            errno = -n;
            return -1;
        }
        return n;
    }
    return recv(conn->fd, data, size, MSG_DONTWAIT);
}

static void
conn_wait(const struct xf_speaker_conn *conn, short int events)
{
    if (!conn->stream) {
        poll_fd_wait(conn->fd, events);
        return;
    }
    if (events & POLLIN) {
        stream_recv_wait(conn->stream);
    }
    if (events & POLLOUT) {
        stream_send_wait(conn->stream);
    }
}

/* ---- Answers. ---- */

/* Makes room at the end of 'conn->tx' if it can be had.  Returns it. */
static size_t
tx_room(struct xf_speaker_conn *conn)
{
    if (conn->tx_head) {
        memmove(conn->tx, conn->tx + conn->tx_head,
                conn->tx_tail - conn->tx_head);
        conn->tx_tail -= conn->tx_head;
        conn->tx_head = 0;
    }
    return sizeof conn->tx - conn->tx_tail;
}

static void
tx_put(struct xf_speaker_conn *conn, const struct xf_speaker_ack *ack,
       int error)
{
    size_t size = xf_wire_encode_ack(ack->seq, ack->pid, ack->nlmsg_type,
                                     error, conn->tx + conn->tx_tail,
                                     sizeof conn->tx - conn->tx_tail);

    ovs_assert(size == XF_SPEAKER_ACK_SIZE);
    conn->tx_tail += size;
}

/* Appends to the ring; can_process() has seen to the room. */
static void
acks_push(struct xf_speaker_conn *conn, const struct xf_speaker_ack *ack)
{
    if (conn->n_acks == conn->acks_allocated) {
        size_t n = MAX(ACKS_MIN, 2 * conn->acks_allocated);
        struct xf_speaker_ack *acks = xmalloc(n * sizeof *acks);

        for (size_t i = 0; i < conn->n_acks; i++) {
            acks[i] = conn->acks[(conn->acks_head + i)
                                 % conn->acks_allocated];
        }
        free(conn->acks);
        conn->acks = acks;
        conn->acks_allocated = n;
        conn->acks_head = 0;
    }
    conn->acks[(conn->acks_head + conn->n_acks) % conn->acks_allocated] = *ack;
    conn->n_acks++;
}

void
xf_speaker_answer(struct xf_listener *l, const struct xf_speaker_ack *ack,
                  int error)
{
    struct xf_speaker_conn *conn = l->conn;

    if (!ack->wanted || !conn || conn->deaf) {
        return;
    }
    if (error) {
        l->stats.n_nacked++;
        if (tx_room(conn) >= XF_SPEAKER_ACK_SIZE) {
            tx_put(conn, ack, error);
        }
        return;
    }

    struct xf_speaker_ack copy = *ack;
    copy.generation = l->generation;
    l->stats.n_acked++;
    acks_push(conn, &copy);
}

bool
xf_speaker_conn_tell(struct xf_speaker_conn *conn, const void *frame,
                     size_t size)
{
    if (conn->deaf || (tx_room(conn)
                       < size + (XF_SPEAKER_ACKS_RESERVE
                                 * XF_SPEAKER_ACK_SIZE))) {
        return false;
    }
    memcpy(conn->tx + conn->tx_tail, frame, size);
    conn->tx_tail += size;
    return true;
}

/* Moves answers that are due to 'conn->tx' as far as there is room. */
static void
acks_to_tx(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;

    /* Errors find room even when no success can be told any more. */
    while (conn->n_acks
           && tx_room(conn) > XF_SPEAKER_ACKS_RESERVE * XF_SPEAKER_ACK_SIZE) {
        const struct xf_speaker_ack *ack = &conn->acks[conn->acks_head];

        if (ack->generation > l->acked) {
            break;
        }
        tx_put(conn, ack, 0);
        conn->acks_head = (conn->acks_head + 1) % conn->acks_allocated;
        conn->n_acks--;
    }
}

void
xf_speaker_conn_flush(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;

    for (;;) {
        acks_to_tx(l);
        if (conn->tx_head == conn->tx_tail) {
            conn->stalled_ms = 0;
            return;
        }

        ssize_t n = conn_send(conn, conn->tx + conn->tx_head,
                              conn->tx_tail - conn->tx_head);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (!conn->stalled_ms) {
                conn->stalled_ms = MAX(l->now_ms, 1);
            }
            return;
        }
        if (n <= 0) {
            conn->deaf = true;
            conn->tx_head = conn->tx_tail = 0;
            conn->n_acks = 0;
            conn->end.wanted = false;
            return;
        }
        conn->tx_head += n;
        conn->stalled_ms = 0;
    }
}

/* True if the answers to one more message have room. */
static bool
can_process(const struct xf_speaker_conn *conn)
{
    size_t tx_used = conn->tx_tail - conn->tx_head;

    return (conn->n_acks + XF_SPEAKER_ACKS_RESERVE <= XF_SPEAKER_ACKS_MAX
            && (sizeof conn->tx - tx_used
                >= XF_SPEAKER_ACKS_RESERVE * XF_SPEAKER_ACK_SIZE));
}

/* True if nothing is owed to the peer. */
static bool
is_settled(const struct xf_speaker_conn *conn)
{
    return (!conn->n_acks && !conn->end.wanted
            && conn->tx_head == conn->tx_tail);
}

/* ---- Input. ---- */

/* Looks at the frame at the head of the buffer: its size, 0 if it isn't whole,
 * or a negative enum xf_wire_error. */
static int
head_frame(const struct xf_speaker_conn *conn)
{
    size_t n = conn->rx_tail - conn->rx_head;
    int size = xf_wire_frame_size(conn->rx + conn->rx_head, n);

    return size > 0 && (size_t) size > n ? 0 : size;
}

/* True if a message can be had without reading. */
static bool
has_message(const struct xf_speaker_conn *conn)
{
    return conn->frame_left || head_frame(conn);
}

/* What is wrong with a message that was refused for 'error', and what can be
 * done. */
static const char *
refusal_text(enum xf_wire_error error)
{
    switch (error) {
    case XF_WIRE_E_TRUNCATED:
        return "a length in it is less than what must follow, or leads "
               "beyond its end; the speaker is broken";
    case XF_WIRE_E_TYPE:
        return "only routes, next hops, neighbors, addresses and links are "
               "understood; let the speaker send no others";
    case XF_WIRE_E_FAMILY:
        return "its address family is neither IPv4 nor IPv6; let the speaker "
               "send no others";
    case XF_WIRE_E_ATTR:
        return "an attribute has a wrong size, or a value that makes no "
               "sense; the speaker is broken";
    case XF_WIRE_E_MISSING:
        return "it lacks an attribute (destination, interface, id or MAC); "
               "the speaker is broken";
    case XF_WIRE_E_RANGE:
        return "a number in it is out of range or asks for what isn't "
               "supported, as routes by source or type of service; withdraw "
               "it at the speaker";
    case XF_WIRE_E_ENCAP:
        return "encapsulations (MPLS, SRv6...) aren't supported; withdraw it "
               "at the speaker";
    case XF_WIRE_OK:
    case XF_WIRE_E_VERSION:
    case XF_WIRE_E_PROTO:
    case XF_WIRE_E_FRAME:
    case XF_N_WIRE_ERRORS:
    default:
        return "it isn't netlink";
    }
}

/* Decodes and applies the next message of the current frame. */
static void
process_message(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;
    const uint8_t *payload = conn->rx + conn->rx_head;
    struct xf_wire_msg msg;
    enum xf_wire_error error = xf_wire_decode(&payload, &conn->frame_left,
                                              &msg);

    conn->rx_head = payload - conn->rx;
    if (!error) {
        l->stats.n_msgs[msg.type]++;
        xf_speaker_apply(l, &msg);
        return;
    }

    const struct xf_speaker_ack ack = {
        .seq = msg.seq,
        .pid = msg.pid,
        .nlmsg_type = msg.nlmsg_type,
        .wanted = msg.ack,
    };
    xf_speaker_apply_held(l);
    l->stats.n_refused[error]++;
    xf_speaker_complain(l, xasprintf("message of type %"PRIu16" refused "
                                     "(%s): %s", msg.nlmsg_type,
                                     xf_wire_error_name(error),
                                     refusal_text(error)));
    xf_speaker_answer(l, &ack, (error == XF_WIRE_E_ENCAP
                                || error == XF_WIRE_E_TYPE
                                ? EOPNOTSUPP : EINVAL));
}

/* Applies what the buffer holds, until 'deadline' at most.  Returns a sentence
 * if the stream is beyond repair. */
static char *
process_buffer(struct xf_listener *l, long long int deadline)
{
    struct xf_speaker_conn *conn = l->conn;
    unsigned int n = 0;

    while (has_message(conn)) {
        if (!conn->frame_left) {
            int size = head_frame(conn);

            if (size < 0) {
                l->stats.n_refused[-size]++;
                return xasprintf("what it sends is not netlink in FPM frames "
                                 "(%s): point only FPM speakers at this "
                                 "address", xf_wire_error_name(-size));
            }
            l->stats.n_frames++;
            conn->rx_head += XF_WIRE_HEADER_SIZE;
            conn->frame_left = size - XF_WIRE_HEADER_SIZE;
        }
        if (!can_process(conn)) {
            xf_speaker_conn_flush(l);
            if (!can_process(conn)) {
                return NULL;
            }
        }
        process_message(l);
        if (!(++n % MSGS_PER_CLOCK) && time_msec() > deadline) {
            conn->more = true;
            return NULL;
        }
    }
    return NULL;
}

/* Reads once.  Returns the number of bytes, 0 if there is nothing to read now
 * or for long. */
static size_t
read_some(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;

    if (conn->rx_head) {
        memmove(conn->rx, conn->rx + conn->rx_head,
                conn->rx_tail - conn->rx_head);
        conn->rx_tail -= conn->rx_head;
        conn->rx_head = 0;
    }
    if (conn->rx_tail == conn->rx_capacity) {
        /* A frame larger than the buffer: 16 bits bound it. */
        ovs_assert(conn->rx_capacity < XF_WIRE_MAX_FRAME);
        conn->rx_capacity = XF_WIRE_MAX_FRAME + 1;
        conn->rx = xrealloc(conn->rx, conn->rx_capacity);
    }

    ssize_t n = conn_recv(conn, conn->rx + conn->rx_tail,
                          conn->rx_capacity - conn->rx_tail);
    if (n > 0) {
        conn->rx_tail += n;
        conn->last_rx_ms = l->now_ms;
        l->stats.n_bytes += n;
        return n;
    }
    if (!n || (errno != EAGAIN && errno != EINTR)) {
        conn->eof = true;
    }
    return 0;
}

/* True if the peer has read none of its answers for too long. */
static bool
is_stalled(const struct xf_listener *l)
{
    const struct xf_speaker_conn *conn = l->conn;

    return (conn->stalled_ms
            && l->now_ms - conn->stalled_ms >= XF_SPEAKER_STALL_MS);
}

/* Takes note of a turn that began at 'start_us' and carried messages out. */
static void
note_turn(struct xf_speaker_stats *stats, long long int start_us)
{
    stats->turn_us = MAX(0, time_usec() - start_us);
    stats->longest_turn_us = MAX(stats->longest_turn_us, stats->turn_us);
}

/* Reads and carries out messages, for some time.  Returns NULL or why the
 * connection is to be closed. */
static char * OVS_WARN_UNUSED_RESULT
take_turn(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;
    long long int start_us = time_usec();
    long long int deadline = time_msec() + XF_SPEAKER_RUN_MS;
    uint64_t n_frames = l->stats.n_frames;
    size_t n_bytes = 0;

    conn->more = false;
    for (;;) {
        char *error = process_buffer(l, deadline);
        if (error) {
            return error;
        }
        if (conn->more || conn->eof || has_message(conn)) {
            break;
        }
        if (n_bytes >= XF_SPEAKER_RUN_BYTES || time_msec() > deadline) {
            conn->more = true;
            break;
        }

        size_t n = read_some(l);
        if (!n && !conn->eof) {
            break;
        }
        n_bytes += n;
    }
    if (l->stats.n_frames != n_frames) {
        note_turn(&l->stats, start_us);
    }
    return NULL;
}

char *
xf_speaker_conn_run(struct xf_listener *l)
{
    struct xf_speaker_conn *conn = l->conn;

    if (conn->stream) {
        stream_run(conn->stream);
    }

    char *error = take_turn(l);
    if (error) {
        return error;
    }
    xf_speaker_conn_flush(l);
    if (conn->eof && !has_message(conn)) {
        xf_speaker_apply_held(l);
        xf_speaker_conn_flush(l);
        if (!is_settled(conn) && !is_stalled(l)) {
            return NULL;
        }
        l->stats.n_refused[XF_WIRE_E_TRUNCATED]
            += conn->rx_head != conn->rx_tail;
        return xstrdup("");
    }
    if (is_stalled(l)) {
        return xasprintf("it asked for acknowledgements (NLM_F_ACK) and has "
                         "read none for %d s: a speaker must read what it "
                         "asks for", XF_SPEAKER_STALL_MS / 1000);
    }
    return NULL;
}

void
xf_speaker_conn_wait(const struct xf_listener *l)
{
    const struct xf_speaker_conn *conn = l->conn;

    if (can_process(conn) && (conn->more || has_message(conn))) {
        poll_immediate_wake();
    } else if (conn->eof) {
        if (is_settled(conn)) {
            poll_immediate_wake();
        }
    } else if (can_process(conn)) {
        conn_wait(conn, POLLIN);
    }
    if (conn->stream) {
        stream_run_wait(conn->stream);
    }
    if (conn->tx_head != conn->tx_tail) {
        conn_wait(conn, POLLOUT);
        if (conn->stalled_ms) {
            poll_timer_wait_until(conn->stalled_ms + XF_SPEAKER_STALL_MS);
        }
    }
}

/* Of a TLS connection only what was read is known: what came since the last
 * run isn't. */
bool
xf_speaker_conn_is_idle(const struct xf_speaker_conn *conn)
{
    struct pollfd pfd = { .fd = conn->fd, .events = POLLIN };

    if (conn->stream) {
        return !conn->eof && !has_message(conn) && !conn->more;
    }

    return !conn->eof && !has_message(conn) && poll(&pfd, 1, 0) <= 0;
}
