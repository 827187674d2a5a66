#include "config/config_table.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A view of the values and the tree they came from. */
struct view {
    const struct config *c;
    const struct yaml_node *root;
    struct err *err;
};

/* Error at a key; at the nearest map above when the key itself was left out. */
static int wrong(const struct view *v, const char *path, const char *text)
{
    const struct yaml_node *node = yaml_at(v->root, path);
    if (node)
        return yaml_error(node, v->err, "%s", text);
    return yaml_error(v->root, v->err, "%s: %s", path, text);
}

/* --- addresses --- */

/* The host of tcp://HOST:PORT or HOST:PORT, without brackets; false when it is not of that form. */
static bool split_host(const char *endpoint, char host[256], const char **ret_port)
{
    const char *from = strncmp(endpoint, "tcp://", 6) == 0 ? endpoint + 6 : endpoint;
    const char *colon = strrchr(from, ':');
    size_t n = colon ? (size_t)(colon - from) : 0;
    if (!n || n > 255)
        return false;
    if (from[0] == '[' && from[n - 1] == ']') {
        from++;
        n -= 2;
    }
    memcpy(host, from, n);
    host[n] = '\0';
    *ret_port = colon + 1;
    return true;
}

static bool host_is_local(const char *host)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0;
}

bool config_endpoint_is_local(const char *endpoint)
{
    char host[256];
    const char *port;
    if (strncmp(endpoint, "ipc://", 6) == 0 || strncmp(endpoint, "inproc://", 9) == 0)
        return true;
    return split_host(endpoint, host, &port) && host_is_local(host);
}

static bool port_is_valid(const char *port, bool takes_any)
{
    if (strcmp(port, "*") == 0)
        return takes_any;
    size_t n = strspn(port, "0123456789");
    return n && !port[n] && n <= 5 && strtol(port, NULL, 10) <= 65535 &&
           (takes_any || strtol(port, NULL, 10) > 0);
}

static bool host_is_valid(const char *host, bool takes_any)
{
    struct in6_addr v6;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return true;
    if (strcmp(host, "*") == 0)
        return takes_any;
    return *host && host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789.-_")] == '\0';
}

static bool endpoint_is_valid(const char *endpoint, bool is_bound)
{
    char host[256];
    const char *port;
    if (strncmp(endpoint, "ipc://", 6) == 0 || strncmp(endpoint, "inproc://", 9) == 0)
        return strchr(endpoint, ':')[3] != '\0';
    return strncmp(endpoint, "tcp://", 6) == 0 && split_host(endpoint, host, &port) &&
           host_is_valid(host, is_bound) && port_is_valid(port, is_bound);
}

/* --- broker --- */

static int check_bound(const struct view *v, const char *path, const char *endpoint)
{
    if (!endpoint_is_valid(endpoint, true))
        return wrong(v, path, "an endpoint is tcp://ADDRESS:PORT (PORT may be *) or ipc://PATH");
    if (!v->c->broker.curve_key && !config_endpoint_is_local(endpoint))
        return wrong(v, path,
            "CURVE is off (broker.curve_key: none), so only loopback may be "
            "bound, such as tcp://127.0.0.1:7101");
    return 0;
}

static int check_twins(const struct view *v, const char *list, size_t count, const char *what,
    const char *(*text)(const struct config *c, size_t i))
{
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(text(v->c, i), text(v->c, j)) == 0) {
                const struct yaml_node *item = yaml_at(v->root, list)->first;
                for (size_t n = 0; n < i; n++)
                    item = item->next;
                return yaml_error(item, v->err, "the same %s as item [%zu]", what, j);
            }
    return 0;
}

static const char *client_name(const struct config *c, size_t i)
{
    return c->broker.client_keys[i].name;
}
static const char *client_key(const struct config *c, size_t i)
{
    return c->broker.client_keys[i].key;
}
static const char *worker_name(const struct config *c, size_t i)
{
    return c->broker.worker_keys[i].name;
}
static const char *worker_key(const struct config *c, size_t i)
{
    return c->broker.worker_keys[i].key;
}
static const char *issuer_name(const struct config *c, size_t i)
{
    return c->issuers[i].name;
}

