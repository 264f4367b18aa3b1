//! `POST /workloads/catalogs`: where jobs find their tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use mainsheet_api::{App, Command, Permitted, Result, Tagged, created, text};
use mainsheet_auth::needs::CanManageCatalogs;
use mainsheet_auth::sealed::{Context, Sealer};
use mainsheet_core::catalog::{Catalog, CatalogConfig, CatalogProvider, CatalogTeam, RESERVED_NAMES, SECRET_FIELD};
use mainsheet_core::{CatalogId, TeamId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::glue::{glue_account, require_account};
use crate::catalog_view::CatalogView;

/// A new catalog.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CatalogCreate {
    /// What SQL calls it; unique in the organization, whatever its case. `sail` and `system` are the engine's own.
    #[garde(length(chars, min = 1, max = 255), custom(text::line), custom(unreserved))]
    #[schema(min_length = 1, max_length = 255, examples("sales-catalog"))]
    name: String,
    /// What kind of service it is; it stays what it is. `glue` needs an active connection to the account.
    #[garde(skip)]
    provider: CatalogProvider,
    /// Its settings; each provider has its own.
    #[serde(default)]
    #[garde(skip)]
    config_write: CatalogConfig,
    /// The teams that may use it.
    #[serde(default)]
    #[garde(length(max = 50))]
    #[schema(max_items = 50)]
    team_ids: Vec<TeamId>,
}

/// The engine's own names are no catalog's.
pub(super) fn unreserved<T: AsRef<str> + ?Sized>(name: &T, (): &()) -> garde::Result {
    match RESERVED_NAMES.into_iter().find(|reserved| name.as_ref().eq_ignore_ascii_case(reserved)) {
        Some(reserved) => {
            Err(garde::Error::new(format!("must not be `{reserved}`, which is the engine's own catalog")))
        }
        None => Ok(()),
    }
}

/// Create a catalog
///
/// Nothing is asked of the service behind it: what is wrong there shows when a run uses it. AWS Glue takes an active connection,
/// and a region of that or of a network of it.
#[utoipa::path(
    post, path = "/workloads/catalogs", operation_id = "createCatalog", tag = "catalogs",
    request_body = CatalogCreate,
    responses((status = 201, description = "The new catalog.", body = CatalogView, headers(("ETag" = String, description = "Its version.")))),
    security(("accessToken" = [])), extensions(("x-required-relation" = json!("organization:CanManageCatalogs")))
)]
pub(crate) async fn create(
    State(app): State<App>,
    State(sealer): State<Arc<Sealer>>,
    caller: Permitted<CanManageCatalogs>,
    Command { body, idempotent }: Command<CatalogCreate>,
) -> Result<(StatusCode, Tagged<CatalogView>)> {
    if let Some(earlier) = idempotent.earlier::<CatalogId>()? {
        let row = app.store.catalog(caller.tenant(), &earlier).await?;
        return Ok(created(CatalogView::from(&row.value), row.version));
    }
    let (settings, token) = body.config_write.settings(body.provider, "configWrite")?;
    let account = glue_account(&app, caller.tenant(), &settings).await?;
    let context = Context::organization(caller.tenant().organization_id(), SECRET_FIELD);
    let token = token.map(|token| sealer.seal(&context, &token)).transpose()?;
    let id = CatalogId::generate(app.now());
    let change = app.store.change(caller.audit("catalog.create", &id));
    let now = change.now();
    let link = CatalogTeam { created_at: now, created_by: caller.member_id().clone() };
    let catalog = Catalog {
        id,
        name: body.name,
        settings,
        token,
        provisioned: false,
        teams: body.team_ids.iter().map(|team| (team.clone(), link.clone())).collect::<BTreeMap<_, _>>(),
        created_at: now,
        created_by: caller.member_id().clone(),
        updated_at: now,
        updated_by: caller.member_id().clone(),
    };
    require_account(change, caller.tenant(), account.as_ref())
        .require_teams(caller.tenant(), &body.team_ids)
        .create_catalog(caller.tenant(), &catalog)
        .idempotent(idempotent.request(), catalog.id.as_str())
        .commit()
        .await?;
    Ok(created(CatalogView::from(&catalog), 1))
}
