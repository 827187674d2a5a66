/* A policy in sentences: whom it is for, what is recorded, who asks with what. */
#include "lifecycle/policy_explain.h"

static void list_texts(char *const *items, size_t count, struct buf *ret)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(ret, "%s%s", !i ? "" : i + 1 == count ? " and " : ", ", items[i]);
}

/* --- unit, fields, certificate --- */

static void explain_unit(const struct policy *p, struct buf *ret)
{
    AUTO_BUF keys = {0}, roles = {0}, contacts = {0};
    explain_heading(p, TOPIC_UNIT, "Whom certificates are for", ret);
    list_texts(p->unit.subscriber, p->unit.subscriber_count, &keys);
    explain_line(ret, "A subscriber is told from others by %s.", buf_text(&keys));
    list_texts(p->unit.roles, p->unit.role_count, &roles);
    if (p->unit.role_count)
        explain_line(ret, "Subscribers of one company are of these roles: %s.", buf_text(&roles));
    if (!p->unit.has_contract) {
        explain_line(ret, "There is no contract beside the subscriber.");
    } else {
        explain_mask(p->unit.contacts, policy_role_words, "and", &contacts);
        explain_line(
            ret, "Certificates belong to a contract. Its contacts: %s.", buf_text(&contacts));
    }
    if (p->unit.device != DEVICE_NONE)
        explain_line(ret, "A certificate sits on a %s.", policy_word(device, p->unit.device));
    if (p->unit.has_coupon)
        explain_line(ret, "Each certificate carries a coupon number.");
}

/* The fields with one property, as one sentence. */
static void explain_fields_that(const struct policy *p, const char *lead, struct buf *ret,
    bool (*has)(const struct policy_field *field, int value), int value)
{
    AUTO_BUF names = {0};
    for (size_t i = 0; i < p->field_count; i++)
        if (has(&p->fields[i], value))
            buf_printf(&names, "%s%s", names.length ? ", " : "", p->fields[i].path);
    if (names.length)
        buf_printf(ret, "- %s: %s.\n", lead, buf_text(&names));
}

static bool is_required(const struct policy_field *field, int value)
{
    (void)value;
    return field->is_required;
}

static bool has_effect(const struct policy_field *field, int value)
{
    return field->change == value;
}

static void explain_effect(const struct policy *p, int effect, struct buf *ret)
{
    const struct policy_effect_rule *e = &p->change.effects[effect];
    AUTO_BUF lead = {0};
    switch ((enum policy_effect)effect) {
    case EFFECT_NEVER:
        buf_add_text(&lead, "Cannot be changed");
        break;
    case EFFECT_AT_REISSUE:
        buf_add_text(&lead, "Can be changed only together with a reissue");
        break;
    case EFFECT_CORRECTION:
        buf_add_text(&lead, "Can be changed only by a correction after a disclosure");
        break;
    default:
        if (e->refusal != REFUSAL_NONE) {
            buf_printf(&lead, "A change is refused with the answer \"%s\"",
                policy_word(refusal, e->refusal));
            break;
        }
        buf_printf(&lead, "A change %s; %s; %s",
            effect == EFFECT_REISSUE           ? "leads to a reissue"
            : effect == EFFECT_NEW_APPLICATION ? "is a new application"
                                               : "is recorded",
            explain_review(e->review), explain_charge(e->charge));
        if (e->revokes)
            buf_add_text(&lead, "; the present certificate is revoked");
        if (e->confirms_on_screen)
            buf_add_text(&lead, "; it is confirmed on a screen");
    }
    explain_fields_that(p, buf_text(&lead), ret, has_effect, effect);
}

static void explain_fields(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_FIELDS, "What is recorded, and what a change of it leads to", ret);
    explain_fields_that(p, "An application must give", ret, is_required, 0);
    for (int i = 0; i < EFFECTS; i++)
        explain_effect(p, i, ret);
}

static void explain_certificate(const struct policy *p, struct buf *ret)
{
    const struct policy_certificate *c = &p->certificate;
    AUTO_BUF subject = {0}, san = {0}, eku = {0}, keys = {0};
    explain_heading(p, TOPIC_CERTIFICATE, "The certificate", ret);
    explain_line(ret, "It is signed by the issuer %s.", c->issuer);
    for (size_t i = 0; i < c->subject_count; i++)
        buf_printf(&subject, "%s%s=%s%s%s%s", i ? ", " : "", policy_word(rdn, c->subject[i].rdn),
            c->subject[i].text ? c->subject[i].text : "<",
            c->subject[i].text ? "" : c->subject[i].field, c->subject[i].text ? "" : ">",
            c->subject[i].is_optional ? " where given" : "");
    explain_line(ret, "Its subject reads %s.", c->subject_count ? buf_text(&subject) : "(empty)");
    explain_mask(c->san, policy_san_words, "and", &san);
    explain_mask(c->eku, policy_eku_words, "and", &eku);
    explain_line(ret, "As alternative names it carries %s; it is for %s.", buf_text(&san),
        c->eku ? buf_text(&eku) : "any use");
    explain_mask(c->curves, policy_curve_words, "and", &keys);
    if (c->curves)
        explain_line(ret, "Elliptic-curve keys are taken on %s.", buf_text(&keys));
    if (c->rsa_most)
        explain_line(ret, "RSA keys are taken from %d to %d bits.", c->rsa_least, c->rsa_most);
}

