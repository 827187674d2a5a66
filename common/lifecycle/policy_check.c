/* Contradictions between procedures. Fields, names and mails are in policy_check_form.c. */
#include "lifecycle/policy_check.h"

#include "base/mem.h"
#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void clash(struct review *r, bool wrong, const char *path, const char *format, ...)
{
    if (!wrong || r->failed)
        return;
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->failed = true;
    const struct yaml_node *node = yaml_at(r->root, path);
    AUTO_TEXT above = mem_text(path);
    for (char *dot; !node && (dot = strrchr(above, '.'));) {
        *dot = '\0';
        node = yaml_at(r->root, above);
    }
    yaml_error(node ? node : r->root, r->err, "%s", text);
}

bool review_given(const struct review *r, const char *path)
{
    const struct yaml_node *node = yaml_at(r->root, path);
    return node && !bind_is_none(node);
}

bool review_channel(
    const struct review *r, enum policy_procedure procedure, enum policy_channel channel)
{
    for (int i = 0; i < ACTORS; i++)
        if (policy_allows(r->p, procedure, (enum policy_actor)i, channel))
            return true;
    return false;
}

int review_shortest_days(const struct policy *p)
{
    static const int days[] = {[LENGTH_DAYS] = 1, [LENGTH_MONTHS] = 28, [LENGTH_YEARS] = 365};
    int shortest = 0;
    for (size_t i = 0; i < p->validity.term_count; i++) {
        int n = p->validity.terms[i].count * days[p->validity.terms[i].unit];
        shortest = !shortest || n < shortest ? n : shortest;
    }
    return shortest;
}

static bool offers(const struct review *r, enum policy_procedure procedure)
{
    return policy_offers(r->p, procedure);
}

/* --- who, how, with what --- */

static void review_who(struct review *r, int i)
{
    const char *name = policy_word(procedure, i);
    enum policy_procedure procedure = (enum policy_procedure)i;
    const struct policy_access *a = &r->p->who[i];
    AUTO_TEXT who = mem_printf("who.%s", name);
    unsigned by_credentials = POLICY_BIT(CHANNEL_CREDENTIALS);
    unsigned recorded = POLICY_BIT(CHANNEL_RECORDED);
    for (int actor = 0; actor < ACTORS; actor++) {
        const char *word = policy_word(actor, actor);
        bool has_credentials = actor == ACTOR_SUBSCRIBER || actor == ACTOR_HOLDER;
        clash(r, a->channels[actor] & by_credentials && !has_credentials, who,
            "credentials are the subscriber's or the holder's, not the %s's", word);
        clash(r, a->channels[actor] & recorded && actor != ACTOR_OPERATOR, who,
            "recorded is how an operator asks, not the %s", word);
    }
    clash(r, a->channels[ACTOR_CONTACT] && !r->p->unit.contacts, who,
        "a contact may ask, but the unit has no contacts");
    clash(r, review_channel(r, procedure, CHANNEL_SIGNATURE) && i != PROC_RENEW && i != PROC_REVOKE,
        who, "only renew and revoke take a signature by the certificate's key");
}

