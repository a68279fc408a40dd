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

#include "xfctl.h"

#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "openvswitch/json.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-parse.h"
#include "openvswitch/poll-loop.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* The way of a packet: a question to a host (row of Trace), whose xenflow-hostd
 * has it answered by its switch (Trace_State).  Where the packet leaves that host
 * by a trunk, the host at the other end is the next one to be asked. */

#define ANSWER_MS 10000         /* That a host has, without --timeout. */
#define OLD_MS 600000           /* A question that nobody waits for any more. */
#define WORDS_MAX 3500          /* Characters; see xenflow.ovsschema. */
#define HOSTS_MAX 16            /* On the way. */
#define TTL 64                  /* Of a packet that doesn't say. */

/* A packet at a host. */
struct hop {
    char *host, *port;          /* 'port' "": the bridge's own. */
    char *from;                 /* Where it comes from, for people. */
    char *words;                /* What isn't below. */
    struct eth_addr dl_src, dl_dst;
    bool is_ip;
    uint8_t ttl;                /* If so. */
    int64_t tag;                /* VLAN on the wire; 0: untagged. */
    int64_t vlan;               /* Of the segment. */
};

/* The first one; 'host' is NULL if there is none. */
static struct hop first;

static void
hop_destroy(struct hop *hop)
{
    free(hop->host);
    free(hop->port);
    free(hop->from);
    free(hop->words);
    memset(hop, 0, sizeof *hop);
}

/* What the switch is asked; to be freed. */
static char *
hop_packet(const struct hop *hop)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, "%sdl_src="ETH_ADDR_FMT",dl_dst="ETH_ADDR_FMT,
                  hop->words, ETH_ADDR_ARGS(hop->dl_src),
                  ETH_ADDR_ARGS(hop->dl_dst));
    if (hop->is_ip) {
        ds_put_format(&ds, ",nw_ttl=%"PRIu8, hop->ttl);
    }
    if (hop->tag) {
        ds_put_format(&ds, ",dl_vlan=%"PRId64, hop->tag);
    }
    return ds_steal_cstr(&ds);
}

/* ---- The question. ---- */

/* The words of a packet, each with a comma behind it, but for those that struct
 * hop has; to be freed. */
static char *
other_words(const char *words)
{
    char *copy = xstrdup(words), *pos = copy, *key, *value;
    struct ds ds = DS_EMPTY_INITIALIZER;

    while (ofputil_parse_key_value(&pos, &key, &value)) {
        const struct mf_field *field = mf_from_name(key);

        if (!field || (field->id != MFF_ETH_SRC && field->id != MFF_ETH_DST
                       && field->id != MFF_IP_TTL)) {
            ds_put_format(&ds, "%s%s%s,", key, value[0] ? "=" : "", value);
        }
    }
    free(copy);
    return ds_steal_cstr(&ds);
}

/* Takes the packet of 'words', which goes to 'dl_dst' if it doesn't say where
 * (NULL: it must). */
