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
#include "xf-text.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

bool
xf_text_parse_addr(const char *s, struct in6_addr *addr)
{
    ovs_be32 ip;

    if (ip_parse(s, &ip)) {
        in6_addr_set_mapped_ipv4(addr, ip);
        return true;
    }
    return ipv6_parse(s, addr) && !xf_addr_is_v4(addr);
}

bool
xf_text_parse_prefix(const char *s, struct xf_prefix *prefix)
{
    char *copy = xstrdup(s);
    char *slash = strchr(copy, '/');
    unsigned int len = 0;
    bool ok;

    if (slash) {
        *slash = '\0';
    }
    ok = xf_text_parse_addr(copy, &prefix->addr);
    if (ok) {
        len = xf_addr_bits(&prefix->addr);
        if (slash) {
            ok = str_to_uint(slash + 1, 10, &len)
                 && len <= xf_addr_bits(&prefix->addr);
        }
    }
    prefix->len = len;
    free(copy);
    return ok;
}

void
xf_text_format_prefix(const struct xf_prefix *prefix, struct ds *s)
{
    ipv6_format_mapped(&prefix->addr, s);
    ds_put_format(s, "/%"PRIu8, prefix->len);
}

/* ---- Words. ---- */

/* The words of a line that are left. */
struct words {
    char *save;
    char *word;                 /* The current one, or NULL. */
};

static void
advance(struct words *w)
{
    w->word = strtok_r(NULL, " \t\r\n", &w->save);
}

static bool
is(struct words *w, const char *word)
{
    if (w->word && !strcmp(w->word, word)) {
        advance(w);
        return true;
    }
    return false;
}

static bool
take_number(struct words *w, uint32_t max, uint32_t *value)
{
    unsigned long long int n;
    char *tail;

    if (!w->word) {
        return false;
    }
    n = strtoull(w->word, &tail, 10);
    if (*tail || n > max) {
        return false;
    }
    *value = n;
    advance(w);
    return true;
}

static bool
take_addr(struct words *w, struct in6_addr *addr)
{
    if (w->word && xf_text_parse_addr(w->word, addr)) {
        advance(w);
        return true;
    }
    return false;
}

static bool
take_prefix(struct words *w, struct xf_prefix *prefix)
{
    if (w->word && xf_text_parse_prefix(w->word, prefix)) {
        advance(w);
        return true;
    }
    return false;
}

static bool
take_mac(struct words *w, struct eth_addr *mac)
{
    if (w->word && eth_addr_from_string(w->word, mac)) {
        advance(w);
        return true;
    }
    return false;
}

static bool
take_dev(struct words *w, uint32_t *ifindex)
{
    return is(w, "dev") && take_number(w, UINT32_MAX, ifindex);
}

/* ---- Kinds of lines. ---- */

/* Takes [via GATEWAY] dev IFINDEX [weight W]. */
static bool
take_nexthop(struct words *w, struct xf_wire_msg *msg)
{
    if (msg->n_nexthops >= XF_NH_MAX) {
        return false;
    }

    struct xf_nexthop *nh = &msg->nexthops[msg->n_nexthops];
    uint32_t weight = 1;

    memset(nh, 0, sizeof *nh);
    if ((is(w, "via") && !take_addr(w, &nh->gateway))
        || !take_dev(w, &nh->ifindex)
        || (is(w, "weight") && !take_number(w, 256, &weight))) {
        return false;
    }
    nh->weight = weight;
    msg->n_nexthops++;
    return true;
}

static bool
take_route_type(struct words *w, enum xf_route_type *type)
{
    if (is(w, "blackhole")) {
        *type = XF_ROUTE_BLACKHOLE;
    } else if (is(w, "unreachable")) {
        *type = XF_ROUTE_UNREACHABLE;
    } else if (is(w, "prohibit")) {
        *type = XF_ROUTE_PROHIBIT;
    } else if (is(w, "local")) {
        *type = XF_ROUTE_LOCAL;
    } else {
        return false;
    }
    return true;
}

static bool
parse_add(struct words *w, struct xf_wire_msg *msg)
{
    struct xf_route_spec *route = &msg->route;
    uint32_t protocol = RTPROT_STATIC;

    msg->type = XF_WIRE_ROUTE_ADD;
    if (!take_prefix(w, &route->prefix)) {
        return false;
    }
    while (w->word) {
        bool ok;

        if (is(w, "metric")) {
            ok = take_number(w, UINT32_MAX, &route->metric);
        } else if (is(w, "proto")) {
            ok = take_number(w, UINT8_MAX, &protocol);
        } else if (is(w, "nhid")) {
            ok = take_number(w, UINT32_MAX, &route->nhid);
        } else if (is(w, "replace")) {
            ok = msg->replace = true;
        } else {
            ok = (take_route_type(w, &route->type) || take_nexthop(w, msg));
        }
        if (!ok) {
            return false;
        }
    }
    route->protocol = protocol;
    route->nexthops = msg->nexthops;
    route->n_nexthops = msg->n_nexthops;
    return true;
}

