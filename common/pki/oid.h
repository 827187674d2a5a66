/* Object identifiers as the content of their DER, and the words to compare them. */
#ifndef CERTQ_PKI_OID_H
#define CERTQ_PKI_OID_H

#include "base/buf.h"

/* A literal as bytes: in an expression, and in the initialiser of a table. */
#define OID(literal) ((struct bytes)OID_ROW(literal))
#define OID_ROW(literal)                                                                           \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

/* RFC 5480, 3279, 8410 */
#define OID_EC_PUBLIC_KEY "\x2a\x86\x48\xce\x3d\x02\x01"
#define OID_P256 "\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define OID_P384 "\x2b\x81\x04\x00\x22"
#define OID_P521 "\x2b\x81\x04\x00\x23"
#define OID_RSA "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
#define OID_ED25519 "\x2b\x65\x70"
#define OID_ECDSA_SHA1 "\x2a\x86\x48\xce\x3d\x04\x01"
#define OID_ECDSA_SHA256 "\x2a\x86\x48\xce\x3d\x04\x03\x02"
#define OID_ECDSA_SHA384 "\x2a\x86\x48\xce\x3d\x04\x03\x03"
#define OID_ECDSA_SHA512 "\x2a\x86\x48\xce\x3d\x04\x03\x04"
#define OID_RSA_MD5 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04"
#define OID_RSA_SHA1 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05"
#define OID_RSA_PSS "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
#define OID_RSA_SHA256 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"
#define OID_RSA_SHA384 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c"
#define OID_RSA_SHA512 "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d"

/* RFC 5280 section 4.2 and 5.2 */
#define OID_SUBJECT_KEY_ID "\x55\x1d\x0e"
#define OID_KEY_USAGE "\x55\x1d\x0f"
#define OID_SUBJECT_ALT_NAME "\x55\x1d\x11"
#define OID_BASIC_CONSTRAINTS "\x55\x1d\x13"
#define OID_CRL_NUMBER "\x55\x1d\x14"
#define OID_CRL_REASON "\x55\x1d\x15"
#define OID_CRL_POINTS "\x55\x1d\x1f"
#define OID_AUTHORITY_KEY_ID "\x55\x1d\x23"
#define OID_EXTENDED_KEY_USAGE "\x55\x1d\x25"

#endif
