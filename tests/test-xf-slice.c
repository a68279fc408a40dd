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


/* Tests of slice/: see usage().
 *
 * The switch is played by answers to what slices ask when it connects; what
 * else it gets is printed or, by "fuzz", checked: whatever a controller says,
 * nothing may leave that concerns more than its slice. */

#include <config.h>
#undef NDEBUG
#include "slice/slice.h"
#include "test-xf-slice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "flow.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/vlog.h"
#include "random.h"
#include "util.h"

#define N_PORTS 6               /* Of the switch: p1 to p6. */
#define MAX_LINE 4096

/* ---- The switch. ---- */

struct world {
    struct xf_slice_switch *sw;
    struct ovs_list to_deliver; /* Answers of the switch. */
    bool verbose;               /* Print messages. */
    bool check;                 /* Check messages to the switch. */
    const struct xf_slice *speaking; /* Whose controller is speaking. */
    uint64_t n_to_switch, n_to_controller;
};

static void
answer(struct world *w, struct ofpbuf *msg)
{
    ofpmsg_update_length(msg);
    ovs_list_push_back(&w->to_deliver, &msg->list_node);
}

static void
answer_list(struct world *w, struct ovs_list *parts)
{
    struct ofpbuf *msg;

    LIST_FOR_EACH_POP (msg, list_node, parts) {
        answer(w, msg);
    }
}

static struct ofputil_phy_port
port_of_switch(int i)
{
    struct ofputil_phy_port pp;

    memset(&pp, 0, sizeof pp);
    pp.port_no = u16_to_ofp(i);
    snprintf(pp.name, sizeof pp.name, "p%d", i);
    return pp;
}

static void
answer_ports(struct world *w, const struct ofp_header *oh)
{
    struct ovs_list parts;

    ofpmp_init(&parts, oh);
    for (int i = 1; i <= N_PORTS; i++) {
        struct ofputil_phy_port pp = port_of_switch(i);

        ofputil_append_port_desc_stats_reply(&pp, &parts);
    }
    answer_list(w, &parts);
}

static void
answer_request(struct world *w, const struct ofp_header *oh)
{
    struct ofputil_switch_features features = { .n_tables = 254 };
    struct ofputil_switch_config config = { .miss_send_len = 0 };
    struct ofputil_aggregate_stats sum = { .flow_count = 0 };
    struct ovs_list parts;
    enum ofptype type;

    ovs_assert(!ofptype_decode(&type, oh));
    switch ((int) type) {
    case OFPTYPE_FEATURES_REQUEST:
        answer(w, ofputil_encode_switch_features(&features,
                                                 OFPUTIL_P_OF13_OXM,
                                                 oh->xid));
        break;
    case OFPTYPE_GET_CONFIG_REQUEST:
        answer(w, ofputil_encode_get_config_reply(oh, &config));
        break;
    case OFPTYPE_PORT_DESC_STATS_REQUEST:
        answer_ports(w, oh);
        break;
    case OFPTYPE_BARRIER_REQUEST:
        answer(w, ofpraw_alloc_reply(OFPRAW_OFPT11_BARRIER_REPLY, oh, 0));
        break;
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        answer(w, ofputil_encode_aggregate_stats_reply(&sum, oh));
        break;
    default:
        if (ofpmsg_is_stat_request(oh)) {
            ofpmp_init(&parts, oh);
            answer_list(w, &parts);
        }
        break;
    }
}

static void
deliver(struct world *w)
{
    struct ofpbuf *msg;

    LIST_FOR_EACH_POP (msg, list_node, &w->to_deliver) {
        xf_slice_switch_receive(w->sw, msg, 0);
        ofpbuf_delete(msg);
    }
}

/* ---- Callbacks. ---- */

static void
transmit(void *w_, struct xf_slice *slice, struct ofpbuf *msg)
{
    struct world *w = w_;
    struct ofp_header *oh = msg->data;

    ovs_assert(ntohs(oh->length) == msg->size);
    if (w->check && !slice && w->speaking) {
        xf_slice_check_confined(xf_slice_get_config(w->speaking), msg);
    }
    if (w->verbose) {
        /* Identifiers depend on what was said before. */
        ovs_be32 xid = oh->xid;
        oh->xid = 0;
        char *text = ofp_to_string(msg->data, msg->size, NULL, NULL, 1);
        oh->xid = xid;
        printf("%s: %s", slice ? xf_slice_get_config(slice)->name : "switch",
               text);
        free(text);
    }
    if (slice) {
        w->n_to_controller++;
    } else {
        w->n_to_switch++;
        answer_request(w, oh);
    }
    ofpbuf_delete(msg);
}

