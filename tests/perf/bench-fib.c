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

#include "bench-fib.h"

#include <errno.h>
#include <getopt.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/fib.h"
#include "util.h"

/* Measures the longest-prefix match beside DPDK's libraries in one run: the
 * same routes, added one by one in the same order; the same destinations, in
 * batches of 32; round by round in turn, so that disturbances hit all.  Times
 * are of the thread's CPU. */

#define N_DST 200000            /* A multiple of BATCH. */
#define N_ROUNDS 5
#define MAX_TABLES 3

struct result {
    bool done;
    double lookup_ns;
    double add_ns;              /* Per route, from empty to full. */
    double default_us, slash8_us; /* Replace of the value. */
    double bytes, trie_bytes;   /* Per route. */
};

static bool show_table;
static uint32_t seed = 1;

static uint64_t
now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec * UINT64_C(1000000000) + ts.tv_nsec;
}

static int
compare_doubles(const void *a_, const void *b_)
{
    const double *a = a_, *b = b_;

    return *a < *b ? -1 : *a > *b;
}

static double
median(double samples[N_ROUNDS])
{
    qsort(samples, N_ROUNDS, sizeof *samples, compare_doubles);
    return samples[N_ROUNDS / 2];
}

/* The time of one lookup in a round of at least 20 ms. */
static double
lookup_round(const struct table *table, const struct dsts *dsts,
             uint64_t *sum)
{
    uint64_t begin = now_ns();
    uint64_t end;
    size_t n = 0;

    do {
        *sum = table->lookup(dsts);
        n += dsts->n;
        end = now_ns();
    } while (end - begin < 20 * 1000 * 1000);
    return (end - begin) / (double) n;
}

/* The time to give 'route' another value, in microseconds. */
static double
replace_us(const struct table *table, struct route route)
{
    double samples[N_ROUNDS];

    if (!table->add(&route)) {
        return -1;
    }
    for (int i = 0; i < N_ROUNDS; i++) {
        uint64_t begin = now_ns();

        route.value++;
        if (!table->add(&route)) {
            return -1;
        }
        samples[i] = (now_ns() - begin) / 1e3;
    }
    return median(samples);
}

/* Opens 'table' and fills it. */
static bool
fill(const struct table *table, bool is_v4, const struct route routes[],
     size_t n, struct result *result)
{
    size_t n_bytes, n_trie_bytes;

    if (!table->open(is_v4, n + 16)) {
        fprintf(stderr, "%s: no room for %"PRIuSIZE" routes\n", table->name,
                n);
        return false;
    }

    uint64_t begin = now_ns();
    for (size_t i = 0; i < n; i++) {
        if (!table->add(&routes[i])) {
            fprintf(stderr, "%s: refuses route %"PRIuSIZE" of %"PRIuSIZE"\n",
                    table->name, i, n);
            table->close();
            return false;
        }
    }
    result->add_ns = (now_ns() - begin) / (double) n;
    table->usage(&n_bytes, &n_trie_bytes);
    result->bytes = n_bytes / (double) n;
    result->trie_bytes = n_trie_bytes / (double) n;
    return true;
}

/* Compares 'tables' (NULL ends) with 'n' routes.  All must answer alike. */
static void
measure(const struct table *const tables[], bool is_v4, size_t n,
        struct result results[])
{
    struct route *routes = make_routes(is_v4, n, seed);
    double samples[MAX_TABLES][N_ROUNDS];
    const struct table *first = NULL;
    uint64_t first_sum = 0;
    struct dsts dsts;

    make_dsts(&dsts, routes, n, N_DST, is_v4);
    for (size_t i = 0; tables[i]; i++) {
        results[i].done = ((is_v4 ? tables[i]->has_v4 : tables[i]->has_v6)
                           && fill(tables[i], is_v4, routes, n, &results[i]));
    }
    for (int round = -1; round < N_ROUNDS; round++) {
        for (size_t i = 0; tables[i]; i++) {
            uint64_t sum;

            if (results[i].done) {
                /* The first round warms up. */
                samples[i][MAX(round, 0)] = lookup_round(tables[i], &dsts,
                                                         &sum);
                first_sum = first ? first_sum : sum;
                first = first ? first : tables[i];
                if (sum != first_sum) {
                    ovs_fatal(0, "%s and %s don't agree", first->name,
                              tables[i]->name);
                }
            }
        }
    }
    for (size_t i = 0; tables[i]; i++) {
        struct route route = { .len = 0, .value = 1 << 22 };

        if (results[i].done) {
            results[i].lookup_ns = median(samples[i]);
            route.addr = xf_key_to_addr((struct xf_key) { 0, 0 }, is_v4);
            results[i].default_us = replace_us(tables[i], route);
            route.addr = xf_key_to_addr(
                (struct xf_key) { UINT64_C(0x2a) << 56, 0 }, is_v4);
            route.len = 8;
            results[i].slash8_us = replace_us(tables[i], route);
            tables[i]->close();
        }
    }
    free(dsts.v4);
    free(dsts.v6);
    free(routes);
}

