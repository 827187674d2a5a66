#include "pki/cms.h"

#include "pki/openssl.h"

#include <string.h>

#define DENIED "bad-signature"

/* BER is taken where OpenSSL reads it (signers that stream write it); bytes behind it are not. */
static int parse(struct bytes der, CMS_ContentInfo **ret, struct err *err)
{
    if (der.length > CMS_BYTES_MAX)
        return err_set(err, ERR_INPUT, NULL, "signature: longer than %d bytes", CMS_BYTES_MAX);
    const unsigned char *at = der.data;
    AUTO_TYPE(cms, CMS_ContentInfo) *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.length);
    if (!cms)
        return err_set(err, ERR_INPUT, NULL, "signature: not CMS in DER: %s", openssl_reason());
    if (at != der.data + der.length)
        return err_set(err, ERR_INPUT, NULL, "signature: bytes after its end");
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed)
        return err_set(err, ERR_INPUT, NULL, "signature: not CMS SignedData");
    if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data)
        return err_set(err, ERR_INPUT, NULL, "signature: its content is not of type data");
    *ret = TAKE(cms);
    return 0;
}

/* One signer, the certificate's subject, with a digest of today. */
static int check_signer(CMS_ContentInfo *cms, X509 *certificate, struct err *err)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    if (sk_CMS_SignerInfo_num(signers) != 1)
        return err_set(err, ERR_INPUT, NULL, "signature: %d signers, not one",
            sk_CMS_SignerInfo_num(signers) < 0 ? 0 : sk_CMS_SignerInfo_num(signers));
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(signers, 0);
    if (CMS_SignerInfo_cert_cmp(signer, certificate) != 0)
        return err_set(
            err, ERR_DENIED, DENIED, "signature: by another certificate than the one it is for");
    X509_ALGOR *digest = NULL;
    const ASN1_OBJECT *oid = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, NULL, &digest, NULL);
    X509_ALGOR_get0(&oid, NULL, NULL, digest);
    int nid = OBJ_obj2nid(oid);
    if (nid != NID_sha256 && nid != NID_sha384 && nid != NID_sha512)
        return err_set(
            err, ERR_INPUT, NULL, "signature: its digest is none of SHA-256, SHA-384, SHA-512");
    return 0;
}

/* Attached content must be the text; detached, it is what was signed. */
static int check_content(
    CMS_ContentInfo *cms, struct bytes text, bool *ret_detached, struct err *err)
{
    ASN1_OCTET_STRING **content = CMS_get0_content(cms);
    *ret_detached = !content || !*content;
    if (*ret_detached)
        return 0;
    struct bytes attached = {ASN1_STRING_get0_data(*content), (size_t)ASN1_STRING_length(*content)};
    return bytes_equal(attached, text)
               ? 0
               : err_set(err, ERR_DENIED, DENIED, "signature: over another text");
}

static int verify(CMS_ContentInfo *cms, struct bytes text, X509 *certificate, struct err *err)
{
    bool is_detached;
    if (check_signer(cms, certificate, err) || check_content(cms, text, &is_detached, err))
        return -1;
    /* NOINTERN: the key comes from our certificate; its chain and dates are the caller's to judge.
     */
    unsigned flags = CMS_BINARY | CMS_NOINTERN | CMS_NO_SIGNER_CERT_VERIFY;
    AUTO_TYPE(bio, BIO) *in = is_detached ? BIO_new_mem_buf(text.data, (int)text.length) : NULL;
    STACK_OF(X509) *certificates = sk_X509_new_null();
    bool ok = certificates && sk_X509_push(certificates, certificate) > 0 &&
              CMS_verify(cms, certificates, NULL, in, NULL, flags) == 1;
    sk_X509_free(certificates);
    ERR_clear_error();
    return ok ? 0
              : err_set(err, ERR_DENIED, DENIED,
                    "signature: not by the certificate's key over this request");
}

int cms_verify_text(struct bytes der, struct bytes text, struct bytes certificate, struct err *err)
{
    const unsigned char *at = certificate.data;
    AUTO_TYPE(cms, CMS_ContentInfo) *cms = NULL;
    AUTO_TYPE(x509, X509) *signer = d2i_X509(NULL, &at, (long)certificate.length);
    if (!signer)
        return err_set(err, ERR_FATAL, NULL, "the certificate on record: %s", openssl_reason());
    if (parse(der, &cms, err))
        return -1;
    return verify(cms, text, signer, err);
}
