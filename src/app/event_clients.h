/* Those who listen to the events (api_events.c). */
#pragma once

#include "app/event_feed.h"

void event_clients_init(struct event_feed *feed);
/* Tells some of those who are untold what has come; true where there are more of them. */
bool event_clients_tell(struct event_feed *feed);
