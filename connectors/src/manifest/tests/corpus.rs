//! Public manifests, where a folder of them is given: each loads, or holds Python.

use std::path::PathBuf;

use super::load;

/// `SYNCLINE_CONFORMANCE_DIR`: a folder with `cases/<name>/manifest.yaml`.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test's own switch, not a setting of the product"
)]
fn conformance_manifests_load_or_hold_python() {
    let Some(folder) = std::env::var_os("SYNCLINE_CONFORMANCE_DIR").map(PathBuf::from) else {
        return;
    };
    let cases = std::fs::read_dir(folder.join("cases")).expect("the folder holds cases");
    let (mut loaded, mut python, mut broken) = (0, 0, Vec::new());
    for case in cases {
        let case = case.expect("the folder can be listed").path();
        let Ok(yaml) = std::fs::read_to_string(case.join("manifest.yaml")) else {
            continue;
        };
        match load(&yaml) {
            Ok(_) => loaded += 1,
            Err(faults) if faults.iter().any(|fault| fault.message.contains("Python code")) => python += 1,
            Err(faults) => broken.extend(faults.iter().map(|fault| format!("{}: {fault}", case.display()))),
        }
    }
    eprintln!("{loaded} load, {python} hold Python");
    assert!(
        broken.is_empty(),
        "{} faults that should not be:\n{}",
        broken.len(),
        broken.join("\n")
    );
    assert!(loaded > 0);
}
