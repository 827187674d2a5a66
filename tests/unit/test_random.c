/* links: base */
/* The pool behind small draws: nothing is handed out twice, neither to threads nor to children. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DRAWS = 500, WIDTH = 16, THREADS = 4 };

static uint8_t drawn[THREADS][DRAWS][WIDTH];

static void *draw_many(void *arg)
{
    for (size_t i = 0; i < DRAWS; i++)
        random_bytes(drawn[(size_t)(uintptr_t)arg][i], WIDTH);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, WIDTH);
}

static void test_no_draw_twice(void **state UNUSED)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw_many, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint8_t *all = &drawn[0][0][0];
    qsort(all, (size_t)THREADS * DRAWS, WIDTH, compare);
    for (size_t i = 1; i < (size_t)THREADS * DRAWS; i++)
        assert_memory_not_equal(all + i * WIDTH, all + (i - 1) * WIDTH, WIDTH);
}

static void test_child_draws_its_own(void **state UNUSED)
{
    uint8_t before, ours[WIDTH], theirs[WIDTH];
    int ends[2];
    random_bytes(&before, 1); /* the pool is filled, then copied by fork */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        random_bytes(theirs, WIDTH);
        _exit(write(ends[1], theirs, WIDTH) == WIDTH ? 0 : 1);
    }
    random_bytes(ours, WIDTH);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(ends[0], theirs, WIDTH), WIDTH);
    assert_memory_not_equal(ours, theirs, WIDTH);
    close(ends[0]);
    close(ends[1]);
}

static void test_lengths(void **state UNUSED)
{
    static const size_t lengths[] = {1, 15, 64, 65, 1024, 5000};
    static uint8_t bytes[5001];
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        size_t n = lengths[i], zeros = 0;
        memset(bytes, 0, sizeof bytes);
        for (int k = 0; k < 8; k++) /* eight draws of one byte are not all zero */
            random_bytes(bytes + (n > 1 ? 0 : k), n);
        for (size_t k = 0; k < n; k++)
            zeros += !bytes[k];
        if (n > 8)
            assert_true(zeros < n / 2);
        assert_int_equal(bytes[n > 1 ? n : 8], 0); /* never past the end */
    }
}

static void test_below(void **state UNUSED)
{
    static const uint64_t bounds[] = {1, 2, 3, 7, 1000};
    unsigned seen[7] = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(bounds); i++)
        for (int k = 0; k < 200; k++)
            assert_true(random_below(bounds[i]) < bounds[i]);
    for (int k = 0; k < 2000; k++)
        seen[random_below(7)]++;
    for (size_t i = 0; i < 7; i++)
        assert_true(seen[i] > 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_draw_twice),
        cmocka_unit_test(test_child_draws_its_own),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
