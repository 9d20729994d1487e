//! Does numbered jobs on several threads and hands over the results in their order.
//!
//! A run stays on the thread that took it; threads share a counter and nothing else.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// Jobs that run for so long are given up. It bounds how many results wait for their turn.
    pub(crate) most: Duration,
    /// Jobs that run for so long after [`Pace::Leave`] are left behind.
    pub(crate) leave: Duration,
}

/// Why a watched job has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It panicked with this message.
    Panicked(String),
    /// It ran for longer than [`Patience::most`].
    Hung,
    /// It had run for so long when it was left behind.
    Left(Duration),
}

/// Does the same as [`in_order`] for jobs that may panic or hang: `each` gets what became of those too, and
/// `slow` is called with those that run for long.
///
/// A job that is given up keeps its thread, since nothing can end it: the others go on, and when none is
/// left the sweep ends.
pub(crate) fn watched<T: Send + 'static, B>(
    count: u64,
    threads: usize,
    patience: Patience,
    pace: impl Fn() -> Pace + Send + Sync + 'static,
    work: impl Fn(u64) -> T + Send + Sync + 'static,
    mut each: impl FnMut(u64, Result<T, Lost>) -> ControlFlow<B>,
    mut slow: impl FnMut(u64, Duration),
) -> ControlFlow<B> {
    let work = move |job| {
        catch_unwind(AssertUnwindSafe(|| work(job))).map_err(|panic| Lost::Panicked(said(&*panic)))
    };
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
            Ok((job, result)) => turns.take(job, result, &mut each)?,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Continue(()),
        }
        let Some(now) = watch.beat() else { continue };
        let begun: Vec<(u64, Duration)> = jobs.begun(now).collect();
        let at_work = workers.iter().filter(|worker| !worker.is_finished()).count();
        // A job is noted as begun until its result is in the channel, where it may lie for a while.
        for (job, result) in receiver.try_iter() {
            turns.take(job, result, &mut each)?;
        }
        let leaves = (jobs.pace)() == Pace::Leave
            && now.duration_since(*leaving.get_or_insert(now)) >= patience.leave;
        for (job, ran) in begun {
            if turns.has(job) {
                continue;
            }
            if watch.is_due(job, ran, patience.slow) {
                slow(job, ran);
            }
            if ran >= patience.most {
                watch.given_up.insert(job);
                turns.take(job, Err(Lost::Hung), &mut each)?;
            } else if leaves {
                turns.take(job, Err(Lost::Left(ran)), &mut each)?;
            }
        }
        if leaves {
            return turns.early.into_iter().try_for_each(|(job, result)| each(job, result));
        }
        if at_work == jobs.begun(now).filter(|(job, _)| watch.given_up.contains(job)).count() {
            return ControlFlow::Continue(());
        }
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked without a message".to_owned())
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
    /// Calls `each` with all results whose turn has come. A job has one: what comes of it after it was
    /// given up counts no more.
    fn take<B>(
        &mut self,
        job: u64,
        result: T,
        mut each: impl FnMut(u64, T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if !self.has(job) {
            self.early.insert(job, result);
        }
        while let Some(result) = self.early.remove(&self.due) {
            self.due += 1;
            each(self.due - 1, result)?;
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
    given_up: BTreeSet<u64>,
}

impl Watch {
    fn new() -> Self {
        Watch { looked: now(), told: BTreeMap::new(), given_up: BTreeSet::new() }
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
    use std::panic::resume_unwind;
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

    /// A job and what came of it.
    type Came = (u64, Result<u64, Lost>);

    /// Runs 30 jobs of which one panics and another hangs until it is `over`. Returns what was handed over,
    /// and the jobs that were told to be slow.
    fn odd_jobs(patience: Patience, over: &Arc<AtomicBool>, ends: Pace) -> (Vec<Came>, Vec<u64>) {
        let (mut got, mut slow) = (Vec::new(), Vec::new());
        let done = Arc::new(AtomicU64::new(0));
        let (counted, ending) = (Arc::clone(&done), Arc::clone(over));
        let ended = watched(
            30,
            2,
            patience,
            move || if done.load(Ordering::Relaxed) < 28 { Pace::On } else { ends },
            move |job| {
                if job == 7 {
                    // Without the report, which takes its time.
                    resume_unwind(Box::new("job 7 is odd"));
                }
                while job == 2 && !ending.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
                counted.fetch_add(1, Ordering::Relaxed);
                job
            },
            |job, result| {
                got.push((job, result));
                ControlFlow::<()>::Continue(())
            },
            |job, _| slow.push(job),
        );
        assert!(ended.is_continue());
        over.store(true, Ordering::Relaxed);
        (got, slow)
    }

    const SHORT: Patience = Patience { slow: BEAT, most: BEAT.saturating_mul(10), leave: BEAT };
    const LONG: Patience = Patience { most: Duration::MAX, ..SHORT };

    /// What is handed over of [`odd_jobs`], the third aside.
    fn others() -> impl Iterator<Item = Came> {
        let panicked = || Err(Lost::Panicked("job 7 is odd".to_owned()));
        (0..30)
            .filter(|job| *job != 2)
            .map(move |job| (job, if job == 7 { panicked() } else { Ok(job) }))
    }

    #[test]
    fn a_job_that_hangs_is_told_of_given_up_at_its_turn_and_the_others_are_handed_over() {
        for ends in [Pace::On, Pace::Finish] {
            let (mut got, slow) = odd_jobs(SHORT, &Arc::default(), ends);
            assert_eq!(got.remove(2), (2, Err(Lost::Hung)));
            assert!(got.into_iter().eq(others()));
            assert!(!slow.is_empty() && slow.iter().all(|&job| job == 2), "{slow:?}");
        }
    }

    #[test]
    fn an_end_at_once_leaves_behind_what_hangs_and_hands_over_the_rest() {
        let (mut got, _) = odd_jobs(LONG, &Arc::default(), Pace::Leave);
        let (job, left) = got.remove(2);
        assert!(job == 2 && matches!(left, Err(Lost::Left(_))), "{left:?}");
        assert!(got.into_iter().eq(others()));
    }

    #[test]
    fn a_watched_sweep_is_complete_and_in_order_if_nothing_hangs() {
        let (mut got, _) = odd_jobs(LONG, &Arc::new(AtomicBool::new(true)), Pace::On);
        assert_eq!(got.remove(2), (2, Ok(2)));
        assert!(got.into_iter().eq(others()));
    }

    #[test]
    fn a_sweep_of_which_every_thread_hangs_ends() {
        let over = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&over);
        let mut got = Vec::new();
        let ended = watched(
            9,
            2,
            SHORT,
            || Pace::On,
            move |_| {
                while !ending.load(Ordering::Relaxed) {
                    thread::yield_now()
                }
            },
            |job, result| {
                got.push((job, result.is_err()));
                ControlFlow::<()>::Continue(())
            },
            |_, _| {},
        );
        over.store(true, Ordering::Relaxed);
        assert!(ended.is_continue());
        assert_eq!(got, [(0, true), (1, true)]);
    }
}
