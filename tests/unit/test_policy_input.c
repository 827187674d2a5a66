/* links: lifecycle */
#include "policy_files.h"

#include "base/clock.h"

#define SUBSCRIBER(more)                                                                               \
    "{\"subscriber\":{\"email\":\"hanako@example.jp\",\"name\":{\"ja\":\"見本 花子\","             \
    "\"latin\":\"Hanako Mihon\"},\"organisation\":{\"ja\":\"株式会社〇〇\",\"latin\":\"Example " \
    "KK\"}" more "}}"

struct input {
    const char *args, *path, *message; /* NULL path: nothing is wrong */
};

static void try_inputs(const struct policy *p, const struct input *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_TYPE(json, json_t) *args = NULL;
        AUTO_TYPE(json, json_t) *fields = json_object();
        AUTO_BUF got = {0};
        struct err err = {0};
        if (json_parse_object(bytes_of_text(rows[i].args), &args, &err))
            fail_msg("%s: %s", err.text, rows[i].args);
        bool ok = policy_check_fields(p, args, fields);
        json_write(fields, &got);
        const char *message =
            rows[i].path ? json_string_value(json_object_get(fields, rows[i].path)) : NULL;
        if (ok != !rows[i].path || ok != !json_object_size(fields))
            fail_msg("%s\n%s", rows[i].args, buf_text(&got));
        if (rows[i].path && (!message || !strstr(message, rows[i].message)))
            fail_msg("%s\nwanted %s: %s\n   got %s", rows[i].args, rows[i].path, rows[i].message,
                buf_text(&got));
    }
}

static void applications_are_checked_field_by_field(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "association.yaml");
    static const struct input rows[] = {
        {SUBSCRIBER(""), NULL, NULL},
        {SUBSCRIBER(",\"language\":\"en\",\"telephone\":\"03-1234-5678\""), NULL, NULL},
        {SUBSCRIBER(",\"title\":null,\"department\":\"\""), NULL, NULL},
        {"{}", "subscriber.email", "is required"},
        {"{}", "subscriber.organisation.latin", "is required"},
        {"{\"subscriber\":[]}", "subscriber", "must be an object"},
        {"{\"subscriber\":\"x\"}", "subscriber", "must be an object"},
        {SUBSCRIBER(",\"language\":\"fr\""), "subscriber.language", "must be one of ja, en"},
        {SUBSCRIBER(",\"telephone\":12"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"telephone\":{\"a\":1}"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"telephone\":[\"1\"]"), "subscriber.telephone", "must be a text"},
        {SUBSCRIBER(",\"title\":\"a\\nb\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u0085b\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u2028b\""), "subscriber.title", "one line"},
        {SUBSCRIBER(",\"title\":\"a\\u202eb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\u200bb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\u061cb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\u2067b\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\u180eb\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"\\u3164\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"\\uffa0\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\ufff9b\\ufffbc\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\uffff\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"a\\udb40\\udc41\""), "subscriber.title", "invisible"},
        {SUBSCRIBER(",\"title\":\"\\u845b\\udb40\\udd00\""), NULL, NULL}, /* 葛 of Katsushika */
        {SUBSCRIBER(",\"title\":\" a\""), "subscriber.title", "begin or end with a space"},
        {SUBSCRIBER(",\"title\":\"a\\u3000\""), "subscriber.title", "begin or end with a space"},
        {SUBSCRIBER(",\"titel\":\"a\""), "subscriber.titel", "did you mean title?"},
        {SUBSCRIBER(",\"name.ja\":\"a\""), "subscriber.name.ja", "is not a field"},
        {SUBSCRIBER(",\"a\\nb\":\"a\""), "subscriber.?", "is not a field"},
        {SUBSCRIBER(",\"address\":{\"city\":\"x\",\"town\":\"y\"}"), "subscriber.address.town",
            "is not a field"},
        {SUBSCRIBER(",\"address\":\"x\""), "subscriber.address", "is not a field"},
        {SUBSCRIBER(",\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"f\":1}}}}}"), "subscriber.a.b.c.d.e",
            "is not a field"},
        {SUBSCRIBER("},\"contract\":{\"id\":\"x\""), "contract", "has no contracts"},
        {SUBSCRIBER("},\"dns\":{"), "dns", "is not a field"},
    };
    try_inputs(p, rows, ARRAY_LENGTH(rows));
    AUTO(policy) class2 = loaded(SHIPPED "class2.yaml");
    AUTO_TYPE(json, json_t) *fields = json_object();
    AUTO_TYPE(json, json_t) *args = json_pack("{s:{s:s,s:s,s:s,s:{s:s}}}", "subscriber", "email",
        "x", "title", "ｶﾁｮｳ", "telephone", "03-1", "address", "postal_code", "123456");
    assert_false(policy_check_fields(class2, args, fields)); /* all at once (B6) */
    static const char *const wrong[][2] = {
        {"subscriber.email", "not an e-mail address"},
        {"subscriber.title", "full-width"},
        {"subscriber.telephone", "digits only"},
        {"subscriber.address.postal_code", "exactly 7 digits"},
        {"subscriber.address.prefecture", "is required"},
        {"subscriber.address.city", "is required"},
        {"subscriber.address.street", "is required"},
        {"subscriber.organisation.latin", "is required"},
        {"subscriber.name.latin", "is required"},
    };
    assert_int_equal(json_object_size(fields), ARRAY_LENGTH(wrong));
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (!strstr(json_string_value(json_object_get(fields, wrong[i][0])), wrong[i][1]))
            fail_msg("%s", wrong[i][0]);
}

