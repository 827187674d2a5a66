#include "audit_text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "people.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80 };

static json_t *json_bytes(struct bytes text)
{
    json_t *value = json_stringn((const char *)text.data, text.length);
    return value ? value : json_string("?");
}

static json_t *json_id(const struct uuid *id)
{
    return json_string(uuid_s(id));
}

/* ---- a line ---- */

json_t *audit_line_json(const struct audit_line *line)
{
    json_t *detail = line->detail.data ? json_loadb((const char *)line->detail.data,
                                             line->detail.length, JSON_DECODE_ANY, NULL)
                                       : json_null();
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "audit",
        json_id(&line->id), "at", clock_s(line->at_ms), "event", json_bytes(line->event), "role",
        json_bytes(line->role), "channel", json_bytes(line->channel), "actor",
        json_bytes(line->actor), "client", json_bytes(line->client), "subject",
        json_id(&line->subject), "job", json_id(&line->job), "detail",
        detail ? detail : json_bytes(line->detail));
}

/* "operator desk-1, counter, web"; what is not known is left out. */
static char *who(const struct audit_line *line)
{
    const struct bytes parts[] = {line->role, line->actor, line->channel, line->client};
    const char *const between[] = {"", " ", ", ", ", "};
    AUTO_BUF text = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        if (!parts[i].length)
            continue;
        buf_add_text(&text, text.length ? between[i] : "");
        buf_add(&text, parts[i].data, parts[i].length);
    }
    return buf_take_text(&text);
}

/* `text` from its `indent`th column on, broken where the screen ends. */
static void write_wrapped(struct bytes text, size_t indent, struct buf *ret)
{
    AUTO_TEXT raw = bytes_to_text(text);
    AUTO_BUF clean = {0};
    people_text(raw, &clean);
    size_t at = 0;
    while (at < clean.length) {
        AUTO_BUF part = {0};
        struct bytes rest = {clean.data + at, clean.length - at};
        people_cut(rest, COLUMNS - indent, &part);
        bool is_last = utf8_columns(rest) <= COLUMNS - indent;
        size_t taken = is_last ? rest.length : part.length - strlen("…");
        buf_printf(ret, "%*s", (int)indent, "");
        buf_add(ret, rest.data, taken);
        buf_add_char(ret, '\n');
        at += taken ? taken : rest.length;
    }
}

void audit_line_write(const struct audit_line *line, const char *zone, struct buf *ret)
{
    char mark[8];
    AUTO_BUF head = {0};
    AUTO_TEXT name = who(line);
    people_time(line->at_ms, zone, &head);
    AUTO_TEXT event = bytes_to_text(line->event);
    buf_printf(&head, " %s  ", people_zone_mark(zone, mark));
    people_text(event, &head);
    buf_add_text(&head, "  ");
    people_text(name, &head);
    people_cut(buf_bytes(&head), COLUMNS, ret);
    buf_printf(ret, "\n  line     %s\n", uuid_s(&line->id));
    if (!uuid_is_zero(&line->subject))
        buf_printf(ret, "  subject  %s\n", uuid_s(&line->subject));
    if (!uuid_is_zero(&line->job))
        buf_printf(ret, "  job      %s\n", uuid_s(&line->job));
    if (line->detail.data && !bytes_equal(line->detail, bytes_of_text("{}")))
        write_wrapped(line->detail, 2, ret);
}

/* ---- what was found ---- */

json_t *audit_finding_json(const struct audit_finding *f)
{
    json_t *o = json_pack("{s:s, s:b, s:s}", "finding", audit_fault_name(f->fault), "fault",
        !audit_fault_is_note(f->fault), "text", f->text);
    if (f->seal)
        json_object_set_new(o, "seal", json_integer((json_int_t)f->seal));
    if (!uuid_is_zero(&f->line))
        json_object_set_new(o, "audit", json_id(&f->line));
    if (!uuid_is_zero(&f->other))
        json_object_set_new(o, "other", json_id(&f->other));
    return o;
}

void audit_finding_write(const struct audit_finding *f, struct buf *ret)
{
    AUTO_BUF head = {0};
    buf_printf(
        &head, "%s%s", audit_fault_is_note(f->fault) ? "note: " : "", audit_fault_name(f->fault));
    if (!uuid_is_zero(&f->line))
        buf_printf(&head, "  %s", uuid_s(&f->line));
    if (f->seal)
        buf_printf(&head, "  seal %llu", (unsigned long long)f->seal);
    buf_printf(ret, "%s\n", buf_text(&head));
    write_wrapped(bytes_of_text(f->text), 2, ret);
    if (!uuid_is_zero(&f->other))
        buf_printf(
            ret, "  %s %s\n", f->fault == AUDIT_MOVED ? "that of" : "up to", uuid_s(&f->other));
}

json_t *audit_report_json(const struct audit_report *r, const char *file)
{
    json_t *o = json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "verified", r->faults == 0,
        "seals", (json_int_t)r->seals, "lines", (json_int_t)r->lines, "waiting",
        (json_int_t)r->waiting, "last_seal", (json_int_t)r->last_seal, "faults",
        (json_int_t)r->faults, "notes", (json_int_t)r->notes);
    if (r->last_seal)
        json_object_set_new(o, "sealed_until", json_string(clock_s(r->last_ms)));
    if (file)
        json_object_set_new(o, "file", json_string(file));
    return o;
}

void audit_report_write(
    const struct audit_report *r, const char *file, const char *zone, struct buf *ret)
{
    char mark[8];
    buf_printf(ret, "%llu lines in %llu seals are as they were sealed; %llu wait for a seal\n",
        (unsigned long long)r->lines, (unsigned long long)r->seals, (unsigned long long)r->waiting);
    if (r->last_seal) {
        buf_printf(ret, "the last seal is number %llu, of ", (unsigned long long)r->last_seal);
        people_time(r->last_ms, zone, ret);
        buf_printf(ret, " %s\n", people_zone_mark(zone, mark));
    }
    if (!file)
        buf_add_text(ret, "no file outside was compared: a cut tail would not be seen\n");
    if (r->faults)
        buf_printf(ret, "NOT AS IT WAS SEALED: %llu finding%s\n", (unsigned long long)r->faults,
            r->faults == 1 ? "" : "s");
    else
        buf_add_text(ret, "the audit verifies\n");
}
