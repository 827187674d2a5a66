/* links: pki */
#include "pki_support.h"

static struct issuer_plan plan_of(const char *name, bool is_test)
{
    static char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    return (struct issuer_plan){.root_certificate = is_test ? "root.pem" : "real-root.pem",
        .root_key = is_test ? "root.key" : "real-root.key",
        .certificate = certificate,
        .key = key,
        .organisation = is_test ? NULL : "例示株式会社",
        .root_name = "Root",
        .name = name,
        .not_before_ms = PKI_FROM_MS,
        .root_days = 7300,
        .days = 3650,
        .is_test = is_test};
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void init_makes_a_root_and_an_issuer(void **state)
{
    (void)state;
    AUTO(issuer) one = pki_issuer("one");
    AUTO(issuer) two = pki_issuer("two"); /* under the same root */
    assert_int_equal(mode_of("root.key"), 0600);
    assert_int_equal(mode_of("one.key"), 0600);
    assert_int_equal(mode_of("one.pem"), 0644);
    assert_true(issuer_is_test(one));
    assert_int_equal(issuer_not_before_ms(one), PKI_FROM_MS);
    assert_int_equal(issuer_not_after_ms(one), PKI_FROM_MS + PKI_DAYS * 86400000ll - 1000);
    assert_string_equal(issuer_root_pem(one), issuer_root_pem(two));
    assert_string_not_equal(issuer_chain_pem(one), issuer_chain_pem(two));
    run("openssl verify -x509_strict -CAfile root.pem one.pem");
    run("certtool --verify --load-ca-certificate root.pem --infile one.pem");
    AUTO_TEXT text = pki_run(0, "openssl x509 -in one.pem -noout -text");
    assert_non_null(strstr(text, ISSUER_TEST_MARK));
    assert_non_null(strstr(text, "CA:TRUE, pathlen:0"));
    assert_non_null(strstr(text, "Certificate Sign, CRL Sign"));
    assert_non_null(strstr(text, "prime256v1"));
    assert_non_null(strstr(text, "ecdsa-with-SHA256"));
}

static void init_overwrites_nothing(void **state)
{
    (void)state;
    struct issuer_plan plan = plan_of("again", true);
    ok(issuer_init(&plan, &pki_err));
    AUTO_BUF before = pki_load("again.key");
    refused(issuer_init(&plan, &pki_err), ERR_CONFLICT, "exists");
    AUTO_BUF after = pki_load("again.key");
    assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
    plan = plan_of("other", true);
    plan.root_certificate = "missing.pem";
    refused(issuer_init(&plan, &pki_err), ERR_CONFLICT, "exists without");
}

static void marks_do_not_mix(void **state)
{
    (void)state;
    struct issuer_plan plan = plan_of("real", false);
    ok(issuer_init(&plan, &pki_err));
    AUTO(issuer) real = NULL;
    ok(issuer_load("real.pem", "real.key", &real, &pki_err));
    assert_false(issuer_is_test(real));
    plan = plan_of("mixed", true);
    plan.root_certificate = "real-root.pem";
    plan.root_key = "real-root.key";
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "not a test root");
    plan = plan_of("mixed", false);
    plan.root_certificate = "root.pem";
    plan.root_key = "root.key";
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "a test root");
    plan = plan_of("mixed", false);
    plan.organisation = ISSUER_TEST_MARK;
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "mark of a test CA");
    plan = plan_of("mixed", true);
    plan.organisation = "例示株式会社";
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "always");
    assert_int_not_equal(access("mixed.key", F_OK), 0);
}

static void plans_are_checked(void **state)
{
    (void)state;
    struct issuer_plan plan = plan_of("bad", true);
    plan.days = 0;
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "days");
    plan = plan_of("bad", true);
    plan.name = "0123456789012345678901234567890123456789012345678901234567890123X";
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "subject CN: 65 characters");
    plan = plan_of("bad", true);
    plan.not_before_ms = PKI_FROM_MS - 86400000; /* before its root */
    refused(issuer_init(&plan, &pki_err), ERR_INPUT, "not valid when");
    plan = plan_of("cut", true);
    plan.days = 36500; /* cut to the root's life */
    ok(issuer_init(&plan, &pki_err));
    AUTO(issuer) cut = NULL;
    ok(issuer_load("cut.pem", "cut.key", &cut, &pki_err));
    AUTO(issuer) first = NULL;
    ok(issuer_load("again.pem", "again.key", &first, &pki_err));
    assert_true(issuer_not_after_ms(cut) > issuer_not_after_ms(first));
    run("openssl verify -x509_strict -CAfile root.pem cut.pem");
}

