//! A run's catalogs as Sail's own configuration: variables of its environment, whose values are in the language of Sail's
//! configuration files. `infra/docs/catalogs.md` lists what each provider's settings become.

use std::fmt::Write as _;

use mainsheet_core::catalog::{CatalogSettings, DEFAULT_DATABASE, LeasedCatalog, LeasedCatalogs};
use secrecy::ExposeSecret;

/// The catalog in memory that Sail has when nothing is said; a run has it beside its own.
const OWN_CATALOG: &str = "sail";

/// The variables that give a Sail server these catalogs. They hold secrets: for the server's process alone.
pub(crate) fn environment(catalogs: &LeasedCatalogs) -> [(&'static str, String); 3] {
    let default_catalog = catalogs.default_catalog.as_deref().unwrap_or(OWN_CATALOG);
    let default_database: Vec<&str> = match &catalogs.default_database[..] {
        [] => vec![DEFAULT_DATABASE],
        levels => levels.iter().map(String::as_str).collect(),
    };
    // Where it is the default, the default database has to be there.
    let own = if default_catalog == OWN_CATALOG { &default_database[..] } else { &[DEFAULT_DATABASE] };
    let own = table(&[("name", text(OWN_CATALOG)), ("type", text("memory")), ("initial_database", list(own))]);
    let all: Vec<String> = std::iter::once(own).chain(catalogs.list.iter().map(catalog)).collect();
    [
        ("SAIL_CATALOG__LIST", format!("[{}]", all.join(", "))),
        ("SAIL_CATALOG__DEFAULT_CATALOG", text(default_catalog)),
        ("SAIL_CATALOG__DEFAULT_DATABASE", list(&default_database)),
    ]
}

/// An entry of Sail's list of catalogs.
fn catalog(leased: &LeasedCatalog) -> String {
    let (kind, mut options) = options(&leased.settings);
    options.splice(0..0, [("name", text(&leased.name)), ("type", text(kind))]);
    if let (Some(option), Some(token)) = (token_option(&leased.settings), &leased.token) {
        options.push((option, text(token.secret().expose_secret())));
    }
    table(&options)
}

fn options(settings: &CatalogSettings) -> (&'static str, Vec<(&'static str, String)>) {
    let given = |option: &'static str, value: &Option<String>| Some((option, text(value.as_deref()?)));
    match settings {
        CatalogSettings::Glue { region, endpoint_url, .. } => {
            let options = [Some(("region", text(region))), given("endpoint_url", endpoint_url)];
            ("glue", options.into_iter().flatten().collect())
        }
        CatalogSettings::Memory { initial_database, initial_database_comment } => {
            let levels: Vec<&str> = initial_database.split('.').collect();
            let comment = given("initial_database_comment", initial_database_comment);
            ("memory", [Some(("initial_database", list(&levels))), comment].into_iter().flatten().collect())
        }
        CatalogSettings::IcebergRest { url, warehouse, prefix, .. } => {
            let options = [Some(("uri", text(url))), given("warehouse", warehouse), given("prefix", prefix)];
            ("iceberg-rest", options.into_iter().flatten().collect())
        }
        CatalogSettings::Unity { url, default_catalog, .. } => {
            let options = [Some(("uri", text(url))), given("default_catalog", default_catalog)];
            ("unity", options.into_iter().flatten().collect())
        }
        CatalogSettings::Onelake { url, .. } => ("onelake", vec![("url", text(url))]),
        CatalogSettings::HiveMetastore { url, .. } => {
            let endpoints: Vec<&str> = url.split(',').collect();
            ("hive_metastore", vec![("uris", list(&endpoints))])
        }
    }
}

fn token_option(settings: &CatalogSettings) -> Option<&'static str> {
    match settings {
        CatalogSettings::IcebergRest { .. } => Some("bearer_access_token"),
        CatalogSettings::Unity { .. } => Some("token"),
        CatalogSettings::Onelake { .. } => Some("bearer_token"),
        CatalogSettings::Glue { .. } | CatalogSettings::Memory { .. } | CatalogSettings::HiveMetastore { .. } => None,
    }
}

