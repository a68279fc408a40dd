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

#include "engine/engine-private.h"


#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "util.h"

/* Every row is a JSON object; text is its members in the order of the columns,
 * so that both forms always say the same. */

/* Spaces between two columns. */
#define GUTTER 2

/* Appends 'value' to 'out' as text: nothing for null, yes or no for a boolean,
 * the members of an array with commas. */
static void
value_format(const struct json *value, struct ds *out)
{
    if (!value) {
        return;
    }
    switch (value->type) {
    case JSON_STRING:
        ds_put_cstr(out, json_string(value));
        break;
    case JSON_INTEGER:
        ds_put_format(out, "%lld", (long long int) json_integer(value));
        break;
    case JSON_REAL:
        ds_put_format(out, "%.3f", json_real(value));
        break;
    case JSON_TRUE:
        ds_put_cstr(out, "yes");
        break;
    case JSON_FALSE:
        ds_put_cstr(out, "no");
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array(value)->n; i++) {
            if (i) {
                ds_put_char(out, ',');
            }
            value_format(json_array(value)->elems[i], out);
        }
        break;
    case JSON_NULL:
        break;
    case JSON_OBJECT:
    case JSON_SERIALIZED_OBJECT:
    case JSON_N_TYPES:
    default:
        json_to_ds(value, JSSF_SORT, out);
        break;
    }
}

static void
column_format(const struct xf_column *column, const struct json *row,
              struct ds *out)
{
    const struct json *value = shash_find_data(json_object(row), column->key);

    if (column->format && value) {
        column->format(value, out);
    } else {
        value_format(value, out);
    }
}

/* Begins a table of rows with 'n' 'columns', which must outlive it; as JSON
 * if 'json'. */
void
xf_table_init(struct xf_table *table, const struct xf_column *columns,
              size_t n, bool json)
{
    ovs_assert(n <= ARRAY_SIZE(table->widths));
    memset(table, 0, sizeof *table);
    table->columns = columns;
    table->n_columns = n;
    table->json = json;
    ds_init(&table->cells);
    for (size_t i = 0; i < n; i++) {
        table->widths[i] = strlen(columns[i].title);
    }
}

/* Adds 'row', an object, which is taken over. */
void
xf_table_add(struct xf_table *table, struct json *row)
{
    if (table->json) {
        ds_put_cstr(&table->cells, table->n_rows ? ",\n " : "");
        json_to_ds(row, JSSF_SORT, &table->cells);
    } else {
        for (size_t i = 0; i < table->n_columns; i++) {
            size_t start = table->cells.length;

            column_format(&table->columns[i], row, &table->cells);
            if (table->cells.length == start) {
                ds_put_char(&table->cells, '-');
            }
            table->widths[i] = MAX(table->widths[i],
                                   table->cells.length - start);
            ds_put_char(&table->cells, '\0');
        }
    }
    table->n_rows++;
    json_destroy(row);
}

/* Appends one line of cells: cell 'i' is the string after i NULs at 'cells'.
 * Returns what follows them. */
static const char *
put_line(const struct xf_table *table, const char *cells, struct ds *out)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        size_t length = strlen(cells);
        size_t pad = table->widths[i] - length;

        if (table->columns[i].right) {
            ds_put_char_multiple(out, ' ', pad);
        }
        ds_put_cstr(out, cells);
        if (!table->columns[i].right) {
            ds_put_char_multiple(out, ' ', pad);
        }
        ds_put_char_multiple(out, ' ', GUTTER);
        cells += length + 1;
    }
    while (ds_chomp(out, ' ')) {
        continue;
    }
    ds_put_char(out, '\n');
    return cells;
}

/* Appends the whole table to 'out' and frees what it holds.  A text table
 * without rows is nothing. */
void
xf_table_finish(struct xf_table *table, struct ds *out)
{
    if (table->json) {
        ds_put_format(out, "[%s]\n", ds_cstr_ro(&table->cells));
    } else if (table->n_rows) {
        struct ds titles = DS_EMPTY_INITIALIZER;

        for (size_t i = 0; i < table->n_columns; i++) {
            ds_put_cstr(&titles, table->columns[i].title);
            ds_put_char(&titles, '\0');
        }
        put_line(table, ds_cstr(&titles), out);
        ds_destroy(&titles);

        const char *cells = ds_cstr(&table->cells);
        for (size_t i = 0; i < table->n_rows; i++) {
            cells = put_line(table, cells, out);
        }
    }
    ds_destroy(&table->cells);
}

/* Likewise for a table of which only 'page' is given. */
void
xf_table_finish_page(struct xf_table *table, const struct xf_page *page,
                     struct ds *out)
{
    bool json = table->json;
    struct json *more = json ? xf_page_to_json(page) : NULL;

    if (more) {
        xf_table_add(table, more);
    }
    xf_table_finish(table, out);
    if (!json) {
        xf_page_put(page, out);
    }
}

/* Appends one 'object' to 'out', as JSON or as lines "title: value" in the
 * order of 'columns'; members without a value are left out. */
void
xf_object_put(const struct xf_column *columns, size_t n, bool json,
              struct json *object, struct ds *out)
{
    if (json) {
        json_to_ds(object, JSSF_SORT, out);
        ds_put_char(out, '\n');
        return;
    }

