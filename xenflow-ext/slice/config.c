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


/* The configuration file.  Its grammar is in
 * Documentation/ref/xenflow-slice.rst. */

#include <config.h>
#include "slice/slice.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "util.h"

#define MAX_FILE_SIZE (1 << 20)
#define MAX_LAST_TABLE 253      /* 254 and 255 mean something else. */
#define MAX_LIMIT 1000000
#define MAX_PORT 65279          /* Those above are reserved. */

/* Where the parser is. */
struct parser {
    struct xf_slice_file *file;
    int line;
    struct xf_slice_switch_config *sw; /* In the section of a switch. */
    struct xf_slice_config *slice;     /* In the section of a slice. */
};

/* A setting of a slice that is a number. */
struct limit {
    const char *key;
    size_t ofs;                 /* In struct xf_slice_config. */
    uint32_t min, max;
};

static const struct limit limits[] = {
    { "max-flows", offsetof(struct xf_slice_config, max_flows),
      1, MAX_LIMIT },
    { "max-groups", offsetof(struct xf_slice_config, max_groups), 0, 1024 },
    { "max-meters", offsetof(struct xf_slice_config, max_meters), 0, 255 },
    { "packet-in-rate", offsetof(struct xf_slice_config, packet_in_pps),
      1, MAX_LIMIT },
    { "message-rate", offsetof(struct xf_slice_config, message_rate),
      1, MAX_LIMIT },
};

static char *
bad(const struct parser *p, const char *format, ...)
    OVS_PRINTF_FORMAT(2, 3);

static char *
bad(const struct parser *p, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *what = xvasprintf(format, args);
    va_end(args);

    char *sentence = xasprintf("line %d: %s", p->line, what);
    free(what);
    return sentence;
}

/* Sets '*value' to the number that 's' is, all of it. */
static bool
parse_number(const char *s, int base, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(s, &end, base);
    return isxdigit((unsigned char) s[0]) && !*end && !errno;
}

/* Removes spaces at both ends of 's', in place. */
static char *
strip(char *s)
{
    s += strspn(s, " \t\r");
    for (char *end = s + strlen(s); end > s && strchr(" \t\r", end[-1]); ) {
        *--end = '\0';
    }
    return s;
}

static char *
parse_name(const struct parser *p, const char *what, const char *s,
           char name[XF_SLICE_NAME_LEN + 1])
{
    if (!s[0] || strlen(s) > XF_SLICE_NAME_LEN) {
        return bad(p, "'%.40s' can't be the name of a %s: give 1 to %d "
                   "characters", s, what, XF_SLICE_NAME_LEN);
    }
    for (const char *c = s; *c; c++) {
        if (!isalnum((unsigned char) *c) && !strchr("-_.", *c)) {
            return bad(p, "'%s' can't be the name of a %s: use letters, "
                       "digits, '-', '_' and '.'", s, what);
        }
    }
    ovs_strlcpy(name, s, XF_SLICE_NAME_LEN + 1);
    return NULL;
}

static char *
parse_remote(const struct parser *p, const char *s,
             char remote[XF_SLICE_REMOTE_LEN + 1])
{
    static const char *const kinds[] = {
        "tcp:", "ssl:", "unix:", "ptcp:", "pssl:", "punix:",
    };

    if (strlen(s) <= XF_SLICE_REMOTE_LEN) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            if (!strncmp(s, kinds[i], strlen(kinds[i]))
                && s[strlen(kinds[i])]) {
                ovs_strlcpy(remote, s, XF_SLICE_REMOTE_LEN + 1);
                return NULL;
            }
        }
    }
    return bad(p, "'%.80s' isn't a connection: give tcp:HOST:PORT, "
               "ssl:HOST:PORT, unix:FILE, or to listen, ptcp:PORT:ADDRESS, "
               "pssl:PORT:ADDRESS, punix:FILE", s);
}

