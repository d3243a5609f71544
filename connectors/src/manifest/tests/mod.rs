//! What a manifest may say, and what it is told when it says something else.

mod bounds;
mod corpus;
mod faults;
mod groups;
mod own;
mod plan;
mod references;

use super::components::Plan;
use super::load;

/// A whole manifest around one stream's retriever; `RETRIEVER` begins at line 9, column 7.
fn around(retriever: &str) -> String {
    let indented: String = retriever
        .trim_matches('\n')
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!(
        "version: 7.0.0\ntype: DeclarativeSource\ncheck:\n  type: CheckStream\n  stream_names: [things]\nstreams:\n  - type: DeclarativeStream\n    name: things\n    retriever:\n{indented}"
    )
}

/// The smallest retriever that loads.
const RETRIEVER: &str = r#"
type: SimpleRetriever
requester:
  type: HttpRequester
  url_base: https://api.example.com
  path: /things
record_selector:
  type: RecordSelector
  extractor:
    type: DpathExtractor
    field_path: [data]
"#;

fn loaded(yaml: &str) -> Plan {
    load(yaml).unwrap_or_else(|faults| panic!("it should load: {faults:#?}\n{yaml}"))
}

/// Every fault as `line:column component at path: message`.
fn faults(yaml: &str) -> Vec<String> {
    match load(yaml) {
        Ok(_) => panic!("it should not load:\n{yaml}"),
        Err(faults) => faults
            .iter()
            .map(|fault| {
                format!(
                    "{}:{} {} at {}: {}",
                    fault.line, fault.column, fault.component, fault.path, fault.message
                )
            })
            .collect(),
    }
}
