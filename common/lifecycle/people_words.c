#include "lifecycle/people_words.h"

#include "base/auto.h"

#include <string.h>

struct word {
    const char *text[LANGUAGES];
};

#define WORD(ja, en)                                                                               \
    {                                                                                              \
        {                                                                                          \
            [LANGUAGE_JA] = (ja), [LANGUAGE_EN] = (en)                                             \
        }                                                                                          \
    }

const char *people_reason(enum reason reason, enum policy_language language)
{
    static const struct {
        enum reason reason;
        struct word word;
    } rows[] = {
        {REASON_KEY_COMPROMISE, WORD("秘密鍵の漏えい、紛失など、またはそのおそれがあるため",
                                    "the private key was or may have been compromised or lost")},
        {REASON_CA_COMPROMISE, WORD("認証局の鍵の漏えい、またはそのおそれがあるため",
                                   "the key of the certification authority may be compromised")},
        {REASON_AFFILIATION_CHANGED, WORD("ご所属またはご登録内容の変更のため",
                                         "a change of affiliation or of registered information")},
        {REASON_SUPERSEDED,
            WORD("別の電子証明書に切り替えたため", "another certificate replaces it")},
        {REASON_CESSATION_OF_OPERATION, WORD("ご利用を終了されたため", "it is no longer used")},
        {REASON_PRIVILEGE_WITHDRAWN,
            WORD("ご利用の資格がなくなったため", "the right to use it was withdrawn")},
    };
    static const struct word other = WORD("その他の事由のため", "another reason");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].reason == reason)
            return rows[i].word.text[language];
    return other.text[language];
}

/* The end of a contact's path, of an account's, or a whole one. */
static const struct {
    const char *path;
    struct word word;
} fields[] = {
    {"email", WORD("電子メールアドレス", "E-mail address")},
    {"organisation.email", WORD("組織の電子メールアドレス", "E-mail address of the organisation")},
    {"user_id", WORD("利用者ID", "User ID")},
    {"resident_id", WORD("利用者の番号", "Holder's number")},
    {"role", WORD("利用者の種別", "Kind of user")},
    {"name.ja", WORD("氏名", "Name (Japanese)")},
    {"name.latin", WORD("氏名（ローマ字）", "Name")},
    {"organisation.ja", WORD("組織名", "Organisation (Japanese)")},
    {"organisation.latin", WORD("組織名（ローマ字）", "Organisation")},
    {"organisation.company_code", WORD("企業コード", "Company code")},
    {"title", WORD("役職", "Title")},
    {"department", WORD("部署名", "Department")},
    {"title_department.latin", WORD("役職・部署名（ローマ字）", "Title and department")},
    {"address.postal_code", WORD("郵便番号", "Postal code")},
    {"address.prefecture", WORD("都道府県", "Prefecture")},
    {"address.city", WORD("市区町村", "City")},
    {"address.street", WORD("町名・番地", "Street")},
    {"address.building", WORD("建物名", "Building")},
    {"telephone", WORD("電話番号", "Telephone")},
    {"language", WORD("ご案内の言語", "Language")},
    {"dns", WORD("サーバー名", "Host names")},
    {"otp_email", WORD("ワンタイムパスワードの送付先", "Address for one-time passwords")},
    {"name", WORD("氏名", "Name")},
    {"address", WORD("住所", "Address")},
    {"company", WORD("法人名", "Company")},
    {"invoice", WORD("請求書の送付方法", "Delivery of invoices")},
    {"renewal_notice", WORD("更新案内の連絡", "Renewal notices")},
};

const char *people_field(const char *path, enum policy_language language)
{
    const bool is_inner = strncmp(path, "contacts.", 9) == 0 || strncmp(path, "account.", 8) == 0;
    const char *name = is_inner ? strrchr(path, '.') + 1 : path;
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (strcmp(fields[i].path, name) == 0)
            return fields[i].word.text[language];
    return path;
}

const char *people_contact(const char *path, enum policy_language language)
{
    static const struct {
        const char *start;
        struct word word;
    } rows[] = {
        {"contacts.registered.", WORD("登録担当者", "Registered contact")},
        {"contacts.technical.", WORD("技術担当者", "Technical contact")},
        {"contacts.administrative.", WORD("事務担当者", "Administrative contact")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (strncmp(path, rows[i].start, strlen(rows[i].start)) == 0)
            return rows[i].word.text[language];
    return NULL;
}

const char *people_state(enum certificate_state state, enum policy_language language)
{
    static const struct word words[CERTIFICATE_STATE_COUNT] = {
        [CERTIFICATE_NEW] = WORD("お申し込み", "applied for"),
        [CERTIFICATE_AWAITING_APPROVAL] = WORD("審査中", "under review"),
        [CERTIFICATE_AWAITING_RETRIEVAL] = WORD("取得待ち", "waiting to be retrieved"),
        [CERTIFICATE_VALID] = WORD("発行済み", "issued"),
        [CERTIFICATE_REVOKED] = WORD("失効", "revoked"),
        [CERTIFICATE_CANCELLED] = WORD("取り消し", "cancelled"),
    };
    return words[state].text[language];
}
