//! Times the engine and, in the same run, the simplest thing that could do a part of its work.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};

/// Criterion, set for a machine that others use too: few samples of much work each.
pub fn suite() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args()
}

/// How long `work` keeps a core busy; dropping its result does not count.
///
/// On Linux that is the thread's time on a core, so that a busy machine does not count as a slow
/// engine; elsewhere it is the time that passes.
pub fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = now();
    let result = black_box(work());
    let time = now().saturating_sub(start);
    drop(result);
    time
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch needs the time")]
fn now() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    // The first number is the thread's time on a core, in nanoseconds.
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let on_core = status.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    on_core.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// One entrant of a [`race`]: its name, and one run of it that returns the time of the part that
/// counts.
pub type Entrant<'a> = (&'a str, &'a mut dyn FnMut() -> Duration);

/// Measures each entrant over `elements` elements, and prints how the others compare to the first.
pub fn race(criterion: &mut Criterion, name: &str, elements: usize, entrants: &mut [Entrant<'_>]) {
    let mut medians = Vec::new();
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(elements as u64));
    for (entrant, run) in entrants.iter_mut() {
        let mut times = Vec::new();
        group.bench_function(*entrant, |bencher| {
            bencher.iter_custom(|count| {
                let runs: Vec<Duration> = (0..count).map(|_| run()).collect();
                times.extend_from_slice(&runs);
                runs.iter().sum()
            });
        });
        times.sort_unstable();
        // Nothing was run if the command line filters this entrant out.
        medians.extend(times.get(times.len() / 2).map(|&median| (*entrant, median)));
    }
    group.finish();
    let Some(&(first, time)) = medians.first() else { return };
    let rate = elements as f64 / time.as_secs_f64();
    println!("{name}: {first} does {rate:.0} a second");
    for (other, other_time) in &medians[1..] {
        let times = time.as_secs_f64() / other_time.as_secs_f64();
        println!("{name}: {first} takes {times:.1} times as long as {other}");
    }
    println!();
}
