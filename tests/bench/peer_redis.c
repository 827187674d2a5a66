/* Redis: a stream with a consumer group; appendfsync always syncs before the answers. */
#include "peer.h"

#include "base/mem.h"
#include "tool.h"

#include <string.h>

enum { REPLY_DEPTH = 8, BODY_MOST = 65536 };

struct peer {
    struct peer_line line;
    char name[32];
};

/* RESP: an array of bulk strings. */
static void begin(struct peer *p, size_t words)
{
    buf_printf(&p->line.out, "*%zu\r\n", words);
}

static void word(struct peer *p, const char *data, size_t length)
{
    buf_printf(&p->line.out, "$%zu\r\n", length);
    buf_add(&p->line.out, data, length);
    buf_add_text(&p->line.out, "\r\n");
}

static void text(struct peer *p, const char *t)
{
    word(p, t, strlen(t));
}

/* The next element: its mark, its number (a length, a count, an integer), and the string. */
static char element(struct peer *p, long *ret_number, char string[static BODY_MOST])
{
    char head[512];
    line_gets(&p->line, head, sizeof head);
    *ret_number = head[0] == '+' || head[0] == '-' ? 0 : strtol(head + 1, NULL, 10);
    snprintf(string, BODY_MOST, "%s", head);
    if (head[0] == '$' && *ret_number >= 0) {
        if (*ret_number + 2 > BODY_MOST)
            fail("redis", "string too long");
        line_read(&p->line, string, (size_t)*ret_number + 2);
        string[*ret_number] = '\0';
    }
    return head[0];
}

static struct peer *open_one(long port)
{
    static int count;
    char string[BODY_MOST];
    long n;
    struct peer *p = MEM_NEW(struct peer);
    line_open(&p->line, port);
    snprintf(p->name, sizeof p->name, "c%d", __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED));
    begin(p, 6);
    text(p, "XGROUP");
    text(p, "CREATE");
    text(p, PEER_QUEUE);
    text(p, "workers");
    text(p, "0");
    text(p, "MKSTREAM");
    line_flush(&p->line);
    if (element(p, &n, string) == '-' && strncmp(string, "-BUSYGROUP", 10) != 0)
        fail("redis", string);
    return p;
}

static void close_one(struct peer *p)
{
    line_close(&p->line);
    free(p);
}

static void submit(struct peer *p, const char *body, size_t length)
{
    begin(p, 5);
    text(p, "XADD");
    text(p, PEER_QUEUE);
    text(p, "*");
    text(p, "args");
    word(p, body, length);
}

static size_t settle(struct peer *p)
{
    char string[BODY_MOST];
    long n;
    line_flush(&p->line);
    if (element(p, &n, string) != '$')
        fail("redis", string);
    return 1;
}

static void work(struct peer *p)
{
    (void)p;
}

/* [[stream, [[id, [name, value]] ...]]]: ids are the strings at depth 3. */
static size_t read_ids(struct peer *p, struct peer_handle *ret, size_t most)
{
    long left[REPLY_DEPTH] = {1};
    size_t depth = 0, n = 0;
    char string[BODY_MOST];
    for (;;) {
        while (depth > 0 && left[depth] == 0)
            depth--;
        if (left[depth]-- == 0)
            return n;
        long number;
        const char mark = element(p, &number, string);
        if (mark == '-')
            fail("redis", string);
        if (mark == '*' && number > 0 && depth + 1 < REPLY_DEPTH)
            left[++depth] = number;
        else if (mark == '$' && depth == 4 && left[depth] == 1 && n < most)
            snprintf(ret[n++].text, PEER_HANDLE, "%.63s", string);
    }
}

static size_t take(struct peer *p, struct peer_handle *ret, size_t most)
{
    char count[16];
    snprintf(count, sizeof count, "%zu", most);
    begin(p, 11);
    text(p, "XREADGROUP");
    text(p, "GROUP");
    text(p, "workers");
    text(p, p->name);
    text(p, "COUNT");
    text(p, count);
    text(p, "BLOCK");
    text(p, "50");
    text(p, "STREAMS");
    text(p, PEER_QUEUE);
    text(p, ">");
    line_flush(&p->line);
    return read_ids(p, ret, most);
}

static void done(struct peer *p, const struct peer_handle *handles, size_t n)
{
    static const char *const commands[] = {"XACK", "XDEL"};
    for (size_t k = 0; k < 2; k++) {
        begin(p, n + (k ? 2 : 3));
        text(p, commands[k]);
        text(p, PEER_QUEUE);
        if (!k)
            text(p, "workers");
        for (size_t i = 0; i < n; i++)
            text(p, handles[i].text);
    }
    line_flush(&p->line);
    for (size_t k = 0; k < 2; k++) {
        char string[BODY_MOST];
        long number;
        if (element(p, &number, string) != ':' || number != (long)n)
            fail(commands[k], string);
    }
}

const struct peer_ops peer_redis = {
    "redis", 1, open_one, close_one, submit, settle, work, take, done};
