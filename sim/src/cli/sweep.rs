//! Does numbered jobs on several threads and hands over the results in their order.
//!
//! A run stays on the thread that took it; threads share a counter and nothing else.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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
    let pace = || if stop() { Pace::Finish } else { Pace::On };
    let jobs = Jobs::new(count, threads, pace, work);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for place in 0..threads {
            let (jobs, sender) = (&jobs, sender.clone());
            scope.spawn(move || jobs.take(place, &sender));
        }
        drop(sender);
        let mut turns = Turns::default();
        // Dropping the receiver, on a break, makes the workers' next send fail.
        receiver.into_iter().try_for_each(|(job, result)| turns.take(job, result, &mut each))
    })
}

/// Whether a watched sweep goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Begin the next job.
    On,
    /// Begin none, and finish those begun.
    Finish,
    /// The same, and leave behind what does not finish soon.
    Leave,
}

/// How long a watched sweep bears a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Jobs that run for so long are told of, and again each time as much has passed.
    pub(crate) slow: Duration,
    /// Jobs that run for so long after [`Pace::Leave`] are left behind.
    pub(crate) leave: Duration,
}

/// What [`watched`] leaves behind: jobs that were begun and not finished, and for how long they ran.
pub(crate) type Left = Vec<(u64, Duration)>;

/// Does the same as [`in_order`] for jobs that may hang: `slow` is called with those that run for long,
/// and an end need not wait for them. What is finished then is handed over, with holes.
pub(crate) fn watched<T: Send + 'static, B>(
    count: u64,
    threads: usize,
    patience: Patience,
    pace: impl Fn() -> Pace + Send + Sync + 'static,
    work: impl Fn(u64) -> T + Send + Sync + 'static,
    mut each: impl FnMut(u64, T) -> ControlFlow<B>,
    mut slow: impl FnMut(u64, Duration),
) -> (ControlFlow<B>, Left) {
    let jobs = Arc::new(Jobs::new(count, threads, pace, work));
    let (sender, receiver) = mpsc::channel();
    let start = |place| {
        let (jobs, sender) = (Arc::clone(&jobs), sender.clone());
        // A scope would wait for what hangs.
        #[expect(clippy::disallowed_methods, reason = "no run sees the threads of a sweep")]
        thread::spawn(move || jobs.take(place, &sender))
    };
    let workers: Vec<_> = (0..threads).map(start).collect();
    drop(sender);
    let mut turns = Turns::default();
    let (mut watch, mut leaving) = (Watch::new(), None);
    loop {
        match receiver.recv_timeout(BEAT) {
            Ok((job, result)) => {
                if let ControlFlow::Break(end) = turns.take(job, result, &mut each) {
                    return (ControlFlow::Break(end), Left::new());
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // A panic of a job is one of the sweep.
                workers.into_iter().try_for_each(|worker| worker.join()).unwrap_or_else(|panic| {
                    resume_unwind(panic);
                });
                return (ControlFlow::Continue(()), Left::new());
            }
        }
        let Some(now) = watch.beat() else { continue };
        for (job, ran) in jobs.begun(now) {
            if watch.is_due(job, ran, patience.slow) {
                slow(job, ran);
            }
        }
        if (jobs.pace)() == Pace::Leave
            && now.duration_since(*leaving.get_or_insert(now)) >= patience.leave
        {
            let mut left: Left = jobs.begun(now).collect();
            // A job is noted as begun until its result is in the channel, where it may lie for a while.
            turns.early.extend(receiver.try_iter());
            left.retain(|(job, _)| !turns.has(*job));
            return (turns.early.into_iter().try_for_each(|(job, result)| each(job, result)), left);
        }
    }
}

/// How often a watched sweep looks at its jobs.
const BEAT: Duration = Duration::from_millis(100);

/// Results that are ahead of their turn.
struct Turns<T> {
    early: BTreeMap<u64, T>,
    /// Whose turn it is.
    due: u64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Turns { early: BTreeMap::new(), due: 0 }
    }
}

impl<T> Turns<T> {
    /// Calls `each` with all results whose turn has come.
    fn take<B>(
        &mut self,
        job: u64,
        result: T,
        mut each: impl FnMut(u64, T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.early.insert(job, result);
        while let Some(result) = self.early.remove(&self.due) {
            each(self.due, result)?;
            self.due += 1;
        }
        ControlFlow::Continue(())
    }

    /// Whether the job's result was taken.
    fn has(&self, job: u64) -> bool {
        job < self.due || self.early.contains_key(&job)
    }
}

/// What the threads of a sweep share.
struct Jobs<P, W> {
    next: AtomicU64,
    count: u64,
    /// The job of each thread, and since when.
    begun: Vec<Mutex<Option<(u64, Instant)>>>,
    pace: P,
    work: W,
}

impl<P: Fn() -> Pace, W> Jobs<P, W> {
    fn new(count: u64, threads: usize, pace: P, work: W) -> Self {
        let begun = (0..threads).map(|_| Mutex::default()).collect();
        Jobs { next: AtomicU64::new(0), count, begun, pace, work }
    }

