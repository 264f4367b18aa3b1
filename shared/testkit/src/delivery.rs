//! What happens behind an answer: the table's stream, the relay, the queues and their consumers, step by step.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use mainsheet_cloud::queue::{Message, Queue, Queues};
use mainsheet_cloud::workflows::{WorkflowStart, Workflows};
use mainsheet_core::Result;
use mainsheet_embedded::Stream;
use mainsheet_store::outbox::OutboxEvent;

use crate::port::Ports;

/// Messages that were delivered: queues may deliver them again at any time.
#[derive(Debug, Default)]
pub struct Delivered(pub(crate) Vec<(Queue, Message)>);

/// Queues in memory.
pub(crate) struct MemoryQueues {
    ports: Ports,
    waiting: Mutex<VecDeque<(Queue, Message)>>,
}

#[async_trait]
impl Queues for MemoryQueues {
    async fn send(&self, queue: Queue, message: Message) -> Result<()> {
        self.ports.call(|| self.waiting.lock().unwrap().push_back((queue, message)))
    }
}

impl MemoryQueues {
    pub(crate) fn behind(ports: &Ports) -> Self {
        Self { ports: ports.clone(), waiting: Mutex::default() }
    }

    pub(crate) fn receive(&self) -> Option<(Queue, Message)> {
        self.waiting.lock().unwrap().pop_front()
    }

    pub(crate) fn receive_newest(&self) -> Option<(Queue, Message)> {
        self.waiting.lock().unwrap().pop_back()
    }

    pub(crate) fn clear(&self) {
        self.waiting.lock().unwrap().clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap().is_empty()
    }
}

/// Workflows that were started. Nobody does their steps.
pub(crate) struct StartedWorkflows {
    ports: Ports,
    started: Mutex<Vec<WorkflowStart>>,
}

#[async_trait]
impl Workflows for StartedWorkflows {
    async fn start(&self, start: WorkflowStart) -> Result<()> {
        self.ports.call(|| {
            let mut started = self.started.lock().unwrap();
            if !started.contains(&start) {
                started.push(start);
            }
        })
    }
}

impl StartedWorkflows {
    pub(crate) fn behind(ports: &Ports) -> Self {
        Self { ports: ports.clone(), started: Mutex::default() }
    }

    pub(crate) fn all(&self) -> Vec<WorkflowStart> {
        self.started.lock().unwrap().clone()
    }

    /// Forgets all but the first ones.
    pub(crate) fn truncate(&self, count: usize) {
        self.started.lock().unwrap().truncate(count);
    }
}

/// The events in the table's stream that were not carried on yet.
pub(crate) struct Outbox(Mutex<(Stream, VecDeque<OutboxEvent>)>);

impl Outbox {
    pub(crate) fn of(stream: Stream) -> Self {
        Self(Mutex::new((stream, VecDeque::new())))
    }

    /// Where it stands.
    pub(crate) fn stream(&self) -> Stream {
        let guard = self.read();
        assert!(guard.1.is_empty(), "events wait");
        guard.0.clone()
    }

    /// Goes on from another place.
    pub(crate) fn go_to(&self, stream: Stream) {
        *self.0.lock().unwrap() = (stream, VecDeque::new());
    }

    /// The oldest one.
    pub(crate) fn take(&self) -> Option<OutboxEvent> {
        self.read().1.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.read().1.is_empty()
    }

    fn read(&self) -> MutexGuard<'_, (Stream, VecDeque<OutboxEvent>)> {
        let mut guard = self.0.lock().unwrap();
        let (stream, events) = &mut *guard;
        loop {
            let records = stream.peek().unwrap();
            stream.acknowledge();
            if records.is_empty() {
                return guard;
            }
            events.extend(records.into_iter().filter_map(|record| record.event));
        }
    }
}