static bool
parse_del(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_ROUTE_DEL;
    msg->nlmsg_type = RTM_DELROUTE;
    msg->route.metric = UINT32_MAX;
    return (take_prefix(w, &msg->route.prefix)
            && (!is(w, "metric")
                || take_number(w, UINT32_MAX, &msg->route.metric)));
}

static bool
parse_group(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_NEXTHOP_GROUP_ADD;
    while (w->word && msg->n_members < XF_NH_MAX) {
        struct xf_nexthop_ref *member = &msg->members[msg->n_members++];
        char *tail;

        member->id = strtoul(w->word, &tail, 10);
        member->weight = *tail == '*' ? strtoul(tail + 1, &tail, 10) : 1;
        if (*tail) {
            return false;
        }
        advance(w);
    }
    return msg->n_members > 0;
}

static bool
parse_nexthop(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_NEXTHOP_ADD;
    msg->replace = true;
    if (!take_number(w, UINT32_MAX, &msg->nexthop_id)) {
        return false;
    }
    if (is(w, "group")) {
        return parse_group(w, msg);
    }
    if (is(w, "blackhole")) {
        msg->blackhole = true;
        return true;
    }
    return take_nexthop(w, msg);
}

static bool
parse_nexthop_del(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_NEXTHOP_DEL;
    return take_number(w, UINT32_MAX, &msg->nexthop_id);
}

static bool
parse_neigh(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_NEIGH_ADD;
    if (!take_addr(w, &msg->ip) || !take_dev(w, &msg->ifindex)
        || !is(w, "lladdr") || !take_mac(w, &msg->mac)) {
        return false;
    }
    msg->permanent = is(w, "permanent");
    return true;
}

static bool
parse_neigh_del(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_NEIGH_DEL;
    return take_addr(w, &msg->ip) && take_dev(w, &msg->ifindex);
}

static bool
parse_addr(struct words *w, struct xf_wire_msg *msg)
{
    struct xf_prefix prefix;

    msg->type = XF_WIRE_ADDR_ADD;
    if (!take_prefix(w, &prefix) || !take_dev(w, &msg->ifindex)) {
        return false;
    }
    msg->ip = prefix.addr;
    msg->prefix_len = prefix.len;
    return true;
}

static bool
parse_addr_del(struct words *w, struct xf_wire_msg *msg)
{
    bool ok = parse_addr(w, msg);

    msg->type = XF_WIRE_ADDR_DEL;
    return ok;
}

static bool
parse_link(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_LINK_ADD;
    if (!take_dev(w, &msg->ifindex)) {
        return false;
    }
    if (is(w, "name")) {
        if (!w->word) {
            return false;
        }
        ovs_strlcpy(msg->ifname, w->word, sizeof msg->ifname);
        advance(w);
    }
    if ((is(w, "mac") && !take_mac(w, &msg->mac))
        || (is(w, "mtu") && !take_number(w, UINT32_MAX, &msg->mtu))) {
        return false;
    }
    msg->up = is(w, "up");
    return msg->up || is(w, "down");
}

static bool
parse_link_del(struct words *w, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_LINK_DEL;
    return take_dev(w, &msg->ifindex);
}

static bool
parse_done(struct words *w OVS_UNUSED, struct xf_wire_msg *msg)
{
    msg->type = XF_WIRE_END;
    return true;
}

char *
xf_text_parse(char *line, struct xf_wire_msg *msg)
{
    static const struct {
        const char *name;
        bool (*parse)(struct words *, struct xf_wire_msg *);
    } kinds[] = {
        { "add", parse_add },
        { "del", parse_del },
        { "nexthop", parse_nexthop },
        { "nexthop-del", parse_nexthop_del },
        { "neigh", parse_neigh },
        { "neigh-del", parse_neigh_del },
        { "addr", parse_addr },
        { "addr-del", parse_addr_del },
        { "link", parse_link },
        { "link-del", parse_link_del },
        { "done", parse_done },
    };
    struct words w;

    memset(msg, 0, sizeof *msg);
    w.word = strtok_r(line, " \t\r\n", &w.save);
    for (size_t i = 0; w.word && i < ARRAY_SIZE(kinds); i++) {
        if (is(&w, kinds[i].name)) {
            if (!kinds[i].parse(&w, msg) || w.word) {
                return xasprintf("%s: bad word '%s'", kinds[i].name,
                                 w.word ? w.word : "(end of line)");
            }
            return NULL;
        }
    }
    return xasprintf("'%s' is no kind of message", w.word ? w.word : "");
}
