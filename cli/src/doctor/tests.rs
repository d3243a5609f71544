use platform::settings::{Overrides, Settings};

use super::*;

fn finding(report: &[Finding], check: &str) -> Finding {
    report
        .iter()
        .find(|finding| finding.check == check)
        .cloned()
        .expect("was looked at")
}

fn settings_in(directory: &std::path::Path) -> Settings {
    let overrides = Overrides::default()
        .with("storage.data_dir", Some(directory.display()))
        .with(
            "database.url",
            Some(format!("sqlite://{}/syncline.db", directory.display())),
        )
        .with("server.listen", Some("127.0.0.1:0"));
    Settings::load(&overrides).expect("settings")
}

#[tokio::test]
async fn a_fresh_machine_is_well_and_stays_untouched() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let findings = probes::all(&settings_in(&data)).await;
    let faults: Vec<_> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fault)
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(
        std::fs::read_dir(directory.path()).expect("readable").count(),
        0,
        "nothing was made"
    );
}

#[tokio::test]
async fn a_taken_port_is_a_fault_with_a_cure() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let directory = tempfile::tempdir().expect("a directory");
    let mut settings = settings_in(directory.path());
    settings.server.listen = holder.local_addr().expect("bound");
    // Whoever connects is hung up on at once: that is no Syncline.
    tokio::spawn(async move { while holder.accept().await.is_ok() {} });
    let found = finding(&probes::all(&settings).await, "listen address");
    assert_eq!(found.verdict, Verdict::Fault);
    assert!(found.mend.expect("a cure").contains("--listen"));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let settings = settings_in(directory.path());
    let random = platform::random::SystemRandom::shared();
    platform::secrets::MasterKey::load(&settings.storage, Role::Serve, &*random).expect("made");
    assert_eq!(probes::master_key(&settings).verdict, Verdict::Ok);

    let file = directory.path().join(probes::MASTER_KEY_FILE);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let found = probes::master_key(&settings);
    assert_eq!(found.verdict, Verdict::Warning);
    assert!(found.mend.expect("a cure").starts_with("chmod 600"));

    std::fs::write(&file, "not a key").expect("written");
    assert_eq!(probes::master_key(&settings).verdict, Verdict::Fault);
}

#[test]
fn the_report_marks_each_finding_and_names_the_cure() {
    let report = Report {
        version: "1.2.3",
        settings: vec![SettingReport {
            key: "server.listen",
            value: Some("127.0.0.1:8000".to_owned()),
            source: "default".to_owned(),
            variable: Some("SYNCLINE_LISTEN"),
        }],
        findings: vec![
            Finding::ok("database", "answers"),
            Finding::warning("master key", "can be read by others", "chmod 600 key"),
            Finding::fault("listen address", "is taken", "take another"),
        ],
    };
    insta::assert_snapshot!("report", render::text(&report));
    insta::assert_snapshot!(
        "report_json",
        serde_json::to_string_pretty(&report).expect("JSON")
    );
}
