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

#ifndef TEST_XF_RULE_TABLE_H
#define TEST_XF_RULE_TABLE_H 1

/* Shared by the files of test-xf-rule-table.
 *
 * 'struct model' is a naive rule table: arrays of statements and linear
 * searches, written from core/rule-table.h alone.  Only what the random driver
 * needs is there. */

#include "core/rule-table.h"

#define MODEL_MAX_ROUTES 512
#define MODEL_MAX_NEXTHOPS 64
#define MODEL_MAX_IFACES 4
#define MODEL_MAX_ADDRS 64
#define MODEL_MAX_NEIGHS 128
#define MODEL_N_SOURCES 3
#define MODEL_MAX_HOPS 6

struct model_route {
    int source;
    struct xf_prefix prefix;
    enum xf_route_type type;
    uint8_t protocol;
    uint32_t metric;
    uint32_t nhid;
    size_t n;
    struct xf_nexthop hops[MODEL_MAX_HOPS];
    bool stale;
    int iface;                  /* Connected: its interface; else -1. */
    bool derived;
};

enum model_nh_kind { MODEL_HOPS, MODEL_GROUP, MODEL_BLACKHOLE };

struct model_nh {
    int source;
    uint32_t id;
    enum model_nh_kind kind;
    size_t n;
    struct xf_nexthop hops[MODEL_MAX_HOPS];
    struct xf_nexthop_ref members[MODEL_MAX_HOPS];
    bool stale;
};

struct model_addr {
    int source;
    int iface;
    struct in6_addr ip;
    uint8_t len;
    bool stale;
};

struct model_neigh {
    int source;
    int iface;
    struct in6_addr ip;
    struct eth_addr mac;
    enum xf_neighbor_state state;
    bool stale;
};

struct model {
    struct { uint32_t id; int preference; bool present; }
        sources[MODEL_N_SOURCES];
    struct { struct xf_iface iface; bool present; } ifaces[MODEL_MAX_IFACES];
    struct model_route routes[MODEL_MAX_ROUTES];
    size_t n_routes;
    struct model_nh nhs[MODEL_MAX_NEXTHOPS];
    size_t n_nhs;
    struct model_addr addrs[MODEL_MAX_ADDRS];
    size_t n_addrs;
    struct model_neigh neighs[MODEL_MAX_NEIGHS];
    size_t n_neighs;
};

/* What must be equal between table and model. */
struct model_result {
    enum xf_verdict verdict;
    enum xf_punt_reason reason; /* If XF_PUNT, else 0. */
    bool used_hash;
    bool has_route;
    struct xf_prefix prefix;
    uint8_t protocol;
    int iface;                  /* -1: none. */
    struct in6_addr nexthop;
    struct eth_addr dmac;
};

/* Each returns 0 or the errno that the table must return. */
int model_source_add(struct model *, int source);
int model_source_del(struct model *, int source);
int model_source_mark(struct model *, int source);
size_t model_source_sweep(struct model *, int source);
size_t model_source_n_stale(const struct model *, int source);
size_t model_source_n_routes(const struct model *, int source);
int model_route_add(struct model *, int source, const struct xf_route_spec *,
                    bool replace_prefix);
int model_route_del(struct model *, int source, const struct xf_prefix *,
                    uint32_t metric);
int model_nh_set(struct model *, const struct model_nh *);
int model_nh_del(struct model *, int source, uint32_t id);
int model_iface_add(struct model *, int i, const struct xf_iface *);
int model_iface_update(struct model *, int i, const struct xf_iface *);
int model_iface_del(struct model *, int i);
int model_addr_add(struct model *, const struct model_addr *);
int model_addr_del(struct model *, const struct model_addr *);
int model_neigh_set(struct model *, const struct model_neigh *);
int model_neigh_del(struct model *, int iface, const struct in6_addr *);

void model_lookup(const struct model *, const struct in6_addr *dst,
                  uint32_t hash, struct model_result *);
enum xf_neigh_news model_hear(const struct model *, int iface,
                              const struct in6_addr *, struct eth_addr);
bool model_wants(const struct model *, int iface, const struct in6_addr *);
size_t model_n_listed(const struct model *);
bool model_is_special(const struct in6_addr *);

/* Sub-commands. */
void test_oracle(int argc, char *argv[]);
void test_readers(int argc, char *argv[]);
void test_bench(int argc, char *argv[]);
void test_script(int argc, char *argv[]);

#endif /* test-xf-rule-table.h */
