/*
 * Documents: what is handed over or posted where others get a mail (D2, D4, D5). A decision puts
 * one into its result as {"document", "number", "date", "language", "text"}; nothing stores it, the
 * job that made it is its record. Texts are config/templates/LANGUAGE/document-NAME.txt, the facts
 * each takes are told in docs/templates.md.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_DOCUMENT_H
#define CERTQ_LIFECYCLE_DECIDE_DOCUMENT_H

#include "lifecycle/decide.h"

/* Symbol, name of the document and (after "document-") its template, letter of its number. */
#define DOCUMENTS(X)                                                                               \
    X(REVOCATION_ACCEPTED, "revocation-accepted", 'R')                                             \
    X(DISCLOSURE, "disclosure", 'D')                                                               \
    X(NO_RECORDS, "no-records", 'N')                                                               \
    X(PAYMENT_NOTICE, "payment-notice", 'P')                                                       \
    X(CORRECTION, "correction", 'C')
enum document {
#define DOCUMENT_ENUM(symbol, name, letter) DOCUMENT_##symbol,
    DOCUMENTS(DOCUMENT_ENUM)
#undef DOCUMENT_ENUM
        DOCUMENT_COUNT
};

/* A letter and the job's id: the same when the decision is taken anew, and found with job show. */
#define DOCUMENT_NUMBER (2 + UUID_TEXT)
const char *document_number(
    const struct decision *d, enum document which, char text[static DOCUMENT_NUMBER]);

/*
 * Adds a text to facts, unless it is NULL or empty, or a time for people in the product's zone,
 * unless it is 0.
 */
void document_fact(json_t *facts, const char *name, const char *value);
void document_time(const struct decision *d, const struct policy *policy,
    enum policy_language language, json_t *facts, const char *name, int64_t time_ms);

/*
 * Makes one out of `facts` (borrowed; service, number, date and help are added here). -1
 * ERR_TEMPORARY when the text cannot be made, a programming mistake: a fact the template needs is
 * missing or no line of text.
 */
int document_make(const struct decision *d, const struct policy *policy, enum document which,
    enum policy_language language, const json_t *facts, json_t **ret, struct err *err) MUST_USE;

#endif
