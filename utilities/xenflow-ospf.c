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

/* See xenflow-ospf.h. */

#include <config.h>

#include "xenflow-ospf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"

#define MAX_AGE 3600            /* RFC 2328, appendix B. */
#define TOKEN_MAX 40            /* Characters of a bad one in a sentence. */

/* What is being filled in. */
struct parse {
    struct xf_ospf *ospf;
    size_t allocated;
    ovs_be32 router;            /* Whose LSA it is. */
};

/* Member 'name' of 'object' if it is of type 'type', or NULL. */
static const struct json *
member(const struct json *object, const char *name, enum json_type type)
{
    const struct json *value = (object->type == JSON_OBJECT
                                ? shash_find_data(object->object, name)
                                : NULL);

    return value && value->type == type ? value : NULL;
}

/* Stores member 'name' of 'object', an IPv4 address or router id, in '*ip'. */
static char * OVS_WARN_UNUSED_RESULT
parse_ip(const struct json *object, const char *name, ovs_be32 *ip)
{
    const struct json *value = member(object, name, JSON_STRING);

    if (!value) {
        return xasprintf("there is no text '%s' where one is needed", name);
    } else if (!ip_parse(json_string(value), ip)) {
        return xasprintf("%s is '%.*s', which is no IPv4 address", name,
                         TOKEN_MAX, json_string(value));
    }
    return NULL;
}

/* Parses one link of an LSA; leaves out what leads to no router, and what has
 * no address. */
static char * OVS_WARN_UNUSED_RESULT
parse_link(struct parse *p, const struct json *json)
{
    struct xf_ospf *ospf = p->ospf;
    bool is_p2p = member(json, "neighborRouterId", JSON_STRING) != NULL;
    bool is_transit = member(json, "designatedRouterAddress",
                             JSON_STRING) != NULL;
    const struct json *metric = member(json, "tos0Metric", JSON_INTEGER);
    struct xf_ospf_link link = { .router = p->router };
    char *error;

    if (is_p2p == is_transit) {
        return (is_p2p ? xstrdup("a link is both point-to-point and transit")
                : NULL);
    }
    link.kind = is_p2p ? XF_OSPF_POINT_TO_POINT : XF_OSPF_TRANSIT;
    error = parse_ip(json, is_p2p ? "neighborRouterId"
                     : "designatedRouterAddress", &link.peer);
    error = error ? error : parse_ip(json, "routerInterfaceAddress",
                                     &link.address);
    if (error) {
        return error;
    } else if (!metric || json_integer(metric) < 0
               || json_integer(metric) > XF_OSPF_METRIC_MAX) {
        return xasprintf("a link to "IP_FMT" has no tos0Metric from 0 to %d",
                         IP_ARGS(link.peer), XF_OSPF_METRIC_MAX);
    } else if (ospf->n >= XF_OSPF_LINKS_MAX) {
        return xasprintf("there are more than %d links: split the area",
                         XF_OSPF_LINKS_MAX);
    }
    link.metric = json_integer(metric);
    if (ospf->n >= p->allocated) {
        ospf->links = x2nrealloc(ospf->links, &p->allocated,
                                 sizeof *ospf->links);
    }
    ospf->links[ospf->n++] = link;
    return NULL;
}

/* Parses a router-LSA. */
static char * OVS_WARN_UNUSED_RESULT
parse_lsa(struct parse *p, const struct json *json)
{
    const struct json *links = member(json, "routerLinks", JSON_OBJECT);
    const struct json *age = member(json, "lsaAge", JSON_INTEGER);
    const struct shash_node *node;
    char *error = parse_ip(json, "advertisingRouter", &p->router);

    if (error || !links || (age && json_integer(age) >= MAX_AGE)) {
        return error;
    }
    SHASH_FOR_EACH (node, links->object) {
        const struct json *link = node->data;

        error = (link->type == JSON_OBJECT ? parse_link(p, link)
                 : xasprintf("'%.*s' is no object", TOKEN_MAX, node->name));
        if (error) {
            return error;
        }
    }
    return NULL;
}

/* Parses the LSAs of all areas. */
static char * OVS_WARN_UNUSED_RESULT
parse_areas(struct parse *p, const struct json *areas)
{
    const struct shash_node *node;

    SHASH_FOR_EACH (node, areas->object) {
        const struct json *area = node->data;

        if (area->type != JSON_ARRAY) {
            return xasprintf("area '%.*s' is no array", TOKEN_MAX,
                             node->name);
        }
        for (size_t i = 0; i < area->array.n; i++) {
            char *error = parse_lsa(p, area->array.elems[i]);

            if (error) {
                return error;
            }
        }
    }
    return NULL;
}

/* Leaves nothing in 'sentence' that a log or a database can't take. */
static void
make_printable(char *sentence)
{
    for (char *c = sentence; *c; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?';
        }
    }
}

char *
xf_ospf_parse(const char *text, struct xf_ospf *ospf)
{
    struct parse p = { .ospf = ospf };
    const struct json *states, *areas;
    struct json *json;
    char *error;

    memset(ospf, 0, sizeof *ospf);
    json = json_from_string(text);
    if (json->type == JSON_STRING) {
        error = xasprintf("it is no JSON (%s)", json_string(json));
    } else {
        error = parse_ip(json, "routerId", &ospf->router);
    }
    if (!error) {
        states = member(json, "routerLinkStates", JSON_OBJECT);
        areas = states ? member(states, "areas", JSON_OBJECT) : NULL;
        error = (areas ? parse_areas(&p, areas)
                 : xstrdup("it has no routerLinkStates with areas"));
    }
    json_destroy(json);
    if (error) {
        make_printable(error);
        xf_ospf_destroy(ospf);
    }
    return error;
}

void
xf_ospf_destroy(struct xf_ospf *ospf)
{
    free(ospf->links);
    memset(ospf, 0, sizeof *ospf);
}

/* Whether another router says that it is at the other end of 'link', too. */
static bool
is_two_way(const struct xf_ospf *ospf, const struct xf_ospf_link *link)
{
    for (size_t i = 0; i < ospf->n; i++) {
        const struct xf_ospf_link *other = &ospf->links[i];

        if (other->kind == link->kind && other->router != link->router
            && (link->kind == XF_OSPF_TRANSIT ? other->peer == link->peer
                : other->router == link->peer
                  && other->peer == link->router)) {
            return true;
        }
    }
    return false;
}

unsigned int
xf_ospf_metric(const struct xf_ospf *ospf, ovs_be32 address)
{
    for (size_t i = 0; i < ospf->n; i++) {
        const struct xf_ospf_link *link = &ospf->links[i];

        if (link->router == ospf->router && link->address == address
            && is_two_way(ospf, link)) {
            return MAX(link->metric, 1);
        }
    }
    return 0;
}
