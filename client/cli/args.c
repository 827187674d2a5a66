#include "args.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

static const struct option global_options[] = {
    {"--config", OPTION_VALUE, "FILE", NULL},
    {"--json", OPTION_FLAG, NULL, NULL},
    {"--help", OPTION_FLAG, NULL, NULL},
    {"-h", OPTION_FLAG, NULL, NULL},
    {"--print-config", OPTION_FLAG, NULL, NULL},
    {0},
};

static const struct option *find_option(const struct option *options, const char *text)
{
    size_t length = strcspn(text, "=");
    for (; options && options->name; options++)
        if (strlen(options->name) == length && memcmp(options->name, text, length) == 0)
            return options;
    return NULL;
}

/* Letters to change, add or drop to make b of a (Levenshtein): for "did you mean". */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= ARRAY_LENGTH(row) || strlen(a) >= ARRAY_LENGTH(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            if (diagonal + 1 < best)
                best = diagonal + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

static int unknown_option(const struct option *options, const char *text, struct err *err)
{
    AUTO_TEXT name = mem_text_n(text, strcspn(text, "="));
    const char *nearest = NULL;
    size_t least = 4;
    for (const struct option *o = options; o && o->name; o++) {
        size_t d = distance(name, o->name);
        bool is_as_long = nearest && strlen(o->name) == strlen(name); /* letters swapped */
        if (d < least || (d == least && is_as_long)) {
            least = d;
            nearest = o->name;
        }
    }
    if (nearest)
        return err_set(
            err, ERR_INPUT, "usage", "%s: no such option (did you mean %s?)", name, nearest);
    return err_set(err, ERR_INPUT, "usage", "%s: no such option", name);
}

/* The value of the option at argv[*at]; moves past what belongs to it. */
static int take_value(const struct option *option, int argc, char *const *argv, int *at,
    const char **ret, struct err *err)
{
    const char *text = argv[(*at)++], *equals = strchr(text, '=');
    *ret = equals ? equals + 1 : NULL;
    if (option->kind == OPTION_FLAG && equals)
        return err_set(err, ERR_INPUT, "usage", "%s takes no value", option->name);
    if (option->kind != OPTION_VALUE || equals)
        return 0;
    if (*at >= argc)
        return err_set(err, ERR_INPUT, "usage", "%s: %s is missing", option->name, option->value);
    *ret = argv[(*at)++];
    return 0;
}

int globals_take(struct globals *g, int argc, char *const *argv, int *at, struct err *err)
{
    const struct option *option = find_option(global_options, argv[*at]);
    const char *value;
    if (!option)
        return 0;
    if (take_value(option, argc, argv, at, &value, err))
        return -1;
    if (strcmp(option->name, "--config") == 0)
        g->config = value;
    else if (strcmp(option->name, "--json") == 0)
        g->json = true;
    else if (strcmp(option->name, "--print-config") == 0)
        g->print_config = true;
    else
        g->help = true;
    return 1;
}

static int check_count(const struct command *c, const struct args *a, struct err *err)
{
    if (a->count < c->least)
        return err_set(err, ERR_INPUT, "usage", "%s is missing", c->values);
    if (a->count > c->most && c->most == 0)
        return err_set(err, ERR_INPUT, "usage", "%s: no argument is taken", a->values[0]);
    if (a->count > c->most)
        return err_set(err, ERR_INPUT, "usage", "%s: one argument too many", a->values[c->most]);
    return 0;
}

static int take_option(const struct command *command, int argc, char *const *argv, int *at,
    struct args *a, struct err *err)
{
    const struct option *option = find_option(command->options, argv[*at]);
    if (!option)
        return unknown_option(command->options, argv[*at], err);
    struct given *g = &a->options[a->option_count];
    g->option = option;
    if (take_value(option, argc, argv, at, &g->value, err))
        return -1;
    a->option_count++;
    return 0;
}

int args_parse(const struct command *command, int argc, char *const *argv, int at,
    struct globals *globals, struct args *ret, struct err *err)
{
    struct args a = {.values = mem_zero((size_t)argc, sizeof *a.values),
        .options = mem_zero((size_t)argc, sizeof *a.options)};
    bool only_values = false;
    int failed = 0;
    while (at < argc && !failed) {
        const char *text = argv[at];
        if (only_values || text[0] != '-' || text[1] == '\0') {
            a.values[a.count++] = text;
            at++;
        } else if (strcmp(text, "--") == 0) {
            only_values = true;
            at++;
        } else {
            int taken = globals_take(globals, argc, argv, &at, err);
            failed = taken < 0 || (taken == 0 && take_option(command, argc, argv, &at, &a, err));
        }
    }
    if (failed || (!globals->help && check_count(command, &a, err))) {
        args_clear(&a);
        return -1;
    }
    *ret = a;
    return 0;
}

void args_clear(struct args *a)
{
    free(a->values);
    free(a->options);
    *a = (struct args){0};
}

static const struct given *find_given(const struct args *a, const char *option)
{
    for (size_t i = a->option_count; i-- > 0;)
        if (strcmp(a->options[i].option->name, option) == 0)
            return &a->options[i];
    return NULL;
}

bool args_has(const struct args *a, const char *option)
{
    return find_given(a, option) != NULL;
}

const char *args_value(const struct args *a, const char *option)
{
    const struct given *g = find_given(a, option);
    return g ? g->value : NULL;
}

int args_number(const struct args *a, const char *option, int64_t least, int64_t most, int64_t *ret,
    struct err *err)
{
    const char *text = args_value(a, option);
    if (!text)
        return 0;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    bool is_number = *text && strspn(text, "0123456789") == strlen(text) && !errno;
    if (!is_number || n < least || n > most)
        return err_set(err, ERR_INPUT, "usage", "%s %s: a number from %lld to %lld is wanted",
            option, text, (long long)least, (long long)most);
    *ret = n;
    return 0;
}
