#include "base/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD CLEANUP(close_fd) int

int file_read(const char *path, size_t most, struct buf *ret, struct err *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", path,
            strerror(errno));
    size_t total = 0;
    for (;;) {
        uint8_t *to = buf_reserve(ret, 65536);
        ssize_t n = read(fd, to, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_TEMPORARY, NULL, "%s: %s", path, strerror(errno));
        ret->length += (size_t)n;
        ret->data[ret->length] = 0;
        total += (size_t)n;
        if (total > most)
            return err_set(err, ERR_INPUT, NULL, "%s: longer than %zu bytes", path, most);
        if (n == 0)
            return 0;
    }
}

static int check_private(const char *path, const struct stat *st, struct err *err)
{
    if (!S_ISREG(st->st_mode))
        return err_set(err, ERR_INPUT, NULL, "%s: not a plain file", path);
    if (st->st_mode & 077)
        return err_set(err, ERR_INPUT, NULL,
            "%s: its mode is %04o: nobody but its owner may have access (chmod 600)", path,
            (unsigned)(st->st_mode & 07777));
    return 0;
}

int file_read_secret(const char *path, size_t most, struct secret **ret, struct err *err)
{
    /* O_NONBLOCK: a FIFO must be refused, not waited for. */
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", path,
            strerror(errno));
    struct stat st;
    if (fstat(fd, &st))
        return err_set(err, ERR_TEMPORARY, NULL, "%s: %s", path, strerror(errno));
    if (check_private(path, &st, err))
        return -1;
    if ((uintmax_t)st.st_size > most)
        return err_set(err, ERR_INPUT, NULL, "%s: longer than %zu bytes", path, most);
    AUTO(secret) s = secret_of_size((size_t)st.st_size);
    for (size_t at = 0; at < s->length;) {
        ssize_t n = read(fd, s->data + at, s->length - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ERR_TEMPORARY, NULL, "%s: %s", path,
                n ? strerror(errno) : "it became shorter while it was read");
        at += (size_t)n;
    }
    *ret = TAKE(s);
    return 0;
}

static int write_all(int fd, struct bytes content)
{
    while (content.length) {
        ssize_t n = write(fd, content.data, content.length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content.data += n;
        content.length -= (size_t)n;
    }
    return fsync(fd);
}

static void sync_folder(const char *path)
{
    AUTO_TEXT copy = mem_text(path);
    AUTO_FD fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        fsync(fd);
}

static int write_beside(
    const char *path, struct bytes content, mode_t mode, bool replace, struct err *err)
{
    AUTO_TEXT temporary = mem_printf("%s.%d.tmp", path, (int)getpid());
    unlink(temporary); /* of a process that died, or laid there for us to write through */
    AUTO_FD fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0)
        return err_set(err, ERR_TEMPORARY, NULL, "%s: %s", temporary, strerror(errno));
    int failed = fchmod(fd, mode) || write_all(fd, content) ||
                 (replace ? rename(temporary, path) : link(temporary, path));
    int saved = errno;
    if (failed || !replace)
        unlink(temporary);
    if (failed)
        return err_set(err, saved == EEXIST ? ERR_CONFLICT : ERR_TEMPORARY, NULL, "%s: %s", path,
            strerror(saved));
    sync_folder(path);
    return 0;
}

int file_write(const char *path, struct bytes content, mode_t mode, struct err *err)
{
    return write_beside(path, content, mode, true, err);
}

int file_create(const char *path, struct bytes content, mode_t mode, struct err *err)
{
    return write_beside(path, content, mode, false, err);
}

void file_unlock(int *fd)
{
    close_fd(fd);
    *fd = -1;
}

int file_lock(const char *path, int *ret_fd, struct err *err)
{
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat locked, named;
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", path,
            strerror(errno));
    /* Writing replaces the file: who locked the one that was replaced must look again. */
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &locked) || stat(path, &named) ||
        locked.st_ino != named.st_ino || locked.st_dev != named.st_dev)
        return err_set(err, ERR_CONFLICT, NULL, "%s: somebody else is changing it", path);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int file_take_turn(int fd, const char *path, struct err *err)
{
    enum { TRIES = 200 };
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_set(err, ERR_TEMPORARY, NULL, "%s: %s", path, strerror(errno));
        if (i == TRIES)
            return err_set(err, ERR_TEMPORARY, NULL,
                "%s: another process has held its lock for "
                "two seconds",
                path);
        nanosleep(&pause, NULL);
    }
    return 0;
}

char *file_beside(const char *file, const char *relative)
{
    if (relative[0] == '/')
        return mem_text(relative);
    AUTO_TEXT copy = mem_text(file);
    return mem_printf("%s/%s", dirname(copy), relative);
}
