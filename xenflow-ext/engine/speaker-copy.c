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

#include <limits.h>

#include "util.h"

/* What copies of tables ask of a listener, the passive one at the destination
 * and the router's own at both ends. */

bool
xf_listener_is_connected(const struct xf_listener *l)
{
    return l->conn;
}

bool
xf_listener_is_settled(const struct xf_listener *l)
{
    return l->conn && !l->unsettled && !l->sweeping;
}

uint64_t
xf_listener_n_failed(const struct xf_listener *l)
{
    return l->n_failed;
}

const char *
xf_listener_last_error(const struct xf_listener *l)
{
    return l->last_error;
}

void
xf_listener_resync(struct xf_listener *l)
{
    if (l->conn) {
        l->conn->guest.want_resync = true;
    }
}

bool
xf_listener_has_spoken(const struct xf_listener *l)
{
    return l->conn && (l->got_route || !l->unsettled);
}

long long int
xf_listener_heard_ms(const struct xf_listener *l)
{
    return l->conn ? l->conn->last_rx_ms : 0;
}

/* Without a word for as long as routes would stay without a speaker, there is
 * nothing to be said. */
enum xf_copy_source_state
xf_listener_source_state(const struct xf_listener *l, long long int now_ms)
{
    if (l->settled_once
        || (l->created_ms && now_ms - l->created_ms >= l->stale_ms)) {
        return XF_COPY_WHOLE;
    }
    return l->stats.n_connects ? XF_COPY_PARTIAL : XF_COPY_SILENT;
}

void
xf_listener_hold(struct xf_listener *l, bool held, long long int now_ms)
{
    if (l->is_held == held) {
        return;
    }
    l->is_held = held;
    if (held) {
        l->stale_at_ms = LLONG_MAX;
    } else if (!l->conn && l->stats.n_connects) {
        l->stale_at_ms = now_ms + l->stale_ms;
    }
    if (l->ready) {
        xf_ready_wake(l->ready, &l->item);
    }
}
