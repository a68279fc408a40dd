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

#include "test-xf-rule-table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

static const struct {
    const char *name;
    int n_args;
    void (*run)(int argc, char *argv[]);
    const char *args;
} subcommands[] = {
    { "oracle", 2, test_oracle, "SEED N" },
    { "readers", 2, test_readers, "SEED SECONDS" },
    { "bench", 1, test_bench, "N" },
    { "script", 1, test_script, "FILE" },
};

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(subcommands); i++) {
        if (!strcmp(argv[1], subcommands[i].name)
            && argc - 2 == subcommands[i].n_args) {
            subcommands[i].run(argc - 2, argv + 2);
            return 0;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        fprintf(stderr, "usage: %s %s %s\n", program_name,
                subcommands[i].name, subcommands[i].args);
    }
    return 1;
}
