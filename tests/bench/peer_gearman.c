/*
 * gearmand: binary packets; background jobs are kept in its queue table until they are complete. It
 * serves who came last first, so submissions without end starve its workers; many connections with
 * few requests each, and the bound on jobs that are not done, let them in.
 */
#include "peer.h"

#include "base/mem.h"
#include "base/uuid.h"
#include "tool.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    CAN_DO = 1,
    JOB_CREATED = 8,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18
};

struct peer {
    struct peer_line line;
    size_t unsettled;
};

static void put(struct peer *p, uint32_t type, const void *data, size_t length)
{
    const uint32_t header[] = {htonl(0x00524551), htonl(type), htonl((uint32_t)length)}; /* \0REQ */
    buf_add(&p->line.out, header, sizeof header);
    buf_add(&p->line.out, data, length);
}

/* The type of the next packet; the beginning of its data is copied. */
static uint32_t get(struct peer *p, char *ret, size_t most)
{
    uint32_t header[3];
    line_read(&p->line, header, sizeof header);
    const size_t length = ntohl(header[2]);
    char data[65536];
    if (length > sizeof data)
        fail("gearmand", "packet too long");
    line_read(&p->line, data, length);
    const size_t n = length < most - 1 ? length : most - 1;
    memcpy(ret, data, n);
    ret[n] = '\0';
    return ntohl(header[1]);
}

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
    const struct uuid id = uuid_new();
    AUTO_BUF data = {0};
    buf_add(&data, PEER_QUEUE, sizeof PEER_QUEUE); /* with its NUL */
    buf_add(&data, uuid_s(&id), 37);
    buf_add(&data, body, length);
    put(p, SUBMIT_JOB_BG, data.data, data.length);
    p->unsettled++;
}

static size_t settle(struct peer *p)
{
    char text[256];
    line_flush(&p->line);
    if (get(p, text, sizeof text) != JOB_CREATED)
        fail("gearmand", text);
    p->unsettled--;
    return 1;
}

static void work(struct peer *p)
{
    put(p, CAN_DO, PEER_QUEUE, sizeof PEER_QUEUE - 1);
}

static size_t take(struct peer *p, struct peer_handle *ret, size_t most)
{
    size_t n = 0;
    for (size_t i = 0; i < most; i++)
        put(p, GRAB_JOB, "", 0);
    line_flush(&p->line);
    for (size_t i = 0; i < most; i++) {
        char text[256];
        const uint32_t type = get(p, text, sizeof text);
        if (type == JOB_ASSIGN)
            snprintf(ret[n++].text, PEER_HANDLE, "%s", text);
        else if (type != NO_JOB)
            fail("gearmand", text);
    }
    if (!n)
        tool_pause_ms(5);
    return n;
}

static void done(struct peer *p, const struct peer_handle *handles, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(p, WORK_COMPLETE, handles[i].text, strlen(handles[i].text) + 1);
    line_flush(&p->line);
}

const struct peer_ops peer_gearman = {
    "gearman", 64, open_one, close_one, submit, settle, work, take, done};
