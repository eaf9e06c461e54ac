/* application/problem+json. */
#include "codec/problem_json.h"

#include "codec/json_text.h"

void problem_json_add(struct buf *out, int status, const char *title, struct slice detail)
{
    buf_add_text(out, "{\"title\":");
    json_add_string(out, slice_text(title));
    buf_add_text(out, ",\"status\":");
    buf_add_i64(out, status);
    if (detail.len) {
        buf_add_text(out, ",\"detail\":");
        json_add_string(out, detail);
    }
    buf_add_text(out, "}\n");
}
