/*
 * Bytes nobody may learn: passwords, codes, keys. Wiped when freed, never printable (there is no
 * function that formats one), compared in constant time. The owner frees.
 */
#ifndef CERTQ_BASE_SECRET_H
#define CERTQ_BASE_SECRET_H

#include "base/auto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
    size_t length;
    uint8_t data[]; /* length bytes and a NUL that is not counted */
};

struct secret *secret_new(const void *data, size_t length);
/* Zeroed, to be filled in place. */
struct secret *secret_of_size(size_t length);
void secret_free(struct secret *s);
/* Constant time in the content; lengths may differ openly. */
bool secret_equal(const struct secret *a, const struct secret *b);
/* Overwrites memory so that the compiler cannot drop it. */
void secret_wipe(void *data, size_t length);
/* Makes the process not dumpable (no core, no ptrace by others) and sets RLIMIT_CORE to 0. */
void secret_harden_process(void);
DEFINE_AUTO_STRUCT(secret);

#endif