static char * OVS_WARN_UNUSED_RESULT
take_packet(const char *words, const char *dl_dst, struct hop *hop)
{
    struct flow_wildcards wc;
    struct flow flow;
    char *error = parse_ofp_exact_flow(&flow, &wc, NULL, words, NULL);

    if (error) {
        size_t n = strlen(words);
        char *sentence = xasprintf(
            "'%s' is no packet: %s: write a protocol and then its fields, such "
            "as udp,nw_dst=10.0.0.1", words,
            !strncmp(error, words, n) && !strncmp(&error[n], ": ", 2)
            ? &error[n + 2] : error);

        free(error);
        return sentence;
    } else if (!words[strspn(words, " ,")] || strlen(words) > WORDS_MAX) {
        return xasprintf("'%.20s' is no packet: write 1 to %d characters, such "
                         "as udp,nw_dst=10.0.0.1", words, WORDS_MAX);
    } else if (wc.masks.in_port.ofp_port || wc.masks.vlans[0].tci) {
        return xasprintf("'%s': where the packet comes in is said before it: "
                         "leave in_port and VLANs out", words);
    } else if (!dl_dst && eth_addr_is_zero(wc.masks.dl_dst)) {
        return xasprintf("'%s': not just one router has an interface in this "
                         "segment: say which by dl_dst=MAC", words);
    }
    hop->words = other_words(words);
    hop->dl_dst = flow.dl_dst;
    if (eth_addr_is_zero(wc.masks.dl_dst)) {
        eth_addr_from_string(dl_dst, &hop->dl_dst);
    }
    hop->dl_src = flow.dl_src;
    if (eth_addr_is_zero(wc.masks.dl_src)) {
        hop->dl_src = (struct eth_addr) ETH_ADDR_C(02, 00, 00, 00, 00, 01);
    }
    hop->is_ip = is_ip_any(&flow);
    hop->ttl = wc.masks.nw_ttl ? flow.nw_ttl : TTL;
    return NULL;
}

/* A packet that comes to an interface of a router. */
static char * OVS_WARN_UNUSED_RESULT
ask_interface(const struct xfrec_interface *iface, const char *words,
              struct hop *hop)
{
    const struct xfrec_router *router = iface->router;
    char *error;

    if (!router->host) {
        return xasprintf("router '%s' has no host that could be asked: "
                         "router-set %s host=HOST", router->name,
                         router->name);
    } else if (!iface->segment) {
        return xasprintf("interface '%s:%s' is in no segment, so no packet "
                         "comes to it: if-set %s %s segment=SEGMENT",
                         router->name, iface->name, router->name,
                         iface->name);
    }
    error = take_packet(words, iface->mac, hop);
    if (!error) {
        hop->host = xstrdup(router->host->name);
        hop->port = xstrdup("");
        hop->tag = hop->vlan = iface->segment->vlan;
    }
    return error;
}

/* A packet that comes by an edge port. */
static char * OVS_WARN_UNUSED_RESULT
ask_edge(struct ovsdb_idl *idl, const struct xfrec_edge_port *edge,
         const char *words, struct hop *hop)
{
    const struct xfrec_interface *iface;
    const char *mac = NULL;
    size_t n = 0;
    char *error;

    if (!edge->segment) {
        return xasprintf("edge port '%s:%s' is in no segment: edge-set %s:%s "
                         "segment=SEGMENT", edge->host->name, edge->port,
                         edge->host->name, edge->port);
    }
    XFREC_INTERFACE_FOR_EACH (iface, idl) {
        if (iface->segment == edge->segment) {
            mac = iface->mac;
            n++;
        }
    }
    error = take_packet(words, n == 1 ? mac : NULL, hop);
    if (!error) {
        hop->host = xstrdup(edge->host->name);
        hop->port = xstrdup(edge->port);
        hop->tag = edge->vlan;
        hop->vlan = edge->segment->vlan;
    }
    return error;
}

/* Command trace WHERE PACKET: checks them.  The rest needs transactions of its
 * own: see xf_trace_run(). */
void
xf_cmd_trace(struct ctl_context *ctx)
{
    const char *where = ctx->argv[1];
    xf_row *iface, *edge = NULL;
    char *error = xf_object_find(ctx, xf_kind_find("if"), where, &iface);

    if (error || !iface) {
        free(error);
        error = xf_object_find(ctx, xf_kind_find("edge"), where, &edge);
        iface = NULL;
    }
    hop_destroy(&first);
    if (iface) {
        error = ask_interface(CONTAINER_OF(iface, struct xfrec_interface,
                                           header_), ctx->argv[2], &first);
    } else if (edge) {
        error = ask_edge(ctx->idl, CONTAINER_OF(edge, struct xfrec_edge_port,
                                                header_), ctx->argv[2],
                         &first);
    } else if (error) {
        free(error);
        error = xasprintf("'%s' is no place: write ROUTER:INTERFACE or "
                          "HOST:PORT[:VLAN]", where);
    } else {
        error = xasprintf("there is neither an interface nor an edge port "
                          "'%s': see if-list and edge-list", where);
    }
    if (!error) {
        first.from = xasprintf("%s %s", iface ? "interface" : "edge port",
                               where);
    }
    ctx->error = error;
}

