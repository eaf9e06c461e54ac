#include "codec/batch.h"
#include "batch_private.h"
#include "codec/scripts.h"

static struct slice key_of(const void *owner, uint32_t index)
{
    const struct batch *b = owner;
    return slice_of(b->key_text.data + b->keys[index].offset, b->keys[index].len);
}

uint64_t batch_add_key(struct batch *b, struct slice text, char type, bool is_record)
{
    uint64_t hash = map_hash(&b->key_map, text);
    uint32_t index = map_find_hashed(&b->key_map, text, hash);
    if (index == MAP_NONE) {
        GROW(b->keys, b->key_count, b->key_cap);
        index = b->key_count++;
        b->keys[index] = (struct batch_key){.offset = (uint32_t)b->key_text.len,
                                            .len = (uint32_t)text.len,
                                            .type = type,
                                            .is_record = is_record};
        buf_add_slice(&b->key_text, text);
        map_insert_hashed(&b->key_map, index, hash);
    }
    return index + BATCH_FIRST_KEY;
}

void batch_add_operation(struct batch_part part, const char *command, uint64_t key, size_t count)
{
    resp_add_u64(part.words, count);
    resp_add_text(part.words, command);
    resp_add_u64(part.words, key);
    *part.args += 3 + count;
}

void batch_add_id(struct batch_part part, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    resp_add(part.words, slice_of(text, stream_id_format(text, id)));
}

void batch_add_reject(struct batch *b, struct batch_part part, const struct cause *cause, struct slice reason)
{
    const char *stream = b->options.names.stream[cause->kind];
    struct key rejected = key_rejected(stream);
    b->needs_script = true;
    uint64_t source = batch_add_key(b, slice_text(stream), 't', false);
    batch_add_operation(part, "!reject", batch_add_key(b, key_slice(&rejected), 't', false), 3);
    resp_add_u64(part.words, source);
    batch_add_id(part, cause->id);
    resp_add(part.words, reason);
}

void batch_close_group(struct batch *b)
{
    if (!b->group_count || b->groups[b->group_count - 1].closed)
        return;
    struct batch_group *g = &b->groups[b->group_count - 1];
    g->closed = true;
    g->end = b->body.len;
    g->args = b->body_args - g->args;
    g->events = b->event_count - g->first_event;
    g->commands = b->command_count - g->first_command;
    g->notices = b->notice_count - g->first_notice;
}

static void start(struct batch *b, const struct batch_options *options)
{
    *b = (struct batch){.options = *options, .sink = {&batch_sink_ops, b}};
    map_init(&b->key_map, hash_key_random(), key_of, b);
}

struct batch *batch_new(const struct batch_options *options)
{
    struct batch *b = mem_new(1, sizeof *b);
    start(b, options);
    return b;
}

static void free_content(struct batch *b)
{
    struct buf *const bufs[] = {&b->key_text,   &b->body,    &b->rejects, &b->tail,
                                &b->field_text, &b->journal, &b->totals,  &b->meta};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_clear(bufs[i]);
    map_clear(&b->key_map);
    free(b->keys);
    free(b->groups);
    free(b->uses);
    free(b->events);
    free(b->commands);
    free(b->notices);
    free(b->fields);
}

void batch_free(struct batch *b)
{
    if (!b)
        return;
    free_content(b);
    free(b);
}

void batch_give_back(struct batch *b)
{
    if (!batch_is_empty(b) || b->group_count)
        return;
    struct batch_options options = b->options;
    uint64_t number = b->number;
    free_content(b);
    start(b, &options);
    b->number = number;
}

void batch_reset(struct batch *b, uint64_t number)
{
    struct buf *const bufs[] = {&b->key_text,   &b->body,    &b->rejects, &b->tail,
                                &b->field_text, &b->journal, &b->totals,  &b->meta};
    for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
        buf_reset(bufs[i], BATCH_KEEP_BYTES);
    if (b->field_cap > BATCH_KEEP_FIELDS) {
        free(b->fields);
        b->fields = NULL;
        b->field_cap = 0;
    }
    map_reset(&b->key_map);
    b->key_count = b->group_count = b->use_count = 0;
    b->field_count = b->event_count = b->command_count = b->notice_count = 0;
    b->body_args = b->reject_args = b->tail_args = b->total_args = b->meta_args = 0;
    b->journal_min_ms = 0;
    b->cut_args = 0;
    b->number = number;
    b->sealed = b->needs_script = false;
}

void batch_configure(struct batch *b, const struct batch_options *options)
{
    b->options = *options;
}