static void load_refuses_what_cannot_issue(void **state)
{
    (void)state;
    AUTO(issuer) made = pki_issuer("load");
    assert_non_null(made);
    run("cp load.key open.key && chmod 640 open.key");
    run("openssl pkey -in load.key -aes256 -passout pass:x -out locked.key && chmod 600 "
        "locked.key");
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=leaf "
        "-addext basicConstraints=critical,CA:FALSE -keyout leaf.key -out leaf.pem");
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=nocrl "
        "-addext keyUsage=critical,keyCertSign -keyout nocrl.key -out nocrl.pem");
    run("openssl req -x509 -newkey rsa:1024 -nodes -subj /CN=small "
        "-keyout small.key -out small.pem -addext keyUsage=critical,keyCertSign,cRLSign");
    run("openssl req -x509 -newkey ed25519 -nodes -subj /CN=ed "
        "-keyout ed.key -out ed.pem -addext keyUsage=critical,keyCertSign,cRLSign");
    run("cat load.pem one.pem > wrong-chain.pem; echo junk > junk.pem; cp junk.pem junk.key");
    run("sed 's/^.....A/AAAAAA/;3s/./!/' root.pem > tail && cat load.pem tail > broken.pem");
    run("chmod 600 *.key");
    run("chmod 640 open.key");
    static const struct {
        const char *certificate, *key, *word;
        enum err_kind kind;
    } rows[] = {
        {"load.pem", "open.key", "open.key", ERR_INPUT},
        {"load.pem", "locked.key", "without pass phrase", ERR_INPUT},
        {"load.pem", "junk.key", "not a private key", ERR_INPUT},
        {"load.pem", "root.key", "not the key", ERR_INPUT},
        {"load.pem", "none.key", "none.key", ERR_NOT_FOUND},
        {"none.pem", "load.key", "none.pem", ERR_NOT_FOUND},
        {"junk.pem", "load.key", "not PEM", ERR_INPUT},
        {"broken.pem", "load.key", "not PEM", ERR_INPUT},
        {"leaf.pem", "leaf.key", "not a CA", ERR_INPUT},
        {"nocrl.pem", "nocrl.key", "CRLs", ERR_INPUT},
        {"small.pem", "small.key", "2048", ERR_INPUT},
        {"ed.pem", "ed.key", "P-256, P-384 or RSA", ERR_INPUT},
        {"wrong-chain.pem", "load.key", "certificate 3 does not issue", ERR_INPUT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(issuer) issuer = NULL;
        refused(issuer_load(rows[i].certificate, rows[i].key, &issuer, &pki_err), rows[i].kind,
            rows[i].word);
        assert_null(issuer);
    }
}

static void other_keys_issue_too(void **state)
{
    (void)state;
    static const struct {
        const char *name, *newkey;
    } rows[] = {
        {"rsa", "rsa:2048"},
        {"p384", "ec -pkeyopt ec_paramgen_curve:P-384"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        run("openssl req -x509 -newkey %s -nodes -subj /CN=%s -days 7000 -keyout %s.key "
            "-out %s.pem -addext keyUsage=critical,keyCertSign,cRLSign && chmod 600 %s.key",
            rows[i].newkey, rows[i].name, rows[i].name, rows[i].name, rows[i].name);
        AUTO_TEXT certificate = mem_printf("%s.pem", rows[i].name);
        AUTO_TEXT key = mem_printf("%s.key", rows[i].name);
        AUTO(issuer) issuer = NULL;
        ok(issuer_load(certificate, key, &issuer, &pki_err));
        assert_string_equal(issuer_chain_pem(issuer), ""); /* it is its own root */
        AUTO_BUF signature = {0};
        ok(issuer_sign(issuer, bytes_of_text("text"), &signature, &pki_err));
        assert_true(issuer_signed(issuer, bytes_of_text("text"), buf_bytes(&signature)));
        assert_false(issuer_signed(issuer, bytes_of_text("Text"), buf_bytes(&signature)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_makes_a_root_and_an_issuer),
        cmocka_unit_test(init_overwrites_nothing),
        cmocka_unit_test(marks_do_not_mix),
        cmocka_unit_test(plans_are_checked),
        cmocka_unit_test(load_refuses_what_cannot_issue),
        cmocka_unit_test(other_keys_issue_too),
    };
    return cmocka_run_group_tests(tests, pki_folder, pki_folder_gone);
}
