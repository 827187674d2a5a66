/* Units of work on a MariaDB of their own, and aggregates to put into them. */
#ifndef UNIT_LAB_H
#define UNIT_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/mariadb.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define DATABASE "unit"

static UNUSED struct mariadb *server;

static UNUSED int start(void **state UNUSED)
{
    server = mariadb_start(NULL, NULL);
    mariadb_migrate(server, DATABASE);
    return 0;
}

static UNUSED int stop(void **state UNUSED)
{
    mariadb_free(server);
    return 0;
}

static UNUSED struct db *connect_worker(int lock_wait_s)
{
    return mariadb_open(server, "certq_worker", DATABASE, lock_wait_s);
}

static UNUSED struct aggregate *new_aggregate(const char *key)
{
    struct aggregate *a = aggregate_new();
    struct subscriber *s = &a->subscriber;
    s->row = ROW_NEW;
    s->id = uuid_new();
    snprintf(s->product, sizeof s->product, "association");
    s->unit_key = mem_text(key);
    s->email = mem_printf("%s@example.jp", key);
    snprintf(s->language, sizeof s->language, "ja");
    s->profile = mem_text("{\"name\":{\"ja\":\"山田 太郎 𠮷\"}}");
    s->created_ms = 1234;
    struct application *p = aggregate_add_application(a);
    p->id = uuid_new();
    p->state = APPLICATION_AWAITING_APPROVAL;
    p->job = uuid_new();
    p->charged = CHARGED_UPSTREAM;
    snprintf(p->kind, sizeof p->kind, "issue");
    snprintf(p->charge_reason, sizeof p->charge_reason, "upstream");
    p->created_ms = 1235;
    struct certificate *c = aggregate_add_certificate(a);
    c->id = p->certificate = uuid_new();
    c->application = p->id;
    c->root = c->id;
    snprintf(c->product, sizeof c->product, "association");
    snprintf(c->issuer, sizeof c->issuer, "person-ca");
    c->serial_length = SERIAL_BYTES;
    memcpy(c->serial, c->id.b, SERIAL_BYTES);
    c->created_ms = 1236;
    certificate_move(c, CERTIFICATE_AWAITING_APPROVAL);
    return a;
}

static UNUSED void must(int result, const struct err *err)
{
    if (result)
        fail_msg("%s: %s", err->code, err->text);
}

static UNUSED int lock_and_load(struct unit *u, const struct uuid *ids, size_t n, struct err *err)
{
    const struct unit_wanted wanted = {.subscribers = ids, .subscriber_count = n};
    return unit_lock_and_load(u, &wanted, err);
}

/* Adds aggregates in one transaction of their own. */
static UNUSED void add(struct db *db, struct aggregate **all, size_t n)
{
    struct err err = {0};
    AUTO(unit) u = unit_new(db);
    for (size_t i = 0; i < n; i++)
        unit_add(u, all[i]);
    must(db_begin(db, &err), &err);
    must(unit_store(u, NULL, 0, &err), &err);
    must(db_commit(db, &err), &err);
}

#endif
