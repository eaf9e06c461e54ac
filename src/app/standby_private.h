/* What the files of standing by share. */
#pragma once

#include "app/standby.h"

/* standby_pass.c: reads all that has changed, and calls standby_on_pass. */
void standby_pass(struct standby *s);
/* The same once the lease is ours, with all that is only read then; calls lead_on_loaded. */
void standby_last_pass(struct standby *s);

/* A pass is through. */
void standby_on_pass(struct standby *s);
/* Something is missing: what is held is of no use. */
void standby_give_up(struct standby *s, const char *why);
/* What was to be read again for the page at work is forgotten: it has been, or the page comes again. */
void standby_forget_page(struct standby *s);
