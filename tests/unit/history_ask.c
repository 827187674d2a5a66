/* Requests about certificates, as a worker prepares them. */
#include "history.h"

#include "lifecycle/decide_change.h"
#include "lifecycle/decide_renew.h"

static void describe(struct history *h, const char *kind, const json_t *args)
{
    AUTO_TEXT text = json_dumps(args, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(h->what, sizeof h->what, "%s %s", kind, text);
    utf8_mend(h->what);
    h->request = 0;
    h->asked = NULL;
    h->was_right = false;
}

/* --- issue --- */

static json_t *issue_args(struct history *h, unsigned who)
{
    const struct policy *p = h->policy;
    json_t *args = json_pack("{s:s}", "product", p->name);
    const bool is_under = h->contract_count && draw_chance(&h->random, 60);
    args_by(h, PROC_ISSUE, args);
    if (p->password.is_used)
        args_put(args, "password.scrypt", json_string(PASSWORD_MARK "0"));
    if (p->issue.path == PATH_DIRECT)
        args_put(args, "csr", json_string("x"));
    for (size_t i = 0; i < p->field_count; i++) {
        const struct policy_field *f = &p->fields[i];
        const bool is_contract = f->place == PLACE_CONTACT || f->place == PLACE_ACCOUNT;
        if ((f->is_required ? !history_errs(h, 1) : draw_chance(&h->random, 30)) &&
            !(is_contract && is_under) && !strchr(f->path, '*'))
            args_put(args, f->args_path, args_value(h, f, who, false));
    }
    if (is_under)
        args_put(args, "contract.id",
            json_uuid(&h->contracts[draw_below(&h->random, (unsigned)h->contract_count)]->id));
    if (p->unit.device != DEVICE_NONE && !history_errs(h, 10)) {
        AUTO_TEXT device = mem_printf("CARD-%u", draw_below(&h->random, 3));
        args_put(args, "device", json_string(device));
    }
    return args;
}

static struct contract *contract_of(struct history *h, const struct issue_request *r)
{
    for (size_t i = 0; i < h->contract_count; i++)
        if (r->names_contract && uuid_equal(&h->contracts[i]->id, &r->contract))
            return h->contracts[i];
    return NULL;
}

static void put_renews(struct history *h, unsigned who, json_t *args)
{
    if (who >= h->people_count || !draw_chance(&h->random, 15))
        return;
    const struct aggregate *a = h->people[who];
    if (a->certificate_count)
        args_put(args, "renews",
            json_uuid(
                &a->certificates[draw_below(&h->random, (unsigned)a->certificate_count)]->id));
}

static void keep_new(struct history *h, struct aggregate *a)
{
    h->people[h->people_count++] = a;
    if (a->contract && a->contract->row == ROW_NEW)
        h->contracts[h->contract_count++] = a->contract;
}

void ask_issue(struct history *h)
{
    const unsigned who = draw_chance(&h->random, 50) ? 0 : draw_below(&h->random, 3);
    AUTO_TYPE(json, json_t) *args = issue_args(h, who);
    put_renews(h, who, args);
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    struct issue_request r;
    struct aggregate *a = NULL;
    bool is_new = false;
    int result = 0;
    describe(h, "issue", args);
    if (issue_read(&d, h->w.set, args, &r, &h->w.plan)) {
        const struct request_key key = args_key(h);
        for (size_t i = 0; i < h->people_count; i++)
            if (strcmp(h->people[i]->subscriber.unit_key, r.unit_key) == 0)
                a = h->people[i];
        is_new = !a;
        r.password = r.policy->password.is_used ? "hash-mark" : NULL;
        r.key = r.policy->issue.path == PATH_DIRECT ? &key : NULL;
        r.under = contract_of(h, &r);
        if (is_new && h->people_count == HISTORY_PEOPLE)
            plan_refuse(&h->w.plan, "full", "enough people");
        else
            result = decide_issue(&d, &r, &a, &h->w.plan, &h->w.err);
    }
    issue_request_clear(&r);
    if (is_new && a)
        keep_new(h, a);
    history_apply(h, result);
}

/* --- by credentials --- */

/* Everybody these credentials could mean, with the password right for all of them or for none. */
static size_t candidates_of(struct history *h, const struct credentials *c,
    struct candidate ret[static HISTORY_PEOPLE], bool fits)
{
    size_t n = 0;
    for (size_t i = 0; i < h->people_count; i++) {
        struct subscriber *s = &h->people[i]->subscriber;
        if (c->email ? !s->email || strcmp(s->email, c->email) != 0
                     : !s->user_id || !c->user_id || strcmp(s->user_id, c->user_id) != 0)
            continue;
        ret[n++] = (struct candidate){.aggregate = h->people[i],
            .policy = h->policy,
            .tried = s->password,
            .fits = fits && s->password};
    }
    return n;
}

/* The code of `c`, or a wrong one. */
static struct secret *typed(struct history *h, const struct certificate *c)
{
    AUTO_TEXT code = c && !history_errs(h, 8) ? fake_code(c) : mem_text("nobody's");
    h->asked = strcmp(code, "nobody's") != 0 ? c : NULL;
    return secret_new(code, strlen(code));
}

void ask_retrieve(struct history *h, struct aggregate *a, struct certificate *c)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:s, s:s}", "product", h->policy->name, "csr", "x");
    struct candidate candidates[HISTORY_PEOPLE];
    struct credentials who;
    int result = 0;
    args_by(h, PROC_RETRIEVE, args);
    args_credentials(h, PROC_RETRIEVE, a, args);
    const bool fits = !history_errs(h, 8);
    const struct history_memory *m = history_remember(h, c);
    const bool is_again = m->request && history_errs(h, 50);
    const char before = m->request;
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "retrieve", args);
    AUTO(secret) code = typed(h, c);
    struct request_key key = args_key(h);
    if (is_again) {
        key = key_of(before);
        h->request = before;
    }
    h->was_right = fits;
    if (credentials_read(&d, h->w.set, PROC_RETRIEVE, args, &who, &h->w.plan) &&
        retrieve_read(args, &h->w.plan)) {
        who.code = who.given & POLICY_BIT(CREDENTIAL_CODE) ? code : NULL;
        const size_t n = candidates_of(h, &who, candidates, fits);
        result = decide_retrieve(&d, &who, &key, candidates, n, &h->w.plan, &h->w.err);
    }
    credentials_clear(&who);
    history_apply(h, result);
}

