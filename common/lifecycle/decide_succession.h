/*
 * What a reissue does to the certificate it replaces, and when (A6, B4, C5, C6, X4). The terms are
 * fixed with the request and stand in the successor's application (`reissue` in its request); a
 * deferred revocation is a job of kind revoke that names certificate and successor, and is looked
 * into again when it wakes. Nothing here refuses: callers have checked before.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_SUCCESSION_H
#define CERTQ_LIFECYCLE_DECIDE_SUCCESSION_H

#include "lifecycle/decide.h"

#define KIND_WORD_REISSUE "reissue" /* application.kind */
#define KIND_WORD_RENEW "renew"

struct succession {
    struct uuid revokes; /* zero: nothing */
    enum policy_timing timing;
    enum reason reason; /* for the CRL */
    const char *word;   /* what the requester called it; borrowed when written, NULL when read */
    bool is_urgent;
    struct uuid job;      /* of a deferral, once the successor is issued; zero before */
    struct uuid reminder; /* of the job that announces it; zero: none does */
    int64_t revoke_ms;
};
/* False: the application is no reissue, nor a renewal that revokes what it renews. */
bool succession_read(const struct application *a, struct succession *ret);
json_t *succession_json(const struct succession *s);
/* Is this one to be revoked later, and by which successor's application? NULL: no. */
const struct application *succession_pending(
    const struct aggregate *a, const struct certificate *c, struct succession *ret);

/* The valid certificate that stands where this successor was put: itself, or one that came after
 * it. NULL: none. */
const struct certificate *succession_heir(
    const struct decision *d, const struct aggregate *a, const struct uuid *successor);

/*
 * Revokes a valid certificate for good and cancels the job that would have done it later (X4). A
 * compromised key takes with it every valid certificate of the subscriber with that key and, at
 * once, those of the chain that were to be revoked later; the store writes the key down.
 */
void revocation_apply(const struct decision *d, struct aggregate *a, struct certificate *c,
    enum reason reason, const char *word, const char *note, struct plan *plan);
/* The key of an issued certificate is compromised, whatever became of the certificate itself: it is
 * refused from now on, and what falls with it goes as above. */
void key_report(
    const struct decision *d, struct aggregate *a, struct certificate *c, struct plan *plan);
/* The mail about each certificate this job revoked. */
void revocation_mails(const struct decision *d, const struct policy *policy,
    const struct aggregate *a, int priority, struct plan *plan);

/* The successor has just been issued: the predecessor goes now, or its time is set (B4, C5). */
void succession_complete(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct application *application, struct plan *plan);
/* Nobody can retrieve this certificate any more (A11). */
void certificate_cancel(const struct decision *d, struct certificate *c, struct plan *plan);

/*
 * A deferred revocation that woke: done only when its certificate is still valid, and still
 * superseded by this successor or one that came after it. Its reminder, DEFERRED_NOTICE_DAYS
 * before, looks for the same and sends a mail. Refuses what is no such job of certq's.
 */
#define DEFERRED_NOTICE_DAYS 3
void decide_deferral(const struct decision *d, const struct policy *policy, struct aggregate *a,
    struct certificate *c, const struct uuid *successor, struct plan *plan);

#endif
