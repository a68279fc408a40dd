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

#include "core/rule-set.h"

#include <errno.h>

#include "cmap.h"
#include "flow.h"
#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "util.h"

/* The classifier keeps a deleted rule until no reader can look at the version
 * that had it: 'dying' (not yet published), then 'dead' (published, its grace
 * period runs), then it is taken out and handed to 'retire'. */

/* A grace period: that of the rules that one publication deleted.  Shared with
 * the retire callback, which may run in another thread and after the set is
 * gone. */
struct grace {
    struct ovs_refcount refcount;
    atomic_bool over;
};

/* A rule that is dead, with what it waits for. */
struct dead_batch {
    struct ovs_list node;       /* In set's 'dead'. */
    struct grace *grace;
    struct ovs_list rules;      /* Of 'struct xf_rule'. */
};

/* A name of an input port that rules use. */
struct port_name {
    struct cmap_node node;      /* In set's 'ports'. */
    uint32_t id;                /* Never 0, not reused. */
    size_t n_rules;
    char name[XF_NAME_MAX];
};

struct xf_rule_set {
    /* Readers. */
    struct classifier cls;
    struct cmap ports;          /* Of 'struct port_name'. */
    atomic_uint64_t version;    /* That is published. */
    atomic_size_t n_published;  /* Rules in it. */

    /* Writer. */
    uint32_t max_rules;
    xf_retire_fn *retire;
    void *retire_aux;
    struct ovs_list rules;      /* In the coming version. */
    size_t n_rules;
    size_t n_timeouts;          /* Of 'rules'. */
    size_t n_bytes;             /* Of 'rules'. */
    struct ovs_list dying;
    struct ovs_list dead;       /* Of 'struct dead_batch', oldest first. */
    uint32_t last_port;
    uint64_t last_seq;
    bool changed;               /* Since the last publication. */
};

static void collect(struct xf_rule_set *);

/* ---- Rules. ---- */

static struct port_name *
find_port(const struct xf_rule_set *rs, const char *name)
{
    struct port_name *port;

    CMAP_FOR_EACH_WITH_HASH (port, node, hash_string(name, 0), &rs->ports) {
        if (!strcmp(port->name, name)) {
            return port;
        }
    }
    return NULL;
}

static struct port_name *
ref_port(struct xf_rule_set *rs, const char *name)
{
    struct port_name *port = find_port(rs, name);

    if (!port) {
        port = xzalloc(sizeof *port);
        port->id = ++rs->last_port;
        ovs_strlcpy(port->name, name, sizeof port->name);
        cmap_insert(&rs->ports, &port->node, hash_string(name, 0));
    }
    port->n_rules++;
    return port;
}

static void
unref_port(struct xf_rule_set *rs, const char *name)
{
    struct port_name *port = find_port(rs, name);

    if (port && !--port->n_rules) {
        cmap_remove(&rs->ports, &port->node, hash_string(name, 0));
        rs->retire(free, port, rs->retire_aux);
    }
}

/* What stands for 'port' in the classifier; a port that no rule names has 0,
 * which no rule matches. */
static ofp_port_t
port_number(const struct port_name *port)
{
    return (OVS_FORCE ofp_port_t) (port ? port->id : 0);
}

/* What the classifier matches for 'm'. */
static struct match
to_match(const struct xf_rule_set *rs, const struct xf_match *m)
{
    struct match match = m->match;

    if (m->in_port[0]) {
        const struct port_name *port = find_port(rs, m->in_port);

        match.flow.in_port.ofp_port = port_number(port);
        match.wc.masks.in_port.ofp_port = (OVS_FORCE ofp_port_t) UINT32_MAX;
    }
    return match;
}

static size_t
rule_bytes(const struct xf_rule *rule)
{
    size_t n = miniflow_n_values(rule->cls_rule.match.flow);

    /* Flow, mask, and the classifier's copy of the flow. */
    return (sizeof *rule + sizeof *rule->stat + rule->payload_size
            + 3 * (sizeof(struct miniflow) + n * sizeof(uint64_t)));
}

static void
rule_free(void *rule_)
{
    struct xf_rule *rule = rule_;

    cls_rule_destroy(CONST_CAST(struct cls_rule *, &rule->cls_rule));
    xf_stat_unref(rule->stat);
    free(rule->payload);
    free(rule);
}

