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

#include "core/link-probe.h"

#include <string.h>

#include "byte-order.h"
#include "util.h"

#define MAGIC 0x58464c50        /* "XFLP" */
#define VERSION_1 1

/* As on the wire. */
struct wire {
    ovs_be32 magic;
    uint8_t version;
    uint8_t type;
    ovs_be16 zero;
    struct xf_link_id id;
    ovs_be64 generation;
    ovs_be64 nonce;
    ovs_be32 seq;
    uint8_t position;
    uint8_t zeros[3];
};
BUILD_ASSERT_DECL(sizeof(struct wire) == 48);

#define MACS_SIZE 14            /* Ethernet header. */
BUILD_ASSERT_DECL(MACS_SIZE + sizeof(struct wire) == XF_PROBE_FRAME_SIZE);

struct eth_addr
xf_probe_mac(void)
{
    struct eth_addr mac = { .ea = { 0x03, 0x58, 0x46, 0x4c, 0x50, 0x01 } };

    return mac;
}

bool
xf_probe_is_mac(struct eth_addr mac)
{
    struct eth_addr probe_mac = xf_probe_mac();

    return !memcmp(&mac, &probe_mac, sizeof mac);
}

/* See core/link-probe.h. */
void
xf_probe_compose(const struct xf_probe *probe, struct eth_addr src,
                 uint8_t frame[XF_PROBE_FRAME_SIZE])
{
    struct eth_addr dst = xf_probe_mac();
    ovs_be16 type = htons(XF_PROBE_ETHERTYPE);
    struct wire wire;

    memset(&wire, 0, sizeof wire);
    wire.magic = htonl(MAGIC);
    wire.version = VERSION_1;
    wire.type = probe->type;
    wire.id = probe->id;
    wire.generation = htonll(probe->generation);
    wire.nonce = htonll(probe->nonce);
    wire.seq = htonl(probe->seq);
    wire.position = probe->position;
    memcpy(frame, &dst, sizeof dst);
    memcpy(frame + sizeof dst, &src, sizeof src);
    memcpy(frame + 2 * sizeof dst, &type, sizeof type);
    memcpy(frame + MACS_SIZE, &wire, sizeof wire);
}

/* See core/link-probe.h. */
bool
xf_probe_parse(const void *payload, size_t size, struct xf_probe *probe)
{
    struct wire wire;

    if (size < sizeof wire) {
        return false;
    }
    memcpy(&wire, payload, sizeof wire);
    if (wire.magic != htonl(MAGIC)
        || wire.version != VERSION_1
        || (wire.type != XF_PROBE_REQUEST && wire.type != XF_PROBE_ANSWER
            && wire.type != XF_PROBE_LAST)) {
        return false;
    }
    memset(probe, 0, sizeof *probe);
    probe->type = wire.type;
    probe->id = wire.id;
    probe->generation = ntohll(wire.generation);
    probe->nonce = ntohll(wire.nonce);
    probe->seq = ntohl(wire.seq);
    probe->position = wire.position;
    return true;
}
