/*
 * YAML from a file's bytes as a small tree: maps, lists and texts, each with its line. Only what a
 * configuration needs: anchors, aliases, tags, several documents, duplicate keys, control
 * characters and anything past the bounds below are refused. The tree owns its texts; nodes are
 * borrowed from it. Errors are ERR_INPUT and read "FILE:LINE: KEY: what is wrong" (KEY a dotted
 * path). The free function is not called yaml_free: libyaml exports one and would call ours.
 */
#ifndef CERTQ_CONFIG_YAML_H
#define CERTQ_CONFIG_YAML_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define YAML_BYTES_MOST (256 * 1024)
#define YAML_DEPTH_MOST 12
#define YAML_NODES_MOST 8000
#define YAML_KEY_MOST 64

enum yaml_type { YAML_NULL, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_type type;
    bool is_quoted; /* a text in quotes: never read as a number or a bool */
    int line;
    size_t at;                /* index among its siblings */
    const char *file;         /* name for errors, lives as long as the tree */
    const char *key;          /* in a map; NULL in a list and for the root */
    const char *text;         /* of YAML_TEXT: valid UTF-8 without NUL */
    size_t count;             /* children */
    struct yaml_node *parent; /* NULL for the root */
    struct yaml_node *first, *last, *next;
};

struct yaml_tree; /* the tree */

/* Reads bytes; `file` is only named in errors. An empty document gives an empty map. */
int yaml_read(
    const char *file, struct bytes text, struct yaml_tree **ret, struct err *err) MUST_USE;
void yaml_tree_free(struct yaml_tree *y);
struct yaml_node *yaml_root(const struct yaml_tree *y);
/*
 * Lays `child` over a copy of `base`: maps are merged key by key, texts and lists replace, and a
 * null removes the base's key. Nodes keep the file and line they came from; both trees may be
 * freed afterwards.
 */
int yaml_merge(const struct yaml_tree *base, const struct yaml_tree *child, struct yaml_tree **ret,
    struct err *err) MUST_USE;

/* The child of a map; NULL when there is none or `map` is NULL or no map. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* The node at a dotted path of maps; NULL when any part is missing. */
struct yaml_node *yaml_at(const struct yaml_node *map, const char *path);
/* The path of a node, dotted, list items as [n] from 0; appended. The root's is empty. */
void yaml_path(const struct yaml_node *node, struct buf *ret);
/* Input error "FILE:LINE: KEY: " and the text. Always returns -1. */
int yaml_error(const struct yaml_node *node, struct err *err, const char *format, ...)
    PRINTF_LIKE(3, 4);
DEFINE_AUTO_STRUCT(yaml_tree);

#endif
