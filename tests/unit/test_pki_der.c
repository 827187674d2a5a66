/* links: pki */
#include "pki_support.h"

#include "base/clock.h"
#include "base/hex.h"
#include "pki/der.h"
#include "pki/pem.h"

static char *hex_of(struct bytes bytes)
{
    char *text = mem_zero(bytes.length * 2 + 1, 1);
    hex_encode(bytes.data, bytes.length, text);
    return text;
}

static int64_t at(const char *text)
{
    int64_t ms = 0;
    assert_true(clock_parse(text, strlen(text), &ms));
    return ms;
}

static void times_switch_form_in_2050(void **state)
{
    (void)state;
    static const struct {
        const char *time;
        uint8_t tag;
        const char *text;
    } rows[] = {
        {"1970-01-01T00:00:00Z", DER_UTC_TIME, "700101000000Z"},
        {"2000-02-29T12:34:56Z", DER_UTC_TIME, "000229123456Z"},
        {"2026-04-01T00:00:00.999Z", DER_UTC_TIME, "260401000000Z"},
        {"2049-12-31T23:59:59.999Z", DER_UTC_TIME, "491231235959Z"},
        {"2050-01-01T00:00:00Z", DER_GENERALIZED_TIME, "20500101000000Z"},
        {"2100-02-28T23:59:59Z", DER_GENERALIZED_TIME, "21000228235959Z"},
        {"2100-03-01T00:00:00Z", DER_GENERALIZED_TIME, "21000301000000Z"},
        {"9999-12-31T23:59:59Z", DER_GENERALIZED_TIME, "99991231235959Z"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_DER d = {0};
        struct bytes content, in;
        int64_t back = 0, time = at(rows[i].time);
        der_time(&d, time);
        in = der_bytes(&d);
        assert_true(der_read(&in, rows[i].tag, &content));
        AUTO_TEXT text = bytes_to_text(content);
        assert_string_equal(text, rows[i].text);
        in = der_bytes(&d);
        assert_true(der_read_time(&in, &back));
        assert_int_equal(back, time / 1000 * 1000);
        assert_int_equal(in.length, 0);
    }
    AUTO_DER d = {0};
    der_time(&d, -1); /* before 1970 rounds down too */
    assert_memory_equal(der_bytes(&d).data + 2, "691231235959Z", 13);
    assert_true(der_time_fits(at("9999-12-31T23:59:59.999Z")));
    assert_false(der_time_fits(at("9999-12-31T23:59:59.999Z") + 1));
    assert_false(der_time_fits(INT64_MIN));
    assert_false(der_time_fits(INT64_MAX));
}

static void times_are_read_strictly(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\x17\x0d"
        "260230000000Z",
        "\x17\x0d"
        "250229000000Z",
        "\x17\x0d"
        "261301000000Z",
        "\x17\x0d"
        "260101240000Z",
        "\x17\x0d"
        "260101000060Z",
        "\x17\x0d"
        "260101000000+",
        "\x17\x0b"
        "2601010000Z",
        "\x18\x0d"
        "260101000000Z",
        "\x18\x0f"
        "2026010100000 ",
        "\x18\x12"
        "20260101000000.50Z",
        "\x17\x0e"
        "260101000000Z",
        "\x16\x0d"
        "260101000000Z",
        "\x17",
        "",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct bytes in = bytes_of_text(rows[i]);
        int64_t ms;
        if (der_read_time(&in, &ms))
            fail_msg("row %zu was taken", i);
        assert_int_equal(in.length, strlen(rows[i]));
    }
}

