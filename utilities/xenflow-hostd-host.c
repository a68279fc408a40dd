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

/* This machine: what it has and does (Host_State), what happened (Event), where
 * machines go, and its power.
 *
 * Cost: one transaction per keep-alive period, whatever there is to say. */

#include <config.h>

#include "xenflow-hostd.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "smap.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-hostd-measure.h"

VLOG_DEFINE_THIS_MODULE(xf_join_host);

#define PERIOD_MIN_MS 1000
#define PERIOD_MAX_MS 3600000
#define PERIOD_MS 5000
#define EVENTS_MAX 100          /* Rows of one host. */

struct event {
    long long int time_ms;      /* Of the epoch. */
    const char *severity;
    char *object, *text;
};

struct join_host {
    long long int next_ms;      /* Keep-alive. */
    long long int started_ms;   /* Of the epoch. */
    struct measure_cpu cpu;     /* At the last keep-alive, */
    unsigned long long int switch_ms;   /* of the switch, */
    long long int measured_ms;          /* then. */
    struct event events[EVENTS_MAX];    /* Not written yet. */
    size_t n_events, n_sent;
    bool is_off;                /* Everything was stopped for power off. */
};

/* Percent of one CPU that the switch took since the last time. */
static double
switch_cpu(struct join_host *host, long long int now_ms)
{
    struct xf_domain_usage usage = { 0 };
    pid_t pid = join_switch_pid();
    unsigned long long int ms;
    double percent;

    if (pid > 0) {
        xf_process_usage(pid, &usage);
    }
    ms = usage.cpu_user_ms + usage.cpu_system_ms;
    percent = join_load_percent(ms, host->switch_ms,
                                now_ms - host->measured_ms);
    host->switch_ms = ms;
    host->measured_ms = now_ms;
    return percent;
}

void
join_host_monitor(struct ovsdb_idl *idl)
{
    ovsdb_idl_add_table(idl, &xfrec_table_host_state);
    for (size_t i = 0; i < XFREC_HOST_STATE_N_COLUMNS; i++) {
        ovsdb_idl_add_column(idl, &xfrec_host_state_columns[i]);
    }
    ovsdb_idl_add_table(idl, &xfrec_table_event);
    for (size_t i = 0; i < XFREC_EVENT_N_COLUMNS; i++) {
        ovsdb_idl_add_column(idl, &xfrec_event_columns[i]);
    }
}

struct join_host *
join_host_create(void)
{
    struct join_host *host = xzalloc(sizeof *host);

    host->started_ms = time_wall_msec();
    measure_cpu(&host->cpu);
    switch_cpu(host, time_msec());
    return host;
}

static void
drop_events(struct join_host *host, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(host->events[i].object);
        free(host->events[i].text);
    }
    host->n_events -= n;
    memmove(host->events, &host->events[n],
            host->n_events * sizeof *host->events);
}

void
join_host_destroy(struct join_host *host)
{
    drop_events(host, host->n_events);
    free(host);
}

/* ---- Events. ---- */

void
join_event(struct join *j, const char *severity, const char *object,
           const char *format, ...)
{
    struct join_host *host = j->host;
    struct event *event;
    va_list args;

    if (host->n_events == EVENTS_MAX) {
        if (host->n_sent) {
            return;             /* The oldest are under way. */
        }
        drop_events(host, 1);
    }
    event = &host->events[host->n_events++];
    event->time_ms = time_wall_msec();
    event->severity = severity;
    event->object = xstrdup(object);
    va_start(args, format);
    event->text = xvasprintf(format, args);
    va_end(args);
    VLOG_INFO("%s: %s", object, event->text);
}

static int
compare_events(const void *a_, const void *b_)
{
    const struct xfrec_event *const *a = a_, *const *b = b_;

    return (*a)->time_ms < (*b)->time_ms ? -1 : (*a)->time_ms > (*b)->time_ms;
}

