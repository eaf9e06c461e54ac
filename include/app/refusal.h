/* Questions to Redis whose answer can be done without for once, and asked again later: that one is not
 * allowed must not stay unseen, since it then never comes. */
#pragma once

struct daemon;

/* Logs, limited, where REPLY (a redisReply, may be NULL) says that our user may not do WHAT. */
void refusal_tell(struct daemon *d, const char *what, const void *reply);
