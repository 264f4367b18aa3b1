//! How requests become calls and results become answers: extractors, problem responses, router assembly.

mod app;
mod assemble;
mod body;
mod document;
mod etag;
mod idempotent;
mod identity;
#[cfg(feature = "lambda")]
pub mod lambda;
mod links;
mod page;
mod path;
mod problem;
pub mod provisioned;
mod query;
mod refused;
mod routes;
mod shape;
pub mod text;

pub use app::{App, HasApp};
pub use assemble::{BASE, KEYS, assemble, with_problems};
pub use body::Body;
pub use document::{Document, document};
pub use etag::{IfMatch, Tagged, created};
pub use idempotent::{Action, Command, Idempotent};
pub use identity::{
    Account, AgentCaller, Anyone, ClientAddress, DpopKey, Member, NamedOrganization, Permitted, Person, RequestOrigin,
};
pub use page::{ListQuery, MAX_PAGE, MarkerPage, MarkerQuery, Order, PageOf, PageQuery, SortDirection};
pub use path::Path;
pub use problem::{Problem, ProblemDetails, Result};
pub use query::Query;
pub use routes::{Handlers, Routes};
// What `routes!` comes to.
#[doc(hidden)]
pub use {routes::answer, utoipa_axum};
