/*
 * inspect: operators' read-only questions about the domain (docs/protocol.md, certq.inspect). Not
 * durable, outside any transaction; a worker answers because brokers cannot read domain tables
 * (I10). Adding a question: a function, its row in `questions`, its line in docs/protocol.md.
 */
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "kinds/kinds.h"
#include "lifecycle/calendar.h"
#include "lifecycle/policy_set.h"
#include "pki/certificate.h"
#include "pki/issuer.h"
#include "store/inspect_store.h"
#include "worker.h"

#include <string.h>

enum { LIMIT_DEFAULT = 100, LIMIT_MOST = 1000, EXPIRING_MOST = 3650 };

struct question {
    struct worker *worker;
    struct inspect inspect;
    const json_t *args;
    struct plan *plan;
};

static const char *zone_of(void *context, const char *product)
{
    const struct policy *p = policy_set_find(((struct worker *)context)->policies, product);
    return p ? zone_name(p->zone) : NULL;
}

/* ---- reading members; what is wrong is put into the plan ---- */

static const char *text_member(struct question *q, const char *name)
{
    const json_t *value = json_object_get(q->args, name);
    if (value && !json_is_string(value))
        plan_refuse(q->plan, "bad-request", "%s: a text is wanted", name);
    return json_string_value(value);
}

static int64_t int_member(
    struct question *q, const char *name, int64_t least, int64_t most, int64_t fallback)
{
    const json_t *value = json_object_get(q->args, name);
    if (!value)
        return fallback;
    json_int_t n = json_integer_value(value);
    if (!json_is_integer(value) || n < least || n > most)
        plan_refuse(q->plan, "bad-request", "%s: a number from %lld to %lld is wanted", name,
            (long long)least, (long long)most);
    return n;
}

/* The id in `room`, or NULL when the member is missing or wrong. */
static const struct uuid *id_member(struct question *q, const char *name, struct uuid *room)
{
    const char *text = text_member(q, name);
    if (!text)
        return NULL;
    if (uuid_parse(text, strlen(text), room))
        return room;
    plan_refuse(q->plan, "bad-request", "%s: \"%.60s\" is no id", name, text);
    return NULL;
}

static bool serial_member(struct question *q, struct buf *ret)
{
    const char *text = text_member(q, "serial");
    AUTO_BUF digits = {0};
    for (const char *p = text ? text : ""; *p; p++)
        if (*p != ':')
            buf_add_char(&digits, *p);
    if (text && digits.length && digits.length <= 40 &&
        hex_decode(buf_text(&digits), digits.length, buf_reserve(ret, 20))) {
        ret->length = digits.length / 2;
        return true;
    }
    if (text)
        plan_refuse(q->plan, "bad-request", "serial: \"%.60s\" is no serial number", text);
    return false;
}

/* ---- answers ---- */

/* {name: rows, "more": …}, cutting the one row that was read to know whether there is more. */
static void answer_page(struct question *q, const char *name, json_t *rows, int64_t limit)
{
    bool more = (int64_t)json_array_size(rows) > limit;
    if (more)
        json_array_remove(rows, json_array_size(rows) - 1);
    plan_result(q->plan, json_pack("{s:o, s:b}", name, rows, "more", more));
}

static int list_certificates(struct question *q, struct err *err)
{
    struct uuid subscriber, after;
    struct inspect_certificates f = {
        .product = text_member(q, "product"),
        .state = text_member(q, "state"),
        .email = text_member(q, "email"),
        .subscriber = id_member(q, "subscriber", &subscriber),
        .page = {int_member(q, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT),
            id_member(q, "after", &after)},
    };
    int64_t days = int_member(q, "expiring", 0, EXPIRING_MOST, -1);
    if (days >= 0) {
        f.expires_from_ms = clock_now_ms();
        f.expires_until_ms = f.expires_from_ms + days * 86400000;
    }
    json_t *rows = NULL;
    if (q->plan->refused)
        return 0;
    if (inspect_list_certificates(&q->inspect, &f, &rows, err))
        return -1;
    answer_page(q, "certificates", rows, f.page.limit);
    return 0;
}

/* The one certificate that id or serial names; refused when there is none or more than one. */
static int one_certificate(struct question *q, json_t **ret, struct uuid *ret_id, struct err *err)
{
    struct uuid room;
    AUTO_BUF serial = {0};
    const struct uuid *id = id_member(q, "id", &room);
    if (!id && !serial_member(q, &serial)) {
        plan_refuse(q->plan, "bad-request", "id or serial: one of them is wanted");
        return 0;
    }
    AUTO_TYPE(json, json_t) *rows = NULL;
    if (inspect_find_certificates(&q->inspect, id, buf_bytes(&serial), &rows, err))
        return -1;
    if (json_array_size(rows) != 1) {
        if (json_array_size(rows))
            plan_refuse(q->plan, "conflict", "several issuers gave this serial: name the id");
        else
            plan_refuse(q->plan, "not-found", "there is no such certificate");
        return 0;
    }
    *ret = json_incref(json_array_get(rows, 0));
    const char *text = json_text_at(*ret, "certificate");
    uuid_parse(text, strlen(text), ret_id);
    return 0;
}

