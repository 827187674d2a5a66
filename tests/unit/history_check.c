/* What must hold after every step, whatever was asked, by whom and when. */
#include "history.h"

/* --- certificates of one unit --- */

static bool lives(const struct history *h, const struct certificate *c)
{
    return c->state == CERTIFICATE_VALID && !certificate_is_expired(c, h->decided_ms);
}

static const struct application *application_of_certificate(
    const struct aggregate *a, const struct certificate *c)
{
    return aggregate_application(a, &c->application);
}

static bool is_renewal(const struct aggregate *a, const struct certificate *c)
{
    const struct application *row = application_of_certificate(a, c);
    return row && strcmp(row->kind, KIND_WORD_RENEW) == 0;
}

/* Was the predecessor to live on, by its own terms (keep)? */
static bool keeps(const struct aggregate *a, const struct certificate *c)
{
    struct succession s;
    const struct application *row = application_of_certificate(a, c);
    return !row || !succession_read(row, &s) || uuid_is_zero(&s.revokes);
}

/* A revocation that has its time keeps the old one alive until then. */
static bool is_deferred(
    const struct history *h, const struct aggregate *a, const struct certificate *c)
{
    struct succession s;
    const struct application *row = succession_pending(a, c, &s);
    if (!row)
        return false;
    for (size_t i = 0; i < h->job_count; i++)
        if (uuid_equal(&h->jobs[i].id, &s.job) && uuid_equal(&h->jobs[i].certificate, &c->id) &&
            h->jobs[i].at_ms == s.revoke_ms && !h->jobs[i].is_cancelled)
            return !h->jobs[i].is_done;
    return false;
}

/*
 * Of the chain of a reissued certificate one is valid, but for predecessors whose revocation is
 * planned and those that were to be kept (A6, B4, C5, C6).
 */
static void check_chain(struct history *h, const struct aggregate *a, const struct certificate *c)
{
    size_t n = 0;
    bool is_kept = false;
    if (!lives(h, c))
        return;
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *other = a->certificates[i];
        if (!uuid_equal(&other->root, &c->root))
            continue;
        n += lives(h, other) && !is_deferred(h, a, other);
        is_kept = is_kept || (!uuid_is_zero(&other->predecessor) && keeps(a, other));
    }
    if (n > 1 && !is_kept)
        history_fail(h, "%s: %zu valid certificates in the chain of %s, and nothing ends them",
            h->what, n, uuid_s(&c->root));
}

/* One renewal of a certificate at a time (E4, D1); at most one where devices supersede (D8). */
static void check_renewals(
    struct history *h, const struct aggregate *a, const struct certificate *c)
{
    size_t renewals = 0, all = 0;
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *other = a->certificates[i];
        renewals +=
            uuid_equal(&other->predecessor, &c->id) && is_renewal(a, other) && lives(h, other);
        all += lives(h, other);
    }
    if (renewals > 1)
        history_fail(h, "%s: %zu renewals of %s", h->what, renewals, uuid_s(&c->id));
    if (h->policy->issue.supersedes_other_device && all > 1)
        history_fail(h, "%s: D8: %zu valid certificates of one resident", h->what, all);
}

/* A9. */
static void check_expiry(struct history *h, const struct aggregate *a, const struct certificate *c)
{
    const struct certificate *root = aggregate_certificate(a, &c->root);
    if (!root) {
        history_fail(h, "A9: certificate %s has no root", uuid_s(&c->id));
        return;
    }
    if (h->policy->reissue.expiry == EXPIRY_ROOT && c != root &&
        c->not_after_ms != root->not_after_ms)
        history_fail(h, "A9: %s: %s ends on %s, its root on %s", h->what, uuid_s(&c->id),
            clock_s(c->not_after_ms), clock_s(root->not_after_ms));
    if (c->state == CERTIFICATE_VALID && c->not_before_ms > c->not_after_ms)
        history_fail(h, "%s: %s ends before it begins", h->what, uuid_s(&c->id));
}

/* --- revocation --- */

static void check_revocation(struct history *h, const struct certificate *c)
{
    struct history_memory *m = history_remember(h, c);
    if (m->revoked_ms && (c->state != CERTIFICATE_REVOKED || c->revoked_ms != m->revoked_ms ||
                             c->reason != m->reason))
        history_fail(h, "B4: %s: %s was revoked, and is not as it was", h->what, uuid_s(&c->id));
    if (c->state != CERTIFICATE_REVOKED)
        return;
    if (!m->was_given)
        history_fail(h, "%s: %s was revoked and never valid", h->what, uuid_s(&c->id));
    if (!m->revoked_ms && !uuid_equal(&c->revoked_by, &h->job))
        history_fail(h, "%s: %s is revoked, and the next CRL lacks it", h->what, uuid_s(&c->id));
    if (m->revoked_ms && !m->is_on_crl)
        history_fail(h, "%s: the CRL lacks %s", h->what, uuid_s(&c->id));
    m->revoked_ms = c->revoked_ms;
    m->reason = c->reason;
}

/* X4: what is to be revoked later has its job, at its time, until it is done or not needed. */
static void check_deferral(
    struct history *h, const struct aggregate *a, const struct application *row)
{
    struct succession s;
    if (!succession_read(row, &s) || uuid_is_zero(&s.job))
        return;
    const struct certificate *old = aggregate_certificate(a, &s.revokes);
    for (size_t i = 0; i < h->job_count; i++) {
        const struct history_job *job = &h->jobs[i];
        if (!uuid_equal(&job->id, &s.job))
            continue;
        if (!old || !uuid_equal(&job->certificate, &old->id) || job->at_ms != s.revoke_ms)
            history_fail(
                h, "X4: %s: the deferral of %s is another one's", h->what, uuid_s(&s.revokes));
        if (job->is_cancelled && old && lives(h, old))
            history_fail(h, "X4: %s: the deferral of %s was cancelled, and it lives", h->what,
                uuid_s(&s.revokes));
        return;
    }
    history_fail(h, "X4: %s: the deferral of %s has no job", h->what, uuid_s(&s.revokes));
}