void ask_lookup(struct history *h, struct aggregate *a, struct certificate *c)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:s}", "product", h->policy->name);
    struct candidate candidates[HISTORY_PEOPLE];
    struct credentials who;
    int result = 0;
    args_by(h, PROC_LOOKUP, args);
    args_credentials(h, PROC_LOOKUP, a, args);
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "lookup", args);
    AUTO(secret) code = typed(h, c);
    if (credentials_read(&d, h->w.set, PROC_LOOKUP, args, &who, &h->w.plan)) {
        who.code = who.given & POLICY_BIT(CREDENTIAL_CODE) ? code : NULL;
        const size_t n = candidates_of(h, &who, candidates, !history_errs(h, 15));
        result = decide_lookup(&d, &who, candidates, n, &h->w.plan, &h->w.err);
    }
    credentials_clear(&who);
    history_apply(h, result);
}

/* --- reissue --- */

static json_t *reissue_changes(struct history *h)
{
    json_t *changes = json_object();
    for (size_t i = 0; i < h->policy->field_count; i++) {
        const struct policy_field *f = &h->policy->fields[i];
        if (f->change == EFFECT_AT_REISSUE && draw_chance(&h->random, 30))
            json_object_set_new(
                changes, f->path, args_value(h, f, draw_below(&h->random, 4), true));
    }
    return changes;
}

/* One of those offered, mostly; TIMINGS: none. */
static unsigned some_timing(struct history *h)
{
    const struct policy_reissue *n = &h->policy->reissue;
    const unsigned any = draw_below(&h->random, TIMINGS);
    if (n->fallback >= 0 && draw_chance(&h->random, 60))
        return TIMINGS;
    for (unsigned i = 0; i < TIMINGS; i++)
        if (n->choices & POLICY_BIT((any + i) % TIMINGS))
            return history_errs(h, 10) ? any : (any + i) % TIMINGS;
    return TIMINGS;
}

