/* The seals of the file outside, in memory, for audit_check. */
#ifndef CERTQ_AUDIT_CHECK_FILE_H
#define CERTQ_AUDIT_CHECK_FILE_H

#include "audit/seal.h"

struct file_seals {
    struct audit_seal *items; /* ascending by number; of equal ones all */
    size_t count;
    size_t *bad_lines; /* numbers of lines that are no seal */
    size_t bad_count;
    bool is_missing; /* there is no such file */
};
int file_seals_read(const char *path, struct file_seals *ret, struct err *err) MUST_USE;
void file_seals_clear(struct file_seals *f);
/* The first of that number; NULL. */
const struct audit_seal *file_seals_find(const struct file_seals *f, uint64_t number);
uint64_t file_seals_last(const struct file_seals *f);

#endif
