#include "crypto/pem_file.h"

#include "base/file.h"
#include "base/secret.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

struct block {
    char *label, *header;
    unsigned char *data;
    long length;
};

static void block_clear(struct block *b)
{
    OPENSSL_free(b->label);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, (size_t)b->length);
}

/* 1 a block, 0 the end, -1 a broken one. */
static int next_block(BIO *bio, struct block *ret, struct err *err)
{
    if (PEM_read_bio(bio, &ret->label, &ret->header, &ret->data, &ret->length) == 1)
        return 1;
    if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
        ERR_clear_error();
        return 0;
    }
    return err_set(err, ERR_INPUT, NULL, "a broken PEM block: %s", openssl_reason());
}

static int add_key(struct pem_file *f, const struct block *b, struct err *err)
{
    if (!strcmp(b->label, "EC PARAMETERS"))
        return 0;
    if (!strcmp(b->label, "ENCRYPTED PRIVATE KEY") || b->header[0])
        return err_set(err, ERR_INPUT, NULL, "the key is encrypted, and nobody is here to ask");
    if (strcmp(b->label, "PRIVATE KEY") != 0 && strcmp(b->label, "EC PRIVATE KEY") != 0)
        return err_set(err, ERR_INPUT, NULL, "a block %s, only private keys are wanted", b->label);
    if (f->key_count == PEM_BLOCKS_MOST)
        return err_set(err, ERR_INPUT, NULL, "more than %d keys", PEM_BLOCKS_MOST);
    const unsigned char *p = b->data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, b->length);
    if (!key)
        return err_set(err, ERR_INPUT, NULL, "no usable private key: %s", openssl_reason());
    f->keys[f->key_count++] = key;
    return 0;
}

static int add_certificate(struct pem_file *f, const struct block *b, struct err *err)
{
    if (strcmp(b->label, "CERTIFICATE") != 0)
        return err_set(err, ERR_INPUT, NULL, "a block %s, only certificates are wanted", b->label);
    if (f->certificate_count == PEM_BLOCKS_MOST)
        return err_set(err, ERR_INPUT, NULL, "more than %d certificates", PEM_BLOCKS_MOST);
    const unsigned char *p = b->data;
    X509 *certificate = d2i_X509(NULL, &p, b->length);
    if (!certificate)
        return err_set(err, ERR_INPUT, NULL, "no usable certificate: %s", openssl_reason());
    f->certificates[f->certificate_count++] = certificate;
    return 0;
}

typedef int add_block(struct pem_file *f, const struct block *b, struct err *err);

static int add_all(struct pem_file *f, struct bytes text, add_block *add, struct err *err)
{
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(text.data, (int)text.length);
    for (;;) {
        CLEANUP(block_clear) struct block b = {0};
        int got = next_block(bio, &b, err);
        if (got <= 0)
            return got;
        if (add(f, &b, err))
            return -1;
    }
}

int pem_file_add_keys(struct pem_file *f, const char *path, struct err *err)
{
    AUTO(secret) text = NULL;
    if (file_read_secret(path, PEM_FILE_MOST, &text, err))
        return -1;
    if (add_all(f, (struct bytes){text->data, text->length}, add_key, err))
        return err_context(err, "%s", path);
    if (!f->key_count)
        return err_set(err, ERR_INPUT, NULL, "%s: no private key in it (PEM)", path);
    return 0;
}

int pem_file_add_certificates(struct pem_file *f, const char *path, struct err *err)
{
    AUTO_BUF text = {0};
    if (file_read(path, PEM_FILE_MOST, &text, err))
        return -1;
    if (add_all(f, buf_bytes(&text), add_certificate, err))
        return err_context(err, "%s", path);
    if (!f->certificate_count)
        return err_set(err, ERR_INPUT, NULL, "%s: no certificate in it (PEM)", path);
    return 0;
}

void pem_file_clear(struct pem_file *f)
{
    for (size_t i = 0; i < f->key_count; i++)
        EVP_PKEY_free(f->keys[i]);
    for (size_t i = 0; i < f->certificate_count; i++)
        X509_free(f->certificates[i]);
    *f = (struct pem_file){0};
}

int pem_file_write_in_front(
    const char *path, struct bytes first, struct bytes rest, mode_t mode, struct err *err)
{
    AUTO(secret) all = secret_of_size(first.length + rest.length);
    if (all->length > PEM_FILE_MOST)
        return err_set(err, ERR_INPUT, NULL, "%s: too many blocks; take old ones out", path);
    memcpy(all->data, first.data, first.length);
    memcpy(all->data + first.length, rest.data, rest.length);
    return file_write(path, (struct bytes){all->data, all->length}, mode, err);
}
