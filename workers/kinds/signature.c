#include "kinds/signature.h"

#include "base/hex.h"
#include "base/mem.h"
#include "pki/cms.h"

#include <openssl/evp.h>

/* Over the args as they were sent, before anything was made of them (lifecycle/args_shape.h). */
static bool hash_args(const struct job *job, char ret[static 65], struct err *err)
{
    AUTO_TYPE(json, json_t) *unsigned_args = NULL;
    AUTO_BUF text = {0};
    uint8_t hash[32];
    if (json_parse_object((struct bytes){job->args, job->args_length}, &unsigned_args, err))
        return false;
    json_object_del(unsigned_args, "signature");
    if (json_canonical(unsigned_args, &text, err))
        return false;
    if (EVP_Digest(text.data, text.length, hash, NULL, EVP_sha256(), NULL) != 1) {
        err_set(err, ERR_TEMPORARY, NULL, "SHA-256 is not to be had");
        return false;
    }
    hex_encode(hash, sizeof hash, ret);
    return true;
}

bool signature_read(struct task *task, const struct actor *actor, struct signature *ret)
{
    const json_t *given = json_object_get(task->args, "signature");
    const char *text = json_string_value(given);
    struct err err = {0};
    const bool is_given = given && !json_is_null(given);
    if (actor->how != CHANNEL_SIGNATURE) {
        if (is_given)
            plan_bad_field(&task->plan, "signature", "goes with by.how: signature");
        return !is_given;
    }
    if (!is_given)
        plan_bad_field(&task->plan, "signature", "is missing");
    else if (!text || !base64_decode(bytes_of_text(text), &ret->der) || !ret->der.length)
        plan_bad_field(&task->plan, "signature", "must be CMS SignedData: DER in base64");
    else if (!hash_args(task->job, ret->args_sha256, &err))
        plan_bad_field(&task->plan, "signature", "cannot be compared: %s", err.text);
    else
        return true;
    return false;
}

void signature_clear(struct signature *s)
{
    buf_free(&s->der);
}

static void refuse(struct plan *plan, const struct err *why)
{
    if (why->kind == ERR_DENIED)
        plan_refuse(plan, "bad-signature", "%s", why->text);
    else
        plan_bad_field(plan, "signature", "%s", why->text);
}

int signature_verify(const struct signature *s, struct certificate *certificate, struct task *task,
    struct decision *d, struct err *err)
{
    struct err why = {0};
    if (!s->der.length || !certificate->issued_ms)
        return 0;
    if (d->ports->load_der(d->ports->arg, certificate, err))
        return -1;
    char id[UUID_TEXT], job[UUID_TEXT];
    uuid_format(&certificate->id, id);
    uuid_format(&task->job->id, job);
    AUTO_TEXT text = mem_printf("certq %s %s %s %s", task->job->kind, id, job, s->args_sha256);
    if (cms_verify_text(
            buf_bytes(&s->der), bytes_of_text(text), buf_bytes(&certificate->der), &why) == 0) {
        d->signed_by = certificate->id;
        return 0;
    }
    if (why.kind == ERR_FATAL)
        return err_set(err, ERR_TEMPORARY, "damaged", "%s", why.text);
    refuse(&task->plan, &why);
    return 0;
}
