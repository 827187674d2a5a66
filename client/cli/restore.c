#include "restore.h"

#include "restore_store.h"

#include "audit/line_store.h"
#include "audit/seal_file.h"
#include "audit/seal_store.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/kind.h"
#include "base/mem.h"
#include "db/registry_store.h"
#include "pki/crl.h"
#include "pki/issuer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BEATS_MS = 5000, CRL_MOST = 256 << 20, BROKERS_MOST = 64 };

struct work {
    const struct restore *r;
    struct db *db;
    json_t *report;
    int64_t now_ms;
};

/* ---- is somebody at it? ---- */

struct beats {
    struct uuid lives[BROKERS_MOST];
    uint64_t beats[BROKERS_MOST];
    size_t count;
};

static void note_beat(void *context, const struct broker_row *row)
{
    struct beats *b = context;
    if (b->count < BROKERS_MOST) {
        b->lives[b->count] = row->life;
        b->beats[b->count++] = row->beat;
    }
}

static bool has_risen(const struct beats *before, const struct beats *after)
{
    for (size_t i = 0; i < after->count; i++)
        for (size_t k = 0; k < before->count; k++)
            if (uuid_equal(&after->lives[i], &before->lives[k]) &&
                after->beats[i] != before->beats[k])
                return true;
    return false;
}

/* A broker beats every two seconds; rows of those that died with the backup do not. */
static int check_quiet(struct work *w, struct err *err)
{
    struct beats before = {.count = 0}, after = {.count = 0};
    if (registry_read_brokers(w->db, note_beat, &before, err))
        return -1;
    if (!before.count)
        return 0;
    const struct timespec pause = {.tv_sec = BEATS_MS / 1000};
    nanosleep(&pause, NULL);
    if (registry_read_brokers(w->db, note_beat, &after, err))
        return -1;
    return has_risen(&before, &after)
               ? err_set(err, ERR_CONFLICT, "busy",
                     "a broker is alive on this database: stop brokers and workers first")
               : 0;
}

/* ---- the audit ---- */

/* `detail` is taken. In the open transaction. */
static int write_down(struct work *w, const char *event, const struct uuid *subject, size_t n,
    json_t *detail, struct err *err)
{
    AUTO_TYPE(json, json_t) *owned = detail;
    AUTO_BUF text = {0};
    json_write(owned, &text);
    struct audit_line *lines = mem_zero(n, sizeof *lines);
    for (size_t i = 0; i < n; i++)
        lines[i] = (struct audit_line){.id = uuid_new(),
            .at_ms = w->now_ms,
            .client = bytes_of_text("certq"),
            .role = bytes_of_text("operator"),
            .channel = bytes_of_text("db restored"),
            .actor = bytes_of_text(w->r->who),
            .event = bytes_of_text(event),
            .subject = subject[i],
            .detail = buf_bytes(&text)};
    int result = audit_append(w->db, lines, n, err);
    free(lines);
    return result;
}

static int commit_or_undo(struct work *w, int failed, struct err *err)
{
    if (failed) {
        db_rollback(w->db);
        return -1;
    }
    return db_commit(w->db, err);
}

/* An old file, or none, would let the next seals take numbers that lost ones had. */
static int find_seals(struct work *w, struct err *err)
{
    AUTO_SEAL last = {0};
    AUTO_SEAL outside = {0};
    uint64_t given_up;
    if (audit_seal_last(w->db, &last, err) || audit_restored_number(w->db, &given_up, err) ||
        (w->r->seals && audit_file_last(w->r->seals, &outside, err)))
        return -1;
    if (w->r->seals && outside.number < last.number)
        return err_set(err, ERR_NOT_FOUND, NULL,
            "%s ends with seal %llu, the backup with %llu: the newest seals of the audit are "
            "wanted "
            "(--seals FILE; --no-seals when they are lost too)",
            w->r->seals, (unsigned long long)outside.number, (unsigned long long)last.number);
    uint64_t end = outside.number > given_up ? outside.number : given_up;
    if (end < last.number)
        end = last.number;
    json_object_set_new(w->report, "seals",
        json_pack("{s:I, s:I}", "database", (json_int_t)last.number, "file", (json_int_t)end));
    return 0;
}

