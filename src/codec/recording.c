/* Lines of a recording become what they were. */
#include "codec/recording.h"

#include "codec/keys.h"
#include "core/signal.h"

/* What the recorded streams have in their entries. */
static const struct {
    enum stream_kind stream;
    const struct slice *names;
    size_t count;
} streams[] = {{STREAM_REPORTS, report_entry_names, REPORT_FIELDS},
               {STREAM_SIGNALS, signal_field_names, SIGNAL_FIELDS},
               {STREAM_RESULTS, result_field_names, RESULT_FIELDS}};

void recording_reader_clear(struct recording_reader *reader)
{
    json_object_clear(&reader->line);
    json_object_clear(&reader->fields);
}

struct slice recorded_text(const struct recorded_line *line, const char *name)
{
    const struct json_member *member = json_object_find(line->members, name);

    return member && member->kind == JSON_TEXT ? member->value : slice_text(NULL);
}

static bool fail(struct errmsg *why, const char *what)
{
    errmsg_set(why, "%s", what);
    return false;
}

/* Fields come in the order of their table as a rule: each is looked for from where the last one was. */
static size_t find_name(const struct slice *names, size_t count, size_t from, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = from + i < count ? from + i : from + i - count;

        if (slice_equal(names[at], name))
            return at;
    }
    return count;
}

static bool read_entry(const struct json_object *fields, size_t stream, struct entry *entry,
                       struct errmsg *why)
{
    size_t count = streams[stream].count, next = 0;

    entry->stream = streams[stream].stream;
    entry->present = entry->oversize = 0;
    for (size_t i = 0; i < fields->count; i++) {
        const struct json_member *member = &fields->members[i];
        size_t at = find_name(streams[stream].names, count, next, member->name);

        if (at == count)
            continue;
        if (member->kind != JSON_TEXT && member->kind != JSON_NUMBER) {
            errmsg_set(why, "%s: %s", streams[stream].names[at].data, json_kind_name(member->kind));
            return false;
        }
        next = at + 1;
        entry->present |= 1U << at;
        entry->value[at] = member->value;
        if (member->value.len > ENTRY_VALUE_MAX) {
            entry->value[at].len = ENTRY_VALUE_MAX;
            entry->oversize |= 1U << at;
        }
    }
    return true;
}

static bool read_gap(struct slice stream, struct recorded_line *line)
{
    line->kind = RECORDED_GAP;
    line->is_of_reports = slice_is(stream, key_stream_word(STREAM_REPORTS));
    line->is_of_signals = slice_is(stream, key_stream_word(STREAM_SIGNALS)) ||
                          slice_is(stream, key_stream_word(STREAM_RESULTS));
    return true;
}

/* Times from 1970 to the year 9999: no clock says anything else. */
#define TIME_MAX_MS UINT64_C(253402300799999)

static bool read_body(struct recording_reader *reader, struct slice stream, struct recorded_line *line,
                      struct errmsg *why)
{
    const struct json_member *id = json_object_find(&reader->line, "id");
    const struct json_member *fields = json_object_find(&reader->line, "fields");

    if (!id || id->kind != JSON_TEXT || !stream_id_parse(id->value, &line->id) || line->id.ms > TIME_MAX_MS)
        return fail(why, "id: not the id of an entry");
    if (!fields || fields->kind != JSON_NESTED)
        return fail(why, "fields: not an object");
    if (!json_object_parse(&reader->fields, fields->value, why))
        return false;
    line->members = &reader->fields;
    line->entry.id = line->id;
    if (slice_is(stream, "state") || slice_is(stream, "events")) {
        line->kind = slice_is(stream, "state") ? RECORDED_STATE : RECORDED_EVENT;
        return true;
    }
    line->kind = RECORDED_UNKNOWN;
    for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
        if (!slice_is(stream, key_stream_word(streams[i].stream)))
            continue;
        line->kind = RECORDED_ENTRY;
        return read_entry(&reader->fields, i, &line->entry, why);
    }
    return true;
}

bool recording_read(struct recording_reader *reader, struct slice text, struct recorded_line *ret_line,
                    struct errmsg *why)
{
    const struct json_member *stream, *gap;

    recording_reader_clear(reader);
    if (!json_object_parse(&reader->line, text, why))
        return false;
    stream = json_object_find(&reader->line, "stream");
    if (!stream || stream->kind != JSON_TEXT)
        return fail(why, "stream: not there, or no text");
    gap = json_object_find(&reader->line, "gap");
    if (gap && gap->kind == JSON_BOOL && slice_is(gap->value, "true"))
        return read_gap(stream->value, ret_line);
    return read_body(reader, stream->value, ret_line, why);
}