fn table(entries: &[(&str, String)]) -> String {
    let entries: Vec<String> = entries.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", entries.join(", "))
}

fn list(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().copied().map(text).collect();
    format!("[{}]", texts.join(", "))
}

/// A text in quotes. All but plain ASCII is escaped: Sail's parser (figment 0.10) panics where a text has an escape and a
/// letter beyond ASCII besides.
fn text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            ' '..='~' if !['"', '\\'].contains(&letter) => quoted.push(letter),
            _ => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(letter));
            }
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use mainsheet_core::catalog::WireSecret;
    use secrecy::SecretString;

    use super::*;

    fn leased(name: &str, settings: CatalogSettings, token: Option<&str>) -> LeasedCatalog {
        let token = token.map(|token| WireSecret::from(SecretString::from(token)));
        LeasedCatalog { name: name.to_owned(), settings, token }
    }

    #[test]
    fn each_provider_s_settings_become_sail_s() {
        let some = |text: &str| Some(text.to_owned());
        let (url, default_database) = ("http://a:1".to_owned(), None::<String>);
        let cases = [
            (
                leased(
                    "g",
                    CatalogSettings::Glue {
                        region: "us-east-1".to_owned(),
                        default_database: None,
                        endpoint_url: some("http://a:1"),
                    },
                    None,
                ),
                r#"{name="g", type="glue", region="us-east-1", endpoint_url="http://a:1"}"#,
            ),
            (
                leased(
                    "m",
                    CatalogSettings::Memory {
                        initial_database: "a.b".to_owned(),
                        initial_database_comment: some("\"é"),
                    },
                    None,
                ),
                r#"{name="m", type="memory", initial_database=["a", "b"], initial_database_comment="\U00000022\U000000E9"}"#,
            ),
            (
                leased(
                    "i",
                    CatalogSettings::IcebergRest {
                        url: url.clone(),
                        warehouse: some("w"),
                        prefix: some("p"),
                        default_database: some("d"),
                    },
                    Some("t"),
                ),
                r#"{name="i", type="iceberg-rest", uri="http://a:1", warehouse="w", prefix="p", bearer_access_token="t"}"#,
            ),
            (
                leased(
                    "u",
                    CatalogSettings::Unity {
                        url: url.clone(),
                        default_catalog: some("c"),
                        default_database: default_database.clone(),
                    },
                    Some("t"),
                ),
                r#"{name="u", type="unity", uri="http://a:1", default_catalog="c", token="t"}"#,
            ),
            (
                leased(
                    "o",
                    CatalogSettings::Onelake {
                        url: "w/i.Lakehouse".to_owned(),
                        default_database: default_database.clone(),
                    },
                    Some("t"),
                ),
                r#"{name="o", type="onelake", url="w/i.Lakehouse", bearer_token="t"}"#,
            ),
            (
                leased(
                    "h",
                    CatalogSettings::HiveMetastore { url: "thrift://a:1,thrift://b:2".to_owned(), default_database },
                    None,
                ),
                r#"{name="h", type="hive_metastore", uris=["thrift://a:1", "thrift://b:2"]}"#,
            ),
        ];
        for (leased, expected) in cases {
            assert_eq!(catalog(&leased), expected);
        }
    }

    #[test]
    fn without_a_default_of_its_own_a_run_keeps_sail_s() {
        let none = LeasedCatalogs { list: Vec::new(), default_catalog: None, default_database: vec!["a".to_owned()] };
        let own = r#"[{name="sail", type="memory", initial_database=["a"]}]"#;
        assert_eq!(environment(&none).map(|(_, value)| value), [own, r#""sail""#, r#"["a"]"#]);
    }
}
