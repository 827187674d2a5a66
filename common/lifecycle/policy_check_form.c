/* Contradictions in what a product is made of: unit, fields, certificate, mails. */
#include "lifecycle/policy_check.h"

#include "base/mem.h"

#include <ctype.h>
#include <string.h>

static void review_languages(struct review *r)
{
    const struct policy *p = r->p;
    for (size_t i = 0; i < p->language_count; i++)
        clash(r, !p->service[p->languages[i]], "service",
            "the service has no name in %s, a language of the product",
            policy_word(language, p->languages[i]));
}

static void review_unit(struct review *r)
{
    const struct policy *p = r->p;
    clash(r, !p->unit.subscriber_count, "unit.subscriber", "at least one field is wanted");
    for (size_t i = 0; i < p->unit.subscriber_count; i++) {
        const char *path = p->unit.subscriber[i];
        const struct policy_field *field = policy_field(p, path);
        bool is_contract = strcmp(path, "contract") == 0 && p->unit.has_contract;
        clash(r, !field && !is_contract, "unit.subscriber", "%s is none of the product's fields",
            path);
        clash(r, field && !field->is_required, "unit.subscriber",
            "%s names a subscriber, so it must be required", path);
        clash(r, field && (field->place == PLACE_CONTACT || field->place == PLACE_ACCOUNT),
            "unit.subscriber", "%s is the contract's, not the subscriber's", path);
    }
    clash(r, p->unit.contacts && !p->unit.has_contract, "unit.contacts",
        "contacts belong to a contract, and the unit has none");
    clash(r, p->unit.role_count && !policy_field(p, "role"), "unit.roles",
        "roles need the field role");
    clash(r, policy_field(p, "account.otp_email") && !p->unit.has_contract, "fields",
        "account.otp_email: an account belongs to a contract, and the unit has none");
}

/* --- fields --- */

/* The line of a field: its own key, else the wildcard that made it. */
static const char *field_key(const struct review *r, const struct policy_field *field)
{
    const struct yaml_node *fields = yaml_get(r->root, "fields");
    return yaml_get(fields, field->path) ? field->path : "*";
}

/* Keys of fields hold dots, so yaml_at cannot find them. */
static void clash_field(
    struct review *r, bool wrong, const struct policy_field *field, const char *text)
{
    if (!wrong || r->failed)
        return;
    const struct yaml_node *fields = yaml_get(r->root, "fields");
    const struct yaml_node *node = yaml_get(fields, field_key(r, field));
    r->failed = true;
    yaml_error(node ? node : fields, r->err, "%s", text);
}

static void review_fields(struct review *r)
{
    const struct policy *p = r->p;
    for (size_t i = 0; i < p->field_count; i++) {
        const struct policy_field *field = &p->fields[i];
        bool is_changed = field->change != EFFECT_NEVER && field->change != EFFECT_AT_REISSUE &&
                          field->change != EFFECT_CORRECTION;
        clash_field(r, is_changed && !p->change.is_offered, field,
            "a change has an effect, but change is none");
        clash_field(r, is_changed && !p->change.effects[field->change].is_set, field,
            "change does not say what this effect is");
        clash_field(r, field->change == EFFECT_AT_REISSUE && !p->reissue.is_offered, field,
            "changed at a reissue, but reissue is none");
        clash_field(r, field->change == EFFECT_CORRECTION && !p->records.correct, field,
            "changed by a correction, but records.correct is none");
    }
}

/* --- certificate --- */

/* Upper bounds of RFC 5280 appendix A.1, in characters. */
static int rdn_most(int rdn)
{
    switch ((enum policy_rdn)rdn) {
    case RDN_C:
        return 2;
    case RDN_ST:
    case RDN_L:
        return 128;
    case RDN_EMAIL_ADDRESS:
        return 255;
    default:
        return 64;
    }
}

