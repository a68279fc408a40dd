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

#include "engine/link-private.h"

#include <inttypes.h>
#include <string.h>

#include "engine/engine-private.h"
#include "hash.h"
#include "uuid.h"
#include "util.h"

/* The words of a hop:
 *
 *     LINK generation=N position=N port1=NAME vlan1=N port2=NAME vlan2=N
 *         [edge=1|2] [use=N] [promised=yes|no] [uuid=UUID]
 *
 * Any thread. */

#define VLAN_MAX 4094

/* The id of a link that nobody gave one: the same in every switch. */
static void
id_from_name(const char *link, struct xf_link_id *id)
{
    uint32_t basis = 0;

    for (size_t i = 0; i < XF_LINK_ID_SIZE; i += sizeof basis) {
        basis = hash_string(link, basis + 1);
        ovs_be32 be = htonl(basis);
        memcpy(&id->bytes[i], &be, sizeof be);
    }
}

static char * OVS_WARN_UNUSED_RESULT
parse_id(const char *s, struct xf_link_id *id)
{
    struct uuid uuid;

    if (!uuid_from_string(&uuid, s)) {
        return xasprintf("'%s' is no UUID: use that of the row of Link", s);
    }
    for (int i = 0; i < 4; i++) {
        ovs_be32 be = htonl(uuid.parts[i]);
        memcpy(&id->bytes[i * sizeof be], &be, sizeof be);
    }
    return NULL;
}

/* Options that must be there, in the order of their bits. */
static const char *const needed[] = {
    "generation", "position", "port1", "vlan1", "port2", "vlan2",
};

/* Parses one option; sets its bit in '*given'. */
static char * OVS_WARN_UNUSED_RESULT
parse_option(struct xf_hop *hop, const char *word, uint32_t *given)
{
    const char *value = strchr(word, '=');
    size_t n = value ? value - word : 0;
    uint64_t x = 0;
    char *error = NULL;
    size_t i;

    value = value ? value + 1 : "";
    for (i = 0; i < ARRAY_SIZE(needed); i++) {
        if (n == strlen(needed[i]) && !strncmp(word, needed[i], n)) {
            *given |= 1u << i;
            break;
        }
    }
    if (i == 0) {
        return xf_args_parse_uint(needed[i], value, 0, INT64_MAX,
                                  &hop->generation);
    } else if (i == 1) {
        error = xf_args_parse_uint(needed[i], value, 0, XF_PLAN_END - 1, &x);
        hop->position = x;
        return error;
    } else if (i == 2 || i == 4) {
        return xf_args_parse_name(value, "port", hop->sides[i == 4].port);
    } else if (i == 3 || i == 5) {
        error = xf_args_parse_uint(needed[i], value, 0, VLAN_MAX, &x);
        hop->sides[i == 5].vlan = x;
        return error;
    } else if (!strncmp(word, "use=", 4)) {
        return xf_args_parse_uint("use", value, 0, INT64_MAX, &hop->use);
    } else if (!strncmp(word, "uuid=", 5)) {
        return parse_id(value, &hop->id);
    } else if (!strncmp(word, "promised=", 9)) {
        hop->promised = !strcmp(value, "yes");
        return (hop->promised || !strcmp(value, "no") ? NULL
                : xasprintf("promised=%s: it is yes or no", value));
    } else if (!strncmp(word, "edge=", 5)) {
        error = xf_args_parse_uint("edge", value, 1, 2, &x);
        hop->sides[x == 2].edge = !error;
        return error;
    }
    return xasprintf("'%s' isn't understood: a hop has generation, position, "
                     "port1, vlan1, port2, vlan2 and perhaps edge, use, "
                     "promised, uuid", word);
}

/* Parses the 'n' words at 'argv' into '*hop', which has no counters then. */
char *
xf_hop_parse(struct xf_hop *hop, int n, const char *argv[])
{
    uint32_t given = 0;
    char *error;

    memset(hop, 0, sizeof *hop);
    if (!n) {
        return xstrdup("the name of the link is missing");
    }
    error = xf_args_parse_name(argv[0], "link", hop->link);
    id_from_name(argv[0], &hop->id);
    for (int i = 1; i < n && !error; i++) {
        error = parse_option(hop, argv[i], &given);
    }
    for (size_t i = 0; i < ARRAY_SIZE(needed) && !error; i++) {
        if (!(given & (1u << i))) {
            error = xasprintf("%s is missing: add %s=...", needed[i],
                              needed[i]);
        }
    }
    return error;
}

/* Appends the words of 'hop'. */
void
xf_hop_put(const struct xf_hop *hop, struct ds *ds)
{
    struct uuid uuid;

    for (int i = 0; i < 4; i++) {
        ovs_be32 be;

        memcpy(&be, &hop->id.bytes[i * sizeof be], sizeof be);
        uuid.parts[i] = ntohl(be);
    }
    ds_put_format(ds, "%s generation=%"PRIu64" position=%"PRIu8
                  " port1=%s vlan1=%"PRIu16" port2=%s vlan2=%"PRIu16
                  " use=%"PRIu64" uuid="UUID_FMT, hop->link, hop->generation,
                  hop->position, hop->sides[0].port, hop->sides[0].vlan,
                  hop->sides[1].port, hop->sides[1].vlan, hop->use,
                  UUID_ARGS(&uuid));
    if (hop->promised) {
        ds_put_cstr(ds, " promised=yes");
    }
    for (int i = 0; i < 2; i++) {
        if (hop->sides[i].edge) {
            ds_put_format(ds, " edge=%d", i + 1);
        }
    }
}