static void contracts_and_hosts_are_checked(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "web-ev.yaml");
#define S                                                                                          \
    "\"subscriber\":{\"organisation\":{\"latin\":\"X\"},\"address\":{\"prefecture\":\"P\","        \
    "\"city\":\"C\"}}"
#define ID ",\"contract\":{\"id\":\"c\"}"
#define DNS ",\"dns\":[\"www.example.jp\"]"
    static const struct input rows[] = {
        {"{" S ID DNS "}", NULL, NULL},
        {"{" S ID "}", "dns", "is required"},
        {"{" S ID ",\"dns\":[]}", "dns", "is required"},
        {"{" S ID ",\"dns\":\"www.example.jp\"}", "dns", "must be a list"},
        {"{" S ID ",\"dns\":[\"www.example.jp\",\"www.example.jp\"]}", "dns", "the same twice"},
        {"{" S ID ",\"dns\":[\"*.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"example\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"-a.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a-.example.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a..jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a.jp.\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"192.0.2.1\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[\"a b.jp\"]}", "dns", "must be a host name"},
        {"{" S ID ",\"dns\":[1]}", "dns", "must be a text"},
        {"{" S DNS "}", "contract.contacts.technical.email", "is required"},
        {"{" S DNS ",\"contract\":3}", "contract", "must be an object"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"contacts\":{\"sales\":{\"name\":\"x\"}}}}",
            "contract.contacts.sales.name", "is not a field"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"contacts\":{\"administrative\":{\"invoice\":"
         "\"fax\"}}}}",
            "contract.contacts.administrative.invoice", "must be one of electronic, paper"},
        {"{" S DNS ",\"contract\":{\"id\":\"c\",\"account\":{\"otp_email\":\"x@\"}}}",
            "contract.account.otp_email", "not an e-mail address"},
    };
    try_inputs(p, rows, ARRAY_LENGTH(rows));
}

