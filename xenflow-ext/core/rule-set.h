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

#ifndef XF_CORE_RULE_SET_H
#define XF_CORE_RULE_SET_H 1

/* A set of prioritised rules over the 12 fields of a packet.
 * =========================================================
 *
 * What
 * ----
 * A rule has a match (core/rule-match.h), a priority and a payload: bytes that
 * mean nothing here (a filter's verdict, a flow's actions).  A lookup gives
 * the rule of the highest priority that a packet matches, and says which bits
 * of the packet decided that.
 *
 * Why this structure
 * ------------------
 * OVS's classifier (lib/classifier.h): readers are lock-free, and a lookup
 * un-wildcards exactly what a megaflow has to match.  What it leaves undefined
 * is excluded here: two rules of one priority that some packet could both
 * match must have the same payload, else the second is refused.
 *
 * Input ports are names, because their numbers change when ports are removed
 * and added; inside, each name that some rule uses has a number of the set's
 * own.
 *
 * Changes are made by versions: any number of insertions and deletions becomes
 * visible to readers at once, when it is published.  So a rule is replaced, or
 * all of them are, without a moment in which there is neither old nor new.
 *
 * Shape
 * -----
 * Up to 'max_rules' rules; some 500 bytes each and the payload.  A lookup costs
 * a hash probe per different mask; an update O(rules) comparisons of masks.
 *
 * Invariants
 * ----------
 * - A reader sees the set as it was at one publication.
 * - Two packets that agree in what a lookup un-wildcarded get the same rule.
 *
 * Threads
 * -------
 * One writer.  Functions under "Readers" may be called from any thread inside
 * an RCU read-side section; rules that they return live until it ends (take a
 * reference on the rule's 'stat' to keep that longer).
 *
 * Source: OpenFlow 1.0 3.4 (matching), 4.6 (a flow that is added anew replaces
 * its like, and counts from 0). */

#include "classifier.h"
#include "core/rule-match.h"
#include "core/rule-table.h"
#include "openvswitch/list.h"
#include "xenflow/types.h"

struct xf_rule_set;

#define XF_RULE_PRIORITY_DEFAULT 32768
#define XF_RULES_MAX_DEFAULT 4096

/* A rule as it is stated. */
struct xf_rule_spec {
    struct xf_match match;
    uint16_t priority;          /* Larger wins. */
    uint32_t idle_s;            /* Seconds without packets after which the */
    uint32_t hard_s;            /* writer removes it, and after which it does
                                 * in any case; 0: never. */
    const void *payload;        /* Copied. */
    size_t payload_size;        /* Bytes. */
};

/* A rule of a set.  Immutable but for its counters. */
struct xf_rule {
    const struct cls_rule cls_rule;
    char in_port[XF_NAME_MAX];  /* "": any. */
    struct xf_stat *stat;       /* Packets that it decided. */
    long long int created_ms;
    uint32_t idle_s, hard_s;
    void *payload;              /* Aligned as of malloc(). */
    size_t payload_size;

    /* Writer's. */
    struct ovs_list node;       /* In one of the set's lists. */
    uint64_t seq;               /* Order of creation. */
};

/* ---- Life cycle (writer). ---- */

/* Creates an empty set of at most 'max_rules' rules.  'retire' as for
 * xf_rt_create(). */
void xf_rule_set_destroy(struct xf_rule_set *);
struct xf_rule_set *xf_rule_set_create(uint32_t max_rules, xf_retire_fn *,
                                       void *retire_aux);

/* ---- Updates (writer). ----
 *
 * Not seen by readers before xf_rule_set_publish(). */

/* Inserts a rule; one with the same match and priority is replaced.  Returns 0
 * or a positive errno, then with a sentence in '*errorp' (the caller frees it)
 * and the set unchanged:
 *
 *   ENOSPC  there are 'max_rules' rules
 *   EEXIST  a rule of the same priority and another payload matches some of
 *           the same packets */
int xf_rule_set_insert(struct xf_rule_set *, const struct xf_rule_spec *,
                       long long int now_ms, char **errorp);

/* Deletes the rule with 'match' and 'priority'; returns false if there is
 * none. */
bool xf_rule_set_delete(struct xf_rule_set *, const struct xf_match *,
                        uint16_t priority);
void xf_rule_set_delete_rule(struct xf_rule_set *, const struct xf_rule *);
void xf_rule_set_clear(struct xf_rule_set *);

/* Deletes the rules whose time is over at 'now_ms'; returns how many. */
size_t xf_rule_set_expire(struct xf_rule_set *, long long int now_ms);
/* Whether some rule has a timeout. */
bool xf_rule_set_has_timeouts(const struct xf_rule_set *);

/* Makes all updates visible to readers, at once. */
void xf_rule_set_publish(struct xf_rule_set *);

/* ---- Listing (writer). ---- */

size_t xf_rule_set_count(const struct xf_rule_set *);
uint32_t xf_rule_set_max(const struct xf_rule_set *);
/* Changes the maximum; what is there stays. */
void xf_rule_set_set_max(struct xf_rule_set *, uint32_t max_rules);
size_t xf_rule_set_bytes(const struct xf_rule_set *); /* Of rules, about. */
const struct xf_rule *xf_rule_set_find(const struct xf_rule_set *,
                                       const struct xf_match *,
                                       uint16_t priority);

/* Calls 'cb' for each rule, the highest priority first, those of one priority
 * in the order of their creation, until it returns false.  'cb' may not change
 * the set. */
void xf_rule_set_for_each(const struct xf_rule_set *,
                          bool (*cb)(const struct xf_rule *, void *aux),
                          void *aux);

/* ---- Readers (any thread, RCU). ---- */

/* The rule that decides about a packet with 'flow' that came in by the switch
 * port called 'in_port' ("" if it has none), or NULL.  'flow->in_port' is not
 * looked at.  The bits of 'flow' that decided are set in 'wc'; the input port
 * is taken for one of them in any case.  'wc' may be NULL. */
const struct xf_rule *xf_rule_set_lookup(const struct xf_rule_set *,
                                         const struct flow *,
                                         const char *in_port,
                                         struct flow_wildcards *wc);

/* Whether readers see no rule at all: then a lookup isn't needed. */
bool xf_rule_set_is_empty(const struct xf_rule_set *);

static inline int
xf_rule_priority(const struct xf_rule *rule)
{
    return rule->cls_rule.priority;
}

/* What 'rule' matches. */
void xf_rule_get_match(const struct xf_rule *, struct xf_match *);

#endif /* core/rule-set.h */
