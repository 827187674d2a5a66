#include "config/config_table.h"

#include "base/address.h"
#include "base/kind.h"
#include "base/mem.h"

#include <string.h>

#define IN(type, member) offsetof(struct type, member)
#define DAY INT64_C(86400000)
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }
/* Rows of a table: NEED says the (merged) file must have it, which the sample sees to. */
#define NEED .is_required = true
#define BOUNDS(low, high) .least = (low), .most = (high)

const char *const config_roles[] = {
    "subscriber", "holder", "organisation", "contact", "agent", "operator", NULL};
const char *const config_channels[] = {
    "credentials", "session", "signature", "counter", "paper", NULL};
static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const tls_words[] = {"none", "starttls", NULL};
static const char *const plaintext_words[] = {"refuse", "allow", NULL};

/* --- readers of one key --- */

/* A name we print, sort and put into rows: letters, digits, dot, hyphen, underscore. */
static int read_name(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
    if (!n || text[n] || n > 63)
        return yaml_error(node, err,
            "a name is 1 to 63 letters, digits, dots, hyphens, "
            "underscores");
    free(*(char **)to);
    *(char **)to = mem_text(text);
    return 0;
}

/* RFC 32/Z85: 40 characters, each five a number below 2^32. */
static bool z85_is_key(const char *text)
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    if (strlen(text) != 40)
        return false;
    for (int i = 0; i < 40; i += 5) {
        uint64_t n = 0;
        for (int j = 0; j < 5; j++) {
            const char *digit = strchr(alphabet, text[i + j]);
            if (!digit)
                return false;
            n = n * 85 + (uint64_t)(digit - alphabet);
        }
        if (n > UINT32_MAX)
            return false;
    }
    return true;
}

static int read_key(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    if (bind_text(node, &text, err))
        return -1;
    if (!z85_is_key(text))
        return yaml_error(node, err, "a CURVE public key is 40 characters of Z85 (quote it)");
    memcpy(to, text, 41);
    return 0;
}

static int read_optional_key(const struct yaml_node *node, void *to, struct err *err)
{
    if (!bind_is_none(node))
        return read_key(node, to, err);
    memset(to, 0, 41);
    return 0;
}

static int read_email(const struct yaml_node *node, void *to, struct err *err)
{
    const char *text;
    struct err why = {0};
    if (bind_text(node, &text, err))
        return -1;
    if (address_check(text, &why))
        return yaml_error(node, err, "not an e-mail address: %s", why.text);
    free(*(char **)to);
    *(char **)to = mem_text(text);
    return 0;
}

static int read_plaintext(const struct yaml_node *node, void *to, struct err *err)
{
    int n;
    if (bind_word(node, plaintext_words, &n, err))
        return -1;
    *(bool *)to = n == 1;
    return 0;
}

/* `all`, or a list of words known to certq. */
static int read_known(
    const struct yaml_node *node, const char *const *words, void *to, struct err *err)
{
    struct texts list = {0};
    unsigned ignored;
    if (node->type == YAML_TEXT && strcmp(node->text, "all") == 0)
        return 0;
    if (bind_expect(node, YAML_LIST, err))
        return -1;
    if (!node->count)
        return yaml_error(node, err, "an empty list allows nothing; write all, or leave it out");
    if (bind_words(node, words, &ignored, err) || bind_texts(node, &list, err))
        return -1;
    memcpy(to, &list, sizeof list);
    return 0;
}

static int read_roles(const struct yaml_node *node, void *to, struct err *err)
{
    return read_known(node, config_roles, to, err);
}

static int read_channels(const struct yaml_node *node, void *to, struct err *err)
{
    return read_known(node, config_channels, to, err);
}

static int read_kinds(const struct yaml_node *node, void *to, struct err *err)
{
    const char *words[KINDS + 1] = {NULL};
    for (int i = 0; i < KINDS; i++)
        words[i] = kind_name((enum kind_id)i);
    return read_known(node, words, to, err);
}

static int read_client_kinds(const struct yaml_node *node, void *to, struct err *err)
{
    const char *words[KINDS + 1] = {NULL};
    for (int i = 0, n = 0; i < KINDS; i++)
        if (!kind_of((enum kind_id)i)->internal)
            words[n++] = kind_name((enum kind_id)i);
    return read_known(node, words, to, err);
}

