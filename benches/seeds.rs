//! Whole simulated seeds, from the number to the verdict, in the default shape.
//!
//! The bar is set for the simulation's own profile: `cargo bench --profile sim --bench seeds`.

use graphshell_benches::{race, suite, timed};
use graphshell_sim::generate::{self, Shape};
use graphshell_sim::world::{self, Options, Verdict};

const SEEDS: u64 = 16;

fn main() {
    let mut criterion = suite();
    let mut simulator = || {
        timed(|| {
            for seed in 0..SEEDS {
                let plan = generate::plan(seed, &Shape::default());
                let run = world::run(&plan, &Options::default());
                assert!(matches!(run.verdict, Verdict::Held), "seed {seed}: {:?}", run.verdict);
            }
        })
    };
    race(&mut criterion, "seeds", SEEDS as usize, &mut [("simulator", &mut simulator)]);
    criterion.final_summary();
}
