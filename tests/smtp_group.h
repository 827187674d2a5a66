/*
 * Mails and senders for tests of SMTP: groups of composed messages to a@, b@, c@ ..., and what a
 * catcher (catcher.h) kept of them.
 */
#ifndef CERTQ_TESTS_SMTP_GROUP_H
#define CERTQ_TESTS_SMTP_GROUP_H

#include "catcher.h"

#include "mail/message.h"
#include "mail/smtp.h"

#define TIMEOUT_MS 1000 /* libesmtp knows no shorter one */
#define GROUP_MOST 500

static inline struct config_mail config_for(uint16_t port)
{
    return (struct config_mail){.from = "ca@example.jp",
        .smtp = {.host = "127.0.0.1",
            .port = port,
            .helo = "certq.example.jp",
            .session = 100,
            .timeout_ms = TIMEOUT_MS}};
}

static inline struct smtp *sender(const struct config_mail *config)
{
    struct smtp *s = NULL;
    struct err err = {0};
    if (smtp_new(config, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

/* --- messages --- */

struct group {
    struct smtp_item items[GROUP_MOST];
    struct buf messages[GROUP_MOST];
    char recipients[GROUP_MOST][32];
    size_t count;
};

static inline void group_free(struct group *g)
{
    for (size_t i = 0; i < g->count; i++)
        buf_free(&g->messages[i]);
    free(g);
}
DEFINE_AUTO_STRUCT(group);

/* a@, b@, c@ ... when few. */
static inline struct group *group_new(size_t n)
{
    struct group *g = MEM_NEW(struct group);
    g->count = n;
    for (size_t i = 0; i < n; i++) {
        struct err err = {0};
        char id[32], body[256];
        snprintf(id, sizeof id, "mail-%zu", i);
        snprintf(g->recipients[i], sizeof g->recipients[i],
            n <= 26 ? "%c@example.com" : "%c%zu@example.com", (char)('a' + i % 26), i);
        snprintf(
            body, sizeof body, i % 2 ? "%zu 通目\n.\n..\n\n証明書コード\n" : ".%zu\n.\n..\nx\n", i);
        struct message_facts facts = {.id = id,
            .id_domain = "mail.example.jp",
            .from = "ca@example.jp",
            .from_name = "電子認証サービス",
            .to = g->recipients[i],
            .subject = "証明書コードのお知らせ",
            .language = "ja",
            .date_ms = 1775003400000,
            .body = bytes_of_text(body)};
        if (message_compose(&facts, &g->messages[i], &err))
            fail_msg("%s", err.text);
        g->items[i] = (struct smtp_item){
            .recipient = g->recipients[i], .message = buf_bytes(&g->messages[i])};
    }
    return g;
}

/* "D" delivered, "T" temporary, "R" rejected, "?" in doubt, "-" not sent. */
static inline void fates_of(const struct group *g, char *text)
{
    for (size_t i = 0; i < g->count; i++)
        text[i] = "-DTR?"[g->items[i].fate];
    text[g->count] = 0;
}

static inline size_t caught(const struct catcher *c)
{
    AUTO_TYPE(json, json_t) *lines = catcher_index(c);
    return json_array_size(lines);
}

static inline void check_caught(
    const struct catcher *c, size_t skip, const struct group *g, bool tls)
{
    AUTO_TYPE(json, json_t) *lines = catcher_index(c);
    assert_int_equal(json_array_size(lines), skip + g->count);
    for (size_t i = 0; i < g->count; i++) {
        const json_t *line = json_array_get(lines, skip + i);
        AUTO_BUF message = {0};
        catcher_message(c, line, &message);
        if (!bytes_equal(buf_bytes(&message), g->items[i].message))
            fail_msg("other bytes arrived:\n%s", buf_text(&message));
        assert_string_equal(json_text_at(line, "from"), "ca@example.jp");
        assert_string_equal(json_text_at(line, "to.0"), g->items[i].recipient);
        assert_string_equal(json_text_at(line, "helo"), "certq.example.jp");
        assert_int_equal(json_is_true(json_object_get(line, "tls")), tls);
        assert_int_equal(json_is_true(json_object_get(line, "chunked")), false);
    }
}

#endif
