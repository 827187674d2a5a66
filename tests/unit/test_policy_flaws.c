/* links: lifecycle */
#include "policy_files.h"

/* One change to a product that is right, and what must be said about it. */
struct flaw {
    const char *old, *new, *wanted;
};

static const struct flaw association_flaws[] = {
    {"product: association", "product: Association", ":3: product: a product's name is"},
    {"product: association\n", "", "the key product is missing"},
    {"zone: Asia/Tokyo ", "zone: Mars ", ":8: zone: unknown zone Mars; known: UTC, Asia/Tokyo"},
    {"[ja, en]  ", "[ja, fr]  ", "unknown word fr"},
    {"[ja, en]  ", "[]  ", "at least one language"},
    {"  en: Example Association Certificate Service\n", "", "the service has no name in en"},
    {"term: 760 days", "term: 760", "validity.term: a term is a number of"},
    {"term: 760 days", "term: 0 days", "a term is a number of"},
    {"term: 760 days", "term: 101 years", "up to 100 years"},
    {"term: 760 days", "term: [1 year, 1 years]", "the same term twice"},
    {"term: 760 days", "term: 30 days", "but the validity may be shorter"},
    {"from: retrieval", "from: retreival", "unknown word retreival; did you mean retrieval?"},
    {"  first_day: excluded\n", "", "the key first_day is missing"},
    {"subscriber: [email]", "subscriber: [emial]", "unit.subscriber: emial is none"},
    {"subscriber: [email]", "subscriber: [title]", "title names a subscriber, so it must be req"},
    {"  contacts: none", "  contacts: [technical]", "contacts belong to a contract"},
    {"email:              {required: true, ", "email:              {", "must be required"},
    {"name.latin:  ", "name.latni:  ",
        "fields.name.latni: no field a product can have; did you "
        "mean name.latin?"},
    {"name.latin:  ", "attributes.X-y:  ", "no field a product can have"},
    {"\"*\":                {change: record}", "\"*\": {change: record, required: true}",
        "* says what a change does"},
    {"{required: true, most: 64, change: record}", "{required: true, most: 64}",
        "fields.name.ja: the key change is missing"},
    {"format: ascii, most: 64, change: record}", "format: ascii, most: 65, change: record}",
        "CN holds at most 64 characters, name.latin up to 65"},
    {"{required: true, format: ascii, most: 64, change: record}",
        "{format: ascii, most: 64, change: record}", "name.latin may be empty"},
    {"format: email, change: reissue", "format: ascii, change: reissue",
        "this field always has the format email"},
    {"format: email, change: reissue", "format: \"digits{0}\", change: reissue", "1 to 128"},
    {"format: email, change: reissue", "words: [a], change: reissue", "words are given, but"},
    {"name.ja:            {required: true,", "name.ja:            {format: words, required: true,",
        "no words are given"},
    {"format: email, change: reissue", "format: email, change: correction",
        "fields.email: changed by a correction, but records.correct is none"},
    {"format: email, change: reissue", "format: email, change: immediate",
        "change does not say what this effect is"},
    {"  contacts: none", "  contacts: none\n  frobs: 1", "unit.frobs: unknown key frobs"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: name.latn}", "none of the product's fields"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: title}", "title may be empty"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN}", "CN: give either field or text"},
    {"{rdn: CN, field: name.latin}", "{rdn: CN, field: name.latin, text: x}", "either field or"},
    {"{rdn: CN, field: name.latin}", "{rdn: XY, field: name.latin}", "unknown word XY"},
    {"{rdn: C, text: JP}", "{rdn: C, text: Japan}", "C is a country's two capital letters"},
    {"{rdn: C, text: JP}", "{rdn: C, field: name.latin}", "C holds at most 2 characters"},
    {"san: [email]", "san: [email, dns]", "dns, but there is no required field dns"},
    {"san: [email]", "san: none", "emailProtection without email in san"},
    {"eku: [clientAuth, emailProtection]", "eku: [serverAuth]", "serverAuth without dns"},
    {"ec: [P-256, P-384]", "ec: [P-521]", "unknown word P-521"},
    {"ec: [P-256, P-384]\n    rsa: {least: 2048, most: 4096}", "ec: none\n    rsa: none",
        "no key is allowed at all"},
    {"rsa: {least: 2048, most: 4096}", "rsa: {least: 1024, most: 4096}", "must be 2048 to 8192"},
    {"rsa: {least: 2048, most: 4096}", "rsa: {least: 4096, most: 2048}", "least is more than most"},
    {"retrieve: {subscriber: credentials}", "retrieve: {subscriber: [credentials, letter]}",
        "unknown word letter"},
    {"retrieve: {subscriber: credentials}", "retrieve: {subscirber: credentials}",
        "unknown actor subscirber; did you mean subscriber?"},
    {"retrieve: {subscriber: credentials}", "retreive: {subscriber: credentials}",
        "unknown procedure retreive"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: none  ",
        "credentials are named, but nobody may ask for retrieve"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: {organisation: credentials}  ",
        "credentials are the subscriber's or the holder's"},
    {"retrieve: {subscriber: credentials}  ", "retrieve: {subscriber: signature}  ",
        "only renew and revoke take a signature"},
    {"change:   {organisation: paper}", "change:   {contact: session}", "the unit has no contacts"},
    {"change:   {organisation: paper}", "change:   {organisation: recorded}",
        "recorded is how an operator asks"},
    {"change:   {organisation: paper}", "change:   none", "change: nobody may ask for it"},
    {"withdraw: {organisation: paper}", "withdraw: none", "withdraw: nobody may ask for it"},
    {"  acknowledge: mail", "  acknowledge: document",
        "withdraw.acknowledge: there is no document of a withdrawal"},
    {"revoke:   {operator: recorded}", "revoke:   none", "nobody may ask for revoke"},
    {"revoke:   {operator: recorded}", "revoke:   {subscriber: credentials}",
        "credentials do not tell who asks for revoke"},
    {"change:   {organisation: paper}", "change:   {holder: credentials}",
        "credentials do not tell who asks for change"},
    {"withdraw: {organisation: paper}", "withdraw: {subscriber: credentials}",
        "credentials do not tell who asks for withdraw"},
    {"issue:    {subscriber: credentials, operator: recorded}", "issue: none",
        "nobody may ask for issue"},
    {"    channel: paper\n", "    channel: counter\n", "of somebody who may not ask that way"},
    {"[form.received_on, form.seal]", "[Form]", "evidence is named by lower case words"},
    {"lookup:   [email, password, code]", "lookup:   [email]", "nothing secret is asked for"},
    {"lookup:   [email, password, code]", "lookup:   [password, code]", "nobody is named"},
    {"lookup:   [email, password, code]", "lookup:   none", "credentials.lookup names none"},
    {"  email: current", "  issue: [email, password]\n  email: current", "no credentials yet"},
    {"  lock_after: 5                 # (ours)\n  unlock: operator", "  lock_after: 5",
        "password.lock_after: nobody can unlock what locks"},
    {"  lock_after: 5  ", "  lock_after: none  ", "password.unlock: nothing locks"},
    {"  unlock: operator", "  unlock: counter", "nobody may ask for password-reset there"},
    {"  password-reset: {operator: recorded}", "  #", "by an operator, who may not do it"},
    {"  unlock: operator", "  unlock: operator\n  reset_then_set: true", "may set a password"},
    {"password:                       # the application password; it cannot be changed (ours)\n"
     "  lock_after: 5                 # (ours)\n  unlock: operator\n",
        "password: none\n", "the password is asked for, but the product has none"},
    {"code:\n  days: none                    # a code stays good until it is used or replaced "
     "(ours)\n  resend: operator              # A11\n",
        "code: none\n", "mails.code: the product has no code"},
    {"retrieve: [email, password, code]  ", "retrieve: [email, password]  ",
        "credentials.retrieve does not ask for it"},
    {"  code: subscriber    ", "  # none", "nobody gets the code: mails.code is missing"},
    {"  code: subscriber    ", "  code: organisation    ", "a code goes to the subscriber alone"},
    {"  path: retrieve", "  path: direct", "a code is for retrieving, but issue.path is direct"},
    {"  mode: new-application", "  mode: in-place", "nobody may ask for renew"},
    {"  mode: new-application", "  mode: new-application\n  open_days: 30", "no window where"},
    {"  mode: new-application", "  mode: new-application\n  open_days: 760", "as long as the val"},
    {"  mode: new-application", "  mode: new-application\n  contact_changes: true", "no contacts"},
    {"  mode: new-application", "  mode: new-application\n  predecessor: deferred",
        "keep or immediate"},
    {"  zone: UTC  ", "  carry_over: true\n  zone: UTC  ", "nothing is carried over"},
    {"    lost: superseded\n", "    lost: certificateHold\n", "certificateHold is no reason"},
    {"    lost: superseded\n", "    lost: removeFromCRL\n", "removeFromCRL is no reason"},
    {"    lost: superseded\n", "    lost: cACompromise\n", "cACompromise is no reason"},
    {"    lost: superseded\n", "    lost: {force: immediate}\n", "the key crl is missing"},
    {"    lost: superseded\n", "    Lost: superseded\n", "a reason is a word of lower case"},
    {"    lost: superseded\n", "    lost: {crl: superseded, silent: true}\n", "unknown key silent"},
    {"force: at-request, urgent", "force: deferred, urgent", "never left alive"},
    {"force: at-request, urgent", "force: keep, urgent", "never left alive"},
    {"  default_reason: other\n", "", "there must be a default_reason"},
    {"  default_reason: other\n", "  default_reason: others\n", "others is none of the reasons"},
    {"  reason_required: false\n", "  reason_required: true\n", "so there is no default"},
    {"  window: none\n", "  window: {days: 25, first_day: excluded, last_day: included}\n",
        "outside does not say"},
    {"  window: none\n", "  outside: refuse\n", "no window and no most to be outside of"},
    {"  window: none\n",
        "  outside: refuse\n  window: {days: 900, first_day: excluded, last_day: included}\n",
        "reissue.window.days: the window is as long"},
    {"  most: none\n", "  outside: refuse\n  most: {count: 1, of: contract}\n",
        "reissue.most.of: the unit has no contract"},
    {"  min_days_left: none\n", "  min_days_left: 760\n", "nothing could ever be reissued"},
    {"    choices: [on-retrieval] ", "    choices: [on-retrieval, deferred] ",
        "deferred by how much?"},
    {"    choices: [on-retrieval] ", "    defer_days: 14\n    choices: [on-retrieval] ",
        "defer_days: nothing is deferred"},
    {"    choices: [on-retrieval] ", "    choices: [at-request] ", "none of the choices"},
    {"    choices: [on-retrieval] ", "    choices: none ", "at least one of"},
    {"  csr: at-retrieval\n", "  csr: at-request\n", "the successor is not retrieved"},
    {"record: {review: always}  ", "recrod: {review: always}  ", "unknown effect recrod"},
    {"record: {review: always}  ", "never: {review: always}  ", "nothing to say here"},
    {"record: {review: always}  ", "record: {refuse: contact-us, charge: contract}  ",
        "neither revokes nor costs"},
    {"record: {review: always}  ", "record: {revokes: true}  ", "change.record: only reissue and"},
    {"  acknowledge: mail\n", "  acknowledge: none\n", "nothing is acknowledged by mail"},
    {"  request-received: organisation  ", "  # ", "request-received goes to nobody"},
    {"  acknowledge: mail\n", "  acknowledge: mail\n  ends_contract: true\n",
        "withdraw.ends_contract: the unit has no contract"},
    {"  reasons: rfc5280\n",
        "  reasons: rfc5280\n  free_text: true\n  default_reason: superseded\n",
        "so there is no default"},
    {"  reasons: rfc5280\n", "  reasons: rfc5280\n  confirm: {by: telephone, with: registered}\n",
        "revoke.confirm.with: the unit has no registered contact"},
    {"  reasons: rfc5280\n", "  reasons: {lost: {crl: superseded, channels: counter}}\n",
        "lost: nobody may ask for revoke by counter"},
    {"  mail: [30]", "  mail: [10, 30]", "notices.mail[1]: days before expiry go down"},
    {"  mail: [30]", "  mail: none", "mails.expiry: no notice is mailed"},
    {"  mail: [30]", "  mail: [30]\n  opt_out: true", "a contact opts out by"},
    {"  expiry: subscriber", "  #", "nobody gets the notice: mails.expiry is missing"},
    {"  screen: none", "  screen: {days: 30, link: \"https://x\"}",
        "nobody may ask for the notices"},
    {"  revoked: subscriber", "  revoked: registered", "the unit has no registered contact"},
    {"  revoked: subscriber", "  revoked: account", "there is no field account.otp_email"},
    {"  revoked: subscriber", "  revoked: contact", "to a contact, but the unit has none"},
    {"  revoked: subscriber", "  revoked: subscriber.old", "only where something changes"},
    {"  revoked: subscriber", "  revoked: subscriber.older", "a recipient ends in .old, .new"},
    {"  revoked: subscriber", "  revoked: subscribers", "did you mean subscriber?"},
    {"  revoked: subscriber", "  revoced: subscriber",
        "unknown mail revoced; did you mean revoked?"},
    {"  revoked: subscriber", "  renewed: subscriber", "mails.renewed: nothing is renewed"},
    {"  revoked: subscriber", "  deferred-due: subscriber", "mails.deferred-due: nothing is def"},
    {"  fields: A3 A4 A5\n", "  feilds: A3\n", "unknown topic feilds; did you mean fields?"},
    {"code: A8 A11\n", "code: [A8]\n", "a value is wanted, not a list"},
    {"product: association", "product: association\nextends: class2", "no other product can be"},
};

