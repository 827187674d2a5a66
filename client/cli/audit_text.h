/* Lines of the audit and what its check found, as JSON and for people (80 columns). */
#ifndef CERTQ_CLI_AUDIT_TEXT_H
#define CERTQ_CLI_AUDIT_TEXT_H

#include "audit/check.h"
#include "audit/line.h"
#include "base/json.h"

/* New references. */
json_t *audit_line_json(const struct audit_line *line);
json_t *audit_finding_json(const struct audit_finding *f);
json_t *audit_report_json(const struct audit_report *r, const char *file);

/* Appended, lines with their ends; times in `zone`. Control characters are replaced. */
void audit_line_write(const struct audit_line *line, const char *zone, struct buf *ret);
void audit_finding_write(const struct audit_finding *f, struct buf *ret);
void audit_report_write(
    const struct audit_report *r, const char *file, const char *zone, struct buf *ret);

#endif
