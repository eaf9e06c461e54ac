#include "app/refusal.h"
#include "adapters/log.h"
#include "adapters/redis_link.h"
#include "app/daemon.h"
#include <hiredis/hiredis.h>

void refusal_tell(struct daemon *d, const char *what, const void *reply)
{
    const redisReply *answer = reply;
    if (!answer || answer->type != REDIS_REPLY_ERROR)
        return;
    struct slice text = slice_of(answer->str, answer->len);
    if (redis_error_classify(text) == REDIS_ERROR_NOPERM)
        LOG_LIMITED(d->log, ERROR, slice_text(what), "redis does not allow what is asked of it",
                    log_text("command", what), log_slice("error", text));
}
