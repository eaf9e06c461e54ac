#!lua
-- Removes entries that should not be in a stream any more, ahead of all that is stored. KEYS[1] lease, KEYS[2] the stream; ARGV[1]
-- the holder's token, then their IDs. Answers how many were there.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return redis.error_reply('FENCED the lease is not ours')
end
return redis.call('XDEL', KEYS[2], unpack(ARGV, 2))
