#include "mail/template.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mail/template_kinds.h"
#include "mail/template_parse.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEMPLATE_MOST 65536

static const char *const languages[] = {"ja", "en"};

struct template
{
    char *file; /* for errors */
    struct parts subject, body;
};
struct template_set {
    struct template list[ARRAY_LENGTH(languages)][TEMPLATE_KINDS];
};

/* A file in the folder that is no template of ours is a spelling mistake somebody relies on. */
static int check_names(const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", folder,
            strerror(errno));
    int result = 0;
    for (struct dirent *e; !result && (e = readdir(dir));) {
        bool known = e->d_name[0] == '.';
        for (size_t i = 0; i < TEMPLATE_KINDS; i++) {
            const char *name = template_kind(i)->name;
            size_t n = strlen(name);
            known |= !strncmp(e->d_name, name, n) && !strcmp(e->d_name + n, ".txt");
        }
        if (!known)
            result = err_set(
                err, ERR_INPUT, NULL, "%s/%s:1: not the name of a template", folder, e->d_name);
    }
    closedir(dir);
    return result;
}

static int load_one(struct template *t, const struct template_kind *kind, struct err *err)
{
    AUTO_BUF text = {0};
    if (file_read(t->file, TEMPLATE_MOST, &text, err)) {
        if (err->kind == ERR_NOT_FOUND)
            return err_set(err, ERR_INPUT, NULL, "%s:1: missing", t->file);
        return -1;
    }
    return template_parse(kind, t->file, buf_bytes(&text), &t->subject, &t->body, err);
}

int template_set_load(const char *folder, struct template_set **ret, struct err *err)
{
    AUTO(template_set) t = MEM_NEW(struct template_set);
    for (size_t l = 0; l < ARRAY_LENGTH(languages); l++) {
        AUTO_TEXT path = mem_printf("%s/%s", folder, languages[l]);
        if (check_names(path, err))
            return -1;
        for (size_t k = 0; k < TEMPLATE_KINDS; k++) {
            t->list[l][k].file = mem_printf("%s/%s.txt", path, template_kind(k)->name);
            if (load_one(&t->list[l][k], template_kind(k), err))
                return -1;
        }
    }
    *ret = TAKE(t);
    return 0;
}

void template_set_free(struct template_set *t)
{
    if (!t)
        return;
    for (size_t l = 0; l < ARRAY_LENGTH(languages); l++)
        for (size_t k = 0; k < TEMPLATE_KINDS; k++) {
            free(t->list[l][k].file);
            parts_free(&t->list[l][k].subject);
            parts_free(&t->list[l][k].body);
        }
    free(t);
}

const struct template *template_set_find(
    const struct template_set *t, const char *language, const char *name)
{
    for (size_t l = 0; l < ARRAY_LENGTH(languages); l++)
        for (size_t k = 0; k < TEMPLATE_KINDS; k++)
            if (!strcmp(languages[l], language) && !strcmp(template_kind(k)->name, name))
                return &t->list[l][k];
    return NULL;
}

bool template_has_code(const struct template *t)
{
    return parts_have(&t->body, PART_CODE, NULL);
}

/* --- rendering --- */

/* The facts, and within a list the item whose turn it is. */
struct filling {
    const struct template *t;
    const json_t *facts, *item;
    struct buf *ret;
    size_t code_at; /* where the code goes; there is at most one (parser); 0: nowhere yet */
};

static const json_t *fact(const struct filling *f, const char *name)
{
    const json_t *value = json_object_get(f->item, name);
    return value ? value : json_object_get(f->facts, name);
}

static bool has_fact(const struct filling *f, const char *name)
{
    const json_t *value = fact(f, name);
    return json_is_array(value) ? json_array_size(value) > 0 : json_string_length(value) > 0;
}

static int add_fact(struct filling *f, const char *name, struct err *err)
{
    const json_t *value = fact(f, name);
    struct bytes text = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    if (!text.length)
        return err_set(err, ERR_INPUT, NULL, "%s: the fact %s is missing", f->t->file, name);
    if (!utf8_is_line(text))
        return err_set(
            err, ERR_INPUT, NULL, "%s: the fact %s is not one line of text", f->t->file, name);
    buf_add(f->ret, text.data, text.length);
    return 0;
}

/* A blank line after a blank line, as is left where nothing stands between two blocks, is none. */
static void add_text(struct filling *f, const char *text)
{
    const struct buf *b = f->ret;
    if (strcmp(text, "\n") == 0 && b->length >= f->code_at + 2 &&
        memcmp(b->data + b->length - 2, "\n\n", 2) == 0)
        return;
    buf_add_text(f->ret, text);
}

