#include "codec/scripts.h"

/* Made at build from src/codec/lua. */
extern const unsigned char lua_commit[], lua_lease[], lua_probe[], lua_look[], lua_poll[], lua_displace[];
extern const size_t lua_commit_len, lua_lease_len, lua_probe_len, lua_look_len, lua_poll_len,
    lua_displace_len;
extern const char lua_commit_sha1[], lua_lease_sha1[], lua_probe_sha1[], lua_look_sha1[], lua_poll_sha1[],
    lua_displace_sha1[];

const struct script script_commit = {lua_commit, &lua_commit_len, lua_commit_sha1};
const struct script script_lease = {lua_lease, &lua_lease_len, lua_lease_sha1};
const struct script script_probe = {lua_probe, &lua_probe_len, lua_probe_sha1};
const struct script script_look = {lua_look, &lua_look_len, lua_look_sha1};
const struct script script_poll = {lua_poll, &lua_poll_len, lua_poll_sha1};
const struct script script_displace = {lua_displace, &lua_displace_len, lua_displace_sha1};

struct slice script_word(const struct script *script, bool whole)
{
    return whole ? slice_of((const char *)script->text, *script->len) : slice_text(script->sha1);
}
