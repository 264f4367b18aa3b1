use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// Names that resolve to what the test says, another answer each time.
struct Scripted {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |addresses: &&[&str]| addresses.iter().map(|address| address.parse().unwrap()).collect();
        Arc::new(Self { answers: answers.iter().map(parse).collect(), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl Lookup for Scripted {
    async fn addresses(&self, _: &str) -> std::io::Result<Vec<IpAddr>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        Ok(self.answers[asked.min(self.answers.len() - 1)].clone())
    }
}

/// A listener on this machine that nobody must reach.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind(("0.0.0.0", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    #[track_caller]
    fn is_untouched(&self) {
        assert!(self.0.accept().is_err(), "a connection was opened");
    }
}

fn get(url: &str) -> Request<Vec<u8>> {
    Request::get(url).body(Vec::new()).unwrap()
}

/// Addresses that names must not lead to.
const CLOSED: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.254",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

/// Hosts that no URL may have, in every way of writing them.
const ODD: &[&str] = &[
    "2130706433",
    "0x7f000001",
    "0x7F.1",
    "0177.0.0.1",
    "017700000001",
    "127.1",
    "127.0.1",
    "0",
    "0x0",
    "1.1",
    "127.0.0.1.",
    "127.0.0.1%2e",
    "%31%32%37.0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "user@127.0.0.1",
    "user:secret@example.com",
    "example.com@127.0.0.1",
    "example.com.",
    "localhost.",
    "134744072",
    "0x08080808",
    "010.8.8.8",
    "[2606:4700:4700:0::1111]",
];

#[test]
fn only_addresses_that_anybody_can_have_are_public() {
    for address in CLOSED {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in
        ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "2606:4700::1111"]
    {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn no_connection_is_opened_to_a_closed_address() {
    let trap = Trap::set();
    for address in CLOSED {
        let http = GuardedHttp::with_lookup(Reach::Internet, Scripted::new(&[&[address]])).unwrap();
        let answer = http.send(get(&format!("https://provider.example:{}/", trap.port()))).await;
        assert_eq!(answer.unwrap_err(), NOT_PUBLIC, "a name that resolves to {address}");
        let address: IpAddr = address.parse().unwrap();
        let literal = SocketAddr::new(address, trap.port());
        let answer = http.send(get(&format!("https://{literal}/"))).await;
        assert!(matches!(answer, Err(Failure::Refused(_))), "{literal}");
    }
    let mixed = GuardedHttp::with_lookup(Reach::Internet, Scripted::new(&[&["8.8.8.8", "127.0.0.1"]])).unwrap();
    let answer = mixed.send(get(&format!("https://provider.example:{}/", trap.port()))).await;
    assert_eq!(answer.unwrap_err(), NOT_PUBLIC, "one address among good ones");
    trap.is_untouched();
}

#[tokio::test]
async fn odd_ways_of_writing_a_host_are_refused() {
    let trap = Trap::set();
    let http = GuardedHttp::new(Reach::Internet).unwrap();
    for host in ODD {
        let url = format!("https://{host}:{}/", trap.port());
        assert!(matches!(http.check(&url), Err(Failure::Refused(_))), "{url}");
        if let Ok(request) = Request::get(&url).body(Vec::new()) {
            assert!(matches!(http.send(request).await, Err(Failure::Refused(_))), "{url}");
        }
    }
    for url in ["http://example.com/", "ftp://example.com/", "file:///etc/passwd", "https:///x", "example.com", ""] {
        assert!(matches!(http.check(url), Err(Failure::Refused(_))), "{url}");
    }
    for url in ["https://example.com", "https://example.com:8443/realms/one?x=1", "https://8.8.8.8/"] {
        http.check(url).unwrap();
    }
    let local = GuardedHttp::new(Reach::InternetAndLoopback).unwrap();
    for url in ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "https://example.com/"] {
        local.check(url).unwrap();
    }
    for url in [
        "http://example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://localhost.example/",
    ] {
        assert!(matches!(local.check(url), Err(Failure::Refused(_))), "{url}");
    }
    trap.is_untouched();
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    // One address when it is checked, another one when it is looked up again: it is not, and the connection goes to the first,
    // where nobody listens.
    let trap = Trap(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    trap.0.set_nonblocking(true).unwrap();
    let url = format!("https://provider.example:{}/", trap.port());
    let lookup = Scripted::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let http = GuardedHttp::with_lookup(Reach::InternetAndLoopback, Arc::clone(&lookup) as Arc<dyn Lookup>).unwrap();
    assert_eq!(http.send(get(&url)).await.unwrap_err(), Failure::Unreachable);
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    trap.is_untouched();
    // What was public once is checked again with the next request.
    let lookup = Scripted::new(&[&["192.168.0.1"], &["127.0.0.1"], &["::ffff:127.0.0.1"]]);
    let http = GuardedHttp::with_lookup(Reach::Internet, Arc::clone(&lookup) as Arc<dyn Lookup>).unwrap();
    for asked in 1..=3 {
        assert_eq!(http.send(get(&url)).await.unwrap_err(), NOT_PUBLIC);
        assert_eq!(lookup.asked.load(Ordering::SeqCst), asked);
    }
    trap.is_untouched();
}

/// A server that sends the same bytes to everybody, and counts them.
async fn server(answer: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    (url, count)
}

#[tokio::test]
async fn answers_are_read_whole_up_to_a_megabyte_and_redirects_are_answers() {
    let local = GuardedHttp::new(Reach::InternetAndLoopback).unwrap();
    let body = vec![b'x'; MAX_BODY];
    let whole = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &body].concat();
    let (url, _) = server(whole.clone()).await;
    assert_eq!(local.send(get(&url)).await.unwrap().into_body().len(), MAX_BODY);
    let (url, _) = server([whole.as_slice(), b"x"].concat()).await;
    assert_eq!(local.send(get(&url)).await.unwrap_err(), Failure::TooLarge);
    let (elsewhere, count) = server(whole).await;
    let (url, _) =
        server(format!("HTTP/1.1 302 Found\r\nlocation: {elsewhere}\r\ncontent-length: 0\r\n\r\n").into()).await;
    assert_eq!(local.send(get(&url)).await.unwrap().status(), 302);
    assert_eq!(count.load(Ordering::SeqCst), 0);
    let nobody =
        format!("http://127.0.0.1:{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    assert_eq!(local.send(get(&nobody)).await.unwrap_err(), Failure::Unreachable);
}

/// A server that says this much and no more, and keeps the connection open.
async fn silent_server(beginning: &'static [u8]) -> String {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(beginning).await;
            open.push(stream);
        }
    });
    url
}

#[tokio::test]
async fn whoever_does_not_answer_or_does_not_come_to_an_end_is_given_up() {
    assert_eq!((TIMEOUT, MAX_BODY), (Duration::from_secs(5), 1024 * 1024), "as the documentation says");
    let brief = Duration::from_millis(50);
    let local = GuardedHttp::with_timeout(Reach::InternetAndLoopback, Arc::new(SystemLookup), brief).unwrap();
    let beginnings: [&[u8]; 3] = [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx"];
    for beginning in beginnings {
        let url = silent_server(beginning).await;
        assert_eq!(
            local.send(get(&url)).await.unwrap_err(),
            Failure::TimedOut,
            "{}",
            String::from_utf8_lossy(beginning)
        );
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_a_megabyte() {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"4000\r\n").await.is_ok() {
            let part = [[b'x'; 0x4000].as_slice(), b"\r\n"].concat();
            if stream.write_all(&part).await.is_err() {
                break;
            }
        }
    });
    let local = GuardedHttp::new(Reach::InternetAndLoopback).unwrap();
    assert_eq!(local.send(get(&url)).await.unwrap_err(), Failure::TooLarge);
}
