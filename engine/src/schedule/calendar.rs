//! Cron and time zone, and nothing else.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// A schedule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleFault {
    /// The expression.
    #[error(
        "{0}; write five fields, minute hour day month weekday (\"0 6 * * 1-5\"), or six with seconds first"
    )]
    Cron(String),
    /// The zone.
    #[error("{0:?} is not an IANA time zone such as \"UTC\" or \"Europe/Lisbon\"")]
    Timezone(String),
    /// The expression is well-formed and describes no day that exists, such as 30 February.
    #[error("this expression is never due")]
    Never,
}

/// A cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Calendar {
    cron: Cron,
    zone: Tz,
}

impl Calendar {
    /// Understands both texts.
    ///
    /// # Errors
    /// The first one that is not understood.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, ScheduleFault> {
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(cron)
            .map_err(|fault| ScheduleFault::Cron(fault.to_string()))?;
        let zone = timezone
            .parse()
            .map_err(|_| ScheduleFault::Timezone(timezone.to_owned()))?;
        Ok(Self { cron, zone })
    }

    /// The first due time after this instant; none when there is none within the years that are searched.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = after.with_timezone(&self.zone);
        self.cron
            .find_next_occurrence(&local, false)
            .ok()
            .map(|due| due.with_timezone(&Utc))
    }

    /// The last due time at or before this instant.
    #[must_use]
    pub fn last_until(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = until.with_timezone(&self.zone);
        self.cron
            .find_previous_occurrence(&local, true)
            .ok()
            .map(|due| due.with_timezone(&Utc))
    }

    /// The due times that nobody saw to since `first`, the latest and the ones before it, which come latest first
    /// too, at most so many of them.
    #[must_use]
    pub fn owed(
        &self,
        first: DateTime<Utc>,
        now: DateTime<Utc>,
        at_most: usize,
    ) -> (DateTime<Utc>, Vec<DateTime<Utc>>) {
        let latest = self.last_until(now).filter(|last| *last > first).unwrap_or(first);
        let mut earlier = Vec::new();
        let mut due = latest;
        while due > first && earlier.len() < at_most {
            // Nothing between would be an end, not a reason to go on for ever.
            due = self
                .last_before(due)
                .filter(|before| *before < due)
                .map_or(first, |before| before.max(first));
            earlier.push(due);
        }
        (latest, earlier)
    }

    fn last_before(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = before.with_timezone(&self.zone);
        self.cron
            .find_previous_occurrence(&local, false)
            .ok()
            .map(|due| due.with_timezone(&Utc))
    }
}