static void review_credentials(struct review *r, int i)
{
    enum policy_procedure procedure = (enum policy_procedure)i;
    const char *name = policy_word(procedure, i);
    unsigned needed = r->p->credentials.needed[i];
    bool by_credentials = review_channel(r, procedure, CHANNEL_CREDENTIALS);
    AUTO_TEXT path = mem_printf("credentials.%s", name);
    AUTO_TEXT who = mem_printf("who.%s", name);
    if (i == PROC_PASSWORD_CHANGE) /* the old password is compared in any case */
        by_credentials = false;
    clash(r, i >= PROC_CHANGE && by_credentials, who, /* their args name somebody by an id */
        "credentials do not tell who asks for %s: name session, counter or paper", name);
    clash(r, by_credentials && !needed && i != PROC_ISSUE, who,
        "%s is asked for with credentials, but credentials.%s names none", name, name);
    clash(r, needed && !by_credentials, path,
        "credentials are named, but nobody may ask for %s with credentials (who.%s)", name, name);
    clash(r, i == PROC_ISSUE && needed, path,
        "an issue has no credentials yet: the application brings them");
    clash(r, needed & POLICY_BIT(CREDENTIAL_CODE) && !r->p->code.is_used, path,
        "the code is asked for, but the product has none (code: none)");
    clash(r, needed & POLICY_BIT(CREDENTIAL_PASSWORD) && !r->p->password.is_used, path,
        "the password is asked for, but the product has none (password: none)");
    clash(r, needed & POLICY_BIT(CREDENTIAL_EMAIL) && !policy_field(r->p, "email"), path,
        "the e-mail address is asked for, but there is no field email");
    clash(r, needed & POLICY_BIT(CREDENTIAL_USER_ID) && !policy_field(r->p, "user_id"), path,
        "the user id is asked for, but there is no field user_id");
    clash(r,
        needed & POLICY_BIT(CREDENTIAL_COMPANY_CODE) &&
            !policy_field(r->p, "organisation.company_code"),
        path, "the company code is asked for, but there is no such field");
    clash(r, needed && !(needed & (POLICY_BIT(CREDENTIAL_PASSWORD) | POLICY_BIT(CREDENTIAL_CODE))),
        path, "nothing secret is asked for: name password or code");
    clash(r, needed && !(needed & (POLICY_BIT(CREDENTIAL_EMAIL) | POLICY_BIT(CREDENTIAL_USER_ID))),
        path, "nobody is named: ask for email or user_id too");
}

static void review_evidence(struct review *r)
{
    for (size_t i = 0; i < r->p->evidence_count; i++) {
        const struct policy_evidence *e = &r->p->evidence[i];
        bool applies = false;
        for (int p = 0; p < PROCEDURES; p++)
            for (int a = 0; a < ACTORS; a++)
                applies = applies || (e->procedures & POLICY_BIT(p) && e->actors & POLICY_BIT(a) &&
                                         e->channels & r->p->who[p].channels[a]);
        clash(r, !applies, "evidence",
            "%s is wanted of somebody who may not ask that way (see who)", e->path);
    }
}

static void review_access(struct review *r)
{
    for (int i = 0; i < PROCEDURES; i++) {
        review_who(r, i);
        review_credentials(r, i);
    }
    review_evidence(r);
    clash(r, !offers(r, PROC_ISSUE), "who", "nobody may ask for issue");
    clash(r, !offers(r, PROC_REVOKE), "who", "nobody may ask for revoke");
}

/* --- password and code --- */

static void review_password(struct review *r)
{
    const struct policy *p = r->p;
    bool is_asked = offers(r, PROC_PASSWORD_CHANGE) || offers(r, PROC_PASSWORD_RESET);
    for (int i = 0; i < PROCEDURES; i++)
        is_asked = is_asked || p->credentials.needed[i] & POLICY_BIT(CREDENTIAL_PASSWORD);
    clash(r, p->password.is_used && !is_asked, "password",
        "nothing asks for the password; write none");
    for (int i = PROC_PASSWORD_CHANGE; i <= PROC_PASSWORD_SET; i++)
        clash(r, offers(r, (enum policy_procedure)i) && !p->password.is_used, "who",
            "%s is offered, but the product has no password", policy_word(procedure, i));
    clash(r, p->password.lock_after && p->password.unlock == UNLOCK_NONE, "password.lock_after",
        "nobody can unlock what locks: give unlock");
    clash(r, !p->password.lock_after && p->password.unlock != UNLOCK_NONE, "password.unlock",
        "nothing locks (lock_after: none)");
    clash(r,
        p->password.unlock == UNLOCK_COUNTER &&
            !review_channel(r, PROC_PASSWORD_RESET, CHANNEL_COUNTER),
        "password.unlock", "unlocked at the counter, but nobody may ask for password-reset there");
    clash(r,
        p->password.unlock == UNLOCK_OPERATOR &&
            !p->who[PROC_PASSWORD_RESET].channels[ACTOR_OPERATOR],
        "password.unlock", "unlocked by an operator, who may not do it (who.password-reset)");
    clash(r, p->password.reset_then_set && !offers(r, PROC_PASSWORD_SET), "password.reset_then_set",
        "after a reset nobody may set a password (who.password-set)");
    clash(r, p->password.reset_then_set && !offers(r, PROC_PASSWORD_RESET),
        "password.reset_then_set", "nobody may reset a password (who.password-reset)");
    clash(r,
        p->credentials.password == AGE_FIRST_APPLICATION &&
            (offers(r, PROC_PASSWORD_CHANGE) || offers(r, PROC_PASSWORD_SET)),
        "credentials.password",
        "the first application's password counts, so another one never would "
        "(who.password-change, who.password-set)");
    clash(r, p->credentials.password == AGE_FIRST_APPLICATION && !p->password.is_used,
        "credentials.password", "the product has no password");
}

