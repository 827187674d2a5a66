/*
 * What every decision is given besides the records: the circumstances of its job, the requester,
 * and the ports to what is not pure. A decision reads records and request, fills the plan, and
 * changes the records only once nothing can refuse it any more; it does no I/O, reads no clock and
 * draws nothing except through its ports. Functions that return int give 0 when the plan holds an
 * answer (done or refused) and -1 when none could be found: ERR_CONFLICT (the facts changed since
 * they were looked up) or ERR_TEMPORARY; then nothing has changed and the transaction must not be
 * committed. Functions that return bool give false once the plan is refused.
 */
#ifndef CERTQ_LIFECYCLE_DECIDE_H
#define CERTQ_LIFECYCLE_DECIDE_H

#include "base/err.h"
#include "base/secret.h"
#include "lifecycle/model.h"
#include "lifecycle/plan.h"
#include "lifecycle/policy.h"

#define ACTOR_NAME_MOST 128 /* characters */
#define NOTE_MOST 2000

/* Who asks, and how (domain.md). name is borrowed from args. */
struct actor {
    enum policy_actor role;
    enum policy_channel how;
    const char *name; /* by.operator, else by.name; "" */
};

/* A public key somebody wants certified, from a request whose signature was checked. */
struct request_key {
    struct bytes spki;
    uint8_t request_sha256[32], spki_sha256[32];
    int curve;    /* enum policy_curve, -1: no EC key */
    int rsa_bits; /* 0: no RSA key */
};

#define SUBJECT_PARTS_MOST 16
struct subject_part {
    const char *attribute, *value; /* "CN", UTF-8 */
};
/* Everything a certificate is made of (I7): the same input gives the same certificate. */
struct signing {
    const struct policy *policy;
    struct bytes serial;
    int64_t not_before_ms, not_after_ms;
    struct subject_part subject[SUBJECT_PARTS_MOST];
    size_t subject_count;
    const char *email; /* subjectAltName; NULL: none */
    const char *const *dns;
    size_t dns_count;
    struct bytes spki;
};

struct decide_ports {
    void *arg;
    struct uuid (*draw_id)(void *arg);
    void (*draw_serial)(void *arg, uint8_t ret[static SERIAL_BYTES]);
    void (*draw_nonce)(void *arg, uint8_t ret[static NONCE_BYTES]);
    /* Id of the key that new codes are derived with. */
    int (*code_key)(void *arg, const char **ret, struct err *err);
    /* Constant time in the typed code. ERR_TEMPORARY: the certificate's key is missing here. */
    int (*code_matches)(void *arg, const struct certificate *c, const struct secret *typed,
        bool *ret, struct err *err);
    /* Input error when a value cannot stand in a certificate's subject. */
    int (*subject_check)(void *arg, const struct subject_part *part, struct err *err);
    int (*issuer_end)(void *arg, const char *issuer, int64_t *ret_ms, struct err *err);
    /* DER, and the subject as RFC 4514 writes it (owned by the caller). */
    int (*sign)(void *arg, const struct signing *what, struct buf *ret, char **ret_subject,
        struct err *err);
    /* Was this key ever reported compromised? (SHA-256 of its SubjectPublicKeyInfo) */
    int (*key_is_compromised)(
        void *arg, const uint8_t spki_sha256[static 32], bool *ret, struct err *err);
    /* Is there a subscriber of this product with this unit key? */
    int (*unit_is_taken)(
        void *arg, const char *product, const char *unit_key, bool *ret, struct err *err);
    /* Fills c->der of an issued certificate. */
    int (*load_der)(void *arg, struct certificate *c, struct err *err);
    void (*pem)(void *arg, struct bytes der, struct buf *ret);
    const char *(*chain)(void *arg, const char *issuer); /* PEM, borrowed */
    /* A day or instant for a mail's reader; returns `text`. */
    const char *(*time_text)(void *arg, int64_t time_ms, const struct zone *zone,
        enum policy_language language, char text[static 64]);
    /*
     * The text of config/templates/LANGUAGE/NAME.txt with these facts, appended: its title, a blank
     * line and the body, UTF-8 with LF. Whom to ask is added here. Decisions use document_make.
     */
    int (*document)(void *arg, const char *name, const json_t *facts, enum policy_language language,
        struct buf *ret, struct err *err);
};

struct decision {
    struct uuid job;
    int64_t now_ms; /* the later of the job's acceptance and its run_at (I7) */
    const struct decide_ports *ports;
    struct actor actor;    /* actor_read */
    const json_t *by;      /* args.by, borrowed, for the audit (D10); NULL: none. actor_read */
    struct uuid signed_by; /* the certificate whose key signed this very job; zero: none's did */
};

/* --- the request (decide_actor.c) --- */

/*
 * Reads args.by into d->actor and the plan's audit columns: without `by`, the subscriber with
 * credentials. Bad words, unknown members and over-long names are bad fields.
 */
bool actor_read(struct decision *d, const json_t *args, struct plan *plan);
/* Of a kind that only operators ask for: without `by` it is the one that args.operator names, on
 * their own key (docs/protocol.md). */
bool actor_read_operator(struct decision *d, const json_t *args, struct plan *plan);
/* The audit columns again: a plan is emptied when its decision has to be taken anew. */
void actor_record(const struct decision *d, struct plan *plan);
/* May this actor do this, in this way, with this evidence? Refuses with `forbidden`, or names the
 * evidence that is missing. */
bool actor_may(const struct decision *d, const struct policy *policy,
    enum policy_procedure procedure, const json_t *args, struct plan *plan);
/* Where the actor comes by a signature: is it by this certificate's key? Refuses `bad-signature`.
 */
bool actor_signed(const struct decision *d, const struct certificate *c, struct plan *plan);
/* Members of args that are not in the NULL-terminated list are bad fields. */
bool args_known(const json_t *args, const char *const *names, struct plan *plan);
/* A text member: NULL when missing or null; a bad field when it is no line of 1..most characters.
 */
const char *args_text(const json_t *args, const char *name, size_t most, struct plan *plan);
/* A UUID member: false when missing; a bad field when it is none. */
bool args_uuid(const json_t *args, const char *name, struct uuid *ret, struct plan *plan);

#endif
