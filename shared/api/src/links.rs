//! The links of the OpenAPI document: what an answer gives, and which operations take it. They are derived from paths and the types of
//! ids, so that no handler names another one.

use std::collections::BTreeMap;

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::{Components, PathItem, Paths, Ref, RefOr, Response, Schema};

use crate::document::operations_mut;

/// Adds to each answer the operations that take what it gives.
///
/// What was created or begun gives its id, wherever a path takes that type of id; what can be read at a path gives its version to what
/// changes it there. That the caller may, and that the thing is in a state for it, is not said.
pub(crate) fn add_links(paths: &mut Paths, components: &Components) {
    let mut before = paths.clone();
    let places: Vec<Place<'_>> = before.paths.iter_mut().flat_map(|(path, item)| Place::all(path, item)).collect();
    let operations = paths.paths.values_mut().flat_map(operations_mut);
    for (place, (_, operation)) in places.iter().zip(operations) {
        for (status, response) in &mut operation.responses.responses {
            if let RefOr::T(response) = response {
                let given = Given::of(status, response, components);
                response.links = places.iter().filter_map(|target| link(place, &given, target)).collect();
            }
        }
    }
}

/// An operation, and where it is.
struct Place<'a> {
    path: &'a str,
    operation: &'a Operation,
    /// Whether what is there can be read.
    is_readable: bool,
}

impl<'a> Place<'a> {
    /// Those of a path.
    fn all(path: &'a str, item: &'a mut PathItem) -> impl Iterator<Item = Self> {
        let is_readable = item.get.is_some();
        operations_mut(item).map(move |(_, operation)| Self { path, operation, is_readable })
    }

    fn parameters(&self, location: ParameterIn) -> impl Iterator<Item = &'a Parameter> {
        let parameters = self.operation.parameters.iter().flatten();
        parameters.filter_map(move |parameter| match parameter {
            RefOr::T(parameter) if parameter.parameter_in == location => Some(parameter),
            _ => None,
        })
    }

    fn takes(&self, name: &str, location: ParameterIn) -> bool {
        self.parameters(location).any(|parameter| parameter.name == name)
    }
}

/// What an answer gives to those who go on with it.
struct Given<'a> {
    /// Ids of what was created or begun: pointers to them, by their type.
    ids: BTreeMap<&'a str, String>,
    has_version: bool,
}

impl<'a> Given<'a> {
    fn of(status: &str, response: &Response, components: &'a Components) -> Self {
        let kind = if matches!(status, "201" | "202") { kind_of(response) } else { None };
        let schema = kind.and_then(|kind| components.schemas.get(kind));
        let ids = schema.map(|schema| ids(schema, components)).unwrap_or_default();
        Self { ids, has_version: response.headers.contains_key("ETag") }
    }
}

/// The type of an answer.
fn kind_of(response: &Response) -> Option<&str> {
    let RefOr::T(content) = response.content.get("application/json")? else { return None };
    named(content.schema.as_ref()?)
}

/// The name of a schema that has one.
fn named(schema: &RefOr<Schema>) -> Option<&str> {
    let RefOr::Ref(Ref { ref_location, .. }) = schema else { return None };
    ref_location.rsplit('/').next()
}

/// Pointers to the ids of a thing and of its parts, such as a team beside its number of members. The thing's own goes before a part's of
/// the same type.
fn ids<'a>(thing: &'a RefOr<Schema>, components: &'a Components) -> BTreeMap<&'a str, String> {
    let parts = fields(thing, components).into_iter();
    let ids = parts.filter_map(|(name, part)| Some((id_of(part, components)?, format!("/{name}/id"))));
    ids.chain(id_of(thing, components).map(|id| (id, "/id".to_owned()))).collect()
}

/// The type of a thing's id.
fn id_of<'a>(thing: &'a RefOr<Schema>, components: &'a Components) -> Option<&'a str> {
    let id = fields(thing, components).into_iter().find(|(name, _)| *name == "id");
    id.and_then(|(_, schema)| named(schema))
}

fn fields<'a>(schema: &'a RefOr<Schema>, components: &'a Components) -> Vec<(&'a str, &'a RefOr<Schema>)> {
    match schema {
        RefOr::T(Schema::Object(object)) => {
            object.properties.iter().map(|(name, field)| (name.as_str(), field)).collect()
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter().flat_map(|part| fields(part, components)).collect(),
        RefOr::T(_) => Vec::new(),
        RefOr::Ref(_) => {
            let schema = named(schema).and_then(|name| components.schemas.get(name));
            schema.map_or_else(Vec::new, |schema| fields(schema, components))
        }
    }
}

/// The link from an answer to an operation. There is one where the answer gives an id or a version that the operation takes, and answer and
/// request together give all that its path takes.
fn link(source: &Place<'_>, given: &Given<'_>, target: &Place<'_>) -> Option<(String, RefOr<Link>)> {
    // An agent goes on with nothing that a person began.
    let is_for_them = target.operation.security.is_none() || target.operation.security == source.operation.security;
    let id = target.operation.operation_id.as_ref().filter(|_| is_for_them)?;
    let mut link = LinkBuilder::new().operation_id(id);
    let mut new = None;
    for Parameter { name, schema, .. } in target.parameters(ParameterIn::Path) {
        let value = if source.takes(name, ParameterIn::Path) {
            format!("$request.path.{name}")
        } else {
            new = Some(name);
            format!("$response.body#{}", given.ids.get(named(schema.as_ref()?)?)?)
        };
        link = link.parameter(name, value);
    }
    // A version is that of what was created, or of what is read at the path.
    let is_there = match new {
        Some(name) => target.path.ends_with(&format!("/{{{name}}}")),
        None => target.path == source.path && target.is_readable,
    };
    let is_versioned = is_there && given.has_version && target.takes("If-Match", ParameterIn::Header);
    if is_versioned {
        link = link.parameter("If-Match", "$response.header.ETag");
    }
    (new.is_some() || is_versioned).then(|| (id.clone(), RefOr::T(link.build())))
}
