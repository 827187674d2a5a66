/* certq key: the keys that certq's programs hold. Secret halves are never printed. */
#include "cli.h"
#include "files.h"
#include "table.h"

#include "audit/key.h"
#include "base/clock.h"
#include "base/mem.h"
#include "crypto/intake.h"
#include "crypto/keyring.h"
#include "pki/certificate.h"
#include "wire/curve.h"

#include <stdio.h>
#include <string.h>

enum key_kind { KEY_INTAKE, KEY_CODES, KEY_FINGERPRINT, KEY_CURVE, KEY_AUDIT, KEY_KINDS };
static const char *const kind_names[] = {"intake", "codes", "fingerprint", "curve", "audit"};

struct key_file {
    enum key_kind kind;
    char *path;
    char *open; /* the file beside it for everybody: an intake certificate, audit's public keys */
};

static void key_file_clear(struct key_file *f)
{
    free(f->path);
    free(f->open);
}

/* keys/intake.key has its certificate in keys/intake.pem. */
static char *open_of(const char *path)
{
    size_t n = strlen(path);
    if (n > 4 && strcmp(path + n - 4, ".key") == 0)
        n -= 4;
    return mem_printf("%.*s.pem", (int)n, path);
}

static const char *configured_path(const struct config *c, enum key_kind kind)
{
    switch (kind) {
    case KEY_INTAKE:
        return c->intake.key;
    case KEY_CODES:
        return c->code_keyring;
    case KEY_FINGERPRINT:
        return c->fingerprint_key;
    case KEY_AUDIT:
        return c->audit.key;
    default:
        return c->broker.curve_key ? c->broker.curve_key : c->connect.curve_key;
    }
}

static bool is_pair(enum key_kind kind)
{
    return kind == KEY_INTAKE || kind == KEY_AUDIT;
}

/* KIND [FILE]; without a file the configuration's. */
static int find_file(struct cli *cli, const struct args *args, struct key_file *ret)
{
    struct err err = {0};
    for (ret->kind = 0; ret->kind < KEY_KINDS; ret->kind++)
        if (strcmp(kind_names[ret->kind], args->values[0]) == 0)
            break;
    if (ret->kind == KEY_KINDS) {
        err_set(&err, ERR_INPUT, "usage",
            "%.32s: no kind of key; intake, codes, fingerprint, curve or audit is wanted",
            args->values[0]);
        return cli_usage(cli, &err);
    }
    if (args->count > 1) {
        ret->path = mem_text(args->values[1]);
        ret->open = is_pair(ret->kind) ? open_of(ret->path) : NULL;
        return 0;
    }
    int status = cli_config(cli);
    if (status)
        return status;
    ret->path = mem_text(configured_path(cli->config, ret->kind));
    if (ret->kind == KEY_INTAKE)
        ret->open = mem_text(cli->config->intake.certificate);
    else if (ret->kind == KEY_AUDIT)
        ret->open = mem_text(cli->config->audit.public);
    if (!ret->path || (is_pair(ret->kind) && !ret->open)) {
        err_set(&err, ERR_INPUT, "usage", "the configuration names no file for it: give FILE");
        return cli_usage(cli, &err);
    }
    return 0;
}

/* ---- show ---- */

static int show_intake(const struct cli *cli, const struct key_file *f, struct err *err)
{
    AUTO_BUF der = {0}, first = {0};
    AUTO(certificate_description) d = NULL;
    if (certificate_read_first(f->open, &der, err) ||
        certificate_describe(buf_bytes(&der), &d, err))
        return -1;
    certificate_pem(buf_bytes(&der), &first);
    if (!cli->json) {
        fputs(buf_text(&first), stdout);
        return 0;
    }
    AUTO_TYPE(json, json_t) *line =
        json_pack("{s:s, s:s, s:s, s:s}", "kind", "intake", "certificate", buf_text(&first),
            "sha256", d->sha256, "not_after", clock_s(d->not_after_ms));
    cli_line(line);
    return 0;
}

static int show_keyring(const struct cli *cli, const struct key_file *f, struct err *err)
{
    static const struct column columns[] = {{"ID", "id", COLUMN_TEXT},
        {"CREATED", "created", COLUMN_TIME}, {"CURRENT", "current", COLUMN_TEXT}, {0}};
    AUTO(keyring) ring = NULL;
    if (keyring_load(f->path, &ring, err))
        return -1;
    AUTO_TYPE(json, json_t) *rows = json_array();
    for (size_t i = 0; i < keyring_count(ring); i++) {
        const struct key *key = keyring_at(ring, i);
        json_array_append_new(rows,
            json_pack("{s:s, s:s, s:s, s:b}", "kind", kind_names[f->kind], "id", key_id(key),
                "created", clock_s(key_created_ms(key)), "current", key == keyring_current(ring)));
    }
    table_print(cli, rows, columns, NULL);
    return 0;
}

static int show_curve(const struct cli *cli, const struct key_file *f, struct err *err)
{
    AUTO(curve_pair) pair = NULL;
    if (curve_load(f->path, &pair, err))
        return -1;
    AUTO_TYPE(json, json_t) *line =
        json_pack("{s:s, s:s}", "kind", "curve", "public", curve_public(pair));
    if (cli->json)
        cli_line(line);
    else
        puts(curve_public(pair));
    return 0;
}

