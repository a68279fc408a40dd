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

/* Tests of what decides in the guest daemon (core/mirror.h) and of its messages
 * (core/wire-guest.h).
 *
 * usage: test-xf-guestd transcript < FILE
 *        test-xf-guestd random SEED STEPS
 *        test-xf-guestd load SEED
 *
 * "transcript" repeats its input, commands after "> ", and says what happens:
 *   management NAME           makes the mirror anew
 *   max N                     likewise, with so many objects at most
 *   event [MODIFIER]... MESSAGE   (messages: see xf-text.h)
 *   begin | read [MODIFIER]... MESSAGE | end | end incomplete   a reading
 *   restate | clear
 *   send [N]                  prints what is to be sent, N messages at most
 *   reread                    says if another reading is asked for
 *   show NAME...              counters
 * MODIFIERs change the kernel's message: append, state=NUD, oif=N, encap,
 * part-of-multipath.
 *
 * "random" is a kernel whose routes, next hops and addresses change at random,
 * some changes untold, a mirror that is told of them, and a host that takes
 * what the mirror sends; at the end host and kernel agree, and the host never
 * lost a route that the kernel had all the time.
 *
 * "load" takes reports apart: whole, cut at every length, with a byte changed
 * and with attributes that are wrong. */

#include <config.h>
#undef NDEBUG
#include "core/mirror.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire-guest.h"
#include "core/wire.h"
#include "random.h"
#include "util.h"
#include "xf-text.h"

#define MAX_DEFAULT 1000

/* ---- The kernel's messages. ---- */

/* One netlink message, as the kernel would send it. */
struct nlmsg {
    uint8_t buffer[XF_WIRE_MAX_FRAME];
    uint8_t *data;
    size_t size;
};

static void
nlmsg_from_wire(const struct xf_wire_msg *msg, struct nlmsg *nl)
{
    size_t size = xf_wire_encode(msg, nl->buffer, sizeof nl->buffer);

    ovs_assert(size);
    nl->data = nl->buffer + XF_WIRE_HEADER_SIZE;
    nl->size = size - XF_WIRE_HEADER_SIZE;
}

static void
add_attr(struct nlmsg *nl, uint16_t type, const void *data, size_t size)
{
    struct nlmsghdr *nlh = (void *) nl->data;
    struct rtattr rta = { .rta_len = sizeof rta + size, .rta_type = type };

    memcpy(nl->data + nl->size, &rta, sizeof rta);
    memcpy(nl->data + nl->size + sizeof rta, data, size);
    nl->size += ROUND_UP(sizeof rta + size, 4);
    nlh->nlmsg_len = nl->size;
}

/* Applies 'word' to 'nl' if it is a modifier. */
static bool
modify(struct nlmsg *nl, const char *word)
{
    struct nlmsghdr *nlh = (void *) nl->data;
    uint8_t *body = nl->data + sizeof *nlh;
    uint32_t number;

    if (!strcmp(word, "append")) {
        nlh->nlmsg_flags |= NLM_F_APPEND;
    } else if (!strncmp(word, "state=", 6)) {
        struct ndmsg *ndm = (void *) body;

        ndm->ndm_state = atoi(word + 6);
    } else if (!strncmp(word, "oif=", 4)) {
        number = atoi(word + 4);
        add_attr(nl, RTA_OIF, &number, sizeof number);
    } else if (!strcmp(word, "encap")) {
        uint16_t type = 1;

        add_attr(nl, RTA_ENCAP_TYPE, &type, sizeof type);
    } else {
        return false;
    }
    return true;
}

/* Makes '*nl' of "[MODIFIER]... MESSAGE"; exits if that can't be parsed. */
static void
nlmsg_parse(char *text, struct nlmsg *nl)
{
    char *words[8];
    size_t n = 0;
    char *error;

    while (!strncmp(text, "append ", 7) || !strncmp(text, "state=", 6)
           || !strncmp(text, "oif=", 4) || !strncmp(text, "encap ", 6)) {
        ovs_assert(n < ARRAY_SIZE(words));
        words[n++] = text;
        text = strchr(text, ' ');
        *text++ = '\0';
    }

    struct xf_wire_msg *msg = xzalloc(sizeof *msg);
    error = xf_text_parse(text, msg);
    if (error) {
        ovs_fatal(0, "%s", error);
    }
    nlmsg_from_wire(msg, nl);
    for (size_t i = 0; i < n; i++) {
        ovs_assert(modify(nl, words[i]));
    }
    free(msg);
}

/* ---- Transcripts. ---- */

