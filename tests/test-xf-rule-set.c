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
#undef NDEBUG

#include "core/rule-set.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

/* Sets of rules against a linear search.
 *
 *   test-xf-rule-set match TEXT...       canonical text or sentence of each
 *   test-xf-rule-set oracle SEED STEPS   random rules, packets and changes
 *   test-xf-rule-set readers SECONDS     nobody sees a gap or a mixture
 *   test-xf-rule-set bench N             N rules: time per insert and lookup */

/* ---- match ---- */

/* Prints what TEXT is understood as; checks that it is read back as the
 * same. */
static void
test_match(int argc, char *argv[])
{
    for (int i = 0; i < argc; i++) {
        struct ds one = DS_EMPTY_INITIALIZER;
        struct ds two = DS_EMPTY_INITIALIZER;
        struct xf_match m, again;
        char *error = xf_match_parse(argv[i], &m);

        if (error) {
            printf("%s: %s\n", argv[i], error);
            free(error);
            continue;
        }
        xf_match_format(&m, &one);
        printf("%s -> %s\n", argv[i], ds_cstr(&one));
        error = xf_match_parse(ds_cstr(&one), &again);
        if (error) {
            ovs_fatal(0, "not read back: %s", error);
        }
        xf_match_format(&again, &two);
        ovs_assert(match_equal(&m.match, &again.match));
        ovs_assert(!strcmp(m.in_port, again.in_port));
        ovs_assert(!strcmp(ds_cstr(&one), ds_cstr(&two)));
        ds_destroy(&one);
        ds_destroy(&two);
    }
}

/* ---- Retired memory: released when the test says so. ---- */

struct retired {
    struct ovs_list node;
    void (*destroy)(void *);
    void *obj;
};
static struct ovs_list retired = OVS_LIST_INITIALIZER(&retired);

static void
retire_later(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    struct retired *r = xmalloc(sizeof *r);

    r->destroy = destroy;
    r->obj = obj;
    ovs_list_push_back(&retired, &r->node);
}

static void
release_retired(void)
{
    struct retired *r;

    LIST_FOR_EACH_POP (r, node, &retired) {
        r->destroy(r->obj);
        free(r);
    }
}

/* ---- oracle ---- */

#define MODEL_MAX 48
static const char *const port_names[] = { "p1", "p2", "p3" };

struct model_rule {
    struct xf_rule_spec spec;
    uint8_t payload;
};

/* Two states of the set: as readers see it, and as it will be. */
struct model {
    struct model_rule rules[MODEL_MAX];
    size_t n;
};

static bool
one_in(uint32_t n)
{
    return !random_range(n);
}

/* A packet out of few, so that rules hit. */
static void
random_flow(struct flow *flow)
{
    memset(flow, 0, sizeof *flow);
    flow->dl_src.ea[5] = random_range(3);
    flow->dl_dst.ea[5] = random_range(3);
    if (one_in(2)) {
        flow->vlans[0].tpid = htons(ETH_TYPE_VLAN);
        flow->vlans[0].tci = htons(VLAN_CFI | random_range(3)
                                   | random_range(3) << VLAN_PCP_SHIFT);
    }
    switch (random_range(4)) {
    case 0:
        flow->dl_type = htons(ETH_TYPE_ARP);
        flow->nw_proto = 1 + random_range(2);
        break;
    case 1:
        flow->dl_type = htons(ETH_TYPE_IPV6);
        flow->ipv6_src.s6_addr[0] = random_range(3) << 6;
        flow->ipv6_dst.s6_addr[15] = random_range(3);
        break;
    default:
        flow->dl_type = htons(ETH_TYPE_IP);
        break;
    }
    if (flow->dl_type != htons(ETH_TYPE_IPV6)) {
        flow->nw_src = htonl(0x0a000000 + (random_range(3) << 8)
                             + random_range(3));
        flow->nw_dst = htonl(0x0a000000 + (random_range(3) << 16)
                             + random_range(3));
    }
    if (flow->dl_type != htons(ETH_TYPE_ARP)) {
        flow->nw_tos = random_range(3) << 2 | random_range(2);
        flow->nw_ttl = 1 + random_range(64);
        flow->nw_proto = one_in(2) ? IPPROTO_TCP : IPPROTO_UDP;
        flow->tp_src = htons(random_range(4));
        flow->tp_dst = htons(random_range(4));
    }
}

