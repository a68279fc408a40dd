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
#include "fuzz.h"

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "xenflow/frame.h"

/* Frames of another xenflow-hostd.
 *
 * The bytes are read in pieces (the first byte says how long they are), by a
 * reader that trusts its peer or not (its highest bit).  What is whole is
 * written again, and gives the same when it's read at once; nothing is taken
 * that is above a limit.  Memory gives the same in however many frames. */

#define TRUSTED 0x80

/* Memory that is written as such gives the same. */
static void
check_memory(const struct xf_frame *frame)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct xf_frame_reader r;
    size_t ofs = 0, n_read = 0;

    xf_frame_put_memory(&ds, frame->data, frame->size);
    xf_frame_reader_init(&r);
    while (ofs < ds.length) {
        struct xf_frame piece;
        size_t used;
        bool whole;
        char *error = xf_frame_read(&r, ds.string + ofs, ds.length - ofs,
                                    &used, &whole, &piece);

        FUZZ_CHECK(!error && whole && piece.kind == XF_FRAME_DATA);
        FUZZ_CHECK(n_read + piece.size <= frame->size
                   && !memcmp(frame->data + n_read, piece.data, piece.size));
        ofs += used;
        n_read += piece.size;
        xf_frame_uninit(&piece);
    }
    FUZZ_CHECK(n_read == frame->size);
    xf_frame_reader_uninit(&r);
    ds_destroy(&ds);
}

/* A frame gives the same again. */
static void
check_again(const struct xf_frame *frame)
{
    struct xf_frame_reader r;
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct xf_frame again;
    size_t used;
    bool whole;
    char *error;

    if (frame->kind == XF_FRAME_JSON) {
        FUZZ_CHECK(frame->json && frame->json->type == JSON_OBJECT);
        xf_frame_put_json(&ds, frame->json);
    } else {
        FUZZ_CHECK(frame->size <= XF_FRAME_DATA_MAX);
        FUZZ_CHECK(frame->kind == XF_FRAME_DATA || !frame->size);
        check_memory(frame);
        xf_frame_put(&ds, frame->kind, frame->data, frame->size);
    }
    xf_frame_reader_init(&r);
    r.json_max = XF_FRAME_JSON_MAX;
    error = xf_frame_read(&r, ds.string, ds.length, &used, &whole, &again);
    FUZZ_CHECK(!error && whole && used == ds.length);
    FUZZ_CHECK(again.kind == frame->kind && again.size == frame->size);
    FUZZ_CHECK(!frame->json == !again.json);
    FUZZ_CHECK(!frame->size || !memcmp(frame->data, again.data, again.size));
    xf_frame_uninit(&again);
    xf_frame_reader_uninit(&r);
    ds_destroy(&ds);
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t first = fuzz_u8(&in);
    size_t piece = (first & ~TRUSTED) + 1;
    struct xf_frame_reader r;
    char *error = NULL;

    xf_frame_reader_init(&r);
    if (first & TRUSTED) {
        r.json_max = XF_FRAME_JSON_MAX;
    }
    while (in.size && !error) {
        size_t n = MIN(piece, in.size), used;
        struct xf_frame frame;
        bool whole;

        error = xf_frame_read(&r, in.data, n, &used, &whole, &frame);
        FUZZ_CHECK(used <= n && (error || used || !n));
        FUZZ_CHECK(!whole || !error);
        if (!error && whole) {
            check_again(&frame);
            xf_frame_uninit(&frame);
        }
        in.data += used;
        in.size -= used;
    }
    free(error);
    xf_frame_reader_uninit(&r);
    return 0;
}
