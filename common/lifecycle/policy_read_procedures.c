#include "lifecycle/policy_read.h"

#include "base/mem.h"
#include "base/reason.h"

#include <string.h>

static const char *const first_day_words[] = {"excluded", "counted", NULL};

/* --- reasons --- */

static int read_crl(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    enum reason reason;
    if (bind_text(node, &text, err))
        return -1;
    if (!reason_parse(text, strlen(text), &reason) || !reason_is_final(reason) ||
        reason == REASON_CA_COMPROMISE || reason == REASON_AA_COMPROMISE)
        return yaml_error(node, err,
            "%s is no reason a subscriber's certificate is revoked for "
            "(RFC 5280 5.3.1): unspecified, keyCompromise, "
            "affiliationChanged, superseded, cessationOfOperation, "
            "privilegeWithdrawn",
            text);
    *(int *)to = (int)reason;
    return 0;
}

static const struct bind_key reissue_reason_keys[] = {
    {"crl", BIND_CALL, NEED, IN(policy_reason, crl), .call = read_crl},
    {"force", BIND_WORD, .offset = IN(policy_reason, force), .words = policy_timing_words},
    {"urgent", BIND_BOOL, .offset = IN(policy_reason, is_urgent)},
    {"emergency", BIND_BOOL, .offset = IN(policy_reason, is_emergency)},
    END,
};
static const struct bind_key withdraw_reason_keys[] = {
    {"crl", BIND_CALL, NEED, IN(policy_reason, crl), .call = read_crl},
    {"urgent", BIND_BOOL, .offset = IN(policy_reason, is_urgent)},
    {"silent", BIND_BOOL, .offset = IN(policy_reason, is_silent)},
    END,
};
static const struct bind_key revoke_reason_keys[] = {
    {"crl", BIND_CALL, NEED, IN(policy_reason, crl), .call = read_crl},
    {"urgent", BIND_BOOL, .offset = IN(policy_reason, is_urgent)},
    {"channels", BIND_WORDS, .offset = IN(policy_reason, channels), .words = policy_channel_words},
    END,
};

static struct policy_reason *add_reason(struct policy_reasons *to, const char *word)
{
    to->items = mem_resize(to->items, to->count + 1, sizeof *to->items);
    struct policy_reason *r = &to->items[to->count++];
    *r = (struct policy_reason){.word = mem_text(word), .force = -1};
    return r;
}

/* A map of words, each a CRL reason or a map with `crl` and more. */
static int read_reasons(const struct yaml_node *node, const struct bind_key *keys,
    struct policy_reasons *to, struct err *err)
{
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        if (c->key[strspn(c->key, "abcdefghijklmnopqrstuvwxyz-")])
            return yaml_error(c, err, "a reason is a word of lower case letters and hyphens");
        struct policy_reason *r = add_reason(to, c->key);
        if (c->type == YAML_MAP ? bind_map(c, keys, r, err) : read_crl(c, &r->crl, err))
            return -1;
    }
    return to->count ? 0 : yaml_error(node, err, "at least one reason is wanted");
}

static int read_reissue_reasons(const struct yaml_node *node, void *to, struct err *err)
{
    return read_reasons(node, reissue_reason_keys, to, err);
}

static int read_withdraw_reasons(const struct yaml_node *node, void *to, struct err *err)
{
    return read_reasons(node, withdraw_reason_keys, to, err);
}

static int read_revoke_reasons(const struct yaml_node *node, void *to, struct err *err)
{
    static const enum reason all[] = {REASON_UNSPECIFIED, REASON_KEY_COMPROMISE,
        REASON_AFFILIATION_CHANGED, REASON_SUPERSEDED, REASON_CESSATION_OF_OPERATION,
        REASON_PRIVILEGE_WITHDRAWN};
    if (node->type != YAML_TEXT || strcmp(node->text, "rfc5280") != 0)
        return read_reasons(node, revoke_reason_keys, to, err);
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
        struct policy_reason *r = add_reason(to, reason_name(all[i]));
        r->crl = (int)all[i];
        r->is_urgent = all[i] == REASON_KEY_COMPROMISE;
    }
    return 0;
}

/* --- issue and renewal --- */

static int read_supersedes(const struct yaml_node *node, void *to, struct err *err)
{
    static const char *const words[] = {"none", "other-device", NULL};
    int n;
    if (bind_word(node, words, &n, err))
        return -1;
    *(bool *)to = n == 1;
    return 0;
}

const struct bind_key policy_issue_keys[] = {
    {"path", BIND_WORD, NEED, IN(policy_issue, path), .words = policy_path_words},
    {"approval", BIND_WORD, NEED, IN(policy_issue, approval), .words = policy_approval_words},
    {"supersedes", BIND_CALL, .offset = IN(policy_issue, supersedes_other_device),
        .call = read_supersedes},
    {"charge", BIND_WORD, NEED, IN(policy_issue, charge), .words = policy_charge_words},
    END,
};

