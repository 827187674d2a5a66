/* links: workers */
/* What a request must look like to be signed (D2, E4); the signatures themselves: test_pki_cms.c.
 */
#include "kinds/signature.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static json_t *json_of(const char *text)
{
    AUTO_TEXT quoted = mem_text(text);
    for (char *p = quoted; *p; p++)
        if (*p == '\'')
            *p = '"';
    return json_loads(quoted, 0, NULL);
}

/* What is wrong with args.signature, NULL: nothing. *ret_hash is 65 bytes. */
static char *read_one(const char *args, enum policy_channel how, char *ret_hash)
{
    struct task task = {.args = json_of(args)};
    char *text = json_dumps(task.args, 0);
    const struct job job = {.args = (uint8_t *)text, .args_length = strlen(text)};
    task.job = &job;
    struct actor actor = {ACTOR_SUBSCRIBER, how, ""};
    struct signature s = {0};
    assert_non_null(task.args);
    bool is_read = signature_read(&task, &actor, &s);
    const json_t *message = json_object_get(task.plan.fields, "signature");
    char *wrong = mem_text(json_string_value(message));
    assert_true(is_read == !wrong);
    if (ret_hash)
        memcpy(ret_hash, s.args_sha256, sizeof s.args_sha256);
    signature_clear(&s);
    plan_clear(&task.plan);
    json_decref(task.args);
    free(text);
    return wrong;
}

static void there_is_one_where_one_is_due(void **state)
{
    (void)state;
    static const struct {
        const char *args;
        enum policy_channel how;
        const char *wrong;
    } rows[] = {
        {"{}", CHANNEL_COUNTER, NULL},
        {"{'signature': null}", CHANNEL_SESSION, NULL},
        {"{'signature': 'MAA='}", CHANNEL_COUNTER, "goes with by.how: signature"},
        {"{'signature': 7}", CHANNEL_CREDENTIALS, "goes with by.how: signature"},
        {"{'signature': 'MAA='}", CHANNEL_SIGNATURE, NULL},
        {"{}", CHANNEL_SIGNATURE, "is missing"},
        {"{'signature': null}", CHANNEL_SIGNATURE, "is missing"},
        {"{'signature': ''}", CHANNEL_SIGNATURE, "must be CMS SignedData"},
        {"{'signature': 'M AA='}", CHANNEL_SIGNATURE, "must be CMS SignedData"},
        {"{'signature': {}}", CHANNEL_SIGNATURE, "must be CMS SignedData"},
        {"{'signature': true}", CHANNEL_SIGNATURE, "must be CMS SignedData"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT wrong = read_one(rows[i].args, rows[i].how, NULL);
        if (!wrong != !rows[i].wrong || (wrong && !strstr(wrong, rows[i].wrong)))
            fail_msg("%s: %s", rows[i].args, wrong ? wrong : "taken");
    }
}

/* The hash is over the canonical args without the signature: it does not depend on how they came.
 */
static void the_hash_is_over_everything_else(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{'certificate': 'x', 'by': {'how': 'signature'}, 'signature': 'MAA='}",
        "{'signature': 'MAA=', 'by': {'how': 'signature'}, 'certificate': 'x'}",
        "{  'by' : {'how':'signature'},'certificate':'\\u0078','signature':'MAAA'}",
    };
    char first[65], hash[65];
    free(read_one(same[0], CHANNEL_SIGNATURE, first));
    assert_int_equal(strlen(first), 64);
    for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
        free(read_one(same[i], CHANNEL_SIGNATURE, hash));
        assert_string_equal(hash, first);
    }
    free(read_one("{'certificate': 'y', 'by': {'how': 'signature'}, 'signature': 'MAA='}",
        CHANNEL_SIGNATURE, hash));
    assert_string_not_equal(hash, first);
    /* sha256 of {}, as sha256sum(1) says */
    free(read_one("{'signature': 'MAA='}", CHANNEL_SIGNATURE, hash));
    assert_string_equal(hash, "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_where_one_is_due),
        cmocka_unit_test(the_hash_is_over_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