static char *
parse_section(struct parser *p, char *s)
{
    size_t len = strlen(s);
    char name[XF_SLICE_NAME_LEN + 1];
    char *error;

    p->sw = NULL;
    p->slice = NULL;
    if (s[len - 1] != ']') {
        return bad(p, "'%.80s' has no ']' at its end", s);
    }
    s[len - 1] = '\0';
    s = strip(s + 1);
    if (!strncmp(s, "switch ", 7)) {
        error = parse_name(p, "switch", strip(s + 7), name);
        if (error) {
            return error;
        }
        if (xf_slice_file_find_switch(p->file, name)) {
            return bad(p, "there is a switch '%s' already", name);
        }
        p->sw = xzalloc(sizeof *p->sw);
        p->sw->line = p->line;
        ovs_strlcpy(p->sw->name, name, sizeof p->sw->name);
        ovs_list_push_back(&p->file->switches, &p->sw->node);
        return NULL;
    }
    if (strncmp(s, "slice ", 6)) {
        return bad(p, "'[%.80s]' is no section: write [switch NAME] or "
                   "[slice NAME]", s);
    }
    error = parse_name(p, "slice", strip(s + 6), name);
    if (error) {
        return error;
    }
    struct xf_slice_config *other;
    LIST_FOR_EACH (other, node, &p->file->slices) {
        if (!strcmp(other->name, name)) {
            return bad(p, "there is a slice '%s' already", name);
        }
    }
    p->slice = xzalloc(sizeof *p->slice);
    p->slice->line = p->line;
    p->slice->max_flows = 1000;
    p->slice->packet_in_pps = 100;
    p->slice->message_rate = 1000;
    /* Locally administered, stable while the name is. */
    p->slice->dpid = (UINT64_C(0x0002) << 48 | UINT64_C(0x02) << 40
                      | hash_string(name, 0));
    ovs_strlcpy(p->slice->name, name, sizeof p->slice->name);
    ovs_list_push_back(&p->file->slices, &p->slice->node);
    return NULL;
}

static char *
parse_tables(const struct parser *p, char *s)
{
    char *dash = strchr(s, '-');
    uint64_t first, last;

    if (dash) {
        *dash = '\0';
    }
    if (!parse_number(strip(s), 10, &first)
        || !parse_number(dash ? strip(dash + 1) : strip(s), 10, &last)
        || first < 1 || last > MAX_LAST_TABLE || first > last) {
        return bad(p, "tables must be FIRST-LAST, from 1 to %d (table 0 "
                   "divides the packets among the slices)", MAX_LAST_TABLE);
    }
    p->slice->first_table = first;
    p->slice->last_table = last;
    return NULL;
}

/* "port NUMBER = NAME [vlan VLAN]" */
static char *
parse_port(const struct parser *p, const char *number_s, char *s)
{
    struct xf_slice_config *slice = p->slice;
    struct xf_slice_port_config port;
    uint64_t number, vlan = 0;
    char *save = NULL;
    char *name = strtok_r(s, " \t", &save);
    char *word = strtok_r(NULL, " \t", &save);
    char *value = strtok_r(NULL, " \t", &save);

    memset(&port, 0, sizeof port);
    if (!parse_number(number_s, 10, &number) || !number || number > MAX_PORT) {
        return bad(p, "'port %.20s' needs a number from 1 to %d", number_s,
                   MAX_PORT);
    }
    if (!name || strlen(name) > XF_SLICE_PORT_NAME_LEN) {
        return bad(p, "port %"PRIu64" needs the name of a port of the switch,"
                   " of at most %d characters", number,
                   XF_SLICE_PORT_NAME_LEN);
    }
    if (word
        && (strcmp(word, "vlan") || !value
            || !parse_number(value, 10, &vlan) || vlan < 1 || vlan > 4094
            || strtok_r(NULL, " \t", &save))) {
        return bad(p, "port %"PRIu64": after the name only 'vlan VLAN' may "
                   "follow, with VLAN from 1 to 4094", number);
    }
    if (slice->n_ports >= XF_SLICE_MAX_PORTS) {
        return bad(p, "slice '%s' has %d ports already, the maximum",
                   slice->name, XF_SLICE_MAX_PORTS);
    }
    for (size_t i = 0; i < slice->n_ports; i++) {
        if (slice->ports[i].number == number) {
            return bad(p, "slice '%s' has a port %"PRIu64" already",
                       slice->name, number);
        }
    }
    port.number = number;
    port.vlan = vlan;
    ovs_strlcpy(port.name, name, sizeof port.name);
    slice->ports[slice->n_ports++] = port;
    return NULL;
}

