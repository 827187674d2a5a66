#include "pki/pem.h"

#include "base/hex.h"

#include <stdio.h>
#include <string.h>

#define LINE 64

void pem_write(const char *label, struct bytes der, struct buf *ret)
{
    AUTO_BUF text = {0};
    base64_encode(der, &text);
    buf_printf(ret, "-----BEGIN %s-----\n", label);
    for (size_t at = 0; at < text.length; at += LINE) {
        size_t n = text.length - at < LINE ? text.length - at : LINE;
        buf_add(ret, text.data + at, n);
        buf_add_char(ret, '\n');
    }
    buf_printf(ret, "-----END %s-----\n", label);
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trim(struct bytes text)
{
    while (text.length && is_space(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length && is_space(text.data[text.length - 1]))
        text.length--;
    return text;
}

/* Takes the line "-----WORD LABEL-----" off the front (or the end) of the text. */
static bool take_boundary(struct bytes *text, const char *word, const char *label, bool at_end)
{
    char line[80];
    size_t n = (size_t)snprintf(line, sizeof line, "-----%s %s-----", word, label);
    if (text->length < n || memcmp(text->data + (at_end ? text->length - n : 0), line, n) != 0)
        return false;
    text->data += at_end ? 0 : n;
    text->length -= n;
    return true;
}

int pem_read_one(
    struct bytes text, const char *label, const char *other, struct buf *ret, struct err *err)
{
    text = trim(text);
    if (!take_boundary(&text, "BEGIN", label, false)) {
        if (!other || !take_boundary(&text, "BEGIN", other, false))
            return err_set(
                err, ERR_INPUT, NULL, "the PEM does not begin with -----BEGIN %s-----", label);
        label = other;
    }
    if (!take_boundary(&text, "END", label, true))
        return err_set(err, ERR_INPUT, NULL, "the PEM does not end with -----END %s-----", label);
    AUTO_BUF digits = {0};
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '-')
            return err_set(err, ERR_INPUT, NULL, "more than one PEM block");
        if (!is_space(text.data[i]))
            buf_add_char(&digits, (char)text.data[i]);
    }
    if (digits.length == 0 || !base64_decode(buf_bytes(&digits), ret))
        return err_set(err, ERR_INPUT, NULL, "the PEM's content is not base64");
    return 0;
}
