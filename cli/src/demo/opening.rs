//! When the sample shop opened: kept beside the demo's database, so that after a restart it is the same shop, a little later.

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::exit::Failure;

const FILE: &str = "sample-shop-opened-at";

pub(super) fn opened_at(data_dir: &Path, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let path = data_dir.join(FILE);
    if let Some(opened_at) = std::fs::read_to_string(&path)
        .ok()
        .and_then(|text| text.trim().parse().ok())
    {
        return Ok(opened_at);
    }
    std::fs::write(&path, now.to_rfc3339())
        .map_err(|error| Failure::cannot_start(format!("Cannot write {}: {error}.", path.display())))?;
    Ok(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shop_opens_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let first: DateTime<Utc> = "2026-06-15T12:00:00Z".parse().expect("a date");
        assert_eq!(opened_at(directory.path(), first).expect("written"), first);
        let later = first + chrono::Duration::days(3);
        assert_eq!(opened_at(directory.path(), later).expect("read"), first);
    }
}
