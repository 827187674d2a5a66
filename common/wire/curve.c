#include "wire/curve.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#define FILE_MOST 4096
#define KEY_BYTES 32

struct curve_pair {
    char public_key[CURVE_KEY_TEXT];
    struct secret *secret; /* 40 characters and a NUL */
};

bool curve_key_is_valid(const char *text)
{
    /* zmq_z85_decode of libzmq 4.3 takes bytes outside of the alphabet for zeros. */
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   ".-:+=^!/*?&<>()[]{}@%$#";
    uint8_t key[KEY_BYTES];
    bool is_valid = strlen(text) == CURVE_KEY_TEXT - 1 &&
                    strspn(text, alphabet) == CURVE_KEY_TEXT - 1 && zmq_z85_decode(key, text);
    secret_wipe(key, sizeof key);
    return is_valid;
}

int curve_generate(const char *path, struct err *err)
{
    char public_key[CURVE_KEY_TEXT], secret_key[CURVE_KEY_TEXT];
    if (zmq_curve_keypair(public_key, secret_key))
        return err_set(err, ERR_FATAL, NULL, "libzmq makes no CURVE keys: %s", zmq_strerror(errno));
    AUTO_BUF text = {0};
    buf_reserve(&text, FILE_MOST); /* so that it does not move and leave copies */
    buf_add_text(&text, "# certq CURVE key pair. Hand out the public key only.\npublic: ");
    buf_add_text(&text, public_key);
    buf_add_text(&text, "\nsecret: ");
    buf_add_text(&text, secret_key);
    buf_add_text(&text, "\n");
    int result = file_create(path, buf_bytes(&text), 0600, err);
    secret_wipe(text.data, text.length);
    secret_wipe(secret_key, sizeof secret_key);
    return result;
}

static int read_line(struct curve_pair *p, char *line, struct err *err)
{
    bool is_public = strncmp(line, "public: ", 8) == 0;
    if (!is_public && strncmp(line, "secret: ", 8) != 0)
        return err_set(err, ERR_INPUT, NULL, "\"public: KEY\" or \"secret: KEY\" is wanted");
    if (is_public ? p->public_key[0] != '\0' : p->secret != NULL)
        return err_set(err, ERR_INPUT, NULL, "a second %.6s key", line);
    if (!curve_key_is_valid(line + 8))
        return err_set(err, ERR_INPUT, NULL, "%.6s: no key: 40 characters of Z85 are wanted", line);
    if (is_public)
        memcpy(p->public_key, line + 8, CURVE_KEY_TEXT);
    else
        p->secret = secret_new(line + 8, CURVE_KEY_TEXT - 1);
    return 0;
}

static int read_lines(const char *path, char *text, struct curve_pair *p, struct err *err)
{
    int number = 0;
    for (char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n');
        line[length] = '\0';
        number++;
        if (*line && *line != '#' && read_line(p, line, err))
            return err_context(err, "%s:%d", path, number);
        line = next;
    }
    return 0;
}

static int check_pair(const struct curve_pair *p, struct err *err)
{
    if (!p->public_key[0] || !p->secret)
        return err_set(
            err, ERR_INPUT, NULL, "the %s key is missing", p->secret ? "public" : "secret");
    char derived[CURVE_KEY_TEXT];
    if (zmq_curve_public(derived, (const char *)p->secret->data) ||
        strcmp(derived, p->public_key) != 0)
        return err_set(err, ERR_INPUT, NULL, "the public key is not the secret key's");
    return 0;
}

int curve_load(const char *path, struct curve_pair **ret, struct err *err)
{
    AUTO(secret) text = NULL;
    if (file_read_secret(path, FILE_MOST, &text, err))
        return -1;
    AUTO(curve_pair) p = MEM_NEW(struct curve_pair);
    if (read_lines(path, (char *)text->data, p, err))
        return -1;
    if (check_pair(p, err))
        return err_context(err, "%s", path);
    *ret = TAKE(p);
    return 0;
}

void curve_pair_free(struct curve_pair *p)
{
    if (!p)
        return;
    secret_free(p->secret);
    free(p);
}

const char *curve_public(const struct curve_pair *p)
{
    return p->public_key;
}

static int set_text(void *socket, int option, const char *value, struct err *err)
{
    if (zmq_setsockopt(socket, option, value, CURVE_KEY_TEXT))
        return err_set(
            err, ERR_FATAL, NULL, "the socket takes no CURVE key: %s", zmq_strerror(errno));
    return 0;
}

int curve_as_server(void *socket, const struct curve_pair *own, struct err *err)
{
    int on = 1;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &on, sizeof on))
        return err_set(err, ERR_FATAL, NULL, "the socket cannot do CURVE: %s", zmq_strerror(errno));
    return set_text(socket, ZMQ_CURVE_SECRETKEY, (const char *)own->secret->data, err);
}

int curve_as_client(
    void *socket, const struct curve_pair *own, const char *server_key, struct err *err)
{
    if (!curve_key_is_valid(server_key))
        return err_set(
            err, ERR_INPUT, NULL, "the broker's public key is no Z85 text of 40 characters");
    if (set_text(socket, ZMQ_CURVE_SERVERKEY, server_key, err) ||
        set_text(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, err))
        return -1;
    return set_text(socket, ZMQ_CURVE_SECRETKEY, (const char *)own->secret->data, err);
}
