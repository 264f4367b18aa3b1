//! A user was deleted: what is left of their account goes. Nobody could sign in with it any more.

use mainsheet_core::{Result, UserId};
use mainsheet_store::Store;

pub(crate) async fn handle(store: &Store, user: &UserId) -> Result<()> {
    while !store.erase_user(user).await? {}
    Ok(())
}
