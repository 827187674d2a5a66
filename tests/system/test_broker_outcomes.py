"""What becomes of jobs whose worker ends them, dies, lies or is silent."""
import json
import unittest
import uuid

import cqw
from broker_case import DONE, BrokerCase
from harness import new_id, until


class Outcomes(BrokerCase):
    def one(self, worker, kind="noop", **more):
        id = self.client.submit(kind, {}, **more)
        group = worker.take()
        self.assertEqual([j.id for j in group.jobs], [id])
        return id, group

    def test_refused_is_the_end(self):
        worker = self.worker()
        id, group = self.one(worker)
        error = {"code": "not-allowed", "message": "no", "fields": {"a": "b"}}
        cqw.complete(self.stack, group, "refused", error)
        worker.report(group, cqw.REFUSED, error)
        self.assertEqual(self.client.done(id), {"id": id, "state": "refused", "error": error})

    def test_failed_is_tried_again_and_then_dead(self):
        worker = self.worker()
        id, group = self.one(worker)
        for attempt in range(1, 3):
            worker.report(group, cqw.FAILED, {"code": "smtp", "message": "try later"})
            group = worker.take()
            self.assertEqual((group.jobs[0].attempt, group.jobs[0].failures), (attempt, attempt))
        worker.report(group, cqw.FAILED, {"code": "smtp", "message": "the last word"})
        answer = self.client.done(id)
        self.assertEqual((answer["state"], answer["error"]["message"]), ("dead", "the last word"))
        self.assertEqual(self.state(id), ["dead"])
        # An operator puts it back.
        self.assertEqual(self.op("certq.job", op="retry", ids=[id])["result"]["jobs"], [{"id": id, "state": "ready"}])
        group = worker.take()
        self.assertEqual((group.jobs[0].id, group.jobs[0].failures), (id, 0))
        self.finish(worker, group)
        until("done", lambda: self.state(id) == ["done"])
        retried = self.op("certq.job", op="retry", ids=[id])["result"]["jobs"][0]
        self.assertEqual(retried["error"]["code"], "conflict")

    def test_busy_and_unseen_come_again(self):
        worker = self.worker()
        id, group = self.one(worker)
        for outcome in (cqw.BUSY, cqw.BUSY, cqw.UNSEEN, cqw.UNSEEN):
            worker.report(group, outcome)
            group = worker.take()
            self.assertEqual((group.jobs[0].id, group.jobs[0].attempt), (id, 0))
        self.finish(worker, group)
        self.assertEqual(self.client.done(id)["state"], "done")

    def test_unseen_for_good_ends_by_looking(self):
        worker = self.worker()
        id, group = self.one(worker)
        self.stack.sql(f"DELETE FROM job WHERE id = 0x{uuid.UUID(id).hex}")  # somebody's hand
        def bounce():
            g = worker.take(0.1)
            if g:
                worker.report(g, cqw.UNSEEN)
            return self.metric("certq_jobs_vanished_total") == 1
        worker.report(group, cqw.UNSEEN)
        until("it is given up", bounce)
        self.assertEqual(self.client.done(id)["error"]["code"], "not-found")

    def test_finished_elsewhere_is_read_from_history(self):
        worker = self.worker()
        id, group = self.one(worker)
        cqw.complete(self.stack, group, result={"by": "another"})
        worker.report(group, cqw.FINISHED)
        self.assertEqual(self.client.done(id)["result"], {"by": "another"})

    def test_stale_reads_the_row_again(self):
        worker = self.worker()
        id, group = self.one(worker)
        self.stack.sql(f"UPDATE job SET attempt = 7 WHERE id = 0x{uuid.UUID(id).hex}")
        worker.report(group, cqw.STALE)
        group = worker.take()
        self.assertEqual(group.jobs[0].attempt, 7)
        self.finish(worker, group)
        self.assertEqual(self.client.done(id)["state"], "done")

    def test_reports_that_lie(self):
        worker = self.worker(credit=1)
        held = self.client.submit("noop", {})  # takes the credit, so that the next two share a group
        first = worker.take()
        ids = [self.client.submit("noop", {"n": n}) for n in range(2)]
        for id in ids:
            self.client.accepted(id)
        self.finish(worker, first)
        group = worker.take()
        self.assertEqual({j.id for j in group.jobs}, set(ids))
        stranger = self.client.submit("noop", {}, at="2099-01-01T00:00:00Z")
        self.client.accepted(stranger)
        # One member left out, one that is not of the group, one that is nobody's.
        cqw.complete(self.stack, group, result=DONE, ids=[ids[0]])
        worker.report(group, results={ids[0]: (cqw.DONE, DONE), stranger: (cqw.DONE, DONE), new_id(): (cqw.DONE, DONE)})
        again = worker.take()
        self.assertEqual([j.id for j in again.jobs], [ids[1]])
        worker.report(group)  # twice
        self.finish(worker, again, result="no object")
        self.assertEqual(self.client.done(ids[0])["result"], DONE)
        self.assertEqual(self.client.done(ids[1])["state"], "done")
        self.assertEqual(self.client.done(held)["state"], "done")
        self.assertEqual(self.state(stranger), ["job"])
        self.op("certq.job", op="cancel", ids=[stranger])

    def test_followups_come_with_the_report(self):
        worker = self.worker("noop", "mail")
        id, group = self.one(worker)
        mail = new_id()
        job = group.jobs[0]
        args = {"template": "t"}
        self.stack.sql("INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, parent, "
                       f"created_ms) VALUES (0x{uuid.UUID(mail).hex}, {job.slot}, {job.rank}, 'mail', 5, {job.run_at}, "
                       f"'{json.dumps(args)}', 0x{'00' * 32}, 'local', 0x{uuid.UUID(id).hex}, {job.created})")
        cqw.complete(self.stack, group, result=DONE)
        worker.report(group, result=DONE, followups=[
            cqw.pack_job("mail", mail, job.slot, 5, job.rank, job.run_at, job.created, args, parent=id)])
        group = worker.take(2)  # the head of the slot is read every 30 s: this came from the report
        self.assertEqual((group.kind, group.jobs[0].id, group.jobs[0].parent), ("mail", mail, id))
        shown = self.op("certq.job", op="cancel", ids=[mail])["result"]["jobs"][0]
        self.assertEqual(shown["error"]["code"], "forbidden")
        self.finish(worker, group)
        until("sent", lambda: self.state(mail) == ["done"])

    def test_followups_of_a_lost_report_are_found_in_history(self):
        worker = self.worker("noop", "mail")
        id, group = self.one(worker)
        mail, job = new_id(), group.jobs[0]
        self.stack.sql("INSERT INTO job (id, slot, `rank`, kind, priority, run_at_ms, args, fingerprint, client, "
                       f"created_ms) VALUES (0x{uuid.UUID(mail).hex}, {job.slot}, {job.rank}, 'mail', 5, {job.run_at}, "
                       f"'{{}}', 0x{'00' * 32}, 'local', {job.created})")
        cqw.complete(self.stack, group, result=DONE)
        self.stack.sql(f"UPDATE job_history SET followups = 0x{uuid.UUID(mail).hex} WHERE id = 0x{uuid.UUID(id).hex}")
        worker.die()
        second = self.worker("noop", "mail")
        # The crash cannot be written down, since the job has ended: so the broker looks.
        self.assertEqual(self.client.done(id)["result"], DONE)
        group = second.take(5)
        self.assertEqual((group.kind, group.jobs[0].id), ("mail", mail))
        self.finish(second, group)

    def test_a_lost_group_goes_out_singly_and_only_the_lonely_crash(self):
        worker = self.worker(credit=1)
        first = self.client.submit("noop", {})
        group = worker.take()
        ids = [self.client.submit("noop", {"n": n}) for n in range(3)]
        for id in ids:
            self.client.accepted(id)
        self.finish(worker, group)
        group = worker.take()
        self.assertEqual({j.id for j in group.jobs}, set(ids))
        poison = ids[1]
        worker.die()
        for crash in range(3):  # each worker that takes the poison dies of it
            worker = self.worker(credit=1)
            while True:
                group = worker.take(40)
                self.assertIsNotNone(group)
                self.assertEqual(len(group.jobs), 1)
                if group.jobs[0].id == poison:
                    self.assertEqual(group.jobs[0].crashes, crash)
                    break
                self.assertEqual(group.jobs[0].crashes, 0)
                self.finish(worker, group)
            worker.drop(group) if crash == 1 else worker.die()  # heartbeats without it, or none at all
            if crash == 1:
                until("it is missed", lambda: f"ev=group.lost group={group.id}" in self.broker.log())
                worker.bye()
        answer = self.client.done(poison, 40)
        self.assertEqual((answer["state"], answer["error"]["code"]), ("dead", "crashed"))
        worker = self.worker()
        def drain():
            g = worker.take(0.1)
            if g:
                self.finish(worker, g)
            return all(self.state(id) == ["done"] for id in ids if id != poison)
        until("the others are done", drain)
        self.assertEqual(self.client.done(first)["state"], "done")

    def test_a_worker_that_takes_leave_crashes_nothing(self):
        worker = self.worker()
        id, group = self.one(worker)
        worker.bye()
        second = self.worker()
        again = second.take()
        self.assertEqual((again.jobs[0].id, again.jobs[0].crashes), (id, 0))
        self.finish(second, again)
        self.assertEqual(self.client.done(id)["state"], "done")


if __name__ == "__main__":
    unittest.main()
