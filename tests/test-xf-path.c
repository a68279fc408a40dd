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

#include "core/path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "random.h"
#include "util.h"

/* Ways through a network.
 *
 *   test-xf-path script                 standard input, see script_line()
 *   test-xf-path oracle SEED NETWORKS   random ones against all ways
 *   test-xf-path bench HOSTS            a mesh: time per way */

#define N_MAX 64

static const char *const states[] = { "up", "down", "off" };

/* A network, twice: as the code has it, and as the oracle looks at it. */
struct net {
    struct xf_path_graph *graph;
    char *hosts[N_MAX];
    int host_states[N_MAX];
    size_t n_hosts;
    struct xf_path_cable cables[N_MAX];
    uint64_t used[N_MAX];
    size_t n_cables;
};

static void
net_init(struct net *net)
{
    memset(net, 0, sizeof *net);
    net->graph = xf_path_graph_create();
}

static void
net_destroy(struct net *net)
{
    for (size_t i = 0; i < net->n_hosts; i++) {
        free(net->hosts[i]);
    }
    for (size_t i = 0; i < net->n_cables; i++) {
        free(CONST_CAST(char *, net->cables[i].name));
    }
    xf_path_graph_destroy(net->graph);
}

static const char *
trouble(int state)
{
    return state == XF_PATH_UP ? NULL : state == XF_PATH_DOWN ? "is down"
           : "is disabled";
}

static void
add_host(struct net *net, const char *name, int state)
{
    size_t number;

    ovs_assert(net->n_hosts < N_MAX);
    ovs_assert(!xf_path_add_host(net->graph, name, state, trouble(state),
                                 &number));
    ovs_assert(number == net->n_hosts);
    net->host_states[net->n_hosts] = state;
    net->hosts[net->n_hosts++] = xstrdup(name);
}

/* Takes ownership of cable->name. */
static void
add_cable(struct net *net, struct xf_path_cable *cable)
{
    size_t number;

    ovs_assert(net->n_cables < N_MAX);
    cable->trouble = trouble(cable->state);
    ovs_assert(!xf_path_add_cable(net->graph, cable, &number));
    ovs_assert(number == net->n_cables);
    net->cables[net->n_cables++] = *cable;
}

static void
reserve(struct net *net, const struct xf_path *path, uint64_t bps)
{
    for (size_t i = 0; i < path->n; i++) {
        xf_path_reserve(net->graph, path->cables[i], bps);
        net->used[path->cables[i]] += bps;
    }
}

static char *
path_text(const struct net *net, const struct xf_path *path)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&ds, net->hosts[path->hosts[0]]);
    for (size_t i = 0; i < path->n; i++) {
        ds_put_format(&ds, " %s %s", net->cables[path->cables[i]].name,
                      net->hosts[path->hosts[i + 1]]);
    }
    return ds_steal_cstr(&ds);
}

/* ---- script ---- */

static size_t
index_of(char *const names[], size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(names[i], name)) {
            return i;
        }
    }
    ovs_fatal(0, "there is no '%s'", name);
}

static int
state_of(const char *name)
{
    for (int i = 0; i < ARRAY_SIZE(states); i++) {
        if (name && !strcmp(states[i], name)) {
            return i;
        }
    }
    return XF_PATH_UP;
}

static size_t
cable_of(const struct net *net, const char *name)
{
    for (size_t i = 0; i < net->n_cables; i++) {
        if (!strcmp(net->cables[i].name, name)) {
            return i;
        }
    }
    ovs_fatal(0, "there is no '%s'", name);
}

/* Prints the way or the sentence; with 'keep' sets its bandwidth aside. */
static void
print_way(struct net *net, char *error, struct xf_path *path, uint64_t keep)
{
    char *text = error ? error : path_text(net, path);

    printf("  %s\n", text);
    if (!error) {
        reserve(net, path, keep);
        xf_path_destroy(path);
    }
    free(text);
}

static void
script_find(struct net *net, char *words[], int n, bool keep)
{
    struct xf_path_want want = {
        .from = index_of(net->hosts, net->n_hosts, words[1]),
        .to = index_of(net->hosts, net->n_hosts, words[2]),
        .by_latency = !strcmp(words[3], "latency"),
        .also_down = n > 5 && !strcmp(words[5], "also-down"),
        .mtu = n > 5 ? atoi(words[5]) : 0,
        .bandwidth_bps = n > 4 ? atoi(words[4]) : 0,
    };
    struct xf_path path;
    char *error = xf_path_find(net->graph, &want, &path);

    print_way(net, error, &path, keep ? want.bandwidth_bps : 0);
}

static void
script_pinned(struct net *net, char *words[], int n)
{
    struct xf_path_want want = {
        .from = index_of(net->hosts, net->n_hosts, words[1]),
        .to = index_of(net->hosts, net->n_hosts, words[2]),
        .bandwidth_bps = atoi(words[3]),
    };
    size_t pinned[N_MAX];
    struct xf_path path;
    bool leads;

    for (int i = 4; i < n; i++) {
        pinned[i - 4] = cable_of(net, words[i]);
    }
    char *error = xf_path_pinned(net->graph, &want, pinned, n - 4, &leads,
                                 &path);
    printf("%s", leads ? "" : "  leads elsewhere:");
    print_way(net, error, &path, 0);
}

