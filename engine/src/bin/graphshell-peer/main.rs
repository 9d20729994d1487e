//! `graphshell-peer`: a graph of pages on each of a person's devices, kept the same.
//!
//! The program only wires, asks and prints. `args` reads the command line, `command` is what is wanted as a
//! value, `session` carries it out, in this process or by way of `remote` in the `watch` that holds the
//! profile, and `render` shows what comes of it.

mod args;
mod bookmarks;
mod command;
mod failure;
mod files;
mod item;
mod keys;
mod log;
mod network;
mod profile;
mod remote;
mod render;
mod run;
mod session;
mod text;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; nobody is left to be told if writing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    log::start(cli.common.verbose);
    let json = cli.common.json;
    match run::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            render::failure(&failure, json);
            ExitCode::from(failure.kind.exit_code())
        }
    }
}
