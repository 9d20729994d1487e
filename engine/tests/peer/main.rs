//! The program `graphshell-peer`, as people and scripts use it: the real binary, real folders, real
//! sockets of this machine.

mod bookmarks;
mod commands;
mod conflict;
mod kill;
mod pair;
mod profile;
mod support;
mod sync;
mod watch;
