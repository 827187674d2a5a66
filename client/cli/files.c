#include "files.h"

#include "base/file.h"
#include "base/mem.h"
#include "crypto/openssl.h"

#include <errno.h>
#include <libgen.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

#define PEM_MOST (1 << 20)

int folder_make_for(const char *file, struct err *err)
{
    AUTO_TEXT copy = mem_text(file);
    const char *folder = dirname(copy);
    if (mkdir(folder, 0700) == 0 || errno == EEXIST)
        return 0;
    return err_set(err, ERR_INPUT, NULL, "%s: %s", folder, strerror(errno));
}

int certificate_read_first(const char *path, struct buf *ret, struct err *err)
{
    AUTO_BUF pem = {0};
    if (file_read(path, PEM_MOST, &pem, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    AUTO_TYPE(x509, X509) *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int length = x ? i2d_X509(x, &der) : -1;
    if (length < 0)
        return err_set(err, ERR_INPUT, NULL, "%s: no certificate in PEM", path);
    buf_add(ret, der, (size_t)length);
    OPENSSL_free(der);
    return 0;
}
