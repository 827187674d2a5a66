/* links: config */
#include "config_file.h"

#define KEY_A "\"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\""
#define KEY_B "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\""

static void schedules_are_read(void **state)
{
    (void)state;
    AUTO(config) c = NULL;
    struct err err = {0};
    const char *text =
        "mail: {from: a@example.jp, help_ja: x, help_en: x}\n"
        "schedules:\n"
        "  - {name: scan, kind: expiry-scan, daily: 06:05}\n"
        "  - {name: seal, kind: audit-seal, every: 10m}\n"
        "  - name: list\n    kind: crl\n    daily: 23:59\n    zone: UTC\n"
        "    args: {issuer: \"7\", flag: true, n: 12, list: [1, x], by: {role: operator}}\n";
    if (load(text, &c, &err))
        fail_msg("%s", err.text);
    assert_int_equal(c->schedule_count, 3);
    assert_string_equal(c->schedules[0].name, "scan");
    assert_string_equal(c->schedules[0].kind, "expiry-scan");
    assert_string_equal(c->schedules[0].args, "{}");
    assert_string_equal(c->schedules[0].zone, "Asia/Tokyo");
    assert_int_equal(c->schedules[0].minute, 365);
    assert_int_equal(c->schedules[0].every_ms, 0);
    assert_int_equal(c->schedules[1].minute, -1);
    assert_int_equal(c->schedules[1].every_ms, 600000);
    assert_int_equal(c->schedules[2].minute, 1439);
    assert_string_equal(c->schedules[2].zone, "UTC");
    assert_string_equal(c->schedules[2].args,
        "{\"issuer\":\"7\",\"flag\":true,\"n\":12,\"list\":[1,\"x\"],\"by\":{\"role\":"
        "\"operator\"}}");
}

/* --- what is refused --- */

