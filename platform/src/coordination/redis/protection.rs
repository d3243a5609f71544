//! Budgets and circuits in Redis: one hash each, changed by one script each, in the server's own time.
//!
//! Not idempotent, on purpose: a call that timed out and did run spends a request or counts a failure that
//! nobody sees, which errs on the side of the upstream. Times are doubles of microseconds, exact enough until the
//! year 2255.

use std::time::Duration;

use async_trait::async_trait;
use redis::{FromRedisValue, RedisError, Script, ScriptInvocation};

use super::super::budget::{Budget, Budgets, Grant, Rate};
use super::super::circuit::{CircuitPolicy, CircuitState, Circuits, MEMORY, Passage, Verdict, WHILE_PROBED};
use super::RedisCoordinator;

/// `KEYS`: the budget. `ARGV`: the period, the limit, the most that is wanted (0: only look), all times in µs.
/// What was granted, the wait until one is there, what remains, until it is whole.
const SPEND: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local period, limit, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval = period / limit
local kept = redis.call('HMGET', KEYS[1], 'whole', 'held')
local whole = math.max(tonumber(kept[1] or '0'), now)
local held = tonumber(kept[2] or '0')
local there = 0
if held <= now then
    there = math.max(0, math.min(limit, math.floor((period - (whole - now)) / interval + 0.000001)))
end
local granted = math.min(there, most)
if granted > 0 then
    whole = whole + granted * interval
    redis.call('HSET', KEYS[1], 'whole', string.format('%.0f', whole))
    redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(whole - now, held - now) / 1000) + 1000)
end
local wait = 0
if there == 0 then
    wait = math.max(whole - now - period + interval, held - now, 1)
end
return {granted, math.ceil(wait), there - granted, math.ceil(math.max(whole - now, held - now, 0))}
";

/// `KEYS`: the budget. `ARGV`: for how long, in µs.
const HOLD_BACK: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('HMGET', KEYS[1], 'whole', 'held')
local held = math.max(tonumber(kept[2] or '0'), now + tonumber(ARGV[1]))
redis.call('HSET', KEYS[1], 'held', string.format('%.0f', held))
redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(held, tonumber(kept[1] or '0')) / 1000 - now / 1000) + 1000)
";

/// `KEYS`: the circuit. `ARGV`: who asks (empty: only look), the time of a probe, the wait while one is out, in µs.
/// `closed` with whether it is failing, `probe`, `half`, or `open` with the wait.
const PASS: &str = r"
local kept = redis.call('HMGET', KEYS[1], 'failures', 'opened', 'until', 'probe', 'probed')
if not kept[2] then
    return {'closed', tonumber(kept[1] or '0')}
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if tonumber(kept[3]) > now then
    return {'open', tonumber(kept[3]) - now}
end
if ARGV[1] == '' then
    return {'half', 0}
end
if kept[4] and kept[4] ~= ARGV[1] and tonumber(kept[5]) > now then
    return {'half', math.min(tonumber(ARGV[3]), tonumber(kept[5]) - now)}
end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'probed', string.format('%.0f', now + ARGV[2]))
return {'probe', 0}
";

/// `KEYS`: the circuit. `ARGV`: who reports, the verdict, how many failures open it, for how long at first and at
/// most in µs, for how long it is remembered in ms.
const REPORT: &str = r"
if ARGV[2] == 'success' then
    redis.call('DEL', KEYS[1])
    return
end
local kept = redis.call('HMGET', KEYS[1], 'opened', 'probe')
local probed = kept[2] == ARGV[1]
if ARGV[2] == 'unknown' then
    if probed then redis.call('HDEL', KEYS[1], 'probe', 'probed') end
    return
end
local opened = tonumber(kept[1] or '0')
if opened == 0 and redis.call('HINCRBY', KEYS[1], 'failures', 1) < tonumber(ARGV[3]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
elseif opened == 0 or probed then
    local time = redis.call('TIME')
    local open = math.min(ARGV[4] * 2 ^ math.min(opened, 10), tonumber(ARGV[5]))
    redis.call('HDEL', KEYS[1], 'probe', 'probed')
    redis.call('HSET', KEYS[1], 'opened', opened + 1, 'until', string.format('%.0f', time[1] * 1000000 + time[2] + open))
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
";

/// The scripts of budgets and circuits.
#[derive(Debug)]
pub(super) struct ProtectionScripts {
    spend: Script,
    hold_back: Script,
    pass: Script,
    report: Script,
}

impl Default for ProtectionScripts {
    fn default() -> Self {
        Self {
            spend: Script::new(SPEND),
            hold_back: Script::new(HOLD_BACK),
            pass: Script::new(PASS),
            report: Script::new(REPORT),
        }
    }
}

type Spent = (u32, u64, u32, u64);
type Passed = (String, u64);

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn spending<'a>(script: &'a Script, key: String, rate: Rate, most: u32) -> ScriptInvocation<'a> {
    let mut call = script.key(key);
    call.arg(micros(rate.per())).arg(rate.limit()).arg(most);
    call
}

