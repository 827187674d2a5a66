/* links: mail lifecycle config */
/*
 * Properties over random histories of each product: never two valid certificates in a chain outside
 * a deferral (C5), the root's expiry (A9), the CRL complete and nothing ever un-revoked (B4), one
 * notice (X3), deferrals to the second and of the right one (X4), no code after its death (X6), no
 * secret in a plan (X5), mails whose texts can be made (X9), refusals that change nothing, and a
 * way out of every state.
 *
 *     HISTORIES=5000 SEED=7 PRODUCT=web-ev test_histories
 */
#include "history.h"

#include <stdlib.h>

enum { HISTORIES = 15, SHRINKS = 400 };

static struct history_setting setting;

/* What no product of ours has: several moments to choose from, renewals that revoke, by code and at
 * once. */
static const char *const more_products[] = {
    "product: choosing\nextends: association\nreissue:\n"
    "  predecessor: {choices: [immediate, deferred, on-retrieval], default: none, "
    "defer_days: 5}\n",
    "product: succeeding\nextends: online-banking\nrenew: {predecessor: immediate}\n",
    "product: renewing\nextends: association\nwho: {renew: {operator: recorded}}\n"
    "renew: {mode: application, review: always, csr: at-retrieval, predecessor: immediate}\n",
    "product: fresh\nextends: association\nreissue: {expiry: fresh}\n",
    "product: servers\nextends: web-ev\nreissue: {review: never, window: none, most: none, "
    "outside: ~}\n",
};

/* The products, those made for a rule, and the seventh, which no code knows. */
static int start(void **state UNUSED)
{
    AUTO_BUF seventh = {0};
    struct err err = {0};
    history_setting_init(&setting);
    if (file_read(CERTQ_SOURCE_DIR "/tests/data/products/lawyers.yaml", 1 << 20, &seventh, &err))
        fail_msg("%s", err.text);
    add_product(setting.base.set, "lawyers.yaml", buf_text(&seventh));
    for (size_t i = 0; i < ARRAY_LENGTH(more_products); i++)
        add_product(setting.base.set, "more.yaml", more_products[i]);
    qsort(setting.base.set->items, setting.base.set->count, sizeof(struct policy *), by_name);
    return 0;
}

static int stop(void **state UNUSED)
{
    history_setting_clear(&setting);
    return 0;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* --- running one --- */

struct run {
    const struct policy *policy;
    uint64_t steps[HISTORY_STEPS];
    size_t count;
    uint64_t end; /* seed of the end */
    size_t done, refused, mails;
    size_t failed_at; /* steps that were taken */
    char failure[HISTORY_FAILURE];
};

static bool run(struct run *r, struct buf *trace)
{
    struct history h;
    history_init(&h, &setting, r->policy);
    h.trace = trace;
    r->failed_at = r->count;
    for (size_t i = 0; i < r->count && !h.failure[0]; i++) {
        history_step(&h, r->steps[i]);
        if (h.failure[0])
            r->failed_at = i + 1;
    }
    h.random = (struct history_random){r->end};
    if (!h.failure[0])
        history_end(&h);
    r->done += h.answers_done;
    r->refused += h.answers_refused;
    r->mails += h.mails;
    snprintf(r->failure, sizeof r->failure, "%s", h.failure);
    history_clear(&h);
    return !r->failure[0];
}

/* --- making a failure short --- */

/* Leaves out runs of steps as long as something still fails. */
static void shrink(struct run *r)
{
    size_t tries = 0;
    r->count = r->failed_at;
    for (size_t length = r->count / 2; length > 0; length /= 2)
        for (size_t at = 0; at + length <= r->count && tries < SHRINKS; tries++) {
            struct run shorter = *r;
            memmove(shorter.steps + at, shorter.steps + at + length,
                (r->count - at - length) * sizeof *r->steps);
            shorter.count -= length;
            if (run(&shorter, NULL)) {
                at += length;
            } else {
                shorter.count = shorter.failed_at;
                *r = shorter;
            }
        }
}

static void report(struct run *r, uint64_t seed)
{
    struct buf trace = {0};
    shrink(r);
    run(r, &trace);
    fprintf(stderr, "%s\n%s\n", buf_text(&trace), r->failure);
    buf_free(&trace);
    fail_msg("SEED=%llu PRODUCT=%s: see the %zu steps above", (unsigned long long)seed,
        r->policy->name, r->count);
}

static void run_product(const struct policy *policy)
{
    const uint64_t histories = number("HISTORIES", HISTORIES), first = number("SEED", 1);
    size_t done = 0, refused = 0, mails = 0;
    for (uint64_t n = 0; n < histories; n++) {
        struct history_random random = {first + n};
        struct run r = {.policy = policy, .count = HISTORY_STEPS};
        for (size_t i = 0; i < HISTORY_STEPS; i++)
            r.steps[i] = draw_next(&random);
        r.end = draw_next(&random);
        if (!run(&r, NULL))
            report(&r, first + n);
        done += r.done;
        refused += r.refused;
        mails += r.mails;
    }
    print_message("%s: %llu histories, %zu done, %zu refused, %zu mails\n", policy->name,
        (unsigned long long)histories, done, refused, mails);
    /* A history in which everything is refused shows nothing. */
    assert_true(done * 10 > refused);
}

static void random_histories(void **state UNUSED)
{
    const char *only = getenv("PRODUCT");
    for (size_t i = 0; i < setting.base.set->count; i++)
        if (!only || strcmp(only, setting.base.set->items[i]->name) == 0)
            run_product(setting.base.set->items[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
