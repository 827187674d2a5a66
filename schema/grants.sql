-- Least privilege (I10), applied by `certq db migrate` after the migrations; idempotent. The names
-- in braces are replaced by the users of the configuration. Users are made by the administrator
-- (scripts/mariadb does it for demo and tests). seq_0_to_1023 is MariaDB's sequence engine, which lists
-- of ids are joined with (common/db/db.h). Rights are given, never taken away: whoever narrows a line
-- here revokes the old right in a migration, once there are databases out there. One grant a line.
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job_history TO {broker};
GRANT SELECT, UPDATE ON {database}.slot TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.broker TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.queue TO {broker};
GRANT SELECT, UPDATE ON {database}.clock TO {broker};
GRANT SELECT ON {database}.crl TO {broker};
GRANT SELECT ON {database}.crl_piece TO {broker};
GRANT SELECT, INSERT ON {database}.schedule TO {broker};
GRANT SELECT ON {database}.schema_version TO {broker};
GRANT SELECT ON {database}.seq_0_to_1023 TO {broker};

-- No UPDATE of a job: retries are the broker's. No DELETE of a revocation: nobody takes one back.
GRANT SELECT, INSERT, DELETE ON {database}.job TO {worker};
GRANT SELECT, INSERT ON {database}.job_history TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.subscriber TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.application TO {worker};
GRANT SELECT, INSERT ON {database}.former_email TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.contract TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.contact TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.certificate TO {worker};
GRANT SELECT, INSERT ON {database}.revocation TO {worker};
GRANT SELECT, INSERT ON {database}.crl TO {worker};
GRANT SELECT, INSERT, DELETE ON {database}.crl_piece TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.crl_wanted TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.crl_maker TO {worker};
GRANT SELECT ON {database}.mail TO {worker};
GRANT SELECT, INSERT ON {database}.notice TO {worker};
GRANT SELECT, INSERT ON {database}.compromised_key TO {worker};
GRANT SELECT, INSERT ON {database}.audit TO {worker};
GRANT SELECT, INSERT, DELETE ON {database}.audit_unsealed TO {worker};
GRANT SELECT, INSERT ON {database}.audit_seal TO {worker};
GRANT SELECT ON {database}.schema_version TO {worker};
GRANT SELECT ON {database}.seq_0_to_1023 TO {worker};

-- A mail worker talks to a server outside. It ends jobs and makes none; it sees of a certificate what
-- a code is derived from, and nothing of a subscriber: what a mail says is in the mail's job.
GRANT SELECT (id, attempt), DELETE ON {database}.job TO {mail};
GRANT SELECT (id, group_id), INSERT ON {database}.job_history TO {mail};
GRANT SELECT (id, state, code_key, code_generation, code_nonce) ON {database}.certificate TO {mail};
GRANT SELECT, INSERT, UPDATE ON {database}.mail TO {mail};
GRANT INSERT ON {database}.audit TO {mail};
GRANT INSERT ON {database}.audit_unsealed TO {mail};
GRANT SELECT ON {database}.schema_version TO {mail};
GRANT SELECT ON {database}.seq_0_to_1023 TO {mail};

-- For people who look: everything but args (secrets are in them, sealed), password hashes, and what
-- codes are derived from. A new table has its line here or is not seen.
GRANT SELECT (id, slot, `rank`, kind, priority, run_at_ms, attempt) ON {database}.job TO {reader};
GRANT SELECT (failures, crashes, fingerprint, client, parent, error) ON {database}.job TO {reader};
GRANT SELECT (created_ms) ON {database}.job TO {reader};
GRANT SELECT (id, kind, state, client, fingerprint, group_id) ON {database}.job_history TO {reader};
GRANT SELECT (attempt, failures, crashes, parent, created_ms) ON {database}.job_history TO {reader};
GRANT SELECT (run_at_ms, finished_ms, result, followups) ON {database}.job_history TO {reader};
GRANT SELECT (closed, priority) ON {database}.job_history TO {reader};
GRANT SELECT ON {database}.slot TO {reader};
GRANT SELECT ON {database}.broker TO {reader};
GRANT SELECT ON {database}.queue TO {reader};
GRANT SELECT ON {database}.clock TO {reader};
GRANT SELECT (id, product, unit_key, email, user_id, language) ON {database}.subscriber TO {reader};
GRANT SELECT (version, failures, locked_ms, state, profile) ON {database}.subscriber TO {reader};
GRANT SELECT (created_ms, contract) ON {database}.subscriber TO {reader};
GRANT SELECT ON {database}.application TO {reader};
GRANT SELECT ON {database}.contract TO {reader};
GRANT SELECT ON {database}.contact TO {reader};
GRANT SELECT (id, subscriber, application, product, issuer) ON {database}.certificate TO {reader};
GRANT SELECT (state, serial, code_key, code_generation) ON {database}.certificate TO {reader};
GRANT SELECT (code_issued_ms, predecessor, root) ON {database}.certificate TO {reader};
GRANT SELECT (not_before_ms, not_after_ms, issued_ms) ON {database}.certificate TO {reader};
GRANT SELECT (request_sha256, spki_sha256, subject, der) ON {database}.certificate TO {reader};
GRANT SELECT (revoked_ms, reason, created_ms, noticed_days) ON {database}.certificate TO {reader};
GRANT SELECT (device, revoked_online) ON {database}.certificate TO {reader};
GRANT SELECT ON {database}.revocation TO {reader};
GRANT SELECT ON {database}.crl TO {reader};
GRANT SELECT ON {database}.crl_piece TO {reader};
GRANT SELECT ON {database}.crl_wanted TO {reader};
GRANT SELECT ON {database}.crl_maker TO {reader};
GRANT SELECT ON {database}.mail TO {reader};
GRANT SELECT ON {database}.audit TO {reader};
GRANT SELECT ON {database}.audit_unsealed TO {reader};
GRANT SELECT ON {database}.audit_seal TO {reader};
GRANT SELECT ON {database}.seq_0_to_1023 TO {reader};
GRANT SELECT ON {database}.schema_version TO {reader};