static const struct bind_key renew_keys[] = {
    {"mode", BIND_WORD, NEED, IN(policy_renew, mode), .words = policy_renewal_words},
    {"open_days", BIND_COUNT, .offset = IN(policy_renew, open_days), BOUNDS(1, 3660)},
    {"review", BIND_WORD, .offset = IN(policy_renew, review), .words = policy_review_words},
    {"csr", BIND_WORD, .offset = IN(policy_renew, csr), .words = policy_csr_words},
    {"contact_changes", BIND_BOOL, .offset = IN(policy_renew, takes_contact_changes)},
    {"predecessor", BIND_WORD, .offset = IN(policy_renew, predecessor),
        .words = policy_timing_words},
    {"after_expiry", BIND_WORD, NEED, IN(policy_renew, after_expiry),
        .words = policy_after_expiry_words},
    {"charge", BIND_WORD, NEED, IN(policy_renew, charge), .words = policy_charge_words},
    END,
};

int policy_read_renew(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, renew_keys, to, err);
}

/* --- reissue --- */

static int read_last_day(const struct yaml_node *node, void *to, struct err *err)
{
    static const char *const words[] = {"excluded", "included", NULL};
    int n;
    if (bind_word(node, words, &n, err))
        return -1;
    *(bool *)to = n == 1;
    return 0;
}

static const struct bind_key window_keys[] = {
    {"days", BIND_INT, NEED, IN(policy_window, days), BOUNDS(1, 3660)},
    {"first_day", BIND_WORD, NEED, IN(policy_window, first_day), .words = first_day_words},
    {"last_day", BIND_CALL, NEED, IN(policy_window, takes_last_day), .call = read_last_day},
    END,
};
static const struct bind_key most_keys[] = {
    {"count", BIND_INT, NEED, IN(policy_reissue, most), BOUNDS(1, 1000)},
    {"of", BIND_WORD, NEED, IN(policy_reissue, most_of), .words = policy_counted_words},
    END,
};

static int read_window(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_window *window = to;
    if (bind_is_none(node))
        return 0;
    window->is_set = true;
    return bind_map(node, window_keys, to, err);
}

static int read_most(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, most_keys, to, err);
}

static int read_choice(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_word(node, policy_timing_words, to, err);
}

static const struct bind_key predecessor_keys[] = {
    {"choices", BIND_WORDS, NEED, IN(policy_reissue, choices), .words = policy_timing_words},
    {"default", BIND_CALL, NEED, IN(policy_reissue, fallback), .call = read_choice},
    {"defer_days", BIND_COUNT, .offset = IN(policy_reissue, defer_days), BOUNDS(1, 366)},
    END,
};
static const struct bind_key reissue_keys[] = {
    {"reasons", BIND_CALL, NEED, IN(policy_reissue, reasons), .call = read_reissue_reasons},
    {"reason_required", BIND_BOOL, NEED, IN(policy_reissue, reasons.is_required)},
    {"default_reason", BIND_OPTIONAL, .offset = IN(policy_reissue, reasons.fallback),
        BOUNDS(1, 64)},
    {"unretrieved", BIND_BOOL, NEED, IN(policy_reissue, takes_unretrieved)},
    {"min_days_left", BIND_COUNT, .offset = IN(policy_reissue, min_days_left), BOUNDS(1, 3660)},
    {"window", BIND_CALL, .offset = IN(policy_reissue, window), .call = read_window},
    {"most", BIND_CALL, .call = read_most},
    {"outside", BIND_WORD, .offset = IN(policy_reissue, outside), .words = policy_outside_words},
    {"review", BIND_WORD, NEED, IN(policy_reissue, review), .words = policy_review_words},
    {"csr", BIND_WORD, NEED, IN(policy_reissue, csr), .words = policy_csr_words},
    {"expiry", BIND_WORD, NEED, IN(policy_reissue, expiry), .words = policy_expiry_words},
    {"predecessor", BIND_MAP, NEED, 0, .table = predecessor_keys},
    {"emergency_review", BIND_WORD, .offset = IN(policy_reissue, emergency_review),
        .words = policy_review_words},
    {"charge", BIND_WORD, NEED, IN(policy_reissue, charge), .words = policy_charge_words},
    END,
};

int policy_read_reissue(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_reissue *reissue = to;
    reissue->fallback = -1;
    if (bind_is_none(node))
        return 0;
    reissue->is_offered = true;
    return bind_map(node, reissue_keys, to, err);
}

/* --- change --- */

static const struct bind_key effect_keys[] = {
    {"review", BIND_WORD, .offset = IN(policy_effect_rule, review), .words = policy_review_words},
    {"charge", BIND_WORD, .offset = IN(policy_effect_rule, charge), .words = policy_charge_words},
    {"revokes", BIND_BOOL, .offset = IN(policy_effect_rule, revokes)},
    {"refuse", BIND_WORD, .offset = IN(policy_effect_rule, refusal), .words = policy_refusal_words},
    {"confirm_on_screen", BIND_BOOL, .offset = IN(policy_effect_rule, confirms_on_screen)},
    END,
};