bool
xf_trace_is_wanted(void)
{
    return first.host != NULL;
}

/* ---- The answer. ---- */

static const struct xfrec_host *
find_host(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_host *host;

    XFREC_HOST_FOR_EACH (host, idl) {
        if (!strcmp(host->name, name)) {
            return host;
        }
    }
    return NULL;
}

/* Whether there is somebody to be asked: NULL, or why not. */
static char * OVS_WARN_UNUSED_RESULT
check_host(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_host_state *state = xf_host_state(idl, name);
    const struct xfrec_host *host = find_host(idl, name);
    long long int now_ms = time_wall_msec();

    if (!host) {
        return xasprintf("host '%s' was removed meanwhile", name);
    } else if (strcmp(host->kind, "xenflow")) {
        return xasprintf("host '%s' is a switch of another kind (%s), which "
                         "can't be asked", name, host->kind);
    } else if (!host->enabled) {
        return xasprintf("host '%s' is disabled, so it can't be asked: "
                         "host-set %s enabled=true", name, name);
    } else if (!state) {
        return xasprintf("host '%s' doesn't answer: its xenflow-hostd was never "
                         "heard of", name);
    } else if (!xf_host_is_up(state, now_ms)) {
        return xasprintf("host '%s' doesn't answer: its xenflow-hostd is down "
                         "for %lld s", name,
                         (now_ms - state->alive_ms) / 1000);
    }
    return NULL;
}

/* One transaction: removes '*question' and all that are old; asks 'hop', if it
 * isn't NULL, and sets '*question' to that. */
static void
replace_question(struct ovsdb_idl *idl, const struct hop *hop,
                 struct uuid *question)
{
    char *packet = hop ? hop_packet(hop) : NULL;
    enum ovsdb_idl_txn_status status;

    do {
        struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(idl);
        const struct xfrec_trace *row, *next;
        long long int now_ms = time_wall_msec();
        struct uuid inserted = UUID_ZERO;

        ovsdb_idl_txn_add_comment(txn, "xfctl: trace");
        XFREC_TRACE_FOR_EACH_SAFE (row, next, idl) {
            if (uuid_equals(&row->header_.uuid, question)
                || row->begun_ms < now_ms - OLD_MS) {
                xfrec_trace_delete(row);
            }
        }
        if (hop) {
            row = xfrec_trace_insert(txn);
            xfrec_trace_set_host(row, find_host(idl, hop->host));
            xfrec_trace_set_port(row, hop->port);
            xfrec_trace_set_packet(row, packet);
            xfrec_trace_set_begun_ms(row, now_ms);
            inserted = row->header_.uuid;
        }
        status = ovsdb_idl_txn_commit_block(txn);
        if (hop && status == TXN_SUCCESS) {
            inserted = *ovsdb_idl_txn_get_insert_uuid(txn, &inserted);
        } else if (status != TXN_TRY_AGAIN && status != TXN_UNCHANGED
                   && status != TXN_SUCCESS) {
            ctl_fatal("the database refused the question: %s",
                      ovsdb_idl_txn_get_error(txn));
        }
        ovsdb_idl_txn_destroy(txn);
        if (status != TXN_TRY_AGAIN) {
            *question = inserted;
        }
        xf_alive_or_die(idl);
    } while (status == TXN_TRY_AGAIN);
    free(packet);
}

