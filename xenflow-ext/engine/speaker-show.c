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
#include "engine/speaker-private.h"

#include "openvswitch/json.h"
#include "openvswitch/util.h"
#include "util.h"

/* A listener's state as JSON. */

static void
put_number(struct json *object, const char *name, uint64_t value)
{
    json_object_put(object, name, json_integer_create(value));
}

/* Messages by type and refusals by reason, those that aren't 0. */
static void
put_stats(struct json *object, const struct xf_speaker_stats *stats)
{
    struct json *msgs = json_object_create();
    struct json *refused = json_object_create();

    for (int i = 0; i < ARRAY_SIZE(stats->n_msgs); i++) {
        if (stats->n_msgs[i]) {
            put_number(msgs, xf_wire_type_name(i), stats->n_msgs[i]);
        }
    }
    for (int i = 0; i < ARRAY_SIZE(stats->n_refused); i++) {
        if (stats->n_refused[i]) {
            put_number(refused, xf_wire_error_name(i), stats->n_refused[i]);
        }
    }
    json_object_put(object, "messages", msgs);
    json_object_put(object, "refused", refused);
    put_number(object, "connections", stats->n_connects);
    put_number(object, "bytes", stats->n_bytes);
    put_number(object, "frames", stats->n_frames);
    put_number(object, "rejected", stats->n_rejected);
    put_number(object, "unknown_interface", stats->n_unknown_iface);
    put_number(object, "folded", stats->n_folded);
    put_number(object, "swept", stats->n_swept);
    put_number(object, "acks", stats->n_acked);
    put_number(object, "nacks", stats->n_nacked);
    put_number(object, "turn_us", stats->turn_us);
    put_number(object, "longest_turn_us", stats->longest_turn_us);
}

static const char *
epoch_name(const struct xf_listener *l)
{
    return (l->sweeping ? "sweeping"
            : l->conn ? (l->unsettled ? "unsettled" : "settled")
            : l->stale_at_ms != LLONG_MAX ? "stale" : "none");
}

struct json *
xf_listener_to_json(const struct xf_listener *l, long long int now_ms)
{
    struct json *object = json_object_create();

    json_object_put_string(object, "address", l->address);
    put_number(object, "port", l->port);
    json_object_put_string(object, "device", l->device);
    json_object_put(object, "listening",
                    json_boolean_create(l->fd >= 0 || l->tls));
    if (l->tls) {
        json_object_put(object, "tls", json_boolean_create(true));
        put_number(object, "refused_peers", l->stats.n_refused_peers);
    }
    json_object_put(object, "connected", json_boolean_create(l->conn != NULL));
    json_object_put_string(object, "epoch", epoch_name(l));
    if (l->conn) {
        json_object_put_string(object, "peer", l->conn->peer);
        put_number(object, "connected_ms", now_ms - l->conn->since_ms);
        put_number(object, "silent_ms", now_ms - l->conn->last_rx_ms);
        put_number(object, "acks_pending", l->conn->n_acks);
    }
    put_number(object, "routes", xf_rt_source_n_routes(l->rt, l->source));
    put_number(object, "stale_routes", xf_rt_source_n_stale(l->rt, l->source));
    put_stats(object, &l->stats);
    if (l->last_error) {
        json_object_put_string(object, "last_error", l->last_error);
    }
    return object;
}
