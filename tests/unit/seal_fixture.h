/* A folder with an intake key, who seals to it and who opens, for one program's tests. */
#ifndef CERTQ_TESTS_SEAL_FIXTURE_H
#define CERTQ_TESTS_SEAL_FIXTURE_H

#include "base/file.h"
#include "base/mem.h"
#include "crypto/intake.h"
#include "crypto/openssl.h"
#include "crypto/seal.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW INT64_C(1775001600000) /* 2026-04-01T00:00:00Z */

static char folder[] = "/tmp/certq-seal-XXXXXX";
static char *key_path, *certificate_path;
static struct sealer *sealer;
static struct seal_opener *opener;
static struct uuid job;

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", folder, name);
}

static int set_up(void **state)
{
    (void)state;
    struct err err = {0};
    if (!mkdtemp(folder))
        return -1;
    key_path = path_of("intake.key");
    certificate_path = path_of("intake.pem");
    job = uuid_new();
    if (intake_generate(key_path, certificate_path, NOW, &err) ||
        sealer_load(certificate_path, &sealer, &err) ||
        seal_opener_load(key_path, certificate_path, &opener, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sealer_free(sealer);
    seal_opener_free(opener);
    unlink(key_path);
    unlink(certificate_path);
    free(key_path);
    free(certificate_path);
    return rmdir(folder);
}

static struct secret *secret_text(const char *text)
{
    return secret_new(text, strlen(text));
}

static X509 *load_certificate(const char *path)
{
    AUTO_TYPE(bio, BIO) *in = BIO_new_file(path, "r");
    X509 *certificate = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    assert_non_null(certificate);
    return certificate;
}

#endif
