//! When a schedule is due.
//!
//! The arithmetic ([`Calendar`]) is pure: a cron expression, a time zone and an instant give the next
//! instant, the same on every machine and in every test. [`fire`] is the part that writes.
//!
//! # Daylight saving
//! A time that a clock skips (02:30 on the night it goes forward) is due at the instant the clock lands on;
//! a fixed time that happens twice is due once, the first time; a pattern that repeats (every 15 minutes)
//! goes on through both. The zone is looked up at every computation. A scheduler that remembers the offset
//! of the day the schedule was made, as tokio-cron-scheduler does, is an hour off for half of the year.
//!
//! # Jitter
//! Delays a run after its due time and never makes it earlier: a due time is a promise that the data of
//! that moment is read, and who asks at 00:00 for yesterday must not be given an unfinished day.

mod calendar;
mod decide;
pub mod fire;

pub use calendar::{Calendar, ScheduleFault, next_due, validate};
