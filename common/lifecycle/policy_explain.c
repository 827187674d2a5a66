/* A policy in sentences: phrases, and the life of a certificate. */
#include "lifecycle/policy_explain.h"

#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>

/* --- phrases --- */

void explain_line(struct buf *ret, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(ret, "- %s\n", text);
}

void explain_heading(
    const struct policy *p, enum policy_topic topic, const char *title, struct buf *ret)
{
    const char *rules = p->rules[topic];
    buf_printf(ret, "\n%s%s%s%s\n", title, rules ? " (" : "", rules ? rules : "", rules ? ")" : "");
}

/* "a, b and c" from the words of a mask. */
void explain_mask(unsigned mask, const char *const *words, const char *last, struct buf *ret)
{
    for (int i = 0; words[i] && i < 32; i++) {
        if (!(mask & POLICY_BIT(i)))
            continue;
        unsigned before = mask & (POLICY_BIT(i) - 1), after = mask & ~((POLICY_BIT(i) << 1) - 1);
        if (before)
            buf_printf(ret, after ? ", " : " %s ", last);
        buf_add_text(ret, words[i]);
    }
    if (!mask)
        buf_add_text(ret, "nothing");
}

void explain_channels(unsigned channels, struct buf *ret)
{
    static const char *const phrases[CHANNELS + 1] = {
        [CHANNEL_CREDENTIALS] = "with credentials",
        [CHANNEL_SESSION] = "after a login",
        [CHANNEL_SIGNATURE] = "by a signature with the certificate's key",
        [CHANNEL_COUNTER] = "at the counter",
        [CHANNEL_PAPER] = "on paper",
        [CHANNEL_RECORDED] = "on an operator's own key",
    };
    explain_mask(channels, phrases, "or", ret);
}

const char *explain_charge(int charge)
{
    switch ((enum policy_charge)charge) {
    case CHARGE_FREE:
        return "it is free of charge";
    case CHARGE_NEW_APPLICATION:
        return "it is charged as a new application";
    case CHARGE_CONTRACT:
        return "it is charged as the contract says";
    case CHARGE_ACTUAL_COST:
        return "it is charged at actual cost";
    default:
        return "what it costs is decided upstream";
    }
}

const char *explain_timing(int timing)
{
    switch ((enum policy_timing)timing) {
    case TIMING_AT_REQUEST:
        return "is revoked as soon as the request is taken";
    case TIMING_IMMEDIATE:
        return "is revoked at the moment its successor is issued";
    case TIMING_DEFERRED:
        return "is revoked a set number of days after its successor is issued";
    case TIMING_ON_RETRIEVAL:
        return "is revoked at the moment its successor is retrieved";
    default:
        return "is not revoked and lives to its end";
    }
}

const char *explain_review(int review)
{
    switch ((enum policy_review)review) {
    case REVIEW_ALWAYS:
        return "an operator reviews it first";
    case REVIEW_AFTER:
        return "it is done at once and reviewed afterwards";
    default:
        return "it is done without review";
    }
}

static void add_length(struct length length, struct buf *ret)
{
    static const char *const units[] = {[LENGTH_DAYS] = "day",
        [LENGTH_MONTHS] = "calendar month",
        [LENGTH_YEARS] = "calendar year"};
    buf_printf(ret, "%d %s%s", length.count, units[length.unit], length.count == 1 ? "" : "s");
}

/* --- life of a certificate --- */

static void explain_validity(const struct policy *p, struct buf *ret)
{
    const struct policy_validity *v = &p->validity;
    AUTO_BUF terms = {0};
    explain_heading(p, TOPIC_VALIDITY, "Validity", ret);
    for (size_t i = 0; i < v->term_count; i++) {
        buf_add_text(&terms, i ? " or " : "");
        add_length(v->terms[i], &terms);
    }
    explain_line(ret, "A certificate is valid for %s from the day of the %s, that day %s.",
        buf_text(&terms), policy_word(from, v->from),
        v->first_day == FIRST_DAY_COUNTED ? "counted" : "not counted");
    explain_line(ret,
        "Days are those of %s; validity begins %s and ends with the last second of the last "
        "day, never after the issuer's own end.",
        zone_name(v->zone), v->start == START_DAY ? "with the day" : "at the second");
    explain_line(ret, "A month or year that lacks the day ends on the month's last day.");
    if (v->carries_over)
        explain_line(ret, "A renewal before expiry begins where the predecessor ends.");
    explain_line(ret, "Days left and notices are counted in %s.", zone_name(p->zone));
}

