/*
 * certq top: what waits, runs and comes, drawn again every second. It asks as the other commands
 * do; rates are what the broker that answers counted between two frames.
 */
#include "cli.h"
#include "top_text.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SCREEN 80
#define INTERVAL_MOST_S 3600

struct top {
    struct cli *cli;
    int64_t interval_ms;
    bool is_live;   /* drawn over the frame before; keys are read */
    json_t *before; /* certq.broker `metrics` of the frame before, NULL: none */
    int64_t before_ms;
};

static volatile sig_atomic_t is_over;

static void on_signal(int signal_number UNUSED)
{
    is_over = 1;
}

/* --- one frame --- */

static int ask(struct top *t, const char *service, const char *op, json_t **ret)
{
    return cli_call(t->cli, service, json_pack("{s:s}", "op", op), service, ret);
}

static int gather(struct top *t, json_t **ret)
{
    AUTO_TYPE(json, json_t) *queues = NULL;
    AUTO_TYPE(json, json_t) *workers = NULL;
    AUTO_TYPE(json, json_t) *brokers = NULL;
    AUTO_TYPE(json, json_t) *clock = NULL;
    AUTO_TYPE(json, json_t) *counts = NULL;
    int status = ask(t, "certq.queue", "list", &queues);
    status = status ? status : ask(t, "certq.worker", "list", &workers);
    status = status ? status : ask(t, "certq.broker", "list", &brokers);
    status = status ? status : ask(t, "certq.clock", "show", &clock);
    status = status ? status : ask(t, "certq.broker", "metrics", &counts);
    if (status)
        return status;
    int64_t now_ms = clock_monotonic_ms();
    size_t broker_count = json_array_size(json_object_get(brokers, "brokers"));
    *ret = json_pack("{s:O, s:O, s:I, s:O, s:O, s:o, s:O}", "at", json_object_get(clock, "now"),
        "broker", json_object_get(counts, "name"), "brokers", (json_int_t)broker_count, "queues",
        json_object_get(queues, "queues"), "workers", json_object_get(workers, "workers"), "rates",
        top_rates(t->before, counts, now_ms - t->before_ms), "metrics",
        json_object_get(counts, "metrics"));
    json_decref(t->before);
    t->before = json_incref(counts);
    t->before_ms = now_ms;
    return 0;
}

static void draw(const struct top *t, const json_t *frame)
{
    if (t->cli->json) {
        cli_line(frame);
    } else {
        struct winsize size = {0};
        bool is_sized = t->is_live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
        AUTO_BUF text = {0};
        top_write(frame, is_sized && size.ws_col > SCREEN ? size.ws_col : SCREEN,
            is_sized && size.ws_row > 1 ? size.ws_row - 1U : 0, &text);
        printf("%s%s", t->is_live ? "\033[H\033[J" : "", buf_text(&text));
    }
    fflush(stdout);
}

/* --- the loop --- */

/* Until the next frame is due; q ends it. */
static void wait_for_key(const struct top *t)
{
    int64_t until_ms = clock_monotonic_ms() + t->interval_ms, left_ms;
    struct pollfd key = {.fd = t->is_live ? STDIN_FILENO : -1, .events = POLLIN};
    while (!is_over && (left_ms = until_ms - clock_monotonic_ms()) > 0) {
        char c = 0;
        if (poll(&key, 1, (int)left_ms) <= 0)
            continue;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n == 1 && (c == 'q' || c == 'Q'))
            is_over = 1;
        else if (n <= 0)
            key.fd = -1; /* nobody types */
    }
}

static int run_frames(struct top *t, bool once)
{
    int status = 0;
    for (bool is_first = true; !is_over && !ferror(stdout); is_first = false) {
        json_t *frame = NULL;
        status = gather(t, &frame);
        if (status)
            break;
        bool is_shown = !once || !is_first; /* rates need two looks */
        if (is_shown)
            draw(t, frame);
        json_decref(frame);
        if (once && is_shown)
            break;
        wait_for_key(t);
    }
    return status;
}

/* Keys come at once and are not echoed. False: this is no terminal. */
static bool take_keys(struct termios *ret_before)
{
    struct termios raw;
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, ret_before))
        return false;
    raw = *ret_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static int top(struct cli *cli, const struct args *args)
{
    struct err err = {0};
    int64_t interval_s = 1;
    if (args_number(args, "--interval", 1, INTERVAL_MOST_S, &interval_s, &err))
        return cli_usage(cli, &err);
    const bool once = args_has(args, "--once");
    struct top t = {.cli = cli,
        .interval_ms = interval_s * 1000,
        .is_live = !once && !cli->json && isatty(STDOUT_FILENO)};
    struct termios before;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bool has_keys = t.is_live && take_keys(&before);
    int status = run_frames(&t, once);
    if (has_keys)
        tcsetattr(STDIN_FILENO, TCSANOW, &before);
    json_decref(t.before);
    return status;
}

static const struct option options[] = {
    {"--interval", OPTION_VALUE, "SECONDS", "between two frames, 1 to 3600 [1]"},
    {"--once", OPTION_FLAG, NULL, "one frame, with the rates of one interval"},
    {0},
};

const struct command top_commands[] = {
    {NULL, NULL, 0, 0, "Watch depths, rates, ages, workers and mail",
        "Draws a frame every second until q or ^C. WAITING and OLDEST count all brokers' jobs; "
        "the\n"
        "rest, and the rates, are the broker's that answers. --json prints a frame a line, with\n"
        "every metric.\n",
        options, top},
    {0},
};