static json_t *reissue_args(
    struct history *h, const struct aggregate *a, const struct certificate *c, bool *ret_named)
{
    json_t *args = json_object();
    const struct actor who = args_by(h, PROC_REISSUE, args);
    const char *reason = args_reason(h, &h->policy->reissue.reasons);
    const unsigned timing = some_timing(h);
    *ret_named = reissue_is_named(&who);
    if (*ret_named)
        args_put(args, "certificate", json_uuid(&c->id));
    else
        args_credentials(h, PROC_REISSUE, a, args);
    if (reason)
        args_put(args, "reason", json_string(reason));
    if (timing < TIMINGS)
        args_put(args, "revocation", json_string(policy_word(timing, timing)));
    if (h->policy->reissue.csr == CSR_AT_REQUEST)
        args_put(args, "csr", json_string("x"));
    if (draw_chance(&h->random, 20))
        args_put(args, "changes", reissue_changes(h));
    return args;
}

void ask_reissue(struct history *h, struct aggregate *a, struct certificate *c)
{
    bool is_named = false;
    AUTO_TYPE(json, json_t) *args = reissue_args(h, a, c, &is_named);
    struct candidate candidates[HISTORY_PEOPLE] = {{.aggregate = a, .policy = h->policy}};
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    struct credentials who = {0};
    struct reissue_request r;
    struct claimants facts = {NULL, candidates, 1};
    int result = 0;
    describe(h, "reissue", args);
    AUTO(secret) code = typed(h, c);
    const struct request_key key = args_key(h);
    bool is_read = actor_read(&d, args, &h->w.plan) && reissue_read(args, &r, &h->w.plan);
    if (is_read && !is_named) {
        is_read = credentials_read(&d, h->w.set, PROC_REISSUE, args, &who, &h->w.plan);
        who.code = code;
        facts.credentials = &who;
        facts.count = is_read ? candidates_of(h, &who, candidates, !history_errs(h, 10)) : 0;
    }
    if (is_read) {
        r.key = h->policy->reissue.csr == CSR_AT_REQUEST ? &key : NULL;
        result = decide_reissue(&d, &r, &facts, &h->w.plan, &h->w.err);
    }
    credentials_clear(&who);
    history_apply(h, result);
}

/* --- renew --- */

static json_t *contact_changes(struct history *h)
{
    json_t *changes = json_object();
    for (size_t i = 0; i < h->policy->field_count; i++) {
        const struct policy_field *f = &h->policy->fields[i];
        if (f->place == PLACE_CONTACT && !strchr(f->path, '*') && draw_chance(&h->random, 10))
            json_object_set_new(
                changes, f->path, args_value(h, f, draw_below(&h->random, 4), true));
    }
    return changes;
}

void ask_renew(struct history *h, struct aggregate *a, struct certificate *c)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:o}", "certificate", json_uuid(&c->id));
    const struct actor who = args_by(h, PROC_RENEW, args);
    const bool has_csr =
        h->policy->renew.csr == CSR_AT_REQUEST || h->policy->issue.path == PATH_DIRECT;
    struct candidate of = {.aggregate = a, .policy = h->policy};
    const struct claimants facts = {NULL, &of, 1};
    struct renew_request r;
    int result = 0;
    if (has_csr)
        args_put(args, "csr", json_string("x"));
    if (h->policy->renew.takes_contact_changes && draw_chance(&h->random, 40))
        args_put(args, "changes", contact_changes(h));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "renew", args);
    const struct request_key key = args_key(h);
    if (actor_read(&d, args, &h->w.plan) && renew_read(args, &r, &h->w.plan)) {
        if (who.how == CHANNEL_SIGNATURE && !history_errs(h, 20))
            d.signed_by = c->id;
        r.key = has_csr ? &key : NULL;
        result = decide_renew(&d, &r, &facts, &h->w.plan, &h->w.err);
    }
    history_apply(h, result);
}

/* --- change --- */

