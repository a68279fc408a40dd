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

#ifndef XF_CORE_WIRE_PUT_H
#define XF_CORE_WIRE_PUT_H 1

/* Wire protocol, what the encoders share: a frame of one message that grows at
 * its end.  Used by wire-*.c alone.
 *
 * Threads: pure functions. */

#include <linux/netlink.h>

#include "core/wire.h"

/* A frame being written.  Once something didn't fit, 'failed' is set and
 * nothing more is written. */
struct xf_wire_writer {
    uint8_t *base;
    size_t size;
    size_t capacity;
    bool failed;
};

/* Starts a frame of one message with 'nlh'; nlmsg_len is set at the end. */
void xf_wire_start_frame(struct xf_wire_writer *, void *buffer,
                         size_t capacity, const struct nlmsghdr *nlh);

/* The same for a message of 'type' that asks for no answer. */
void xf_wire_start_request(struct xf_wire_writer *, uint16_t type,
                           void *buffer, size_t capacity);

/* Fills in the lengths.  Returns the frame's size, 0 if it didn't fit. */
size_t xf_wire_finish_frame(struct xf_wire_writer *);

/* Appends 'size' bytes of 'data' (zeros if NULL), padded to 4 bytes.  Returns
 * the offset of the first. */
size_t xf_wire_put(struct xf_wire_writer *, const void *data, size_t size);

/* Appends an attribute.  Returns its offset. */
size_t xf_wire_put_attr(struct xf_wire_writer *, uint16_t type,
                        const void *data, size_t size);
void xf_wire_put_u32(struct xf_wire_writer *, uint16_t type, uint32_t value);
void xf_wire_put_u64(struct xf_wire_writer *, uint16_t type, uint64_t value);

/* Gives the 16-bit length at 'ofs' (of an attribute or a next hop) the number
 * of bytes written since. */
void xf_wire_set_length(struct xf_wire_writer *, size_t ofs);

#endif /* core/wire-put.h */
