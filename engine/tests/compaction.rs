//! Devices whose logs are cut: nobody ever lacks what was cut off, and nothing of one's own is lost.

mod support;

use graphshell_sync::ports::{Store, StoreError};
use graphshell_sync::{Event, LogEntry, OpenError, Workspace};
use support::{Device, World, add, assert_same, page, title};

/// A laptop and a phone that share a workspace.
fn pair(world: &mut World) -> [(Device, Workspace<Device>); 2] {
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    [(laptop, at_laptop), (phone, at_phone)]
}

fn remove(number: u128) -> LogEntry {
    LogEntry::RemoveNode { node_id: page(number) }
}

fn unknown() -> LogEntry {
    LogEntry::Opaque { kind: 4_000, payload: vec![7; 90] }
}

fn reopen(world: &mut World, device: &Device) -> Workspace<Device> {
    world.kill(device);
    world.open(device)
}

fn records(device: &Device) -> u64 {
    let opened = futures_executor::block_on(device.store.open()).unwrap();
    opened.end - opened.first
}

#[test]
fn a_lone_device_cuts_everything_and_reopens_from_the_base() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    for number in 0..30 {
        world.edit(&at_laptop, &[add(number), title(number, "a page")]);
    }
    world.edit(&at_laptop, &[remove(3)]);
    let before = (at_laptop.graph(), at_laptop.durable_frontier(), at_laptop.state_bytes());
    let cut = world.run(at_laptop.compact()).unwrap();
    assert!(cut > 30, "{cut} records");
    assert_eq!(records(&laptop), 0);
    assert_eq!(world.run(at_laptop.compact()), Ok(0), "nothing is left to cut");
    let name = at_laptop.peer_id();
    let again = reopen(&mut world, &laptop);
    assert_eq!((again.graph(), again.durable_frontier(), again.state_bytes()), before);
    assert_eq!(again.peer_id(), name);
    world.edit(&again, &[add(100)]);
    let once_more = reopen(&mut world, &laptop);
    assert_eq!(once_more.graph().nodes.len(), 30);
    assert_same(&again, &once_more);
}

#[test]
fn a_new_device_is_handed_what_was_cut() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    for number in 0..20 {
        world.edit(&at_laptop, &[add(number)]);
    }
    world.edit(&at_laptop, &[remove(3), unknown()]);
    assert!(world.run(at_laptop.compact()).unwrap() > 20);
    world.edit(&at_laptop, &[add(50)]);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_phone, &[add(60)]);
    let mut events = at_phone.subscribe();
    let report = world.sync(&at_phone, &laptop).unwrap();
    assert!(report.joined && !report.peer_behind);
    assert_eq!((report.pulled, report.pushed), (23, 1));
    assert_same(&at_laptop, &at_phone);
    assert_eq!(at_phone.graph().nodes.len(), 21);
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.contains(&Event::Reset));
    let again = reopen(&mut world, &phone);
    assert_same(&at_laptop, &again);
    // A third device is handed it by the one that was handed it.
    let (desk, at_desk) = world.device(3);
    world.share(&[(&desk, &at_desk), (&phone, &again)]);
    assert!(world.sync(&at_desk, &phone).unwrap().joined);
    assert_same(&at_desk, &at_laptop);
}

#[test]
fn a_device_that_only_pushes_says_that_the_peer_is_behind() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    world.edit(&at_laptop, &[add(1)]);
    world.run(at_laptop.compact()).unwrap();
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    let report = world.sync(&at_laptop, &phone).unwrap();
    assert!(report.peer_behind && report.pushed == 0);
    assert!(at_phone.graph().nodes.is_empty());
    assert!(world.sync(&at_phone, &laptop).unwrap().joined);
    assert!(!world.sync(&at_laptop, &phone).unwrap().peer_behind);
    assert_same(&at_laptop, &at_phone);
}

