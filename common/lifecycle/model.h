/*
 * The records a decision sees and changes: a subscriber with everything that hangs on it. One
 * struct for each table of schema/001_core.sql, plain and public. An aggregate is what one decision
 * locks (I11); it owns its rows, and a row says whether the store has to write it. Rows change only
 * once a decision is taken: a refusal touches nothing but the counter of wrong credentials (D7).
 * Absent ids are zero, absent texts NULL (or "" in a fixed array), absent times 0.
 *
 * The other procedures hang on the same rows: a reissue is an application with a certificate whose
 * `predecessor` and `root` say what it replaces and whose not_after_ms is fixed before it is
 * retrieved (A9); a deferred revocation is a job that names its certificate (X4).
 *
 * Services C: a contract joins the aggregates of its subscribers, which are locked and loaded with
 * it as one, and has an aggregate of its own, without a subscriber, for what is asked of the
 * contract itself (C1-C3).
 */
#ifndef CERTQ_LIFECYCLE_MODEL_H
#define CERTQ_LIFECYCLE_MODEL_H

#include "base/buf.h"
#include "base/reason.h"
#include "base/uuid.h"
#include "lifecycle/policy_words.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_WORD 33   /* product, issuer, key id, kind of application: 32 bytes */
#define SERIAL_BYTES 16 /* what pki/certificate.h draws */
#define SERIAL_MOST 20  /* RFC 5280 4.1.2.2 */
#define NONCE_BYTES 16  /* of a certificate code */
#define UNIT_KEY_MOST 400
#define USER_ID_MOST 128 /* characters */

/*
 * The states of a certificate: name, word, and the states it may go to (CERTIFICATE_BIT). NEW is
 * before the first: it is in no table.
 */
#define CERTIFICATE_BIT(state) (1u << CERTIFICATE_##state)
#define CERTIFICATE_STATES(X)                                                                      \
    X(NEW, "new",                                                                                  \
        CERTIFICATE_BIT(AWAITING_APPROVAL) | CERTIFICATE_BIT(AWAITING_RETRIEVAL) |                 \
            CERTIFICATE_BIT(VALID))                                                                \
    X(AWAITING_APPROVAL, "awaiting-approval",                                                      \
        CERTIFICATE_BIT(AWAITING_RETRIEVAL) | CERTIFICATE_BIT(VALID) | CERTIFICATE_BIT(CANCELLED)) \
    X(AWAITING_RETRIEVAL, "awaiting-retrieval",                                                    \
        CERTIFICATE_BIT(VALID) | CERTIFICATE_BIT(CANCELLED))                                       \
    X(VALID, "valid", CERTIFICATE_BIT(REVOKED))                                                    \
    X(REVOKED, "revoked", 0u) /* for good (B4) */                                                  \
    X(CANCELLED, "cancelled", 0u)

enum certificate_state {
#define CERTIFICATE_ENUM(symbol, word, next) CERTIFICATE_##symbol,
    CERTIFICATE_STATES(CERTIFICATE_ENUM)
#undef CERTIFICATE_ENUM
        CERTIFICATE_STATE_COUNT
};
const char *certificate_state_word(enum certificate_state state);
bool certificate_state_find(struct bytes word, enum certificate_state *ret);
bool certificate_may_move(enum certificate_state from, enum certificate_state to);

#define APPLICATION_STATES(X)                                                                      \
    X(AWAITING_APPROVAL, "awaiting-approval")                                                      \
    X(APPROVED, "approved")                                                                        \
    X(REJECTED, "rejected")                                                                        \
    X(WITHDRAWN, "withdrawn")
enum application_state {
#define APPLICATION_ENUM(symbol, word) APPLICATION_##symbol,
    APPLICATION_STATES(APPLICATION_ENUM)
#undef APPLICATION_ENUM
        APPLICATION_STATE_COUNT
};
const char *application_state_word(enum application_state state);
bool application_state_find(struct bytes word, enum application_state *ret);

enum row {
    ROW_STORED,  /* as in the table */
    ROW_CHANGED, /* to be updated */
    ROW_NEW,     /* to be inserted */
};

struct subscriber {
    enum row row;
    struct uuid id;
    char product[MODEL_WORD];
    char *unit_key;     /* policy.unit: unique in the product; unit_key_make() */
    char *email;        /* as email_fold() writes it; what a subscriber is found by */
    char *former_email; /* replaced just now: the store keeps it to find them by (B10) */
    char *user_id;
    char language[3];
    char *password; /* scrypt text; NULL: none set */
    uint32_t failures;
    int64_t locked_ms;
    bool is_withdrawn;
    char *profile;        /* JSON: args.subscriber as accepted last */
    struct uuid contract; /* it was made under; zero: none. Never changes */
    int64_t created_ms;
};

enum charged { CHARGED_NO, CHARGED_YES, CHARGED_UPSTREAM }; /* last: not for certq to say */

