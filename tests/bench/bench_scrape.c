/* What the families by instance cost a scrape: copying the fleet and writing the page, in nanoseconds per
 * series, and the longest piece of either, at 1,000 to 100,000 instances of which each reports everything,
 * and of which each has three alerts that fire and one that is pending, or none. Smallest of several runs:
 * others use the machine too. */
#include "adapters/loop.h"
#include "app/metrics_instances.h"
#include "util/alloc.h"
#include <stdio.h>
#include <stdlib.h>

#define RUNS  10
#define PIECE 256
#define PART  ((size_t)128 << 10)
#define NOW   1700000000000

static void add_instance(struct fleet *fleet, unsigned number)
{
    char text[32];
    struct instance_record record = {.exists = {true, true, true},
                                     .updated_s = {NOW / 1000, NOW / 1000, NOW / 1000}};
    struct slice id = slice_of(text, (size_t)snprintf(text, sizeof(text), "mt5-broker-%u", number));

    for (unsigned f = 0; f < REPORT_NUMBERS; f++) {
        record.values.present |= 1U << f;
        record.values.number[f] = (double)((number * 37 + f * 11) % 1000) / (f % 3 ? 10 : 1);
    }
    record.values.present |= 1U << REPORT_BROKER_ID | 1U << REPORT_HOST_ID | 1U << REPORT_STATE;
    record.values.broker_id = slice_text("broker-7");
    record.values.host_id = slice_text("host-12");
    record.values.state = STATE_RUNNING;
    if (!fleet_load(fleet, id, &record, STATE_NONE, 1, NOW))
        (void)fprintf(stderr, "cannot load %s\n", text);
}

static void add_alerts(struct fleet *fleet, struct instance *instance)
{
    static const char *const names[] = {"HighCpuUsage", "HighMemoryUsage", "HighQueueLength",
                                        "SocketFailure"};

    for (unsigned i = 0; i < 4; i++) {
        struct alert alert = {
            .status = i == 0 ? ALERT_PENDING : ALERT_FIRING, .since_ms = NOW, .fired_ms = NOW};

        ident_set(&alert.name, slice_text(names[i]));
        watch_load_alert(fleet, instance, &alert, NOW);
    }
}

static void watch(struct fleet *fleet)
{
    struct watch_options *options = mem_new(1, sizeof(*options));
    struct instance *instance;

    rule_set_init(&options->rules);
    watch_configure(fleet, options, NOW);
    free(options);
    for (uint32_t i = 0; (instance = fleet_next(fleet, i)); i = fleet_index_of(fleet, instance) + 1)
        add_alerts(fleet, instance);
}

static uint64_t count_series(const struct buf *page)
{
    uint64_t count = 0;
    bool is_comment = false;

    for (size_t i = 0; i < page->len; i++) {
        if (i == 0 || page->data[i - 1] == '\n')
            is_comment = page->data[i] == '#';
        count += page->data[i] == '\n' && !is_comment;
    }
    return count;
}

struct cost {
    int64_t copy_us, write_us, copy_longest_us, write_longest_us;
    uint64_t series;
    size_t bytes;
};

/* Lets go of what is written, as if a client took it: its memory is used again. */
static void take(struct buf *page, struct cost *cost)
{
    cost->series += count_series(page);
    cost->bytes += page->len;
    page->len = 0;
}

/* The time since *AT_US, which becomes now. */
static int64_t lap(int64_t *at_us, int64_t *longest_us)
{
    int64_t now_us = loop_now_us(), took_us = now_us - *at_us;

    *at_us = now_us;
    if (took_us > *longest_us)
        *longest_us = took_us;
    return took_us;
}

static struct cost measure(const struct fleet *fleet, enum prom_format format)
{
    struct cost cost = {0};
    struct buf page = BUF_INIT;
    struct prom_writer writer = prom_writer_of(&page, format);
    struct instance_rows rows;
    struct instance_cursor cursor = {0};
    int64_t at_us = loop_now_us();
    bool is_done = false;

    instance_rows_init(&rows, fleet, 0, NOW + 1000);
    while (!is_done) {
        is_done = instance_rows_gather(&rows, fleet, PIECE);
        cost.copy_us += lap(&at_us, &cost.copy_longest_us);
    }
    instance_rows_write_alerts(&rows, &writer);
    cost.write_us += lap(&at_us, &cost.write_longest_us);
    for (is_done = false; !is_done;) {
        is_done = instance_rows_write(&rows, &cursor, &writer, PIECE);
        cost.write_us += lap(&at_us, &cost.write_longest_us);
        if (page.len >= PART) {
            take(&page, &cost);
            at_us = loop_now_us();
        }
    }
    take(&page, &cost);
    instance_rows_clear(&rows);
    buf_clear(&page);
    return cost;
}

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void run(unsigned instances, bool has_alerts)
{
    struct fleet_options options = {.metric_max_age_ms = 60000, .max = instances};
    struct fleet fleet;
    struct cost best = {0};

    fleet_init(&fleet, &options, (struct hash_key){1, 2});
    for (unsigned i = 0; i < instances; i++)
        add_instance(&fleet, i);
    if (has_alerts)
        watch(&fleet);
    for (int i = 0; i < RUNS; i++) {
        struct cost cost = measure(&fleet, PROM_TEXT);

        if (i == 0)
            best = cost;
        best.copy_us = min_i64(best.copy_us, cost.copy_us);
        best.write_us = min_i64(best.write_us, cost.write_us);
        best.copy_longest_us = min_i64(best.copy_longest_us, cost.copy_longest_us);
        best.write_longest_us = min_i64(best.write_longest_us, cost.write_longest_us);
    }
    printf("%u instances%s: %llu series, %zu bytes, %.1f ns per series (copying %.1f, writing %.1f); "
           "the longest piece of copying %lld us, of writing %lld us\n",
           instances, has_alerts ? " with alerts" : "", (unsigned long long)best.series, best.bytes,
           (double)(best.copy_us + best.write_us) * 1000 / (double)best.series,
           (double)best.copy_us * 1000 / (double)best.series,
           (double)best.write_us * 1000 / (double)best.series, (long long)best.copy_longest_us,
           (long long)best.write_longest_us);
    fleet_clear(&fleet);
}

int main(void)
{
    static const unsigned sizes[] = {1000, 10000, 100000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        run(sizes[i], false);
        run(sizes[i], true);
    }
    return 0;
}
