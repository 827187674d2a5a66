/*
 * One mail and two mail workers (docs/architecture.md, "The life of a mail"; I5): marked before SMTP, its fate
 * stored after it with the completion of its job. Workers die or stand still at any moment, the database ends
 * their connections and loses the answers of commits, the mail server takes the mail, refuses it, puts it off,
 * or breaks off without a word. Written from workers/kinds/mail.c, mail_mark.c, mail_fate.c, mail_batch.c.
 *
 * What is checked:
 *   I5  stored as sent: the server has taken it; as rejected: it has refused it; a worker leaves it alone while
 *       another one's mark holds; a code that is no longer current when the mail is marked is not sent
 *   I4  the job ends (ltl ends, under fairness), and the mail then has a fate
 *
 * The broker does its worst: it gives the job to any worker at any time. A transaction is one step, since the
 * job's row is locked all through it (who comes meanwhile is told busy, and comes again). A mark holds until
 * its worker's life is gone, seen by the named lock of its connection, or its deadline is past. Sending ends
 * long before that on the worker's own clock, so the deadline passes when the holder is gone, or stands
 * still (STILL). The text, Message-ID and Date are the job's, so each copy is the same by
 * construction; how many there may be is what is seen here.
 */
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef LOST
#define LOST 1 /* answers of commits, and connections that end while nothing is under way */
#endif
#ifndef STILL
#define STILL 1 /* workers that stand still, in SMTP or before it, until their mark's deadline is past */
#endif
#ifndef TROUBLE
#define TROUBLE 1 /* times the mail server does not answer 250 */
#endif
#define NOBODY 255

mtype = { NONE, SENDING, DEFERRED, SENT, REJECTED, SUPERSEDED }; /* the row of `mail` */
mtype = { NOT_SENT, DELIVERED, REFUSED, TEMPORARY, DOUBT };      /* what SMTP says */

bool done; /* the job: waiting, then in job_history */
mtype mail = NONE;
byte holder = NOBODY;
bool expired;          /* the mark's deadline is past */
bool held[2];          /* a life's named lock: its connection stands */
bool is_current = true; /* the code's generation */

/* What only the checker knows. */
bool taken, refused, excused; /* excused: a mark stopped holding while its worker was at it */
byte deaths, lost, still, trouble, in_smtp = NOBODY;
bool die[2], busy[2], sending[2];
chan work[2] = [1] of { bit };

active proctype broker()
{
end:
    do
    :: atomic { !done && empty(work[0]) && !busy[0] -> work[0]!1 }
    :: atomic { !done && empty(work[1]) && !busy[1] -> work[1]!1 }
    od
}

/* It no longer keeps others off: what they do meanwhile is excused. */
inline let_go(w)
{
    if
    :: holder == w && mail == SENDING -> excused = true;
        in_smtp = (in_smtp == w -> NOBODY : in_smtp)
    :: else
    fi
}

active proctype world()
{
end:
    do
    :: atomic { mail == SENDING && !expired && (!busy[holder] || still < STILL) ->
        still = (busy[holder] -> still + 1 : still);
        let_go(holder);
        expired = true }
#ifndef CODE_STAYS
    :: atomic { is_current -> is_current = false }
#endif
    :: atomic { lost < LOST && held[0] -> lost++; held[0] = false; let_go(0) }
    :: atomic { lost < LOST && held[1] -> lost++; held[1] = false; let_go(1) }
    :: atomic { deaths < DEATHS && busy[0] -> deaths++; die[0] = true }
    :: atomic { deaths < DEATHS && busy[1] -> deaths++; die[1] = true }
    od
}

#ifdef NO_MARK
#define IS_ELSEWHERE(w) false
#else
#define IS_ELSEWHERE(w) (mail == SENDING && holder != (w) && !expired && held[holder])
#endif
#ifdef NO_HOLDER_CHECK
#define IS_MARKED(w) true
#else
#define IS_MARKED(w) (mail == SENDING && holder == (w))
#endif
#ifdef NO_CODE_CHECK
#define IS_SUPERSEDED false
#else
#define IS_SUPERSEDED (!is_current)
#endif
#ifdef NO_DOUBT
#define IS_DELIVERED(f) (f == DELIVERED || f == DOUBT)
#else
#define IS_DELIVERED(f) (f == DELIVERED)
#endif