    /// Does jobs until there are no more.
    fn take<T>(&self, place: usize, sender: &Sender<(u64, T)>)
    where
        W: Fn(u64) -> T,
    {
        while (self.pace)() == Pace::On {
            let job = self.next.fetch_add(1, Ordering::Relaxed);
            if job >= self.count {
                break;
            }
            self.note(place, Some((job, now())));
            let sent = sender.send((job, (self.work)(job)));
            self.note(place, None);
            if sent.is_err() {
                break;
            }
        }
    }

    fn note(&self, place: usize, job: Option<(u64, Instant)>) {
        *self.begun[place].lock().unwrap_or_else(PoisonError::into_inner) = job;
    }

    /// The jobs under way, and for how long.
    fn begun(&self, now: Instant) -> impl Iterator<Item = (u64, Duration)> {
        let noted = |at: &Mutex<_>| *at.lock().unwrap_or_else(PoisonError::into_inner);
        self.begun
            .iter()
            .filter_map(noted)
            .map(move |(job, start): (u64, Instant)| (job, now.saturating_duration_since(start)))
    }
}

/// Who looks at jobs now and then.
struct Watch {
    looked: Instant,
    /// How often each slow job was told of.
    told: BTreeMap<u64, u32>,
}

impl Watch {
    fn new() -> Self {
        Watch { looked: now(), told: BTreeMap::new() }
    }

    /// The time, if it is time to look again.
    fn beat(&mut self) -> Option<Instant> {
        let now = now();
        (now.duration_since(self.looked) >= BEAT).then(|| {
            self.looked = now;
            now
        })
    }

    /// Whether a job that ran for so long is to be told of, which is once for each `slow`.
    fn is_due(&mut self, job: u64, ran: Duration, slow: Duration) -> bool {
        if ran < slow {
            return false;
        }
        let times = self.told.entry(job).or_default();
        let due = ran >= slow * (*times + 1);
        *times += u32::from(due);
        due
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a job takes is of the wall clock")]
fn now() -> Instant {
    Instant::now()
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

    /// Runs 30 jobs of which the third hangs until `over`, and is left behind if `over` is not set.
    fn with_one_that_hangs(over: &Arc<AtomicBool>) -> (Vec<u64>, Left, Vec<u64>) {
        let (mut got, mut slow) = (Vec::new(), Vec::new());
        let done = Arc::new(AtomicU64::new(0));
        let (counted, wanted, ending) = (Arc::clone(&done), Arc::clone(over), Arc::clone(over));
        let (ended, left) = watched(
            30,
            2,
            Patience { slow: 2 * BEAT, leave: 3 * BEAT },
            move || match ending.load(Ordering::Relaxed) || done.load(Ordering::Relaxed) < 29 {
                true => Pace::On,
                false => Pace::Leave,
            },
            move |job| {
                while job == 2 && !wanted.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                counted.fetch_add(1, Ordering::Relaxed);
            },
            |job, ()| {
                got.push(job);
                ControlFlow::<()>::Continue(())
            },
            |job, _| {
                slow.push(job);
            },
        );
        assert!(ended.is_continue());
        over.store(true, Ordering::Relaxed);
        (got, left, slow)
    }

    #[test]
    fn a_job_that_hangs_is_told_of_and_not_waited_for_at_the_end() {
        let (got, left, slow) = with_one_that_hangs(&Arc::default());
        assert!(got.iter().copied().eq((0..30).filter(|&job| job != 2)), "{got:?}");
        assert!(matches!(left[..], [(2, ran)] if ran >= 3 * BEAT), "{left:?}");
        assert!(!slow.is_empty() && slow.iter().all(|&job| job == 2), "{slow:?}");
    }

    #[test]
    fn a_watched_sweep_is_complete_and_in_order_if_nothing_hangs() {
        let (got, left, _) = with_one_that_hangs(&Arc::new(AtomicBool::new(true)));
        assert!(got.into_iter().eq(0..30) && left.is_empty());
    }

    #[test]
    fn a_panic_of_a_job_is_one_of_the_sweep() {
        let patience = Patience { slow: BEAT, leave: BEAT };
        let swept = std::panic::catch_unwind(|| {
            watched(
                3,
                1,
                patience,
                || Pace::On,
                |job| assert!(job != 1),
                |_, ()| ControlFlow::<()>::Continue(()),
                |_, _| {},
            )
        });
        assert!(swept.is_err());
    }
}