/* host NAME [STATE]
 * cable NAME HOST HOST LATENCY BANDWIDTH [STATE [MTU]]
 * find|keep HOST HOST hops|latency [BANDWIDTH [also-down|MTU]]
 * pinned HOST HOST BANDWIDTH CABLE... */
static void
script_line(struct net *net, char *words[], int n)
{
    if (!strcmp(words[0], "host")) {
        add_host(net, words[1], state_of(words[2]));
    } else if (!strcmp(words[0], "cable")) {
        struct xf_path_cable cable = {
            .name = xstrdup(words[1]),
            .hosts = { index_of(net->hosts, net->n_hosts, words[2]),
                       index_of(net->hosts, net->n_hosts, words[3]) },
            .latency_us = atoi(words[4]),
            .bandwidth_bps = atoi(words[5]),
            .state = state_of(words[6]),
            .mtu = words[6] && words[7] ? atoi(words[7]) : 0,
        };
        add_cable(net, &cable);
    } else if (!strcmp(words[0], "pinned")) {
        script_pinned(net, words, n);
    } else {
        script_find(net, words, n, !strcmp(words[0], "keep"));
    }
}

static void
test_script(int argc OVS_UNUSED, char *argv[] OVS_UNUSED)
{
    char line[1024];
    struct net net;

    net_init(&net);
    while (fgets(line, sizeof line, stdin)) {
        char *words[N_MAX] = { NULL };
        char *save = NULL;
        int n = 0;

        if (strncmp(line, "host", 4) && strncmp(line, "cable", 5)) {
            printf("%s", line);
        }
        for (char *word = strtok_r(line, " \n", &save); word && n < N_MAX - 1;
             word = strtok_r(NULL, " \n", &save)) {
            words[n++] = word;
        }
        if (n) {
            script_line(&net, words, n);
        }
    }
    net_destroy(&net);
}

/* ---- oracle ---- */

/* All ways without a loop, one after the other; keeps the best. */
struct search {
    const struct net *net;
    const struct xf_path_want *want;
    bool seen[N_MAX];
    size_t cables[N_MAX], n;
    bool found;
    size_t best[N_MAX], n_best;
    uint64_t best_length;
};

static bool
oracle_usable(const struct search *s, int state)
{
    return !state || (state == XF_PATH_DOWN && s->want->also_down);
}

/* The sum of latencies or metrics, whichever is wanted. */
static uint64_t
length_of(const struct search *s)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < s->n; i++) {
        const struct xf_path_cable *cable = &s->net->cables[s->cables[i]];

        sum += s->want->by_latency ? cable->latency_us : cable->metric;
    }
    return sum;
}

/* Whether the way of now is better than the best. */
static bool
is_better(const struct search *s)
{
    uint64_t length = length_of(s);

    if (!s->found) {
        return true;
    } else if ((s->want->by_latency || s->want->by_metric)
               && length != s->best_length) {
        return length < s->best_length;
    } else if (s->n != s->n_best) {
        return s->n < s->n_best;
    }
    for (size_t i = 0; i < s->n; i++) {
        int order = strcmp(s->net->cables[s->cables[i]].name,
                           s->net->cables[s->best[i]].name);
        if (order) {
            return order < 0;
        }
    }
    return false;
}

static void
search(struct search *s, size_t host)
{
    if (s->seen[host] || !oracle_usable(s, s->net->host_states[host])) {
        return;
    } else if (host == s->want->to) {
        if (is_better(s)) {
            s->found = true;
            memcpy(s->best, s->cables, sizeof s->best);
            s->n_best = s->n;
            s->best_length = length_of(s);
        }
        return;
    }
    s->seen[host] = true;
    for (size_t i = 0; i < s->net->n_cables; i++) {
        const struct xf_path_cable *c = &s->net->cables[i];
        uint64_t free_bps = (c->bandwidth_bps > s->net->used[i]
                             ? c->bandwidth_bps - s->net->used[i] : 0);

        if ((c->hosts[0] == host || c->hosts[1] == host)
            && oracle_usable(s, c->state)
            && free_bps >= s->want->bandwidth_bps) {
            s->cables[s->n++] = i;
            search(s, c->hosts[c->hosts[0] == host]);
            s->n--;
        }
    }
    s->seen[host] = false;
}

