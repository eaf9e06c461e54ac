#include "app/look.h"
#include "codec/keys.h"
#include "codec/report.h"
#include "codec/resp.h"
#include "codec/scripts.h"
#include "util/number.h"
#include <hiredis/hiredis.h>

/* What look.lua answers for each id. */
enum part { PART_ID, PART_TYPE, PART_HASH, PART_MEMBER = 7, PART_SCORE, PART_SEQ, PARTS };

void look_render(const struct ident *ids, size_t count, struct buf *out)
{
    resp_add_head(out, 3 + 6 + count);
    resp_add_text(out, "EVAL");
    resp_add(out, script_word(&script_look, true));
    resp_add_text(out, "6");
    for (int s = 0; s < INSTANCE_STATES; s++) {
        struct key key = key_index(INDEX_INSTANCE_STATE, instance_state_name((enum instance_state)s));
        resp_add(out, key_slice(&key));
    }
    resp_add_text(out, KEY_LOAD);
    resp_add_text(out, KEY_SEQ);
    for (size_t i = 0; i < count; i++)
        resp_add(out, ident_slice(&ids[i]));
}

static struct slice text_of(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING ? slice_of(reply->str, reply->len) : slice_of("", 0);
}

bool look_parse(const redisReply *reply, size_t i, struct looked *ret)
{
    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements)
        return false;
    const redisReply *one = reply->element[i];
    if (one->type != REDIS_REPLY_ARRAY || one->elements != PARTS)
        return false;
    ret->id = text_of(one->element[PART_ID]);
    instance_record_init(&ret->record);
    for (int k = 0; k < 3; k++) {
        struct slice type = text_of(one->element[PART_TYPE + 2 * k]);
        ret->wrong_type[k] = !slice_is(type, "hash") && !slice_is(type, "none");
        const redisReply *hash = one->element[PART_HASH + 2 * k];
        for (size_t f = 0; f + 1 < hash->elements; f += 2)
            instance_record_parse_field(&ret->record, (enum record_kind)k, text_of(hash->element[f]),
                                        text_of(hash->element[f + 1]), ret->scratch);
    }
    struct slice member = text_of(one->element[PART_MEMBER]);
    for (int s = 0; s < INSTANCE_STATES; s++)
        ret->member[s] = (size_t)s < member.len && member.data[s] == '1';
    ret->has_score = number_parse_decimal(text_of(one->element[PART_SCORE]), &ret->score);
    ret->seq = 0;
    (void)number_parse_u64(text_of(one->element[PART_SEQ]), UINT64_MAX, &ret->seq); /* none: no event yet */
    return true;
}

enum instance_state looked_index_state(const struct looked *looked)
{
    enum instance_state state = STATE_NONE;
    for (int s = 0; s < INSTANCE_STATES; s++) {
        if (!looked->member[s])
            continue;
        if (state != STATE_NONE)
            return STATE_NONE;
        state = (enum instance_state)s;
    }
    return state;
}
