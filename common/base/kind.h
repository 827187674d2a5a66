/*
 * The kinds of jobs and what each needs, in one table that broker, workers and command line share.
 * Adding a kind: a row in kind.c, its file under workers/kinds/, its args in docs/protocol.md, its
 * line in a product policy where a rule governs it.
 */
#ifndef CERTQ_BASE_KIND_H
#define CERTQ_BASE_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind_id {
    KIND_NOOP,
    KIND_ISSUE,
    KIND_DECIDE,
    KIND_LOOKUP,
    KIND_RETRIEVE,
    KIND_REVOKE,
    KIND_MAIL,
    KIND_CRL,
    KIND_INSPECT,
    KIND_AUDIT_SEAL,
    KIND_EXPIRY_SCAN,
    KIND_NOTICES,
    KIND_REISSUE,
    KIND_RENEW,
    KIND_CHANGE,
    KIND_WITHDRAW,
    KIND_PASSWORD_CHANGE,
    KIND_PASSWORD_RESET,
    KIND_PASSWORD_SET,
    KIND_DISCLOSE,
    KIND_CORRECT,
    KIND_ERASABLE,
    KIND_MAIL_RESEND,
    KINDS
};

struct kind {
    const char *name;
    enum kind_id id;
    bool durable;        /* accepted into MariaDB; others live in the broker's memory only */
    bool signing;        /* its workers hold a CA key */
    bool secrets;        /* runs scrypt or unseals: small groups */
    bool internal;       /* no client may submit it */
    bool operators;      /* only operators' keys may submit it */
    bool patient;        /* delivers to others: outlasts days of their downtime (kind_attempts) */
    bool personal;       /* results hold personal data: emptied after broker.result */
    uint16_t group;      /* most jobs in one group */
    int32_t deadline_ms; /* a group not reported by then is lost */
};

const struct kind *kind_of(enum kind_id id);
/* By name; NULL when there is none. */
const struct kind *kind_find(const char *name, size_t length);
/*
 * Failures until a job of this kind is dead, where `attempts` are the configuration's and `most_ms`
 * is the longest pause between them. Patient kinds get as many as it takes to go on for five days
 * (RFC 5321 4.5.4.1), since pauses are three quarters of `most_ms` on average.
 */
uint32_t kind_attempts(const struct kind *k, uint32_t attempts, int64_t most_ms);
#define kind_name(id) (kind_of(id)->name)

#endif