static void review_code(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_field *email = policy_field(p, "email");
    unsigned code = POLICY_BIT(CREDENTIAL_CODE);
    clash(r, p->code.is_used && !email, "code",
        "codes go out by e-mail, but there is no field email");
    clash(r, p->code.is_used && email && !email->is_required, "code",
        "codes go out by e-mail, so the field email must be required");
    clash(r, p->code.is_used && !p->mails[MAIL_CODE].count, "code",
        "nobody gets the code: mails.code is missing");
    clash(r, !p->code.is_used && p->mails[MAIL_CODE].count, "mails.code",
        "the product has no code (code: none)");
    clash(r, p->code.is_used && p->issue.path == PATH_DIRECT, "code",
        "a code is for retrieving, but issue.path is direct");
    clash(r, p->code.is_used && !(p->credentials.needed[PROC_RETRIEVE] & code), "code",
        "the product has a code, but credentials.retrieve does not ask for it");
}

/* --- issue, validity, renewal --- */

static void review_issue(struct review *r)
{
    const struct policy *p = r->p;
    bool direct = p->issue.path == PATH_DIRECT;
    clash(r, direct && offers(r, PROC_RETRIEVE), "who.retrieve",
        "nothing is retrieved where issue.path is direct");
    clash(r, !direct && !offers(r, PROC_RETRIEVE), "issue.path",
        "nobody may retrieve what is issued (who.retrieve)");
    clash(r, direct && p->validity.from == FROM_RETRIEVAL, "validity.from",
        "validity begins with the retrieval, but issue.path is direct");
    clash(r, p->issue.supersedes_other_device && p->unit.device == DEVICE_NONE, "issue.supersedes",
        "the unit has no device");
    clash(r, p->unit.device == DEVICE_NONE && p->records.erasable, "records.erasable",
        "the unit has no device to erase from");
}

static void review_renew(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_renew *n = &p->renew;
    bool refuses = n->mode == RENEW_NONE || n->mode == RENEW_NEW_APPLICATION;
    const char *mode = policy_word(renewal, n->mode);
    clash(r, refuses && offers(r, PROC_RENEW), "who.renew",
        "renew is never done where renew.mode is %s", mode);
    clash(r, !refuses && !offers(r, PROC_RENEW), "renew.mode", "nobody may ask for renew (who)");
    clash(r, n->mode == RENEW_COUNTER && !review_channel(r, PROC_RENEW, CHANNEL_COUNTER),
        "renew.mode", "renewed at the counter, but nobody may ask there (who.renew)");
    clash(r, refuses && p->validity.carries_over, "validity.carry_over",
        "nothing is carried over where renew.mode is %s", mode);
    clash(r, n->open_days >= review_shortest_days(p), "renew.open_days",
        "the window is as long as the validity itself, or longer");
    clash(r, refuses && n->open_days, "renew.open_days", "no window where renew.mode is %s", mode);
    clash(r, n->takes_contact_changes && !p->unit.contacts, "renew.contact_changes",
        "the unit has no contacts");
    clash(r, n->predecessor != TIMING_KEEP && n->predecessor != TIMING_IMMEDIATE,
        "renew.predecessor", "after a renewal: keep or immediate");
    clash(r, !refuses && n->csr == CSR_AT_RETRIEVAL && p->issue.path == PATH_DIRECT, "renew.csr",
        "at-retrieval, but nothing is retrieved where issue.path is direct");
    clash(r, n->after_expiry == AFTER_FIRST_RETRIEVAL && !offers(r, PROC_RETRIEVE),
        "renew.after_expiry", "first-retrieval, but nobody may retrieve (who.retrieve)");
    clash(r, refuses && p->mails[MAIL_RENEWED].count, "mails.renewed",
        "nothing is renewed where renew.mode is %s", mode);
}

