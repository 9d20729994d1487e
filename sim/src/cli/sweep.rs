//! Does numbered jobs on several threads and hands over the results in their order.
//!
//! A run stays on the thread that took it; threads share a counter and nothing else.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// As many threads as the machine runs at once.
pub(crate) fn all_cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Calls `work` for 0, 1, … below `count` on `threads` threads, and `each` on this thread with the
/// results, in order.
///
/// Once `stop` says so no job is begun, but those begun are finished and handed over. Ends early
/// with what `each` breaks with. Results that are ahead of their turn wait; they are as many as
/// finish while the slowest job runs.
pub(crate) fn in_order<T: Send, B>(
    count: u64,
    threads: usize,
    stop: impl Fn() -> bool + Sync,
    work: impl Fn(u64) -> T + Sync,
    mut each: impl FnMut(u64, T) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    let worker = |sender: mpsc::Sender<(u64, T)>| {
        while !stop() {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= count || sender.send((job, work(job))).is_err() {
                break;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            let (worker, sender) = (&worker, sender.clone());
            scope.spawn(move || worker(sender));
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        // Dropping the receiver, on a break, makes the workers' next send fail.
        for (job, result) in receiver {
            early.insert(job, result);
            while let Some(result) = early.remove(&due) {
                each(due, result)?;
                due += 1;
            }
        }
        ControlFlow::Continue(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn results_come_in_order_whichever_job_finishes_first() {
        for threads in [1, 2, 7] {
            let third_begun = AtomicBool::new(threads == 1);
            let mut results = Vec::new();
            let ended = in_order(
                50,
                threads,
                || false,
                |job| {
                    // The first job outlasts the second: whoever begins the third has sent that.
                    if job == 2 {
                        third_begun.store(true, Ordering::Relaxed);
                    }
                    while job == 0 && !third_begun.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                    job * job
                },
                |job, result| {
                    results.push((job, result));
                    ControlFlow::<()>::Continue(())
                },
            );
            assert!(ended.is_continue());
            assert!(results.into_iter().eq((0..50).map(|job| (job, job * job))), "{threads}");
        }
    }

    #[test]
    fn what_was_begun_before_the_stop_is_handed_over_without_a_hole() {
        let stop = AtomicBool::new(false);
        let begun = AtomicU64::new(0);
        let mut got = Vec::new();
        let ended = in_order(
            1_000_000,
            3,
            || stop.load(Ordering::Relaxed),
            |job| {
                begun.fetch_add(1, Ordering::Relaxed);
                if job == 20 {
                    stop.store(true, Ordering::Relaxed);
                }
            },
            |job, ()| {
                got.push(job);
                ControlFlow::<()>::Continue(())
            },
        );
        assert!(ended.is_continue());
        assert!(got.iter().copied().eq(0..begun.load(Ordering::Relaxed)));
        assert!(got.len() < 1_000_000);
    }

    #[test]
    fn a_break_ends_the_sweep() {
        let ended = in_order(
            u64::MAX,
            2,
            || false,
            |job| job,
            |job, _| if job == 5 { ControlFlow::Break(job) } else { ControlFlow::Continue(()) },
        );
        assert_eq!(ended, ControlFlow::Break(5));
    }
}
