#include "pki/name.h"

#include "base/utf8.h"
#include "pki/der.h"
#include "pki/oid.h"

#include <string.h>

/* Upper bounds in characters: RFC 5280 appendix A, X.520, CA/Browser Forum for the EV ones. */
static const struct attribute {
    const char *word;
    struct bytes oid;
    uint8_t tag;
    uint8_t exactly; /* characters, upper-case letters; 0: up to most */
    size_t most;
} attributes[] = {
    {"C", OID_ROW("\x55\x04\x06"), DER_PRINTABLE_STRING, 2, 2},
    {"ST", OID_ROW("\x55\x04\x08"), DER_UTF8_STRING, 0, 128},
    {"L", OID_ROW("\x55\x04\x07"), DER_UTF8_STRING, 0, 128},
    {"street", OID_ROW("\x55\x04\x09"), DER_UTF8_STRING, 0, 128},
    {"postalCode", OID_ROW("\x55\x04\x11"), DER_UTF8_STRING, 0, 40},
    {"O", OID_ROW("\x55\x04\x0a"), DER_UTF8_STRING, 0, 64},
    {"OU", OID_ROW("\x55\x04\x0b"), DER_UTF8_STRING, 0, 64},
    {"CN", OID_ROW("\x55\x04\x03"), DER_UTF8_STRING, 0, 64},
    {"title", OID_ROW("\x55\x04\x0c"), DER_UTF8_STRING, 0, 64},
    {"SN", OID_ROW("\x55\x04\x04"), DER_UTF8_STRING, 0, 64},
    {"GN", OID_ROW("\x55\x04\x2a"), DER_UTF8_STRING, 0, 64},
    {"serialNumber", OID_ROW("\x55\x04\x05"), DER_PRINTABLE_STRING, 0, 64},
    {"emailAddress", OID_ROW("\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"), DER_IA5_STRING, 0, 255},
    {"UID", OID_ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01"), DER_UTF8_STRING, 0, 256},
    {"DC", OID_ROW("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"), DER_IA5_STRING, 0, 63},
    {"businessCategory", OID_ROW("\x55\x04\x0f"), DER_UTF8_STRING, 0, 128},
    {"organizationIdentifier", OID_ROW("\x55\x04\x61"), DER_UTF8_STRING, 0, 256},
    {"jurisdictionC", OID_ROW("\x2b\x06\x01\x04\x01\x82\x37\x3c\x02\x01\x03"), DER_PRINTABLE_STRING,
        2, 2},
};

static const struct attribute *find(const char *word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(attributes); i++)
        if (strcmp(attributes[i].word, word) == 0)
            return &attributes[i];
    return NULL;
}

bool name_attribute_is_known(const char *word)
{
    return find(word) != NULL;
}

/* X.680 PrintableString */
static bool is_printable(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr(" '()+,-./:=?", c));
}

static int check_characters(
    const struct attribute *a, struct bytes value, const char *word, struct err *err)
{
    for (size_t i = 0; i < value.length; i++) {
        uint8_t c = value.data[i];
        if (a->exactly && (c < 'A' || c > 'Z'))
            return err_set(err, ERR_INPUT, NULL, "subject %s: not %d capital letters A to Z", word,
                a->exactly);
        if (a->tag == DER_PRINTABLE_STRING && !is_printable(c))
            return err_set(err, ERR_INPUT, NULL,
                "subject %s: a character that PrintableString does not have", word);
        if (a->tag == DER_IA5_STRING && c >= 0x80)
            return err_set(err, ERR_INPUT, NULL, "subject %s: not ASCII", word);
    }
    return 0;
}

static int check_part(const struct attribute *a, const struct name_part *part, struct err *err)
{
    const char *word = part->attribute;
    if (!a)
        return err_set(err, ERR_INPUT, NULL, "subject: no attribute is called %.40s", word);
    /* Before anything walks it: four octets a character at most. */
    if (part->value.length > a->most * 4)
        return err_set(
            err, ERR_INPUT, NULL, "subject %s: longer than %zu characters", word, a->most);
    if (!utf8_is_line(part->value))
        return err_set(
            err, ERR_INPUT, NULL, "subject %s: not UTF-8, or with control characters", word);
    size_t length = utf8_length(part->value);
    if (length == 0)
        return err_set(err, ERR_INPUT, NULL, "subject %s: empty", word);
    if (length > a->most)
        return err_set(err, ERR_INPUT, NULL, "subject %s: %zu characters; %zu are the most", word,
            length, a->most);
    if (a->exactly && length != a->exactly)
        return err_set(
            err, ERR_INPUT, NULL, "subject %s: not %d capital letters A to Z", word, a->exactly);
    return check_characters(a, part->value, word, err);
}

int name_part_check(const struct name_part *part, struct err *err)
{
    return check_part(find(part->attribute), part, err);
}

int name_write(struct der *d, const struct name_part *parts, size_t count, struct err *err)
{
    size_t name = der_length(d);
    for (size_t i = count; i-- > 0;) {
        const struct attribute *a = find(parts[i].attribute);
        if (check_part(a, &parts[i], err))
            return -1;
        size_t rdn = der_length(d);
        der_value(d, a->tag, parts[i].value.data, parts[i].value.length);
        der_value(d, DER_OID, a->oid.data, a->oid.length);
        der_close(d, DER_SEQUENCE, rdn);
        der_close(d, DER_SET, rdn);
    }
    der_close(d, DER_SEQUENCE, name);
    return 0;
}

static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > 63 || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = label[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                c == '-'))
            return false;
    }
    return true;
}

int dns_name_check(const char *text, struct err *err)
{
    size_t labels = 0, length = strlen(text);
    bool is_wildcard = strncmp(text, "*.", 2) == 0;
    if (length > 253)
        return err_set(err, ERR_INPUT, NULL, "host name: longer than 253 characters");
    const char *label = is_wildcard ? text + 2 : text, *last = label;
    for (;; labels++) {
        size_t n = strcspn(label, ".");
        if (!is_label(label, n))
            return err_set(err, ERR_INPUT, NULL,
                "host name: a label is empty, longer than 63, or not letters, digits and hyphens");
        last = label;
        if (!label[n])
            break;
        label += n + 1;
    }
    if (labels == 0)
        return err_set(err, ERR_INPUT, NULL, "host name: a single label%s",
            is_wildcard ? " behind the wildcard" : "");
    if (strspn(last, "0123456789") == strlen(last))
        return err_set(
            err, ERR_INPUT, NULL, "host name: an address, or its last label is a number");
    return 0;
}
