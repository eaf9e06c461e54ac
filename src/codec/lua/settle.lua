#!lua
-- Says on which server, and since which of its changes between master and replica, the data has been found in order: no replica
-- that becomes master, and no server that starts, has the replication ID that it finds here. KEYS[1] lease, KEYS[2] meta; ARGV[1]
-- the holder's token, ARGV[2] the epoch that was found in order. Answers the ID, empty where nothing is to be said.

if redis.call('GET', KEYS[1]) ~= ARGV[1] or redis.call('HGET', KEYS[2], 'epoch') ~= ARGV[2] then
    return ''
end
local id = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''
redis.call('HSET', KEYS[2], 'settled', id)
return id