void ask_change(struct history *h, struct aggregate *a)
{
    const bool is_of_contract = a->contract && draw_chance(&h->random, 75);
    const unsigned who = draw_below(&h->random, 4);
    const unsigned n = 1 + draw_below(&h->random, 3);
    AUTO_TYPE(json, json_t) *args = json_object();
    json_t *changes = json_object();
    struct change_request r;
    int result = 0;
    args_by(h, PROC_CHANGE, args);
    for (unsigned i = 0; i < n; i++) {
        const struct policy_field *f =
            &h->policy->fields[draw_below(&h->random, (unsigned)h->policy->field_count)];
        const bool is_place = f->place == PLACE_CONTACT || f->place == PLACE_ACCOUNT;
        if (is_place == is_of_contract || history_errs(h, 5))
            json_object_set_new(changes, f->path,
                f->is_required || draw_chance(&h->random, 85) ? args_value(h, f, who, true)
                                                              : json_null());
    }
    args_put(args, "changes", changes);
    args_put(args, is_of_contract ? "contract" : "subscriber",
        json_uuid(is_of_contract ? &a->contract->id : &a->subscriber.id));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "change", args);
    if (change_read(&d, args, &r, &h->w.plan))
        result = decide_change(
            &d, &r, h->policy, is_of_contract ? a->contract->own : a, &h->w.plan, &h->w.err);
    history_apply(h, result);
}

/* --- revoke --- */

void ask_revoke(struct history *h, struct aggregate *a, struct certificate *c)
{
    AUTO_TYPE(json, json_t) *args = json_pack("{s:o}", "certificate", json_uuid(&c->id));
    const struct actor who = args_by(h, PROC_REVOKE, args);
    const char *reason = args_reason(h, &h->policy->revoke.reasons);
    struct revoke_request r;
    int result = 0;
    if (h->policy->revoke.reasons.is_free_text && draw_chance(&h->random, 40))
        reason = "サーバーを廃止したため";
    if (reason)
        args_put(args, "reason", json_string(reason));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "revoke", args);
    if (revoke_read(&d, args, &r, &h->w.plan)) {
        if (who.how == CHANNEL_SIGNATURE && !history_errs(h, 20))
            d.signed_by = c->id;
        result = decide_revoke(&d, &r, h->policy, a, c, &h->w.plan, &h->w.err);
    }
    history_apply(h, result);
}

/* --- an operator's word --- */

static void put_confirmation(struct history *h, json_t *args)
{
    const int64_t when_ms = h->w.now_ms - (history_errs(h, 10) ? DAY_MS : 0);
    if (history_errs(h, 15))
        return;
    args_put(args, "confirmation.by", json_string("telephone"));
    args_put(args, "confirmation.with",
        json_string(policy_word(
            role, history_errs(h, 15) ? (int)draw_below(&h->random, ROLES) : ROLE_REGISTERED)));
    args_put(args, "confirmation.person", json_string("〇〇"));
    args_put(args, "confirmation.at", json_time(when_ms));
}

void ask_decide(struct history *h, struct aggregate *a, const struct application *row, bool approve)
{
    AUTO_TYPE(json, json_t) *args =
        json_pack("{s:o, s:s, s:s, s:s}", "subject", json_uuid(&row->id), "decision",
            approve ? "approve" : "reject", "operator", "desk-1", "note", "確認した");
    struct approval_request r;
    int result = 0;
    if (strcmp(row->kind, "revoke") == 0 || strcmp(row->kind, "withdraw") == 0)
        put_confirmation(h, args);
    if (strcmp(row->kind, "revoke") == 0 && !history_errs(h, 15))
        args_put(args, "reason",
            json_string(
                h->policy->revoke.reasons
                    .items[draw_below(&h->random, (unsigned)h->policy->revoke.reasons.count)]
                    .word));
    struct decision d = history_decision(h, NULL, h->w.now_ms);
    describe(h, "decide", args);
    if (approval_read(&d, args, &r, &h->w.plan))
        result = decide_approval(&d, &r, h->policy, a, &h->w.plan, &h->w.err);
    history_apply(h, result);
}
