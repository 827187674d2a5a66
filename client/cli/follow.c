#include "follow.h"

#include "base/clock.h"

#include <stdio.h>

/* The last that was heard of the one job. */
struct outcome {
    bool is_last;
    bool wants_end;
    enum certq_event event;
    json_t *answer;
    struct certq_error error; /* GAVE_UP */
};

static void hear(void *user, const struct certq_answer *a)
{
    struct outcome *o = user;
    struct err err;
    o->event = a->event;
    o->is_last = a->event != CERTQ_ACCEPTED || !o->wants_end;
    json_decref(o->answer);
    o->answer = NULL;
    if (a->event != CERTQ_GAVE_UP &&
        json_parse_object(
            (struct bytes){(const uint8_t *)a->json, a->json_length}, &o->answer, &err))
        o->answer = NULL;
    if (o->answer && !json_object_get(o->answer, "id"))
        json_object_set_new(o->answer, "id", json_string(a->id));
    o->error.fault = CERTQ_FAULT_UNREACHABLE;
    snprintf(o->error.code, sizeof o->error.code, "%s", a->error_code);
    snprintf(o->error.text, sizeof o->error.text, "%s", a->error_text);
}

/* Polls until the last event or the time is up. */
static void follow(struct cli *cli, const struct outcome *o, int64_t wait_s)
{
    int64_t until_ms = wait_s < 0 ? INT64_MAX : clock_monotonic_ms() + wait_s * 1000;
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        if (o->is_last || (left_ms <= 0 && o->answer))
            return;
        /* Whether it was accepted is waited for in any case: the library gives up by itself. */
        certq_poll(cli->handle, left_ms > 1000 || left_ms <= 0 ? 1000 : (int)left_ms);
    }
}

/* Why there is no end to show; programs get the id, and what is known of the state, as well. */
static int tell_open(
    const struct cli *cli, const struct certq_error *error, const char *id, const char *state)
{
    char context[64];
    snprintf(context, sizeof context, "job %s", id);
    struct cli words = *cli;
    words.json = false;
    int status = cli_fault(&words, context, error);
    if (!cli->json)
        return status;
    AUTO_TYPE(json, json_t) *line = json_pack("{s:s, s:s, s:{s:s, s:s}}", "id", id, "state", state,
        "error", "code", error->code, "message", error->text);
    cli_line(line);
    return status;
}

/* There is nothing to show yet, or never will be. */
static int tell(const struct cli *cli, const struct outcome *o, const char *id, int64_t wait_s)
{
    if (o->is_last) {
        int status = tell_open(cli, &o->error, id, "unknown");
        fprintf(
            stderr, "It may have been accepted. To be sure, submit it again with --id %s\n", id);
        return status;
    }
    struct certq_error error = {.fault = CERTQ_FAULT_TIMED_OUT, .code = "timed-out"};
    snprintf(error.text, sizeof error.text,
        "accepted, and not ended after %lld s; it goes on: certq job wait %s", (long long)wait_s,
        id);
    return tell_open(cli, &error, id, "accepted");
}

int follow_job(struct cli *cli, const struct certq_job *job, int64_t wait_s, json_t **ret_answer)
{
    struct outcome o = {.wants_end = job->wants_end};
    int status = cli_connect(cli, hear, &o);
    if (status)
        return status;
    struct certq_error error;
    char id[CERTQ_ID_TEXT];
    if (certq_submit(cli->handle, job, id, &error))
        return cli_fault(cli, "submit", &error);
    follow(cli, &o, job->wants_end ? wait_s : -1);
    if (o.is_last && o.event != CERTQ_GAVE_UP) {
        *ret_answer = o.answer;
        return 0;
    }
    json_decref(o.answer);
    return tell(cli, &o, id, wait_s);
}