/* --- tables --- */

static const struct bind_key user_keys[] = {
    {"user", BIND_TEXT, NEED, IN(config_user, user), BOUNDS(1, 80)},
    {"password_file", BIND_OPTIONAL_PATH, .offset = IN(config_user, password_file)},
    END,
};
#define USER(name, role)                                                                           \
    {                                                                                              \
        name, BIND_MAP, .offset = role * sizeof(struct config_user), .table = user_keys            \
    }
static const struct bind_key users_keys[] = {
    USER("admin", DB_ADMIN),
    USER("broker", DB_BROKER),
    USER("worker", DB_WORKER),
    USER("mail", DB_MAIL),
    USER("reader", DB_READER),
    END,
};
static const struct bind_key database_keys[] = {
    {"socket", BIND_OPTIONAL_PATH, .offset = IN(config_database, socket)},
    {"host", BIND_OPTIONAL, .offset = IN(config_database, host)},
    {"port", BIND_PORT, NEED, IN(config_database, port)},
    {"name", BIND_TEXT, NEED, IN(config_database, name), BOUNDS(1, 64)},
    {"tls_ca", BIND_OPTIONAL_PATH, .offset = IN(config_database, tls_ca)},
    {"users", BIND_MAP, .offset = IN(config_database, users), .table = users_keys},
    END,
};

static void prepare_client(void *item)
{
    ((struct config_client *)item)->priority = 5;
}
#define CLIENT_RULES                                                                               \
    {"kinds", BIND_CALL, .offset = IN(config_client, kinds), .call = read_client_kinds},           \
        {"roles", BIND_CALL, .offset = IN(config_client, roles), .call = read_roles},              \
        {"channels", BIND_CALL, .offset = IN(config_client, channels), .call = read_channels},     \
        {"priority", BIND_INT, .offset = IN(config_client, priority), BOUNDS(0, 9)},               \
        {"operator", BIND_BOOL, .offset = IN(config_client, is_operator)}, END
static const struct bind_key local_client_keys[] = {
    {"name", BIND_CALL, NEED, IN(config_client, name), .call = read_name},
    CLIENT_RULES,
};
static const struct bind_key client_keys[] = {
    {"name", BIND_CALL, NEED, IN(config_client, name), .call = read_name},
    {"key", BIND_CALL, NEED, IN(config_client, key), .call = read_key},
    CLIENT_RULES,
};
static const struct bind_key worker_keys[] = {
    {"name", BIND_CALL, NEED, IN(config_worker_key, name), .call = read_name},
    {"key", BIND_CALL, NEED, IN(config_worker_key, key), .call = read_key},
    {"kinds", BIND_CALL, .offset = IN(config_worker_key, kinds), .call = read_kinds},
    END,
};
static const struct bind_key broker_keys[] = {
    {"name", BIND_CALL, NEED, IN(config_broker, name), .call = read_name},
    {"clients", BIND_TEXT, NEED, IN(config_broker, clients), BOUNDS(1, 255)},
    {"workers", BIND_TEXT, NEED, IN(config_broker, workers), BOUNDS(1, 255)},
    {"http", BIND_OPTIONAL, .offset = IN(config_broker, http), BOUNDS(1, 255)},
    {"jobs_in_memory", BIND_SIZE, NEED, IN(config_broker, jobs_in_memory), BOUNDS(100, 10000000)},
    {"batch_rows", BIND_SIZE, NEED, IN(config_broker, batch_rows), BOUNDS(1, 5000)},
    {"batch_bytes", BIND_SIZE, NEED, IN(config_broker, batch_bytes), BOUNDS(4096, 64 << 20)},
    {"args_bytes", BIND_SIZE, NEED, IN(config_broker, args_bytes), BOUNDS(1024, 1 << 20)},
    {"pending_requests", BIND_SIZE, NEED, IN(config_broker, pending_requests), BOUNDS(1, 1000000)},
    {"retention", BIND_MS, NEED, IN(config_broker, retention_ms), BOUNDS(DAY, 3660 * DAY)},
    {"result", BIND_MS, NEED, IN(config_broker, result_ms), BOUNDS(60000, 3660 * DAY)},
    {"curve_key", BIND_OPTIONAL_PATH, .offset = IN(config_broker, curve_key)},
    {"local_client", BIND_MAP, NEED, IN(config_broker, local_client), .table = local_client_keys},
    {"client_keys", BIND_LIST, .offset = IN(config_broker, client_keys), .most = 1000,
        .table = client_keys, .size = sizeof(struct config_client),
        .count_offset = IN(config_broker, client_key_count), .prepare = prepare_client},
    {"worker_keys", BIND_LIST, .offset = IN(config_broker, worker_keys), .most = 1000,
        .table = worker_keys, .size = sizeof(struct config_worker_key),
        .count_offset = IN(config_broker, worker_key_count)},
    END,
};

