/*
 * certq-worker: runs the kinds it is started for. Main thread: link to the brokers; job thread: one
 * group at a time; a mail worker has several of those (mail.smtp.parallel), so that one composes
 * and marks while another waits for the mail server or for MariaDB. Dies (and is not missed: leases
 * make a crash a retry) of a bad configuration (78), of memory, and of a second signal.
 */
#include "base/json_memory.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "link.h"
#include "runner.h"

#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

static const char usage[] =
    "usage: certq-worker [--config FILE] [--kinds KIND,KIND...] [--group N] [--name NAME]\n"
    "\n"
    "Runs jobs of the kinds named; without --kinds every kind but mail, which needs a worker of\n"
    "its own because only mail workers hold the SMTP credentials.\n"
    "  --config FILE   else $CERTQ_CONFIG, else /etc/certq/certq.yaml\n"
    "  --kinds LIST    kinds, separated by commas\n"
    "  --group N       at most N jobs in one transaction\n"
    "  --name NAME     name shown by `certq worker list` (default: host and process id)\n"
    "  --print-config  print the annotated sample configuration\n"
    "SIGTERM drains: what was taken is finished. A second one exits at once.\n";

struct arguments {
    const char *config, *name;
    bool serves[KINDS];
    size_t group;
};

static int read_kinds(const char *list, bool serves[static KINDS], struct err *err)
{
    memset(serves, 0, KINDS * sizeof *serves);
    while (*list) {
        size_t n = strcspn(list, ",");
        const struct kind *kind = kind_find(list, n);
        if (!kind)
            return err_set(
                err, ERR_INPUT, NULL, "--kinds: there is no kind \"%.*s\"", (int)n, list);
        serves[kind->id] = true;
        list += n + (list[n] == ',');
    }
    bool others = false, any = false;
    for (size_t i = 0; i < KINDS; i++)
        any |= serves[i];
    if (!any)
        return err_set(err, ERR_INPUT, NULL, "--kinds: no kind is named");
    for (size_t i = 0; i < KINDS; i++)
        others |= serves[i] && i != KIND_MAIL && i != KIND_NOOP;
    if (serves[KIND_MAIL] && others)
        return err_set(err, ERR_INPUT, NULL,
            "--kinds: mail needs a worker of its own (least privilege); start another worker");
    return 0;
}

/* Returns 0, or the exit code plus one. */
static int read_arguments(int argc, char **argv, struct arguments *a)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"kinds", required_argument, NULL, 'k'},
        {"group", required_argument, NULL, 'g'},
        {"name", required_argument, NULL, 'n'},
        {"print-config", no_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct err err = {0};
    for (size_t i = 0; i < KINDS; i++)
        a->serves[i] = i != KIND_MAIL;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        char *end;
        switch (option) {
        case 'c':
            a->config = optarg;
            break;
        case 'n':
            a->name = optarg;
            break;
        case 'k':
            if (read_kinds(optarg, a->serves, &err)) {
                fprintf(stderr, "certq-worker: %s\n", err.text);
                return EXIT_USAGE + 1;
            }
            break;
        case 'g':
            a->group = strtoul(optarg, &end, 10);
            if (*end || a->group < 1 || a->group > WORKER_GROUP_MAX) {
                fprintf(stderr, "certq-worker: --group: a number from 1 to %d\n", WORKER_GROUP_MAX);
                return EXIT_USAGE + 1;
            }
            break;
        case 'p':
            fputs(config_sample(), stdout);
            return 1;
        case 'h':
            fputs(usage, stdout);
            return 1;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE + 1;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "certq-worker: unexpected argument \"%s\"\n%s", argv[optind], usage);
        return EXIT_USAGE + 1;
    }
    return 0;
}

struct job_thread {
    pthread_t thread;
    struct worker *worker;
    struct worker *lane; /* the same, owned; NULL: the first one's is the process's own */
    struct mailbox *mailbox;
};

static void *job_thread_main(void *context)
{
    struct job_thread *t = context;
    struct group *g;
    while ((g = mailbox_wait(t->mailbox))) {
        runner_run(t->worker, g);
        group_release(g);
        mailbox_done(t->mailbox, g);
    }
    return NULL;
}

static int start_job_thread(struct job_thread *t, struct worker *w, bool is_first, struct err *err)
{
    if (!is_first && worker_lane_new(w, &t->lane, err))
        return -1;
    t->worker = is_first ? w : t->lane;
    if (pthread_create(&t->thread, NULL, job_thread_main, t) == 0)
        return 0;
    worker_lane_free(t->lane);
    return err_set(err, ERR_FATAL, NULL, "no thread could be started");
}

static void join_job_threads(struct job_thread *threads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pthread_join(threads[i].thread, NULL);
        worker_lane_free(threads[i].lane);
    }
}

/* All threads; the signals are blocked in all of them and read from the descriptor. */
static int run(struct worker *w, int signal_fd, struct err *err)
{
    AUTO(mailbox) mailbox = mailbox_new();
    AUTO_TEXT memory = mem_zero(w->lanes, sizeof(struct job_thread));
    struct job_thread *threads = (struct job_thread *)(void *)memory;
    int result = 0;
    size_t n = 0;
    for (; n < w->lanes && result == 0; n += result == 0) {
        threads[n].mailbox = mailbox;
        result = start_job_thread(&threads[n], w, n == 0, err);
    }
    if (result == 0)
        result = link_run(w, mailbox, signal_fd, err);
    if (result > 0) {
        log_warn("worker.killed", "why=second-signal");
        _exit(1);
    }
    mailbox_close(mailbox);
    join_job_threads(threads, n);
    return result;
}

int main(int argc, char **argv)
{
    struct arguments a = {0};
    int stop = read_arguments(argc, argv, &a);
    if (stop)
        return stop - 1;
    json_memory_use();
    secret_harden_process();
    mem_keep_freed();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);

    struct err err = {0};
    AUTO(config) config = NULL;
    AUTO(worker) w = NULL;
    if (config_load(config_path(a.config), &config, &err) ||
        worker_new(config, a.name, a.serves, a.group, &w, &err)) {
        fprintf(stderr, "certq-worker: %s\n", err.text);
        return EXIT_CONFIG;
    }
    log_open("certq-worker", config->log_level);
    log_info("worker.started", "name=%s life=%s", log_q(w->name), uuid_s(&w->life));
    int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    sd_notify(0, "READY=1");
    int result = run(w, signal_fd, &err);
    close(signal_fd);
    if (result < 0) {
        log_error("worker.failed", "error=%s", log_q(err.text));
        return EXIT_CONFIG;
    }
    log_info("worker.stopped", "name=%s", log_q(w->name));
    return 0;
}
