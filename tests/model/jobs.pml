/*
 * Accept, dispatch, completion and adoption (docs/architecture.md, "The life of a job"; docs/broker.md): two
 * brokers and two workers around one database, where any of them may die, be slow for as long as it likes, or
 * not hear what became of its commit. Written from common/db/job_accept.c, job_effect.c, job_change.c,
 * broker/outcomes.c, changes.c, questions.c, slots.c and workers/runner.c.
 *
 * What is checked, for every interleaving within the budgets below:
 *   I1  told ACCEPTED: the row or its history is committed
 *   I2  an effect is committed once, a failure is counted once
 *   I3  an id is in job or in job_history, never in both
 *   I4  an epoch of the slot is one broker's; when nothing moves any more, every row has ended
 *   I11 no two transactions decide on the aggregate from one version of it
 *
 * Who is paused is not scheduled; a lease that ran out, or a group given up, while its holder lives is a move
 * taken early (EARLY). The fence (no dispatch after 6 s without a beat) is left out on purpose: nothing here
 * may lean on a clock. A transaction whose client is gone goes on in the server and ends either way, at any
 * time. Guards can be taken away one by one (-DNO_...), to see that spin notices: model.py does.
 */
#ifndef JOBS
#define JOBS 1
#endif
#ifndef SENDS
#define SENDS 2 /* of each job by its client, to any broker */
#endif
#ifndef DEATHS
#define DEATHS 1 /* of brokers and workers together */
#endif
#ifndef LOST
#define LOST 1 /* commits without an answer */
#endif
#ifndef EARLY
#define EARLY 1 /* leases and groups given up while their holder lives */
#endif
#ifndef FAILS
#define FAILS 0 /* groups that fail */
#endif
#ifdef NO_ATTEMPT_GUARD
#define IS_ATTEMPT(j, a) true
#else
#define IS_ATTEMPT(j, a) (attempt[j] == (a))
#endif
#ifdef NO_EPOCH_CHECK
#define IS_EPOCH(e) true
#else
#define IS_EPOCH(e) (slot_epoch == (e))
#endif
#ifdef NO_DELETE_CHECK
#define ROW_IS_THERE(j) skip
#else
#define ROW_IS_THERE(j) assert(row[j])
#endif
#define BROKERS 2
#define WORKERS 2
#define NOBODY 255
#define BROKER(b) (WORKERS + (b)) /* who holds a lock; a worker is its number */
#define GONE(w) (10 + (w))        /* a transaction whose client is gone */

/* ---- the database ---- */

bool row[JOBS], done[JOBS]; /* job; job_history */
byte attempt[JOBS], failures[JOBS], winner[JOBS], row_lock[JOBS];
byte aggregate_lock = NOBODY, version;
byte slot_owner = NOBODY, slot_epoch; /* owner: a broker's life */
bool pending[WORKERS]; /* its COMMIT is under way, and nobody waits for the answer */
byte pending_job[WORKERS], pending_from[WORKERS];

/* ---- what only the checker knows ---- */

byte effects[JOBS];
byte failed[JOBS], decided, taken; /* bits: by attempt, by version, by epoch */
byte deaths, lost, early, fails;
bool alive[2 * BROKERS]; /* by life: a broker's number, and again when it is born again */
bool die_worker[WORKERS], die_broker[BROKERS], busy[WORKERS];
byte away[BROKERS * JOBS]; /* bits: groups on the wire or with workers, for nobody uses an id twice */

/* ---- the wire ---- */

mtype = { DONE, FAILED, BUSY, UNSEEN, FINISHED, STALE }; /* outcomes */
mtype = { ABSENT, READY, RUNNING };                      /* in a broker's memory */
chan requests[BROKERS] = [2] of { byte };                /* job */
chan work[WORKERS] = [1] of { byte, byte, byte, byte };  /* job, attempt, broker, group */
chan reports[BROKERS] = [4] of { mtype, byte, byte };    /* outcome, job, group */

