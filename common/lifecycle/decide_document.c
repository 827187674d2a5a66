#include "lifecycle/decide_document.h"

#include "base/mem.h"
#include "lifecycle/decide_certificate.h"

#include <stdio.h>

static const struct {
    const char *name, *template;
    char letter;
} documents[DOCUMENT_COUNT] = {
#define DOCUMENT_ROW(symbol, name, letter) [DOCUMENT_##symbol] = {name, "document-" name, letter},
    DOCUMENTS(DOCUMENT_ROW)
#undef DOCUMENT_ROW
};

const char *document_number(
    const struct decision *d, enum document which, char text[static DOCUMENT_NUMBER])
{
    snprintf(text, DOCUMENT_NUMBER, "%c-%s", documents[which].letter, uuid_s(&d->job));
    return text;
}

void document_fact(json_t *facts, const char *name, const char *value)
{
    if (value && value[0])
        json_object_set_new(facts, name, json_string(value));
}

void document_time(const struct decision *d, const struct policy *policy,
    enum policy_language language, json_t *facts, const char *name, int64_t time_ms)
{
    char text[64];
    if (time_ms)
        document_fact(
            facts, name, d->ports->time_text(d->ports->arg, time_ms, policy->zone, language, text));
}

int document_make(const struct decision *d, const struct policy *policy, enum document which,
    enum policy_language language, const json_t *facts, json_t **ret, struct err *err)
{
    char number[DOCUMENT_NUMBER];
    AUTO_BUF text = {0};
    AUTO_TYPE(json, json_t) *all = facts ? json_copy((json_t *)(uintptr_t)facts) : json_object();
    document_fact(all, "service", policy->service[language]);
    document_fact(all, "number", document_number(d, which, number));
    document_time(d, policy, language, all, "date", d->now_ms);
    if (d->ports->document(d->ports->arg, documents[which].template, all, language, &text, err)) {
        AUTO_TEXT why = mem_text(err->text);
        return err_set(err, ERR_TEMPORARY, "document", "%s: %s", documents[which].name, why);
    }
    *ret = json_pack("{s:s, s:s, s:o, s:s, s:s}", "document", documents[which].name, "number",
        number, "date", json_time(d->now_ms), "language", policy_word(language, language), "text",
        buf_text(&text));
    return 0;
}
