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

#ifndef XF_DOMAIN_MOVE_H
#define XF_DOMAIN_MOVE_H 1

/* What a move's two sides have promised, as it is on disk, and what follows
 * from it after a process was killed.
 *
 * Pure: text and numbers in, a decision out.
 *
 * Invariant, over both hosts: a machine may run at the source while the stage
 * there is none or sending; at the destination while it is taken or runs.  The source
 * enters 'given' only after the destination said 'received', the destination
 * 'taken' only after the source said 'given', and the source leaves 'given'
 * only after the destination said that it has no record, which is for good.
 * So the two are never true at once. */

#include "openvswitch/compiler.h"
#include "xenflow/domain.h"

enum xf_move_stage {
    XF_MOVE_STAGE_NONE,         /* There is no record. */
    XF_MOVE_STAGE_SENDING,      /* Source: ours; maybe stopped for a while. */
    XF_MOVE_STAGE_GIVEN,        /* Source: not ours. */
    XF_MOVE_STAGE_RECEIVING,    /* Destination: not all of it is here. */
    XF_MOVE_STAGE_RECEIVED,     /* Destination: all of it is, not yet ours. */
    XF_MOVE_STAGE_TAKEN,        /* Destination: ours, about to run. */
    XF_MOVE_STAGE_RUNS,         /* Destination: ours, and has run. */
};

struct xf_move_record {
    enum xf_move_stage stage;
    struct uuid migration;
};

/* Text of a record, to be freed. */
char *xf_move_record_format(const struct xf_move_record *);

/* Reads one.  Returns NULL, or a sentence that says what is wrong. */
char *xf_move_record_parse(const char *text, struct xf_move_record *)
    OVS_WARN_UNUSED_RESULT;

enum xf_move_decision {
    XF_MOVE_GO_ON,              /* An ordinary domain; forget the record. */
    XF_MOVE_RESUME,             /* It must run here. */
    XF_MOVE_KEEP_GIVEN,         /* It waits to hear of the destination. */
    XF_MOVE_KEEP_RECEIVED,      /* It waits to hear of the source. */
    XF_MOVE_TAKE,               /* It must run here, and is no one else's. */
    XF_MOVE_DROP,               /* Nothing of it may stay. */
    XF_MOVE_NOTHING,            /* It runs; the source is to hear of it. */
};
const char *xf_move_decision_to_string(enum xf_move_decision);

/* What to do with a domain of that record, found in 'state'. */
enum xf_move_decision xf_move_decide(enum xf_move_stage stage,
                                     enum xf_domain_state state);

#endif /* domain/move.h */