static const char *schedule_name(const struct config *c, size_t i)
{
    return c->schedules[i].name;
}

static int check_curve(const struct view *v)
{
    const struct config_broker *b = &v->c->broker;
    if (!b->curve_key && b->client_key_count)
        return wrong(v, "broker.client_keys",
            "clients have keys but CURVE is off; "
            "give broker.curve_key");
    if (!b->curve_key && b->worker_key_count)
        return wrong(v, "broker.worker_keys",
            "workers have keys but CURVE is off; "
            "give broker.curve_key");
    if (b->curve_key && !b->client_key_count)
        return wrong(v, "broker.curve_key",
            "CURVE is on, but broker.client_keys lists no client: "
            "nobody could connect");
    if (b->curve_key && !b->worker_key_count)
        return wrong(v, "broker.curve_key",
            "CURVE is on, but broker.worker_keys lists no worker: "
            "no job could run");
    if (check_twins(v, "broker.client_keys", b->client_key_count, "name", client_name) ||
        check_twins(v, "broker.client_keys", b->client_key_count, "key", client_key) ||
        check_twins(v, "broker.worker_keys", b->worker_key_count, "name", worker_name) ||
        check_twins(v, "broker.worker_keys", b->worker_key_count, "key", worker_key))
        return -1;
    return 0;
}

static int check_http(const struct view *v)
{
    char host[256];
    const char *http = v->c->broker.http, *port;
    if (!http)
        return 0;
    if (strstr(http, "://") || !split_host(http, host, &port) || !host_is_valid(host, false) ||
        !port_is_valid(port, true))
        return wrong(v, "broker.http",
            "ADDRESS:PORT is wanted, such as 127.0.0.1:7180 (port 0: "
            "any), or none");
    if (!host_is_local(host))
        return wrong(v, "broker.http",
            "HTTP has no login of its own and is bound to loopback only; "
            "put a proxy in front");
    return 0;
}

static int check_broker(const struct view *v)
{
    const struct config_broker *b = &v->c->broker;
    if (check_bound(v, "broker.clients", b->clients) ||
        check_bound(v, "broker.workers", b->workers) || check_curve(v) || check_http(v))
        return -1;
    if (strcmp(b->clients, b->workers) == 0 && !strchr(b->clients, '*'))
        return wrong(v, "broker.workers", "the same endpoint as broker.clients");
    if (b->args_bytes > b->batch_bytes)
        return wrong(v, "broker.args_bytes",
            "more than broker.batch_bytes: such a job would fit no "
            "batch");
    if (b->batch_rows > b->pending_requests)
        return wrong(v, "broker.batch_rows",
            "more than broker.pending_requests: a batch never "
            "fills");
    if (b->result_ms > b->retention_ms)
        return wrong(v, "broker.result",
            "longer than broker.retention, after which the job itself "
            "is gone");
    return 0;
}

/* --- the others --- */

static int check_connect(const struct view *v)
{
    const struct config_connect *n = &v->c->connect;
    const struct yaml_node *list = yaml_at(v->root, "connect.brokers");
    const struct yaml_node *item = list ? list->first : NULL;
    for (size_t i = 0; item && i < n->broker_count; i++, item = item->next) {
        const struct config_endpoint *e = &n->brokers[i];
        if (!endpoint_is_valid(e->clients, false) || !endpoint_is_valid(e->workers, false))
            return yaml_error(
                item, v->err, "clients and workers are tcp://HOST:PORT or ipc://PATH");
        bool is_local =
            config_endpoint_is_local(e->clients) && config_endpoint_is_local(e->workers);
        if (!*e->key && !is_local)
            return yaml_error(
                item, v->err, "the broker is not on loopback: its CURVE key is wanted");
        if (*e->key && !n->curve_key)
            return yaml_error(item, v->err,
                "the broker has a key, but connect.curve_key names none "
                "of our own");
        if (!*e->key && n->curve_key)
            return yaml_error(
                item, v->err, "connect.curve_key is given, but this broker has no key");
    }
    return 0;
}

