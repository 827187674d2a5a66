#include "config/yaml.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct yaml_tree {
    struct yaml_node *root;
    char **files; /* names nodes point to; more than one after a merge */
    size_t file_count, node_count;
};

/* libyaml's parser and one event, released when the scope ends. */
struct source {
    yaml_parser_t parser;
    yaml_event_t event;
    struct yaml_tree *tree;
    const char *file;
};

static void source_close(struct source *s)
{
    yaml_event_delete(&s->event);
    yaml_parser_delete(&s->parser);
}

static void node_free(struct yaml_node *n)
{
    while (n) {
        struct yaml_node *next = n->next;
        node_free(n->first);
        free((char *)(uintptr_t)n->key);
        free((char *)(uintptr_t)n->text);
        free(n);
        n = next;
    }
}

void yaml_tree_free(struct yaml_tree *y)
{
    if (!y)
        return;
    node_free(y->root);
    for (size_t i = 0; i < y->file_count; i++)
        free(y->files[i]);
    free(y->files);
    free(y);
}

struct yaml_node *yaml_root(const struct yaml_tree *y)
{
    return y->root;
}

static const char *intern_file(struct yaml_tree *y, const char *file)
{
    for (size_t i = 0; i < y->file_count; i++)
        if (strcmp(y->files[i], file) == 0)
            return y->files[i];
    y->files = mem_resize(y->files, y->file_count + 1, sizeof *y->files);
    return y->files[y->file_count++] = mem_text(file);
}

static struct yaml_node *node_new(
    struct yaml_tree *y, enum yaml_type type, const char *file, int line, struct yaml_node *parent)
{
    struct yaml_node *n = MEM_NEW(struct yaml_node);
    n->type = type;
    n->file = intern_file(y, file);
    n->line = line;
    n->parent = parent;
    y->node_count++;
    return n;
}

static void node_append(struct yaml_node *parent, struct yaml_node *child)
{
    child->parent = parent;
    child->at = parent->count++;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

/* --- errors --- */

void yaml_path(const struct yaml_node *node, struct buf *ret)
{
    if (!node->parent)
        return;
    yaml_path(node->parent, ret);
    if (!node->key) {
        buf_printf(ret, "[%zu]", node->at);
        return;
    }
    if (ret->length)
        buf_add_char(ret, '.');
    buf_add_text(ret, node->key);
}

int yaml_error(const struct yaml_node *node, struct err *err, const char *format, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    AUTO_BUF path = {0};
    yaml_path(node, &path);
    return err_set(err, ERR_INPUT, NULL, "%s:%d: %s%s%s", node->file, node->line, buf_text(&path),
        path.length ? ": " : "", text);
}

static int source_error(const struct source *s, struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, NULL, "%s:%zu: %s", s->file, s->event.start_mark.line + 1, what);
}

static int parser_error(const struct source *s, struct err *err)
{
    const yaml_parser_t *p = &s->parser;
    const char *problem = p->problem ? p->problem : "unreadable";
    if (p->error == YAML_READER_ERROR)
        return err_set(
            err, ERR_INPUT, NULL, "%s: byte %zu: %s", s->file, p->problem_offset, problem);
    return err_set(
        err, ERR_INPUT, NULL, "%s:%zu: not YAML: %s", s->file, p->problem_mark.line + 1, problem);
}

/* --- reading --- */

static int next_event(struct source *s, struct err *err)
{
    yaml_event_delete(&s->event);
    if (!yaml_parser_parse(&s->parser, &s->event)) {
        memset(&s->event, 0, sizeof s->event);
        return parser_error(s, err);
    }
    const yaml_event_t *e = &s->event;
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return source_error(s, err, "aliases (*name) are not allowed; write the value again");
    case YAML_SCALAR_EVENT:
        if (e->data.scalar.anchor)
            return source_error(s, err, "anchors (&name) are not allowed");
        return e->data.scalar.tag ? source_error(s, err, "tags (!name) are not allowed") : 0;
    case YAML_SEQUENCE_START_EVENT:
        if (e->data.sequence_start.anchor)
            return source_error(s, err, "anchors (&name) are not allowed");
        return e->data.sequence_start.tag ? source_error(s, err, "tags (!name) are not allowed")
                                          : 0;
    case YAML_MAPPING_START_EVENT:
        if (e->data.mapping_start.anchor)
            return source_error(s, err, "anchors (&name) are not allowed");
        return e->data.mapping_start.tag ? source_error(s, err, "tags (!name) are not allowed") : 0;
    default:
        return 0;
    }
}