static void
print_sent(struct xf_mirror *m, int max)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    size_t size;

    while (max-- > 0 && (size = xf_mirror_next(m, frame)) != 0) {
        const uint8_t *p = frame + XF_WIRE_HEADER_SIZE;
        size_t left = size - XF_WIRE_HEADER_SIZE;
        struct xf_wire_msg msg;

        ovs_assert(xf_wire_frame_size(frame, size) == (int) size);
        ovs_assert(!xf_wire_decode(&p, &left, &msg) && !left);
        char *s = xf_wire_msg_to_string(&msg);
        puts(s);
        free(s);
    }
}

static void
show(const struct xf_mirror *m, const char *names)
{
    struct xf_mirror_stats s;

    xf_mirror_get_stats(m, &s);
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {
        { "objects", s.n_objects }, { "waiting", s.n_waiting },
        { "coalesced", s.n_coalesced }, { "sent", s.n_sent },
        { "hidden", s.n_hidden }, { "unsupported", s.n_unsupported },
        { "refused", s.n_refused }, { "swept", s.n_swept },
        { "collected", s.n_collected },
    };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (strstr(names, all[i].name)) {
            printf("%s=%"PRIu64"\n", all[i].name, all[i].value);
        }
    }
}

static void
run_reading(struct xf_mirror *m, char *line)
{
    struct nlmsg nl;

    if (!strcmp(line, "begin")) {
        xf_mirror_read_begin(m);
    } else if (!strncmp(line, "read ", 5)) {
        nlmsg_parse(line + 5, &nl);
        xf_mirror_read(m, nl.data, nl.size);
    } else {
        xf_mirror_read_end(m, !strcmp(line, "end"));
    }
}

static void
transcript(void)
{
    struct xf_mirror *m = xf_mirror_create(NULL, MAX_DEFAULT);
    struct nlmsg nl;
    char line[1024];

    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#') {
            puts(line);
            continue;
        }
        printf("> %s\n", line);
        if (!strncmp(line, "management ", 11)) {
            xf_mirror_destroy(m);
            m = xf_mirror_create(line + 11, MAX_DEFAULT);
        } else if (!strncmp(line, "max ", 4)) {
            xf_mirror_destroy(m);
            m = xf_mirror_create(NULL, atoi(line + 4));
        } else if (!strncmp(line, "event ", 6)) {
            nlmsg_parse(line + 6, &nl);
            xf_mirror_event(m, nl.data, nl.size);
        } else if (!strcmp(line, "begin") || !strncmp(line, "read ", 5)
                   || !strncmp(line, "end", 3)) {
            run_reading(m, line);
        } else if (!strcmp(line, "restate")) {
            xf_mirror_restate(m);
        } else if (!strcmp(line, "clear")) {
            xf_mirror_clear(m);
        } else if (!strncmp(line, "send", 4)) {
            print_sent(m, line[4] ? atoi(line + 5) : INT_MAX);
        } else if (!strcmp(line, "reread")) {
            puts(xf_mirror_take_reread(m) ? "yes" : "no");
        } else if (!strncmp(line, "show ", 5)) {
            show(m, line + 5);
        } else {
            ovs_fatal(0, "unknown command '%s'", line);
        }
    }
    xf_mirror_destroy(m);
}

/* ---- Random changes. ---- */

#define N_ROUTES 40
#define N_ADDRS 6
#define N_NEXTHOPS 8
#define N_MODEL (N_ROUTES + N_ADDRS + N_NEXTHOPS)
#define N_VARIANTS 4
#define QUEUE_MAX 64

/* A kernel, and the host that is told of it.  The state of object i is 0 (it
 * isn't there) or its variant. */
struct model {
    struct xf_mirror *m;
    int kernel[N_MODEL];
    int host[N_MODEL];
    bool was_absent[N_MODEL];   /* Since the host was last told of it. */
    struct {
        int object, state;
        bool replace;
    } queue[QUEUE_MAX];         /* Events not yet delivered. */
    size_t n_queue;
    bool lost;                  /* Something wasn't told. */
};

