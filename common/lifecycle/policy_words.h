/*
 * The closed vocabularies of product policies: each list gives an enum and the words a product file
 * uses. Adding a word: here, in docs/products.md (a test compares them), and where it is decided.
 * policy_word(LIST, n) is the word; the arrays end with NULL.
 */
#ifndef CERTQ_LIFECYCLE_POLICY_WORDS_H
#define CERTQ_LIFECYCLE_POLICY_WORDS_H

#define POLICY_ENUM(symbol, word) symbol,
#define POLICY_WORD(symbol, word) word,
/* DECLARE: enum policy_NAME { ...; PLURAL }, and its words policy_NAME_words. */
#define POLICY_DECLARE(name, list, count)                                                          \
    enum policy_##name{list(POLICY_ENUM) count};                                                   \
    extern const char *const policy_##name##_words[count + 1]
#define POLICY_BIT(n) (1u << (n))

/* What a rule governs. `decide` is always an operator's. */
#define POLICY_PROCEDURES(X)                                                                       \
    X(PROC_ISSUE, "issue")                                                                         \
    X(PROC_RETRIEVE, "retrieve")                                                                   \
    X(PROC_LOOKUP, "lookup")                                                                       \
    X(PROC_REISSUE, "reissue")                                                                     \
    X(PROC_RENEW, "renew")                                                                         \
    X(PROC_CHANGE, "change")                                                                       \
    X(PROC_WITHDRAW, "withdraw")                                                                   \
    X(PROC_REVOKE, "revoke")                                                                       \
    X(PROC_NOTICES, "notices")                                                                     \
    X(PROC_DISCLOSE, "disclose")                                                                   \
    X(PROC_CORRECT, "correct")                                                                     \
    X(PROC_PASSWORD_CHANGE, "password-change")                                                     \
    X(PROC_PASSWORD_RESET, "password-reset")                                                       \
    X(PROC_PASSWORD_SET, "password-set")                                                           \
    X(PROC_ERASABLE, "erasable")
POLICY_DECLARE(procedure, POLICY_PROCEDURES, PROCEDURES);

#define POLICY_ACTORS(X)                                                                           \
    X(ACTOR_SUBSCRIBER, "subscriber")                                                              \
    X(ACTOR_HOLDER, "holder")                                                                      \
    X(ACTOR_ORGANISATION, "organisation")                                                          \
    X(ACTOR_CONTACT, "contact")                                                                    \
    X(ACTOR_AGENT, "agent")                                                                        \
    X(ACTOR_OPERATOR, "operator")
POLICY_DECLARE(actor, POLICY_ACTORS, ACTORS);

/* `by.how`. recorded: an operator on their own key, named in by.operator, without `how`. */
#define POLICY_CHANNELS(X)                                                                         \
    X(CHANNEL_CREDENTIALS, "credentials")                                                          \
    X(CHANNEL_SESSION, "session")                                                                  \
    X(CHANNEL_SIGNATURE, "signature")                                                              \
    X(CHANNEL_COUNTER, "counter")                                                                  \
    X(CHANNEL_PAPER, "paper")                                                                      \
    X(CHANNEL_RECORDED, "recorded")
POLICY_DECLARE(channel, POLICY_CHANNELS, CHANNELS);

#define POLICY_CREDENTIALS(X)                                                                      \
    X(CREDENTIAL_EMAIL, "email")                                                                   \
    X(CREDENTIAL_USER_ID, "user_id")                                                               \
    X(CREDENTIAL_COMPANY_CODE, "company_code")                                                     \
    X(CREDENTIAL_PASSWORD, "password")                                                             \
    X(CREDENTIAL_CODE, "code")
POLICY_DECLARE(credential, POLICY_CREDENTIALS, CREDENTIALS);

/* Which e-mail address, which password counts as the credential (B10). */
#define POLICY_CREDENTIAL_AGES(X)                                                                  \
    X(AGE_CURRENT, "current")                                                                      \
    X(AGE_OF_CERTIFICATE, "of-certificate")                                                        \
    X(AGE_FIRST_APPLICATION, "first-application")
POLICY_DECLARE(credential_age, POLICY_CREDENTIAL_AGES, AGES);

/* What happens when a field changes (A3-A5, B5, C1-C3, D5). */
#define POLICY_EFFECTS(X)                                                                          \
    X(EFFECT_NEVER, "never")                                                                       \
    X(EFFECT_RECORD, "record")                                                                     \
    X(EFFECT_REVIEW, "review")                                                                     \
    X(EFFECT_IMMEDIATE, "immediate")                                                               \
    X(EFFECT_REISSUE, "reissue")                                                                   \
    X(EFFECT_NEW_APPLICATION, "new-application")                                                   \
    X(EFFECT_CONTRACT, "contract")                                                                 \
    X(EFFECT_AT_REISSUE, "at-reissue")                                                             \
    X(EFFECT_CORRECTION, "correction")