/* Removes the oldest rows, so that 'n_new' more can be. */
static void
trim_events(struct join *j, size_t n_new)
{
    const struct xfrec_event **rows = NULL;
    const struct xfrec_event *row;
    size_t n = 0, allocated = 0;

    XFREC_EVENT_FOR_EACH (row, j->xf.idl) {
        if (n >= allocated) {
            rows = x2nrealloc(rows, &allocated, sizeof *rows);
        }
        rows[n++] = row;
    }
    if (n + n_new > EVENTS_MAX) {
        qsort(rows, n, sizeof *rows, compare_events);
        for (size_t i = 0; i < n + n_new - EVENTS_MAX && i < n; i++) {
            xfrec_event_delete(rows[i]);
        }
    }
    free(rows);
}

static void
write_events(struct join *j)
{
    struct join_host *host = j->host;

    if (!host->n_events) {
        return;
    }
    trim_events(j, host->n_events);
    for (size_t i = 0; i < host->n_events; i++) {
        const struct event *event = &host->events[i];
        struct xfrec_event *row = xfrec_event_insert(j->xf.txn);

        xfrec_event_set_host(row, j->name);
        xfrec_event_set_time_ms(row, event->time_ms);
        xfrec_event_set_severity(row, event->severity);
        xfrec_event_set_object(row, event->object);
        xfrec_event_set_text(row, event->text);
    }
    host->n_sent = host->n_events;
}

/* ---- Host_State. ---- */

static const struct xfrec_host_state *
find_state(const struct join *j)
{
    const struct xfrec_host_state *state;

    XFREC_HOST_STATE_FOR_EACH (state, j->xf.idl) {
        if (!strcmp(state->host, j->name)) {
            return state;
        }
    }
    return NULL;
}

/* The number that can be acknowledged now. */
static int64_t
settled_cfg(const struct join *j, const struct xfrec_host_state *state)
{
    const struct xfrec_xf_global *global = xfrec_xf_global_first(j->xf.idl);
    int64_t cfg = state ? state->cfg : 0;

    return global && global->cfg != cfg && join_is_settled(j) ? global->cfg
           : cfg;
}

static long long int
period_ms(const struct join *j)
{
    int period = smap_get_int(&j->me->other_config, "keep-alive", PERIOD_MS);

    return MIN(MAX(period, PERIOD_MIN_MS), PERIOD_MAX_MS);
}

bool
join_host_is_due(const struct join *j, long long int now_ms)
{
    const struct xfrec_host_state *state = find_state(j);

    return (now_ms >= j->host->next_ms || j->host->n_events
            || settled_cfg(j, state) != (state ? state->cfg : 0));
}

void
join_host_wait(const struct join *j)
{
    if (!j->xf.txn && ovsdb_idl_is_connected(j->xf.idl)) {
        poll_timer_wait_until(MAX(j->host->next_ms, j->xf.next_ms));
    }
}

/* What doesn't change. */
static void
write_machine(struct join *j, const struct xfrec_host_state *state)
{
    const char *capabilities[4];
    size_t n = 0;

    if (measure_has_program("qemu-system-x86_64")) {
        capabilities[n++] = "qemu";
    }
    if (!access("/dev/xen/privcmd", F_OK)) {
        capabilities[n++] = "xen";
    }
    if (j->settings.dummies) {
        capabilities[n++] = "dummy";
    }
    xfrec_host_state_set_capabilities(state, capabilities, n);
    xfrec_host_state_set_started_ms(state, j->host->started_ms);
    xfrec_host_state_set_version(state, VERSION);
    xfrec_host_state_set_cpus(state, measure_n_cpus());
}

