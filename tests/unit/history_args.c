/* What requests are made of: mostly right, sometimes not. */
#include "history.h"

bool history_errs(struct history *h, unsigned percent)
{
    return draw_chance(&h->random, percent) && !h->is_proper;
}

void args_put(json_t *args, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        json_object_set_new(args, path, value);
        return;
    }
    AUTO_TEXT head = mem_text_n(path, (size_t)(dot - path));
    if (!json_is_object(json_object_get(args, head)))
        json_object_set_new(args, head, json_object());
    args_put(json_object_get(args, head), dot + 1, value);
}

/* --- by --- */

static void add_evidence(
    struct history *h, enum policy_procedure procedure, struct actor who, json_t *by)
{
    for (size_t i = 0; i < h->policy->evidence_count; i++) {
        const struct policy_evidence *e = &h->policy->evidence[i];
        AUTO_TEXT path = mem_printf("evidence.%s", e->path);
        if (!(e->procedures & POLICY_BIT(procedure)) || !(e->actors & POLICY_BIT(who.role)) ||
            !(e->channels & POLICY_BIT(who.how)) || history_errs(h, 4))
            continue;
        const int days = history_errs(h, 5) ? 300 : (int)draw_below(&h->random, 80);
        const int64_t day_ms = h->w.now_ms - days * DAY_MS;
        if (e->within_months)
            args_put(by, path, json_string(date_s(date_at(day_ms, h->policy->zone))));
        else
            args_put(by, path, json_true());
    }
}

struct actor args_by(struct history *h, enum policy_procedure procedure, json_t *args)
{
    unsigned pairs[ACTORS * CHANNELS];
    unsigned n = 0;
    for (unsigned i = 0; i < ACTORS * CHANNELS; i++)
        if (policy_admits(h->policy, procedure, (enum policy_actor)(i / CHANNELS),
                (enum policy_channel)(i % CHANNELS)))
            pairs[n++] = i;
    const unsigned any = draw_below(&h->random, ACTORS * CHANNELS);
    const unsigned pair = n && !history_errs(h, 5) ? pairs[draw_below(&h->random, n)] : any;
    struct actor who = {
        (enum policy_actor)(pair / CHANNELS), (enum policy_channel)(pair % CHANNELS), "desk-1"};
    if (who.role == ACTOR_SUBSCRIBER && who.how == CHANNEL_CREDENTIALS)
        return who;
    json_t *by = json_object();
    json_object_set_new(by, "role", json_string(policy_word(actor, who.role)));
    if (who.role != ACTOR_OPERATOR || who.how != CHANNEL_RECORDED)
        json_object_set_new(by, "how", json_string(policy_word(channel, who.how)));
    if (who.role == ACTOR_OPERATOR || who.how == CHANNEL_COUNTER || who.how == CHANNEL_PAPER)
        json_object_set_new(by, "operator", json_string("desk-1"));
    json_object_set_new(by, "name", json_string("〇〇"));
    add_evidence(h, procedure, who, by);
    json_object_set_new(args, "by", by);
    return who;
}

/* --- fields --- */

static bool is_of_unit(const struct policy *policy, const char *path)
{
    for (size_t i = 0; i < policy->unit.subscriber_count; i++)
        if (strcmp(policy->unit.subscriber[i], path) == 0)
            return true;
    return false;
}

static json_t *digits(unsigned value, int n)
{
    AUTO_TEXT text = mem_printf("%0*u", n ? n : 6, value);
    return json_string(text);
}

json_t *args_value(struct history *h, const struct policy_field *field, unsigned who, bool is_new)
{
    const unsigned other = draw_below(&h->random, 3);
    const bool is_fixed = is_of_unit(h->policy, field->path) && !is_new;
    const unsigned variant = is_fixed ? 0 : other;
    AUTO_TEXT ascii =
        mem_printf("%s %u %u", strcmp(field->path, "user_id") == 0 ? "U" : "Name", who, variant);
    AUTO_TEXT email = mem_printf("p%u%c@example.jp", who, "abc"[variant]);
    AUTO_TEXT wide = mem_printf("〇〇%s", variant ? "花子" : "太郎");
    if (history_errs(h, 2))
        return json_string("!\t ");
    switch ((enum policy_format)field->format) {
    case FORMAT_EMAIL:
        return json_string(email);
    case FORMAT_DIGITS:
        return digits(100 * who + variant, field->digits);
    case FORMAT_FULL_WIDTH:
        return json_string(wide);
    case FORMAT_WORDS:
        return json_string(field->words[draw_below(&h->random, (unsigned)field->word_count)]);
    case FORMAT_LANGUAGE:
        return json_string(policy_word(language,
            h->policy->languages[draw_below(&h->random, (unsigned)h->policy->language_count)]));
    case FORMAT_HOST: {
        AUTO_TEXT host = mem_printf("h%u.example.jp", who);
        return field->is_list ? json_pack("[s]", host) : json_string(host);
    }
    case FORMAT_LINE:
    case FORMAT_ASCII:
    case FORMATS:
        break;
    }
    return json_string(ascii);
}

/* A new one mostly; sometimes one that was seen before, whatever became of it. */
struct request_key args_key(struct history *h)
{
    const bool is_old = h->keys && history_errs(h, 8);
    const unsigned letter = is_old ? 1 + draw_below(&h->random, h->keys) : ++h->keys;
    h->request = (char)letter;
    return key_of((char)letter);
}

/* --- credentials --- */

static void put_profile(const struct aggregate *a, const char *path, const char *as, json_t *args)
{
    AUTO_TYPE(json, json_t) *profile = json_loads(a->subscriber.profile, 0, NULL);
    const char *text = json_text_at(profile, path);
    if (text)
        json_object_set_new(args, as, json_string(text));
}

void args_credentials(
    struct history *h, enum policy_procedure procedure, const struct aggregate *a, json_t *args)
{
    const unsigned needed = h->policy->credentials.needed[procedure];
    if (needed & POLICY_BIT(CREDENTIAL_EMAIL) && a->subscriber.email)
        json_object_set_new(args, "email",
            json_string(history_errs(h, 3) ? "nobody@example.jp" : a->subscriber.email));
    if (needed & POLICY_BIT(CREDENTIAL_USER_ID)) {
        put_profile(a, "user_id", "user_id", args);
        put_profile(a, "organisation.company_code", "company_code", args);
    }
    if (needed & POLICY_BIT(CREDENTIAL_PASSWORD) && !history_errs(h, 2))
        json_object_set_new(args, "password", json_string(PASSWORD_MARK "1"));
    if (needed & POLICY_BIT(CREDENTIAL_CODE) && !history_errs(h, 2))
        json_object_set_new(args, "code", json_string(CODE_MARK));
}

const char *args_reason(struct history *h, const struct policy_reasons *reasons)
{
    const unsigned n = draw_below(&h->random, (unsigned)reasons->count + 1);
    if (history_errs(h, 3))
        return "bored";
    if (n < reasons->count)
        return reasons->items[n].word;
    return reasons->is_required || reasons->is_free_text ? reasons->items[0].word : NULL;
}
