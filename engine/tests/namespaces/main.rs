//! Two hosts in network namespaces of their own, the real programs on them, and a bad link between.
//!
//! Needs root and iproute2's `ip` (Linux); where that lacks it says so and holds. Run as
//! `namespaces forward …` it is one half of the link instead.
#![allow(unreachable_pub, reason = "parts of one test program")]

mod forward;
mod lab;
mod stories;
#[allow(dead_code, reason = "the program's own tests use the rest")]
#[path = "../peer/support.rs"]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|word| word == "forward") {
        return forward::run(&args[1..]);
    }
    if args.iter().any(|word| word == "--list") {
        return;
    }
    if let Err(why) = lab::allowed() {
        println!("\nnamespaces: SKIPPED: {why}\n");
        return;
    }
    let wanted = |name: &str| args.iter().all(|word| word.starts_with('-') || name.contains(word));
    let mut failed = 0;
    for (name, story) in stories::ALL.iter().filter(|(name, _)| wanted(name)) {
        // A laboratory cleans up while the panic unwinds.
        let held = catch_unwind(AssertUnwindSafe(story)).is_ok();
        println!("namespaces: {name} ... {}", if held { "ok" } else { "FAILED" });
        failed += i32::from(!held);
    }
    std::process::exit(failed.min(1));
}