/// The first due time after this instant.
///
/// # Errors
/// When either text is not understood.
pub fn next_due(
    cron: &str,
    timezone: &str,
    after: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, ScheduleFault> {
    Ok(Calendar::parse(cron, timezone)?.next_after(after))
}

/// Whether a schedule can be: understood, and due at some time after `now`.
///
/// # Errors
/// What is wrong with it, in words for whoever wrote it.
pub fn validate(cron: &str, timezone: &str, now: DateTime<Utc>) -> Result<(), ScheduleFault> {
    next_due(cron, timezone, now)?
        .map(|_| ())
        .ok_or(ScheduleFault::Never)
}

/// When a run may begin: its due time, and up to `jitter` later. `unit` is a random number in `0..1`.
pub(super) fn jittered(due: DateTime<Utc>, jitter: Duration, unit: f64) -> DateTime<Utc> {
    due + TimeDelta::from_std(jitter.mul_f64(unit.clamp(0.0, 1.0))).unwrap_or(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn dues(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::parse(cron, zone).unwrap();
        let mut now = at(from);
        (0..count)
            .map(|_| {
                now = calendar.next_after(now).unwrap();
                now.format("%m-%dT%H:%M").to_string()
            })
            .collect()
    }

    #[test]
    fn seconds_are_optional() {
        let after = at("2026-03-01T10:00:30Z");
        assert_eq!(
            next_due("* * * * *", "UTC", after),
            Ok(Some(at("2026-03-01T10:01:00Z")))
        );
        assert_eq!(
            next_due("*/10 * * * * *", "UTC", after),
            Ok(Some(at("2026-03-01T10:00:40Z")))
        );
    }

    #[test]
    fn what_cannot_be_says_why() {
        let now = at("2026-01-01T00:00:00Z");
        assert!(matches!(
            validate("61 * * * *", "UTC", now),
            Err(ScheduleFault::Cron(_))
        ));
        assert!(matches!(validate("", "UTC", now), Err(ScheduleFault::Cron(_))));
        assert!(matches!(
            validate("* * * * * * 2030", "UTC", now),
            Err(ScheduleFault::Cron(_))
        ));
        assert_eq!(
            validate("* * * * *", "Mars/Olympus", now),
            Err(ScheduleFault::Timezone("Mars/Olympus".to_owned()))
        );
        assert_eq!(validate("0 0 30 2 *", "UTC", now), Err(ScheduleFault::Never));
        assert_eq!(validate("0 0 29 2 *", "UTC", now), Ok(()));
    }

    #[test]
    fn a_time_that_the_clock_skips_is_due_when_the_clock_lands() {
        // Lisbon, 2026-03-29: 01:00 WET becomes 02:00 WEST.
        assert_eq!(
            dues("30 1 * * *", "Europe/Lisbon", "2026-03-28T00:00:00Z", 3),
            ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
        );
    }

    #[test]
    fn a_fixed_time_that_happens_twice_is_due_once() {
        // Lisbon, 2026-10-25: 02:00 WEST becomes 01:00 WET.
        assert_eq!(
            dues("30 1 * * *", "Europe/Lisbon", "2026-10-24T12:00:00Z", 2),
            ["10-25T00:30", "10-26T01:30"]
        );
    }

    #[test]
    fn a_repeating_pattern_goes_on_through_both_hours() {
        assert_eq!(
            dues("*/30 * * * *", "Europe/Lisbon", "2026-10-24T23:59:00Z", 5),
            [
                "10-25T00:00",
                "10-25T00:30",
                "10-25T01:00",
                "10-25T01:30",
                "10-25T02:00"
            ]
        );
    }

    #[test]
    fn after_a_downtime_the_latest_is_owed() {
        let calendar = Calendar::parse("0 * * * *", "UTC").unwrap();
        let first = at("2026-01-01T03:00:00Z");
        let owed = |now| calendar.owed(first, at(now), 3);
        assert_eq!(owed("2026-01-01T03:00:00Z"), (first, vec![]));
        assert_eq!(owed("2026-01-01T03:59:59Z"), (first, vec![]));
        assert_eq!(
            owed("2026-01-01T05:00:00Z"),
            (
                at("2026-01-01T05:00:00Z"),
                vec![at("2026-01-01T04:00:00Z"), first]
            )
        );
        let (latest, earlier) = owed("2026-01-04T12:34:00Z");
        assert_eq!((latest, earlier.len()), (at("2026-01-04T12:00:00Z"), 3));
        assert_eq!(earlier[2], at("2026-01-04T09:00:00Z"));
    }

    proptest! {
        #[test]
        fn due_times_grow_and_lie_on_the_pattern(
            start in 1_700_000_000_i64..1_900_000_000,
            minutes in prop::sample::select(vec![1_u32, 5, 10, 15, 30]),
            zone in prop::sample::select(vec!["UTC", "Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"]),
        ) {
            let calendar = Calendar::parse(&format!("*/{minutes} * * * *"), zone).unwrap();
            let mut now = Utc.timestamp_opt(start, 0).unwrap();
            for _ in 0..50 {
                let next = calendar.next_after(now).unwrap();
                prop_assert!(next > now);
                prop_assert!(next - now <= TimeDelta::minutes(i64::from(minutes)), "{now} {next}");
                prop_assert_eq!(calendar.last_until(next), Some(next));
                now = next;
            }
        }

        #[test]
        fn a_daily_time_is_due_once_a_day(
            day in 0_i64..1500, hour in 0_u32..24, minute in 0_u32..60,
            zone in prop::sample::select(vec!["Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]),
        ) {
            let calendar = Calendar::parse(&format!("{minute} {hour} * * *"), zone).unwrap();
            let mut now = at("2024-01-01T00:00:00Z") + TimeDelta::days(day);
            now = calendar.next_after(now).unwrap();
            for _ in 0..5 {
                let next = calendar.next_after(now).unwrap();
                let gap = next - now;
                prop_assert!(gap >= TimeDelta::hours(22) && gap <= TimeDelta::hours(26), "{now} {next}");
                now = next;
            }
        }

        #[test]
        fn jitter_is_never_early(seconds in 0_u64..86_400, unit in 0.0_f64..1.0) {
            let due = at("2026-01-01T00:00:00Z");
            let begin = jittered(due, Duration::from_secs(seconds), unit);
            prop_assert!(begin >= due && begin <= due + TimeDelta::seconds(i64::try_from(seconds).unwrap()));
        }
    }
}
