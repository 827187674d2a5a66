#include "store/value.h"

#include <string.h>

int id_find_each(struct db *db, const struct statement *statement, const struct uuid *ids, size_t n,
    struct uuid *ret, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[2];
    memset(ret, 0, n * sizeof *ret);
    if (db_query(db, statement, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0)
        ret[value_int(&row[0])] = value_uuid(&row[1]);
    db_finish(db);
    return more;
}
