/* links: broker */
#include "broker/backlog.h"
#include "broker/ready.h"

#include "base/mem.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct item *make(enum kind_id kind, int64_t run_at, int priority, uint16_t slot)
{
    const struct job job = {.id = uuid_new(),
        .slot = slot,
        .priority = (uint8_t)priority,
        .run_at_ms = run_at,
        .rank = job_rank(run_at, priority),
        .client = (char[]){"test"}};
    return item_new(&job, kind_of(kind));
}

static void item_keeps_client_and_args(void **state)
{
    (void)state;
    const struct job job = {.id = uuid_new(),
        .client = (char[]){"upstream"},
        .args = (uint8_t *)(uintptr_t) "{\"a\":1}",
        .args_length = 7};
    AUTO(item) item = item_new(&job, kind_of(KIND_NOOP));
    assert_string_equal(item->job.client, "upstream");
    assert_memory_equal(item->job.args, "{\"a\":1}", 7);
    item_set_args(item, mem_copy("{}", 2), 2);
    item_set_args(item, mem_copy("{\"b\":2}", 7), 7);
    assert_int_equal(item->job.args_length, 7);
    assert_string_equal(item->job.kind, "noop");
}

/* Against the plainest model there is: a sorted walk. */
static void heap_gives_lowest_first_and_lets_go_of_any(void **state)
{
    (void)state;
    enum { N = 2000 };
    struct heap heap = {0};
    struct item *items[N];
    size_t left = 0;
    for (int i = 0; i < N; i++) {
        items[i] = make(KIND_NOOP, (int64_t)random_below(50), 0, 0);
        heap_push(&heap, items[i], items[i]->job.rank);
    }
    for (int i = 0; i < N; i += 3)
        heap_remove(items[i]);
    for (int i = 0; i < N; i++)
        left += items[i]->heap != NULL;
    assert_int_equal(heap.count, left);
    const struct item *last = NULL;
    while (heap.count) {
        struct item *head = heap_pop(&heap);
        assert_null(head->heap);
        assert_true(!last || item_compare(last, head) < 0);
        last = head;
    }
    assert_null(heap_pop(&heap));
    assert_null(heap_head(&heap));
    heap_clear(&heap);
    for (int i = 0; i < N; i++)
        item_free(items[i]);
}

static void priorities_are_minutes_and_nine_is_first(void **state)
{
    (void)state;
    struct ready r = {0};
    int64_t now = 1000000000;
    struct item *old = make(KIND_NOOP, now - 10 * 60000, 0, 0);
    struct item *young = make(KIND_NOOP, now, 8, 0);
    struct item *younger = make(KIND_NOOP, now, 5, 0);
    struct item *urgent = make(KIND_NOOP, now, 9, 0);
    struct item *order[] = {urgent, old, young, younger};
    ready_put(&r, young, now);
    ready_put(&r, younger, now);
    ready_put(&r, old, now);
    ready_put(&r, urgent, now);
    assert_int_equal(ready_count(&r), 4);
    assert_null(ready_head(&r, KIND_ISSUE));
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(ready_head(&r, KIND_NOOP), order[i]);
        item_free(ready_pop(&r, KIND_NOOP));
    }
    ready_clear(&r);
}

static void scheduled_and_delayed_come_due_by_their_own_clocks(void **state)
{
    (void)state;
    struct ready r = {0};
    struct item *later = make(KIND_MAIL, 5000, 5, 0);
    struct item *paused = make(KIND_MAIL, 0, 5, 0);
    ready_put(&r, later, 1000);
    ready_delay(&r, paused, 300);
    assert_int_equal(later->state, ITEM_SCHEDULED);
    assert_int_equal(r.scheduled_by_kind[KIND_MAIL], 1);
    assert_int_equal(ready_turn(&r, 1000, 100, 10000), 200);
    assert_int_equal(ready_turn(&r, 4999, 299, 10000), 1);
    assert_int_equal(ready_turn(&r, 4999, 300, 10000), 1);
    assert_int_equal(paused->state, ITEM_READY);
    assert_int_equal(ready_turn(&r, 5000, 300, 10000), 10000);
    assert_int_equal(later->state, ITEM_READY);
    assert_int_equal(r.scheduled_by_kind[KIND_MAIL], 0);
    /* A clock set back while it was paused: it is scheduled again. */
    ready_remove(&r, later);
    ready_delay(&r, later, 400);
    ready_turn(&r, 10, 400, 10000);
    assert_int_equal(later->state, ITEM_SCHEDULED);
    ready_remove(&r, later);
    assert_int_equal(r.scheduled_by_kind[KIND_MAIL], 0);
    ready_remove(&r, later); /* in none: nothing */
    ready_clear(&r);
    item_free(later);
    item_free(paused);
}

