//! The CloudFormation templates that run in customers' accounts: `infra/customer`.

use std::collections::BTreeMap;

use mainsheet_core::ConnectionId;
use mainsheet_core::network::NetworkCidr;
use serde::{Deserialize, Serialize};

use super::NAME_PREFIX;

/// A template of `infra/customer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// The role that the platform enters an account by, and what limits it. The customer deploys it.
    Connection,
    /// A network: VPC, subnets, ways out. `NatGateways` is `one` unless given, or `none`.
    Network,
    /// What a cluster stands on: roles, the bucket of its results and, once it has the parameter `OidcIssuer` of the cluster
    /// (an update after the control plane is active), the identities of its pods, which the role of its jobs trusts.
    Cluster,
    /// A catalog: database and bucket.
    Catalog,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Connection, Self::Network, Self::Cluster, Self::Catalog];

    /// Its name, which is that of its file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Network => "network",
            Self::Cluster => "cluster",
            Self::Catalog => "catalog",
        }
    }

    /// The parameters that have to be given. Those that may be are in the file, with their defaults.
    #[must_use]
    pub const fn required_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &[
                "IamRoleName",
                "IamPermissionBoundaryName",
                "LakeSailAccountID",
                "LakeSailTenantID",
                "LakeSailConnectionID",
                "LakeSailConnectionIDLowerCase",
                "LakeSailExternalID",
                "LakeSailPrincipal",
            ],
            Self::Network => &["BoundaryName", "Cidr"],
            Self::Cluster => &["BoundaryName", "ClusterName", "BucketPrefix", "ResultsBucketName"],
            Self::Catalog => &["BucketName", "DatabaseName"],
        }
    }

    /// The parameters that may be given: they have defaults.
    #[must_use]
    pub const fn optional_parameters(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &["LakeSailVPCID"],
            Self::Network => &["NatGateways", "SubnetBits"],
            Self::Cluster => &["OidcIssuer"],
            Self::Catalog => &[],
        }
    }

    /// What a stack of it tells about what it made.
    #[must_use]
    pub const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &["RoleArn", "PermissionsBoundaryArn"],
            // Subnets with commas between them.
            Self::Network => &["VpcId", "PrivateSubnetIds", "PublicSubnetIds"],
            Self::Cluster => {
                &["ClusterRoleArn", "NodeRoleArn", "StorageRoleArn", "JobRunnerRoleArn", "ResultsBucketName"]
            }
            Self::Catalog => &["BucketName", "DatabaseName"],
        }
    }

    /// The file.
    #[must_use]
    pub const fn body(self) -> &'static str {
        match self {
            Self::Connection => include_str!("../../../../infra/customer/connection.yaml"),
            Self::Network => include_str!("../../../../infra/customer/network.yaml"),
            Self::Cluster => include_str!("../../../../infra/customer/cluster.yaml"),
            Self::Catalog => include_str!("../../../../infra/customer/catalog.yaml"),
        }
    }

    /// The file with values for its parameters, as their defaults: whoever deploys it is asked for nothing. A parameter that
    /// `values` does not name stays as it is.
    #[must_use]
    pub fn filled(self, values: &BTreeMap<&str, String>) -> String {
        let (mut text, mut parameter, mut in_parameters) = (String::new(), None, false);
        for line in self.body().lines() {
            let indent = line.len() - line.trim_start().len();
            match indent {
                0 if !line.is_empty() => in_parameters = line == "Parameters:",
                2 => parameter = line.trim().strip_suffix(':').and_then(|name| values.get(name)),
                _ => {}
            }
            let value = parameter.filter(|_| in_parameters && indent == 4);
            if value.is_some() && line.trim_start().starts_with("Default:") {
                continue;
            }
            text.push_str(line);
            text.push('\n');
            if let Some(value) = value.filter(|_| line.trim_start().starts_with("Type:")) {
                // A JSON string is a YAML string.
                text.push_str(&format!("    Default: {}\n", serde_json::Value::from(value.as_str())));
            }
        }
        text
    }
}

/// What the policy that limits every role of a connection's is called, unless the customer chose another name.
#[must_use]
pub fn boundary_name(connection: &ConnectionId) -> String {
    format!("{NAME_PREFIX}{connection}-RoleBoundary")
}

