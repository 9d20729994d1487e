//! `graphshell-sim`: the simulator as a program (`cargo sim` in this repository).

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