/* --- who and with what --- */

static void explain_who(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_WHO, "Who may ask for what, and how they are recognised", ret);
    for (int i = 0; i < PROCEDURES; i++) {
        AUTO_BUF who = {0};
        for (int a = 0; a < ACTORS; a++) {
            if (!p->who[i].channels[a])
                continue;
            buf_printf(&who, "%s%s (", who.length ? "; " : "", policy_word(actor, a));
            explain_mask(p->who[i].channels[a], policy_channel_words, "or", &who);
            buf_add_char(&who, ')');
        }
        if (who.length)
            explain_line(ret, "%s: %s.", policy_word(procedure, i), buf_text(&who));
    }
    AUTO_BUF none = {0};
    for (int i = 0; i < PROCEDURES; i++)
        if (!policy_offers(p, (enum policy_procedure)i))
            buf_printf(&none, "%s%s", none.length ? ", " : "", policy_word(procedure, i));
    if (none.length)
        explain_line(ret, "Not offered: %s.", buf_text(&none));
}

static void explain_evidence(const struct policy *p, struct buf *ret)
{
    if (!p->evidence_count)
        return;
    explain_heading(p, TOPIC_EVIDENCE, "Evidence that is recorded with a request", ret);
    for (size_t i = 0; i < p->evidence_count; i++) {
        const struct policy_evidence *e = &p->evidence[i];
        AUTO_BUF when = {0};
        if (e->procedures != UINT32_MAX) {
            buf_add_text(&when, " for ");
            explain_mask(e->procedures, policy_procedure_words, "and", &when);
        }
        if (e->actors != UINT32_MAX) {
            buf_add_text(&when, " from the ");
            explain_mask(e->actors, policy_actor_words, "and", &when);
        }
        if (e->channels != UINT32_MAX) {
            buf_add_text(&when, " when asked for ");
            explain_channels(e->channels, &when);
        }
        if (e->within_months)
            explain_line(ret, "%s, a day at most %d months ago,%s.", e->path, e->within_months,
                buf_text(&when));
        else
            explain_line(
                ret, "%s%s%s.", e->path, e->if_any ? ", if there is any," : "", buf_text(&when));
    }
}

static void explain_credentials(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_CREDENTIALS, "Credentials", ret);
    bool any = false;
    for (int i = 0; i < PROCEDURES; i++) {
        AUTO_BUF needed = {0};
        explain_mask(p->credentials.needed[i], policy_credential_words, "and", &needed);
        if (p->credentials.needed[i])
            explain_line(ret, "%s asks for %s.", policy_word(procedure, i), buf_text(&needed));
        any = any || p->credentials.needed[i];
    }
    if (!any)
        explain_line(ret, "None are asked for; whoever asks is recognised otherwise.");
    if (p->credentials.email == AGE_OF_CERTIFICATE)
        explain_line(ret, "The e-mail address is the one in the certificate.");
    if (p->credentials.password == AGE_FIRST_APPLICATION)
        explain_line(ret, "The password is the one of the first application.");
}

static void explain_password(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_PASSWORD, "Password", ret);
    if (!p->password.is_used)
        explain_line(ret, "There is no password.");
    else if (!p->password.lock_after)
        explain_line(ret, "Wrong passwords never lock it.");
    else
        explain_line(ret, "%d wrong passwords in a row lock it until %s unlocks it.",
            p->password.lock_after,
            p->password.unlock == UNLOCK_COUNTER ? "a reset at the counter" : "an operator");
    if (p->password.reset_then_set)
        explain_line(ret, "After a reset a new password is set by its owner.");
}

static void explain_code(const struct policy *p, struct buf *ret)
{
    explain_heading(p, TOPIC_CODE, "Certificate code", ret);
    if (!p->code.is_used)
        explain_line(ret, "There is no certificate code.");
    else if (p->code.days)
        explain_line(
            ret, "A certificate code is mailed; unused, it is good for %d days.", p->code.days);
    else
        explain_line(
            ret, "A certificate code is mailed; it stays good until it is used or replaced.");
    if (p->code.has_resend)
        explain_line(ret, "An operator may send the same code again.");
}

void explain_form(const struct policy *p, struct buf *ret)
{
    explain_unit(p, ret);
    explain_fields(p, ret);
    explain_certificate(p, ret);
    explain_who(p, ret);
    explain_evidence(p, ret);
    explain_credentials(p, ret);
    explain_password(p, ret);
    explain_code(p, ret);
}
