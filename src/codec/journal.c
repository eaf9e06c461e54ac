/* Lines are cut at newlines and words at single spaces; a line is taken whole or not at all. */
#include "codec/journal.h"

#include "util/number.h"

#define WORDS_MAX 5

static const char outcome_letters[] = {
    [OUTCOME_PROCESSED] = 'P',
    [OUTCOME_FAILED] = 'F',
    [OUTCOME_DROPPED] = 'D',
    [OUTCOME_LOST] = 'L',
};

static void add_entry_id(struct buf *out, struct stream_id id)
{
    char text[STREAM_ID_TEXT_MAX];

    buf_add(out, text, stream_id_format(text, id));
}

static void add_word(struct buf *out, struct slice word)
{
    buf_add_char(out, ' ');
    buf_add_slice(out, word);
}

void journal_add_received(struct buf *out, struct slice signal_id, struct stream_id entry,
                          struct slice action, struct slice instance_id)
{
    buf_add_text(out, "R ");
    add_entry_id(out, entry);
    add_word(out, action);
    add_word(out, instance_id.len > 0 ? instance_id : slice_of("-", 1));
    add_word(out, signal_id);
    buf_add_char(out, '\n');
}

void journal_add_accepted(struct buf *out, struct slice signal_id, uint64_t accepted_ms)
{
    buf_add_text(out, "A ");
    buf_add_u64(out, accepted_ms);
    add_word(out, signal_id);
    buf_add_char(out, '\n');
}

void journal_add_ended(struct buf *out, struct slice signal_id, enum signal_outcome outcome)
{
    buf_add_text(out, "E ");
    buf_add_char(out, outcome_letters[outcome]);
    add_word(out, signal_id);
    buf_add_char(out, '\n');
}

void journal_add_early(struct buf *out, struct slice signal_id, struct slice status, struct stream_id result)
{
    buf_add_text(out, "Y ");
    add_entry_id(out, result);
    add_word(out, status);
    add_word(out, signal_id);
    buf_add_char(out, '\n');
}

/* Cuts LINE into words; the fifth holds all that is left, and spaces make it no id. */
static size_t split_words(struct slice line, struct slice words[WORDS_MAX])
{
    size_t count = 0;

    while (count < WORDS_MAX) {
        const char *space = count + 1 < WORDS_MAX && line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
        size_t len = space ? (size_t)(space - line.data) : line.len;

        words[count++] = slice_of(line.data, len);
        if (!space)
            break;
        line = slice_of(space + 1, line.len - len - 1);
    }
    return count;
}

static bool is_id(struct slice text)
{
    return ident_is_valid(text, IDENT_MAX);
}

static bool is_action(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] >= 'A' && text.data[i] <= 'Z')
            return false;
    }
    return ident_is_valid(text, IDENT_ACTION_MAX);
}

static bool parse_entry_id(struct slice text, struct stream_id *ret_id)
{
    return text.len > 0 && memchr(text.data, '-', text.len) && stream_id_parse(text, ret_id);
}

static bool parse_outcome(struct slice text, enum signal_outcome *ret_outcome)
{
    for (unsigned i = 0; i < sizeof(outcome_letters); i++) {
        if (text.len == 1 && text.data[0] == outcome_letters[i]) {
            *ret_outcome = (enum signal_outcome)i;
            return true;
        }
    }
    return false;
}

static bool parse_status(struct slice text, enum result_status *ret_status)
{
    enum result_status status;

    if (!result_status_parse(text, &status) || !slice_is(text, result_status_name(status)))
        return false;
    *ret_status = status;
    return true;
}

static bool read_received(const struct slice *words, size_t count, const struct journal_reader *reader)
{
    struct stream_id entry;
    bool is_addressed;

    if (count != 5 || !parse_entry_id(words[1], &entry) || !is_action(words[2]) || !is_id(words[4]))
        return false;
    is_addressed = !slice_is(words[3], "-");
    if (is_addressed && !is_id(words[3]))
        return false;
    reader->received(reader->ctx, words[4], entry, words[2], is_addressed ? words[3] : slice_of(NULL, 0));
    return true;
}

static bool read_accepted(const struct slice *words, size_t count, const struct journal_reader *reader)
{
    uint64_t accepted_ms;

    if (count != 3 || !number_parse_u64(words[1], UINT64_MAX, &accepted_ms) || !is_id(words[2]))
        return false;
    reader->accepted(reader->ctx, words[2], accepted_ms);
    return true;
}

static bool read_ended(const struct slice *words, size_t count, const struct journal_reader *reader)
{
    enum signal_outcome outcome;

    if (count != 3 || !parse_outcome(words[1], &outcome) || !is_id(words[2]))
        return false;
    reader->ended(reader->ctx, words[2], outcome);
    return true;
}

static bool read_early(const struct slice *words, size_t count, const struct journal_reader *reader)
{
    struct stream_id result;
    enum result_status status;

    if (count != 4 || !parse_entry_id(words[1], &result) || !parse_status(words[2], &status) ||
        !is_id(words[3]))
        return false;
    reader->early(reader->ctx, words[3], status, result);
    return true;
}

static bool read_line(struct slice line, const struct journal_reader *reader)
{
    struct slice words[WORDS_MAX];
    size_t count = split_words(line, words);

    if (words[0].len != 1)
        return false;
    switch (words[0].data[0]) {
    case 'R':
        return read_received(words, count, reader);
    case 'A':
        return read_accepted(words, count, reader);
    case 'E':
        return read_ended(words, count, reader);
    case 'Y':
        return read_early(words, count, reader);
    default:
        return false;
    }
}

size_t journal_read(struct slice text, const struct journal_reader *reader)
{
    size_t bad = 0;

    while (text.len > 0) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t len = end ? (size_t)(end - text.data) : text.len;

        /* What does not end was cut, and its last word with it. */
        if (!end || !read_line(slice_of(text.data, len), reader))
            bad++;
        if (!end)
            break;
        text = slice_of(end + 1, text.len - len - 1);
    }
    return bad;
}
