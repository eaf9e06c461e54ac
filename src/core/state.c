/* Names of states, health and launch modes, and what a report may do to a state. */
#include "core/state.h"

#include "util/macros.h"

static const char *const state_names[INSTANCE_STATES] = {
    [STATE_RUNNING] = "running",
    [STATE_STOPPED] = "stopped",
    [STATE_CRASHED] = "crashed",
    [STATE_RESTARTING] = "restarting",
};

static const char *const health_names[HEALTHS] = {
    [HEALTH_HEALTHY] = "healthy",
    [HEALTH_WARNING] = "warning",
    [HEALTH_CRITICAL] = "critical",
};

static const char *const launch_mode_names[] = {
    [LAUNCH_AUTO] = "auto",
    [LAUNCH_MANUAL] = "manual",
};

struct transition {
    bool is_allowed;
    enum event_kind event;
    enum event_kind event_was_crashed; /* where it had crashed before it was restarting */
};

#define REFUSED                                                                                              \
    {                                                                                                        \
        false, EVENT_NONE, EVENT_NONE                                                                        \
    }
#define ALLOWED(event)                                                                                       \
    {                                                                                                        \
        true, event, event                                                                                   \
    }

/* By the state left, one up (the first row: new), and the state entered. */
static const struct transition transitions[1 + INSTANCE_STATES][INSTANCE_STATES] = {
    [1 + STATE_NONE] =
        {
            [STATE_RUNNING] = ALLOWED(EVENT_INSTANCE_STARTED),
            [STATE_STOPPED] = ALLOWED(EVENT_NONE),
            [STATE_CRASHED] = ALLOWED(EVENT_INSTANCE_FAILED),
            [STATE_RESTARTING] = ALLOWED(EVENT_INSTANCE_RESTARTING),
        },
    [1 + STATE_RUNNING] =
        {
            [STATE_RUNNING] = REFUSED,
            [STATE_STOPPED] = ALLOWED(EVENT_INSTANCE_STOPPED),
            [STATE_CRASHED] = ALLOWED(EVENT_INSTANCE_FAILED),
            [STATE_RESTARTING] = ALLOWED(EVENT_INSTANCE_RESTARTING),
        },
    [1 + STATE_STOPPED] =
        {
            [STATE_RUNNING] = ALLOWED(EVENT_INSTANCE_STARTED),
            [STATE_STOPPED] = REFUSED,
            [STATE_CRASHED] = REFUSED,
            [STATE_RESTARTING] = ALLOWED(EVENT_INSTANCE_RESTARTING),
        },
    [1 + STATE_CRASHED] =
        {
            [STATE_RUNNING] = ALLOWED(EVENT_INSTANCE_RECOVERED),
            [STATE_STOPPED] = ALLOWED(EVENT_INSTANCE_STOPPED),
            [STATE_CRASHED] = REFUSED,
            [STATE_RESTARTING] = ALLOWED(EVENT_INSTANCE_RESTARTING),
        },
    [1 + STATE_RESTARTING] =
        {
            [STATE_RUNNING] = {true, EVENT_INSTANCE_STARTED, EVENT_INSTANCE_RECOVERED},
            [STATE_STOPPED] = ALLOWED(EVENT_INSTANCE_STOPPED),
            [STATE_CRASHED] = ALLOWED(EVENT_INSTANCE_FAILED),
            [STATE_RESTARTING] = REFUSED,
        },
};

const char *instance_state_name(enum instance_state state)
{
    return state == STATE_NONE ? NULL : state_names[state];
}

const char *health_name(enum health health)
{
    return health_names[health];
}

const char *launch_mode_name(enum launch_mode mode)
{
    return launch_mode_names[mode];
}

/* The index of TEXT among NAMES, any case; -1 where it is none of them. */
static int name_find(const char *const *names, size_t count, struct slice text)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is_nocase(text, names[i]))
            return (int)i;
    }
    return -1;
}

bool instance_state_parse(struct slice text, enum instance_state *ret_state)
{
    int found = slice_is_nocase(text, "failed") ? (int)STATE_CRASHED
                                                : name_find(state_names, ARRAY_LEN(state_names), text);

    if (found < 0)
        return false;
    *ret_state = (enum instance_state)found;
    return true;
}

bool health_parse(struct slice text, enum health *ret_health)
{
    int found = name_find(health_names, ARRAY_LEN(health_names), text);

    if (found < 0)
        return false;
    *ret_health = (enum health)found;
    return true;
}

bool launch_mode_parse(struct slice text, enum launch_mode *ret_mode)
{
    int found = name_find(launch_mode_names, ARRAY_LEN(launch_mode_names), text);

    if (found < 0)
        return false;
    *ret_mode = (enum launch_mode)found;
    return true;
}

bool transition_find(enum instance_state from, enum instance_state to, bool was_crashed,
                     enum event_kind *ret_event)
{
    const struct transition *row = &transitions[1 + (int)from][to];

    if (!row->is_allowed)
        return false;
    *ret_event = was_crashed ? row->event_was_crashed : row->event;
    return true;
}