static void
write_load(struct join *j, const struct xfrec_host_state *state,
           long long int now_ms)
{
    static const char *const keys[] = { "cpu-user", "cpu-system",
                                        "memory-used", "memory-free",
                                        "switch-cpu" };
    struct measure_memory memory;
    struct measure_cpu cpu;
    double values[ARRAY_SIZE(keys)];
    double total;

    measure_cpu(&cpu);
    measure_memory(&memory);
    total = MAX(1, cpu.total - j->host->cpu.total);
    values[0] = (cpu.user - j->host->cpu.user) * 100.0 / total;
    values[1] = (cpu.system - j->host->cpu.system) * 100.0 / total;
    values[2] = memory.total_mb - memory.free_mb;
    values[3] = memory.free_mb;
    values[4] = switch_cpu(j->host, now_ms);
    j->host->cpu = cpu;
    xfrec_host_state_set_memory(state, memory.total_mb);
    xfrec_host_state_set_load(state, CONST_CAST(const char **, keys), values,
                              ARRAY_SIZE(keys));
}

static void
write_nodes(const struct xfrec_host_state *state)
{
    struct measure_node nodes[MEASURE_NODES_MAX];
    int64_t keys[MEASURE_NODES_MAX];
    const char *values[MEASURE_NODES_MAX];
    size_t n = measure_nodes(nodes);

    for (size_t i = 0; i < n; i++) {
        keys[i] = nodes[i].id;
        values[i] = xasprintf("cpus=%s memory=%lld free=%lld", nodes[i].cpus,
                              nodes[i].memory.total_mb,
                              nodes[i].memory.free_mb);
    }
    xfrec_host_state_set_numa(state, keys, values, n);
    for (size_t i = 0; i < n; i++) {
        free(CONST_CAST(char *, values[i]));
    }
}

static void
write_ports(const struct xfrec_host_state *state)
{
    struct svec ports = SVEC_EMPTY_INITIALIZER;

    measure_ports(&ports);
    xfrec_host_state_set_ports(state, (const char **) ports.names,
                               ports.n);
    svec_destroy(&ports);
}

void
join_host_write(struct join *j, long long int now_ms)
{
    const struct xfrec_host_state *state = find_state(j);
    int64_t cfg = settled_cfg(j, state);
    bool is_due = !state || now_ms >= j->host->next_ms;

    if (!state) {
        struct xfrec_host_state *new = xfrec_host_state_insert(j->xf.txn);

        xfrec_host_state_set_host(new, j->name);
        state = new;
    }
    write_events(j);
    xfrec_host_state_set_cfg(state, cfg);
    xfrec_host_state_set_error(state, j->port_trouble ? j->port_trouble : "");
    join_probe_write(j, is_due);
    if (is_due) {
        j->host->next_ms = now_ms + period_ms(j);
        write_machine(j, state);
        write_load(j, state, now_ms);
        join_load_write(j, now_ms);
        write_nodes(state);
        write_ports(state);
        xfrec_host_state_set_period_ms(state, period_ms(j));
        xfrec_host_state_set_alive_ms(state, time_wall_msec());
    }
}

void
join_host_written(struct join *j, bool success)
{
    if (success) {
        drop_events(j->host, j->host->n_sent);
    } else {
        j->host->next_ms = 0;
    }
    j->host->n_sent = 0;
}

/* ---- Where machines go. ---- */

/* MB of memory that machines have on 'node' (-1: on all together). */
static long long int
assigned_mb(const struct join *j, int node)
{
    size_t n = xf_domains_count(j->domains);
    struct xf_domain **domains = xf_domains_sorted(j->domains);
    long long int sum = 0;

    for (size_t i = 0; i < n; i++) {
        const struct xf_domain_config *config =
            xf_domain_get_config(domains[i]);

        if (node < 0 || config->numa_node == node) {
            sum += config->memory_mb;
        }
    }
    free(domains);
    return sum;
}

/* The node with the most memory that isn't given away, of those on which the
 * machine has room; -1: it has on none. */