static void explain_issue(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_ISSUE, "Issue", ret);
    explain_line(ret, "%s; %s.",
        p->issue.path == PATH_DIRECT ? "The certificate is issued with the application"
                                     : "The subscriber retrieves the certificate",
        explain_charge(p->issue.charge));
    explain_line(ret, "%s",
        p->issue.approval == APPROVAL_OPERATOR ? "An operator approves it first."
                                               : "No approval is needed.");
    if (p->issue.supersedes_other_device)
        explain_line(
            ret, "A certificate on another %s is superseded.", policy_word(device, p->unit.device));
}

static void explain_renew(const struct policy *p, struct buf *ret)
{
    const struct policy_renew *n = &p->renew;
    explain_heading(p, TOPIC_RENEW, "Renewal", ret);
    if (n->mode == RENEW_NONE) {
        explain_line(ret, "Certificates are not renewed.");
        return;
    }
    if (n->mode == RENEW_NEW_APPLICATION)
        explain_line(ret, "A renewal is a fresh application; %s.", explain_charge(n->charge));
    else
        explain_line(ret, "A renewal is done %s; %s; %s.",
            n->mode == RENEW_COUNTER    ? "at the counter"
            : n->mode == RENEW_IN_PLACE ? "on line, at once"
                                        : "by an application",
            explain_review(n->review), explain_charge(n->charge));
    if (n->open_days)
        explain_line(ret, "It is possible from %d days before expiry.", n->open_days);
    explain_line(ret, "The predecessor %s.", explain_timing(n->predecessor));
    explain_line(ret, "After expiry %s.",
        n->after_expiry == AFTER_FIRST_RETRIEVAL
            ? "a certificate is retrieved as for the first time"
        : n->after_expiry == AFTER_NEW_APPLICATION ? "a new application is needed"
                                                   : "it is refused");
    if (n->takes_contact_changes)
        explain_line(ret, "Changes of contacts may come with it.");
}

static void explain_reasons(const struct policy_reasons *reasons, struct buf *ret)
{
    for (size_t i = 0; i < reasons->count; i++) {
        const struct policy_reason *r = &reasons->items[i];
        AUTO_BUF more = {0};
        if (r->force >= 0)
            buf_printf(&more, "; the predecessor then %s", explain_timing(r->force));
        if (r->is_emergency)
            buf_add_text(&more, "; an operator handles it as an emergency");
        if (r->is_urgent)
            buf_add_text(&more, "; ahead of everything else");
        if (r->is_silent)
            buf_add_text(&more, "; nothing is mailed to the subscriber");
        if (r->channels) {
            buf_add_text(&more, "; only ");
            explain_channels(r->channels, &more);
        }
        explain_line(ret, "Reason \"%s\": %s on the revocation list%s.", r->word,
            reason_name((enum reason)r->crl), buf_text(&more));
    }
    if (reasons->is_free_text)
        explain_line(ret, "The requester writes the reason; an operator maps it to one of these.");
    else if (reasons->is_required)
        explain_line(ret, "A reason must be given.");
    else
        explain_line(ret, "Without a reason it is \"%s\".", reasons->fallback);
}

