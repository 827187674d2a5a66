#include "mailbox.h"

#include "base/mem.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct group *first, *last;
};

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct queue urgent, normal, done;
    bool closed;
    int fd;
};

static void push(struct queue *q, struct group *g)
{
    g->next = NULL;
    if (q->last)
        q->last->next = g;
    else
        q->first = g;
    q->last = g;
}

static struct group *pop(struct queue *q)
{
    struct group *g = q->first;
    if (g) {
        q->first = g->next;
        if (!q->first)
            q->last = NULL;
    }
    return g;
}

/* The first is the one that has waited longest. */
static struct group *pop_overdue(struct queue *q)
{
    return q->first && group_is_overdue(q->first) ? pop(q) : NULL;
}

struct mailbox *mailbox_new(void)
{
    struct mailbox *m = MEM_NEW(struct mailbox);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->arrived, NULL);
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return m;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    struct group *g;
    while ((g = pop(&m->urgent)) || (g = pop(&m->normal)) || (g = pop(&m->done)))
        group_free(g);
    pthread_cond_destroy(&m->arrived);
    pthread_mutex_destroy(&m->lock);
    close(m->fd);
    free(m);
}

void mailbox_put(struct mailbox *m, struct group *g)
{
    pthread_mutex_lock(&m->lock);
    push(g->urgent ? &m->urgent : &m->normal, g);
    pthread_cond_signal(&m->arrived);
    pthread_mutex_unlock(&m->lock);
}

struct group *mailbox_wait(struct mailbox *m)
{
    struct group *g;
    pthread_mutex_lock(&m->lock);
    while (!(g = pop(&m->urgent)) && !(g = pop(&m->normal)) && !m->closed)
        pthread_cond_wait(&m->arrived, &m->lock);
    pthread_mutex_unlock(&m->lock);
    return g;
}

void mailbox_done(struct mailbox *m, struct group *g)
{
    pthread_mutex_lock(&m->lock);
    push(&m->done, g);
    pthread_mutex_unlock(&m->lock);
    eventfd_write(m->fd, 1);
}

struct group *mailbox_take_done(struct mailbox *m)
{
    eventfd_t count;
    eventfd_read(m->fd, &count);
    pthread_mutex_lock(&m->lock);
    struct group *g = pop(&m->done);
    bool more = m->done.first != NULL;
    pthread_mutex_unlock(&m->lock);
    if (more)
        eventfd_write(m->fd, 1);
    return g;
}

struct group *mailbox_take_overdue(struct mailbox *m)
{
    struct group *g;
    pthread_mutex_lock(&m->lock);
    if (!(g = pop_overdue(&m->urgent)))
        g = pop_overdue(&m->normal);
    pthread_mutex_unlock(&m->lock);
    return g;
}

int mailbox_fd(const struct mailbox *m)
{
    return m->fd;
}

void mailbox_close(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    m->closed = true;
    pthread_cond_broadcast(&m->arrived);
    pthread_mutex_unlock(&m->lock);
}
