/* The rule for identifiers. */
#include "core/ident.h"

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool ident_is_valid(struct slice id, size_t max)
{
    if (id.len == 0 || id.len > max)
        return false;
    if (!is_alphanumeric(id.data[0]) || !is_alphanumeric(id.data[id.len - 1]))
        return false;
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];

        if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}
