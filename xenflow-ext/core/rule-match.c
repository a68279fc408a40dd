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

#include "core/rule-match.h"

#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-parse.h"
#include "packets.h"
#include "util.h"

/* What a word of a match states; nothing may be stated twice. */
enum fact {
    FACT_IN_PORT = 1 << 0,
    FACT_DL_SRC = 1 << 1,
    FACT_DL_DST = 1 << 2,
    FACT_DL_TYPE = 1 << 3,
    FACT_DL_VLAN = 1 << 4,
    FACT_DL_VLAN_PCP = 1 << 5,
    FACT_NW_PROTO = 1 << 6,
    FACT_NW_SRC = 1 << 7,
    FACT_NW_DST = 1 << 8,
    FACT_NW_TOS = 1 << 9,
    FACT_TP_SRC = 1 << 10,
    FACT_TP_DST = 1 << 11,
    FACT_ADDRESS = FACT_NW_SRC | FACT_NW_DST,
    FACT_PORT = FACT_TP_SRC | FACT_TP_DST,
};

/* The fields that a rule may name. */
static const struct field {
    enum mf_field_id id;
    uint32_t facts;             /* Of 'enum fact'. */
} fields[] = {
    { MFF_ETH_SRC, FACT_DL_SRC },
    { MFF_ETH_DST, FACT_DL_DST },
    { MFF_ETH_TYPE, FACT_DL_TYPE },
    { MFF_DL_VLAN, FACT_DL_VLAN },
    { MFF_VLAN_VID, FACT_DL_VLAN },
    { MFF_DL_VLAN_PCP, FACT_DL_VLAN_PCP },
    { MFF_VLAN_PCP, FACT_DL_VLAN_PCP },
    { MFF_VLAN_TCI, FACT_DL_VLAN | FACT_DL_VLAN_PCP },
    { MFF_IP_PROTO, FACT_NW_PROTO },
    { MFF_ARP_OP, FACT_NW_PROTO },
    { MFF_IPV4_SRC, FACT_NW_SRC },
    { MFF_IPV4_DST, FACT_NW_DST },
    { MFF_ARP_SPA, FACT_NW_SRC },
    { MFF_ARP_TPA, FACT_NW_DST },
    { MFF_IPV6_SRC, FACT_NW_SRC },
    { MFF_IPV6_DST, FACT_NW_DST },
    { MFF_IP_DSCP, FACT_NW_TOS },
    { MFF_IP_DSCP_SHIFTED, FACT_NW_TOS },
    { MFF_TCP_SRC, FACT_TP_SRC },
    { MFF_TCP_DST, FACT_TP_DST },
    { MFF_UDP_SRC, FACT_TP_SRC },
    { MFF_UDP_DST, FACT_TP_DST },
    { MFF_SCTP_SRC, FACT_TP_SRC },
    { MFF_SCTP_DST, FACT_TP_DST },
    { MFF_ICMPV4_TYPE, FACT_TP_SRC },
    { MFF_ICMPV4_CODE, FACT_TP_DST },
    { MFF_ICMPV6_TYPE, FACT_TP_SRC },
    { MFF_ICMPV6_CODE, FACT_TP_DST },
};

#define FIELDS_TEXT                                                       \
    "in_port, dl_src, dl_dst, dl_type, dl_vlan, dl_vlan_pcp, nw_proto, "  \
    "nw_src, nw_dst, nw_tos, tp_src, tp_dst, ipv6_src, ipv6_dst, or a "   \
    "protocol's name (ip, tcp, udp, icmp, arp, ipv6, tcp6, ...)"

static char *parse_word(char *word, struct xf_match *, uint32_t *facts)
    OVS_WARN_UNUSED_RESULT;
static char *check_facts(const struct match *, uint32_t facts)
    OVS_WARN_UNUSED_RESULT;

/* See core/rule-match.h. */
void
xf_match_init(struct xf_match *m)
{
    match_init_catchall(&m->match);
    m->in_port[0] = '\0';
}

/* See core/rule-match.h. */
char *
xf_match_parse(const char *s, struct xf_match *m)
{
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;
    uint32_t facts = 0;

    xf_match_init(m);
    if (strcmp(s, "any")) {
        char *word = strtok_r(copy, ", \t\r\n", &save);

        if (!word) {
            error = xstrdup("the match is empty: write any for a match of all "
                            "packets");
        }
        for (; word && !error; word = strtok_r(NULL, ", \t\r\n", &save)) {
            error = parse_word(word, m, &facts);
        }
    }
    free(copy);
    return error ? error : check_facts(&m->match, facts);
}