static void
event(void *w_, struct xf_slice *slice, const char *sentence)
{
    struct world *w = w_;

    if (w->verbose) {
        printf("%s: %s\n", slice ? xf_slice_get_config(slice)->name
               : "switch", sentence);
    }
}

static const struct xf_slice_ops ops = {
    .transmit = transmit, .event = event,
};

/* ---- Configuration. ---- */

static char *
read_text(const char *name)
{
    FILE *stream = !strcmp(name, "-") ? stdin : fopen(name, "r");
    struct ds text = DS_EMPTY_INITIALIZER;
    int c;

    if (!stream) {
        ovs_fatal(errno, "%s", name);
    }
    while ((c = getc(stream)) != EOF) {
        ds_put_char(&text, c);
    }
    return ds_steal_cstr(&text);
}

/* Brings the first switch of file 'config' up, and returns its slice 'name'
 * with a connected controller. */
static struct xf_slice *
open_world(struct world *w, const char *config, const char *name)
{
    struct xf_slice_file file;
    char *text = read_text(config);
    char *error = xf_slice_file_parse(text, &file);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    free(text);
    memset(w, 0, sizeof *w);
    ovs_list_init(&w->to_deliver);
    const struct xf_slice_switch_config *first = CONTAINER_OF(
        ovs_list_front(&file.switches), struct xf_slice_switch_config, node);
    w->sw = xf_slice_switch_create(first->name, &ops, w);
    xf_slice_switch_configure(w->sw, &file);
    xf_slice_switch_connected(w->sw);
    deliver(w);
    ovs_assert(xf_slice_switch_is_ready(w->sw));
    xf_slice_file_uninit(&file);

    struct xf_slice *slice = xf_slice_switch_find(w->sw, name);
    if (!slice) {
        ovs_fatal(0, "%s: no slice '%s'", config, name);
    }
    xf_slice_controller_connected(slice);
    return slice;
}

/* "config FILE": each case of FILE begins with a line "== NAME"; prints what
 * the parser says of it. */
static void
cmd_config(struct ovs_cmdl_context *ctx)
{
    char *text = read_text(ctx->argv[1]);
    char *next = text;

    while (next && *next) {
        char *name = next + 3;
        struct xf_slice_file file;

        name[strcspn(name, "\n")] = '\0';
        char *body = name + strlen(name) + 1;
        next = strstr(body, "== ");
        if (next) {
            next[-1] = '\0';
        }
        char *error = xf_slice_file_parse(body, &file);
        printf("%s: %s\n", name, error ? error : "good");
        if (!error) {
            xf_slice_file_uninit(&file);
        }
        free(error);
    }
    free(text);
}

/* ---- Messages as text. ---- */

static struct ofpbuf *
parse_flow(const char *s, int command)
{
    enum ofputil_protocol usable;
    struct ofputil_flow_mod fm;
    struct ofpbuf *msg;
    char *error = parse_ofp_flow_mod_str(&fm, s, NULL, NULL, command,
                                         &usable);

    if (error) {
        ovs_fatal(0, "%s: %s", s, error);
    }
    msg = ofputil_encode_flow_mod(&fm, OFPUTIL_P_OF13_OXM);
    free(CONST_CAST(struct ofpact *, fm.ofpacts));
    minimatch_destroy(&fm.match);
    return msg;
}

static struct ofpbuf *
parse_group(const char *s, int command)
{
    enum ofputil_protocol usable;
    struct ofputil_group_mod gm;
    struct ofpbuf *msg;
    char *error = parse_ofp_group_mod_str(&gm, command, s, NULL, NULL,
                                          &usable);

    if (error) {
        ovs_fatal(0, "%s: %s", s, error);
    }
    msg = ofputil_encode_group_mod(OFP13_VERSION, &gm, NULL, -1);
    ofputil_uninit_group_mod(&gm);
    return msg;
}

static struct ofpbuf *
parse_meter(const char *s, int command)
{
    enum ofputil_protocol usable;
    struct ofputil_meter_mod mm;
    struct ofpbuf *msg;
    char *error = parse_ofp_meter_mod_str(&mm, s, command, &usable);

    if (error) {
        ovs_fatal(0, "%s: %s", s, error);
    }
    msg = ofputil_encode_meter_mod(OFP13_VERSION, &mm);
    free(mm.meter.bands);
    return msg;
}

static struct ofpbuf *
parse_packet_out(const char *s)
{
    enum ofputil_protocol usable;
    struct ofputil_packet_out po;
    struct ofpbuf *msg;
    char *error = parse_ofp_packet_out_str(&po, s, NULL, NULL, &usable);

    if (error) {
        ovs_fatal(0, "%s: %s", s, error);
    }
    msg = ofputil_encode_packet_out(&po, OFPUTIL_P_OF13_OXM);
    free(CONST_CAST(void *, po.packet));
    free(po.ofpacts);
    return msg;
}