static int scalar_text(const struct source *s, char **ret, struct err *err)
{
    const char *value = (const char *)s->event.data.scalar.value;
    size_t length = s->event.data.scalar.length;
    if (memchr(value, '\0', length))
        return source_error(s, err, "NUL bytes are not allowed");
    if (!utf8_is_valid((struct bytes){(const uint8_t *)value, length}))
        return source_error(s, err, "not UTF-8");
    *ret = mem_text_n(value, length);
    return 0;
}

static bool is_null(const yaml_event_t *e)
{
    const char *value = (const char *)e->data.scalar.value;
    return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*value || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

static int read_key(struct source *s, const struct yaml_node *map, char **ret, struct err *err)
{
    if (s->event.type != YAML_SCALAR_EVENT)
        return source_error(s, err, "a key must be a word");
    AUTO_TEXT key = NULL;
    if (scalar_text(s, &key, err))
        return -1;
    if (!*key || strlen(key) > YAML_KEY_MOST || !utf8_is_line(bytes_of_text(key)))
        return source_error(s, err, "a key must be one line of 1 to 64 bytes");
    const struct yaml_node *twin = yaml_get(map, key);
    if (twin)
        return err_set(err, ERR_INPUT, NULL, "%s:%zu: %s: given twice (first on line %d)", s->file,
            s->event.start_mark.line + 1, key, twin->line);
    *ret = TAKE(key);
    return 0;
}

static int read_children(struct source *s, struct yaml_node *parent, int depth, struct err *err);

/* Makes the node of the current event, a scalar or the start of a list or map, and what it holds.
 */
static int read_node(
    struct source *s, struct yaml_node *parent, char *key, int depth, struct err *err)
{
    int line = (int)s->event.start_mark.line + 1;
    struct yaml_node *n = node_new(s->tree, YAML_NULL, s->file, line, parent);
    n->key = key;
    if (parent)
        node_append(parent, n);
    else
        s->tree->root = n;
    if (s->tree->node_count > YAML_NODES_MOST)
        return source_error(s, err, "too many values");
    if (s->event.type == YAML_SCALAR_EVENT) {
        char *text = NULL;
        if (is_null(&s->event))
            return 0;
        if (scalar_text(s, &text, err))
            return -1;
        n->type = YAML_TEXT;
        n->text = text;
        n->is_quoted = s->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        return 0;
    }
    n->type = s->event.type == YAML_MAPPING_START_EVENT ? YAML_MAP : YAML_LIST;
    return read_children(s, n, depth + 1, err);
}

static int read_children(struct source *s, struct yaml_node *parent, int depth, struct err *err)
{
    if (depth > YAML_DEPTH_MOST)
        return source_error(s, err, "nested too deep");
    for (;;) {
        if (next_event(s, err))
            return -1;
        if (s->event.type == YAML_MAPPING_END_EVENT || s->event.type == YAML_SEQUENCE_END_EVENT)
            return 0;
        char *key = NULL;
        if (parent->type == YAML_MAP) {
            if (read_key(s, parent, &key, err))
                return -1;
            if (next_event(s, err)) {
                free(key);
                return -1;
            }
        }
        if (read_node(s, parent, key, depth, err))
            return -1;
    }
}

static int read_document(struct source *s, struct err *err)
{
    if (next_event(s, err) || next_event(s, err)) /* stream start; document start or stream end */
        return -1;
    if (s->event.type == YAML_STREAM_END_EVENT)
        return 0;
    if (s->event.data.document_start.version_directive ||
        s->event.data.document_start.tag_directives.start !=
            s->event.data.document_start.tag_directives.end)
        return source_error(s, err, "directives (%) are not allowed");
    if (next_event(s, err) || read_node(s, NULL, NULL, 0, err))
        return -1;
    if (next_event(s, err) || next_event(s, err)) /* document end; stream end */
        return -1;
    return s->event.type == YAML_STREAM_END_EVENT
               ? 0
               : source_error(s, err, "a second document begins; one file holds one");
}

int yaml_read(const char *file, struct bytes text, struct yaml_tree **ret, struct err *err)
{
    if (text.length > YAML_BYTES_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: longer than %d bytes", file, YAML_BYTES_MOST);
    AUTO(yaml_tree) tree = MEM_NEW(struct yaml_tree);
    CLEANUP(source_close) struct source s = {.tree = tree, .file = file};
    if (!yaml_parser_initialize(&s.parser))
        return err_set(err, ERR_FATAL, NULL, "%s: libyaml does not start", file);
    yaml_parser_set_encoding(&s.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(
        &s.parser, text.length ? text.data : (const uint8_t *)"", text.length);
    if (read_document(&s, err))
        return -1;
    if (!tree->root)
        tree->root = node_new(tree, YAML_MAP, file, 1, NULL);
    if (tree->root->type == YAML_NULL)
        tree->root->type = YAML_MAP;
    if (tree->root->type != YAML_MAP)
        return yaml_error(tree->root, err, "a map of keys and values is wanted");
    *ret = TAKE(tree);
    return 0;
}

/* --- merging --- */

static struct yaml_node *copy_node(
    struct yaml_tree *y, const struct yaml_node *from, struct yaml_node *parent)
{
    struct yaml_node *n = node_new(y, from->type, from->file, from->line, parent);
    n->is_quoted = from->is_quoted;
    n->key = mem_text(from->key);
    n->text = mem_text(from->text);
    for (const struct yaml_node *c = from->first; c; c = c->next)
        node_append(n, copy_node(y, c, n));
    return n;
}

static struct yaml_node *merge_node(struct yaml_tree *y, const struct yaml_node *base,
    const struct yaml_node *child, struct yaml_node *parent)
{
    if (base->type != YAML_MAP || child->type != YAML_MAP)
        return copy_node(y, child, parent);
    struct yaml_node *n = node_new(y, YAML_MAP, child->file, child->line, parent);
    n->key = mem_text(child->key);
    for (const struct yaml_node *b = base->first; b; b = b->next) {
        const struct yaml_node *over = yaml_get(child, b->key);
        if (!over)
            node_append(n, copy_node(y, b, n));
        else if (over->type != YAML_NULL)
            node_append(n, merge_node(y, b, over, n));
    }
    for (const struct yaml_node *c = child->first; c; c = c->next)
        if (!yaml_get(base, c->key))
            node_append(n, copy_node(y, c, n));
    return n;
}

int yaml_merge(const struct yaml_tree *base, const struct yaml_tree *child, struct yaml_tree **ret,
    struct err *err)
{
    AUTO(yaml_tree) tree = MEM_NEW(struct yaml_tree);
    tree->root = merge_node(tree, base->root, child->root, NULL);
    if (tree->node_count > YAML_NODES_MOST)
        return yaml_error(tree->root, err, "too many values together with its base");
    *ret = TAKE(tree);
    return 0;
}

/* --- looking --- */

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (!map || map->type != YAML_MAP)
        return NULL;
    for (struct yaml_node *c = map->first; c; c = c->next)
        if (strcmp(c->key, key) == 0)
            return c;
    return NULL;
}

struct yaml_node *yaml_at(const struct yaml_node *map, const char *path)
{
    const struct yaml_node *at = map;
    while (at && *path) {
        size_t n = strcspn(path, ".");
        AUTO_TEXT key = mem_text_n(path, n);
        at = yaml_get(at, key);
        path += n + (path[n] == '.');
    }
    return (struct yaml_node *)(uintptr_t)at;
}
