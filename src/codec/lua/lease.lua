#!lua
-- Takes, renews, looks at or gives up the lease (docs/REDIS_SCHEMA.md), and lets the beat of the data grow with each renewal.
--
-- KEYS[1] lease, KEYS[2] meta, KEYS[3], if any, where one says so who stands by. ARGV[1] our token, ARGV[2] its time in ms, 0 to
-- give it up, ARGV[3] the token of a holder who is known to be dead, or empty. ARGV[4] to ARGV[6], if any and not empty: what the
-- data was while another held the lease, epoch (`*`: whatever it is), applied_seq, beat; where it is not that any more, or older, a
-- lease that is free is left to who knows more of it. ARGV[7] `take`, where it is to be ours whoever holds it. Answers {1 where we
-- hold it, 2 where another one has held it since we did, holder, epoch, applied_seq, beat, seconds, microseconds, with KEYS[3] 1 where
-- another one stands by, else 0}.

-- Without it the beat would stand still, and a rollback go unseen.
if not redis.acl_check_cmd('HINCRBY', KEYS[2], 'beat', '1') then
    return redis.error_reply('NOPERM this user may not do HINCRBY ' .. KEYS[2])
end

local holder = redis.call('GET', KEYS[1]) or ''
local ours = 0
-- Ours always ends by itself: one that does not is nobody's.
if holder ~= '' and redis.call('PTTL', KEYS[1]) == -1 then
    holder = ''
end
local function is_left()
    if holder ~= '' or not ARGV[4] or ARGV[4] == '' then
        return false
    end
    local now = redis.call('HMGET', KEYS[2], 'epoch', 'applied_seq', 'beat')
    return ARGV[4] ~= now[1] or (tonumber(now[2] or '-1') or -1) < tonumber(ARGV[5]) or (tonumber(now[3] or '-1') or -1) < tonumber(ARGV[6])
end
if ARGV[2] == '0' then
    if holder == ARGV[1] then
        redis.call('DEL', KEYS[1])
        holder = ''
    end
elseif (holder == '' and not is_left()) or holder == ARGV[1] or (ARGV[3] ~= '' and holder == ARGV[3]) or ARGV[7] == 'take' then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    holder = ARGV[1]
    ours = 1
    if redis.call('HEXISTS', KEYS[2], 'epoch') == 1 then
        redis.pcall('HINCRBY', KEYS[2], 'beat', 1)
        -- Another one held it last: our numbers go on behind a gap, so that no batch of ours is ever taken for one of his
        -- that he has yet to hear about.
        if redis.call('HGET', KEYS[2], 'holder') ~= ARGV[1] then
            redis.call('HSET', KEYS[2], 'holder', ARGV[1])
            ours = 2
            if redis.call('HEXISTS', KEYS[2], 'applied_seq') == 1 then
                redis.pcall('HINCRBY', KEYS[2], 'applied_seq', 2)
            end
        end
    end
end
local known = redis.call('HMGET', KEYS[2], 'epoch', 'applied_seq', 'beat')
local now = redis.call('TIME')
local waits = KEYS[3] and redis.pcall('GET', KEYS[3])
waits = type(waits) == 'string' and waits ~= ARGV[1] and 1 or 0
return {ours, holder, known[1] or '', known[2] or '', known[3] or '', now[1], now[2], KEYS[3] and waits}