static const struct flaw banking_flaws[] = {
    {"code: none ", "code: {days: 30} ", "nobody gets the code"},
    {"mails:\n", "mails:\n  code: subscriber\n", "mails.code: the product has no code"},
    {"mails:\n", "mails:\n  reissued: subscriber\n", "mails.reissued: reissue is none"},
    {"  renew:    {holder", "  reissue: {operator: recorded}\n  renew:    {holder",
        "who.reissue: reissue is none"},
    {"  change:   {operator", "  withdraw: {operator: recorded}\n  change:   {operator",
        "who.withdraw: withdraw is none"},
    {"  change:   {operator", "  disclose: {operator: recorded}\n  change:   {operator",
        "who.disclose: records.disclose is none"},
    {"  notices:  {subscriber: session, holder: session}", "  notices: none",
        "nobody may ask for the notices"},
    {"  screen:                       # E3\n    days: 30\n    link: "
     "https://banking.example.jp/certificate/renew\n",
        "", "who.notices: no notice is shown"},
    {"    days: 30\n", "    days: 366\n", "shown for the whole validity"},
    {"  open_days: 30  ", "  open_days: 365  ", "renew.open_days: the window is as long"},
    {"  from: issue", "  from: retrieval", NULL},
    {"  path: retrieve", "  path: direct", "nothing is retrieved where issue.path is direct"},
    {"  retrieve: {subscriber: [credentials, session], holder: session}     # E5\n", "",
        "credentials.retrieve: credentials are named, but nobody"},
    {"  mode: in-place  ", "  mode: counter  ", "renewed at the counter, but nobody"},
    {"  mode: in-place  ", "  mode: none  ", "who.renew: renew is never done"},
    {"  retrieve: [user_id, password]  ", "  retrieve: [email, user_id]  ", "nothing secret"},
    {"  password: current", "  password: first-application", NULL},
    {"  email:                     {required: true,", "  email:                     {",
        "no required field email"},
    {"  role:                      {change: never}\n", "", "roles need the field role"},
    {"change:\n  record: {review: never}", "change: none", "a change has an effect, but change is"},
    {"reissue: none", "reissue: none\nrecords: {correct: [add]}",
        "a correction follows a disclosure"},
    {"reissue: none", "reissue: none\nrecords: {erasable: [revoked-online]}", "no device to erase"},
    {"  approval: none", "  approval: none\n  supersedes: other-device", "the unit has no device"},
    {"withdraw: none", "withdraw:", "withdraw: no value is given"},
    {"[user_id, password]  ", "[user_id, password, code]  ",
        "credentials.retrieve: the code is asked for, but the product has none"},
    {"[user_id, password]  ", "[company_code, password]  ", "nobody is named"},
};

