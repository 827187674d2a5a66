#include "base/utf8.h"
#include "wire/client.h"

#include <string.h>

/* JSON string content; what is no UTF-8 becomes U+FFFD, so that an answer is always JSON. */
static void add_escaped(struct buf *ret, const char *text)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    while (p < end) {
        const uint8_t *from = p;
        uint32_t c = utf8_next(&p, end);
        if (c == '"' || c == '\\') {
            buf_add_char(ret, '\\');
            buf_add_char(ret, (char)c);
        } else if (c < 0x20) {
            buf_printf(ret, "\\u%04x", c);
        } else if (c == 0xfffd) {
            buf_add_text(ret, "\xef\xbf\xbd");
        } else {
            buf_add(ret, from, (size_t)(p - from));
        }
    }
}

static void add_head(const struct uuid *id_or_null, const char *state, struct buf *ret)
{
    char id[UUID_TEXT];
    buf_add_char(ret, '{');
    if (id_or_null) {
        buf_add_text(ret, "\"id\":\"");
        buf_add_text(ret, uuid_format(id_or_null, id));
        buf_add_text(ret, "\",");
    }
    buf_add_text(ret, "\"state\":\"");
    buf_add_text(ret, state);
    buf_add_char(ret, '"');
}

void answer_write(const struct uuid *id, const char *state, struct bytes result, struct buf *ret)
{
    add_head(id, state, ret);
    if (result.length) {
        bool is_error = strcmp(state, "refused") == 0 || strcmp(state, "dead") == 0;
        buf_add_text(ret, is_error ? ",\"error\":" : ",\"result\":");
        buf_add(ret, result.data, result.length);
    }
    buf_add_char(ret, '}');
}

void answer_error_write(const struct uuid *id_or_null, const char *state, const char *code,
    const char *message, struct buf *ret)
{
    add_head(id_or_null, state, ret);
    buf_add_text(ret, ",\"error\":{\"code\":\"");
    add_escaped(ret, code);
    buf_add_text(ret, "\",\"message\":\"");
    add_escaped(ret, message);
    buf_add_text(ret, "\"}}");
}
