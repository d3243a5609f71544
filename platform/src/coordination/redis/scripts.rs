//! What Redis does in one step.

use redis::Script;

use super::protection::ProtectionScripts;

/// `KEYS`: the lock, its last fence. `ARGV`: the owner, the time to live in ms. The fence; nil while another
/// owner holds the lock. A lock's last fence is kept for a day after its last holding: longer than any holder
/// could sleep unnoticed, and not for ever.
const LOCK: &str = r"
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then
    return nil
end
if owner then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return tonumber(redis.call('HGET', KEYS[1], 'fence'))
end
local time = redis.call('TIME')
local fence = math.max(time[1] * 1000000 + time[2], tonumber(redis.call('GET', KEYS[2]) or '0') + 1)
local text = string.format('%.0f', fence)
redis.call('SET', KEYS[2], text, 'PX', 86400000)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', text)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return fence
";

/// `KEYS`: the lock. `ARGV`: the owner, the time to live in ms. Whether it was this owner's.
const RENEW: &str = r"
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
    return 0
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
";

/// `KEYS`: the lock. `ARGV`: the owner. Whether it was this owner's.
const UNLOCK: &str = r"
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then
    return 0
end
redis.call('DEL', KEYS[1])
return 1
";

/// The scripts, called by their hash; a server that has forgotten one is told again.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) lock: Script,
    pub(super) renew: Script,
    pub(super) unlock: Script,
    pub(super) protection: ProtectionScripts,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            lock: Script::new(LOCK),
            renew: Script::new(RENEW),
            unlock: Script::new(UNLOCK),
            protection: ProtectionScripts::default(),
        }
    }
}
