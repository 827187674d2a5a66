#include "base/hex.h"

#include <openssl/evp.h>
#include <string.h>

void hex_encode(const void *data, size_t length, char *text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = data;
    for (size_t i = 0; i < length; i++) {
        *text++ = digits[from[i] >> 4];
        *text++ = digits[from[i] & 15];
    }
    *text = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, size_t digits, uint8_t *ret)
{
    if (digits % 2)
        return false;
    for (size_t i = 0; i < digits; i += 2) {
        int high = digit(text[i]), low = digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void base64_encode(struct bytes data, struct buf *ret)
{
    uint8_t *to = buf_reserve(ret, (data.length + 2) / 3 * 4 + 1);
    ret->length += (size_t)EVP_EncodeBlock(to, data.data, (int)data.length);
}

bool base64_decode(struct bytes text, struct buf *ret)
{
    if (text.length % 4)
        return false;
    if (text.length == 0)
        return true;
    for (size_t i = 0; i < text.length; i++) {
        uint8_t c = text.data[i];
        bool pad =
            c == '=' && i + 2 >= text.length && (i + 1 == text.length || text.data[i + 1] == '=');
        if (!pad && !(c == '+' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z')))
            return false;
    }
    size_t pads =
        (size_t)(text.data[text.length - 1] == '=') + (size_t)(text.data[text.length - 2] == '=');
    uint8_t *to = buf_reserve(ret, text.length / 4 * 3);
    int n = EVP_DecodeBlock(to, text.data, (int)text.length);
    if (n < 0 || (size_t)n < pads)
        return false;
    size_t length = (size_t)n - pads;
    /* Canonical: the bits that padding leaves over are zero. */
    struct buf again = {0};
    base64_encode((struct bytes){to, length}, &again);
    bool canonical = again.length == text.length && !memcmp(again.data, text.data, text.length);
    buf_free(&again);
    if (!canonical)
        return false;
    ret->length += length;
    ret->data[ret->length] = 0;
    return true;
}
