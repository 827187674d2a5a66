#include "zap.h"

#include "metrics.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>
#include <zmq.h>

enum {
    FRAMES = 7, /* version, id, domain, address, identity, mechanism, key */
    KEY_BYTES = 32,
    /* ZMQ_ZAP_ENFORCE_DOMAIN: libzmq has it, its header shows it to drafts only. Without it, a
     * socket whose handler cannot be reached takes anybody. */
    ENFORCE_DOMAIN = 93,
};

struct zap {
    void *socket;
    const struct config_broker *config;
    pthread_t thread;
};

struct request {
    zmq_msg_t frames[FRAMES];
    size_t count;
};

/* False when the context ends. */
static bool receive(void *socket, struct request *r)
{
    r->count = 0;
    for (bool more = true; more;) {
        zmq_msg_t spare, *frame = r->count < FRAMES ? &r->frames[r->count] : &spare;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, 0) < 0) {
            zmq_msg_close(frame);
            return false;
        }
        more = zmq_msg_more(frame);
        if (frame == &spare)
            zmq_msg_close(&spare);
        else
            r->count++;
    }
    return true;
}

static bool is_text(zmq_msg_t *frame, const char *text)
{
    return zmq_msg_size(frame) == strlen(text) &&
           memcmp(zmq_msg_data(frame), text, strlen(text)) == 0;
}

/* The name of the key in its domain, NULL when it is not listed. */
static const char *name_of(const struct config_broker *config, struct request *r)
{
    char key[41];
    if (r->count != FRAMES || !is_text(&r->frames[5], "CURVE") ||
        zmq_msg_size(&r->frames[6]) != KEY_BYTES ||
        !zmq_z85_encode(key, zmq_msg_data(&r->frames[6]), KEY_BYTES))
        return NULL;
    if (is_text(&r->frames[2], ZAP_DOMAIN_CLIENTS))
        for (size_t i = 0; i < config->client_key_count; i++)
            if (strcmp(config->client_keys[i].key, key) == 0)
                return config->client_keys[i].name;
    if (is_text(&r->frames[2], ZAP_DOMAIN_WORKERS))
        for (size_t i = 0; i < config->worker_key_count; i++)
            if (strcmp(config->worker_keys[i].key, key) == 0)
                return config->worker_keys[i].name;
    return NULL;
}

static void answer(void *socket, struct request *r, const char *name)
{
    const char *status = name ? "200" : "400";
    const char *text = name ? "OK" : "key not listed";
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, zmq_msg_data(&r->frames[1]), zmq_msg_size(&r->frames[1]), ZMQ_SNDMORE);
    zmq_send(socket, status, 3, ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, name, name ? strlen(name) : 0, ZMQ_SNDMORE);
    zmq_send(socket, NULL, 0, 0);
}

static void *thread_main(void *context)
{
    struct zap *z = context;
    pthread_setname_np(pthread_self(), "zap");
    struct request r;
    while (receive(z->socket, &r)) {
        const char *name = name_of(z->config, &r);
        if (!name) {
            metric_count(BAD_KEY);
            log_warn("key.refused", "address=%.*s",
                r.count > 3 ? (int)zmq_msg_size(&r.frames[3]) : 0,
                r.count > 3 ? (const char *)zmq_msg_data(&r.frames[3]) : "");
        }
        if (r.count >= 2)
            answer(z->socket, &r, name);
        for (size_t i = 0; i < r.count; i++)
            zmq_msg_close(&r.frames[i]);
    }
    zmq_close(z->socket);
    return NULL;
}

int zap_new(void *zmq, const struct config_broker *config, struct zap **ret, struct err *err)
{
    struct zap *z = MEM_NEW(struct zap);
    const int zero = 0;
    z->config = config;
    z->socket = zmq_socket(zmq, ZMQ_REP);
    zmq_setsockopt(z->socket, ZMQ_LINGER, &zero, sizeof zero);
    if (zmq_bind(z->socket, "inproc://zeromq.zap.01")) {
        zmq_close(z->socket);
        free(z);
        return err_set(err, ERR_FATAL, NULL, "ZAP handler: %s", zmq_strerror(zmq_errno()));
    }
    pthread_create(&z->thread, NULL, thread_main, z);
    *ret = z;
    return 0;
}

int zap_guard(void *socket, const char *domain, struct err *err)
{
    const int one = 1;
    if (zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) ||
        zmq_setsockopt(socket, ENFORCE_DOMAIN, &one, sizeof one))
        return err_set(err, ERR_FATAL, NULL, "ZAP domain: %s", zmq_strerror(zmq_errno()));
    return 0;
}

void zap_free(struct zap *z)
{
    if (!z)
        return;
    pthread_join(z->thread, NULL);
    free(z);
}
