/* What the tests of pki share: a folder, a CA in it, and programs that judge our results. */
#ifndef CERTQ_TESTS_PKI_SUPPORT_H
#define CERTQ_TESTS_PKI_SUPPORT_H

#include "base/file.h"
#include "base/mem.h"
#include "pki/certificate.h"
#include "pki/issuer.h"
#include "pki/openssl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* From 2020-01-01 until 2060: certtool judges by the clock of the machine. */
#define PKI_FROM_MS 1577836800000
#define PKI_DAYS 14610

static struct err pki_err;

/* Fails with the error's text. */
#define ok(call)                                                                                   \
    do {                                                                                           \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, pki_err.text);                                               \
    } while (0)

/* Fails unless the call fails with that kind and that word in its text. */
#define refused(call, fate, word)                                                                  \
    do {                                                                                           \
        err_clear(&pki_err);                                                                       \
        if ((call) == 0)                                                                           \
            fail_msg("%s was taken, not refused with: %s", #call, (word));                         \
        if (pki_err.kind != (fate) || !strstr(pki_err.text, (word)))                               \
            fail_msg("%s: %s: %s, expected %s: %s", #call, err_kind_name(pki_err.kind),            \
                pki_err.text, err_kind_name(fate), (word));                                        \
    } while (0)

UNUSED static int pki_folder(void **state)
{
    char template[] = "/tmp/certq-pki-XXXXXX";
    char *folder = mkdtemp(template);
    if (!folder || chdir(folder))
        return -1;
    *state = mem_text(folder);
    return 0;
}

UNUSED static int pki_folder_gone(void **state)
{
    AUTO_TEXT folder = *state;
    AUTO_TEXT command = mem_printf("rm -rf '%s'", folder);
    return chdir("/") || system(command) ? -1 : 0;
}

/* Runs a shell line; fails the test, showing its output, unless its exit code is as expected. */
UNUSED static char *pki_run(int expected, const char *format, ...) PRINTF_LIKE(2, 3);
UNUSED static char *pki_run(int expected, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    AUTO_TEXT command = mem_printf("{ %s ; } 2>&1", line);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    AUTO_BUF text = {0};
    char piece[4096];
    for (size_t n; (n = fread(piece, 1, sizeof piece, out)) > 0;)
        buf_add(&text, piece, n);
    int status = pclose(out);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
        fail_msg("%s: exit %d\n%s", line, WEXITSTATUS(status), buf_text(&text));
    return buf_take_text(&text);
}
#define run(...) free(pki_run(0, __VA_ARGS__))
#define has_program(name) (system("command -v " name " >/dev/null 2>&1") == 0)

/* root.pem, root.key (once), NAME.pem, NAME.key; loaded. */
UNUSED static struct issuer *pki_issuer(const char *name)
{
    AUTO_TEXT certificate = mem_printf("%s.pem", name);
    AUTO_TEXT key = mem_printf("%s.key", name);
    struct issuer_plan plan = {.root_certificate = "root.pem",
        .root_key = "root.key",
        .certificate = certificate,
        .key = key,
        .root_name = "certq Root",
        .name = name,
        .not_before_ms = PKI_FROM_MS,
        .root_days = PKI_DAYS,
        .days = PKI_DAYS,
        .is_test = true};
    struct issuer *issuer = NULL;
    ok(issuer_init(&plan, &pki_err));
    ok(issuer_load(certificate, key, &issuer, &pki_err));
    return issuer;
}

/* SubjectPublicKeyInfo of a key. */
UNUSED static struct buf pki_spki(EVP_PKEY *key)
{
    struct buf ret = {0};
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(key, &der);
    assert_true(n > 0);
    buf_add(&ret, der, (size_t)n);
    OPENSSL_free(der);
    return ret;
}

UNUSED static void pki_save(const char *path, struct bytes content)
{
    ok(file_write(path, content, 0600, &pki_err));
}

UNUSED static struct buf pki_load(const char *path)
{
    struct buf ret = {0};
    ok(file_read(path, 64 << 20, &ret, &pki_err));
    return ret;
}

#endif
