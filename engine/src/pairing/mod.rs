//! Pairing: how two devices of one user, or of two who trust each other, come to know each other's
//! keys.
//!
//! One device, the *inviter*, makes an [`Invitation`] and shows it as a [`Ticket`]: a text, or a
//! picture of it. On the other one, the *joiner*, the user enters it ([`join`]), and the two talk:
//!
//! ```text
//! joiner                                          inviter
//!   Hello { invitation, commitment, name, proof }   ──────>
//!                                                   <──────  Welcome { nonce, name, proof }
//!   Reveal { nonce, addresses }                     ──────>
//!        both show the fingerprint; both users compare it and say yes or no
//!   Confirm                                         ──────>
//!                                                   <──────  Done
//! ```
//!
//! The proofs are keyed with the ticket's secret over all that was said before and both keys, so
//! nobody pairs who has not seen the ticket. Whoever has seen it (read the mail it was sent in) may
//! sit between the two with keys of its own; against that stands the [`Fingerprint`], in which both
//! keys and both nonces are: it differs on the two sides. The joiner commits to its nonce before it
//! sees the inviter's, so nobody in between can choose a nonce for which the two happen to be the
//! same (as in ZRTP, RFC 6189, section 4.4.1.1).
//!
//! What comes of it is [`Paired`]. Nothing is shared by that: each side's host records its own
//! consent with [`Workspace::share_with`](crate::Workspace::share_with).
//!
//! An invitation holds for one pairing, until it expires, is withdrawn or declined, three wrong
//! proofs were given ([`MAX_WRONG_PROOFS`](crate::limits::MAX_WRONG_PROOFS)), or some attempts ended
//! in the middle. It lives in memory only.
//!
//! On the same protocol a device whose key was changed [presents](present) its
//! [successions](crate::device_key::Succession) to those that trusted the old one.
//!
//! Every frame is bounded, every step has a deadline ([`Deadlines`]), and whoever breaks the rules
//! is told in a [`CloseCode`].

mod address;
mod channel;
mod close;
mod deadlines;
mod error;
mod fingerprint;
mod frame;
mod handshake;
mod host;
mod invitation;
mod invitations;
mod inviter;
mod join;
mod name;
mod present;
mod session;
mod ticket;

pub use crate::driver::Followed;
pub use close::CloseCode;
pub use deadlines::Deadlines;
pub use error::PairingError;
pub use fingerprint::Fingerprint;
pub use frame::canonical_frame;
pub use host::{Host, Introduction, Paired};
pub use invitation::{Invitation, InvitationId};
pub use invitations::InviteError;
pub use inviter::Inviter;
pub use join::{join, join_within};
pub use name::{DeviceName, NameError};
pub use present::{present, present_within};
pub use ticket::{Ticket, TicketError};

/// Under this name the protocol is negotiated.
pub const ALPN: &[u8] = b"/graphshell-pair/1";

/// The version of the protocol and of tickets.
pub const PAIRING_VERSION: u8 = 1;
