#include "http.h"

#include "metrics.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/registry_store.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

enum { CONNECTIONS_MOST = 64, IDLE_S = 15 };

/* The answer itself is kept: however many fetch it, its bytes are there once. */
struct kept_crl {
    struct MHD_Response *response; /* NULL: none yet */
    uint64_t number;
    int64_t looked_ms;   /* monotonic; 0: never */
    enum err_kind fault; /* of the last look; ERR_NONE: it found one */
};
struct http {
    const struct config *config;
    struct MHD_Daemon *daemon;
    char address[300];
    struct db *db;
    struct kept_crl *crls; /* one for each issuer; only the daemon's thread touches them */
};

static struct MHD_Response *response_of(
    const char *type, struct bytes body, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.length, (void *)(uintptr_t)body.data, mode);
    if (!response)
        return NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    return response;
}

static enum MHD_Result reply(
    struct MHD_Connection *connection, unsigned status, const char *type, struct bytes body)
{
    struct MHD_Response *response = response_of(type, body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_text(
    struct MHD_Connection *connection, unsigned status, const char *text)
{
    return reply(connection, status, "text/plain; charset=utf-8", bytes_of_text(text));
}

static enum MHD_Result reply_metrics(struct MHD_Connection *connection)
{
    AUTO_BUF text = {0};
    metrics_write(&text);
    return reply(
        connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&text));
}

static int keep_newest(struct http *h, const char *issuer, struct kept_crl *kept, struct err *err)
{
    uint64_t number;
    int64_t ignored;
    AUTO_BUF der = {0};
    if ((!db_is_open(h->db) && db_open(h->db, err)) ||
        registry_newest_crl(h->db, issuer, &number, &ignored, err))
        return -1;
    if (kept->response && kept->number == number)
        return 0;
    if (registry_read_crl(h->db, issuer, &number, &der, err))
        return -1;
    struct MHD_Response *response =
        response_of("application/pkix-crl", buf_bytes(&der), MHD_RESPMEM_MUST_FREE);
    if (!response)
        return err_set(err, ERR_TEMPORARY, NULL, "no memory for a CRL");
    der = (struct buf){0}; /* the response frees it */
    if (kept->response)
        MHD_destroy_response(kept->response);
    kept->response = response;
    kept->number = number;
    return 0;
}

/*
 * An old CRL is better than none while the database is away: it says itself until when it is good.
 * One that cannot be had is not looked for more often than one that can: a look may take as long as
 * the database is waited for, and this thread answers everybody.
 */
static enum err_kind look_for_crl(struct http *h, size_t i)
{
    struct kept_crl *kept = &h->crls[i];
    struct err err = {0};
    if (!kept->looked_ms || clock_monotonic_ms() - kept->looked_ms >= HTTP_CRL_MS) {
        kept->fault = keep_newest(h, h->config->issuers[i].name, kept, &err) ? err.kind : ERR_NONE;
        kept->looked_ms = clock_monotonic_ms();
    }
    return kept->response && kept->fault != ERR_NOT_FOUND ? ERR_NONE : kept->fault;
}

static enum MHD_Result reply_crl(
    struct http *h, struct MHD_Connection *connection, const char *name, size_t length)
{
    for (size_t i = 0; i < h->config->issuer_count; i++) {
        const char *issuer = h->config->issuers[i].name;
        if (strlen(issuer) != length || memcmp(issuer, name, length) != 0)
            continue;
        const enum err_kind fault = look_for_crl(h, i);
        if (fault == ERR_NONE)
            return MHD_queue_response(connection, MHD_HTTP_OK, h->crls[i].response);
        if (fault == ERR_NOT_FOUND)
            break;
        return reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the database is away\n");
    }
    return reply_text(connection, MHD_HTTP_NOT_FOUND, "there is no such CRL\n");
}

static enum MHD_Result serve(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request)
{
    (void)version, (void)upload, (void)request;
    struct http *h = context;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        *upload_size = 0;
        return reply_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    size_t length = strlen(url);
    if (strcmp(url, "/metrics") == 0)
        return reply_metrics(connection);
    if (strcmp(url, "/healthz") == 0)
        return reply_text(connection, MHD_HTTP_OK, "ok\n");
    if (strcmp(url, "/readyz") == 0)
        return metric_get(METRIC_DATABASE)
                   ? reply_text(connection, MHD_HTTP_OK, "ready\n")
                   : reply_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the database is away\n");
    if (length > 9 && memcmp(url, "/crl/", 5) == 0 && strcmp(url + length - 4, ".crl") == 0)
        return reply_crl(h, connection, url + 5, length - 9);
    return reply_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

static int resolve(const char *address, struct addrinfo **ret, struct err *err)
{
    const char *colon = strrchr(address, ':');
    if (!colon)
        return err_set(err, ERR_INPUT, NULL, "broker.http: %s: HOST:PORT is wanted", address);
    bool is_bracketed = address[0] == '[' && colon > address && colon[-1] == ']';
    AUTO_TEXT host = is_bracketed ? mem_text_n(address + 1, (size_t)(colon - address) - 2)
                                  : mem_text_n(address, (size_t)(colon - address));
    const char *port = strcmp(colon + 1, "*") == 0 ? "0" : colon + 1;
    const struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int code = getaddrinfo(host, port, &hints, ret);
    if (code)
        return err_set(err, ERR_INPUT, NULL, "broker.http: %s: %s", address, gai_strerror(code));
    return 0;
}

static int start(struct http *h, const char *address, struct err *err)
{
    struct addrinfo *found = NULL;
    if (resolve(address, &found, err))
        return -1;
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    if (found->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, serve, h, MHD_OPTION_SOCK_ADDR,
        found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
    freeaddrinfo(found);
    if (!h->daemon)
        return err_set(err, ERR_TEMPORARY, NULL, "broker.http: cannot listen on %s", address);
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    snprintf(h->address, sizeof h->address, "%.*s:%u", (int)(strrchr(address, ':') - address),
        address, info ? info->port : 0);
    return 0;
}

int http_new(const struct config *config, const char *address, struct db *db, struct http **ret,
    struct err *err)
{
    struct http *h = MEM_NEW(struct http);
    h->config = config;
    h->db = db;
    h->crls = mem_zero(config->issuer_count + 1, sizeof *h->crls);
    if (start(h, address, err)) {
        http_free(h);
        return -1;
    }
    *ret = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    for (size_t i = 0; h->crls && i < h->config->issuer_count; i++)
        if (h->crls[i].response)
            MHD_destroy_response(h->crls[i].response);
    free(h->crls);
    db_free(h->db);
    free(h);
}

const char *http_address(const struct http *h)
{
    return h->address;
}
