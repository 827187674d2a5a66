#include "audit/seal_file.h"

#include "audit/seal_store.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL = 65536, LINES_A_WRITE = 256 };

static int fails(struct err *err, const char *path, const char *what)
{
    return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s: %s", path,
        what, strerror(errno));
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD CLEANUP(close_file) int

/* ---- its end ---- */

static int read_tail(int fd, const char *path, struct buf *ret, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st))
        return fails(err, path, "cannot be looked at");
    const off_t from = st.st_size > TAIL ? st.st_size - TAIL : 0;
    uint8_t *to = buf_reserve(ret, TAIL);
    while (ret->length < TAIL) {
        ssize_t n = pread(fd, to + ret->length, TAIL - ret->length, from + (off_t)ret->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fails(err, path, "cannot be read");
        if (n == 0)
            break;
        ret->length += (size_t)n;
    }
    return 0;
}

/* The last line that is a seal. `ret_torn`: the file does not end with a whole line. */
static int last_of(const struct buf *tail, const char *path, struct audit_seal *ret, bool *ret_torn,
    struct err *err)
{
    size_t end = tail->length;
    *ret = (struct audit_seal){0};
    *ret_torn = end && tail->data[end - 1] != '\n';
    while (end) {
        struct err ignored = {0};
        size_t start = end - 1;
        while (start && tail->data[start - 1] != '\n')
            start--;
        const size_t length = tail->data[end - 1] == '\n' ? end - 1 - start : end - start;
        if (audit_seal_parse((struct bytes){tail->data + start, length}, ret, &ignored) == 0)
            return 0;
        end = start;
    }
    return tail->length == TAIL
               ? err_set(err, ERR_FATAL, "audit", "%s: its end holds no seal of the audit", path)
               : 0;
}

static int read_last(
    int fd, const char *path, struct audit_seal *ret, bool *ret_torn, struct err *err)
{
    AUTO_BUF tail = {0};
    return read_tail(fd, path, &tail, err) || last_of(&tail, path, ret, ret_torn, err) ? -1 : 0;
}

int audit_file_last(const char *path, struct audit_seal *ret, struct err *err)
{
    bool is_torn;
    AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    *ret = (struct audit_seal){0};
    if (fd < 0)
        return errno == ENOENT ? 0 : fails(err, path, "cannot be opened");
    return read_last(fd, path, ret, &is_torn, err);
}

/* ---- appending ---- */

static int append(int fd, const char *path, struct bytes lines, struct err *err)
{
    while (lines.length) {
        ssize_t n = write(fd, lines.data, lines.length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fails(err, path, "cannot be written");
        lines.data += n;
        lines.length -= (size_t)n;
    }
    return fsync(fd) ? fails(err, path, "cannot be synced") : 0;
}

/* The file must end with a seal the database has, or one that a restore gave up. */
static int check_end(struct db *db, const struct audit_seal *end, const char *path, struct err *err)
{
    AUTO_SEAL same = {0};
    uint64_t given_up;
    if (!end->number)
        return 0;
    int found = audit_seal_after(db, end->number - 1, false, &same, err);
    if (found < 0 || audit_restored_number(db, &given_up, err))
        return -1;
    if (end->number <= given_up)
        return 0;
    if (!found || same.number != end->number)
        return err_set(err, ERR_FATAL, "audit",
            "%s ends with seal %llu, which the database lacks: rows were taken away (see certq "
            "audit verify), or a backup was restored (run certq db restored)",
            path, (unsigned long long)end->number);
    if (memcmp(same.hash, end->hash, AUDIT_HASH) != 0)
        return err_set(err, ERR_FATAL, "audit",
            "%s and the database hold two different seals %llu: see certq audit verify", path,
            (unsigned long long)end->number);
    return 0;
}

static int append_after(
    struct db *db, int fd, const char *path, uint64_t number, uint64_t *ret_last, struct err *err)
{
    int found = 1;
    while (found > 0) {
        AUTO_BUF lines = {0};
        for (int n = 0; n < LINES_A_WRITE; n++) {
            AUTO_SEAL s = {0};
            found = audit_seal_after(db, number, false, &s, err);
            if (found <= 0)
                break;
            audit_seal_write(&s, &lines);
            number = s.number;
        }
        if (found < 0 || (lines.length && append(fd, path, buf_bytes(&lines), err)))
            return -1;
    }
    *ret_last = number;
    return 0;
}

int audit_file_sync(struct db *db, const char *path, uint64_t *ret_last, struct err *err)
{
    struct audit_seal end;
    bool is_torn;
    AUTO_FD fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return fails(err, path, "cannot be opened");
    if (file_take_turn(fd, path, err) || read_last(fd, path, &end, &is_torn, err) ||
        check_end(db, &end, path, err) || (is_torn && append(fd, path, bytes_of_text("\n"), err)))
        return -1;
    return append_after(db, fd, path, end.number, ret_last, err);
}

/* ---- reading it all ---- */

int audit_file_each(const char *path, audit_file_visit *visit, void *context, struct err *err)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0, line = 0;
    ssize_t n;
    if (!file)
        return fails(err, path, "cannot be opened");
    while ((n = getline(&text, &room, file)) > 0) {
        struct audit_seal seal;
        struct err why = {0};
        size_t length = (size_t)n - (text[n - 1] == '\n');
        line++;
        int bad = audit_seal_parse((struct bytes){(const uint8_t *)text, length}, &seal, &why);
        visit(context, line, bad ? NULL : &seal);
    }
    int failed = ferror(file);
    free(text);
    fclose(file);
    return failed ? err_set(err, ERR_TEMPORARY, NULL, "%s: cannot be read", path) : 0;
}