static void review_rdn_field(struct review *r, const struct policy_name_part *part)
{
    const char *path = "certificate.subject";
    bool is_id = strcmp(part->field, "subscriber.id") == 0;
    bool is_host = strcmp(part->field, "dns.0") == 0;
    const struct policy_field *field = policy_field(r->p, is_host ? "dns" : part->field);
    const char *rdn = policy_word(rdn, part->rdn);
    clash(r, !field && !is_id, path, "%s: %s is none of the product's fields", rdn, part->field);
    if (!field)
        return;
    clash(r, field->place == PLACE_CONTACT || field->place == PLACE_ACCOUNT, path,
        "%s: %s is the contract's, not the subscriber's", rdn, part->field);
    clash(r, field->is_list && !is_host, path, "%s: write dns.0 for the first name", rdn);
    clash(r, !field->is_required && !part->is_optional, path,
        "%s: %s may be empty; make the field required or write optional: true", rdn, part->field);
    clash(r, field->most > rdn_most(part->rdn) && field->format != FORMAT_HOST, path,
        "%s holds at most %d characters, %s up to %d; give the field most: %d", rdn,
        rdn_most(part->rdn), part->field, field->most, rdn_most(part->rdn));
}

static void review_subject(struct review *r)
{
    const struct policy_certificate *c = &r->p->certificate;
    const char *path = "certificate.subject";
    clash(r, !c->subject_count && !c->san, path, "neither a subject nor a san: nobody is named");
    for (size_t i = 0; i < c->subject_count; i++) {
        const struct policy_name_part *part = &c->subject[i];
        const char *rdn = policy_word(rdn, part->rdn);
        clash(r, !part->field == !part->text, path, "%s: give either field or text", rdn);
        if (part->field && !r->failed)
            review_rdn_field(r, part);
        if (!part->text)
            continue;
        bool is_country = strlen(part->text) == 2 && isupper((unsigned char)part->text[0]) &&
                          isupper((unsigned char)part->text[1]);
        clash(r, part->rdn == RDN_C && !is_country, path,
            "C is a country's two capital letters (ISO 3166), such as JP");
        clash(r, strlen(part->text) > (size_t)rdn_most(part->rdn) * 4, path,
            "%s holds at most %d characters", rdn, rdn_most(part->rdn));
    }
}

static void review_certificate(struct review *r)
{
    const struct policy *p = r->p;
    const struct policy_certificate *c = &p->certificate;
    const struct policy_field *email = policy_field(p, "email"), *dns = policy_field(p, "dns");
    review_subject(r);
    clash(r, c->san & POLICY_BIT(SAN_EMAIL) && !(email && email->is_required), "certificate.san",
        "email, but there is no required field email");
    clash(r, c->san & POLICY_BIT(SAN_DNS) && !(dns && dns->is_required), "certificate.san",
        "dns, but there is no required field dns");
    clash(r, c->eku & POLICY_BIT(EKU_SERVER_AUTH) && !(c->san & POLICY_BIT(SAN_DNS)),
        "certificate.eku", "serverAuth without dns in san: no client would accept it (RFC 6125)");
    clash(r, c->eku & POLICY_BIT(EKU_EMAIL_PROTECTION) && !(c->san & POLICY_BIT(SAN_EMAIL)),
        "certificate.eku", "emailProtection without email in san (RFC 8550 3)");
    clash(r, !c->curves && !c->rsa_most, "certificate.keys", "no key is allowed at all");
    clash(r, c->rsa_least > c->rsa_most, "certificate.keys.rsa", "least is more than most");
}

/* --- mails --- */

static void need_address(struct review *r, const char *mail, const char *path, const char *who)
{
    AUTO_TEXT key = mem_printf("mails.%s", mail);
    clash(r, !policy_field(r->p, path), key, "to the %s, but there is no field %s", who, path);
}

