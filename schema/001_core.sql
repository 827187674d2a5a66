-- certq schema 1: the queue, the domain of issue and retrieve, the registries.
-- Times are BIGINT milliseconds since 1970 UTC (column names end in _ms) and are written by the
-- programs' one clock: no statement of certq calls NOW(). Ids are 16-byte UUIDs made by the programs.
-- Statements end with a semicolon at the end of a line; `certq db migrate` runs them one by one.

-- Jobs that are not finished. Small and hot: one secondary index, and none on what changes on the
-- happy path. slot, rank: see docs/architecture.md, "Slots" and "Rank".
CREATE TABLE job (
    id          BINARY(16)        NOT NULL PRIMARY KEY,
    slot        SMALLINT UNSIGNED NOT NULL,
    `rank`      BIGINT            NOT NULL,
    kind        VARCHAR(32)       NOT NULL,
    priority    TINYINT UNSIGNED  NOT NULL,
    run_at_ms   BIGINT            NOT NULL,
    attempt     INT UNSIGNED      NOT NULL DEFAULT 0,
    failures    INT UNSIGNED      NOT NULL DEFAULT 0,
    crashes     INT UNSIGNED      NOT NULL DEFAULT 0,
    args        LONGBLOB          NOT NULL,
    fingerprint BINARY(32)        NOT NULL,
    client      VARCHAR(64)       NOT NULL,
    parent      BINARY(16)        NULL,
    error       BLOB              NULL,
    created_ms  BIGINT            NOT NULL,
    KEY slot_rank (slot, `rank`, id)
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;

-- Finished jobs for the retention period: the same id space as job (I3). Written in the transaction
-- that has the effect (I2); group_id tells whose commit won. result is JSON without secrets.
-- args is kept for dead jobs only, which an operator may retry.
CREATE TABLE job_history (
    id          BINARY(16)        NOT NULL PRIMARY KEY,
    kind        VARCHAR(32)       NOT NULL,
    state       ENUM('done','refused','dead','cancelled') NOT NULL,
    client      VARCHAR(64)       NOT NULL,
    fingerprint BINARY(32)        NOT NULL,
    group_id    BINARY(16)        NOT NULL,
    attempt     INT UNSIGNED      NOT NULL,
    failures    INT UNSIGNED      NOT NULL,
    crashes     INT UNSIGNED      NOT NULL,
    parent      BINARY(16)        NULL,
    created_ms  BIGINT            NOT NULL,
    run_at_ms   BIGINT            NOT NULL,
    finished_ms BIGINT            NOT NULL,
    result      LONGBLOB          NULL,
    followups   BLOB              NULL,
    closed      TINYINT           NOT NULL DEFAULT 0,
    priority    TINYINT UNSIGNED  NOT NULL DEFAULT 5,
    args        LONGBLOB          NULL
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;

-- Leases (I4): a broker owns a slot while it raises beat; another takes over by compare-and-set on
-- epoch. broker is the life id of the lessee, NULL when nobody holds it.
CREATE TABLE slot (
    id     SMALLINT UNSIGNED NOT NULL PRIMARY KEY,
    broker BINARY(16)        NULL,
    epoch  BIGINT UNSIGNED   NOT NULL DEFAULT 0,
    beat   BIGINT UNSIGNED   NOT NULL DEFAULT 0
) ENGINE=InnoDB;
INSERT INTO slot (id) VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9),(10),(11),(12),(13),(14),(15);

-- Brokers that live: raised with each beat, judged by other brokers on their own monotonic clocks.
CREATE TABLE broker (
    life        BINARY(16)      NOT NULL PRIMARY KEY,
    name        VARCHAR(64)     NOT NULL,
    host        VARCHAR(255)    NOT NULL,
    pid         INT UNSIGNED    NOT NULL,
    clients     VARCHAR(255)    NOT NULL,
    workers     VARCHAR(255)    NOT NULL,
    started_ms  BIGINT          NOT NULL,
    beat        BIGINT UNSIGNED NOT NULL DEFAULT 0,
    clock_epoch BIGINT UNSIGNED NOT NULL DEFAULT 0,
    kinds       TEXT            NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Kinds an operator has paused: accepted, not dispatched.
CREATE TABLE queue (
    kind      VARCHAR(32) NOT NULL PRIMARY KEY,
    paused    TINYINT     NOT NULL,
    by_name   VARCHAR(64) NOT NULL,
    at_ms     BIGINT      NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;

-- The test clock's shift; epoch rises with every set or reset.
CREATE TABLE clock (
    id       TINYINT         NOT NULL PRIMARY KEY,
    shift_ms BIGINT          NOT NULL,
    epoch    BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB;
INSERT INTO clock (id, shift_ms, epoch) VALUES (1, 0, 1);

-- Domain. An aggregate (I11) is locked by raising its version; its rows below change only under it.
CREATE TABLE subscriber (
    id          BINARY(16)      NOT NULL PRIMARY KEY,
    product     VARCHAR(32)     NOT NULL,
    unit_key    VARBINARY(400)  NOT NULL,
    email       VARCHAR(254)    NULL,
    user_id     VARCHAR(128)    NULL,
    language    CHAR(2)         NOT NULL,
    version     BIGINT UNSIGNED NOT NULL,
    password    VARCHAR(255)    NULL,
    failures    INT UNSIGNED    NOT NULL DEFAULT 0,
    locked_ms   BIGINT          NULL,
    state       ENUM('active','withdrawn') NOT NULL,
    profile     MEDIUMTEXT      NOT NULL,
    created_ms  BIGINT          NOT NULL,
    UNIQUE KEY unit (product, unit_key),
    KEY email (email),
    KEY user_id (user_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE application (
    id            BINARY(16)   NOT NULL PRIMARY KEY,
    subscriber    BINARY(16)   NOT NULL,
    certificate   BINARY(16)   NULL,
    kind          VARCHAR(32)  NOT NULL,
    state         ENUM('awaiting-approval','approved','rejected','withdrawn') NOT NULL,
    job           BINARY(16)   NOT NULL,
    chargeable    TINYINT      NULL, -- NULL: for upstream to say
    charge_reason VARCHAR(64)  NOT NULL,
    request       MEDIUMTEXT   NULL,
    decided_ms    BIGINT       NULL,
    decided_by    VARCHAR(128) NULL,
    note          TEXT         NULL,
    created_ms    BIGINT       NOT NULL,
    KEY subscriber (subscriber)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- serial is drawn when the code is issued (I7). The code is derived, never stored (I6): code_key,
-- code_generation and code_nonce say from what. root is the first certificate of a reissue chain.
CREATE TABLE certificate (
    id              BINARY(16)     NOT NULL PRIMARY KEY,
    subscriber      BINARY(16)     NOT NULL,
    application     BINARY(16)     NOT NULL,
    product         VARCHAR(32)    NOT NULL,
    issuer          VARCHAR(32)    NOT NULL,
    state           ENUM('awaiting-approval','awaiting-retrieval','valid','revoked','cancelled') NOT NULL,
    serial          VARBINARY(20)  NOT NULL,
    code_key        VARCHAR(32)    NULL,
    code_generation INT UNSIGNED   NOT NULL DEFAULT 0,
    code_nonce      BINARY(16)     NULL,
    code_issued_ms  BIGINT         NULL,
    predecessor     BINARY(16)     NULL,
    root            BINARY(16)     NOT NULL,
    not_before_ms   BIGINT         NULL,
    not_after_ms    BIGINT         NULL,
    issued_ms       BIGINT         NULL,
    request_sha256  BINARY(32)     NULL,
    spki_sha256     BINARY(32)     NULL,
    subject         VARCHAR(1024)  NULL,
    der             BLOB           NULL,
    revoked_ms      BIGINT         NULL,
    reason          TINYINT UNSIGNED NULL,
    created_ms      BIGINT         NOT NULL,
    UNIQUE KEY serial (issuer, serial),
    KEY subscriber (subscriber)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What CRLs are made of; kept until one CRL after the certificate's expiry.
CREATE TABLE revocation (
    issuer       VARCHAR(32)      NOT NULL,
    serial       VARBINARY(20)    NOT NULL,
    certificate  BINARY(16)       NOT NULL,
    revoked_ms   BIGINT           NOT NULL,
    reason       TINYINT UNSIGNED NOT NULL,
    not_after_ms BIGINT           NOT NULL,
    job          BINARY(16)       NOT NULL,
    PRIMARY KEY (issuer, serial)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Published CRLs. Numbers rise strictly and come from here, never from a clock.
CREATE TABLE crl (
    issuer         VARCHAR(32)     NOT NULL,
    number         BIGINT UNSIGNED NOT NULL,
    this_update_ms BIGINT          NOT NULL,
    next_update_ms BIGINT          NOT NULL,
    entries        BIGINT UNSIGNED NOT NULL,
    der            LONGBLOB        NOT NULL,
    job            BINARY(16)      NOT NULL,
    PRIMARY KEY (issuer, number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Mails from the moment a worker takes them; before that a mail is a job of kind mail with the same
-- id. State machine: docs/architecture.md, "The life of a mail" (I5).
CREATE TABLE mail (
    id          BINARY(16)      NOT NULL PRIMARY KEY,
    certificate BINARY(16)      NULL,
    subscriber  BINARY(16)      NULL,
    template    VARCHAR(64)     NOT NULL,
    language    CHAR(2)         NOT NULL,
    recipient   VARCHAR(254)    NOT NULL,
    generation  INT UNSIGNED    NOT NULL,
    state       ENUM('sending','deferred','sent','rejected','superseded') NOT NULL,
    holder      BINARY(16)      NULL,
    until_ms    BIGINT          NOT NULL,
    tries       INT UNSIGNED    NOT NULL,
    reply       VARCHAR(512)    NULL,
    message_id  VARCHAR(255)    NOT NULL,
    date_ms     BIGINT          NOT NULL,
    sent_ms     BIGINT          NULL,
    created_ms  BIGINT          NOT NULL,
    KEY recipient (recipient, id),
    KEY certificate (certificate)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Append-only: nobody but the administrator may UPDATE or DELETE (schema/grants.sql).
CREATE TABLE audit (
    id         BINARY(16)  NOT NULL PRIMARY KEY,
    at_ms      BIGINT      NOT NULL,
    job        BINARY(16)  NOT NULL,
    client     VARCHAR(64) NOT NULL,
    role       VARCHAR(16) NOT NULL,
    channel    VARCHAR(16) NOT NULL,
    actor      VARCHAR(128) NOT NULL,
    event      VARCHAR(48) NOT NULL,
    subject    BINARY(16)  NOT NULL,
    detail     MEDIUMTEXT  NULL,
    KEY subject (subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
