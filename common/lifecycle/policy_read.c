#include "lifecycle/policy_read.h"

#include "base/mem.h"

#include <string.h>

static const char *const first_day_words[] = {"excluded", "counted", NULL};
static const char *const start_words[] = {"instant", "day", NULL};

/* --- readers of one key --- */

/* Read in a second pass, or already used. */
static int skip(const struct yaml_node *node, void *to, struct err *err)
{
    (void)node;
    (void)to;
    (void)err;
    return 0;
}

static int read_product_name(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (!n || text[n] || n > POLICY_NAME_MOST || *text == '-')
        return yaml_error(node, err,
            "a product's name is 1 to %d lower case letters, digits and "
            "hyphens",
            POLICY_NAME_MOST);
    *(char **)to = mem_text(text);
    return 0;
}

static int read_zone(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    const struct zone *zone = zone_find(text);
    if (!zone)
        return yaml_error(node, err, "unknown zone %s; known: %s", text, zone_names());
    *(const struct zone **)to = zone;
    return 0;
}

/* In the order given: the first is the default. */
static int read_languages(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy *p = to;
    unsigned mask;
    if (bind_expect(node, YAML_LIST, err) || bind_words(node, policy_language_words, &mask, err))
        return -1;
    if (!mask)
        return yaml_error(node, err, "a product has at least one language");
    p->language_count = 0;
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (bind_word(c, policy_language_words, &p->languages[p->language_count++], err))
            return -1;
    return 0;
}

bool policy_term_parse(const char *text, struct length *ret)
{
    static const struct {
        const char *word;
        enum length_unit unit;
        int most;
    } units[] = {
        {" day", LENGTH_DAYS, 36600},
        {" month", LENGTH_MONTHS, 1200},
        {" year", LENGTH_YEARS, 100},
    };
    size_t digits = strspn(text, "0123456789");
    if (!digits || digits > 5 || *text == '0')
        return false;
    int count = (int)strtol(text, NULL, 10);
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        size_t n = strlen(units[i].word);
        const char *rest = text + digits;
        if (strncmp(rest, units[i].word, n) != 0 || (rest[n] && strcmp(rest + n, "s") != 0) ||
            count > units[i].most)
            continue;
        *ret = (struct length){units[i].unit, count};
        return true;
    }
    return false;
}

static int read_terms(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_validity *v = to;
    const struct yaml_node *c = node->type == YAML_LIST ? node->first : node;
    for (; c; c = c == node ? NULL : c->next) {
        const char *text;
        struct length term;
        if (bind_text(c, &text, err))
            return -1;
        if (!policy_term_parse(text, &term))
            return yaml_error(c, err,
                "a term is a number of days, months or years, such as "
                "760 days or 1 year, up to 100 years");
        for (size_t i = 0; i < v->term_count; i++)
            if (v->terms[i].unit == term.unit && v->terms[i].count == term.count)
                return yaml_error(c, err, "the same term twice");
        v->terms = mem_resize(v->terms, v->term_count + 1, sizeof *v->terms);
        v->terms[v->term_count++] = term;
    }
    return v->term_count ? 0 : yaml_error(node, err, "at least one term is wanted");
}

static int read_contract(const struct yaml_node *node, void *to, struct err *err)
{
    static const char *const words[] = {"none", "required", NULL};
    int n;
    if (bind_word(node, words, &n, err))
        return -1;
    *(bool *)to = n == 1;
    return 0;
}

static int read_resend(const struct yaml_node *node, void *to, struct err *err)
{
    int n;
    if (bind_word(node, policy_approval_words, &n, err))
        return -1;
    *(bool *)to = n == APPROVAL_OPERATOR;
    return 0;
}

static int read_rules(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy *p = to;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int topic = policy_word_find(policy_topic_words, c->key);
        const char *text;
        if (topic < 0)
            return bind_unknown(c, "topic", c->key, policy_topic_words, err);
        if (bind_text(c, &text, err))
            return -1;
        p->rules[topic] = mem_text(text);
    }
    return 0;
}

/* --- tables --- */

