#!lua flags=no-writes
-- Sizes that a scrape shows. KEYS: streams, then sets; ARGV[1] how many are streams, ARGV[2] the name of our group. For each
-- stream answers {type, length, entries ever added, last ID, last ID delivered to the group or empty}, for each set its size.
-- Entries themselves stay here, whatever their size.

local answer = {}
for i = 1, #KEYS do
    local kind = redis.call('TYPE', KEYS[i]).ok
    if i <= tonumber(ARGV[1]) then
        local one = {kind, 0, 0, '0-0', ''}
        if kind == 'stream' then
            local info = redis.call('XINFO', 'STREAM', KEYS[i])
            for n = 1, #info, 2 do
                if info[n] == 'length' then
                    one[2] = info[n + 1]
                elseif info[n] == 'entries-added' then
                    one[3] = info[n + 1]
                elseif info[n] == 'last-generated-id' then
                    one[4] = info[n + 1]
                end
            end
            for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[i])) do
                for n = 1, #group, 2 do
                    if group[n] == 'name' and group[n + 1] == ARGV[2] then
                        one[5] = true
                    elseif group[n] == 'last-delivered-id' and one[5] == true then
                        one[5] = group[n + 1]
                    end
                end
            end
        end
        answer[i] = one
    else
        answer[i] = kind == 'set' and redis.call('SCARD', KEYS[i]) or 0
    end
end
return answer
