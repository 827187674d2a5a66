/*
 * Groups of jobs that are with workers. A group is lost when its worker is, when it is missing from
 * two of the worker's heartbeats running, or past its deadline. Pure: holds items and a pointer to
 * the worker, owns neither. Who closes a group decides what becomes of its members.
 */
#ifndef CERTQ_BROKER_GROUPS_H
#define CERTQ_BROKER_GROUPS_H

#include "item.h"

#include "base/map.h"

struct worker;

#define GROUP_MISSED_BEATS 2
#define GROUP_GRACE_MS 2000 /* beyond the deadline, which runs from the worker's receipt */

struct group {
    struct uuid id;
    struct worker *worker;
    const struct kind *kind;
    bool urgent;
    bool alone; /* a suspect of a lost group: nothing else goes to this worker meanwhile */
    int64_t sent_ms, deadline_ms; /* monotonic */
    int missed;                   /* heartbeats running that did not list it */
    uint64_t beat;                /* last heartbeat of the worker that listed it, or sent before */
    struct group *next, *before;  /* of the same worker */
    uint32_t count;
    struct item *items[]; /* NULL once settled */
};

struct groups;
/* A worker's groups: the head of a list. */
struct group_list {
    struct group *first;
    size_t count, jobs;
};

struct groups *groups_new(void);
/* Frees the groups, not their items. */
void groups_free(struct groups *g);
size_t groups_count(const struct groups *g);
/* Items become RUNNING and the group joins the list. */
struct group *groups_open(struct groups *g, struct worker *worker, struct group_list *list,
    const struct kind *kind, struct item *const *items, uint32_t n, int64_t now_ms);
struct group *groups_find(const struct groups *g, const struct uuid *id);
/* Frees the group; items that are still in it are no more RUNNING in it (item->group NULL). */
void groups_close(struct groups *g, struct group_list *list, struct group *group);

/*
 * The worker's heartbeat number `beat` lists these ids. Groups it misses are counted; ids nobody
 * knows are ignored (an old broker's, or just closed). A group sent less than two beats ago is not
 * counted: the heartbeat may have crossed it.
 */
void groups_heartbeat(
    struct groups *g, struct group_list *list, const struct uuid *ids, size_t n, int64_t now_ms);
bool group_is_lost(const struct group *group, int64_t now_ms);
DEFINE_AUTO_STRUCT(groups);

#endif
