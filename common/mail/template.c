#include "mail/template.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "mail/template_parse.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEMPLATE_MOST 65536

static const char *const languages[] = {"ja", "en"};

/*
 * Every template, and what its places mean to whoever gathers the facts:
 *   service      the product's display name in the mail's language
 *   organisation, name   the addressee; the template adds 様
 *   applied_on   when the request was accepted (template_date)
 *   first, reissue, renewal   which of them it was: any text says yes
 *   validity     the term's length, "760日間"; not_after: instead, a fixed end (A9)
 *   revokes      says yes: retrieval revokes the predecessor (B4)
 *   url          the retrieval page, without the code in it; where to renew
 *   keep_code    says yes: a reissue will ask for the code (A7)
 *   revoked_serial, revoke_at   a predecessor that is revoked, or will be (C5)
 *   days_left    until not_after, "あと30日"
 *   apply_again, renew, counter, ends   how to go on: one of them says yes; charged: for a fee
 *   help         whom to ask (config_mail.help_*)
 */
static const struct template_kind template_kinds[] = {
    {"certificate-code",
        "service organisation name applied_on first reissue validity not_after revokes url help "
        "code",
        "service name help code"},
    {"certificate-issued",
        "service organisation name first reissue renewal common_name serial not_before not_after "
        "keep_code revoked_serial revoke_at help",
        "service name serial not_after help"},
    {"email-changed", "service organisation name applied_on help", "service name applied_on help"},
    {"certificate-revoked", "service organisation name common_name serial revoked_on help",
        "service name serial revoked_on help"},
    {"expiry-notice",
        "service organisation name serial not_after days_left apply_again charged renew counter "
        "ends url help",
        "service name serial not_after days_left help"},
};

struct template
{
    char *file; /* for errors */
    struct parts subject, body;
};
struct template_set {
    struct template list[ARRAY_LENGTH(languages)][ARRAY_LENGTH(template_kinds)];
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
        for (size_t i = 0; i < ARRAY_LENGTH(template_kinds); i++) {
            size_t n = strlen(template_kinds[i].name);
            known |=
                !strncmp(e->d_name, template_kinds[i].name, n) && !strcmp(e->d_name + n, ".txt");
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
        for (size_t k = 0; k < ARRAY_LENGTH(template_kinds); k++) {
            t->list[l][k].file = mem_printf("%s/%s.txt", path, template_kinds[k].name);
            if (load_one(&t->list[l][k], &template_kinds[k], err))
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
        for (size_t k = 0; k < ARRAY_LENGTH(template_kinds); k++) {
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
        for (size_t k = 0; k < ARRAY_LENGTH(template_kinds); k++)
            if (!strcmp(languages[l], language) && !strcmp(template_kinds[k].name, name))
                return &t->list[l][k];
    return NULL;
}

bool template_has_code(const struct template *t)
{
    return parts_have(&t->body, PART_CODE, NULL);
}

static const char *fact_text(const json_t *facts, const char *name)
{
    const char *text = json_string_value(json_object_get(facts, name));
    return text ? text : "";
}

static int add_fact(const struct template *t, const json_t *facts, const char *name,
    struct buf *ret, struct err *err)
{
    const json_t *value = json_object_get(facts, name);
    struct bytes text = {(const uint8_t *)json_string_value(value), json_string_length(value)};
    if (!text.length)
        return err_set(err, ERR_INPUT, NULL, "%s: the fact %s is missing", t->file, name);
    if (!utf8_is_line(text))
        return err_set(
            err, ERR_INPUT, NULL, "%s: the fact %s is not one line of text", t->file, name);
    buf_add(ret, text.data, text.length);
    return 0;
}

/* The text without the code; *ret_code_at is where it goes. There is at most one (parser). */
static int render(const struct template *t, const struct parts *parts, const json_t *facts,
    struct buf *ret, size_t *ret_code_at, struct err *err)
{
    bool skip = false;
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *p = &parts->list[i];
        if (p->kind == PART_END)
            skip = false;
        else if (skip)
            continue;
        else if (p->kind == PART_IF)
            skip = !*fact_text(facts, p->text);
        else if (p->kind == PART_TEXT)
            buf_add_text(ret, p->text);
        else if (p->kind == PART_CODE)
            *ret_code_at = ret->length;
        else if (add_fact(t, facts, p->text, ret, err))
            return -1;
    }
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
