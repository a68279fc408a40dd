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

/* See move.h. */

#include <config.h>
#include "domain/move.h"

#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "util.h"
#include "uuid.h"

static const char *const stage_names[] = {
    "none", "sending", "given", "receiving", "received", "taken", "runs",
};

static const char *const decision_names[] = {
    "go on", "resume", "keep given", "keep received", "take", "drop",
    "nothing",
};

static const char *const phase_names[] = {
    "none", "sending", "ready", "halting", "sent", "given", "preparing",
    "waiting", "received", "taken",
};

const char *
xf_move_decision_to_string(enum xf_move_decision decision)
{
    return (decision < ARRAY_SIZE(decision_names) ? decision_names[decision]
            : "?");
}

const char *
xf_move_phase_to_string(enum xf_move_phase phase)
{
    return phase < ARRAY_SIZE(phase_names) ? phase_names[phase] : "?";
}

char *
xf_move_record_format(const struct xf_move_record *record)
{
    return xasprintf("{\"migration\":\""UUID_FMT"\",\"stage\":\"%s\"}\n",
                     UUID_ARGS(&record->migration),
                     stage_names[record->stage]);
}

static const char *
get_string(const struct json *object, const char *name)
{
    const struct json *value = shash_find_data(json_object(object), name);

    return value && value->type == JSON_STRING ? json_string(value) : "";
}

char *
xf_move_record_parse(const char *text, struct xf_move_record *record)
{
    struct json *json = json_from_string(text);
    char *error = NULL;

    memset(record, 0, sizeof *record);
    if (json->type != JSON_OBJECT) {
        error = xstrdup("it isn't a JSON object");
    } else {
        const char *stage = get_string(json, "stage");

        for (size_t i = 1; i < ARRAY_SIZE(stage_names); i++) {
            if (!strcmp(stage, stage_names[i])) {
                record->stage = i;
            }
        }
        if (!record->stage) {
            error = xasprintf("stage '%.40s' is unknown", stage);
        } else if (!uuid_from_string(&record->migration,
                                     get_string(json, "migration"))) {
            record->stage = XF_MOVE_STAGE_NONE;
            error = xasprintf("migration '%.40s' isn't a UUID",
                              get_string(json, "migration"));
        }
    }
    json_destroy(json);
    return error;
}

enum xf_move_decision
xf_move_decide(enum xf_move_stage stage, enum xf_domain_state state)
{
    bool is_up = state == XF_DOMAIN_RUNNING || state == XF_DOMAIN_PAUSED;

    switch (stage) {
    case XF_MOVE_STAGE_SENDING:
        return is_up ? XF_MOVE_RESUME : XF_MOVE_GO_ON;
    case XF_MOVE_STAGE_GIVEN:
        return XF_MOVE_KEEP_GIVEN;
    case XF_MOVE_STAGE_RECEIVING:
        return XF_MOVE_DROP;
    case XF_MOVE_STAGE_RECEIVED:
        return (state == XF_DOMAIN_PAUSED ? XF_MOVE_KEEP_RECEIVED
                : XF_MOVE_DROP);
    case XF_MOVE_STAGE_TAKEN:
        return (state == XF_DOMAIN_RUNNING ? XF_MOVE_NOTHING
                : state == XF_DOMAIN_PAUSED ? XF_MOVE_TAKE : XF_MOVE_DROP);
    case XF_MOVE_STAGE_RUNS:
        return XF_MOVE_NOTHING;
    case XF_MOVE_STAGE_NONE:
    default:
        return XF_MOVE_GO_ON;
    }
}
