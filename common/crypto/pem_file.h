/* PEM files of several blocks, as intake keys and certificates are kept. */
#ifndef CERTQ_CRYPTO_PEM_FILE_H
#define CERTQ_CRYPTO_PEM_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/openssl.h"

#include <stddef.h>
#include <sys/types.h>

#define PEM_FILE_MOST 65536 /* bytes of such a file */
#define PEM_BLOCKS_MOST 16

struct pem_file {
    EVP_PKEY *keys[PEM_BLOCKS_MOST];
    X509 *certificates[PEM_BLOCKS_MOST];
    size_t key_count, certificate_count;
};

/* Adds the private keys of a file that only its owner may read. ERR_INPUT: a block of another kind,
 * an encrypted key, no block at all; the path is named. */
int pem_file_add_keys(struct pem_file *f, const char *path, struct err *err) MUST_USE;
/* Adds the certificates of a file, likewise. */
int pem_file_add_certificates(struct pem_file *f, const char *path, struct err *err) MUST_USE;
void pem_file_clear(struct pem_file *f);
/* Writes `first` and, behind it, what the file held: how a key is rotated. ERR_INPUT: too long. */
int pem_file_write_in_front(
    const char *path, struct bytes first, struct bytes rest, mode_t mode, struct err *err) MUST_USE;
#define AUTO_PEM_FILE CLEANUP(pem_file_clear) struct pem_file

#endif
