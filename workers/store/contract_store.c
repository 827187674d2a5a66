#include "store/contract_store.h"

#include "lifecycle/policy.h"
#include "store/value.h"

static const struct statement find = {"contract.of",
    "SELECT list.seq, s.contract FROM " DB_JOIN_IDS(
        "subscriber s", "s.id") " WHERE s.contract IS NOT NULL",
    "bi", "ib"};

int contract_of(
    struct db *db, const struct uuid *subscribers, size_t n, struct uuid *ret, struct err *err)
{
    return id_find_each(db, &find, subscribers, n, ret, err);
}

static const struct statement lock = {"contract.lock",
    "UPDATE " DB_JOIN_IDS("contract c", "c.id") " SET c.version = c.version + 1", "bi", ""};

int contract_lock(struct db *db, const struct uuid *ids, size_t n, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    return db_run(db, &lock, params, NULL, err);
}

/* --- loading --- */

static const struct statement load = {"contract.load",
    "SELECT c.id, c.product, c.state, c.reissues, c.account, c.created_ms, c.ended_ms, t.role, "
    "t.email, t.wants_notice, t.profile FROM " DB_JOIN_IDS(
        "contract c", "c.id") " LEFT JOIN contact t ON t.contract = c.id ORDER BY c.id",
    "bi", "bttitiittit"};

static struct contract *read_contract(const struct db_value *v)
{
    struct uuid id = value_uuid(&v[0]);
    char product[MODEL_WORD];
    value_word(&v[1], product, sizeof product);
    struct contract *c = contract_new(&id, product);
    c->row = ROW_STORED;
    c->has_ended = bytes_equal(v[2].bytes, bytes_of_text("ended"));
    c->reissues = (uint32_t)value_int(&v[3]);
    c->account = value_text(&v[4]);
    c->created_ms = value_int(&v[5]);
    c->ended_ms = value_int(&v[6]);
    return c;
}

static void read_contact(const struct db_value *v, struct contract *c)
{
    char word[24];
    value_word(&v[7], word, sizeof word);
    const int role = policy_word_find(policy_role_words, word);
    if (role < 0)
        return;
    c->contacts[role] = (struct contact){.row = ROW_STORED,
        .email = value_text(&v[8]),
        .wants_notice = value_int(&v[9]) != 0,
        .profile = value_text(&v[10])};
}

int contract_load(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, struct contract *c), void *arg, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[11];
    struct contract *c = NULL;
    if (db_query(db, &load, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0) {
        struct uuid id = value_uuid(&row[0]);
        if (!c || !uuid_equal(&c->id, &id))
            take(arg, c = read_contract(row));
        if (row[7].type != DB_NULL)
            read_contact(row, c);
    }
    db_finish(db);
    return more;
}

static const struct statement members = {"contract.members",
    "SELECT s.id FROM " DB_JOIN_IDS_BY("subscriber s", "contract", "s.contract"), "bi", "b"};

int contract_members(struct db *db, const struct uuid *ids, size_t n,
    void (*take)(void *arg, const struct uuid *subscriber), void *arg, struct err *err)
{
    struct db_value params[] = {db_bytes(id_list_bytes(ids, n)), db_int((int64_t)n)};
    struct db_value row[1];
    if (db_query(db, &members, params, err))
        return -1;
    int more;
    while ((more = db_fetch(db, row, err)) > 0) {
        struct uuid id = value_uuid(&row[0]);
        take(arg, &id);
    }
    db_finish(db);
    return more;
}

/* --- writing --- */

static const struct statement insert = {"contract.insert",
    "INSERT INTO contract (id, product, state, reissues, account, created_ms, ended_ms, version) "
    "VALUES (?,?,?,?,?,?,?,1)",
    "bttitii", ""};
static const struct statement update = {"contract.update",
    "UPDATE contract SET state = ?, reissues = ?, account = ?, ended_ms = ? WHERE id = ?", "titib",
    ""};
static const struct statement insert_contact = {"contact.insert",
    "INSERT INTO contact (contract, role, email, wants_notice, profile) VALUES (?,?,?,?,?)",
    "bttit", ""};
static const struct statement update_contact = {"contact.update",
    "UPDATE contact SET email = ?, wants_notice = ?, profile = ? WHERE contract = ? AND role = ?",
    "titbt", ""};

static struct db_value state_of(const struct contract *c)
{
    return db_text(c->has_ended ? "ended" : "active");
}

static int write_contact(struct db *db, const struct contract *c, int role, struct err *err)
{
    const struct contact *t = &c->contacts[role];
    const struct db_value id = db_uuid(&c->id), word = db_text(policy_word(role, role));
    const struct db_value email = db_text(t->email), profile = db_text(t->profile);
    const struct db_value added[] = {id, word, email, db_int(t->wants_notice), profile};
    const struct db_value changed[] = {email, db_int(t->wants_notice), profile, id, word};
    if (!t->email || t->row == ROW_STORED)
        return 0;
    return t->row == ROW_NEW ? db_run(db, &insert_contact, added, NULL, err)
                             : db_run(db, &update_contact, changed, NULL, err);
}

static int write_one(struct db *db, const struct contract *c, struct err *err)
{
    const struct db_value added[] = {db_uuid(&c->id), db_text(c->product), state_of(c),
        db_int(c->reissues), db_text(c->account), db_int(c->created_ms),
        db_time_or_null(c->ended_ms)};
    const struct db_value changed[] = {state_of(c), db_int(c->reissues), db_text(c->account),
        db_time_or_null(c->ended_ms), db_uuid(&c->id)};
    if (c->row == ROW_NEW && db_run(db, &insert, added, NULL, err))
        return -1;
    if (c->row == ROW_CHANGED && db_run(db, &update, changed, NULL, err))
        return -1;
    for (int role = 0; role < ROLES; role++)
        if (write_contact(db, c, role, err))
            return -1;
    return 0;
}

int contract_write(struct db *db, struct contract *const *rows, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (write_one(db, rows[i], err))
            return -1;
    return 0;
}
