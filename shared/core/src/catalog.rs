//! Catalogs: where jobs find their tables. Each has a provider, which decides what its settings are.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;
use uuid::fmt::Hyphenated;

use crate::region::is_aws_region;
use crate::sealed::Sealed;
use crate::{CatalogId, Error, FieldErrors, MemberId, Result, TeamId, Timestamp};

/// Names that Sail has catalogs of its own by: the one in memory that every run has, and the one about the engine itself.
pub const RESERVED_NAMES: [&str; 2] = ["sail", "system"];
/// The database that a memory catalog begins with unless its settings name another.
pub const DEFAULT_DATABASE: &str = "default";
/// The field of a secret's envelope (`mainsheet_auth::sealed::Context`).
pub const SECRET_FIELD: &str = "catalog_secret";

/// A catalog, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// Its id.
    pub id: CatalogId,
    /// What SQL calls it; unique in the organization, whatever its case.
    pub name: String,
    /// Where its tables are.
    pub settings: CatalogSettings,
    /// What it is opened with.
    pub token: Option<Sealed>,
    /// Whether there is a provisioned one behind it, which has the same id.
    #[serde(default)]
    pub provisioned: bool,
    /// The teams that may use it; there may be none.
    pub teams: BTreeMap<TeamId, CatalogTeam>,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: MemberId,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who changed it last.
    pub updated_by: MemberId,
}

impl Catalog {
    /// Its name and settings are its own, and so is its end.
    ///
    /// # Errors
    /// [`Error::Conflict`] (`catalog_provisioned`) when they are those of the provisioned catalog behind it.
    pub fn require_own(&self) -> Result<()> {
        if !self.provisioned {
            return Ok(());
        }
        let message = "A provisioned catalog stands behind this one. Change or destroy that: this one goes along.";
        Err(Error::conflict("catalog_provisioned", message))
    }
}

/// A team that may use a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogTeam {
    /// Since when.
    pub created_at: Timestamp,
    /// Who allowed it.
    pub created_by: MemberId,
}

/// What kind of service a catalog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatalogProvider {
    /// AWS Glue Data Catalog.
    Glue,
    /// In the engine's memory, for as long as a run lasts.
    Memory,
    /// A server that speaks the Iceberg REST protocol.
    IcebergRest,
    /// Unity Catalog.
    Unity,
    /// Microsoft OneLake.
    Onelake,
    /// A Hive metastore.
    HiveMetastore,
}

/// Where a catalog's tables are, as its provider needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "provider", rename_all = "snake_case")]
pub enum CatalogSettings {
    /// AWS Glue Data Catalog, reached with the role of a connected account.
    #[serde(rename_all = "camelCase")]
    Glue {
        /// AWS region.
        region: String,
        /// The database that unqualified table names mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_database: Option<String>,
        /// Another endpoint than the region's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint_url: Option<String>,
    },
    /// In the engine's memory.
    #[serde(rename_all = "camelCase")]
    Memory {
        /// The database that it begins with.
        initial_database: String,
        /// What that is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        initial_database_comment: Option<String>,
    },
    /// Iceberg REST.
    #[serde(rename_all = "camelCase")]
    IcebergRest {
        /// The server's base address.
        url: String,
        /// The warehouse's name or location there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        warehouse: Option<String>,
        /// What paths begin with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix: Option<String>,
        /// The database that unqualified table names mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_database: Option<String>,
    },
    /// Unity Catalog.
    #[serde(rename_all = "camelCase")]
    Unity {
        /// The API's base address.
        url: String,
        /// The catalog there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_catalog: Option<String>,
        /// The database that unqualified table names mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_database: Option<String>,
    },
    /// Microsoft OneLake.
    #[serde(rename_all = "camelCase")]
    Onelake {
        /// The item: `workspace/name.type`, or `workspaceId/itemId`.
        url: String,
        /// The database that unqualified table names mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_database: Option<String>,
    },
    /// A Hive metastore.
    #[serde(rename_all = "camelCase")]
    HiveMetastore {
        /// Its endpoints (`thrift://host:port`), in the order in which they are tried, with commas between them.
        url: String,
        /// The database that unqualified table names mean.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        default_database: Option<String>,
    },
}

