//! Scripts that drive software nobody here wrote: the graphql-ws client, graphql-js, a browser.

use std::path::PathBuf;

use tokio::process::Command;
use tokio::time::timeout;

use crate::PATIENCE;

/// Runs a script of `tests/peers` and gives what it printed.
///
/// # Panics
/// When the npm packages are missing, or the script fails or does not end.
pub async fn peer(script: &str, arguments: &[&str]) -> String {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/peers"));
    assert!(
        folder.join("node_modules").exists(),
        "the npm packages are missing: run `scripts/prepare node peers`"
    );
    let run = Command::new("node")
        .arg(folder.join(script))
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = timeout(2 * PATIENCE, run)
        .await
        .unwrap_or_else(|_| panic!("{script} waits for something that does not come"))
        .expect("node runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{script}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}
