/*
 * certq-sink: an SMTP server that takes every message at once and keeps none, so that what sends
 * is measured and not what receives.
 *
 *   certq-sink [--listen PORT] [--keep FILE]
 *
 * Prints `listening on 127.0.0.1:PORT` when it takes connections. --keep: the first message, as it
 * came. SIGTERM ends it; it then prints {"messages":N,"bytes":N}.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MOST = 64, READ_BYTES = 65536 };

struct client {
    struct buf in, out;
    bool in_message, is_ending;
};
struct sink {
    struct pollfd polls[1 + CLIENTS_MOST]; /* the first one listens; client i is polls[1 + i] */
    struct client clients[CLIENTS_MOST];
    size_t count;
    const char *keep;
    long messages, bytes;
};

static volatile sig_atomic_t is_over;

static void stop(int number UNUSED)
{
    is_over = 1;
}

static bool begins(const char *line, const char *word)
{
    return strncasecmp(line, word, strlen(word)) == 0;
}

static void command(struct client *c, const char *line)
{
    if (begins(line, "EHLO"))
        buf_add_text(
            &c->out, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 33554432\r\n");
    else if (begins(line, "DATA")) {
        buf_add_text(&c->out, "354 go on\r\n");
        c->in_message = true;
    } else if (begins(line, "QUIT")) {
        buf_add_text(&c->out, "221 bye\r\n");
        c->is_ending = true;
    } else
        buf_add_text(&c->out, "250 ok\r\n");
}

/* The bytes taken from the front of what came; 0: more must come first. */
static size_t take_message(struct sink *s, struct client *c, const uint8_t *at, size_t length)
{
    const uint8_t *end = memmem(at, length, "\r\n.\r\n", 5);
    if (!end)
        return 0;
    const struct bytes message = {at, (size_t)(end - at) + 2};
    struct err err;
    if (!s->messages++ && s->keep && file_write(s->keep, message, 0600, &err))
        fail(s->keep, err.text);
    s->bytes += (long)message.length;
    c->in_message = false;
    buf_add_text(&c->out, "250 taken\r\n");
    return message.length + 3;
}

static size_t take_line(struct client *c, uint8_t *at, size_t length)
{
    uint8_t *end = memchr(at, '\n', length);
    if (!end)
        return 0;
    *end = '\0';
    command(c, (const char *)at);
    return (size_t)(end - at) + 1;
}

static void take_input(struct sink *s, struct client *c)
{
    size_t taken = 0;
    while (taken < c->in.length && !c->is_ending) {
        uint8_t *at = c->in.data + taken;
        const size_t left = c->in.length - taken;
        const size_t n = c->in_message ? take_message(s, c, at, left) : take_line(c, at, left);
        if (!n)
            break;
        taken += n;
    }
    if (taken) {
        memmove(c->in.data, c->in.data + taken, c->in.length - taken);
        c->in.length -= taken;
    }
}

static void drop(struct sink *s, size_t i)
{
    close(s->polls[1 + i].fd);
    buf_free(&s->clients[i].in);
    buf_free(&s->clients[i].out);
    s->count--;
    s->polls[1 + i] = s->polls[1 + s->count];
    s->clients[i] = s->clients[s->count];
    s->clients[s->count] = (struct client){0};
}

/* False: the connection is over. Answers are short, so one write takes them all. */
static bool serve(struct sink *s, struct client *c, int fd)
{
    const ssize_t n = read(fd, buf_reserve(&c->in, READ_BYTES), READ_BYTES);
    if (n <= 0)
        return false;
    c->in.length += (size_t)n;
    take_input(s, c);
    const ssize_t written = write(fd, c->out.data, c->out.length);
    const bool all = written == (ssize_t)c->out.length;
    buf_clear(&c->out);
    return all && !c->is_ending;
}

static void welcome(struct sink *s)
{
    static const char greeting[] = "220 sink\r\n";
    const int one = 1, fd = accept(s->polls[0].fd, NULL, NULL);
    if (fd < 0)
        return;
    if (s->count == CLIENTS_MOST || write(fd, greeting, sizeof greeting - 1) < 0) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    s->polls[1 + s->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static int listen_on(long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, CLIENTS_MOST) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        fail("listen", strerror(errno));
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"listen", 1, 0, 'l'}, {"keep", 1, 0, 'k'}, {0}};
    static struct sink s;
    long port = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'l')
            port = tool_number(optarg, 0, 65535);
        else if (c == 'k')
            s.keep = optarg;
        else
            return 64;
    }
    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL); /* no restart of poll */
    s.polls[0] = (struct pollfd){.fd = listen_on(port), .events = POLLIN};
    while (!is_over) {
        if (poll(s.polls, 1 + s.count, 1000) <= 0)
            continue;
        for (size_t i = s.count; i-- > 0;)
            if (s.polls[1 + i].revents && !serve(&s, &s.clients[i], s.polls[1 + i].fd))
                drop(&s, i);
        if (s.polls[0].revents)
            welcome(&s);
    }
    while (s.count)
        drop(&s, s.count - 1);
    close(s.polls[0].fd);
    printf("{\"messages\":%ld,\"bytes\":%ld}\n", s.messages, s.bytes);
    return 0;
}