/* Says what is wrong with one flaw's outcome; true when it is as wanted. */
static bool flaw_is_found(const char *text, const struct flaw *f)
{
    const char *at = strstr(text, f->old);
    if (!at) {
        print_error("not in the file: %s\n", f->old);
        return false;
    }
    AUTO_TEXT flawed = mem_printf("%.*s%s%s", (int)(at - text), text, f->new, at + strlen(f->old));
    AUTO(policy) p = NULL;
    struct err err = {0};
    int failed = policy_load_text("p.yaml", bytes_of_text(flawed), NULL, &p, &err);
    bool has_place = !failed || (err.kind == ERR_INPUT && strncmp(err.text, "p.yaml:", 7) == 0);
    if (has_place && (f->wanted ? failed && strstr(err.text, f->wanted) : !failed))
        return true;
    print_error(
        "wanted %s\n   got %s\n   for %s\n", f->wanted ? f->wanted : "(taken)", err.text, f->new);
    return false;
}

static void try_flaws(const char *path, const struct flaw *flaws, size_t n)
{
    AUTO_TEXT text = text_of(path);
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += !flaw_is_found(text, &flaws[i]);
    if (wrong)
        fail_msg("%s: %zu of %zu", path, wrong, n);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    try_flaws(SHIPPED "association.yaml", association_flaws, ARRAY_LENGTH(association_flaws));
    try_flaws(SHIPPED "online-banking.yaml", banking_flaws, ARRAY_LENGTH(banking_flaws));
    static const struct flaw ev_flaws[] = {
        {"contract: required", "contract: none", "contract is none of the product's fields"},
        {"contacts: [registered, technical, administrative]", "contacts: [registered, technical]",
            "fields.contacts.administrative.invoice: the unit has no administrative contact"},
        {"  contacts.*.renewal_notice: {format: words, change: review}\n", "",
            "there is no field contacts.registered.renewal_notice"},
        {"  contacts.*.email: {required: true, format: email, change: review}\n", "",
            "to the contact, but there is no field contacts.registered.email"},
        {"{rdn: CN, field: dns.0}", "{rdn: CN, field: dns}", "write dns.0"},
        {"{rdn: CN, field: dns.0}", "{rdn: CN, field: contacts.registered.name}",
            "contacts.registered.name is the contract's"},
        {"csr: at-request\n  contact_changes", "csr: at-retrieval\n  contact_changes",
            "renew.csr: at-retrieval, but nothing is retrieved"},
        {"unretrieved: false", "unretrieved: true", "none is unretrieved"},
        {"  csr: at-request\n  expiry", "  csr: at-retrieval\n  expiry", "reissue.csr"},
        {"default: none, defer_days: 14", "default: none", "deferred by how much?"},
        {"choices: [deferred, immediate]", "choices: [deferred, on-retrieval]",
            "the successor is not retrieved"},
        {"from: issue", "from: retrieval", "validity begins with the retrieval"},
        {"  reissue: {contact: session, operator: recorded}", "  reissue: {contact: session}",
            "is an emergency, but no operator may"},
        {"reason_required: true\n  free_text", "reason_required: false\n  free_text",
            "reason_required must be true"},
        {"  account.otp_email: {format: email, change: immediate}  ", "  #",
            "to the account, but there is no field"},
        {"  dns: {required: true, change: new-application}", "  dns: {change: new-application}",
            "dns names a subscriber, so it must be required"},
        {"after_expiry: new-application", "after_expiry: first-retrieval", "nobody may retrieve"},
    };
    try_flaws(SHIPPED "web-ev.yaml", ev_flaws, ARRAY_LENGTH(ev_flaws));
    static const struct flaw resident_flaws[] = {
        {"password:\n  lock_after: 5                 # D7\n  unlock: counter\n"
         "  reset_then_set: true\n",
            "password: none\n", "password-change is offered, but the product has no"},
        {"  password-set:    {subscriber: counter, agent: counter}\n", "",
            "nobody may set a password"},
        {"  disclose:                     # D4\n    what: [issue, revocation, revocation-file]\n"
         "    none_confirmed: true\n    charge: actual-cost\n",
            "", "a correction follows a disclosure"},
        {"  disclose:        {subscriber: counter", "  disclose:        {subscriber: credentials",
            "credentials do not tell who asks for disclose"},
        {"  unlock: counter\n", "  unlock: operator\n", "by an operator, who may not do it"},
        {"credentials: none", "credentials: {password: first-application}",
            "so another one never would"},
        {"device: card", "device: none", "the unit has no device"},
    };
    try_flaws(SHIPPED "resident.yaml", resident_flaws, ARRAY_LENGTH(resident_flaws));
}

