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

/* A connection to another xenflow-hostd: frames both ways, and signs of life.
 * See xenflow-hostd-move.h.
 *
 * Each side sends a frame at least every 2 seconds, and ends the connection if
 * it has heard nothing for 10: a host that lost its power says nothing.  What
 * waits to be sent is bounded: memory is only taken while there is room. */

#include <config.h>

#include "xenflow-hostd-move.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"
#include "xenflow/frame.h"

#define ALIVE_MS 2000
#define DEAD_MS 10000
#define ROOM_BYTES (256 * 1024)

struct channel {
    struct stream *stream;
    char *wanted_peer;          /* Name that its certificate must have, or
                                 * NULL. */
    bool is_up;
    long long int heard_ms, spoke_ms;
    struct ds output;
    size_t output_ofs;          /* Sent already. */
    struct xf_frame_reader reader;
    uint8_t input[16384];
    size_t n_input, input_ofs;  /* Not read yet. */
};

static struct channel *
make(struct stream *stream, long long int now_ms)
{
    struct channel *channel = xzalloc(sizeof *channel);

    channel->stream = stream;
    channel->heard_ms = channel->spoke_ms = now_ms;
    ds_init(&channel->output);
    xf_frame_reader_init(&channel->reader);
    return channel;
}

int
channel_open(const char *name, const char *peer, long long int now_ms,
             struct channel **channelp)
{
    struct stream *stream;
    int error = stream_open(name, &stream, DSCP_DEFAULT);

    if (!error) {
        *channelp = make(stream, now_ms);
        (*channelp)->wanted_peer = xstrdup(peer);
    }
    return error;
}

struct channel *
channel_accept(struct stream *stream, long long int now_ms)
{
    return make(stream, now_ms);
}

void
channel_close(struct channel *channel)
{
    if (channel) {
        stream_close(channel->stream);
        ds_destroy(&channel->output);
        xf_frame_reader_uninit(&channel->reader);
        free(channel->wanted_peer);
        free(channel);
    }
}

const char *
channel_peer(const struct channel *channel)
{
    return stream_get_peer_id(channel->stream);
}

void
channel_trust(struct channel *channel)
{
    channel->reader.json_max = XF_FRAME_JSON_MAX;
}

/* ---- Sending. ---- */

void
channel_send_word(struct channel *channel, const struct json *json)
{
    xf_frame_put_json(&channel->output, json);
}

void
channel_send_memory(struct channel *channel, const void *p, size_t size)
{
    xf_frame_put_memory(&channel->output, p, size);
}

void
channel_send_end(struct channel *channel)
{
    xf_frame_put(&channel->output, XF_FRAME_END, "", 0);
}

bool
channel_has_room(const struct channel *channel)
{
    return (channel->is_up
            && channel->output.length - channel->output_ofs < ROOM_BYTES);
}

static int
flush(struct channel *channel, long long int now_ms)
{
    struct ds *output = &channel->output;

    while (channel->output_ofs < output->length) {
        int n = stream_send(channel->stream,
                            output->string + channel->output_ofs,
                            output->length - channel->output_ofs);

        if (n == -EAGAIN) {
            /* What is sent goes, so that the rest doesn't grow with it. */
            output->length -= channel->output_ofs;
            memmove(output->string, output->string + channel->output_ofs,
                    output->length + 1);
            channel->output_ofs = 0;
            return 0;
        } else if (n <= 0) {
            return n ? -n : EPIPE;
        }
        channel->output_ofs += n;
        channel->spoke_ms = now_ms;
    }
    ds_clear(output);
    channel->output_ofs = 0;
    return 0;
}

/* The handshake is over: is it who it should be? */
static char *
check_peer(const struct channel *channel)
{
    const char *id = channel_peer(channel);

    if (channel->wanted_peer && id && strcmp(id, channel->wanted_peer)) {
        return xasprintf("its certificate is that of '%s', not of '%s'", id,
                         channel->wanted_peer);
    }
    return NULL;
}

char *
channel_run(struct channel *channel, long long int now_ms)
{
    int error;

    stream_run(channel->stream);
    if (!channel->is_up) {
        error = stream_connect(channel->stream);
        if (error && error != EAGAIN) {
            return xasprintf("it can't be reached (%s)", ovs_strerror(error));
        } else if (!error) {
            char *wrong = check_peer(channel);

            if (wrong) {
                return wrong;
            }
            channel->is_up = true;
        }
    }
    if (now_ms >= channel->heard_ms + DEAD_MS) {
        return xasprintf("nothing was heard of it for %d seconds",
                         DEAD_MS / 1000);
    }
    if (channel->is_up) {
        if (now_ms >= channel->spoke_ms + ALIVE_MS
            && !channel->output.length) {
            xf_frame_put(&channel->output, XF_FRAME_ALIVE, "", 0);
        }
        error = flush(channel, now_ms);
        if (error) {
            return xasprintf("the connection broke (%s)",
                             ovs_strerror(error));
        }
    }
    return NULL;
}

/* ---- Receiving. ---- */

/* Reads more if all that came was taken.  Returns false if nothing is there;
 * maybe '*errorp'. */
static bool
fill(struct channel *channel, long long int now_ms, char **errorp)
{
    int n;

    if (channel->input_ofs < channel->n_input) {
        return true;
    }
    n = stream_recv(channel->stream, channel->input, sizeof channel->input);
    if (n == -EAGAIN) {
        return false;
    } else if (n <= 0) {
        *errorp = (n ? xasprintf("the connection broke (%s)",
                                 ovs_strerror(-n))
                   : xstrdup("it closed the connection"));
        return false;
    }
    channel->heard_ms = now_ms;
    channel->input_ofs = 0;
    channel->n_input = n;
    return true;
}

bool
channel_recv(struct channel *channel, long long int now_ms,
             struct xf_frame *frame, char **errorp)
{
    bool whole = false;

    *errorp = NULL;
    while (channel->is_up && !whole && !*errorp
           && fill(channel, now_ms, errorp)) {
        size_t used;

        *errorp = xf_frame_read(&channel->reader,
                                channel->input + channel->input_ofs,
                                channel->n_input - channel->input_ofs, &used,
                                &whole, frame);
        channel->input_ofs += used;
        if (!*errorp && whole && frame->kind == XF_FRAME_ALIVE) {
            xf_frame_uninit(frame);
            whole = false;
        }
    }
    return whole;
}

const char *
move_word(const struct json *json, const char *member)
{
    const struct json *value = shash_find_data(json_object(json), member);

    return value && value->type == JSON_STRING ? json_string(value) : "";
}

void
channel_wait(const struct channel *channel, bool receives)
{
    stream_run_wait(channel->stream);
    if (!channel->is_up) {
        stream_connect_wait(channel->stream);
    } else {
        if (channel->output_ofs < channel->output.length) {
            stream_send_wait(channel->stream);
        }
        if (receives) {
            if (channel->input_ofs < channel->n_input) {
                poll_immediate_wake();
            }
            stream_recv_wait(channel->stream);
        }
        if (!channel->output.length) {
            poll_timer_wait_until(channel->spoke_ms + ALIVE_MS);
        }
    }
    poll_timer_wait_until(channel->heard_ms + DEAD_MS);
}