proctype worker(byte w)
{
    mtype fate = NOT_SENT;
    bool is_ours;
end_life:
    {
end:
    do
    :: atomic { work[w]?1 -> busy[w] = true }
mark:   atomic { /* BEGIN … COMMIT */
            held[w] = true;
            is_ours = false;
            if
            :: done /* finished */
            :: !done && IS_ELSEWHERE(w) /* busy */
            :: !done && !IS_ELSEWHERE(w) && (mail == SENT || mail == REJECTED || mail == SUPERSEDED) ->
                done = true /* by an earlier attempt, which could not complete its job */
            :: !done && !IS_ELSEWHERE(w) && (mail == NONE || mail == SENDING || mail == DEFERRED) ->
                if
                :: IS_SUPERSEDED -> mail = SUPERSEDED; holder = NOBODY; done = true
                :: !IS_SUPERSEDED -> assert(is_current);
#ifdef SENT_FIRST
                    mail = SENT; done = true; /* wrong: told before it is so */
#else
                    mail = SENDING; holder = w; expired = false;
#endif
                    is_ours = true
                fi
            fi }
        if
        :: true
        :: atomic { lost < LOST -> lost++; held[w] = false; let_go(w) } /* committed, not told */
            goto mark
        fi;
        if
        :: !is_ours -> goto out
        :: atomic { is_ours && expired && mail == SENDING && holder == w -> fate = NOT_SENT }
            goto store /* no mail is begun so late */
        :: atomic { is_ours ->
            assert(in_smtp == NOBODY || excused); /* I5: left alone */
            assert(mail != SENT || excused
#ifdef SENT_FIRST
                || true
#endif
                );
            in_smtp = w; sending[w] = true }
        fi;
        atomic {
            if
            :: taken = true; fate = DELIVERED
            :: trouble < TROUBLE -> trouble++; refused = true; fate = REFUSED
            :: trouble < TROUBLE -> trouble++; fate = TEMPORARY
            :: trouble < TROUBLE -> trouble++; fate = DOUBT
            :: trouble < TROUBLE -> trouble++; taken = true; fate = DOUBT
            fi;
            sending[w] = false;
            in_smtp = (in_smtp == w -> NOBODY : in_smtp) }
store:  atomic { /* BEGIN … COMMIT */
            held[w] = true;
#ifdef SENT_FIRST
            goto out;
#endif
            if
            :: IS_DELIVERED(fate) && (!done || IS_MARKED(w)) -> assert(taken); /* I5 */
                mail = SENT; holder = NOBODY; done = true
            :: fate == REFUSED && (!done || IS_MARKED(w)) -> assert(refused);
                mail = REJECTED; holder = NOBODY; done = true
            :: !IS_DELIVERED(fate) && fate != REFUSED && IS_MARKED(w) -> mail = DEFERRED; holder = NOBODY
            :: else
            fi }
        if
        :: true
        :: atomic { lost < LOST -> lost++; held[w] = false }
            goto store /* committed, not told: run again, it finds what it did */
        fi;
out:    atomic { busy[w] = false; is_ours = false; fate = NOT_SENT }
    od
    } unless { atomic { die[w] -> die[w] = false; held[w] = false; let_go(w); busy[w] = false;
        sending[w] = false; in_smtp = (in_smtp == w -> NOBODY : in_smtp); is_ours = false; fate = NOT_SENT } }
    goto end_life
}

init
{
    atomic { run worker(0); run worker(1) }
    timeout;
    assert(done);
    assert((mail == SENT && taken) || (mail == REJECTED && refused) || mail == SUPERSEDED)
}

#ifdef ENDS
ltl ends { <> done }
#endif
