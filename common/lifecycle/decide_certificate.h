/*
 * Making one certificate out of records: the names that go into it, its validity, the signature.
 * Used by the decisions that issue; nothing here changes a record but issuance_apply.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_CERTIFICATE_H
#define CERTQ_LIFECYCLE_DECIDE_CERTIFICATE_H

#include "lifecycle/decide.h"

/* The facts about a subscriber as one application has them. */
struct person {
    json_t *profile, *request; /* owned references; request NULL: nothing beyond the profile */
    char id[UUID_TEXT];        /* the subscriber's */
};
void person_clear(struct person *p);
#define AUTO_PERSON CLEANUP(person_clear) struct person
/* From args that were just checked; takes over request (NULL: none). */
struct person person_of_args(const struct uuid *subscriber, const json_t *profile, json_t *request);
/* From the rows. ERR_TEMPORARY "damaged" when the JSON in them is none. */
int person_of_rows(const struct aggregate *a, const struct application *application,
    struct person *ret, struct err *err) MUST_USE;
/*
 * Before the subscriber's profile changes: applications that lived on it keep a copy (B7), so that
 * what was sent cannot be altered any more.
 */
void profile_keep(struct aggregate *a);
/* At a field's path ("name.ja", "dns.0", "subscriber.id"), borrowed; NULL when empty. */
const char *person_value(const struct person *p, const char *path);
/* The name in the language, else in the other one, else the e-mail address; never NULL. */
const char *person_name(const struct person *p, enum policy_language language);
/* The length of validity the application chose. */
const struct length *person_term(const struct person *p, const struct policy *policy);

/* Can a certificate be made of these names? Bad fields otherwise, by the args they came from. */
bool subject_check(const struct decision *d, const struct policy *policy, const struct person *p,
    struct plan *plan);
/* The value of the subject's CN, borrowed from person or policy; NULL: none. */
const char *subject_common_name(const struct policy *policy, const struct person *p);
/* Does the policy take such a key? A bad field `csr` otherwise. */
bool key_check(const struct policy *policy, const struct request_key *key, struct plan *plan);

/* A key that waits for approval in application.request. */
json_t *key_to_json(const struct request_key *key);
/* The spki is appended to `ret_spki` and borrowed from it. */
int key_of_json(
    const json_t *json, struct buf *ret_spki, struct request_key *ret, struct err *err) MUST_USE;

struct issuance {
    struct validity validity;
    struct buf der;
    char *subject;
};
void issuance_clear(struct issuance *i);
/*
 * Signs for `certificate`, whose serial (I7) and, where its chain prescribes one, end (A9) stand.
 * The plan may be refused afterwards: expired, key-compromised, or bad-request for a name that does
 * not fit.
 */
int issuance_make(const struct decision *d, const struct policy *policy, const struct person *p,
    const struct certificate *certificate, const struct request_key *key, struct issuance *ret,
    struct plan *plan, struct err *err) MUST_USE;
/* The certificate becomes valid; takes the content over. */
void issuance_apply(const struct decision *d, struct certificate *certificate,
    struct issuance *issuance, const struct request_key *key);

/* serial, not_before, not_after, pem and chain of an issued certificate (with its DER). */
void result_add_certificate(
    const struct decision *d, const struct certificate *certificate, json_t *result);
json_t *json_uuid(const struct uuid *id);
json_t *json_time(int64_t time_ms);
json_t *json_serial(const struct certificate *certificate);

#endif