static void review_recipient(struct review *r, int mail, const struct policy_recipient *recipient)
{
    const char *name = policy_word(mail, mail);
    AUTO_TEXT key = mem_printf("mails.%s", name);
    int party = (int)recipient->party;
    switch (recipient->party) {
    case PARTY_SUBSCRIBER:
        need_address(r, name, "email", "subscriber");
        break;
    case PARTY_ORGANISATION:
        need_address(r, name, "organisation.email", "organisation");
        break;
    case PARTY_ACCOUNT:
        need_address(r, name, "account.otp_email", "account");
        break;
    case PARTY_CONTACT:
        clash(r, !r->p->unit.contacts, key, "to a contact, but the unit has none");
        break;
    default: {
        int role = party - PARTY_REGISTERED;
        AUTO_TEXT path = mem_printf("contacts.%s.email", policy_word(role, role));
        clash(r, !(r->p->unit.contacts & POLICY_BIT(role)), key, "the unit has no %s contact",
            policy_word(role, role));
        need_address(r, name, path, "contact");
    }
    }
    bool is_change = mail == MAIL_EMAIL_CHANGED || mail == MAIL_ACCOUNT_CHANGED ||
                     mail == MAIL_CHANGE_COMPLETED || mail == MAIL_CHANGE_REJECTED;
    clash(r, recipient->when != WHEN_CURRENT && !is_change, key,
        "old and new addresses exist only where something changes");
}

static bool reviews(const struct policy *p)
{
    return p->issue.approval != APPROVAL_NONE || p->renew.review == REVIEW_ALWAYS ||
           (p->reissue.is_offered && p->reissue.review == REVIEW_ALWAYS) ||
           (p->withdraw.is_offered && p->withdraw.confirm != CONFIRM_NONE) ||
           p->revoke.confirm != CONFIRM_NONE;
}

void review_occasions(struct review *r)
{
    const struct policy *p = r->p;
    clash(r, p->mails[MAIL_REVOCATION_ACCEPTED].count && p->revoke.confirm == CONFIRM_NONE,
        "mails.revocation-accepted", "revocations wait for no confirmation (revoke.confirm)");
    clash(r, p->mails[MAIL_REJECTED].count && !reviews(p), "mails.rejected",
        "nothing is reviewed or confirmed");
    clash(r, p->mails[MAIL_WITHDRAWN].count && !p->withdraw.is_offered, "mails.withdrawn",
        "withdraw is none");
    clash(r, p->mails[MAIL_PASSWORD_RESET].count && !policy_offers(p, PROC_PASSWORD_RESET),
        "mails.password-reset", "nobody may reset a password (who.password-reset)");
    clash(r, p->mails[MAIL_LOCKED].count && !(p->password.is_used && p->password.lock_after),
        "mails.locked", "nothing locks (password.lock_after)");
}

static void review_mails(struct review *r)
{
    const struct policy *p = r->p;
    for (int i = 0; i < POLICY_MAIL_EVENTS; i++)
        for (size_t j = 0; j < p->mails[i].count; j++)
            review_recipient(r, i, &p->mails[i].items[j]);
    for (size_t j = 0; j < p->mails[MAIL_CODE].count; j++)
        clash(r, p->mails[MAIL_CODE].items[j].party != PARTY_SUBSCRIBER, "mails.code",
            "a code goes to the subscriber alone");
    clash(r, p->mails[MAIL_CHANGE_COMPLETED].count && !p->change.is_offered,
        "mails.change-completed", "change is none");
    clash(r, p->mails[MAIL_CHANGE_REJECTED].count && !p->change.is_offered, "mails.change-rejected",
        "change is none");
    clash(r, p->mails[MAIL_ACCOUNT_CHANGED].count && !policy_field(p, "account.otp_email"),
        "mails.account-changed", "there is no field account.otp_email");
}

void review_form(struct review *r)
{
    review_languages(r);
    review_unit(r);
    review_fields(r);
    review_certificate(r);
    review_mails(r);
}
