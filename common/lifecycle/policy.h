/*
 * A product's policy: everything that differs between certificate services, read from one YAML file
 * and never changed afterwards. Decisions take it as an argument; no code names a product. Every
 * key is explained in docs/products.md with the domain rules (A1..E5) it carries. Plain and public:
 * all texts and arrays are owned by the struct policy and live until policy_free. Masks are
 * POLICY_BIT(enum). Enums and their words: policy_words.h.
 */
#ifndef CERTQ_LIFECYCLE_POLICY_H
#define CERTQ_LIFECYCLE_POLICY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "lifecycle/calendar.h"
#include "lifecycle/policy_words.h"

#include <stdbool.h>

#define POLICY_NAME_MOST 32
#define POLICY_LIST_MOST 64 /* items of any list in a product file */

/* --- who may, and with what (domain.md: "Who asks, and how") --- */

struct policy_access {
    unsigned channels[ACTORS]; /* mask of CHANNEL_*; all 0: the procedure is not offered */
};

/* A path that must be in by.evidence when all three masks match (A3, A10, D2, D10). */
struct policy_evidence {
    unsigned procedures, actors, channels;
    char *path;        /* dotted, a non-empty text or true; e.g. form.received_on */
    int within_months; /* >0: a YYYY-MM-DD day, not older than this when asked for (D10) */
    bool if_any;       /* recorded when given, never missing (D2: card collected if any) */
};

/* --- fields --- */

/* Where a field's value stands in the args of `issue`. */
enum policy_place { PLACE_SUBSCRIBER, PLACE_CONTACT, PLACE_ACCOUNT, PLACE_ARGS };

struct policy_field {
    char *path; /* "email", "name.ja", "contacts.technical.email", "account.otp_email", "dns" */
    char *args_path; /* the same seen from args: "subscriber.email", "contract.contacts..." */
    enum policy_place place;
    enum policy_role role; /* of PLACE_CONTACT */
    bool is_required;
    bool is_list; /* dns: one or more values */
    int format;   /* enum policy_format */
    int digits;   /* FORMAT_DIGITS: exactly so many; 0: any number */
    int most;     /* characters */
    char **words; /* FORMAT_WORDS */
    size_t word_count;
    int change; /* enum policy_effect */
};

/* One recipient of a mail. Old and new matter where an address itself changes (A4, B10, C2). */
enum policy_when { WHEN_CURRENT, WHEN_OLD, WHEN_NEW };
struct policy_recipient {
    enum policy_party party;
    enum policy_when when;
};
struct policy_recipients {
    struct policy_recipient *items;
    size_t count; /* 0: no such mail */
};

/* A word a requester gives, and what it means on the CRL. */
struct policy_reason {
    char *word;
    int crl;           /* enum reason (RFC 5280 5.3.1); never a hold or removeFromCRL */
    bool is_urgent;    /* ahead of everything (D3, C6) */
    bool is_silent;    /* withdraw: no mail to the subscriber, who died (A10) */
    bool is_emergency; /* reissue: an operator handles it at once, reviewed after (C6) */
    int force;         /* reissue: enum policy_timing the reason demands, -1: none (C6) */
    unsigned channels; /* revoke: only these, 0: as `who` says (D3) */
};
struct policy_reasons {
    struct policy_reason *items;
    size_t count;
    bool is_required;
    char *fallback;    /* word used when none is given, NULL when required or none */
    bool is_free_text; /* revoke: free text, an operator maps it to one of items (C8) */
};

/* --- the certificate --- */

struct policy_name_part {
    int rdn;          /* enum policy_rdn */
    char *field;      /* a field's path, "dns.0", "subscriber.id"; or NULL and */
    char *text;       /* a literal */
    bool is_optional; /* left out when the field is empty */
};

struct policy_certificate {
    char *issuer;                     /* name of a configured issuer */
    int issuer_line;                  /* where the file says so, for policy_set_check */
    struct policy_name_part *subject; /* in order, first the most significant */
    size_t subject_count;
    unsigned san;            /* mask of SAN_*: from fields email and dns */
    unsigned eku;            /* mask of EKU_*; 0: no extension */
    unsigned curves;         /* mask of CURVE_*; 0: no EC keys */
    int rsa_least, rsa_most; /* bits; 0: no RSA keys */
};

/* --- procedures --- */

