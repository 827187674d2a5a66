#include "base/kind.h"

#include <string.h>

/* clang-format off */
static const struct kind table[KINDS] = {
    /*                name        durable signing secrets internal operators patient personal group deadline */
    [KIND_NOOP]     = { "noop",     KIND_NOOP,     true,  false, false, false, false, false, false, 200, 30000 },
    [KIND_ISSUE]    = { "issue",    KIND_ISSUE,    true,  true,  true,  false, false, false, true,  200, 60000 },
    [KIND_DECIDE]   = { "decide",   KIND_DECIDE,   true,  true,  false, false, false, false, true,  200, 60000 },
    [KIND_LOOKUP]   = { "lookup",   KIND_LOOKUP,   false, false, true,  false, false, false, true,    8, 30000 },
    [KIND_RETRIEVE] = { "retrieve", KIND_RETRIEVE, true,  true,  true,  false, false, false, true,  100, 60000 },
    [KIND_REVOKE]   = { "revoke",   KIND_REVOKE,   true,  false, false, false, false, false, true,  200, 30000 },
    [KIND_MAIL]     = { "mail",     KIND_MAIL,     true,  false, false, true,  false, true,  false, 100, 180000 },
    [KIND_CRL]      = { "crl",      KIND_CRL,      true,  true,  false, false, true,  false, false,   1, 120000 },
    [KIND_INSPECT]  = { "inspect",  KIND_INSPECT,  false, false, false, true,  true,  false, true,   16, 30000 },
    [KIND_AUDIT_SEAL] = { "audit-seal", KIND_AUDIT_SEAL, true, false, false, false, true, false, false, 1, 600000 },
    [KIND_EXPIRY_SCAN] = { "expiry-scan", KIND_EXPIRY_SCAN, true, false, false, false, true, false, true, 1, 1800000 },
    [KIND_NOTICES]  = { "notices",  KIND_NOTICES,  false, false, false, false, false, false, true,   64, 30000 },
    [KIND_REISSUE]  = { "reissue",  KIND_REISSUE,  true,  true,  true,  false, false, false, true,    8, 60000 },
    [KIND_RENEW]    = { "renew",    KIND_RENEW,    true,  true,  true,  false, false, false, true,    8, 60000 },
    [KIND_CHANGE]   = { "change",   KIND_CHANGE,   true,  false, false, false, false, false, false, 200, 60000 },
    [KIND_WITHDRAW] = { "withdraw", KIND_WITHDRAW, true,  false, false, false, false, false, false, 200, 60000 },
    [KIND_PASSWORD_CHANGE] = { "password-change", KIND_PASSWORD_CHANGE, true, false, true, false, false, false, false, 8, 60000 },
    [KIND_PASSWORD_RESET] = { "password-reset", KIND_PASSWORD_RESET, true, false, false, false, false, false, false, 64, 30000 },
    [KIND_PASSWORD_SET] = { "password-set", KIND_PASSWORD_SET, true, false, true, false, false, false, false, 8, 60000 },
    [KIND_DISCLOSE] = { "disclose", KIND_DISCLOSE, true,  false, false, false, false, false, true,   16, 30000 },
    [KIND_CORRECT]  = { "correct",  KIND_CORRECT,  true,  false, false, false, false, false, false,  64, 30000 },
    [KIND_ERASABLE] = { "erasable", KIND_ERASABLE, true,  false, false, false, false, false, true,   64, 30000 },
    [KIND_MAIL_RESEND] = { "mail-resend", KIND_MAIL_RESEND, true, false, false, false, true, false, true, 64, 30000 },
};
/* clang-format on */

const struct kind *kind_of(enum kind_id id)
{
    return &table[id];
}

uint32_t kind_attempts(const struct kind *k, uint32_t attempts, int64_t most_ms)
{
    const int64_t five_days_ms = INT64_C(5) * 24 * 3600 * 1000;
    if (!k->patient || most_ms <= 0)
        return attempts;
    int64_t pauses = five_days_ms / (most_ms * 3 / 4 + 1);
    return attempts + (uint32_t)(pauses < INT32_MAX / 2 ? pauses : INT32_MAX / 2);
}

const struct kind *kind_find(const char *name, size_t length)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0)
            return &table[i];
    return NULL;
}