static const struct bind_key service_keys[] = {
    {"ja", BIND_TEXT, .offset = LANGUAGE_JA * sizeof(char *), BOUNDS(1, 200)},
    {"en", BIND_TEXT, .offset = LANGUAGE_EN * sizeof(char *), BOUNDS(1, 200)},
    END,
};
static const struct bind_key unit_keys[] = {
    {"subscriber", BIND_TEXTS, NEED, IN(policy_unit, subscriber),
        .count_offset = IN(policy_unit, subscriber_count)},
    {"roles", BIND_TEXTS, .offset = IN(policy_unit, roles),
        .count_offset = IN(policy_unit, role_count)},
    {"contract", BIND_CALL, .offset = IN(policy_unit, has_contract), .call = read_contract},
    {"contacts", BIND_WORDS, .offset = IN(policy_unit, contacts), .words = policy_role_words},
    {"device", BIND_WORD, .offset = IN(policy_unit, device), .words = policy_device_words},
    {"coupon", BIND_BOOL, .offset = IN(policy_unit, has_coupon)},
    END,
};
static const struct bind_key subject_keys[] = {
    {"rdn", BIND_WORD, NEED, IN(policy_name_part, rdn), .words = policy_rdn_words},
    {"field", BIND_TEXT, .offset = IN(policy_name_part, field), BOUNDS(1, 64)},
    {"text", BIND_TEXT, .offset = IN(policy_name_part, text), BOUNDS(1, 128)},
    {"optional", BIND_BOOL, .offset = IN(policy_name_part, is_optional)},
    END,
};
static const struct bind_key rsa_keys[] = {
    {"least", BIND_INT, NEED, IN(policy_certificate, rsa_least), BOUNDS(2048, 8192)},
    {"most", BIND_INT, NEED, IN(policy_certificate, rsa_most), BOUNDS(2048, 8192)},
    END,
};

static int read_rsa(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_certificate *c = to;
    if (!bind_is_none(node))
        return bind_map(node, rsa_keys, c, err);
    c->rsa_least = c->rsa_most = 0;
    return 0;
}

static const struct bind_key key_keys[] = {
    {"ec", BIND_WORDS, .offset = IN(policy_certificate, curves), .words = policy_curve_words},
    {"rsa", BIND_CALL, .call = read_rsa},
    END,
};
static const struct bind_key certificate_keys[] = {
    {"issuer", BIND_TEXT, NEED, IN(policy_certificate, issuer), BOUNDS(1, 63)},
    {"subject", BIND_LIST, NEED, IN(policy_certificate, subject), .most = 16, .table = subject_keys,
        .size = sizeof(struct policy_name_part),
        .count_offset = IN(policy_certificate, subject_count)},
    {"san", BIND_WORDS, .offset = IN(policy_certificate, san), .words = policy_san_words},
    {"eku", BIND_WORDS, .offset = IN(policy_certificate, eku), .words = policy_eku_words},
    {"keys", BIND_MAP, .table = key_keys},
    END,
};
static const struct bind_key validity_keys[] = {
    {"term", BIND_CALL, NEED, .call = read_terms},
    {"from", BIND_WORD, NEED, IN(policy_validity, from), .words = policy_from_words},
    {"first_day", BIND_WORD, NEED, IN(policy_validity, first_day), .words = first_day_words},
    {"start", BIND_WORD, NEED, IN(policy_validity, start), .words = start_words},
    {"zone", BIND_CALL, .offset = IN(policy_validity, zone), .call = read_zone},
    {"carry_over", BIND_BOOL, .offset = IN(policy_validity, carries_over)},
    END,
};
static const struct bind_key password_keys[] = {
    {"lock_after", BIND_COUNT, NEED, IN(policy_password, lock_after), BOUNDS(1, 100)},
    {"unlock", BIND_WORD, .offset = IN(policy_password, unlock), .words = policy_unlock_words},
    {"reset_then_set", BIND_BOOL, .offset = IN(policy_password, reset_then_set)},
    END,
};
static const struct bind_key code_keys[] = {
    {"days", BIND_COUNT, .offset = IN(policy_code, days), BOUNDS(1, 3660)},
    {"resend", BIND_CALL, .offset = IN(policy_code, has_resend), .call = read_resend},
    END,
};

static int read_password(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_password *password = to;
    if (bind_is_none(node))
        return 0;
    password->is_used = true;
    return bind_map(node, password_keys, to, err);
}

static int read_code(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_code *code = to;
    if (bind_is_none(node))
        return 0;
    code->is_used = true;
    return bind_map(node, code_keys, to, err);
}

