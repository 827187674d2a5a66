/* Inside the policy files only: how the parts that read a product file hang together. */
#ifndef CERTQ_LIFECYCLE_POLICY_READ_H
#define CERTQ_LIFECYCLE_POLICY_READ_H

#include "config/bind.h"
#include "lifecycle/policy.h"

#include <stddef.h>

#define IN(type, member) offsetof(struct type, member)
#define NEED .is_required = true
#define BOUNDS(low, high) .least = (low), .most = (high)
#define END                                                                                        \
    {                                                                                              \
        .name = NULL                                                                               \
    }

/* Tables of single sections and readers with the shape BIND_CALL wants; `to` is the struct named.
 */
extern const struct bind_key policy_issue_keys[], policy_revoke_keys[], policy_notice_keys[];
int policy_read_renew(const struct yaml_node *node, void *to, struct err *err);
int policy_read_reissue(const struct yaml_node *node, void *to, struct err *err);
int policy_read_change(const struct yaml_node *node, void *to, struct err *err);
int policy_read_withdraw(const struct yaml_node *node, void *to, struct err *err);
int policy_read_records(const struct yaml_node *node, void *to, struct err *err);
/* `to` is the struct policy. */
int policy_read_who(const struct yaml_node *node, void *to, struct err *err);
int policy_read_evidence(const struct yaml_node *node, void *to, struct err *err);
int policy_read_credentials(const struct yaml_node *node, void *to, struct err *err);
int policy_read_mails(const struct yaml_node *node, void *to, struct err *err);
/* After everything else: wildcards need unit and languages. */
int policy_read_fields(const struct yaml_node *node, struct policy *p, struct err *err) MUST_USE;
/* "760 days", "6 months", "1 year". */
bool policy_term_parse(const char *text, struct length *ret);
/* Could a product have such a field at all, and the known path nearest to it (NULL: none near)? */
bool policy_field_is_known(const char *path);
const char *policy_field_nearest(const char *path);

/* Refuses contradictions (X7); `root` is the tree p was read from, for the lines. */
int policy_check(const struct policy *p, const struct yaml_node *root, struct err *err) MUST_USE;

#endif