static void explain_window(const struct policy_reissue *n, struct buf *ret)
{
    if (n->min_days_left)
        explain_line(ret, "It is refused with fewer than %d days left, without saying so.",
            n->min_days_left);
    if (n->window.is_set)
        explain_line(ret, "It is possible %s day %d from issue, the first day %s.",
            n->window.takes_last_day ? "up to and on" : "before", n->window.days,
            n->window.first_day == FIRST_DAY_COUNTED ? "counted" : "not counted");
    if (n->most)
        explain_line(ret, "%d reissue%s of one %s.", n->most, n->most == 1 ? "" : "s",
            policy_word(counted, n->most_of));
    if (n->window.is_set || n->most)
        explain_line(ret, "Beyond that: %s.",
            n->outside == OUTSIDE_REFUSE            ? "refused"
            : n->outside == OUTSIDE_NEW_APPLICATION ? "a new application is needed"
                                                    : "only an operator may ask for it");
}

static void explain_reissue(const struct policy *p, struct buf *ret)
{
    const struct policy_reissue *n = &p->reissue;
    AUTO_BUF choices = {0};
    explain_heading(p, TOPIC_REISSUE, "Reissue", ret);
    if (!n->is_offered) {
        explain_line(ret, "Certificates are not reissued.");
        return;
    }
    explain_line(ret, "On request a certificate is replaced; %s; %s.", explain_review(n->review),
        explain_charge(n->charge));
    explain_reasons(&n->reasons, ret);
    explain_window(n, ret);
    if (n->takes_unretrieved)
        explain_line(ret, "It covers certificates that were never retrieved; the old code dies.");
    explain_line(ret, "%s",
        n->expiry == EXPIRY_ROOT
            ? "The successor expires exactly when its predecessor would have; where "
              "nothing was retrieved its validity is fresh."
            : "The successor has a fresh validity.");
    explain_heading(p, TOPIC_PREDECESSOR, "The reissued certificate's predecessor", ret);
    explain_mask(n->choices, policy_timing_words, "or", &choices);
    bool is_choice = (n->choices & (n->choices - 1)) != 0;
    if (is_choice)
        explain_line(ret, "The requester may choose when it is revoked: %s.", buf_text(&choices));
    if (n->fallback >= 0 && !is_choice)
        explain_line(ret, "It %s.", explain_timing(n->fallback));
    else if (n->fallback >= 0)
        explain_line(ret, "Without a choice it %s.", explain_timing(n->fallback));
    else
        explain_line(ret, "The choice must be made.");
    if (n->defer_days)
        explain_line(ret, "Deferred means %d days after the successor's issue, to the second.",
            n->defer_days);
}

static void explain_ends(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_WITHDRAW, "Withdrawal", ret);
    if (!p->withdraw.is_offered)
        explain_line(ret, "There is no withdrawal beside revocation.");
    else
        explain_reasons(&p->withdraw.reasons, ret);
    if (p->withdraw.acknowledge != ACKNOWLEDGE_NONE)
        explain_line(ret, "Its receipt is acknowledged by %s, then the certificates are revoked.",
            policy_word(acknowledgement, p->withdraw.acknowledge));
    explain_heading(p, TOPIC_REVOKE, "Revocation", ret);
    explain_reasons(&p->revoke.reasons, ret);
    if (p->revoke.confirm != CONFIRM_NONE)
        explain_line(ret, "An operator confirms it by %s with the %s contact first.",
            policy_word(confirm, p->revoke.confirm), policy_word(role, p->revoke.confirm_with));
    if (p->revoke.ends_contract)
        explain_line(ret, "It ends the contract.");
    if (p->revoke.acknowledge != ACKNOWLEDGE_NONE)
        explain_line(ret, "Its receipt is acknowledged by %s%s.",
            policy_word(acknowledgement, p->revoke.acknowledge),
            p->revoke.acknowledge == ACKNOWLEDGE_DOCUMENT ? ", which comes with the answer" : "");
}

/* --- notices, mails, records --- */