proctype client(byte j)
{
    byte n = 0;
    do
    :: n < SENDS -> n++;
        if
        :: requests[0]!j
        :: requests[1]!j
        fi
    :: break
    od
}

/* Completion: the row goes, history comes, all of it or none. */
inline complete(j, w, from)
{
    assert(!(decided & (1 << from))); /* I11 */
    decided = decided | (1 << from);
    ROW_IS_THERE(j);
    row[j] = false;
    done[j] = true;
    winner[j] = w;
    effects[j]++;
    assert(effects[j] == 1); /* I2 */
    version++;
    row_lock[j] = NOBODY
}

inline end_pending(w)
{
    if
    :: complete(pending_job[w], w, pending_from[w]) /* the COMMIT had arrived */
    :: row_lock[pending_job[w]] = NOBODY
    fi;
    if
    :: aggregate_lock == GONE(w) -> aggregate_lock = NOBODY
    :: else
    fi;
    pending_job[w] = 0; pending_from[w] = 0;
    pending[w] = false
}

active proctype server()
{
end:
    do
    :: atomic { pending[0] -> end_pending(0) }
    :: atomic { pending[1] -> end_pending(1) }
    od
}

/* ---- workers ---- */

inline roll_back(who)
{
    for (k : 0 .. JOBS - 1) {
        if
        :: row_lock[k] == who -> row_lock[k] = NOBODY
        :: else
        fi
    }
    k = 0;
    if
    :: aggregate_lock == who -> aggregate_lock = NOBODY
    :: else
    fi
}

proctype worker(byte w)
{
    byte j, mine, b, from, group, k;
    mtype outcome;
end_life:
    {
end:
    do
    :: atomic { work[w]?j, mine, b, group -> busy[w] = true }
again: /* job_lock_rows: SKIP LOCKED; what is left is told apart by job, then by history */
        atomic {
            if
            :: done[j] && !row[j] -> outcome = FINISHED
            :: !done[j] && !row[j] -> outcome = UNSEEN
#ifdef NO_ROW_LOCK
            :: row[j] -> outcome = DONE
#else
            :: row[j] && row_lock[j] != NOBODY -> outcome = BUSY
            :: row[j] && row_lock[j] == NOBODY && !IS_ATTEMPT(j, mine) -> outcome = STALE
            :: row[j] && row_lock[j] == NOBODY && IS_ATTEMPT(j, mine) -> row_lock[j] = w; outcome = DONE
#endif
            fi
        }
        if
        :: outcome != DONE -> goto report
        :: else
        fi;
        atomic { /* UPDATE … SET version = version + 1 waits for who has the aggregate */
#ifndef NO_VERSION_RAISE
            aggregate_lock == NOBODY -> aggregate_lock = w;
#endif
            from = version
        }
        if
        :: atomic { fails < FAILS -> fails++; failed[j] = failed[j] | (1 << mine); roll_back(w);
            outcome = FAILED }
            goto report
        :: skip
        fi;
        if
        :: atomic { /* committed, and told so */
#ifdef NO_ROW_LOCK
            if
#ifndef NO_DELETE_CHECK
            :: !row[j] -> goto again /* DELETE found nothing */
#endif
#ifndef NO_HISTORY_KEY
            :: done[j] -> goto again /* job_history's primary key */
#endif
            :: else
            fi;
#endif
            complete(j, w, from);
            roll_back(w) } /* the locks go */
        :: atomic { lost < LOST && !pending[w] -> lost++;
            if
            :: row_lock[j] == w -> row_lock[j] = GONE(w)
            :: else
            fi;
            if
            :: aggregate_lock == w -> aggregate_lock = GONE(w)
            :: else
            fi;
            pending_job[w] = j; pending_from[w] = from;
            pending[w] = true }
            atomic { /* look_who_won waits for the row's lock, and asks history for this group */
#ifndef NO_WAIT_FOR_END
                row_lock[j] != GONE(w) ->
#endif
                if
                :: done[j] && winner[j] == w
                :: else -> goto again
                fi
            }
        fi;
report: atomic { /* advice: it is lost with who would have read it */
            reports[b]!outcome, j, group;
            busy[w] = false;
            j = 0; mine = 0; b = 0; from = 0; group = 0; k = 0; outcome = 0 }
    od
    } unless { atomic { die_worker[w] -> die_worker[w] = false;
        if
        :: busy[w] -> away[b * JOBS + j] = away[b * JOBS + j] & ~group
        :: else
        fi;
        busy[w] = false; roll_back(w); j = 0; mine = 0; b = 0; from = 0; group = 0; outcome = 0 } }
    goto end_life
}