static void
print_row(const char *name, bool is_v4, size_t n, const struct result *r)
{
    if (show_table) {
        printf("%-8s %s %8"PRIuSIZE" %8.1f %10.1f %8.1f %10.3f %10.1f "
               "%10.1f\n", name, is_v4 ? "IPv4" : "IPv6", n, r->lookup_ns,
               r->bytes, r->trie_bytes, 1e3 / r->add_ns, r->default_us,
               r->slash8_us);
    } else {
        printf("{\"table\": \"%s\", \"family\": %d, \"routes\": %"PRIuSIZE", "
               "\"lookup_ns\": %.2f, \"bytes_per_route\": %.1f, "
               "\"trie_bytes_per_route\": %.1f, \"adds_per_s\": %.0f, "
               "\"replace_default_us\": %.1f, \"replace_slash8_us\": %.1f}",
               name, is_v4 ? 4 : 6, n, r->lookup_ns, r->bytes, r->trie_bytes,
               1e9 / r->add_ns, r->default_us, r->slash8_us);
    }
    fflush(stdout);
}

/* Ends the program unless 's' is a number of routes that tables can hold. */
static size_t
parse_size(const char *s)
{
    int n;

    if (!str_to_int(s, 10, &n) || n < 1 || n > 4000000) {
        ovs_fatal(0, "%s: not a number of routes from 1 to 4000000", s);
    }
    return n;
}

static void
measure_sizes(const struct table *const tables[], bool is_v4, char *sizes,
              bool *any)
{
    char *save = NULL;

    for (char *s = strtok_r(sizes, ",", &save); s;
         s = strtok_r(NULL, ",", &save)) {
        struct result results[MAX_TABLES];
        size_t n = parse_size(s);

        memset(results, 0, sizeof results);
        measure(tables, is_v4, n, results);
        for (size_t i = 0; tables[i]; i++) {
            if (results[i].done) {
                printf("%s", show_table ? "" : *any ? ",\n " : "[");
                print_row(tables[i]->name, is_v4, n, &results[i]);
                *any = true;
            }
        }
    }
}

static void
start_dpdk(char *program, bool huge, const char *core)
{
    char *argv[] = {
        program, "-l", xstrdup(core), "--no-pci", "--no-telemetry",
        "--no-shconf", "--log-level=4", "--force-max-simd-bitwidth=512",
        huge ? "--in-memory" : "--no-huge", huge ? NULL : "-m", "3072", NULL
    };
    int n = huge ? 9 : 11;      /* Huge pages come as they are needed. */

    if (rte_eal_init(n, argv) < 0) {
        ovs_fatal(0, "DPDK doesn't start%s",
                  huge ? ": are huge pages reserved?" : "");
    }
}

static void
usage(void)
{
    printf("usage: %s [OPTIONS]\n"
           "  --table          a table for people, not JSON\n"
           "  --v4=N[,N]..     routes of IPv4 (\"\": none)\n"
           "  --v6=N[,N]..     routes of IPv6 (\"\": none)\n"
           "  --seed=N         of routes and destinations\n"
           "  --huge           the peers in huge pages too\n"
           "  --without-lpm    not rte_lpm, which takes long to fill\n"
           "  --core=N         core to run on\n"
           "  --way=N          ours: Nth best code for this CPU (0: best)\n",
           program_name);
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {
        { "table", no_argument, NULL, 't' },
        { "v4", required_argument, NULL, '4' },
        { "v6", required_argument, NULL, '6' },
        { "seed", required_argument, NULL, 's' },
        { "huge", no_argument, NULL, 'H' },
        { "without-lpm", no_argument, NULL, 'L' },
        { "core", required_argument, NULL, 'c' },
        { "way", required_argument, NULL, 'w' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const struct table *tables[] = { &xf_table, &fib_table, &lpm_table, NULL };
    const char *sizes4 = "1,10,1000,10000,100000,1050000";
    const char *sizes6 = "200000";
    const char *core = "0";
    bool huge = false;
    bool any = false;
    int c;

    set_program_name(argv[0]);
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (c) {
        case 't': show_table = true; break;
        case '4': sizes4 = optarg; break;
        case '6': sizes6 = optarg; break;
        case 's': seed = atoi(optarg); break;
        case 'H': huge = true; break;
        case 'L': tables[2] = NULL; break;
        case 'c': core = optarg; break;
        case 'w': xf_way = atoi(optarg); break;
        default: usage(); return c == 'h' ? 0 : 1;
        }
    }
    start_dpdk(argv[0], huge, core);
    if (show_table) {
        printf("%-8s %s %8s %8s %10s %8s %10s %10s %10s\n", "table", "    ",
               "routes", "ns", "bytes/rt", "+trie", "Madds/s", "us, /0",
               "us, /8");
    }
    measure_sizes(tables, true, xstrdup(sizes4), &any);
    measure_sizes(tables, false, xstrdup(sizes6), &any);
    printf("%s", show_table ? "" : any ? "]\n" : "[]\n");
    return 0;
}
