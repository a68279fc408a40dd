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

/* See xenflow/frame.h. */

#include <config.h>
#include "xenflow/frame.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "util.h"

#define ZEROS_SIZE 4            /* Body of XF_FRAME_ZEROS. */
/* Zeros are looked for in blocks of so much. */
#define BLOCK_SIZE 4096
BUILD_ASSERT_DECL(XF_FRAME_DATA_MAX % BLOCK_SIZE == 0);

void
xf_frame_reader_init(struct xf_frame_reader *r)
{
    memset(r, 0, sizeof *r);
    r->json_max = XF_FRAME_JSON_MIN;
}

void
xf_frame_reader_uninit(struct xf_frame_reader *r)
{
    free(r->body);
    r->body = NULL;
}

void
xf_frame_uninit(struct xf_frame *frame)
{
    json_destroy(frame->json);
    free(frame->data);
    memset(frame, 0, sizeof *frame);
}

static size_t
size_max(const struct xf_frame_reader *r)
{
    return (r->head[0] == XF_FRAME_JSON ? r->json_max
            : r->head[0] == XF_FRAME_DATA ? XF_FRAME_DATA_MAX
            : r->head[0] == XF_FRAME_ZEROS ? ZEROS_SIZE : 0);
}

/* The head is whole.  Returns NULL or a sentence. */
static char *
take_head(struct xf_frame_reader *r)
{
    size_t size = ((size_t) r->head[1] << 24 | r->head[2] << 16
                   | r->head[3] << 8 | r->head[4]);

    if (r->head[0] < XF_FRAME_JSON || r->head[0] > XF_FRAME_ZEROS) {
        return xasprintf("it sent a frame of unknown kind %u: is it another "
                         "version of xenflow-hostd?", r->head[0]);
    } else if (size > size_max(r)) {
        return xasprintf("it sent a frame of kind %u with %"PRIuSIZE" bytes, "
                         "of which %"PRIuSIZE" are allowed", r->head[0], size,
                         size_max(r));
    }
    r->size = size;
    r->n_body = 0;
    r->body = xmalloc(size + 1);
    return NULL;
}

/* Makes memory of zeros that are only counted.  Returns NULL or a sentence. */
static char *
take_zeros(const struct xf_frame_reader *r, struct xf_frame *frame)
{
    const uint8_t *p = r->body;
    size_t n = (r->size == ZEROS_SIZE
                ? (size_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3] : 0);

    if (!n || n > XF_FRAME_DATA_MAX) {
        return xasprintf("it sent %"PRIuSIZE" zeros at once, not 1 to %d", n,
                         XF_FRAME_DATA_MAX);
    }
    frame->kind = XF_FRAME_DATA;
    frame->data = xzalloc(n);
    frame->size = n;
    return NULL;
}

/* The body is whole.  Returns NULL and the frame, or a sentence. */
static char *
take_body(struct xf_frame_reader *r, struct xf_frame *frame)
{
    char *error = NULL;

    memset(frame, 0, sizeof *frame);
    frame->kind = r->head[0];
    if (frame->kind == XF_FRAME_JSON) {
        r->body[r->size] = '\0';
        frame->json = json_from_string((char *) r->body);
        if (frame->json->type != JSON_OBJECT) {
            error = xstrdup("it sent something else than a JSON object");
            json_destroy(frame->json);
            frame->json = NULL;
        }
        free(r->body);
    } else if (frame->kind == XF_FRAME_ZEROS) {
        error = take_zeros(r, frame);
        free(r->body);
    } else {
        frame->data = r->body;
        frame->size = r->size;
    }
    r->body = NULL;
    r->n_head = 0;
    return error;
}

char *
xf_frame_read(struct xf_frame_reader *r, const void *p_, size_t n,
              size_t *usedp, bool *wholep, struct xf_frame *frame)
{
    const uint8_t *p = p_;
    size_t head = MIN(n, XF_FRAME_HEAD_SIZE - r->n_head);
    size_t body;

    *wholep = false;
    memcpy(r->head + r->n_head, p, head);
    r->n_head += head;
    *usedp = head;
    if (r->n_head < XF_FRAME_HEAD_SIZE) {
        return NULL;
    }
    if (!r->body) {
        char *error = take_head(r);

        if (error) {
            return error;
        }
    }
    body = MIN(n - head, r->size - r->n_body);
    memcpy(r->body + r->n_body, p + head, body);
    r->n_body += body;
    *usedp += body;
    if (r->n_body < r->size) {
        return NULL;
    }

    char *error = take_body(r, frame);
    *wholep = !error;
    return error;
}

void
xf_frame_put(struct ds *ds, enum xf_frame_kind kind, const void *p,
             size_t size)
{
    const uint8_t head[XF_FRAME_HEAD_SIZE] = {
        kind, size >> 24, size >> 16, size >> 8, size,
    };

    ds_put_buffer(ds, (const char *) head, sizeof head);
    ds_put_buffer(ds, p, size);
}

/* Bytes from 'p' on that are alike, all zero or not, by whole blocks. */
static size_t
find_run(const uint8_t *p, size_t size, bool *zeros)
{
    size_t n = MIN(size, BLOCK_SIZE);

    *zeros = is_all_zeros(p, n);
    while (n < size && n < XF_FRAME_DATA_MAX
           && is_all_zeros(p + n, MIN(size - n, BLOCK_SIZE)) == *zeros) {
        n += MIN(size - n, BLOCK_SIZE);
    }
    return n;
}

void
xf_frame_put_memory(struct ds *ds, const void *p_, size_t size)
{
    const uint8_t *p = p_;

    while (size) {
        bool zeros;
        size_t n = find_run(p, size, &zeros);

        if (zeros) {
            const uint8_t count[ZEROS_SIZE] = { n >> 24, n >> 16, n >> 8, n };

            xf_frame_put(ds, XF_FRAME_ZEROS, count, sizeof count);
        } else {
            xf_frame_put(ds, XF_FRAME_DATA, p, n);
        }
        p += n;
        size -= n;
    }
}

void
xf_frame_put_json(struct ds *ds, const struct json *json)
{
    char *text = json_to_string(json, JSSF_SORT);

    xf_frame_put(ds, XF_FRAME_JSON, text, strlen(text));
    free(text);
}
