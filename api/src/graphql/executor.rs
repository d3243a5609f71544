//! The one way a document runs, whatever transport it came by: guard, library, presentation.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Name, Request, Response};
use engine::{Actor, Engine};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use platform::database::Errand;
use tokio::time::timeout;

use super::documents::Documents;
use super::error::{self, Code};
use super::loaders::{Driver, Loaders};
use super::schema::{Schema, build};
use super::subscription::Asked;
use super::{Limits, guard};
use crate::counters::{self, By};
use crate::http::Parameters;

/// Who asks, and what ties the answer to its log.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) actor: Actor,
    pub(crate) correlation_id: Arc<str>,
}

/// A document that passed the guard, with everything its resolvers need.
pub(crate) struct Prepared {
    request: Request,
    operation: OperationType,
    only_field: Option<Name>,
    text: String,
    correlation_id: Arc<str>,
    driver: Driver,
}

/// The key of the run that the request asks for, where its input has none.
pub(crate) struct RunKey(pub(crate) String);

impl Prepared {
    /// The name of the operation's field, where it has just one.
    pub(crate) fn only_field(&self) -> Option<&str> {
        self.only_field.as_deref()
    }

    /// The document's text, also where only its hash was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn with_run_key(mut self, key: String) -> Self {
        self.request = self.request.data(RunKey(key));
        self
    }

    pub(crate) fn operation(&self) -> OperationType {
        self.operation
    }
}

/// The schema over an engine.
#[derive(Clone)]
pub(crate) struct GraphQl {
    schema: Schema,
    engine: Engine,
    limits: Limits,
    documents: Arc<Documents>,
}

impl GraphQl {
    pub(crate) fn new(engine: Engine, limits: &Limits, documents: Documents) -> Self {
        Self {
            documents: Arc::new(documents),
            schema: build(Some(engine.clone()), limits),
            engine,
            limits: limits.clone(),
        }
    }

    /// How long an answer may take.
    pub(crate) fn request_time(&self) -> Duration {
        self.limits.request_time
    }

    /// Whether only listed operations run.
    pub(crate) fn is_listed(&self) -> bool {
        self.documents.are_listed()
    }

    /// Lets the guard look; the error is the answer to send.
    pub(crate) fn prepare(&self, parameters: Parameters, caller: Caller) -> Result<Prepared, Box<Response>> {
        let Parameters {
            query,
            operation_name,
            variables,
            persisted,
            idempotency_key: _,
        } = parameters;
        let refuse = |refusal| Box::new(error::refuse(refusal, &caller.correlation_id));
        let found = self
            .documents
            .find(query, persisted, &caller.actor)
            .map_err(refuse)?;
        let admitted =
            guard::admit(&found.text, operation_name.as_deref(), &variables, &self.limits).map_err(refuse)?;
        self.documents.admit(&found, &caller.actor).map_err(refuse)?;
        let driver = Driver::default();
        let asked = (admitted.operation == OperationType::Subscription)
            .then(|| Asked::new(caller.actor, &found.text, operation_name.as_deref(), &variables));
        let mut request = Request::new(found.text.clone())
            .variables(variables)
            .data(Loaders::new(&self.engine, &caller.actor, &driver))
            .data(caller.clone());
        if let Some(asked) = asked {
            request = request.data(asked);
        }
        request.operation_name = operation_name;
        request.set_parsed_query(admitted.document);
        Ok(Prepared {
            request,
            operation: admitted.operation,
            only_field: admitted.only_field,
            text: found.text,
            correlation_id: caller.correlation_id,
            driver,
        })
    }

    /// What a request that begins now is to the database.
    fn errand(&self) -> Errand {
        Errand::of(&self.engine.clock, self.limits.request_time)
    }

    /// Runs a query or a mutation.
    pub(crate) async fn execute(&self, prepared: Prepared) -> Response {
        let Prepared {
            request,
            correlation_id,
            driver,
            ..
        } = prepared;
        let errand = self.errand();
        let run = driver.drive(self.schema.execute(request));
        let run = errand.clone().scope(run);
        let mut response = engine::correlation::scope(correlation_id.to_string(), run).await;
        error::present(&mut response, &correlation_id);
        ended(&errand, &response);
        response
    }

    /// Runs anything as a stream of answers: one for a query or a mutation. A panic in a resolver ends this
    /// stream with an error, and nobody else's.
    pub(crate) fn stream(&self, prepared: Prepared) -> BoxStream<'static, Response> {
        let Prepared {
            request,
            operation,
            correlation_id,
            driver,
            ..
        } = prepared;
        let span = tracing::info_span!("operation", request_id = %correlation_id);
        let answers = if operation == OperationType::Subscription {
            driver.drive_all(self.schema.execute_stream(request)).boxed()
        } else {
            let (schema, id) = (self.schema.clone(), correlation_id.clone());
            let (patience, errand) = (self.limits.request_time, self.errand());
            stream::once(async move {
                let run = errand.clone().scope(driver.drive(schema.execute(request)));
                let run = engine::correlation::scope(id.to_string(), run);
                match timeout(patience, run).await {
                    Ok(response) => {
                        ended(&errand, &response);
                        response
                    }
                    Err(_) => error::too_long(patience, &id),
                }
            })
            .boxed()
        };
        AssertUnwindSafe(InSpan { answers, span })
            .catch_unwind()
            .map(move |answer| match answer {
                Ok(mut response) => {
                    error::present(&mut response, &correlation_id);
                    response
                }
                Err(panic) => {
                    tracing::error!(
                        panic = crate::http::panic_text(panic.as_ref()),
                        "a resolver panicked"
                    );
                    error::answer(Code::Internal, "Internal error", &correlation_id)
                }
            })
            .boxed()
    }
}

/// Counts what validation refused, and says what the answer took.
fn ended(errand: &Errand, response: &Response) {
    if error::is_request_error(response) {
        counters::refused(By::Validation);
    }
    tracing::debug!(
        statements = errand.statements(),
        milliseconds = errand.took().as_micros() as f64 / 1e3,
        "answered"
    );
}

/// Log lines of a stream's work belong to its operation.
struct InSpan {
    answers: BoxStream<'static, Response>,
    span: tracing::Span,
}

impl Stream for InSpan {
    type Item = Response;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Response>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        this.answers.poll_next_unpin(cx)
    }
}