/* Makes the message that object 'i' is in 'state'. */
static void
model_msg(int i, int state, struct xf_wire_msg *msg)
{
    memset(msg, 0, sizeof *msg);
    if (i < N_ROUTES) {
        bool v6 = i % 2;

        msg->type = state ? XF_WIRE_ROUTE_ADD : XF_WIRE_ROUTE_DEL;
        msg->route.type = XF_ROUTE_UNICAST;
        ovs_assert(xf_text_parse_prefix(v6 ? "2001:db8::/48" : "10.0.0.0/24",
                                        &msg->route.prefix));
        msg->route.prefix.addr.s6_addr[v6 ? 5 : 14] = i / 4;
        msg->route.metric = i / 2 % 2;
        msg->route.protocol = 188;
        if (state == 1) {
            msg->route.nhid = 1 + i % N_NEXTHOPS;
            return;
        }
        msg->n_nexthops = 1 + (state == 3 && !v6);
        for (size_t j = 0; j < msg->n_nexthops; j++) {
            msg->nexthops[j].ifindex = 2 + state + j;
            msg->nexthops[j].weight = 1;
        }
        msg->route.nexthops = msg->nexthops;
        msg->route.n_nexthops = msg->n_nexthops;
    } else if (i < N_ROUTES + N_ADDRS) {
        msg->type = state ? XF_WIRE_ADDR_ADD : XF_WIRE_ADDR_DEL;
        msg->ifindex = 2;
        ovs_assert(xf_text_parse_addr("192.0.2.1", &msg->ip));
        msg->ip.s6_addr[15] = i;
        msg->prefix_len = 24;
    } else {
        msg->type = state ? XF_WIRE_NEXTHOP_ADD : XF_WIRE_NEXTHOP_DEL;
        msg->nexthop_id = 1 + i - N_ROUTES - N_ADDRS;
        msg->n_nexthops = 1;
        msg->nexthops[0].ifindex = 2 + state;
        msg->nexthops[0].weight = 1;
    }
}

static void
model_deliver_one(struct model *model)
{
    struct xf_wire_msg msg;
    struct nlmsg nl;

    model_msg(model->queue[0].object, model->queue[0].state, &msg);
    msg.replace = model->queue[0].replace;
    nlmsg_from_wire(&msg, &nl);
    xf_mirror_event(model->m, nl.data, nl.size);
    memmove(&model->queue[0], &model->queue[1],
            --model->n_queue * sizeof model->queue[0]);
}

/* An object of the kernel changes; one change in 8 isn't told. */
static void
model_change(struct model *model)
{
    int i = random_range(N_MODEL);
    int n = i < N_ROUTES ? N_VARIANTS
            : i < N_ROUTES + N_ADDRS ? 2 : N_VARIANTS;
    int state = random_range(n);

    if (state == model->kernel[i]) {
        return;
    }
    if (!random_range(8)) {
        model->lost = true;
        /* Nor is what waits of it: else the last word were wrong. */
        while (model->n_queue) {
            model_deliver_one(model);
        }
    } else {
        if (model->n_queue == QUEUE_MAX) {
            model_deliver_one(model);
        }
        model->queue[model->n_queue].object = i;
        model->queue[model->n_queue].state = state;
        model->queue[model->n_queue++].replace = model->kernel[i] != 0;
    }
    model->kernel[i] = state;
    if (!state) {
        model->was_absent[i] = true;
    }
}

/* True if the deletion of object 'i' waits to be told. */
static bool
is_going(const struct model *model, int i)
{
    for (size_t j = 0; j < model->n_queue; j++) {
        if (model->queue[j].object == i && !model->queue[j].state) {
            return true;
        }
    }
    return false;
}

/* The host takes one message.  Returns false if there is none. */
static bool
model_send(struct model *model)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME], expected[XF_WIRE_MAX_FRAME];
    size_t size = xf_mirror_next(model->m, frame);

    if (!size) {
        return false;
    }
    /* Which object in which state is it? */
    for (int i = 0; i < N_MODEL; i++) {
        for (int state = 0; state < N_VARIANTS; state++) {
            struct xf_wire_msg msg;

            model_msg(i, state, &msg);
            size_t n = xf_wire_encode(&msg, expected, sizeof expected);
            if (!state && i < N_ROUTES) {
                /* The protocol of a deletion isn't told. */
                msg.route.protocol = 0;
                n = xf_wire_encode(&msg, expected, sizeof expected);
            }
            if (n != size || memcmp(frame, expected, n)) {
                continue;
            }
            if (!state && !model->was_absent[i]) {
                ovs_fatal(0, "object %d was withdrawn, but was always there",
                          i);
            }
            model->was_absent[i] = !model->kernel[i] || is_going(model, i);
            model->host[i] = state;
            return true;
        }
    }
    ovs_fatal(0, "the mirror sent something else");
}

