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

#include "packets.h"
#include "xf-utilities/xenflow-ospf.h"

/* The answer of somebody who says that he is ospfd: what is understood is
 * within bounds, and each of its links can be asked for. */

FUZZ_INITIALIZE

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xmemdup0((const char *) data, size);
    struct xf_ospf ospf;
    char *error = xf_ospf_parse(text, &ospf);

    FUZZ_CHECK(ospf.n <= XF_OSPF_LINKS_MAX);
    if (error) {
        FUZZ_CHECK(error[0] && !ospf.n && !ospf.links);
        for (const char *c = error; *c; c++) {
            FUZZ_CHECK(*c >= ' ' && *c <= '~');
        }
    }
    for (size_t i = 0; i < ospf.n; i++) {
        unsigned int metric = xf_ospf_metric(&ospf, ospf.links[i].address);

        FUZZ_CHECK(metric <= XF_OSPF_METRIC_MAX);
    }
    xf_ospf_destroy(&ospf);
    free(error);
    free(text);
    return 0;
}