static const struct bind_key product_keys[] = {
    {"product", BIND_CALL, NEED, IN(policy, name), .call = read_product_name},
    {"extends", BIND_CALL, .call = skip},
    {"service", BIND_MAP, NEED, IN(policy, service), .table = service_keys},
    {"languages", BIND_CALL, .call = read_languages},
    {"zone", BIND_CALL, .offset = IN(policy, zone), .call = read_zone},
    {"unit", BIND_MAP, NEED, IN(policy, unit), .table = unit_keys},
    {"fields", BIND_CALL, NEED, 0, .call = skip},
    {"certificate", BIND_MAP, NEED, IN(policy, certificate), .table = certificate_keys},
    {"who", BIND_CALL, NEED, 0, .call = policy_read_who},
    {"evidence", BIND_CALL, .call = policy_read_evidence},
    {"credentials", BIND_CALL, NEED, 0, .call = policy_read_credentials},
    {"password", BIND_CALL, NEED, IN(policy, password), .call = read_password},
    {"code", BIND_CALL, NEED, IN(policy, code), .call = read_code},
    {"validity", BIND_MAP, NEED, IN(policy, validity), .table = validity_keys},
    {"issue", BIND_MAP, NEED, IN(policy, issue), .table = policy_issue_keys},
    {"renew", BIND_CALL, NEED, IN(policy, renew), .call = policy_read_renew},
    {"reissue", BIND_CALL, NEED, IN(policy, reissue), .call = policy_read_reissue},
    {"change", BIND_CALL, NEED, IN(policy, change), .call = policy_read_change},
    {"withdraw", BIND_CALL, NEED, IN(policy, withdraw), .call = policy_read_withdraw},
    {"revoke", BIND_MAP, NEED, IN(policy, revoke), .table = policy_revoke_keys},
    {"notices", BIND_MAP, NEED, IN(policy, notices), .table = policy_notice_keys},
    {"records", BIND_CALL, .offset = IN(policy, records), .call = policy_read_records},
    {"mails", BIND_CALL, NEED, 0, .call = policy_read_mails},
    {"rules", BIND_CALL, .call = read_rules},
    END,
};

/* --- the whole file --- */

/* The tree of the file, laid over that of the product it extends (one level deep). */
static int read_tree(const char *file, struct bytes text, const struct policy_bases *bases,
    struct yaml_tree **ret, struct err *err)
{
    AUTO(yaml_tree) own = NULL;
    AUTO(yaml_tree) base = NULL;
    AUTO_BUF base_text = {0};
    const char *name;
    if (yaml_read(file, text, &own, err))
        return -1;
    const struct yaml_node *extends = yaml_get(yaml_root(own), "extends");
    if (!extends) {
        *ret = TAKE(own);
        return 0;
    }
    if (bind_text(extends, &name, err))
        return -1;
    if (!bases)
        return yaml_error(extends, err, "no other product can be read here");
    if (strchr(name, '/') || *name == '.')
        return yaml_error(extends, err, "the name of another product is wanted");
    if (bases->read(bases->arg, name, &base_text, err)) {
        struct err why = *err;
        return yaml_error(extends, err, "%s", why.text);
    }
    AUTO_TEXT base_file = mem_printf("%s.yaml", name);
    if (yaml_read(base_file, buf_bytes(&base_text), &base, err))
        return -1;
    if (yaml_get(yaml_root(base), "extends"))
        return yaml_error(
            extends, err, "%s itself extends a product; one step is all there is", name);
    return yaml_merge(base, own, ret, err);
}

int policy_load_text(const char *file, struct bytes text, const struct policy_bases *bases,
    struct policy **ret, struct err *err)
{
    AUTO(yaml_tree) tree = NULL;
    AUTO(policy) p = MEM_NEW(struct policy);
    if (read_tree(file, text, bases, &tree, err))
        return -1;
    p->file = mem_text(file);
    p->zone = zone_find("Asia/Tokyo");
    p->languages[0] = LANGUAGE_JA;
    p->language_count = 1;
    p->certificate.curves = POLICY_BIT(CURVE_P256) | POLICY_BIT(CURVE_P384);
    p->certificate.rsa_least = 2048;
    p->certificate.rsa_most = 4096;
    const struct yaml_node *root = yaml_root(tree);
    if (bind_map(root, product_keys, p, err))
        return -1;
    p->certificate.issuer_line = yaml_at(root, "certificate.issuer")->line; /* it is needed */
    if (!p->validity.zone)
        p->validity.zone = p->zone;
    if (policy_read_fields(yaml_get(root, "fields"), p, err) || policy_check(p, root, err))
        return -1;
    *ret = TAKE(p);
    return 0;
}