/// Settings of a catalog as the contract has them: one shape for all providers, of which each takes some fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CatalogConfig {
    /// `memory`: the database that it begins with; `default` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255, examples("default"))]
    pub initial_database: Option<String>,
    /// `memory`: what that is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1023)]
    pub initial_database_comment: Option<String>,
    /// `glue`: AWS region; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("us-east-1"))]
    pub region: Option<String>,
    /// All but `memory`: the database that unqualified table names mean; its levels are separated by `.`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub default_database: Option<String>,
    /// `glue`: another endpoint than the region's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1023)]
    pub endpoint_url: Option<String>,
    /// Required but for `glue` and `memory`. `iceberg_rest` and `unity`: the base address. `onelake`: the item, as in
    /// `workspace/name.Lakehouse`, or the ids of both. `hive_metastore`: endpoints such as `thrift://host:9083`, with commas
    /// between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1023)]
    pub url: Option<String>,
    /// `iceberg_rest`: the warehouse's name or location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 1023)]
    pub warehouse: Option<String>,
    /// `iceberg_rest`: what the API's paths begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub prefix: Option<String>,
    /// `unity`: the catalog there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 255)]
    pub default_catalog: Option<String>,
    /// `iceberg_rest`, `unity` and `onelake`: the bearer token that it is opened with. It is never shown again.
    #[serde(default, skip_serializing)]
    #[schema(value_type = Option<String>, write_only, min_length = 1, max_length = 8192)]
    pub token: Option<WireSecret>,
    /// Whether it has a token, where its provider takes one.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    #[schema(read_only)]
    pub token_set: Option<bool>,
}

impl CatalogConfig {
    /// These settings over earlier ones: what is absent stays.
    #[must_use]
    pub fn over(self, earlier: Self) -> Self {
        Self {
            initial_database: self.initial_database.or(earlier.initial_database),
            initial_database_comment: self.initial_database_comment.or(earlier.initial_database_comment),
            region: self.region.or(earlier.region),
            default_database: self.default_database.or(earlier.default_database),
            endpoint_url: self.endpoint_url.or(earlier.endpoint_url),
            url: self.url.or(earlier.url),
            warehouse: self.warehouse.or(earlier.warehouse),
            prefix: self.prefix.or(earlier.prefix),
            default_catalog: self.default_catalog.or(earlier.default_catalog),
            token: self.token,
            token_set: None,
        }
    }

    /// The settings that a provider makes of it, and the token beside them.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] with every field below `at` that is missing, breaks a rule, or is none of this provider's.
    pub fn settings(self, provider: CatalogProvider, at: &str) -> Result<(CatalogSettings, Option<SecretString>)> {
        let mut fields = Fields { left: self, errors: FieldErrors::default(), at };
        let token = fields.token(provider);
        let settings = fields.settings(provider);
        fields.refuse_what_is_left(provider);
        fields.errors.into_result()?;
        Ok((settings, token))
    }
}

/// The fields that a provider has not taken yet, and what was wrong with those that it took.
struct Fields<'a> {
    left: CatalogConfig,
    errors: FieldErrors,
    at: &'a str,
}

