#include "sealing.h"

#include "base/json.h"
#include "base/mem.h"
#include "crypto/seal.h"

#include <pthread.h>

struct sealing {
    struct sealer *sealer;
    size_t most, count;
    struct inbox *inbox;
    void (*done)(struct task *task, struct broker *broker);
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct item *first, **last;
    bool stopping;
};

static void seal_item(struct sealing *s, struct item *item)
{
    struct sealed *sealed = MEM_NEW(struct sealed);
    sealed->task.done = s->done;
    sealed->item = item;
    if (seal_args(s->sealer, &item->job.id, item->seal, &sealed->task.err) == 0) {
        AUTO_BUF args = {0};
        json_write(item->seal, &args);
        size_t length = args.length;
        item_set_args(item, (uint8_t *)buf_take_text(&args), length);
    }
    json_decref(item->seal);
    item->seal = NULL;
    inbox_post(s->inbox, &sealed->task);
}

static void *thread_main(void *context)
{
    struct sealing *s = context;
    pthread_setname_np(pthread_self(), "sealer");
    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->first && !s->stopping)
            pthread_cond_wait(&s->changed, &s->lock);
        struct item *item = s->first;
        if (!item)
            break;
        s->first = item->next;
        if (!s->first)
            s->last = &s->first;
        s->count--;
        pthread_mutex_unlock(&s->lock);
        seal_item(s, item);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct sealing *sealing_new(struct sealer *sealer, size_t most, struct inbox *inbox,
    void (*done)(struct task *task, struct broker *broker))
{
    struct sealing *s = MEM_NEW(struct sealing);
    s->sealer = sealer;
    s->most = most;
    s->inbox = inbox;
    s->done = done;
    s->last = &s->first;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    pthread_create(&s->thread, NULL, thread_main, s);
    return s;
}

bool sealing_put(struct sealing *s, struct item *item)
{
    pthread_mutex_lock(&s->lock);
    bool room = s->count < s->most;
    if (room) {
        item->next = NULL;
        *s->last = item;
        s->last = &item->next;
        s->count++;
        pthread_cond_signal(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return room;
}

void sealing_free(struct sealing *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    sealer_free(s->sealer);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}