static int show_certificate(struct question *q, struct err *err)
{
    AUTO_TYPE(json, json_t) *certificate = NULL;
    struct uuid id;
    if (one_certificate(q, &certificate, &id, err))
        return -1;
    if (!certificate)
        return 0;
    json_t *mails = NULL, *audit = NULL;
    const struct inspect_mails f = {.certificate = &id, .page = {LIMIT_DEFAULT, NULL}};
    if (inspect_list_mails(&q->inspect, &f, &mails, err))
        return -1;
    json_object_set_new(certificate, "mails", mails);
    json_t *revocation = NULL;
    if (inspect_succession(&q->inspect, &id, &revocation, err))
        return -1;
    if (revocation)
        json_object_set_new(certificate, "revocation", revocation);
    if (inspect_audit_of(&q->inspect, &id, &audit, err))
        return -1;
    json_object_set_new(certificate, "audit", audit);
    plan_result(q->plan, json_pack("{s:O}", "certificate", certificate));
    return 0;
}

static int export_certificate(struct question *q, struct err *err)
{
    AUTO_TYPE(json, json_t) *certificate = NULL;
    AUTO_BUF der = {0}, pem = {0};
    struct uuid id;
    if (one_certificate(q, &certificate, &id, err))
        return -1;
    if (!certificate)
        return 0;
    if (inspect_read_der(&q->inspect, &id, &der, err))
        return -1;
    if (!der.length) {
        plan_refuse(q->plan, "conflict", "certificate %s is %s: it was never retrieved",
            uuid_s(&id), json_text_at(certificate, "state"));
        return 0;
    }
    certificate_pem(buf_bytes(&der), &pem);
    const struct issuer *issuer = worker_issuer(q->worker, json_text_at(certificate, "issuer"));
    plan_result(q->plan, json_pack("{s:s, s:s, s:s, s:s}", "certificate", uuid_s(&id), "serial",
                             json_text_at(certificate, "serial"), "pem", buf_text(&pem), "chain",
                             issuer ? issuer_chain_pem(issuer) : ""));
    return 0;
}

static int show_crls(struct question *q, struct err *err)
{
    const struct config *c = q->worker->config;
    const char *wanted = text_member(q, "issuer");
    if (wanted && !config_issuer(c, wanted))
        plan_refuse(q->plan, "not-found", "there is no issuer %.60s", wanted);
    if (q->plan->refused)
        return 0;
    json_t *rows = json_array();
    for (size_t i = 0; i < c->issuer_count; i++) {
        const char *issuer = c->issuers[i].name;
        if (!wanted || strcmp(wanted, issuer) == 0) {
            json_t *row = json_pack("{s:s}", "issuer", issuer);
            json_array_append_new(rows, row);
            if (inspect_crl(&q->inspect, issuer, row, err)) {
                json_decref(rows);
                return -1;
            }
        }
    }
    plan_result(q->plan, json_pack("{s:s, s:o}", "now", clock_s(clock_now_ms()), "crls", rows));
    return 0;
}

static int list_mails(struct question *q, struct err *err)
{
    struct uuid certificate, after;
    const struct inspect_mails f = {
        .to = text_member(q, "to"),
        .state = text_member(q, "state"),
        .certificate = id_member(q, "certificate", &certificate),
        .page = {int_member(q, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT),
            id_member(q, "after", &after)},
    };
    json_t *rows = NULL;
    if (q->plan->refused)
        return 0;
    if (inspect_list_mails(&q->inspect, &f, &rows, err))
        return -1;
    answer_page(q, "mails", rows, f.page.limit);
    return 0;
}

static int show_mail(struct question *q, struct err *err)
{
    struct uuid room;
    AUTO_TYPE(json, json_t) *rows = NULL;
    const struct uuid *id = id_member(q, "id", &room);
    if (!id) {
        plan_refuse(q->plan, "bad-request", "id: missing");
        return 0;
    }
    if (inspect_find_mail(&q->inspect, id, &rows, err))
        return -1;
    if (json_array_size(rows))
        plan_result(q->plan, json_pack("{s:O}", "mail", json_array_get(rows, 0)));
    else
        plan_refuse(
            q->plan, "not-found", "there is no mail %s (one that waits is a job)", uuid_s(id));
    return 0;
}

