/* links: config */
#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/config_table.h"
#include "config/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OWN "mail: {from: a@example.jp, help_ja: 窓口, help_en: desk}\n"
#define KEY_A "\"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\""
#define KEY_B "\"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs\""

static char folder[] = "/tmp/certq-test-config-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int drop_folder(void **state)
{
    (void)state;
    AUTO_TEXT path = mem_printf("%s/certq.yaml", folder);
    unlink(path);
    return rmdir(folder);
}

static int load(const char *text, struct config **ret, struct err *err)
{
    AUTO_TEXT path = mem_printf("%s/certq.yaml", folder);
    struct err ignored = {0};
    assert_int_equal(file_write(path, bytes_of_text(text), 0600, &ignored), 0);
    return config_load(path, ret, err);
}

static void assert_says(const struct err *err, const char *wanted, const char *of)
{
    if (err->kind != ERR_INPUT || !strstr(err->text, wanted))
        fail_msg("wanted %s\n   got %s\n    of %s", wanted, err->text, of);
}

/* --- the sample is the default --- */

static void dump(const struct bind_key *table, const char *at, const char *prefix, struct buf *to);

static void dump_texts(char *const *items, size_t count, struct buf *to)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(to, "%s,", items[i]);
}

static void dump_list(const struct bind_key *k, const char *at, const char *path, struct buf *to)
{
    size_t count = *(const size_t *)(at + k->count_offset);
    const char *items = *(char *const *)(at + k->offset);
    for (size_t i = 0; i < count; i++) {
        AUTO_TEXT item = mem_printf("%s[%zu]", path, i);
        dump(k->table, items + i * k->size, item, to);
    }
}

static void dump_call(const struct bind_key *k, const char *value, struct buf *to)
{
    struct texts list;
    if (strcmp(k->name, "key") == 0) {
        buf_add_text(to, value);
    } else if (strcmp(k->name, "plaintext") == 0) {
        buf_printf(to, "%d", *(const bool *)value);
    } else if (strcmp(k->name, "name") == 0 || strcmp(k->name, "from") == 0) {
        buf_add_text(to, *(char *const *)value);
    } else {
        memcpy(&list, value, sizeof list);
        dump_texts(list.items, list.count, to);
    }
}

static void dump_value(const struct bind_key *k, const char *at, struct buf *to)
{
    const char *value = at + k->offset;
    switch (k->kind) {
    case BIND_TEXT:
    case BIND_OPTIONAL:
    case BIND_PATH:
    case BIND_OPTIONAL_PATH:
        buf_add_text(to, *(char *const *)value ? *(char *const *)value : "(none)");
        break;
    case BIND_PORT:
        buf_printf(to, "%d", *(const uint16_t *)value);
        break;
    case BIND_SIZE:
        buf_printf(to, "%zu", *(const size_t *)value);
        break;
    case BIND_MS:
        buf_printf(to, "%lld", (long long)*(const int64_t *)value);
        break;
    case BIND_BOOL:
        buf_printf(to, "%d", *(const bool *)value);
        break;
    case BIND_CALL:
        dump_call(k, value, to);
        break;
    default:
        buf_printf(to, "%d", *(const int *)value);
    }
}

static void dump(const struct bind_key *table, const char *at, const char *prefix, struct buf *to)
{
    for (const struct bind_key *k = table; k->name; k++) {
        AUTO_TEXT path = mem_printf("%s.%s", prefix, k->name);
        if (k->kind == BIND_MAP) {
            dump(k->table, at + k->offset, path, to);
        } else if (k->kind == BIND_LIST) {
            dump_list(k, at, path, to);
        } else {
            buf_printf(to, "%s=", path);
            dump_value(k, at, to);
            buf_add_char(to, '\n');
        }
    }
}

