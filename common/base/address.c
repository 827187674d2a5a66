#include "base/address.h"

#include <stdbool.h>
#include <string.h>

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_atext(char c)
{
    return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static int bad(struct err *err, const char *what)
{
    return err_set(err, ERR_INPUT, NULL, "e-mail address: %s", what);
}

static int local_check(const char *local, size_t length, struct err *err)
{
    if (!length)
        return bad(err, "nothing before the @");
    if (length > ADDRESS_LOCAL_MOST)
        return bad(err, "more than 64 characters before the @");
    for (size_t i = 0; i < length; i++) {
        if (local[i] == '.') {
            if (i == 0 || i + 1 == length || local[i + 1] == '.')
                return bad(err, "a dot before the @ that is first, last or doubled");
        } else if (!is_atext(local[i]))
            return bad(err, "a character before the @ that is not allowed");
    }
    return 0;
}

static int label_check(const char *label, size_t length, struct err *err)
{
    if (!length)
        return bad(err, "an empty label in the domain");
    if (length > 63)
        return bad(err, "a label of more than 63 characters in the domain");
    if (label[0] == '-' || label[length - 1] == '-')
        return bad(err, "a label that begins or ends with a hyphen in the domain");
    for (size_t i = 0; i < length; i++)
        if (!is_alnum(label[i]) && label[i] != '-')
            return bad(err, "a character in the domain that is not allowed");
    return 0;
}

static int domain_check(const char *domain, struct err *err)
{
    const char *label = domain;
    size_t labels = 0, length;
    for (;; label += length + 1) {
        length = strcspn(label, ".");
        if (label_check(label, length, err))
            return -1;
        labels++;
        if (!label[length])
            break;
    }
    if (labels < 2)
        return bad(err, "a domain of one label");
    if (strspn(label, "0123456789") == length)
        return bad(err, "a domain that ends in a number");
    return 0;
}

int address_check(const char *text, struct err *err)
{
    if (!text || !*text)
        return bad(err, "empty");
    if (strnlen(text, ADDRESS_MOST + 1) > ADDRESS_MOST)
        return bad(err, "more than 254 characters");
    const char *at = strchr(text, '@');
    if (!at)
        return bad(err, "no @");
    if (local_check(text, (size_t)(at - text), err))
        return -1;
    return domain_check(at + 1, err);
}
