#include "pki/crl.h"
#include "pki/der.h"
#include "pki/issuer.h"
#include "pki/oid.h"

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, NULL, "CRL: %s", what);
}

struct list {
    struct bytes whole; /* TBSCertList */
    struct bytes algorithm, issuer, entries, extensions, signature;
    int64_t this_update_ms, next_update_ms;
};

/* TBSCertList, RFC 5280 5.1.2; `in` is its content. */
static int split_tbs(struct bytes in, struct list *ret, struct err *err)
{
    struct bytes version, explicit;
    uint8_t tag;
    if (!der_read_unsigned(&in, &version) || version.length != 1 || version.data[0] != 1)
        return bad(err, "not of version 2");
    if (!der_read_any(&in, &tag, NULL, &ret->algorithm) || tag != DER_SEQUENCE ||
        !der_read_any(&in, &tag, NULL, &ret->issuer) || tag != DER_SEQUENCE ||
        !der_read_time(&in, &ret->this_update_ms) || !der_read_time(&in, &ret->next_update_ms))
        return bad(err, "its issuer or times cannot be read");
    if (in.length && in.data[0] == DER_SEQUENCE && !der_read(&in, DER_SEQUENCE, &ret->entries))
        return bad(err, "its entries are not well-formed DER");
    if (!der_read(&in, DER_CONTEXT_CONSTRUCTED | 0, &explicit) || in.length ||
        !der_read(&explicit, DER_SEQUENCE, &ret->extensions) || explicit.length)
        return bad(err, "its extensions cannot be read");
    return 0;
}

static int split(struct bytes der, struct list *ret, struct err *err)
{
    struct bytes body, tbs, algorithm, bits;
    uint8_t tag;
    *ret = (struct list){0};
    if (!der_read(&der, DER_SEQUENCE, &body) || der.length)
        return bad(err, "not DER, cut short, or with bytes after its end");
    if (!der_read_any(&body, &tag, &tbs, &ret->whole) || tag != DER_SEQUENCE ||
        !der_read_any(&body, &tag, NULL, &algorithm) || tag != DER_SEQUENCE ||
        !der_read(&body, DER_BIT_STRING, &bits) || body.length || bits.length < 2 ||
        bits.data[0] != 0)
        return bad(err, "not a list, an algorithm and a signature");
    ret->signature = (struct bytes){bits.data + 1, bits.length - 1};
    if (split_tbs(tbs, ret, err))
        return -1;
    if (!bytes_equal(algorithm, ret->algorithm))
        return bad(err, "names two signature algorithms");
    return 0;
}

/* Takes one Extension off the front. */
static bool read_extension(
    struct bytes *in, struct bytes *ret_oid, bool *ret_critical, struct bytes *ret_value)
{
    struct bytes extension, flag = {0};
    if (!der_read(in, DER_SEQUENCE, &extension) || !der_read(&extension, DER_OID, ret_oid))
        return false;
    *ret_critical = der_read(&extension, DER_BOOLEAN, &flag);
    return der_read(&extension, DER_OCTET_STRING, ret_value) && extension.length == 0;
}

static bool read_crl_number(struct bytes value, uint64_t *ret)
{
    struct bytes number;
    if (!der_read_unsigned(&value, &number) || value.length || number.length > 8)
        return false;
    for (*ret = 0; number.length; number.data++, number.length--)
        *ret = *ret << 8 | number.data[0];
    return true;
}

/* AuthorityKeyIdentifier, RFC 5280 4.2.1.1: its keyIdentifier stands first. */
static struct bytes read_key_id(struct bytes value)
{
    struct bytes body, id = {0};
    if (der_read(&value, DER_SEQUENCE, &body) && !der_read(&body, DER_CONTEXT | 0, &id))
        id = (struct bytes){0};
    return id;
}

static int read_extensions(struct bytes extensions, struct crl_head *ret, struct err *err)
{
    bool found = false;
    while (extensions.length) {
        struct bytes oid, value;
        bool is_critical;
        if (!read_extension(&extensions, &oid, &is_critical, &value))
            return bad(err, "an extension cannot be read");
        if (bytes_equal(oid, OID(OID_AUTHORITY_KEY_ID))) {
            ret->key_id = read_key_id(value);
        } else if (bytes_equal(oid, OID(OID_CRL_NUMBER))) {
            if (!read_crl_number(value, &ret->facts.number))
                return bad(err, "its number cannot be read");
            found = true;
        } else if (is_critical) {
            return bad(err, "a critical extension that certq does not know");
        }
    }
    return found ? 0 : bad(err, "has no number");
}

static int head_of(const struct list *list, struct crl_head *ret, struct err *err)
{
    struct crl_head head = {
        .facts = {0, list->this_update_ms, list->next_update_ms}, .issuer = list->issuer};
    if (read_extensions(list->extensions, &head, err))
        return -1;
    *ret = head;
    return 0;
}

int crl_peek(struct bytes der, struct crl_head *ret, struct err *err)
{
    struct list list;
    return split(der, &list, err) ? -1 : head_of(&list, ret, err);
}

int crl_read(struct issuer *issuer, struct bytes der, struct crl_facts *ret, struct err *err)
{
    struct list list;
    struct crl_head head;
    if (split(der, &list, err))
        return -1;
    if (!bytes_equal(list.issuer, issuer_name(issuer)))
        return bad(err, "of another issuer");
    if (!bytes_equal(list.algorithm, issuer_algorithm(issuer)) ||
        !issuer_signed(issuer, list.whole, list.signature))
        return bad(err, "the signature is not its issuer's");
    if (head_of(&list, &head, err))
        return -1;
    *ret = head.facts;
    return 0;
}

static bool read_reason(struct bytes extensions, enum reason *ret)
{
    *ret = REASON_UNSPECIFIED;
    while (extensions.length) {
        struct bytes oid, value, code;
        bool is_critical;
        if (!read_extension(&extensions, &oid, &is_critical, &value))
            return false;
        if (bytes_equal(oid, OID(OID_CRL_REASON))) {
            if (!der_read(&value, DER_ENUMERATED, &code) || value.length || code.length != 1 ||
                !reason_is_code(code.data[0]))
                return false;
            *ret = (enum reason)code.data[0];
        } else if (is_critical) {
            return false;
        }
    }
    return true;
}

static bool read_entry(struct bytes *in, struct crl_entry *ret)
{
    struct bytes entry, extensions = {0};
    if (!der_read(in, DER_SEQUENCE, &entry) || !der_read_unsigned(&entry, &ret->serial) ||
        ret->serial.length > CRL_SERIAL_MAX || !der_read_time(&entry, &ret->revoked_at_ms))
        return false;
    if (entry.length && (!der_read(&entry, DER_SEQUENCE, &extensions) || entry.length))
        return false;
    return read_reason(extensions, &ret->reason);
}

int crl_each(struct bytes der, crl_visit *visit, void *context, struct err *err)
{
    struct list list;
    if (split(der, &list, err))
        return -1;
    for (size_t n = 1; list.entries.length; n++) {
        struct crl_entry entry;
        if (!read_entry(&list.entries, &entry))
            return err_set(err, ERR_INPUT, NULL, "CRL: entry %zu cannot be read", n);
        int rc = visit(context, &entry, err);
        if (rc)
            return rc;
    }
    return 0;
}
