/*
 * Memory of JSON trees for a program that makes and frees thousands of them a second: cells of a
 * few sizes, kept in lists of the thread that made them, so that neither a lock nor a search is
 * needed. A cell that another thread frees goes back to its own. What was taken from the system is
 * kept for the next tree; what is too long for a cell comes from malloc.
 */
#ifndef CERTQ_BASE_JSON_MEMORY_H
#define CERTQ_BASE_JSON_MEMORY_H

#include <stddef.h>

/*
 * Has jansson use it from now on; before its first value is made. Nothing happens in builds with a
 * sanitizer, which would not see what is used after it was freed.
 */
void json_memory_use(void);

/* As malloc and free, which they replace: aligned for pointers and numbers; NULL may be freed. */
void *json_memory_take(size_t size);
void json_memory_give(void *memory);

#endif