static void random_ip_match(struct match *, const struct flow *);

/* A match out of the fields of a random packet: any subset of the 12. */
static void
random_match(struct xf_match *m)
{
    struct flow f;

    random_flow(&f);
    xf_match_init(m);
    if (one_in(4)) {
        ovs_strlcpy_arrays(m->in_port, "p1");
        m->in_port[1] = '1' + random_range(3);
    }
    struct match *match = &m->match;
    if (one_in(4)) {
        match_set_dl_src(match, f.dl_src);
    }
    if (one_in(4)) {
        match_set_dl_dst_masked(match, f.dl_dst,
                                (struct eth_addr) ETH_ADDR_C(0, 0, 0, 0, 0,
                                                             02));
    }
    if (one_in(4)) {
        match_set_dl_vlan(match, htons(f.vlans[0].tci
                                       ? vlan_tci_to_vid(f.vlans[0].tci)
                                       : OFP10_VLAN_NONE), 0);
    } else if (one_in(6)) {
        match_set_dl_vlan_pcp(match, random_range(3), 0);
    }
    if (!one_in(3)) {
        random_ip_match(match, &f);
    }
}

/* Adds fields above Ethernet's out of 'f'. */
static void
random_ip_match(struct match *match, const struct flow *f)
{
    bool arp = f->dl_type == htons(ETH_TYPE_ARP);

    match_set_dl_type(match, f->dl_type);
    if (f->dl_type == htons(ETH_TYPE_IPV6)) {
        if (one_in(3)) {
            struct in6_addr mask = ipv6_create_mask(random_range(4));
            match_set_ipv6_src_masked(match, &f->ipv6_src, &mask);
        }
        if (one_in(3)) {
            match_set_ipv6_dst(match, &f->ipv6_dst);
        }
    } else {
        if (one_in(3)) {
            match_set_nw_src_masked(match, f->nw_src,
                                    be32_prefix_mask(22 + random_range(11)));
        }
        if (one_in(2)) {
            match_set_nw_dst_masked(match, f->nw_dst,
                                    be32_prefix_mask(14 + random_range(19)));
        }
    }
    if (!arp && one_in(4)) {
        match_set_nw_dscp(match, f->nw_tos);
    }
    if (one_in(2)) {
        match_set_nw_proto(match, f->nw_proto);
        if (!arp && one_in(3)) {
            match_set_tp_src_masked(match, f->tp_src,
                                    htons(1 + random_range(3)));
        }
        if (!arp && one_in(2)) {
            match_set_tp_dst(match, f->tp_dst);
        }
    }
}

static bool
naive_matches(const struct xf_match *m, const struct flow *flow,
              const char *in_port)
{
    const uint8_t *value = (const uint8_t *) &m->match.flow;
    const uint8_t *mask = (const uint8_t *) &m->match.wc.masks;
    const uint8_t *packet = (const uint8_t *) flow;

    if (m->in_port[0] && strcmp(m->in_port, in_port)) {
        return false;
    }
    for (size_t i = 0; i < sizeof *flow; i++) {
        if ((value[i] ^ packet[i]) & mask[i]) {
            return false;
        }
    }
    return true;
}

static const struct model_rule *
naive_lookup(const struct model *model, const struct flow *flow,
             const char *in_port)
{
    const struct model_rule *best = NULL;

    for (size_t i = 0; i < model->n; i++) {
        const struct model_rule *r = &model->rules[i];

        if ((!best || r->spec.priority > best->spec.priority)
            && naive_matches(&r->spec.match, flow, in_port)) {
            best = r;
        }
    }
    return best;
}

