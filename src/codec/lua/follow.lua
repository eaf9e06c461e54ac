#!lua flags=no-writes
-- What a daemon that stands by has to know of the one that is active, all at one moment. KEYS[1] lease, KEYS[2] meta, KEYS[3] the
-- changes, KEYS[4] the journal; ARGV[1] the number of the last batch whose changes it has, ARGV[2] how many changes at most.
-- Answers {holder or '', meta as name, value, ..., changes, the ID of the journal's first entry or ''}.

if not (redis.acl_check_cmd('XRANGE', KEYS[3], '-', '+') and redis.acl_check_cmd('XRANGE', KEYS[4], '-', '+')) then
    return redis.error_reply('NOPERM this user may not do XRANGE ' .. KEYS[3])
end
local changes = redis.call('XRANGE', KEYS[3], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
local first = redis.call('XRANGE', KEYS[4], '-', '+', 'COUNT', 1)[1]
return {redis.call('GET', KEYS[1]) or '', redis.call('HGETALL', KEYS[2]), changes, first and first[1] or ''}