/* Reads the kernel while it goes on changing. */
static void
model_read(struct model *model)
{
    bool lost = false;

    xf_mirror_take_reread(model->m);
    model->lost = false;
    xf_mirror_read_begin(model->m);
    for (int i = 0; i < N_MODEL; i++) {
        struct xf_wire_msg msg;
        struct nlmsg nl;

        if (!random_range(3)) {
            model_change(model);
            lost |= model->lost;
        }
        if (model->n_queue && !random_range(3)) {
            model_deliver_one(model);
        }
        if (!random_range(3)) {
            model_send(model);
        }
        if (model->kernel[i]) {
            model_msg(i, model->kernel[i], &msg);
            nlmsg_from_wire(&msg, &nl);
            xf_mirror_read(model->m, nl.data, nl.size);
        }
    }
    while (model->n_queue) {
        model_deliver_one(model);
    }
    xf_mirror_read_end(model->m, true);
    model->lost = lost;
}

static void
run_random(uint32_t seed, int n_steps)
{
    struct model model = { .m = xf_mirror_create(NULL, N_MODEL) };

    random_set_seed(seed);
    for (int i = 0; i < N_MODEL; i++) {
        model.was_absent[i] = true;
    }
    for (int step = 0; step < n_steps; step++) {
        switch (random_range(20)) {
        case 0:
            model_read(&model);
            break;
        case 1: case 2: case 3: case 4: case 5: case 6: case 7:
            model_send(&model);
            break;
        case 8: case 9: case 10:
            if (model.n_queue) {
                model_deliver_one(&model);
            }
            break;
        case 11:
            if (!random_range(20)) {
                xf_mirror_restate(model.m);
                model.lost = true;
            }
            break;
        default:
            model_change(&model);
            break;
        }
    }
    while (model.n_queue) {
        model_deliver_one(&model);
    }
    /* The last readings: nothing changes any more. */
    xf_mirror_read_begin(model.m);
    for (int i = 0; i < N_MODEL; i++) {
        struct xf_wire_msg msg;
        struct nlmsg nl;

        if (model.kernel[i]) {
            model_msg(i, model.kernel[i], &msg);
            nlmsg_from_wire(&msg, &nl);
            xf_mirror_read(model.m, nl.data, nl.size);
        }
    }
    xf_mirror_read_end(model.m, true);
    while (model_send(&model)) {
        continue;
    }
    for (int i = 0; i < N_MODEL; i++) {
        if (model.host[i] != model.kernel[i]) {
            ovs_fatal(0, "seed %"PRIu32": object %d is %d in the kernel, %d "
                      "in the host", seed, i, model.kernel[i], model.host[i]);
        }
    }
    ovs_assert(xf_mirror_is_empty(model.m));
    xf_mirror_destroy(model.m);
}

/* ---- Load reports. ---- */

/* Decodes a frame of one message.  Returns what xf_wire_decode() does. */
static enum xf_wire_error
decode_frame(const uint8_t *frame, size_t size, struct xf_wire_msg *msg)
{
    const uint8_t *p = frame + XF_WIRE_HEADER_SIZE;
    size_t left = size - XF_WIRE_HEADER_SIZE;

    return xf_wire_decode(&p, &left, msg);
}

static void
random_load(struct xf_guest_load *load)
{
    memset(load, 0, sizeof *load);
    load->v[XF_LOAD_UPTIME_MS] = random_uint32();
    load->v[XF_LOAD_MEM_TOTAL_BYTES] = UINT32_MAX;
    load->v[XF_LOAD_MEM_AVAILABLE_BYTES] = random_uint32();
    load->v[XF_LOAD_CPU_USER_MS] = random_uint32();
    load->v[XF_LOAD_N_CPUS] = 1 + random_range(8);
    load->n_ifaces = random_range(XF_GUEST_IFACES_MAX + 1);
    for (size_t i = 0; i < load->n_ifaces; i++) {
        struct xf_guest_iface *iface = &load->ifaces[i];

        for (int j = 1; j < XF_LOAD_IFACE_NAME; j++) {
            iface->v[j] = (uint64_t) random_uint32() << 20;
        }
        iface->v[XF_LOAD_IFACE_INDEX] = i + 1;
        snprintf(iface->name, sizeof iface->name, "eth%"PRIuSIZE, i);
    }
}

/* A report that 'breakage' made wrong is refused. */
static void
check_refused(const struct xf_guest_load *load, const char *breakage)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    struct xf_wire_msg msg;
    size_t size = xf_guest_load_encode(load, 1, frame, sizeof frame);

    ovs_assert(size);
    printf("%s: %s\n", breakage,
           xf_wire_error_name(decode_frame(frame, size, &msg)));
}

