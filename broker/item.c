#include "item.h"

#include "base/json.h"
#include "base/mem.h"

#include <string.h>

/*
 * A sealed password is hashed by the worker. Args are as the client wrote them, so its name could
 * be there with letters escaped, all of which are below U+0100.
 */
static bool is_slow(const struct item *item)
{
    const void *args = item->job.args;
    size_t length = item->job.args_length;
    return item->kind->secrets && length > 0 &&
           (memmem(args, length, "\"sealed\"", 8) || memmem(args, length, "\\u00", 4));
}

struct item *item_new(const struct job *job, const struct kind *kind)
{
    size_t client = strlen(job->client) + 1;
    struct item *item = mem_zero(1, sizeof *item + client + job->args_length + 1);
    item->job = *job;
    item->kind = kind;
    item->job.kind = kind->name;
    item->job.client = (char *)item->data;
    memcpy(item->data, job->client, client);
    item->job.args = item->data + client;
    if (job->args_length)
        memcpy(item->job.args, job->args, job->args_length);
    item->slow = is_slow(item);
    return item;
}

struct item *item_adopt(struct job *job, const struct kind *kind)
{
    struct item *item = MEM_NEW(struct item);
    item->job = *job;
    item->kind = kind;
    item->job.kind = kind->name;
    item->client_apart = item->args_apart = true;
    job->client = NULL;
    job->args = NULL;
    item->slow = is_slow(item);
    return item;
}

void item_free(struct item *item)
{
    if (!item)
        return;
    if (item->client_apart)
        free(item->job.client);
    if (item->args_apart)
        free(item->job.args);
    json_decref(item->seal);
    free(item->error);
    free(item);
}

void item_set_args(struct item *item, uint8_t *args, size_t length)
{
    if (item->args_apart)
        free(item->job.args);
    item->args_apart = true;
    item->job.args = args;
    item->job.args_length = length;
    item->slow = is_slow(item);
}

int item_compare(const struct item *a, const struct item *b)
{
    if (a->job.rank != b->job.rank)
        return a->job.rank < b->job.rank ? -1 : 1;
    return uuid_compare(&a->job.id, &b->job.id);
}

bool item_is_row(const struct item *item)
{
    return item->kind->durable && item->state != ITEM_STORING;
}

const char *item_state_name(enum item_state state)
{
    switch (state) {
    case ITEM_SCHEDULED:
        return job_state_name(JOB_SCHEDULED);
    case ITEM_RUNNING:
        return job_state_name(JOB_RUNNING);
    case ITEM_STORING:
    case ITEM_READY:
    case ITEM_DELAYED:
    case ITEM_ASKING:
        break;
    }
    return job_state_name(JOB_READY);
}
