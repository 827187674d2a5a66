#include "kinds/csr.h"

#include "pki/request.h"
#include "signer.h"
#include "worker.h"

bool csr_read(struct worker *w, struct task *task, struct csr *ret)
{
    struct err err = {0};
    const json_t *csr = json_object_get(task->args, "csr");
    struct bytes text = {(const uint8_t *)json_string_value(csr), json_string_length(csr)};
    if (!csr || json_is_null(csr))
        return true;
    if (!text.data)
        plan_bad_field(&task->plan, "csr", "must be a text: PEM, or DER in base64");
    else if (signer_read_request(w->signer, text, &ret->request, &err))
        plan_bad_field(&task->plan, "csr", "%s", err.text);
    else
        ret->key = signer_key(ret->request);
    return !task->plan.refused;
}

const struct request_key *csr_key(const struct csr *c)
{
    return c->request ? &c->key : NULL;
}

void csr_clear(struct csr *c)
{
    request_free(c->request);
    *c = (struct csr){0};
}
