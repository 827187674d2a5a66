#include "handle.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"

#include <zmq.h>

#define TICK_MS 50
#define RECEIVE_BURST 1000 /* answers taken from one link before the others have their turn */

struct request *request_new(const char *service)
{
    struct request *r = MEM_NEW(struct request);
    r->service = mem_text(service);
    r->link = NO_LINK;
    r->give_up_ms = INT64_MAX;
    return r;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    secret_wipe(r->body.data, r->body.length); /* args may hold one in the clear */
    buf_free(&r->body);
    json_decref(r->answer);
    free(r->service);
    free(r);
}

/* ---- sending ---- */

/* Tries the current link first; the one that takes it becomes current. */
static void send_request(struct certq *c, struct request *r, int64_t now_ms)
{
    for (size_t i = 0; i < c->link_count; i++) {
        size_t at = (c->current + i) % c->link_count;
        if (!link_send(c->links[at], bytes_of_text(r->service), buf_bytes(&r->body)))
            continue;
        c->current = r->link = at;
        r->was_sent = true;
        r->link_breaks = link_breaks(c->links[at]);
        r->act_ms = now_ms + (r->is_accepted ? c->again_ms : c->silence_ms);
        return;
    }
    r->link = NO_LINK; /* nobody listens: tried again at every tick */
    r->act_ms = now_ms;
}

int handle_add(struct certq *c, struct request *r, struct err *err)
{
    if (map_get(c->requests, &r->id)) {
        int result = err_set(err, ERR_CONFLICT, NULL, "id %s is in flight already", uuid_s(&r->id));
        request_free(r);
        return result;
    }
    map_put(c->requests, &r->id, r);
    r->previous = c->last;
    if (c->last)
        c->last->next = r;
    else
        c->first = r;
    c->last = r;
    if (!r->is_call)
        c->submissions++;
    int64_t now_ms = clock_monotonic_ms();
    r->connect_ms = now_ms + c->connect_ms;
    send_request(c, r, now_ms);
    return 0;
}

void handle_remove(struct certq *c, struct request *r)
{
    map_remove(c->requests, &r->id);
    if (r->previous)
        r->previous->next = r->next;
    else
        c->first = r->next;
    if (r->next)
        r->next->previous = r->previous;
    else
        c->last = r->previous;
    if (!r->is_call)
        c->submissions--;
    request_free(r);
}

void handle_avoid(struct certq *c, size_t link)
{
    if (c->current == link)
        c->current = (link + 1) % c->link_count;
}

/* ---- timers ---- */

static bool was_lost(const struct certq *c, const struct request *r)
{
    return r->link != NO_LINK && link_breaks(c->links[r->link]) != r->link_breaks;
}

static void tick_request(struct certq *c, struct request *r, int64_t now_ms)
{
    if (r->has_ended)
        return;
    bool is_late = now_ms >= r->give_up_ms || (!r->was_sent && now_ms >= r->connect_ms);
    if (is_late && !r->is_accepted) {
        handle_give_up(c, r);
        return;
    }
    if (now_ms < r->act_ms && !was_lost(c, r))
        return;
    if (r->link != NO_LINK)
        handle_avoid(c, r->link); /* it was silent, or it broke */
    send_request(c, r, now_ms);
}

static void tick(struct certq *c, int64_t now_ms)
{
    if (now_ms < c->next_tick_ms)
        return;
    c->next_tick_ms = now_ms + TICK_MS;
    for (struct request *r = c->first, *next; r; r = next) {
        next = r->next;
        tick_request(c, r, now_ms);
    }
}

/* ---- the loop ---- */

static long poll_wait(const struct certq *c, int64_t wait_ms, int64_t now_ms)
{
    int64_t until_tick = c->next_tick_ms - now_ms;
    if (c->first && (wait_ms < 0 || wait_ms > until_tick))
        wait_ms = until_tick;
    return (long)wait_ms;
}

static void receive(struct certq *c, struct link *l, int64_t now_ms)
{
    struct client_reply reply;
    enum link_got got;
    for (int i = 0; i < RECEIVE_BURST; i++) {
        got = link_receive(l, now_ms, &reply);
        if (got == LINK_NOTHING)
            return;
        if (got == LINK_ANSWER)
            handle_answer(c, &reply, now_ms);
    }
}

void handle_turn(struct certq *c, int64_t wait_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    tick(c, now_ms);
    zmq_pollitem_t items[2 * LINKS_MAX];
    for (size_t i = 0; i < c->link_count; i++) {
        items[2 * i] = (zmq_pollitem_t){link_socket(c->links[i]), 0, ZMQ_POLLIN, 0};
        items[2 * i + 1] = (zmq_pollitem_t){link_monitor(c->links[i]), 0, ZMQ_POLLIN, 0};
    }
    if (zmq_poll(items, (int)(2 * c->link_count), poll_wait(c, wait_ms, now_ms)) <= 0)
        return;
    now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < c->link_count; i++) {
        if (items[2 * i + 1].revents) {
            link_watch(c->links[i]);
            c->next_tick_ms = now_ms; /* what was lost goes elsewhere, what waits goes here */
        }
        if (items[2 * i].revents)
            receive(c, c->links[i], now_ms);
    }
}