/* ---- brokers ---- */

/* A plain read of the row: a page of the backlog, ask_fate, ask_rows. */
inline look(j)
{
    with[j] = 0;
    if
    :: row[j] && holds -> state[j] = READY; at[j] = attempt[j]
    :: else -> state[j] = ABSENT; at[j] = 0
    fi
}

inline look_at_all()
{
    for (k : 0 .. JOBS - 1) {
        if
        :: state[k] != RUNNING -> look(k)
        :: else
        fi
    }
    k = 0
}

inline forget_all()
{
    for (k : 0 .. JOBS - 1) {
        state[k] = ABSENT; at[k] = 0; with[k] = 0
    }
    k = 0
}

/* job_change RETRY: of this attempt, and not while somebody has the row locked. */
inline count_failure(j)
{
    if
    :: row[j] && row_lock[j] == NOBODY && IS_ATTEMPT(j, at[j]) -> attempt[j]++; failures[j]++
    :: else
    fi;
    assert(failures[j] <= (failed[j] & 1) + ((failed[j] >> 1) & 1) + ((failed[j] >> 2) & 1)) /* I2 */
}

#define DISPATCH(j, w) \
    :: atomic { holds && state[j] == READY && empty(work[w]) && away[b * JOBS + j] < 7 -> \
        next = (away[b * JOBS + j] & 1 -> (away[b * JOBS + j] & 2 -> 4 : 2) : 1); \
        away[b * JOBS + j] = away[b * JOBS + j] | next; \
        work[w]!j, at[j], b, next; state[j] = RUNNING; with[j] = next; next = 0 }

/* A group is lost when its worker does not have it, or only seems not to. */
#define GIVE_UP(j) \
    :: atomic { state[j] == RUNNING && away[b * JOBS + j] == 0 -> look(j) } \
    :: atomic { state[j] == RUNNING && away[b * JOBS + j] > 0 && early < EARLY -> early++; look(j) }

#ifdef NO_HEADS
#define READ_HEAD(j)
#else
#define READ_HEAD(j) \
    :: atomic { holds && row[j] && row_lock[j] == NOBODY && state[j] == ABSENT -> look(j) }
#endif

