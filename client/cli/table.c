#include "table.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "people.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SCREEN 80
#define GAP 2
#define COLUMNS_MAX 12
#define SQUEEZED_LEAST 8

static bool read_time(const json_t *value, int64_t *ret_ms)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);
    return text && length >= 20 && clock_parse(text, length, ret_ms);
}

static void write_list(const json_t *list, struct buf *ret)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (i)
            buf_add_char(ret, ',');
        if (json_is_string(item))
            people_text(json_string_value(item), ret);
        else
            json_write(item, ret);
    }
}

static void write_cell(
    const json_t *value, const struct column *column, const char *zone, struct buf *ret)
{
    int64_t ms;
    if (!value || json_is_null(value)) {
        buf_add_text(ret, "-");
    } else if ((column->kind == COLUMN_TIME || column->kind == COLUMN_DAY) &&
               read_time(value, &ms)) {
        AUTO_BUF text = {0};
        people_time(ms, zone, &text);
        buf_add(ret, text.data, column->kind == COLUMN_DAY ? 10 : 16);
    } else if (json_is_string(value)) {
        people_text(json_string_value(value), ret);
    } else if (json_is_boolean(value)) {
        buf_add_text(ret, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        write_list(value, ret);
    } else {
        json_write(value, ret);
    }
}

struct table {
    const struct column *columns;
    size_t column_count, row_count;
    size_t shown;      /* columns that fit */
    struct buf *cells; /* row 0 holds the titles */
    size_t widths[COLUMNS_MAX];
};

static struct buf *cell(const struct table *t, size_t row, size_t column)
{
    return &t->cells[row * t->column_count + column];
}

static void fill(struct table *t, const json_t *rows, const char *zone)
{
    char mark[8];
    for (size_t i = 0; i < t->column_count; i++) {
        const struct column *c = &t->columns[i];
        buf_add_text(cell(t, 0, i), c->title);
        if (c->kind == COLUMN_TIME || c->kind == COLUMN_DAY)
            buf_printf(cell(t, 0, i), " %s", people_zone_mark(zone, mark));
        for (size_t row = 1; row < t->row_count; row++)
            write_cell(json_at(json_array_get(rows, row - 1), c->path), c, zone, cell(t, row, i));
    }
}

static size_t column_width(const struct table *t, size_t column)
{
    size_t widest = 0;
    for (size_t row = 0; row < t->row_count; row++) {
        size_t width = utf8_columns(buf_bytes(cell(t, row, column)));
        if (width > widest)
            widest = width;
    }
    return widest;
}

/* The widest column that may give way and is still wider than its title; NULL: none. */
static size_t *find_slack(struct table *t)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < t->shown; i++) {
        size_t title = strlen(t->columns[i].title);
        size_t least = title > SQUEEZED_LEAST ? title : SQUEEZED_LEAST;
        if (t->columns[i].kind == COLUMN_SQUEEZE && t->widths[i] > least &&
            (!widest || t->widths[i] > *widest))
            widest = &t->widths[i];
    }
    return widest;
}

/* As wide as their contents; then what may be squeezed gives way; then the last ones go. */
static void measure(struct table *t, size_t screen)
{
    size_t total = 0;
    t->shown = t->column_count;
    for (size_t i = 0; i < t->column_count; i++) {
        t->widths[i] = column_width(t, i);
        total += t->widths[i] + (i ? GAP : 0);
    }
    while (total > screen && t->shown > 1) {
        size_t *slack = find_slack(t);
        if (slack) {
            --*slack;
            total--;
        } else {
            total -= t->widths[--t->shown] + GAP;
        }
    }
    /* A column that went may have left room for those that were squeezed. */
    for (size_t i = 0; i < t->shown && total < screen; i++) {
        size_t wanted = column_width(t, i) - t->widths[i], room = screen - total;
        t->widths[i] += wanted < room ? wanted : room;
        total += wanted < room ? wanted : room;
    }
}

static void write_row(const struct table *t, size_t row, struct buf *ret)
{
    for (size_t i = 0; i < t->shown; i++) {
        AUTO_BUF text = {0};
        people_cut(buf_bytes(cell(t, row, i)), t->widths[i], &text);
        size_t columns = utf8_columns(buf_bytes(&text));
        int pad = columns < t->widths[i] ? (int)(t->widths[i] - columns) : 0;
        bool is_last = i + 1 == t->shown;
        if (t->columns[i].kind == COLUMN_COUNT)
            buf_printf(ret, "%*s%s", pad, "", buf_text(&text));
        else
            buf_printf(ret, "%s%*s", buf_text(&text), is_last ? 0 : pad, "");
        buf_add_text(ret, is_last ? "\n" : "  ");
    }
}

void table_write(const json_t *rows, const struct column *columns, const char *zone, size_t screen,
    struct buf *ret)
{
    struct table t = {.columns = columns, .row_count = json_array_size(rows) + 1};
    while (t.column_count < COLUMNS_MAX && columns[t.column_count].title)
        t.column_count++;
    t.cells = mem_zero(t.row_count * t.column_count, sizeof *t.cells);
    fill(&t, rows, zone);
    measure(&t, screen);
    for (size_t row = 0; row < t.row_count; row++)
        write_row(&t, row, ret);
    for (size_t i = 0; i < t.row_count * t.column_count; i++)
        buf_free(&t.cells[i]);
    free(t.cells);
}

/* A terminal's own width when it is wider than what every table fits. */
static size_t screen_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > SCREEN)
        return size.ws_col;
    return SCREEN;
}

void table_print(
    const struct cli *cli, const json_t *rows, const struct column *columns, const char *zone)
{
    if (cli->json) {
        for (size_t i = 0; i < json_array_size(rows); i++)
            cli_line(json_array_get(rows, i));
        return;
    }
    if (!json_array_size(rows)) {
        fprintf(stderr, "none\n");
        return;
    }
    AUTO_BUF text = {0};
    table_write(rows, columns, zone, screen_columns(), &text);
    fputs(buf_text(&text), stdout);
}