struct sink *batch_sink(struct batch *b)
{
    return &b->sink;
}

bool batch_is_empty(const struct batch *b)
{
    return b->body_args - b->cut_args + b->reject_args + b->tail_args + b->total_args + b->meta_args +
               b->journal.len ==
           0;
}

size_t batch_bytes(const struct batch *b)
{
    return b->body.len + b->tail.len + b->journal.len + b->key_text.len;
}

void batch_set_meta(struct batch *b, const char *name, struct slice value)
{
    resp_add_text(&b->meta, name);
    resp_add(&b->meta, value);
    b->meta_args += 2;
}

void batch_note_position(struct batch *b, enum stream_kind stream, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    struct key name = key_position(stream);
    batch_set_meta(b, name.text, slice_of(text, stream_id_format(text, id)));
}

void batch_set_position(struct batch *b, enum stream_kind stream, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];
    size_t len = stream_id_format(text, id);
    batch_note_position(b, stream, id);
    struct batch_part tail = batch_tail(b);
    batch_add_operation(tail, "!position",
                        batch_add_key(b, slice_text(b->options.names.stream[stream]), 't', false), 2);
    resp_add_text(tail.words, b->options.group);
    resp_add(tail.words, slice_of(text, len));
}

void batch_trim(struct batch *b, enum stream_kind stream, struct stream_id min, struct stream_id handled)
{
    struct batch_part tail = batch_tail(b);
    /* Signals and results leave with what ended them, or nothing is stored. */
    b->needs_script |= stream == STREAM_SIGNALS || stream == STREAM_RESULTS;
    batch_add_operation(tail, "!trim",
                        batch_add_key(b, slice_text(b->options.names.stream[stream]), 't', false), 2);
    batch_add_id(tail, min);
    batch_add_id(tail, handled);
}

/* The journal's lines as entries of at most JOURNAL_BYTES, each of whole lines. */
static void seal_journal(struct batch *b)
{
    struct batch_part tail = batch_tail(b);
    struct slice rest = buf_slice(&b->journal);
    bool trim = b->journal_min_ms != 0;
    while (rest.len) {
        const char *end = rest.len > JOURNAL_BYTES ? memrchr(rest.data, '\n', JOURNAL_BYTES) : NULL;
        size_t len = end ? (size_t)(end - rest.data) + 1 : rest.len;
        batch_add_operation(tail, "XADD", batch_add_key(b, slice_text(KEY_JOURNAL), 't', false),
                            trim ? 6 : 3);
        if (trim) {
            resp_add_text(tail.words, "MINID");
            resp_add_text(tail.words, "~");
            resp_add_u64(tail.words, b->journal_min_ms);
        }
        resp_add_text(tail.words, "*");
        resp_add_text(tail.words, "lines");
        resp_add(tail.words, slice_of(rest.data, len));
        trim = false;
        rest = slice_of(rest.data + len, rest.len - len);
    }
}

/* What was gathered beside the operations becomes operations: the journal's entry and the totals. */
void batch_seal(struct batch *b)
{
    batch_close_group(b);
    struct batch_part tail = batch_tail(b);
    seal_journal(b);
    if (b->total_args) {
        batch_add_operation(tail, "HSET", batch_add_key(b, slice_text(KEY_TOTALS), 'h', false),
                            b->total_args);
        buf_add_slice(tail.words, buf_slice(&b->totals));
    }
    b->sealed = true;
}

void batch_remove_cut(struct batch *b)
{
    if (!b->cut_args)
        return;
    b->cut_args = 0;
    struct buf body = BUF_INIT;
    size_t at = 0;
    for (uint32_t i = 0; i < b->group_count; i++) {
        struct batch_group *g = &b->groups[i];
        buf_add(&body, b->body.data + at, g->start - at);
        size_t start = body.len;
        if (!g->cut)
            buf_add(&body, b->body.data + g->start, g->end - g->start);
        at = g->end;
        g->start = start;
        g->end = body.len;
        if (g->cut) {
            b->body_args -= g->args;
            g->args = 0;
        }
    }
    buf_add(&body, b->body.data + at, b->body.len - at);
    buf_clear(&b->body);
    b->body = body;
}

