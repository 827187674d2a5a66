/*
 * What the broker counts, in one list: name, type and help are the Prometheus text, so none can be
 * forgotten there. Any thread may add; readers see each figure by itself.
 * Adding one: a line here, and docs/operations.md.
 */
#ifndef CERTQ_BROKER_METRICS_H
#define CERTQ_BROKER_METRICS_H

#include "base/buf.h"
#include "base/json.h"

#include <stdint.h>

/* symbol, name, labels, type, help (NULL: as the line before, other labels) */
#define METRICS(X)                                                                                 \
    X(REQUESTS, "certq_requests_total", "", "counter", "Client messages received")                 \
    X(ACCEPTED, "certq_jobs_accepted_total", "", "counter", "Jobs made durable")                   \
    X(REPEATED, "certq_jobs_repeated_total", "", "counter", "Requests for ids already known")      \
    X(BATCHES, "certq_store_batches_total", "", "counter", "Group commits")                        \
    X(BATCH_ROWS, "certq_store_rows_total", "", "counter", "Jobs in group commits")                \
    X(BATCH_US, "certq_store_microseconds_total", "", "counter", "Time spent in group commits")    \
    X(STORE_WAITING, "certq_store_waiting", "", "gauge", "Jobs waiting for the store")             \
    X(DISPATCHED, "certq_jobs_dispatched_total", "", "counter", "Jobs sent to workers")            \
    X(GROUPS, "certq_groups_total", "", "counter", "Groups sent to workers")                       \
    X(DONE, "certq_jobs_ended_total", "state=\"done\"", "counter", "Jobs that ended")              \
    X(REFUSED, "certq_jobs_ended_total", "state=\"refused\"", "counter", NULL)                     \
    X(DEAD, "certq_jobs_ended_total", "state=\"dead\"", "counter", NULL)                           \
    X(CANCELLED, "certq_jobs_ended_total", "state=\"cancelled\"", "counter", NULL)                 \
    X(RETRIED, "certq_jobs_retried_total", "", "counter", "Attempts that failed and come again")   \
    X(CRASHED, "certq_jobs_crashed_total", "", "counter", "Jobs lost with a worker while alone")   \
    X(BOUNCED_BUSY, "certq_jobs_bounced_total", "why=\"busy\"", "counter",                         \
        "Jobs a worker handed back")                                                               \
    X(BOUNCED_UNSEEN, "certq_jobs_bounced_total", "why=\"unseen\"", "counter", NULL)               \
    X(BOUNCED_STALE, "certq_jobs_bounced_total", "why=\"stale\"", "counter", NULL)                 \
    X(BOUNCED_FINISHED, "certq_jobs_bounced_total", "why=\"finished\"", "counter", NULL)           \
    X(VANISHED, "certq_jobs_vanished_total", "", "counter", "Jobs whose row is gone")              \
    X(FOLLOWUPS, "certq_followups_total", "", "counter", "Follow-up jobs taken from reports")      \
    X(GROUPS_LOST, "certq_groups_lost_total", "", "counter", "Groups lost")                        \
    X(ADOPTED, "certq_jobs_read_total", "", "counter", "Jobs read from the database")              \
    X(FORGOTTEN, "certq_jobs_forgotten_total", "", "counter",                                      \
        "Jobs left to the database because memory is full")                                        \
    X(JOBS, "certq_jobs_in_memory", "", "gauge", "Jobs in memory")                                 \
    X(READY, "certq_jobs_ready", "", "gauge", "Jobs in memory that could run now")                 \
    X(SCHEDULED, "certq_jobs_scheduled", "", "gauge", "Jobs in memory for later")                  \
    X(RUNNING, "certq_groups_running", "", "gauge", "Groups with workers")                         \
    X(WORKERS, "certq_workers", "", "gauge", "Live workers")                                       \
    X(CLIENTS, "certq_clients", "", "gauge", "Clients somebody is answering")                      \
    X(WAITERS, "certq_waiters", "", "gauge", "Answers somebody waits for")                         \
    X(SLOTS, "certq_slots", "", "gauge", "Slots this broker leases")                               \
    X(DATABASE, "certq_database_up", "", "gauge", "1 while the last beat reached the database")    \
    X(CRL_LEFT, "certq_crl_seconds_left", "", "gauge",                                             \
        "Until the first nextUpdate of the newest CRLs; 0: over, or an issuer has none")           \
    X(MAIL_AGE, "certq_mail_oldest_seconds", "", "gauge",                                          \
        "How long the oldest mail waits; B8: an alarm past 300")                                   \
    X(BAD_FRAMES, "certq_bad_input_total", "what=\"frames\"", "counter",                           \
        "Input refused, by what was wrong with it")                                                \
    X(BAD_REQUEST, "certq_bad_input_total", "what=\"bad-request\"", "counter", NULL)               \
    X(BAD_SIZE, "certq_bad_input_total", "what=\"too-large\"", "counter", NULL)                    \
    X(BAD_KIND, "certq_bad_input_total", "what=\"unknown-kind\"", "counter", NULL)                 \
    X(BAD_CONFLICT, "certq_bad_input_total", "what=\"conflict\"", "counter", NULL)                 \
    X(BAD_RIGHTS, "certq_bad_input_total", "what=\"forbidden\"", "counter", NULL)                  \
    X(BAD_WORKER, "certq_bad_input_total", "what=\"worker-message\"", "counter", NULL)             \
    X(BAD_KEY, "certq_bad_input_total", "what=\"key\"", "counter", NULL)                           \
    X(BUSY, "certq_turned_away_total", "why=\"busy\"", "counter", "Requests turned away")          \
    X(UNAVAILABLE, "certq_turned_away_total", "why=\"unavailable\"", "counter", NULL)              \
    X(UNSENT, "certq_answers_unsent_total", "", "counter", "Answers nobody was there to take")

enum metric {
#define METRIC_ENUM(symbol, name, labels, type, help) METRIC_##symbol,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

void metric_add(enum metric metric, uint64_t n);
void metric_set(enum metric metric, uint64_t value);
uint64_t metric_get(enum metric metric);
/* The counter of input refused with this error code; counts it. */
void metric_refused(const char *code);
/* All of them as Prometheus text (version 0.0.4). */
void metrics_write(struct buf *ret);
/* The same as an object: the name, with its labels as there, and the number. */
json_t *metrics_json(void);

#define metric_count(symbol) metric_add(METRIC_##symbol, 1)

#endif
