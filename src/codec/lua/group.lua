#!lua
-- Makes a stream, its consumer group and our consumer where they are missing, so that XINFO shows them even before the first
-- entry. KEYS[1] the stream; ARGV[1] group, ARGV[2] consumer, ARGV[3] where a new group begins, ARGV[4] an ID that the stream's
-- next one must lie behind, or empty, ARGV[5] `ours` where that holds only for a stream that our group was of use in. Answers
-- {the groups, the last ID, 1 where that was moved} as it was before, nothing for what is no stream.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'stream' then
    return {}
end
-- What follows may fail, but not for want of a right.
if not (redis.acl_check_cmd('XGROUP', 'CREATE', KEYS[1], 'g', '0') and redis.acl_check_cmd('XGROUP', 'CREATECONSUMER', KEYS[1], 'g', 'c')
        and redis.acl_check_cmd('XSETID', KEYS[1], '0')) then
    return redis.error_reply('NOPERM this user may not do XGROUP CREATE, CREATECONSUMER or XSETID on ' .. KEYS[1])
end

local function is_below(a, b)
    local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
    local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
    return #a_ms < #b_ms or (#a_ms == #b_ms and (a_ms < b_ms or (a_ms == b_ms and (#a_seq < #b_seq or (#a_seq == #b_seq and a_seq < b_seq)))))
end

-- The value behind NAME in a list of names and values.
local function value_of(list, name)
    for n = 1, #list, 2 do
        if list[n] == name then
            return list[n + 1]
        end
    end
end

local groups, last, delivered = {}, '0-0', '0-0'
if kind == 'stream' then
    groups = redis.call('XINFO', 'GROUPS', KEYS[1])
    last = value_of(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id')
end
for _, group in ipairs(groups) do
    if value_of(group, 'name') == ARGV[1] then
        delivered = value_of(group, 'last-delivered-id')
    end
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[3], 'MKSTREAM')
redis.pcall('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
local is_ours = ARGV[5] ~= 'ours' or (delivered ~= '0-0' and not is_below(last, delivered))
local moved = 0
if ARGV[4] ~= '' and is_ours and is_below(last, ARGV[4]) then
    redis.pcall('XSETID', KEYS[1], ARGV[4])
    moved = 1
end
return {groups, last, moved}
