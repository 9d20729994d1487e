//! Pairing over real sockets of the loopback interface.

mod hostile;
mod pairs;
mod successions;
mod support;