static const struct {
    const char *text, *wanted;
} refused[] = {
#define SCHEDULE(more) "schedules:\n  - {name: a, kind: crl" more "}\n"
    {SCHEDULE(", daily: 24:00"), "schedules[0].daily: a time of day is wanted"},
    {SCHEDULE(", daily: 06:60"), "a time of day is wanted"},
    {SCHEDULE(", daily: 6:00"), "a time of day is wanted"},
    {SCHEDULE(", daily: 6am"), "a time of day is wanted"},
    {SCHEDULE(""), "either daily or every is wanted"},
    {SCHEDULE(", daily: 06:00, every: 1h"), "either daily or every is wanted"},
    {SCHEDULE(", every: 500ms"), "schedules[0].every: must be"},
    {SCHEDULE(", daily: 06:00, args: none"), "args: a map of keys is wanted"},
    {SCHEDULE(", daily: 06:00, weekly: true"), "unknown key weekly"},
    {"schedules:\n  - {name: a, kind: expiry-scna, daily: 06:00}\n", "did you mean expiry-scan?"},
    {"schedules:\n  - {name: a, kind: mail, daily: 06:00}\n", "unknown kind that can be"},
    {"schedules:\n  - {name: a, kind: lookup, daily: 06:00}\n", "unknown kind that can be"},
    {"schedules:\n  - {name: a, kind: crl, daily: 06:00}\n  - {name: a, kind: crl, daily: 07:00}\n",
        ":4: schedules[1]: the same name as item [0]"},
    {"borker: {}\n", "certq.yaml:2: borker: unknown key borker; did you mean broker?"},
    {"broker: {clinets: x}\n", ":2: broker.clinets: unknown key clinets; did you mean clients?"},
    {"zzzzzzzz: 1\n", "unknown key zzzzzzzz; known: log"},
    {"log:\n", ":2: log: no value is given"},
    {"log: {level: loud}\n", "log.level: unknown word loud; known: debug, info, warn, error"},
    {"log: {level: [info]}\n", "a value is wanted, not a list"},
    {"log: info\n", "log: a map of keys is wanted, not a value"},
    {"testing: {settable_clock: yes}\n", "settable_clock: true or false is wanted"},
    {"testing: {settable_clock: \"true\"}\n", "true or false is wanted"},
    {"worker: {group: 0}\n", "worker.group: must be 1 to 1000"},
    {"worker: {group: -1}\n", "a size such as"},
    {"worker: {group: 1KB}\n", "a size such as"},
    {"worker: {group: 99999999999999999999}\n", "a size such as"},
    {"worker: {group: 999999999999999999GiB}\n", "too large"},
    {"retry: {attempts: 1.5}\n", "a whole number is wanted"},
    {"retry: {attempts: \"3\"}\n", "a whole number is wanted"},
    {"retry: {first: 30}\n", "retry.first: a duration such as"},
    {"retry: {first: 1w}\n", "a duration such as"},
    {"retry: {first: 1ms}\n", "retry.first: must be 10ms to 1d"},
    {"retry:\n  first: 11m\n", ":3: retry.first: longer than retry.most"},
    {"database: {port: 0}\n", "database.port: must be 1 to 65535"},
    {"database: {port: 65536}\n", "must be 1 to 65535"},
    {"database: {name: \"\"}\n", "database.name: must not be empty"},
    {"database: {name: \"a\\tb\"}\n", "one line without control characters"},
    {"database: {name: none, socket: none}\n", "give a socket or a host"},
    {"database: {socket: /s, host: 127.0.0.1}\n", "give a socket or a host, not both"},
    {"database: {host: db.example.jp}\n", "database.host: not on loopback: database.tls_ca"},
    {"database: {host: 127.0.0.1}\n", "needs a password_file"},
    {"database: {users: {broker: {user: a, pass: b}}}\n", "unknown key pass"},
    {"database: {users: {brokr: {user: a}}}\n", "did you mean broker?"},
    {"broker: {name: \"a b\"}\n", "broker.name: a name is"},
    {"broker: {clients: 127.0.0.1:7101}\n", "broker.clients: an endpoint is tcp://"},
    {"broker: {clients: \"tcp://127.0.0.1\"}\n", "an endpoint is"},
    {"broker: {clients: \"tcp://127.0.0.1:99999\"}\n", "an endpoint is"},
    {"broker: {clients: \"tcp://127.0.0.1:71x\"}\n", "an endpoint is"},
    {"broker: {clients: \"udp://127.0.0.1:7101\"}\n", "an endpoint is"},
    {"broker:\n  clients: tcp://0.0.0.0:7101\n", ":3: broker.clients: CURVE is off"},
    {"broker: {workers: \"tcp://*:7102\"}\n", "broker.workers: CURVE is off"},
    {"broker: {clients: \"tcp://192.0.2.1:7102\"}\n", "CURVE is off"},
    {"broker: {clients: \"tcp://[2001:db8::1]:7102\"}\n", "CURVE is off"},
    {"broker: {clients: \"tcp://127.evil.example.jp:7102\"}\n", "CURVE is off"},
    {"broker: {workers: \"tcp://127.0.0.1:7101\"}\n", "the same endpoint as broker.clients"},
    {"broker: {http: \"0.0.0.0:80\"}\n", "broker.http: HTTP has no login"},
    {"broker: {http: \"http://127.0.0.1:80\"}\n", "ADDRESS:PORT is wanted"},
    {"broker: {args_bytes: 1MiB, batch_bytes: 64KiB}\n", "more than broker.batch_bytes"},
    {"broker: {batch_rows: 500, pending_requests: 10}\n", "more than broker.pending_requests"},
    {"broker: {retention: 2d}\n", "broker.result: longer than broker.retention"},
    {"broker: {curve_key: k}\n", "broker.client_keys lists no client"},
    {"broker: {curve_key: k, client_keys: [{name: a, key: " KEY_A "}]}\n", "lists no worker"},
    {"broker: {client_keys: [{name: a, key: " KEY_A "}]}\n", "clients have keys but CURVE is off"},
    {"broker: {worker_keys: [{name: a, key: " KEY_A "}]}\n", "workers have keys but CURVE is off"},
    {"broker:\n  curve_key: k\n  client_keys:\n    - name: a\n",
        ":5: broker.client_keys[0]: the key "
        "key is missing"},
    {"broker: {curve_key: k, client_keys: [{key: " KEY_A "}]}\n", "the key name is missing"},
    {"broker: {curve_key: k, client_keys: [{name: a, key: short}]}\n", "40 characters of Z85"},
    {"broker: {curve_key: k, client_keys: [{name: a, key: "
     "\"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hI~\"}]}\n",
        "client_keys[0].key: a CURVE public key is"},
    {"broker: {curve_key: k, client_keys: [{name: a, key: "
     "\"########################################\"}]}\n",
        "a CURVE public key is"},
    {"broker:\n  curve_key: k\n  worker_keys: [{name: w, key: " KEY_B "}]\n  client_keys:\n"
     "    - {name: a, key: " KEY_A "}\n    - {name: a, key: " KEY_B "}\n",
        ":7: broker.client_keys[1]: the same name as item [0]"},
    {"broker:\n  curve_key: k\n  worker_keys: [{name: w, key: " KEY_B "}]\n  client_keys:\n"
     "    - {name: a, key: " KEY_A "}\n    - {name: b, key: " KEY_A "}\n",
        "the same key as item [0]"},
    {"broker: {local_client: {name: a, priority: 10}}\n", "priority: must be 0 to 9"},
    {"broker: {local_client: {name: a, kinds: [isue]}}\n", "kinds[0]: unknown word isue; did you "
                                                           "mean issue?"},
    {"broker: {local_client: {name: a, kinds: [mail]}}\n", "unknown word mail"},
    {"broker: {local_client: {name: a, kinds: []}}\n", "an empty list allows nothing"},
    {"broker: {local_client: {name: a, kinds: [issue, issue]}}\n", "issue is listed twice"},
    {"broker: {local_client: {name: a, roles: [root]}}\n", "unknown word root"},
    {"broker: {local_client: {name: a, channels: [fax]}}\n", "unknown word fax"},
    {"connect: {brokers: [{clients: \"tcp://b.example.jp:1\", workers: "
     "\"tcp://b.example.jp:2\"}]}\n",
        "connect.brokers[0]: the broker is not on loopback"},
    {"connect: {brokers: [{clients: \"tcp://b:1\", workers: \"tcp://b:2\", key: " KEY_A "}]}\n",
        "connect.curve_key names none"},
    {"connect: {curve_key: k, brokers: [{clients: \"ipc://a\", workers: \"ipc://b\"}]}\n",
        "this broker has no key"},
    {"connect: {brokers: [{clients: \"tcp://127.0.0.1:*\", workers: \"ipc://b\"}]}\n",
        "clients and workers are tcp://HOST:PORT"},
    {"connect: {brokers: [{clients: \"ipc://b\"}]}\n", "the key workers is missing"},
    {"scrypt: {ln: 20, r: 32}\n", "scrypt: one hash would take more than 1 GiB"},
    {"scrypt: {ln: 9}\n", "scrypt.ln: must be 10 to 20"},
    {"issuers: [{name: a, certificate: c, key: k}, {name: a, certificate: c, key: k}]\n",
        "issuers[1]: the same name as item [0]"},
    {"issuers: [{name: a, certificate: c}]\n", "issuers[0]: the key key is missing"},
    {"issuers: [{name: a, certificate: c, key: k, crl_url: \"https://x/\"}]\n",
        "begins with http://"},
    {"issuers: [{name: a, certificate: c, key: k, crl_url: \"http://x/a b\"}]\n", "has no spaces"},
    {"issuers: [{name: abcdefghijklmnopqrstuvwxyz-012345, certificate: c, key: k}]\n",
        "at most 32 characters"},
    {"issuers: {name: a}\n", "issuers: a list is wanted, not a map"},
    {"issuers: [a]\n", "issuers[0]: a map of keys is wanted"},
    {"products: ~\n", "products: no value is given"},
    {"intake: {plaintext: maybe}\n", "unknown word maybe"},
    {"intake: {plaintext: allow}\nbroker: {clients: \"tcp://*:7101\", curve_key: k, client_keys: "
     "[{name: a, key: " KEY_A "}], worker_keys: [{name: w, key: " KEY_B "}]}\n",
        "certq.yaml:2: intake.plaintext: allowed only where"},
};

