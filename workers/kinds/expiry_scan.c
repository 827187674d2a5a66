/*
 * expiry-scan: queues the notices that are due (lifecycle/notice.h). Who is due is read once from
 * the index; then each chunk is a transaction: its certificates are locked and read again, and rows
 * of notice, mail jobs and the certificates' marks are written together. A scan that is killed, run
 * again or run twice at once finds the chunks that are done marked, and does the rest. The last
 * chunk and the job's completion are one transaction, whose mails the broker hears of at once; the
 * others' mails are spread over all slots, where brokers find them.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "db/job_store.h"
#include "kinds/alone.h"
#include "kinds/kinds.h"
#include "kinds/ports.h"
#include "kinds/scan_tally.h"
#include "report.h"
#include "store/notice_store.h"
#include "worker.h"

#include <string.h>

enum {
    CHUNK = 1000, /* certificates in one transaction, at most DB_IDS_MOST */
    SLOTS = 16,   /* schema/001_core.sql */
};

/* A part of those due: some certificates of one product, due at one threshold. */
struct chunk {
    const struct policy *policy;
    int days;
    size_t first, n; /* in scan.ids */
};

struct scan {
    struct worker *worker;
    struct task *task;
    const struct uuid *group;
    struct ports ports;
    struct decision decision;
    bool has_date, is_dry;
    struct date date; /* as_of, a day in each product's zone */
    const struct policy *only;
    struct buf ids;
    struct chunk *chunks;
    size_t chunk_count;
    const struct chunk *now; /* the transaction's; NULL: none is left */
    struct scan_tally *tally;
};

/* --- the request --- */

static bool read_flag(const json_t *args, const char *name, struct plan *plan)
{
    const json_t *value = json_object_get(args, name);
    if (value && !json_is_boolean(value))
        plan_bad_field(plan, name, "must be true or false");
    return json_is_true(value);
}

static void read_request(struct scan *s)
{
    static const char *const known[] = {"as_of", "product", "dry_run", "by", NULL};
    struct plan *plan = &s->task->plan;
    const json_t *args = s->task->args;
    args_known(args, known, plan);
    const char *as_of = args_text(args, "as_of", 16, plan);
    const char *product = args_text(args, "product", POLICY_NAME_MOST, plan);
    s->is_dry = read_flag(args, "dry_run", plan);
    s->has_date = as_of && date_parse(as_of, &s->date);
    if (as_of && !s->has_date)
        plan_bad_field(plan, "as_of", "must be a day, YYYY-MM-DD");
    s->only = product ? policy_set_find(s->worker->policies, product) : NULL;
    if (product && !s->only)
        plan_bad_field(plan, "product", "there is no such product");
}

static void prepare(struct worker *w, struct task *task)
{
    struct scan s = {.worker = w, .task = task};
    ports_of(w, NULL, &s.ports);
    s.decision = decision_of(task, &s.ports);
    if (actor_read(&s.decision, task->args, &task->plan))
        read_request(&s);
}

/* The instant days are counted from, for this product. */
static int64_t as_of_ms(const struct scan *s, const struct policy *policy)
{
    return s->has_date ? day_start_ms(s->date, policy->zone) : s->decision.now_ms;
}

/* --- who is due --- */

static void add_chunks(struct scan *s, const struct policy *policy, int days, size_t first)
{
    const size_t all = s->ids.length / sizeof(struct uuid);
    for (size_t at = first; at < all; at += CHUNK) {
        s->chunks = mem_resize(s->chunks, s->chunk_count + 1, sizeof *s->chunks);
        s->chunks[s->chunk_count++] =
            (struct chunk){policy, days, at, all - at < CHUNK ? all - at : CHUNK};
    }
}

static void start_tally(struct scan *s)
{
    const struct policy_set *set = s->worker->policies;
    scan_tally_free(s->tally);
    s->tally = scan_tally_new();
    for (size_t i = 0; i < set->count; i++)
        if ((!s->only || s->only == set->items[i]) && set->items[i]->mails[MAIL_EXPIRY].count)
            scan_tally_product(s->tally, set->items[i]);
}

static int find_due(struct scan *s, struct err *err)
{
    const struct policy_set *set = s->worker->policies;
    struct notice_band bands[POLICY_LIST_MOST];
    for (size_t i = 0; i < set->count; i++) {
        const struct policy *policy = set->items[i];
        if (s->only && policy != s->only)
            continue;
        size_t n = notice_bands(policy, as_of_ms(s, policy), bands);
        for (size_t k = 0; k < n && !s->is_dry; k++) /* nobody is told of what is over by now */
            if (bands[k].from_ms < s->decision.now_ms)
                bands[k].from_ms = s->decision.now_ms / 1000 * 1000;
        for (size_t k = 0; k < n; k++) {
            const size_t first = s->ids.length / sizeof(struct uuid);
            if (notice_find_due(s->worker->db, policy->name, &bands[k], &s->ids, err))
                return -1;
            add_chunks(s, policy, bands[k].days, first);
        }
    }
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return uuid_compare(a, b);
}

