#include "lifecycle/model.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    unsigned next;
} certificate_states[CERTIFICATE_STATE_COUNT] = {
#define CERTIFICATE_ROW(symbol, text, moves) [CERTIFICATE_##symbol] = {.word = text, .next = moves},
    CERTIFICATE_STATES(CERTIFICATE_ROW)
#undef CERTIFICATE_ROW
};

static const char *const application_states[APPLICATION_STATE_COUNT] = {
#define APPLICATION_WORD(symbol, word) [APPLICATION_##symbol] = word,
    APPLICATION_STATES(APPLICATION_WORD)
#undef APPLICATION_WORD
};

const char *certificate_state_word(enum certificate_state state)
{
    return certificate_states[state].word;
}

static bool is_word(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_of_text(text));
}

bool certificate_state_find(struct bytes word, enum certificate_state *ret)
{
    for (int i = CERTIFICATE_NEW + 1; i < CERTIFICATE_STATE_COUNT; i++)
        if (is_word(word, certificate_states[i].word)) {
            *ret = (enum certificate_state)i;
            return true;
        }
    return false;
}

bool certificate_may_move(enum certificate_state from, enum certificate_state to)
{
    return certificate_states[from].next & (1u << to);
}

const char *application_state_word(enum application_state state)
{
    return application_states[state];
}

bool application_state_find(struct bytes word, enum application_state *ret)
{
    for (int i = 0; i < APPLICATION_STATE_COUNT; i++)
        if (is_word(word, application_states[i])) {
            *ret = (enum application_state)i;
            return true;
        }
    return false;
}

struct aggregate *aggregate_new(void)
{
    return MEM_NEW(struct aggregate);
}

static void application_free(struct application *a)
{
    free(a->request);
    free(a->decided_by);
    free(a->note);
    free(a);
}

static void certificate_free(struct certificate *c)
{
    free(c->subject);
    free(c->device);
    buf_free(&c->der);
    free(c);
}

void aggregate_free(struct aggregate *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->application_count; i++)
        application_free(a->applications[i]);
    for (size_t i = 0; i < a->certificate_count; i++)
        certificate_free(a->certificates[i]);
    free(a->applications);
    free(a->certificates);
    free(a->subscriber.unit_key);
    free(a->subscriber.email);
    free(a->subscriber.former_email);
    free(a->subscriber.user_id);
    free(a->subscriber.password);
    free(a->subscriber.profile);
    free(a);
}

struct contract *contract_new(const struct uuid *id, const char *product)
{
    struct contract *c = MEM_NEW(struct contract);
    c->row = ROW_NEW;
    c->id = *id;
    snprintf(c->product, sizeof c->product, "%s", product);
    c->own = aggregate_new();
    c->own->contract = c;
    snprintf(c->own->subscriber.product, sizeof c->own->subscriber.product, "%s", product);
    return c;
}

void contract_free(struct contract *c)
{
    if (!c)
        return;
    for (int role = 0; role < ROLES; role++) {
        free(c->contacts[role].email);
        free(c->contacts[role].profile);
    }
    aggregate_free(c->own);
    free(c->members);
    free(c->account);
    free(c);
}

void contract_join(struct contract *c, struct aggregate *a)
{
    a->contract = c;
    a->subscriber.contract = c->id;
    c->members = mem_resize(c->members, c->member_count + 1, sizeof(struct aggregate *));
    c->members[c->member_count++] = a;
}

void contact_set(struct contract *c, enum policy_role role, const char *email, bool wants_notice,
    const char *profile)
{
    struct contact *contact = &c->contacts[role];
    if (contact->email)
        row_touch(&contact->row);
    else
        contact->row = ROW_NEW;
    text_set(&contact->email, email);
    text_set(&contact->profile, profile);
    contact->wants_notice = wants_notice;
}

void contract_end(struct contract *c, int64_t now_ms)
{
    c->has_ended = true;
    c->ended_ms = now_ms;
    row_touch(&c->row);
}

struct application *aggregate_add_application(struct aggregate *a)
{
    struct application *row = MEM_NEW(struct application);
    row->row = ROW_NEW;
    row->subscriber = a->subscriber.id;
    if (uuid_is_zero(&a->subscriber.id) && a->contract)
        row->contract = a->contract->id;
    a->applications =
        mem_resize(a->applications, a->application_count + 1, sizeof(struct application *));
    return a->applications[a->application_count++] = row;
}

struct certificate *aggregate_add_certificate(struct aggregate *a)
{
    struct certificate *row = MEM_NEW(struct certificate);
    row->row = ROW_NEW;
    row->subscriber = a->subscriber.id;
    a->certificates =
        mem_resize(a->certificates, a->certificate_count + 1, sizeof(struct certificate *));
    return a->certificates[a->certificate_count++] = row;
}

struct application *aggregate_application(const struct aggregate *a, const struct uuid *id)
{
    for (size_t i = 0; i < a->application_count; i++)
        if (uuid_equal(&a->applications[i]->id, id))
            return a->applications[i];
    return NULL;
}

struct certificate *aggregate_certificate(const struct aggregate *a, const struct uuid *id)
{
    for (size_t i = 0; i < a->certificate_count; i++)
        if (uuid_equal(&a->certificates[i]->id, id))
            return a->certificates[i];
    return NULL;
}

void certificate_move(struct certificate *c, enum certificate_state to)
{
    assert(certificate_may_move(c->state, to));
    c->state = to;
    row_touch(&c->row);
}

void certificate_revoke(
    struct certificate *c, enum reason reason, int64_t now_ms, const struct uuid *job)
{
    certificate_move(c, CERTIFICATE_REVOKED);
    c->reason = reason;
    c->revoked_ms = now_ms;
    c->revoked_by = *job;
}

bool certificate_is_expired(const struct certificate *c, int64_t now_ms)
{
    return c->issued_ms && now_ms / 1000 > c->not_after_ms / 1000;
}

void row_touch(enum row *row)
{
    if (*row == ROW_STORED)
        *row = ROW_CHANGED;
}

void text_set(char **text, const char *value)
{
    char *copy = mem_text(value);
    free(*text);
    *text = copy;
}

char *email_fold(const char *address)
{
    char *folded = mem_text(address);
    for (char *p = folded; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return folded;
}
