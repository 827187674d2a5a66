/*
 * Which members of a job's args are secrets: the one list (password, old, new, code), used by the
 * client and the broker to seal, and by the fingerprint to leave out. A secret member is one with
 * such a name anywhere in args, in one of three forms: a string, {"sealed": BASE64}, or, for
 * password and new, {"scrypt": TEXT}. null is no secret. Any other value under such a name is
 * refused, so that no secret slips through in a form nobody recognises.
 */
#ifndef CERTQ_CRYPTO_SECRETS_H
#define CERTQ_CRYPTO_SECRETS_H

#include "base/err.h"
#include "base/json.h"

#include <stdbool.h>

#define SECRETS_MOST 8 /* in one job: sealing costs time, and no kind needs more than two */

enum secret_form { SECRET_PLAIN, SECRET_SEALED, SECRET_HASHED };
struct secret_member {
    const char *path; /* dotted, from args: password, changes.0.new */
    json_t *holder;   /* the object it is in */
    const char *name; /* its name there */
    json_t *value;    /* the member itself */
    const char *text; /* the plain text, the base64 or the hash in it */
    size_t length;
    enum secret_form form;
};
typedef int secret_visit(const struct secret_member *m, void *context, struct err *err);

bool secret_is_name(const char *name);
/*
 * Visits every secret member. The visitor may replace the member (json_object_set_new on holder and
 * name), nothing else; -1 from it ends the walk. ERR_INPUT: a wrong form (its path is named, its
 * value is not), or more than SECRETS_MOST.
 */
int secrets_each(json_t *args, secret_visit *visit, void *context, struct err *err) MUST_USE;
/*
 * Has the text the form it claims? Sealed: base64 of DER CMS, which is not opened; hashed: what
 * scrypt_text_valid takes; plain: always. Whoever stores args asks, lest a password that was put
 * there by mistake is stored in the clear. ERR_INPUT says what is wrong, never the text.
 */
int secret_form_check(enum secret_form form, struct bytes text, struct err *err) MUST_USE;
/* Args without their secret members; shares what it can with args and leaves args alone. */
int secrets_strip(const json_t *args, json_t **ret, struct err *err) MUST_USE;

#endif
