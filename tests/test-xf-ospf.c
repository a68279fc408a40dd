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
#undef NDEBUG

#include "xf-utilities/xenflow-ospf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* What is understood of the text on standard input, and the metric at each
 * address given:
 *
 *   test-xf-ospf [ADDRESS...] */

static int
compare_links(const void *a_, const void *b_)
{
    const struct xf_ospf_link *a = a_, *b = b_;
    uint32_t ra = ntohl(a->router), rb = ntohl(b->router);
    uint32_t ia = ntohl(a->address), ib = ntohl(b->address);

    return ra != rb ? (ra < rb ? -1 : 1) : ia < ib ? -1 : ia > ib;
}

int
main(int argc, char *argv[])
{
    struct ds text = DS_EMPTY_INITIALIZER;
    struct xf_ospf ospf;
    char *error;
    int c;

    set_program_name(argv[0]);
    while ((c = getchar()) != EOF) {
        ds_put_char(&text, c);
    }
    error = xf_ospf_parse(ds_cstr(&text), &ospf);
    ds_destroy(&text);
    if (error) {
        puts(error);
        free(error);
        return 1;
    }
    printf("router "IP_FMT"\n", IP_ARGS(ospf.router));
    for (int i = 1; i < argc; i++) {
        ovs_be32 ip;

        ovs_assert(ip_parse(argv[i], &ip));
        printf("%s: %u\n", argv[i], xf_ospf_metric(&ospf, ip));
    }
    /* They come in the order of a hash. */
    if (ospf.n) {
        qsort(ospf.links, ospf.n, sizeof *ospf.links, compare_links);
    }
    for (size_t i = 0; i < ospf.n; i++) {
        const struct xf_ospf_link *link = &ospf.links[i];

        printf(IP_FMT" "IP_FMT" %s "IP_FMT" %"PRIu16"\n",
               IP_ARGS(link->router), IP_ARGS(link->address),
               link->kind == XF_OSPF_TRANSIT ? "in" : "to",
               IP_ARGS(link->peer), link->metric);
    }
    xf_ospf_destroy(&ospf);
    return 0;
}
