#include "kinds/kinds.h"

const struct kind_ops *kind_ops(enum kind_id id)
{
    static const struct kind_ops *const table[KINDS] = {
        [KIND_NOOP] = &noop_ops,
        [KIND_ISSUE] = &issue_ops,
        [KIND_DECIDE] = &decide_ops,
        [KIND_LOOKUP] = &lookup_ops,
        [KIND_RETRIEVE] = &retrieve_ops,
        [KIND_REVOKE] = &revoke_ops,
        [KIND_MAIL] = &mail_ops,
        [KIND_CRL] = &crl_ops,
        [KIND_INSPECT] = &inspect_ops,
        [KIND_AUDIT_SEAL] = &audit_seal_ops,
        [KIND_EXPIRY_SCAN] = &expiry_scan_ops,
        [KIND_NOTICES] = &notices_ops,
        [KIND_REISSUE] = &reissue_ops,
        [KIND_RENEW] = &renew_ops,
        [KIND_CHANGE] = &change_ops,
        [KIND_WITHDRAW] = &withdraw_ops,
        [KIND_PASSWORD_CHANGE] = &password_change_ops,
        [KIND_PASSWORD_RESET] = &password_reset_ops,
        [KIND_PASSWORD_SET] = &password_set_ops,
        [KIND_DISCLOSE] = &disclose_ops,
        [KIND_CORRECT] = &correct_ops,
        [KIND_ERASABLE] = &erasable_ops,
        [KIND_MAIL_RESEND] = &mail_resend_ops,
    };
    return table[id];
}
