"""The lines of scripts/bench: each bar's function, in the order they run."""
import lines_bulk
import lines_queue
import lines_work
import peers

LINES = {
    "P1": lines_queue.accept,
    "P2": lines_queue.noop,
    "P3": lines_work.issue,
    "P4": lines_queue.submit,
    "P5": lines_work.retrieve,
    "P6": lines_work.sign,
    "P7": lines_bulk.mail,
    "P8": lines_bulk.scan,
    "P9": lines_bulk.crl,
    "P10": lines_queue.backlog,
    "P11": lines_work.scale,
    "P12": lines_queue.burst,
}
PEERS = {"peers": peers.peers}