static void integers_are_minimal(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        const char *hex;
    } rows[] = {
        {0, "020100"},
        {1, "020101"},
        {127, "02017f"},
        {128, "02020080"},
        {255, "020200ff"},
        {256, "02020100"},
        {0x8000, "0203008000"},
        {UINT64_MAX, "020900ffffffffffffffff"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_DER d = {0};
        der_integer(&d, rows[i].value);
        AUTO_TEXT hex = hex_of(der_bytes(&d));
        assert_string_equal(hex, rows[i].hex);
    }
    static const char *const bad[] = {"0200", "020180", "02020001", "0202ff80", "0203000001", "02"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        uint8_t bytes[8];
        struct bytes in = {bytes, strlen(bad[i]) / 2}, value;
        assert_true(hex_decode(bad[i], strlen(bad[i]), bytes));
        if (der_read_unsigned(&in, &value))
            fail_msg("%s was taken", bad[i]);
    }
}

static void lengths_nest(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 127, 128, 255, 256, 65535, 65536, 70000};
    for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
        AUTO_DER d = {0};
        AUTO_BUF content = {0};
        memset(buf_reserve(&content, lengths[i]), 'x', lengths[i]);
        der_integer(&d, 7);
        size_t mark = der_length(&d);
        der_value(&d, DER_OCTET_STRING, content.data, lengths[i]);
        der_close_bits(&d, mark);
        der_close(&d, DER_SEQUENCE, 0);
        struct bytes in = der_bytes(&d), body, bits, octets, seven;
        assert_true(der_read(&in, DER_SEQUENCE, &body) && in.length == 0);
        assert_true(der_read(&body, DER_BIT_STRING, &bits) && bits.data[0] == 0);
        bits.data++, bits.length--;
        assert_true(der_read(&bits, DER_OCTET_STRING, &octets) && bits.length == 0);
        assert_int_equal(octets.length, lengths[i]);
        assert_true(der_read_unsigned(&body, &seven) && seven.data[0] == 7 && body.length == 0);
    }
}

static void the_reader_takes_der_only(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",               /* nothing */
        "30",             /* no length */
        "3001",           /* cut */
        "3080",           /* indefinite */
        "30800000",       /* indefinite */
        "308100",         /* long form of a short length */
        "30817f",         /* the same */
        "30820001ff",     /* leading zero */
        "30850000000001", /* five octets */
        "3084ffffffff",   /* longer than what is there */
        "30ff",           /* reserved */
        "3f0100",         /* high tag number */
        "1f8101",         /* high tag number */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF bytes = {0};
        size_t n = strlen(rows[i]);
        assert_true(hex_decode(rows[i], n, buf_reserve(&bytes, n / 2)));
        /* An allocation of exactly this size, so that the sanitizer sees one octet too many. */
        uint8_t *exact = mem_copy(bytes.data, n / 2 ? n / 2 : 1);
        struct bytes in = {exact, n / 2};
        if (der_read_any(&in, NULL, NULL, NULL))
            fail_msg("%s was taken", rows[i]);
        free(exact);
    }
}