static char *
parse_slice_setting(const struct parser *p, char *key, char *value)
{
    struct xf_slice_config *slice = p->slice;
    uint64_t number;

    if (!strcmp(key, "switch")) {
        return parse_name(p, "switch", value, slice->switch_name);
    } else if (!strcmp(key, "controller")) {
        return parse_remote(p, value, slice->remote);
    } else if (!strcmp(key, "tables")) {
        return parse_tables(p, value);
    } else if (!strncmp(key, "port ", 5)) {
        return parse_port(p, strip(key + 5), value);
    } else if (!strcmp(key, "datapath-id")) {
        if (strlen(value) > 16 || !parse_number(value, 16, &number)
            || !number) {
            return bad(p, "datapath-id must be 1 to 16 hexadecimal digits, "
                       "not all zero");
        }
        slice->dpid = number;
        return NULL;
    }
    for (const struct limit *l = limits; l < &limits[ARRAY_SIZE(limits)];
         l++) {
        if (!strcmp(key, l->key)) {
            if (!parse_number(value, 10, &number)
                || number < l->min || number > l->max) {
                return bad(p, "%s must be a number from %"PRIu32" to %"PRIu32,
                           key, l->min, l->max);
            }
            memcpy((char *) slice + l->ofs, &(uint32_t) { number },
                   sizeof(uint32_t));
            return NULL;
        }
    }
    return bad(p, "a slice has no setting '%.40s': there are switch, "
               "controller, tables, port NUMBER, datapath-id, max-flows, "
               "max-groups, max-meters, packet-in-rate and message-rate",
               key);
}

static char *
parse_line(struct parser *p, char *s)
{
    s[strcspn(s, "#")] = '\0';
    s = strip(s);
    if (!s[0]) {
        return NULL;
    } else if (s[0] == '[') {
        return parse_section(p, s);
    }

    char *equals = strchr(s, '=');
    if (!equals) {
        return bad(p, "'%.80s' is neither [SECTION] nor KEY = VALUE", s);
    }
    *equals = '\0';
    char *key = strip(s);
    char *value = strip(equals + 1);
    if (p->slice) {
        return parse_slice_setting(p, key, value);
    } else if (!p->sw) {
        return bad(p, "'%.40s' stands before any section: write [switch NAME]"
                   " or [slice NAME] first", key);
    } else if (strcmp(key, "remote")) {
        return bad(p, "a switch has no setting '%.40s': there is remote",
                   key);
    }
    return parse_remote(p, value, p->sw->remote);
}

/* Do the virtual ports 'a' and 'b' share packets? */
static bool
ports_overlap(const struct xf_slice_port_config *a,
              const struct xf_slice_port_config *b)
{
    return (!strcmp(a->name, b->name)
            && (!a->vlan || !b->vlan || a->vlan == b->vlan));
}

/* Checks that port 'i' of 'slice' overlaps none of 'other', which may be the
 * same slice. */
static char *
check_port(struct parser *p, const struct xf_slice_config *slice, size_t i,
           const struct xf_slice_config *other)
{
    const struct xf_slice_port_config *port = &slice->ports[i];

    for (size_t j = 0; j < other->n_ports; j++) {
        if ((slice != other || i < j)
            && ports_overlap(port, &other->ports[j])) {
            p->line = slice->line;
            return bad(p, "port %d of slice '%s' and port %d of slice '%s' "
                       "are both %s%s: a packet can belong to one only",
                       port->number, slice->name, other->ports[j].number,
                       other->name, port->name,
                       port->vlan == other->ports[j].vlan
                       ? "" : ", one of them the whole port");
        }
    }
    return NULL;
}

