#include "ctl/readiness.h"

#include "ctl/duration.h"

/* Redis's errors begin with a word of capitals; what the system or TLS says of a connection does not. */
#define ERROR_WORD_MIN 3

bool readiness_is_refusal(struct slice error)
{
    size_t len = 0;

    while (len < error.len && ((error.data[len] >= 'A' && error.data[len] <= 'Z') || error.data[len] == '_'))
        len++;
    return len >= ERROR_WORD_MIN && (len == error.len || error.data[len] == ' ');
}

struct slice readiness_meaning(struct slice word, bool is_refused)
{
    static const struct {
        const char *word, *meaning;
    } rows[] = {
        {"loading", "The state is being read from Redis. Nothing is decided until that is done: wait."},
        {"standby",
         "Another mt5stated is the active one. This one waits and knows nothing by itself: ask the "
         "active one."},
        {"rollback", "Redis has lost writes. What it lost is being written back, and nothing is decided "
                     "meanwhile: wait."},
        {"read_only", "Redis takes no writes: nothing can be stored or commanded. Look for a replica, a full "
                      "disk, maxmemory, or a right that is missing."},
        {"connecting",
         "Redis cannot be reached: nothing is read, decided or commanded until it answers. Does "
         "it run, is redis.url right? What is shown was known last."},
    };

    if (is_refused && slice_is(word, "connecting"))
        return slice_text("Redis can be reached and refuses: nothing is read, decided or commanded. Look at "
                          "the user, the password and the rights that redis gives. What is shown was known "
                          "last.");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (slice_is(word, rows[i].word))
            return slice_text(rows[i].meaning);
    }
    return slice_of("", 0);
}

static void warn(const struct ctl *ctl, const cJSON *status)
{
    int64_t now_ms = client_now_ms(&ctl->client);
    struct slice word = json_text(status, "unready");
    struct buf since = BUF_INIT;
    double since_ms;

    if (json_number(status, "readiness_since_ms", &since_ms) && since_ms > 0 && since_ms < 1e15) {
        buf_add_text(&since, " since ");
        time_add_clock(&since, (int64_t)since_ms, now_ms, false);
    }
    ctl_complain("the daemon is not ready (%.*s%s): this is what it knew last",
                 (int)(word.len < 100 ? word.len : 100), word.data, buf_text(&since));
    buf_clear(&since);
}

void readiness_warn(struct ctl *ctl)
{
    cJSON *status = ctl_look(ctl, "/api/v1/status");

    if (cJSON_IsFalse(json_get(status, "ready")))
        warn(ctl, status);
    cJSON_Delete(status);
}

bool readiness_has_state(struct ctl *ctl)
{
    cJSON *instances = ctl_look(ctl, "/api/v1/instances?limit=1");
    bool has_state = instances != NULL;

    cJSON_Delete(instances);
    return has_state;
}