static bool
same_match(const struct xf_match *a, const struct xf_match *b)
{
    return match_equal(&a->match, &b->match) && !strcmp(a->in_port,
                                                        b->in_port);
}

static int
naive_find(const struct model *model, const struct xf_match *m,
           uint16_t priority)
{
    for (size_t i = 0; i < model->n; i++) {
        if (model->rules[i].spec.priority == priority
            && same_match(&model->rules[i].spec.match, m)) {
            return i;
        }
    }
    return -1;
}

/* Whether some packet matches both: that which has each's bits does, if they
 * agree where both have some. */
static bool
naive_overlap(const struct xf_match *a, const struct xf_match *b)
{
    struct flow both = a->match.flow;
    const uint8_t *value = (const uint8_t *) &b->match.flow;
    const uint8_t *mask = (const uint8_t *) &b->match.wc.masks;
    uint8_t *packet = (uint8_t *) &both;

    for (size_t i = 0; i < sizeof both; i++) {
        packet[i] = (packet[i] & ~mask[i]) | (value[i] & mask[i]);
    }
    const char *port = a->in_port[0] ? a->in_port : b->in_port;
    return naive_matches(a, &both, port) && naive_matches(b, &both, port);
}

static int
naive_insert(struct model *model, const struct model_rule *r)
{
    int i = naive_find(model, &r->spec.match, r->spec.priority);

    if (i < 0 && model->n >= MODEL_MAX) {
        return ENOSPC;
    }
    for (size_t j = 0; j < model->n; j++) {
        const struct model_rule *o = &model->rules[j];

        if ((int) j != i && o->spec.priority == r->spec.priority
            && o->payload != r->payload
            && naive_overlap(&o->spec.match, &r->spec.match)) {
            return EEXIST;
        }
    }
    model->rules[i < 0 ? model->n++ : i] = *r;
    return 0;
}

static bool
naive_delete(struct model *model, const struct xf_match *m, uint16_t priority)
{
    int i = naive_find(model, m, priority);

    if (i >= 0) {
        model->rules[i] = model->rules[--model->n];
    }
    return i >= 0;
}

static uint8_t
payload_of(const struct xf_rule *rule)
{
    return rule ? *(const uint8_t *) rule->payload : UINT8_MAX;
}

/* Looks packets up and compares; then changes what the megaflow wouldn't
 * match and expects the same answer. */
static void
check_lookups(const struct xf_rule_set *rs, const struct model *model)
{
    for (int i = 0; i < 8; i++) {
        const char *in_port = port_names[random_range(3)];
        struct flow_wildcards wc;
        struct flow flow;

        random_flow(&flow);
        flow_wildcards_init_catchall(&wc);
        const struct xf_rule *rule = xf_rule_set_lookup(rs, &flow, in_port,
                                                        &wc);
        const struct model_rule *expected = naive_lookup(model, &flow,
                                                         in_port);
        uint8_t payload = expected ? expected->payload : UINT8_MAX;
        ovs_assert(payload_of(rule) == payload);
        ovs_assert(xf_rule_set_lookup(rs, &flow, in_port, NULL) == rule);
        ovs_assert(!rule == !expected);

        for (int j = 0; j < 8; j++) {
            const uint8_t *mask = (const uint8_t *) &wc.masks;
            struct flow other;

            random_flow(&other);
            for (size_t k = 0; k < sizeof other; k++) {
                ((uint8_t *) &other)[k]
                    = ((((uint8_t *) &flow)[k] & mask[k])
                       | (((uint8_t *) &other)[k] & ~mask[k]));
            }
            expected = naive_lookup(model, &other, in_port);
            ovs_assert(payload == (expected ? expected->payload
                                   : UINT8_MAX));
        }
    }
}

struct order_aux {
    int last;
    size_t n;
};

static bool
check_order(const struct xf_rule *rule, void *aux_)
{
    struct order_aux *aux = aux_;

    ovs_assert(xf_rule_priority(rule) <= aux->last);
    aux->last = xf_rule_priority(rule);
    aux->n++;
    return true;
}

