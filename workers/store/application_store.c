#include "store/application_store.h"

#include "store/value.h"

#include <string.h>

#define COLUMNS                                                                                    \
    "a.id, a.subscriber, a.certificate, a.kind, a.state, a.job, a.chargeable, a.charge_reason, "   \
    "a.request, a.decided_ms, a.decided_by, a.note, a.created_ms, a.contract"
#define TYPES "bbbttbittittib"
#define WIDTH 14

static const struct statement load = {"application.load",
    "SELECT " COLUMNS " FROM " DB_JOIN_IDS_BY("application a", "subscriber", "a.subscriber"), "bi",
    TYPES};
/* What is asked of contracts themselves. */
static const struct statement load_own = {"application.load-own",
    "SELECT " COLUMNS " FROM " DB_JOIN_IDS_BY("application a", "contract", "a.contract"), "bi",
    TYPES};

static void read_row(const struct db_value *v, struct application *a)
{
    *a = (struct application){.row = ROW_STORED,
        .id = value_uuid(&v[0]),
        .subscriber = value_uuid(&v[1]),
        .certificate = value_uuid(&v[2]),
        .job = value_uuid(&v[5]),
        .charged = v[6].type == DB_NULL ? CHARGED_UPSTREAM
                   : v[6].integer       ? CHARGED_YES
                                        : CHARGED_NO,
        .request = value_text(&v[8]),
        .decided_ms = value_int(&v[9]),
        .decided_by = value_text(&v[10]),
        .note = value_text(&v[11]),
        .created_ms = value_int(&v[12]),
        .contract = value_uuid(&v[13])};
    value_word(&v[3], a->kind, sizeof a->kind);
    application_state_find(v[4].bytes, &a->state);
    value_word(&v[7], a->charge_reason, sizeof a->charge_reason);
}

/*
 * Moves the newest row to its place by id. Left to the server, sorting made a temporary table of
 * every load, on disk because of the texts; rows come in order but for a rare plan.
 */
static void put_in_order(struct aggregate *a)
{
    struct application **rows = a->applications;
    for (size_t i = a->application_count - 1;
         i > 0 && uuid_compare(&rows[i - 1]->id, &rows[i]->id) > 0; i--) {
        struct application *later = rows[i - 1];
        rows[i - 1] = rows[i];
        rows[i] = later;
    }
}

/* The rows that stand under some ids, each given to the aggregate of the id in column `by`. */
static int load_by(struct db *db, const struct statement *s, int by, const struct uuid *ids,
    size_t n, struct aggregate *(*of)(void *arg, const struct uuid *id), void *arg, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[WIDTH];
    if (db_query(db, s, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0) {
        struct uuid id = value_uuid(&row[by]);
        struct aggregate *a = of(arg, &id);
        if (a) {
            read_row(row, aggregate_add_application(a));
            put_in_order(a);
        }
    }
    db_finish(db);
    return more;
}

int application_load(struct db *db, const struct uuid *subscribers, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *subscriber), void *arg, struct err *err)
{
    return load_by(db, &load, 1, subscribers, n, of, arg, err);
}

int application_load_own(struct db *db, const struct uuid *contracts, size_t n,
    struct aggregate *(*of)(void *arg, const struct uuid *contract), void *arg, struct err *err)
{
    return load_by(db, &load_own, 13, contracts, n, of, arg, err);
}

static struct db_value charged(const struct application *a)
{
    return a->charged == CHARGED_UPSTREAM ? db_null() : db_int(a->charged == CHARGED_YES);
}