struct application {
    enum row row;
    struct uuid id;
    struct uuid subscriber;  /* zero: it is about the contract itself */
    struct uuid contract;    /* zero, but then */
    struct uuid certificate; /* zero: it is about none */
    char kind[MODEL_WORD];   /* the kind of job that made it */
    enum application_state state;
    struct uuid job;
    enum charged charged;
    char charge_reason[MODEL_WORD];
    /*
     * JSON of what the certificate needs beyond the subscriber's profile, or NULL: "term", "dns",
     * "key" (of a CSR that waits for approval), and "subscriber", the profile of then, kept from
     * the moment a later application brings another one (B7).
     */
    char *request;
    int64_t decided_ms;
    char *decided_by, *note;
    int64_t created_ms;
};

struct certificate {
    enum row row;
    struct uuid id, subscriber, application;
    char product[MODEL_WORD], issuer[MODEL_WORD];
    enum certificate_state state;
    uint8_t serial[SERIAL_MOST]; /* drawn when the code is issued (I7) */
    size_t serial_length;
    char code_key[MODEL_WORD]; /* "": this one has no code */
    uint32_t code_generation;
    uint8_t code_nonce[NONCE_BYTES];
    int64_t code_issued_ms;
    struct uuid predecessor, root; /* root: its own id, or that of the first of its chain */
    int64_t not_before_ms;
    int64_t not_after_ms; /* before retrieval: 0, or the end its chain prescribes (A9) */
    int64_t issued_ms;
    bool has_request;
    uint8_t request_sha256[32], spki_sha256[32];
    char *subject;  /* RFC 4514, of an issued one */
    char *device;   /* it sits on, as upstream names it (D8); NULL: none known */
    struct buf der; /* of one issued here; loaded on demand otherwise */
    int64_t revoked_ms;
    enum reason reason;
    bool was_revoked_online; /* by its holder, not over the counter (D8) */
    struct uuid revoked_by;  /* job that revoked it just now: the store writes its revocation */
    struct uuid reported_by; /* job that reported its key just now: the store writes the key down */
    int64_t reported_ms;
    int64_t created_ms;
};

struct contact {
    enum row row;
    char *email;       /* as given; NULL: the contract has no contact of this role */
    bool wants_notice; /* renewal notices (C9) */
    char *profile;     /* JSON: contract.contacts.ROLE as accepted last */
};

struct aggregate;
struct contract {
    enum row row;
    struct uuid id;
    char product[MODEL_WORD];
    bool has_ended;
    uint32_t reissues; /* since the last issue or renewal (C4) */
    char *account;     /* JSON: contract.account (C3); NULL: nothing */
    int64_t created_ms, ended_ms;
    struct contact contacts[ROLES];
    struct aggregate *own;      /* what was asked of the contract itself; owned */
    struct aggregate **members; /* its subscribers, borrowed */
    size_t member_count;
};

struct aggregate {
    struct subscriber subscriber;
    struct contract *contract;         /* borrowed; NULL: the product has none */
    struct application **applications; /* in the order they were made */
    size_t application_count;
    struct certificate **certificates;
    size_t certificate_count;
};

struct aggregate *aggregate_new(void);
void aggregate_free(struct aggregate *a);
DEFINE_AUTO_STRUCT(aggregate);
/* A new contract (ROW_NEW) with its own aggregate and no contacts. */
struct contract *contract_new(const struct uuid *id, const char *product);
void contract_free(struct contract *c); /* not its members */
DEFINE_AUTO_STRUCT(contract);
/* Puts a subscriber under it; both live equally long. */
void contract_join(struct contract *c, struct aggregate *a);
/* Sets or replaces a contact by its JSON (taken by copy). */
void contact_set(struct contract *c, enum policy_role role, const char *email, bool wants_notice,
    const char *profile);
/* Its last certificate is gone: nothing more can be asked for under it (C8). */
void contract_end(struct contract *c, int64_t now_ms);

/* A zeroed row of the aggregate, marked ROW_NEW, with the subscriber's id (or the contract's, where
 * it has no subscriber). */
struct application *aggregate_add_application(struct aggregate *a);
struct certificate *aggregate_add_certificate(struct aggregate *a);
/* NULL when it is not among this subscriber's. */
struct application *aggregate_application(const struct aggregate *a, const struct uuid *id);
struct certificate *aggregate_certificate(const struct aggregate *a, const struct uuid *id);

/* The only way a state changes; a move the list does not allow is a programming mistake. */
void certificate_move(struct certificate *c, enum certificate_state to);
/* Valid to revoked, with everything the CRL needs. */
void certificate_revoke(
    struct certificate *c, enum reason reason, int64_t now_ms, const struct uuid *job);
/* Past its last second? False before it is issued. */
bool certificate_is_expired(const struct certificate *c, int64_t now_ms);
/* Marks a row that was loaded as changed; a new one stays new. */
void row_touch(enum row *row);
/* Replaces an owned text by a copy. */
void text_set(char **text, const char *value);
/* An address as subscribers are found by: ASCII letters in lower case. The caller frees. */
char *email_fold(const char *address) MUST_USE;

#endif
