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

#ifndef XENFLOW_HOSTD_MEASURE_H
#define XENFLOW_HOSTD_MEASURE_H 1

/* What the kernel says of this machine.  What can't be read is 0. */

#include <stdbool.h>
#include <stddef.h>

#include "openvswitch/types.h"

struct svec;

#define MEASURE_NODES_MAX 64
#define MEASURE_PORTS_MAX 256

struct measure_cpu {
    unsigned long long int user, system, total; /* Ticks since it booted. */
};
void measure_cpu(struct measure_cpu *);
int measure_n_cpus(void);

struct measure_memory {
    long long int total_mb, free_mb;    /* Free: what programs can get. */
};
void measure_memory(struct measure_memory *);

/* A NUMA node. */
struct measure_node {
    int id;
    char cpus[256];             /* Such as "0-3,8". */
    int n_cpus;
    struct measure_memory memory;
};
size_t measure_nodes(struct measure_node nodes[MEASURE_NODES_MAX]);

/* Names of network devices but loopback, taps and bridges, sorted. */
void measure_ports(struct svec *);

bool measure_has_program(const char *name);

/* Sends a frame that wakes the machine with that MAC.  Returns 0 or an
 * errno. */
int measure_wake(const char *port, struct eth_addr mac);

#endif /* xenflow-hostd-measure.h */
