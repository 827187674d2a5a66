#include "mail/message_sign.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/secret.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define FILE_MOST 65536
#define CHAIN_MOST 8
#define BASE64_COLUMNS 76

DEFINE_AUTO(bio, BIO, BIO_free);
DEFINE_AUTO(cms, CMS_ContentInfo, CMS_ContentInfo_free);

struct message_signer {
    X509 *certificate;
    STACK_OF(X509) * chain;
    EVP_PKEY *key;
};

static int failed(struct err *err, const char *what)
{
    const unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return err_set(err, ERR_INPUT, NULL, "%s: %s", what, why ? why : "OpenSSL says no more");
}

/* --- loading --- */

static int no_pass_phrase(char *buf UNUSED, int size UNUSED, int rw UNUSED, void *arg UNUSED)
{
    return -1;
}

static int load_key(const char *path, EVP_PKEY **ret, struct err *err)
{
    AUTO(secret) pem = NULL;
    if (file_read_secret(path, FILE_MOST, &pem, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(pem->data, (int)pem->length);
    *ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
    return *ret ? 0 : failed(err, path);
}

static bool is_root(X509 *certificate)
{
    return X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) ==
           0;
}

static int load_chain(const char *path, struct message_signer *s, struct err *err)
{
    AUTO_BUF pem = {0};
    if (file_read(path, FILE_MOST, &pem, err))
        return -1;
    AUTO_TYPE(bio, BIO) *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
    s->certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    s->chain = sk_X509_new_null();
    if (!s->certificate || !s->chain)
        return failed(err, path);
    X509 *next;
    while (sk_X509_num(s->chain) < CHAIN_MOST && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
        if (is_root(next) || !sk_X509_push(s->chain, next))
            X509_free(next);
    ERR_clear_error();
    return 0;
}

static bool is_strong(const EVP_PKEY *key)
{
    const int type = EVP_PKEY_get_base_id(key);
    return type == EVP_PKEY_EC || (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= 2048);
}

/* What a mail reader would complain about. */
static const char *flaw_of(const struct message_signer *s, const char *from, int64_t now_ms)
{
    time_t now = (time_t)(now_ms / 1000);
    if (!X509_check_private_key(s->certificate, s->key))
        return "the key is of another certificate";
    if (!is_strong(s->key))
        return "the key is neither EC nor RSA of at least 2048 bits";
    if (X509_check_email(s->certificate, from, 0, 0) != 1)
        return "the certificate does not name the address of mail.from";
    if (!(X509_get_key_usage(s->certificate) & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) ||
        !(X509_get_extended_key_usage(s->certificate) & XKU_SMIME))
        return "the certificate is not for signing mail";
    if (X509_cmp_time(X509_get0_notAfter(s->certificate), &now) < 0)
        return "the certificate has ended";
    return NULL;
}

int message_signer_load(const char *certificate, const char *key, const char *from, int64_t now_ms,
    struct message_signer **ret, struct err *err)
{
    AUTO(message_signer) s = MEM_NEW(struct message_signer);
    if (load_chain(certificate, s, err) || load_key(key, &s->key, err))
        return -1;
    const char *flaw = flaw_of(s, from, now_ms);
    ERR_clear_error();
    if (flaw)
        return err_set(err, ERR_INPUT, NULL, "%s: %s", certificate, flaw);
    *ret = TAKE(s);
    return 0;
}

void message_signer_free(struct message_signer *s)
{
    if (!s)
        return;
    X509_free(s->certificate);
    sk_X509_pop_free(s->chain, X509_free);
    EVP_PKEY_free(s->key);
    free(s);
}

/* --- signing --- */

/* The end of a header with its folded lines, behind its CRLF. */
static size_t header_end(struct bytes b)
{
    for (size_t i = 0; i + 1 < b.length; i++)
        if (b.data[i] == '\r' && b.data[i + 1] == '\n' &&
            (i + 2 == b.length || (b.data[i + 2] != ' ' && b.data[i + 2] != '\t')))
            return i + 2;
    return b.length;
}

/* MIME-Version and all that is not of the content stay outside. The rest, and the body, is `inner`.
 */
static void split(struct bytes message, struct buf *outer, struct buf *inner)
{
    static const char content[] = "Content-";
    while (message.length && message.data[0] != '\r') {
        const size_t n = header_end(message);
        const bool is_content = n > strlen(content) && strncasecmp((const char *)message.data,
                                                           content, strlen(content)) == 0;
        buf_add(is_content ? inner : outer, message.data, n);
        message = (struct bytes){message.data + n, message.length - n};
    }
    buf_add(inner, message.data, message.length);
}

static int make_signature(
    const struct message_signer *s, const struct buf *inner, struct buf *ret, struct err *err)
{
    /* Nobody encrypts an answer to us, so no word on ciphers. */
    const unsigned flags = CMS_DETACHED | CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    unsigned char *der = NULL;
    AUTO_TYPE(bio, BIO) *in = BIO_new_mem_buf(inner->data, (int)inner->length);
    AUTO_TYPE(cms, CMS_ContentInfo) *cms = CMS_sign(NULL, NULL, s->chain, NULL, flags);
    if (!in || !cms || !CMS_add1_signer(cms, s->certificate, s->key, EVP_sha256(), flags) ||
        !CMS_final(cms, in, NULL, flags))
        return failed(err, "a mail's signature");
    const int n = i2d_CMS_ContentInfo(cms, &der);
    if (n <= 0)
        return failed(err, "a mail's signature");
    buf_add(ret, der, (size_t)n);
    OPENSSL_free(der);
    return 0;
}

static void add_base64(struct bytes der, struct buf *ret)
{
    AUTO_BUF text = {0};
    base64_encode(der, &text);
    for (size_t i = 0; i < text.length; i += BASE64_COLUMNS) {
        const size_t left = text.length - i;
        buf_add(ret, text.data + i, left < BASE64_COLUMNS ? left : BASE64_COLUMNS);
        buf_add_text(ret, "\r\n");
    }
}

int message_sign(const struct message_signer *s, struct bytes message, const char *id,
    struct buf *ret, struct err *err)
{
    AUTO_BUF outer = {0};
    AUTO_BUF signature = {0};
    struct buf inner = {0};
    buf_reserve(&inner, message.length); /* it may hold a code: no copies are left behind */
    split(message, &outer, &inner);
    const int result = make_signature(s, &inner, &signature, err);
    if (result == 0) {
        buf_reserve(ret, outer.length + inner.length + 2 * signature.length + 1024);
        buf_add(ret, outer.data, outer.length);
        buf_printf(ret,
            "Content-Type: multipart/signed; micalg=sha-256;\r\n"
            "\tprotocol=\"application/pkcs7-signature\";\r\n"
            "\tboundary=\"=_certq-%s\"\r\n\r\n"
            "This is a signed message in MIME format.\r\n\r\n--=_certq-%s\r\n",
            id, id);
        buf_add(ret, inner.data, inner.length);
        buf_printf(ret,
            "\r\n--=_certq-%s\r\n"
            "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
            "Content-Transfer-Encoding: base64\r\n"
            "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n\r\n",
            id);
        add_base64(buf_bytes(&signature), ret);
        buf_printf(ret, "\r\n--=_certq-%s--\r\n", id);
    }
    secret_wipe(inner.data, inner.capacity);
    buf_free(&inner);
    return result;
}
