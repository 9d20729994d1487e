//! Devices over real sockets: who is let in, what moves, and what happens when connections end or the
//! other side means harm. All on loopback, without relay or name service.

mod support;

mod calls;
#[cfg(feature = "store")]
mod cuts;
mod hostile;
mod live;
#[cfg(feature = "mdns")]
mod mdns;
#[cfg(feature = "relay-tests")]
mod relay;
mod rounds;
mod strangers;
