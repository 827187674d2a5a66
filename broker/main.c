/*
 * certq-broker: one broker in the foreground. See broker.h for what it does; this file is its
 * command line, its signals and its exit codes (docs/protocol.md: 64 usage, 69 cannot start now,
 * 78 configuration).
 */
#include "broker.h"

#include "base/log.h"
#include "base/secret.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_AWAY = 69, EXIT_CONFIG = 78 };

static const char usage[] =
    "Usage: certq-broker [--config FILE]\n"
    "Runs one broker in the foreground; logs to stderr; SIGTERM drains and ends it.\n"
    "\n"
    "  --config FILE    configuration (default $CERTQ_CONFIG, then /etc/certq/certq.yaml)\n"
    "  --print-config   print the annotated default configuration and exit\n"
    "  --help           print this and exit\n";

enum { OPTION_CONFIG = 1, OPTION_PRINT, OPTION_HELP };

/* Signals come through a descriptor, in the reactor; blocked before any thread starts. */
static int open_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int report(const struct err *err)
{
    log_error("broker.failed", "error=%s", log_q(err->text));
    return err->kind == ERR_TEMPORARY ? EXIT_AWAY : EXIT_CONFIG;
}

static int run(const char *path)
{
    struct err err = {0};
    AUTO(config) config = NULL;
    if (config_load(path, &config, &err)) {
        fprintf(stderr, "certq-broker: %s\n", err.text);
        return EXIT_CONFIG;
    }
    log_open("certq-broker", config->log_level);
    secret_harden_process();
    int signal_fd = open_signals();
    AUTO(broker) broker = NULL;
    if (broker_new(config, &broker, &err))
        return report(&err);
    if (broker_run(broker, signal_fd))
        _exit(EXIT_FAILURE); /* told twice: at once */
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"print-config", no_argument, NULL, OPTION_PRINT},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    const char *path = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case OPTION_CONFIG:
            path = optarg;
            break;
        case OPTION_PRINT:
            fputs(config_sample(), stdout);
            return EXIT_SUCCESS;
        case OPTION_HELP:
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "certq-broker: %s: no argument is wanted\n%s", argv[optind], usage);
        return EXIT_USAGE;
    }
    return run(config_path(path));
}
