//! Planning: the windows of a run.

use chrono::{Datelike, Days, Months, NaiveTime, TimeZone};
use serde_json::{Value, json};

use super::progress::Interval;
use super::{Clamping, CursorSettings, Moment, Progress, Window};

/// A stretch of time to cut into windows; `to_end` marks the last, which includes its end.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    lower: Moment,
    upper: Moment,
    to_end: bool,
}

/// The windows of a run, one at a time: a step of a second over twenty years is six hundred million of them.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    stretches: Vec<Stretch>,
    index: usize,
    /// Where the next window of the current stretch begins; `None` before its first.
    lower: Option<Moment>,
}

/// Where [`Windows`] stands, for a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WindowsPosition(Value);

impl WindowsPosition {
    pub(crate) fn to_json(&self) -> Value {
        self.0.clone()
    }

    pub(crate) fn from_json(value: &Value) -> Self {
        Self(value.clone())
    }
}

impl Windows {
    /// The windows that are missing between what is read and the end of the run.
    pub(crate) fn plan(settings: &CursorSettings, progress: &Progress) -> Self {
        let read = progress.intervals();
        let mut stretches = Vec::new();
        if let Some(first) = read.first().filter(|first| settings.start < first.start) {
            stretches.push(Stretch {
                lower: settings.start,
                upper: first.start,
                to_end: false,
            });
        }
        for pair in read.windows(2) {
            let lower = settings
                .granularity
                .and_then(|unit| unit.add_to(&pair[0].end).ok())
                .unwrap_or(pair[0].end);
            stretches.push(Stretch {
                lower,
                upper: pair[1].start,
                to_end: false,
            });
        }
        let last = read
            .last()
            .map_or(settings.start, |interval: &Interval| interval.end);
        let lower = settings
            .lookback
            .and_then(|window| window.subtract_from(&last).ok())
            .unwrap_or(last);
        stretches.push(Stretch {
            lower,
            upper: settings.end,
            to_end: true,
        });
        Self {
            stretches,
            index: 0,
            lower: None,
        }
    }

    /// The position after the window given last.
    pub(crate) fn position(&self) -> WindowsPosition {
        WindowsPosition(json!([self.index, self.lower.map(|moment| moment.to_rfc3339())]))
    }

    /// Continues after the window at which `position` was taken.
    pub(crate) fn seek(&mut self, position: &WindowsPosition) -> Option<()> {
        let index = usize::try_from(position.0.get(0)?.as_u64()?).ok()?;
        let lower = match position.0.get(1)? {
            Value::String(text) => Some(Moment::parse_from_rfc3339(text).ok()?),
            _ => None,
        };
        self.index = index;
        self.lower = lower;
        Some(())
    }

    /// The next window.
    pub(crate) fn next(&mut self, settings: &CursorSettings) -> Option<Window> {
        loop {
            let stretch = *self.stretches.get(self.index)?;
            let window = match self.lower {
                None => self.first(settings, stretch),
                Some(lower) => self.following(settings, stretch, lower),
            };
            if window.is_some() {
                return window;
            }
            self.index += 1;
            self.lower = None;
        }
    }

    fn first(&mut self, settings: &CursorSettings, stretch: Stretch) -> Option<Window> {
        let Stretch { lower, upper, to_end } = stretch;
        if lower > upper || (lower == upper && settings.granularity.is_none()) {
            return None;
        }
        if upper < settings.start {
            return None;
        }
        let lower = clamped(settings, lower.max(settings.start));
        if lower > upper || (lower == upper && (settings.compare_strictly || !to_end)) {
            return None;
        }
        if after_step(settings, &lower) < upper {
            return self.following(settings, stretch, lower);
        }
        let end = if to_end && settings.granularity.is_some() {
            upper
        } else {
            clamped(settings, upper)
        };
        let end = if to_end { end } else { before(settings, end) };
        self.leave();
        Some(window(settings, lower, end))
    }

    /// A window of one step; the caller has seen to it that there is something left.
    fn following(&mut self, settings: &CursorSettings, stretch: Stretch, lower: Moment) -> Option<Window> {
        let upper = after_step(settings, &lower).min(stretch.upper);
        let end = if upper == stretch.upper {
            upper
        } else {
            clamped(settings, upper)
        };
        let reached = upper >= stretch.upper || end == stretch.upper;
        let start = clamped(settings, lower);
        if start >= end {
            return None;
        }
        let shown = if stretch.to_end && reached {
            end
        } else {
            before(settings, end)
        };
        if reached {
            self.leave();
        } else {
            self.lower = Some(end);
        }
        Some(window(settings, start, shown))
    }

    fn leave(&mut self) {
        self.index += 1;
        self.lower = None;
    }
}

fn window(settings: &CursorSettings, start: Moment, end: Moment) -> Window {
    Window {
        start: settings.format(&start),
        end: settings.format(&end),
    }
}

/// One step further; without a step, or beyond the calendar, that is the end of the run.
fn after_step(settings: &CursorSettings, lower: &Moment) -> Moment {
    settings
        .step
        .and_then(|step| step.add_to(lower).ok())
        .unwrap_or(settings.end)
}

/// One unit earlier, so that two windows do not share a boundary.
fn before(settings: &CursorSettings, moment: Moment) -> Moment {
    settings
        .granularity
        .and_then(|unit| unit.subtract_from(&moment).ok())
        .unwrap_or(moment)
}

fn clamped(settings: &CursorSettings, moment: Moment) -> Moment {
    settings.clamping.map_or(moment, |clamping| clamping.ceil(moment))
}

/// Midnight, at the period's boundary before (or, upwards, at or after) the moment.
pub(super) fn clamp(clamping: Clamping, moment: Moment, upwards: bool) -> Moment {
    let midnight = moment.date_naive().and_time(NaiveTime::MIN);
    let date = midnight.date();
    let target = match clamping {
        Clamping::Day => {
            let later = upwards && midnight != moment.naive_local();
            if later {
                date.checked_add_days(Days::new(1))
            } else {
                Some(date)
            }
        }
        Clamping::Week(weekday) => {
            let ahead = weekday.days_since(date.weekday());
            if ahead == 0 {
                Some(date)
            } else if upwards {
                date.checked_add_days(Days::new(ahead.into()))
            } else {
                date.checked_sub_days(Days::new((7 - ahead).into()))
            }
        }
        Clamping::Month => {
            let first = date.with_day(1);
            if upwards && date.day() != 1 {
                first.and_then(|first| first.checked_add_months(Months::new(1)))
            } else {
                first
            }
        }
    };
    target
        .and_then(|date| {
            moment
                .timezone()
                .from_local_datetime(&date.and_time(NaiveTime::MIN))
                .single()
        })
        .unwrap_or(moment)
}