#[test]
fn compaction_waits_for_the_member_that_is_away() {
    let mut world = World::new();
    let [(laptop, at_laptop), (phone, at_phone)] = pair(&mut world);
    world.edit(&at_laptop, &[add(1)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[add(2)]);
    world.edit(&at_laptop, &[add(3)]);
    let cut = world.run(at_laptop.compact()).unwrap();
    assert!(cut > 0, "what the phone has is cut");
    assert_eq!(records(&laptop), 2, "what the phone lacks stays");
    assert_eq!(world.run(at_laptop.compact()), Ok(0));
    let report = world.sync(&at_phone, &laptop).unwrap();
    assert!(!report.joined, "batches suffice");
    assert_eq!(at_phone.graph().nodes.len(), 3);
    let again = reopen(&mut world, &laptop);
    assert_eq!(world.run(again.compact()), Ok(0), "a pull acknowledges nothing");
    world.sync(&again, &phone).unwrap();
    assert_eq!(world.run(again.compact()), Ok(2));
    assert_same(&again, &at_phone);
}

#[test]
fn a_restored_backup_behind_the_cut_keeps_its_unsent_work() {
    for with_witness in [false, true] {
        let mut world = World::new();
        let [(mut laptop, at_laptop), (phone, at_phone)] = pair(&mut world);
        world.edit(&at_laptop, &[add(1)]);
        world.sync(&at_laptop, &phone).unwrap();
        world.edit(&at_laptop, &[add(2)]);
        let (store, witness) = (laptop.store.backup(), laptop.witness.backup());
        world.edit(&at_laptop, &[add(3), remove(1)]);
        world.edit(&at_phone, &[add(4)]);
        world.sync(&at_laptop, &phone).unwrap();
        world.sync(&at_phone, &laptop).unwrap();
        assert!(world.run(at_phone.compact()).unwrap() > 0);
        world.kill(&laptop);
        laptop.store = store;
        if with_witness {
            laptop.witness = witness;
        }
        let restored = world.open(&laptop);
        assert_eq!(restored.graph().nodes.len(), 2);
        world.edit(&restored, &[add(5)]);
        let report = world.sync(&restored, &phone).unwrap();
        assert!(report.joined, "with its witness: {with_witness}");
        assert_same(&restored, &at_phone);
        assert_eq!(at_phone.graph().nodes.len(), 4);
        assert_ne!(restored.peer_id(), at_laptop.peer_id());
        let again = reopen(&mut world, &laptop);
        assert_same(&again, &at_phone);
    }
}

#[test]
fn a_healed_edit_keeps_its_vector_behind_a_base() {
    let mut world = World::new();
    let [(mut laptop, at_laptop), (phone, at_phone)] = pair(&mut world);
    world.edit(&at_phone, &[add(1)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[title(1, "seen")]);
    world.sync(&at_laptop, &phone).unwrap();
    world.sync(&at_laptop, &phone).unwrap();
    assert!(world.run(at_laptop.compact()).unwrap() > 0);
    let (store, witness) = (laptop.store.backup(), laptop.witness.backup());
    world.edit(&at_laptop, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.kill(&laptop);
    (laptop.store, laptop.witness) = (store, witness);
    let restored = world.open(&laptop);
    world.edit(&restored, &[remove(1)]);
    world.sync(&restored, &phone).unwrap();
    assert_same(&restored, &at_phone);
    assert!(at_phone.node(page(1)).is_none(), "the removal had seen the page and its title");
    assert!(at_phone.conflicts().is_empty());
}

#[test]
fn a_transfer_cut_anywhere_ends_or_starts_again() {
    for passing in 0..14 {
        let mut world = World::new();
        let (laptop, at_laptop) = world.device(1);
        for number in 0..8 {
            world.edit(&at_laptop, &[add(number)]);
        }
        world.run(at_laptop.compact()).unwrap();
        let (phone, at_phone) = world.device(2);
        world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
        world.edit(&at_phone, &[add(60)]);
        world.hub.let_pass(Some(passing));
        let cut = world.sync(&at_phone, &laptop);
        let shown = at_phone.graph().nodes.len();
        assert!(shown == 1 || shown == 9, "all of a snapshot or none of it");
        let again = reopen(&mut world, &phone);
        assert_eq!(again.graph().nodes.len(), shown);
        world.hub.let_pass(None);
        if cut.is_err() {
            world.sync(&again, &laptop).unwrap();
        }
        world.sync(&again, &laptop).unwrap();
        assert_same(&again, &at_laptop);
    }
}

#[test]
fn a_lost_tail_comes_back_from_the_snapshot_and_from_others() {
    let mut world = World::new();
    let [(laptop, at_laptop), (phone, at_phone)] = pair(&mut world);
    world.edit(&at_laptop, &[add(1)]);
    world.edit(&at_laptop, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[add(3), remove(1), unknown()]);
    world.run(at_laptop.checkpoint()).unwrap();
    world.edit(&at_laptop, &[add(4)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[add(5)]);
    world.kill(&laptop);
    laptop.store.lose_last(4);
    let mut recovered = world.open(&laptop);
    assert_ne!(recovered.peer_id(), at_laptop.peer_id());
    assert!(recovered.node(page(3)).is_some(), "the snapshot had it");
    assert!(recovered.node(page(1)).is_none(), "and its removal");
    let name = recovered.peer_id();
    for _ in 0..2 {
        recovered = reopen(&mut world, &laptop);
        assert_eq!(recovered.peer_id(), name, "once is enough");
    }
    world.edit(&recovered, &[add(6)]);
    world.sync(&recovered, &phone).unwrap();
    assert_same(&recovered, &at_phone);
    assert_eq!(recovered.graph().nodes.len(), 4, "2, 3, 4 and 6: the fifth never left");
}

#[test]
fn a_lost_tail_is_told() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    world.edit(&at_laptop, &[add(1)]);
    world.edit(&at_laptop, &[add(2)]);
    world.kill(&laptop);
    laptop.store.lose_last(1);
    let recovered = world.open(&laptop);
    let mut events = recovered.subscribe();
    world.edit(&recovered, &[add(3)]);
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.contains(&Event::Lost { records: 1 }), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, Event::Rotated { .. })));
    let again = reopen(&mut world, &laptop);
    let mut events = again.subscribe();
    world.edit(&again, &[add(4)]);
    assert!(std::iter::from_fn(|| events.try_next()).all(|e| !matches!(e, Event::Lost { .. })));
}

#[test]
fn an_unreadable_base_does_not_open_and_is_left_as_it_is() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    world.edit(&at_laptop, &[add(1)]);
    world.run(at_laptop.compact()).unwrap();
    world.kill(&laptop);
    let opened = futures_executor::block_on(laptop.store.open()).unwrap();
    let mut base = opened.base.unwrap();
    base.bytes.pop();
    futures_executor::block_on(laptop.store.rebase(base.clone(), opened.first)).unwrap();
    let refused = world.try_open(&laptop).err().expect("the log stands on nothing");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    let left = futures_executor::block_on(laptop.store.open()).unwrap();
    assert_eq!(left.base, Some(base));
}

#[test]
fn a_base_without_room_is_refused_and_nothing_is_cut() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    world.edit(&at_laptop, &[add(1)]);
    laptop.store.limit_room(Some(4));
    let refused = world.run(at_laptop.compact());
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    assert_eq!(records(&laptop), 2);
    laptop.store.limit_room(None);
    world.edit(&at_laptop, &[add(2)]);
    assert_eq!(world.run(at_laptop.compact()), Ok(3));
    let again = reopen(&mut world, &laptop);
    assert_eq!(again.graph().nodes.len(), 2);
}