/* A sorted copy, as rows are locked. */
static void chunk_ids(
    const struct scan *s, const struct chunk *c, struct uuid ids[static DB_IDS_MOST])
{
    memcpy(ids, s->ids.data + c->first * sizeof *ids, c->n * sizeof *ids);
    qsort(ids, c->n, sizeof *ids, compare_ids);
}

/* --- one chunk --- */

/* What a chunk's certificates become: rows, and mails as follow-ups of a plan. */
struct work {
    struct notice_row *rows;
    size_t row_count;
    struct notice_insert *inserts;
    size_t insert_count;
    struct uuid *marked;
    size_t marked_count;
};

static void work_clear(struct work *k)
{
    for (size_t i = 0; i < k->row_count; i++)
        notice_row_clear(&k->rows[i]);
    free(k->rows);
    free(k->inserts);
    free(k->marked);
}

static void add_insert(struct work *k, const struct notice_facts *f, const struct notice *notice,
    const struct uuid *mail)
{
    k->inserts = mem_resize(k->inserts, k->insert_count + 1, sizeof *k->inserts);
    k->inserts[k->insert_count++] =
        (struct notice_insert){f->certificate, mail ? *mail : (struct uuid){{0}}, f->policy->name,
            notice->recipient, notice->days, notice->reason};
}

static void decide_one(struct scan *s, const struct chunk *c, struct notice_facts *f,
    struct work *k, struct plan *plan)
{
    struct notice notices[NOTICES_MOST];
    struct decision d = s->decision; /* mails count from the day they are sent */
    d.ports = &s->ports.ports;
    f->policy = c->policy;
    const size_t n = notice_decide(f, c->days, notices);
    for (size_t i = 0; i < n; i++) {
        const struct uuid *mail = NULL;
        if (s->is_dry) {
            scan_tally_reason(s->tally, c->policy->name, notices[i].reason, 1);
            scan_tally_list(s->tally, f, &notices[i], as_of_ms(s, c->policy));
        } else if (notices[i].reason == NOTICE_WANTED) {
            plan_followup(
                plan, KIND_MAIL, JOB_PRIORITY_DEFAULT, 0, notice_mail(&d, f, &notices[i]));
            mail = &plan->followups[plan->followup_count - 1].id;
        }
        add_insert(k, f, &notices[i], mail);
    }
    if (s->is_dry && n)
        scan_tally_due(s->tally, c->policy->name, c->days, 1);
    k->marked[k->marked_count++] = f->certificate;
}

static int decide_rows(struct scan *s, const struct chunk *c, const struct uuid *ids, size_t n,
    struct work *k, struct plan *plan, struct err *err)
{
    k->rows = mem_zero(n, sizeof *k->rows);
    k->marked = mem_zero(n, sizeof *k->marked);
    if (n && notice_load(s->worker->db, c->policy, ids, n, k->rows, &k->row_count, err))
        return -1;
    for (size_t i = 0; i < k->row_count; i++)
        decide_one(s, c, &k->rows[i].facts, k, plan);
    return 0;
}

static int store_rows(struct scan *s, const struct chunk *c, const struct work *k, struct err *err)
{
    struct db *db = s->worker->db;
    if (k->insert_count &&
        notice_insert(db, k->inserts, k->insert_count, &s->task->job->id, clock_now_ms(), err))
        return -1;
    return notice_mark(db, k->marked, k->marked_count, c->days, err);
}

/* Rows of the chunk in the open transaction; its mails are left in the plan. */
static int do_chunk(struct scan *s, const struct chunk *c, struct plan *plan, struct err *err)
{
    struct uuid ids[DB_IDS_MOST];
    struct work k = {0};
    size_t n = c->n;
    chunk_ids(s, c, ids);
    int result = notice_lock(s->worker->db, ids, c->n, c->days, &n, err);
    if (result == 0)
        result = decide_rows(s, c, ids, n, &k, plan, err);
    if (result == 0)
        result = store_rows(s, c, &k, err);
    work_clear(&k);
    return result;
}

/* --- transactions --- */

