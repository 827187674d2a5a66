#include "history.h"

#include "contract_fixture.h"

/* --- numbers: splitmix64, the same on every machine --- */

uint64_t draw_next(struct history_random *r)
{
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

unsigned draw_below(struct history_random *r, unsigned n)
{
    return (unsigned)(draw_next(r) % n);
}

bool draw_chance(struct history_random *r, unsigned percent)
{
    return draw_below(r, 100) < percent;
}

/* --- ports where a long history needs more than the fixture's --- */

static void draw_serial(void *arg, uint8_t ret[static SERIAL_BYTES])
{
    struct world *w = arg;
    const unsigned n = ++w->serials;
    memset(ret, 0x40, SERIAL_BYTES);
    ret[SERIAL_BYTES - 1] = (uint8_t)n;
    ret[SERIAL_BYTES - 2] = (uint8_t)(n >> 8);
}

static int key_is_compromised(
    void *arg, const uint8_t spki_sha256[static 32], bool *ret, struct err *err UNUSED)
{
    const struct history *h = arg;
    *ret = h->is_compromised[spki_sha256[0]];
    return 0;
}

static int unit_is_taken(
    void *arg, const char *product UNUSED, const char *unit_key, bool *ret, struct err *err UNUSED)
{
    const struct history *h = arg;
    *ret = false;
    for (size_t i = 0; i < h->people_count; i++)
        *ret = *ret || strcmp(h->people[i]->subscriber.unit_key, unit_key) == 0;
    return 0;
}

/* The documents themselves, so that their facts are checked, too. */
static int make_document(void *arg, const char *name, const json_t *facts,
    enum policy_language language, struct buf *ret, struct err *err)
{
    const struct history *h = arg;
    AUTO_TYPE(json, json_t) *all = json_copy((json_t *)(uintptr_t)facts);
    AUTO_TEXT title = NULL;
    AUTO(secret) body = NULL;
    const struct template *t = template_set_find(h->texts, policy_word(language, language), name);
    if (!t)
        return err_set(err, ERR_TEMPORARY, NULL, "no document %s", name);
    json_object_set_new(all, "help", json_string("help"));
    if (template_render(t, all, NULL, &title, &body, err))
        return -1;
    buf_printf(ret, "%s\n\n%.*s", title, (int)body->length, (const char *)body->data);
    return 0;
}

/* --- life --- */

void history_setting_init(struct history_setting *s)
{
    struct err err = {0};
    world_init(&s->base);
    s->texts = NULL;
    if (template_set_load(CERTQ_SOURCE_DIR "/config/templates", &s->texts, &err))
        fail_msg("templates: %s", err.text);
}

void history_setting_clear(struct history_setting *s)
{
    world_clear(&s->base);
    template_set_free(s->texts);
}

void history_init(struct history *h, const struct history_setting *s, const struct policy *policy)
{
    *h = (struct history){.w = s->base, .policy = policy, .texts = s->texts};
    struct decide_ports *ports = &h->w.ports;
    ports->arg = h;
    ports->draw_serial = draw_serial;
    ports->key_is_compromised = key_is_compromised;
    ports->unit_is_taken = unit_is_taken;
    ports->document = make_document;
    h->w.now_ms = h->latest_ms = at("2026-04-01T03:00:00Z");
    h->w.issuer_end_ms = at("2060-01-01T00:00:00Z");
}

void history_clear(struct history *h)
{
    plan_clear(&h->w.plan);
    for (size_t i = 0; i < h->people_count; i++)
        aggregate_free(h->people[i]);
    for (size_t i = 0; i < h->contract_count; i++)
        contract_free(h->contracts[i]);
    for (size_t i = 0; i < h->job_count; i++)
        json_decref(h->jobs[i].args);
    free(h->jobs);
    free(h->memory);
    free(h->notices);
    free(h->before);
}

void history_fail(struct history *h, const char *format, ...)
{
    va_list args;
    if (h->failure[0])
        return;
    va_start(args, format);
    vsnprintf(h->failure, sizeof h->failure, format, args);
    va_end(args);
}

struct history_memory *history_remember(struct history *h, const struct certificate *c)
{
    for (size_t i = 0; i < h->memory_count; i++)
        if (uuid_equal(&h->memory[i].id, &c->id))
            return &h->memory[i];
    h->memory = mem_resize(h->memory, h->memory_count + 1, sizeof *h->memory);
    h->memory[h->memory_count] =
        (struct history_memory){.id = c->id, .noticed_days = NOTICE_NONE_YET};
    return &h->memory[h->memory_count++];
}

/* --- everything that is stored --- */

static void add_contract(const struct contract *c, struct buf *b)
{
    AUTO_TYPE(json, json_t) *state = contract_state(c);
    AUTO_TEXT own = snapshot(c->own, false);
    AUTO_TEXT text = json_dumps(state, JSON_COMPACT | JSON_SORT_KEYS);
    buf_printf(b, "K %s %d %u %s\n%s", uuid_s(&c->id), c->has_ended, c->reissues, text, own);
}

char *history_snapshot(const struct history *h, bool with_tries)
{
    AUTO_BUF b = {0};
    for (size_t i = 0; i < h->people_count; i++) {
        AUTO_TEXT text = snapshot(h->people[i], with_tries);
        buf_add_text(&b, text);
    }
    for (size_t i = 0; i < h->contract_count; i++)
        add_contract(h->contracts[i], &b);
    return buf_take_text(&b);
}

/* --- a decision and what becomes of it --- */

struct decision history_decision(struct history *h, const struct uuid *job, int64_t at_ms)
{
    plan_clear(&h->w.plan);
    err_clear(&h->w.err);
    free(h->before);
    h->before = history_snapshot(h, false);
    h->jobs_drawn++;
    h->job = (struct uuid){{9, 9}};
    h->job.b[14] = (uint8_t)(h->jobs_drawn >> 8);
    h->job.b[15] = (uint8_t)h->jobs_drawn;
    if (job)
        h->job = *job;
    h->is_deferral = job != NULL;
    h->decided_ms = at_ms;
    return (struct decision){.job = h->job, .now_ms = at_ms, .ports = &h->w.ports};
}

static void cancel(struct history *h, const struct uuid *id)
{
    for (size_t i = 0; i < h->job_count; i++)
        if (uuid_equal(&h->jobs[i].id, id)) {
            h->jobs[i].is_cancelled = !h->jobs[i].is_done;
            return;
        }
    history_fail(h, "job %s is cancelled, which nobody planned", uuid_s(id));
}

static void add_job(struct history *h, const struct plan_followup *f)
{
    struct history_job job = {.id = f->id, .at_ms = f->run_at_ms, .args = json_incref(f->args)};
    const char *certificate = json_text_at(f->args, "certificate");
    if (!certificate || !uuid_parse(certificate, strlen(certificate), &job.certificate))
        history_fail(h, "a revocation is planned of no certificate");
    h->jobs = mem_resize(h->jobs, h->job_count + 1, sizeof *h->jobs);
    h->jobs[h->job_count++] = job;
}

/* Does the store write this one's key down, by whichever certificate has it? */
static bool reports_key(const struct aggregate *a, const struct certificate *c)
{
    for (size_t i = 0; i < a->certificate_count; i++)
        if (!uuid_is_zero(&a->certificates[i]->reported_by) &&
            a->certificates[i]->spki_sha256[0] == c->spki_sha256[0])
            return true;
    return false;
}

/* The worker's store: a row of revocation for each certificate this job revoked. */
static void write_revocations(struct history *h, const struct aggregate *a)
{
    for (size_t i = 0; i < a->certificate_count; i++) {
        const struct certificate *c = a->certificates[i];
        if (!uuid_is_zero(&c->reported_by))
            h->is_compromised[c->spki_sha256[0]] = true;
        if (uuid_is_zero(&c->revoked_by))
            continue;
        history_remember(h, c)->is_on_crl = true;
        if (!uuid_equal(&c->revoked_by, &h->job))
            history_fail(h, "certificate %s was revoked by another job", uuid_s(&c->id));
        if (c->reason == REASON_KEY_COMPROMISE && c->has_request &&
            !h->is_compromised[c->spki_sha256[0]] && !reports_key(a, c))
            history_fail(h, "nobody writes down the key of %s", uuid_s(&c->id));
    }
}

static void store_rows(struct history *h)
{
    for (size_t i = 0; i < h->people_count; i++) {
        write_revocations(h, h->people[i]);
        stored(h->people[i]);
    }
    for (size_t i = 0; i < h->contract_count; i++) {
        h->contracts[i]->row = ROW_STORED;
        for (int role = 0; role < ROLES; role++)
            h->contracts[i]->contacts[role].row = ROW_STORED;
        stored(h->contracts[i]->own);
    }
}

static void say(struct history *h)
{
    if (!h->trace)
        return;
    const struct plan *plan = &h->w.plan;
    AUTO_TEXT fields = plan->fields ? json_dumps(plan->fields, JSON_COMPACT) : NULL;
    buf_printf(h->trace, "%s  %s -> %s%s%s %s\n", clock_s(h->decided_ms), h->what, answer(&h->w),
        plan->refused ? ": " : "", plan->refused ? plan->message : "", fields ? fields : "");
}

void history_apply(struct history *h, int result)
{
    struct plan *plan = &h->w.plan;
    if (result)
        history_fail(h, "%s: no answer: %s", h->what, h->w.err.text);
    say(h);
    plan->refused ? h->answers_refused++ : h->answers_done++;
    if (plan->refused) {
        AUTO_TEXT after = history_snapshot(h, false);
        if (strcmp(h->before, after) != 0)
            history_fail(h, "%s: refused (%s), and changed\n%sto\n%s", h->what, plan->code,
                h->before, after);
    } else if (!plan->result) {
        history_fail(h, "%s: neither refused nor answered", h->what);
    }
    history_check_plan(h);
    for (size_t i = 0; i < plan->cancel_count; i++)
        cancel(h, &plan->cancels[i]);
    for (size_t i = 0; i < plan->followup_count; i++)
        if (plan->followups[i].kind == KIND_REVOKE)
            add_job(h, &plan->followups[i]);
    history_check(h);
    store_rows(h);
}
