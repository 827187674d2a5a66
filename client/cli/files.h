/* Files that several commands read or make room for. */
#ifndef CERTQ_CLI_FILES_H
#define CERTQ_CLI_FILES_H

#include "base/buf.h"
#include "base/err.h"

/* Makes the folder that will hold `file`, for its owner alone; an existing one stays as it is. */
int folder_make_for(const char *file, struct err *err) MUST_USE;
/* Appends the DER of the first certificate of a PEM file. */
int certificate_read_first(const char *path, struct buf *ret, struct err *err) MUST_USE;

#endif
