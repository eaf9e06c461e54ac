#!lua flags=no-writes
-- Tells which entries are still in a stream. KEYS[1] the stream, ARGV their IDs. Answers one digit for each: 1 there, 0 gone.

local there = {}
for i = 1, #ARGV do
    there[i] = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1] and '1' or '0'
end
return table.concat(there)
