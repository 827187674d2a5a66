/*
 * What an operator sets: certq.yaml, read once at start and never changed afterwards. Everything is
 * owned by the struct config and lives until config_free. Relative paths in the file are relative
 * to the file's folder and are made absolute here. An unknown key, a bad type, a value out of
 * bounds or a contradiction gives ERR_INPUT whose text is "FILE:LINE: KEY: what is wrong" (exit
 * 78). Files that are named (keys, certificates) are not opened here: whoever needs one opens it.
 * Adding a key: this struct, the table in config.c, config/certq.yaml (a test compares them).
 */
#ifndef CERTQ_CONFIG_CONFIG_H
#define CERTQ_CONFIG_CONFIG_H

#include "base/err.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum database_role { DB_ADMIN, DB_BROKER, DB_WORKER, DB_MAIL, DB_READER, DB_ROLES };

struct config_user {
    char *user, *password_file; /* NULL file: no password (unix_socket authentication) */
};

struct config_database {
    char *socket; /* or NULL: host and port over TCP */
    char *host;
    uint16_t port;
    char *name;
    char *tls_ca; /* NULL: no TLS (refused unless socket or loopback) */
    struct config_user users[DB_ROLES];
};

/* A ZeroMQ CURVE client of the broker (I12). */
struct config_client {
    char *name;
    char key[41]; /* Z85 public key; "" for the one local client on plain loopback */
    char **kinds; /* NULL: every kind that is not internal */
    size_t kind_count;
    char **roles; /* roles it may assert in `by`; NULL: all */
    size_t role_count;
    char **channels; /* `how` it may assert; NULL: all */
    size_t channel_count;
    int priority;     /* highest it may ask for, 0..9, default 5 */
    bool is_operator; /* may use certq.* services and other clients' jobs */
};

struct config_worker_key {
    char *name;
    char key[41];
    char **kinds; /* kinds it may announce; NULL: all */
    size_t kind_count;
};

struct config_broker {
    char *name;
    char *clients; /* endpoint bound for clients, tcp://127.0.0.1:7101; port * means any */
    char *workers; /* endpoint bound for workers */
    char *http;    /* "127.0.0.1:7180", NULL: no HTTP */
    size_t jobs_in_memory;
    size_t batch_rows;
    size_t batch_bytes;
    size_t args_bytes;       /* longest args of one job; longer is too-large */
    size_t pending_requests; /* requests waiting for the store; more is busy */
    int64_t retention_ms;    /* of job_history */
    int64_t result_ms;       /* results with personal data are emptied after this */
    char *curve_key;         /* file with the broker's CURVE key pair; NULL: plain, loopback only */
    struct config_client *client_keys;
    size_t client_key_count;
    struct config_client local_client; /* used without CURVE */
    struct config_worker_key *worker_keys;
    size_t worker_key_count;
};

/* Where workers and clients find brokers. */
struct config_endpoint {
    char *clients, *workers;
    char key[41]; /* the broker's CURVE public key, "" for plain */
};
/* Without connect.brokers: this file's own broker where it is plain and its ports are fixed. */
struct config_connect {
    struct config_endpoint *brokers;
    size_t broker_count;
    char *curve_key; /* our own key pair file, NULL for plain */
};

struct config_retry {
    int attempts;              /* failures until a job is dead */
    int64_t first_ms, most_ms; /* exponential backoff between these, with jitter */
    int crashes;               /* crashes alone until dead: 3 */
};

struct config_worker {
    size_t group; /* most jobs a group; a kind's own limit applies too */
};

struct config_intake {
    bool plaintext; /* broker seals plain secrets itself; default: where clients are on loopback */
    char *certificate; /* PEM, for sealing */
    char *key;         /* PEM, for workers that unseal */
};

struct config_scrypt {
    int ln, r, p; /* N = 2^ln */
};

/* The seals of the audit (audit/seal.h). */
struct config_audit {
    char *key;    /* PEM, for workers that seal; NULL: this host seals nothing */
    char *public; /* PEM, the public keys of all seals there are */
    char *seals;  /* the file outside the database */
};

struct config_issuer {
    char *name;              /* product policies name it */
    char *certificate, *key; /* PEM */
    char *crl_url;           /* CRL distribution point put into certificates; NULL: none */
    int64_t crl_validity_ms; /* nextUpdate - thisUpdate */
    int64_t crl_soon_ms;     /* from a revocation to the CRL with it, unless it is urgent */
};

enum config_tls { TLS_NONE, TLS_STARTTLS };
struct config_smtp {
    char *host;
    uint16_t port;
    enum config_tls tls;
    char *tls_ca;               /* PEM bundle; NULL: system's */
    char *user, *password_file; /* AUTH; NULL: none */
    char *helo;
    size_t session;     /* most messages in one session, default 100 */
    size_t parallel;    /* sessions of one mail worker at the same time, default 3 */
    int64_t timeout_ms; /* for each reply */
};
struct config_mail {
    char *from; /* addr-spec of the sender */
    char *from_name_ja, *from_name_en;
    char *help_ja, *help_en; /* whom to ask: one line, printed in every mail */
    char *message_id_domain;
    char *sign_certificate, *sign_key; /* S/MIME; both NULL: mails are not signed */
    struct config_smtp smtp;
};

/* A job that brokers submit by themselves, every day at a time or every so often. */
struct config_schedule {
    char *name; /* unique; ticks are remembered under it */
    char *kind;
    char *args;       /* JSON object */
    int minute;       /* of the day, in `zone`; -1: not daily */
    int64_t every_ms; /* instead of it; 0: daily */
    char *zone;       /* lifecycle/calendar.h knows which there are: schedule_check */
};

struct config {
    char *path; /* the file read */
    enum log_level log_level;
    bool settable_clock;
    struct config_database database;
    struct config_broker broker;
    struct config_connect connect;
    struct config_worker worker;
    struct config_retry retry;
    struct config_intake intake;
    struct config_scrypt scrypt;
    char *code_keyring;    /* file of code keys (crypto/keyring.h) */
    char *fingerprint_key; /* file: HMAC key of request fingerprints (I3) */
    char *products;        /* folder of product policies */
    char *templates;       /* folder with ja/ and en/ */
    char *crl_folder;
    struct config_issuer *issuers;
    size_t issuer_count;
    struct config_audit audit;
    struct config_mail mail;
    struct config_schedule *schedules;
    size_t schedule_count;
};

/* Reads and checks `path`. ERR_INPUT as above, ERR_NOT_FOUND when there is no such file. */
int config_load(const char *path, struct config **ret, struct err *err) MUST_USE;
void config_free(struct config *c);
/* --config argument, else $CERTQ_CONFIG, else /etc/certq/certq.yaml. Borrowed. */
const char *config_path(const char *argument);
/*
 * The annotated sample that --print-config prints: the bytes of config/certq.yaml, built in. It is
 * also where every default comes from: a file is laid over it, key by key.
 */
const char *config_sample(void);
const struct config_issuer *config_issuer(const struct config *c, const char *name);
/* Calls back with the dotted path of every key ("broker.client_keys[].name"). */
void config_each_key(void (*each)(const char *path, void *arg), void *arg);
/* True for ipc://, inproc:// and tcp:// on 127.0.0.0/8, [::1] or localhost, and HOST:PORT so. */
bool config_endpoint_is_local(const char *endpoint);
/* Words of `by.role` and `by.how`, NULL-terminated (lifecycle's lists; a test compares them). */
extern const char *const config_roles[], *const config_channels[];
DEFINE_AUTO_STRUCT(config);

#endif