/* The clock is set back by a day: only what was asked for at a date waits for it. */
static void a_clock_set_back_holds_nothing_up(void **state)
{
    (void)state;
    enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };
    static const struct {
        const char *what;
        int64_t created, run_at; /* against the time before */
        uint32_t attempt;
        int64_t back;
        bool before, after;
    } rows[] = {
        {"accepted just now", 0, 0, 0, DAY, true, true},
        {"accepted an hour ago", -HOUR, -HOUR, 0, DAY, true, true},
        {"another host's clock is ahead", MINUTE, MINUTE, 0, DAY, true, true},
        {"soon", -5 * SECOND, 5 * SECOND, 0, DAY, false, true},
        {"soon, and the clock corrected by a little", -5 * SECOND, 5 * SECOND, 0, SECOND, false,
            false},
        {"soon, by another host's clock, which is ahead by a little", 1, MINUTE, 0, SECOND, false,
            false},
        {"soon, just asked for, and the clock corrected by a little", 0, MINUTE, 0, 2 * SECOND,
            false, false},
        {"soon was long ago", -2 * DAY, -2 * DAY + MINUTE, 0, DAY, true, true},
        {"for tomorrow", 0, DAY, 0, DAY, false, false},
        {"for today, asked for a week ago", -7 * DAY, 0, 0, DAY, true, false},
        {"in two hours", 0, 2 * HOUR, 0, DAY, false, false},
        {"tried and paused", -3 * DAY, 5 * MINUTE, 1, DAY, false, true},
        {"tried and paused, and the clock corrected by a little", 0, 5 * MINUTE, 1, MINUTE, false,
            false},
        {"paused for as long as ever by a host whose clock is ahead by a little", 0,
            10 * MINUTE + 1, 1, SECOND, false, false},
        {"its worker died", -3 * DAY, 0, 2, DAY, true, true},
    };
    const int64_t now = 100 * (int64_t)DAY;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int again = 0; again < 2; again++) { /* in memory then, and read afterwards */
            struct ready r = {.retry_most_ms = 10 * MINUTE};
            AUTO(item) item = make(KIND_MAIL, now + rows[i].run_at, 5, 0);
            item->job.created_ms = now + rows[i].created;
            item->job.attempt = rows[i].attempt;
            ready_put(&r, item, now);
            if ((item->state == ITEM_READY) != rows[i].before)
                fail_msg("%s: %s", rows[i].what, item_state_name(item->state));
            ready_turn(&r, now, 0, 0);
            if (again || rows[i].before) { /* what is ready stays so, but a row may come anew */
                ready_remove(&r, item);
                ready_put(&r, item, now - rows[i].back);
            }
            ready_turn(&r, now - rows[i].back, 0, 0);
            if ((item->state == ITEM_READY) != rows[i].after)
                fail_msg("%s, then back: %s", rows[i].what, item_state_name(item->state));
            assert_int_equal(ready_count(&r), 1);
            assert_int_equal(r.scheduled_by_kind[KIND_MAIL], rows[i].after ? 0 : 1);
            if (rows[i].after)
                assert_ptr_equal(ready_pop(&r, KIND_MAIL), item);
            else
                ready_remove(&r, item);
            assert_int_equal(ready_count(&r), 0);
            ready_clear(&r);
        }
    }
}