impl Fields<'_> {
    fn settings(&mut self, provider: CatalogProvider) -> CatalogSettings {
        match provider {
            CatalogProvider::Glue => CatalogSettings::Glue {
                region: self.region(),
                default_database: self.default_database(),
                endpoint_url: self.endpoint_url(),
            },
            CatalogProvider::Memory => CatalogSettings::Memory {
                initial_database: self.initial_database(),
                initial_database_comment: {
                    let comment = self.left.initial_database_comment.take();
                    self.line("initialDatabaseComment", comment, 1023)
                },
            },
            CatalogProvider::IcebergRest => CatalogSettings::IcebergRest {
                url: self.url(web_address),
                warehouse: {
                    let warehouse = self.left.warehouse.take();
                    self.line("warehouse", warehouse, 1023)
                },
                prefix: {
                    let prefix = self.left.prefix.take();
                    self.line("prefix", prefix, 255)
                },
                default_database: self.default_database(),
            },
            CatalogProvider::Unity => CatalogSettings::Unity {
                url: self.url(web_address),
                default_catalog: {
                    let catalog = self.left.default_catalog.take();
                    self.line("defaultCatalog", catalog, 255)
                },
                default_database: self.default_database(),
            },
            CatalogProvider::Onelake => {
                CatalogSettings::Onelake { url: self.url(onelake_item), default_database: self.default_database() }
            }
            CatalogProvider::HiveMetastore => CatalogSettings::HiveMetastore {
                url: self.url(metastore_endpoints),
                default_database: self.default_database(),
            },
        }
    }

    fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.errors.add(format!("{}.{field}", self.at), message);
    }

    /// One line of at most `most` characters.
    fn line(&mut self, field: &str, text: Option<String>, most: usize) -> Option<String> {
        let given = text.as_deref()?;
        if given.trim().is_empty() {
            self.refuse(field, "must not be blank");
        } else if given.chars().count() > most {
            self.refuse(field, format!("must not be longer than {most} characters"));
        } else if given.chars().any(char::is_control) {
            self.refuse(field, "must not contain control characters");
        }
        text
    }

    /// A database; its levels are separated by `.`.
    fn database(&mut self, field: &str, name: Option<String>) -> Option<String> {
        let name = self.line(field, name, 255);
        if name.as_deref().is_some_and(|name| name.split('.').any(|level| level.trim().is_empty())) {
            self.refuse(field, "must name each level of the database, with `.` between them");
        }
        name
    }

    fn token(&mut self, provider: CatalogProvider) -> Option<SecretString> {
        let WireSecret(token) = self.left.token.take()?;
        let text = token.expose_secret();
        if !provider.takes_token() {
            self.refuse("token", "is no setting of this provider");
        } else if !(1..=8192).contains(&text.len()) || !text.bytes().all(|letter| letter.is_ascii_graphic()) {
            self.refuse("token", "must be 1 to 8,192 visible ASCII characters");
        }
        Some(token)
    }

    fn default_database(&mut self) -> Option<String> {
        let name = self.left.default_database.take();
        self.database("defaultDatabase", name)
    }

    fn initial_database(&mut self) -> String {
        let name = self.left.initial_database.take();
        self.database("initialDatabase", name).unwrap_or_else(|| DEFAULT_DATABASE.to_owned())
    }

    fn region(&mut self) -> String {
        let region = self.left.region.take().unwrap_or_default();
        if region.is_empty() {
            self.refuse("region", "is required");
        } else if !is_aws_region(&region) {
            self.refuse("region", "is no AWS region, such as `us-east-1`");
        }
        region
    }

    fn endpoint_url(&mut self) -> Option<String> {
        let url = self.left.endpoint_url.take();
        self.address("endpointUrl", url, web_address)
    }

    fn url(&mut self, rule: fn(&str) -> Result<(), &'static str>) -> String {
        let url = self.left.url.take();
        if url.is_none() {
            self.refuse("url", "is required");
        }
        self.address("url", url, rule).unwrap_or_default()
    }

    fn address(
        &mut self,
        field: &str,
        address: Option<String>,
        rule: fn(&str) -> Result<(), &'static str>,
    ) -> Option<String> {
        let address = self.line(field, address, 1023)?;
        if let Err(message) = rule(&address) {
            self.refuse(field, message);
        }
        Some(address)
    }

    fn refuse_what_is_left(&mut self, provider: CatalogProvider) {
        let left = serde_json::to_value(&self.left).unwrap_or_default();
        let provider = serde_json::to_value(provider).unwrap_or_default();
        for field in left.as_object().into_iter().flat_map(serde_json::Map::keys) {
            self.refuse(field, format!("is no setting of the provider {provider}"));
        }
    }
}

/// An address of HTTP without credentials, which would be no secret there.
fn web_address(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "must be an address such as `https://catalog.example.com`")?;
    match () {
        () if !["http", "https"].contains(&url.scheme()) || !url.has_host() => {
            Err("must begin with `https://` or `http://`")
        }
        () if !url.username().is_empty() || url.password().is_some() => {
            Err("must not contain credentials; give them as `configWrite.token`")
        }
        () if url.query().is_some() || url.fragment().is_some() => Err("must not have a query or a fragment"),
        () => Ok(()),
    }
}

/// `workspace/name.type`, or two ids where the workspace knows no names (Sail, OneLake catalog).
fn onelake_item(text: &str) -> Result<(), &'static str> {
    let is_name = |part: &str| !part.is_empty() && !part.contains(['/', '\\', ':', '?', '#', '@', '%']);
    let is_id = |part: &str| part.parse::<Hyphenated>().is_ok();
    let is_item = |item: &str| item.rsplit_once('.').is_some_and(|(name, kind)| is_name(name) && is_name(kind));
    let is_right = text.split_once('/').is_some_and(|(workspace, item)| {
        let by_name = is_name(workspace) && is_name(item) && is_item(item);
        by_name || (is_id(workspace) && is_id(item))
    });
    if is_right {
        return Ok(());
    }
    Err("must be an item of OneLake: `workspace/name.type`, such as `sales/retail.Lakehouse`, or `workspaceId/itemId`")
}

