#!lua
-- Writes the fields that make the data recognisable, under the lease. KEYS[1] lease, KEYS[2] meta; ARGV[1] the holder's
-- token, then fields of meta (name, value, ...).

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return redis.error_reply('FENCED the lease is not ours')
end
return redis.call('HSET', KEYS[2], 'holder', ARGV[1], unpack(ARGV, 2))
