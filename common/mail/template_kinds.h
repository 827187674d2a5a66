/*
 * The list of all templates with the facts each may and must use; what a fact means is told in
 * docs/templates.md. Inside common/mail and its tests only.
 */
#ifndef CERTQ_MAIL_TEMPLATE_KINDS_H
#define CERTQ_MAIL_TEMPLATE_KINDS_H

#include "mail/template_parse.h"

enum { TEMPLATE_KINDS = 22 };
/* `i` is less than TEMPLATE_KINDS. */
const struct template_kind *template_kind(size_t i);

#endif
