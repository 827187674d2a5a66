/*
 * Between columns and records: absent ids are zero, absent times 0, absent texts NULL there and SQL
 * NULL here.
 */
#ifndef CERTQ_WORKERS_STORE_VALUE_H
#define CERTQ_WORKERS_STORE_VALUE_H

#include "base/mem.h"
#include "db/db.h"

#include <stdio.h>

/* The packed parameter of DB_JOIN_IDS. */
static inline struct bytes id_list_bytes(const struct uuid *ids, size_t n)
{
    return (struct bytes){(const uint8_t *)ids, n * sizeof *ids};
}

/*
 * What belongs to each id of a list: by a statement with DB_JOIN_IDS whose columns are list.seq and
 * that id. Zero: nothing does.
 */
int id_find_each(struct db *db, const struct statement *statement, const struct uuid *ids, size_t n,
    struct uuid *ret, struct err *err) MUST_USE;

static inline struct uuid value_uuid(const struct db_value *v)
{
    struct uuid id = {{0}};
    for (size_t i = 0; i < sizeof id.b && i < v->bytes.length && v->type != DB_NULL; i++)
        id.b[i] = v->bytes.data[i];
    return id;
}
static inline int64_t value_int(const struct db_value *v)
{
    return v->type == DB_INT ? v->integer : 0;
}
/* A copy the caller frees; NULL for NULL. */
static inline char *value_text(const struct db_value *v)
{
    return v->type == DB_NULL ? NULL : mem_text_n((const char *)v->bytes.data, v->bytes.length);
}
static inline void value_word(const struct db_value *v, char *ret, size_t size)
{
    if (v->type == DB_NULL)
        ret[0] = '\0';
    else
        snprintf(ret, size, "%.*s", (int)v->bytes.length, (const char *)v->bytes.data);
}
static inline void value_fixed(const struct db_value *v, uint8_t *ret, size_t size)
{
    for (size_t i = 0; i < size; i++)
        ret[i] = v->type != DB_NULL && i < v->bytes.length ? v->bytes.data[i] : 0;
}

static inline struct db_value db_id_or_null(const struct uuid *id)
{
    return uuid_is_zero(id) ? db_null() : db_uuid(id);
}
static inline struct db_value db_time_or_null(int64_t time_ms)
{
    return time_ms ? db_int(time_ms) : db_null();
}
static inline struct db_value db_word_or_null(const char *word)
{
    return word[0] ? db_text(word) : db_null();
}
static inline struct db_value db_raw(const void *data, size_t length)
{
    return db_bytes((struct bytes){data, length});
}

#endif
