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

#ifndef FUZZ_H
#define FUZZ_H 1

/* What the fuzz targets share.
 * ============================
 *
 * A target is one tests/fuzz/fuzz-NAME.c with LLVMFuzzerTestOneInput().  It
 * feeds bytes that come from outside to our parser as the switch does, with
 * nothing of ours replaced but what stands behind the parser (the switch, the
 * wire), and aborts if an invariant is broken.  AddressSanitizer and
 * UndefinedBehaviorSanitizer watch the rest.
 *
 * An input must do the same each time: what a target keeps between inputs, it
 * brings back to where it began. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <signal.h>

#include "fatal-signal.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "util.h"

/* Called by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* To be called first.  SIGALRM is libFuzzer's, for inputs that take too
 * long. */
static inline void
fuzz_init(void)
{
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    fatal_signal_init();
    signal(SIGALRM, SIG_DFL);
    ovsrcu_quiesce();           /* Initializes. */
    atexit(ovsrcu_exit);
}

/* Of a target that needs nothing else before its first input. */
#define FUZZ_INITIALIZE                                                   \
    int                                                                   \
    LLVMFuzzerInitialize(int *argc OVS_UNUSED, char ***argv OVS_UNUSED)   \
    {                                                                     \
        fuzz_init();                                                      \
        return 0;                                                         \
    }

/* Bytes of an input that aren't used yet. */
struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

/* Takes 'size' bytes to 'out', zeros where there are none left. */
static inline void
fuzz_take(struct fuzz_input *in, void *out, size_t size)
{
    size_t n = MIN(size, in->size);

    memset(out, 0, size);
    if (n) {
        memcpy(out, in->data, n);
        in->data += n;
        in->size -= n;
    }
}

static inline uint8_t
fuzz_u8(struct fuzz_input *in)
{
    uint8_t x;

    fuzz_take(in, &x, sizeof x);
    return x;
}

static inline uint16_t
fuzz_u16(struct fuzz_input *in)
{
    uint16_t x;

    fuzz_take(in, &x, sizeof x);
    return x;
}

/* A claim about our code. */
#define FUZZ_CHECK(CONDITION)                                             \
    ((CONDITION) ? (void) 0                                               \
     : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,        \
                #CONDITION), abort()))

#endif /* fuzz.h */