static const struct bind_key endpoint_keys[] = {
    {"clients", BIND_TEXT, NEED, IN(config_endpoint, clients), BOUNDS(1, 255)},
    {"workers", BIND_TEXT, NEED, IN(config_endpoint, workers), BOUNDS(1, 255)},
    {"key", BIND_CALL, .offset = IN(config_endpoint, key), .call = read_optional_key},
    END,
};
static const struct bind_key connect_keys[] = {
    {"brokers", BIND_LIST, .offset = IN(config_connect, brokers), .most = 64,
        .table = endpoint_keys, .size = sizeof(struct config_endpoint),
        .count_offset = IN(config_connect, broker_count)},
    {"curve_key", BIND_OPTIONAL_PATH, .offset = IN(config_connect, curve_key)},
    END,
};

static const struct bind_key worker_settings[] = {
    {"group", BIND_SIZE, NEED, IN(config_worker, group), BOUNDS(1, 1000)},
    END,
};
static const struct bind_key retry_keys[] = {
    {"attempts", BIND_INT, NEED, IN(config_retry, attempts), BOUNDS(1, 100)},
    {"first", BIND_MS, NEED, IN(config_retry, first_ms), BOUNDS(10, DAY)},
    {"most", BIND_MS, NEED, IN(config_retry, most_ms), BOUNDS(10, 30 * DAY)},
    {"crashes", BIND_INT, NEED, IN(config_retry, crashes), BOUNDS(1, 100)},
    END,
};
static const struct bind_key intake_keys[] = {
    {"plaintext", BIND_CALL, .offset = IN(config_intake, plaintext), .call = read_plaintext},
    {"certificate", BIND_PATH, NEED, IN(config_intake, certificate)},
    {"key", BIND_PATH, NEED, IN(config_intake, key)},
    END,
};
static const struct bind_key scrypt_keys[] = {
    {"ln", BIND_INT, NEED, IN(config_scrypt, ln), BOUNDS(10, 20)},
    {"r", BIND_INT, NEED, IN(config_scrypt, r), BOUNDS(1, 32)},
    {"p", BIND_INT, NEED, IN(config_scrypt, p), BOUNDS(1, 16)},
    END,
};

static void prepare_issuer(void *item)
{
    struct config_issuer *issuer = item;
    issuer->crl_validity_ms = 7 * DAY;
    issuer->crl_soon_ms = 10000;
}
static const struct bind_key issuer_keys[] = {
    {"name", BIND_CALL, NEED, IN(config_issuer, name), .call = read_name},
    {"certificate", BIND_PATH, NEED, IN(config_issuer, certificate)},
    {"key", BIND_PATH, NEED, IN(config_issuer, key)},
    {"crl_url", BIND_OPTIONAL, .offset = IN(config_issuer, crl_url)},
    {"crl_validity", BIND_MS, .offset = IN(config_issuer, crl_validity_ms),
        BOUNDS(60000, 366 * DAY)},
    {"crl_soon", BIND_MS, .offset = IN(config_issuer, crl_soon_ms), BOUNDS(0, DAY)},
    END,
};

