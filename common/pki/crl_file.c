#include "pki/crl_file.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

char *crl_file_path(const char *folder, const char *issuer)
{
    return mem_printf("%s/%s.crl", folder, issuer);
}

static int fault(const char *path, struct err *err)
{
    return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_TEMPORARY, NULL, "%s: %s", path,
        strerror(errno));
}

/* Mapped, not read: of fifty megabytes two pages are looked at. */
static void unmap(struct bytes *map)
{
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->length);
}
#define AUTO_MAP CLEANUP(unmap) struct bytes

static int map_file(const char *path, struct bytes *ret, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st)) {
        fault(path, err);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    void *data = S_ISREG(st.st_mode) && st.st_size > 0
                     ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
                     : MAP_FAILED;
    close(fd);
    if (data == MAP_FAILED)
        return err_set(err, ERR_INPUT, NULL, "%s: empty, or not a plain file", path);
    *ret = (struct bytes){data, (size_t)st.st_size};
    return 0;
}

int crl_file_facts(const char *path, struct crl_facts *ret, struct err *err)
{
    AUTO_MAP map = {0};
    struct crl_head head;
    if (map_file(path, &map, err))
        return -1;
    if (crl_peek(map, &head, err))
        return err_context(err, "%s", path);
    *ret = head.facts;
    return 0;
}

/* 1: the file has this CRL; 0: it may be replaced; -1: it must not be. */
static int compare(const char *path, struct bytes der, const struct crl_head *head, struct err *err)
{
    AUTO_MAP map = {0};
    struct crl_head there;
    struct err ignored = {0};
    if (map_file(path, &map, &ignored) || crl_peek(map, &there, &ignored) ||
        !bytes_equal(there.issuer, head->issuer) || !bytes_equal(there.key_id, head->key_id) ||
        there.facts.number < head->facts.number)
        return 0;
    if (bytes_equal(map, der))
        return 1;
    return err_set(err, ERR_CONFLICT, "newer",
        "%s: CRL number %" PRIu64 " is there already, and number %" PRIu64 " was to replace it",
        path, there.facts.number, head->facts.number);
}

/* The folder's own lock: writers take turns, also those of other processes. */
static int lock_folder(const char *folder, int *ret_fd, struct err *err)
{
    if (mkdir(folder, 0755) && errno != EEXIST)
        return fault(folder, err);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fault(folder, err);
    if (file_take_turn(fd, folder, err)) {
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int crl_file_write(const char *folder, const char *issuer, struct bytes der, struct err *err)
{
    AUTO_TEXT path = crl_file_path(folder, issuer);
    AUTO_LOCK lock = -1;
    struct crl_head head;
    if (crl_peek(der, &head, err) || lock_folder(folder, &lock, err))
        return -1;
    const int there = compare(path, der, &head, err);
    return there ? (there > 0 ? 0 : -1) : file_write(path, der, 0644, err);
}
