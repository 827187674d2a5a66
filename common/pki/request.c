#include "pki/request.h"

#include "base/mem.h"
#include "pki/der.h"
#include "pki/pem.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#define CODE "bad-csr"

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, CODE, "certificate request: %s", what);
}

static int read_bytes(struct bytes bytes, struct buf *ret, struct err *err)
{
    if (bytes.length > REQUEST_BYTES_MAX)
        return err_set(
            err, ERR_INPUT, CODE, "certificate request: longer than %d bytes", REQUEST_BYTES_MAX);
    if (bytes.length && bytes.data[0] == DER_SEQUENCE) {
        buf_add(ret, bytes.data, bytes.length);
        return 0;
    }
    if (pem_read_one(bytes, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", ret, err)) {
        snprintf(err->code, sizeof err->code, CODE);
        return err_context(err, "certificate request");
    }
    return 0;
}

static bool read_oid(struct bytes *in)
{
    struct bytes oid;
    return der_read(in, DER_OID, &oid) && der_value_is_sound(DER_OID, oid);
}

/* DirectoryString, IA5String, and what X.520 knows besides (uniqueIdentifier is a BIT STRING). */
static bool is_name_type(uint8_t tag)
{
    static const uint8_t tags[] = {DER_UTF8_STRING, DER_PRINTABLE_STRING, DER_IA5_STRING,
        DER_NUMERIC_STRING, DER_TELETEX_STRING, DER_BMP_STRING, DER_UNIVERSAL_STRING,
        DER_BIT_STRING};
    return memchr(tags, tag, sizeof tags) != NULL;
}

/* AttributeTypeAndValue; a NUL inside a string of one byte a character is how names are forged. */
static int check_attribute(struct bytes attribute, struct err *err)
{
    struct bytes value;
    uint8_t tag;
    if (!read_oid(&attribute) || !der_read_any(&attribute, &tag, &value, NULL) || attribute.length)
        return bad(err, "the subject is not well-formed DER");
    if (!is_name_type(tag) || !der_value_is_sound(tag, value))
        return bad(err, "the subject holds something that is no text");
    bool wide = tag == DER_BMP_STRING || tag == DER_UNIVERSAL_STRING || tag == DER_BIT_STRING;
    if (!wide && value.length && memchr(value.data, 0, value.length))
        return bad(err, "the subject holds a NUL");
    return 0;
}

static int check_subject(struct bytes subject, struct err *err)
{
    while (subject.length) {
        struct bytes set, attribute;
        if (!der_read(&subject, DER_SET, &set) || set.length == 0)
            return bad(err, "the subject is not well-formed DER");
        while (set.length) {
            if (!der_read(&set, DER_SEQUENCE, &attribute))
                return bad(err, "the subject is not well-formed DER");
            if (check_attribute(attribute, err))
                return -1;
        }
    }
    return 0;
}

/* SET OF ANY, at least one */
static bool check_values(struct bytes values)
{
    struct bytes value;
    uint8_t tag;
    bool sound = values.length > 0;
    while (sound && values.length)
        sound = der_read_any(&values, &tag, &value, NULL) && der_value_is_sound(tag, value);
    return sound;
}

/* [0] SET OF Attribute { OID, SET OF ANY } */
static int check_attributes(struct bytes attributes, struct err *err)
{
    while (attributes.length) {
        struct bytes attribute, values;
        if (!der_read(&attributes, DER_SEQUENCE, &attribute) || !read_oid(&attribute) ||
            !der_read(&attribute, DER_SET, &values) || attribute.length || !check_values(values))
            return bad(err, "its attributes are not well-formed DER");
    }
    return 0;
}

/* CertificationRequestInfo { 0, subject, SubjectPublicKeyInfo, [0] attributes } */
static int read_info(struct bytes info, struct spki *ret, struct err *err)
{
    struct bytes version, subject, attributes = {0};
    if (!der_read_unsigned(&info, &version) || version.length != 1 || version.data[0] != 0)
        return bad(err, "not of version 1");
    if (!der_read(&info, DER_SEQUENCE, &subject))
        return bad(err, "the subject is not well-formed DER");
    if (check_subject(subject, err))
        return -1;
    if (spki_read(&info, ret, err))
        return err_context(err, "certificate request");
    /* Some tools leave empty attributes out, against RFC 2986; OpenSSL takes that too. */
    if (info.length && (!der_read(&info, DER_CONTEXT_CONSTRUCTED, &attributes) || info.length))
        return bad(err, "something stands where its attributes should");
    return check_attributes(attributes, err);
}

struct parts {
    struct bytes info, info_whole, algorithm, signature;
};

static int split(struct bytes der, struct parts *ret, struct err *err)
{
    struct bytes body, bits;
    uint8_t tag;
    if (!der_read(&der, DER_SEQUENCE, &body))
        return bad(err, "not DER, or cut short");
    if (der.length)
        return err_set(
            err, ERR_INPUT, CODE, "certificate request: %zu bytes after its end", der.length);
    if (!der_read_any(&body, &tag, &ret->info, &ret->info_whole) || tag != DER_SEQUENCE ||
        !der_read(&body, DER_SEQUENCE, &ret->algorithm) ||
        !der_read(&body, DER_BIT_STRING, &bits) || body.length || bits.length < 2 ||
        bits.data[0] != 0)
        return bad(err, "not a PKCS#10 request");
    ret->signature = (struct bytes){bits.data + 1, bits.length - 1};
    return 0;
}

int request_parse(struct spki_checker *checker, struct bytes bytes, const struct spki_rules *rules,
    struct request **ret, struct err *err)
{
    AUTO(request) r = MEM_NEW(struct request);
    struct parts parts;
    if (read_bytes(bytes, &r->der, err) || split(buf_bytes(&r->der), &parts, err) ||
        read_info(parts.info, &r->key, err))
        return -1;
    if (spki_check(checker, &r->key, rules, err) ||
        spki_verify(checker, parts.algorithm, parts.info_whole, parts.signature, err))
        return err_context(err, "certificate request");
    SHA256(r->key.whole.data, r->key.whole.length, r->spki_sha256);
    SHA256(r->der.data, r->der.length, r->request_sha256);
    *ret = TAKE(r);
    return 0;
}

void request_free(struct request *r)
{
    if (!r)
        return;
    buf_free(&r->der);
    free(r);
}