struct policy_unit {
    char **subscriber; /* fields that together name a subscriber (unique per product) */
    size_t subscriber_count;
    char **roles; /* kinds of subscriber of one company (E1); may be empty */
    size_t role_count;
    bool has_contract; /* services C */
    unsigned contacts; /* mask of ROLE_*: one of each */
    int device;        /* enum policy_device */
    bool has_coupon;   /* certificates carry a coupon number (B1) */
};

struct policy_credentials {
    unsigned needed[PROCEDURES]; /* mask of CREDENTIAL_*; 0: none known for this procedure */
    int email;                   /* enum policy_credential_age */
    int password;
};

struct policy_password {
    bool is_used;
    int lock_after;      /* wrong tries in a row until it locks; 0: never (D7) */
    int unlock;          /* enum policy_unlock */
    bool reset_then_set; /* a reset leaves it empty until password-set (D7) */
};

struct policy_code {
    bool is_used;
    int days;        /* until an unused code dies; 0: it does not */
    bool has_resend; /* an operator may resend it (A11) */
};

struct policy_validity {
    struct length *terms; /* what `term` may choose; terms[0] without it */
    size_t term_count;
    int from;      /* enum policy_from */
    int first_day; /* enum first_day */
    int start;     /* enum validity_start */
    const struct zone *zone;
    bool carries_over; /* a renewal before expiry begins where the predecessor ends */
};

struct policy_issue {
    int path;                     /* enum policy_path */
    int approval;                 /* enum policy_approval */
    bool supersedes_other_device; /* D8 */
    int charge;                   /* enum policy_charge */
};

struct policy_renew {
    int mode;      /* enum policy_renewal; RENEW_NONE and RENEW_NEW_APPLICATION refuse `renew` */
    int open_days; /* from so many days before expiry; 0: any time within validity */
    int review;    /* enum policy_review */
    int csr;       /* enum policy_csr */
    bool takes_contact_changes; /* C2 */
    int predecessor;            /* enum policy_timing: keep or immediate */
    int after_expiry;           /* enum policy_after_expiry */
    int charge;
};

struct policy_window {
    bool is_set;
    int days;            /* from the certificate's issue */
    int first_day;       /* enum first_day */
    bool takes_last_day; /* "25日以内": yes; "25日以降" begins on it: no (C4) */
};

struct policy_reissue {
    bool is_offered;
    struct policy_reasons reasons;
    bool takes_unretrieved; /* A11 */
    int min_days_left;      /* fewer is refused, in lookup too (B2); 0: no limit */
    struct policy_window window;
    int most;    /* reissues; 0: any number */
    int most_of; /* enum policy_counted */
    int outside; /* enum policy_outside: past window or most */
    int review;
    int csr;
    int expiry;       /* enum policy_expiry (A9) */
    unsigned choices; /* mask of TIMING_*: what the requester may pick */
    int fallback;     /* enum policy_timing when none is picked, -1: must pick (C5) */
    int defer_days;
    int emergency_review; /* enum policy_review of reasons that are emergencies */
    int charge;
};

struct policy_effect_rule {
    bool is_set; /* the product says something about this effect */
    int review;
    int charge;
    bool revokes;            /* the present certificate, at the request (A4, A5) */
    int refusal;             /* enum policy_refusal; not none: the change is refused so */
    bool confirms_on_screen; /* C3: upstream shows it; certq says so in the result */
};

struct policy_change {
    bool is_offered;
    struct policy_effect_rule effects[EFFECTS];
};

struct policy_withdraw {
    bool is_offered;
    struct policy_reasons reasons;
    int confirm;
    bool ends_contract;
    int acknowledge; /* enum policy_acknowledgement */
};

struct policy_revoke {
    struct policy_reasons reasons; /* RFC 5280 names where the policy says rfc5280 */
    int confirm;
    int confirm_with; /* enum policy_role, when confirm is not none (C8) */
    bool ends_contract;
    int acknowledge;
};

struct policy_notices {
    int *mail_days; /* thresholds, descending; recipients: mails[MAIL_EXPIRY] */
    size_t mail_day_count;
    bool has_opt_out; /* contacts.ROLE.renewal_notice "unwanted" (C9) */
    int screen_days;  /* on-screen notice from so many days before (E3); 0: none */
    char *screen_link;
};

struct policy_records {
    unsigned disclose; /* mask of RECORD_*; 0: no disclosure (D4) */
    bool confirms_none;
    int disclose_charge;
    unsigned correct;  /* mask of CORRECTION_* (D5) */
    unsigned erasable; /* mask of ERASABLE_* (D8) */
};