/* "TYPE WORD...": a message of that type, with a header and the bytes of WORDs,
 * each hexadecimal digits or 0*N, N zeros. */
static struct ofpbuf *
parse_raw(const char *s)
{
    struct ofpbuf *msg = ofpbuf_new(64);
    struct ofp_header *oh = ofpbuf_put_zeros(msg, sizeof *oh);
    char *end;

    oh->version = OFP13_VERSION;
    oh->type = strtoul(s, &end, 10);
    for (s = end; *s; s = end) {
        s += strspn(s, " ");
        if (!strncmp(s, "0*", 2)) {
            ofpbuf_put_zeros(msg, strtoul(s + 2, &end, 10));
        } else {
            end = ofpbuf_put_hex(msg, s, NULL);
            if (end == s) {
                ovs_fatal(0, "bad hexadecimal digits at '%s'", s);
            }
        }
    }
    ofpmsg_update_length(msg);
    return msg;
}

/* "KIND TEXT" as a message. */
static struct ofpbuf *
parse_message(const char *line)
{
    static const struct {
        const char *kind;
        struct ofpbuf *(*parse)(const char *, int command);
        int command;
    } kinds[] = {
        { "add-flow", parse_flow, OFPFC_ADD },
        { "mod-flows", parse_flow, OFPFC_MODIFY },
        { "del-flows", parse_flow, OFPFC_DELETE },
        { "add-group", parse_group, OFPGC11_ADD },
        { "mod-group", parse_group, OFPGC11_MODIFY },
        { "del-groups", parse_group, OFPGC11_DELETE },
        { "add-meter", parse_meter, OFPMC13_ADD },
        { "del-meters", parse_meter, OFPMC13_DELETE },
    };

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t len = strlen(kinds[i].kind);

        if (!strncmp(line, kinds[i].kind, len)
            && (line[len] == ' ' || !line[len])) {
            return kinds[i].parse(line + len, kinds[i].command);
        }
    }
    if (!strncmp(line, "packet-out ", 11)) {
        return parse_packet_out(line + 11);
    } else if (!strncmp(line, "raw ", 4)) {
        return parse_raw(line + 4);
    } else if (!strncmp(line, "version ", 8)) {
        struct ofpbuf *msg = parse_raw("5");

        ((struct ofp_header *) msg->data)->version = atoi(line + 8);
        return msg;
    }
    ovs_fatal(0, "'%s' is no message", line);
}

/* "long BYTES": a packet-out that is that long, and longer when translated:
 * what is in its packet are deletions of all flows. */
static struct ofpbuf *
long_packet_out(size_t size)
{
    struct ofpbuf *msg = parse_packet_out(
        "in_port=3,packet=ffffffffffff0000000000010806,actions=TABLE");
    struct ofpbuf *evil = parse_flow("", OFPFC_DELETE);

    while (msg->size + evil->size <= size) {
        ofpbuf_put(msg, evil->data, evil->size);
    }
    ofpbuf_put_zeros(msg, size - msg->size);
    ofpmsg_update_length(msg);
    ofpbuf_delete(evil);
    return msg;
}

/* "run CONFIG SLICE SCRIPT": prints what becomes of each line of SCRIPT when
 * the controller of SLICE says it, or the switch, if it begins with "switch". */
static void
cmd_run(struct ovs_cmdl_context *ctx)
{
    struct world w;
    char *text = read_text(ctx->argv[3]);
    char *save = NULL;

    struct xf_slice *slice = open_world(&w, ctx->argv[1], ctx->argv[2]);
    w.verbose = w.check = true;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        struct ofpbuf *msg;

        printf("> %s\n", line);
        if (!strncmp(line, "switch ", 7)) {
            msg = parse_message(line + 7);
            xf_slice_switch_receive(w.sw, msg, 0);
            ofpbuf_delete(msg);
            continue;
        }
        msg = (!strncmp(line, "long ", 5) ? long_packet_out(atoi(line + 5))
               : parse_message(line));
        w.speaking = slice;
        xf_slice_receive_bytes(slice, msg->data, msg->size, 0);
        w.speaking = NULL;
        deliver(&w);
        ofpbuf_delete(msg);
    }
    free(text);
    xf_slice_switch_destroy(w.sw);
}

/* ---- Random messages. ---- */