/* Those from before the clock was set back are not behind all that comes by the right one. */
static void nor_does_it_push_anything_behind(void **state)
{
    (void)state;
    enum { DAY = 24 * 3600 * 1000 };
    struct ready r = {0};
    const int64_t now = 100 * (int64_t)DAY;
    struct item *urgent = make(KIND_NOOP, now + DAY, 9, 0);
    struct item *old = make(KIND_NOOP, now - 5000, 5, 0);
    struct item *ahead = make(KIND_NOOP, now + DAY, 5, 0);
    struct item *other = make(KIND_MAIL, now + DAY, 5, 0);
    struct item *young = make(KIND_NOOP, now + 10, 5, 0);
    struct item *order[] = {urgent, old, ahead, young};
    urgent->job.created_ms = ahead->job.created_ms = other->job.created_ms = now + DAY;
    ready_put(&r, urgent, now + DAY);
    ready_put(&r, old, now + DAY);
    ready_put(&r, ahead, now + DAY);
    ready_put(&r, other, now + DAY);
    ready_turn(&r, now + DAY, 0, 0);
    ready_turn(&r, now, 0, 0);
    ready_put(&r, young, now + 10);
    assert_true(ready_goes_before(urgent, other));
    assert_true(ready_goes_before(other, young));
    assert_false(ready_goes_before(young, other));
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++) {
        assert_ptr_equal(ready_head(&r, KIND_NOOP), order[i]);
        item_free(ready_pop(&r, KIND_NOOP));
    }
    item_free(ready_pop(&r, KIND_MAIL));
    ready_clear(&r);
}

struct forgotten {
    struct item *items[64];
    size_t count;
};

static void note_forgotten(void *context, struct item *item)
{
    struct forgotten *f = context;
    assert_null(item->heap);
    f->items[f->count++] = item;
}

static void free_forgotten(struct forgotten *f)
{
    while (f->count)
        item_free(f->items[--f->count]);
}

static void free_ready(struct ready *r)
{
    struct forgotten rest = {0};
    for (uint16_t slot = 0; slot < 4; slot++)
        ready_forget_slot(r, slot, note_forgotten, &rest);
    for (int k = 0; k < KINDS; k++) /* those without a row are nobody's slot */
        while (ready_head(r, (enum kind_id)k))
            item_free(ready_pop(r, (enum kind_id)k));
    free_forgotten(&rest);
    ready_clear(r);
}

