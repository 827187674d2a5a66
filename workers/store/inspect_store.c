#include "store/inspect_store.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/reason.h"

#include <string.h>

/* ---- columns to members; a NULL column leaves the member out ---- */

static void put_text(json_t *o, const char *name, const struct db_value *v)
{
    if (v->type != DB_NULL)
        json_object_set_new(o, name, json_stringn((const char *)v->bytes.data, v->bytes.length));
}

static void put_id(json_t *o, const char *name, const struct db_value *v)
{
    struct uuid id;
    if (v->type == DB_NULL || v->bytes.length != sizeof id.b)
        return;
    memcpy(id.b, v->bytes.data, sizeof id.b);
    json_object_set_new(o, name, json_string(uuid_s(&id)));
}

static void put_time(json_t *o, const char *name, const struct db_value *v)
{
    if (v->type != DB_NULL && v->integer)
        json_object_set_new(o, name, json_string(clock_s(v->integer)));
}

static void put_int(json_t *o, const char *name, const struct db_value *v)
{
    if (v->type != DB_NULL)
        json_object_set_new(o, name, json_integer(v->integer));
}

static void put_zone(const struct inspect *i, json_t *o, const struct db_value *product)
{
    AUTO_TEXT name = bytes_to_text(product->bytes);
    const char *zone = i->zone_of(i->context, name);
    json_object_set_new(o, "zone", json_string(zone ? zone : "UTC"));
}

typedef json_t *row_object(const struct inspect *i, const struct db_value *columns);

/* Runs a query and makes an array of its rows. */
static int collect(const struct inspect *i, const struct statement *s,
    const struct db_value *params, row_object *object, json_t **ret, struct err *err)
{
    struct db_value columns[24];
    if (db_query(i->db, s, params, err))
        return -1;
    AUTO_TYPE(json, json_t) *rows = json_array();
    int row;
    while ((row = db_fetch(i->db, columns, err)) > 0)
        json_array_append_new(rows, object(i, columns));
    db_finish(i->db);
    if (row < 0)
        return -1;
    *ret = TAKE(rows);
    return 0;
}

static struct db_value optional_id(const struct uuid *id)
{
    return id ? db_uuid(id) : db_null();
}

/* ---- certificates ---- */

#define CERTIFICATE_COLUMNS                                                                        \
    "c.id, c.product, c.issuer, c.state, c.serial, c.subscriber, c.created_ms, s.email, "          \
    "c.subject, c.not_before_ms, c.not_after_ms, c.issued_ms, c.revoked_ms, c.reason, "            \
    "c.predecessor"
#define CERTIFICATE_TYPES "btttbbittiiiiib"
#define CERTIFICATE_FROM " FROM certificate c JOIN subscriber s ON s.id = c.subscriber "

static json_t *certificate_object(const struct inspect *i, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "certificate", &v[0]);
    put_text(o, "product", &v[1]);
    put_text(o, "issuer", &v[2]);
    put_text(o, "state", &v[3]);
    AUTO_TEXT serial = mem_zero(v[4].bytes.length * 2 + 1, 1);
    hex_encode(v[4].bytes.data, v[4].bytes.length, serial);
    json_object_set_new(o, "serial", json_string(serial));
    put_id(o, "subscriber", &v[5]);
    put_zone(i, o, &v[1]);
    put_time(o, "created", &v[6]);
    put_text(o, "email", &v[7]);
    put_text(o, "subject", &v[8]);
    put_time(o, "not_before", &v[9]);
    put_time(o, "not_after", &v[10]);
    put_time(o, "issued", &v[11]);
    put_time(o, "revoked", &v[12]);
    if (v[13].type != DB_NULL && v[12].type != DB_NULL && reason_is_code((int)v[13].integer))
        json_object_set_new(o, "reason", json_string(reason_name((enum reason)v[13].integer)));
    put_id(o, "predecessor", &v[14]);
    return o;
}

