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

#ifndef XENFLOW_FRAME_H
#define XENFLOW_FRAME_H 1

/* Frames between two xenflow-hostd that move a machine.
 *
 * Shape: a head of 5 bytes (kind; length of what follows, most significant byte
 * first), then the body: a JSON object, a piece of memory, or nothing.  A
 * reader takes bytes as they come, and holds at most one frame.
 *
 * What comes isn't trusted: an unknown kind, a length above the limit of its
 * kind, or JSON that isn't an object, end the connection.  A limit is
 * the reader's, so that it's small until the other side is known.
 *
 * Cost: a frame's body is allocated once, when its length is known. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"

struct ds;
struct json;

#define XF_FRAME_HEAD_SIZE 5
#define XF_FRAME_DATA_MAX 65536
#define XF_FRAME_JSON_MIN 65536             /* Limits of readers. */
#define XF_FRAME_JSON_MAX (40 * 1024 * 1024)

enum xf_frame_kind {
    XF_FRAME_JSON = 1,
    XF_FRAME_DATA = 2,          /* Memory. */
    XF_FRAME_ALIVE = 3,         /* Nothing; the sender is there. */
    XF_FRAME_END = 4,           /* There is no more memory. */
    XF_FRAME_ZEROS = 5,         /* Memory that is all zero: how many bytes, as
                                 * 4.  A reader gives it as XF_FRAME_DATA. */
};

struct xf_frame_reader {
    size_t json_max;            /* Set by the user. */
    uint8_t head[XF_FRAME_HEAD_SIZE];
    size_t n_head;              /* Bytes of 'head' that are there. */
    uint8_t *body;
    size_t size;                /* Of 'body' when it's whole... */
    size_t n_body;              /* ...and so far. */
};

struct xf_frame {
    enum xf_frame_kind kind;
    struct json *json;          /* Object, or NULL. */
    uint8_t *data;
    size_t size;                /* Bytes of 'data'. */
};

void xf_frame_reader_init(struct xf_frame_reader *);
void xf_frame_reader_uninit(struct xf_frame_reader *);

/* Takes in up to 'n' bytes, and how many in '*usedp': less than all if a frame
 * is whole, which is then in '*frame' (to be uninited) and '*wholep' is true.
 * Returns NULL, or a sentence, after which the reader is of no more use. */
char *xf_frame_read(struct xf_frame_reader *, const void *p, size_t n,
                    size_t *usedp, bool *wholep, struct xf_frame *frame)
    OVS_WARN_UNUSED_RESULT;
void xf_frame_uninit(struct xf_frame *);

/* Appends memory, in as many frames as it takes. */
void xf_frame_put_memory(struct ds *, const void *p, size_t size);

/* Appends a frame. */
void xf_frame_put(struct ds *, enum xf_frame_kind, const void *, size_t size);
void xf_frame_put_json(struct ds *, const struct json *);

#endif /* xenflow/frame.h */