static void the_least_urgent_is_forgotten_first(void **state)
{
    (void)state;
    struct ready r = {0};
    struct forgotten f = {0};
    for (int i = 0; i < 20; i++)
        ready_put(&r, make(i % 2 ? KIND_NOOP : KIND_ISSUE, 1000 + i * 10, 5, 0), 1100);
    struct item *urgent = make(KIND_REVOKE, 99000, 9, 0); /* scheduled far ahead, and urgent */
    struct item *memory_only = make(KIND_LOOKUP, 99000, 5, 0);
    ready_put(&r, urgent, 1100);
    ready_put(&r, memory_only, 1100);
    assert_int_equal(ready_forget(&r, 5, note_forgotten, &f), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(f.items[i]->job.run_at_ms, 1190 - (int64_t)i * 10);
    free_forgotten(&f);
    assert_int_equal(ready_forget(&r, 100, note_forgotten, &f), 15);
    assert_ptr_equal(urgent->heap, &r.scheduled);
    assert_ptr_equal(memory_only->heap, &r.scheduled);
    free_forgotten(&f);
    ready_turn(&r, 100000, 0, 1);
    free_ready(&r);
}

static void one_kind_is_forgotten_down_to_what_is_kept(void **state)
{
    (void)state;
    struct ready r = {0};
    struct forgotten f = {0};
    for (int i = 0; i < 10; i++) {
        ready_put(&r, make(KIND_MAIL, 1000 + i, 5, 0), i < 8 ? 5000 : 0);
        ready_put(&r, make(KIND_ISSUE, 1000 + i, 5, 1), 5000);
    }
    assert_int_equal(ready_forget_kind(&r, KIND_MAIL, 3, note_forgotten, &f), 7);
    assert_int_equal(f.items[0]->job.run_at_ms, 1009);
    assert_int_equal(r.kinds[KIND_MAIL].count, 3);
    assert_int_equal(r.kinds[KIND_ISSUE].count, 10);
    assert_int_equal(ready_forget_kind(&r, KIND_MAIL, 3, note_forgotten, &f), 0);
    free_forgotten(&f);
    ready_forget_slot(&r, 1, note_forgotten, &f);
    assert_int_equal(f.count, 10);
    free_forgotten(&f);
    free_ready(&r);
}

/* ---- the horizon ---- */

static struct place at(int64_t rank, uint8_t id)
{
    struct place p = {.rank = rank};
    p.id.b[15] = id;
    return p;
}

static void a_horizon_moves_with_pages_and_cuts(void **state)
{
    (void)state;
    struct backlog b = {0};
    struct backlog_page page;
    assert_int_equal(backlog_next(&b, true), -1);
    backlog_own(&b, 3);
    assert_false(backlog_keeps(&b, 3, &(struct place){.rank = 1})); /* not read yet */
    assert_int_equal(backlog_next(&b, false), 3);                   /* even when memory is full */
    backlog_read_begin(&b, 3, &page);
    assert_true(page.from_head);
    assert_int_equal(backlog_next(&b, true), -1); /* one page at a time */
    struct place p = at(900, 1);
    assert_true(backlog_keeps(&b, 3, &p)); /* it may have been committed after the page was read */
    p = at(100, 5);
    assert_true(backlog_read_end(&b, &page, &p, true));
    assert_true(backlog_keeps(&b, 3, &p));
    p = at(100, 6);
    assert_false(backlog_keeps(&b, 3, &p));
    assert_int_equal(backlog_next(&b, false), -1);
    assert_int_equal(backlog_next(&b, true), 3);
    backlog_read_begin(&b, 3, &page);
    assert_false(page.from_head);
    assert_int_equal(page.after.rank, 100);
    assert_int_equal(page.after.id.b[15], 5);
    assert_true(backlog_read_end(&b, &page, NULL, false));
    p = at(INT64_MAX, 255);
    assert_true(backlog_keeps(&b, 3, &p)); /* complete */
    assert_int_equal(backlog_next(&b, true), -1);
    p = at(50, 0);
    backlog_cut(&b, 3, &p);
    assert_false(backlog_keeps(&b, 3, &p));
    p = at(49, 200); /* just before (50, 0), whatever its id */
    assert_true(backlog_keeps(&b, 3, &p));
    p = at(70, 0); /* a cut beyond the horizon changes nothing */
    backlog_cut(&b, 3, &p);
    p = at(49, 201);
    assert_true(backlog_keeps(&b, 3, &p));
    p = at(50, 0);
    assert_false(backlog_keeps(&b, 3, &p));
}

static void pages_overtaken_by_events_are_void(void **state)
{
    (void)state;
    struct backlog b = {0};
    struct backlog_page page;
    struct place last = at(100, 1), cut = at(40, 1);
    backlog_own(&b, 0);
    backlog_read_begin(&b, 0, &page);
    backlog_cut(&b, 0, &cut); /* memory filled up meanwhile */
    assert_false(backlog_read_end(&b, &page, &last, true));
    assert_false(backlog_keeps(&b, 0, &last));
    backlog_read_begin(&b, 0, &page);
    backlog_disown(&b, 0); /* lost and won again */
    backlog_own(&b, 0);
    assert_false(backlog_read_end(&b, &page, &last, false));
    assert_false(backlog_keeps(&b, 0, &cut));
    backlog_read_begin(&b, 0, &page);
    backlog_read_failed(&b, &page);
    assert_int_equal(backlog_next(&b, false), 0);
    assert_false(backlog_owns(&b, 1));
    assert_false(backlog_keeps(&b, SLOTS_MAX, &cut)); /* a slot that does not exist */
}

static void the_lowest_horizon_is_read_on_first(void **state)
{
    (void)state;
    struct backlog b = {0};
    struct backlog_page page;
    static const int64_t ranks[] = {300, 100, 200};
    for (uint16_t slot = 0; slot < 3; slot++) {
        struct place last = at(ranks[slot], 0);
        backlog_own(&b, slot);
        backlog_read_begin(&b, slot, &page);
        backlog_read_end(&b, &page, &last, true);
    }
    assert_int_equal(backlog_next(&b, true), 1);
    b.parked = 4;
    backlog_rewind(&b);
    assert_int_equal(b.parked, 0);
    assert_int_equal(backlog_next(&b, false), 0);
    assert_false(backlog_keeps(&b, 1, &(struct place){.rank = 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_keeps_client_and_args),
        cmocka_unit_test(heap_gives_lowest_first_and_lets_go_of_any),
        cmocka_unit_test(priorities_are_minutes_and_nine_is_first),
        cmocka_unit_test(scheduled_and_delayed_come_due_by_their_own_clocks),
        cmocka_unit_test(a_clock_set_back_holds_nothing_up),
        cmocka_unit_test(nor_does_it_push_anything_behind),
        cmocka_unit_test(the_least_urgent_is_forgotten_first),
        cmocka_unit_test(one_kind_is_forgotten_down_to_what_is_kept),
        cmocka_unit_test(a_horizon_moves_with_pages_and_cuts),
        cmocka_unit_test(pages_overtaken_by_events_are_void),
        cmocka_unit_test(the_lowest_horizon_is_read_on_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
