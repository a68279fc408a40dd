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

#include "core/link-probe.h"
#include "engine/engine-private.h"
#include "engine/link-private.h"
#include "svec.h"

/* Probes of links, as frames come, and the lines of the file of links: what is
 * understood is written and read back as the same. */

static void
try_probe(const uint8_t *data, size_t size)
{
    const struct eth_addr src = { .ea = { 2, 0, 0, 0, 0, 1 } };
    uint8_t frame[XF_PROBE_FRAME_SIZE];
    struct xf_probe probe, again;

    if (xf_probe_parse(data, size, &probe)) {
        xf_probe_compose(&probe, src, frame);
        FUZZ_CHECK(xf_probe_parse(frame + 14, sizeof frame - 14, &again));
        FUZZ_CHECK(!memcmp(&probe, &again, sizeof probe));
    }
}

static char *
parse_line(const char *line, struct xf_hop *hop)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;

    svec_parse_words(&words, line);
    char *error = xf_hop_parse(hop, words.n, (const char **) words.names);
    svec_destroy(&words);
    return error;
}

static void
try_line(const uint8_t *data, size_t size)
{
    char *line = xmemdup0((const char *) data, size);
    struct xf_hop hop, again;
    char *error = parse_line(line, &hop);

    if (!error) {
        struct ds ds = DS_EMPTY_INITIALIZER;
        struct ds ds2 = DS_EMPTY_INITIALIZER;

        xf_hop_put(&hop, &ds);
        error = parse_line(ds_cstr(&ds), &again);
        FUZZ_CHECK(!error);
        xf_hop_put(&again, &ds2);
        FUZZ_CHECK(!strcmp(ds_cstr(&ds), ds_cstr(&ds2)));
        ds_destroy(&ds);
        ds_destroy(&ds2);
    }
    free(error);
    free(line);
}

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_probe(data, size);
    if (size < 1024) {
        try_line(data, size);
    }
    return 0;
}
