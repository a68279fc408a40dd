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

#include "engine/config.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine-private.h"
#include "lib/vswitch-idl.h"
#include "smap.h"
#include "util.h"

/* What xenflow-hostd says, in Interface rows, of the rows of the database XenFlow
 * that these are for (external_ids:iface-id): where a router's speaker is to be
 * heard, behind which port and by which number a machine has an interface. */

static void
place_destroy(struct xf_config *config, struct xf_place *place)
{
    hmap_remove(&config->places, &place->node);
    hmap_remove(&config->places_by_row, &place->row_node);
    free(place->port);
    free(place->listen);
    free(place->device);
    free(place);
}

static struct xf_place *
find_by_row(const struct xf_config *config, const struct uuid *row)
{
    struct xf_place *place;

    HMAP_FOR_EACH_WITH_HASH (place, row_node, uuid_hash(row),
                             &config->places_by_row) {
        if (uuid_equals(&place->row, row)) {
            return place;
        }
    }
    return NULL;
}

/* The place of the row 'object' of the database XenFlow, or NULL. */
const struct xf_place *
xf_config_place(const struct xf_config *config, const struct uuid *object)
{
    const struct xf_place *place;

    HMAP_FOR_EACH_WITH_HASH (place, node, uuid_hash(object),
                             &config->places) {
        if (uuid_equals(&place->object, object)) {
            return place;
        }
    }
    return NULL;
}

static bool
place_equals(const struct xf_place *place,
             const struct ovsrec_interface *row, const struct uuid *object)
{
    const struct smap *ids = &row->external_ids;

    return (uuid_equals(&place->object, object)
            && !strcmp(place->port, row->name)
            && place->ifindex == smap_get_uint(ids, "hostd-ifindex", 0)
            && !strcmp(place->listen, smap_get_def(ids, "hostd-listen", ""))
            && !strcmp(place->device, smap_get_def(ids, "hostd-device", "")));
}

/* Tells the client of the database that the place of 'object' is another. */
static void
tell(struct xf_config *config, struct uuid object)
{
    if (config->engine->db) {
        xf_db_place_changed(config->engine->db, &object);
    }
}

/* 'row' has come or changed, or ('gone') gone. */
void
xf_config_place_row(struct xf_config *config,
                    const struct ovsrec_interface *row, bool gone)
{
    struct xf_place *place = find_by_row(config, &row->header_.uuid);
    const struct smap *ids = &row->external_ids;
    const char *id = smap_get(ids, "iface-id");
    struct uuid object;
    bool wanted = !gone && id && uuid_from_string(&object, id);

    if (place && (!wanted || !place_equals(place, row, &object))) {
        struct uuid old = place->object;

        place_destroy(config, place);
        place = NULL;
        if (!wanted || !uuid_equals(&old, &object)) {
            tell(config, old);
        }
    }
    if (wanted && !place) {
        place = xzalloc(sizeof *place);
        place->object = object;
        place->row = row->header_.uuid;
        place->port = xstrdup(row->name);
        place->ifindex = smap_get_uint(ids, "hostd-ifindex", 0);
        place->listen = xstrdup(smap_get_def(ids, "hostd-listen", ""));
        place->device = xstrdup(smap_get_def(ids, "hostd-device", ""));
        hmap_insert(&config->places, &place->node, uuid_hash(&object));
        hmap_insert(&config->places_by_row, &place->row_node,
                    uuid_hash(&place->row));
        tell(config, object);
    }
}

void
xf_config_places_destroy(struct xf_config *config)
{
    struct xf_place *place;

    HMAP_FOR_EACH_SAFE (place, node, &config->places) {
        place_destroy(config, place);
    }
    hmap_destroy(&config->places);
    hmap_destroy(&config->places_by_row);
}
