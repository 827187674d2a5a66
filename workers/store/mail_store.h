/*
 * The rows of mail (I5): a mail is a job of kind mail until a worker takes it; then its row says
 * how far it got. All functions run inside the caller's transaction.
 */
#ifndef CERTQ_WORKERS_MAIL_STORE_H
#define CERTQ_WORKERS_MAIL_STORE_H

#include "base/err.h"
#include "base/uuid.h"
#include "db/db.h"

/*
 * sending: marked before SMTP, by holder until until_ms.   -> sent, rejected, deferred
 * deferred: the server said later, or the answer was lost. -> sending
 * sent, rejected, superseded: final.
 */
#define MAIL_STATES(X)                                                                             \
    X(SENDING, "sending")                                                                          \
    X(DEFERRED, "deferred")                                                                        \
    X(SENT, "sent")                                                                                \
    X(REJECTED, "rejected")                                                                        \
    X(SUPERSEDED, "superseded")
enum mail_state {
#define X(name, text) MAIL_IS_##name,
    MAIL_STATES(X)
#undef X
        MAIL_STATE_COUNT
};
const char *mail_state_name(enum mail_state state);

struct mail_row {
    struct uuid id;                                           /* the job's */
    struct uuid certificate, subscriber;                      /* zero: none */
    const char *template, *language, *recipient, *message_id; /* borrowed from the task */
    uint32_t generation;
    int64_t date_ms, created_ms;
    /* what changes */
    bool exists;
    enum mail_state state;
    struct uuid holder;
    int64_t until_ms, sent_ms;
    uint32_t tries;
    char reply[512];
};

/* Fills what changes; of a row that is not there, as of a new one. rows are sorted by id. */
int mail_store_read(struct db *db, struct mail_row *rows, size_t n, struct err *err) MUST_USE;
/* Inserts those that do not exist and updates the others; rows are sorted by id. */
int mail_store_write(
    struct db *db, const struct mail_row *rows, size_t n, struct err *err) MUST_USE;

/* A mail as it was sent, for who sends it again. */
struct mail_found {
    bool exists;
    struct uuid certificate, subscriber; /* zero: none */
    char template[65], language[3];
    uint32_t generation;
};
/* Reads without a lock; `exists` is false when no worker has taken that mail yet. */
int mail_store_find(
    struct db *db, const struct uuid *id, struct mail_found *ret, struct err *err) MUST_USE;

/* What a code mail needs to know of its certificate. */
struct mail_code {
    struct uuid certificate;
    bool found, is_dead; /* dead: cancelled or revoked, its code is of no use any more */
    char key[33];
    uint32_t generation;
    uint8_t nonce[16];
};
/* Fills the codes; sorts them by certificate. */
int mail_store_codes(struct db *db, struct mail_code *codes, size_t n, struct err *err) MUST_USE;

#endif