/* --- what a retrieval may give --- */

static void check_given(struct history *h, const struct aggregate *a, const struct certificate *c)
{
    struct history_memory *m = history_remember(h, c);
    const struct policy_code *code = &h->policy->code;
    const bool is_given = c->state == CERTIFICATE_VALID && !m->was_given;
    if (!is_given)
        return;
    m->was_given = true;
    m->request = (char)c->request_sha256[0];
    if (h->is_compromised[c->spki_sha256[0]])
        history_fail(h, "C6: %s: a certificate of a compromised key", h->what);
    if (a->subscriber.is_withdrawn)
        history_fail(h, "%s: a certificate for who has withdrawn", h->what);
    if (a->contract && a->contract->has_ended)
        history_fail(h, "C8: %s: a certificate under a contract that ended", h->what);
    if (strncmp(h->what, "retrieve", 8) != 0 || !code->is_used)
        return;
    if (h->asked != c || !h->was_right)
        history_fail(h, "%s: retrieved without its credentials", h->what);
    if (code->days && days_between(c->code_issued_ms, h->decided_ms, h->policy->zone) > code->days)
        history_fail(h, "%s: retrieved with a code that died", h->what);
}

static void check_certificate(
    struct history *h, const struct aggregate *a, const struct certificate *c)
{
    check_given(h, a, c);
    check_revocation(h, c);
    check_expiry(h, a, c);
    check_chain(h, a, c);
    check_renewals(h, a, c);
    if (!application_of_certificate(a, c))
        history_fail(h, "%s: %s has no application", h->what, uuid_s(&c->id));
}

/* A retrieval that was answered gave the certificate whose code it was, to the same request (X6).
 */
static void check_retrieval(struct history *h)
{
    if (strncmp(h->what, "retrieve", 8) != 0 || h->w.plan.refused || !h->policy->code.is_used)
        return;
    const char *given = json_text_at(h->w.plan.result, "certificate");
    if (!h->asked || strcmp(given, uuid_s(&h->asked->id)) != 0 ||
        h->asked->state != CERTIFICATE_VALID)
        history_fail(h, "%s: gave %s", h->what, given);
    else if ((char)h->asked->request_sha256[0] != h->request)
        history_fail(h, "X6: %s: given to another request", h->what);
}

void history_check(struct history *h)
{
    for (size_t i = 0; i < h->people_count; i++) {
        const struct aggregate *a = h->people[i];
        for (size_t k = 0; k < a->certificate_count; k++)
            check_certificate(h, a, a->certificates[k]);
        for (size_t k = 0; k < a->application_count; k++)
            check_deferral(h, a, a->applications[k]);
    }
    check_retrieval(h);
}

/* --- the plan --- */

/* X9: the text can be made of what the decision gives. */
static void check_mail(struct history *h, const json_t *args)
{
    const char *name = json_text_at(args, "template"), *to = json_text_at(args, "recipient");
    const char *language = json_text_at(args, "language");
    const struct template *t =
        name && language ? template_set_find(h->texts, language, name) : NULL;
    AUTO_TYPE(json, json_t) *facts = json_copy(json_object_get(args, "facts"));
    AUTO(secret) code = secret_new("2222-2222-2222-2222", 19);
    AUTO(secret) body = NULL;
    AUTO_TEXT subject = NULL;
    struct err err = {0};
    if (!t || !to || !strchr(to, '@') || !facts) {
        history_fail(
            h, "%s: a mail without text, recipient or facts: %s", h->what, name ? name : "(none)");
        return;
    }
    json_object_set_new(facts, "help", json_string("help@example.jp"));
    if (template_render(t, facts, template_has_code(t) ? code : NULL, &subject, &body, &err))
        history_fail(h, "%s: the mail %s: %s", h->what, name, err.text);
}

/* X5: neither a password nor its hash, nor a code. */
static void check_secrets(struct history *h, const json_t *value, const char *where)
{
    AUTO_TEXT text = json_dumps(value, JSON_ENCODE_ANY);
    const char *found = text ? strstr(text, PASSWORD_MARK) : NULL;
    found = found || !text ? found : strstr(text, CODE_MARK);
    found = found || !text ? found : strstr(text, "hash-mark");
    for (size_t i = 0; text && !found && i < h->people_count; i++)
        for (size_t k = 0; !found && k < h->people[i]->certificate_count; k++) {
            AUTO_TEXT code = fake_code(h->people[i]->certificates[k]);
            AUTO_TEXT whole = mem_printf("%s\"", code);
            found = strstr(text, whole);
        }
    if (found)
        history_fail(h, "X5: %s: a secret in the %s: %.40s", h->what, where, found);
}

void history_check_plan(struct history *h)
{
    const struct plan *plan = &h->w.plan;
    check_secrets(h, plan->result, "result");
    check_secrets(h, plan->fields, "fields");
    for (size_t i = 0; i < plan->audit_count; i++)
        check_secrets(h, plan->audits[i].detail, "audit");
    for (size_t i = 0; i < plan->followup_count; i++) {
        check_secrets(h, plan->followups[i].args, "follow-up");
        if (plan->followups[i].kind != KIND_MAIL)
            continue;
        h->mails++;
        check_mail(h, plan->followups[i].args);
    }
}