/// Parameters of a network's stack, whose role is limited by the policy `boundary`.
#[must_use]
pub fn network_parameters(boundary: &str, cidr: NetworkCidr) -> BTreeMap<String, String> {
    // Six subnets have an eighth of the network each.
    let subnet_bits = 32 - 3 - cidr.block().prefix_len();
    [("BoundaryName", boundary.to_owned()), ("Cidr", cidr.to_string()), ("SubnetBits", subnet_bits.to_string())]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use saphyr::{LoadableYamlNode, Yaml};

    use super::*;
    use crate::account::{Action, IMPLIED, SERVICE_ROLES, Scope};

    fn parsed(text: &str) -> Yaml<'_> {
        Yaml::load_from_str(text).unwrap().remove(0)
    }

    fn keys<'y>(document: &'y Yaml<'y>, section: &str) -> BTreeSet<&'y str> {
        let section = document.as_mapping_get(section).and_then(Yaml::as_mapping).unwrap();
        section.keys().map(|key| key.as_str().unwrap()).collect()
    }

    #[test]
    fn templates_have_the_parameters_and_outputs_that_are_counted_on() {
        for template in Template::ALL {
            let document = parsed(template.body());
            let known = template.required_parameters().iter().chain(template.optional_parameters());
            assert_eq!(keys(&document, "Parameters"), known.copied().collect(), "{template:?}");
            assert!(
                keys(&document, "Outputs").is_superset(&template.outputs().iter().copied().collect()),
                "{template:?}"
            );
            for name in template.optional_parameters() {
                let parameter = document.as_mapping_get("Parameters").and_then(|all| all.as_mapping_get(name));
                assert!(parameter.and_then(|parameter| parameter.as_mapping_get("Default")).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn a_filled_template_asks_for_nothing() {
        let template = Template::Connection;
        let names = template.required_parameters().iter().chain(template.optional_parameters());
        let values: BTreeMap<&str, String> = names.map(|name| (*name, format!("\"{name}\": #1"))).collect();
        let text = template.filled(&values);
        let document = parsed(&text);
        let parameters = document.as_mapping_get("Parameters").unwrap();
        for (name, value) in &values {
            let default = parameters.as_mapping_get(name).and_then(|parameter| parameter.as_mapping_get("Default"));
            assert_eq!(default.and_then(|default| default.as_str()), Some(value.as_str()), "{name}");
        }
        assert_eq!(template.filled(&BTreeMap::new()).trim_end(), template.body().trim_end());
    }

    /// All that a statement of `Effect: Allow` names below `node`.
    fn allowed<'y>(node: &'y Yaml<'y>, found: &mut BTreeSet<&'y str>) {
        if let Some(items) = node.as_sequence() {
            items.iter().for_each(|item| allowed(item, found));
        }
        let Some(entries) = node.as_mapping() else { return };
        if node.as_mapping_get("Effect").and_then(Yaml::as_str) == Some("Allow") {
            let actions = node.as_mapping_get("Action").unwrap();
            found.extend(actions.as_str());
            found.extend(actions.as_sequence().into_iter().flatten().filter_map(Yaml::as_str));
        }
        entries.values().for_each(|value| allowed(value, found));
    }

    fn resource<'y>(document: &'y Yaml<'y>, name: &str) -> &'y Yaml<'y> {
        document.as_mapping_get("Resources").and_then(|all| all.as_mapping_get(name)).unwrap()
    }

    /// What is below `path`.
    fn at<'y>(node: &'y Yaml<'y>, path: &[&str]) -> &'y Yaml<'y> {
        path.iter().fold(node, |node, name| node.as_mapping_get(name).unwrap_or_else(|| panic!("no {name}")))
    }

    #[test]
    fn the_role_permits_what_the_platform_calls_and_no_more() {
        let document = parsed(Template::Connection.body());
        let mut permitted = BTreeSet::new();
        allowed(at(resource(&document, "Role"), &["Properties", "Policies"]), &mut permitted);
        let implied = IMPLIED.iter().map(|(action, _)| *action).chain([SERVICE_ROLES]);
        let called: BTreeSet<&str> = Action::ALL.iter().map(|action| action.as_str()).chain(implied).collect();
        assert_eq!(permitted, called);
    }

    /// The resources of the statements below `node` that permit an action, as one text.
    fn resources_of(node: &Yaml<'_>, action: &str) -> String {
        let statements = node.as_sequence().into_iter().flatten();
        let statements =
            statements.flat_map(|policy| at(policy, &["PolicyDocument", "Statement"]).as_sequence()).flatten();
        let names = |statement: &&Yaml<'_>| {
            let actions = at(statement, &["Action"]);
            actions.as_str() == Some(action)
                || actions.as_sequence().into_iter().flatten().any(|named| named.as_str() == Some(action))
        };
        statements.filter(names).map(|statement| format!("{:?}", at(statement, &["Resource"]))).collect()
    }

    #[test]
    fn the_role_permits_each_call_on_what_it_works_on() {
        let document = parsed(Template::Connection.body());
        let policies = at(resource(&document, "Role"), &["Properties", "Policies"]);
        let called = Action::ALL.iter().map(|action| (action.as_str(), action.scope()));
        for (action, scope) in called.chain(IMPLIED.iter().copied()) {
            let wanted = match scope {
                Scope::Everything => "\"*\"",
                Scope::Stack => ":stack/mainsheet-*",
                Scope::Cluster => ":cluster/mainsheet-*",
                Scope::NodeGroup => ":nodegroup/mainsheet-*/*/*",
                Scope::AddOn => ":addon/mainsheet-*/*/*",
                Scope::AccessEntry => ":access-entry/mainsheet-*/*",
                // Its name begins with `mainsheet-`: see the parameter's pattern.
                Scope::OwnRole | Scope::Role => ":role/",
            };
            let resources = resources_of(policies, action);
            assert!(resources.contains(wanted), "{action}: {resources}");
        }
    }

    /// Whether an action is meant by a pattern as in IAM policies.
    fn fits(pattern: &str, action: &str) -> bool {
        let mut rest = action;
        let mut parts = pattern.split('*').peekable();
        let first = parts.next().unwrap_or_default();
        let Some(after) = rest.strip_prefix(first) else { return false };
        rest = after;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.is_empty()
    }

    #[test]
    fn the_boundary_permits_what_every_role_is_given() {
        assert!(fits("glue:*Table*", "glue:GetTables") && fits("s3:Get*", "s3:GetObject"));
        assert!(!fits("s3:Get*", "s3:PutObject") && !fits("iam:GetRole", "iam:GetRolePolicy"));
        let connection = parsed(Template::Connection.body());
        let mut most = BTreeSet::new();
        allowed(resource(&connection, "PermissionsBoundary"), &mut most);
        for template in Template::ALL {
            let document = parsed(template.body());
            for (name, resource) in document.as_mapping_get("Resources").and_then(Yaml::as_mapping).unwrap() {
                if resource.as_mapping_get("Type").and_then(Yaml::as_str) != Some("AWS::IAM::Role") {
                    continue;
                }
                let properties = at(resource, &["Properties"]);
                assert!(properties.as_mapping_get("PermissionsBoundary").is_some(), "{name:?} has no boundary");
                let mut given = BTreeSet::new();
                properties.as_mapping_get("Policies").into_iter().for_each(|policies| allowed(policies, &mut given));
                let beyond = given.iter().find(|action| !most.iter().any(|pattern| fits(pattern, action)));
                assert_eq!(beyond, None, "{template:?} {name:?}");
            }
        }
    }

    /// A refusal would show in a customer's account alone: nothing here evaluates policies for CloudFormation.
    #[test]
    fn stacks_are_built_with_what_their_handlers_call() {
        let connection = parsed(Template::Connection.body());
        let mut permitted = BTreeSet::new();
        allowed(at(resource(&connection, "StacksRole"), &["Properties", "Policies"]), &mut permitted);
        let mut known = BTreeSet::new();
        let handlers = include_str!("../../../../infra/customer/handlers.tsv");
        for row in handlers.lines().filter(|line| !line.starts_with('#')) {
            let [kind, action, needless] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
            let is_permitted = permitted.iter().any(|pattern| fits(pattern, action));
            assert_eq!(is_permitted, needless.is_empty(), "{kind}: {action}");
            known.insert(kind);
        }
        for template in [Template::Network, Template::Cluster, Template::Catalog] {
            let document = parsed(template.body());
            for (name, resource) in document.as_mapping_get("Resources").and_then(Yaml::as_mapping).unwrap() {
                let kind = resource.as_mapping_get("Type").and_then(Yaml::as_str).unwrap();
                assert!(known.contains(kind), "{template:?} {name:?}: {kind}");
            }
        }
    }

    #[test]
    fn templates_fit_into_the_call_that_deploys_them() {
        // AWS CloudFormation, CreateStack, TemplateBody.
        for template in Template::ALL {
            assert!(template.body().len() <= 51_200, "{template:?}");
        }
    }

    #[test]
    fn no_policy_names_every_action() {
        for template in Template::ALL {
            let document = parsed(template.body());
            let mut permitted = BTreeSet::new();
            allowed(document.as_mapping_get("Resources").unwrap(), &mut permitted);
            let too_much = |action: &&str| *action == "*" || action.ends_with(":*");
            assert_eq!(permitted.into_iter().find(too_much), None, "{template:?}");
        }
    }
}
