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

#include "core/numbers.h"

#include <stdlib.h>
#include <string.h>

#include "util.h"

void
xf_numbers_init(struct xf_numbers *numbers)
{
    memset(numbers, 0, sizeof *numbers);
    numbers->n = 1;
}

void
xf_numbers_uninit(struct xf_numbers *numbers)
{
    free(numbers->next);
}

static void
list_append(struct xf_numbers *numbers, struct xf_numbers_list *to,
            struct xf_numbers_list *from)
{
    if (!from->first) {
        return;
    }
    if (to->first) {
        numbers->next[to->last] = from->first;
    } else {
        to->first = from->first;
    }
    to->last = from->last;
    from->first = from->last = 0;
}

/* Returns a number that nobody has. */
uint32_t
xf_numbers_take(struct xf_numbers *numbers)
{
    uint32_t number = numbers->ready.first;

    if (number) {
        numbers->ready.first = numbers->next[number];
        return number;
    }
    if (numbers->n >= numbers->allocated) {
        /* By a half, not by doubling: there may be a million. */
        numbers->allocated += MAX(8, numbers->allocated / 2);
        numbers->next = xrealloc(numbers->next, (numbers->allocated
                                                 * sizeof *numbers->next));
    }
    return numbers->n++;
}

void
xf_numbers_give_back(struct xf_numbers *numbers, uint32_t number)
{
    struct xf_numbers_list one = { number, number };

    numbers->next[number] = 0;
    list_append(numbers, &numbers->fresh, &one);
}

/* A grace period that began after the last call is over. */
void
xf_numbers_grace(struct xf_numbers *numbers)
{
    list_append(numbers, &numbers->ready, &numbers->aging);
    list_append(numbers, &numbers->aging, &numbers->fresh);
}

/* Bytes held. */
size_t
xf_numbers_size(const struct xf_numbers *numbers)
{
    return numbers->allocated * sizeof *numbers->next;
}
