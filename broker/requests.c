#include "requests.h"

#include "admin.h"
#include "broker.h"
#include "intake.h"
#include "metrics.h"
#include "titanic.h"
#include "workers.h"

#include "base/kind.h"

#include <string.h>

static bool has_prefix(struct bytes service, const char *prefix)
{
    size_t n = strlen(prefix);
    return service.length >= n && memcmp(service.data, prefix, n) == 0;
}

static void send_status(struct broker *b, const struct asker *asker, const char *status)
{
    struct bytes frame = bytes_of_text(status);
    client_send(b, asker, CLIENT_FINAL, &frame, 1);
}

/* RFC 8: the body names a service. */
static void handle_mmi(
    struct broker *b, const struct asker *asker, const struct client_request *request)
{
    if (!bytes_equal(request->service, bytes_of_text("mmi.service"))) {
        send_status(b, asker, "501");
        return;
    }
    struct bytes name = request->body_count ? request->body[0] : (struct bytes){0};
    const struct kind *kind = kind_find((const char *)name.data, name.length);
    bool is_served = kind && !kind->internal && workers_serving(b->workers, kind->id) > 0;
    send_status(b, asker, is_served ? "200" : "404");
}

static void submit(
    struct broker *b, const struct asker *asker, const struct client_request *request)
{
    struct err err = {0};
    struct wish wish = {.asker = *asker, .style = WISH_JOB};
    struct uuid id = {{0}};
    const struct kind *kind =
        kind_find((const char *)request->service.data, request->service.length);
    int failed = 0;
    if (!kind) {
        if (request->body_count)
            intake_read_id(b, request->body[0], &id);
        failed = err_set(&err, ERR_INPUT, "unknown-kind", "%.*s: no such kind of job",
            (int)request->service.length, (const char *)request->service.data);
    } else if (request->body_count != 1) {
        failed = err_set(
            &err, ERR_INPUT, "bad-request", "%zu body frames, one is wanted", request->body_count);
    } else {
        wish.asker.service = bytes_of_text(kind->name); /* it outlives the request */
        failed = intake_submit(b, kind, request->body[0], &wish, &id, &err);
    }
    if (failed)
        client_reject(b, asker, uuid_is_zero(&id) ? NULL : &id, &err);
}

void requests_handle(
    struct broker *b, const struct asker *asker, const struct client_request *request)
{
    if (has_prefix(request->service, "certq."))
        admin_handle(b, asker, request);
    else if (has_prefix(request->service, "titanic."))
        titanic_handle(b, asker, request);
    else if (has_prefix(request->service, "mmi."))
        handle_mmi(b, asker, request);
    else
        submit(b, asker, request);
}
