/*
 * Checking the audit against its seals (`certq audit verify`): the chain, every signature, every
 * line, and the file outside. Reads one snapshot of the database as any user who may read it; the
 * time follows the lines there are, the memory is 16 bytes a line.
 */
#ifndef CERTQ_AUDIT_CHECK_H
#define CERTQ_AUDIT_CHECK_H

#include "audit/key.h"
#include "db/db.h"

enum audit_fault {
    AUDIT_CHANGED,      /* a line is not what was sealed */
    AUDIT_MOVED,        /* a line holds what another line held */
    AUDIT_REMOVED,      /* a sealed line, or one that waits for a seal, is gone */
    AUDIT_ADDED,        /* a line that nobody announced: in no seal and not waiting for one */
    AUDIT_SEAL_CHANGED, /* a seal's hash, list or signature is wrong */
    AUDIT_SEAL_REMOVED, /* numbers are missing, or the chain is broken before it */
    AUDIT_SEAL_CUT,     /* the file has it, the database does not */
    AUDIT_SEAL_DIFFERS, /* the file has another one of that number */
    AUDIT_FILE_LACKS,   /* the file skips it; 0: there is no file, and there are seals */
    AUDIT_RESTORE,      /* no fault: seals were lost with a restore that was written down */
    AUDIT_FILE_BEHIND,  /* no fault: the newest seals are not in the file yet */
    AUDIT_FILE_LINE,    /* no fault: a line of the file is no seal (a crash cut it short) */
    AUDIT_FAULTS
};
const char *audit_fault_name(enum audit_fault fault);
bool audit_fault_is_note(enum audit_fault fault);

struct audit_finding {
    enum audit_fault fault;
    uint64_t seal;           /* 0: none */
    struct uuid line, other; /* zero: none */
    const char *text;        /* a sentence */
};
typedef void audit_finding_visit(void *context, const struct audit_finding *finding);

struct audit_report {
    uint64_t seals, lines, waiting; /* lines: those sealed and found as they were */
    uint64_t last_seal, file_last;  /* numbers; 0: none */
    int64_t last_ms;                /* when the last seal was made */
    uint64_t faults, notes;
};
/* `file` NULL: not looked at. Findings, as they come, are no errors. */
int audit_check(struct db *db, const struct audit_checker *keys, const char *file,
    audit_finding_visit *visit, void *context, struct audit_report *ret, struct err *err) MUST_USE;

#endif
