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

#include "test-xf-fib.h"

#include <stdlib.h>
#include <string.h>

#include "core/fib-private.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "random.h"
#include "util.h"

/* Readers beside the writer.
 *
 * The writer notes what the oracle says for each of some destinations after
 * each step, before it makes the step, and says which step it is about to
 * make.  A reader that sees step A before its lookup and step B after it may
 * find what held after any of the steps A-1 to B, and nothing else: no value
 * of a time before, of a time to come, or of a prefix that never was the
 * longest. */

#define N_READERS 2
#define N_DST XF_FIB_BATCH
#define N_FILLERS 5000          /* Makes the table big. */
#define FILLER_STEPS 1024       /* Between big and small, and back. */

struct race {
    struct world *world;
    struct xf_key dst[N_DST];
    uint8_t (*history)[N_DST];  /* By step, what each destination has. */
    atomic_uint64_t step;       /* Being made, or the last one made. */
    atomic_bool stop;
};

static void
retire_rcu(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    ovsrcu_postpone__(destroy, obj);
}

static bool
was_valid(const struct race *race, size_t i, uint64_t value, uint64_t first,
          uint64_t last)
{
    for (uint64_t step = first; step <= last; step++) {
        if (race->history[step][i] == value) {
            return true;
        }
    }
    return false;
}

static void *
reader_main(void *race_)
{
    struct race *race = race_;
    bool stop = false;

    while (!stop) {
        for (int i = 0; i < 64; i++) {
            uint64_t values[N_DST];
            uint64_t before, after;

            atomic_read(&race->step, &before);
            world_lookup(race->world, race->dst, values, N_DST);
            atomic_thread_fence(memory_order_acquire);
            atomic_read(&race->step, &after);
            for (size_t j = 0; j < N_DST; j++) {
                CHECK(was_valid(race, j, values[j], before ? before - 1 : 0,
                                after),
                      "destination %"PRIuSIZE" had %"PRIu64" at no time "
                      "between steps %"PRIu64" and %"PRIu64, j, values[j],
                      before, after);
            }
        }
        ovsrcu_quiesce();
        atomic_read(&race->stop, &stop);
    }
    return NULL;
}

/* Adds the fillers, which cover none of the destinations, or deletes them. */
static void
toggle_fillers(struct world *world, size_t n_own)
{
    if (world->n < N_FILLERS) {
        for (uint64_t i = 0; i < N_FILLERS; i++) {
            struct xf_key key = { (UINT64_C(100) << 56) | (i << 43), 0 };

            world_set(world, key, 24, 200, false);
        }
    } else {
        for (size_t i = world->n; i-- > 0 && world->n > n_own; ) {
            if (world->prefixes[i].value == 200) {
                world_delete(world, world->prefixes[i].key,
                             world->prefixes[i].len);
            }
        }
    }
}

/* Changes one prefix that covers some of the destinations, having noted what
 * they have then. */
static void
make_step(struct race *race, uint64_t step)
{
    struct world *world = race->world;
    struct xf_key key = race->dst[random_range(N_DST)];
    uint8_t len = random_range(3) ? random_range(33) : 8 * random_range(5);
    bool delete = world_has(world, key, len) && random_range(2);
    uint64_t value = 1 + random_range(100);
    bool final = !random_range(32);

    /* The oracle first, as it will be; then the table catches up. */
    world->no_update = true;
    if (delete) {
        world_delete(world, key, len);
    } else {
        world_set(world, key, len, value, final);
    }
    world->no_update = false;
    for (size_t i = 0; i < N_DST; i++) {
        race->history[step][i] = world_oracle(world, race->dst[i]);
    }
    atomic_store(&race->step, step);
    xf_fib_update(world->fib, key, len);
}

void
run_readers(unsigned int seed, size_t n_steps, bool is_big)
{
    struct race race = { .world = world_create(32, false, retire_rcu) };
    pthread_t readers[N_READERS];

    /* Seeds take turns in the ways to look up that this CPU has. */
    if (!fib_use_lookup(race.world->fib, seed % 3)) {
        fib_use_lookup(race.world->fib, 0);
    }
    race.history = xcalloc(n_steps + 1, sizeof *race.history);
    atomic_init(&race.step, 0);
    atomic_init(&race.stop, false);
    for (size_t i = 0; i < N_DST; i++) {
        /* Close to each other at all depths. */
        race.dst[i].hi = (UINT64_C(0x0a010203) << 32)
                         ^ (random_uint64() & UINT64_C(0x0103030300000000));
    }
    for (size_t i = 0; i < N_READERS; i++) {
        readers[i] = ovs_thread_create("reader", reader_main, &race);
    }
    for (uint64_t step = 1; step <= n_steps; step++) {
        if (is_big && step % FILLER_STEPS == 1) {
            toggle_fillers(race.world, 0);
        }
        make_step(&race, step);
        if (step % 64 == 0) {
            ovsrcu_quiesce();
        }
    }
    atomic_store(&race.stop, true);
    for (size_t i = 0; i < N_READERS; i++) {
        xpthread_join(readers[i], NULL);
    }
    xf_fib_check(race.world->fib);
    world_destroy(race.world);
    free(race.history);
}
