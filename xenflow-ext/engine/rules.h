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

#ifndef XF_ENGINE_RULES_H
#define XF_ENGINE_RULES_H 1

/* Filters and flows of a router.
 * ==============================
 *
 * Two sets of rules (core/rule-set.h) of each router, asked in this order for
 * each unicast frame that comes to it, whether or not its data plane is in the
 * switch:
 *
 * 1. Filters say of an IP packet whether it may go on.  What no filter matches
 *    does as the router's "filter-default" says.
 * 2. Flows say of any frame what happens to it instead of routing, or before
 *    it.  What no flow matches is routed.
 *
 * Threads: the engine's thread writes; translations read (RCU).  Arguments are
 * parsed in the main thread. */

#include "core/rule-set.h"
#include "ovs-atomic.h"
#include "xenflow/actions.h"

struct ds;
struct json;
struct xf_engine;
struct xf_router;

enum xf_rule_kind {
    XF_RULE_FILTER,
    XF_RULE_FLOW,
    XF_N_RULE_KINDS
};

/* Part of 'struct xf_router'. */
struct xf_rules {
    struct xf_rule_set *sets[XF_N_RULE_KINDS];
    atomic_bool deny;           /* "filter-default" is deny. */
    struct xf_stat *by_default; /* Decided by "filter-default". */
    struct xf_stat *denied;     /* Denied, by whatever. */
};

/* Arguments of a command about rules. */
struct xf_rule_args {
    struct xf_match match;
    bool all;                   /* Instead of 'match': every rule. */
    uint16_t priority;
    uint32_t idle_s, hard_s;
    struct xf_filter filter;
    struct xf_flow_actions flow;
};

/* Any thread. */
void xf_rules_init(struct xf_rules *, const uint32_t max[XF_N_RULE_KINDS],
                   bool deny);
void xf_rules_uninit(struct xf_rules *);

/* Engine's thread. */
char *xf_rules_set_max(struct xf_rules *, const uint32_t max[XF_N_RULE_KINDS])
    OVS_WARN_UNUSED_RESULT;
void xf_rules_set_deny(struct xf_rules *, bool deny);
void xf_rules_run(struct xf_engine *, long long int now_ms);
void xf_rules_wait(struct xf_engine *);
void xf_rules_put_stats(const struct xf_rules *, struct json *);
void xf_rules_put_settings(const struct xf_rules *, struct json *);

/* Appends the arguments that make 'rule' again, after the router's name:
 * separated by one space, none has a space in it. */
void xf_rule_put_args(enum xf_rule_kind, const struct xf_rule *, struct ds *);

/* rules-args.c: each returns NULL or a sentence that the caller frees. */
char *xf_rule_args_parse_match(struct xf_rule_args *, const char *match)
    OVS_WARN_UNUSED_RESULT;
char *xf_rule_args_parse_filter(struct xf_rule_args *, int n,
                                const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_rule_args_parse_flow(struct xf_rule_args *, int n,
                              const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_rule_args_parse_del(struct xf_rule_args *, int n, const char *argv[])
    OVS_WARN_UNUSED_RESULT;
void xf_flow_actions_format(const struct xf_flow_actions *, struct ds *);

#endif /* engine/rules.h */