static void addresses_cannot_inject(void **state)
{
    (void)state;
    AUTO(policy) p = loaded(SHIPPED "association.yaml");
    const struct policy_field *email = policy_field(p, "email");
    static const char *const bad[] = {"a@b", "a@example.jp\r\nBcc: x@example.jp", "a@example.jp>",
        "<a@example.jp>", "a b@example.jp", "\"a\"@example.jp", "a@example.jp,b@example.jp",
        "a@[192.0.2.1]", "あ@example.jp", "a@例え.jp", "a@@example.jp", "@example.jp", "a@",
        "a@example..jp", ".a@example.jp", "a.@example.jp", "a\\@example.jp", "a@example.jp\n",
        "a(x)@example.jp", "a@-example.jp", "a;b@example.jp", "a:b@example.jp"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        AUTO_TYPE(json, json_t) *value = json_string(bad[i]);
        AUTO_BUF message = {0};
        if (policy_check_value(email, value, &message))
            fail_msg("%s", bad[i]);
        assert_true(message.length > 0);
    }
    for (int local = 64; local <= 65; local++) {
        AUTO_TEXT name = mem_zero((size_t)local + 1, 1);
        memset(name, 'a', (size_t)local);
        AUTO_TEXT address = mem_printf("%s@example.jp", name);
        AUTO_TYPE(json, json_t) *value = json_string(address);
        AUTO_BUF message = {0};
        assert_true(policy_check_value(email, value, &message) == (local == 64));
    }
    AUTO_TYPE(json, json_t) *nul = json_stringn("a@example.jp\0x", 14);
    AUTO_BUF message = {0};
    assert_false(policy_check_value(email, nul, &message));
}

