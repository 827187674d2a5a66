/* An issuer, a profile, keys of every kind and facts to make certificates of. */
#ifndef CERTIFICATE_LAB_H
#define CERTIFICATE_LAB_H

#include "pki_support.h"

#include "base/clock.h"

#include <openssl/x509v3.h>

static UNUSED struct issuer *issuer;
static UNUSED struct certificate_template *template;
static UNUSED EVP_PKEY *keys[4];
static UNUSED const char *const key_names[] = {"P-256", "P-384", "RSA 2048", "ED25519"};

static UNUSED const char *const eku[] = {"clientAuth", "emailProtection"};
static UNUSED const struct certificate_profile profile = {.eku = eku,
    .eku_count = ARRAY_LENGTH(eku),
    .crl_url = "http://crl.example.jp/crl/person-ca.crl",
    .key_encipherment = true};

static UNUSED int setup(void **state)
{
    if (pki_folder(state))
        return -1;
    issuer = pki_issuer("ca");
    ok(certificate_template_new(issuer, &profile, &template, &pki_err));
    keys[0] = EVP_EC_gen("P-256");
    keys[1] = EVP_EC_gen("P-384");
    keys[2] = EVP_RSA_gen(2048);
    keys[3] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return 0;
}

static UNUSED int teardown(void **state)
{
    certificate_template_free(template);
    issuer_free(issuer);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        EVP_PKEY_free(keys[i]);
    return pki_folder_gone(state);
}

static UNUSED int64_t at(const char *text)
{
    int64_t ms = 0;
    assert_true(clock_parse(text, strlen(text), &ms));
    return ms;
}

#define PART(word, text)                                                                           \
    {                                                                                              \
        word,                                                                                      \
        {                                                                                          \
            (const uint8_t *)(text), sizeof(text) - 1                                              \
        }                                                                                          \
    }
static UNUSED const struct name_part person[] = {PART("C", "JP"), PART("ST", "東京都"),
    PART("L", "千代田区"), PART("O", "例示株式会社"), PART("OU", "第一営業部"),
    PART("OU", "第二課"), PART("title", "課長"), PART("CN", "山田 太郎"),
    PART("serialNumber", "A-0001"), PART("emailAddress", "taro@example.jp")};
static UNUSED const char *const emails[] = {"taro@example.jp", "yamada@example.jp"};
static UNUSED const char *const hosts[] = {"www.example.jp", "*.example.jp"};

static UNUSED struct certificate_facts facts_of(struct bytes spki)
{
    struct certificate_facts facts = {.not_before_ms = clock_now_ms() - 86400000,
        .not_after_ms = clock_now_ms() + 759 * 86400000ll,
        .subject = person,
        .subject_count = ARRAY_LENGTH(person),
        .emails = emails,
        .email_count = ARRAY_LENGTH(emails),
        .spki = spki};
    serial_draw(facts.serial);
    return facts;
}

static UNUSED X509 *parse(const struct buf *der)
{
    const unsigned char *p = der->data;
    X509 *c = d2i_X509(NULL, &p, (long)der->length);
    assert_non_null(c);
    assert_ptr_equal(p, der->data + der->length);
    /* What the library writes is what we wrote: it is DER. */
    unsigned char *again = NULL;
    int n = i2d_re_X509_tbs(c, &again);
    assert_true(n > 0);
    assert_non_null(memmem(der->data, der->length, again, (size_t)n));
    OPENSSL_free(again);
    return c;
}

#endif
