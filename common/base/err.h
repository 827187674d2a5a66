/*
 * Errors. A function that can fail returns 0 or -1 and fills a struct err the caller owns. The
 * kind is the job's fate, the code is the word of the outside contract (docs/protocol.md), the
 * text is a sentence for a person that names what is wrong. Context is put in front on the way up.
 */
#ifndef CERTQ_BASE_ERR_H
#define CERTQ_BASE_ERR_H

#include "base/auto.h"

enum err_kind {
    ERR_NONE = 0,
    ERR_TEMPORARY, /* try again later: nothing was done */
    ERR_INPUT,     /* the request is wrong: refuse for good */
    ERR_DENIED,    /* the requester may not: refuse for good */
    ERR_CONFLICT,  /* lost a race: look again, decide again */
    ERR_NOT_FOUND, /* what was named does not exist */
    ERR_UNSURE,    /* a commit got no answer: look before acting */
    ERR_FATAL,     /* this process cannot go on */
};

struct err {
    enum err_kind kind;
    char code[32];
    char text[480]; /* valid UTF-8, whatever went into it and wherever it was cut */
};

/* Sets kind, code (NULL: the kind's default code) and text. Always returns -1. */
int err_set(struct err *err, enum err_kind kind, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Puts "context: " in front of the text; kind and code stay. Always returns -1. */
int err_context(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
/* Empties it for reuse. */
void err_clear(struct err *err);
const char *err_kind_name(enum err_kind kind);

#endif
