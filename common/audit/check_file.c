#include "audit/check_file.h"

#include "audit/seal_file.h"
#include "base/mem.h"

#include <stdlib.h>

static void keep(void *context, size_t line, const struct audit_seal *seal)
{
    struct file_seals *f = context;
    if (seal) {
        if ((f->count & (f->count - 1)) == 0) /* room for the next power of two */
            f->items = mem_resize(f->items, f->count ? f->count * 2 : 1, sizeof *f->items);
        f->items[f->count++] = *seal;
    } else {
        f->bad_lines = mem_resize(f->bad_lines, f->bad_count + 1, sizeof *f->bad_lines);
        f->bad_lines[f->bad_count++] = line;
    }
}

static int compare(const void *a, const void *b)
{
    const uint64_t one = ((const struct audit_seal *)a)->number,
                   two = ((const struct audit_seal *)b)->number;
    return one < two ? -1 : one > two;
}

int file_seals_read(const char *path, struct file_seals *ret, struct err *err)
{
    if (audit_file_each(path, keep, ret, err)) {
        ret->is_missing = err->kind == ERR_NOT_FOUND;
        if (!ret->is_missing)
            return -1;
        err_clear(err);
    }
    if (ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, compare);
    return 0;
}

void file_seals_clear(struct file_seals *f)
{
    free(f->items);
    free(f->bad_lines);
}

const struct audit_seal *file_seals_find(const struct file_seals *f, uint64_t number)
{
    size_t low = 0, high = f->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->items[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->count && f->items[low].number == number ? &f->items[low] : NULL;
}

uint64_t file_seals_last(const struct file_seals *f)
{
    return f->count ? f->items[f->count - 1].number : 0;
}
