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

#include "xenflow-late.h"

#include <inttypes.h>
#include <string.h>

#include "timeval.h"

#define MISSED_PERIODS 3        /* A host silent for so many is down. */

const struct xfrec_host_state *
xf_host_state(struct ovsdb_idl *idl, const char *host)
{
    const struct xfrec_host_state *state;

    XFREC_HOST_STATE_FOR_EACH (state, idl) {
        if (!strcmp(state->host, host)) {
            return state;
        }
    }
    return NULL;
}

bool
xf_host_is_up(const struct xfrec_host_state *state, long long int now_ms)
{
    return (state && state->alive_ms
            && (!state->period_ms
                || now_ms - state->alive_ms
                   <= MISSED_PERIODS * state->period_ms));
}

static const struct xfrec_switch_state *
find_switch_state(struct ovsdb_idl *idl, const char *host)
{
    const struct xfrec_switch_state *state;

    XFREC_SWITCH_STATE_FOR_EACH (state, idl) {
        if (!strcmp(state->host, host)) {
            return state;
        }
    }
    return NULL;
}

bool
xf_host_is_wanted(const struct xfrec_host *host)
{
    return (host->enabled && !strcmp(host->kind, "xenflow")
            && !strcmp(host->power, "on"));
}

void
xf_late_put(struct ovsdb_idl *idl, const char *host, int64_t cfg, struct ds *ds)
{
    const struct xfrec_host_state *hostd = xf_host_state(idl, host);
    const struct xfrec_switch_state *vswitchd = find_switch_state(idl, host);
    long long int now_ms = time_wall_msec();

    if (!hostd) {
        ds_put_cstr(ds, "xenflow-hostd never heard of");
    } else if (hostd->cfg < cfg && !xf_host_is_up(hostd, now_ms)) {
        ds_put_format(ds, "xenflow-hostd down for %lld s",
                      (now_ms - hostd->alive_ms) / 1000);
    } else if (hostd->cfg < cfg) {
        ds_put_format(ds, "xenflow-hostd at %"PRId64" of %"PRId64,
                      hostd->cfg, cfg);
    }
    if (!vswitchd || vswitchd->cfg < cfg) {
        ds_put_cstr(ds, ds->length ? ", ovs-vswitchd " : "ovs-vswitchd ");
    }
    if (!vswitchd) {
        ds_put_cstr(ds, "never heard of");
    } else if (vswitchd->cfg < cfg) {
        ds_put_format(ds, "at %"PRId64" of %"PRId64, vswitchd->cfg, cfg);
    }
}
