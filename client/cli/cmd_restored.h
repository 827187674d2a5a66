/* certq db restored. */
#ifndef CERTQ_CLI_CMD_RESTORED_H
#define CERTQ_CLI_CMD_RESTORED_H

struct cli;
struct args;
struct db;

/* With the administrator's connection and the database chosen; returns the exit status. */
int db_restored(struct cli *cli, const struct args *args, struct db *db);

#endif
