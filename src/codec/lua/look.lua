#!lua flags=no-writes
-- Everything that Redis holds about instances, each at one moment. ARGV: their ids. KEYS are the sets and hashes shared by all:
-- the four sets by state, the load index, the hash of seqs. For each id answers {id, type and content of instance:id, of
-- instance_metrics:id, of instance_health:id, membership as four digits, score or '', seq or ''}.

-- A foreign type among KEYS is no error here; a right that is missing would look the same.
if not (redis.acl_check_cmd('SISMEMBER', KEYS[1], 'i') and redis.acl_check_cmd('ZSCORE', KEYS[5], 'i')
        and redis.acl_check_cmd('HGET', KEYS[6], 'i')) then
    return redis.error_reply('NOPERM this user may not do SISMEMBER, ZSCORE or HGET')
end

local answer = {}
for i = 1, #ARGV do
    local id = ARGV[i]
    local one = {id}
    for _, prefix in ipairs({'instance:', 'instance_metrics:', 'instance_health:'}) do
        local key = prefix .. id
        local kind = redis.call('TYPE', key).ok
        one[#one + 1] = kind
        one[#one + 1] = kind == 'hash' and redis.call('HGETALL', key) or {}
    end
    local member = ''
    for k = 1, 4 do
        local found = redis.pcall('SISMEMBER', KEYS[k], id)
        member = member .. (found == 1 and '1' or '0')
    end
    one[#one + 1] = member
    local score = redis.pcall('ZSCORE', KEYS[5], id)
    one[#one + 1] = type(score) == 'string' and score or ''
    local seq = redis.pcall('HGET', KEYS[6], id)
    one[#one + 1] = type(seq) == 'string' and seq or ''
    answer[i] = one
end
return answer
