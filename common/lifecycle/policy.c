#include "lifecycle/policy.h"

#include "base/mem.h"
#include "lifecycle/policy_read.h"

#include <string.h>

/* --- freeing --- */

static void free_texts(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

static void free_reasons(struct policy_reasons *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i].word);
    free(r->items);
    free(r->fallback);
}

static void free_fields(struct policy *p)
{
    for (size_t i = 0; i < p->field_count; i++) {
        free(p->fields[i].path);
        free(p->fields[i].args_path);
        free_texts(p->fields[i].words, p->fields[i].word_count);
    }
    free(p->fields);
}

static void free_certificate(struct policy_certificate *c)
{
    for (size_t i = 0; i < c->subject_count; i++) {
        free(c->subject[i].field);
        free(c->subject[i].text);
    }
    free(c->subject);
    free(c->issuer);
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    free(p->file);
    free(p->name);
    for (int i = 0; i < LANGUAGES; i++)
        free(p->service[i]);
    free_texts(p->unit.subscriber, p->unit.subscriber_count);
    free_texts(p->unit.roles, p->unit.role_count);
    free_fields(p);
    free_certificate(&p->certificate);
    for (size_t i = 0; i < p->evidence_count; i++)
        free(p->evidence[i].path);
    free(p->evidence);
    free(p->validity.terms);
    free_reasons(&p->reissue.reasons);
    free_reasons(&p->withdraw.reasons);
    free_reasons(&p->revoke.reasons);
    free(p->notices.mail_days);
    free(p->notices.screen_link);
    for (int i = 0; i < POLICY_MAIL_EVENTS; i++)
        free(p->mails[i].items);
    for (int i = 0; i < TOPICS; i++)
        free(p->rules[i]);
    free(p);
}

/* --- questions --- */

static int compare_path(const void *path, const void *field)
{
    return strcmp(path, ((const struct policy_field *)field)->path);
}

const struct policy_field *policy_field(const struct policy *p, const char *path)
{
    if (!p->field_count)
        return NULL;
    return bsearch(path, p->fields, p->field_count, sizeof *p->fields, compare_path);
}

int policy_word_find(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

bool policy_offers(const struct policy *p, enum policy_procedure procedure)
{
    for (int i = 0; i < ACTORS; i++)
        if (p->who[procedure].channels[i])
            return true;
    return false;
}

bool policy_allows(const struct policy *p, enum policy_procedure procedure, enum policy_actor actor,
    enum policy_channel channel)
{
    return p->who[procedure].channels[actor] & POLICY_BIT(channel);
}

bool policy_admits(const struct policy *p, enum policy_procedure procedure, enum policy_actor actor,
    enum policy_channel channel)
{
    if (policy_allows(p, procedure, actor, channel))
        return true;
    bool is_way =
        channel == CHANNEL_SESSION || channel == CHANNEL_COUNTER || channel == CHANNEL_PAPER;
    return actor == ACTOR_OPERATOR && is_way &&
           policy_allows(p, procedure, actor, CHANNEL_RECORDED);
}

const struct policy_reason *policy_reason(const struct policy_reasons *reasons, const char *word)
{
    for (size_t i = 0; i < reasons->count; i++)
        if (strcmp(reasons->items[i].word, word) == 0)
            return &reasons->items[i];
    return NULL;
}

/* A year is twelve months, whichever way it is written. */
static struct length in_months(struct length l)
{
    return l.unit == LENGTH_YEARS ? (struct length){LENGTH_MONTHS, l.count * 12} : l;
}

const struct length *policy_term(const struct policy *p, const char *term)
{
    const struct policy_validity *v = &p->validity;
    struct length wanted;
    if (!term)
        return &v->terms[0];
    if (!policy_term_parse(term, &wanted))
        return NULL;
    for (size_t i = 0; i < v->term_count; i++)
        if (in_months(v->terms[i]).unit == in_months(wanted).unit &&
            in_months(v->terms[i]).count == in_months(wanted).count)
            return &v->terms[i];
    return NULL;
}

struct validity_rule policy_validity_rule(const struct policy *p, const struct length *term)
{
    const struct policy_validity *v = &p->validity;
    return (struct validity_rule){.length = *term,
        .first_day = (enum first_day)v->first_day,
        .start = (enum validity_start)v->start,
        .zone = v->zone};
}

enum policy_language policy_language_of(const struct policy *p, const char *word)
{
    int language = word ? policy_word_find(policy_language_words, word) : -1;
    for (size_t i = 0; i < p->language_count; i++)
        if (p->languages[i] == language)
            return (enum policy_language)language;
    return (enum policy_language)p->languages[0];
}
