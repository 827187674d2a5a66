-- certq schema 2: what the lifecycle needs beyond issue and retrieve.

-- ---- Expiry notices and schedules ----

-- noticed_days is the nearest threshold (days before expiry) that the expiry scan has seen to, 65535
-- for none yet. Whoever is due at a threshold is one range of the index `due` for each nearer or
-- missing mark before it, so that a scan costs what is due and not what there is.
ALTER TABLE certificate
    ADD COLUMN noticed_days SMALLINT UNSIGNED NOT NULL DEFAULT 65535,
    ADD KEY due (product, noticed_days, not_after_ms, id);

-- One row for each certificate, threshold and recipient: a mail that was queued, or why there was
-- none. recipient is an address; where there is none, the word of the policy (`subscriber`). Written
-- in one transaction with certificate.noticed_days and the mail's job (X3).
CREATE TABLE notice (
    certificate BINARY(16)        NOT NULL,
    threshold   SMALLINT UNSIGNED NOT NULL,
    recipient   VARCHAR(254)      NOT NULL,
    product     VARCHAR(32)       NOT NULL,
    state       ENUM('queued','skipped') NOT NULL,
    reason      VARCHAR(16)       NULL,
    mail        BINARY(16)        NULL,
    job         BINARY(16)        NOT NULL,
    created_ms  BIGINT            NOT NULL,
    PRIMARY KEY (certificate, threshold, recipient),
    KEY job (job)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row for each tick of a schedule in certq.yaml that was run, in the transaction that enqueues
-- its job: however many brokers see the tick, one of them runs it.
CREATE TABLE schedule (
    schedule   VARCHAR(64) NOT NULL,
    tick_ms    BIGINT      NOT NULL,
    job        BINARY(16)  NOT NULL,
    broker     BINARY(16)  NOT NULL,
    created_ms BIGINT      NOT NULL,
    PRIMARY KEY (schedule, tick_ms)
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;

-- ---- Compromised keys ----

-- Keys that were reported compromised, by the SHA-256 of their SubjectPublicKeyInfo: no certificate
-- is ever issued for one again, whoever asks.
CREATE TABLE compromised_key (
    spki_sha256 BINARY(32) NOT NULL PRIMARY KEY,
    certificate BINARY(16) NOT NULL,
    job         BINARY(16) NOT NULL,
    reported_ms BIGINT     NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;
