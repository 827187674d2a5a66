#include "pki/certificate.h"

#include "base/address.h"
#include "base/mem.h"
#include "base/random.h"
#include "pki/der.h"
#include "pki/issuer.h"
#include "pki/oid.h"
#include "pki/openssl.h"
#include "pki/pem.h"
#include "pki/spki.h"

#include <string.h>

#define NAMES_MOST 100

void serial_draw(uint8_t ret[static SERIAL_LENGTH])
{
    random_bytes(ret, SERIAL_LENGTH);
    ret[0] = (uint8_t)((ret[0] & 0x3f) | 0x40);
}

static const struct {
    const char *word;
    struct bytes oid;
} ekus[] = {
    {"serverAuth", OID_ROW("\x2b\x06\x01\x05\x05\x07\x03\x01")},
    {"clientAuth", OID_ROW("\x2b\x06\x01\x05\x05\x07\x03\x02")},
    {"codeSigning", OID_ROW("\x2b\x06\x01\x05\x05\x07\x03\x03")},
    {"emailProtection", OID_ROW("\x2b\x06\x01\x05\x05\x07\x03\x04")},
    {"smartcardLogon", OID_ROW("\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x02")},
    {"documentSigning", OID_ROW("\x2b\x06\x01\x05\x05\x07\x03\x24")},
};

static const struct bytes *find_eku(const char *word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(ekus); i++)
        if (strcmp(ekus[i].word, word) == 0)
            return &ekus[i].oid;
    return NULL;
}

bool eku_is_known(const char *word)
{
    return find_eku(word) != NULL;
}

struct certificate_template {
    struct issuer *issuer;
    EVP_MD *sha1; /* of keys, for subjectKeyIdentifier */
    /* Extensions that do not vary, DER: before and behind those that do. */
    struct der usage, usage_rsa; /* basicConstraints, keyUsage, extendedKeyUsage */
    struct der links;            /* authorityKeyIdentifier, cRLDistributionPoints */
    struct der tbs;              /* working space, kept */
    struct buf signature;
};

/* Extension { oid, critical, OCTET STRING around everything written since mark }, in front. */
static void close_extension(struct der *d, struct bytes oid, bool critical, size_t mark)
{
    der_close(d, DER_OCTET_STRING, mark);
    if (critical)
        der_value(d, DER_BOOLEAN, "\xff", 1);
    der_value(d, DER_OID, oid.data, oid.length);
    der_close(d, DER_SEQUENCE, mark);
}

static int write_usage(
    struct der *d, const struct certificate_profile *profile, bool encipherment, struct err *err)
{
    size_t mark = der_length(d);
    for (size_t i = profile->eku_count; i-- > 0;) {
        const struct bytes *oid = find_eku(profile->eku[i]);
        if (!oid)
            return err_set(
                err, ERR_INPUT, NULL, "extended key usage %.40s is not known", profile->eku[i]);
        der_value(d, DER_OID, oid->data, oid->length);
    }
    if (profile->eku_count) {
        der_close(d, DER_SEQUENCE, mark);
        close_extension(d, OID(OID_EXTENDED_KEY_USAGE), false, mark);
    }
    mark = der_length(d);
    /* digitalSignature is bit 0, keyEncipherment bit 2; unused trailing bits are counted first. */
    der_value(d, DER_BIT_STRING, encipherment ? "\x05\xa0" : "\x07\x80", 2);
    close_extension(d, OID(OID_KEY_USAGE), true, mark);
    mark = der_length(d);
    der_value(d, DER_SEQUENCE, NULL, 0); /* cA is FALSE by default, so DER leaves it out */
    close_extension(d, OID(OID_BASIC_CONSTRAINTS), true, mark);
    return 0;
}

