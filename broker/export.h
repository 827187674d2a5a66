/*
 * Writes the newest CRLs of the database into the folder crl_folder, from where others publish
 * them: the worker that made one does so at once, this makes sure of it (the worker died, runs on
 * another host, the disk was full). Looks every EXPORT_EVERY_MS, at the desk. What it writes and
 * why it may not is pki/crl_file.h's. Also keeps the gauge of what is left until nextUpdate.
 */
#ifndef CERTQ_BROKER_EXPORT_H
#define CERTQ_BROKER_EXPORT_H

#include <stddef.h>

#define EXPORT_EVERY_MS 2000

struct broker;
struct exports;

struct exports *exports_new(size_t issuers);
void exports_free(struct exports *e);
/* Once a turn. */
void exports_turn(struct broker *b);

#endif
