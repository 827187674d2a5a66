#include "metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

static _Atomic uint64_t values[METRIC_COUNT];

static const struct {
    const char *name, *labels, *type, *help;
} table[METRIC_COUNT] = {
#define METRIC_ROW(symbol, name, labels, type, help) {name, labels, type, help},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

void metric_add(enum metric metric, uint64_t n)
{
    atomic_fetch_add_explicit(&values[metric], n, memory_order_relaxed);
}

void metric_set(enum metric metric, uint64_t value)
{
    atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

uint64_t metric_get(enum metric metric)
{
    return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

void metric_refused(const char *code)
{
    static const struct {
        const char *code;
        enum metric metric;
    } codes[] = {
        {"bad-request", METRIC_BAD_REQUEST},
        {"too-large", METRIC_BAD_SIZE},
        {"unknown-kind", METRIC_BAD_KIND},
        {"conflict", METRIC_BAD_CONFLICT},
        {"forbidden", METRIC_BAD_RIGHTS},
        {"busy", METRIC_BUSY},
        {"unavailable", METRIC_UNAVAILABLE},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
        if (strcmp(codes[i].code, code) == 0)
            metric_add(codes[i].metric, 1);
}

void metrics_write(struct buf *ret)
{
    for (int i = 0; i < METRIC_COUNT; i++) {
        if (table[i].help) {
            buf_printf(ret, "# HELP %s %s\n", table[i].name, table[i].help);
            buf_printf(ret, "# TYPE %s %s\n", table[i].name, table[i].type);
        }
        buf_add_text(ret, table[i].name);
        if (table[i].labels[0])
            buf_printf(ret, "{%s}", table[i].labels);
        buf_printf(ret, " %" PRIu64 "\n", metric_get((enum metric)i));
    }
}

json_t *metrics_json(void)
{
    json_t *ret = json_object();
    for (int i = 0; i < METRIC_COUNT; i++) {
        AUTO_BUF name = {0};
        buf_add_text(&name, table[i].name);
        if (table[i].labels[0])
            buf_printf(&name, "{%s}", table[i].labels);
        json_object_set_new(
            ret, buf_text(&name), json_integer((json_int_t)metric_get((enum metric)i)));
    }
    return ret;
}
