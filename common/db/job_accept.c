/*
 * Group commit of what clients submitted (docs/architecture.md, "The life of a job", 2; I1, I3).
 * A pass takes the undecided entries, one per id, in ascending order of ids:
 *
 *   1. A plain read of job decides those whose row is there: a reader waits for nobody. Ids made
 *      within a moment of each other are read as one stretch of the table, others by their list.
 *      The first try of a pass leaves this out, since most ids are new, and waits for no lock.
 *   2. The others are inserted as one statement. Never IGNORE, which truncates silently, and never
 *      ON DUPLICATE KEY, which waits for a worker's lock: a duplicate means that an id is known or
 *      somebody was faster, and the pass is run again.
 *   3. Only now job_history is read for the ids just inserted, in the same transaction: before the
 *      insert the same id could be completed between the two. What is found is taken back.
 *   4. Commit.
 *
 * A pass that changed nothing yet (rolled back, or lost) leaves its entries undecided. A row that
 * is found exactly as this batch would have written it is ours, from a commit whose answer was
 * lost, and counts as new.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "db/job_row.h"

#include <assert.h>
#include <string.h>

#define CONFLICTS_MOST 8 /* reruns of one pass before the batch is given back */
#define LOCK_WAIT_S 1    /* for somebody who stores the same id at this moment */
#define LOSSES_MOST 2    /* connections lost by the same rows before they are split */
#define LOSSES_ALONE 8   /* by one row before it is rejected */
#define LOSS_MS 5000     /* a connection lost later than that is no row's fault */
#define STRETCH_MS 100   /* ids made so close together are read as a stretch of the table */
#define STRETCH_LEAST 8  /* where there are so many */
#define COLUMNS_MOST 5

struct entry {
    struct accept *accept;
    bool is_decided, is_inserted;
};
struct pass {
    struct db *db;
    struct entry *entries; /* ascending ids, none twice, at most DB_IDS_MOST */
    size_t count;
    bool is_repeat; /* other content than the first of its id in this batch: never "ours" */
};

static bool same_content(
    const struct job *job, const struct db_value *fingerprint, const struct db_value *client)
{
    return fingerprint->bytes.length == sizeof job->fingerprint &&
           memcmp(fingerprint->bytes.data, job->fingerprint, sizeof job->fingerprint) == 0 &&
           bytes_equal(client->bytes, bytes_of_text(job->client));
}

static void judge(struct entry *e, const struct db_value *fingerprint,
    const struct db_value *client, bool is_finished)
{
    const struct job *job = e->accept->job;
    e->is_decided = true;
    e->accept->foreign = !bytes_equal(client->bytes, bytes_of_text(job->client));
    e->accept->verdict = same_content(job, fingerprint, client) ? ACCEPT_SAME : ACCEPT_CONFLICT;
    e->accept->finished = is_finished && e->accept->verdict == ACCEPT_SAME;
}

static int by_key(const void *key, const void *entry)
{
    return uuid_compare(key, &((const struct entry *)entry)->accept->job->id);
}

static struct entry *find_entry(const struct pass *p, const struct db_value *column)
{
    const struct uuid id = uuid_of(column);
    return bsearch(&id, p->entries, p->count, sizeof *p->entries, by_key);
}

/* Packs the ids of undecided entries. */
static size_t pack_undecided(const struct pass *p, struct uuid *ids)
{
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        if (!p->entries[i].is_decided)
            ids[n++] = p->entries[i].accept->job->id;
    }
    return n;
}

/* A result's row, for the entry with its id if there is one. */
static int each_row(struct pass *p, const struct statement *s, const struct db_value *params,
    void (*take)(const struct pass *p, struct entry *e, const struct db_value *columns),
    size_t *ret_rows, struct err *err)
{
    struct db_value columns[COLUMNS_MOST];
    size_t n = 0;
    if (db_query(p->db, s, params, err))
        return -1;
    int row;
    while ((row = db_fetch(p->db, columns, err)) > 0) {
        struct entry *e = find_entry(p, &columns[0]);
        if (e)
            take(p, e, columns);
        n++;
    }
    *ret_rows = n;
    return row;
}

/*
 * Where the ids begin that were made within a moment of the last: ids that carry their time lie
 * beside each other in the table too, so that reading all rows between the first and the last finds
 * the same as a look-up of each, for the price of one. `n`: there are too few.
 */
