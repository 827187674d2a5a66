/* The connection: opening, session, transactions, named locks. Statements: statement.c, bulk.c. */
#include "db/db.h"

#include "base/mem.h"
#include "db/inside.h"

#include <assert.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#define TIMEOUT_DEFAULT_S 30
#define LOCK_WAIT_DEFAULT_S 3
/* A server may think for timeout_s; a network that acknowledges nothing is given up sooner. */
enum { CONNECT_TIMEOUT_S = 5, NETWORK_TIMEOUT_S = 8, NETWORK_IDLE_S = 4, NETWORK_PROBE_S = 2 };

static void library_init(void)
{
    mysql_server_init(0, NULL, NULL);
}

struct db *db_new(const struct db_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_init);
    struct db *db = MEM_NEW(struct db);
    db->socket = mem_text(options->socket);
    db->host = mem_text(options->host);
    db->port = options->port;
    db->name = mem_text(options->name);
    db->user = mem_text(options->user);
    db->tls_ca = mem_text(options->tls_ca);
    if (options->password)
        db->password = secret_new(options->password, strlen(options->password));
    db->lock_wait_s = options->lock_wait_s > 0 ? options->lock_wait_s : LOCK_WAIT_DEFAULT_S;
    db->timeout_s = options->timeout_s > 0 ? options->timeout_s : TIMEOUT_DEFAULT_S;
    return db;
}

void db_free(struct db *db)
{
    if (!db)
        return;
    db_close(db);
    free(db->socket);
    free(db->host);
    free(db->name);
    free(db->user);
    free(db->tls_ca);
    secret_free(db->password);
    free(db);
}

void db_make_transactional(struct db *db)
{
    assert(!db->mysql);
    db->transactional = true;
}