/// `thrift://host:port`, one to ten of them.
fn metastore_endpoints(text: &str) -> Result<(), &'static str> {
    let is_endpoint = |endpoint: &str| {
        let url = Url::parse(endpoint).ok().filter(|url| url.scheme() == "thrift" && url.has_host());
        url.is_some_and(|url| {
            let bare = url.username().is_empty() && url.password().is_none() && ["", "/"].contains(&url.path());
            bare && url.port().is_some() && url.query().is_none() && url.fragment().is_none()
        })
    };
    let endpoints: Vec<&str> = text.split(',').collect();
    if endpoints.len() <= 10 && endpoints.iter().all(|endpoint| is_endpoint(endpoint)) {
        Ok(())
    } else {
        Err("must be one to ten endpoints such as `thrift://metastore:9083`, with commas between them")
    }
}

impl CatalogSettings {
    /// Whose settings they are.
    #[must_use]
    pub fn provider(&self) -> CatalogProvider {
        match self {
            Self::Glue { .. } => CatalogProvider::Glue,
            Self::Memory { .. } => CatalogProvider::Memory,
            Self::IcebergRest { .. } => CatalogProvider::IcebergRest,
            Self::Unity { .. } => CatalogProvider::Unity,
            Self::Onelake { .. } => CatalogProvider::Onelake,
            Self::HiveMetastore { .. } => CatalogProvider::HiveMetastore,
        }
    }

    /// The region of AWS that it is in, where it is in one.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        match self {
            Self::Glue { region, .. } => Some(region),
            Self::Memory { .. }
            | Self::IcebergRest { .. }
            | Self::Unity { .. }
            | Self::Onelake { .. }
            | Self::HiveMetastore { .. } => None,
        }
    }

    /// The database that unqualified table names mean while this is the default catalog.
    #[must_use]
    pub fn default_database(&self) -> Option<&str> {
        match self {
            Self::Memory { initial_database, .. } => Some(initial_database),
            Self::Glue { default_database, .. }
            | Self::IcebergRest { default_database, .. }
            | Self::Unity { default_database, .. }
            | Self::Onelake { default_database, .. }
            | Self::HiveMetastore { default_database, .. } => default_database.as_deref(),
        }
    }

    /// In the one shape that the contract has for all of them.
    #[must_use]
    pub fn config(&self) -> CatalogConfig {
        let none = CatalogConfig::default();
        match self.clone() {
            Self::Glue { region, default_database, endpoint_url } => {
                CatalogConfig { region: Some(region), default_database, endpoint_url, ..none }
            }
            Self::Memory { initial_database, initial_database_comment } => {
                CatalogConfig { initial_database: Some(initial_database), initial_database_comment, ..none }
            }
            Self::IcebergRest { url, warehouse, prefix, default_database } => {
                CatalogConfig { url: Some(url), warehouse, prefix, default_database, ..none }
            }
            Self::Unity { url, default_catalog, default_database } => {
                CatalogConfig { url: Some(url), default_catalog, default_database, ..none }
            }
            Self::Onelake { url, default_database } | Self::HiveMetastore { url, default_database } => {
                CatalogConfig { url: Some(url), default_database, ..none }
            }
        }
    }
}

impl CatalogProvider {
    /// Whether it is opened with a token.
    #[must_use]
    pub fn takes_token(self) -> bool {
        match self {
            Self::IcebergRest | Self::Unity | Self::Onelake => true,
            Self::Glue | Self::Memory | Self::HiveMetastore => false,
        }
    }
}

/// The catalogs of a leased run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeasedCatalogs {
    /// Each of them, beside the one named `sail`, which every run has in memory.
    pub list: Vec<LeasedCatalog>,
    /// The name of the one that unqualified names mean; `sail` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_catalog: Option<String>,
    /// The database there that unqualified table names mean, level by level; `default` when empty.
    pub default_database: Vec<String>,
}

/// A catalog of a leased run, with what it is opened with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeasedCatalog {
    /// What SQL calls it.
    pub name: String,
    /// Where its tables are.
    #[serde(flatten)]
    pub settings: CatalogSettings,
    /// Opened; for the engine alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub token: Option<WireSecret>,
}

/// A secret that the protocol of agents carries. It shows itself on the wire and nowhere else.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct WireSecret(SecretString);

impl From<SecretString> for WireSecret {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl WireSecret {
    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

impl fmt::Debug for WireSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WireSecret")
    }
}

