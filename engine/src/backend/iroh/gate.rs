//! From the tasks of connections to the handler, which lives in the driver's future.
//!
//! A [`Handler`] need not be `Send`, so it is asked through a queue, and
//! [`serve`] answers. Until somebody serves, nobody is admitted.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use super::close::CloseCode;
use super::pool::Pool;
use crate::id::DeviceId;
use crate::limits::MAX_SERVED_REQUESTS;
use crate::ports::Handler;
use crate::wire::{Request, Response};

/// What a connection's task wants to know.
enum Order {
    Admit { from: DeviceId, answer: oneshot::Sender<bool> },
    Ask { from: DeviceId, request: Request, answer: oneshot::Sender<Option<Response>> },
}

/// The way to whoever serves.
#[derive(Debug, Default)]
pub(super) struct Gate {
    server: Mutex<Server>,
}

#[derive(Debug, Default)]
struct Server {
    number: u64,
    queue: Option<mpsc::Sender<Order>>,
}

/// What became of a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// This.
    Response(Response),
    /// The device is not admitted any more.
    NotAdmitted,
    /// Nobody serves (any more).
    Nobody,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Server> {
        self.server.lock().expect("no code that holds this lock panics")
    }

    fn queue(&self) -> Option<mpsc::Sender<Order>> {
        self.lock().queue.clone()
    }

    /// Whether the workspace is shared with `from`.
    pub(super) async fn admits(&self, from: DeviceId) -> bool {
        let Some(queue) = self.queue() else { return false };
        let (answer, admitted) = oneshot::channel();
        if queue.send(Order::Admit { from, answer }).await.is_err() {
            return false;
        }
        admitted.await.unwrap_or(false)
    }

    /// The engine's answer.
    pub(super) async fn ask(&self, from: DeviceId, request: Request) -> Answer {
        let Some(queue) = self.queue() else { return Answer::Nobody };
        let (answer, answered) = oneshot::channel();
        if queue.send(Order::Ask { from, request, answer }).await.is_err() {
            return Answer::Nobody;
        }
        match answered.await {
            Ok(Some(response)) => Answer::Response(response),
            Ok(None) => Answer::NotAdmitted,
            Err(_) => Answer::Nobody,
        }
    }

    fn open(&self) -> (u64, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(MAX_SERVED_REQUESTS);
        let mut server = self.lock();
        server.number += 1;
        server.queue = Some(sender);
        (server.number, receiver)
    }
}

/// Closes the gate, and all connections, when serving ends; not if somebody else serves by then.
struct Serving<'a> {
    gate: &'a Gate,
    pool: &'a Pool,
    number: u64,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut server = self.gate.lock();
        if server.number == self.number {
            server.queue = None;
            drop(server);
            self.pool.close_all(CloseCode::Leaving, "the workspace is closed");
        }
    }
}

/// Answers through `handler` until dropped. Whoever serves last serves.
pub(super) async fn serve<H: Handler>(gate: &Gate, pool: &Pool, handler: H) {
    let (number, mut orders) = gate.open();
    let _serving = Serving { gate, pool, number };
    let mut answering = FuturesUnordered::new();
    poll_fn(|context| {
        while let Poll::Ready(Some(order)) = orders.poll_recv(context) {
            match order {
                // Whoever waited may be gone.
                Order::Admit { from, answer } => drop(answer.send(handler.admits(from))),
                Order::Ask { from, answer, .. } if !handler.admits(from) => {
                    drop(answer.send(None));
                }
                Order::Ask { from, request, answer } => {
                    let handler = handler.clone();
                    answering.push(async move {
                        let response = handler.handle(from, request).await;
                        drop(answer.send(Some(response)));
                    });
                }
            }
        }
        while let Poll::Ready(Some(())) = answering.poll_next_unpin(context) {}
        pool.disconnect_all_but(|device| handler.admits(device));
        Poll::<()>::Pending
    })
    .await;
}
