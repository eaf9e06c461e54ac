#include "codec/scripts.h"

/* Each is made at build from src/codec/lua (cmake/Embed.cmake). */
#define SCRIPT(name)                                                                                         \
    extern const unsigned char lua_##name[];                                                                 \
    extern const size_t lua_##name##_len;                                                                    \
    extern const char lua_##name##_sha1[];                                                                   \
    const struct script script_##name = {lua_##name, &lua_##name##_len, lua_##name##_sha1}

SCRIPT(commit);
SCRIPT(lease);
SCRIPT(probe);
SCRIPT(look);
SCRIPT(poll);
SCRIPT(displace);
SCRIPT(group);
SCRIPT(range);
SCRIPT(epoch);
SCRIPT(clear);
SCRIPT(ahead);
SCRIPT(remove);
SCRIPT(settle);
SCRIPT(follow);

struct slice script_word(const struct script *script, bool whole)
{
    return whole ? slice_of((const char *)script->text, *script->len) : slice_text(script->sha1);
}
