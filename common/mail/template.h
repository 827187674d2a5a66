/*
 * The texts of mails and documents: config/templates/LANGUAGE/NAME.txt. The first lines are headers
 * (Subject:, nothing else), then a blank line, then the body. {{fact}} is a place. Lines that stand
 * alone enclose others: {{#if fact}} to {{/if}}, left out when the fact is missing or empty;
 * {{#unless fact}} to {{/unless}}, the contrary; {{#each list}} to {{/each}}, once for each item,
 * whose members are facts there; a condition may stand in a list, nothing else in anything. Blank
 * lines in a row become one.
 * Everything is read and checked once at start; afterwards struct template_set is read-only and may
 * be shared by threads. Rendering is pure. Nothing here blocks after loading.
 *
 * Adding a template: its row in template_kinds.c (which facts it may and must use), its file in
 * every language, its facts in docs/templates.md, its row in tests/unit/test_mail_texts.c.
 */
#ifndef CERTQ_MAIL_TEMPLATE_H
#define CERTQ_MAIL_TEMPLATE_H

#include "base/err.h"
#include "base/json.h"
#include "base/secret.h"

struct template_set;
struct template;

/*
 * Reads FOLDER/ja and FOLDER/en. ERR_INPUT "FILE:LINE: what" for: a file that is no template we
 * know, a template missing in a language, no Subject, another header, bytes that are no UTF-8, an
 * unknown fact, a must-have fact that does not appear, a block unclosed or in another one, a line
 * wider than 76 columns, {{code}} anywhere but alone on a line of the body. ERR_NOT_FOUND: no
 * folder.
 */
int template_set_load(const char *folder, struct template_set **ret, struct err *err) MUST_USE;
void template_set_free(struct template_set *t);
/* Borrowed; NULL when there is no such language ("ja", "en") or name ("certificate-code"). */
const struct template *template_set_find(
    const struct template_set *t, const char *language, const char *name);
DEFINE_AUTO_STRUCT(template_set);

/*
 * Fills the places with `facts` (an object of strings and of lists of such objects; what it holds
 * beyond the template's places is ignored) and, last, {{code}} with `code` (NULL when the template
 * has no such place). A fact must be one line (utf8_is_line): ERR_INPUT names a fact that is not,
 * or that is missing though its place is reached. *ret_subject is freed by the caller; *ret_body
 * (LF line ends) may hold the code, so it is a secret (X5).
 */
int template_render(const struct template *t, const json_t *facts, const struct secret *code,
    char **ret_subject, struct secret **ret_body, struct err *err) MUST_USE;
/* Whether template_render needs a code. */
bool template_has_code(const struct template *t);

#define TEMPLATE_DATE_TEXT 64
/*
 * A time for people: "2028年8月23日 23:59:59（日本時間）", "23 August 2028, 23:59:59 (Japan time)".
 * offset_minutes east of UTC; 540 is called Japan time, 0 UTC, others UTC+hh:mm. Returns `text`.
 */
const char *template_date(int64_t time_ms, int offset_minutes, const char *language,
    char text[static TEMPLATE_DATE_TEXT]);

#endif
