/* links: workers support */
/*
 * The line to the database is cut once at every single thing a worker says, before the server hears
 * it and after: each kind of decision is done all the same, once, and nobody pays for it with a
 * wrong refusal.
 */
#include "kinds_lab.h"
#include "support/proxy.h"

static struct worker *calm, *cut;
static struct proxy *proxy;

static int start(void **state)
{
    if (lab_start(state))
        return -1;
    lab_write("second.yaml", "product: second\nextends: association\n"); /* looked into as well */
    calm = lab_worker();
    cut = lab_worker();
    proxy = proxy_start(lab.server);
    db_free(cut->db);
    cut->db = proxy_db(proxy, "certq_worker", LAB_DATABASE);
    return 0;
}

static int stop(void **state)
{
    worker_free(calm);
    worker_free(cut);
    proxy_free(proxy);
    return lab_stop(state);
}

struct person {
    char *email, *certificate, *code, *csr;
};

/* Somebody with a code, and a certificate when it is to be reissued. */
static struct person person_of(bool retrieves)
{
    static unsigned number;
    struct person p = {.email = mem_printf("lost%u@example.jp", number++), .csr = new_csr()};
    p.certificate = apply(calm, "association", p.email);
    p.code = code_of(calm, p.certificate);
    if (retrieves) {
        AUTO_TEXT answer =
            run_one(calm, KIND_RETRIEVE, retrieval(p.email, PASSWORD, p.code, p.csr), NULL, NULL);
        assert_string_equal(answer, "done");
    }
    return p;
}

static void person_clear(struct person *p)
{
    free(p->email);
    free(p->certificate);
    free(p->code);
    free(p->csr);
}

static struct ask ask_issue(const struct person *p)
{
    AUTO_TEXT other = mem_printf("new-%s", p->email);
    return ask_of(application("association", other));
}

static struct ask ask_retrieve(const struct person *p)
{
    return retrieval(p->email, PASSWORD, p->code, p->csr);
}

static struct ask ask_lookup(const struct person *p)
{
    struct ask a = ask_of(json_of("{'email': '%s'}", p->email));
    seal_into(&a, "password", PASSWORD);
    seal_into(&a, "code", p->code);
    return a;
}

static struct ask ask_reissue(const struct person *p)
{
    struct ask a = ask_lookup(p);
    json_object_set_new(a.args, "reason", json_string("lost"));
    return a;
}

static struct ask ask_revoke(const struct person *p)
{
    return revocation(p->certificate);
}

/*
 * Until the job is not handed back: a new connection may find its row locked by the one that was
 * cut, as long as the server has not missed that one.
 */
static char *run_out(enum kind_id kind, const struct ask *a)
{
    for (int64_t end = clock_monotonic_ms() + 10000;;) {
        char *answer = run_one(cut, kind, (struct ask){a->id, json_deep_copy(a->args)}, NULL, NULL);
        if (strcmp(answer, "busy") != 0 || clock_monotonic_ms() > end)
            return answer;
        free(answer);
    }
}

static void check_rows(const struct ask *a, bool durable)
{
    char hex[33];
    uuid_format_hex(&a->id, hex);
    assert_int_equal(
        number("SELECT COUNT(*) FROM job_history WHERE id = x'%s' AND state = 'done'", hex),
        durable);
    assert_int_equal(number("SELECT COUNT(*) FROM job WHERE id = x'%s'", hex), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM subscriber WHERE failures > 0"), 0);
    assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE event = 'credentials.failed'"), 0);
}

/* One run with the line cut at the n-th message; false when there were not so many. */
static bool run_cut_at(enum kind_id kind, struct ask (*make)(const struct person *p),
    bool retrieves, unsigned n, bool is_heard)
{
    struct person p = person_of(retrieves);
    struct ask a = make(&p);
    struct err err = {0};
    must(db_open(cut->db, &err), &err);
    const unsigned connections = proxy_connections(proxy);
    proxy_cut_at(proxy, n, is_heard);
    AUTO_TEXT answer = run_out(kind, &a);
    proxy_cut_at(proxy, 0, false);
    if (strcmp(answer, "done") != 0 && strcmp(answer, "finished") != 0)
        fail_msg(
            "%s, cut %s message %u: %s", kind_name(kind), is_heard ? "after" : "before", n, answer);
    check_rows(&a, kind_of(kind)->durable);
    json_decref(a.args);
    person_clear(&p);
    return proxy_connections(proxy) > connections;
}

static void cut_everywhere(
    enum kind_id kind, struct ask (*make)(const struct person *p), bool retrieves)
{
    unsigned n = 1;
    while (run_cut_at(kind, make, retrieves, n, false) & run_cut_at(kind, make, retrieves, n, true))
        n++;
    print_message("%s: cut at each of %u messages\n", kind_name(kind), n - 1);
    assert_in_range(n, 5, 100);
}

static void issue_is_cut(void **state UNUSED)
{
    cut_everywhere(KIND_ISSUE, ask_issue, false);
    assert_int_equal(
        number("SELECT COUNT(*) FROM subscriber"), number("SELECT COUNT(*) FROM application"));
}

static void retrieve_is_cut(void **state UNUSED)
{
    cut_everywhere(KIND_RETRIEVE, ask_retrieve, false);
}

static void lookup_is_cut(void **state UNUSED)
{
    cut_everywhere(KIND_LOOKUP, ask_lookup, true);
}

static void reissue_is_cut(void **state UNUSED)
{
    cut_everywhere(KIND_REISSUE, ask_reissue, true);
    assert_int_equal(number("SELECT COUNT(*) FROM (SELECT predecessor FROM certificate WHERE "
                            "predecessor IS NOT NULL GROUP BY predecessor HAVING COUNT(*) > 1) x"),
        0);
}

static void revoke_is_cut(void **state UNUSED)
{
    cut_everywhere(KIND_REVOKE, ask_revoke, true);
}

/* What a broker dispatches by a report must be what others read from the row: a mail's Date is made
 * of it (I5). */
static void a_report_s_followups_are_their_rows(void **state UNUSED)
{
    for (size_t i = 0; i < 10; i++) {
        struct err err = {0};
        char hex[33];
        AUTO_TEXT email = mem_printf("row%zu@example.jp", i);
        struct ask a = ask_of(application("association", email));
        AUTO(group) g = run_jobs(calm, lab.broker, KIND_ISSUE, &a, 1);
        struct worker_report r;
        must(worker_report_parse(buf_bytes(&g->report), &r, &err), &err);
        assert_int_equal(r.followup_count, 1);
        const struct job *f = &r.followups[0];
        uuid_format_hex(&f->id, hex);
        assert_int_equal(number("SELECT created_ms FROM job WHERE id = x'%s'", hex), f->created_ms);
        assert_int_equal(number("SELECT run_at_ms FROM job WHERE id = x'%s'", hex), f->run_at_ms);
        assert_int_equal(number("SELECT `rank` FROM job WHERE id = x'%s'", hex), f->rank);
        worker_report_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issue_is_cut),
        cmocka_unit_test(retrieve_is_cut),
        cmocka_unit_test(lookup_is_cut),
        cmocka_unit_test(reissue_is_cut),
        cmocka_unit_test(revoke_is_cut),
        cmocka_unit_test(a_report_s_followups_are_their_rows),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
