/* The products that tests of policies read. */
#ifndef CERTQ_TESTS_POLICY_FILES_H
#define CERTQ_TESTS_POLICY_FILES_H

#include "base/file.h"
#include "base/mem.h"
#include "lifecycle/policy_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SHIPPED CERTQ_SOURCE_DIR "/config/products/"

UNUSED static struct policy *loaded(const char *path)
{
    struct policy *p = NULL;
    struct err err = {0};
    if (policy_load_file(path, &p, &err))
        fail_msg("%s", err.text);
    return p;
}

UNUSED static char *text_of(const char *path)
{
    struct buf text = {0};
    struct err err = {0};
    if (file_read(path, 1 << 20, &text, &err))
        fail_msg("%s", err.text);
    return buf_take_text(&text);
}

#endif
