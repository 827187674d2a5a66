/*
 * Allocation that cannot fail: out of memory ends the process (leases make a crash a retry), so
 * callers bound every outside size before they allocate.
 */
#ifndef CERTQ_BASE_MEM_H
#define CERTQ_BASE_MEM_H

#include <stddef.h>

/* Zeroed memory for n elements of a size; free() frees it. */
void *mem_zero(size_t n, size_t size) __attribute__((malloc, alloc_size(1, 2), returns_nonnull));
/* Grows or shrinks an array to n elements; new elements are not initialised. */
void *mem_resize(void *p, size_t n, size_t size) __attribute__((alloc_size(2, 3)));
void *mem_copy(const void *p, size_t length) __attribute__((malloc, alloc_size(2)));
/* Copies a string; NULL gives NULL. */
char *mem_text(const char *text);
char *mem_text_n(const char *text, size_t length) __attribute__((malloc));
char *mem_printf(const char *format, ...)
    __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

/*
 * For a program that takes and frees the same megabytes for every group: what is freed stays with
 * the process. glibc otherwise gives the top of each heap back, and every group pays for fresh
 * pages (a fifth of a mail worker's CPU time). Once, before threads are started.
 */
void mem_keep_freed(void);

#define MEM_NEW(type) ((type *)mem_zero(1, sizeof(type)))

#endif