POLICY_DECLARE(effect, POLICY_EFFECTS, EFFECTS);

#define POLICY_FORMATS(X)                                                                          \
    X(FORMAT_LINE, "line")                                                                         \
    X(FORMAT_EMAIL, "email")                                                                       \
    X(FORMAT_DIGITS, "digits")                                                                     \
    X(FORMAT_ASCII, "ascii")                                                                       \
    X(FORMAT_FULL_WIDTH, "full-width")                                                             \
    X(FORMAT_WORDS, "words")                                                                       \
    X(FORMAT_LANGUAGE, "language")                                                                 \
    X(FORMAT_HOST, "host")
POLICY_DECLARE(format, POLICY_FORMATS, FORMATS);

#define POLICY_LANGUAGES(X)                                                                        \
    X(LANGUAGE_JA, "ja")                                                                           \
    X(LANGUAGE_EN, "en")
POLICY_DECLARE(language, POLICY_LANGUAGES, LANGUAGES);

#define POLICY_ROLES(X)                                                                            \
    X(ROLE_REGISTERED, "registered")                                                               \
    X(ROLE_TECHNICAL, "technical")                                                                 \
    X(ROLE_ADMINISTRATIVE, "administrative")
POLICY_DECLARE(role, POLICY_ROLES, ROLES);

/* Whom a mail goes to; contact is the contact concerned, the last three are C1's roles. */
#define POLICY_PARTIES(X)                                                                          \
    X(PARTY_SUBSCRIBER, "subscriber")                                                              \
    X(PARTY_ORGANISATION, "organisation")                                                          \
    X(PARTY_ACCOUNT, "account")                                                                    \
    X(PARTY_CONTACT, "contact")                                                                    \
    X(PARTY_REGISTERED, "registered")                                                              \
    X(PARTY_TECHNICAL, "technical")                                                                \
    X(PARTY_ADMINISTRATIVE, "administrative")
POLICY_DECLARE(party, POLICY_PARTIES, PARTIES);

#define POLICY_MAILS(X)                                                                            \
    X(MAIL_CODE, "code")                                                                           \
    X(MAIL_ISSUED, "issued")                                                                       \
    X(MAIL_REISSUED, "reissued")                                                                   \
    X(MAIL_RENEWED, "renewed")                                                                     \
    X(MAIL_REVOKED, "revoked")                                                                     \
    X(MAIL_EXPIRY, "expiry")                                                                       \
    X(MAIL_EMAIL_CHANGED, "email-changed")                                                         \
    X(MAIL_ACCOUNT_CHANGED, "account-changed")                                                     \
    X(MAIL_CHANGE_COMPLETED, "change-completed")                                                   \
    X(MAIL_CHANGE_REJECTED, "change-rejected")                                                     \
    X(MAIL_REQUEST_RECEIVED, "request-received")                                                   \
    X(MAIL_REVOCATION_ACCEPTED, "revocation-accepted")                                             \
    X(MAIL_REJECTED, "rejected")                                                                   \
    X(MAIL_WITHDRAWN, "withdrawn")                                                                 \
    X(MAIL_PASSWORD_RESET, "password-reset")                                                       \
    X(MAIL_LOCKED, "locked")                                                                       \
    X(MAIL_DEFERRED_DUE, "deferred-due")
POLICY_DECLARE(mail, POLICY_MAILS, POLICY_MAIL_EVENTS);

#define POLICY_PATHS(X)                                                                            \
    X(PATH_RETRIEVE, "retrieve")                                                                   \
    X(PATH_DIRECT, "direct")
POLICY_DECLARE(path, POLICY_PATHS, PATHS);

#define POLICY_APPROVALS(X)                                                                        \
    X(APPROVAL_NONE, "none")                                                                       \
    X(APPROVAL_OPERATOR, "operator")
POLICY_DECLARE(approval, POLICY_APPROVALS, APPROVALS);

#define POLICY_DEVICES(X)                                                                          \
    X(DEVICE_NONE, "none")                                                                         \
    X(DEVICE_CARD, "card")                                                                         \
    X(DEVICE_COMPUTER, "computer")
POLICY_DECLARE(device, POLICY_DEVICES, DEVICES);

/* The day validity begins. */
#define POLICY_STARTS(X)                                                                           \
    X(FROM_RETRIEVAL, "retrieval")                                                                 \
    X(FROM_ISSUE, "issue")                                                                         \
    X(FROM_PROCEDURE, "procedure")
