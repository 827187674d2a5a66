#include "export.h"

#include "broker.h"
#include "metrics.h"

#include "base/log.h"
#include "base/mem.h"
#include "db/registry_store.h"
#include "pki/crl_file.h"

#include <inttypes.h>
#include <unistd.h>

enum { AGAIN_MS = 30000 }; /* after a fault */

/* The desk's while a task is under way, else the reactor's. */
struct exports {
    int64_t due_ms; /* monotonic */
    bool is_asked;
    int64_t first_end_ms; /* the first nextUpdate of all issuers' newest; 0: one has none */
    size_t count;
    uint64_t numbers[]; /* of the CRLs in the folder, as far as known; 0: not known */
};

struct export_task {
    struct task task;
    struct exports *exports;
    const struct config *config;
    bool has_failed; /* a file could not be written */
};

struct exports *exports_new(size_t issuers)
{
    struct exports *e = mem_zero(1, sizeof *e + issuers * sizeof *e->numbers);
    e->count = issuers;
    return e;
}

void exports_free(struct exports *e)
{
    free(e);
}

/* ---- on the desk's thread ---- */

/* What will never be written is told once, what may be later each time. */
static void tell(struct export_task *t, size_t i, uint64_t number, const struct err *why)
{
    const char *issuer = t->config->issuers[i].name;
    if (!why->kind)
        log_info("crl.exported", "issuer=%s number=%" PRIu64 " folder=%s", issuer, number,
            log_q(t->config->crl_folder));
    else
        log_error("crl.unexported", "issuer=%s number=%" PRIu64 " error=%s", issuer, number,
            log_q(why->text));
    if (!why->kind || why->kind == ERR_CONFLICT || why->kind == ERR_INPUT)
        t->exports->numbers[i] = number;
    else
        t->has_failed = true;
}

/* A newer file is a matter of course when a newer CRL was made while we read this one: the next
 * look sees it. */
static int write_file(struct export_task *t, size_t i, uint64_t number, struct bytes der,
    struct db *db, struct err *err)
{
    const char *issuer = t->config->issuers[i].name;
    struct err why = {0};
    uint64_t newest = number;
    int64_t ignored;
    if (crl_file_write(t->config->crl_folder, issuer, der, &why) && why.kind == ERR_CONFLICT &&
        registry_newest_crl(db, issuer, &newest, &ignored, err))
        return -1;
    if (newest == number)
        tell(t, i, number, &why);
    return 0;
}

static int export_one(struct export_task *t, size_t i, struct db *db, struct err *err)
{
    const char *issuer = t->config->issuers[i].name;
    uint64_t number;
    int64_t end_ms;
    AUTO_BUF der = {0};
    if (registry_newest_crl(db, issuer, &number, &end_ms, err)) {
        if (err->kind != ERR_NOT_FOUND)
            return -1;
        err_clear(err);
        t->exports->first_end_ms = 0;
        return 0;
    }
    if (end_ms < t->exports->first_end_ms)
        t->exports->first_end_ms = end_ms;
    AUTO_TEXT path = crl_file_path(t->config->crl_folder, issuer);
    if (number == t->exports->numbers[i] && access(path, F_OK) == 0)
        return 0;
    if (registry_read_crl(db, issuer, &number, &der, err))
        return -1;
    return write_file(t, i, number, buf_bytes(&der), db, err);
}

static int run_export(struct task *task, struct db *db, struct err *err)
{
    struct export_task *t = (struct export_task *)task;
    t->exports->first_end_ms = INT64_MAX;
    for (size_t i = 0; i < t->exports->count; i++)
        if (export_one(t, i, db, err))
            return -1;
    return 0;
}

/* ---- on the reactor ---- */

static void done_export(struct task *task, struct broker *b)
{
    struct export_task *t = (struct export_task *)task;
    struct exports *e = t->exports;
    e->is_asked = false;
    e->due_ms = b->tick_ms + (t->has_failed ? AGAIN_MS : EXPORT_EVERY_MS);
    if (!task->err.kind)
        metric_set(METRIC_CRL_LEFT,
            e->first_end_ms > b->now_ms ? (uint64_t)(e->first_end_ms - b->now_ms) / 1000 : 0);
    free(t);
}

void exports_turn(struct broker *b)
{
    struct exports *e = b->exports;
    if (e->is_asked || b->is_draining || !b->note || b->tick_ms < e->due_ms)
        return;
    struct export_task *t = MEM_NEW(struct export_task);
    t->task = (struct task){.run = run_export, .done = done_export};
    t->exports = e;
    t->config = b->config;
    e->is_asked = true;
    clerk_ask(b->desk, &t->task);
}