/* Changes a few bytes of 'msg', and keeps its header right most times. */
static void
mutate(struct ofpbuf *msg)
{
    struct ofp_header *oh = msg->data;
    int n = random_range(6);

    for (int i = 0; i < n; i++) {
        static const uint8_t values[] = { 0, 1, 4, 0x7f, 0x80, 0xff };
        uint8_t *p = (uint8_t *) msg->data + random_range(msg->size);

        *p = (random_range(2) ? values[random_range(ARRAY_SIZE(values))]
              : random_uint8());
    }
    if (!random_range(8) && msg->size > 8) {
        msg->size = 8 + random_range(msg->size - 8);
    }
    if (random_range(50)) {
        oh->version = OFP13_VERSION;
        oh->length = htons(msg->size);
    }
}

/* A message of the switch, for slices that are to survive it. */
static struct ofpbuf *
switch_message(const struct ofpbuf *from_controller)
{
    struct ofputil_packet_in_private pin;
    struct ofpbuf *msg;

    if (random_range(2)) {
        memset(&pin, 0, sizeof pin);
        match_init_catchall(&pin.base.flow_metadata);
        match_set_in_port(&pin.base.flow_metadata, u16_to_ofp(1));
        match_set_metadata(&pin.base.flow_metadata,
                           htonll((uint64_t) random_range(5) << 32));
        pin.base.table_id = random_range(40);
        pin.base.packet = CONST_CAST(void *, from_controller->data);
        pin.base.packet_len = from_controller->size;
        msg = ofputil_encode_packet_in_private(&pin, OFPUTIL_P_OF13_OXM,
                                               OFPUTIL_PACKET_IN_STD);
    } else {
        msg = ofpbuf_clone(from_controller);
        /* Replies have the type after that of their request. */
        ((struct ofp_header *) msg->data)->type += random_range(2);
    }
    mutate(msg);
    return msg;
}

/* Reads the messages of file 'name', one per line, into '*msgs'. */
static size_t
read_messages(const char *name, struct ofpbuf ***msgs)
{
    char *text = read_text(name);
    size_t n = 0, allocated = 0;
    char *save = NULL;

    *msgs = NULL;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (n >= allocated) {
            *msgs = x2nrealloc(*msgs, &allocated, sizeof **msgs);
        }
        (*msgs)[n++] = parse_message(line);
    }
    free(text);
    return n;
}

/* "fuzz CONFIG SLICE SCRIPT SEED N": N messages made of those of SCRIPT. */
static void
cmd_fuzz(struct ovs_cmdl_context *ctx)
{
    int n = atoi(ctx->argv[5]);
    struct ofpbuf **seeds;
    struct world w;

    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    random_set_seed(atoi(ctx->argv[4]));
    struct xf_slice *slice = open_world(&w, ctx->argv[1], ctx->argv[2]);
    size_t n_seeds = read_messages(ctx->argv[3], &seeds);
    w.check = true;
    for (int i = 0; i < n; i++) {
        struct ofpbuf *msg = ofpbuf_clone(seeds[random_range(n_seeds)]);

        mutate(msg);
        w.speaking = slice;
        xf_slice_receive_bytes(slice, msg->data, msg->size, i);
        w.speaking = NULL;
        deliver(&w);
        struct ofpbuf *reply = switch_message(msg);
        xf_slice_switch_receive(w.sw, reply, i);
        deliver(&w);
        ofpbuf_delete(reply);
        ofpbuf_delete(msg);
        if (!(i % 1000)) {
            /* A role or a choice of messages would silence it for good. */
            xf_slice_controller_disconnected(slice);
            xf_slice_controller_connected(slice);
        }
    }
    const struct xf_slice_counters *c = xf_slice_get_counters(slice);
    uint64_t refused = 0;
    for (int i = 0; i < XF_SLICE_N_REFUSALS; i++) {
        refused += c->refused[i];
    }
    /* Both must have happened often, or the test is worth nothing. */
    ovs_assert(refused > n / 10 && w.n_to_switch > n / 10);
    printf("%d messages, none got out\n", n);
    for (size_t i = 0; i < n_seeds; i++) {
        ofpbuf_delete(seeds[i]);
    }
    free(seeds);
    xf_slice_switch_destroy(w.sw);
}

/* ---- Command line. ---- */

static const struct ovs_cmdl_command commands[] = {
    { "config", "FILE", 1, 1, cmd_config, OVS_RO },
    { "run", "CONFIG SLICE SCRIPT", 3, 3, cmd_run, OVS_RO },
    { "fuzz", "CONFIG SLICE SCRIPT SEED N", 5, 5, cmd_fuzz, OVS_RO },
    { NULL, NULL, 0, 0, NULL, OVS_RO },
};

int
main(int argc, char *argv[])
{
    struct ovs_cmdl_context ctx = { .argc = argc - 1, .argv = argv + 1 };

    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_OFF);
    ovs_cmdl_run_command(&ctx, commands);
    return 0;
}
