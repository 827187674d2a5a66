#include "kinds/mail_text.h"

#include "base/address.h"
#include "base/mem.h"
#include "crypto/code.h"
#include "lifecycle/code.h"
#include "mail/message.h"
#include "mail/message_sign.h"
#include "mail/template.h"
#include "worker.h"

#include <stdio.h>
#include <string.h>

/* Offset of the Date header: the instant is what counts, readers show it in their own zone. */
enum { JAPAN_MINUTES = 540 };

static bool read_id(const json_t *args, const char *path, struct uuid *ret, struct plan *plan)
{
    const json_t *value = json_at(args, path);
    if (!value || json_is_null(value))
        return true;
    if (json_is_string(value) &&
        uuid_parse(json_string_value(value), json_string_length(value), ret))
        return true;
    plan_bad_field(plan, path, "no id");
    return false;
}

static const char *need_text(const json_t *args, const char *path, struct plan *plan)
{
    const char *text = json_text_at(args, path);
    if (!text || !*text)
        plan_bad_field(plan, path, "missing");
    return text;
}

static bool is_japanese(const struct mail_request *r)
{
    return strcmp(r->language, "ja") == 0;
}

/* The facts of the args, and whom to ask, which the configuration says. */
static const json_t *complete_facts(
    const struct worker *w, const struct mail_request *r, json_t *args)
{
    const struct config_mail *mail = &w->config->mail;
    json_t *facts = json_object_get(args, "facts");
    if (!json_is_object(facts))
        json_object_set_new(args, "facts", facts = json_object());
    json_object_set_new(facts, "help", json_string(is_japanese(r) ? mail->help_ja : mail->help_en));
    return facts;
}

struct mail_request *mail_request_read(
    const struct worker *w, const struct job *job, json_t *args, struct plan *plan)
{
    struct mail_request *r = MEM_NEW(struct mail_request);
    struct err err = {0};
    r->template = need_text(args, "template", plan);
    r->language = need_text(args, "language", plan);
    r->recipient = need_text(args, "recipient", plan);
    const json_t *generation = json_at(args, "generation");
    r->generation = (uint32_t)json_integer_value(generation);
    read_id(args, "certificate", &r->certificate, plan);
    read_id(args, "subscriber", &r->subscriber, plan);
    if (r->recipient && address_check(r->recipient, &err))
        plan_bad_field(plan, "recipient", "%s", err.text);
    if (r->template && r->language && !template_set_find(w->templates, r->language, r->template))
        plan_bad_field(plan, "template", "no template %s/%s", r->language, r->template);
    if (plan->refused) {
        free(r);
        return NULL;
    }
    r->facts = complete_facts(w, r, args);
    r->message_id = mem_printf("%s@%s", uuid_s(&job->id), w->config->mail.message_id_domain);
    return r;
}

void mail_request_free(struct mail_request *r)
{
    if (!r)
        return;
    free(r->message_id);
    free(r);
}

bool mail_request_has_code(const struct worker *w, const struct mail_request *r)
{
    return template_has_code(template_set_find(w->templates, r->language, r->template));
}

static int derive_code(
    const struct worker *w, const struct mail_code *code, struct secret **ret, struct err *err)
{
    AUTO(secret) bits = NULL;
    if (code_derive(
            w->codes, code->key, &code->certificate, code->generation, code->nonce, &bits, err))
        return -1;
    *ret = code_text(bits);
    return 0;
}

int mail_compose(const struct worker *w, const struct task *task, const struct mail_code *code,
    struct buf *ret, struct err *err)
{
    const struct mail_request *r = task->request;
    AUTO(secret) text = NULL;
    AUTO(secret) body = NULL;
    AUTO_TEXT subject = NULL;
    if (mail_request_has_code(w, r) && derive_code(w, code, &text, err))
        return -1;
    if (template_render(template_set_find(w->templates, r->language, r->template), r->facts, text,
            &subject, &body, err))
        return -1;
    const struct config_mail *mail = &w->config->mail;
    const struct message_facts message = {
        .id = uuid_s(&task->job->id),
        .id_domain = mail->message_id_domain,
        .from = mail->from,
        .from_name = is_japanese(r) ? mail->from_name_ja : mail->from_name_en,
        .to = r->recipient,
        .to_name = json_text_at(r->facts, "name"),
        .subject = subject,
        .language = r->language,
        .date_ms = task->job->created_ms,
        .date_offset_minutes = JAPAN_MINUTES,
        .body = {body->data, body->length},
    };
    if (!w->mail_signer)
        return message_compose(&message, ret, err);
    CLEANUP(message_wipe) struct buf plain = {0};
    if (message_compose(&message, &plain, err))
        return -1;
    return message_sign(w->mail_signer, buf_bytes(&plain), message.id, ret, err);
}

void mail_life_lock(const struct uuid *life, char name[static 64])
{
    snprintf(name, 64, "certq-life-%s", uuid_s(life));
}