static const struct bind_key smtp_keys[] = {
    {"host", BIND_TEXT, NEED, IN(config_smtp, host), BOUNDS(1, 253)},
    {"port", BIND_PORT, NEED, IN(config_smtp, port)},
    {"tls", BIND_WORD, NEED, IN(config_smtp, tls), .words = tls_words},
    {"tls_ca", BIND_OPTIONAL_PATH, .offset = IN(config_smtp, tls_ca)},
    {"user", BIND_OPTIONAL, .offset = IN(config_smtp, user)},
    {"password_file", BIND_OPTIONAL_PATH, .offset = IN(config_smtp, password_file)},
    {"helo", BIND_TEXT, NEED, IN(config_smtp, helo), BOUNDS(1, 253)},
    {"session", BIND_SIZE, NEED, IN(config_smtp, session), BOUNDS(1, 500)},
    {"parallel", BIND_SIZE, NEED, IN(config_smtp, parallel), BOUNDS(1, 16)},
    {"timeout", BIND_MS, NEED, IN(config_smtp, timeout_ms), BOUNDS(1000, 600000)},
    END,
};
static const struct bind_key mail_keys[] = {
    {"from", BIND_CALL, NEED, IN(config_mail, from), .call = read_email},
    {"from_name_ja", BIND_OPTIONAL, .offset = IN(config_mail, from_name_ja), BOUNDS(0, 128)},
    {"from_name_en", BIND_OPTIONAL, .offset = IN(config_mail, from_name_en), BOUNDS(0, 128)},
    {"help_ja", BIND_TEXT, NEED, IN(config_mail, help_ja), BOUNDS(1, 400)},
    {"help_en", BIND_TEXT, NEED, IN(config_mail, help_en), BOUNDS(1, 400)},
    {"message_id_domain", BIND_OPTIONAL, .offset = IN(config_mail, message_id_domain),
        BOUNDS(1, 253)},
    {"sign_certificate", BIND_OPTIONAL_PATH, .offset = IN(config_mail, sign_certificate)},
    {"sign_key", BIND_OPTIONAL_PATH, .offset = IN(config_mail, sign_key)},
    {"smtp", BIND_MAP, NEED, IN(config_mail, smtp), .table = smtp_keys},
    END,
};

static const struct bind_key audit_keys[] = {
    {"key", BIND_OPTIONAL_PATH, .offset = IN(config_audit, key)},
    {"public", BIND_PATH, NEED, IN(config_audit, public)},
    {"seals", BIND_PATH, NEED, IN(config_audit, seals)},
    END,
};
static const struct bind_key log_keys[] = {
    {"level", BIND_WORD, NEED, IN(config, log_level), .words = level_words},
    END,
};
static const struct bind_key testing_keys[] = {
    {"settable_clock", BIND_BOOL, NEED, IN(config, settable_clock)},
    END,
};
const struct bind_key config_keys[] = {
    {"log", BIND_MAP, NEED, 0, .table = log_keys},
    {"testing", BIND_MAP, NEED, 0, .table = testing_keys},
    {"database", BIND_MAP, NEED, IN(config, database), .table = database_keys},
    {"broker", BIND_MAP, NEED, IN(config, broker), .table = broker_keys},
    {"connect", BIND_MAP, .offset = IN(config, connect), .table = connect_keys},
    {"worker", BIND_MAP, NEED, IN(config, worker), .table = worker_settings},
    {"retry", BIND_MAP, NEED, IN(config, retry), .table = retry_keys},
    {"intake", BIND_MAP, NEED, IN(config, intake), .table = intake_keys},
    {"scrypt", BIND_MAP, NEED, IN(config, scrypt), .table = scrypt_keys},
    {"code_keyring", BIND_PATH, NEED, IN(config, code_keyring)},
    {"fingerprint_key", BIND_PATH, NEED, IN(config, fingerprint_key)},
    {"products", BIND_PATH, NEED, IN(config, products)},
    {"templates", BIND_PATH, NEED, IN(config, templates)},
    {"crl_folder", BIND_PATH, NEED, IN(config, crl_folder)},
    {"issuers", BIND_LIST, NEED, IN(config, issuers), .most = 64, .table = issuer_keys,
        .size = sizeof(struct config_issuer), .count_offset = IN(config, issuer_count),
        .prepare = prepare_issuer},
    {"audit", BIND_MAP, NEED, IN(config, audit), .table = audit_keys},
    {"mail", BIND_MAP, NEED, IN(config, mail), .table = mail_keys},
    {"schedules", BIND_LIST, .offset = IN(config, schedules), .most = 32,
        .table = config_schedule_keys, .size = sizeof(struct config_schedule),
        .count_offset = IN(config, schedule_count), .prepare = config_schedule_prepare},
    END,
};
