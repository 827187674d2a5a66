/* beanstalkd: text lines; with -f0 each job is in the log on disk before the answer. */
#include "peer.h"

#include "base/mem.h"
#include "tool.h"

#include <string.h>

struct peer {
    struct peer_line line;
};

static struct peer *open_one(long port)
{
    struct peer *p = MEM_NEW(struct peer);
    line_open(&p->line, port);
    return p;
}

static void close_one(struct peer *p)
{
    line_close(&p->line);
    free(p);
}

static void submit(struct peer *p, const char *body, size_t length)
{
    buf_printf(&p->line.out, "put 5 0 120 %zu\r\n", length);
    buf_add(&p->line.out, body, length);
    buf_add_text(&p->line.out, "\r\n");
}

static void expect(struct peer *p, const char *word)
{
    char text[256];
    line_gets(&p->line, text, sizeof text);
    if (strncmp(text, word, strlen(word)) != 0)
        fail("beanstalkd", text);
}

static size_t settle(struct peer *p)
{
    line_flush(&p->line);
    expect(p, "INSERTED");
    return 1;
}

static void work(struct peer *p)
{
    (void)p;
}

static size_t take(struct peer *p, struct peer_handle *ret, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < most; i++)
        buf_add_text(&p->line.out, "reserve-with-timeout 0\r\n");
    line_flush(&p->line);
    for (size_t i = 0; i < most; i++) {
        char text[256], body[65536];
        size_t length;
        line_gets(&p->line, text, sizeof text);
        if (strcmp(text, "TIMED_OUT") == 0)
            continue;
        if (sscanf(text, "RESERVED %63s %zu", ret[n].text, &length) != 2 ||
            length + 2 > sizeof body)
            fail("beanstalkd", text);
        line_read(&p->line, body, length + 2);
        n++;
    }
    if (!n)
        tool_pause_ms(5);
    return n;
}

static void done(struct peer *p, const struct peer_handle *handles, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(&p->line.out, "delete %s\r\n", handles[i].text);
    line_flush(&p->line);
    for (size_t i = 0; i < n; i++)
        expect(p, "DELETED");
}

const struct peer_ops peer_beanstalk = {
    "beanstalk", 1, open_one, close_one, submit, settle, work, take, done};
