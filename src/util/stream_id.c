/* Stream entry IDs as numbers and as text. */
#include "util/stream_id.h"

#include "util/number.h"

struct stream_id stream_id_next(struct stream_id id)
{
    if (id.seq < UINT64_MAX)
        return (struct stream_id){id.ms, id.seq + 1};
    if (id.ms < UINT64_MAX)
        return (struct stream_id){id.ms + 1, 0};
    return id;
}

struct stream_id stream_id_prev(struct stream_id id)
{
    if (id.seq > 0)
        return (struct stream_id){id.ms, id.seq - 1};
    if (id.ms > 0)
        return (struct stream_id){id.ms - 1, UINT64_MAX};
    return id;
}

bool stream_id_parse(struct slice text, struct stream_id *ret_id)
{
    const char *dash = text.len > 0 ? memchr(text.data, '-', text.len) : NULL;
    size_t ms_len = dash ? (size_t)(dash - text.data) : text.len;
    struct stream_id id = {0};

    if (!number_parse_u64(slice_of(text.data, ms_len), UINT64_MAX, &id.ms))
        return false;
    if (dash && !number_parse_u64(slice_of(dash + 1, text.len - ms_len - 1), UINT64_MAX, &id.seq))
        return false;
    *ret_id = id;
    return true;
}

size_t stream_id_format(char out[STREAM_ID_TEXT_MAX], struct stream_id id)
{
    size_t len = number_format_u64(out, id.ms);

    out[len++] = '-';
    return len + number_format_u64(out + len, id.seq);
}
