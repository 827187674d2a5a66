#include "crypto/seal_form.h"

#include <openssl/asn1.h>
#include <openssl/err.h>

#define NONCE_LENGTH 12
#define TAG_LENGTH 16

/* Content bytes of object identifiers. */
static const uint8_t auth_enveloped[] = {
    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
static const uint8_t enveloped[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03};
static const uint8_t data[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01};
static const uint8_t aes_256_gcm[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e};
#define IS(oid, constant) bytes_equal((oid), (struct bytes){(constant), sizeof(constant)})

#define UNIVERSAL(tag) V_ASN1_UNIVERSAL, (tag)
#define CONTEXT(tag) V_ASN1_CONTEXT_SPECIFIC, (tag)

/* Takes the next element off `in` when it has this class and tag and a definite length. */
static bool take(struct bytes *in, int class, int tag, struct bytes *ret)
{
    const uint8_t *p = in->data;
    long length = 0;
    int got_tag = 0, got_class = 0;
    if (!in->length)
        return false;
    int got = ASN1_get_object(&p, &length, &got_tag, &got_class, (long)in->length);
    if (got & 0x81 || got_class != class || got_tag != tag) {
        ERR_clear_error();
        return false;
    }
    *ret = (struct bytes){p, (size_t)length};
    *in = (struct bytes){p + length, in->length - (size_t)(p + length - in->data)};
    return true;
}

static bool skip(struct bytes *in, int class, int tag)
{
    struct bytes ignored;
    return take(in, class, tag, &ignored);
}

static bool take_number(struct bytes *in, uint8_t value)
{
    struct bytes got;
    return take(in, UNIVERSAL(V_ASN1_INTEGER), &got) && got.length == 1 && got.data[0] == value;
}

static int refuse(struct err *err, const char *text)
{
    return err_set(err, ERR_INPUT, NULL, "%s", text);
}

static int check_content(struct bytes content, struct err *err)
{
    struct bytes type, algorithm, cipher, parameters, nonce;
    if (!take(&content, UNIVERSAL(V_ASN1_OBJECT), &type) || !IS(type, data) ||
        !take(&content, UNIVERSAL(V_ASN1_SEQUENCE), &algorithm) ||
        !take(&algorithm, UNIVERSAL(V_ASN1_OBJECT), &cipher))
        return refuse(err, "it is not well-formed DER AuthEnvelopedData");
    if (!IS(cipher, aes_256_gcm))
        return refuse(err, "its cipher is not AES-256-GCM");
    if (!take(&algorithm, UNIVERSAL(V_ASN1_SEQUENCE), &parameters) || algorithm.length ||
        !take(&parameters, UNIVERSAL(V_ASN1_OCTET_STRING), &nonce) ||
        nonce.length != NONCE_LENGTH || !take_number(&parameters, TAG_LENGTH) ||
        parameters.length || !skip(&content, CONTEXT(0)) || content.length)
        return refuse(err, "its AES-256-GCM parameters or content are not a nonce of 12 bytes, a "
                           "tag of 16 and bytes");
    return 0;
}

int seal_form_check(struct bytes der, struct err *err)
{
    struct bytes top, type, explicit, body, content, tag;
    if (!take(&der, UNIVERSAL(V_ASN1_SEQUENCE), &top))
        return refuse(err, "it is not DER");
    if (der.length)
        return refuse(err, "bytes follow its end");
    if (!take(&top, UNIVERSAL(V_ASN1_OBJECT), &type))
        return refuse(err, "it is not CMS");
    if (IS(type, enveloped))
        return refuse(err, "it is EnvelopedData without authentication; AES-256-GCM is wanted");
    if (!IS(type, auth_enveloped))
        return refuse(err, "it is not CMS AuthEnvelopedData");
    if (!take(&top, CONTEXT(0), &explicit) || top.length ||
        !take(&explicit, UNIVERSAL(V_ASN1_SEQUENCE), &body) || explicit.length ||
        !take_number(&body, 0))
        return refuse(err, "it is not well-formed DER AuthEnvelopedData");
    (void)skip(&body, CONTEXT(0)); /* originatorInfo: certificates we do not look at */
    if (!skip(&body, UNIVERSAL(V_ASN1_SET)) || !take(&body, UNIVERSAL(V_ASN1_SEQUENCE), &content))
        return refuse(err, "it is not well-formed DER AuthEnvelopedData");
    if (check_content(content, err))
        return -1;
    if (!take(&body, UNIVERSAL(V_ASN1_OCTET_STRING), &tag) || body.length)
        return refuse(err, "it has attributes, or no authentication tag");
    if (tag.length != TAG_LENGTH)
        return refuse(err, "its authentication tag is not of 16 bytes");
    return 0;
}