void batch_render(struct batch *b, struct slice token, struct slice epoch, bool whole_script, struct buf *out)
{
    batch_remove_cut(b);
    size_t args = 5 + b->meta_args + b->body_args + b->reject_args + b->tail_args;
    buf_reserve(out, b->body.len + b->rejects.len + b->tail.len + b->key_text.len + 16 * b->key_count + 4096);
    resp_add_head(out, 3 + 2 + b->key_count + args);
    resp_add_text(out, whole_script ? "EVAL" : "EVALSHA");
    resp_add(out, script_word(&script_commit, whole_script));
    resp_add_u64(out, 2 + b->key_count);
    resp_add_text(out, KEY_LEADER);
    resp_add_text(out, KEY_META);
    for (uint32_t i = 0; i < b->key_count; i++)
        resp_add(out, key_of(b, i));
    resp_add(out, token);
    resp_add(out, epoch);
    resp_add_u64(out, b->number);
    buf_add_char(out, '$');
    buf_add_u64(out, b->key_count);
    buf_add(out, "\r\n", 2);
    for (uint32_t i = 0; i < b->key_count; i++)
        buf_add_char(out, b->keys[i].type);
    buf_add(out, "\r\n", 2);
    resp_add_u64(out, b->meta_args);
    buf_add_slice(out, buf_slice(&b->meta));
    buf_add_slice(out, buf_slice(&b->body));
    buf_add_slice(out, buf_slice(&b->rejects));
    buf_add_slice(out, buf_slice(&b->tail));
}

void batch_get_field(const struct batch *b, uint32_t place, struct slice *ret_name, struct slice *ret_value)
{
    const struct batch_field *field = &b->fields[place];
    *ret_name = field->name;
    *ret_value = slice_of(b->field_text.data + field->offset, field->len);
}

struct slice batch_notice_key(const struct batch *b, const struct batch_notice *notice)
{
    return slice_of(b->field_text.data + notice->key_offset, notice->key_len);
}

struct slice batch_key_text(const struct batch *b, uint32_t index)
{
    return key_of(b, index);
}

bool batch_key_by_number(const struct batch *b, uint64_t number, struct slice *ret_key, bool *ret_is_record)
{
    if (number < BATCH_FIRST_KEY || number - BATCH_FIRST_KEY >= b->key_count)
        return false;
    uint32_t index = (uint32_t)(number - BATCH_FIRST_KEY);
    *ret_key = key_of(b, index);
    *ret_is_record = b->keys[index].is_record;
    return true;
}

void batch_ignore_key(struct batch *b, struct slice key)
{
    uint32_t index = map_find(&b->key_map, key);
    if (index != MAP_NONE)
        b->keys[index].type = '-';
}

/* The places of the keys of an object's records; returns how many of them the batch has. */
static uint32_t find_records(const struct batch *b, bool is_trade, struct slice id,
                             uint32_t keys[RECORD_KINDS])
{
    uint32_t count = 0;
    for (int kind = 0; kind < RECORD_KINDS; kind++) {
        if ((kind == RECORD_TRADE) != is_trade)
            continue;
        struct key key = key_record((enum record_kind)kind, id);
        uint32_t index = map_find(&b->key_map, key_slice(&key));
        if (index != MAP_NONE)
            keys[count++] = index;
    }
    return count;
}

static bool is_one_of(uint32_t key, const uint32_t *keys, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

/* What a group was to do once it is stored is not done. */
static void cut_told(struct batch *b, const struct batch_group *g)
{
    for (uint32_t i = 0; i < g->events; i++)
        b->events[g->first_event + i].cut = true;
    for (uint32_t i = 0; i < g->commands; i++)
        b->commands[g->first_command + i].cut = true;
    for (uint32_t i = 0; i < g->notices; i++)
        b->notices[g->first_notice + i].cut = true;
}

/* The words of what is cut are taken out later, all at once: there may be many objects to cut. */
uint32_t batch_cut(struct batch *b, bool is_trade, struct slice id, struct slice reason)
{
    uint32_t cut = 0, keys[RECORD_KINDS];
    uint32_t key_count = find_records(b, is_trade, id, keys);
    batch_close_group(b);
    for (uint32_t i = 0; key_count && i < b->use_count; i++) {
        struct batch_group *g = &b->groups[b->uses[i].group];
        if (g->cut || !is_one_of(b->uses[i].key, keys, key_count))
            continue;
        g->cut = true;
        b->cut_args += g->args;
        cut++;
        cut_told(b, g);
        if (cause_is_entry(&g->cause))
            batch_add_reject(b, (struct batch_part){&b->rejects, &b->reject_args}, &g->cause, reason);
    }
    /* Nothing writes these keys any more, so what they hold does not matter. */
    for (uint32_t i = 0; i < key_count; i++)
        b->keys[keys[i]] = (struct batch_key){b->keys[keys[i]].offset, b->keys[keys[i]].len, '-', 0, true};
    return cut;
}
