/* Whole files: reading with a bound, writing so that a reader sees the old or the new, never half.
 */
#ifndef CERTQ_BASE_FILE_H
#define CERTQ_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"

#include <sys/types.h>

/* Appends the file to ret. Errors: not-found, input (longer than `most`), temporary (the rest). */
int file_read(const char *path, size_t most, struct buf *ret, struct err *err) MUST_USE;
/* A file that only its owner may read (keys, passwords), as it stands, wiped when freed. Errors as
 * above, and input when it is no plain file or its mode gives anything to group or others. */
int file_read_secret(const char *path, size_t most, struct secret **ret, struct err *err) MUST_USE;
/* Temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, struct bytes content, mode_t mode, struct err *err) MUST_USE;
/* As file_write, but refuses (conflict) when the file exists: for keys. */
int file_create(const char *path, struct bytes content, mode_t mode, struct err *err) MUST_USE;
/* Locks the file that has this name now, so that of two who read, change and write it none is lost;
 * conflict when somebody else is at it. Closing *ret_fd unlocks. */
int file_lock(const char *path, int *ret_fd, struct err *err) MUST_USE;
/* Takes turns with others at an open file or folder, until it is closed. Waits two seconds at most:
 * whoever holds it may have been stopped, and must not stop us. Temporary error; `path` is for it.
 */
int file_take_turn(int fd, const char *path, struct err *err) MUST_USE;
void file_unlock(int *fd);
#define AUTO_LOCK CLEANUP(file_unlock) int
/* `relative` seen from the folder that holds `file`; absolute paths stay. The caller frees. */
char *file_beside(const char *file, const char *relative) MUST_USE;

#endif
