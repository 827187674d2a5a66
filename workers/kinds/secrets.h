/*
 * The secrets in a job's args (password, code): sealed for this job and path (crypto/seal.h), or,
 * for a password that is to be stored, a scrypt hash made upstream. A plain text is refused here:
 * the broker has sealed those it takes (X5).
 */
#ifndef CERTQ_WORKERS_KINDS_SECRETS_H
#define CERTQ_WORKERS_KINDS_SECRETS_H

#include "base/secret.h"
#include "kind_ops.h"

/* Opens task->args[name], which is there; false with a bad field when it is not sealed for this
 * job, or empty. */
bool secret_open(const struct worker *w, struct task *task, const char *name, struct secret **ret);
/* A password to be stored: one of the two is set, both owned. */
struct new_password {
    struct secret *plain;
    char *hash; /* scrypt text */
};
bool password_read(const struct worker *w, struct task *task, struct new_password *ret);
/* The same of task->args[name]. */
bool new_password_read(
    const struct worker *w, struct task *task, const char *name, struct new_password *ret);
/* Makes the hash where it is missing: slow (crypto/scrypt.h). ERR_TEMPORARY: no memory for it. */
int password_hash(const struct worker *w, struct new_password *p, struct err *err) MUST_USE;
void new_password_clear(struct new_password *p);

#endif