static void the_sample_is_the_default(void **state)
{
    (void)state;
    AUTO(config) sample = NULL;
    AUTO(config) bare = NULL;
    AUTO_BUF a = {0}, b = {0};
    struct err err = {0};
    if (load(config_sample(), &sample, &err))
        fail_msg("%s", err.text);
    AUTO_TEXT own = mem_printf("mail: {from: \"%s\", help_ja: \"%s\", help_en: \"%s\"}\n",
        sample->mail.from, sample->mail.help_ja, sample->mail.help_en);
    if (load(own, &bare, &err))
        fail_msg("%s", err.text);
    dump(config_keys, (const char *)sample, "", &a);
    dump(config_keys, (const char *)bare, "", &b);
    assert_string_equal(buf_text(&a), buf_text(&b));
    assert_true(a.length > 1500);
    AUTO_BUF file = {0};
    assert_int_equal(file_read(CERTQ_SOURCE_DIR "/config/certq.yaml", 1 << 20, &file, &err), 0);
    assert_string_equal(config_sample(), buf_text(&file));
}

/* Commented settings: # and a letter, or # and two spaces; prose has # and one space. */
static char *uncommented(const char *text)
{
    AUTO_BUF out = {0};
    bool is_leading = true;
    for (const char *p = text; *p; p++) {
        bool is_setting = p[0] == '#' && ((p[1] >= 'a' && p[1] <= 'z') || !strncmp(p, "#  ", 3));
        if (!(is_leading && is_setting))
            buf_add_char(&out, *p);
        is_leading = *p == '\n' || (is_leading && *p == ' ');
    }
    return buf_take_text(&out);
}

static void walk(const struct yaml_node *node, const char *prefix, struct buf *to)
{
    for (const struct yaml_node *c = node->first; c; c = c->next) {
        bool is_list = c->type == YAML_LIST && c->first && c->first->type == YAML_MAP;
        AUTO_TEXT path =
            mem_printf("%s%s%s%s", prefix, *prefix ? "." : "", c->key, is_list ? "[]" : "");
        bool is_value = strcmp(c->key, "args") == 0; /* a job's, whatever they are */
        for (const struct yaml_node *item = is_list ? c->first : NULL; item; item = item->next)
            walk(item, path, to);
        if (!is_list && c->type == YAML_MAP && !is_value)
            walk(c, path, to);
        else if (!is_list)
            buf_printf(to, "%s\n", path);
    }
}

static void collect(const char *path, void *to)
{
    buf_printf(to, "%s\n", path);
}

static void assert_all_in(char *lines, const char *all, const char *what)
{
    AUTO_TEXT copy = mem_printf("\n%s", all);
    char *rest = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        AUTO_TEXT wanted = mem_printf("\n%s\n", line);
        if (!strstr(copy, wanted))
            fail_msg("%s: %s", what, line);
    }
}

static void every_key_is_documented_and_none_else(void **state)
{
    (void)state;
    AUTO_TEXT text = uncommented(config_sample());
    AUTO(yaml_tree) y = NULL;
    AUTO(config) c = MEM_NEW(struct config);
    AUTO_BUF in_sample = {0}, in_table = {0};
    struct err err = {0};
    if (yaml_read("certq.yaml", bytes_of_text(text), &y, &err) ||
        bind_map(yaml_root(y), config_keys, c, &err))
        fail_msg("%s", err.text);
    walk(yaml_root(y), "", &in_sample);
    config_each_key(collect, &in_table);
    AUTO_TEXT a = mem_text(buf_text(&in_sample));
    AUTO_TEXT b = mem_text(buf_text(&in_table));
    assert_all_in(a, buf_text(&in_table), "in the sample, not in the table");
    assert_all_in(b, buf_text(&in_sample), "in the table, not in the sample");
}

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
        cmocka_unit_test(the_sample_is_the_default),
        cmocka_unit_test(every_key_is_documented_and_none_else),
        cmocka_unit_test(schedules_are_read),
        cmocka_unit_test(contradictions_are_refused_by_line),
        cmocka_unit_test(mail_is_checked),
        cmocka_unit_test(paths_start_beside_the_file),
        cmocka_unit_test(curve_opens_the_network),
        cmocka_unit_test(files_and_arguments),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