static size_t stretch_of(const struct uuid *ids, size_t n)
{
    size_t first = n;
    const int64_t last_ms = n ? uuid_time_ms(&ids[n - 1]) : -1;
    while (last_ms >= 0 && first > 0 && uuid_time_ms(&ids[first - 1]) >= last_ms - STRETCH_MS)
        first--;
    return n - first < STRETCH_LEAST ? n : first;
}

struct look {
    const struct statement *stretch, *list;
    void (*take)(const struct pass *p, struct entry *e, const struct db_value *columns);
};

/* Plain reads of the rows with the ids of undecided entries. */
static int look_for(struct pass *p, const struct look *look, struct err *err)
{
    struct uuid ids[DB_IDS_MOST];
    struct db_value params[3];
    const size_t n = pack_undecided(p, ids);
    size_t listed = stretch_of(ids, n), rows = 0;
    if (listed < n) {
        params[0] = db_uuid(&ids[listed]);
        params[1] = db_uuid(&ids[n - 1]);
        params[2] = db_int(DB_IDS_MOST);
        if (each_row(p, look->stretch, params, look->take, &rows, err))
            return -1;
        if (rows >= DB_IDS_MOST) /* not all of them: one by one after all */
            listed = n;
    }
    if (listed == 0)
        return 0;
    ids_bind(params, ids, listed);
    return each_row(p, look->list, params, look->take, &rows, err);
}

static void take_known(const struct pass *p, struct entry *e, const struct db_value *c)
{
    judge(e, &c[1], &c[2], false);
    const struct job *job = e->accept->job;
    if (!p->is_repeat && e->accept->verdict == ACCEPT_SAME && c[3].integer == job->slot &&
        c[4].integer == job->created_ms)
        e->accept->verdict = ACCEPT_NEW;
}

#define FIND "SELECT j.id, j.fingerprint, j.client, j.slot, j.created_ms FROM "
#define FIND_FINISHED "SELECT h.id, h.fingerprint, h.client FROM "
#define STRETCH(table, id) table " FORCE INDEX (PRIMARY) WHERE " id " BETWEEN ? AND ? LIMIT ?"

/* Step 1. */
static int look_up(struct pass *p, struct err *err)
{
    static const struct statement list = {.name = "accept.find",
                                      .sql = FIND DB_JOIN_IDS("job j", "j.id"),
                                      .params = "bi",
                                      .columns = "bbtii"},
                                  stretch = {.name = "accept.find-stretch",
                                      .sql = FIND STRETCH("job j", "j.id"),
                                      .params = "bbi",
                                      .columns = "bbtii"};
    static const struct look look = {&stretch, &list, take_known};
    return look_for(p, &look, err);
}

/* Step 2. */
static int insert_unknown(struct pass *p, struct err *err)
{
    const struct job *jobs[DB_IDS_MOST];
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct entry *e = &p->entries[i];
        e->is_inserted = !e->is_decided;
        if (e->is_inserted)
            jobs[n++] = e->accept->job;
    }
    return job_rows_insert(p->db, jobs, n, err);
}

static void take_finished(const struct pass *p, struct entry *e, const struct db_value *c)
{
    (void)p;
    if (e->is_inserted)
        judge(e, &c[1], &c[2], true);
}

/* Step 3. */
static int take_back_finished(struct pass *p, struct err *err)
{
    static const struct statement list = {.name = "accept.finished",
                                      .sql = FIND_FINISHED DB_JOIN_IDS("job_history h", "h.id"),
                                      .params = "bi",
                                      .columns = "bbt"},
                                  stretch = {.name = "accept.finished-stretch",
                                      .sql = FIND_FINISHED STRETCH("job_history h", "h.id"),
                                      .params = "bbi",
                                      .columns = "bbt"};
    static const struct look look = {&stretch, &list, take_finished};
    struct uuid found[DB_IDS_MOST];
    size_t n = 0;
    if (look_for(p, &look, err))
        return -1;
    for (size_t i = 0; i < p->count; i++)
        if (p->entries[i].is_inserted && p->entries[i].is_decided)
            found[n++] = p->entries[i].accept->job->id;
    return job_rows_delete(p->db, found, n, err);
}

