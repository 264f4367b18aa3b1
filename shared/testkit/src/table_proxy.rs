//! The proxy in front of a table that other processes ask: an embedded platform, or functions in an emulated AWS.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use mainsheet_core::Clock;

use crate::late_index::Time;
use crate::proxy::{Proxy, Rule};
use crate::upstream::Upstream;

/// A running proxy, on a thread of its own, so that a test that waits for a process does not stop it. It goes on as long as this process.
pub struct TableProxy {
    proxy: Proxy,
    address: String,
}

impl TableProxy {
    /// Starts a proxy in front of a table, which need not answer yet, on a port of 127.0.0.1; 0 takes a free one.
    #[must_use]
    pub fn start(upstream: Upstream, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Proxy::of(upstream, Time::Running { machine: Clock::system(), ahead: Duration::ZERO });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let serving = proxy.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                serving.serve(tokio::net::TcpListener::from_std(listener).unwrap()).await;
            });
        });
        Self { proxy, address }
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Decides from now on what becomes of each round trip.
    pub fn set_rule(&self, rule: Rule) {
        self.proxy.set_rule(Some(rule));
    }

    /// Ends the rule: the table shakes again.
    pub fn heal(&self) {
        self.proxy.set_rule(None);
    }

    /// Whether a call came by. While none has, what is behind it is neither shaken nor judged.
    #[must_use]
    pub fn was_asked(&self) -> bool {
        self.proxy.was_asked()
    }

    /// Which rules of the design were broken so far. Each was written to stderr at once.
    #[must_use]
    pub fn breaches(&self) -> Vec<String> {
        self.proxy.breaches()
    }

    /// Asserts that calls came by, and that none broke a rule of the design.
    pub fn assert_rules_kept(&self) {
        assert!(self.was_asked(), "no call came by: the table was asked by another way");
        let broken = self.breaches();
        assert!(broken.is_empty(), "calls of the table that the design forbids: {broken:#?}");
    }
}
