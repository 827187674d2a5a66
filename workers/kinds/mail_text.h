/*
 * What a mail job asks for and the message made of it. The args of a mail job:
 * {"template", "language", "recipient", "subscriber"?, "certificate"?, "generation"?,
 *  "facts": {NAME: TEXT}}, as common/lifecycle/decide_mail.c writes them. Whom to ask comes from
 * the configuration; the code is derived here, from the certificate's row, and is in no args (I6).
 */
#ifndef CERTQ_WORKERS_MAIL_TEXT_H
#define CERTQ_WORKERS_MAIL_TEXT_H

#include "kind_ops.h"
#include "store/mail_store.h"

struct mail_request {
    const char *template, *language, *recipient; /* borrowed from args */
    struct uuid certificate, subscriber;         /* zero: none */
    uint32_t generation;
    const json_t *facts; /* likewise */
    char *message_id;    /* as the header has it, without angle brackets */
};

/* NULL and a refused plan when args are not as above. Whom to ask is added to the facts in args. */
struct mail_request *mail_request_read(
    const struct worker *w, const struct job *job, json_t *args, struct plan *plan);
void mail_request_free(struct mail_request *r);
bool mail_request_has_code(const struct worker *w, const struct mail_request *r);
/* Appends the finished message. ERR_INPUT: it can never be composed; else try again later. */
int mail_compose(const struct worker *w, const struct task *task, const struct mail_code *code,
    struct buf *ret, struct err *err) MUST_USE;
/* Name of the lock a mail worker's life holds while it lives. */
void mail_life_lock(const struct uuid *life, char name[static 64]);

#endif