static int
choose_node(const struct join *j, const struct xf_domain_config *config,
            const struct measure_node *nodes, size_t n)
{
    long long int best_mb = -1;
    int best = -1;

    for (size_t i = 0; i < n; i++) {
        long long int left_mb = (nodes[i].memory.total_mb
                                 - assigned_mb(j, nodes[i].id));

        if (config->memory_mb <= nodes[i].memory.total_mb
            && config->n_vcpus <= nodes[i].n_cpus
            && (best < 0 || left_mb > best_mb)) {
            best = nodes[i].id;
            best_mb = left_mb;
        }
    }
    return best;
}

char *
join_host_place(const struct join *j, const char *router,
                const struct xf_domain_config *config, int *nodep)
{
    struct measure_node nodes[MEASURE_NODES_MAX];
    size_t n = measure_nodes(nodes);
    int node = choose_node(j, config, nodes, n);
    struct measure_memory memory;
    long long int threshold_mb;

    *nodep = n > 1 ? node : -1;
    measure_memory(&memory);
    threshold_mb = memory.total_mb / MAX(1, measure_n_cpus());
    if (config->memory_mb > memory.total_mb
        || config->n_vcpus > measure_n_cpus()) {
        return xasprintf("router %s: its machine (%u MB, %u vCPUs) is larger "
                         "than this host (%lld MB, %d CPUs)", router,
                         config->memory_mb, config->n_vcpus, memory.total_mb,
                         measure_n_cpus());
    } else if (n && node < 0) {
        return xasprintf("router %s: its machine (%u MB, %u vCPUs) is larger "
                         "than a NUMA node of this host: it will wait for "
                         "memory of other nodes", router, config->memory_mb,
                         config->n_vcpus);
    } else if (config->memory_mb > threshold_mb) {
        return xasprintf("router %s: its machine has more memory (%u MB) than "
                         "this host has per CPU (%lld MB): on hosts with a "
                         "NUMA node per CPU it waits for memory of others",
                         router, config->memory_mb, threshold_mb);
    } else if (assigned_mb(j, -1) + config->memory_mb > memory.total_mb) {
        return xasprintf("router %s: with its machine those of this host have "
                         "more memory (%lld MB) than there is (%lld MB)",
                         router, assigned_mb(j, -1) + config->memory_mb,
                         memory.total_mb);
    }
    return NULL;
}

/* ---- Power. ---- */

/* Runs a shell command that nobody waits for. */
static void
run_command(const char *command)
{
    pid_t pid = fork();

    if (!pid) {
        if (!fork()) {
            setsid();
            execl("/bin/sh", "sh", "-c", command, (char *) NULL);
        }
        _exit(0);
    } else if (pid > 0) {
        waitpid(pid, NULL, 0);
    } else {
        VLOG_ERR("'%s' can't be run (%s)", command, ovs_strerror(errno));
    }
}

void
join_host_power(struct join *j)
{
    if (strcmp(j->me->power, "off")) {
        j->host->is_off = false;
    } else if (!j->host->is_off && join_is_settled(j)) {
        char *object = xasprintf("host %s", j->name);

        j->host->is_off = true;
        join_event(j, "info", object, "its machines are stopped%s",
                   j->settings.power_off ? "; it switches itself off"
                   : "; xenflow-hostd has no --power-off-command, so it stays "
                     "on");
        free(object);
        if (j->settings.power_off) {
            run_command(j->settings.power_off);
        }
    }
}

void
join_host_wake(const char *mac)
{
    struct svec ports = SVEC_EMPTY_INITIALIZER;
    struct eth_addr ea;

    if (!eth_addr_from_string(mac, &ea)) {
        VLOG_WARN("'%s' isn't a MAC address: nobody is woken", mac);
        return;
    }
    measure_ports(&ports);
    for (size_t i = 0; i < ports.n; i++) {
        int error = measure_wake(ports.names[i], ea);

        VLOG_INFO("%s: frame to wake %s: %s", ports.names[i], mac,
                  error ? ovs_strerror(error) : "sent");
    }
    svec_destroy(&ports);
}
