#include "wish.h"

#include "base/file.h"
#include "base/mem.h"
#include "crypto/seal.h"
#include "crypto/secrets.h"

#include <stdio.h>
#include <string.h>

#define ARGS_MOST (2 << 20)
#define READ_STEP 65536

/* A file, or standard input for "-". `ret` is made so large first that secrets are not copied. */
static int read_source(
    const char *path, size_t most, bool *stdin_used, struct buf *ret, struct err *err)
{
    buf_reserve(ret, most + 2 * READ_STEP);
    if (strcmp(path, "-") != 0)
        return file_read(path, most, ret, err);
    if (*stdin_used)
        return err_set(err, ERR_INPUT, "usage", "standard input (-) can be read once only");
    *stdin_used = true;
    size_t n;
    do {
        n = fread(buf_reserve(ret, READ_STEP), 1, READ_STEP, stdin);
        ret->length += n;
        if (ret->length > most)
            return err_set(err, ERR_INPUT, NULL, "standard input: longer than %zu bytes", most);
    } while (n > 0);
    buf_add(ret, "", 0);
    return 0;
}

static int read_args(const char *path, bool *stdin_used, json_t **ret, struct err *err)
{
    AUTO_BUF text = {0};
    if (!path) {
        *ret = json_object();
        return 0;
    }
    if (read_source(path, ARGS_MOST, stdin_used, &text, err) ||
        json_parse_object(buf_bytes(&text), ret, err))
        return err_context(err, "--args %s", path);
    return 0;
}

/* Every part of a path has at least one byte. */
static bool is_path(const char *text, size_t length)
{
    if (!length || text[0] == '.' || text[length - 1] == '.')
        return false;
    for (size_t i = 1; i < length; i++)
        if (text[i] == '.' && text[i - 1] == '.')
            return false;
    return true;
}

static const char *last_part(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

int wish_set(json_t *to, const char *assignment, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    bool is_json = equals && equals > assignment && equals[-1] == ':';
    size_t length = equals ? (size_t)(equals - assignment) - is_json : 0;
    if (!is_path(assignment, length))
        return err_set(err, ERR_INPUT, "usage",
            "--set %.40s: path=text or path:=JSON is wanted, such as subscriber.name.ja=〇〇",
            equals ? "" : assignment);
    AUTO_TEXT path = mem_text_n(assignment, length);
    if (secret_is_name(last_part(path)) && !is_json)
        return err_set(err, ERR_INPUT, "usage",
            "--set %s: a secret does not belong on the command line; --secret %s=FILE", path, path);
    json_t *value = is_json ? json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL)
                            : json_string(equals + 1);
    if (!value)
        return err_set(err, ERR_INPUT, "usage", "--set %s: the value is not %s", path,
            is_json ? "JSON" : "UTF-8");
    json_put(to, path, value);
    return 0;
}

static int read_secret(const char *assignment, bool *stdin_used, struct wish *w, struct err *err)
{
    const char *equals = strchr(assignment, '=');
    size_t length = equals ? (size_t)(equals - assignment) : 0;
    if (!is_path(assignment, length) || !equals[1])
        return err_set(err, ERR_INPUT, "usage", "--secret: path=FILE or path=- is wanted");
    if (w->secret_count == WISH_SECRETS_MOST)
        return err_set(
            err, ERR_INPUT, "usage", "--secret: at most %d are taken", WISH_SECRETS_MOST);
    AUTO_TEXT path = mem_text_n(assignment, length);
    if (!secret_is_name(last_part(path)))
        return err_set(err, ERR_INPUT, "usage",
            "--secret %s: a secret is called password, old, new or code", path);
    AUTO_BUF text = {0};
    int failed = read_source(equals + 1, SEAL_VALUE_MOST + 2, stdin_used, &text, err);
    size_t n = text.length;
    if (n && text.data[n - 1] == '\n')
        n -= n > 1 && text.data[n - 2] == '\r' ? 2 : 1;
    struct secret *value = secret_new(text.data, n);
    secret_wipe(text.data, text.capacity);
    if (failed || !n) {
        secret_free(value);
        return failed ? err_context(err, "--secret %s", path)
                      : err_set(err, ERR_INPUT, NULL, "--secret %s: the file is empty", path);
    }
    size_t i = w->secret_count++;
    w->values[i] = value;
    w->paths[i] = TAKE(path);
    w->secrets[i] = (struct certq_secret){w->paths[i], (const char *)value->data, value->length};
    return 0;
}

static int read_options(const struct args *args, bool *stdin_used, struct wish *w, struct err *err)
{
    for (size_t i = 0; i < args->option_count; i++) {
        const struct given *g = &args->options[i];
        if (strcmp(g->option->name, "--set") == 0 && wish_set(w->args, g->value, err))
            return -1;
        if (strcmp(g->option->name, "--secret") == 0 && read_secret(g->value, stdin_used, w, err))
            return -1;
    }
    return 0;
}

int wish_read(const struct args *args, struct wish *ret, struct err *err)
{
    struct wish w = {0};
    bool stdin_used = false;
    if (read_args(args_value(args, "--args"), &stdin_used, &w.args, err) ||
        read_options(args, &stdin_used, &w, err)) {
        wish_clear(&w);
        return -1;
    }
    *ret = w;
    return 0;
}

void wish_clear(struct wish *w)
{
    json_decref(w->args);
    for (size_t i = 0; i < w->secret_count; i++) {
        secret_free(w->values[i]);
        free(w->paths[i]);
    }
    *w = (struct wish){0};
}
