/*
 * Why a certificate was revoked: the reason codes of RFC 5280 section 5.3.1, the words every layer
 * (policies, jobs, CRLs, screens) uses for them, and which of them may be undone. Pure.
 */
#ifndef CERTQ_BASE_REASON_H
#define CERTQ_BASE_REASON_H

#include <stdbool.h>
#include <stddef.h>

/* number (7 is not used), enum name, the RFC's identifier */
#define REASON_LIST(X)                                                                             \
    X(0, UNSPECIFIED, "unspecified")                                                               \
    X(1, KEY_COMPROMISE, "keyCompromise")                                                          \
    X(2, CA_COMPROMISE, "cACompromise")                                                            \
    X(3, AFFILIATION_CHANGED, "affiliationChanged")                                                \
    X(4, SUPERSEDED, "superseded")                                                                 \
    X(5, CESSATION_OF_OPERATION, "cessationOfOperation")                                           \
    X(6, CERTIFICATE_HOLD, "certificateHold")                                                      \
    X(8, REMOVE_FROM_CRL, "removeFromCRL")                                                         \
    X(9, PRIVILEGE_WITHDRAWN, "privilegeWithdrawn")                                                \
    X(10, AA_COMPROMISE, "aACompromise")

enum reason {
#define REASON_ENUM(number, symbol, name) REASON_##symbol = number,
    REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
};

/* True for a number the RFC defines: what came from a database or the wire. */
bool reason_is_code(int number);
/* The RFC's identifier; NULL when reason_is_code is false. */
const char *reason_name(enum reason reason);
/* By the RFC's identifier, exactly as written; false for any other word. */
bool reason_parse(const char *name, size_t length, enum reason *ret);
/* A hold can be lifted and removeFromCRL lifts it; every other reason is for good (B4). */
bool reason_is_final(enum reason reason);

#endif