static const struct xfrec_trace_state *
find_answer(struct ovsdb_idl *idl, const struct uuid *question)
{
    const struct xfrec_trace_state *state;

    XFREC_TRACE_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->trace, question)) {
            return state;
        }
    }
    return NULL;
}

/* Asks 'hop'.  Returns NULL and the answer, '*text', or a sentence. */
static char * OVS_WARN_UNUSED_RESULT
ask(struct ovsdb_idl *idl, const struct hop *hop, long long int deadline_ms,
    char **text)
{
    const struct xfrec_trace_state *state;
    struct uuid question = UUID_ZERO;
    char *error = check_host(idl, hop->host);

    if (error) {
        return error;
    }
    replace_question(idl, hop, &question);
    while (!(state = find_answer(idl, &question))
           && time_msec() < deadline_ms) {
        poll_timer_wait_until(deadline_ms);
        ovsdb_idl_wait(idl);
        poll_block();
        xf_alive_or_die(idl);
    }
    if (!state) {
        error = xasprintf("host '%s' doesn't answer in time: look at its "
                          "xenflow-hostd (join/show), or give it more with "
                          "--timeout", hop->host);
    } else if (state->error[0]) {
        error = xasprintf("host '%s' answers: %s", hop->host, state->error);
    } else {
        *text = xstrdup(state->text);
    }
    replace_question(idl, NULL, &question);
    return error;
}

/* ---- Where it goes on. ---- */

/* What a switch says, as far as it matters here. */
struct way {
    char *copy;                 /* Of the text; the others are parts of it. */
    const char *router, *out;   /* Which forwarded it last, and by what; or
                                 * NULL. */
    struct eth_addr dmac;       /* To whom, in which VLAN. */
    uint16_t vlan;
    unsigned int n_routers;     /* That forwarded it. */
    bool is_changed;            /* A flow may have changed it otherwise. */
    const char *end;            /* If that is all: what becomes of it. */
    bool is_flooded;            /* In the end. */
    const char *actions;        /* The last ones; or "". */
};

/* Whether 'line' is an OpenFlow action that changes packets. */
static bool
is_change(const char *line)
{
    static const char *const actions[] = {
        "set_field:", "mod_", "load:", "move:", "dec_ttl", "push_", "pop_",
        "strip_vlan",
    };
    const char *word = line + strspn(line, " ");

    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!strncmp(word, actions[i], strlen(actions[i]))) {
            return true;
        }
    }
    return false;
}

/* Takes one line: "-> router R, in I: ... dev O: forward to MAC vlan V ...". */
static void
read_line(char *line, struct way *way)
{
    static const char arrow[] = "-> router ", actions[] = "Datapath actions: ";
    static const char punted[] = "ends at a virtual machine of";
    static const char dropped[] = "is dropped by";
    char *router = strstr(line, arrow), *at = strstr(line, ": forward to ");
    char *dev = strstr(line, " dev "), *end;

    if (!strncmp(line, actions, strlen(actions))) {
        way->actions = line + strlen(actions);
        way->end = strcmp(way->actions, "drop") ? way->end : dropped;
    } else if (router && at && dev && dev < at
               && (end = strstr(router, ", in "))
               && ovs_scan(at, ": forward to "ETH_ADDR_SCAN_FMT
                           " vlan %"SCNu16, ETH_ADDR_SCAN_ARGS(way->dmac),
                           &way->vlan)) {
        way->end = strstr(at, " is punted") ? punted : NULL;
        way->n_routers++;
        *end = *at = '\0';
        way->router = router + strlen(arrow);
        way->out = dev + strlen(" dev ");
    } else if ((router && strstr(line, ": flow \"")) || is_change(line)) {
        way->is_changed = true;
    } else if (router && (strstr(line, "punt to nowhere")
                          || strstr(line, ": blackhole, drop")
                          || strstr(line, ": denied, dropping"))) {
        way->end = dropped;
    } else if (router && strstr(line, "punt to ")) {
        way->end = punted;
    } else if (way->end && strstr(line, " has no back-end port ")) {
        way->end = dropped;
    } else if (strstr(line, "-> forwarding to learned port")) {
        way->is_flooded = false;
    } else if (strstr(line, ", flooding")) {
        way->is_flooded = true;
    }
}

