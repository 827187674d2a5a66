#include "mail/template_parse.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <string.h>

/* Where we are, for errors. */
struct place {
    const struct template_kind *kind;
    const char *file;
    size_t line;
};

static int bad(const struct place *at, struct err *err, const char *what, struct bytes detail)
{
    if (!detail.length)
        return err_set(err, ERR_INPUT, NULL, "%s:%zu: %s", at->file, at->line, what);
    return err_set(err, ERR_INPUT, NULL, "%s:%zu: %s: %.*s", at->file, at->line, what,
        (int)(detail.length < 64 ? detail.length : 64), (const char *)detail.data);
}
static const struct bytes nothing;

static void add(struct parts *p, enum part_kind kind, struct bytes text)
{
    p->list = mem_resize(p->list, p->count + 1, sizeof *p->list);
    p->list[p->count++] = (struct part){kind, bytes_to_text(text)};
}

static bool word_in(const char *words, struct bytes word)
{
    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (bytes_equal((struct bytes){(const uint8_t *)p, n}, word))
            return true;
        p += n;
    }
    return false;
}

static bool starts_with(struct bytes b, const char *text)
{
    size_t n = strlen(text);
    return b.length >= n && !memcmp(b.data, text, n);
}

static struct bytes after(struct bytes b, size_t n)
{
    return (struct bytes){b.data + n, b.length - n};
}

/* The length of what comes before `mark`, or the whole length. */
static size_t up_to(struct bytes b, const char *mark)
{
    const uint8_t *p = b.length ? memmem(b.data, b.length, mark, strlen(mark)) : NULL;
    return p ? (size_t)(p - b.data) : b.length;
}

static int check_fact(const struct place *at, struct bytes name, struct err *err)
{
    if (word_in(at->kind->facts, name))
        return 0;
    return bad(at, err, "unknown fact", name);
}

/* One line's text and places. `columns` counts the text alone. */
static int parse_places(
    const struct place *at, struct bytes line, struct parts *ret, struct err *err)
{
    size_t columns = 0;
    const struct bytes whole = line;
    while (line.length) {
        struct bytes text = {line.data, up_to(line, "{{")};
        if (up_to(text, "}}") < text.length)
            return bad(at, err, "}} without {{", nothing);
        columns += utf8_columns(text);
        if (text.length)
            add(ret, PART_TEXT, text);
        line = after(line, text.length);
        if (!line.length)
            break;
        line = after(line, 2);
        struct bytes name = {line.data, up_to(line, "}}")};
        if (name.length == line.length)
            return bad(at, err, "{{ without }}", nothing);
        if (check_fact(at, name, err))
            return -1;
        bool is_code = bytes_equal(name, bytes_of_text("code"));
        if (is_code && !bytes_equal(whole, bytes_of_text("{{code}}")))
            return bad(at, err, "{{code}} must stand alone on a line of the body", nothing);
        add(ret, is_code ? PART_CODE : PART_FACT, name);
        line = after(line, name.length + 2);
    }
    if (columns > TEMPLATE_COLUMNS)
        return bad(at, err, "wider than 76 columns", nothing);
    return 0;
}

static int parse_header(
    const struct place *at, struct bytes line, struct parts *subject, struct err *err)
{
    if (!starts_with(line, "Subject: "))
        return bad(at, err, "not a header we know (only \"Subject: \")", line);
    if (subject->count)
        return bad(at, err, "a second Subject", nothing);
    line = after(line, strlen("Subject: "));
    if (!line.length)
        return bad(at, err, "an empty Subject", nothing);
    if (parse_places(at, line, subject, err))
        return -1;
    if (parts_have(subject, PART_CODE, NULL))
        return bad(at, err, "{{code}} must stand alone on a line of the body", nothing);
    return 0;
}

static int parse_if(
    const struct place *at, struct bytes line, bool *inside, struct parts *body, struct err *err)
{
    struct bytes name = after(line, strlen("{{#if "));
    name.length = up_to(name, "}}");
    if (name.length + strlen("{{#if }}") != line.length)
        return bad(at, err, "{{#if fact}} must stand alone on its line", nothing);
    if (*inside)
        return bad(at, err, "{{#if}} inside {{#if}}", nothing);
    if (check_fact(at, name, err))
        return -1;
    if (bytes_equal(name, bytes_of_text("code")))
        return bad(at, err, "{{#if code}} is not allowed", nothing);
    *inside = true;
    add(body, PART_IF, name);
    return 0;
}

static int parse_body_line(
    const struct place *at, struct bytes line, bool *inside, struct parts *body, struct err *err)
{
    if (starts_with(line, "{{#if "))
        return parse_if(at, line, inside, body, err);
    if (bytes_equal(line, bytes_of_text("{{/if}}"))) {
        if (!*inside)
            return bad(at, err, "{{/if}} without {{#if}}", nothing);
        *inside = false;
        add(body, PART_END, nothing);
        return 0;
    }
    const bool had_code = parts_have(body, PART_CODE, NULL);
    if (parse_places(at, line, body, err))
        return -1;
    const bool is_code = body->count && body->list[body->count - 1].kind == PART_CODE;
    if (is_code && (*inside || had_code))
        return bad(at, err, *inside ? "{{code}} inside {{#if}}" : "a second {{code}}", nothing);
    add(body, PART_TEXT, bytes_of_text("\n"));
    return 0;
}

static int check_must(
    const struct place *at, const struct parts *subject, const struct parts *body, struct err *err)
{
    for (const char *p = at->kind->must; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        AUTO_TEXT fact = mem_text_n(p, n);
        bool found = !strcmp(fact, "code") ? parts_have(body, PART_CODE, NULL)
                                           : parts_have(subject, PART_FACT, fact) ||
                                                 parts_have(body, PART_FACT, fact);
        if (!found)
            return bad(at, err, "this template must use the fact", bytes_of_text(fact));
        p += n;
    }
    return 0;
}

int template_parse(const struct template_kind *kind, const char *file, struct bytes text,
    struct parts *subject, struct parts *body, struct err *err)
{
    struct place at = {kind, file, 0};
    bool in_body = false, inside = false;
    while (text.length) {
        struct bytes line = {text.data, up_to(text, "\n")};
        text = after(text, line.length + (line.length < text.length));
        at.line++;
        if (!utf8_is_line(line))
            return bad(&at, err, "a control character, or bytes that are no UTF-8", nothing);
        int failed = 0;
        if (in_body)
            failed = parse_body_line(&at, line, &inside, body, err);
        else if (line.length)
            failed = parse_header(&at, line, subject, err);
        else
            in_body = true;
        if (failed)
            return -1;
        if (in_body && !subject->count)
            return bad(&at, err, "no Subject before the blank line", nothing);
    }
    if (inside)
        return bad(&at, err, "{{#if}} without {{/if}}", nothing);
    if (!body->count)
        return bad(&at, err, "no Subject, blank line and body", nothing);
    return check_must(&at, subject, body, err);
}

void parts_free(struct parts *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].text);
    free(p->list);
    *p = (struct parts){NULL, 0};
}

bool parts_have(const struct parts *p, enum part_kind kind, const char *fact)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i].kind == kind && (!fact || !strcmp(p->list[i].text, fact)))
            return true;
    return false;
}
