#include "batch.h"

#include "people.h"
#include "progress.h"
#include "seed.h"

#include "base/mem.h"
#include "wire/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_MOST (2 << 20)
#define TOLD_MOST 20 /* bad lines told one by one; the rest is counted */

struct batch {
    struct cli *cli;
    const char *path;
    const struct certq_job *like;
    struct uuid seed;
    bool has_seed;
    struct progress progress;
    size_t lines, done, not_done, rejected, wrong, gave_up;
    size_t told;
    char last_error[256];
};

/* ---- what is told of a line ---- */

static void tell_line(
    struct batch *b, size_t line, const char *id, const char *code, const char *text)
{
    if (b->told++ >= TOLD_MOST)
        return;
    progress_clear(&b->progress);
    AUTO_BUF cleaned = {0};
    people_text(text, &cleaned);
    fprintf(stderr, "%s:%zu: %s%s%s: %s\n", b->path, line, id, *id ? " " : "", code,
        buf_text(&cleaned));
}

static void tell_json(const struct batch *b, size_t line, const char *id, const char *state,
    const char *code, const char *text)
{
    if (!b->cli->json)
        return;
    AUTO_TYPE(json, json_t) *row =
        json_pack("{s:I, s:s}", "line", (json_int_t)line, "state", state);
    if (*id)
        json_object_set_new(row, "id", json_string(id));
    if (*code)
        json_object_set_new(row, "error", json_pack("{s:s, s:s}", "code", code, "message", text));
    cli_line(row);
}

/* What the fields say is what the one who wrote the line needs. */
static void add_fields(const struct certq_answer *a, struct buf *ret)
{
    struct err ignored = {0};
    AUTO_TYPE(json, json_t) *answer = NULL;
    if (json_parse_object(bytes_of_text(a->json), &answer, &ignored))
        return;
    const char *path;
    json_t *message, *fields = json_at(answer, "error.fields");
    json_object_foreach(fields, path, message) buf_printf(
        ret, "; %s: %s", path, json_is_string(message) ? json_string_value(message) : "?");
}

static void hear_end(struct batch *b, const struct certq_answer *a, size_t line)
{
    bool is_rejected = strcmp(a->state, "rejected") == 0, is_done = strcmp(a->state, "done") == 0;
    b->rejected += is_rejected;
    b->done += is_done;
    b->not_done += !is_rejected && !is_done;
    if (is_done)
        return;
    AUTO_BUF text = {0};
    buf_add_text(&text, a->error_text);
    add_fields(a, &text);
    tell_line(b, line, a->id, *a->error_code ? a->error_code : a->state, buf_text(&text));
}

static void hear(void *user, const struct certq_answer *a)
{
    struct batch *b = user;
    size_t line = (size_t)(uintptr_t)a->context;
    if (a->event == CERTQ_ENDED) {
        hear_end(b, a, line);
    } else if (a->event == CERTQ_GAVE_UP) {
        b->gave_up++;
        snprintf(b->last_error, sizeof b->last_error, "%s", a->error_text);
    }
    bool is_last = a->event != CERTQ_ACCEPTED || !b->like->wants_end;
    if (!is_last)
        return;
    if (a->event == CERTQ_GAVE_UP)
        tell_json(b, line, a->id, "unknown", a->error_code, a->error_text);
    else
        tell_json(b, line, a->id, a->state, a->error_code, a->error_text);
    progress_step(&b->progress, b->rejected + b->wrong + b->not_done);
}

/* ---- submitting ---- */

static void wrong_line(struct batch *b, size_t line, const char *code, const char *text)
{
    b->wrong++;
    tell_line(b, line, "", code, text);
    tell_json(b, line, "", "wrong", code, text);
    progress_step(&b->progress, b->rejected + b->wrong + b->not_done);
}

/* The line's own id, else one of the seed, which is opened when the first line needs it. */
static int choose_id(struct batch *b, size_t line, struct job_request *r, struct err *err)
{
    if (r->has_id)
        return 0;
    if (strcmp(b->path, "-") == 0)
        return err_set(err, ERR_INPUT, NULL, "lines of standard input must have an id");
    if (!b->has_seed && seed_open(b->path, b->like->kind, &b->seed, err)) {
        err->kind = ERR_FATAL; /* no line will have an id */
        return -1;
    }
    b->has_seed = true;
    r->id = seed_id(&b->seed, line);
    return 0;
}

