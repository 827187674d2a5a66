/*
 * certq-mailer (F5): hands one message to an SMTP server again and again, pipelined as RFC 2920
 * allows: the end of a message, and MAIL, RCPT and DATA of the next, are one write. Sessions of
 * 100, as the mail worker's.
 *
 *   certq-mailer --port PORT --message FILE [--seconds 3]
 *
 * The file holds a message as it travels: CRLF, dots stuffed, without the last dot. Prints
 * {"rate":…}: messages a second.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SESSION_MESSAGES = 100, MESSAGE_MOST = 1 << 20 };

static const char envelope[] = "MAIL FROM:<certq@example.jp>\r\nRCPT TO:<a@example.jp>\r\nDATA\r\n";

struct session {
    FILE *in;
    int fd;
};

/* Takes a whole reply, which may be of several lines. */
static void expect(struct session *s, char first)
{
    char line[1024];
    do {
        if (!fgets(line, sizeof line, s->in))
            fail("server", "went away");
        if (line[0] != first)
            fail("server", line);
    } while (line[3] == '-');
}

static void say(const struct session *s, const void *data, size_t length)
{
    for (size_t at = 0; at < length;) {
        const ssize_t n = write(s->fd, (const char *)data + at, length - at);
        if (n <= 0)
            fail("server", strerror(errno));
        at += (size_t)n;
    }
}

static struct session session_open(long port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address))
        fail("connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct session s = {fdopen(fd, "r"), fd};
    expect(&s, '2');
    say(&s, "EHLO bench\r\n", 12);
    expect(&s, '2');
    return s;
}

static void session_close(struct session *s)
{
    say(s, "QUIT\r\n", 6);
    expect(s, '2');
    fclose(s->in);
}

static long session_run(long port, const struct buf *message, int64_t end_us)
{
    struct session s = session_open(port);
    AUTO_BUF both = {0};
    buf_add(&both, message->data, message->length);
    buf_add_text(&both, ".\r\n");
    const size_t alone = both.length;
    buf_add_text(&both, envelope);
    long sent = 0;
    say(&s, envelope, sizeof envelope - 1);
    for (bool is_last = false; !is_last;) {
        expect(&s, '2');
        expect(&s, '2');
        expect(&s, '3');
        sent++;
        is_last = sent == SESSION_MESSAGES || clock_monotonic_us() >= end_us;
        say(&s, both.data, is_last ? alone : both.length);
        expect(&s, '2');
    }
    session_close(&s);
    return sent;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, 0, 'p'}, {"message", 1, 0, 'm'}, {"seconds", 1, 0, 's'}, {0}};
    long port = 0;
    int64_t ms = 3000;
    AUTO_BUF message = {0};
    struct err err;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            port = tool_number(optarg, 1, 65535);
        else if (c == 's')
            ms = tool_seconds_ms(optarg);
        else if (c != 'm')
            return 64;
        else if (file_read(optarg, MESSAGE_MOST, &message, &err))
            fail(optarg, err.text);
    }
    if (!port || !message.length)
        return 64;
    const int64_t start_us = clock_monotonic_us(), end_us = start_us + ms * 1000;
    long sent = 0;
    while (clock_monotonic_us() < end_us)
        sent += session_run(port, &message, end_us);
    printf("{\"floor\":\"F5\",\"rate\":%.0f,\"count\":%ld}\n",
        (double)sent * 1e6 / (double)(clock_monotonic_us() - start_us), sent);
    return 0;
}
