/*
 * PEM (RFC 7468) around bytes. Strict where it reads from outside: one block, nothing but white
 * space around it, no headers inside.
 */
#ifndef CERTQ_PKI_PEM_H
#define CERTQ_PKI_PEM_H

#include "base/buf.h"
#include "base/err.h"

/* Appends a block with lines of 64 characters. */
void pem_write(const char *label, struct bytes der, struct buf *ret);
/* Appends the bytes of the only block of the text, whose label is `label` or `other` (NULL: none).
 * Input error names what is wrong, without the text. */
int pem_read_one(struct bytes text, const char *label, const char *other, struct buf *ret,
    struct err *err) MUST_USE;

#endif
