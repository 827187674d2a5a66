/* links: audit crypto */
#include "audit/check_file.h"
#include "audit/key.h"
#include "audit/seal_file.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static void must(int result, const struct err *err)
{
    if (result)
        fail_msg("%s: %s", err->code, err->text);
}

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static int start(void **state UNUSED)
{
    snprintf(folder, sizeof folder, "/tmp/certq-audit-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state UNUSED)
{
    AUTO_TEXT command = mem_printf("rm -rf '%s'", folder);
    return system(command);
}

/* --- lines --- */

static const struct audit_line sample = {.id = {{1}},
    .at_ms = 1775001600000,
    .job = {{2, 3}},
    .client = {(const uint8_t *)"web", 3},
    .role = {(const uint8_t *)"operator", 8},
    .channel = {(const uint8_t *)"counter", 7},
    .actor = {(const uint8_t *)"desk-1", 6},
    .event = {(const uint8_t *)"certificate.revoked", 19},
    .subject = {{4}},
    .detail = {(const uint8_t *)"{}", 2}};

/* Computed apart, with Python's hashlib, from the text of docs/security.md. */
static void a_line_has_the_documented_digest(void **state UNUSED)
{
    uint8_t digest[AUDIT_HASH];
    char text[AUDIT_HASH * 2 + 1];
    audit_line_digest(&sample, digest);
    hex_encode(digest, sizeof digest, text);
    assert_string_equal(text, "3aa41114d420bf096fa6bb29e98ca78c613957445bbb70ac67c253eadcec9824");
}

static void every_column_counts(void **state UNUSED)
{
    uint8_t usual[AUDIT_HASH], other[AUDIT_HASH];
    struct audit_line rows[10];
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        rows[i] = sample;
    const struct bytes changed = bytes_of_text("x");
    rows[0].at_ms++;
    rows[1].job.b[15] = 1;
    rows[2].client = changed;
    rows[3].role = changed;
    rows[4].channel = changed;
    rows[5].actor = changed;
    rows[6].event = changed;
    rows[7].subject.b[15] = 1;
    rows[8].detail = changed;
    rows[9].detail = (struct bytes){0};
    audit_line_digest(&sample, usual);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        audit_line_digest(&rows[i], other);
        if (memcmp(usual, other, sizeof usual) == 0)
            fail_msg("row %zu has the digest of the sample", i);
    }
    /* No detail is not an empty one; a byte may not wander from one column into the next. */
    struct audit_line empty = sample, moved = sample;
    empty.detail = bytes_of_text("");
    audit_line_digest(&rows[9], usual);
    audit_line_digest(&empty, other);
    assert_memory_not_equal(usual, other, sizeof usual);
    moved.client = bytes_of_text("we");
    moved.role = bytes_of_text("boperator");
    audit_line_digest(&moved, other);
    audit_line_digest(&sample, usual);
    assert_memory_not_equal(usual, other, sizeof usual);
    /* The id stands beside the digest. */
    struct audit_line renamed = sample;
    renamed.id.b[0] = 9;
    audit_line_digest(&renamed, other);
    assert_memory_equal(usual, other, sizeof usual);
}

/* --- seals and keys --- */

static struct audit_seal seal_of(uint64_t number, const struct audit_seal *before)
{
    struct audit_seal s = {.number = number, .at_ms = 1775001600000 + (int64_t)number};
    struct audit_member *members = mem_zero(2, sizeof *members);
    members[0].id.b[0] = 1;
    members[1].id.b[0] = 2;
    audit_line_digest(&sample, members[1].digest);
    audit_seal_take_members(&s, members, 2);
    if (before) {
        s.after = before->number;
        memcpy(s.previous, before->hash, AUDIT_HASH);
    }
    return s;
}

static struct audit_signer *signer_of(const char *name, struct audit_checker **ret_checker)
{
    struct err err = {0};
    AUTO_TEXT key = mem_printf("%s/%s.key", folder, name);
    AUTO_TEXT public = mem_printf("%s/%s.pem", folder, name);
    struct audit_signer *s = NULL;
    if (access(key, F_OK))
        must(audit_key_generate(key, public, &err), &err);
    must(audit_signer_load(key, public, &s, &err), &err);
    if (ret_checker)
        must(audit_checker_load(public, ret_checker, &err), &err);
    return s;
}

static void a_seal_is_signed_and_read_again(void **state UNUSED)
{
    struct err err = {0};
    AUTO(audit_checker) checker = NULL;
    AUTO(audit_signer) signer = signer_of("one", &checker);
    AUTO_SEAL first = seal_of(1, NULL);
    must(audit_sign(signer, &first, &err), &err);
    assert_true(audit_signed(checker, &first));
    AUTO_BUF line = {0};
    audit_seal_write(&first, &line);
    struct audit_seal read = {0};
    must(audit_seal_parse(buf_bytes(&line), &read, &err), &err);
    assert_memory_equal(read.hash, first.hash, AUDIT_HASH);
    assert_true(audit_signed(checker, &read));
    uint8_t hash[AUDIT_HASH];
    audit_seal_hash(&read, hash); /* the line alone is enough to check it */
    assert_memory_equal(hash, first.hash, AUDIT_HASH);
    static const struct {
        size_t offset;
    } fields[] = {{offsetof(struct audit_seal, number)}, {offsetof(struct audit_seal, after)},
        {offsetof(struct audit_seal, at_ms)}, {offsetof(struct audit_seal, count)},
        {offsetof(struct audit_seal, previous)}, {offsetof(struct audit_seal, members_hash)}};
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++) {
        struct audit_seal other = read;
        ((uint8_t *)&other)[fields[i].offset] ^= 1;
        audit_seal_hash(&other, hash);
        if (memcmp(hash, read.hash, AUDIT_HASH) == 0)
            fail_msg("field %zu is not in the hash", i);
    }
    read.signature[8] ^= 1;
    assert_false(audit_signed(checker, &read));
}

