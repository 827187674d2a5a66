#include "kinds/secrets.h"

#include "base/mem.h"
#include "crypto/scrypt.h"
#include "crypto/seal.h"
#include "worker.h"

bool secret_open(const struct worker *w, struct task *task, const char *name, struct secret **ret)
{
    const json_t *value = json_object_get(task->args, name);
    const json_t *sealed = json_object_get(value, "sealed");
    struct err err = {0};
    struct secret *opened = NULL;
    if (!json_is_string(sealed) || json_object_size(value) != 1) {
        plan_bad_field(&task->plan, name, "must be sealed: {\"sealed\": BASE64}");
        return false;
    }
    struct bytes text = {(const uint8_t *)json_string_value(sealed), json_string_length(sealed)};
    if (unseal_text(w->opener, &task->job->id, name, text, &opened, &err)) {
        plan_bad_field(&task->plan, name, "%s", err.text);
        return false;
    }
    if (opened->length == 0) {
        secret_free(opened);
        plan_bad_field(&task->plan, name, "is empty");
        return false;
    }
    *ret = opened;
    return true;
}

bool password_read(const struct worker *w, struct task *task, struct new_password *ret)
{
    return new_password_read(w, task, "password", ret);
}

bool new_password_read(
    const struct worker *w, struct task *task, const char *name, struct new_password *ret)
{
    const json_t *value = json_object_get(task->args, name);
    const json_t *hash = json_object_get(value, "scrypt");
    struct err err = {0};
    if (!hash)
        return secret_open(w, task, name, &ret->plain);
    const char *text = json_string_value(hash);
    if (!text || json_object_size(value) != 1) {
        plan_bad_field(&task->plan, name, "must be {\"sealed\": …} or {\"scrypt\": …}");
        return false;
    }
    if (scrypt_text_valid(text, &scrypt_bounds_default, &err)) {
        plan_bad_field(&task->plan, name, "%s", err.text);
        return false;
    }
    ret->hash = mem_text(text);
    return true;
}

int password_hash(const struct worker *w, struct new_password *p, struct err *err)
{
    const struct config_scrypt *from = &w->config->scrypt;
    const struct scrypt_params params = {from->ln, from->r, from->p};
    return p->hash || !p->plain ? 0 : scrypt_hash(p->plain, &params, &p->hash, err);
}

void new_password_clear(struct new_password *p)
{
    secret_free(p->plain);
    free(p->hash);
    *p = (struct new_password){0};
}
