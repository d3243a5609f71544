//! Whether a document is one of the schema's, asked without executing it.
//!
//! The library validates only what it is about to execute. So it is given an extension that lets it validate and then
//! stops it, over a schema that has no engine.
//!
//! What the variables will be is not known yet, but what a list costs is computed of them. A number is taken for 1 and a
//! list for an empty one; others are left out, and what they must be like is for the request to show. So what is refused
//! here is refused whatever the variables are.

use std::sync::Arc;

use async_graphql::async_trait::async_trait;
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::parser::parse_query;
use async_graphql::parser::types::BaseType;
use async_graphql::{Request, ServerError, ValidationResult, Value, Variables};

use crate::graphql::Limits;
use crate::graphql::schema::{Schema, build_with};

/// Asks of documents whether they are the schema's.
pub(super) struct Validator(Schema);

impl Validator {
    /// With the limits that the documents will run under; suggestions help whoever mends the list.
    pub(super) fn new(limits: &Limits) -> Self {
        let limits = Limits {
            suggestions: true,
            introspection: true,
            ..limits.clone()
        };
        Self(build_with(&limits, |builder| builder.extension(OnlyValidate)))
    }

    /// What is wrong with a document that the guard has let pass.
    pub(super) async fn check(&self, text: &str) -> Result<(), String> {
        let request = Request::new(text).variables(stand_ins(text));
        let errors = self.0.execute(request).await.errors;
        let Some(first) = errors.first() else {
            return Ok(());
        };
        let more = match errors.len() {
            1 => String::new(),
            many => format!(", and {} more", many - 1),
        };
        let message = first.message.trim_end_matches('.');
        Err(match first.locations.first() {
            Some(at) => format!("{message} (line {}, column {}){more}", at.line, at.column),
            None => format!("{message}{more}"),
        })
    }
}

/// Values for those variables of which costs are computed.
fn stand_ins(text: &str) -> Variables {
    let mut variables = Variables::default();
    let Ok(document) = parse_query(text) else {
        return variables;
    };
    let operations = document.operations.iter();
    for definition in operations.flat_map(|(_, operation)| &operation.node.variable_definitions) {
        let value = match &definition.node.var_type.node.base {
            BaseType::List(_) => Value::List(Vec::new()),
            BaseType::Named(name) if name == "Int" => Value::from(1),
            BaseType::Named(_) => continue,
        };
        variables.insert(definition.node.name.node.clone(), value);
    }
    variables
}

struct OnlyValidate;

impl ExtensionFactory for OnlyValidate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait]
impl Extension for OnlyValidate {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        next.run(ctx).await?;
        // No error, and no execution.
        Err(Vec::new())
    }
}