static int insert_mails(struct scan *s, struct plan *plan, struct err *err)
{
    struct task carrier = {.job = s->task->job, .plan = *plan};
    struct task *list[] = {&carrier};
    AUTO(completion) c = completion_new(list, 1, clock_now_ms());
    *plan = carrier.plan;
    const size_t n = completion_followup_count(c);
    CLEANUP(text_auto_free) char *memory = mem_zero(n, sizeof(struct job) + sizeof(struct job *));
    struct job *jobs = (struct job *)(void *)memory;
    const struct job **order = (const struct job **)(void *)(jobs + n);
    for (size_t i = 0; i < n; i++) {
        jobs[i] = *completion_followups(c)[i];
        jobs[i].slot = (uint16_t)((jobs[i].slot + i) % SLOTS);
        order[i] = &jobs[i];
    }
    return n ? job_insert(s->worker->db, order, n, err) : 0;
}

static int chunk_alone(void *arg, struct err *err)
{
    struct scan *s = arg;
    struct plan plan = {0};
    int result = alone_hold(s->worker->db, s->task, err);
    if (result == 0)
        result = do_chunk(s, s->now, &plan, err);
    if (result == 0)
        result = insert_mails(s, &plan, err);
    plan_clear(&plan);
    return result;
}

static void count_due(void *context, const char *product, int64_t days, int64_t certificates)
{
    scan_tally_due(context, product, (int)days, certificates);
}

static void count_reason(void *context, const char *product, int64_t reason, int64_t rows)
{
    if (reason >= 0 && reason < NOTICE_REASON_COUNT)
        scan_tally_reason(context, product, (enum notice_reason)reason, rows);
}

/* The result of all tries together, this transaction's rows included. */
static int give_result(struct scan *s, struct err *err)
{
    struct db *db = s->worker->db;
    const struct uuid *job = &s->task->job->id;
    if (!s->is_dry && (notice_count_due(db, job, count_due, s->tally, err) ||
                          notice_count_reasons(db, job, count_reason, s->tally, err)))
        return -1;
    const char *as_of = s->has_date ? date_s(s->date) : clock_s(s->decision.now_ms);
    plan_result(&s->task->plan, scan_tally_result(s->tally, as_of, s->is_dry));
    return 0;
}

static int complete(struct scan *s, struct err *err)
{
    struct task *task = s->task;
    int result = alone_hold(s->worker->db, task, err);
    if (result)
        return result;
    if (s->now && do_chunk(s, s->now, &task->plan, err))
        return -1;
    if (!task->refused && give_result(s, err))
        return -1;
    return alone_complete(s->worker->db, task, s->group, err);
}

/* The last one, whose plan is the job's: emptied before each try. */
static int finish(void *arg, struct err *err)
{
    struct scan *s = arg;
    if (!s->task->refused && !s->is_dry) {
        plan_clear(&s->task->plan);
        actor_record(&s->decision, &s->task->plan);
        start_tally(s);
    }
    return complete(s, err);
}

static int look_only(struct scan *s, struct err *err)
{
    start_tally(s);
    for (size_t i = 0; i < s->chunk_count; i++) {
        struct uuid ids[DB_IDS_MOST];
        struct work k = {0};
        chunk_ids(s, &s->chunks[i], ids);
        int result = decide_rows(s, &s->chunks[i], ids, s->chunks[i].n, &k, &s->task->plan, err);
        work_clear(&k);
        if (result)
            return -1;
    }
    return alone_commit(s->worker->db, finish, s, err) < 0 ? -1 : 0;
}

static int scan(struct scan *s, struct err *err)
{
    struct db *db = s->worker->db;
    int result = 0;
    if (s->task->refused)
        return alone_commit(db, finish, s, err) < 0 ? -1 : 0;
    if (db_open(db, err) || find_due(s, err))
        return -1;
    if (s->is_dry)
        return look_only(s, err);
    for (size_t i = 0; result == 0 && i < s->chunk_count; i++) {
        s->now = &s->chunks[i];
        if (i + 1 < s->chunk_count)
            result = alone_commit(db, chunk_alone, s, err);
    }
    if (result == 0)
        result = alone_commit(db, finish, s, err);
    return result < 0 ? -1 : 0;
}

static int run_one(struct worker *w, struct task *task, const struct uuid *group, struct err *err)
{
    struct scan s = {.worker = w, .task = task, .group = group};
    ports_of(w, NULL, &s.ports);
    s.decision = decision_of(task, &s.ports);
    if (!task->refused && actor_read(&s.decision, task->args, &task->plan))
        read_request(&s);
    task->outcome = task->refused ? OUTCOME_REFUSED : OUTCOME_DONE;
    int result = scan(&s, err);
    free(s.chunks);
    buf_free(&s.ids);
    scan_tally_free(s.tally);
    return result;
}

static int run(
    struct worker *w, struct task **tasks, size_t n, const struct uuid *group, struct err *err)
{
    return alone_each(w, tasks, n, group, run_one, err);
}

const struct kind_ops expiry_scan_ops = {.id = KIND_EXPIRY_SCAN, .prepare = prepare, .run = run};
