#!lua
-- Stores one batch of the daemon (docs/decisions/0001-one-script-call-per-batch.md). What can be refused is refused before
-- the first write; an operation that fails all the same is told in the answer, and the others stand.
--
-- KEYS[1] lease, KEYS[2] meta, KEYS[3..] every other key that is written.
-- ARGV[1] the holder's token, ARGV[2] the epoch of the data, ARGV[3] this batch's number,
-- ARGV[4] one letter per key from KEYS[3] on: its type (h s z t, - for any), ARGV[5] how many of the following
-- arguments are fields of meta (name, value, ...), then the operations: [count command key-number args...],
-- key-number 0 for a command without a key.
--
-- Number 0: the operations are part of a transaction that has seen to lease, number, types and meta (batch_transaction.c).
--
-- Answers {'ok', failed operations...}, {'again'} where this batch is stored already, {'fenced', holder} where the lease is
-- not ours, {'behind', epoch, applied_seq} where the data is not what the batch builds on, {'types', key-number, type, ...}.
-- Nothing is written except with 'ok'.

local number = tonumber(ARGV[3])
if number > 0 then
    local holder = redis.call('GET', KEYS[1])
    if holder ~= ARGV[1] then
        return {'fenced', holder or ''}
    end
    local known = redis.call('HMGET', KEYS[2], 'epoch', 'applied_seq')
    local applied = tonumber(known[2] or '-1')
    if known[1] ~= ARGV[2] or applied == nil or (applied ~= number - 1 and applied ~= number) then
        return {'behind', known[1] or '', known[2] or ''}
    end
    if applied == number then
        return {'again'}
    end
end

