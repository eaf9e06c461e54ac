/* The stream of reports, and what is in one. */
#include "run.h"
#include "util/alloc.h"
#include "util/number.h"

#define SENT_FIRST 1024

/* What the numbers of one that is well, and of one that ails, may be. By enum ailment. */
static const struct {
    uint16_t well_least, well_most, ill_least, ill_most;
} ranges[AILMENTS] = {
    [AILS_CPU] = {5, 80, 81, 100},        [AILS_MEMORY] = {100, 800, 801, 1000},
    [AILS_LATENCY] = {5, 500, 501, 2000}, [AILS_QUEUE] = {0, 100, 101, 900},
    [AILS_LOAD] = {0, 2, 3, 20},          [AILS_SOCKETS] = {1, 50, 0, 0},
};

bool ailment_holds(enum ailment ailment, uint16_t value)
{
    return value >= ranges[ailment].ill_least && value <= ranges[ailment].ill_most;
}

static struct slice format_number(char out[ID_TEXT_MAX], const char *prefix, uint32_t number)
{
    size_t len = strlen(prefix);
    char digits[NUMBER_TEXT_MAX];
    size_t count = number_format_u64(digits, number);

    memcpy(out, prefix, len);
    memcpy(out + len, digits, count + 1);
    return slice_of(out, len + count);
}

struct slice world_format_id(char out[ID_TEXT_MAX], uint32_t agent)
{
    return format_number(out, "t", agent);
}

struct slice world_format_broker(char out[ID_TEXT_MAX], uint32_t broker)
{
    return format_number(out, "b", broker);
}

struct slice world_format_host(char out[ID_TEXT_MAX], uint32_t host)
{
    return format_number(out, "h", host);
}

uint32_t world_parse_id(struct slice id)
{
    uint64_t number;

    if (id.len < 2 || id.data[0] != 't' ||
        !number_parse_u64(slice_of(id.data + 1, id.len - 1), UINT32_MAX - 1, &number))
        return UINT32_MAX;
    return (uint32_t)number;
}

const struct sent *world_sent(const struct world *world, uint64_t place)
{
    return &world->sent[place - world->sent_first];
}

void world_forget_sent(struct world *world, uint64_t place)
{
    uint64_t gone = place - world->sent_first;

    if (gone == 0 || (gone < world->sent_cap / 2 && gone < world->sent_count))
        return;
    memmove(world->sent, world->sent + gone, (world->sent_count - gone) * sizeof(*world->sent));
    world->sent_first = place;
    world->sent_count -= gone;
}

static struct sent *sent_add(struct world *world)
{
    if (world->sent_count == world->sent_cap) {
        world->sent_cap = world->sent_cap ? world->sent_cap * 2 : SENT_FIRST;
        world->sent = mem_resize(world->sent, world->sent_cap, sizeof(*world->sent));
    }
    return &world->sent[world->sent_count++];
}

static uint16_t draw_value(struct world *world, const struct agent *agent, enum ailment ailment)
{
    struct rng *rng = &world->run->rng;

    if (agent->ill_until_ms[ailment] > 0)
        return (uint16_t)rng_between(rng, ranges[ailment].ill_least, ranges[ailment].ill_most);
    if (world->run->is_calm) /* nowhere near a threshold */
        return (uint16_t)(ranges[ailment].well_least + rng_below(rng, 2));
    return (uint16_t)rng_between(rng, ranges[ailment].well_least, ranges[ailment].well_most);
}

void world_send(struct world *world, uint32_t number, const struct answer *answer)
{
    static const enum instance_state states[] = {
        [AGENT_RUNNING] = STATE_RUNNING, [AGENT_STOPPED] = STATE_STOPPED,
        [AGENT_CRASHED] = STATE_CRASHED, [AGENT_RESTARTING] = STATE_RESTARTING,
        [AGENT_SILENT] = STATE_CRASHED,
    };
    struct agent *agent = &world->agents[number];
    struct rng *rng = &world->run->rng;
    struct sent *sent;

    if (agent->mode == AGENT_SILENT || agent->cut_until_ms > world->run->now_ms)
        return;
    sent = sent_add(world);
    *sent = (struct sent){.at_ms = world->run->now_ms, .agent = number, .state = states[agent->mode]};
    sent->is_broken = !answer && !world->run->is_calm && rng_below(rng, 500) == 0;
    sent->health = !agent->is_steady && !world->run->is_calm && rng_below(rng, 200) == 0 ? HEALTH_WARNING
                                                                                         : HEALTH_HEALTHY;
    sent->present = (1U << AILMENTS) - 1;
    if (rng_below(rng, 50) == 0)
        sent->present &= (uint32_t)rng_next(rng);
    if (world->is_short)
        sent->present = 0;
    for (int i = 0; i < AILMENTS; i++)
        sent->values[i] = draw_value(world, agent, (enum ailment)i);
    if (answer)
        sent->answer = *answer;
    agent->sent_ms = world->run->now_ms;
    world->reports++;
}
