/*
 * scripts/mail-catcher for tests: starts it on a free port of loopback in a temporary folder, tells
 * it how to behave, reads what it caught, and ends it. Failing is failing the test.
 */
#ifndef CERTQ_TESTS_CATCHER_H
#define CERTQ_TESTS_CATCHER_H

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct catcher {
    char folder[64]; /* behave.json, box/, and whatever the test puts there */
    pid_t pid;
    uint16_t port;
};

/* Runs a program to its end; its exit status must be 0. */
static inline void catcher_run(const char *command)
{
    if (system(command))
        fail_msg("%s", command);
}

static inline uint16_t catcher_read_port(int fd)
{
    char text[128];
    size_t length = 0;
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    while (!memchr(text, '\n', length)) {
        if (length == sizeof text - 1 || poll(&wait, 1, 20000) != 1)
            fail_msg("mail-catcher does not say where it listens");
        ssize_t n = read(fd, text + length, sizeof text - 1 - length);
        if (n <= 0)
            fail_msg("mail-catcher ended");
        length += (size_t)n;
    }
    text[length] = 0;
    const char *colon = strrchr(text, ':');
    assert_non_null(colon);
    return (uint16_t)strtol(colon + 1, NULL, 10);
}

/* A folder for the catcher, before it starts. */
static inline void catcher_prepare(struct catcher *c)
{
    *c = (struct catcher){.pid = -1};
    snprintf(c->folder, sizeof c->folder, "/tmp/certq-catcher-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
}

/* `more`: further arguments, NULL-terminated, or NULL. */
static inline void catcher_start(struct catcher *c, const char *const *more)
{
    int out[2];
    AUTO_TEXT box = mem_printf("%s/box", c->folder);
    AUTO_TEXT behave = mem_printf("%s/behave.json", c->folder);
    const char *args[24] = {CERTQ_SOURCE_DIR "/scripts/mail-catcher", "--listen", "127.0.0.1:0",
        "--folder", box, "--behave", behave};
    size_t n = 7;
    for (; more && *more && n < ARRAY_LENGTH(args) - 1; more++)
        args[n++] = *more;
    assert_int_equal(pipe(out), 0);
    c->pid = fork();
    if (!c->pid) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(out[1], 1);
        close(out[0]);
        close(out[1]);
        execv(args[0], (char *const *)(uintptr_t)args);
        _exit(127);
    }
    close(out[1]);
    c->port = catcher_read_port(out[0]);
    close(out[0]);
}

static inline void catcher_stop(struct catcher *c)
{
    if (c->pid > 0) {
        kill(c->pid, SIGTERM);
        waitpid(c->pid, NULL, 0);
    }
    c->pid = -1;
    AUTO_TEXT command = mem_printf("rm -rf %s", c->folder);
    catcher_run(command);
}

/* The manners of every command from now on: JSON. */
static inline void catcher_behave(const struct catcher *c, const char *json)
{
    struct err err = {0};
    AUTO_TEXT path = mem_printf("%s/behave.json", c->folder);
    if (file_write(path, bytes_of_text(json), 0600, &err))
        fail_msg("%s", err.text);
}

/* Every line of the index so far, an array; the caller decrefs. */
static inline json_t *catcher_index(const struct catcher *c)
{
    AUTO_BUF text = {0};
    struct err err = {0};
    AUTO_TEXT path = mem_printf("%s/box/index.jsonl", c->folder);
    if (file_read(path, 1u << 26, &text, &err))
        fail_msg("%s", err.text);
    json_t *lines = json_array();
    for (const char *p = buf_text(&text); *p;) {
        size_t n = strcspn(p, "\n");
        json_t *line = json_loadb(p, n, 0, NULL);
        assert_non_null(line);
        json_array_append_new(lines, line);
        p += n + (p[n] != 0);
    }
    return lines;
}

static inline void catcher_message(const struct catcher *c, const json_t *line, struct buf *ret)
{
    struct err err = {0};
    AUTO_TEXT path =
        mem_printf("%s/box/%s", c->folder, json_string_value(json_object_get(line, "file")));
    if (file_read(path, 1u << 26, ret, &err))
        fail_msg("%s", err.text);
}

#endif
