/*
 * Keys that seal the audit: EC P-256, apart from every issuer's, so that whoever seals cannot issue
 * and whoever issues cannot seal. The private file holds the newest first; the file of public keys
 * holds all there ever were, for as long as their seals are to be checked.
 */
#ifndef CERTQ_AUDIT_KEY_H
#define CERTQ_AUDIT_KEY_H

#include "audit/seal.h"

struct audit_signer;
struct audit_checker;

/* Both files are new (conflict when one exists); key mode 0600, public 0644. */
int audit_key_generate(const char *key_path, const char *public_path, struct err *err) MUST_USE;
/* Puts a new key in front of those there. The public file is written first, so that a seal is never
 * by a key nobody knows. */
int audit_key_rotate(const char *key_path, const char *public_path, struct err *err) MUST_USE;

/* The newest private key; refused when the public file lacks it. */
int audit_signer_load(const char *key_path, const char *public_path, struct audit_signer **ret,
    struct err *err) MUST_USE;
void audit_signer_free(struct audit_signer *s);
DEFINE_AUTO_STRUCT(audit_signer);
/* Sets hash, key_id and signature of a seal that is otherwise whole. Fatal when it cannot. */
int audit_sign(struct audit_signer *s, struct audit_seal *seal, struct err *err) MUST_USE;

/* All public keys of a file. */
int audit_checker_load(
    const char *public_path, struct audit_checker **ret, struct err *err) MUST_USE;
void audit_checker_free(struct audit_checker *c);
DEFINE_AUTO_STRUCT(audit_checker);
size_t audit_checker_count(const struct audit_checker *c);
/* The key at a place, as its id; 0 is the newest. */
const char *audit_checker_id(const struct audit_checker *c, size_t at);
bool audit_checker_knows(const struct audit_checker *c, const char *key_id);
/* True when the signature is that key's over the seal's hash. */
bool audit_signed(const struct audit_checker *c, const struct audit_seal *seal);

#endif