static struct xf_rule *
rule_create(struct xf_rule_set *rs, const struct xf_rule_spec *spec,
            long long int now_ms)
{
    struct xf_rule *rule = xzalloc(sizeof *rule);

    if (spec->match.in_port[0]) {
        ref_port(rs, spec->match.in_port);
        ovs_strlcpy_arrays(rule->in_port, spec->match.in_port);
    }
    struct match match = to_match(rs, &spec->match);
    cls_rule_init(CONST_CAST(struct cls_rule *, &rule->cls_rule), &match,
                  spec->priority);
    rule->stat = xf_stat_create();
    rule->created_ms = now_ms;
    rule->seq = ++rs->last_seq;
    rule->idle_s = spec->idle_s;
    rule->hard_s = spec->hard_s;
    rule->payload_size = spec->payload_size;
    rule->payload = xmemdup(spec->payload, spec->payload_size);
    return rule;
}

/* See core/rule-set.h. */
void
xf_rule_get_match(const struct xf_rule *rule, struct xf_match *m)
{
    minimatch_expand(&rule->cls_rule.match, &m->match);
    m->match.flow.in_port.ofp_port = 0;
    m->match.wc.masks.in_port.ofp_port = 0;
    ovs_strlcpy_arrays(m->in_port, rule->in_port);
}

/* ---- Life cycle. ---- */

/* See core/rule-set.h. */
struct xf_rule_set *
xf_rule_set_create(uint32_t max_rules, xf_retire_fn *retire, void *retire_aux)
{
    static const enum mf_field_id prefixes[] = {
        MFF_IPV4_DST, MFF_IPV4_SRC, MFF_IPV6_DST,
    };
    struct xf_rule_set *rs = xzalloc(sizeof *rs);

    classifier_init(&rs->cls, flow_segment_u64s);
    classifier_set_prefix_fields(&rs->cls, prefixes, ARRAY_SIZE(prefixes));
    cmap_init(&rs->ports);
    atomic_init(&rs->version, OVS_VERSION_MIN);
    atomic_init(&rs->n_published, 0);
    rs->max_rules = max_rules;
    rs->retire = retire;
    rs->retire_aux = retire_aux;
    ovs_list_init(&rs->rules);
    ovs_list_init(&rs->dying);
    ovs_list_init(&rs->dead);
    return rs;
}

static void
grace_unref(struct grace *grace)
{
    if (ovs_refcount_unref(&grace->refcount) == 1) {
        free(grace);
    }
}

static void
free_rules(struct xf_rule_set *rs, struct ovs_list *rules)
{
    struct xf_rule *rule;

    LIST_FOR_EACH_POP (rule, node, rules) {
        classifier_remove_assert(&rs->cls, &rule->cls_rule);
        rule_free(rule);
    }
}

/* Destroys 'rs' at once: no reader may be left. */
void
xf_rule_set_destroy(struct xf_rule_set *rs)
{
    struct dead_batch *batch;
    struct port_name *port;

    if (!rs) {
        return;
    }
    free_rules(rs, &rs->rules);
    free_rules(rs, &rs->dying);
    LIST_FOR_EACH_POP (batch, node, &rs->dead) {
        free_rules(rs, &batch->rules);
        grace_unref(batch->grace);
        free(batch);
    }
    CMAP_FOR_EACH (port, node, &rs->ports) {
        cmap_remove(&rs->ports, &port->node, hash_string(port->name, 0));
        free(port);
    }
    cmap_destroy(&rs->ports);
    classifier_destroy(&rs->cls);
    free(rs);
}

/* ---- Updates. ---- */

/* Of versions, that which the writer prepares. */
static ovs_version_t
next_version(const struct xf_rule_set *rs)
{
    uint64_t version;

    atomic_read_relaxed(&CONST_CAST(struct xf_rule_set *, rs)->version,
                        &version);
    return version + 1;
}

/* See core/rule-set.h. */
const struct xf_rule *
xf_rule_set_find(const struct xf_rule_set *rs, const struct xf_match *m,
                 uint16_t priority)
{
    struct match match = to_match(rs, m);
    const struct cls_rule *cr
        = classifier_find_match_exactly(&rs->cls, &match, priority,
                                        next_version(rs));

    return cr ? CONTAINER_OF(cr, struct xf_rule, cls_rule) : NULL;
}

/* Finds a rule, other than 'old', of the priority of 'spec', that matches some
 * of the same packets and has another payload. */
static const struct xf_rule *
find_conflict(const struct xf_rule_set *rs, const struct xf_rule_spec *spec,
              const struct xf_rule *old)
{
    const struct xf_rule *rule;

    LIST_FOR_EACH (rule, node, &rs->rules) {
        struct xf_match m;

        if (rule == old || xf_rule_priority(rule) != spec->priority
            || (rule->payload_size == spec->payload_size
                && !memcmp(rule->payload, spec->payload,
                           spec->payload_size))) {
            continue;
        }
        xf_rule_get_match(rule, &m);
        if (xf_match_overlaps(&m, &spec->match)) {
            return rule;
        }
    }
    return NULL;
}

