/*
 * Who hears that a certificate expires, and when (A2, C9, E2, E3, X3, X8). Days are differences of
 * dates in the product's zone. A threshold of N days is due from the day that is N days before the
 * day of notAfter; of several that are due only the nearest sends, so a missed day is caught up by
 * the next scan. A certificate carries the nearest threshold that was seen to (noticed_days); with
 * the rows written in the same transaction it gets at most one notice a threshold. Pure.
 */
#ifndef CERTQ_LIFECYCLE_NOTICE_H
#define CERTQ_LIFECYCLE_NOTICE_H

#include "lifecycle/decide.h"

#define NOTICE_NONE_YET 65535 /* certificate.noticed_days before the first */

/* The certificates whose nearest threshold is `days`: notAfter in [from_ms, until_ms). */
struct notice_band {
    int days;
    int64_t from_ms, until_ms;
};
/* One for each threshold of the product that was not passed over by a nearer one; returns how many.
 */
size_t notice_bands(
    const struct policy *policy, int64_t as_of_ms, struct notice_band ret[static POLICY_LIST_MOST]);

/* Why a notice is not sent: word of notice.reason and of the scan's result. */
#define NOTICE_REASONS(X)                                                                          \
    X(WANTED, "")                                                                                  \
    X(RENEWED, "renewed")                                                                          \
    X(REVOKED, "revoked")                                                                          \
    X(WITHDRAWN, "withdrawn")                                                                      \
    X(OPTED_OUT, "opted-out") /* C9 */                                                             \
    X(NEARER, "nearer")       /* a nearer threshold is due as well */                              \
    X(NO_ADDRESS, "no-address")
enum notice_reason {
#define NOTICE_ENUM(symbol, word) NOTICE_##symbol,
    NOTICE_REASONS(NOTICE_ENUM)
#undef NOTICE_ENUM
        NOTICE_REASON_COUNT
};
const char *notice_reason_word(enum notice_reason reason);

/* What is known of one certificate; all borrowed. */
struct notice_facts {
    const struct policy *policy;
    struct uuid certificate, subscriber;
    struct bytes serial;
    int64_t not_after_ms;
    int noticed_days;
    bool is_valid;     /* false: revoked */
    bool is_renewed;   /* notice_is_renewed */
    bool is_withdrawn; /* its subscriber */
    const char *language;
    const json_t *profile;  /* the subscriber's */
    const json_t *contacts; /* {ROLE: {"email", "renewal_notice"}} of its contract; NULL: none */
};

/* One row to be: for one recipient at one threshold. */
struct notice {
    int days;
    enum policy_party party;
    const char *recipient; /* address, else the party's word; borrowed from the facts */
    enum notice_reason reason;
};
#define NOTICES_MOST (POLICY_LIST_MOST * PARTIES)
/*
 * The rows at threshold `days`, the certificate's nearest: one a recipient, none twice, and the
 * farther thresholds that it passes over as skipped. Returns how many; 0 when it was seen to.
 */
size_t notice_decide(
    const struct notice_facts *facts, int days, struct notice ret[static NOTICES_MOST]);

/* Args of the mail (workers/kinds/mail_text.h) for a notice that is wanted. New reference. */
json_t *notice_mail(
    const struct decision *d, const struct notice_facts *facts, const struct notice *notice);

/* --- on the screen (E3) --- */

/*
 * Result {"notices": [{certificate, serial, not_after, days_left, link}]}: from screen.days before
 * expiry until renewed, revoked or expired, the nearest end first. aggregate NULL: nobody is known.
 */
void notice_screen(const struct decision *d, const struct policy *policy,
    const struct aggregate *aggregate, struct plan *plan);
/*
 * Does a valid certificate of the subscriber make a notice about this one needless (X3)? One that
 * replaces or renews it, or came after such a one in its chain; and any that ends later, where
 * notice_takes_later: the certificates of a product with coupons (B1) stand side by side.
 */
bool notice_is_renewed(
    const struct policy *policy, const struct aggregate *aggregate, const struct certificate *c);
bool notice_takes_later(const struct policy *policy);

#endif
