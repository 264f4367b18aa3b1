//! The gateway in front of a deployment as a process: what clients ask of an emulated AWS goes by way of it.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::CONNECTION;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use mainsheet_embedded::Gateway;
use reqwest::redirect::Policy;
use tokio::net::TcpListener;

use crate::stop::Stop;

/// Which API, and where to listen.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the API answers, such as http://127.0.0.1:4566/_aws/execute-api/a1b2c3d4/$default
    #[arg(long)]
    upstream: String,
    /// The port of 127.0.0.1 to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Prints where it listens, and goes on until it is told to stop. Fails when an answer was too large or too late, and when there was no
/// request: then nothing was judged.
#[allow(clippy::print_stderr, reason = "the address alone goes to standard output")]
pub(crate) async fn run(options: Options) -> ExitCode {
    let stop = Stop::listen();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.unwrap();
    let tally = Tally::default();
    let router = behind(Gateway::AWS, options.upstream, tally.clone());
    println!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        () = stop.told() => {}
        _ = axum::serve(listener, router).into_future() => {}
    }
    if tally.requests() == 0 {
        eprintln!("no request came by: the API was asked by another way");
        return ExitCode::FAILURE;
    }
    if tally.defects() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is at `url`, behind the gateway.
fn behind(gateway: Gateway, url: String, tally: Tally) -> Router {
    // The gateway says how large a body may be.
    let router = Router::new().fallback(forward).layer(DefaultBodyLimit::disable()).with_state(Upstream::at(url));
    gateway.before(router).layer(from_fn_with_state(tally, judge))
}

/// What came by. Clones are the same one.
#[derive(Clone, Default)]
struct Tally {
    requests: Arc<AtomicUsize>,
    /// How often the gateway had to answer for a function, whose answer was too large or too late.
    defects: Arc<AtomicUsize>,
}

impl Tally {
    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn defects(&self) -> usize {
        self.defects.load(Ordering::Relaxed)
    }

    fn note_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a defect, and says so at once.
    #[allow(clippy::print_stderr, reason = "the address alone goes to standard output")]
    fn tell_defect(&self, request: &str, status: StatusCode) {
        eprintln!("no answer that passes the gateway: {request}: {status}");
        self.defects.fetch_add(1, Ordering::Relaxed);
    }
}

/// Says that an answer is the upstream's, and not the gateway's own.
#[derive(Clone, Copy)]
struct OfUpstream;

/// Notes each request, and what a function is to blame for. A request that is too large is its client's affair.
async fn judge(State(tally): State<Tally>, request: Request, next: Next) -> Response {
    tally.note_request();
    let what = format!("{} {}", request.method(), request.uri().path());
    let answer = next.run(request).await;
    if answer.status().is_server_error() && answer.extensions().get::<OfUpstream>().is_none() {
        tally.tell_defect(&what, answer.status());
    }
    answer
}

async fn forward(
    State(upstream): State<Upstream>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (Extension<OfUpstream>, Response) {
    let answer = upstream.ask(method, &uri, headers, body).await;
    let answer = answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response());
    (Extension(OfUpstream), answer)
}

/// The API that is behind the gateway.
#[derive(Clone)]
struct Upstream {
    url: String,
    client: reqwest::Client,
}

impl Upstream {
    fn at(url: String) -> Self {
        // A connection that is kept may be closed while a request is on its way, which nobody sends again.
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0);
        Self { url, client: client.build().unwrap() }
    }

    /// What it answers to a request, which keeps its `Host`: proofs of possession name it.
    async fn ask(&self, method: Method, uri: &Uri, mut headers: HeaderMap, body: Bytes) -> reqwest::Result<Response> {
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        leave_out_hop_by_hop(&mut headers);
        let request = self.client.request(method, format!("{}{target}", self.url)).headers(headers).body(body);
        let mut answer = request.send().await?;
        let (status, mut headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        leave_out_hop_by_hop(&mut headers);
        let mut response = Response::new(Body::from(answer.bytes().await?));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// Leaves out what is said to the next one alone (RFC 9110, section 7.6.1).
fn leave_out_hop_by_hop(headers: &mut HeaderMap) {
    let listed = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let listed: Vec<String> = listed.flat_map(|names| names.split(',')).map(|name| name.trim().to_owned()).collect();
    let known = ["connection", "proxy-connection", "keep-alive", "te", "transfer-encoding", "upgrade"];
    for name in known.into_iter().chain(listed.iter().map(String::as_str)) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::routing::{get, post};

    use super::*;

    /// Serves a router; answers where.
    async fn serve(router: Router) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        url
    }

    fn client() -> reqwest::Client {
        reqwest::Client::builder().no_proxy().build().unwrap()
    }

    /// What it was sent.
    async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: String) -> Response {
        let sent = |name: &str| {
            let values: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
            values.join("+")
        };
        let [host, part, hop] = ["host", "x-part", "x-hop"].map(sent);
        let cookies = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("connection", "x-hop"), ("x-hop", "1")];
        let mut answer = format!("{method} {uri} host={host} part={part} hop={hop} {body}").into_response();
        for (name, value) in cookies {
            answer.headers_mut().append(name, value.parse().unwrap());
        }
        answer
    }

    #[tokio::test]
    async fn what_fits_passes_as_it_is() {
        let upstream = serve(Router::new().route("/stage/api/v1/jobs", post(echo))).await;
        let url = serve(behind(Gateway::AWS, format!("{upstream}/stage"), Tally::default())).await;
        let request = client().post(format!("{url}/api/v1/jobs?sort=a&sort=%C3%A4")).body("some text");
        let request = request.header("host", "api.example.com").header("x-part", "1").header("x-part", "2");
        let answer = request.header("connection", "x-hop").header("x-hop", "1").send().await.unwrap();
        let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().cloned().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(answer.headers().get("x-hop"), None);
        let expected = "POST /stage/api/v1/jobs?sort=a&sort=%C3%A4 host=api.example.com part=1+2 hop= some text";
        assert_eq!(answer.text().await.unwrap(), expected);
    }

    #[tokio::test]
    async fn answers_that_do_not_fit_are_defects_and_requests_are_not() {
        let broken = get(|| async { StatusCode::SERVICE_UNAVAILABLE });
        let long = get(|| async { "x".repeat(Gateway::AWS.payload) });
        let late = get(std::future::pending::<&str>);
        let upstream = serve(Router::new().route("/broken", broken).route("/long", long).route("/late", late)).await;
        let tally = Tally::default();
        let impatient = Gateway { patience: Duration::from_secs(2), ..Gateway::AWS };
        let url = serve(behind(impatient, upstream, tally.clone())).await;
        let ask = async |path: &str, size: usize| {
            let request = client().get(format!("{url}{path}")).header("x-padding", "x".repeat(size));
            request.send().await.unwrap().status().as_u16()
        };
        let came_by = || (tally.requests(), tally.defects());
        assert_eq!(came_by(), (0, 0));
        assert_eq!(ask("/broken", 0).await, 503);
        assert_eq!(ask("/broken", Gateway::AWS.head).await, 431);
        assert_eq!(came_by(), (2, 0));
        assert_eq!(ask("/long", 0).await, 500);
        assert_eq!(came_by(), (3, 1));
        assert_eq!(ask("/late", 0).await, 503);
        assert_eq!(came_by(), (4, 2));
    }

    #[tokio::test]
    async fn who_does_not_answer_is_told_of() {
        let nobody = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let url = serve(behind(Gateway::AWS, format!("http://{nobody}"), Tally::default())).await;
        assert_eq!(client().get(url).send().await.unwrap().status().as_u16(), 502);
    }
}