static int write_links(
    struct der *d, const struct issuer *issuer, const char *crl_url, struct err *err)
{
    size_t mark = der_length(d);
    if (crl_url) {
        struct bytes url = bytes_of_text(crl_url);
        if (strncmp(crl_url, "http://", 7) != 0 && strncmp(crl_url, "ldap://", 7) != 0 &&
            strncmp(crl_url, "https://", 8) != 0)
            return err_set(err, ERR_INPUT, NULL, "CRL URL: not http://, https:// or ldap://");
        for (size_t i = 0; i < url.length; i++)
            if (url.data[i] <= ' ' || url.data[i] >= 0x7f)
                return err_set(err, ERR_INPUT, NULL, "CRL URL: a character that a URL cannot have");
        der_value(d, DER_CONTEXT | 6, url.data, url.length); /* uniformResourceIdentifier */
        der_close(d, DER_CONTEXT_CONSTRUCTED | 0, mark);     /* fullName */
        der_close(d, DER_CONTEXT_CONSTRUCTED | 0, mark);     /* distributionPoint */
        der_close(d, DER_SEQUENCE, mark);
        der_close(d, DER_SEQUENCE, mark);
        close_extension(d, OID(OID_CRL_POINTS), false, mark);
    }
    mark = der_length(d);
    struct bytes id = issuer_key_id(issuer);
    der_value(d, DER_CONTEXT | 0, id.data, id.length);
    der_close(d, DER_SEQUENCE, mark);
    close_extension(d, OID(OID_AUTHORITY_KEY_ID), false, mark);
    return 0;
}

int certificate_template_new(struct issuer *issuer, const struct certificate_profile *profile,
    struct certificate_template **ret, struct err *err)
{
    AUTO(certificate_template) t = MEM_NEW(struct certificate_template);
    t->issuer = issuer;
    t->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    if (!t->sha1)
        return err_set(err, ERR_FATAL, NULL, "SHA-1: %s", openssl_reason());
    if (write_usage(&t->usage, profile, false, err) ||
        write_usage(&t->usage_rsa, profile, profile->key_encipherment, err) ||
        write_links(&t->links, issuer, profile->crl_url, err))
        return -1;
    *ret = TAKE(t);
    return 0;
}

void certificate_template_free(struct certificate_template *t)
{
    if (!t)
        return;
    EVP_MD_free(t->sha1);
    der_free(&t->usage);
    der_free(&t->usage_rsa);
    der_free(&t->links);
    der_free(&t->tbs);
    buf_free(&t->signature);
    free(t);
}

/* subjectAltName, critical when there is no subject (RFC 5280 4.2.1.6); nothing without names. */
static int write_san(struct der *d, const struct certificate_facts *facts, struct err *err)
{
    size_t mark = der_length(d);
    if (facts->dns_count + facts->email_count > NAMES_MOST)
        return err_set(err, ERR_INPUT, NULL, "more than %d alternative names", NAMES_MOST);
    for (size_t i = facts->dns_count; i-- > 0;) {
        if (dns_name_check(facts->dns[i], err))
            return -1;
        der_value(d, DER_CONTEXT | 2, facts->dns[i], strlen(facts->dns[i]));
    }
    for (size_t i = facts->email_count; i-- > 0;) {
        if (address_check(facts->emails[i], err))
            return err_context(err, "alternative name");
        der_value(d, DER_CONTEXT | 1, facts->emails[i], strlen(facts->emails[i]));
    }
    if (der_length(d) == mark)
        return facts->subject_count ? 0
                                    : err_set(err, ERR_INPUT, NULL,
                                          "a certificate needs a subject or an alternative name");
    der_close(d, DER_SEQUENCE, mark);
    close_extension(d, OID(OID_SUBJECT_ALT_NAME), facts->subject_count == 0, mark);
    return 0;
}

