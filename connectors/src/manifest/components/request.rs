//! What is asked of the upstream.

use super::{Authenticator, ErrorHandler, GraphqlOperation, JsonTemplate, SoapOperation, Text, TextMap};

/// `HttpRequester`, and `GraphqlRequester` and `SoapRequester`, which differ from it in their bodies.
#[derive(Debug, Clone)]
pub struct HttpRequester {
    /// The address. `url` is whole; `url_base` is what `path` is appended to. One of them is always there.
    pub address: Address,
    /// Appended to `url_base` (or `url`) with one slash between.
    pub path: Option<Text>,
    /// GET unless the manifest says POST.
    pub method: HttpMethod,
    /// Query parameters.
    pub request_parameters: TextMap,
    /// Headers.
    pub request_headers: TextMap,
    /// What is sent along.
    pub body: RequestBody,
    /// How the request proves who asks.
    pub authenticator: Authenticator,
    /// What an answer means that is not plainly good.
    pub error_handler: ErrorHandler,
    /// Whether equal requests of one read may be answered from memory.
    pub use_cache: bool,
    /// Own bound on connecting, in seconds.
    pub connect_timeout_seconds: Option<f64>,
    /// Own bound on waiting for an answer, in seconds.
    pub read_timeout_seconds: Option<f64>,
}

/// Where requests go.
#[derive(Debug, Clone)]
pub enum Address {
    /// `url`
    Url(Text),
    /// `url_base`, the older name
    UrlBase(Text),
}

impl Address {
    /// The template, whichever field it was written in.
    pub fn text(&self) -> &Text {
        match self {
            Self::Url(text) | Self::UrlBase(text) => text,
        }
    }
}

/// The two methods of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpMethod {
    /// GET
    #[default]
    Get,
    /// POST
    Post,
}

/// What a request carries, before the paginator, the cursor and the partition router inject their part.
#[derive(Debug, Clone, Default)]
pub enum RequestBody {
    /// Nothing of the requester's own.
    #[default]
    None,
    /// `request_body_data`: a form where it evaluates to a mapping, plain text where it evaluates to text.
    Data(TextMap),
    /// `request_body_json`
    Json(JsonTemplate),
    /// A `GraphqlRequester`'s.
    Graphql(Box<GraphqlOperation>),
    /// A `SoapRequester`'s.
    Soap(Box<SoapOperation>),
}

/// `RequestOption`: where a computed value is put.
#[derive(Debug, Clone)]
pub struct RequestOption {
    /// The part of the request.
    pub inject_into: InjectInto,
    /// The field in that part.
    pub field: RequestField,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InjectInto {
    /// The query.
    RequestParameter,
    /// The headers.
    Header,
    /// The form body.
    BodyData,
    /// The JSON body.
    BodyJson,
}

/// The name a value gets in its part of the request.
#[derive(Debug, Clone)]
pub enum RequestField {
    /// One field.
    Name(Text),
    /// Nested fields of a JSON body, outermost first.
    Path(Vec<Text>),
}
