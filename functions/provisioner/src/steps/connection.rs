//! The connection's own stack, which the customer deployed.

use std::collections::BTreeMap;

use mainsheet_cloud::account::Template;
use mainsheet_core::operation::FailureCode;

use crate::Reached;
use crate::steps::site::Site;
use crate::steps::stack;
use crate::trouble::Trouble;

/// The stack is that of the newest template; its parameters stay the customer's.
pub(crate) async fn is_of_the_newest_template(site: &Site<'_>) -> Result<Reached, Trouble> {
    let Some(arn) = &site.connection.stack_arn else {
        return Err(Trouble::lasting(
            FailureCode::DependencyMissing,
            "No stack is known to hold the connection's role.",
        ));
    };
    let synced = stack::is_as_wanted(site, arn, Template::Connection, &BTreeMap::new()).await;
    // What limits the platform is not the platform's to change, unless the customer's CloudFormation does it with another role.
    let remedy = format!(
        "Update the stack in CloudFormation yourself, with the template from `GET /infra/connections/{}/template/download`; its \
         parameters keep their values.",
        site.connection.id
    );
    synced.map_err(|trouble| trouble.remedied(FailureCode::PermissionMissing, remedy))
}
