#include "peer.h"
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void line_open(struct peer_line *l, long port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address))
        fail("connect", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    *l = (struct peer_line){.fd = fd, .in = fdopen(fd, "r")};
    setvbuf(l->in, NULL, _IOFBF, 65536);
}

void line_close(struct peer_line *l)
{
    fclose(l->in);
    buf_free(&l->out);
}

void line_flush(struct peer_line *l)
{
    for (size_t at = 0; at < l->out.length;) {
        const ssize_t n = write(l->fd, l->out.data + at, l->out.length - at);
        if (n <= 0)
            fail("server", strerror(errno));
        at += (size_t)n;
    }
    buf_clear(&l->out);
}

void line_read(struct peer_line *l, void *ret, size_t length)
{
    if (fread(ret, 1, length, l->in) != length)
        fail("server", "went away");
}

void line_gets(struct peer_line *l, char *ret, size_t most)
{
    if (!fgets(ret, (int)most, l->in))
        fail("server", "went away");
    ret[strcspn(ret, "\r\n")] = '\0';
}