static void
way_init(struct way *way, const char *text)
{
    char *save = NULL;

    memset(way, 0, sizeof *way);
    way->copy = xstrdup(text);
    way->actions = "";
    for (char *line = strtok_r(way->copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        read_line(line, way);
    }
}

/* Whether 'actions' name port 'port'. */
static bool
is_output(const char *actions, const char *port)
{
    size_t n = strlen(port);

    for (const char *p = actions; (p = strstr(p, port)); p++) {
        if ((p == actions || strchr(",(", p[-1]))
            && (!p[n] || strchr(",)", p[n]))) {
            return true;
        }
    }
    return false;
}

static const struct xfrec_interface *
find_interface(struct eth_addr mac)
{
    char *s = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
    xf_row *row = xf_mac_find(NULL, s);

    free(s);
    return row ? CONTAINER_OF(row, struct xfrec_interface, header_) : NULL;
}

/* The trunk by which the packet leaves 'host' for '*other' and '*port' there:
 * of several that to host 'towards' (or NULL), where its receiver is.  '*n'
 * becomes their number.  NULL: none, or which isn't known. */
static const struct xfrec_physical_link *
find_trunk(struct ovsdb_idl *idl, const char *host, const char *actions,
           const struct xfrec_host *towards, size_t *n,
           const struct xfrec_host **other, const char **port)
{
    const struct xfrec_physical_link *link, *found = NULL;

    *n = 0;
    XFREC_PHYSICAL_LINK_FOR_EACH (link, idl) {
        bool is_first = !strcmp(link->host1->name, host);

        if ((is_first || !strcmp(link->host2->name, host))
            && is_output(actions, is_first ? link->port1 : link->port2)) {
            const struct xfrec_host *end = (is_first ? link->host2
                                            : link->host1);

            ++*n;
            if (!found || end == towards) {
                found = link;
                *other = end;
                *port = is_first ? link->port2 : link->port1;
            }
        }
    }
    return *n > 1 && *other != towards ? NULL : found;
}

/* What the packet is behind 'link', which ends at 'port' of 'host'. */
static void
make_next(const struct hop *hop, const struct way *way,
          const struct xfrec_physical_link *link,
          const struct xfrec_host *host, const char *port,
          const struct xfrec_interface *out, struct hop *next)
{
    next->host = xstrdup(host->name);
    next->port = xstrdup(port);
    next->from = xasprintf("trunk %s", link->name);
    next->words = xstrdup(hop->words);
    next->is_ip = hop->is_ip;
    next->ttl = hop->ttl - way->n_routers;
    next->vlan = way->router ? way->vlan : hop->vlan;
    next->tag = next->vlan;
    next->dl_src = hop->dl_src;
    next->dl_dst = way->router ? way->dmac : hop->dl_dst;
    if (out) {
        eth_addr_from_string(out->mac, &next->dl_src);
    }
}

/* Interface 'name' of 'router', or NULL. */
static const struct xfrec_interface *
find_out(struct ovsdb_idl *idl, const char *router, const char *name)
{
    const struct xfrec_interface *iface;

    XFREC_INTERFACE_FOR_EACH (iface, idl) {
        if (!strcmp(iface->router->name, router)
            && !strcmp(iface->name, name)) {
            return iface;
        }
    }
    return NULL;
}

/* Where the packet goes on after a host said 'way': fills 'next' in, whose
 * 'host' stays NULL if it doesn't or isn't known.  Returns a sentence. */
static char *
follow(struct ovsdb_idl *idl, const struct hop *hop, const struct way *way,
       struct hop *next)
{
    struct eth_addr dmac = way->router ? way->dmac : hop->dl_dst;
    const struct xfrec_interface *to = find_interface(dmac);
    const struct xfrec_interface *out =
        way->router ? find_out(idl, way->router, way->out) : NULL;
    const struct xfrec_host *other = NULL;
    const struct xfrec_physical_link *link;
    const char *port = NULL;
    size_t n;

    link = find_trunk(idl, hop->host, way->actions,
                      to ? to->router->host : NULL, &n, &other, &port);
    if (way->end) {
        return xasprintf("the packet %s host %s", way->end, hop->host);
    } else if (!n) {
        return xasprintf("the packet leaves host %s by no trunk; "ETH_ADDR_FMT
                         " is %s in the database", hop->host,
                         ETH_ADDR_ARGS(dmac), to ? to->router->name
                         : "no router");
    } else if (!to && (way->is_flooded || eth_addr_is_multicast(dmac))) {
        return xasprintf("the packet leaves host %s by all ports of its VLAN; "
                         ETH_ADDR_FMT" is no router in the database, and no "
                         "port is known for it", hop->host,
                         ETH_ADDR_ARGS(dmac));
    } else if (way->is_changed || (way->router && !out)) {
        return xasprintf("the packet isn't followed any more: a flow of host %s "
                         "may have changed it", hop->host);
    } else if (!link) {
        return xasprintf("the packet leaves host %s by %"PRIuSIZE" trunks, and "
                         ETH_ADDR_FMT" is no router in the database at the end "
                         "of one", hop->host, n, ETH_ADDR_ARGS(dmac));
    }
    make_next(hop, way, link, other, port, out, next);
    return xasprintf("the packet goes on to host %s by trunk %s", other->name,
                     link->name);
}

/* ---- Output. ---- */

static struct json *
hop_to_json(const struct hop *hop, const char *text, const char *then)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "host", hop->host);
    json_object_put_string(json, "from", hop->from);
    json_object_put(json, "packet",
                    json_string_create_nocopy(hop_packet(hop)));
    json_object_put_string(json, "text", text);
    json_object_put_string(json, "then", then);
    return json;
}

