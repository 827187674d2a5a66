-- Least privilege (I10), applied by `certq db migrate` after the migrations; idempotent. The names
-- in braces are replaced by the users of the configuration. Users are made by the administrator
-- (scripts/mariadb does it for demo and tests). seq_0_to_1023 is MariaDB's sequence engine, which lists
-- of ids are joined with (common/db/db.h).
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job_history TO {broker};
GRANT SELECT, UPDATE ON {database}.slot TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.broker TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.queue TO {broker};
GRANT SELECT, UPDATE ON {database}.clock TO {broker};
GRANT SELECT ON {database}.crl TO {broker};
GRANT SELECT ON {database}.schema_version TO {broker};
GRANT SELECT ON {database}.seq_0_to_1023 TO {broker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job TO {worker};
GRANT SELECT, INSERT ON {database}.job_history TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.subscriber TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.application TO {worker};
GRANT SELECT, INSERT, UPDATE ON {database}.certificate TO {worker};
GRANT SELECT, INSERT, DELETE ON {database}.revocation TO {worker};
GRANT SELECT, INSERT ON {database}.crl TO {worker};
GRANT SELECT ON {database}.mail TO {worker};
GRANT SELECT, INSERT ON {database}.audit TO {worker};
GRANT SELECT ON {database}.schema_version TO {worker};
GRANT SELECT ON {database}.seq_0_to_1023 TO {worker};
GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.job TO {mail};
GRANT SELECT, INSERT ON {database}.job_history TO {mail};
GRANT SELECT ON {database}.subscriber TO {mail};
GRANT SELECT ON {database}.certificate TO {mail};
GRANT SELECT, INSERT, UPDATE ON {database}.mail TO {mail};
GRANT INSERT ON {database}.audit TO {mail};
GRANT SELECT ON {database}.schema_version TO {mail};
GRANT SELECT ON {database}.seq_0_to_1023 TO {mail};
GRANT SELECT ON {database}.* TO {reader};
