#include "task.h"

#include "base/mem.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct inbox {
    pthread_mutex_t lock;
    struct task *first, **last;
    int fd;
};

struct inbox *inbox_new(void)
{
    struct inbox *inbox = MEM_NEW(struct inbox);
    pthread_mutex_init(&inbox->lock, NULL);
    inbox->last = &inbox->first;
    inbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return inbox;
}

void inbox_free(struct inbox *inbox)
{
    if (!inbox)
        return;
    pthread_mutex_destroy(&inbox->lock);
    close(inbox->fd);
    free(inbox);
}

int inbox_fd(const struct inbox *inbox)
{
    return inbox->fd;
}

void inbox_post(struct inbox *inbox, struct task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&inbox->lock);
    bool was_empty = !inbox->first;
    *inbox->last = task;
    inbox->last = &task->next;
    pthread_mutex_unlock(&inbox->lock);
    if (was_empty)
        eventfd_write(inbox->fd, 1);
}

struct task *inbox_take(struct inbox *inbox)
{
    eventfd_t n;
    eventfd_read(inbox->fd, &n);
    pthread_mutex_lock(&inbox->lock);
    struct task *first = inbox->first;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    pthread_mutex_unlock(&inbox->lock);
    return first;
}