static json_t *certificate_details(const struct inspect *i, const struct db_value *v)
{
    json_t *o = certificate_object(i, v);
    put_id(o, "root", &v[15]);
    put_id(o, "application", &v[16]);
    put_time(o, "code_issued", &v[17]);
    put_int(o, "generation", &v[18]);
    return o;
}

int inspect_list_certificates(const struct inspect *i, const struct inspect_certificates *filter,
    json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_certificates",
        "SELECT " CERTIFICATE_COLUMNS CERTIFICATE_FROM
        "WHERE (? IS NULL OR c.product = ?) AND (? IS NULL OR c.state = ?) "
        "AND (? IS NULL OR s.email = ?) AND (? IS NULL OR c.subscriber = ?) "
        "AND (? = 0 OR (c.state = 'valid' AND c.not_after_ms BETWEEN ? AND ?)) "
        "AND (? IS NULL OR c.id < ?) ORDER BY c.id DESC LIMIT ?",
        "ttttttbbiiibbi", CERTIFICATE_TYPES};
    const struct db_value product = db_text(filter->product), state = db_text(filter->state),
                          email = db_text(filter->email),
                          subscriber = optional_id(filter->subscriber),
                          after = optional_id(filter->page.after);
    const struct db_value params[] = {product, product, state, state, email, email, subscriber,
        subscriber, db_int(filter->expires_until_ms), db_int(filter->expires_from_ms),
        db_int(filter->expires_until_ms), after, after, db_int(filter->page.limit + 1)};
    return collect(i, &list, params, certificate_object, ret, err);
}

int inspect_find_certificates(const struct inspect *i, const struct uuid *id, struct bytes serial,
    json_t **ret, struct err *err)
{
    static const struct statement by_id = {"inspect_certificate",
        "SELECT " CERTIFICATE_COLUMNS
        ", c.root, c.application, c.code_issued_ms, c.code_generation" CERTIFICATE_FROM
        "WHERE c.id = ?",
        "b", CERTIFICATE_TYPES "bbii"};
    static const struct statement by_serial = {"inspect_serial",
        "SELECT " CERTIFICATE_COLUMNS
        ", c.root, c.application, c.code_issued_ms, c.code_generation" CERTIFICATE_FROM
        "WHERE c.serial = ?",
        "b", CERTIFICATE_TYPES "bbii"};
    const struct db_value param = id ? db_uuid(id) : db_bytes(serial);
    return collect(i, id ? &by_id : &by_serial, &param, certificate_details, ret, err);
}

static json_t *succession_object(const struct inspect *i UNUSED, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "successor", &v[0]);
    put_text(o, "state", &v[1]);
    AUTO_TYPE(json, json_t) *request =
        json_loadb((const char *)v[2].bytes.data, v[2].bytes.length, 0, NULL);
    json_object_set(o, "terms", json_object_get(request, "reissue"));
    return o;
}

/* The newest that counts: a cancelled successor revokes nothing. */
static json_t *choose_succession(json_t *rows, const char *certificate)
{
    size_t at;
    json_t *row;
    json_array_foreach(rows, at, row)
    {
        const char *revokes = json_text_at(row, "terms.revokes");
        if (!revokes || strcmp(revokes, certificate) != 0)
            continue;
        const json_t *at_ms = json_at(row, "terms.revoke_ms");
        json_t *o = json_pack("{s:O, s:O, s:O}", "successor", json_object_get(row, "successor"),
            "state", json_object_get(row, "state"), "timing", json_at(row, "terms.timing"));
        if (at_ms)
            json_object_set_new(o, "at", json_string(clock_s(json_integer_value(at_ms))));
        if (json_text_at(row, "terms.job"))
            json_object_set_new(o, "job", json_string(json_text_at(row, "terms.job")));
        return o;
    }
    return NULL;
}

