/* Text in place of the changes that one who stands by follows: what is told is valid, and fields are taken
 * apart as they are there. */
#include "fuzz.h"

#include "codec/changes.h"
#include "codec/report.h"
#include "core/notice.h"

static void on_instance(void *ctx, struct slice id)
{
    (void)ctx;
    CHECK(id.len > 0); /* whoever takes it looks whether it is one */
}

static void on_alert(void *ctx, struct slice id, struct slice rule)
{
    (void)ctx;
    CHECK(ident_is_valid(id, IDENT_MAX) && ident_is_valid(rule, IDENT_MAX));
}

static void on_fields(void *ctx, struct slice id, enum record_kind kind, struct slice fields)
{
    struct instance_record record;
    struct slice name, value;
    char scratch[REPORT_TEXT_MAX];
    size_t len = fields.len;

    (void)ctx;
    CHECK(ident_is_valid(id, IDENT_MAX) && kind != RECORD_TRADE);
    instance_record_init(&record);
    while (changes_next_field(&fields, &name, &value)) {
        CHECK(name.len > 0 && value.len > 0 && fields.len < len);
        instance_record_parse_field(&record, kind, name, value, scratch);
    }
}

static void on_notice(void *ctx, struct slice key)
{
    (void)ctx;
    CHECK(key.len > 0 && key.len <= NOTICE_KEY_MAX);
}

static void on_trade(void *ctx, struct slice id)
{
    (void)ctx;
    CHECK(ident_is_valid(id, IDENT_MAX));
}

static void on_entry(void *ctx, struct stream_id entry, struct slice id)
{
    (void)ctx;
    (void)entry;
    CHECK(id.len == 0 || ident_is_valid(id, IDENT_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct changes_reader reader = {on_instance, on_alert, on_fields, on_notice,
                                    on_trade,    on_entry, on_entry,  NULL};

    (void)changes_read(slice_of((const char *)data, size), &reader);
    return 0;
}