static const struct statement insert = {"application.insert",
    "INSERT INTO application (id, subscriber, certificate, kind, state, job, chargeable, "
    "charge_reason, request, decided_ms, decided_by, note, created_ms, contract) VALUES "
    "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    TYPES, ""};

int application_insert(
    struct db *db, const struct application *const *rows, size_t n, struct err *err)
{
    struct db_value *v = mem_zero(n * WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct application *a = rows[i];
        struct db_value row[WIDTH] = {db_uuid(&a->id), db_uuid(&a->subscriber),
            db_id_or_null(&a->certificate), db_text(a->kind),
            db_text(application_state_word(a->state)), db_uuid(&a->job), charged(a),
            db_text(a->charge_reason), db_text(a->request), db_time_or_null(a->decided_ms),
            db_text(a->decided_by), db_text(a->note), db_int(a->created_ms),
            db_id_or_null(&a->contract)};
        memcpy(&v[i * WIDTH], row, sizeof row);
    }
    int result = db_run_bulk(db, &insert, v, n, NULL, err);
    free(v);
    return result;
}

static const struct statement update = {"application.update",
    "UPDATE application SET state = ?, request = ?, decided_ms = ?, decided_by = ?, note = ? "
    "WHERE id = ?",
    "ttittb", ""};

int application_update(
    struct db *db, const struct application *const *rows, size_t n, struct err *err)
{
    enum { UPDATE_WIDTH = 6 };
    struct db_value *v = mem_zero(n * UPDATE_WIDTH, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        const struct application *a = rows[i];
        struct db_value row[UPDATE_WIDTH] = {db_text(application_state_word(a->state)),
            db_text(a->request), db_time_or_null(a->decided_ms), db_text(a->decided_by),
            db_text(a->note), db_uuid(&a->id)};
        memcpy(&v[i * UPDATE_WIDTH], row, sizeof row);
    }
    int result = db_run_bulk(db, &update, v, n, NULL, err);
    free(v);
    return result;
}

static const struct statement find = {"application.find",
    "SELECT list.seq, a.id, a.subscriber, a.contract FROM " DB_JOIN_IDS("application a", "a.id"),
    "bi", "ibbb"};
/* By the job that asked; what still waits comes last. */
static const struct statement find_job = {"application.find-job",
    "SELECT list.seq, a.id, a.subscriber, a.contract FROM " DB_JOIN_IDS_BY(
        "application a", "job", "a.job") " ORDER BY a.state = 'awaiting-approval', a.id",
    "bi", "ibbb"};
/* By the certificate it is about, while it waits. */
static const struct statement find_certificate = {"application.find-certificate",
    "SELECT list.seq, a.id, a.subscriber, a.contract FROM " DB_JOIN_IDS("certificate c",
        "c.id") " "
                "JOIN application a ON a.subscriber = c.subscriber AND a.certificate = c.id "
                "AND a.state = 'awaiting-approval' ORDER BY a.id",
    "bi", "ibbb"};

/* Fills in those that nothing was found for yet. */
static int find_by(struct db *db, const struct statement *statement, const struct uuid *ids,
    size_t n, struct application_owner *ret, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[4];
    struct application_owner *found = mem_zero(n, sizeof *found);
    int more = db_query(db, statement, params, err) ? -1 : 1;
    while (more > 0 && (more = db_fetch(db, row, err)) > 0)
        found[row[0].integer] = (struct application_owner){
            value_uuid(&row[1]), value_uuid(&row[2]), value_uuid(&row[3])};
    if (more == 0)
        db_finish(db);
    for (size_t i = 0; more == 0 && i < n; i++)
        if (uuid_is_zero(&ret[i].application))
            ret[i] = found[i];
    free(found);
    return more;
}

static bool all_found(const struct application_owner *owners, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (uuid_is_zero(&owners[i].application))
            return false;
    return true;
}

int application_find(
    struct db *db, const struct uuid *ids, size_t n, struct application_owner *ret, struct err *err)
{
    static const struct statement *const ways[] = {&find, &find_job, &find_certificate};
    memset(ret, 0, n * sizeof *ret);
    for (size_t i = 0; i < ARRAY_LENGTH(ways) && !all_found(ret, n); i++)
        if (find_by(db, ways[i], ids, n, ret, err))
            return -1;
    return 0;
}
