/* links: client */
/* What keys are for: secrets are sealed before they leave, and CURVE is spoken. */
#include "straw.h"

#include "crypto/intake.h"
#include "crypto/seal.h"

static char folder[64];
static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static void secrets_are_sealed_to_job_and_path(void **state)
{
    (void)state;
    AUTO_TEXT key = path_of("intake.key");
    AUTO_TEXT certificate = path_of("intake.pem");
    struct err err = {0};
    assert_int_equal(intake_generate(key, certificate, 1775001600000, &err), 0);
    struct straw s;
    straw_start(&s, does_it, NULL);
    struct told told;
    struct certq *c =
        open_client(&(struct setting){.endpoints = {s.endpoint}, .intake = certificate}, &told);
    struct certq_secret secret = {"password", "a secret one", 12};
    struct certq_job job = {.kind = "retrieve",
        .args = "{\"code\":\"another secret\",\"deep\":[{\"new\":null}]}",
        .secrets = &secret,
        .secret_count = 1,
        .priority = -1};
    struct certq_error error;
    assert_int_equal(certq_submit(c, &job, NULL, &error), 0);
    drain(c);
    straw_stop(&s);
    certq_close(c);
    assert_null(strstr(s.first_body, "secret"));

    AUTO_TYPE(json, json_t) *body = NULL;
    assert_int_equal(json_parse_object(bytes_of_text(s.first_body), &body, &err), 0);
    AUTO(seal_opener) opener = NULL;
    assert_int_equal(seal_opener_load(key, certificate, &opener, &err), 0);
    struct uuid id;
    assert_true(uuid_parse(json_text_at(body, "id"), 36, &id));
    static const char *const paths[][2] = {
        {"password", "a secret one"}, {"code", "another secret"}};
    for (size_t i = 0; i < ARRAY_LENGTH(paths); i++) {
        AUTO(secret) opened = NULL;
        AUTO_TEXT at = mem_printf("args.%s.sealed", paths[i][0]);
        const char *sealed = json_text_at(body, at);
        assert_non_null(sealed);
        if (unseal_text(opener, &id, paths[i][0], bytes_of_text(sealed), &opened, &err))
            fail_msg("%s", err.text);
        assert_string_equal((const char *)opened->data, paths[i][1]);
    }
    unlink(key);
    unlink(certificate);
}

static void plain_secrets_stay_near(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint;
        int result;
    } rows[] = {
        {"tcp://127.0.0.1:9", 0},
        {"tcp://127.1.2.3:9", 0},
        {"tcp://localhost:9", 0},
        {"ipc:///tmp/certq-no-such-socket", 0},
        {"tcp://192.0.2.1:7101", -1},
        {"tcp://127.0.0.1.example.jp:7101", -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct told told;
        struct certq *c = open_client(&(struct setting){.endpoints = {rows[i].endpoint}}, &told);
        struct certq_job job = {
            .kind = "retrieve", .args = "{\"a\":[{\"password\":\"x\"}]}", .priority = -1};
        struct certq_error error = {0};
        if (certq_submit(c, &job, NULL, &error) != rows[i].result)
            fail_msg("%s: %s", rows[i].endpoint, error.text);
        certq_close(c);
    }
}

static void curve_is_spoken_and_wrong_keys_are_told(void **state)
{
    (void)state;
    AUTO_TEXT server_file = path_of("server");
    AUTO_TEXT client_file = path_of("client");
    struct err err = {0};
    AUTO(curve_pair) server = NULL;
    AUTO(curve_pair) client = NULL;
    assert_int_equal(curve_generate(server_file, &err), 0);
    assert_int_equal(curve_generate(client_file, &err), 0);
    assert_int_equal(curve_load(server_file, &server, &err), 0);
    assert_int_equal(curve_load(client_file, &client, &err), 0);
    struct straw s;
    straw_start(&s, does_it, server);
    struct told told;
    struct certq *c = open_client(
        &(struct setting){
            .endpoints = {s.endpoint}, .keys = {curve_public(server)}, .curve = client_file},
        &told);
    submit(c, "noop", true);
    drain(c);
    assert_int_equal(told.ended, 1);
    certq_close(c);

    c = open_client(&(struct setting){.endpoints = {s.endpoint},
                        .keys = {curve_public(client)},
                        .curve = client_file,
                        .give_up = 1000},
        &told);
    submit(c, "noop", true);
    drain(c);
    assert_int_equal(told.gave_up, 1);
    char *description = certq_describe(c);
    assert_non_null(strstr(description, s.endpoint));
    assert_null(strstr(description, "connected, "));
    free(description);
    certq_close(c);
    straw_stop(&s);

    struct certq_broker broker = {"tcp://127.0.0.1:9", curve_public(server)};
    struct certq_options o = {.brokers = &broker, .broker_count = 1};
    struct certq_error error;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    assert_non_null(strstr(error.text, "no key pair of our own"));
    o.curve_key_file = "/nonexistent/key";
    assert_int_equal(certq_open(&o, &c, &error), -1);
    broker = (struct certq_broker){"nonsense", NULL};
    o.curve_key_file = NULL;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    assert_non_null(strstr(error.text, "nonsense"));
    o.broker_count = 0;
    assert_int_equal(certq_open(&o, &c, &error), -1);
    unlink(server_file);
    unlink(client_file);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/certq-client-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_sealed_to_job_and_path),
        cmocka_unit_test(plain_secrets_stay_near),
        cmocka_unit_test(curve_is_spoken_and_wrong_keys_are_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
