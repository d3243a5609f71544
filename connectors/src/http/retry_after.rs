//! How long an upstream asks us to wait, in the header that everybody understands.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// No upstream may park a run for longer than this by one header.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// `Retry-After` as seconds (also fractional) or as an HTTP date.
pub(crate) fn parse(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return seconds_to_duration(seconds);
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?;
    let wait = (until.with_timezone(&Utc) - now)
        .to_std()
        .unwrap_or(Duration::ZERO);
    Some(wait.min(LONGEST))
}

/// Seconds that somebody else computed: negative, endless and absurd values are tamed.
pub(crate) fn seconds_to_duration(seconds: f64) -> Option<Duration> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn reads_seconds_and_dates() {
        let now = Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap();
        let seconds = |text| parse(text, now).map(|wait| wait.as_secs_f64());
        assert_eq!(seconds("3"), Some(3.0));
        assert_eq!(seconds(" 1.5 "), Some(1.5));
        assert_eq!(seconds("Mon, 15 Jun 2026 12:00:30 GMT"), Some(30.0));
        assert_eq!(seconds("Mon, 15 Jun 2026 11:00:30 GMT"), Some(0.0));
        assert_eq!(seconds("1e99"), Some(86_400.0));
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("NaN"), None);
        assert_eq!(seconds("soon"), None);
    }
}