static int write_key_id(
    const struct certificate_template *t, struct der *d, const struct spki *key, struct err *err)
{
    uint8_t id[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    size_t mark = der_length(d);
    if (EVP_Digest(key->key.data, key->key.length, id, &length, t->sha1, NULL) != 1)
        return err_set(err, ERR_FATAL, NULL, "SHA-1: %s", openssl_reason());
    der_value(d, DER_OCTET_STRING, id, length);
    close_extension(d, OID(OID_SUBJECT_KEY_ID), false, mark);
    return 0;
}

static int write_extensions(const struct certificate_template *t, struct der *d,
    const struct certificate_facts *facts, const struct spki *key, struct err *err)
{
    size_t mark = der_length(d);
    der_raw(d, der_bytes(&t->links));
    if (write_san(d, facts, err) || write_key_id(t, d, key, err))
        return -1;
    der_raw(d, der_bytes(key->kind == SPKI_RSA ? &t->usage_rsa : &t->usage));
    der_close(d, DER_SEQUENCE, mark);
    der_close(d, DER_CONTEXT_CONSTRUCTED | 3, mark);
    return 0;
}

/* TBSCertificate, RFC 5280 section 4.1, last field first. */
static int write_tbs(const struct certificate_template *t, struct der *d,
    const struct certificate_facts *facts, const struct spki *key, struct err *err)
{
    size_t start = der_length(d);
    if (write_extensions(t, d, facts, key, err))
        return -1;
    der_raw(d, key->whole);
    if (name_write(d, facts->subject, facts->subject_count, err))
        return -1;
    size_t mark = der_length(d);
    der_time(d, facts->not_after_ms);
    der_time(d, facts->not_before_ms);
    der_close(d, DER_SEQUENCE, mark);
    der_raw(d, issuer_name(t->issuer));
    der_raw(d, issuer_algorithm(t->issuer));
    der_unsigned(d, facts->serial, SERIAL_LENGTH);
    mark = der_length(d);
    der_integer(d, 2); /* v3 */
    der_close(d, DER_CONTEXT_CONSTRUCTED | 0, mark);
    der_close(d, DER_SEQUENCE, start);
    return 0;
}

static int check_facts(
    const struct issuer *issuer, const struct certificate_facts *facts, struct err *err)
{
    /* Positive and of exactly 16 octets, so that a row's BINARY(16) is what the certificate says.
     */
    if (facts->serial[0] == 0 || facts->serial[0] & 0x80)
        return err_set(err, ERR_FATAL, NULL, "serial: not one that serial_draw makes");
    if (!der_time_fits(facts->not_before_ms) || !der_time_fits(facts->not_after_ms))
        return err_set(err, ERR_INPUT, NULL, "validity: not in the years 1950 to 9999");
    if (facts->not_before_ms > facts->not_after_ms)
        return err_set(err, ERR_INPUT, NULL, "validity: ends before it begins");
    if (facts->not_after_ms / 1000 > issuer_not_after_ms(issuer) / 1000)
        return err_set(err, ERR_INPUT, NULL, "validity: ends after the issuer's own");
    return 0;
}

int certificate_sign(struct certificate_template *t, const struct certificate_facts *facts,
    struct buf *ret, struct err *err)
{
    struct bytes spki = facts->spki;
    struct spki key;
    if (check_facts(t->issuer, facts, err) || spki_read(&spki, &key, err))
        return -1;
    if (spki.length)
        return err_set(err, ERR_INPUT, NULL, "%zu bytes after the public key", spki.length);
    struct der *d = &t->tbs;
    der_clear(d);
    if (write_tbs(t, d, facts, &key, err))
        return -1;
    buf_clear(&t->signature);
    if (issuer_sign(t->issuer, der_bytes(d), &t->signature, err))
        return -1;
    AUTO_DER end = {0};
    der_raw(&end, buf_bytes(&t->signature));
    der_close_bits(&end, 0);
    der_raw(&end, issuer_algorithm(t->issuer));
    der_raw(&end, der_bytes(d));
    der_close(&end, DER_SEQUENCE, 0);
    buf_add(ret, end.data + end.at, der_length(&end));
    return 0;
}

void certificate_pem(struct bytes der, struct buf *ret)
{
    pem_write("CERTIFICATE", der, ret);
}
