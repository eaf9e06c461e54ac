/* The rule for identifiers. */
#include "core/ident.h"

enum { INSIDE = 1, ANYWHERE = 2 };

#define EACH_10(from) [(from)...(from) + 9] = ANYWHERE
#define EACH_26(from) [(from)...(from) + 25] = ANYWHERE

/* Where a byte may stand; nowhere where it is not named. */
static const unsigned char places[256] = {
    EACH_10('0'), EACH_26('A'), EACH_26('a'), ['.'] = INSIDE, ['_'] = INSIDE, ['-'] = INSIDE,
};

static unsigned char place_of(struct slice id, size_t i)
{
    return places[(unsigned char)id.data[i]];
}

bool ident_is_valid(struct slice id, size_t max)
{
    if (id.len == 0 || id.len > max)
        return false;
    if (place_of(id, 0) != ANYWHERE || place_of(id, id.len - 1) != ANYWHERE)
        return false;
    for (size_t i = 1; i + 1 < id.len; i++) {
        if (!place_of(id, i))
            return false;
    }
    return true;
}
