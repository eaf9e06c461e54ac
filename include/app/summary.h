/* The one line of SIGUSR1: everything counted, and how it stands now (SPEC §1.1). */
#pragma once

struct daemon;

void summary_tell(struct daemon *d);
