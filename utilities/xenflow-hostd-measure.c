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

#include "xenflow-hostd-measure.h"

#include <ctype.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"
#include "svec.h"
#include "util.h"

#define NODES "/sys/devices/system/node"
#define WAKE_TYPE 0x0842        /* Ethernet type of Wake-on-LAN. */
#define WAKE_REPEATS 16

void
measure_cpu(struct measure_cpu *cpu)
{
    FILE *f = fopen("/proc/stat", "r");
    unsigned long long int v[8];

    memset(cpu, 0, sizeof *cpu);
    if (f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
                    &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 8) {
        /* user nice system idle iowait irq softirq steal */
        cpu->user = v[0] + v[1];
        cpu->system = v[2] + v[5] + v[6];
        for (size_t i = 0; i < ARRAY_SIZE(v); i++) {
            cpu->total += v[i];
        }
    }
    if (f) {
        fclose(f);
    }
}

int
measure_n_cpus(void)
{
    return MAX(0, sysconf(_SC_NPROCESSORS_ONLN));
}

/* Reads a file of lines "... NAME: KB kB". */
static void
read_meminfo(const char *path, const char *free_name,
             struct measure_memory *memory)
{
    FILE *f = fopen(path, "r");
    char line[256];

    memset(memory, 0, sizeof *memory);
    while (f && fgets(line, sizeof line, f)) {
        const char *total = strstr(line, "MemTotal:");
        const char *free = strstr(line, free_name);

        if (total) {
            memory->total_mb = atoll(total + strlen("MemTotal:")) / 1024;
        } else if (free) {
            memory->free_mb = atoll(free + strlen(free_name)) / 1024;
        }
    }
    if (f) {
        fclose(f);
    }
}

void
measure_memory(struct measure_memory *memory)
{
    read_meminfo("/proc/meminfo", "MemAvailable:", memory);
}

/* Number of CPUs in a list such as "0-3,8". */
static int
count_cpus(const char *list)
{
    int n = 0;

    while (isdigit((unsigned char) *list)) {
        char *end;
        long first = strtol(list, &end, 10);
        long last = *end == '-' ? strtol(end + 1, &end, 10) : first;

        n += MAX(0, last - first + 1);
        list = *end == ',' ? end + 1 : end;
    }
    return n;
}

size_t
measure_nodes(struct measure_node nodes[MEASURE_NODES_MAX])
{
    size_t n = 0;

    for (int id = 0; id < MEASURE_NODES_MAX; id++) {
        struct measure_node *node = &nodes[n];
        char path[sizeof NODES + 64];
        FILE *f;

        snprintf(path, sizeof path, NODES"/node%d/cpulist", id);
        f = fopen(path, "r");
        if (!f) {
            continue;
        }
        memset(node, 0, sizeof *node);
        node->id = id;
        if (fgets(node->cpus, sizeof node->cpus, f)) {
            node->cpus[strcspn(node->cpus, "\n")] = '\0';
        }
        fclose(f);
        node->n_cpus = count_cpus(node->cpus);
        snprintf(path, sizeof path, NODES"/node%d/meminfo", id);
        read_meminfo(path, "MemFree:", &node->memory);
        n++;
    }
    return n;
}

/* ---- Ports. ---- */

/* Whether 'name' is a tap or a bridge, by its driver. */
static bool
is_virtual(int fd, const char *name)
{
    static const char *const drivers[] = { "tun", "bridge", "openvswitch" };
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
    struct ifreq ifr;

    memset(&ifr, 0, sizeof ifr);
    ovs_strlcpy(ifr.ifr_name, name, sizeof ifr.ifr_name);
    ifr.ifr_data = (void *) &info;
    if (ioctl(fd, SIOCETHTOOL, &ifr)) {
        return !strcmp(name, "lo");
    }
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (!strcmp(info.driver, drivers[i])) {
            return true;
        }
    }
    return false;
}

void
measure_ports(struct svec *ports)
{
    struct if_nameindex *names = if_nameindex();
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    for (size_t i = 0; names && fd >= 0 && names[i].if_name
         && ports->n < MEASURE_PORTS_MAX; i++) {
        if (!is_virtual(fd, names[i].if_name)) {
            svec_add(ports, names[i].if_name);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    if (names) {
        if_freenameindex(names);
    }
    svec_sort(ports);
}

bool
measure_has_program(const char *name)
{
    char *path = xstrdup(getenv("PATH") ? getenv("PATH") : "");
    char *save = NULL;
    bool found = false;

    for (char *folder = strtok_r(path, ":", &save); folder && !found;
         folder = strtok_r(NULL, ":", &save)) {
        char *program = xasprintf("%s/%s", folder, name);

        found = !access(program, X_OK);
        free(program);
    }
    free(path);
    return found;
}

/* A frame of type WAKE_TYPE: six octets 0xff and sixteen times the MAC. */
int
measure_wake(const char *port, struct eth_addr mac)
{
    struct sockaddr_ll sll = { .sll_family = AF_PACKET,
                               .sll_ifindex = if_nametoindex(port),
                               .sll_halen = ETH_ADDR_LEN };
    uint8_t payload[ETH_ADDR_LEN * (1 + WAKE_REPEATS)];
    int fd, error = 0;

    memset(payload, 0xff, ETH_ADDR_LEN);
    for (int i = 1; i <= WAKE_REPEATS; i++) {
        memcpy(&payload[i * ETH_ADDR_LEN], mac.ea, ETH_ADDR_LEN);
    }
    memset(sll.sll_addr, 0xff, ETH_ADDR_LEN);
    sll.sll_protocol = htons(WAKE_TYPE);
    fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    if (sendto(fd, payload, sizeof payload, MSG_DONTWAIT,
               (struct sockaddr *) &sll, sizeof sll) < 0) {
        error = errno;
    }
    close(fd);
    return error;
}
