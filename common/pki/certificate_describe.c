#include "pki/certificate.h"

#include "base/hex.h"
#include "base/mem.h"
#include "pki/openssl.h"

#include <openssl/sha.h>
#include <string.h>

void certificate_description_free(struct certificate_description *d)
{
    if (!d)
        return;
    free(d->subject);
    free(d->issuer);
    free(d->serial);
    free(d->names);
    free(d->key);
    free(d);
}

static char *take_bio(BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    return mem_text_n(length > 0 ? data : "", length > 0 ? (size_t)length : 0);
}

/* RFC 4514, but UTF-8 stays readable; controls and what the RFC names are escaped. */
static char *name_text(const X509_NAME *name)
{
    AUTO_TYPE(bio, BIO) *bio = BIO_new(BIO_s_mem());
    if (!bio || X509_NAME_print_ex(
                    bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) < 0)
        return mem_text("");
    return take_bio(bio);
}

static char *serial_text(const X509 *certificate)
{
    AUTO_TYPE(bn, BIGNUM) *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
    int length = number ? BN_num_bytes(number) : 0;
    AUTO_BUF bytes = {0};
    uint8_t *to = buf_reserve(&bytes, (size_t)length);
    if (number)
        BN_bn2bin(number, to);
    char *text = mem_zero(2 * (size_t)length + 1, 1);
    hex_encode(to, (size_t)length, text);
    return text;
}

static char *names_text(const X509 *certificate)
{
    AUTO_TYPE(bio, BIO) *bio = BIO_new(BIO_s_mem());
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; bio && i < sk_GENERAL_NAME_num(names); i++) {
        if (i)
            BIO_puts(bio, ", ");
        GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    return bio ? take_bio(bio) : mem_text("");
}

static char *key_text(const X509 *certificate)
{
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    char group[40] = "";
    if (!key)
        return mem_text("unknown");
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1) {
        const char *nist = EC_curve_nid2nist(OBJ_sn2nid(group));
        return mem_text(nist ? nist : group);
    }
    if (EVP_PKEY_is_a(key, "RSA"))
        return mem_printf("RSA %d", EVP_PKEY_get_bits(key));
    return mem_text(EVP_PKEY_get0_type_name(key));
}

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : 0;
}

int certificate_describe(struct bytes der, struct certificate_description **ret, struct err *err)
{
    const unsigned char *at = der.data;
    AUTO_TYPE(x509, X509) *c = d2i_X509(NULL, &at, (long)der.length);
    if (!c || at != der.data + der.length)
        return err_set(err, ERR_INPUT, NULL, "not a certificate in DER: %s",
            c ? "bytes after its end" : openssl_reason());
    uint8_t digest[32];
    struct certificate_description *d = MEM_NEW(struct certificate_description);
    d->subject = name_text(X509_get_subject_name(c));
    d->issuer = name_text(X509_get_issuer_name(c));
    d->serial = serial_text(c);
    d->names = names_text(c);
    d->key = key_text(c);
    SHA256(der.data, der.length, digest);
    hex_encode(digest, sizeof digest, d->sha256);
    d->not_before_ms = time_ms(X509_get0_notBefore(c));
    d->not_after_ms = time_ms(X509_get0_notAfter(c));
    ERR_clear_error();
    *ret = d;
    return 0;
}