int policy_read_change(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_change *change = to;
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_MAP, err))
        return -1;
    change->is_offered = true;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int effect = policy_word_find(policy_effect_words, c->key);
        if (effect < 0)
            return bind_unknown(c, "effect", c->key, policy_effect_words, err);
        if (effect == EFFECT_NEVER || effect == EFFECT_AT_REISSUE || effect == EFFECT_CORRECTION)
            return yaml_error(c, err,
                "such fields are not changed by a change; there is nothing "
                "to say here");
        change->effects[effect].is_set = true;
        if (bind_map(c, effect_keys, &change->effects[effect], err))
            return -1;
    }
    return change->effects[EFFECT_RECORD].is_set || node->count
               ? 0
               : yaml_error(node, err, "no effect is given; write none where nothing changes");
}

/* --- withdrawal and revocation --- */

static const struct bind_key withdraw_keys[] = {
    {"reasons", BIND_CALL, NEED, IN(policy_withdraw, reasons), .call = read_withdraw_reasons},
    {"reason_required", BIND_BOOL, NEED, IN(policy_withdraw, reasons.is_required)},
    {"default_reason", BIND_OPTIONAL, .offset = IN(policy_withdraw, reasons.fallback),
        BOUNDS(1, 64)},
    {"confirm", BIND_WORD, .offset = IN(policy_withdraw, confirm), .words = policy_confirm_words},
    {"ends_contract", BIND_BOOL, .offset = IN(policy_withdraw, ends_contract)},
    {"acknowledge", BIND_WORD, NEED, IN(policy_withdraw, acknowledge),
        .words = policy_acknowledgement_words},
    END,
};

int policy_read_withdraw(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_withdraw *withdraw = to;
    if (bind_is_none(node))
        return 0;
    withdraw->is_offered = true;
    return bind_map(node, withdraw_keys, to, err);
}

static const struct bind_key confirm_keys[] = {
    {"by", BIND_WORD, NEED, IN(policy_revoke, confirm), .words = policy_confirm_words},
    {"with", BIND_WORD, NEED, IN(policy_revoke, confirm_with), .words = policy_role_words},
    END,
};

static int read_confirm(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, confirm_keys, to, err);
}

const struct bind_key policy_revoke_keys[] = {
    {"reasons", BIND_CALL, NEED, IN(policy_revoke, reasons), .call = read_revoke_reasons},
    {"reason_required", BIND_BOOL, NEED, IN(policy_revoke, reasons.is_required)},
    {"default_reason", BIND_OPTIONAL, .offset = IN(policy_revoke, reasons.fallback), BOUNDS(1, 64)},
    {"free_text", BIND_BOOL, .offset = IN(policy_revoke, reasons.is_free_text)},
    {"confirm", BIND_CALL, .call = read_confirm},
    {"ends_contract", BIND_BOOL, .offset = IN(policy_revoke, ends_contract)},
    {"acknowledge", BIND_WORD, NEED, IN(policy_revoke, acknowledge),
        .words = policy_acknowledgement_words},
    END,
};

/* --- notices and records --- */

static int read_mail_days(const struct yaml_node *node, void *to, struct err *err)
{
    struct policy_notices *notices = to;
    if (bind_is_none(node))
        return 0;
    if (bind_expect(node, YAML_LIST, err))
        return -1;
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        int64_t days;
        if (bind_int(c, 1, 3660, &days, err))
            return -1;
        size_t n = notices->mail_day_count;
        if (n && notices->mail_days[n - 1] <= (int)days)
            return yaml_error(c, err, "days before expiry go down, each once");
        notices->mail_days = mem_resize(notices->mail_days, n + 1, sizeof(int));
        notices->mail_days[notices->mail_day_count++] = (int)days;
    }
    return 0;
}

static const struct bind_key screen_keys[] = {
    {"days", BIND_INT, NEED, IN(policy_notices, screen_days), BOUNDS(1, 3660)},
    {"link", BIND_TEXT, NEED, IN(policy_notices, screen_link), BOUNDS(1, 500)},
    END,
};

static int read_screen(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, screen_keys, to, err);
}

const struct bind_key policy_notice_keys[] = {
    {"mail", BIND_CALL, NEED, 0, .call = read_mail_days},
    {"opt_out", BIND_BOOL, .offset = IN(policy_notices, has_opt_out)},
    {"screen", BIND_CALL, .call = read_screen},
    END,
};

static const struct bind_key disclose_keys[] = {
    {"what", BIND_WORDS, NEED, IN(policy_records, disclose), .words = policy_record_words},
    {"none_confirmed", BIND_BOOL, .offset = IN(policy_records, confirms_none)},
    {"charge", BIND_WORD, NEED, IN(policy_records, disclose_charge), .words = policy_charge_words},
    END,
};

static int read_disclose(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, disclose_keys, to, err);
}

static const struct bind_key record_keys[] = {
    {"disclose", BIND_CALL, .call = read_disclose},
    {"correct", BIND_WORDS, .offset = IN(policy_records, correct),
        .words = policy_correction_words},
    {"erasable", BIND_WORDS, .offset = IN(policy_records, erasable),
        .words = policy_erasable_words},
    END,
};

int policy_read_records(const struct yaml_node *node, void *to, struct err *err)
{
    return bind_is_none(node) ? 0 : bind_map(node, record_keys, to, err);
}
