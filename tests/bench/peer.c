/*
 * certq-peer: the work of P1 and P2 with somebody else's queue.
 *
 *   certq-peer --peer gearman|beanstalk|redis|rabbit --port PORT [--seconds 3]
 *              [--socket S --user U --password-file F --database D]
 *
 * Alone: durable submissions of 300 bytes, 256 outstanding. With a database: beside them two
 * workers, each taking up to 200 jobs, writing their rows of history in one transaction and
 * acknowledging them. Prints {"rate":…}: submissions, or jobs done, a second.
 */
#include "peer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "floor.h"

#include <getopt.h>
#include <pthread.h>
#include <string.h>

enum {
    OUTSTANDING = 256,
    BACKLOG_MOST = 1000,
    WARM_UP_MS = 1000,
    WORKERS = 2,
    PRODUCERS_MOST = 64
};

struct bench {
    const struct peer_ops *ops;
    long port;
    struct options database; /* .database NULL: submissions only */
    atomic_llong accepted, done;
    atomic_bool stopping;
};

static bool may_submit(struct bench *b)
{
    return !b->database.database ||
           atomic_load(&b->accepted) - atomic_load(&b->done) < BACKLOG_MOST;
}

static void *produce(void *context)
{
    struct bench *b = context;
    struct peer *p = b->ops->open(b->port);
    char args[ARGS_LENGTH];
    const size_t most = OUTSTANDING / b->ops->producers;
    size_t in_flight = 0;
    job_args(args);
    while (!atomic_load(&b->stopping)) {
        for (; in_flight < most && may_submit(b); in_flight++)
            b->ops->submit(p, args, sizeof args);
        if (!in_flight) {
            tool_pause_ms(1);
            continue;
        }
        const size_t n = b->ops->settle(p);
        in_flight -= n;
        atomic_fetch_add(&b->accepted, (long long)n);
    }
    while (in_flight)
        in_flight -= b->ops->settle(p);
    b->ops->close(p);
    return NULL;
}

/* The transaction of a group, as F2's. */
static void write_history(MYSQL *m, struct rows *many, struct rows *one, size_t n)
{
    const struct uuid group = uuid_new();
    struct uuid ids[PEER_TAKE_MOST];
    struct rows *rows = n == 1 ? one : many;
    for (size_t i = 0; i < n; i++) {
        ids[i] = uuid_new();
        history_row(rows, i, &ids[i], &group, "{}");
    }
    floor_text(m, "BEGIN");
    rows_send(rows, n);
    floor_text(m, "COMMIT");
}

static void *consume(void *context)
{
    struct bench *b = context;
    struct peer *p = b->ops->open(b->port);
    MYSQL *m = floor_connect(&b->database, b->database.database);
    struct rows *many = history_new(m, PEER_TAKE_MOST), *one = history_new(m, 1);
    struct peer_handle handles[PEER_TAKE_MOST];
    b->ops->work(p);
    while (!atomic_load(&b->stopping)) {
        const size_t n = b->ops->take(p, handles, PEER_TAKE_MOST);
        if (!n)
            continue;
        write_history(m, many, one, n);
        b->ops->done(p, handles, n);
        atomic_fetch_add(&b->done, (long long)n);
    }
    rows_free(many);
    rows_free(one);
    mysql_close(m);
    b->ops->close(p);
    return NULL;
}

/* One job goes in before anybody hurries, so that the queue is there. */
static void begin(const struct bench *b)
{
    struct peer *p = b->ops->open(b->port);
    char args[ARGS_LENGTH];
    job_args(args);
    b->ops->submit(p, args, sizeof args);
    while (!b->ops->settle(p))
        continue;
    b->ops->close(p);
}

static double measure(struct bench *b, int64_t ms)
{
    atomic_llong *counted = b->database.database ? &b->done : &b->accepted;
    const size_t producers = b->ops->producers;
    const size_t count = producers + (b->database.database ? WORKERS : 0);
    pthread_t threads[PRODUCERS_MOST + WORKERS];
    begin(b);
    for (size_t i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, i < producers ? produce : consume, b);
    tool_pause_ms(ms < WARM_UP_MS ? ms : WARM_UP_MS);
    const long long before = atomic_load(counted);
    const int64_t start_us = clock_monotonic_us();
    tool_pause_ms(ms);
    const long long n = atomic_load(counted) - before;
    const int64_t took_us = clock_monotonic_us() - start_us;
    atomic_store(&b->stopping, true);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return (double)n * 1e6 / (double)took_us;
}

static const struct peer_ops *find(const char *name)
{
    static const struct peer_ops *const all[] = {&peer_gearman, &peer_beanstalk, &peer_redis,
#ifdef WITH_RABBIT
        &peer_rabbit
#endif
    };
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    fail(name, "is no peer, or its client library was not there when this was built");
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"peer", 1, 0, 'q'}, {"port", 1, 0, 'o'},
        {"seconds", 1, 0, 'n'}, {"socket", 1, 0, 's'}, {"user", 1, 0, 'u'},
        {"password-file", 1, 0, 'p'}, {"database", 1, 0, 'd'}, {0}};
    static struct bench b;
    int64_t ms = 3000;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'q')
            b.ops = find(optarg);
        else if (c == 'o')
            b.port = tool_number(optarg, 1, 65535);
        else if (c == 'n')
            ms = tool_seconds_ms(optarg);
        else if (c == 's')
            b.database.socket = optarg;
        else if (c == 'u')
            b.database.user = optarg;
        else if (c == 'p')
            b.database.password = floor_password(optarg);
        else if (c == 'd')
            b.database.database = optarg;
        else
            return 64;
    }
    if (!b.ops || !b.port)
        return 64;
    mysql_server_init(0, NULL, NULL);
    printf("{\"peer\":\"%s\",\"rate\":%.0f}\n", b.ops->name, measure(&b, ms));
    free(b.database.password);
    return 0;
}
