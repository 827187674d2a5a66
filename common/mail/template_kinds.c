#include "mail/template_kinds.h"

#include "base/auto.h"

#include <assert.h>

/* Of every mail; of what is about one certificate, with its dates; about the one it replaces. */
#define ALL "service organisation name help "
#define SUBJECT "about common_name serial "
#define CERTIFICATE SUBJECT "not_before not_after "
#define OLD "old_serial old_revoked_on old_revoke_at old_not_after "

static const struct template_kind kinds[TEMPLATE_KINDS] = {
    {"certificate-code",
        ALL "applied_on first reissue resent validity common_name serial not_after old_serial "
            "old_revoked_on revokes revokes_after url code",
        "service name help code"},
    {"certificate-issued", ALL CERTIFICATE "applied_on keep_code",
        "service name serial not_after help"},
    {"certificate-reissued", ALL CERTIFICATE OLD "applied_on keep_code",
        "service name serial not_after old_serial old_revoked_on old_revoke_at help"},
    {"certificate-renewed", ALL CERTIFICATE OLD "applied_on keep_code",
        "service name serial not_after old_serial old_revoked_on old_not_after help"},
    {"application-rejected",
        ALL "about common_name applied_on reference first reissue renewal revocation withdrawal "
            "note old_serial old_not_after",
        "service name applied_on reference note help"},
    {"certificate-revoked",
        ALL SUBJECT "revoked_on reason new_serial new_not_after new_waiting new_reviewed "
                    "apply_again contract_ended",
        "service name serial revoked_on reason new_serial help"},
    {"revocation-accepted", ALL SUBJECT "not_after applied_on reference confirm",
        "service name serial applied_on reference help"},
    {"request-received",
        ALL "about common_name serial applied_on reference withdrawal change revocation request",
        "service name about applied_on reference help"},
    {"withdrawal-completed",
        ALL "about applied_on completed_on reference certificates serial common_name revoked_on "
            "contract_ended",
        "service name about applied_on completed_on reference serial revoked_on help"},
    {"change-completed",
        ALL "about applied_on completed_on reference to_old changes label old_serial "
            "old_revoked_on reissue new_application code_follows free charged",
        "service name applied_on completed_on label help"},
    {"change-rejected", ALL "about applied_on reference changes label note",
        "service name applied_on label note help"},
    {"account-changed", ALL "applied_on to_old", "service name applied_on help"},
    {"email-changed", ALL "applied_on reissue", "service name applied_on help"},
    {"password-reset", ALL "reset_on set_new", "service name reset_on help"},
    {"account-locked", ALL "locked_on tries counter operator ends", "service name locked_on help"},
    {"deferred-due", ALL SUBJECT "revoke_at new_serial new_not_after",
        "service name serial revoke_at new_serial help"},
    {"expiry-notice", ALL SUBJECT "not_after days_left apply_again charged renew counter ends url",
        "service name serial not_after days_left help"},

    /* Documents: the result of a job carries them (lifecycle/decide_document.h). */
    {"document-revocation-accepted",
        "service number date name agent holder_id applied_on reason serial common_name not_after "
        "revoked_on card help",
        "service number date applied_on reason serial help"},
    {"document-disclosure",
        "service number date name agent holder_id applied_on records label value issues serial "
        "subject state issued_on not_before not_after revocations revoked_on reason files issuer "
        "crl_number this_update next_update asked_issue asked_revocation asked_file help",
        "service number date applied_on label value serial not_after revoked_on help"},
    {"document-no-records",
        "service number date name agent holder_id applied_on asked_issue asked_revocation "
        "asked_file help",
        "service number date applied_on help"},
    {"document-payment-notice",
        "service number date name agent applied_on disclosure amount due_on help",
        "service number date applied_on disclosure help"},
    {"document-correction",
        "service number date name agent holder_id applied_on disclosure corrected refused changes "
        "label before after note help",
        "service number date applied_on label help"},
};

const struct template_kind *template_kind(size_t i)
{
    assert(i < ARRAY_LENGTH(kinds));
    return &kinds[i];
}