static char *
check_pair(struct parser *p, const struct xf_slice_config *a,
           const struct xf_slice_config *b)
{
    if (!strcmp(a->switch_name, b->switch_name)) {
        p->line = a->line;
        if (a != b && a->first_table <= b->last_table
            && b->first_table <= a->last_table) {
            return bad(p, "slices '%s' and '%s' share tables: give each a "
                       "range of its own", a->name, b->name);
        }
        for (size_t i = 0; i < a->n_ports; i++) {
            char *error = check_port(p, a, i, b);
            if (error) {
                return error;
            }
        }
    }
    p->line = a->line;
    if (a != b && a->remote[0] == 'p' && !strcmp(a->remote, b->remote)) {
        return bad(p, "slices '%s' and '%s' listen at the same place, %s",
                   a->name, b->name, a->remote);
    }
    if (a != b && a->dpid == b->dpid) {
        return bad(p, "slices '%s' and '%s' have the same datapath-id: set "
                   "it in one of them", a->name, b->name);
    }
    return NULL;
}

/* What can be said only when all has been read. */
static char *
check_file(struct parser *p)
{
    const struct xf_slice_switch_config *sw, *other;
    const struct xf_slice_config *a, *b;

    LIST_FOR_EACH (sw, node, &p->file->switches) {
        p->line = sw->line;
        if (!sw->remote[0]) {
            return bad(p, "switch '%s' has no remote", sw->name);
        }
        LIST_FOR_EACH (other, node, &p->file->switches) {
            if (sw != other && !strcmp(sw->remote, other->remote)) {
                return bad(p, "switches '%s' and '%s' have the same remote: "
                           "they would share tables", sw->name, other->name);
            }
        }
    }
    LIST_FOR_EACH (a, node, &p->file->slices) {
        p->line = a->line;
        if (!a->switch_name[0] || !a->remote[0] || !a->first_table) {
            return bad(p, "slice '%s' has no %s", a->name,
                       !a->switch_name[0] ? "switch"
                       : !a->remote[0] ? "controller" : "tables");
        }
        if (!xf_slice_file_find_switch(p->file, a->switch_name)) {
            return bad(p, "slice '%s' is of switch '%s', but there is no "
                       "[switch %s]", a->name, a->switch_name,
                       a->switch_name);
        }
        LIST_FOR_EACH (b, node, &p->file->slices) {
            char *error = check_pair(p, a, b);
            if (error) {
                return error;
            }
        }
    }
    return NULL;
}

/* Parses 'text' into '*file'.  Returns NULL, or a sentence with the line and
 * what is wrong with it, which the caller must free; then '*file' is left as
 * if it had not been touched.  The caller ends with xf_slice_file_uninit(). */
char *
xf_slice_file_parse(const char *text, struct xf_slice_file *file)
{
    struct xf_slice_file new;
    struct parser p = { .file = &new };
    char *error = NULL;

    if (strlen(text) > MAX_FILE_SIZE) {
        return xasprintf("line 1: the file is larger than %d bytes",
                         MAX_FILE_SIZE);
    }
    ovs_list_init(&new.switches);
    ovs_list_init(&new.slices);
    char *copy = xstrdup(text);
    char *next = copy;
    while (next && !error) {
        char *line = next;

        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        p.line++;
        error = parse_line(&p, line);
    }
    free(copy);
    error = error ? error : check_file(&p);
    if (error) {
        xf_slice_file_uninit(&new);
    } else {
        ovs_list_move(&file->switches, &new.switches);
        ovs_list_move(&file->slices, &new.slices);
    }
    return error;
}

/* Frees what 'file' holds. */
void
xf_slice_file_uninit(struct xf_slice_file *file)
{
    struct xf_slice_switch_config *sw;
    struct xf_slice_config *slice;

    LIST_FOR_EACH_POP (sw, node, &file->switches) {
        free(sw);
    }
    LIST_FOR_EACH_POP (slice, node, &file->slices) {
        free(slice);
    }
}

/* Returns the switch 'name' of 'file', or NULL. */
const struct xf_slice_switch_config *
xf_slice_file_find_switch(const struct xf_slice_file *file, const char *name)
{
    const struct xf_slice_switch_config *sw;

    LIST_FOR_EACH (sw, node, &file->switches) {
        if (!strcmp(sw->name, name)) {
            return sw;
        }
    }
    return NULL;
}