static MYSQL *new_handle(const struct db *db)
{
    MYSQL *m = mysql_init(NULL);
    assert(m);
    const unsigned seconds = (unsigned)db->timeout_s, none = 0;
    const unsigned connect_s = seconds < CONNECT_TIMEOUT_S ? seconds : CONNECT_TIMEOUT_S;
    const unsigned long packet = 0x3fffffff;
    const my_bool no = 0, yes = 1;
    mysql_optionsv(m, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_optionsv(m, MYSQL_OPT_READ_TIMEOUT, &seconds);
    mysql_optionsv(m, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
    mysql_optionsv(m, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(m, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(m, MYSQL_OPT_LOCAL_INFILE, &none);
    mysql_optionsv(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (db->tls_ca && !db->socket) {
        mysql_optionsv(m, MYSQL_OPT_SSL_CA, db->tls_ca);
        mysql_optionsv(m, MYSQL_OPT_SSL_ENFORCE, &yes);
        mysql_optionsv(m, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
    return m;
}

static const struct statement set_session = {.name = "session.set",
    .sql = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,"
           "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION', "
           "time_zone = '+00:00', tx_isolation = 'READ-COMMITTED', autocommit = ?, "
           "idle_transaction_timeout = 10, lock_wait_timeout = 60, innodb_lock_wait_timeout = ?",
    .params = "ii"};
/* Galera: see what was committed on any node before reading (docs/architecture.md). */
static const struct statement set_causal = {
    .name = "session.causal", .sql = "SET SESSION wsrep_sync_wait = 7"};
static const struct statement read_packet = {
    .name = "session.packet", .sql = "SELECT @@max_allowed_packet", .columns = "i"};

static int set_up(struct db *db, struct err *err)
{
    const struct db_value values[] = {db_int(!db->transactional), db_int(db->lock_wait_s)};
    if (db_run(db, &set_session, values, NULL, err))
        return -1;
    db->lock_wait_now_s = db->lock_wait_s;
    struct err ignored;
    if (db_run(db, &set_causal, NULL, NULL, &ignored) && !db->mysql) {
        *err = ignored; /* a server built without Galera has no such variable: then it is not one */
        return -1;
    }
    struct db_value column;
    if (db_query(db, &read_packet, NULL, err) || db_fetch(db, &column, err) < 0)
        return -1;
    db->packet_bytes = (size_t)column.integer;
    db_finish(db);
    return 0;
}

/*
 * A cut network says nothing: without this a statement would wait for timeout_s, and an idle
 * connection that died would be found out by the next statement, after as long. The server is asked
 * for signs of life when nothing was said for a while; what it does not acknowledge ends the
 * connection (RFC 5482, RFC 1122 4.2.3.6). A kernel that refuses leaves it to timeout_s.
 */
static void watch_network(const struct db *db, MYSQL *m)
{
    static const struct {
        int level, option, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, NETWORK_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, NETWORK_PROBE_S},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, NETWORK_TIMEOUT_S * 1000},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(options) && !db->socket; i++)
        setsockopt((int)mysql_get_socket(m), options[i].level, options[i].option, &options[i].value,
            sizeof options[i].value);
}

int db_open(struct db *db, struct err *err)
{
    if (db->mysql)
        return 0;
    MYSQL *m = new_handle(db);
    const char *host = db->socket ? NULL : db->host;
    if (!mysql_real_connect(m, host, db->user, db->password ? (const char *)db->password->data : "",
            db->name, db->port, db->socket, CLIENT_FOUND_ROWS)) {
        err_set(err, ERR_TEMPORARY, "unavailable", "database %s: %s (%u)",
            db->socket ? db->socket : db->host, mysql_error(m), mysql_errno(m));
        mysql_close(m);
        return -1;
    }
    watch_network(db, m);
    db->mysql = m;
    db->was_open = true;
    if (set_up(db, err)) {
        db_close(db);
        return err_context(err, "database session");
    }
    return 0;
}

bool db_is_open(const struct db *db)
{
    return db->mysql != NULL;
}

static void forget_prepared(struct db *db)
{
    for (size_t i = 0; i < DB_PREPARED_MOST; i++) {
        prepared_free(db->prepared[i]);
        db->prepared[i] = NULL;
    }
    db->prepared_count = 0;
}

void db_close(struct db *db)
{
    if (db->mysql) /* first, so that statements are freed without a word to the server */
        mysql_close(db->mysql);
    db->mysql = NULL;
    forget_prepared(db);
    db->reading = NULL;
}

int db_ready(struct db *db, struct err *err)
{
    if (db->mysql)
        return 0;
    if (!db->was_open)
        return db_open(db, err);
    return err_set(err, ERR_TEMPORARY, "unavailable", "the connection to the database was lost");
}

/* Sends one text statement and drops what it answers. */
static int send_text(struct db *db, const char *sql, size_t length)
{
    assert(!db->reading);
    if (mysql_real_query(db->mysql, sql, (unsigned long)length))
        return -1;
    MYSQL_RES *result = mysql_store_result(db->mysql);
    if (result)
        mysql_free_result(result);
    return mysql_errno(db->mysql) ? -1 : 0;
}

static int last_fault(struct db *db, const char *what, struct err *err)
{
    return db_fault(db, what, mysql_errno(db->mysql), mysql_error(db->mysql), err);
}

int db_lock_wait(struct db *db, int seconds, struct err *err)
{
    static const struct statement set = {.name = "session.lock-wait",
        .sql = "SET SESSION innodb_lock_wait_timeout = ?",
        .params = "i"};
    const struct db_value value = db_int(seconds);
    if (db_ready(db, err))
        return -1;
    if (db->lock_wait_now_s == seconds)
        return 0;
    if (db_run(db, &set, &value, NULL, err))
        return -1;
    db->lock_wait_now_s = seconds;
    return 0;
}

int db_begin(struct db *db, struct err *err)
{
    if (db_ready(db, err))
        return -1;
    if (db->transactional)
        return 0;
    return send_text(db, "BEGIN", 5) ? last_fault(db, "begin", err) : 0;
}

int db_commit(struct db *db, struct err *err)
{
    if (db_ready(db, err)) /* lost before COMMIT was sent: rolled back */
        return -1;
    if (send_text(db, "COMMIT", 6))
        return db_commit_fault(db, mysql_errno(db->mysql), mysql_error(db->mysql), err);
    return 0;
}

void db_rollback(struct db *db)
{
    if (!db->mysql)
        return;
    db_finish(db);
    if (send_text(db, "ROLLBACK", 8))
        db_close(db);
}

struct db_value db_text(const char *text)
{
    if (!text)
        return db_null();
    return (struct db_value){.type = DB_TEXT, .bytes = bytes_of_text(text)};
}

int db_execute(struct db *db, struct bytes sql, struct err *err)
{
    if (db_ready(db, err))
        return -1;
    assert(!db->reading);
    forget_prepared(db); /* USE would leave them with the tables of the database before */
    if (send_text(db, (const char *)sql.data, sql.length))
        return last_fault(db, "statement", err);
    return 0;
}

/* One row with one number, SQL NULL read as -1. */
static int ask_number(struct db *db, const struct statement *s, const struct db_value *params,
    int64_t *ret, struct err *err)
{
    struct db_value column;
    if (db_query(db, s, params, err) || db_fetch(db, &column, err) < 0)
        return -1;
    *ret = column.type == DB_INT ? column.integer : -1;
    db_finish(db);
    return 0;
}

int db_hold(struct db *db, const char *name, struct err *err)
{
    static const struct statement hold = {
        .name = "lock.hold", .sql = "SELECT GET_LOCK(?, 0)", .params = "t", .columns = "i"};
    const struct db_value param = db_text(name);
    int64_t got;
    if (ask_number(db, &hold, &param, &got, err))
        return -1;
    if (got != 1)
        return err_set(err, ERR_CONFLICT, NULL, "the lock %s is held by somebody else", name);
    return 0;
}

int db_is_held(struct db *db, const char *name, bool *ret, struct err *err)
{
    static const struct statement free_lock = {
        .name = "lock.free", .sql = "SELECT IS_FREE_LOCK(?)", .params = "t", .columns = "i"};
    const struct db_value param = db_text(name);
    int64_t is_free;
    if (ask_number(db, &free_lock, &param, &is_free, err))
        return -1;
    *ret = is_free == 0;
    return 0;
}