static void
random_net(struct net *net)
{
    size_t n_hosts = 2 + random_range(6), n_cables = random_range(12);

    net_init(net);
    for (size_t i = 0; i < n_hosts; i++) {
        char name[8];

        snprintf(name, sizeof name, "h%"PRIuSIZE, i);
        add_host(net, name, random_range(10) ? XF_PATH_UP
                 : 1 + random_range(2));
    }
    for (size_t i = 0; i < n_cables; i++) {
        struct xf_path_cable cable = {
            /* In no order. */
            .name = xasprintf("t%"PRIuSIZE, (i * 7 + 3) % 13),
            .hosts[0] = random_range(n_hosts),
            .latency_us = random_range(4),
            .metric = 1 + random_range(4),
            .bandwidth_bps = random_range(3) * 10,
            .state = random_range(8) ? XF_PATH_UP : 1 + random_range(2),
        };
        cable.hosts[1] = (cable.hosts[0] + 1 + random_range(n_hosts - 1))
                         % n_hosts;
        add_cable(net, &cable);
    }
}

/* Asks one question of both. */
static void
ask(struct net *net, bool *found)
{
    int order = random_range(3);
    struct xf_path_want want = {
        .from = random_range(net->n_hosts),
        .to = random_range(net->n_hosts),
        .by_latency = order == 1,
        .by_metric = order == 2,
        .also_down = !random_range(4),
        .bandwidth_bps = random_range(3) * 4,
    };
    struct search s = { .net = net, .want = &want };
    struct xf_path path, again;
    char *error = xf_path_find(net->graph, &want, &path);
    bool leads;

    search(&s, want.from);
    ovs_assert(s.found == !error);
    *found = s.found;
    if (error) {
        ovs_assert(error[0]);
        free(error);
        return;
    }
    ovs_assert(path.n == s.n_best);
    ovs_assert(!memcmp(path.cables, s.best, path.n * sizeof *path.cables));
    ovs_assert(path.hosts[path.n] == want.to);

    /* The same way, pinned, is right; without its last cable it isn't. */
    error = xf_path_pinned(net->graph, &want, path.cables, path.n, &leads,
                           &again);
    ovs_assert(!error && leads && again.n == path.n);
    xf_path_destroy(&again);
    if (path.n) {
        error = xf_path_pinned(net->graph, &want, path.cables, path.n - 1,
                               &leads, &again);
        ovs_assert(error && !leads);
        free(error);
    }
    reserve(net, &path, want.bandwidth_bps);
    if (!random_range(3)) {
        for (size_t i = 0; i < path.n; i++) {
            xf_path_release(net->graph, path.cables[i], want.bandwidth_bps);
            net->used[path.cables[i]] -= want.bandwidth_bps;
            ovs_assert(xf_path_reserved(net->graph, path.cables[i])
                       == net->used[path.cables[i]]);
        }
    }
    xf_path_destroy(&path);
}

static void
test_oracle(int argc OVS_UNUSED, char *argv[])
{
    int n_found = 0, n_none = 0;

    random_set_seed(atoi(argv[0]));
    for (int i = 0; i < atoi(argv[1]); i++) {
        struct net net;

        random_net(&net);
        for (int j = 0; j < 8; j++) {
            bool found;

            ask(&net, &found);
            n_found += found;
            n_none += !found;
        }
        net_destroy(&net);
    }
    fprintf(stderr, "%d ways, %d times none\n", n_found, n_none);
    ovs_assert(n_found && n_none);
    printf("seed %s: ok\n", argv[0]);
}

/* ---- bench ---- */

/* A grid of about N hosts, from corner to corner. */
static void
test_bench(int argc OVS_UNUSED, char *argv[])
{
    struct xf_path_graph *g = xf_path_graph_create();
    size_t side = 1, number;

    while ((side + 1) * (side + 1) <= atoi(argv[0])) {
        side++;
    }
    for (size_t i = 0; i < side * side; i++) {
        ovs_assert(!xf_path_add_host(g, "h", XF_PATH_UP, NULL, &number));
    }
    for (size_t i = 0; i < side * side; i++) {
        for (int down = 0; down < 2; down++) {
            char *name = xasprintf("t%"PRIuSIZE"-%d", i, down);
            struct xf_path_cable cable = {
                .name = name, .hosts = { i, i + (down ? side : 1) },
                .latency_us = i % 7,
            };

            if (down ? i / side + 1 < side : i % side + 1 < side) {
                ovs_assert(!xf_path_add_cable(g, &cable, &number));
            }
            free(name);
        }
    }
    for (int by_latency = 0; by_latency < 2; by_latency++) {
        struct xf_path_want want = { .to = side * side - 1,
                                     .by_latency = by_latency };
        struct xf_path path;

        ovs_assert(!xf_path_find(g, &want, &path));
        printf("%"PRIuSIZE" cables\n", path.n);
        xf_path_destroy(&path);
    }
    xf_path_graph_destroy(g);
}

static const struct {
    const char *name;
    int min_args;
    void (*run)(int argc, char *argv[]);
} subcommands[] = {
    { "script", 0, test_script },
    { "oracle", 2, test_oracle },
    { "bench", 1, test_bench },
};

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(subcommands); i++) {
        if (!strcmp(argv[1], subcommands[i].name)
            && argc - 2 >= subcommands[i].min_args) {
            subcommands[i].run(argc - 2, argv + 2);
            return 0;
        }
    }
    ovs_fatal(0, "see the head of test-xf-path.c for usage");
}