static void pem_is_one_block(void **state)
{
    (void)state;
    static const struct {
        const char *text, *word; /* NULL: taken, and gives "hello" */
    } rows[] = {
        {"-----BEGIN A-----\naGVsbG8=\n-----END A-----\n", NULL},
        {"-----BEGIN A-----\r\naGVs\r\nbG8=\r\n-----END A-----\r\n", NULL},
        {" \n-----BEGIN B C-----\naGVsbG8=\n-----END B C-----\n\n\t", NULL},
        {"-----BEGIN A-----\naGVsbG8=\n-----END B C-----\n", "does not end"},
        {"x -----BEGIN A-----\naGVsbG8=\n-----END A-----\n", "does not begin"},
        {"-----BEGIN A-----\naGVsbG8=\n-----END A-----\nx", "does not end"},
        {"-----BEGIN A-----\naGVsbG8=\n-----END A-----\n"
         "-----BEGIN A-----\naGVsbG8=\n-----END A-----\n",
            "more than one"},
        {"-----BEGIN A-----\nProc-Type: 4\n\naGVsbG8=\n-----END A-----\n", "more than one"},
        {"-----BEGIN A-----\naGVsbG8\n-----END A-----\n", "base64"},
        {"-----BEGIN A-----\naGVs\x01G8=\n-----END A-----\n", "base64"},
        {"-----BEGIN A-----\n-----END A-----\n", "base64"},
        {"-----BEGIN A-----", "does not end"},
        {"", "does not begin"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO_BUF der = {0};
        struct bytes text = bytes_of_text(rows[i].text);
        if (rows[i].word) {
            refused(pem_read_one(text, "A", "B C", &der, &pki_err), ERR_INPUT, rows[i].word);
            continue;
        }
        ok(pem_read_one(text, "A", "B C", &der, &pki_err));
        assert_string_equal(buf_text(&der), "hello");
    }
}

static void values_are_sound(void **state)
{
    (void)state;
    static const struct {
        uint8_t tag;
        const char *content;
        size_t length;
        bool is_sound;
    } rows[] = {
        {DER_BOOLEAN, "\xff", 1, true},
        {DER_BOOLEAN, "\x01", 1, false},
        {DER_BOOLEAN, "", 0, false},
        {DER_INTEGER, "\x00", 1, true},
        {DER_INTEGER, "\x00\x80", 2, true},
        {DER_INTEGER, "\x00\x7f", 2, false},
        {DER_INTEGER, "\xff\x80", 2, false},
        {DER_INTEGER, "\xff\x7f", 2, true},
        {DER_INTEGER, "", 0, false},
        {DER_BIT_STRING, "\x00", 1, true},
        {DER_BIT_STRING, "", 0, false},
        {DER_BIT_STRING, "\x01", 1, false},
        {DER_BIT_STRING, "\x08\x00", 2, false},
        {DER_BIT_STRING, "\x03\xf8", 2, true},
        {DER_BIT_STRING, "\x03\xfc", 2, false},
        {DER_NULL, "", 0, true},
        {DER_NULL, "\x00", 1, false},
        {DER_OID, "\x2a\x86\x48", 3, true},
        {DER_OID, "", 0, false},
        {DER_OID, "\x2a\x86", 2, false},
        {DER_OID, "\x2a\x80\x01", 3, false},
        {DER_UTF8_STRING, "\xe5\xb1\xb1", 3, true},
        {DER_UTF8_STRING, "\xe5\xb1", 2, false},
        {DER_UTF8_STRING | DER_CONSTRUCTED, "", 0, false},
        {DER_BMP_STRING, "\x00\x41", 2, true},
        {DER_BMP_STRING, "\x41", 1, false},
        {DER_UNIVERSAL_STRING, "\x00\x00\x00\x41", 4, true},
        {DER_UNIVERSAL_STRING, "\x00\x41", 2, false},
        {DER_UNIVERSAL_STRING, "\x00\x11\x00\x00", 4, false},
        {DER_BMP_STRING, "\xd8\x00", 2, false},
        {DER_SEQUENCE, "", 0, true},
        {0x10, "", 0, false}, /* a SEQUENCE that is primitive */
        {0x00, "", 0, false}, /* end of contents */
        {DER_CONTEXT_CONSTRUCTED, "", 0, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (der_value_is_sound(rows[i].tag, (struct bytes){(const uint8_t *)rows[i].content,
                                                rows[i].length}) != rows[i].is_sound)
            fail_msg("row %zu", i);
}

static void pem_writes_what_it_reads(void **state)
{
    (void)state;
    for (size_t n = 1; n < 200; n++) {
        AUTO_BUF der = {0}, text = {0}, back = {0};
        for (size_t i = 0; i < n; i++)
            buf_add_char(&der, (char)(i * 7));
        pem_write("THING", buf_bytes(&der), &text);
        ok(pem_read_one(buf_bytes(&text), "THING", NULL, &back, &pki_err));
        assert_true(bytes_equal(buf_bytes(&der), buf_bytes(&back)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_switch_form_in_2050),
        cmocka_unit_test(times_are_read_strictly),
        cmocka_unit_test(integers_are_minimal),
        cmocka_unit_test(lengths_nest),
        cmocka_unit_test(the_reader_takes_der_only),
        cmocka_unit_test(values_are_sound),
        cmocka_unit_test(pem_is_one_block),
        cmocka_unit_test(pem_writes_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
