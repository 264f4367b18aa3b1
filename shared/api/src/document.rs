//! The OpenAPI document: what functions say of their routes, and what is the same for all operations.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{Components, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Required,
    Response as Answer, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::assemble::BASE;
use crate::links::add_links;
use crate::problem::ProblemDetails;

/// Says in the document what a caller has to hold: a relation with its scope, `member`, or `self`.
const RELATION: &str = "x-required-relation";

/// An OpenAPI document.
pub type Document = OpenApi;

/// The document of functions that say this of their routes.
pub fn document(parts: impl IntoIterator<Item = Document>) -> Document {
    let mut routes = Document::default();
    parts.into_iter().for_each(|part| routes.merge(part));
    complete(blank_document().nest(BASE, routes))
}

fn blank_document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Mainsheet")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("The control plane that runs Spark workloads on Sail in your own cloud account."))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new().info(info).build()
}

/// What is the same for every operation is written once, here.
fn complete(mut document: OpenApi) -> OpenApi {
    let mut components = document.components.take().unwrap_or_default();
    let mut problem_schemas = Vec::new();
    ProblemDetails::schemas(&mut problem_schemas);
    components.schemas.extend(problem_schemas);
    components.schemas.insert(ProblemDetails::name().into_owned(), ProblemDetails::schema());
    components.responses.insert("Problem".to_owned(), RefOr::T(problem_answer()));
    let bearer = |description: &str, format: &str| {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format(format);
        SecurityScheme::Http(scheme.description(Some(description)).build())
    };
    components.add_security_scheme(
        "accessToken",
        bearer("An access token from signing in, or a service account's key, `msk_...`.", "JWT"),
    );
    components.add_security_scheme("agentToken", bearer("A cluster agent's `msa_<agentId>_<secret>`.", "opaque"));
    for (method, operation) in document.paths.paths.values_mut().flat_map(operations_mut) {
        describe_common(method, operation);
        if let Some(RefOr::T(body)) = &mut operation.request_body
            && requires_nothing(body, &components)
        {
            body.required = Some(Required::False);
        }
    }
    add_links(&mut document.paths, &components);
    document.components = Some(components);
    document
}

/// The operations at a path with their methods, always in the same order.
pub(crate) fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let operations = [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ];
    operations.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn problem_answer() -> Answer {
    let schema = RefOr::Ref(Ref::from_schema_name(ProblemDetails::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new()
        .description("What was wrong, and what to do.")
        .content("application/problem+json", content)
        .build()
}

fn describe_common(method: &str, operation: &mut Operation) {
    let person = is_for_people(operation);
    if person && needs_organization(operation) {
        add_header(
            operation,
            "LakeSail-Organization-Id",
            "The organization, for members of several.",
            "^[A-Z0-9]{1,20}$",
        );
    }
    if person && method == "post" {
        let description = "Names the request, so that it can be sent again: it takes effect once.";
        add_header(operation, "Idempotency-Key", description, "^[!-~]{1,255}$");
    }
    // Reading can be a conflict as well: what an account holds, before the account is connected.
    let mut statuses = vec!["400", "401", "403", "404", "409", "422", "429", "500", "503"];
    if method != "get" {
        statuses.push("412");
    }
    if operation.request_body.is_some() {
        statuses.extend(["413", "415"]);
    }
    for status in statuses {
        let problem = RefOr::Ref(Ref::new("#/components/responses/Problem"));
        operation.responses.responses.entry(status.to_owned()).or_insert(problem);
    }
}

/// Whether every field of a body may be absent. Then it may be absent itself, and counts as `{}`.
fn requires_nothing(body: &RequestBody, components: &Components) -> bool {
    let Some(RefOr::T(content)) = body.content.get("application/json") else { return false };
    let Some(RefOr::Ref(named)) = &content.schema else { return false };
    let name = named.ref_location.rsplit('/').next().unwrap_or_default();
    matches!(components.schemas.get(name), Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
}

fn is_for_people(operation: &Operation) -> bool {
    let requirements = operation.security.iter().flatten();
    requirements
        .into_iter()
        .any(|requirement| serde_json::to_value(requirement).is_ok_and(|schemes| schemes.get("accessToken").is_some()))
}

/// What concerns a person alone happens in no organization's name.
fn needs_organization(operation: &Operation) -> bool {
    let relation = operation.extensions.as_ref().and_then(|extensions| extensions.get(RELATION));
    relation.is_none_or(|relation| relation != "self")
}

fn add_header(operation: &mut Operation, name: &str, description: &str, pattern: &str) {
    let header = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))));
    operation.parameters.get_or_insert_default().push(RefOr::T(header.build()));
}