/* --- reissue --- */

static void review_reasons(
    struct review *r, const struct policy_reasons *reasons, const char *section)
{
    AUTO_TEXT path = mem_printf("%s.default_reason", section);
    AUTO_TEXT required = mem_printf("%s.reason_required", section);
    clash(r, reasons->fallback && reasons->is_required, path,
        "a reason is required, so there is no default");
    clash(r, reasons->fallback && !policy_reason(reasons, reasons->fallback), path,
        "%s is none of the reasons", reasons->fallback);
    clash(r, reasons->count && !reasons->fallback && !reasons->is_required, required,
        "without a reason there must be a default_reason");
}

static void review_limits(struct review *r)
{
    const struct policy_reissue *n = &r->p->reissue;
    int shortest = review_shortest_days(r->p);
    bool is_limited = n->window.is_set || n->most;
    clash(r, is_limited && !review_given(r, "reissue.outside"), "reissue",
        "there is a window or a most, but outside does not say what happens beyond it");
    clash(r, !is_limited && review_given(r, "reissue.outside"), "reissue.outside",
        "there is no window and no most to be outside of");
    clash(r, n->window.days >= shortest, "reissue.window.days",
        "the window is as long as the validity itself, or longer");
    clash(r, n->min_days_left >= shortest, "reissue.min_days_left",
        "more days than the validity has: nothing could ever be reissued");
    clash(r, n->defer_days >= shortest, "reissue.predecessor.defer_days",
        "the predecessor would live longer than the validity");
    clash(r, n->most && n->most_of == COUNTED_CONTRACT && !r->p->unit.has_contract,
        "reissue.most.of", "the unit has no contract");
    clash(r,
        n->outside == OUTSIDE_OPERATOR_REQUEST && !r->p->who[PROC_REISSUE].channels[ACTOR_OPERATOR],
        "reissue.outside", "an operator may not ask for a reissue (who.reissue)");
}

static void review_predecessor(struct review *r)
{
    const struct policy_reissue *n = &r->p->reissue;
    bool retrieves = r->p->issue.path == PATH_RETRIEVE && n->csr == CSR_AT_RETRIEVAL;
    unsigned timings = n->choices;
    for (size_t i = 0; i < n->reasons.count; i++) {
        const struct policy_reason *reason = &n->reasons.items[i];
        timings |= reason->force >= 0 ? POLICY_BIT(reason->force) : 0;
        clash(r,
            reason->crl == REASON_KEY_COMPROMISE &&
                (reason->force == TIMING_DEFERRED || reason->force == TIMING_KEEP),
            "reissue.reasons", "%s: a compromised key is never left alive", reason->word);
        clash(r, reason->is_emergency && !r->p->who[PROC_REISSUE].channels[ACTOR_OPERATOR],
            "reissue.reasons", "%s is an emergency, but no operator may ask for a reissue",
            reason->word);
    }
    clash(r, !n->choices, "reissue.predecessor.choices",
        "at least one of keep, at-request, immediate, deferred, on-retrieval is wanted");
    clash(r, n->fallback >= 0 && !(n->choices & POLICY_BIT(n->fallback)),
        "reissue.predecessor.default", "the default is none of the choices");
    clash(r, timings & POLICY_BIT(TIMING_DEFERRED) && !n->defer_days, "reissue.predecessor",
        "deferred by how much? defer_days is missing");
    clash(r, !(timings & POLICY_BIT(TIMING_DEFERRED)) && n->defer_days,
        "reissue.predecessor.defer_days", "nothing is deferred");
    clash(r, timings & POLICY_BIT(TIMING_ON_RETRIEVAL) && !retrieves, "reissue.predecessor.choices",
        "on-retrieval, but the successor is not retrieved (issue.path, reissue.csr)");
    clash(r, r->p->mails[MAIL_DEFERRED_DUE].count && !n->defer_days, "mails.deferred-due",
        "nothing is deferred");
}