int inspect_succession(
    const struct inspect *i, const struct uuid *certificate, json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_succession",
        "SELECT n.id, n.state, a.request FROM certificate c JOIN application a ON a.subscriber = "
        "c.subscriber AND a.kind = 'reissue' JOIN certificate n ON n.id = a.certificate AND "
        "n.state "
        "<> 'cancelled' WHERE c.id = ? AND c.state = 'valid' ORDER BY a.id DESC LIMIT 1000",
        "b", "btt"};
    const struct db_value param = db_uuid(certificate);
    AUTO_TYPE(json, json_t) *rows = NULL;
    if (collect(i, &list, &param, succession_object, &rows, err))
        return -1;
    *ret = choose_succession(rows, uuid_s(certificate));
    return 0;
}

int inspect_read_der(
    const struct inspect *i, const struct uuid *id, struct buf *ret, struct err *err)
{
    static const struct statement read = {
        "inspect_der", "SELECT der FROM certificate WHERE id = ?", "b", "b"};
    const struct db_value param = db_uuid(id);
    struct db_value der;
    if (db_query(i->db, &read, &param, err))
        return -1;
    int row = db_fetch(i->db, &der, err);
    if (row > 0 && der.type != DB_NULL)
        buf_add(ret, der.bytes.data, der.bytes.length);
    db_finish(i->db);
    return row < 0 ? -1 : 0;
}

/* ---- mails ---- */

#define MAIL_COLUMNS                                                                               \
    "SELECT m.id, m.template, m.language, m.recipient, m.state, m.tries, m.created_ms, "           \
    "m.message_id, m.date_ms, m.sent_ms, m.reply, m.certificate, m.subscriber, c.product "         \
    "FROM mail m LEFT JOIN certificate c ON c.id = m.certificate "
#define MAIL_TYPES "bttttiitiitbbt"

static json_t *mail_object(const struct inspect *i, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "mail", &v[0]);
    put_text(o, "template", &v[1]);
    put_text(o, "language", &v[2]);
    put_text(o, "recipient", &v[3]);
    put_text(o, "state", &v[4]);
    put_int(o, "tries", &v[5]);
    put_time(o, "created", &v[6]);
    put_text(o, "message_id", &v[7]);
    put_time(o, "date", &v[8]);
    put_time(o, "sent", &v[9]);
    put_text(o, "reply", &v[10]);
    put_id(o, "certificate", &v[11]);
    put_id(o, "subscriber", &v[12]);
    put_zone(i, o, &v[13]);
    return o;
}

int inspect_list_mails(
    const struct inspect *i, const struct inspect_mails *filter, json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_mails",
        MAIL_COLUMNS "WHERE (? IS NULL OR m.recipient = ?) AND (? IS NULL OR m.state = ?) "
                     "AND (? IS NULL OR m.certificate = ?) AND (? IS NULL OR m.id < ?) "
                     "ORDER BY m.id DESC LIMIT ?",
        "ttttbbbbi", MAIL_TYPES};
    const struct db_value to = db_text(filter->to), state = db_text(filter->state),
                          certificate = optional_id(filter->certificate),
                          after = optional_id(filter->page.after);
    const struct db_value params[] = {to, to, state, state, certificate, certificate, after, after,
        db_int(filter->page.limit + 1)};
    return collect(i, &list, params, mail_object, ret, err);
}

static json_t *crl_object(const struct inspect *i UNUSED, const struct db_value *v)
{
    json_t *o = json_object();
    json_object_set_new(o, "number", json_integer(v[0].integer));
    json_object_set_new(o, "entries", json_integer(v[1].integer));
    json_object_set_new(o, "bytes", json_integer(v[2].integer));
    put_time(o, "this_update", &v[3]);
    put_time(o, "next_update", &v[4]);
    put_id(o, "job", &v[5]);
    return o;
}

static json_t *asked_object(const struct inspect *i UNUSED, const struct db_value *v)
{
    json_t *asked = json_object();
    put_id(asked, "job", &v[0]);
    put_time(asked, "run_at", &v[1]);
    json_object_set_new(asked, "urgent", json_boolean(v[2].integer));
    return json_pack("{s:o}", "asked", asked);
}