/* Asks 'hop', tells the answer, and makes it the next one, if any.  Returns
 * NULL, or a sentence. */
static char * OVS_WARN_UNUSED_RESULT
step(struct ovsdb_idl *idl, struct hop *hop, long long int deadline_ms,
     struct json *array)
{
    struct hop next = { .host = NULL };
    struct way way;
    char *text = NULL, *then;
    char *error = ask(idl, hop, deadline_ms, &text);

    if (error) {
        return error;
    }
    way_init(&way, text);
    then = follow(idl, hop, &way, &next);
    if (xf_json) {
        json_array_add(array, hop_to_json(hop, text, then));
    } else {
        printf("host %s, from %s:\n\n%s\n=> %s\n%s", hop->host, hop->from,
               text, then, next.host ? "\n" : "");
    }
    free(way.copy);
    free(then);
    free(text);
    hop_destroy(hop);
    *hop = next;
    return NULL;
}

/* Asks, until 'deadline_ms' (0: each host for a while), and prints what is
 * answered. */
void
xf_trace_run(struct ovsdb_idl *idl, long long int deadline_ms)
{
    struct json *array = json_array_create_empty();
    char *error = NULL;

    for (int i = 0; first.host && !error; i++) {
        if (i == HOSTS_MAX) {
            error = xasprintf("the packet has come to %d hosts and goes on: it "
                              "isn't followed any more", i);
        } else {
            error = step(idl, &first, deadline_ms ? deadline_ms
                         : time_msec() + ANSWER_MS, array);
        }
    }
    if (xf_json) {
        char *s = json_to_string(array, JSSF_SORT);

        puts(s);
        free(s);
    }
    json_destroy(array);
    hop_destroy(&first);
    if (error) {
        fflush(stdout);
        ctl_fatal("%s", error);
    }
}
