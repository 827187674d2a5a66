/* links: broker */
#include "broker/groups.h"
#include "broker/slots.h"

#include "wire/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 16, ISSUE = 1, MAIL = 2 };

/* A registry of the table's shape, and brokers that read and change it as keepers do. */
struct world {
    struct slot_row rows[SLOTS];
    struct uuid lives[3];
    uint64_t beats[3], kinds[3];
    bool is_gone[3]; /* killed: its row stays, its beat does not move */
    bool is_unborn[3];
    struct slots views[3];
    int64_t now_ms;
};

static void world_init(struct world *w, int n)
{
    memset(w, 0, sizeof *w);
    for (uint16_t i = 0; i < SLOTS; i++)
        w->rows[i].id = i;
    for (int i = 0; i < 3; i++) {
        w->lives[i] = uuid_new();
        w->is_unborn[i] = i >= n;
        slots_init(&w->views[i], &w->lives[i]);
    }
    w->now_ms = 1000000;
}

static size_t held(const struct world *w, int broker)
{
    size_t n = 0;
    for (int i = 0; i < SLOTS; i++)
        n += uuid_equal(&w->rows[i].broker, &w->lives[broker]);
    return n;
}

static void one_round(struct world *w, int broker)
{
    struct slots *s = &w->views[broker];
    struct slots_plan plan;
    w->beats[broker]++;
    for (int i = 0; i < SLOTS; i++)
        w->rows[i].beat += uuid_equal(&w->rows[i].broker, &w->lives[broker]);
    slots_observe(s, w->rows, SLOTS, w->now_ms);
    slots_peers_begin(s);
    for (int i = 0; i < 3; i++)
        if (!w->is_unborn[i])
            slots_peer(s, &w->lives[i], w->kinds[i], w->beats[i], w->now_ms);
    slots_peers_end(s);
    slots_decide(s, w->kinds[broker], w->now_ms, &plan);
    for (size_t i = 0; i < plan.give_count; i++) {
        w->rows[plan.give[i]].broker = (struct uuid){{0}};
        w->rows[plan.give[i]].epoch++;
    }
    for (size_t i = 0; i < plan.take_count; i++) {
        struct slot_row *row = &w->rows[plan.take[i].id];
        if (row->epoch != plan.take[i].epoch) /* the compare-and-set of the table */
            continue;
        row->broker = w->lives[broker];
        row->epoch++;
        row->beat = 0;
    }
    slots_observe(s, w->rows, SLOTS, w->now_ms);
}

static void rounds(struct world *w, int n)
{
    while (n-- > 0) {
        for (int i = 0; i < 3; i++)
            if (!w->is_gone[i] && !w->is_unborn[i])
                one_round(w, i);
        w->now_ms += SLOTS_BEAT_MS;
    }
}

static void one_broker_takes_all_at_once(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    rounds(&w, 1);
    assert_int_equal(held(&w, 0), SLOTS);
    assert_true(slots_holds(&w.views[0], 7));
    assert_false(slots_holds(&w.views[0], SLOTS));
    rounds(&w, 20);
    assert_int_equal(held(&w, 0), SLOTS);
}

static void brokers_share(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 1);
    rounds(&w, 3);
    w.is_unborn[1] = false;
    rounds(&w, 4);
    assert_int_equal(held(&w, 0), 8);
    assert_int_equal(held(&w, 1), 8);
    w.is_unborn[2] = false;
    rounds(&w, 6);
    for (int i = 0; i < 3; i++)
        assert_in_range(held(&w, i), 4, 6);
    assert_int_equal(held(&w, 0) + held(&w, 1) + held(&w, 2), SLOTS);
    uint64_t epoch = w.rows[0].epoch;
    rounds(&w, 20);
    assert_int_equal(w.rows[0].epoch, epoch); /* settled: nothing goes back and forth */
}

static void a_dead_brokers_slots_are_adopted_in_time(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    rounds(&w, 6);
    w.is_gone[1] = true;
    int64_t died = w.now_ms;
    rounds(&w, 4);
    assert_int_equal(held(&w, 1), 8); /* 8 s: it may only be slow */
    for (int i = 0; held(&w, 1) > 0 && i < 10; i++)
        rounds(&w, 1);
    assert_int_equal(held(&w, 0), SLOTS);
    assert_in_range(w.now_ms - died, 10000, 14000);
    assert_true(slots_peer_is_dead(&w.views[0], &w.lives[1]));
}

static void readings_in_a_hurry_do_not_kill(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    rounds(&w, 6);
    for (int i = 0; i < 100; i++) { /* pokes: a hundred rounds within a second */
        one_round(&w, 0);
        w.now_ms += 10;
    }
    assert_int_equal(held(&w, 1), 8);
    assert_false(slots_peer_is_dead(&w.views[0], &w.lives[1]));
}

