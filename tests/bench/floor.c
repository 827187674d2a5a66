/* certq-floor: options, threads, and one JSON line. What the floors are: floor.h, floor_work.c. */
#include "floor.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_IDS 20000
#define WARM_UP_MS 1000
#define COMMITS_MOST 100000

__attribute__((noreturn)) static void usage(void)
{
    fputs("certq-floor --socket S --user U --password-file F --database D [--schema FILE]\n"
          "            [--seconds N] [--group N] f1|f2|f3|f4|commit\n"
          "\n"
          "Prints {\"floor\":…,\"rate\":…}: rows or jobs a second. --schema makes the database\n"
          "anew from the file first; its name must then contain \"floor\". --group: jobs a commit\n"
          "of f3 (200).\n",
        stderr);
    exit(64);
}

static struct options read_options(int argc, char **argv)
{
    static const struct option known[] = {{"socket", required_argument, NULL, 's'},
        {"user", required_argument, NULL, 'u'}, {"password-file", required_argument, NULL, 'p'},
        {"database", required_argument, NULL, 'd'}, {"schema", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 'n'}, {"group", required_argument, NULL, 'g'}, {0}};
    struct options o = {.ms = 10000, .group = 200};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (c) {
        case 's':
            o.socket = optarg;
            break;
        case 'u':
            o.user = optarg;
            break;
        case 'p':
            o.password = floor_password(optarg);
            break;
        case 'd':
            o.database = optarg;
            break;
        case 'm':
            o.schema = optarg;
            break;
        case 'n':
            o.ms = tool_seconds_ms(optarg);
            break;
        case 'g':
            o.group = (int)tool_number(optarg, 2, 1000);
            break;
        default:
            usage();
        }
    }
    static const char *const names[] = {"commit", "f1", "f2", "f3", "f4"};
    o.floor = -1;
    for (int i = 0; i < (int)ARRAY_LENGTH(names) && optind + 1 == argc; i++)
        if (strcasecmp(argv[optind], names[i]) == 0)
            o.floor = i;
    if (o.floor < 0 || !o.socket || !o.user || !o.database)
        usage();
    return o;
}

/* The file's statements end with a semicolon at the end of a line. */
static void run_schema(MYSQL *m, const char *path)
{
    AUTO_BUF content = {0};
    struct err err;
    if (file_read(path, 1 << 20, &content, &err))
        fail("schema", err.text);
    char *save = NULL;
    AUTO_BUF sql = {0};
    for (char *line = strtok_r((char *)content.data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "--", 2) == 0)
            continue;
        buf_add_text(&sql, line);
        buf_add_char(&sql, '\n');
        if (line[strlen(line) - 1] == ';') {
            floor_text(m, buf_text(&sql));
            buf_clear(&sql);
        }
    }
}

static void make_database(const struct options *o)
{
    if (!strstr(o->database, "floor") || strpbrk(o->database, "`\\"))
        fail(o->database, "--schema makes a database anew: its name must contain \"floor\"");
    MYSQL *m = floor_connect(o, NULL);
    AUTO_TEXT drop = mem_printf("DROP DATABASE IF EXISTS `%s`", o->database);
    AUTO_TEXT create = mem_printf("CREATE DATABASE `%s`", o->database);
    floor_text(m, drop);
    floor_text(m, create);
    mysql_select_db(m, o->database);
    run_schema(m, o->schema);
    mysql_close(m);
}

/* The server's innodb_flush_log_at_trx_commit: 1 is what the bars ask for. */
static int flush_setting(const struct options *o)
{
    MYSQL *m = floor_connect(o, NULL);
    static const char sql[] = "SELECT @@innodb_flush_log_at_trx_commit";
    if (mysql_real_query(m, sql, sizeof sql - 1))
        fail(sql, mysql_error(m));
    MYSQL_RES *result = mysql_store_result(m);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    const int setting = row && row[0] ? row[0][0] - '0' : -1;
    mysql_free_result(result);
    mysql_close(m);
    return setting;
}

static double measure(const struct options *o)
{
    static void *(*const doing[])(void *) = {NULL, NULL, work_complete, work_effect, work_effect};
    static const size_t doers[] = {0, 0, 2, 2, 16};
    pthread_t threads[2 + 16];
    const size_t count = 2 + doers[o->floor];
    atomic_llong done = 0;
    atomic_bool stopping = false;
    struct work w = {.options = o,
        .queue = o->floor > 1 ? queue_new(QUEUE_IDS) : NULL,
        .done = &done,
        .stopping = &stopping};
    for (size_t i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, i < 2 ? work_accept : doing[o->floor], &w);
    tool_pause_ms(o->ms < WARM_UP_MS ? o->ms : WARM_UP_MS);
    const long long done_before = atomic_load(&done);
    const int64_t start_us = clock_monotonic_us();
    tool_pause_ms(o->ms);
    const long long n = atomic_load(&done) - done_before;
    const int64_t took_us = clock_monotonic_us() - start_us;
    atomic_store(&stopping, true);
    if (w.queue)
        queue_stop(w.queue);
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    if (w.queue)
        queue_free(w.queue);
    return (double)n * 1e6 / (double)took_us;
}

int main(int argc, char **argv)
{
    struct options o = read_options(argc, argv);
    mysql_server_init(0, NULL, NULL);
    if (o.schema)
        make_database(&o);
    struct latencies commits;
    latencies_init(&commits, COMMITS_MOST);
    if (o.floor)
        printf("{\"floor\":\"F%d\",\"rate\":%.0f", o.floor, measure(&o));
    else {
        commit_one_by_one(&o, &commits);
        printf("{\"floor\":\"commit\"");
    }
    latencies_print(&commits);
    printf(",\"flush_log_at_trx_commit\":%d}\n", flush_setting(&o));
    latencies_clear(&commits);
    free(o.password);
    return 0;
}