int inspect_crl(const struct inspect *i, const char *issuer, json_t *ret, struct err *err)
{
    static const struct statement newest = {"inspect_crl",
        "SELECT c.number, c.entries, CAST(LENGTH(c.der) + COALESCE((SELECT SUM(LENGTH(p.der)) FROM "
        "crl_piece p WHERE p.issuer = c.issuer AND p.number = c.number), 0) AS SIGNED), "
        "c.this_update_ms, c.next_update_ms, c.job FROM crl c WHERE c.issuer = ? "
        "ORDER BY c.number DESC LIMIT 1",
        "t", "iiiiib"};
    static const struct statement asked = {"inspect_crl_asked",
        "SELECT j.id, j.run_at_ms, w.urgent FROM crl_wanted w JOIN job j ON j.id = w.job "
        "WHERE w.issuer = ?",
        "t", "bii"};
    const struct db_value param = db_text(issuer);
    AUTO_TYPE(json, json_t) *newest_rows = NULL;
    AUTO_TYPE(json, json_t) *asked_rows = NULL;
    if (collect(i, &newest, &param, crl_object, &newest_rows, err) ||
        collect(i, &asked, &param, asked_object, &asked_rows, err))
        return -1;
    json_object_update(ret, json_array_get(newest_rows, 0));
    json_object_update(ret, json_array_get(asked_rows, 0));
    return 0;
}

int inspect_find_mail(const struct inspect *i, const struct uuid *id, json_t **ret, struct err *err)
{
    static const struct statement find = {
        "inspect_mail", MAIL_COLUMNS "WHERE m.id = ?", "b", MAIL_TYPES};
    const struct db_value param = db_uuid(id);
    return collect(i, &find, &param, mail_object, ret, err);
}

/* ---- audit ---- */

static json_t *audit_object(const struct inspect *i UNUSED, const struct db_value *v)
{
    json_t *o = json_object();
    put_time(o, "at", &v[0]);
    put_text(o, "event", &v[1]);
    put_text(o, "actor", &v[2]);
    put_text(o, "role", &v[3]);
    put_text(o, "channel", &v[4]);
    put_text(o, "client", &v[5]);
    put_id(o, "job", &v[6]);
    return o;
}

int inspect_audit_of(
    const struct inspect *i, const struct uuid *subject, json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_audit",
        "SELECT at_ms, event, actor, role, channel, client, job FROM audit WHERE subject = ? "
        "ORDER BY id LIMIT 1000",
        "b", "itttttb"};
    const struct db_value param = db_uuid(subject);
    return collect(i, &list, &param, audit_object, ret, err);
}

/* ---- subscribers ---- */

static json_t *subscriber_object(const struct inspect *i, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "subscriber", &v[0]);
    put_text(o, "product", &v[1]);
    put_text(o, "language", &v[2]);
    put_text(o, "state", &v[3]);
    put_zone(i, o, &v[1]);
    put_time(o, "created", &v[4]);
    put_text(o, "email", &v[5]);
    put_text(o, "user_id", &v[6]);
    put_int(o, "failures", &v[7]);
    put_time(o, "locked", &v[8]);
    json_t *profile = json_loadb((const char *)v[9].bytes.data, v[9].bytes.length, 0, NULL);
    json_object_set_new(o, "profile", profile ? profile : json_object());
    return o;
}

