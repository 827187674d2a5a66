#include "lifecycle/policy_set.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PRODUCTS_MOST 200

/* `extends` looks for NAME.yaml beside the file. */
static int read_base(void *arg, const char *product, struct buf *ret, struct err *err)
{
    AUTO_TEXT name = mem_printf("%s.yaml", product);
    AUTO_TEXT path = file_beside(arg, name);
    return file_read(path, YAML_BYTES_MOST, ret, err);
}

int policy_load_file(const char *path, struct policy **ret, struct err *err)
{
    AUTO(policy) p = NULL;
    AUTO_BUF text = {0};
    AUTO_TEXT arg = mem_text(path);
    const struct policy_bases bases = {read_base, arg};
    if (file_read(path, YAML_BYTES_MOST, &text, err) ||
        policy_load_text(path, buf_bytes(&text), &bases, &p, err))
        return -1;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    size_t n = strlen(p->name);
    if (strncmp(name, p->name, n) != 0 || strcmp(name + n, ".yaml") != 0)
        return err_set(err, ERR_INPUT, NULL, "%s:1: product: the file of %s is named %s.yaml", path,
            p->name, p->name);
    *ret = TAKE(p);
    return 0;
}

static int is_product(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && strcmp(dot, ".yaml") == 0;
}

/* scandir's names, freed with their array. */
struct names {
    struct dirent **items;
    int count;
};

static void names_free(struct names *n)
{
    for (int i = 0; i < n->count; i++)
        free(n->items[i]);
    free(n->items);
}

static int compare_policies(const void *a, const void *b)
{
    return strcmp((*(struct policy *const *)a)->name, (*(struct policy *const *)b)->name);
}

int policy_set_load(const char *folder, struct policy_set **ret, struct err *err)
{
    CLEANUP(names_free) struct names names = {0};
    AUTO(policy_set) set = MEM_NEW(struct policy_set);
    int n = scandir(folder, &names.items, is_product, alphasort);
    if (n < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", folder,
            strerror(errno));
    names.count = n;
    if (!n)
        return err_set(err, ERR_NOT_FOUND, NULL, "%s: no product (*.yaml) in it", folder);
    if (n > PRODUCTS_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: more than %d products", folder, PRODUCTS_MOST);
    set->items = mem_zero((size_t)n, sizeof(struct policy *));
    for (int i = 0; i < n; i++) {
        AUTO_TEXT path = mem_printf("%s/%s", folder, names.items[i]->d_name);
        if (policy_load_file(path, &set->items[set->count], err))
            return -1;
        set->count++;
    }
    qsort(set->items, set->count, sizeof(struct policy *), compare_policies);
    *ret = TAKE(set);
    return 0;
}

void policy_set_free(struct policy_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        policy_free(set->items[i]);
    free(set->items);
    free(set);
}

const struct policy *policy_set_find(const struct policy_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->items[i]->name, name) == 0)
            return set->items[i];
    return NULL;
}

int policy_set_check(const struct policy_set *set, const struct config *config, struct err *err)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct policy *p = set->items[i];
        if (!config_issuer(config, p->certificate.issuer))
            return err_set(err, ERR_INPUT, NULL,
                "%s:%d: certificate.issuer: %s is none of the issuers of %s", p->file,
                p->certificate.issuer_line, p->certificate.issuer, config->path);
    }
    return 0;
}
