//! The store on a real disk: what survives when programs are killed, power is cut, disks are full,
//! and files are damaged.

mod crash;
mod damage;
mod engine;
mod folder;
mod full;
mod keys;
mod power;
mod script;
mod syncs;