    size_t width = 0;
    for (size_t i = 0; i < n; i++) {
        width = MAX(width, strlen(columns[i].title));
    }
    for (size_t i = 0; i < n; i++) {
        struct ds value = DS_EMPTY_INITIALIZER;

        column_format(&columns[i], object, &value);
        if (value.length) {
            ds_put_format(out, "%s:", columns[i].title);
            ds_put_char_multiple(out, ' ',
                                 width - strlen(columns[i].title) + 1);
            ds_put_format(out, "%s\n", ds_cstr(&value));
        }
        ds_destroy(&value);
    }
}

/* ---- Pages. ---- */

/* Counts the next row; returns true if it is to be given. */
bool
xf_page_take(struct xf_page *page)
{
    page->n++;
    if (page->n <= page->skip || page->n_shown >= page->limit) {
        return false;
    }
    page->n_shown++;
    return true;
}

/* Whether rows follow that aren't given. */
static bool
page_has_more(const struct xf_page *page)
{
    return page->skip + page->n_shown < page->n;
}

/* Returns what ends a JSON list of which not all is given, else NULL. */
struct json *
xf_page_to_json(const struct xf_page *page)
{
    if (!page_has_more(page)) {
        return NULL;
    }
    struct json *object = json_object_create();
    xf_json_put_int(object, "next_skip", page->skip + page->n_shown);
    xf_json_put_int(object, "total", page->n);
    return object;
}

/* Appends what ends a text of which not all is given, else nothing. */
void
xf_page_put(const struct xf_page *page, struct ds *out)
{
    if (page_has_more(page)) {
        ds_put_format(out, "(%"PRIu64" of %"PRIu64" shown: use skip=%"PRIu64
                      " for the next, limit=N for another number)\n",
                      page->n_shown, page->n, page->skip + page->n_shown);
    }
}

/* ---- Values. ---- */

void
xf_json_put_int(struct json *object, const char *key, long long int value)
{
    json_object_put(object, key, json_integer_create(value));
}

void
xf_json_put_bool(struct json *object, const char *key, bool value)
{
    json_object_put(object, key, json_boolean_create(value));
}

/* Appends 'addr' to 'out'; an IPv4 address as dotted quad. */
void
xf_addr_format(const struct in6_addr *addr, struct ds *out)
{
    char s[INET6_ADDRSTRLEN];

    ds_put_cstr(out, xf_addr_string(s, addr));
}

char *
xf_addr_to_string(const struct in6_addr *addr)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_addr_format(addr, &ds);
    return ds_steal_cstr(&ds);
}

void
xf_prefix_format(const struct xf_prefix *prefix, struct ds *out)
{
    xf_addr_format(&prefix->addr, out);
    ds_put_format(out, "/%"PRIu8, prefix->len);
}

void
xf_json_put_addr(struct json *object, const char *key,
                 const struct in6_addr *addr)
{
    json_object_put(object, key,
                    json_string_create_nocopy(xf_addr_to_string(addr)));
}

void
xf_json_put_prefix(struct json *object, const char *key,
                   const struct xf_prefix *prefix)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_prefix_format(prefix, &ds);
    json_object_put(object, key,
                    json_string_create_nocopy(ds_steal_cstr(&ds)));
}

void
xf_json_put_mac(struct json *object, const char *key, struct eth_addr mac)
{
    json_object_put_format(object, key, ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
}

/* Counters as members "packets", "bytes" and "used" (seconds) of 'row'. */
void
xf_json_put_stat(struct json *row, const struct xf_stat *stat_,
                 long long int now_ms)
{
    struct xf_stat *stat = CONST_CAST(struct xf_stat *, stat_);
    uint64_t n_packets = 0, n_bytes = 0;
    long long int used_ms = 0;

    if (stat) {
        atomic_read_relaxed(&stat->n_packets, &n_packets);
        atomic_read_relaxed(&stat->n_bytes, &n_bytes);
        atomic_read_relaxed(&stat->used_ms, &used_ms);
    }
    xf_json_put_int(row, "packets", n_packets);
    xf_json_put_int(row, "bytes", n_bytes);
    json_object_put(row, "used",
                    used_ms
                    ? json_integer_create(MAX(0, now_ms - used_ms) / 1000)
                    : json_null_create());
}

/* Names of rtnetlink's route protocols (rtnetlink(7), linux/rtnetlink.h). */
static const struct {
    uint8_t id;
    const char *name;
} protocols[] = {
    { 2, "kernel" }, { 3, "boot" }, { 4, "static" }, { 9, "ra" },
    { 11, "zebra" }, { 12, "bird" }, { 13, "dnrouted" }, { 14, "xorp" },
    { 16, "dhcp" }, { 17, "mrouted" }, { 42, "babel" }, { 84, "ovn" },
    { 186, "bgp" }, { 187, "isis" }, { 188, "ospf" }, { 189, "rip" },
    { 192, "eigrp" },
};

/* Returns the name of route protocol 'protocol', or its number in 'buf'. */
const char *
xf_protocol_name(uint8_t protocol, char buf[8])
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (protocols[i].id == protocol) {
            return protocols[i].name;
        }
    }
    snprintf(buf, 8, "%"PRIu8, protocol);
    return buf;
}
