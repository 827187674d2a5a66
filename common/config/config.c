#include "config/config.h"

#include "base/file.h"
#include "base/mem.h"
#include "config/config_table.h"

#include <string.h>
#include <unistd.h>

static const unsigned char sample[] = {
#include "certq_yaml.inc"
};

const char *config_sample(void)
{
    return (const char *)sample;
}

const char *config_path(const char *argument)
{
    if (argument)
        return argument;
    const char *set = getenv("CERTQ_CONFIG");
    return set && *set ? set : "/etc/certq/certq.yaml";
}

void config_each_key(void (*each)(const char *path, void *arg), void *arg)
{
    bind_each_key(config_keys, "", each, arg);
}

const struct config_issuer *config_issuer(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->issuer_count; i++)
        if (strcmp(c->issuers[i].name, name) == 0)
            return &c->issuers[i];
    return NULL;
}

/* --- freeing --- */

static void free_texts(char **items, size_t count)
{
    struct texts t = {items, count};
    texts_free(&t);
}

static void free_client(struct config_client *c)
{
    free(c->name);
    free_texts(c->kinds, c->kind_count);
    free_texts(c->roles, c->role_count);
    free_texts(c->channels, c->channel_count);
}

static void free_database(struct config_database *d)
{
    free(d->socket);
    free(d->host);
    free(d->name);
    free(d->tls_ca);
    for (int i = 0; i < DB_ROLES; i++) {
        free(d->users[i].user);
        free(d->users[i].password_file);
    }
}

static void free_broker(struct config_broker *b)
{
    free(b->name);
    free(b->clients);
    free(b->workers);
    free(b->http);
    free(b->curve_key);
    free_client(&b->local_client);
    for (size_t i = 0; i < b->client_key_count; i++)
        free_client(&b->client_keys[i]);
    free(b->client_keys);
    for (size_t i = 0; i < b->worker_key_count; i++) {
        free(b->worker_keys[i].name);
        free_texts(b->worker_keys[i].kinds, b->worker_keys[i].kind_count);
    }
    free(b->worker_keys);
}

static void free_mail(struct config_mail *m)
{
    free(m->from);
    free(m->from_name_ja);
    free(m->from_name_en);
    free(m->help_ja);
    free(m->help_en);
    free(m->message_id_domain);
    free(m->smtp.host);
    free(m->sign_certificate);
    free(m->sign_key);
    free(m->smtp.tls_ca);
    free(m->smtp.user);
    free(m->smtp.password_file);
    free(m->smtp.helo);
}

static void free_connect(struct config_connect *c)
{
    for (size_t i = 0; i < c->broker_count; i++) {
        free(c->brokers[i].clients);
        free(c->brokers[i].workers);
    }
    free(c->brokers);
    free(c->curve_key);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    free(c->path);
    free_database(&c->database);
    free_broker(&c->broker);
    free_connect(&c->connect);
    free(c->intake.certificate);
    free(c->intake.key);
    free(c->code_keyring);
    free(c->fingerprint_key);
    free(c->products);
    free(c->templates);
    free(c->crl_folder);
    free(c->audit.key);
    free(c->audit.public);
    free(c->audit.seals);
    for (size_t i = 0; i < c->issuer_count; i++) {
        free(c->issuers[i].name);
        free(c->issuers[i].certificate);
        free(c->issuers[i].key);
        free(c->issuers[i].crl_url);
    }
    free(c->issuers);
    free_mail(&c->mail);
    for (size_t i = 0; i < c->schedule_count; i++) {
        free(c->schedules[i].name);
        free(c->schedules[i].kind);
        free(c->schedules[i].args);
        free(c->schedules[i].zone);
    }
    free(c->schedules);
    free(c);
}

/* --- loading --- */

static char *absolute(const char *path)
{
    AUTO_TEXT here = *path == '/' ? NULL : getcwd(NULL, 0);
    return here ? mem_printf("%s/%s", here, path) : mem_text(path);
}

/* Keys without a value, and keys the sample has but every installation must say itself. */
static int check_given(const struct yaml_node *node, struct err *err)
{
    for (const struct yaml_node *c = node->first; c; c = c->next)
        if (c->type == YAML_NULL)
            return yaml_error(c, err, "no value is given (leave the key out for its default)");
        else if (check_given(c, err))
            return -1;
    return 0;
}

static int check_own(const struct yaml_node *root, struct err *err)
{
    static const char *const own[] = {"mail.from", "mail.help_ja", "mail.help_en"};
    for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
        if (!yaml_at(root, own[i]))
            return yaml_error(root, err, "the key %s is missing; it has no default", own[i]);
    return 0;
}

/* Defaults that follow from other keys. */
static void derive(struct config *c, const struct yaml_node *own)
{
    const char *clients = c->broker.clients, *workers = c->broker.workers;
    if (c->database.host && !yaml_at(own, "database.socket")) {
        free(c->database.socket);
        c->database.socket = NULL;
    }
    if (!yaml_at(own, "intake.plaintext"))
        c->intake.plaintext = config_endpoint_is_local(clients);
    if (!c->mail.message_id_domain)
        c->mail.message_id_domain = mem_text(strchr(c->mail.from, '@') + 1);
    if (!yaml_at(own, "connect.brokers") && !c->broker.curve_key && !strchr(clients, '*') &&
        !strchr(workers, '*')) {
        c->connect.brokers = MEM_NEW(struct config_endpoint);
        c->connect.brokers[0].clients = mem_text(clients);
        c->connect.brokers[0].workers = mem_text(workers);
        c->connect.broker_count = 1;
    }
}

static int read_over_sample(
    const char *path, const struct yaml_tree *own, struct config *c, struct err *err)
{
    AUTO(yaml_tree) base = NULL;
    AUTO(yaml_tree) whole = NULL;
    /* Named beside the file, so that the defaults' relative paths start in its folder. */
    AUTO_TEXT base_name = file_beside(path, "(built-in certq.yaml)");
    if (yaml_read(base_name, bytes_of_text(config_sample()), &base, err) ||
        yaml_merge(base, own, &whole, err) || bind_map(yaml_root(whole), config_keys, c, err))
        return -1;
    derive(c, yaml_root(own));
    return config_check(c, yaml_root(whole), err);
}

int config_load(const char *path, struct config **ret, struct err *err)
{
    AUTO(config) c = MEM_NEW(struct config);
    AUTO(yaml_tree) own = NULL;
    AUTO_BUF text = {0};
    c->path = absolute(path);
    if (file_read(c->path, YAML_BYTES_MOST, &text, err) ||
        yaml_read(c->path, buf_bytes(&text), &own, err) || check_given(yaml_root(own), err) ||
        check_own(yaml_root(own), err) || read_over_sample(c->path, own, c, err))
        return -1;
    *ret = TAKE(c);
    return 0;
}