/* ---- held queues ---- */

/* What may be done at once: it only revokes, tells, or seals. */
static bool is_held(const struct kind *k)
{
    return k->durable && k->id != KIND_REVOKE && k->id != KIND_CRL && k->id != KIND_AUDIT_SEAL &&
           k->id != KIND_NOOP;
}

static int hold(struct work *w, struct err *err)
{
    json_t *held = json_array();
    json_object_set_new(w->report, "held", held);
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = kind_of((enum kind_id)i);
        if (!is_held(k))
            continue;
        json_array_append_new(held, json_string(k->name));
        if (!w->r->is_trial &&
            registry_pause(w->db, k->name, true, "certq db restored", w->now_ms, err))
            return -1;
    }
    return 0;
}

/* ---- CRLs ---- */

struct import {
    struct work *work;
    const char *issuer;
    struct crl_facts facts;
    int64_t end_ms;     /* the issuer's: until then an unknown certificate's entry is kept */
    struct buf revoked; /* serials that the database has */
    size_t entries, added, open; /* open: added in the open transaction */
};

static int compare_serials(const void *a, const void *b)
{
    return memcmp(a, b, RESTORE_SERIAL);
}

static int add_entry(struct import *m, const struct crl_entry *entry, struct err *err)
{
    struct work *w = m->work;
    struct uuid certificate;
    char serial[2 * CRL_SERIAL_MAX + 1];
    hex_encode(entry->serial.data, entry->serial.length, serial);
    if (!m->open && db_begin(w->db, err))
        return -1;
    m->open++;
    if (restore_revoke(w->db, m->issuer, entry, m->end_ms, w->now_ms, &certificate, err) ||
        write_down(w, "certificate.revoked", &certificate, 1,
            json_pack("{s:s, s:s, s:s, s:I}", "issuer", m->issuer, "serial", serial, "reason",
                reason_name(entry->reason), "crl", (json_int_t)m->facts.number),
            err))
        return -1;
    if (m->open < RESTORE_PAGE)
        return 0;
    m->open = 0;
    return db_commit(w->db, err);
}

static int take_entry(void *context, const struct crl_entry *entry, struct err *err)
{
    struct import *m = context;
    uint8_t serial[RESTORE_SERIAL];
    m->entries++;
    restore_serial(entry->serial, serial);
    if (m->revoked.length && bsearch(serial, m->revoked.data, m->revoked.length / sizeof serial,
                                 sizeof serial, compare_serials))
        return 0;
    m->added++;
    return m->work->r->is_trial ? 0 : add_entry(m, entry, err);
}

static int import_entries(struct import *m, struct bytes der, struct err *err)
{
    if (restore_revoked(m->work->db, m->issuer, &m->revoked, err))
        return -1;
    int failed = crl_each(der, take_entry, m, err);
    if (failed || m->open)
        return commit_or_undo(m->work, failed, err);
    return 0;
}

/* Last, so that what a crash left out is found missing again. */
static int import_number(struct import *m, struct bytes der, struct err *err)
{
    uint64_t number;
    struct db *db = m->work->db;
    if (restore_crl_number(db, m->issuer, &number, err))
        return -1;
    if (m->work->r->is_trial || number >= m->facts.number)
        return 0;
    if (db_begin(db, err))
        return -1;
    return commit_or_undo(
        m->work, restore_crl_add(db, m->issuer, &m->facts, m->entries, der, err), err);
}