int inspect_find_subscribers(const struct inspect *i, const struct uuid *id, const char *email,
    const char *product, json_t **ret, struct err *err)
{
#define SUBSCRIBER_SELECT                                                                          \
    "SELECT id, product, language, state, created_ms, email, user_id, failures, locked_ms, "       \
    "profile FROM subscriber "
    static const struct statement by_id = {
        "inspect_subscriber", SUBSCRIBER_SELECT "WHERE id = ?", "b", "btttittiit"};
    static const struct statement by_email = {"inspect_email",
        SUBSCRIBER_SELECT "WHERE email = ? AND (? IS NULL OR product = ?) ORDER BY id LIMIT 100",
        "ttt", "btttittiit"};
    if (id) {
        const struct db_value param = db_uuid(id);
        return collect(i, &by_id, &param, subscriber_object, ret, err);
    }
    const struct db_value params[] = {db_text(email), db_text(product), db_text(product)};
    return collect(i, &by_email, params, subscriber_object, ret, err);
}

static json_t *application_object(const struct inspect *i UNUSED, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "application", &v[0]);
    put_text(o, "kind", &v[1]);
    put_text(o, "state", &v[2]);
    put_time(o, "created", &v[3]);
    put_time(o, "decided", &v[4]);
    json_object_set_new(o, "chargeable", json_boolean(v[5].integer == 1));
    put_text(o, "charge_reason", &v[6]);
    return o;
}

#define APPLICATION_SELECT                                                                         \
    "SELECT id, kind, state, created_ms, decided_ms, chargeable, charge_reason FROM application "

int inspect_applications_of(
    const struct inspect *i, const struct uuid *subscriber, json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_applications",
        APPLICATION_SELECT "WHERE subscriber = ? ORDER BY id LIMIT 1000", "b", "bttiiit"};
    const struct db_value param = db_uuid(subscriber);
    return collect(i, &list, &param, application_object, ret, err);
}

/* ---- contracts ---- */

static void put_json(json_t *o, const char *name, const struct db_value *v)
{
    json_t *value = v->type == DB_NULL
                        ? NULL
                        : json_loadb((const char *)v->bytes.data, v->bytes.length, 0, NULL);
    json_object_set_new(o, name, value ? value : json_object());
}

static json_t *contract_object(const struct inspect *i, const struct db_value *v)
{
    json_t *o = json_object();
    put_id(o, "contract", &v[0]);
    put_text(o, "product", &v[1]);
    put_zone(i, o, &v[1]);
    put_text(o, "state", &v[2]);
    put_time(o, "created", &v[3]);
    put_time(o, "ended", &v[4]);
    put_int(o, "reissues", &v[5]);
    put_json(o, "account", &v[6]);
    put_json(o, "contacts", &v[7]);
    return o;
}

int inspect_find_contract(
    const struct inspect *i, const struct uuid *id, json_t **ret, struct err *err)
{
    static const struct statement find = {"inspect_contract",
        "SELECT c.id, c.product, c.state, c.created_ms, c.ended_ms, c.reissues, c.account, (SELECT "
        "JSON_OBJECTAGG(t.role, JSON_COMPACT(t.profile)) FROM contact t WHERE t.contract = c.id) "
        "FROM contract c WHERE c.id = ?",
        "b", "bttiiitt"};
    static const struct statement list = {"inspect_contract_applications",
        APPLICATION_SELECT "WHERE contract = ? ORDER BY id LIMIT 1000", "b", "bttiiit"};
    const struct db_value param = db_uuid(id);
    AUTO_TYPE(json, json_t) *found = NULL;
    json_t *applications = NULL;
    if (collect(i, &find, &param, contract_object, &found, err))
        return -1;
    if (!json_array_size(found))
        return 0;
    if (collect(i, &list, &param, application_object, &applications, err))
        return -1;
    *ret = json_incref(json_array_get(found, 0));
    json_object_set_new(*ret, "applications", applications);
    return 0;
}

int inspect_members_of(
    const struct inspect *i, const struct uuid *contract, json_t **ret, struct err *err)
{
    static const struct statement list = {"inspect_members",
        SUBSCRIBER_SELECT "WHERE contract = ? ORDER BY id LIMIT 1000", "b", "btttittiit"};
    const struct db_value param = db_uuid(contract);
    return collect(i, &list, &param, subscriber_object, ret, err);
}
