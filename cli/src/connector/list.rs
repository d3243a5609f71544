//! `connector list`: the shipped connectors, a line each.

use std::process::ExitCode;

use connectors::Connector;

use crate::console;
use crate::exit::Outcome;

pub(super) fn run() -> Outcome {
    let mut lines = String::new();
    for shipped in connectors::catalog::shipped() {
        let connector = Connector::parse(shipped.yaml).ok();
        let title = connector.as_ref().and_then(Connector::title).unwrap_or_default();
        lines.push_str(format!("{:<18}{title}", shipped.slug).trim_end());
        lines.push('\n');
    }
    console::print(&lines).map(|()| ExitCode::SUCCESS)
}