static void undecide_inserted(struct pass *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (p->entries[i].is_inserted)
            p->entries[i].is_decided = p->entries[i].is_inserted = false;
    }
}

static void note_new(struct entry *e)
{
    e->is_decided = true;
    e->accept->verdict = ACCEPT_NEW;
    e->accept->foreign = e->accept->finished = false;
}

/* Steps 2 to 4 in a transaction begun; all of them or none, unless the error is ERR_UNSURE. */
static int store_unknown(struct pass *p, struct err *err)
{
    if (insert_unknown(p, err) || take_back_finished(p, err)) {
        db_rollback(p->db);
        undecide_inserted(p);
        return -1;
    }
    if (db_commit(p->db, err)) {
        undecide_inserted(p);
        return -1;
    }
    for (size_t i = 0; i < p->count; i++) {
        struct entry *e = &p->entries[i];
        if (e->is_inserted && !e->is_decided)
            note_new(e);
    }
    return 0;
}

static bool all_decided(const struct pass *p)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!p->entries[i].is_decided)
            return false;
    }
    return true;
}

/*
 * Steps 2 to 4 for one entry in one round trip, as a lone request waits for little else. An id in
 * history is a duplicate, for the next try to judge.
 */
static int store_alone(struct pass *p, struct err *err)
{
    static const struct statement store = {.name = "accept.one",
        .sql = "BEGIN NOT ATOMIC " JOB_INSERT "; "
               "IF EXISTS (SELECT 1 FROM job_history WHERE id = ?) THEN "
               "SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = 'finished'; "
               "END IF; COMMIT; END",
        .params = JOB_COLUMN_TYPES "b"};
    const struct job *job = p->entries[0].accept->job;
    struct db_value values[JOB_COLUMN_COUNT + 1];
    job_row_values(job, values);
    values[JOB_COLUMN_COUNT] = db_uuid(&job->id);
    if (db_run(p->db, &store, values, NULL, err)) {
        db_rollback(p->db);
        return -1;
    }
    note_new(&p->entries[0]);
    return 0;
}

/* Step 1 by itself. */
static int only_look(struct pass *p, struct err *err)
{
    if (db_begin(p->db, err))
        return -1;
    const int failed = look_up(p, err);
    db_rollback(p->db);
    return failed;
}

/* Steps 1 (if it looks) to 4. `ret_told`: the server was told what is in the rows. */
static int try_pass(struct pass *p, bool looks, bool *ret_told, struct err *err)
{
    *ret_told = false;
    if (db_lock_wait(p->db, looks ? LOCK_WAIT_S : 0, err) || db_begin(p->db, err))
        return -1;
    const int failed = looks ? look_up(p, err) : 0;
    if (failed || all_decided(p)) {
        db_rollback(p->db);
        return failed;
    }
    *ret_told = true;
    return p->count == 1 && !looks ? store_alone(p, err) : store_unknown(p, err);
}

static int run_pass(struct pass *p, struct err *err);

/* The guilty row is found by halves. Alone it is rejected, unless it turns out to be there. */
static int split(struct pass *p, struct err *err)
{
    if (p->count > 1) {
        struct pass low = *p, high = *p;
        low.count = p->count / 2;
        high.entries += low.count;
        high.count -= low.count;
        return run_pass(&low, err) || run_pass(&high, err) ? -1 : 0;
    }
    struct entry *e = &p->entries[0];
    const struct err why = *err;
    if ((!db_is_open(p->db) && db_open(p->db, err)) || only_look(p, err))
        return -1;
    if (!e->is_decided) {
        e->is_decided = true;
        e->accept->verdict = ACCEPT_REJECTED;
        e->accept->error = why;
        if (why.kind != ERR_INPUT)
            err_set(&e->accept->error, ERR_INPUT, NULL, "the database breaks off at this job: %s",
                why.text);
    }
    return 0;
}

static int give_up(struct err *err)
{
    const struct err last = *err;
    return err_set(
        err, ERR_TEMPORARY, NULL, "the same jobs are being stored elsewhere: %s", last.text);
}

static int give_back(struct err *err)
{
    const struct err last = *err;
    return err_set(err, ERR_TEMPORARY, "unavailable", "%s", last.text);
}

