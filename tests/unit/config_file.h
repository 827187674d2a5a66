/* One certq.yaml in a folder of its own. */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/config_table.h"
#include "config/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OWN "mail: {from: a@example.jp, help_ja: 窓口, help_en: desk}\n"

static UNUSED char folder[] = "/tmp/certq-test-config-XXXXXX";

static UNUSED int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static UNUSED int drop_folder(void **state)
{
    (void)state;
    AUTO_TEXT path = mem_printf("%s/certq.yaml", folder);
    unlink(path);
    return rmdir(folder);
}

static UNUSED int load(const char *text, struct config **ret, struct err *err)
{
    AUTO_TEXT path = mem_printf("%s/certq.yaml", folder);
    struct err ignored = {0};
    assert_int_equal(file_write(path, bytes_of_text(text), 0600, &ignored), 0);
    return config_load(path, ret, err);
}

static UNUSED void assert_says(const struct err *err, const char *wanted, const char *of)
{
    if (err->kind != ERR_INPUT || !strstr(err->text, wanted))
        fail_msg("wanted %s\n   got %s\n    of %s", wanted, err->text, of);
}

#endif
