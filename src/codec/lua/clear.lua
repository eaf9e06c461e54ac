#!lua
-- Moves what is no lease, and no meta, out of their way: nobody can hold the lease while it is there. KEYS[1] lease, KEYS[2] meta;
-- ARGV their types, then what is put before a key's name.

for i = 1, #KEYS do
    local kind = redis.call('TYPE', KEYS[i]).ok
    if kind ~= 'none' and kind ~= ARGV[i] then
        redis.call('RENAME', KEYS[i], ARGV[3] .. KEYS[i])
    end
end
return redis.status_reply('OK')
