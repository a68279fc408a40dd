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


#include "fuzz.h"

#include "flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "test-xf-slice.h"

/* A slice's controller and its switch, both hostile: the input is cut into
 * pieces, bytes of the controller or a message of the switch.  Whatever they
 * say, what goes to the switch because of the controller is confined, and
 * nothing crashes. */

#define CONFIG "[switch s1]\n" \
    "remote = tcp:127.0.0.1:1\n" \
    "[slice red]\n" \
    "switch = s1\n" \
    "controller = tcp:127.0.0.1:2\n" \
    "tables = 10-12\n" \
    "max-groups = 4\n" \
    "max-meters = 2\n" \
    "port 1 = p1\n" \
    "port 2 = p2\n" \
    "port 3 = p5 vlan 100\n" \
    "port 4 = p5 vlan 101\n"
#define N_PORTS 6               /* Of the switch: p1 to p6. */

struct world {
    struct xf_slice_switch *sw;
    struct xf_slice *speaking;  /* Whose controller is speaking, or NULL. */
    uint32_t barrier;           /* Last one sent, by its identifier. */
};

static void
transmit(void *world_, struct xf_slice *slice, struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    struct world *w = world_;
    enum ofptype type;

    FUZZ_CHECK(ntohs(oh->length) == msg->size);
    if (!slice) {
        FUZZ_CHECK(!ofptype_decode(&type, oh));
        if (type == OFPTYPE_BARRIER_REQUEST) {
            w->barrier = ntohl(oh->xid);
        }
        if (w->speaking) {
            xf_slice_check_confined(xf_slice_get_config(w->speaking), msg);
        }
    }
    ofpbuf_delete(msg);
}

static void
event(void *world_ OVS_UNUSED, struct xf_slice *slice OVS_UNUSED,
      const char *sentence)
{
    FUZZ_CHECK(sentence[0]);
}

static const struct xf_slice_ops ops = {
    .transmit = transmit, .event = event,
};

/* Gives the message 'msg' of the switch to 'w', and frees it. */
static void
from_switch(struct world *w, struct ofpbuf *msg, uint32_t xid)
{
    ((struct ofp_header *) msg->data)->xid = htonl(xid);
    ofpmsg_update_length(msg);
    xf_slice_switch_receive(w->sw, msg, 0);
    ofpbuf_delete(msg);
}

static void
create(struct world *w)
{
    struct ofputil_switch_features features = { .n_tables = 254 };
    struct xf_slice_file file;
    char *error = xf_slice_file_parse(CONFIG, &file);

    FUZZ_CHECK(!error);
    memset(w, 0, sizeof *w);
    w->sw = xf_slice_switch_create("s1", &ops, w);
    xf_slice_switch_configure(w->sw, &file);
    xf_slice_file_uninit(&file);
    xf_slice_switch_connected(w->sw);
    from_switch(w, ofputil_encode_switch_features(&features,
                                                  OFPUTIL_P_OF13_OXM, 0), 1);
    for (int i = 1; i <= N_PORTS; i++) {
        struct ofputil_port_status ps = {
            .reason = OFPPR_ADD, .desc.port_no = u16_to_ofp(i),
        };

        snprintf(ps.desc.name, sizeof ps.desc.name, "p%d", i);
        from_switch(w, ofputil_encode_port_status(&ps, OFPUTIL_P_OF13_OXM),
                    0);
    }
    from_switch(w, ofpraw_alloc_xid(OFPRAW_OFPT11_BARRIER_REPLY,
                                    OFP13_VERSION, 0, 0), w->barrier);
    FUZZ_CHECK(xf_slice_switch_is_ready(w->sw));
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct xf_slice *slice;
    struct world w;
    long long int now_ms = 0;

    create(&w);
    slice = xf_slice_switch_find(w.sw, "red");
    xf_slice_controller_connected(slice);
    while (in.size) {
        uint8_t how = fuzz_u8(&in);
        size_t n = how & 1 ? fuzz_u16(&in) : in.size;

        n = MIN(n, in.size);
        if (how & 2) {
            struct ofpbuf *msg = ofpbuf_clone_data(in.data, n);

            xf_slice_switch_receive(w.sw, msg, now_ms);
            ofpbuf_delete(msg);
        } else {
            w.speaking = slice;
            xf_slice_receive_bytes(slice, in.data, n, now_ms);
            w.speaking = NULL;
        }
        in.data += n;
        in.size -= n;
        now_ms += how >> 2;
        xf_slice_switch_run(w.sw, now_ms);
    }
    xf_slice_switch_destroy(w.sw);
    return 0;
}
