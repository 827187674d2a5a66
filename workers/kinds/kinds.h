/* The kinds this program does. Adding one: its file, this list, kinds.c. */
#ifndef CERTQ_WORKERS_KINDS_H
#define CERTQ_WORKERS_KINDS_H

#include "kind_ops.h"

extern const struct kind_ops audit_seal_ops;
extern const struct kind_ops noop_ops, issue_ops, decide_ops, lookup_ops, retrieve_ops, revoke_ops,
    mail_ops, crl_ops, inspect_ops, expiry_scan_ops, notices_ops, reissue_ops, renew_ops,
    change_ops, withdraw_ops, password_change_ops, password_reset_ops, password_set_ops,
    disclose_ops, correct_ops, erasable_ops, mail_resend_ops;

#endif
