#include "crypto/openssl.h"

#include <openssl/err.h>
#include <stdio.h>

const char *openssl_reason_text(char text[static OPENSSL_REASON])
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    snprintf(text, OPENSSL_REASON, "%s", reason ? reason : "no reason given");
    ERR_clear_error();
    return text;
}