/*
 * Until every entry is decided. Losses count only while the server lets us in again at once: a
 * server that is away is no row's fault, nor is one that says nothing until it is given up. Nor is
 * one that breaks off while it is only asked about ids: what is in a row has not been said then.
 * One row alone gets more tries, since connections are also lost by accident, twice in a row too.
 */
static int run_pass(struct pass *p, struct err *err)
{
    int conflicts = 0, losses = 0;
    for (bool looks = p->is_repeat, is_told;; looks = true) {
        if (!db_is_open(p->db) && db_open(p->db, err))
            return -1;
        const int64_t tried_ms = clock_monotonic_ms();
        if (try_pass(p, looks, &is_told, err) == 0)
            return 0;
        if (err->kind == ERR_INPUT)
            return split(p, err);
        if (err->kind == ERR_CONFLICT) {
            if (++conflicts > CONFLICTS_MOST)
                return give_up(err);
        } else if (db_is_open(p->db)) {
            return -1;
        } else if (clock_monotonic_ms() - tried_ms > LOSS_MS) {
            return give_back(err);
        } else if (++losses >= (p->count > 1 ? LOSSES_MOST : LOSSES_ALONE)) {
            return is_told ? split(p, err) : -1;
        }
    }
}

static int by_id_then_place(const void *a, const void *b)
{
    const struct accept *x = *(struct accept *const *)a, *y = *(struct accept *const *)b;
    const int order = uuid_compare(&x->job->id, &y->job->id);
    return order ? order : (x > y) - (x < y);
}

/*
 * A repeat within the batch, judged by the first of its id where that says enough: false when only
 * the database can tell.
 */
static bool judge_repeat(struct accept *a, const struct accept *first)
{
    const struct job *job = a->job, *other = first->job;
    const bool is_foreign = strcmp(job->client, other->client) != 0;
    const bool is_same =
        !is_foreign && memcmp(job->fingerprint, other->fingerprint, sizeof job->fingerprint) == 0;
    if (first->verdict == ACCEPT_REJECTED || (first->verdict == ACCEPT_CONFLICT && !is_same))
        return false;
    if (first->verdict == ACCEPT_CONFLICT) {
        a->verdict = ACCEPT_CONFLICT;
        a->foreign = first->foreign;
    } else {
        a->verdict = is_same ? ACCEPT_SAME : ACCEPT_CONFLICT;
        a->foreign = is_foreign;
        a->finished = is_same && first->finished;
    }
    return true;
}

static bool is_first_of_id(struct accept *const *order, size_t i)
{
    return i == 0 || !uuid_equal(&order[i]->job->id, &order[i - 1]->job->id);
}

/* Keeps, at the front of `order`, the repeats that need another pass; returns how many. */
static size_t keep_repeats(struct accept **order, size_t n)
{
    struct accept *first = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct accept *a = order[i];
        if (!first || !uuid_equal(&a->job->id, &first->job->id))
            first = a;
        else if (!judge_repeat(a, first))
            order[kept++] = a;
    }
    return kept;
}

/* Entries sorted by id, with at most DB_IDS_MOST different ones. */
static int accept_part(struct db *db, struct accept **order, size_t n, struct err *err)
{
    struct entry entries[DB_IDS_MOST];
    struct pass p = {.db = db, .entries = entries};
    while (n) {
        p.count = 0;
        for (size_t i = 0; i < n; i++) {
            if (is_first_of_id(order, i))
                entries[p.count++] = (struct entry){.accept = order[i]};
        }
        if (run_pass(&p, err))
            return -1;
        n = keep_repeats(order, n);
        p.is_repeat = true;
    }
    return 0;
}

int job_accept(struct db *db, struct accept *batch, size_t n, struct err *err)
{
    AUTO_TEXT memory = mem_zero(n, sizeof(struct accept *));
    struct accept **order = (struct accept **)(void *)memory;
    for (size_t i = 0; i < n; i++)
        order[i] = &batch[i];
    qsort(order, n, sizeof(struct accept *), by_id_then_place);
    for (size_t at = 0, end; at < n; at = end) {
        end = n - at < DB_IDS_MOST ? n : at + DB_IDS_MOST;
        while (end < n && !is_first_of_id(order, end))
            end++;
        if (accept_part(db, order + at, end - at, err))
            return -1;
    }
    return 0;
}
