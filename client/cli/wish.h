/*
 * What `certq submit` was told to submit: args from a file and from --set, secrets from files. A
 * secret is never in argv, in args or in anything printed.
 */
#ifndef CERTQ_CLI_WISH_H
#define CERTQ_CLI_WISH_H

#include "args.h"
#include "certq.h"

#include "base/json.h"
#include "base/secret.h"

#define WISH_SECRETS_MOST 8

struct wish {
    json_t *args;
    struct secret *values[WISH_SECRETS_MOST];
    char *paths[WISH_SECRETS_MOST];
    struct certq_secret secrets[WISH_SECRETS_MOST]; /* borrow from the two above */
    size_t secret_count;
};

/*
 * Reads --args, then --set in order, then --secret. Input error (code usage) names the option; a
 * file that cannot be read is named too. Standard input serves one of them only.
 */
int wish_read(const struct args *args, struct wish *ret, struct err *err) MUST_USE;
void wish_clear(struct wish *w);
/* path=value: the value is text. path:=value: it is JSON. Puts it into `to`. */
int wish_set(json_t *to, const char *assignment, struct err *err) MUST_USE;

#endif