local type_names = {h = 'hash', s = 'set', z = 'zset', t = 'stream'}
local bad = {'types'}
for k = 3, #KEYS do
    local found = redis.call('TYPE', KEYS[k]).ok
    local wanted = string.sub(ARGV[4], k - 2, k - 2)
    if found ~= 'none' and wanted ~= '-' and found ~= type_names[wanted] then
        bad[#bad + 1] = k
        bad[#bad + 1] = found
    end
end
if #bad > 1 then
    return bad
end

-- A right that is missing must not show in the middle: every command is asked for before the first write.
local needed = {
    ['!reject'] = function(key, i)
        return redis.acl_check_cmd('XRANGE', KEYS[tonumber(ARGV[i])], '-', '+') and redis.acl_check_cmd('XADD', key, '*', 'f', 'v')
    end,
    ['!drop'] = function(key, i)
        return redis.acl_check_cmd('XRANGE', KEYS[tonumber(ARGV[i])], '-', '+') and redis.acl_check_cmd('XADD', key, '*', 'f', 'v')
    end,
    ['!position'] = function(key)
        return redis.acl_check_cmd('XGROUP', 'SETID', key, 'g', '0') and redis.acl_check_cmd('XGROUP', 'CREATE', key, 'g', '0')
    end,
    DEL = function(key)
        return redis.acl_check_cmd('DEL', key) -- any further argument would be a key too
    end,
    ['!trim'] = function(key)
        return redis.acl_check_cmd('XINFO', 'STREAM', key) and redis.acl_check_cmd('XTRIM', key, 'MINID', '0')
    end,
}
local asked = {}
local at = 6 + tonumber(ARGV[5])
while at <= #ARGV do
    local command = ARGV[at + 1]
    local key = KEYS[tonumber(ARGV[at + 2])]
    if not asked[command] then
        asked[command] = true
        local allowed
        if needed[command] then
            allowed = needed[command](key, at + 3)
        else
            allowed = redis.acl_check_cmd(command, key or ARGV[at + 3], 'a', 'b')
        end
        if not allowed then
            return redis.error_reply('NOPERM this user may not do ' .. command .. ' ' .. (key or ARGV[at + 3]))
        end
    end
    at = at + 3 + tonumber(ARGV[at])
end
if not redis.acl_check_cmd('HSET', KEYS[2], 'f', 'v') then
    return redis.error_reply('NOPERM this user may not do HSET ' .. KEYS[2])
end

-- The most fields of a foreign entry that are copied: what one call can take.
local most = 3900

-- Appends to stream TO a copy of the entry ID of stream FROM, with two fields behind its own.
local function copy_entry(from, to, id, name1, value1, name2, value2)
    local found = redis.pcall('XRANGE', from, id, id)
    local fields = {}
    if found[1] then
        fields = found[1][2]
    end
    if #fields > 2 * most then
        local cut = {}
        for i = 1, 2 * most do
            cut[i] = fields[i]
        end
        cut[#cut + 1] = 'fields_cut'
        cut[#cut + 1] = tostring(#fields / 2 - most)
        fields = cut
    end
    local n = #fields
    fields[n + 1], fields[n + 2], fields[n + 3], fields[n + 4] = name1, value1, name2, value2
    return redis.pcall('XADD', to, 'MAXLEN', '~', '10000', '*', unpack(fields))
end

-- Operations that are more than one command. Each gets its key and its arguments' place in ARGV.
local special = {
    ['!reject'] = function(key, i)
        return copy_entry(KEYS[tonumber(ARGV[i])], key, ARGV[i + 1], 'reject_reason', ARGV[i + 2], 'rejected_id', ARGV[i + 1])
    end,
    ['!drop'] = function(key, i)
        return copy_entry(KEYS[tonumber(ARGV[i])], key, ARGV[i + 1], 'dropped_id', ARGV[i + 1], 'age_ms', ARGV[i + 2])
    end,
    -- Moves the group to what has been handled; makes it again where somebody destroyed it.
    ['!position'] = function(key, i)
        local moved = redis.pcall('XGROUP', 'SETID', key, ARGV[i], ARGV[i + 1])
        if type(moved) == 'table' and moved.err then
            return redis.pcall('XGROUP', 'CREATE', key, ARGV[i], ARGV[i + 1], 'MKSTREAM')
        end
        return moved
    end,
    -- Cuts all below an ID, unless the stream was made anew with lower IDs that nobody has read.
    ['!trim'] = function(key, i)
        local info = redis.pcall('XINFO', 'STREAM', key)
        if info.err then
            return info
        end
        for n = 1, #info, 2 do
            if info[n] == 'last-generated-id' then
                local ms, seq = string.match(info[n + 1], '^(%d+)-(%d+)$')
                local want_ms, want_seq = string.match(ARGV[i + 1], '^(%d+)-(%d+)$')
                if #ms < #want_ms or (#ms == #want_ms and (ms < want_ms or (ms == want_ms and (#seq < #want_seq or (#seq == #want_seq and seq < want_seq))))) then
                    return {err = 'ERR the stream was made anew'}
                end
            end
        end
        return redis.pcall('XTRIM', key, 'MINID', ARGV[i])
    end,
}

local answer = {'ok'}
local operation = 0
local i = 6 + tonumber(ARGV[5])
local last = #ARGV
while i <= last do
    operation = operation + 1
    local count = tonumber(ARGV[i])
    local command = ARGV[i + 1]
    local key = tonumber(ARGV[i + 2])
    local result
    if special[command] then
        result = special[command](KEYS[key], i + 3)
    elseif key == 0 then
        result = redis.pcall(command, unpack(ARGV, i + 3, i + 2 + count))
    else
        result = redis.pcall(command, KEYS[key], unpack(ARGV, i + 3, i + 2 + count))
    end
    if type(result) == 'table' and result.err then
        answer[#answer + 1] = tostring(operation) .. ' ' .. command .. ' ' .. tostring(KEYS[key] or '') .. ': ' .. result.err
    end
    i = i + 3 + count
end

if number > 0 then
    redis.call('HSET', KEYS[2], 'applied_seq', ARGV[3], unpack(ARGV, 6, 5 + tonumber(ARGV[5])))
end
return answer
