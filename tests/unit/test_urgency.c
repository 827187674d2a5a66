/* links: lifecycle config */
#include "lifecycle/urgency.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* D3, C6: by reason, actor and channel, whatever priority was asked for. */
static const struct {
    enum kind_id kind;
    const char *args;
    bool is_urgent;
} rows[] = {
    {KIND_REVOKE, "{'reason': 'lost', 'by': {'role': 'subscriber', 'how': 'counter'}}", true},
    {KIND_REVOKE, "{'reason': 'damaged', 'by': {'role': 'agent', 'how': 'counter'}}", true},
    {KIND_REVOKE, "{'reason': 'lost', 'by': {'role': 'subscriber', 'how': 'signature'}}", false},
    {KIND_REVOKE, "{'reason': 'not-needed', 'by': {'role': 'agent', 'how': 'counter'}}", false},
    {KIND_REVOKE, "{'reason': 'keyCompromise', 'by': {'role': 'operator', 'operator': 'x'}}", true},
    {KIND_REVOKE, "{'reason': 'superseded', 'by': {'role': 'operator', 'operator': 'x'}}", false},
    {KIND_REVOKE, "{'reason': 'keyCompromise', 'by': {'role': 'contact', 'how': 'paper'}}", false},
    {KIND_REVOKE, "{'reason': 'keyCompromise'}", false},
    {KIND_REVOKE, "{'reason': 7, 'by': []}", false},
    {KIND_REVOKE, "{'reason': 'lost', 'by': {'role': 'king', 'how': 'counter'}}", false},
    {KIND_REVOKE, "{'reason': 'lost', 'by': {'role': 'agent', 'how': 'owl'}}", false},
    {KIND_REVOKE, "{}", false},
    {KIND_REISSUE, "{'reason': 'key-compromise', 'by': {'role': 'operator', 'operator': 'x'}}",
        true},
    {KIND_REISSUE, "{'reason': 'key-compromise', 'email': 'a@example.jp'}", false},
    {KIND_REISSUE, "{'reason': 'other', 'by': {'role': 'operator', 'operator': 'x'}}", false},
    {KIND_ISSUE, "{'reason': 'lost', 'by': {'role': 'subscriber', 'how': 'counter'}}", false},
};

static void reasons_go_ahead(void **state)
{
    (void)state;
    AUTO(policy_set) set = NULL;
    struct err err = {0};
    if (policy_set_load(CERTQ_SOURCE_DIR "/config/products", &set, &err))
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_TEXT text = mem_text(rows[i].args);
        for (char *p = text; *p; p++)
            if (*p == '\'')
                *p = '"';
        AUTO_TYPE(json, json_t) *args = json_loads(text, 0, NULL);
        assert_non_null(args);
        if (urgency_of(set, rows[i].kind, args) != rows[i].is_urgent)
            fail_msg("%s: %s", kind_name(rows[i].kind), rows[i].args);
    }
    assert_false(urgency_concerns(KIND_ISSUE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reasons_go_ahead)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