/* One random change of both. */
static void
change(struct xf_rule_set *rs, struct model *model)
{
    struct model_rule r = { .payload = random_range(3) };

    random_match(&r.spec.match);
    r.spec.priority = random_range(4);
    if (model->n && one_in(2)) {
        r.spec.match = model->rules[random_range(model->n)].spec.match;
    }
    if (one_in(2)) {
        char *error = NULL;

        r.spec.payload = &r.payload;
        r.spec.payload_size = 1;
        int got = xf_rule_set_insert(rs, &r.spec, 1, &error);
        ovs_assert(got == naive_insert(model, &r));
        ovs_assert(!got == !error);
        free(error);
    } else if (one_in(40)) {
        xf_rule_set_clear(rs);
        model->n = 0;
    } else {
        ovs_assert(xf_rule_set_delete(rs, &r.spec.match, r.spec.priority)
                   == naive_delete(model, &r.spec.match, r.spec.priority));
    }
    ovs_assert(xf_rule_set_count(rs) == model->n);
}

static void
test_oracle(int argc OVS_UNUSED, char *argv[])
{
    uint32_t seed = atoi(argv[0]);
    struct model *seen = xzalloc(sizeof *seen);
    struct model *coming = xzalloc(sizeof *coming);
    struct xf_rule_set *rs = xf_rule_set_create(MODEL_MAX, retire_later,
                                                NULL);

    random_set_seed(seed);
    for (int i = 0; i < atoi(argv[1]); i++) {
        struct order_aux aux = { .last = UINT16_MAX };

        change(rs, coming);
        if (one_in(3)) {
            check_lookups(rs, seen);    /* Nothing is visible yet. */
        }
        if (one_in(2)) {
            xf_rule_set_publish(rs);
            *seen = *coming;
            check_lookups(rs, seen);
            ovs_assert(xf_rule_set_is_empty(rs) == !seen->n);
        }
        if (one_in(5)) {
            release_retired();
            check_lookups(rs, seen);
        }
        xf_rule_set_for_each(rs, check_order, &aux);
        ovs_assert(aux.n == coming->n);
    }
    xf_rule_set_clear(rs);
    xf_rule_set_publish(rs);
    ovs_assert(!xf_rule_set_bytes(rs));
    if (one_in(2)) {
        release_retired();
    }
    xf_rule_set_destroy(rs);
    release_retired();
    free(seen);
    free(coming);
    ovsrcu_exit();
    printf("seed %"PRIu32": ok\n", seed);
}

/* ---- readers ---- */

static void
retire_rcu(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    ovsrcu_postpone__(destroy, obj);
}

struct reader {
    const struct xf_rule_set *rs;
    atomic_bool stop;
    uint64_t n;
};

/* The writer moves all traffic from one rule to another, in one publication;
 * and the two rules are never seen together with others of another time. */
static void *
reader_main(void *reader_)
{
    struct reader *reader = reader_;
    bool stop = false;

    while (!stop) {
        for (int i = 0; i < 64; i++) {
            struct flow_wildcards wc;
            struct flow flow;

            memset(&flow, 0, sizeof flow);
            flow.dl_type = htons(ETH_TYPE_IP);
            flow.nw_dst = htonl(0x0a000001);
            flow_wildcards_init_catchall(&wc);
            const struct xf_rule *rule = xf_rule_set_lookup(
                reader->rs, &flow, reader->n & 1 ? "p1" : "p2", &wc);
            ovs_assert(rule);
            ovs_assert(payload_of(rule) == (xf_rule_priority(rule) & 0xff));
            xf_stat_add(rule->stat, 1, 64, 1);
            reader->n++;
        }
        ovsrcu_quiesce();
        atomic_read_relaxed(&reader->stop, &stop);
    }
    return NULL;
}

