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

/* Lines that are only {{#WORD fact}}, and what ends their block. */
static const struct block {
    const char *open, *close;
    enum part_kind opens, closes;
} blocks[] = {
    {"{{#if ", "{{/if}}", PART_IF, PART_END},
    {"{{#unless ", "{{/unless}}", PART_UNLESS, PART_END},
    {"{{#each ", "{{/each}}", PART_EACH, PART_DONE},
};

/* The blocks a line stands in, NULL: none. A condition may stand in a list, nothing else. */
struct inside {
    const struct block *list, *condition;
};

static int parse_open(const struct place *at, struct bytes line, const struct block *block,
    struct inside *inside, struct parts *body, struct err *err)
{
    const bool is_list = block->opens == PART_EACH;
    struct bytes name = after(line, strlen(block->open));
    name.length = up_to(name, "}}");
    if (name.length + strlen(block->open) + strlen("}}") != line.length)
        return bad(at, err, "must stand alone on its line: a {{#block}}", line);
    if (inside->condition || (is_list && inside->list))
        return bad(at, err, "a block inside a block (only a condition in a list)", line);
    if (check_fact(at, name, err))
        return -1;
    if (bytes_equal(name, bytes_of_text("code")))
        return bad(at, err, "the code is no condition and no list", line);
    *(is_list ? &inside->list : &inside->condition) = block;
    add(body, block->opens, name);
    return 0;
}

static int parse_close(const struct place *at, struct bytes line, const struct block *block,
    struct inside *inside, struct parts *body, struct err *err)
{
    const struct block **open = inside->condition ? &inside->condition : &inside->list;
    if (*open != block)
        return bad(at, err, "closes no block that is open", line);
    *open = NULL;
    add(body, block->closes, nothing);
    return 0;
}

static int parse_body_line(const struct place *at, struct bytes line, struct inside *inside,
    struct parts *body, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LENGTH(blocks); i++) {
        if (starts_with(line, blocks[i].open))
            return parse_open(at, line, &blocks[i], inside, body, err);
        if (bytes_equal(line, bytes_of_text(blocks[i].close)))
            return parse_close(at, line, &blocks[i], inside, body, err);
    }
    const bool had_code = parts_have(body, PART_CODE, NULL);
    const bool is_inside = inside->list || inside->condition;
    if (parse_places(at, line, body, err))
        return -1;
    const bool is_code = body->count && body->list[body->count - 1].kind == PART_CODE;
    if (is_code && (is_inside || had_code))
        return bad(at, err, is_inside ? "{{code}} inside a block" : "a second {{code}}", nothing);
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
    struct inside inside = {0};
    bool in_body = false;
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
    const struct block *open = inside.condition ? inside.condition : inside.list;
    if (open)
        return bad(&at, err, "a block without its end", bytes_of_text(open->close));
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
