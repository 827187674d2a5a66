-- certq schema 3: contracts with their contacts, devices, seals of the audit, CRLs asked for.

-- ---- Contracts and contacts (C1) ----

-- What a company holds beside its certificates. version is raised by whoever decides on it (I11),
-- before the versions of its subscribers. reissues counts those since the last issue or renewal (C4).
-- account is JSON: the destination of one-time passwords (C3).
CREATE TABLE contract (
    id         BINARY(16)      NOT NULL PRIMARY KEY,
    product    VARCHAR(32)     NOT NULL,
    state      ENUM('active','ended') NOT NULL,
    version    BIGINT UNSIGNED NOT NULL,
    reissues   INT UNSIGNED    NOT NULL DEFAULT 0,
    account    MEDIUMTEXT      NULL,
    created_ms BIGINT          NOT NULL,
    ended_ms   BIGINT          NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One contact a role. profile is JSON: everything C1 lists; email and wants_notice are taken out of it
-- for the expiry scan (C9).
CREATE TABLE contact (
    contract     BINARY(16)   NOT NULL,
    role         VARCHAR(16)  NOT NULL,
    email        VARCHAR(254) NOT NULL,
    wants_notice TINYINT      NOT NULL DEFAULT 1,
    profile      MEDIUMTEXT   NOT NULL,
    PRIMARY KEY (contract, role)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The contract a subscriber was made under; it never changes.
ALTER TABLE subscriber
    ADD COLUMN contract BINARY(16) NULL,
    ADD KEY contract (contract);

-- A request about the contract itself has no subscriber (zero) and names the contract.
-- `decide` may name the job that asked.
ALTER TABLE application
    ADD COLUMN contract BINARY(16) NULL,
    ADD KEY contract (contract),
    ADD KEY job (job);

-- ---- Former addresses (B10) ----

-- Where a certificate keeps the address it was issued for, its holder proves themselves by that one, and is
-- found by it although the subscriber has another one now.
CREATE TABLE former_email (
    email      VARCHAR(254) NOT NULL,
    product    VARCHAR(32)  NOT NULL,
    subscriber BINARY(16)   NOT NULL,
    PRIMARY KEY (email, product, subscriber)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- ---- Devices (D8) ----

-- The card or computer a certificate sits on, as upstream names it; and whether its revocation was
-- asked for on line, which is what lets a card's certificate be erased.
ALTER TABLE certificate
    ADD COLUMN device VARCHAR(64) NULL,
    ADD COLUMN revoked_online TINYINT NOT NULL DEFAULT 0;

-- ---- Seals of the audit (D9) ----

-- What no seal covers yet: a row for each transaction that wrote to audit, with the ids of its lines
-- one after another. So a seal finds them by what waits, not by ids or times, which say nothing of the
-- order of commits, and the hot table has no index for it.
CREATE TABLE audit_unsealed (
    id  BINARY(16) NOT NULL PRIMARY KEY,
    ids MEDIUMBLOB NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;
INSERT INTO audit_unsealed (id, ids) SELECT id, id FROM audit;

-- Append-only like audit. members is, for each line in the order of ids, its id and the digest of its
-- content (48 bytes); hash, chain and signature are those of common/audit/seal.h.
CREATE TABLE audit_seal (
    number       BIGINT UNSIGNED NOT NULL PRIMARY KEY,
    after_number BIGINT UNSIGNED NOT NULL,
    at_ms        BIGINT          NOT NULL,
    entries      INT UNSIGNED    NOT NULL,
    first_id     BINARY(16)      NOT NULL,
    last_id      BINARY(16)      NOT NULL,
    previous     BINARY(32)      NOT NULL,
    members_hash BINARY(32)      NOT NULL,
    hash         BINARY(32)      NOT NULL,
    key_id       VARCHAR(16)     NOT NULL,
    signature    VARBINARY(128)  NOT NULL,
    members      LONGBLOB        NOT NULL,
    job          BINARY(16)      NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=ascii COLLATE=ascii_bin;

-- ---- CRLs asked for ----

-- The job of kind crl that waits for an issuer and will see every revocation committed so far; NULL:
-- none waits. Whoever revokes raises version, last in its transaction, and makes the job when there is
-- none; the job empties the row in a commit of its own before it reads a fact. So nothing is missed,
-- and a burst makes one CRL. A job that died or was cancelled is found out by the next revocation.
CREATE TABLE crl_wanted (
    issuer  VARCHAR(32)     NOT NULL PRIMARY KEY,
    version BIGINT UNSIGNED NOT NULL,
    job     BINARY(16)      NULL,
    urgent  TINYINT         NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whoever makes a CRL raises turn first, and so waits for the one before. Apart from crl_wanted: a
-- revocation never waits for a CRL.
CREATE TABLE crl_maker (
    issuer VARCHAR(32)     NOT NULL PRIMARY KEY,
    turn   BIGINT UNSIGNED NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The DER of a CRL, in pieces that fit any max_allowed_packet; those of the newest CRLs are kept.
-- What schema 2 left in crl.der stands before them.
CREATE TABLE crl_piece (
    issuer VARCHAR(32)     NOT NULL,
    number BIGINT UNSIGNED NOT NULL,
    piece  INT UNSIGNED    NOT NULL,
    der    LONGBLOB        NOT NULL,
    PRIMARY KEY (issuer, number, piece)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
