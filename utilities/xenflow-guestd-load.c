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
#include "xenflow-guestd-load.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/* CPU times of all CPUs, in ticks. */
static void
read_cpu(struct xf_guest_load *load)
{
    long int ticks = sysconf(_SC_CLK_TCK);
    uint64_t user, nice, system, idle, iowait, irq, softirq;
    FILE *f = fopen("/proc/stat", "re");

    if (!f) {
        return;
    }
    if (ticks > 0
        && fscanf(f, "cpu %"SCNu64" %"SCNu64" %"SCNu64" %"SCNu64" %"SCNu64
                  " %"SCNu64" %"SCNu64, &user, &nice, &system, &idle, &iowait,
                  &irq, &softirq) == 7) {
        load->v[XF_LOAD_CPU_USER_MS] = (user + nice) * 1000 / ticks;
        load->v[XF_LOAD_CPU_SYSTEM_MS] = ((system + irq + softirq) * 1000
                                          / ticks);
    }
    fclose(f);
}

static void
read_memory(struct xf_guest_load *load)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    uint64_t kb;

    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "MemTotal: %"SCNu64" kB", &kb) == 1) {
            load->v[XF_LOAD_MEM_TOTAL_BYTES] = kb * 1024;
        } else if (sscanf(line, "MemAvailable: %"SCNu64" kB", &kb) == 1) {
            load->v[XF_LOAD_MEM_AVAILABLE_BYTES] = kb * 1024;
        }
    }
    load->v[XF_LOAD_MEM_AVAILABLE_BYTES]
        = MIN(load->v[XF_LOAD_MEM_AVAILABLE_BYTES],
              load->v[XF_LOAD_MEM_TOTAL_BYTES]);
    if (f) {
        fclose(f);
    }
}

static void
read_uptime(struct xf_guest_load *load)
{
    FILE *f = fopen("/proc/uptime", "re");
    double seconds;

    if (f) {
        if (fscanf(f, "%lf", &seconds) == 1 && seconds > 0) {
            load->v[XF_LOAD_UPTIME_MS] = seconds * 1000;
        }
        fclose(f);
    }
}

/* Reads 'line' of /proc/net/dev into '*iface'; false if it isn't one of an
 * interface, or the loopback's. */
static bool
parse_iface(const char *line, struct xf_guest_iface *iface)
{
    char name[IFNAMSIZ];
    uint64_t *v = iface->v;

    memset(iface, 0, sizeof *iface);
    if (sscanf(line, " %15[^: ]: %"SCNu64" %"SCNu64" %*u %"SCNu64" %*u %*u"
               " %*u %*u %"SCNu64" %"SCNu64" %*u %"SCNu64, name,
               &v[XF_LOAD_IFACE_RX_BYTES], &v[XF_LOAD_IFACE_RX_PACKETS],
               &v[XF_LOAD_IFACE_RX_DROPPED], &v[XF_LOAD_IFACE_TX_BYTES],
               &v[XF_LOAD_IFACE_TX_PACKETS], &v[XF_LOAD_IFACE_TX_DROPPED])
        != 7 || !strcmp(name, "lo")) {
        return false;
    }
    v[XF_LOAD_IFACE_INDEX] = if_nametoindex(name);
    ovs_strlcpy(iface->name, name, sizeof iface->name);
    return v[XF_LOAD_IFACE_INDEX] != 0;
}

static void
read_ifaces(struct xf_guest_load *load)
{
    FILE *f = fopen("/proc/net/dev", "re");
    char line[512];

    while (f && load->n_ifaces < XF_GUEST_IFACES_MAX
           && fgets(line, sizeof line, f)) {
        if (parse_iface(line, &load->ifaces[load->n_ifaces])) {
            load->n_ifaces++;
        }
    }
    if (f) {
        fclose(f);
    }
}

void
guestd_load_read(struct xf_guest_load *load)
{
    long int n_cpus = sysconf(_SC_NPROCESSORS_ONLN);

    memset(load, 0, sizeof *load);
    load->v[XF_LOAD_N_CPUS] = MIN(MAX(n_cpus, 1), XF_GUEST_CPUS_MAX);
    read_uptime(load);
    read_cpu(load);
    read_memory(load);
    read_ifaces(load);
}
