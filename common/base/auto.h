/*
 * Scope-bound ownership. AUTO(noun) n = NULL; calls noun_free(n) when the scope ends, and
 * *ret = TAKE(n); hands the object over. Every noun_free accepts NULL and half-built things, so
 * error paths need no goto.
 */
#ifndef CERTQ_BASE_AUTO_H
#define CERTQ_BASE_AUTO_H

#include <stdlib.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define UNUSED __attribute__((unused))

/* DEFINE_AUTO(type, free_function): lets AUTO_OF(name) be used on `type *` variables. */
#define DEFINE_AUTO(name, type, free_function)                                                     \
    static inline void name##_auto_free(type **p)                                                  \
    {                                                                                              \
        if (*p)                                                                                    \
            free_function(*p);                                                                     \
    }                                                                                              \
    struct auto_needs_semicolon
/* For our own structs: DEFINE_AUTO_STRUCT(noun) needs noun_free(struct noun *). */
#define DEFINE_AUTO_STRUCT(noun) DEFINE_AUTO(noun, struct noun, noun##_free)
#define AUTO(noun) CLEANUP(noun##_auto_free) struct noun *
/* For foreign types declared with DEFINE_AUTO: AUTO_TYPE(json, json_t) *j = NULL; */
#define AUTO_TYPE(name, type) CLEANUP(name##_auto_free) type

#define TAKE(p)                                                                                    \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

static inline void text_auto_free(char **p)
{
    free(*p);
}
#define AUTO_TEXT CLEANUP(text_auto_free) char *

#define ARRAY_LENGTH(a) (sizeof(a) / sizeof((a)[0]))

#endif