POLICY_DECLARE(from, POLICY_STARTS, FROMS);

/* charge_reason of a result. free is the only one that is not chargeable by our own rule;
 * upstream: not for certq to say (chargeable is null). */
#define POLICY_CHARGES(X)                                                                          \
    X(CHARGE_FREE, "free")                                                                         \
    X(CHARGE_NEW_APPLICATION, "new-application")                                                   \
    X(CHARGE_CONTRACT, "contract")                                                                 \
    X(CHARGE_ACTUAL_COST, "actual-cost")                                                           \
    X(CHARGE_UPSTREAM, "upstream")
POLICY_DECLARE(charge, POLICY_CHARGES, CHARGES);

#define POLICY_UNLOCKS(X)                                                                          \
    X(UNLOCK_NONE, "none")                                                                         \
    X(UNLOCK_OPERATOR, "operator")                                                                 \
    X(UNLOCK_COUNTER, "counter")
POLICY_DECLARE(unlock, POLICY_UNLOCKS, UNLOCKS);

#define POLICY_RENEWALS(X)                                                                         \
    X(RENEW_NONE, "none")                                                                          \
    X(RENEW_NEW_APPLICATION, "new-application")                                                    \
    X(RENEW_APPLICATION, "application")                                                            \
    X(RENEW_IN_PLACE, "in-place")                                                                  \
    X(RENEW_COUNTER, "counter")
POLICY_DECLARE(renewal, POLICY_RENEWALS, RENEWALS);

#define POLICY_AFTER_EXPIRIES(X)                                                                   \
    X(AFTER_REFUSE, "refuse")                                                                      \
    X(AFTER_NEW_APPLICATION, "new-application")                                                    \
    X(AFTER_FIRST_RETRIEVAL, "first-retrieval")
POLICY_DECLARE(after_expiry, POLICY_AFTER_EXPIRIES, AFTERS);

/* When a predecessor is revoked (B4, C5). keep: never; at-request: when the request is accepted or
 * approved; immediate: with the successor's issue; deferred: defer_days after it; on-retrieval. */
#define POLICY_TIMINGS(X)                                                                          \
    X(TIMING_KEEP, "keep")                                                                         \
    X(TIMING_AT_REQUEST, "at-request")                                                             \
    X(TIMING_IMMEDIATE, "immediate")                                                               \
    X(TIMING_DEFERRED, "deferred")                                                                 \
    X(TIMING_ON_RETRIEVAL, "on-retrieval")
POLICY_DECLARE(timing, POLICY_TIMINGS, TIMINGS);

/* What a reissue outside its window, or one too many, is answered with (C4). */
#define POLICY_OUTSIDES(X)                                                                         \
    X(OUTSIDE_REFUSE, "refuse")                                                                    \
    X(OUTSIDE_NEW_APPLICATION, "new-application")                                                  \
    X(OUTSIDE_OPERATOR_REQUEST, "operator-request")
POLICY_DECLARE(outside, POLICY_OUTSIDES, OUTSIDES);

#define POLICY_COUNTEDS(X)                                                                         \
    X(COUNTED_CONTRACT, "contract")                                                                \
    X(COUNTED_SUBSCRIBER, "subscriber")
POLICY_DECLARE(counted, POLICY_COUNTEDS, COUNTEDS);

#define POLICY_CSRS(X)                                                                             \
    X(CSR_AT_RETRIEVAL, "at-retrieval")                                                            \
    X(CSR_AT_REQUEST, "at-request")
POLICY_DECLARE(csr, POLICY_CSRS, CSRS);

#define POLICY_EXPIRIES(X)                                                                         \
    X(EXPIRY_ROOT, "root")                                                                         \
    X(EXPIRY_FRESH, "fresh")
POLICY_DECLARE(expiry, POLICY_EXPIRIES, EXPIRIES);

#define POLICY_REVIEWS(X)                                                                          \
    X(REVIEW_NEVER, "never")                                                                       \
    X(REVIEW_ALWAYS, "always")                                                                     \
    X(REVIEW_AFTER, "after")
POLICY_DECLARE(review, POLICY_REVIEWS, REVIEWS);

/* How a refused change is answered. */
#define POLICY_REFUSALS(X)                                                                         \
    X(REFUSAL_NONE, "none")                                                                        \
    X(REFUSAL_FORBIDDEN, "forbidden")                                                              \
    X(REFUSAL_CONTACT_US, "contact-us")                                                            \
    X(REFUSAL_NEW_APPLICATION, "new-application")
POLICY_DECLARE(refusal, POLICY_REFUSALS, REFUSALS);

#define POLICY_CONFIRMS(X)                                                                         \
    X(CONFIRM_NONE, "none")                                                                        \
    X(CONFIRM_TELEPHONE, "telephone")
