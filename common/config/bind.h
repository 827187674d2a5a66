/*
 * One table reads one map of a YAML tree into one struct: configuration and product policies are
 * nothing but such tables. A row says how the key is called, what it holds, where it goes and what
 * it is bounded by. Unknown keys are refused, with the nearest known key as a hint. A value that is
 * set frees the one before it (a default), so tables may be applied over defaults.
 *
 * How values are written: bool true/false; int and size plain decimal digits, sizes with KiB, MiB
 * or GiB; durations with ms, s, m, h or d ("30s"); words one of a list; `none` for an optional
 * text.
 */
#ifndef CERTQ_CONFIG_BIND_H
#define CERTQ_CONFIG_BIND_H

#include "config/yaml.h"

enum bind_kind {
    BIND_TEXT,     /* char *: one line, at most `most` bytes (0: 1024), at least `least` */
    BIND_OPTIONAL, /* as BIND_TEXT, and `none` gives NULL */
    BIND_PATH,     /* char *: a file, made absolute from the YAML file's folder */
    BIND_OPTIONAL_PATH,
    BIND_INT,   /* int within least..most */
    BIND_COUNT, /* as BIND_INT, and `none` gives 0 */
    BIND_PORT,  /* uint16_t within 1..65535 */
    BIND_SIZE,  /* size_t within least..most */
    BIND_MS,    /* int64_t ms within least..most */
    BIND_BOOL,  /* bool */
    BIND_WORD,  /* int (an enum): index into `words` */
    BIND_WORDS, /* unsigned: bits of indices; a list of words, one word, or `none` */
    BIND_TEXTS, /* struct texts: a list of texts, or one */
    BIND_MAP,   /* a struct: `table` */
    BIND_LIST,  /* struct bind_list: each item a map read by `table` into `size` bytes */
    BIND_CALL,  /* function */
};

/* An owned array of owned texts. */
struct texts {
    char **items;
    size_t count;
};

struct bind_key {
    const char *name;
    enum bind_kind kind;
    bool is_required;
    size_t offset;
    int64_t least, most;
    const char *const *words;     /* NULL-terminated */
    const struct bind_key *table; /* BIND_MAP, BIND_LIST; ends with a row without name */
    size_t size;                  /* BIND_LIST: bytes of one item, */
    size_t count_offset;          /* BIND_LIST, BIND_TEXTS: size_t (the pointer is at offset) */
    void (*prepare)(void *item);  /* BIND_LIST: sets an item's defaults; may be NULL */
    int (*call)(const struct yaml_node *node, void *to, struct err *err);
};

/* Reads `map` into the struct at `to`. NULL map: nothing given, only required keys matter. */
int bind_map(
    const struct yaml_node *map, const struct bind_key *table, void *to, struct err *err) MUST_USE;
/* Calls back with the dotted path of every key that holds a value ("brokers[].clients"). */
void bind_each_key(const struct bind_key *table, const char *prefix,
    void (*each)(const char *path, void *arg), void *arg);

/* The readers of single values, for BIND_CALL. `ret` is untouched on failure. */
int bind_text(const struct yaml_node *node, const char **ret, struct err *err) MUST_USE;
int bind_int(const struct yaml_node *node, int64_t least, int64_t most, int64_t *ret,
    struct err *err) MUST_USE;
int bind_bool(const struct yaml_node *node, bool *ret, struct err *err) MUST_USE;
int bind_word(
    const struct yaml_node *node, const char *const *words, int *ret, struct err *err) MUST_USE;
int bind_words(const struct yaml_node *node, const char *const *words, unsigned *ret,
    struct err *err) MUST_USE;
int bind_texts(const struct yaml_node *node, struct texts *ret, struct err *err) MUST_USE;
/* The types' names are in the message. */
int bind_expect(const struct yaml_node *node, enum yaml_type type, struct err *err) MUST_USE;
/* True for the plain word `none`. */
bool bind_is_none(const struct yaml_node *node);
/* Input error: the word is none of these, with the nearest as a hint. Always -1. */
int bind_unknown(const struct yaml_node *node, const char *what, const char *word,
    const char *const *words, struct err *err);
/* The word of `words` nearest to `word`, NULL when none is near. */
const char *bind_nearest(const char *word, const char *const *words);
void texts_free(struct texts *t);

#endif
