#include "base/reason.h"

#include "base/auto.h"

#include <string.h>

static const char *const names[] = {
#define REASON_NAME(number, symbol, name) [number] = name,
    REASON_LIST(REASON_NAME)
#undef REASON_NAME
};

bool reason_is_code(int number)
{
    return number >= 0 && (size_t)number < ARRAY_LENGTH(names) && names[number];
}

const char *reason_name(enum reason reason)
{
    return reason_is_code((int)reason) ? names[reason] : NULL;
}

bool reason_parse(const char *name, size_t length, enum reason *ret)
{
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (names[i] && strlen(names[i]) == length && memcmp(names[i], name, length) == 0) {
            *ret = (enum reason)i;
            return true;
        }
    return false;
}

bool reason_is_final(enum reason reason)
{
    return reason != REASON_CERTIFICATE_HOLD && reason != REASON_REMOVE_FROM_CRL;
}