static void a_beat_that_moves_again_starts_the_count_anew(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    rounds(&w, 6);
    w.is_gone[1] = true;
    rounds(&w, 4);
    w.is_gone[1] = false;
    rounds(&w, 1);
    w.is_gone[1] = true;
    rounds(&w, 4);
    assert_int_equal(held(&w, 1), 8);
}

static void without_a_worker_for_a_kind_slots_are_given_up(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    w.kinds[0] = w.kinds[1] = ISSUE | MAIL;
    rounds(&w, 6);
    w.kinds[1] = ISSUE; /* its mail workers are gone */
    rounds(&w, 4);
    assert_int_equal(held(&w, 1), 8); /* 8 s: they may come back */
    rounds(&w, 4);
    assert_int_equal(held(&w, 1), 0);
    assert_int_equal(held(&w, 0), SLOTS);
    w.kinds[1] = ISSUE | MAIL;
    rounds(&w, 4);
    assert_int_equal(held(&w, 1), 8);
}

static void brokers_with_different_workers_do_not_both_step_back(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    w.kinds[0] = ISSUE;
    w.kinds[1] = MAIL;
    rounds(&w, 20);
    assert_int_equal(held(&w, 0), SLOTS); /* the older life */
    w.kinds[1] = MAIL | 4;
    rounds(&w, 20);
    assert_int_equal(held(&w, 1), SLOTS); /* more kinds */
    w.kinds[0] = w.kinds[1] = 0;
    rounds(&w, 20);
    assert_int_equal(held(&w, 0), 8); /* no workers anywhere: shared */
}

static void a_buried_peer_is_forgotten(void **state)
{
    (void)state;
    struct world w;
    world_init(&w, 2);
    rounds(&w, 3);
    w.is_unborn[1] = w.is_gone[1] = true;
    for (int i = 0; i < SLOTS; i++)
        if (uuid_equal(&w.rows[i].broker, &w.lives[1]))
            w.rows[i] = (struct slot_row){.id = w.rows[i].id, .epoch = w.rows[i].epoch + 1};
    rounds(&w, 2);
    assert_int_equal(held(&w, 0), SLOTS);
    assert_int_equal(w.views[0].peer_count, 0);
}

/* ---- groups ---- */

static struct item *make_item(void)
{
    const struct job job = {.id = uuid_new(), .client = (char[]){"test"}};
    return item_new(&job, kind_of(KIND_NOOP));
}

static void groups_are_lost_by_heartbeats_and_deadlines(void **state)
{
    (void)state;
    AUTO(groups) groups = groups_new();
    struct group_list list = {0};
    struct item *items[] = {make_item(), make_item(), make_item()};
    int64_t now = 50000;
    struct group *a = groups_open(groups, NULL, &list, kind_of(KIND_NOOP), items, 2, now);
    struct group *b = groups_open(groups, NULL, &list, kind_of(KIND_NOOP), items + 2, 1, now);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.jobs, 3);
    assert_int_equal(items[0]->state, ITEM_RUNNING);
    assert_ptr_equal(items[2]->group, b);
    assert_ptr_equal(groups_find(groups, &a->id), a);
    struct uuid stranger = uuid_new(), both[] = {a->id, stranger, b->id};
    /* The heartbeat may have crossed the group: not counted yet. */
    groups_heartbeat(groups, &list, NULL, 0, now + WORKER_HEARTBEAT_MS);
    assert_int_equal(a->missed, 0);
    now += 2 * WORKER_HEARTBEAT_MS;
    groups_heartbeat(groups, &list, &b->id, 1, now);
    assert_false(group_is_lost(a, now));
    groups_heartbeat(groups, &list, both, 3, now); /* there again */
    groups_heartbeat(groups, &list, &b->id, 1, now);
    assert_false(group_is_lost(a, now));
    groups_heartbeat(groups, &list, &b->id, 1, now);
    assert_true(group_is_lost(a, now));
    assert_false(group_is_lost(b, now));
    assert_false(group_is_lost(b, b->deadline_ms));
    assert_true(group_is_lost(b, b->deadline_ms + 1));
    groups_close(groups, &list, a);
    assert_null(items[0]->group);
    assert_ptr_equal(items[2]->group, b);
    assert_int_equal(list.jobs, 1);
    assert_int_equal(groups_count(groups), 1);
    groups_close(groups, &list, b);
    assert_null(list.first);
    for (int i = 0; i < 3; i++)
        item_free(items[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_broker_takes_all_at_once),
        cmocka_unit_test(brokers_share),
        cmocka_unit_test(a_dead_brokers_slots_are_adopted_in_time),
        cmocka_unit_test(readings_in_a_hurry_do_not_kill),
        cmocka_unit_test(a_beat_that_moves_again_starts_the_count_anew),
        cmocka_unit_test(without_a_worker_for_a_kind_slots_are_given_up),
        cmocka_unit_test(brokers_with_different_workers_do_not_both_step_back),
        cmocka_unit_test(a_buried_peer_is_forgotten),
        cmocka_unit_test(groups_are_lost_by_heartbeats_and_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