struct policy {
    char *file; /* where it was read from */
    char *name; /* of the product */
    char *
        service[LANGUAGES]; /* the service's name in mails and documents; NULL: not that language */
    int languages[LANGUAGES]; /* enum policy_language, the default first */
    size_t language_count;
    const struct zone *zone; /* notices, limits, screens (X8) */
    struct policy_unit unit;
    struct policy_field *fields; /* wildcards expanded, sorted by path */
    size_t field_count;
    struct policy_certificate certificate;
    struct policy_access who[PROCEDURES];
    struct policy_evidence *evidence;
    size_t evidence_count;
    struct policy_credentials credentials;
    struct policy_password password;
    struct policy_code code;
    struct policy_validity validity;
    struct policy_issue issue;
    struct policy_renew renew;
    struct policy_reissue reissue;
    struct policy_change change;
    struct policy_withdraw withdraw;
    struct policy_revoke revoke;
    struct policy_notices notices;
    struct policy_records records;
    struct policy_recipients mails[POLICY_MAIL_EVENTS];
    char *rules[TOPICS]; /* ids of the service's rules, for policy_explain; NULL: none named */
};

/* --- reading --- */

/* How an `extends: NAME` finds its base; pure callers pass NULL and refuse it. */
struct policy_bases {
    int (*read)(void *arg, const char *product, struct buf *ret, struct err *err);
    void *arg;
};
/*
 * Reads a product from bytes; `file` is only named. Input errors, contradictions too (X7), read
 * "FILE:LINE: KEY: what is wrong". No I/O but through `bases`.
 */
int policy_load_text(const char *file, struct bytes text, const struct policy_bases *bases,
    struct policy **ret, struct err *err) MUST_USE;
void policy_free(struct policy *p);
DEFINE_AUTO_STRUCT(policy);

/* --- questions every decision asks --- */

/* By path ("email"), NULL when the product has no such field. */
const struct policy_field *policy_field(const struct policy *p, const char *path);
/* By index in a word list; "?" past it. */
#define policy_word(list, n) (policy_##list##_words[(n)])
/* Index of a word in a NULL-terminated list, -1 when it is not there. */
int policy_word_find(const char *const *words, const char *word);
bool policy_offers(const struct policy *p, enum policy_procedure procedure);
bool policy_allows(const struct policy *p, enum policy_procedure procedure, enum policy_actor actor,
    enum policy_channel channel);
/* The same for a request: where an operator is `recorded`, `how` may say how it reached them. */
bool policy_admits(const struct policy *p, enum policy_procedure procedure, enum policy_actor actor,
    enum policy_channel channel);
const struct policy_reason *policy_reason(const struct policy_reasons *reasons, const char *word);
/* The term `6 months` or `1 year` as written in args.term; NULL text: the first. NULL: not offered.
 */
const struct length *policy_term(const struct policy *p, const char *term);
/* Fills the rule calendar.h computes with. */
struct validity_rule policy_validity_rule(const struct policy *p, const struct length *term);
/* The subscriber's language, or the product's first where it is not offered or NULL. */
enum policy_language policy_language_of(const struct policy *p, const char *word);

/* --- checking what came in (B6) --- */

/*
 * Checks one value (a JSON text, or a list of texts for dns) against a field's format and bounds;
 * false with a sentence for the requester in `message`. Empty texts and null count as missing.
 */
bool policy_check_value(const struct policy_field *field, const json_t *value, struct buf *message);
/*
 * Checks all fields of `issue` args at once: required, format, length, and that there is none the
 * product does not know. Each bad one is put into the object `fields` {args path: message}; true
 * when none was bad. Nothing else of args is looked at.
 */
bool policy_check_fields(const struct policy *p, const json_t *args, json_t *fields);
/*
 * The same for {path: value} of change or reissue: unknown paths, bad values, required fields
 * emptied, and fields this procedure may not change (PROC_CHANGE or PROC_REISSUE, B5).
 * Keys of `fields` are "changes.PATH".
 */
bool policy_check_changes(
    const struct policy *p, enum policy_procedure procedure, const json_t *changes, json_t *fields);

/*
 * Says which evidence is missing or wrong in `by` ({"evidence": {...}}) for this actor, channel and
 * procedure on the day of now_ms in the product's zone; keys "by.evidence.PATH". True when none.
 */
bool policy_check_evidence(const struct policy *p, enum policy_procedure procedure,
    enum policy_actor actor, enum policy_channel channel, const json_t *by, int64_t now_ms,
    json_t *fields);

/* The policy in English sentences that the service's staff can sign, appended; lines end in LF. */
void policy_explain(const struct policy *p, struct buf *ret);

#endif
