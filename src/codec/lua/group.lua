#!lua
-- Makes a stream, its consumer group and our consumer where they are missing, so that XINFO shows them even before the first
-- entry, and answers the groups. KEYS[1] the stream; ARGV[1] group, ARGV[2] consumer, ARGV[3] where a new group begins,
-- ARGV[4] an ID that the stream's next one must lie behind, or empty. Answers nothing for what is no stream.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'none' and kind ~= 'stream' then
    return {}
end
-- What follows may fail, but not for want of a right.
if not (redis.acl_check_cmd('XGROUP', 'CREATE', KEYS[1], 'g', '0') and redis.acl_check_cmd('XGROUP', 'CREATECONSUMER', KEYS[1], 'g', 'c')
        and redis.acl_check_cmd('XSETID', KEYS[1], '0')) then
    return redis.error_reply('NOPERM this user may not do XGROUP CREATE, CREATECONSUMER or XSETID on ' .. KEYS[1])
end
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[3], 'MKSTREAM')
redis.pcall('XGROUP', 'CREATECONSUMER', KEYS[1], ARGV[1], ARGV[2])
if ARGV[4] ~= '' then
    redis.pcall('XSETID', KEYS[1], ARGV[4])
end
return redis.call('XINFO', 'GROUPS', KEYS[1])
