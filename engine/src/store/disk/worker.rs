//! A thread that does the waiting for disks and keyrings, so that whoever asks never does.

use std::future::Future;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};

use futures_channel::oneshot;

use crate::ports::StoreError;

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

/// A named thread that owns a `T` and does jobs on it, one after the other.
///
/// Dropping it waits until all jobs that were queued are done. If a job panics, it and all others
/// end in [`StoreError::Failed`].
pub(super) struct Worker<T> {
    name: &'static str,
    jobs: Option<mpsc::Sender<Job<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Worker<T> {
    pub(super) fn start(name: &'static str, mut subject: T) -> Result<Self, StoreError> {
        let (sender, jobs) = mpsc::channel::<Job<T>>();
        let run = move || jobs.into_iter().for_each(|job| job(&mut subject));
        let thread = Builder::new().name(name.to_owned()).spawn(run).map_err(|error| {
            StoreError::Refused(format!("could not start the thread {name}: {error}"))
        })?;
        Ok(Worker { name, jobs: Some(sender), thread: Some(thread) })
    }

    /// Queues a job; it is done whether or not anybody waits for its answer.
    pub(super) fn ask<R, J>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<R, StoreError>> + use<T, R, J>
    where
        R: Send + 'static,
        J: FnOnce(&mut T) -> Result<R, StoreError> + Send + 'static,
    {
        let (sender, answer) = oneshot::channel();
        let job: Job<T> = Box::new(move |subject| {
            // Whoever asked may be gone.
            let _ = sender.send(job(subject));
        });
        // If the thread is no more, the job is dropped, and with it the sender.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let name = self.name;
        async move {
            answer.await.unwrap_or_else(|_| {
                Err(StoreError::Failed(format!("the thread {name} ended by a panic")))
            })
        }
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        // The thread ends once its queue is empty and has no sender.
        self.jobs = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_executor::block_on;

    use super::*;

    #[test]
    fn jobs_are_done_in_order_also_if_nobody_waits() {
        let worker = Worker::start("counter", 0).unwrap();
        for n in 1..=3 {
            drop(worker.ask(move |sum: &mut i32| {
                *sum = *sum * 10 + n;
                Ok(())
            }));
        }
        assert_eq!(block_on(worker.ask(|sum| Ok(*sum))), Ok(123));
    }

    #[test]
    fn dropping_waits_for_what_is_queued() {
        let done = Arc::new(AtomicUsize::new(0));
        let worker = Worker::start("counter", Arc::clone(&done)).unwrap();
        for _ in 0..100 {
            drop(worker.ask(|done: &mut Arc<AtomicUsize>| {
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }));
        }
        drop(worker);
        assert_eq!(done.load(Ordering::Relaxed), 100);
    }

    #[test]
    fn panic_fails_everybody_and_hangs_nobody() {
        let worker = Worker::start("panicking", ()).unwrap();
        let panicking = worker.ask(|()| -> Result<(), _> { panic!("as ordered") });
        let queued = worker.ask(|()| Ok(()));
        for result in [block_on(panicking), block_on(queued), block_on(worker.ask(|()| Ok(())))] {
            assert!(matches!(result, Err(StoreError::Failed(_))), "{result:?}");
        }
    }
}
