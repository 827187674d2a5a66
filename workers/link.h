/*
 * The worker's side of CQW/1 towards all its brokers, on the main thread: announces itself, takes
 * groups, sends reports, heartbeats with the groups held, follows the brokers' clock, drains. Never
 * blocks on a job: groups go through the mailbox. Broker state machine: see docs/protocol.md.
 */
#ifndef CERTQ_WORKERS_LINK_H
#define CERTQ_WORKERS_LINK_H

#include "mailbox.h"
#include "worker.h"

/*
 * Runs until drained (SIGTERM, SIGINT or a broker's DRAIN; returns 0) or told to stop at once (a
 * second signal; returns 1). -1: cannot start, err says why. signal_fd is a signalfd of the two.
 */
int link_run(
    const struct worker *w, struct mailbox *mailbox, int signal_fd, struct err *err) MUST_USE;

#endif
