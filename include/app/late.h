/* Signals whose time is over: finds out which are still in their stream, then lets the ledger end them. */
#pragma once

struct ingest;

/* Looks for late signals if no look is under way. */
void late_look(struct ingest *in);