static int import_crl(
    struct work *w, const struct config_issuer *c, struct bytes der, struct err *err)
{
    AUTO(issuer) issuer = NULL;
    struct import m = {.work = w, .issuer = c->name};
    if (issuer_load(c->certificate, NULL, &issuer, err) || crl_read(issuer, der, &m.facts, err))
        return -1;
    m.end_ms = issuer_not_after_ms(issuer);
    int result = import_entries(&m, der, err) || import_number(&m, der, err) ? -1 : 0;
    buf_free(&m.revoked);
    json_array_append_new(json_object_get(w->report, "issuers"),
        json_pack("{s:s, s:I, s:s, s:I, s:I}", "issuer", c->name, "number",
            (json_int_t)m.facts.number, "this_update", clock_s(m.facts.this_update_ms), "entries",
            (json_int_t)m.entries, "added", (json_int_t)m.added));
    return result;
}

/* No file: fine where the issuer has issued nothing, or the operator says so. */
static int do_without(struct work *w, const struct config_issuer *c, struct err *err)
{
    struct err why = {0};
    bool has_issued;
    if (err->kind != ERR_NOT_FOUND)
        return -1;
    if (restore_has_issued(w->db, c->name, &has_issued, &why)) {
        *err = why;
        return -1;
    }
    if (has_issued && !w->r->may_lack_crl)
        return err_context(err, "the newest CRL of %s is wanted", c->name);
    err_clear(err);
    json_array_append_new(json_object_get(w->report, "issuers"),
        json_pack("{s:s, s:b}", "issuer", c->name, "lacking", (int)has_issued));
    return 0;
}

static int import_crls(struct work *w, struct err *err)
{
    json_object_set_new(w->report, "issuers", json_array());
    for (size_t i = 0; i < w->r->config->issuer_count; i++) {
        const struct config_issuer *c = &w->r->config->issuers[i];
        AUTO_TEXT path = mem_printf("%s/%s.crl", w->r->crl_folder, c->name);
        AUTO_BUF der = {0};
        if (file_read(path, CRL_MOST, &der, err)) {
            if (do_without(w, c, err))
                return -1;
        } else if (import_crl(w, c, buf_bytes(&der), err)) {
            return err_context(err, "%s", path);
        }
    }
    return 0;
}

/* ---- codes and serials ---- */

static int redraw_page(struct work *w, const struct uuid *ids, size_t n, struct err *err)
{
    if (db_begin(w->db, err))
        return -1;
    int failed = restore_redraw(w->db, ids, n, err) ||
                 write_down(w, "code.replaced", ids, n,
                     json_pack("{s:s}", "why", "the database was restored"), err);
    return commit_or_undo(w, failed, err);
}

static int redraw(struct work *w, struct err *err)
{
    struct uuid ids[RESTORE_PAGE], after = {{0}};
    size_t n, all = 0;
    do {
        if (restore_unissued(w->db, &after, ids, &n, err) ||
            (n && !w->r->is_trial && redraw_page(w, ids, n, err)))
            return -1;
        all += n;
        if (n)
            after = ids[n - 1];
    } while (n == RESTORE_PAGE);
    json_object_set_new(w->report, "codes", json_integer((json_int_t)all));
    return 0;
}

/* ---- the end ---- */

static int finish(struct work *w, struct err *err)
{
    const struct uuid nobody = {{0}};
    if (w->r->is_trial)
        return 0;
    if (db_begin(w->db, err))
        return -1;
    return commit_or_undo(
        w, write_down(w, AUDIT_RESTORED, &nobody, 1, json_incref(w->report), err), err);
}

int restore_run(const struct restore *r, json_t **ret, struct err *err)
{
    AUTO_TYPE(json, json_t) *report = json_object();
    struct work w = {.r = r, .db = r->db, .report = report, .now_ms = clock_now_ms()};
    if (check_quiet(&w, err) || find_seals(&w, err) || hold(&w, err) || import_crls(&w, err) ||
        redraw(&w, err) || finish(&w, err))
        return -1;
    json_object_set_new(report, "done", json_boolean(!r->is_trial));
    *ret = TAKE(report);
    return 0;
}