static void a_rotated_key_goes_on_checking(void **state UNUSED)
{
    struct err err = {0};
    AUTO(audit_signer) old = signer_of("turn", NULL);
    AUTO_SEAL before = seal_of(1, NULL);
    must(audit_sign(old, &before, &err), &err);
    AUTO_TEXT key = path_of("turn.key");
    AUTO_TEXT public = path_of("turn.pem");
    must(audit_key_rotate(key, public, &err), &err);
    AUTO(audit_checker) checker = NULL;
    AUTO(audit_signer) new = signer_of("turn", &checker);
    AUTO_SEAL after = seal_of(2, &before);
    must(audit_sign(new, &after, &err), &err);
    assert_int_equal(audit_checker_count(checker), 2);
    assert_string_not_equal(before.key_id, after.key_id);
    assert_string_equal(audit_checker_id(checker, 0), after.key_id);
    assert_true(audit_signed(checker, &before));
    assert_true(audit_signed(checker, &after));
    struct stat st;
    assert_int_equal(stat(key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void wrong_keys_are_refused(void **state UNUSED)
{
    struct err err = {0};
    AUTO(audit_signer) one = signer_of("mine", NULL);
    AUTO(audit_signer) two = signer_of("yours", NULL);
    AUTO(audit_signer) mixed = NULL;
    AUTO(audit_checker) checker = NULL;
    AUTO_TEXT mine = path_of("mine.key");
    AUTO_TEXT yours = path_of("yours.pem");
    AUTO_TEXT empty = path_of("empty.pem");
    assert_int_equal(audit_signer_load(mine, yours, &mixed, &err), -1);
    assert_non_null(strstr(err.text, "lacks the public key"));
    assert_int_equal(audit_key_generate(mine, yours, &err), -1); /* nothing is overwritten */
    assert_int_equal(err.kind, ERR_CONFLICT);
    must(file_write(empty, bytes_of_text("nothing\n"), 0644, &err), &err);
    assert_int_equal(audit_checker_load(empty, &checker, &err), -1);
    assert_non_null(strstr(err.text, "no public key"));
    assert_int_equal(chmod(mine, 0644), 0);
    assert_int_equal(audit_signer_load(mine, yours, &mixed, &err), -1);
    AUTO_SEAL s = seal_of(1, NULL);
    must(audit_sign(one, &s, &err), &err);
    must(audit_checker_load(yours, &checker, &err), &err);
    assert_false(audit_signed(checker, &s));
    assert_false(audit_checker_knows(checker, s.key_id));
}

/* --- the file outside --- */

static void bad_lines_are_no_seals(void **state UNUSED)
{
    static const char *const rows[] = {
        "", "{}", "[1]", "{\"seal\":1", "{\"seal\":1}", "{\"seal\":-1,\"after\":0}"};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        struct audit_seal s;
        if (audit_seal_parse(bytes_of_text(rows[i]), &s, &err) == 0)
            fail_msg("row %zu was taken", i);
    }
}

static void the_end_of_a_file_is_found(void **state UNUSED)
{
    struct err err = {0};
    AUTO(audit_signer) signer = signer_of("end", NULL);
    AUTO_SEAL one = seal_of(1, NULL);
    must(audit_sign(signer, &one, &err), &err);
    AUTO_SEAL two = seal_of(2, &one);
    must(audit_sign(signer, &two, &err), &err);
    AUTO_BUF first = {0}, second = {0};
    audit_seal_write(&one, &first);
    audit_seal_write(&two, &second);
    AUTO_TEXT both = mem_printf("%s%s", buf_text(&first), buf_text(&second));
    AUTO_TEXT torn = mem_printf("%s%.40s", buf_text(&first), buf_text(&second));
    AUTO_TEXT mended = mem_printf("%s\n%s", torn, buf_text(&second));
    const struct {
        const char *content;
        uint64_t last, count;
        size_t bad;
    } rows[] = {{"", 0, 0, 0}, {buf_text(&first), 1, 1, 0}, {both, 2, 2, 0}, {torn, 1, 1, 1},
        {mended, 2, 2, 1}, {"{\"se", 0, 0, 1}};
    AUTO_TEXT path = path_of("seals");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct audit_seal last;
        struct file_seals all = {0};
        must(file_write(path, bytes_of_text(rows[i].content), 0644, &err), &err);
        must(audit_file_last(path, &last, &err), &err);
        must(file_seals_read(path, &all, &err), &err);
        if (last.number != rows[i].last || all.count != rows[i].count ||
            all.bad_count != rows[i].bad)
            fail_msg(
                "row %zu: last %d of %zu, %zu bad", i, (int)last.number, all.count, all.bad_count);
        file_seals_clear(&all);
    }
    struct audit_seal none;
    AUTO_TEXT nowhere = path_of("nowhere");
    must(audit_file_last(nowhere, &none, &err), &err);
    assert_int_equal(none.number, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_documented_digest),
        cmocka_unit_test(every_column_counts),
        cmocka_unit_test(a_seal_is_signed_and_read_again),
        cmocka_unit_test(a_rotated_key_goes_on_checking),
        cmocka_unit_test(wrong_keys_are_refused),
        cmocka_unit_test(bad_lines_are_no_seals),
        cmocka_unit_test(the_end_of_a_file_is_found),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