static void
run_wrong_loads(void)
{
    struct xf_guest_load *load = xmalloc(sizeof *load);

    random_load(load);
    load->n_ifaces = 0;
    load->v[XF_LOAD_N_CPUS] = 0;
    check_refused(load, "no CPU");
    load->v[XF_LOAD_N_CPUS] = UINT64_MAX;
    check_refused(load, "many CPUs");
    load->v[XF_LOAD_N_CPUS] = 1;
    load->v[XF_LOAD_MEM_TOTAL_BYTES] = 0;
    load->v[XF_LOAD_MEM_AVAILABLE_BYTES] = 1;
    check_refused(load, "more memory available than there is");
    random_load(load);
    load->n_ifaces = 2;
    for (int i = 0; i < 2; i++) {
        ovs_strlcpy(load->ifaces[i].name, "eth0", 5);
        load->ifaces[i].v[XF_LOAD_IFACE_INDEX] = 7;
    }
    check_refused(load, "one interface twice");
    load->n_ifaces = 1;
    ovs_strlcpy(load->ifaces[0].name, "e\033[2J", 8);
    check_refused(load, "name with a control character");
    load->ifaces[0].name[0] = '\0';
    check_refused(load, "empty name");
    free(load);
}

/* A report is one interface too long: by hand, as the encoder can't. */
static void
run_long_load(void)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    struct xf_guest_load *load = xmalloc(sizeof *load);
    struct xf_wire_msg msg;

    random_load(load);
    load->n_ifaces = 0;
    size_t base = xf_guest_load_encode(load, 1, frame, sizeof frame);
    random_load(load);
    load->n_ifaces = XF_GUEST_IFACES_MAX;
    for (size_t i = 0; i < load->n_ifaces; i++) {
        snprintf(load->ifaces[i].name, sizeof load->ifaces[i].name, "abc");
        load->ifaces[i].v[XF_LOAD_IFACE_INDEX] = i + 1;
    }
    size_t size = xf_guest_load_encode(load, 1, frame, sizeof frame);
    size_t one = (size - base) / XF_GUEST_IFACES_MAX;
    ovs_assert(!decode_frame(frame, size, &msg));

    memcpy(frame + size, frame + size - one, one);
    size += one;
    uint32_t length = size - XF_WIRE_HEADER_SIZE;
    memcpy(frame + XF_WIRE_HEADER_SIZE, &length, sizeof length);
    printf("33 interfaces: %s\n",
           xf_wire_error_name(decode_frame(frame, size, &msg)));
    free(load);
}

static void
run_load(uint32_t seed)
{
    static uint8_t frame[XF_WIRE_MAX_FRAME];
    struct xf_guest_load load, copy;
    struct xf_wire_msg msg;

    random_set_seed(seed);
    for (int i = 0; i < 50; i++) {
        random_load(&load);
        size_t size = xf_guest_load_encode(&load, i, frame, sizeof frame);

        ovs_assert(size && xf_wire_frame_size(frame, size) == (int) size);
        ovs_assert(!decode_frame(frame, size, &msg));
        ovs_assert(msg.type == XF_WIRE_LOAD && msg.ack && msg.seq == i);
        ovs_assert(!xf_guest_load_decode(msg.body, msg.body_size, &copy));
        ovs_assert(!memcmp(load.v, copy.v, sizeof load.v));
        ovs_assert(load.n_ifaces == copy.n_ifaces);
        ovs_assert(!memcmp(load.ifaces, copy.ifaces,
                           load.n_ifaces * sizeof load.ifaces[0])
                   || !load.n_ifaces);
        /* Cut, in a buffer of its own so that a byte too far is noticed. */
        size_t cut = random_range(size - XF_WIRE_HEADER_SIZE);
        uint8_t *part = xmemdup(frame, XF_WIRE_HEADER_SIZE + cut);
        decode_frame(part, XF_WIRE_HEADER_SIZE + cut, &msg);
        free(part);
        for (int j = 0; j < 200; j++) {
            uint8_t *changed = xmemdup(frame, size);

            changed[XF_WIRE_HEADER_SIZE + 16
                    + random_range(size - XF_WIRE_HEADER_SIZE - 16)]
                = random_uint8();
            if (!decode_frame(changed, size, &msg)) {
                ovs_assert(!xf_guest_load_decode(msg.body, msg.body_size,
                                                 &copy));
                ovs_assert(copy.n_ifaces <= XF_GUEST_IFACES_MAX);
            }
            free(changed);
        }
    }
    run_wrong_loads();
    run_long_load();
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    if (argc == 2 && !strcmp(argv[1], "transcript")) {
        transcript();
    } else if (argc == 4 && !strcmp(argv[1], "random")) {
        run_random(atoi(argv[2]), atoi(argv[3]));
    } else if (argc == 3 && !strcmp(argv[1], "load")) {
        run_load(atoi(argv[2]));
    } else {
        ovs_fatal(0, "usage: see the comment in tests/test-xf-guestd.c");
    }
    return 0;
}