static void review_reissue(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_reissue *n = &p->reissue;
    bool direct = p->issue.path == PATH_DIRECT;
    clash(r, !n->is_offered && offers(r, PROC_REISSUE), "who.reissue", "reissue is none");
    clash(r, n->is_offered && !offers(r, PROC_REISSUE), "reissue", "nobody may ask for it (who)");
    clash(r, !n->is_offered && p->mails[MAIL_REISSUED].count, "mails.reissued", "reissue is none");
    clash(r, !n->is_offered && p->mails[MAIL_DEFERRED_DUE].count, "mails.deferred-due",
        "reissue is none");
    clash(r, !n->is_offered && offers(r, PROC_LOOKUP) && !p->unit.has_contract && direct,
        "who.lookup", "there is nothing to look up for: reissue is none");
    if (!n->is_offered)
        return;
    clash(r, direct && n->takes_unretrieved, "reissue.unretrieved",
        "every certificate is issued directly; none is unretrieved");
    clash(r, direct && n->csr == CSR_AT_RETRIEVAL, "reissue.csr",
        "at-retrieval, but nothing is retrieved where issue.path is direct");
    review_reasons(r, &n->reasons, "reissue");
    review_limits(r);
    review_predecessor(r);
}

/* --- change, withdrawal, revocation, notices, records --- */

static void review_change(struct review *r)
{
    const struct policy *p = r->p;
    clash(r, !p->change.is_offered && offers(r, PROC_CHANGE), "who.change", "change is none");
    clash(r, p->change.is_offered && !offers(r, PROC_CHANGE), "change",
        "nobody may ask for it (who)");
    for (int i = 0; i < EFFECTS; i++) {
        const struct policy_effect_rule *e = &p->change.effects[i];
        AUTO_TEXT path = mem_printf("change.%s", policy_word(effect, i));
        clash(r, e->refusal != REFUSAL_NONE && (e->revokes || e->charge != CHARGE_FREE), path,
            "a refused change neither revokes nor costs anything");
        clash(r, e->revokes && i != EFFECT_REISSUE && i != EFFECT_NEW_APPLICATION, path,
            "only reissue and new-application revoke the present certificate");
    }
}

static void review_ends(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_withdraw *w = &p->withdraw;
    const struct policy_revoke *v = &p->revoke;
    clash(r, !w->is_offered && offers(r, PROC_WITHDRAW), "who.withdraw", "withdraw is none");
    clash(r, w->is_offered && !offers(r, PROC_WITHDRAW), "withdraw", "nobody may ask for it (who)");
    clash(r, w->is_offered && w->acknowledge == ACKNOWLEDGE_DOCUMENT, "withdraw.acknowledge",
        "there is no document of a withdrawal's receipt: mail or none");
    clash(r, w->ends_contract && !p->unit.has_contract, "withdraw.ends_contract",
        "the unit has no contract");
    clash(r, v->ends_contract && !p->unit.has_contract, "revoke.ends_contract",
        "the unit has no contract");
    clash(r, v->confirm != CONFIRM_NONE && !(p->unit.contacts & POLICY_BIT(v->confirm_with)),
        "revoke.confirm.with", "the unit has no %s contact", policy_word(role, v->confirm_with));
    clash(r, v->reasons.is_free_text && !v->reasons.is_required, "revoke.free_text",
        "free text is asked for, so reason_required must be true");
    if (w->is_offered)
        review_reasons(r, &w->reasons, "withdraw");
    review_reasons(r, &v->reasons, "revoke");
    for (size_t i = 0; i < v->reasons.count; i++)
        for (int c = 0; c < CHANNELS; c++)
            clash(r,
                v->reasons.items[i].channels & POLICY_BIT(c) &&
                    !review_channel(r, PROC_REVOKE, (enum policy_channel)c),
                "revoke.reasons", "%s: nobody may ask for revoke by %s", v->reasons.items[i].word,
                policy_word(channel, c));
    bool acknowledges =
        (w->is_offered && w->acknowledge == ACKNOWLEDGE_MAIL) || v->acknowledge == ACKNOWLEDGE_MAIL;
    clash(r, acknowledges && !p->mails[MAIL_REQUEST_RECEIVED].count, "mails",
        "a receipt is acknowledged by mail, but request-received goes to nobody");
    clash(r, !acknowledges && p->mails[MAIL_REQUEST_RECEIVED].count, "mails.request-received",
        "nothing is acknowledged by mail");
}

