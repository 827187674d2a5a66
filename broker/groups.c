#include "groups.h"

#include "base/mem.h"
#include "wire/worker.h"

struct groups {
    struct map *by_id;
    uint64_t beats;
};

struct groups *groups_new(void)
{
    struct groups *g = MEM_NEW(struct groups);
    g->by_id = map_new();
    return g;
}

void groups_free(struct groups *g)
{
    if (!g)
        return;
    size_t at = 0;
    struct group *group;
    while ((group = map_next(g->by_id, &at, NULL)))
        free(group);
    map_free(g->by_id);
    free(g);
}

size_t groups_count(const struct groups *g)
{
    return map_count(g->by_id);
}

struct group *groups_open(struct groups *g, struct worker *worker, struct group_list *list,
    const struct kind *kind, struct item *const *items, uint32_t n, int64_t now_ms)
{
    struct group *group = mem_zero(1, sizeof *group + n * sizeof group->items[0]);
    group->id = uuid_new();
    group->worker = worker;
    group->kind = kind;
    group->sent_ms = now_ms;
    group->deadline_ms = now_ms + kind->deadline_ms + GROUP_GRACE_MS;
    group->count = n;
    for (uint32_t i = 0; i < n; i++) {
        group->items[i] = items[i];
        items[i]->state = ITEM_RUNNING;
        items[i]->group = group;
    }
    group->next = list->first;
    if (list->first)
        list->first->before = group;
    list->first = group;
    list->count++;
    list->jobs += n;
    map_put(g->by_id, &group->id, group);
    return group;
}

struct group *groups_find(const struct groups *g, const struct uuid *id)
{
    return map_get(g->by_id, id);
}

void groups_close(struct groups *g, struct group_list *list, struct group *group)
{
    for (uint32_t i = 0; i < group->count; i++)
        if (group->items[i] && group->items[i]->group == group)
            group->items[i]->group = NULL;
    if (group->before)
        group->before->next = group->next;
    else
        list->first = group->next;
    if (group->next)
        group->next->before = group->before;
    list->count--;
    list->jobs -= group->count;
    map_remove(g->by_id, &group->id);
    free(group);
}

void groups_heartbeat(
    struct groups *g, struct group_list *list, const struct uuid *ids, size_t n, int64_t now_ms)
{
    uint64_t beat = ++g->beats;
    for (size_t i = 0; i < n; i++) {
        struct group *group = groups_find(g, &ids[i]);
        if (group) {
            group->beat = beat;
            group->missed = 0;
        }
    }
    for (struct group *group = list->first; group; group = group->next)
        if (group->beat != beat && now_ms - group->sent_ms >= 2 * WORKER_HEARTBEAT_MS)
            group->missed++;
}

bool group_is_lost(const struct group *group, int64_t now_ms)
{
    return group->missed >= GROUP_MISSED_BEATS || now_ms > group->deadline_ms;
}
