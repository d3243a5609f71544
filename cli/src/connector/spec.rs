//! `connector spec`: what a configuration looks like, for whoever writes one or draws a form of it.

use std::process::ExitCode;

use connectors::spec::Spec;
use serde_json::{Value, json};

use super::{input, protocol, written};
use crate::arguments::SpecArguments;
use crate::exit::Outcome;

pub(super) fn run(arguments: &SpecArguments) -> Outcome {
    let connector = input::connector(&arguments.manifest)?;
    let spec = described(connector.spec());
    written(protocol().spec(&spec).map(|()| ExitCode::SUCCESS))
}

/// With the protocol's names for its parts.
pub(super) fn described(spec: &Spec) -> Value {
    let mut described = json!({ "connectionSpecification": spec.schema() });
    if let Some(url) = spec.documentation_url() {
        described["documentationUrl"] = json!(url);
    }
    if let Some(auth) = spec.advanced_auth() {
        described["advanced_auth"] = auth.clone();
    }
    described
}
