//! Two real devices over the loopback of the machine, with real disks, beside a bare iroh stream on the
//! same link: a round in step, connecting, operations that become durable on both sides, one edit
//! until it shows, and how long an embedder's thread is blocked meanwhile.
//!
//! Time is the time that passes. Where the files lie can be said:
//! `cargo bench --package graphshell-benches --features iroh --bench net -- --in <folder>`.

mod bare;
mod device;
mod measures;

use std::time::Duration;

use device::Place;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let place = after("--in").map_or_else(tempfile::tempdir, tempfile::tempdir_in);
    let place = Place::new(place.expect("a folder to write into"));
    let only = after("--only").unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the system gives threads");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load of the machine: {}", load.trim());
    runtime.block_on(async {
        let wanted = |name: &str| only.is_empty() || only == name;
        if wanted("step") {
            measures::in_step(&place).await;
        }
        if wanted("thousand") {
            measures::thousand(&place).await;
        }
        if wanted("live") {
            measures::live(&place).await;
        }
        if wanted("many") {
            measures::many(&place).await;
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
}