static int check_database(const struct view *v)
{
    const struct config_database *d = &v->c->database;
    if (d->socket && d->host)
        return wrong(v, "database.host", "give a socket or a host, not both");
    if (!d->socket && !d->host)
        return wrong(v, "database.socket", "give a socket or a host");
    if (d->host && !host_is_local(d->host) && !d->tls_ca)
        return wrong(v, "database.host",
            "not on loopback: database.tls_ca is wanted, so that the "
            "connection is TLS");
    for (int i = 0; d->host && i < DB_ROLES; i++)
        if (!d->users[i].password_file)
            return wrong(v, "database.host",
                "over TCP every one of database.users needs a "
                "password_file");
    return 0;
}

static int check_smtp(const struct view *v)
{
    const struct config_smtp *s = &v->c->mail.smtp;
    if (!host_is_valid(s->host, false))
        return wrong(v, "mail.smtp.host", "not a host name or address");
    if (!host_is_valid(s->helo, false))
        return wrong(v, "mail.smtp.helo", "not a host name");
    if (!s->user != !s->password_file)
        return wrong(v, s->user ? "mail.smtp.user" : "mail.smtp.password_file",
            "user and password_file go together");
    if (s->user && s->tls == TLS_NONE && !host_is_local(s->host))
        return wrong(v, "mail.smtp.user",
            "a password must not cross the network in the clear: "
            "tls: starttls is wanted off loopback");
    if (s->tls_ca && s->tls == TLS_NONE)
        return wrong(v, "mail.smtp.tls_ca", "given, but tls is none");
    if (!v->c->mail.sign_certificate != !v->c->mail.sign_key)
        return wrong(v, v->c->mail.sign_key ? "mail.sign_key" : "mail.sign_certificate",
            "sign_certificate and sign_key go together");
    if (!strchr(v->c->mail.message_id_domain, '.') ||
        !host_is_valid(v->c->mail.message_id_domain, false))
        return wrong(
            v, "mail.message_id_domain", "a domain name such as mail.example.jp is wanted");
    return 0;
}

static int check_issuers(const struct view *v)
{
    enum { NAME_MOST = 32 }; /* of the columns `issuer` */
    if (check_twins(v, "issuers", v->c->issuer_count, "name", issuer_name))
        return -1;
    for (size_t i = 0; i < v->c->issuer_count; i++) {
        if (strlen(v->c->issuers[i].name) > NAME_MOST)
            return wrong(v, "issuers", "the name of an issuer is at most 32 characters long");
        const char *url = v->c->issuers[i].crl_url;
        if (!url)
            continue;
        bool is_uri = strncmp(url, "http://", 7) == 0 && url[7];
        for (const char *p = url; *p; p++)
            is_uri = is_uri && isgraph((unsigned char)*p);
        if (!is_uri)
            return wrong(v, "issuers",
                "a crl_url begins with http:// and has no spaces (RFC 5280 "
                "4.2.1.13)");
    }
    return 0;
}

static int check_schedules(const struct view *v)
{
    const struct yaml_node *list = yaml_at(v->root, "schedules");
    const struct yaml_node *item = list ? list->first : NULL;
    if (check_twins(v, "schedules", v->c->schedule_count, "name", schedule_name))
        return -1;
    for (size_t i = 0; item && i < v->c->schedule_count; i++, item = item->next) {
        const struct config_schedule *s = &v->c->schedules[i];
        if ((s->minute >= 0) == (s->every_ms > 0))
            return yaml_error(item, v->err, "either daily or every is wanted");
    }
    return 0;
}

int config_check(const struct config *c, const struct yaml_node *root, struct err *err)
{
    const struct view v = {c, root, err};
    if (check_broker(&v) || check_connect(&v) || check_database(&v) || check_smtp(&v) ||
        check_issuers(&v) || check_schedules(&v))
        return -1;
    if (c->retry.first_ms > c->retry.most_ms)
        return wrong(&v, "retry.first", "longer than retry.most");
    if (c->intake.plaintext && !config_endpoint_is_local(c->broker.clients))
        return wrong(&v, "intake.plaintext", "allowed only where broker.clients is on loopback");
    if ((int64_t)128 * c->scrypt.r * c->scrypt.p << c->scrypt.ln > INT64_C(1) << 30)
        return wrong(&v, "scrypt", "one hash would take more than 1 GiB (128 * r * p * 2^ln)");
    return 0;
}
