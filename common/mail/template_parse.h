/*
 * Reading one template file into parts and refusing what template.h promises to refuse. Inside
 * common/mail only. Nothing blocks; the caller owns what is made.
 */
#ifndef CERTQ_MAIL_TEMPLATE_PARSE_H
#define CERTQ_MAIL_TEMPLATE_PARSE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define TEMPLATE_COLUMNS 76

enum part_kind {
    PART_TEXT,   /* as it stands */
    PART_FACT,   /* the fact's value */
    PART_CODE,   /* the secret */
    PART_IF,     /* up to the next PART_END only when the fact has a value */
    PART_UNLESS, /* or only when it has none */
    PART_END,
    PART_EACH, /* up to PART_DONE once for each item of the list */
    PART_DONE,
};
struct part {
    enum part_kind kind;
    char *text; /* the text, or the fact's name; owned */
};
struct parts {
    struct part *list;
    size_t count;
};

/*
 * Which facts a template may use and which it must; words parted by spaces. A list and the members
 * of its items stand among the facts like the others.
 */
struct template_kind {
    const char *name, *facts, *must;
};

/*
 * Parses `text` (of `file`, named in errors) into subject and body, both empty before. ERR_INPUT
 * "FILE:LINE: what"; what was made until then stays for parts_free.
 */
int template_parse(const struct template_kind *kind, const char *file, struct bytes text,
    struct parts *subject, struct parts *body, struct err *err) MUST_USE;
void parts_free(struct parts *p);
bool parts_have(const struct parts *p, enum part_kind kind, const char *fact);

#endif
