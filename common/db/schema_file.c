#include "db/schema_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <dirent.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define FILE_MOST (4 << 20)

void schema_files_clear(struct schema_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        buf_free(&files->items[i].content);
    free(files->items);
    *files = (struct schema_files){0};
}

/* NNN_name.sql */
static int is_schema_name(const struct dirent *entry)
{
    const char *n = entry->d_name;
    const size_t length = strlen(n);
    return length > 8 && length < 128 && isdigit((unsigned char)n[0]) &&
           isdigit((unsigned char)n[1]) && isdigit((unsigned char)n[2]) && n[3] == '_' &&
           strcmp(n + length - 4, ".sql") == 0;
}

static int read_one(const char *folder, const char *name, struct schema_file *f, struct err *err)
{
    AUTO_TEXT path = mem_printf("%s/%s", folder, name);
    f->number = (int)strtol(name, NULL, 10);
    snprintf(f->name, sizeof f->name, "%s", name);
    if (file_read(path, FILE_MOST, &f->content, err))
        return -1;
    EVP_Digest(f->content.data, f->content.length, f->sha256, NULL, EVP_sha256(), NULL);
    return 0;
}

static int read_all(
    const char *folder, struct dirent **names, int n, struct schema_files *ret, struct err *err)
{
    for (int i = 0; i < n; i++) {
        ret->items = mem_resize(ret->items, ret->count + 1, sizeof *ret->items);
        struct schema_file *f = &ret->items[ret->count++];
        *f = (struct schema_file){0};
        if (read_one(folder, names[i]->d_name, f, err))
            return -1;
        if (f->number != i + 1)
            return err_set(err, ERR_INPUT, NULL,
                "%s/%s: number %03d was expected here (no gaps, none twice)", folder, f->name,
                i + 1);
    }
    return 0;
}

int schema_files_read(const char *folder, struct schema_files *ret, struct err *err)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_schema_name, alphasort);
    if (n <= 0) {
        free(names);
        return err_set(err, ERR_INPUT, NULL, "%s: no schema files (NNN_name.sql) there", folder);
    }
    const int result = read_all(folder, names, n, ret, err);
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
    if (result)
        schema_files_clear(ret);
    return result;
}

struct line {
    struct bytes text; /* without the newline */
    bool is_blank;     /* empty or a comment */
    bool ends;         /* its last character is the statement's semicolon */
};

static struct line next_line(struct bytes script, size_t *at)
{
    const char *from = (const char *)script.data + *at;
    const char *newline = memchr(from, '\n', script.length - *at);
    size_t length = newline ? (size_t)(newline - from) : script.length - *at;
    *at += length + (newline != NULL);
    struct line line = {.text = {(const uint8_t *)from, length}};
    size_t start = 0, end = length;
    while (start < end && isspace((unsigned char)from[start]))
        start++;
    while (end > start && isspace((unsigned char)from[end - 1]))
        end--;
    line.is_blank = start == end || (end - start >= 2 && memcmp(from + start, "--", 2) == 0);
    line.ends = !line.is_blank && from[end - 1] == ';';
    if (line.ends)
        line.text.length = end - 1;
    return line;
}

int schema_run(struct db *db, struct bytes script, struct err *err)
{
    AUTO_BUF sql = {0};
    int number = 0, first = 0;
    for (size_t at = 0; at < script.length;) {
        const struct line line = next_line(script, &at);
        number++;
        if (line.is_blank)
            continue;
        if (!sql.length)
            first = number;
        buf_add(&sql, line.text.data, line.text.length);
        buf_add_char(&sql, '\n');
        if (!line.ends)
            continue;
        if (db_execute(db, buf_bytes(&sql), err))
            return err_context(err, "line %d", first);
        buf_clear(&sql);
    }
    if (sql.length)
        return err_set(
            err, ERR_INPUT, NULL, "line %d: the statement has no ; at a line's end", first);
    return 0;
}

/* ---- grants ---- */

static const char *user_of(const struct migrate_users *users, struct bytes word)
{
    const struct {
        const char *word, *user;
    } known[] = {{"broker", users->broker}, {"worker", users->worker}, {"mail", users->mail},
        {"reader", users->reader}};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (bytes_equal(word, bytes_of_text(known[i].word)))
            return known[i].user;
    }
    return NULL;
}