/* See core/rule-match.h. */
void
xf_match_format(const struct xf_match *m, struct ds *out)
{
    size_t start = out->length;

    if (m->in_port[0]) {
        ds_put_format(out, "in_port=%s,", m->in_port);
    }
    match_format(&m->match, NULL, out, OFP_DEFAULT_PRIORITY);
    ds_chomp(out, ',');
    if (out->length == start) {
        ds_put_cstr(out, "any");
    }
}

/* See core/rule-match.h. */
bool
xf_match_overlaps(const struct xf_match *a, const struct xf_match *b)
{
    const uint64_t *av = (const uint64_t *) &a->match.flow;
    const uint64_t *bv = (const uint64_t *) &b->match.flow;
    const uint64_t *am = (const uint64_t *) &a->match.wc.masks;
    const uint64_t *bm = (const uint64_t *) &b->match.wc.masks;

    if (a->in_port[0] && b->in_port[0] && strcmp(a->in_port, b->in_port)) {
        return false;
    }
    for (size_t i = 0; i < FLOW_U64S; i++) {
        if ((av[i] ^ bv[i]) & am[i] & bm[i]) {
            return false;
        }
    }
    return true;
}

/* ---- Words. ---- */

static char * OVS_WARN_UNUSED_RESULT
state_facts(const char *word, uint32_t more, uint32_t *facts)
{
    if (*facts & more) {
        return xasprintf("'%s' states what a word before it has stated "
                         "already: give it once", word);
    }
    *facts |= more;
    return NULL;
}

