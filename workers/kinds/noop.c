/* noop: accepted, dispatched and completed like any job, and nothing else. For measuring. */
#include "kinds/kinds.h"

static void decide(struct worker *w UNUSED, struct task *task, struct unit *unit UNUSED)
{
    plan_result(&task->plan, json_object());
}

const struct kind_ops noop_ops = {.id = KIND_NOOP, .decide = decide};