/* `name` with wildcards escaped when a privilege on the whole database follows. */
static void add_database(struct buf *sql, const char *name, bool is_whole)
{
    buf_add_char(sql, '`');
    for (; *name; name++) {
        if (is_whole && *name == '_')
            buf_add_char(sql, '\\');
        buf_add_char(sql, *name);
    }
    buf_add_char(sql, '`');
}

static void add_quoted(struct buf *sql, const char *text)
{
    buf_add_char(sql, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_add_char(sql, '\\');
        buf_add_char(sql, *text);
    }
    buf_add_char(sql, '\'');
}

/* The user's word in braces at the end of a grant, or empty bytes when the line has none. */
static struct bytes user_word(struct bytes line)
{
    size_t end = line.length, start;
    if (!end || line.data[end - 1] != '}')
        return (struct bytes){0};
    for (start = --end; start && line.data[start - 1] != '{'; start--)
        ;
    return (struct bytes){line.data + start, end - start};
}

static int grant_line(struct db *db, struct bytes line, const char *database, const char *user,
    const char *host, struct err *err)
{
    static const char mark[] = "{database}";
    AUTO_BUF sql = {0};
    const uint8_t *place = memmem(line.data, line.length, mark, sizeof mark - 1);
    const size_t user_at = line.length - user_word(line).length - 2;
    if (!place)
        return err_set(err, ERR_INPUT, NULL, "grants.sql: a line without {database}");
    const size_t before = (size_t)(place - line.data), after = before + sizeof mark - 1;
    buf_add(&sql, line.data, before);
    add_database(&sql, database, line.data[after] == '.' && line.data[after + 1] == '*');
    buf_add(&sql, line.data + after, user_at - after);
    add_quoted(&sql, user);
    buf_add_char(&sql, '@');
    add_quoted(&sql, host);
    return db_execute(db, buf_bytes(&sql), err);
}

/* The hosts the server knows a user at, as texts one after another with their NULs. */
static int hosts_of(struct db *db, const char *user, struct buf *ret, struct err *err)
{
    static const struct statement find = {.name = "schema.hosts",
        .sql = "SELECT Host FROM mysql.user WHERE User = ? ORDER BY Host",
        .params = "t",
        .columns = "t"};
    const struct db_value param = db_text(user);
    struct db_value host;
    if (db_query(db, &find, &param, err))
        return -1;
    int row;
    while ((row = db_fetch(db, &host, err)) > 0)
        buf_add(ret, host.bytes.data, host.bytes.length + 1);
    if (row < 0)
        return -1;
    if (!ret->length)
        return err_set(err, ERR_INPUT, NULL,
            "the server has no user '%s': the administrator makes it (CREATE USER)", user);
    return 0;
}

static int grant_to_user(struct db *db, struct bytes line, const char *database,
    const struct migrate_users *users, struct err *err)
{
    AUTO_BUF hosts = {0};
    const struct bytes word = user_word(line);
    const char *user = user_of(users, word);
    if (!word.length)
        return err_set(err, ERR_INPUT, NULL, "grants.sql: a line that does not end in {user};");
    if (!user)
        return 0;
    if (hosts_of(db, user, &hosts, err))
        return -1;
    for (size_t at = 0; at < hosts.length; at += strlen((char *)hosts.data + at) + 1) {
        if (grant_line(db, line, database, user, (char *)hosts.data + at, err))
            return -1;
    }
    return 0;
}

int schema_grant(struct db *db, const char *folder, const char *database,
    const struct migrate_users *users, struct err *err)
{
    AUTO_TEXT path = mem_printf("%s/grants.sql", folder);
    AUTO_BUF content = {0};
    if (!users)
        return 0;
    if (file_read(path, FILE_MOST, &content, err))
        return -1;
    int number = 0;
    for (size_t at = 0; at < content.length;) {
        const struct line line = next_line(buf_bytes(&content), &at);
        number++;
        if (line.is_blank)
            continue;
        if (!line.ends || grant_to_user(db, line.text, database, users, err))
            return line.ends ? err_context(err, "grants.sql line %d", number)
                             : err_set(err, ERR_INPUT, NULL, "grants.sql line %d: no ;", number);
    }
    return 0;
}
