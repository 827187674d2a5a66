#include "mail/template_kinds.h"

#include "base/auto.h"

#include <assert.h>

static const struct template_kind kinds[TEMPLATE_KINDS] = {
    {"certificate-code",
        "service organisation name applied_on first reissue validity not_after revokes url help "
        "code",
        "service name help code"},
    {"certificate-issued",
        "service organisation name first reissue renewal common_name serial not_before not_after "
        "keep_code revoked_serial revoke_at help",
        "service name serial not_after help"},
    {"email-changed", "service organisation name applied_on help", "service name applied_on help"},
    {"certificate-revoked", "service organisation name common_name serial revoked_on help",
        "service name serial revoked_on help"},
    {"expiry-notice",
        "service organisation name serial not_after days_left apply_again charged renew counter "
        "ends url help",
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
