#include "support/proxy.h"

#include "base/mem.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct proxy {
    const struct mariadb *server;
    char *socket;
    int listener, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    proxy_at_commit *at_commit;
    void *context;
    unsigned commits, cut_at, cut_times;
    const char *cut_words;
    bool is_heard;
    atomic_uint connections;
};

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int connect_server(const struct proxy *p)
{
    const struct sockaddr_un address = address_of(mariadb_socket(p->server));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool pass(const uint8_t *data, size_t n, int to)
{
    while (n) {
        ssize_t some = send(to, data, n, MSG_NOSIGNAL);
        if (some <= 0)
            return false;
        data += some;
        n -= (size_t)some;
    }
    return true;
}

/* A packet of the protocol: three bytes of length, its number, COM_QUERY and the text. */
static bool is_commit(const uint8_t *data, size_t n)
{
    static const uint8_t commit[] = {7, 0, 0, 0, 3, 'C', 'O', 'M', 'M', 'I', 'T'};
    return n == sizeof commit && memcmp(data, commit, n) == 0;
}

static enum proxy_act ask(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    proxy_at_commit *at_commit = p->at_commit;
    void *context = p->context;
    unsigned number = ++p->commits;
    pthread_mutex_unlock(&p->lock);
    return at_commit ? at_commit(context, number) : PROXY_PASS;
}

/* Is this what was waited for by proxy_cut_at? */
static enum proxy_act count(struct proxy *p)
{
    pthread_mutex_lock(&p->lock);
    const bool is_now = p->cut_at && --p->cut_at == 0;
    const enum proxy_act act = p->is_heard ? PROXY_CUT_ANSWER : PROXY_CUT;
    pthread_mutex_unlock(&p->lock);
    return is_now ? act : PROXY_PASS;
}

/* Is this what was waited for by proxy_cut_words? */
static bool has_words(struct proxy *p, const uint8_t *data, size_t n)
{
    pthread_mutex_lock(&p->lock);
    const bool has = p->cut_times && memmem(data, n, p->cut_words, strlen(p->cut_words));
    p->cut_times -= has;
    pthread_mutex_unlock(&p->lock);
    return has;
}

/* Passes on what one side says; false when the connection is over. */
static bool step(struct proxy *p, int from, int to, bool from_client)
{
    uint8_t data[65536], answer[64];
    ssize_t n = read(from, data, sizeof data);
    if (n <= 0)
        return false;
    enum proxy_act act = from_client ? count(p) : PROXY_PASS;
    if (from_client && has_words(p, data, (size_t)n))
        act = PROXY_CUT;
    if (act == PROXY_PASS && from_client && is_commit(data, (size_t)n))
        act = ask(p);
    if (act == PROXY_CUT || !pass(data, (size_t)n, to))
        return false;
    if (act == PROXY_CUT_ANSWER && read(to, answer, sizeof answer) < 0)
        return false; /* that answer is for nobody */
    return act == PROXY_PASS;
}

static void serve(struct proxy *p, int client)
{
    int server = connect_server(p);
    struct pollfd fds[] = {{client, POLLIN, 0}, {server, POLLIN, 0}, {p->stop, POLLIN, 0}};
    atomic_fetch_add(&p->connections, 1);
    while (server >= 0 && poll(fds, 3, -1) > 0 && !fds[2].revents)
        if ((fds[0].revents && !step(p, client, server, true)) ||
            (fds[1].revents && !step(p, server, client, false)))
            break;
    if (server >= 0)
        close(server);
    close(client);
}

static void *proxy_main(void *context)
{
    struct proxy *p = context;
    struct pollfd fds[] = {{p->listener, POLLIN, 0}, {p->stop, POLLIN, 0}};
    while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
        int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            serve(p, client);
    }
    return NULL;
}

struct proxy *proxy_start(const struct mariadb *m)
{
    struct proxy *p = MEM_NEW(struct proxy);
    p->server = m;
    p->socket = mem_printf("%s/proxy-%d.sock", mariadb_folder(m), (int)getpid());
    unlink(p->socket);
    const struct sockaddr_un address = address_of(p->socket);
    pthread_mutex_init(&p->lock, NULL);
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->stop = eventfd(0, EFD_CLOEXEC);
    if (bind(p->listener, (const struct sockaddr *)&address, sizeof address) ||
        listen(p->listener, 8) || pthread_create(&p->thread, NULL, proxy_main, p)) {
        perror("tests/support/proxy");
        exit(70);
    }
    return p;
}

void proxy_free(struct proxy *p)
{
    if (!p)
        return;
    eventfd_write(p->stop, 1);
    pthread_join(p->thread, NULL);
    close(p->listener);
    close(p->stop);
    unlink(p->socket);
    pthread_mutex_destroy(&p->lock);
    free(p->socket);
    free(p);
}

void proxy_set(struct proxy *p, proxy_at_commit *at_commit, void *context)
{
    pthread_mutex_lock(&p->lock);
    p->at_commit = at_commit;
    p->context = context;
    p->commits = 0;
    pthread_mutex_unlock(&p->lock);
}

void proxy_cut_at(struct proxy *p, unsigned n, bool is_heard)
{
    pthread_mutex_lock(&p->lock);
    p->cut_at = n;
    p->is_heard = is_heard;
    pthread_mutex_unlock(&p->lock);
}

void proxy_cut_words(struct proxy *p, const char *words, unsigned times)
{
    pthread_mutex_lock(&p->lock);
    p->cut_words = words;
    p->cut_times = times;
    pthread_mutex_unlock(&p->lock);
}

unsigned proxy_connections(const struct proxy *p)
{
    return atomic_load(&p->connections);
}

struct db *proxy_db(struct proxy *p, const char *user, const char *database)
{
    AUTO_TEXT password = mariadb_password(p->server, user);
    return db_new(&(struct db_options){.socket = p->socket,
        .name = database,
        .user = user,
        .password = password,
        .lock_wait_s = 1,
        .timeout_s = 20});
}