/* Adds applications and certificates to a subscriber object. */
static int add_belongings(struct question *q, json_t *subscriber, struct err *err)
{
    struct uuid id;
    const char *text = json_text_at(subscriber, "subscriber");
    uuid_parse(text, strlen(text), &id);
    json_t *applications = NULL, *certificates = NULL;
    const struct inspect_certificates f = {.subscriber = &id, .page = {LIMIT_MOST, NULL}};
    if (inspect_applications_of(&q->inspect, &id, &applications, err))
        return -1;
    json_object_set_new(subscriber, "applications", applications);
    if (inspect_list_certificates(&q->inspect, &f, &certificates, err))
        return -1;
    json_object_set_new(subscriber, "certificates", certificates);
    return 0;
}

static int show_subscriber(struct question *q, struct err *err)
{
    struct uuid room;
    AUTO_TYPE(json, json_t) *rows = NULL;
    const struct uuid *id = id_member(q, "id", &room);
    const char *email = text_member(q, "email"), *product = text_member(q, "product");
    if (!id && !email)
        plan_refuse(q->plan, "bad-request", "id or email: one of them is wanted");
    if (q->plan->refused)
        return 0;
    if (inspect_find_subscribers(&q->inspect, id, email, product, &rows, err))
        return -1;
    if (!json_array_size(rows)) {
        plan_refuse(q->plan, "not-found", "there is no such subscriber");
        return 0;
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (add_belongings(q, json_array_get(rows, i), err))
            return -1;
    plan_result(q->plan, json_pack("{s:O}", "subscribers", rows));
    return 0;
}

static int show_contract(struct question *q, struct err *err)
{
    struct uuid room;
    const struct uuid *id = id_member(q, "id", &room);
    AUTO_TYPE(json, json_t) *contract = NULL;
    json_t *members = NULL;
    if (!id)
        plan_refuse(q->plan, "bad-request", "id: which contract?");
    if (q->plan->refused)
        return 0;
    if (inspect_find_contract(&q->inspect, id, &contract, err))
        return -1;
    if (!contract) {
        plan_refuse(q->plan, "not-found", "there is no contract %s", uuid_s(id));
        return 0;
    }
    if (inspect_members_of(&q->inspect, id, &members, err))
        return -1;
    json_object_set_new(contract, "subscribers", members);
    for (size_t i = 0; i < json_array_size(members); i++)
        if (add_belongings(q, json_array_get(members, i), err))
            return -1;
    plan_result(q->plan, json_pack("{s:O}", "contract", contract));
    return 0;
}

/* ---- the table ---- */

static const struct {
    const char *op;
    int (*answer)(struct question *q, struct err *err);
    const char *members[9]; /* besides op */
} questions[] = {
    {"crl.show", show_crls, {"issuer"}},
    {"cert.list", list_certificates,
        {"product", "state", "subscriber", "email", "expiring", "limit", "after"}},
    {"cert.show", show_certificate, {"id", "serial"}},
    {"cert.export", export_certificate, {"id", "serial"}},
    {"mail.list", list_mails, {"to", "state", "certificate", "limit", "after"}},
    {"mail.show", show_mail, {"id"}},
    {"subscriber.show", show_subscriber, {"id", "email", "product"}},
    {"contract.show", show_contract, {"id"}},
};

static bool is_member(const char *const *members, const char *name)
{
    for (; *members; members++)
        if (strcmp(*members, name) == 0)
            return true;
    return false;
}

static int answer(struct question *q, struct err *err)
{
    const char *op = text_member(q, "op");
    for (size_t i = 0; op && i < ARRAY_LENGTH(questions); i++) {
        if (strcmp(op, questions[i].op) != 0)
            continue;
        const char *name;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)q->args, name,
            value) if (strcmp(name, "op") != 0 && !is_member(questions[i].members, name))
            plan_refuse(q->plan, "bad-request", "%s: no member of %s", name, op);
        return q->plan->refused ? 0 : questions[i].answer(q, err);
    }
    plan_refuse(q->plan, "bad-request", "op: \"%.60s\" is none", op ? op : "");
    return 0;
}

/* One that cannot be answered fails alone; -1: the database is away. */
static int run(struct worker *w, struct task **tasks, size_t n, const struct uuid *group UNUSED,
    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct task *t = tasks[i];
        struct question q = {w, {w->db, zone_of, w}, t->args, &t->plan};
        if (t->refused || answer(&q, err) == 0) {
            t->outcome = t->plan.refused ? OUTCOME_REFUSED : OUTCOME_DONE;
            continue;
        }
        if (!db_is_open(w->db))
            return -1;
        log_warn("inspect.failed", "job=%s error=%s", uuid_s(&t->job->id), log_q(err->text));
        plan_clear(&t->plan);
        plan_refuse(&t->plan, err->code, "%s", err->text);
        t->outcome = OUTCOME_FAILED;
        err_clear(err);
    }
    return 0;
}

const struct kind_ops inspect_ops = {.id = KIND_INSPECT, .run = run};
