/* links: crypto */
#include "crypto/scrypt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct secret *secret_text(const char *text)
{
    return secret_new(text, strlen(text));
}

/* Made by others: RFC 7914 section 12, passlib's documentation, Python's hashlib. */
static void hashes_of_others_verify(void **state)
{
    (void)state;
    static const struct {
        const char *password, *text;
    } rows[] = {
        {"pleaseletmein",
            "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLV"
            "QylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"},
        {"password",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjj"
            "JxD+iCs5E"},
        {"申請パスワード",
            "$scrypt$ln=15,r=8,p=1$AAECAwQFBgcICQoLDA0ODw$frNE7uaeZC9qCA1L9sPJjeUKzuwWEq"
            "pSK+XA+vEt6cc"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(secret) right = secret_text(rows[i].password);
        AUTO(secret) wrong = secret_new(right->data, right->length - 1);
        struct err err = {0};
        bool match = false;
        if (scrypt_verify(right, rows[i].text, &match, &err) || !match)
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(scrypt_verify(wrong, rows[i].text, &match, &err), 0);
        assert_false(match);
    }
}

static void hashes_have_their_own_salt(void **state)
{
    (void)state;
    static const struct scrypt_params params = {.ln = 10, .r = 8, .p = 2};
    AUTO(secret) password = secret_text("correct horse");
    AUTO_TEXT one = NULL;
    AUTO_TEXT two = NULL;
    struct err err = {0};
    assert_int_equal(scrypt_hash(password, &params, &one, &err), 0);
    assert_int_equal(scrypt_hash(password, &params, &two, &err), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(strncmp(one, "$scrypt$ln=10,r=8,p=2$", 22), 0);
    assert_null(strchr(one + 22, '='));
    assert_int_equal(scrypt_text_valid(one, &scrypt_bounds_default, &err), 0);
    bool match = false;
    assert_int_equal(scrypt_verify(password, two, &match, &err), 0);
    assert_true(match);
    AUTO(secret) empty = secret_new("", 0);
    AUTO_TEXT of_empty = NULL;
    assert_int_equal(scrypt_hash(empty, &params, &of_empty, &err), 0);
    assert_int_equal(scrypt_verify(empty, of_empty, &match, &err), 0);
    assert_true(match);
    assert_int_equal(scrypt_verify(password, of_empty, &match, &err), 0);
    assert_false(match);
}

/* Whether it needs no memory limit of its own: N = 2^15 at r = 8 is where OpenSSL's default ends.
 */
static void big_hashes_are_computed(void **state)
{
    (void)state;
    static const struct scrypt_params params = {.ln = 16, .r = 8, .p = 1};
    AUTO(secret) password = secret_text("p");
    AUTO_TEXT text = NULL;
    struct err err = {0};
    assert_int_equal(scrypt_hash(password, &params, &text, &err), 0);
    scrypt_dummy(password, &params);
}

#define SALT "AAECAwQFBgcICQoLDA0ODw"
#define HASH "frNE7uaeZC9qCA1L9sPJjeUKzuwWEqpSK+XA+vEt6cc"

static void hashes_from_upstream_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says; /* NULL: good */
    } rows[] = {
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH, NULL},
        {"$scrypt$ln=10,r=1,p=1$AAECAwQFBgc$" HASH, NULL},
        {"$scrypt$ln=20,r=8,p=1$" SALT "$" HASH, NULL},
        {"$scrypt$ln=9,r=8,p=1$" SALT "$" HASH, "ln=9 is outside 10..20"},
        {"$scrypt$ln=21,r=8,p=1$" SALT "$" HASH, "ln=21 is outside"},
        {"$scrypt$ln=15,r=0,p=1$" SALT "$" HASH, "r=0 is outside 1..32"},
        {"$scrypt$ln=15,r=33,p=1$" SALT "$" HASH, "r=33 is outside"},
        {"$scrypt$ln=15,r=8,p=0$" SALT "$" HASH, "p=0 is outside 1..16"},
        {"$scrypt$ln=15,r=8,p=17$" SALT "$" HASH, "p=17 is outside"},
        {"$scrypt$ln=20,r=9,p=1$" SALT "$" HASH, "1152 MiB of memory, at most 1024"},
        {"$scrypt$ln=20,r=8,p=2$" SALT "$" HASH, "over 1024 MiB p=2 times"},
        {"$scrypt$ln=16,r=8,p=16$" SALT "$" HASH, NULL},
        {"$scrypt$ln=17,r=8,p=9$" SALT "$" HASH, "over 128 MiB p=9 times"},
        {"$scrypt$ln=15,r=8,p=1$AAECAwQFBg$" HASH, "salt of 7 bytes"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$AAECAwQFBgcICQoLDA0ODw", "hash of 16 bytes"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH HASH "AA", "hash of 66 bytes"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH "==", "hash is not base64"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "==$" HASH "=", NULL}, /* padded, as most write it */
        {"$scrypt$ln=15,r=8,p=1$" SALT "=$" HASH, "salt is not base64"},
        {"$scrypt$ln=15,r=8,p=1$" SALT, "salt is not base64"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$", "hash of 0 bytes"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH "$", "hash is not base64"},
        {"$scrypt$ln=15,r=8,p=1$" SALT "$" HASH "\n", "hash is not base64"},
        {"$scrypt$ln=15,p=1,r=8$" SALT "$" HASH, "not of the form"},
        {"$scrypt$ln=015,r=8,p=1$" SALT "$" HASH, "not of the form"},
        {"$scrypt$ln=-15,r=8,p=1$" SALT "$" HASH, "not of the form"},
        {"$scrypt$ln=999999999999,r=8,p=1$" SALT "$" HASH, "not of the form"},
        {"$scrypt$ln=,r=8,p=1$" SALT "$" HASH, "not of the form"},
        {"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "not of the form"},
        {"plain text", "not of the form"},
        {"$scrypt$", "not of the form"},
        {"", "not of the form"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct err err = {0};
        int failed = scrypt_text_valid(rows[i].text, &scrypt_bounds_default, &err);
        if (failed != (rows[i].says ? -1 : 0) || (failed && !strstr(err.text, rows[i].says)))
            fail_msg("%s: %s", rows[i].text, err.text);
        if (failed)
            assert_int_equal(err.kind, ERR_INPUT);
    }
    char longest[SCRYPT_TEXT_MOST + 2];
    memset(longest, 'A', sizeof longest);
    memcpy(longest, "$scrypt$ln=15,r=8,p=1$", 22);
    longest[sizeof longest - 1] = '\0';
    struct err err = {0};
    assert_int_equal(scrypt_text_valid(longest, &scrypt_bounds_default, &err), -1);
    bool match = true;
    AUTO(secret) password = secret_text("p");
    assert_int_equal(scrypt_verify(password, "x", &match, &err), -1);
    static const struct scrypt_params weak = {.ln = 4, .r = 8, .p = 1};
    AUTO_TEXT text = NULL;
    assert_int_equal(scrypt_hash(password, &weak, &text, &err), -1);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_of_others_verify),
        cmocka_unit_test(hashes_have_their_own_salt),
        cmocka_unit_test(big_hashes_are_computed),
        cmocka_unit_test(hashes_from_upstream_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
