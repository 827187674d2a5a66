/* Mails as config/templates words them, on top of decide_fixture.h. Codes are one code. */
#ifndef MAIL_LETTER_H
#define MAIL_LETTER_H

#include "decide_fixture.h"

#include "base/utf8.h"
#include "lifecycle/decide_document.h"
#include "lifecycle/decide_succession.h"
#include "lifecycle/mail_facts.h"
#include "mail/template.h"
#include "mail/template_kinds.h"

static UNUSED const char *const languages[] = {"ja", "en"};
static UNUSED struct template_set *texts;
static UNUSED struct secret *code;

static UNUSED int start(void **state UNUSED)
{
    struct err err = {0};
    code = secret_new("K7QF-2M9X-TTRW-40HD", 19);
    return template_set_load(CERTQ_SOURCE_DIR "/config/templates", &texts, &err);
}

static UNUSED int stop(void **state UNUSED)
{
    secret_free(code);
    template_set_free(texts);
    return 0;
}

static UNUSED char *render(
    const char *language, const char *name, const json_t *facts, struct err *err)
{
    const struct template *t = template_set_find(texts, language, name);
    AUTO_TEXT subject = NULL;
    AUTO(secret) body = NULL;
    if (!t)
        fail_msg("no template %s/%s", language, name);
    if (template_render(t, facts, template_has_code(t) ? code : NULL, &subject, &body, err))
        return NULL;
    return mem_printf("%s\n\n%s", subject, (const char *)body->data);
}

static UNUSED void must_say(const char *text, const char *what, const char *where)
{
    if (!strstr(text, what))
        fail_msg("%s lacks \"%s\":\n%s", where, what, text);
}

static UNUSED void must_not_say(const char *text, const char *what, const char *where)
{
    if (strstr(text, what))
        fail_msg("%s says \"%s\":\n%s", where, what, text);
}

static UNUSED void check_lines(const char *text, int columns, const char *where)
{
    for (const char *line = text; *line;) {
        const size_t n = strcspn(line, "\n");
        const struct bytes b = {(const uint8_t *)line, n};
        if ((int)utf8_columns(b) > columns || !utf8_is_line(b))
            fail_msg("%s: too wide, or no line: %.*s", where, (int)n, line);
        if (strstr(line, "http") == line && memmem(line, n, "K7QF", 4))
            fail_msg("%s: a code in a link", where);
        line += n + (line[n] != 0);
    }
    must_not_say(text, "{{", where);
    must_not_say(text, "\n\n\n", where);
    must_not_say(text, "null", where);
}

#endif