/* A name such as "tcp". */
static char * OVS_WARN_UNUSED_RESULT
parse_protocol(const char *word, const struct ofp_protocol *p,
               struct match *match, uint32_t *facts)
{
    char *error = state_facts(word, FACT_DL_TYPE | (p->nw_proto
                                                    ? FACT_NW_PROTO : 0),
                              facts);
    if (!error) {
        match_set_dl_type(match, htons(p->dl_type));
        if (p->nw_proto) {
            match_set_nw_proto(match, p->nw_proto);
        }
    }
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
parse_in_port(const char *value, struct xf_match *m)
{
    size_t length = strlen(value);

    if (!length || length >= XF_NAME_MAX
        || !value[strspn(value, "0123456789")]) {
        return xasprintf("'%s' is no value for in_port: give the name of a "
                         "switch port", value);
    }
    ovs_strlcpy(m->in_port, value, sizeof m->in_port);
    return NULL;
}

static const struct field *
find_field(const struct mf_field *mf)
{
    for (size_t i = 0; mf && i < ARRAY_SIZE(fields); i++) {
        if (fields[i].id == mf->id) {
            return &fields[i];
        }
    }
    return NULL;
}

/* Untagged packets: 12-tuples call that a VLAN of their own. */
static bool
is_vlan_none(const struct mf_field *mf, const union mf_value *value)
{
    return mf->id == MFF_DL_VLAN && value->be16 == htons(OFP10_VLAN_NONE);
}

/* NAME=VALUE */
static char * OVS_WARN_UNUSED_RESULT
parse_field(const char *name, const char *text, struct xf_match *m,
            uint32_t *facts)
{
    const struct mf_field *mf = mf_from_name(name);
    const struct field *field = find_field(mf);
    union mf_value value, mask;

    if (!field) {
        return xasprintf("'%s' is no field of a rule: use " FIELDS_TEXT,
                         name);
    }
    char *error = state_facts(name, field->facts, facts);
    if (!error) {
        error = mf_parse(mf, text, NULL, &value, &mask);
        if (error) {
            char *reason = error;

            error = xasprintf("'%s' is no value for %s (%s): see "
                              "ovs-fields(7)", text, name, reason);
            free(reason);
        } else if (!mf_is_value_valid(mf, &value)
                   && !is_vlan_none(mf, &value)) {
            error = xasprintf("'%s' is no value for %s: it has %u bits%s",
                              text, name, mf->n_bits,
                              mf->id == MFF_IP_DSCP
                              ? ", the upper ones of the byte" : "");
        }
    }
    if (!error) {
        mf_set(mf, &value, &mask, &m->match, &error);
    }
    /* tp_src and tp_dst are names of TCP's fields, and of all others';
     * icmp_type and icmp_code serve both ICMPs. */
    if (!error && field->facts & FACT_PORT && strncmp(name, "tp_", 3)
        && strncmp(name, "icmp_", 5)
        && !mf_are_match_prereqs_ok(mf, &m->match)) {
        error = xasprintf("'%s' needs its protocol: name that before it, or "
                          "use tp_src and tp_dst", name);
    }
    return error;
}

static char *
parse_word(char *word, struct xf_match *m, uint32_t *facts)
{
    const struct ofp_protocol *p;
    char *eq = strchr(word, '=');

    if (!eq) {
        if (ofp_parse_protocol(word, &p)) {
            return parse_protocol(word, p, &m->match, facts);
        }
        return xasprintf("'%s' isn't understood: write NAME=VALUE, where NAME "
                         "is one of " FIELDS_TEXT, word);
    }
    *eq = '\0';
    if (!strcmp(word, "in_port")) {
        char *error = state_facts(word, FACT_IN_PORT, facts);
        return error ? error : parse_in_port(eq + 1, m);
    }
    if (!strcmp(word, "priority")) {
        return xstrdup("priority is no part of the match: give priority=N "
                       "after it, as an argument of its own");
    }
    return parse_field(word, eq + 1, m, facts);
}

/* ---- All of it. ---- */

/* Whether 'proto' has ports, or type and code, over 'dl_type'. */
static bool
has_ports(uint16_t dl_type, uint8_t proto)
{
    return (proto == IPPROTO_TCP || proto == IPPROTO_UDP
            || proto == IPPROTO_SCTP
            || (dl_type == ETH_TYPE_IP && proto == IPPROTO_ICMP)
            || (dl_type == ETH_TYPE_IPV6 && proto == IPPROTO_ICMPV6));
}

/* Type and code of ICMP have 8 bits, and no text for masks. */
static bool
is_icmp_value(ovs_be16 value, ovs_be16 mask)
{
    return !mask || (mask == OVS_BE16_MAX && ntohs(value) <= UINT8_MAX);
}

/* Refuses fields that packets of the match can't have: such a rule would match
 * nothing, or something else than was meant. */
static char *
check_facts(const struct match *match, uint32_t facts)
{
    uint16_t dl_type = ntohs(match->flow.dl_type);
    bool v4 = dl_type == ETH_TYPE_IP || dl_type == ETH_TYPE_ARP;
    bool ip = dl_type == ETH_TYPE_IP || dl_type == ETH_TYPE_IPV6;
    bool has_v6 = (!ipv6_is_zero(&match->wc.masks.ipv6_src)
                   || !ipv6_is_zero(&match->wc.masks.ipv6_dst));

    if (has_v6 && dl_type != ETH_TYPE_IPV6) {
        return xstrdup("ipv6_src and ipv6_dst need ipv6, tcp6, udp6, icmp6 or "
                       "dl_type=0x86dd beside them");
    }
    if ((match->wc.masks.nw_src || match->wc.masks.nw_dst) && !v4) {
        return xstrdup("nw_src and nw_dst need ip, tcp, udp, icmp, arp or "
                       "dl_type=0x800 beside them");
    }
    if (facts & FACT_NW_PROTO && !ip && dl_type != ETH_TYPE_ARP) {
        return xstrdup("nw_proto needs ip, ipv6 or arp beside it");
    }
    if (facts & FACT_NW_TOS && !ip) {
        return xstrdup("nw_tos needs ip or ipv6 beside it");
    }
    if (facts & FACT_PORT
        && !(facts & FACT_NW_PROTO
             && has_ports(dl_type, match->flow.nw_proto))) {
        return xstrdup("tp_src and tp_dst need tcp, udp, sctp, icmp, tcp6, "
                       "udp6, sctp6 or icmp6 beside them");
    }
    if ((match->flow.nw_proto == IPPROTO_ICMP
         || match->flow.nw_proto == IPPROTO_ICMPV6)
        && !(is_icmp_value(match->flow.tp_src, match->wc.masks.tp_src)
             && is_icmp_value(match->flow.tp_dst, match->wc.masks.tp_dst))) {
        return xstrdup("type and code of ICMP are numbers from 0 to 255, "
                       "without mask");
    }
    return NULL;
}