/* Makes 'rule' invisible in the coming version. */
static void
kill_rule(struct xf_rule_set *rs, struct xf_rule *rule)
{
    cls_rule_make_invisible_in_version(&rule->cls_rule, next_version(rs));
    ovs_list_remove(&rule->node);
    ovs_list_push_back(&rs->dying, &rule->node);
    rs->n_rules--;
    rs->n_timeouts -= rule->idle_s || rule->hard_s;
    rs->n_bytes -= rule_bytes(rule);
    rs->changed = true;
}

/* See core/rule-set.h. */
int
xf_rule_set_insert(struct xf_rule_set *rs, const struct xf_rule_spec *spec,
                   long long int now_ms, char **errorp)
{
    collect(rs);

    const struct xf_rule *old = xf_rule_set_find(rs, &spec->match,
                                                 spec->priority);
    if (!old && rs->n_rules >= rs->max_rules) {
        if (errorp) {
            *errorp = xasprintf("there are %"PRIuSIZE" rules of this kind, "
                                "the most this router has: delete some",
                                rs->n_rules);
        }
        return ENOSPC;
    }

    const struct xf_rule *other = find_conflict(rs, spec, old);
    if (other) {
        if (errorp) {
            struct ds ds = DS_EMPTY_INITIALIZER;
            struct xf_match m;

            xf_rule_get_match(other, &m);
            xf_match_format(&m, &ds);
            *errorp = xasprintf("some packets match this rule and '%s', which "
                                "has priority %d too but does something else: "
                                "give one of them another priority",
                                ds_cstr(&ds), xf_rule_priority(other));
            ds_destroy(&ds);
        }
        return EEXIST;
    }

    if (old) {
        kill_rule(rs, CONST_CAST(struct xf_rule *, old));
    }
    struct xf_rule *rule = rule_create(rs, spec, now_ms);
    classifier_insert(&rs->cls, &rule->cls_rule, next_version(rs), NULL, 0);
    ovs_list_push_back(&rs->rules, &rule->node);
    rs->n_rules++;
    rs->n_timeouts += rule->idle_s || rule->hard_s;
    rs->n_bytes += rule_bytes(rule);
    rs->changed = true;
    return 0;
}

/* See core/rule-set.h. */
void
xf_rule_set_delete_rule(struct xf_rule_set *rs, const struct xf_rule *rule)
{
    kill_rule(rs, CONST_CAST(struct xf_rule *, rule));
}

/* See core/rule-set.h. */
bool
xf_rule_set_delete(struct xf_rule_set *rs, const struct xf_match *m,
                   uint16_t priority)
{
    const struct xf_rule *rule = xf_rule_set_find(rs, m, priority);

    if (rule) {
        xf_rule_set_delete_rule(rs, rule);
    }
    return rule != NULL;
}

/* Deletes all rules. */
void
xf_rule_set_clear(struct xf_rule_set *rs)
{
    struct xf_rule *rule;

    LIST_FOR_EACH_SAFE (rule, node, &rs->rules) {
        kill_rule(rs, rule);
    }
}

static bool
is_expired(const struct xf_rule *rule, long long int now_ms)
{
    long long int used_ms;

    if (rule->hard_s && now_ms - rule->created_ms >= rule->hard_s * 1000LL) {
        return true;
    }
    if (!rule->idle_s) {
        return false;
    }
    atomic_read_relaxed(&rule->stat->used_ms, &used_ms);
    return now_ms - MAX(used_ms, rule->created_ms) >= rule->idle_s * 1000LL;
}

/* See core/rule-set.h. */
size_t
xf_rule_set_expire(struct xf_rule_set *rs, long long int now_ms)
{
    struct xf_rule *rule;
    size_t n = 0;

    if (rs->n_timeouts) {
        LIST_FOR_EACH_SAFE (rule, node, &rs->rules) {
            if (is_expired(rule, now_ms)) {
                kill_rule(rs, rule);
                n++;
            }
        }
    }
    return n;
}

/* See core/rule-set.h. */
bool
xf_rule_set_has_timeouts(const struct xf_rule_set *rs)
{
    return rs->n_timeouts > 0;
}

/* ---- Publication. ---- */