static int one_base(void *arg, const char *product, struct buf *ret, struct err *err)
{
    if (strcmp(product, "base") != 0)
        return err_set(err, ERR_NOT_FOUND, NULL, "%s.yaml: no such file", product);
    buf_add_text(ret, arg);
    return 0;
}

static void extensions_are_one_step_and_name_their_lines(void **state)
{
    (void)state;
    AUTO_TEXT base = text_of(SHIPPED "class2.yaml");
    const struct policy_bases bases = {one_base, base};
    static const struct {
        const char *text, *wanted;
    } rows[] = {
        {"product: x\nextends: other\n", "x.yaml:2: extends: other.yaml: no such file"},
        {"product: x\nextends: ../base\n", "the name of another product is wanted"},
        {"product: x\nextends: base\nreissue:\n  min_days_left: 1000\n",
            "x.yaml:4: reissue.min_days_left: more days"},
        {"product: x\nextends: base\ncode: none\n",
            "base.yaml:82: mails.code: the product has no code"},
        {"product: x\nextends: base\nnotices: ~\n", "the key notices is missing"},
        {"product: x\nextends: base\nfields: {title: ~, department: ~}\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        AUTO(policy) p = NULL;
        struct err err = {0};
        int failed = policy_load_text("x.yaml", bytes_of_text(rows[i].text), &bases, &p, &err);
        if (failed != (rows[i].wanted ? -1 : 0) || (failed && !strstr(err.text, rows[i].wanted)))
            fail_msg("wanted %s\n   got %s", rows[i].wanted ? rows[i].wanted : "(taken)", err.text);
        if (!failed)
            assert_null(policy_field(p, "title"));
    }
    AUTO_TEXT twice = mem_printf("extends: y\n%s", base);
    const struct policy_bases deep = {one_base, twice};
    AUTO(policy) p = NULL;
    struct err err = {0};
    assert_int_equal(
        policy_load_text("x.yaml", bytes_of_text("extends: base\n"), &deep, &p, &err), -1);
    assert_non_null(strstr(err.text, "one step is all there is"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(extensions_are_one_step_and_name_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