static void explain_notices(const struct policy *p, struct buf *ret)
{
    const struct policy_notices *n = &p->notices;
    AUTO_BUF days = {0};
    explain_heading(p, TOPIC_NOTICES, "Notices of expiry", ret);
    for (size_t i = 0; i < n->mail_day_count; i++)
        buf_printf(&days, "%s%d",
            !i                           ? ""
            : i + 1 == n->mail_day_count ? " and "
                                         : ", ",
            n->mail_days[i]);
    if (n->mail_day_count)
        explain_line(ret, "A mail goes out %s days before expiry, once each.", buf_text(&days));
    else
        explain_line(ret, "No mail announces the expiry.");
    if (n->has_opt_out)
        explain_line(ret, "A contact may opt out.");
    if (n->screen_days)
        explain_line(ret,
            "From %d days before expiry a notice is shown on the screen after login, with "
            "the link %s, until renewal, expiry or revocation.",
            n->screen_days, n->screen_link);
}

static void explain_mails(const struct policy *p, struct buf *ret)
{
    static const char *const whens[] = {"", " (old address)", " (new address)"};
    explain_heading(p, TOPIC_MAILS, "Mails", ret);
    bool any = false;
    for (int i = 0; i < POLICY_MAIL_EVENTS; i++) {
        const struct policy_recipients *to = &p->mails[i];
        AUTO_BUF names = {0};
        for (size_t j = 0; j < to->count; j++)
            buf_printf(&names, "%s%s%s", j ? ", " : "", policy_word(party, (int)to->items[j].party),
                whens[to->items[j].when]);
        if (to->count)
            explain_line(ret, "%s: to %s.", policy_word(mail, i), buf_text(&names));
        any = any || to->count;
    }
    if (!any)
        explain_line(ret, "No mail is sent.");
}

static void explain_disclosure(const struct policy_records *n, struct buf *ret)
{
    static const char *const records[RECORDS + 1] = {
        [RECORD_ISSUE] = "those of issue",
        [RECORD_REVOCATION] = "those of revocation",
        [RECORD_REVOCATION_FILE] = "the files of revocations that name them",
    };
    AUTO_BUF what = {0};
    explain_mask(n->disclose, records, "and", &what);
    explain_line(ret, "A subscriber may see the records held of them, in a document: %s; %s%s.",
        buf_text(&what), explain_charge(n->disclose_charge),
        n->disclose_charge == CHARGE_FREE ? "" : ", by a payment notice");
    if (n->confirms_none)
        explain_line(ret, "Where there are none, a document confirms that.");
}

static void explain_records(const struct policy *p, struct buf *ret)
{
    static const char *const erasable[ERASABLES + 1] = {
        [ERASABLE_REVOKED_ONLINE] = "revoked on line",
        [ERASABLE_SUPERSEDED_ON_OTHER_DEVICE] = "followed by one on another device",
    };
    const struct policy_records *n = &p->records;
    AUTO_BUF correct = {0}, why = {0};
    if (!n->disclose && !n->erasable)
        return;
    explain_heading(p, TOPIC_RECORDS, "Records", ret);
    if (n->disclose)
        explain_disclosure(n, ret);
    explain_mask(n->correct, policy_correction_words, "or", &correct);
    if (n->correct) {
        explain_line(
            ret, "After a disclosure they may ask to %s what is wrong.", buf_text(&correct));
        explain_line(ret, "An operator looks into it, then does it or refuses; a document tells.");
    }
    explain_mask(n->erasable, erasable, "or", &why);
    if (n->erasable)
        explain_line(ret, "Revoked certificates that may be erased are listed by device: %s.",
            buf_text(&why));
}

void policy_explain(const struct policy *p, struct buf *ret)
{
    buf_printf(ret, "%s", p->name);
    for (size_t i = 0; i < p->language_count; i++)
        buf_printf(ret, "%s%s", i ? " / " : ": ", p->service[p->languages[i]]);
    buf_add_char(ret, '\n');
    explain_form(p, ret);
    explain_validity(p, ret);
    explain_issue(p, ret);
    explain_renew(p, ret);
    explain_reissue(p, ret);
    explain_ends(p, ret);
    explain_notices(p, ret);
    explain_mails(p, ret);
    explain_records(p, ret);
}
