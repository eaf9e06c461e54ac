/* How a large batch is stored: a look at all that the script would check, then MULTI, the operations, EXEC
 * (codec/batch.h, docs/decisions/0018-large-batches.md).
 *
 * It knows one way only. Whatever is not as it should be, before or behind, is left to the script, whose
 * answer says what it is. */
#pragma once

#include <stdbool.h>

struct commit;

/* Begins with the batch that C has to send. False where the link takes nothing now. It ends in one of
 * commit_on_transacted, commit_send_script or, where the link is lost, in none of them. */
bool transaction_begin(struct commit *c);
