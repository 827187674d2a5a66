#include "answer_text.h"

#include "people.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

static const char *text_at(const json_t *object, const char *path)
{
    const char *text = json_text_at(object, path);
    return text ? text : "";
}

/* busy and unavailable are the broker's or the database's fault, not the job's. */
static int status_of(const json_t *answer)
{
    const char *state = text_at(answer, "state"), *code = text_at(answer, "error.code");
    if (strcmp(state, "done") == 0 || strcmp(state, "accepted") == 0)
        return EXIT_DONE;
    if (strcmp(code, "unavailable") == 0 || strcmp(code, "busy") == 0)
        return EXIT_UNREACHABLE;
    return EXIT_REFUSED;
}

static void print_error(const json_t *answer)
{
    AUTO_BUF text = {0};
    buf_add_text(&text, "certq: job ");
    people_text(text_at(answer, "id"), &text);
    buf_add_char(&text, ' ');
    people_text(text_at(answer, "state"), &text);
    if (json_object_get(answer, "error")) {
        buf_add_text(&text, ": ");
        people_text(text_at(answer, "error.code"), &text);
        buf_add_text(&text, ": ");
        people_text(text_at(answer, "error.message"), &text);
    }
    buf_add_char(&text, '\n');
    const char *path;
    json_t *message, *fields = json_at(answer, "error.fields");
    json_object_foreach(fields, path, message)
    {
        buf_add_text(&text, "  ");
        people_text(path, &text);
        buf_add_text(&text, ": ");
        people_text(json_is_string(message) ? json_string_value(message) : "?", &text);
        buf_add_char(&text, '\n');
    }
    fputs(buf_text(&text), stderr);
}

int answer_print(const struct cli *cli, const json_t *answer)
{
    int status = status_of(answer);
    if (cli->json) {
        cli_line(answer);
        return status;
    }
    if (status) {
        print_error(answer);
        return status;
    }
    printf("%s %s\n", text_at(answer, "id"), text_at(answer, "state"));
    const json_t *result = json_object_get(answer, "result");
    if (result) {
        AUTO_BUF text = {0};
        record_write(result, NULL, &text);
        fputs(buf_text(&text), stdout);
    }
    return status;
}
