//! Public manifests, where a folder of them is given: each loads, or is told what is not supported yet.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::load;

/// `SYNCLINE_CONFORMANCE_DIR`: a folder with `cases/<name>/manifest.yaml`.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch, not a setting of the product"
)]
fn conformance_manifests_load_or_say_what_is_missing() {
    let Some(folder) = std::env::var_os("SYNCLINE_CONFORMANCE_DIR").map(PathBuf::from) else {
        return;
    };
    let cases = std::fs::read_dir(folder.join("cases")).expect("the folder holds cases");
    let (mut loaded, mut later, mut python, mut broken) = (0, BTreeMap::new(), 0, Vec::new());
    for case in cases {
        let case = case.expect("the folder can be listed").path();
        let Ok(yaml) = std::fs::read_to_string(case.join("manifest.yaml")) else {
            continue;
        };
        let name = case
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match load(&yaml) {
            Ok(_) => loaded += 1,
            Err(faults) if faults.iter().any(|fault| fault.message.contains("Python code")) => python += 1,
            Err(faults) => {
                let unexplained: Vec<_> = faults
                    .iter()
                    .filter(|fault| !fault.message.contains("not supported yet"))
                    .collect();
                if unexplained.is_empty() {
                    for fault in &faults {
                        let what = fault
                            .message
                            .split(" is not supported yet")
                            .next()
                            .unwrap_or_default()
                            .to_owned();
                        later
                            .entry(what)
                            .or_insert_with(std::collections::BTreeSet::new)
                            .insert(name.clone());
                    }
                } else {
                    broken.extend(unexplained.iter().map(|fault| format!("{name}: {fault}")));
                }
            }
        }
    }
    let waiting: std::collections::BTreeSet<_> = later.values().flatten().collect();
    eprintln!(
        "{loaded} load, {} wait for what is not supported yet, {python} hold Python",
        waiting.len()
    );
    for (what, names) in &later {
        eprintln!(
            "  {what}: {} ({})",
            names.len(),
            names.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
        );
    }
    assert!(
        broken.is_empty(),
        "{} faults that should not be:\n{}",
        broken.len(),
        broken.join("\n")
    );
    assert!(loaded > 0);
}