/* Retire callback: no reader can look at the version before. */
static void
grace_over(void *grace_)
{
    struct grace *grace = grace_;

    atomic_store(&grace->over, true);
    grace_unref(grace);
}

/* See core/rule-set.h. */
void
xf_rule_set_publish(struct xf_rule_set *rs)
{
    if (!rs->changed) {
        return;
    }
    rs->changed = false;
    atomic_store_explicit(&rs->version, next_version(rs),
                          memory_order_release);
    atomic_store_relaxed(&rs->n_published, rs->n_rules);

    if (!ovs_list_is_empty(&rs->dying)) {
        struct dead_batch *batch = xmalloc(sizeof *batch);
        struct grace *grace = xmalloc(sizeof *grace);

        ovs_refcount_init(&grace->refcount);
        ovs_refcount_ref(&grace->refcount);
        atomic_init(&grace->over, false);
        batch->grace = grace;
        ovs_list_init(&batch->rules);
        ovs_list_push_back_all(&batch->rules, &rs->dying);
        ovs_list_push_back(&rs->dead, &batch->node);
        rs->retire(grace_over, grace, rs->retire_aux);
    }
    collect(rs);
}

/* Takes the rules whose grace period is over out of the classifier. */
static void
collect(struct xf_rule_set *rs)
{
    struct dead_batch *batch;
    bool over;

    LIST_FOR_EACH_SAFE (batch, node, &rs->dead) {
        struct xf_rule *rule;

        atomic_read(&batch->grace->over, &over);
        if (!over) {
            return;
        }
        LIST_FOR_EACH_POP (rule, node, &batch->rules) {
            classifier_remove_assert(&rs->cls, &rule->cls_rule);
            if (rule->in_port[0]) {
                unref_port(rs, rule->in_port);
            }
            rs->retire(rule_free, rule, rs->retire_aux);
        }
        ovs_list_remove(&batch->node);
        grace_unref(batch->grace);
        free(batch);
    }
}

/* ---- Listing. ---- */

/* The number of rules. */
size_t
xf_rule_set_count(const struct xf_rule_set *rs)
{
    return rs->n_rules;
}

/* The most rules that there may be. */
uint32_t
xf_rule_set_max(const struct xf_rule_set *rs)
{
    return rs->max_rules;
}

/* See core/rule-set.h. */
void
xf_rule_set_set_max(struct xf_rule_set *rs, uint32_t max_rules)
{
    rs->max_rules = max_rules;
}

/* Bytes that the rules take, about. */
size_t
xf_rule_set_bytes(const struct xf_rule_set *rs)
{
    return rs->n_bytes;
}

static int
compare_rules(const void *a_, const void *b_)
{
    const struct xf_rule *const *a = a_;
    const struct xf_rule *const *b = b_;

    int order = xf_rule_priority(*b) - xf_rule_priority(*a);

    return order ? order : (*a)->seq < (*b)->seq ? -1 : 1;
}

/* See core/rule-set.h. */
void
xf_rule_set_for_each(const struct xf_rule_set *rs,
                     bool (*cb)(const struct xf_rule *, void *aux), void *aux)
{
    const struct xf_rule **rules = xmalloc(MAX(1, rs->n_rules)
                                           * sizeof *rules);
    const struct xf_rule *rule;
    size_t n = 0;

    LIST_FOR_EACH (rule, node, &rs->rules) {
        rules[n++] = rule;
    }
    qsort(rules, n, sizeof *rules, compare_rules);
    for (size_t i = 0; i < n && cb(rules[i], aux); i++) {
        continue;
    }
    free(rules);
}

/* ---- Readers. ---- */

/* See core/rule-set.h. */
bool
xf_rule_set_is_empty(const struct xf_rule_set *rs)
{
    size_t n;

    atomic_read_relaxed(&CONST_CAST(struct xf_rule_set *, rs)->n_published,
                        &n);
    return !n;
}

/* See core/rule-set.h. */
const struct xf_rule *
xf_rule_set_lookup(const struct xf_rule_set *rs, const struct flow *flow,
                   const char *in_port, struct flow_wildcards *wc)
{
    const struct port_name *port;
    const struct cls_rule *cr;
    struct flow key = *flow;
    uint64_t version;

    atomic_read_explicit(&CONST_CAST(struct xf_rule_set *, rs)->version,
                         &version, memory_order_acquire);
    port = find_port(rs, in_port);
    key.in_port.ofp_port = port_number(port);
    cr = classifier_lookup(&rs->cls, version, &key, wc);
    return cr ? CONTAINER_OF(cr, struct xf_rule, cls_rule) : NULL;
}