static void changes_follow_the_effects(void **state)
{
    (void)state;
    AUTO(policy) association = loaded(SHIPPED "association.yaml");
    AUTO(policy) class2 = loaded(SHIPPED "class2.yaml");
    AUTO(policy) ev = loaded(SHIPPED "web-ev.yaml");
    AUTO(policy) resident = loaded(SHIPPED "resident.yaml");
    const struct {
        const struct policy *p;
        enum policy_procedure procedure;
        const char *path, *value, *wanted;
    } rows[] = {
        {association, PROC_CHANGE, "email", "new@example.jp", NULL},
        {association, PROC_CHANGE, "email", "", "is required"},
        {association, PROC_CHANGE, "email", "bad", "not an e-mail"},
        {association, PROC_CHANGE, "title", "", NULL},
        {association, PROC_REISSUE, "email", "new@example.jp", "cannot be changed with a reissue"},
        {association, PROC_CHANGE, "emial", "x", "did you mean email?"},
        {class2, PROC_REISSUE, "email", "new@example.jp", NULL},
        {class2, PROC_REISSUE, "name.ja", "x", "cannot be changed"},
        {class2, PROC_REISSUE, "organisation.company_code", "123456789", "cannot be changed"},
        {class2, PROC_REISSUE, "address.postal_code", "１２３４５６７", "digits"},
        {class2, PROC_CHANGE, "email", "new@example.jp", "only with a reissue"},
        {ev, PROC_RENEW, "contacts.technical.email", "new@example.jp", NULL},
        {ev, PROC_RENEW, "organisation.latin", "X", "cannot be changed with a renewal"},
        {ev, PROC_CHANGE, "account.otp_email", "new@example.jp", NULL},
        {resident, PROC_CORRECT, "name.ja", "x", NULL},
        {resident, PROC_CHANGE, "name.ja", "x", "only by a correction"},
        {resident, PROC_CORRECT, "resident_id", "x", "cannot be changed"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TYPE(json, json_t) *changes = json_object();
        AUTO_TYPE(json, json_t) *fields = json_object();
        json_object_set_new(changes, rows[i].path, json_string(rows[i].value));
        bool ok = policy_check_changes(rows[i].p, rows[i].procedure, changes, fields);
        AUTO_TEXT key = mem_printf("changes.%s", rows[i].path);
        const char *message = json_string_value(json_object_get(fields, key));
        if (ok != !rows[i].wanted || (!ok && (!message || !strstr(message, rows[i].wanted))))
            fail_msg("row %zu %s: %s", i, rows[i].path, message ? message : "(taken)");
    }
    AUTO_TYPE(json, json_t) *fields = json_object();
    assert_false(policy_check_changes(class2, PROC_REISSUE, NULL, fields));
}

static void evidence_is_asked_for_and_ages(void **state)
{
    (void)state;
    AUTO(policy) resident = loaded(SHIPPED "resident.yaml");
    AUTO(policy) association = loaded(SHIPPED "association.yaml");
#define MANDATE                                                                                    \
    "\"form\":\"3\",\"photo_id\":true,\"mandate\":{\"signed\":true,\"sealed\":true},"              \
    "\"inquiry\":{\"method\":\"post\",\"reply\":\"confirmed\"}"
#define SEAL(day) ",\"seal_certificate\":{\"obtained_on\":\"" day "\"}"
    const struct {
        const struct policy *p;
        enum policy_procedure procedure;
        enum policy_actor actor;
        enum policy_channel channel;
        const char *evidence, *path, *wanted;
    } rows[] = {
        /* D10: obtained within the last three months, asked on 2014-03-16 */
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2013-12-16"), NULL,
            NULL},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2013-12-15"),
            "seal_certificate.obtained_on", "too long ago"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("2014-03-17"),
            "seal_certificate.obtained_on", "in the future"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE SEAL("16.12.2013"),
            "seal_certificate.obtained_on", "must be a day"},
        {resident, PROC_REVOKE, ACTOR_AGENT, CHANNEL_COUNTER, MANDATE,
            "seal_certificate.obtained_on", "is required"},
        {resident, PROC_ISSUE, ACTOR_AGENT, CHANNEL_COUNTER,
            "\"mandate\":{\"signed\":true}" SEAL("2014-03-16"), "mandate.sealed", "is required"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER, "\"form\":\"3\"", "photo_id",
            "is required"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER,
            "\"form\":\"3\",\"photo_id\":true", NULL, NULL},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_COUNTER,
            "\"form\":\"3\",\"photo_id\":true,\"device\":7", "device", "must be true or"},
        {resident, PROC_REVOKE, ACTOR_SUBSCRIBER, CHANNEL_SIGNATURE, "", NULL, NULL},
        {association, PROC_CHANGE, ACTOR_ORGANISATION, CHANNEL_PAPER, "", "form.seal",
            "is required"},
        {association, PROC_WITHDRAW, ACTOR_ORGANISATION, CHANNEL_PAPER,
            "\"form\":{\"seal\":true,\"received_on\":\"2014-03-01\"}", NULL, NULL},
        {association, PROC_WITHDRAW, ACTOR_ORGANISATION, CHANNEL_PAPER,
            "\"form\":{\"seal\":false,\"received_on\":\"2014-03-01\"}", "form.seal",
            "must be true"},
        {association, PROC_REVOKE, ACTOR_OPERATOR, CHANNEL_RECORDED, "", NULL, NULL},
    };
    int64_t now; /* 2014-03-16 in Japan, still the 15th in UTC */
    assert_true(clock_parse("2014-03-16T00:00:00+09:00", 25, &now));
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT text = mem_printf("{\"evidence\":{%s}}", rows[i].evidence);
        AUTO_TYPE(json, json_t) *by = NULL;
        AUTO_TYPE(json, json_t) *fields = json_object();
        struct err err = {0};
        assert_int_equal(json_parse_object(bytes_of_text(text), &by, &err), 0);
        bool ok = policy_check_evidence(
            rows[i].p, rows[i].procedure, rows[i].actor, rows[i].channel, by, now, fields);
        AUTO_TEXT key = mem_printf("by.evidence.%s", rows[i].path ? rows[i].path : "");
        const char *message = json_string_value(json_object_get(fields, key));
        if (ok != !rows[i].path || (!ok && (!message || !strstr(message, rows[i].wanted))))
            fail_msg("row %zu: %s", i, message ? message : "(no such message)");
    }
    AUTO_TYPE(json, json_t) *fields = json_object();
    assert_false(policy_check_evidence(
        association, PROC_CHANGE, ACTOR_ORGANISATION, CHANNEL_PAPER, NULL, now, fields));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applications_are_checked_field_by_field),
        cmocka_unit_test(contracts_and_hosts_are_checked),
        cmocka_unit_test(addresses_cannot_inject),
        cmocka_unit_test(changes_follow_the_effects),
        cmocka_unit_test(evidence_is_asked_for_and_ages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