static void
insert(struct xf_rule_set *rs, const char *text, uint16_t priority)
{
    uint8_t payload = priority;
    struct xf_rule_spec spec = { .priority = priority, .payload = &payload,
                                 .payload_size = 1 };
    char *error = xf_match_parse(text, &spec.match);

    if (error || xf_rule_set_insert(rs, &spec, 1, &error)) {
        ovs_fatal(0, "%s: %s", text, error);
    }
}

static void
test_readers(int argc OVS_UNUSED, char *argv[])
{
    static const char *const texts[] = {
        "ip", "ip,nw_dst=10.0.0.0/8", "any", "ip,nw_dst=10.0.0.1",
    };
    struct xf_rule_set *rs = xf_rule_set_create(100, retire_rcu, NULL);
    long long int end_ms = time_msec() + atoi(argv[0]) * 1000;
    struct reader readers[2];
    pthread_t threads[2];
    uint32_t n = 0;

    insert(rs, "any", 1);
    xf_rule_set_publish(rs);
    for (int i = 0; i < 2; i++) {
        readers[i].rs = rs;
        readers[i].n = i;
        atomic_init(&readers[i].stop, false);
        threads[i] = ovs_thread_create("reader", reader_main, &readers[i]);
    }
    do {
        xf_rule_set_clear(rs);
        n++;
        insert(rs, "in_port=p1", n % 1000);
        insert(rs, "in_port=p2", n % 1000);
        insert(rs, texts[n % 4], n % 1000 + (n & 4 ? 1 : 0));
        xf_rule_set_publish(rs);
        ovsrcu_quiesce();
    } while (time_msec() < end_ms);
    for (int i = 0; i < 2; i++) {
        atomic_store(&readers[i].stop, true);
        xpthread_join(threads[i], NULL);
    }
    ovs_assert(n > 100 && readers[0].n > 1000 && readers[1].n > 1000);
    fprintf(stderr, "%"PRIu32" changes, %"PRIu64" lookups\n", n,
            readers[0].n + readers[1].n);
    xf_rule_set_destroy(rs);
    ovsrcu_exit();
    printf("ok\n");
}

/* ---- bench ---- */

static void
test_bench(int argc OVS_UNUSED, char *argv[])
{
    int n = atoi(argv[0]);
    struct xf_rule_set *rs = xf_rule_set_create(n, retire_rcu, NULL);
    long long int start_us = time_usec();

    for (int i = 0; i < n; i++) {
        char *text = xasprintf("tcp,nw_dst=10.%d.%d.0/24,tp_dst=%d",
                               i / 256 % 256, i % 256, i % 5);
        insert(rs, text, i % 7);
        free(text);
    }
    xf_rule_set_publish(rs);
    long long int inserted_us = time_usec();

    for (int i = 0; i < 100000; i++) {
        struct flow_wildcards wc;
        struct flow flow;

        memset(&flow, 0, sizeof flow);
        flow.dl_type = htons(ETH_TYPE_IP);
        flow.nw_proto = IPPROTO_TCP;
        flow.nw_dst = htonl(0x0a000000 | (i % n) << 8);
        flow_wildcards_init_catchall(&wc);
        xf_rule_set_lookup(rs, &flow, "", &wc);
    }
    long long int looked_up_us = time_usec();
    printf("%d rules: %lld us per insert, %lld ns per lookup, %"PRIuSIZE
           " bytes per rule\n", n, (inserted_us - start_us) / n,
           (looked_up_us - inserted_us) / 100, xf_rule_set_bytes(rs) / n);
    xf_rule_set_destroy(rs);
}

static const struct {
    const char *name;
    int min_args;
    void (*run)(int argc, char *argv[]);
} subcommands[] = {
    { "match", 1, test_match },
    { "oracle", 2, test_oracle },
    { "readers", 1, test_readers },
    { "bench", 1, test_bench },
};

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(subcommands); i++) {
        if (!strcmp(argv[1], subcommands[i].name)
            && argc - 2 >= subcommands[i].min_args) {
            subcommands[i].run(argc - 2, argv + 2);
            return 0;
        }
    }
    ovs_fatal(0, "see the head of test-xf-rule-set.c for usage");
}
