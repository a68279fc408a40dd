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
#include "xf-churn.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "random.h"
#include "sset.h"
#include "svec.h"
#include "util.h"
#include "xf-text.h"

#define METRIC 20
#define HOPS_MAX 4

struct route {
    struct xf_prefix prefix;
    bool present;
    bool blackhole;
    size_t n_hops;
    struct xf_nexthop hops[HOPS_MAX];
};

struct xf_churn {
    struct xf_churn_gateway *gateways; /* IPv4 first. */
    size_t n_v4, n_v6;
    struct route *routes;
    size_t n_routes;
};

/* A random prefix inside 'base', longer by 'extra' bits at most. */
static struct xf_prefix
random_prefix(const char *base, uint8_t extra)
{
    struct xf_prefix prefix;

    if (!xf_text_parse_prefix(base, &prefix)) {
        OVS_NOT_REACHED();
    }

    unsigned int ofs = 128 - xf_addr_bits(&prefix.addr);
    unsigned int begin = ofs + prefix.len;
    unsigned int len = random_range(extra + 1);
    for (unsigned int bit = begin; bit < begin + len; bit++) {
        if (random_range(2)) {
            prefix.addr.s6_addr[bit / 8] |= 0x80 >> bit % 8;
        }
    }
    prefix.len += len;
    return prefix;
}

static void
make_prefixes(struct xf_churn *c)
{
    struct sset seen = SSET_INITIALIZER(&seen);

    for (size_t i = 0; i < c->n_routes; ) {
        bool v4 = c->n_v4 && (!c->n_v6 || random_range(4));
        struct ds s = DS_EMPTY_INITIALIZER;

        c->routes[i].prefix = (v4 ? random_prefix("10.128.0.0/9", 23)
                               : random_prefix("2001:db8:8000::/33", 31));
        xf_text_format_prefix(&c->routes[i].prefix, &s);
        i += sset_add(&seen, ds_cstr(&s)) != NULL;
        ds_destroy(&s);
    }
    sset_destroy(&seen);
}

struct xf_churn *
xf_churn_create(uint32_t seed, size_t n_prefixes,
                const struct xf_churn_gateway *gateways, size_t n_gateways)
{
    struct xf_churn *c = xzalloc(sizeof *c);

    random_set_seed(seed ? seed : 1);
    c->gateways = xcalloc(n_gateways, sizeof *c->gateways);
    for (int v4 = 1; v4 >= 0; v4--) {
        for (size_t i = 0; i < n_gateways; i++) {
            if (xf_addr_is_v4(&gateways[i].addr) == v4) {
                c->gateways[c->n_v4 + c->n_v6] = gateways[i];
                c->n_v4 += v4;
                c->n_v6 += !v4;
            }
        }
    }
    c->n_routes = n_prefixes;
    c->routes = xcalloc(n_prefixes, sizeof *c->routes);
    make_prefixes(c);
    return c;
}

void
xf_churn_destroy(struct xf_churn *c)
{
    if (c) {
        free(c->gateways);
        free(c->routes);
        free(c);
    }
}

/* Gives 'r' random next hops, all different. */
static void
make_hops(const struct xf_churn *c, struct route *r)
{
    bool v4 = xf_addr_is_v4(&r->prefix.addr);
    size_t n_gateways = v4 ? c->n_v4 : c->n_v6;
    size_t first = v4 ? 0 : c->n_v4;
    size_t start = random_range(n_gateways);
    size_t n_max = MIN(n_gateways, HOPS_MAX);

    r->blackhole = !random_range(16);
    r->n_hops = (r->blackhole ? 0
                 : random_range(4) ? 1 : 1 + random_range(n_max));
    for (size_t i = 0; i < r->n_hops; i++) {
        const struct xf_churn_gateway *gw
            = &c->gateways[first + (start + i) % n_gateways];

        r->hops[i].gateway = gw->addr;
        r->hops[i].ifindex = gw->ifindex;
        r->hops[i].weight = (r->n_hops > 1 && random_range(2)
                             ? 1 + random_range(8) : 1);
    }
}

/* Describes 'r' in 'step', as an addition if it is present, else as a
 * deletion. */
static void
make_step(const struct route *r, bool replace, struct xf_churn_step *step)
{
    struct xf_wire_msg *msg = &step->msg;

    memset(msg, 0, sizeof *msg);
    msg->type = r->present ? XF_WIRE_ROUTE_ADD : XF_WIRE_ROUTE_DEL;
    msg->replace = replace;
    msg->route.prefix = r->prefix;
    msg->route.metric = METRIC;
    msg->route.protocol = RTPROT_OSPF;
    if (r->present) {
        msg->route.type = r->blackhole ? XF_ROUTE_BLACKHOLE : XF_ROUTE_UNICAST;
        msg->n_nexthops = r->n_hops;
        memcpy(msg->nexthops, r->hops, r->n_hops * sizeof *r->hops);
        msg->route.nexthops = msg->nexthops;
        msg->route.n_nexthops = r->n_hops;
    }
    step->del_first = false;
}

void
xf_churn_add(struct xf_churn *c, size_t i, struct xf_churn_step *step)
{
    struct route *r = &c->routes[i];

    bool replace = r->present;

    make_hops(c, r);
    r->present = true;
    make_step(r, replace, step);
}

void
xf_churn_next(struct xf_churn *c, struct xf_churn_step *step)
{
    size_t i = random_range(c->n_routes);
    struct route *r = &c->routes[i];

    if (r->present && random_range(2)) {
        r->present = false;
        make_step(r, false, step);
        return;
    }

    bool was_present = r->present;
    xf_churn_add(c, i, step);
    step->del_first = was_present && !random_range(4);
}

void
xf_churn_write(const struct xf_churn *c, FILE *stream)
{
    struct svec lines = SVEC_EMPTY_INITIALIZER;
    const char *line;
    size_t i;

    for (i = 0; i < c->n_routes; i++) {
        const struct route *r = &c->routes[i];
        struct ds s = DS_EMPTY_INITIALIZER;

        if (!r->present) {
            continue;
        }
        xf_text_format_prefix(&r->prefix, &s);
        ds_put_cstr(&s, r->blackhole ? " blackhole" : "");
        for (size_t j = 0; j < r->n_hops; j++) {
            ds_put_cstr(&s, " via ");
            ipv6_format_mapped(&r->hops[j].gateway, &s);
            ds_put_format(&s, ",%"PRIu32, r->hops[j].ifindex);
            if (r->hops[j].weight != 1) {
                ds_put_format(&s, "*%"PRIu16, r->hops[j].weight);
            }
        }
        svec_add_nocopy(&lines, ds_steal_cstr(&s));
    }
    svec_sort(&lines);
    SVEC_FOR_EACH (i, line, &lines) {
        fprintf(stream, "%s\n", line);
    }
    svec_destroy(&lines);
}