static void contradictions_are_refused_by_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        AUTO(config) c = NULL;
        struct err err = {0};
        AUTO_TEXT text = mem_printf("%s%s", OWN, refused[i].text);
        if (!load(text, &c, &err))
            fail_msg("taken: %s", refused[i].text);
        assert_null(c);
        assert_says(&err, refused[i].wanted, refused[i].text);
    }
}

static void mail_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"", "certq.yaml:1: the key mail.from is missing; it has no default"},
        {"from: a@example.jp, help_ja: x", "the key mail.help_en is missing"},
        {"from: \"a b@example.jp\", help_ja: x, help_en: y", "mail.from: not an e-mail address"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {user: u}", "go together"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {password_file: u}", "go together"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {host: m.example.jp, user: u, "
         "password_file: p}",
            "mail.smtp.user: a password must not cross the network"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {tls_ca: c}", "tls is none"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {helo: \"a b\"}", "not a host name"},
        {"from: a@example.jp, help_ja: x, help_en: y, smtp: {host: \"a/b\"}", "not a host name"},
        {"from: a@example.jp, help_ja: x, help_en: y, message_id_domain: x", "a domain name"},
        {"from: a@example.jp, help_ja: \"a\\nb\", help_en: y", "one line"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(config) c = NULL;
        struct err err = {0};
        AUTO_TEXT text = mem_printf("mail: {%s}\n", rows[i].text);
        if (!load(text, &c, &err))
            fail_msg("taken: %s", text);
        assert_says(&err, rows[i].wanted, text);
    }
}

