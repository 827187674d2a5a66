/*
 * A hash map from 16-byte ids to pointers it does not own. Open addressing, grows at 70 %. Not
 * thread-safe. Ids come from outside, so they are hashed with a random key per map.
 */
#ifndef CERTQ_BASE_MAP_H
#define CERTQ_BASE_MAP_H

#include "base/uuid.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m);
size_t map_count(const struct map *m);
void *map_get(const struct map *m, const struct uuid *key);
/* Adds or replaces; value must not be NULL. Returns the value replaced, or NULL. */
void *map_put(struct map *m, const struct uuid *key, void *value);
/* Returns what was there, or NULL. */
void *map_remove(struct map *m, const struct uuid *key);
/*
 * Walks in no order: *at starts at 0; returns NULL at the end. map_remove of the key just returned
 * is allowed between calls (an entry may then be visited twice, none is missed).
 */
void *map_next(const struct map *m, size_t *at, struct uuid *ret_key);
DEFINE_AUTO_STRUCT(map);

#endif
