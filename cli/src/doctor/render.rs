//! The report for a person.

use std::fmt::Write;

use super::{Report, Verdict};

pub(super) fn text(report: &Report) -> String {
    let mut text = format!("Syncline {}\n\nSettings\n", report.version);
    let width = |of: fn(&super::SettingReport) -> usize| report.settings.iter().map(of).max().unwrap_or(0);
    let (keys, values) = (
        width(|setting| setting.key.len()),
        width(|setting| shown(setting).chars().count()).min(48),
    );
    for setting in &report.settings {
        let _ = writeln!(
            text,
            "  {:keys$}  {:values$}  {}",
            setting.key,
            shown(setting),
            setting.source
        );
    }
    text.push_str("\nChecks\n");
    let checks = report
        .findings
        .iter()
        .map(|finding| finding.check.len())
        .max()
        .unwrap_or(0);
    for finding in &report.findings {
        let mark = match finding.verdict {
            Verdict::Ok => '✓',
            Verdict::Warning => '!',
            Verdict::Fault => '✗',
        };
        let _ = writeln!(text, "  {mark} {:checks$}  {}", finding.check, finding.saw);
        if let Some(mend) = &finding.mend {
            let _ = writeln!(text, "    {:checks$}  → {mend}", "");
        }
    }
    let (faults, warnings) = (report.count(Verdict::Fault), report.count(Verdict::Warning));
    let _ = match (faults, warnings) {
        (0, 0) => writeln!(text, "\nAll is well."),
        (0, _) => writeln!(text, "\nNo faults, {}.", counted(warnings, "warning")),
        _ => writeln!(
            text,
            "\n{}, {}.",
            counted(faults, "fault"),
            counted(warnings, "warning")
        ),
    };
    text
}

fn shown(setting: &super::SettingReport) -> &str {
    setting.value.as_deref().unwrap_or("?")
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
