#!lua flags=no-writes
-- Entries of a stream without what is nobody's business in them: each may be larger than an answer. KEYS[1] the stream; ARGV[1]
-- XRANGE or XREVRANGE, ARGV[2] and ARGV[3] its range, ARGV[4] how many entries at most, ARGV[5] how many bytes of a value are
-- wanted, then the names of the fields that are. Answers as the command does, of a name that comes again with the last value; no
-- further entry is looked at after LOOKED_MAX bytes, so only an answer without any is the end.

local LOOKED_MAX = 4194304

if not redis.acl_check_cmd(ARGV[1], KEYS[1], '-', '+') then
    return redis.error_reply('NOPERM this user may not do ' .. ARGV[1] .. ' on ' .. KEYS[1])
end
local from, wanted, looked, answer = ARGV[2], tonumber(ARGV[5]), 0, {}

local function trim(words)
    local at, fields = {}, {}
    for i = 6, #ARGV do
        at[ARGV[i]] = 0
    end
    for i = 1, #words - 1, 2 do
        local name, value = words[i], words[i + 1]
        looked = looked + #name + #value
        if at[name] then
            if at[name] == 0 then
                at[name] = #fields + 1
                fields[#fields + 1] = name
            end
            fields[at[name] + 1] = string.sub(value, 1, wanted)
        end
    end
    return fields
end

while #answer < tonumber(ARGV[4]) and looked < LOOKED_MAX do
    local entry = redis.call(ARGV[1], KEYS[1], from, ARGV[3], 'COUNT', '1')[1]
    if not entry then
        break
    end
    answer[#answer + 1] = {entry[1], trim(entry[2])}
    from = '(' .. entry[1]
end
return answer
