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
#include "core/wire-put.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "openvswitch/util.h"
#include "util.h"

#define FPM_VERSION 1
#define FPM_TYPE_NETLINK 1

size_t
xf_wire_put(struct xf_wire_writer *w, const void *data, size_t size)
{
    size_t padded = ROUND_UP(size, NLMSG_ALIGNTO);
    size_t ofs = w->size;

    if (w->failed || padded > w->capacity - w->size) {
        w->failed = true;
        return 0;
    }
    memset(w->base + ofs, 0, padded);
    if (data) {
        memcpy(w->base + ofs, data, size);
    }
    w->size += padded;
    return ofs;
}

size_t
xf_wire_put_attr(struct xf_wire_writer *w, uint16_t type, const void *data,
                 size_t size)
{
    struct rtattr rta = { .rta_len = sizeof rta + size, .rta_type = type };
    size_t ofs = xf_wire_put(w, &rta, sizeof rta);

    xf_wire_put(w, data, size);
    return ofs;
}

void
xf_wire_put_u32(struct xf_wire_writer *w, uint16_t type, uint32_t value)
{
    xf_wire_put_attr(w, type, &value, sizeof value);
}

void
xf_wire_put_u64(struct xf_wire_writer *w, uint16_t type, uint64_t value)
{
    xf_wire_put_attr(w, type, &value, sizeof value);
}

void
xf_wire_set_length(struct xf_wire_writer *w, size_t ofs)
{
    uint16_t length = w->size - ofs;

    if (!w->failed) {
        memcpy(w->base + ofs, &length, sizeof length);
    }
}

void
xf_wire_start_frame(struct xf_wire_writer *w, void *buffer, size_t capacity,
                    const struct nlmsghdr *nlh)
{
    const uint8_t header[XF_WIRE_HEADER_SIZE] = { FPM_VERSION,
                                                  FPM_TYPE_NETLINK };

    w->base = buffer;
    w->size = 0;
    w->capacity = MIN(capacity, XF_WIRE_MAX_FRAME);
    w->failed = false;
    xf_wire_put(w, header, sizeof header);
    xf_wire_put(w, nlh, sizeof *nlh);
}

void
xf_wire_start_request(struct xf_wire_writer *w, uint16_t type, void *buffer,
                      size_t capacity)
{
    const struct nlmsghdr nlh = {
        .nlmsg_type = type,
        .nlmsg_flags = NLM_F_REQUEST,
    };

    xf_wire_start_frame(w, buffer, capacity, &nlh);
}

size_t
xf_wire_finish_frame(struct xf_wire_writer *w)
{
    uint32_t nlmsg_len = w->size - XF_WIRE_HEADER_SIZE;

    if (w->failed) {
        return 0;
    }
    w->base[2] = w->size >> 8;
    w->base[3] = w->size & 0xff;
    memcpy(w->base + XF_WIRE_HEADER_SIZE, &nlmsg_len, sizeof nlmsg_len);
    return w->size;
}