static int fill_parts(
    struct filling *f, const struct part *parts, size_t n, bool *skip, struct err *err);

/* The parts after `each`, once for each item; *ret_count is how many those are. */
static int fill_list(struct filling *f, const struct part *each, size_t *ret_count, struct err *err)
{
    const json_t *list = fact(f, each->text);
    size_t n = 0, i;
    json_t *item;
    while (each[1 + n].kind != PART_DONE)
        n++;
    *ret_count = n;
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        bool skip = false;
        f->item = item;
        if (fill_parts(f, each + 1, n, &skip, err))
            return -1;
    }
    f->item = NULL;
    return 0;
}

static int fill_parts(
    struct filling *f, const struct part *parts, size_t n, bool *skip, struct err *err)
{
    for (size_t i = 0, count; i < n; i++) {
        const struct part *p = &parts[i];
        if (p->kind == PART_END)
            *skip = false;
        else if (*skip)
            continue;
        else if (p->kind == PART_IF || p->kind == PART_UNLESS)
            *skip = has_fact(f, p->text) == (p->kind == PART_UNLESS);
        else if (p->kind == PART_TEXT)
            add_text(f, p->text);
        else if (p->kind == PART_CODE)
            f->code_at = f->ret->length;
        else if (p->kind == PART_EACH) {
            if (fill_list(f, p, &count, err))
                return -1;
            i += count;
        } else if (p->kind == PART_FACT && add_fact(f, p->text, err))
            return -1;
    }
    return 0;
}

/* The text without the code; *ret_code_at is where it goes. */
static int render(const struct template *t, const struct parts *parts, const json_t *facts,
    struct buf *ret, size_t *ret_code_at, struct err *err)
{
    struct filling f = {.t = t, .facts = facts, .ret = ret};
    bool skip = false;
    if (fill_parts(&f, parts->list, parts->count, &skip, err))
        return -1;
    *ret_code_at = f.code_at;
    return 0;
}

/* `code` put into `text` at `at`, in memory that is wiped, without a copy in between. */
static struct secret *with_code(struct buf *text, size_t at, const struct secret *code)
{
    size_t rest = text->length - at;
    memset(buf_reserve(text, code->length), 0, code->length);
    struct secret *s = secret_new(text->data, text->length + code->length);
    memcpy(s->data + at, code->data, code->length);
    memcpy(s->data + at + code->length, text->data + at, rest);
    return s;
}

int template_render(const struct template *t, const json_t *facts, const struct secret *code,
    char **ret_subject, struct secret **ret_body, struct err *err)
{
    AUTO_BUF subject = {0};
    AUTO_BUF body = {0};
    size_t code_at = 0;
    if (template_has_code(t) != (code != NULL))
        return err_set(err, ERR_INPUT, NULL, "%s: %s", t->file,
            code ? "has no place for a code" : "needs a code");
    if (code && (!code->length || !utf8_is_line((struct bytes){code->data, code->length})))
        return err_set(err, ERR_INPUT, NULL, "%s: the code is not one line of text", t->file);
    if (render(t, &t->subject, facts, &subject, &code_at, err) ||
        render(t, &t->body, facts, &body, &code_at, err))
        return -1;
    *ret_body = code ? with_code(&body, code_at, code) : secret_new(body.data, body.length);
    *ret_subject = buf_take_text(&subject);
    return 0;
}

static void zone_words(int minutes, bool japanese, char name[static 32])
{
    if (minutes == 540)
        snprintf(name, 32, "%s", japanese ? "日本時間" : "Japan time");
    else if (!minutes)
        snprintf(name, 32, "%s", japanese ? "協定世界時" : "UTC");
    else
        snprintf(name, 32, "UTC%c%02d:%02d", minutes < 0 ? '-' : '+', abs(minutes) / 60,
            abs(minutes) % 60);
}

const char *template_date(
    int64_t time_ms, int offset_minutes, const char *language, char text[static TEMPLATE_DATE_TEXT])
{
    static const char *const months[] = {"January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December"};
    const bool japanese = !strcmp(language, "ja");
    const time_t seconds = (time_t)(time_ms / 1000 + offset_minutes * 60);
    struct tm tm;
    char zone[32];
    gmtime_r(&seconds, &tm);
    zone_words(offset_minutes, japanese, zone);
    if (japanese)
        snprintf(text, TEMPLATE_DATE_TEXT, "%d年%d月%d日 %02d:%02d:%02d（%s）", tm.tm_year + 1900,
            tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
    else
        snprintf(text, TEMPLATE_DATE_TEXT, "%d %s %d, %02d:%02d:%02d (%s)", tm.tm_mday,
            months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec, zone);
    return text;
}