/* --- what is taken --- */

static void paths_start_beside_the_file(void **state)
{
    (void)state;
    AUTO(config) c = NULL;
    struct err err = {0};
    assert_int_equal(load(OWN "products: policies\ncode_keyring: /k\n", &c, &err), 0);
    AUTO_TEXT products = mem_printf("%s/policies", folder);
    AUTO_TEXT templates = mem_printf("%s/templates", folder);
    assert_string_equal(c->products, products);
    assert_string_equal(c->templates, templates);
    assert_string_equal(c->code_keyring, "/k");
    assert_string_equal(c->crl_folder, "/var/lib/certq/crl");
    assert_string_equal(c->mail.message_id_domain, "example.jp");
    assert_true(c->intake.plaintext);
    assert_int_equal(c->connect.broker_count, 1);
    assert_string_equal(c->connect.brokers[0].workers, "tcp://127.0.0.1:7102");
    assert_null(config_issuer(c, "other"));
    assert_non_null(config_issuer(c, "person-ca"));
}

static void curve_opens_the_network(void **state)
{
    (void)state;
    static const char text[] = OWN
        "broker:\n  clients: tcp://*:7101\n  workers: tcp://*:*\n  curve_key: k\n"
        "  client_keys:\n    - {name: up, key: " KEY_A ", kinds: [issue], roles: [subscriber],\n"
        "       channels: [session], operator: true}\n    - {name: low, key: " KEY_B
        ", priority: 0, kinds: all}\n"
        "  worker_keys: [{name: w, key: " KEY_B ", kinds: [mail]}]\n"
        "database: {host: 127.0.0.1, users: {admin: {password_file: p}, broker: {password_file: "
        "p},\n  worker: {password_file: p}, mail: {password_file: p}, reader: {password_file: "
        "p}}}\n";
    AUTO(config) c = NULL;
    struct err err = {0};
    if (load(text, &c, &err))
        fail_msg("%s", err.text);
    assert_false(c->intake.plaintext);
    assert_int_equal(c->connect.broker_count, 0);
    assert_int_equal(c->broker.client_key_count, 2);
    const struct config_client *up = &c->broker.client_keys[0], *low = &c->broker.client_keys[1];
    assert_string_equal(up->kinds[0], "issue");
    assert_int_equal(up->priority, 5);
    assert_true(up->is_operator);
    assert_string_equal(up->channels[0], "session");
    assert_int_equal(low->priority, 0);
    assert_null(low->kinds);
    assert_false(low->is_operator);
    assert_string_equal(c->broker.worker_keys[0].kinds[0], "mail");
    assert_null(c->database.socket);
    assert_string_equal(c->database.users[DB_MAIL].user, "certq_mail");
    assert_int_equal(c->database.port, 3306);
}

static void files_and_arguments(void **state)
{
    (void)state;
    AUTO(config) c = NULL;
    struct err err = {0};
    assert_int_equal(config_load("/nonexistent/certq.yaml", &c, &err), -1);
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_string_equal(config_path("x"), "x");
    setenv("CERTQ_CONFIG", "/y", 1);
    assert_string_equal(config_path(NULL), "/y");
    unsetenv("CERTQ_CONFIG");
    assert_string_equal(config_path(NULL), "/etc/certq/certq.yaml");
    static const struct {
        const char *endpoint;
        bool is_local;
    } rows[] = {
        {"tcp://127.0.0.1:1", true},
        {"tcp://127.9.9.9:*", true},
        {"tcp://[::1]:1", true},
        {"tcp://localhost:1", true},
        {"ipc:///run/x", true},
        {"127.0.0.1:7180", true},
        {"tcp://0.0.0.0:1", false},
        {"tcp://*:1", false},
        {"tcp://127.0.0.1.example.jp:1", false},
        {"tcp://127.1:1", false},
        {"tcp://localhost.example.jp:1", false},
        {"tcp://[::]:1", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (config_endpoint_is_local(rows[i].endpoint) != rows[i].is_local)
            fail_msg("%s", rows[i].endpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_are_read),
        cmocka_unit_test(contradictions_are_refused_by_line),
        cmocka_unit_test(mail_is_checked),
        cmocka_unit_test(paths_start_beside_the_file),
        cmocka_unit_test(curve_opens_the_network),
        cmocka_unit_test(files_and_arguments),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