static int submit_request(
    struct batch *b, size_t line, const struct job_request *r, struct err *err)
{
    AUTO_BUF args = {0};
    if (r->args_text.length)
        buf_add(&args, r->args_text.data, r->args_text.length);
    else
        json_write(r->args, &args);
    char id[UUID_TEXT];
    struct certq_job job = *b->like;
    job.id = uuid_format(&r->id, id);
    job.args = buf_text(&args);
    job.at_ms = r->has_at ? r->at_ms : b->like->at_ms;
    job.priority = r->has_priority ? r->priority : b->like->priority;
    job.context = (void *)(uintptr_t)line;
    struct certq_error error;
    if (certq_submit(b->cli->handle, &job, NULL, &error))
        return err_set(err, ERR_INPUT, error.code, "%s", error.text);
    return 0;
}

/* 0 or, when the whole batch must end, -1. */
static int submit_line(struct batch *b, size_t line, struct bytes text, struct err *err)
{
    struct job_request r;
    int failed = job_request_parse(text, LINE_MOST, &r, err);
    if (!failed) {
        failed = choose_id(b, line, &r, err) || submit_request(b, line, &r, err);
        job_request_clear(&r);
    }
    if (failed && err->kind == ERR_FATAL)
        return -1;
    if (failed)
        wrong_line(b, line, err->code, err->text);
    return 0;
}

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r\n") >= length;
}

/* Reads on while somebody answers. */
static int submit_lines(struct batch *b, FILE *f, struct err *err)
{
    AUTO_TEXT line = NULL;
    size_t capacity = 0, number = 0;
    ssize_t length;
    int failed = 0;
    while (!failed && !b->gave_up && (length = getline(&line, &capacity, f)) >= 0) {
        number++;
        if (is_blank(line, (size_t)length))
            continue;
        b->lines++;
        failed = submit_line(b, number, (struct bytes){(uint8_t *)line, (size_t)length}, err);
    }
    while (certq_in_flight(b->cli->handle))
        certq_poll(b->cli->handle, 1000);
    if (!failed && ferror(f))
        failed = err_set(err, ERR_TEMPORARY, NULL, "%s: %s", b->path, strerror(errno));
    return failed;
}

/* ---- the end ---- */

static void summarize(const struct batch *b)
{
    size_t accepted = b->lines - b->rejected - b->wrong - b->gave_up;
    if (b->cli->json) {
        AUTO_TYPE(json, json_t) *row = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "lines",
            (json_int_t)b->lines, "accepted", (json_int_t)accepted, "done", (json_int_t)b->done,
            "not_done", (json_int_t)b->not_done, "rejected", (json_int_t)b->rejected, "wrong",
            (json_int_t)b->wrong, "unknown", (json_int_t)b->gave_up);
        cli_line(row);
        return;
    }
    if (b->told > TOLD_MOST)
        fprintf(stderr, "and %zu more like these\n", b->told - TOLD_MOST);
    printf("%zu lines: %zu accepted", b->lines, accepted);
    if (b->like->wants_end || b->done)
        printf(", %zu done", b->done);
    if (b->not_done)
        printf(", %zu refused or dead", b->not_done);
    if (b->rejected + b->wrong)
        printf(", %zu not taken", b->rejected + b->wrong);
    printf(" in %.1f s\n", progress_seconds(&b->progress));
}

static int end(const struct batch *b)
{
    summarize(b);
    struct err err = {0};
    if (b->gave_up) {
        err_set(&err, ERR_TEMPORARY, "unavailable",
            "stopped: %s. Submit the file again to go on: nothing is done twice", b->last_error);
        return cli_error(b->cli, b->path, &err);
    }
    return b->rejected + b->wrong + b->not_done ? EXIT_REFUSED : EXIT_DONE;
}

static size_t count_lines(FILE *f)
{
    AUTO_TEXT line = NULL;
    size_t capacity = 0, n = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, f)) >= 0)
        n += !is_blank(line, (size_t)length);
    rewind(f);
    return n;
}

int batch_run(struct cli *cli, const char *path, const struct certq_job *like)
{
    struct err err = {0};
    struct batch b = {.cli = cli, .path = path, .like = like};
    bool is_stdin = strcmp(path, "-") == 0;
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    if (!f) {
        err_set(&err, ERR_NOT_FOUND, NULL, "--batch %s: %s", path, strerror(errno));
        return cli_fail(cli, EXIT_REFUSED, NULL, &err);
    }
    int status = cli_connect(cli, hear, &b);
    if (!status) {
        progress_start(&b.progress, is_stdin ? 0 : count_lines(f));
        int failed = submit_lines(&b, f, &err);
        progress_clear(&b.progress);
        status = failed ? cli_fail(cli, EXIT_REFUSED, "submit", &err) : end(&b);
    }
    if (!is_stdin)
        fclose(f);
    return status;
}
