#include "support/mariadb.h"

#include "base/file.h"
#include "base/mem.h"
#include "db/migrate.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GONE_WITHIN_MS 60000

struct mariadb {
    char *folder, *socket, *option, *value;
    int guardian; /* the guardian reads the other end and acts when this one closes */
    pid_t guardian_pid;
};

__attribute__((noreturn)) static void give_up(const char *what, const char *detail)
{
    fprintf(stderr, "tests/support/mariadb: %s: %s\n", what, detail);
    exit(70);
}

/* The server's pid, or 0 when the folder has none. */
static pid_t server_pid(const char *folder)
{
    char path[512], line[32] = "";
    snprintf(path, sizeof path, "%s/mariadbd.pid", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    return n > 0 ? (pid_t)strtol(line, NULL, 10) : 0;
}

static void kill_and_wait(const char *folder)
{
    const pid_t pid = server_pid(folder);
    int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (fd < 0)
        return;
    kill(pid, SIGKILL);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    if (poll(&ended, 1, GONE_WITHIN_MS) != 1)
        give_up(folder, "the server does not die");
    close(fd);
}

/* Waits for a start that is under way (scripts/mariadb holds the lock), kills, removes. */
static void remove_folder(const char *folder)
{
    char path[512];
    snprintf(path, sizeof path, "%s/lock", folder);
    const int lock = open(path, O_RDWR | O_CLOEXEC);
    if (lock >= 0)
        flock(lock, LOCK_EX);
    kill_and_wait(folder);
    const pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", "--", folder, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    if (lock >= 0)
        close(lock);
}

/* Runs until the test program is gone, then removes what it left. Own session: ^C spares it. */
__attribute__((noreturn)) static void guard(int pipe_end, const char *folder)
{
    setsid();
    signal(SIGPIPE, SIG_IGN);
    dup2(pipe_end, 3);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    close_range(4, ~0U, 0);
    char byte;
    while (read(3, &byte, 1) > 0)
        ;
    /* More than once, for a start whose script had not come as far as its lock. */
    for (int tries = 0; tries < 20 && access(folder, F_OK) == 0; tries++) {
        remove_folder(folder);
        poll(NULL, 0, tries * 50);
    }
    _exit(0);
}

static void start_guardian(struct mariadb *m)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        give_up("guardian", "no pipe");
    m->guardian_pid = fork();
    if (m->guardian_pid < 0)
        give_up("guardian", "no fork");
    if (m->guardian_pid == 0)
        guard(ends[0], m->folder);
    close(ends[0]);
    m->guardian = ends[1];
}

static void run_script(struct mariadb *m, const char *verb)
{
    char *const arguments[] = {CERTQ_SOURCE_DIR "/scripts/mariadb", (char *)(uintptr_t)verb,
        m->folder, "--small", m->option, m->value, NULL};
    const pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 0);
        dup2(null, 1);
        unsetenv("LD_PRELOAD");
        execv(arguments[0], arguments);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        give_up("scripts/mariadb", verb);
}

struct mariadb *mariadb_start(const char *option, const char *value)
{
    const char *root = getenv("TMPDIR");
    struct mariadb *m = MEM_NEW(struct mariadb);
    m->folder = mem_printf("%s/certq-test-XXXXXX", root && *root ? root : "/tmp");
    if (!mkdtemp(m->folder))
        give_up(m->folder, "cannot be made");
    m->socket = mem_printf("%s/mariadb.sock", m->folder);
    m->option = mem_text(option);
    m->value = mem_text(value);
    start_guardian(m);
    run_script(m, "start");
    return m;
}

void mariadb_free(struct mariadb *m)
{
    if (!m)
        return;
    close(m->guardian);
    waitpid(m->guardian_pid, NULL, 0);
    free(m->folder);
    free(m->socket);
    free(m->option);
    free(m->value);
    free(m);
}

const char *mariadb_folder(const struct mariadb *m)
{
    return m->folder;
}

const char *mariadb_socket(const struct mariadb *m)
{
    return m->socket;
}

char *mariadb_password(const struct mariadb *m, const char *user)
{
    AUTO_TEXT path = mem_printf("%s/passwords/%s", m->folder, user);
    AUTO_BUF content = {0};
    struct err err;
    if (file_read(path, 256, &content, &err))
        give_up(user, err.text);
    return buf_take_text(&content);
}

void mariadb_kill(struct mariadb *m)
{
    kill_and_wait(m->folder);
}

void mariadb_stop(struct mariadb *m)
{
    run_script(m, "stop");
}

void mariadb_again(struct mariadb *m)
{
    run_script(m, "start");
}

struct db *mariadb_open(
    const struct mariadb *m, const char *user, const char *database, int lock_wait_s)
{
    AUTO_TEXT password = mariadb_password(m, user);
    AUTO(db)
    db = db_new(&(struct db_options){.socket = m->socket,
        .name = database,
        .user = user,
        .password = password,
        .lock_wait_s = lock_wait_s,
        .timeout_s = 60});
    struct err err;
    if (db_open(db, &err))
        give_up(user, err.text);
    return TAKE(db);
}

void mariadb_migrate(struct mariadb *m, const char *database)
{
    AUTO(db) db = mariadb_open(m, "certq_admin", NULL, 0);
    const struct migrate_users users = {.broker = "certq_broker",
        .worker = "certq_worker",
        .mail = "certq_mail",
        .reader = "certq_reader"};
    struct err err;
    if (migrate_run(db, CERTQ_SOURCE_DIR "/schema", database, &users, NULL, NULL, &err))
        give_up("migrate", err.text);
}

void mariadb_do(struct db *db, const char *sql)
{
    struct err err;
    if (db_execute(db, bytes_of_text(sql), &err))
        give_up(sql, err.text);
}

int64_t mariadb_number(const struct mariadb *m, const char *database, const char *sql)
{
    AUTO(db) db = mariadb_open(m, "certq_admin", database, 0);
    const struct statement s = {.name = "test.number", .sql = sql, .columns = "i"};
    struct db_value column = db_null();
    struct err err;
    if (db_query(db, &s, NULL, &err) || db_fetch(db, &column, &err) < 0)
        give_up(sql, err.text);
    return column.type == DB_INT ? column.integer : -1;
}