fn passing<'a>(script: &'a Script, key: String, owner: &str, probe: Duration) -> ScriptInvocation<'a> {
    let mut call = script.key(key);
    call.arg(owner).arg(micros(probe)).arg(micros(WHILE_PROBED));
    call
}

impl RedisCoordinator {
    fn key(&self, kind: &str, name: &str) -> String {
        format!("{}{{{kind}:{name}}}", self.prefix)
    }

    /// What the server says; none while it is away.
    async fn call<T: FromRedisValue>(&self, call: ScriptInvocation<'_>) -> Option<T> {
        let mut connection = self.connection().ok()?;
        self.heard(call.invoke_async(&mut connection).await)
    }

    /// Many calls in one round trip.
    async fn calls<T: FromRedisValue>(
        &self,
        script: &Script,
        calls: Vec<ScriptInvocation<'_>>,
    ) -> Option<Vec<T>> {
        let mut connection = self.connection().ok()?;
        let mut pipeline = redis::pipe();
        // A server that has forgotten the script is told again, in the same round trip.
        pipeline.load_script(script).ignore();
        for call in &calls {
            pipeline.invoke_script(call);
        }
        self.heard(pipeline.query_async(&mut connection).await)
    }

    fn heard<T>(&self, answer: Result<T, RedisError>) -> Option<T> {
        answer
            .inspect_err(|error| tracing::debug!(%error, "no answer about a budget or a circuit"))
            .ok()
    }
}

#[async_trait]
impl Budgets for RedisCoordinator {
    async fn draw(&self, name: &str, rate: Rate, most: u32) -> (Grant, Budget) {
        let key = self.key("budget", name);
        let call = spending(&self.scripts.protection.spend, key, rate, most.max(1));
        let Some((granted, wait, remaining, whole_in)) = self.call::<Spent>(call).await else {
            return self.local.draw(name, rate, most);
        };
        let grant = match granted {
            0 => Grant::Refused {
                wait: Duration::from_micros(wait),
            },
            granted => Grant::Granted(granted),
        };
        let left = Budget {
            remaining,
            whole_in: Duration::from_micros(whole_in),
        };
        (grant, left)
    }

    async fn hold_back(&self, name: &str, wait: Duration) {
        // Here too: the server may go away before the wait is over.
        self.local.hold_back(name, wait);
        let mut call = self.scripts.protection.hold_back.key(self.key("budget", name));
        call.arg(micros(wait));
        let _: Option<()> = self.call(call).await;
    }

    async fn budgets(&self, asked: &[(String, Rate)]) -> Vec<Budget> {
        let script = &self.scripts.protection.spend;
        let calls = asked
            .iter()
            .map(|(name, rate)| spending(script, self.key("budget", name), *rate, 0));
        match self.calls::<Spent>(script, calls.collect()).await {
            Some(answers) => answers
                .into_iter()
                .map(|(_, _, remaining, whole_in)| Budget {
                    remaining,
                    whole_in: Duration::from_micros(whole_in),
                })
                .collect(),
            None => self.local.budgets(asked),
        }
    }
}

#[async_trait]
impl Circuits for RedisCoordinator {
    async fn pass(&self, name: &str, owner: &str, policy: CircuitPolicy) -> Passage {
        let key = self.key("circuit", name);
        let call = passing(&self.scripts.protection.pass, key, owner, policy.probe);
        match self.call::<Passed>(call).await {
            Some((state, failures)) if state == "closed" => Passage::Closed {
                failing: failures > 0,
            },
            Some((state, _)) if state == "probe" => Passage::Probe,
            Some((_, wait)) => Passage::Refused {
                wait: Duration::from_micros(wait),
            },
            None => self.local.pass(name, owner, policy),
        }
    }

    async fn report(&self, name: &str, owner: &str, verdict: Verdict, policy: CircuitPolicy) {
        let verdict_name = match verdict {
            Verdict::Success => "success",
            Verdict::Failure => "failure",
            Verdict::Unknown => "unknown",
        };
        let mut call = self.scripts.protection.report.key(self.key("circuit", name));
        call.arg(owner)
            .arg(verdict_name)
            .arg(policy.failures)
            .arg(micros(policy.first))
            .arg(micros(policy.longest))
            .arg(super::millis(MEMORY));
        if self.call::<()>(call).await.is_none() {
            self.local.report(name, owner, verdict, policy);
        }
    }

    async fn circuits(&self, names: &[String]) -> Vec<CircuitState> {
        let script = &self.scripts.protection.pass;
        let calls = names
            .iter()
            .map(|name| passing(script, self.key("circuit", name), "", Duration::ZERO));
        match self.calls::<Passed>(script, calls.collect()).await {
            Some(answers) => answers
                .into_iter()
                .map(|(state, _)| match &*state {
                    "closed" => CircuitState::Closed,
                    "open" => CircuitState::Open,
                    _ => CircuitState::HalfOpen,
                })
                .collect(),
            None => self.local.circuits(names),
        }
    }
}