proctype broker(byte b)
{
    mtype state[JOBS], outcome;
    byte at[JOBS], with[JOBS] /* group */, life = b, j, w, k, epoch, next;
    bool holds;
    forget_all();
end_born:
    {
end:
    do
    /* --- accept: look up, insert, then read history in the same transaction, commit --- */
    :: atomic { requests[b]?j ->
store:
            if
            :: row[j] -> goto stored
#ifdef NO_LATE_LOOK
            :: !row[j] && done[j] -> goto stored /* wrong: history before the insert */
            :: !row[j] && !done[j]
#else
            :: else
#endif
            fi }
        atomic { /* the insert waits for a lock on its key, and may find a duplicate */
            row_lock[j] == NOBODY ->
            if
            :: row[j] -> goto store
            :: else -> row_lock[j] = BROKER(b)
            fi }
#ifndef NO_LATE_LOOK
        atomic {
            if
            :: done[j] -> row_lock[j] = NOBODY; goto stored /* taken back */
            :: else
            fi }
#endif
#ifdef NO_COMMIT_FIRST
        assert(row[j] || done[j]); /* I1, told too early */
#endif
        if
        :: atomic { row[j] = true; attempt[j] = 0; row_lock[j] = NOBODY;
            if
            :: holds && state[j] == ABSENT -> state[j] = READY; at[j] = 0 /* jobs_put */
            :: else
            fi }
        :: atomic { lost < LOST -> lost++; row[j] = true; attempt[j] = 0; row_lock[j] = NOBODY }
            goto store /* the answer was lost: run again, and found to be there */
        :: atomic { lost < LOST -> lost++; row_lock[j] = NOBODY }
            goto store /* or not */
        fi;
stored:
        atomic {
            assert(row[j] || done[j]);    /* I1 */
            assert(!(row[j] && done[j])); /* I3 */
            j = 0 }

    /* --- leases: free, of a dead lessee, or of one that only stood still --- */
    :: atomic { !holds && slot_owner != life && slot_epoch < 7 && (slot_owner == NOBODY
#ifndef NO_ADOPTION
        || !alive[slot_owner]
#endif
        || early < EARLY) ->
            if
            :: slot_owner != NOBODY && alive[slot_owner] -> early++
            :: else
            fi;
            epoch = slot_epoch }
        atomic { /* compare and set */
            if
            :: !IS_EPOCH(epoch)
            :: IS_EPOCH(epoch) -> assert(!(taken & (1 << epoch))); /* I4 */
                taken = taken | (1 << epoch);
                slot_owner = life; slot_epoch++; holds = true;
                look_at_all()
            fi;
            epoch = 0 }
    :: atomic { holds && slot_owner != life -> holds = false; forget_all() } /* the keeper read it */

    READ_HEAD(0)
    DISPATCH(0, 0)
    DISPATCH(0, 1)
    GIVE_UP(0)
#if JOBS > 1
    READ_HEAD(1)
    DISPATCH(1, 0)
    DISPATCH(1, 1)
    GIVE_UP(1)
#endif

    /* --- reports: advice; late ones, of groups given up, are not heard --- */
    :: atomic { reports[b]?outcome, j, w -> away[b * JOBS + j] = away[b * JOBS + j] & ~w;
        if
        :: state[j] != RUNNING || with[j] != w
        :: state[j] == RUNNING && with[j] == w && outcome == DONE -> state[j] = ABSENT; at[j] = 0;
            with[j] = 0
        :: state[j] == RUNNING && with[j] == w && outcome == FAILED -> count_failure(j);
            if /* its commit's answer was lost: the clerk makes it again */
            :: lost < LOST -> lost++; count_failure(j)
            :: skip
            fi;
            look(j)
        :: state[j] == RUNNING && with[j] == w && outcome != DONE && outcome != FAILED -> look(j)
        fi;
        j = 0; w = 0; outcome = 0 }
    od
    } unless { atomic { die_broker[b] -> die_broker[b] = false;
        roll_back(BROKER(b)); forget_all();
        do
        :: reports[b]?outcome, j, w -> away[b * JOBS + j] = away[b * JOBS + j] & ~w
        :: empty(reports[b]) -> break
        od;
        holds = false; j = 0; w = 0; epoch = 0; outcome = 0;
        alive[life] = false; life = life + BROKERS; alive[life] = true } }
    goto end_born
}

/* SIGKILL, at any moment; who comes after it is another life. */
active proctype reaper()
{
end:
    do
    :: atomic { deaths < DEATHS && busy[0] -> deaths++; die_worker[0] = true }
    :: atomic { deaths < DEATHS && busy[1] -> deaths++; die_worker[1] = true }
    :: atomic { deaths < DEATHS && alive[0] -> deaths++; die_broker[0] = true; alive[0] = false }
    :: atomic { deaths < DEATHS && alive[1] -> deaths++; die_broker[1] = true; alive[1] = false }
    od
}

init
{
    byte j;
    atomic {
        alive[0] = true; alive[1] = true;
        for (j : 0 .. JOBS - 1) {
            row_lock[j] = NOBODY;
            run client(j)
        }
        run worker(0); run worker(1);
        run broker(0); run broker(1)
    }
    timeout; /* nothing moves any more */
    for (j : 0 .. JOBS - 1) {
        assert(!row[j]); /* I4: no orphan */
        assert(effects[j] == done[j])
    }
}
