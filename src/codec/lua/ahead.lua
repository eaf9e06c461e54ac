#!lua
-- Lets streams that we write go on behind what was told of them, after Redis has gone back: an ID that somebody has seen already
-- comes again for nobody. KEYS[1] lease, then the streams; ARGV[1] the holder's token, then for each stream the ID that its next
-- one must lie behind, or empty. Answers the last ID of each as it was, empty for what is no stream.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return redis.error_reply('FENCED the lease is not ours')
end

local function is_below(a, b)
    local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
    local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
    return #a_ms < #b_ms or (#a_ms == #b_ms and (a_ms < b_ms or (a_ms == b_ms and (#a_seq < #b_seq or (#a_seq == #b_seq and a_seq < b_seq)))))
end

local answer = {}
for i = 2, #KEYS do
    local kind = redis.call('TYPE', KEYS[i]).ok
    local last = ''
    if kind == 'stream' then
        local info = redis.call('XINFO', 'STREAM', KEYS[i])
        for n = 1, #info, 2 do
            if info[n] == 'last-generated-id' then
                last = info[n + 1]
            end
        end
        if ARGV[i] ~= '' and is_below(last, ARGV[i]) then
            redis.call('XSETID', KEYS[i], ARGV[i])
        end
    elseif kind == 'none' and ARGV[i] ~= '' then
        -- Only where our clock is behind would the first ID not be beyond it.
        local now = redis.call('TIME')
        if is_below(now[1] .. string.format('%03d', math.floor(now[2] / 1000)) .. '-0', ARGV[i]) then
            redis.call('XDEL', KEYS[i], redis.call('XADD', KEYS[i], ARGV[i], 'f', 'v'))
        end
        last = '0-0'
    end
    answer[i - 1] = last
end
return answer