static int show_audit(const struct cli *cli, const struct key_file *f, struct err *err)
{
    static const struct column columns[] = {
        {"ID", "id", COLUMN_TEXT}, {"CURRENT", "current", COLUMN_TEXT}, {0}};
    AUTO(audit_checker) keys = NULL;
    if (audit_checker_load(f->open, &keys, err))
        return -1;
    AUTO_TYPE(json, json_t) *rows = json_array();
    for (size_t i = 0; i < audit_checker_count(keys); i++)
        json_array_append_new(rows, json_pack("{s:s, s:s, s:b}", "kind", "audit", "id",
                                        audit_checker_id(keys, i), "current", i == 0));
    table_print(cli, rows, columns, NULL);
    return 0;
}

static int show_file(const struct cli *cli, const struct key_file *f, struct err *err)
{
    switch (f->kind) {
    case KEY_INTAKE:
        return show_intake(cli, f, err);
    case KEY_CURVE:
        return show_curve(cli, f, err);
    case KEY_AUDIT:
        return show_audit(cli, f, err);
    default:
        return show_keyring(cli, f, err);
    }
}

static int show(struct cli *cli, const struct args *args)
{
    CLEANUP(key_file_clear) struct key_file f = {0};
    struct err err = {0};
    int status = find_file(cli, args, &f);
    if (!status && show_file(cli, &f, &err))
        status = cli_fail(cli, EXIT_REFUSED, "key show", &err);
    return status;
}

/* ---- generate, rotate ---- */

static int generate_file(const struct key_file *f, struct err *err)
{
    if (folder_make_for(f->path, err) || (f->open && folder_make_for(f->open, err)))
        return -1;
    switch (f->kind) {
    case KEY_INTAKE:
        return intake_generate(f->path, f->open, clock_now_ms(), err);
    case KEY_AUDIT:
        return audit_key_generate(f->path, f->open, err);
    case KEY_CURVE:
        return curve_generate(f->path, err);
    default:
        return keyring_generate(f->path, clock_now_ms(), err);
    }
}

static void tell_made(const struct cli *cli, const struct key_file *f, const char *what)
{
    AUTO_TYPE(json, json_t) *line =
        json_pack("{s:s, s:s}", "kind", kind_names[f->kind], "file", f->path);
    if (f->open)
        json_object_set_new(
            line, f->kind == KEY_AUDIT ? "public_file" : "certificate_file", json_string(f->open));
    if (cli->json)
        cli_line(line);
    else if (f->open)
        printf("%s: %s key, %s in %s\n", f->path, what,
            f->kind == KEY_AUDIT ? "public key" : "certificate", f->open);
    else
        printf("%s: %s key\n", f->path, what);
}

static int generate(struct cli *cli, const struct args *args)
{
    CLEANUP(key_file_clear) struct key_file f = {0};
    struct err err = {0};
    int status = find_file(cli, args, &f);
    if (status)
        return status;
    if (generate_file(&f, &err))
        return cli_fail(cli, EXIT_REFUSED, "key generate", &err);
    tell_made(cli, &f, "new");
    if (f.kind == KEY_CURVE && !cli->json && show_file(cli, &f, &err))
        return cli_fail(cli, EXIT_REFUSED, "key generate", &err);
    return 0;
}

static int rotate_file(const struct key_file *f, struct err *err)
{
    switch (f->kind) {
    case KEY_INTAKE:
        return intake_rotate(f->path, f->open, clock_now_ms(), err);
    case KEY_AUDIT:
        return audit_key_rotate(f->path, f->open, err);
    case KEY_CURVE:
        return err_set(err, ERR_INPUT, NULL,
            "a CURVE pair is not rotated in place: generate one, let its public key in, use it");
    default:
        return keyring_rotate(f->path, clock_now_ms(), err);
    }
}

static int rotate(struct cli *cli, const struct args *args)
{
    CLEANUP(key_file_clear) struct key_file f = {0};
    struct err err = {0};
    int status = find_file(cli, args, &f);
    if (status)
        return status;
    if (rotate_file(&f, &err))
        return cli_fail(cli, EXIT_REFUSED, "key rotate", &err);
    tell_made(cli, &f, "added a new");
    if (!cli->json)
        printf(
            "Programs use it from their next start; the old ones stay for what refers to them.\n");
    return 0;
}

#define KINDS_TEXT                                                                                 \
    "KIND is intake (what secrets are sealed to), codes (what certificate codes are derived\n"     \
    "from), fingerprint (of requests), audit (what its seals are signed with) or curve (a CURVE\n" \
    "pair for a broker, worker or client).\n"                                                      \
    "Without FILE it is the one the configuration names.\n"

const struct command key_commands[] = {
    {"generate", "KIND [FILE]", 1, 2, "Make a new key file",
        KINDS_TEXT
        "An intake key FILE.key has its certificate in FILE.pem, an audit key its public key.\n"
        "Nothing is overwritten.\n",
        NULL, generate},
    {"show", "KIND [FILE]", 1, 2, "Show the public side of a key",
        KINDS_TEXT "Prints intake's certificate, a curve pair's public key, or ids and dates.\n",
        NULL, show},
    {"rotate", "KIND [FILE]", 1, 2, "Add a new key, which is used from now on",
        KINDS_TEXT "Old keys stay in the file: codes and sealed secrets made with them go on.\n",
        NULL, rotate},
    {0},
};
