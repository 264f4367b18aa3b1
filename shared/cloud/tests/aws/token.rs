//! Tokens of clusters, read as a cluster reads them (aws-iam-authenticator, `token.go`, `Verify`).

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainsheet_cloud::account::{Access, CloudAccounts};
use secrecy::ExposeSecret;
use url::Url;

use crate::world::{World, access, moment};

/// What is signed in a token, and where.
fn read(token: &str) -> (Url, BTreeMap<String, String>) {
    let encoded = token.strip_prefix("k8s-aws-v1.").unwrap();
    let url = Url::parse(std::str::from_utf8(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()).unwrap();
    let query = url.query_pairs().into_owned().collect();
    (url, query)
}

#[tokio::test]
async fn a_token_is_a_signed_question_of_who_asks_that_names_the_cluster() {
    let world = World::new().await;
    let token = world.enter().await.token("mainsheet-c").await.unwrap();
    // Nobody is asked: the session's credentials sign it.
    assert_eq!(world.endpoint.actions(), [""; 0]);
    let (url, query) = read(token.token.expose_secret());
    assert_eq!((url.scheme(), url.host_str(), url.path()), ("https", Some("sts.eu-central-1.amazonaws.com"), "/"));
    let says = |name: &str| query.get(name).map(String::as_str);
    assert_eq!((says("Action"), says("Version")), (Some("GetCallerIdentity"), Some("2011-06-15")));
    assert_eq!(says("X-Amz-Algorithm"), Some("AWS4-HMAC-SHA256"));
    assert_eq!(says("X-Amz-Credential"), Some("ASIAEXAMPLE/20261121/eu-central-1/sts/aws4_request"));
    assert_eq!(says("X-Amz-Date"), Some("20261121T080000Z"));
    assert_eq!(says("X-Amz-Expires"), Some("60"));
    assert_eq!(says("X-Amz-Security-Token"), Some("the-session"));
    assert_eq!(says("X-Amz-SignedHeaders"), Some("host;x-k8s-aws-id"));
    let signature = says("X-Amz-Signature").unwrap();
    assert!(signature.len() == 64 && signature.bytes().all(|digit| digit.is_ascii_hexdigit()), "{signature}");
    // Clusters take no parameter besides these.
    assert_eq!(query.len(), 9, "{query:?}");
}

#[tokio::test]
async fn the_name_of_the_cluster_is_signed() {
    let world = World::new().await;
    let account = world.enter().await;
    let signature = async |cluster: &str| {
        let token = account.token(cluster).await.unwrap();
        read(token.token.expose_secret()).1["X-Amz-Signature"].clone()
    };
    assert_eq!(signature("mainsheet-c").await, signature("mainsheet-c").await);
    assert_ne!(signature("mainsheet-c").await, signature("mainsheet-d").await);
}

#[tokio::test]
async fn a_token_is_good_no_longer_than_its_session() {
    let world = World::new().await;
    let account = world.enter().await;
    let until = async || account.token("mainsheet-c").await.unwrap().expires_at;
    assert_eq!(until().await, moment("2026-11-21T08:14:00.000Z"));
    world.clock.advance(Duration::from_secs(50 * 60));
    assert_eq!(until().await, moment("2026-11-21T09:00:00.000Z"));
}

#[tokio::test]
async fn other_partitions_have_other_hosts() {
    let world = World::new().await;
    for (region, host) in
        [("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"), ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn")]
    {
        let account = world.accounts.open(&Access { region: region.parse().unwrap(), ..access() }).await.unwrap();
        let token = account.token("mainsheet-c").await.unwrap();
        assert_eq!(read(token.token.expose_secret()).0.host_str(), Some(host));
    }
}