impl Serialize for WireSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl PartialEq for WireSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for WireSecret {}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(provider: &str, config: Value) -> Result<CatalogSettings> {
        let provider = serde_json::from_value(json!(provider)).unwrap();
        let config: CatalogConfig = serde_json::from_value(config).unwrap();
        config.settings(provider, "configWrite").map(|(settings, _)| settings)
    }

    fn refused(provider: &str, config: Value) -> Vec<String> {
        let shown = config.to_string();
        match settings(provider, config) {
            Err(Error::Invalid(errors)) => errors.iter().map(|(field, _)| field.to_owned()).collect(),
            other => panic!("{provider} {shown}: {other:?}"),
        }
    }

    #[test]
    fn each_provider_takes_its_own_settings_and_shows_them_as_they_were_given() {
        let right = [
            (
                "glue",
                json!({ "region": "us-gov-west-1", "endpointUrl": "https://glue.example.com", "defaultDatabase": "a" }),
            ),
            ("memory", json!({ "initialDatabase": "a.b", "initialDatabaseComment": "für \"alles\"" })),
            ("iceberg_rest", json!({ "url": "http://localhost:8181/x", "warehouse": "s3://a/b", "prefix": "p" })),
            ("unity", json!({ "url": "https://unity.example.com", "defaultCatalog": "main", "defaultDatabase": "a" })),
            ("onelake", json!({ "url": "sales/retail.Lakehouse", "defaultDatabase": "dbo" })),
            ("onelake", json!({ "url": "8f0c2d1e-5b3a-4c6d-9e7f-0a1b2c3d4e5f/3A9B8C7D-6E5F-4A3B-8C1D-0E9F8A7B6C5D" })),
            ("hive_metastore", json!({ "url": "thrift://one:9083,thrift://two:9083" })),
        ];
        for (provider, config) in right {
            let settings = settings(provider, config.clone()).unwrap();
            assert_eq!(serde_json::to_value(settings.config()).unwrap(), config);
            assert_eq!(serde_json::to_value(settings.provider()).unwrap(), provider);
            let stored = serde_json::to_value(&settings).unwrap();
            assert_eq!(serde_json::from_value::<CatalogSettings>(stored).unwrap(), settings);
        }
        for (provider, field) in [("memory", "token"), ("hive_metastore", "token")] {
            assert!(refused(provider, json!({ "token": "t" })).contains(&format!("configWrite.{field}")));
        }
        for token in ["", "a b", "a\n", "é", &"x".repeat(8193)] {
            let config = json!({ "url": "https://a.example", "token": token });
            assert_eq!(refused("unity", config), ["configWrite.token"]);
        }
        assert_eq!(settings("memory", json!({})).unwrap().default_database(), Some("default"));
    }

    #[test]
    fn what_is_missing_wrong_or_of_another_provider_is_named() {
        assert_eq!(refused("glue", json!({ "url": "https://x.example" })), ["configWrite.region", "configWrite.url"]);
        assert_eq!(refused("memory", json!({ "region": "us-east-1" })), ["configWrite.region"]);
        for provider in ["iceberg_rest", "unity", "onelake", "hive_metastore"] {
            assert_eq!(refused(provider, json!({})), ["configWrite.url"]);
        }
        let addresses = [
            "",
            " ",
            "x",
            "ftp://a.example",
            "https://u:p@a.example",
            "https://a.example/?t=1",
            "https://a.example/#f",
            "https://\u{7}",
        ];
        for url in addresses {
            assert_eq!(refused("iceberg_rest", json!({ "url": url })), ["configWrite.url"], "{url}");
        }
        for url in ["a", "a/b", "/b.Lakehouse", "a/b/c.Lakehouse", "https://a/b.Lakehouse", "a/.Lakehouse", "a/b."] {
            assert_eq!(refused("onelake", json!({ "url": url })), ["configWrite.url"], "{url}");
        }
        let id = "8f0c2d1e-5b3a-4c6d-9e7f-0a1b2c3d4e5f";
        let ids =
            [format!("sales/{id}"), format!("{id}/retail"), format!("{id}/{}", id.replace('-', "")), format!("{id}/")];
        for url in ids {
            assert_eq!(refused("onelake", json!({ "url": url })), ["configWrite.url"], "{url}");
        }
        for url in ["host:9083", "thrift://host", "thrift://host:9083,", "https://host:9083", "thrift://host:9083/x"] {
            assert_eq!(refused("hive_metastore", json!({ "url": url })), ["configWrite.url"], "{url}");
        }
        for region in ["", "us", "us-1", "US-east-1", "us-east-", "us-east-100", "europe-west-1"] {
            assert_eq!(refused("glue", json!({ "region": region })), ["configWrite.region"], "{region}");
        }
        for database in ["", "a..b", ".a", "a\nb", &"x".repeat(256)] {
            assert_eq!(refused("memory", json!({ "initialDatabase": database })), ["configWrite.initialDatabase"]);
        }
    }

    #[test]
    fn a_secret_shows_itself_on_the_wire_alone() {
        let secret: WireSecret = serde_json::from_value(json!("open sesame")).unwrap();
        assert_eq!(serde_json::to_value(&secret).unwrap(), "open sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
    }
}
