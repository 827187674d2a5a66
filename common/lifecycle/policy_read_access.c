#include "lifecycle/policy_read.h"

#include "base/mem.h"

#include <string.h>

/* --- who --- */

static int read_actors(const struct yaml_node *node, struct policy_access *to, struct err *err)
{
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int actor = policy_word_find(policy_actor_words, c->key);
        if (actor < 0)
            return bind_unknown(c, "actor", c->key, policy_actor_words, err);
        if (bind_words(c, policy_channel_words, &to->channels[actor], err))
            return -1;
    }
    return 0;
}

int policy_read_who(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy *p = to;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int procedure = policy_word_find(policy_procedure_words, c->key);
        if (procedure < 0)
            return bind_unknown(c, "procedure", c->key, policy_procedure_words, err);
        if (read_actors(c, &p->who[procedure], err))
            return -1;
    }
    return 0;
}

/* --- evidence --- */

struct evidence_rule {
    unsigned procedures, actors, channels;
    char **wants;
    size_t want_count;
    int within_months;
    bool if_any;
};

static const struct bind_key evidence_keys[] = {
    {"for", BIND_WORDS, .offset = IN(evidence_rule, procedures), .words = policy_procedure_words},
    {"actor", BIND_WORDS, .offset = IN(evidence_rule, actors), .words = policy_actor_words},
    {"channel", BIND_WORDS, .offset = IN(evidence_rule, channels), .words = policy_channel_words},
    {"wants", BIND_TEXTS, NEED, IN(evidence_rule, wants),
        .count_offset = IN(evidence_rule, want_count)},
    {"within_months", BIND_COUNT, .offset = IN(evidence_rule, within_months), BOUNDS(1, 120)},
    {"if_any", BIND_BOOL, .offset = IN(evidence_rule, if_any)},
    END,
};

static bool is_path(const char *text)
{
    size_t n = strlen(text);
    return n && n <= 64 && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.")] &&
           text[0] != '.' && text[n - 1] != '.' && !strstr(text, "..");
}

static int read_rule(const struct yaml_node *node, struct policy *p, struct err *err)
{
    struct evidence_rule rule = {UINT32_MAX, UINT32_MAX, UINT32_MAX, NULL, 0, 0, false};
    int failed = bind_map(node, evidence_keys, &rule, err);
    for (size_t i = 0; !failed && i < rule.want_count; i++) {
        if (!is_path(rule.wants[i]))
            failed = yaml_error(yaml_get(node, "wants"), err,
                "evidence is named by lower case words and dots, such as form.received_on");
        p->evidence = mem_resize(p->evidence, p->evidence_count + 1, sizeof *p->evidence);
        p->evidence[p->evidence_count++] = (struct policy_evidence){rule.procedures, rule.actors,
            rule.channels, mem_text(rule.wants[i]), rule.within_months, rule.if_any};
    }
    struct texts wants = {rule.wants, rule.want_count};
    texts_free(&wants);
    return failed;
}

int policy_read_evidence(const struct yaml_node *node, void *to, struct err *err)
{
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_LIST, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (bind_expect(c, YAML_MAP, err) || read_rule(c, to, err))
            return -1;
    return 0;
}

/* --- credentials --- */

static const char *const email_ages[] = {"current", "of-certificate", NULL};
static const char *const password_ages[] = {"current", "first-application", NULL};

int policy_read_credentials(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_credentials *to_credentials = &((struct policy *)to)->credentials;
    int n;
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int procedure = policy_word_find(policy_procedure_words, c->key);
        if (strcmp(c->key, "email") == 0) {
            if (bind_word(c, email_ages, &n, err))
                return -1;
            to_credentials->email = n ? AGE_OF_CERTIFICATE : AGE_CURRENT;
        } else if (strcmp(c->key, "password") == 0) {
            if (bind_word(c, password_ages, &n, err))
                return -1;
            to_credentials->password = n ? AGE_FIRST_APPLICATION : AGE_CURRENT;
        } else if (procedure < 0) {
            return bind_unknown(c, "procedure", c->key, policy_procedure_words, err);
        } else if (bind_words(
                       c, policy_credential_words, &to_credentials->needed[procedure], err)) {
            return -1;
        }
    }
    return 0;
}

/* --- mails --- */

static int read_recipient(
    const struct yaml_node *node, const char *text, struct policy_recipient *ret, struct err *err)
{
    static const char *const whens[] = {"current", "old", "new", NULL};
    size_t n = strcspn(text, ".");
    AUTO_TEXT party_word = mem_text_n(text, n);
    int party = policy_word_find(policy_party_words, party_word);
    int when = text[n] ? policy_word_find(whens, text + n + 1) : WHEN_CURRENT;
    if (party < 0)
        return bind_unknown(node, "recipient", party_word, policy_party_words, err);
    if (when < 0)
        return yaml_error(node, err, "%s: a recipient ends in .old, .new or nothing", text);
    *ret = (struct policy_recipient){(enum policy_party)party, (enum policy_when)when};
    return 0;
}

static int read_recipients(
    const struct yaml_node *node, struct policy_recipients *to, struct err *err)
{
    struct texts list = {0};
    if (bind_texts(node, &list, err))
        return -1;
    int failed = 0;
    to->items = mem_zero(list.count, sizeof *to->items);
    for (size_t i = 0; !failed && i < list.count; i++)
        failed = read_recipient(node, list.items[i], &to->items[to->count++], err);
    texts_free(&list);
    return failed;
}

int policy_read_mails(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy *p = to;
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int mail = policy_word_find(policy_mail_words, c->key);
        if (mail < 0)
            return bind_unknown(c, "mail", c->key, policy_mail_words, err);
        if (read_recipients(c, &p->mails[mail], err))
            return -1;
    }
    return 0;
}