static void review_notices(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_notices *n = &p->notices;
    int shortest = review_shortest_days(p);
    int earliest = n->mail_day_count ? n->mail_days[0] : 0;
    clash(r, earliest >= shortest, "notices.mail",
        "a notice %d days before expiry, but the validity may be shorter", earliest);
    clash(r, n->screen_days >= shortest, "notices.screen.days",
        "the notice would be shown for the whole validity");
    clash(r, n->mail_day_count && !p->mails[MAIL_EXPIRY].count, "notices.mail",
        "nobody gets the notice: mails.expiry is missing");
    clash(r, !n->mail_day_count && p->mails[MAIL_EXPIRY].count, "mails.expiry",
        "no notice is mailed (notices.mail)");
    clash(r, n->screen_days && !offers(r, PROC_NOTICES), "notices.screen",
        "nobody may ask for the notices (who.notices)");
    clash(r, !n->screen_days && offers(r, PROC_NOTICES), "who.notices",
        "no notice is shown on a screen (notices.screen)");
    clash(r, n->has_opt_out && !p->unit.contacts, "notices.opt_out",
        "a contact opts out by renewal_notice, but the unit has no contacts");
    for (int i = 0; i < ROLES; i++) {
        AUTO_TEXT path = mem_printf("contacts.%s.renewal_notice", policy_word(role, i));
        clash(r, n->has_opt_out && p->unit.contacts & POLICY_BIT(i) && !policy_field(p, path),
            "notices.opt_out", "there is no field %s to opt out with", path);
    }
}

static void review_records(struct review *r)
{
    const struct policy_records *n = &r->p->records;
    const struct {
        enum policy_procedure procedure;
        unsigned mask;
        const char *who, *section;
    } rows[] = {
        {PROC_DISCLOSE, n->disclose, "who.disclose", "records.disclose"},
        {PROC_CORRECT, n->correct, "who.correct", "records.correct"},
        {PROC_ERASABLE, n->erasable, "who.erasable", "records.erasable"},
    };
    clash(r, n->correct && !n->disclose, "records.correct",
        "a correction follows a disclosure, and there is none");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        clash(r, !rows[i].mask && offers(r, rows[i].procedure), rows[i].who, "%s is none",
            rows[i].section);
        clash(r, rows[i].mask && !offers(r, rows[i].procedure), rows[i].section,
            "nobody may ask for it (who)");
    }
}

int policy_check(const struct policy *p, const struct yaml_node *root, struct err *err)
{
    struct review r = {p, root, err, false};
    review_form(&r);
    if (!r.failed)
        review_code(&r);
    review_access(&r);
    review_password(&r);
    review_issue(&r);
    review_renew(&r);
    review_reissue(&r);
    review_change(&r);
    review_ends(&r);
    review_notices(&r);
    review_records(&r);
    review_occasions(&r);
    return r.failed ? -1 : 0;
}