POLICY_DECLARE(confirm, POLICY_CONFIRMS, CONFIRMS);

#define POLICY_ACKNOWLEDGEMENTS(X)                                                                 \
    X(ACKNOWLEDGE_NONE, "none")                                                                    \
    X(ACKNOWLEDGE_MAIL, "mail")                                                                    \
    X(ACKNOWLEDGE_DOCUMENT, "document")
POLICY_DECLARE(acknowledgement, POLICY_ACKNOWLEDGEMENTS, ACKNOWLEDGEMENTS);

/* Attributes of a subject, RFC 5280 4.1.2.4 and RFC 4519. */
#define POLICY_RDNS(X)                                                                             \
    X(RDN_C, "C")                                                                                  \
    X(RDN_ST, "ST")                                                                                \
    X(RDN_L, "L")                                                                                  \
    X(RDN_O, "O")                                                                                  \
    X(RDN_OU, "OU")                                                                                \
    X(RDN_CN, "CN")                                                                                \
    X(RDN_TITLE, "title")                                                                          \
    X(RDN_SERIAL_NUMBER, "serialNumber")                                                           \
    X(RDN_EMAIL_ADDRESS, "emailAddress")
POLICY_DECLARE(rdn, POLICY_RDNS, RDNS);

#define POLICY_SANS(X)                                                                             \
    X(SAN_EMAIL, "email")                                                                          \
    X(SAN_DNS, "dns")
POLICY_DECLARE(san, POLICY_SANS, SANS);

#define POLICY_EKUS(X)                                                                             \
    X(EKU_CLIENT_AUTH, "clientAuth")                                                               \
    X(EKU_SERVER_AUTH, "serverAuth")                                                               \
    X(EKU_EMAIL_PROTECTION, "emailProtection")                                                     \
    X(EKU_CODE_SIGNING, "codeSigning")
POLICY_DECLARE(eku, POLICY_EKUS, EKUS);

#define POLICY_CURVES(X)                                                                           \
    X(CURVE_P256, "P-256")                                                                         \
    X(CURVE_P384, "P-384")
POLICY_DECLARE(curve, POLICY_CURVES, CURVES);

/* D4, D5, D8. */
#define POLICY_RECORDS(X)                                                                          \
    X(RECORD_ISSUE, "issue")                                                                       \
    X(RECORD_REVOCATION, "revocation")                                                             \
    X(RECORD_REVOCATION_FILE, "revocation-file")
POLICY_DECLARE(record, POLICY_RECORDS, RECORDS);
#define POLICY_CORRECTIONS(X)                                                                      \
    X(CORRECTION_CORRECT, "correct")                                                               \
    X(CORRECTION_ADD, "add")                                                                       \
    X(CORRECTION_DELETE, "delete")
POLICY_DECLARE(correction, POLICY_CORRECTIONS, CORRECTIONS);
#define POLICY_ERASABLES(X)                                                                        \
    X(ERASABLE_REVOKED_ONLINE, "revoked-online")                                                   \
    X(ERASABLE_SUPERSEDED_ON_OTHER_DEVICE, "superseded-on-other-device")
POLICY_DECLARE(erasable, POLICY_ERASABLES, ERASABLES);

/* Topics a product file names the ids of its own rules for, under `rules`. */
#define POLICY_TOPICS(X)                                                                           \
    X(TOPIC_UNIT, "unit")                                                                          \
    X(TOPIC_FIELDS, "fields")                                                                      \
    X(TOPIC_CERTIFICATE, "certificate")                                                            \
    X(TOPIC_WHO, "who")                                                                            \
    X(TOPIC_EVIDENCE, "evidence")                                                                  \
    X(TOPIC_CREDENTIALS, "credentials")                                                            \
    X(TOPIC_PASSWORD, "password")                                                                  \
    X(TOPIC_CODE, "code")                                                                          \
    X(TOPIC_VALIDITY, "validity")                                                                  \
    X(TOPIC_ISSUE, "issue")                                                                        \
    X(TOPIC_RENEW, "renew")                                                                        \
    X(TOPIC_REISSUE, "reissue")                                                                    \
    X(TOPIC_PREDECESSOR, "predecessor")                                                            \
    X(TOPIC_CHANGE, "change")                                                                      \
    X(TOPIC_WITHDRAW, "withdraw")                                                                  \
    X(TOPIC_REVOKE, "revoke")                                                                      \
    X(TOPIC_NOTICES, "notices")                                                                    \
    X(TOPIC_RECORDS, "records")                                                                    \
    X(TOPIC_MAILS, "mails")
POLICY_DECLARE(topic, POLICY_TOPICS, TOPICS);

#endif
