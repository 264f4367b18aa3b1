//! A function's routes, written down once for two purposes: to answer requests, and to be described in the OpenAPI document. A deployed
//! function does the first alone: to make the document at its start would take as long as everything else that it does there, and the
//! program would be a tenth larger.

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use utoipa::Path;
use utoipa_axum::PathItemExt;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::document::Document;

/// Takes the routes of a function, to answer them ([`Router`]) or to describe them ([`Document`]).
pub trait Routes<S: Clone + Send + Sync + 'static>: Sized {
    /// Takes handlers that [`routes!`](crate::routes) names.
    #[must_use]
    fn routes<A, D>(self, handlers: Handlers<A, D>) -> Self
    where
        A: FnOnce(Router<S>) -> Router<S>,
        D: FnOnce() -> UtoipaMethodRouter<S>;
}

/// What [`routes!`](crate::routes) makes of handlers.
#[derive(Debug)]
pub struct Handlers<A, D> {
    /// Adds them to a router.
    pub answer: A,
    /// Describes them.
    pub describe: D,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> for Router<S> {
    fn routes<A, D>(self, handlers: Handlers<A, D>) -> Self
    where
        A: FnOnce(Router<S>) -> Router<S>,
        D: FnOnce() -> UtoipaMethodRouter<S>,
    {
        (handlers.answer)(self)
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> for Document {
    fn routes<A, D>(mut self, handlers: Handlers<A, D>) -> Self
    where
        A: FnOnce(Router<S>) -> Router<S>,
        D: FnOnce() -> UtoipaMethodRouter<S>,
    {
        self.merge(OpenApiRouter::new().routes((handlers.describe)()).into_openapi());
        self
    }
}

/// A router with one more handler, at the path and for the methods that its `#[utoipa::path]` says.
#[doc(hidden)]
pub fn answer<P, S, H, T>(router: Router<S>, handler: &H) -> Router<S>
where
    P: Path,
    S: Clone + Send + Sync + 'static,
    H: Handler<T, S>,
    T: 'static,
{
    let with = |methods: MethodRouter<S>, method| methods.on(method, handler.clone());
    let methods = P::methods().iter().map(PathItemExt::to_method_filter).fold(MethodRouter::new(), with);
    router.route(&P::path(), methods)
}

/// Handlers with a `#[utoipa::path]`, for [`Routes::routes`].
#[macro_export]
macro_rules! routes {
    ($($($part:ident)::+),+ $(,)?) => {
        $crate::Handlers {
            answer: |router| {
                $(let router = $crate::answer::<$crate::description!([] $($part)::+), _, _, _>(router, &$($part)::+);)+
                router
            },
            describe: || $crate::utoipa_axum::routes!($($($part)::+),+),
        }
    };
}

/// What `#[utoipa::path]` calls the description of a handler: `__path_` and its name, in its module.
#[doc(hidden)]
#[macro_export]
macro_rules! description {
    ([$($before:ident)*] $last:ident) => { $crate::utoipa_axum::paste! { $($before::)* [<__path_ $last>] } };
    ([$($before:ident)*] $next:ident :: $($rest:tt)+) => { $crate::description!([$($before)* $next] $($rest)+) };
}
