#include "worker.h"

#include "audit/key.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/keyring.h"
#include "crypto/seal.h"
#include "lifecycle/policy_set.h"
#include "mail/message_sign.h"
#include "mail/smtp.h"
#include "mail/template.h"
#include "pki/issuer.h"
#include "setup/database.h"
#include "signer.h"

#include <string.h>
#include <unistd.h>

static bool serves_any(const struct worker *w, bool (*wants)(const struct kind *))
{
    for (size_t i = 0; i < KINDS; i++)
        if (w->serves[i] && wants(kind_of((enum kind_id)i)))
            return true;
    return false;
}

static bool is_signing(const struct kind *k)
{
    return k->signing;
}

static bool has_secrets(const struct kind *k)
{
    return k->secrets;
}

static bool needs_codes(const struct kind *k)
{
    return k->signing || k->secrets || k->id == KIND_MAIL || k->id == KIND_CHANGE;
}

static int load_issuers(struct worker *w, struct err *err)
{
    const struct config *c = w->config;
    w->issuers = mem_zero(c->issuer_count, sizeof *w->issuers);
    for (size_t i = 0; i < c->issuer_count; i++) {
        const struct config_issuer *from = &c->issuers[i];
        if (issuer_load(from->certificate, from->key, &w->issuers[i], err))
            return err_context(err, "%s: issuers.%s", c->path, from->name);
        if (c->settable_clock && !issuer_is_test(w->issuers[i]))
            return err_set(err, ERR_INPUT, NULL,
                "%s: testing.settable_clock: refused, because issuers.%s has a CA key that was not "
                "made by `certq ca init --test`",
                c->path, from->name);
    }
    return 0;
}

/* Who is not given the key does not seal; who does nothing else has to be told so. */
static int load_audit(struct worker *w, struct err *err)
{
    const struct config *c = w->config;
    bool does_more = false;
    for (size_t i = 0; i < KINDS; i++)
        does_more |= w->serves[i] && i != KIND_AUDIT_SEAL;
    if (!c->audit.key && does_more)
        w->serves[KIND_AUDIT_SEAL] = false;
    if (!w->serves[KIND_AUDIT_SEAL])
        return 0;
    if (!c->audit.key)
        return err_set(
            err, ERR_INPUT, NULL, "%s: audit.key: wanted by the kind audit-seal", c->path);
    return audit_signer_load(c->audit.key, c->audit.public, &w->audit, err)
               ? err_context(err, "%s: audit", c->path)
               : 0;
}

static int load_mail(struct worker *w, struct err *err)
{
    const struct config_mail *m = &w->config->mail;
    if (smtp_new(m, &w->smtp, err))
        return -1;
    if (m->sign_certificate && message_signer_load(m->sign_certificate, m->sign_key, m->from,
                                   clock_now_ms(), &w->mail_signer, err))
        return err_context(err, "%s: mail", w->config->path);
    return 0;
}

static int load_keys(struct worker *w, struct err *err)
{
    const struct config *c = w->config;
    if (load_audit(w, err))
        return -1;
    if (serves_any(w, is_signing) && load_issuers(w, err))
        return -1;
    if (serves_any(w, needs_codes) && keyring_load(c->code_keyring, &w->codes, err))
        return err_context(err, "%s: codes.keyring", c->path);
    if (serves_any(w, has_secrets) &&
        seal_opener_load(c->intake.key, c->intake.certificate, &w->opener, err))
        return err_context(err, "%s: intake", c->path);
    if (w->serves[KIND_MAIL] && load_mail(w, err))
        return -1;
    return template_set_load(c->templates, &w->templates, err);
}

static char *default_name(void)
{
    char host[256] = "worker";
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = '\0';
    return mem_printf("%.40s-%d", host, (int)getpid());
}

static int connect_database(struct worker *w, struct err *err)
{
    enum database_role role = w->serves[KIND_MAIL] ? DB_MAIL : DB_WORKER;
    return setup_database(w->config, role, 3, &w->db, err);
}

int worker_new(const struct config *config, const char *name_or_null,
    const bool serves[static KINDS], size_t group_most, struct worker **ret, struct err *err)
{
    AUTO(worker) w = MEM_NEW(struct worker);
    w->config = config;
    w->life = uuid_new();
    w->name = name_or_null ? mem_text(name_or_null) : default_name();
    memcpy(w->serves, serves, sizeof w->serves);
    w->signer = signer_new();
    w->group_most = group_most ? group_most : config->worker.group;
    if (strlen(w->name) > 64)
        return err_set(err, ERR_INPUT, NULL, "--name: at most 64 bytes");
    if (policy_set_load(config->products, &w->policies, err) ||
        policy_set_check(w->policies, config, err) || load_keys(w, err))
        return -1;
    w->lanes = w->serves[KIND_MAIL] && config->mail.smtp.parallel ? config->mail.smtp.parallel : 1;
    if (connect_database(w, err))
        return -1;
    *ret = TAKE(w);
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    db_free(w->db);
    signer_free(w->signer);
    smtp_free(w->smtp);
    message_signer_free(w->mail_signer);
    template_set_free(w->templates);
    seal_opener_free(w->opener);
    audit_signer_free(w->audit);
    keyring_free(w->codes);
    for (size_t i = 0; w->issuers && i < w->config->issuer_count; i++)
        issuer_free(w->issuers[i]);
    free(w->issuers);
    policy_set_free(w->policies);
    free(w->name);
    free(w);
}

int worker_lane_new(const struct worker *w, struct worker **ret, struct err *err)
{
    AUTO_TYPE(worker_lane, struct worker) *lane = MEM_NEW(struct worker);
    *lane = *w;
    lane->life = uuid_new();
    lane->db = NULL;
    lane->smtp = NULL;
    lane->signer = NULL;
    if ((w->smtp && smtp_new(&w->config->mail, &lane->smtp, err)) || connect_database(lane, err))
        return -1;
    *ret = TAKE(lane);
    return 0;
}

void worker_lane_free(struct worker *lane)
{
    if (!lane)
        return;
    db_free(lane->db);
    smtp_free(lane->smtp);
    free(lane);
}

struct issuer *worker_issuer(const struct worker *w, const char *name)
{
    for (size_t i = 0; w->issuers && i < w->config->issuer_count; i++)
        if (strcmp(w->config->issuers[i].name, name) == 0)
            return w->issuers[i];
    return NULL;
}
