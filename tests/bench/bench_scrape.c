/* What the families by instance cost a scrape: copying the fleet and writing the page, in nanoseconds per
 * series, at 1,000 and at 10,000 instances of which each reports everything. Smallest of several runs: others
 * use the machine too. */
#include "adapters/loop.h"
#include "app/metrics_instances.h"
#include <stdio.h>

#define RUNS  30
#define PIECE 256
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
    int64_t copy_us, write_us;
    uint64_t series;
    size_t bytes;
};

static struct cost measure(const struct fleet *fleet, enum prom_format format)
{
    struct cost cost = {0};
    struct buf page = BUF_INIT;
    struct prom_writer writer = prom_writer_of(&page, format);
    struct instance_rows rows;
    int64_t begun_us = loop_now_us();

    instance_rows_init(&rows, 0, NOW + 1000);
    while (!instance_rows_gather(&rows, fleet, PIECE))
        (void)loop_now_us();
    cost.copy_us = loop_now_us() - begun_us;
    begun_us = loop_now_us();
    while (!instance_rows_write(&rows, &writer, PIECE))
        (void)loop_now_us();
    cost.write_us = loop_now_us() - begun_us;
    cost.series = count_series(&page);
    cost.bytes = page.len;
    instance_rows_clear(&rows);
    buf_clear(&page);
    return cost;
}

static void run(unsigned instances)
{
    struct fleet_options options = {.metric_max_age_ms = 60000, .max = instances};
    struct fleet fleet;
    struct cost best = {0};

    fleet_init(&fleet, &options, (struct hash_key){1, 2});
    for (unsigned i = 0; i < instances; i++)
        add_instance(&fleet, i);
    for (int i = 0; i < RUNS; i++) {
        struct cost cost = measure(&fleet, PROM_TEXT);

        if (i == 0 || cost.copy_us + cost.write_us < best.copy_us + best.write_us)
            best = cost;
    }
    printf("%u instances: %llu series, %zu bytes, %.1f ns per series (copying %.1f, writing %.1f)\n",
           instances, (unsigned long long)best.series, best.bytes,
           (double)(best.copy_us + best.write_us) * 1000 / (double)best.series,
           (double)best.copy_us * 1000 / (double)best.series,
           (double)best.write_us * 1000 / (double)best.series);
    fleet_clear(&fleet);
}

int main(void)
{
    run(1000);
    run(10000);
    return 0;
}
