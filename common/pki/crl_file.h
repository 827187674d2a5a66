/*
 * CRLs as files, NAME.crl in a folder, where web servers and mirrors take them from. A reader sees
 * the old one or the new one, and a file is never replaced by an older CRL of the same key, whoever
 * writes in whatever order: workers after their commit, every broker, also on a shared folder.
 * Blocks on the disk.
 */
#ifndef CERTQ_PKI_CRL_FILE_H
#define CERTQ_PKI_CRL_FILE_H

#include "pki/crl.h"

/* FOLDER/ISSUER.crl; the caller frees. */
char *crl_file_path(const char *folder, const char *issuer) MUST_USE;
/*
 * Makes the folder when its parent is there. A file with this very CRL is left alone. ERR_CONFLICT
 * "newer": the file has a higher number, or other content under this one, and stays. Input error:
 * `der` is no CRL. What is there but is no CRL of the same issuer and key is replaced.
 */
int crl_file_write(
    const char *folder, const char *issuer, struct bytes der, struct err *err) MUST_USE;
/* What the file says of itself. ERR_NOT_FOUND; input error: no CRL. */
int crl_file_facts(const char *path, struct crl_facts *ret, struct err *err) MUST_USE;

#endif
