#!lua flags=no-writes
-- Reads, at one moment, all that the checks of SPEC 4 need to see. Answers JSON. KEYS none; ARGV: the names of
-- the streams of reports, signals, results, trades, events and commands, in this order.
-- Values are cut at 200 bytes, which is more than any id or state has.

local function cut(value)
    return value and string.sub(value, 1, 200) or nil
end

local function type_of(key)
    return redis.call('TYPE', key).ok
end

local function fields_of(key, names)
    local found = {}
    for i, value in ipairs(redis.call('HMGET', key, unpack(names))) do
        found[names[i]] = cut(value)
    end
    return found
end

-- The hashes PREFIX:{id}; an id has no colon, so what has one is an index.
local function hashes_of(prefix, names)
    local found = {}
    for _, key in ipairs(redis.call('KEYS', prefix .. ':*')) do
        local id = string.sub(key, #prefix + 2)
        if not string.find(id, ':', 1, true) and type_of(key) == 'hash' then
            found[id] = fields_of(key, names)
        end
    end
    return found
end

local function sets_of(prefix, states)
    local found = {}
    for _, state in ipairs(states) do
        local key = prefix .. ':state:' .. state
        found[state] = type_of(key) == 'set' and redis.call('SMEMBERS', key) or {}
    end
    return found
end

local function hash_of(key)
    local found = {}
    if type_of(key) == 'hash' then
        local flat = redis.call('HGETALL', key)
        for i = 1, #flat, 2 do
            found[flat[i]] = cut(flat[i + 1])
        end
    end
    return found
end

local function entries_of(key, wanted)
    local found = {}
    if type_of(key) ~= 'stream' then
        return found
    end
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
        local kept = {id = entry[1]}
        for i = 1, #entry[2], 2 do
            if wanted[entry[2][i]] then
                kept['f_' .. entry[2][i]] = cut(entry[2][i + 1])
            end
        end
        table.insert(found, kept)
    end
    return found
end

local function stream_of(key)
    if type_of(key) ~= 'stream' then
        return {length = 0, added = 0, last_id = '0-0', groups = {}}
    end
    local info, groups = {}, {}
    local flat = redis.call('XINFO', 'STREAM', key)
    for i = 1, #flat, 2 do
        info[flat[i]] = flat[i + 1]
    end
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
        local fields = {}
        for i = 1, #group, 2 do
            fields[group[i]] = group[i + 1]
        end
        groups[fields['name']] = {last_id = fields['last-delivered-id'], pending = fields['pending']}
    end
    return {length = info['length'], added = info['entries-added'], last_id = info['last-generated-id'],
            groups = groups}
end

local function load_index()
    local key = 'instance:index:load'
    return type_of(key) == 'zset' and redis.call('ZRANGE', key, 0, -1) or {}
end

local function throttled()
    local key = 'instance:index:throttled'
    return type_of(key) == 'set' and redis.call('SMEMBERS', key) or {}
end

local streams = {}
for i = 1, 4 do
    streams[ARGV[i]] = stream_of(ARGV[i])
    streams[ARGV[i] .. '_rejected'] = stream_of(ARGV[i] .. '_rejected')
end
streams[ARGV[5]], streams[ARGV[6]] = stream_of(ARGV[5]), stream_of(ARGV[6])

return cjson.encode({
    instances = hashes_of('instance', {'state', 'broker_id'}),
    instance_sets = sets_of('instance', {'running', 'stopped', 'crashed', 'restarting'}),
    load_index = load_index(),
    trades = hashes_of('trade', {'state'}),
    trade_sets = sets_of('trade', {'pending', 'executing', 'executed', 'failed', 'closed'}),
    totals = hash_of('mt5stated:totals'),
    meta = hash_of('mt5stated:meta'),
    streams = streams,
    signals = entries_of(ARGV[2], {signal_id = true, action = true}),
    events = entries_of(ARGV[5], {event = true, instance_id = true, seq = true, from = true, to = true,
                                  alert = true, command_id = true}),
    commands = entries_of(ARGV[6], {command_id = true, instance_id = true, command = true, cancels = true}),
    throttled = throttled(),
    stored_alerts = hash_of('mt5stated:alerts'),
})
