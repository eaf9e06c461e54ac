#!lua
-- Moves a foreign value out of the way. KEYS[1] lease, KEYS[2] the key; ARGV[1] the holder's token, ARGV[2] what is put before the
-- key's name. Answers where it is now; nothing is moved over what was moved there before.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return redis.error_reply('FENCED the lease is not ours')
end
local to = ARGV[2] .. KEYS[2]
if redis.call('EXISTS', to) == 1 then
    local now = redis.call('TIME')
    to = to .. ':' .. now[1] .. now[2]
end
redis.call('RENAME', KEYS[2], to)
return to
