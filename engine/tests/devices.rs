//! Stories of two or three devices, through the public API alone.

mod support;

use graphshell_sync::limits::{MAX_BATCH_ENTRIES, MAX_IN_STEP_BYTES, MAX_QUEUED_EVENTS};
use graphshell_sync::ports::StoreError;
use graphshell_sync::{
    Access, ConflictKind, EditError, Event, LogEntry, Outcome, Resolution, SyncError,
    SyncOrchestrator,
};
use support::{World, add, assert_same, page, title};

#[test]
fn two_devices_end_with_the_same_graph() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1), title(1, "one")]);
    world.edit(&at_phone, &[add(2)]);
    let report = world.sync(&at_laptop, &phone).unwrap();
    assert_eq!((report.pushed, report.pulled), (2, 1));
    assert_same(&at_laptop, &at_phone);
    assert_eq!(at_phone.graph().nodes.len(), 2);
}

#[test]
fn nothing_leaves_without_consent_on_both_sides() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.edit(&at_laptop, &[add(1)]);
    assert_eq!(world.sync(&at_laptop, &phone), Err(SyncError::NoConsent(phone.id)));
    assert!(world.hub.take_frames().is_empty(), "nothing was even asked");
    let receipt = at_phone.share_with(laptop.id, Access::Full).unwrap();
    world.run(at_phone.settled(receipt));
    let refused = world.sync(&at_phone, &laptop).unwrap_err();
    assert!(matches!(refused, SyncError::Refused(_)), "{refused}");
    assert!(at_phone.graph().nodes.is_empty());
}

#[test]
fn whoever_may_only_read_follows_and_is_told_that_its_edits_stay_at_home() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (guest, at_guest) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&guest, &at_guest)]);
    let receipt = at_laptop.share_with(guest.id, Access::ReadOnly).unwrap();
    world.run(at_laptop.settled(receipt));
    world.edit(&at_laptop, &[add(1), title(1, "one")]);
    world.edit(&at_guest, &[add(2)]);
    let report = world.sync(&at_guest, &laptop).unwrap();
    assert_eq!((report.pushed, report.pulled, report.read_only), (0, 2, true));
    world.edit(&at_laptop, &[add(3)]);
    let report = world.sync(&at_laptop, &guest).unwrap();
    assert_eq!((report.pushed, report.pulled, report.read_only), (1, 0, false));
    assert_eq!(at_laptop.graph().nodes.len(), 2, "nothing of the guest's");
    assert_eq!(at_guest.graph().nodes.len(), 3);
    let receipt = at_laptop.share_with(guest.id, Access::Full).unwrap();
    world.run(at_laptop.settled(receipt));
    world.sync(&at_laptop, &guest).unwrap();
    assert_same(&at_laptop, &at_guest);
}

#[test]
fn a_round_in_step_is_one_call_within_its_bytes() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1)]);
    world.edit(&at_phone, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.hub.take_frames();
    let report = world.sync(&at_laptop, &phone).unwrap();
    assert_eq!(report.calls, 1);
    let bytes: usize = world.hub.take_frames().iter().map(|(_, _, bytes)| bytes.len()).sum();
    assert!(bytes <= MAX_IN_STEP_BYTES, "{bytes} bytes");
}

#[test]
fn entries_travel_through_a_third_device() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    let (desk, at_desk) = world.device(3);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone), (&desk, &at_desk)]);
    world.edit(&at_laptop, &[add(1)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.sync(&at_desk, &phone).unwrap();
    assert_same(&at_desk, &at_laptop);
}

#[test]
fn a_large_history_crosses_in_batches_and_resumes_after_a_cut() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    let pages: Vec<LogEntry> = (0..5 * MAX_BATCH_ENTRIES as u128).map(add).collect();
    for edit in pages.chunks(500) {
        world.edit(&at_laptop, edit);
    }
    world.hub.let_pass(Some(3));
    assert!(world.sync(&at_phone, &laptop).is_err());
    let reached = at_phone.graph().nodes.len();
    assert!(reached > 0 && reached < pages.len(), "{reached} of {} came", pages.len());
    world.hub.let_pass(None);
    let report = world.sync(&at_phone, &laptop).unwrap();
    assert_eq!(report.pulled as usize, pages.len() - reached);
    assert_same(&at_laptop, &at_phone);
}

#[test]
fn an_edit_shows_at_once_and_survives_a_power_cut_once_durable() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let receipt = at_laptop.edit(add(1)).unwrap();
    assert_eq!(at_laptop.graph().nodes.len(), 1, "volatile edits are shown");
    let outcome = world.run(at_laptop.settled(receipt));
    assert_eq!(outcome, Outcome::Durable(receipt.dots().collect()));
    at_laptop.edit(add(2)).unwrap();
    world.kill(&laptop);
    let reopened = world.open(&laptop);
    assert_eq!(reopened.graph().nodes.into_keys().collect::<Vec<_>>(), [page(1)]);
    assert_eq!(reopened.peer_id(), at_laptop.peer_id());
}

#[test]
fn a_full_disk_takes_the_edit_back_and_names_it() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    world.edit(&at_laptop, &[add(1)]);
    let mut events = at_laptop.subscribe();
    laptop.store.limit_room(Some(0));
    let receipt = at_laptop.edit(add(2)).unwrap();
    let Outcome::Refused(StoreError::Refused(why)) = world.run(at_laptop.settled(receipt)) else {
        panic!("the disk is full");
    };
    assert!(!why.is_empty());
    assert_eq!(at_laptop.graph().nodes.into_keys().collect::<Vec<_>>(), [page(1)]);
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.contains(&Event::Reset), "{told:?}");
    laptop.store.limit_room(None);
    world.edit(&at_laptop, &[add(3)]);
    assert_eq!(at_laptop.graph().nodes.len(), 2, "it works again once there is room");
}

#[test]
fn a_first_edit_taken_back_changes_no_name() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let mut events = at_laptop.subscribe();
    laptop.store.limit_room(Some(0));
    let receipt = at_laptop.edit(add(1)).unwrap();
    assert!(matches!(world.run(at_laptop.settled(receipt)), Outcome::Refused(_)));
    let told: Vec<Event> = std::iter::from_fn(|| events.try_next()).collect();
    let renamed = told.iter().any(|event| matches!(event, Event::Rotated { .. }));
    assert!(!renamed, "no entry ever bore the name: {told:?}");
}

#[test]
fn a_disk_that_stays_full_leaves_a_workspace_that_reads_and_syncs_out() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1)]);
    laptop.store.limit_room(Some(0));
    for number in 2..5 {
        let receipt = at_laptop.edit(add(number)).unwrap();
        assert!(matches!(world.run(at_laptop.settled(receipt)), Outcome::Refused(_)));
    }
    world.kill(&laptop);
    let reopened = world.open(&laptop);
    let receipt = reopened.edit(add(9)).unwrap();
    assert!(matches!(world.run(reopened.settled(receipt)), Outcome::Refused(_)));
    world.sync(&at_phone, &laptop).unwrap();
    assert_same(&reopened, &at_phone);
}

#[test]
fn a_snapshot_and_the_log_behind_it_restore_the_same_state() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1), add(2), title(2, "two")]);
    world.edit(&at_laptop, &[LogEntry::RemoveNode { node_id: page(1) }]);
    world.run(at_laptop.checkpoint()).unwrap();
    world.edit(&at_laptop, &[add(3)]);
    let before = (at_laptop.state_bytes(), at_laptop.durable_frontier(), at_laptop.graph());
    world.kill(&laptop);
    let reopened = world.open(&laptop);
    let after = (reopened.state_bytes(), reopened.durable_frontier(), reopened.graph());
    assert_eq!(before, after);
    world.sync(&reopened, &phone).unwrap();
    assert_same(&reopened, &at_phone);
}

#[test]
fn a_restored_backup_goes_on_under_a_new_name() {
    let mut world = World::new();
    let (mut laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1)]);
    let backup = laptop.store.backup();
    world.edit(&at_laptop, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.kill(&laptop);
    laptop.store = backup;
    let restored = world.open(&laptop);
    assert_ne!(restored.peer_id(), at_laptop.peer_id(), "the witness knows better");
    world.edit(&restored, &[add(3)]);
    world.sync(&restored, &phone).unwrap();
    assert_same(&restored, &at_phone);
    assert_eq!(restored.graph().nodes.len(), 3);
}

#[test]
fn a_backup_restored_with_its_witness_heals_before_anything_is_sent() {
    let mut world = World::new();
    let (mut laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1)]);
    world.sync(&at_laptop, &phone).unwrap();
    let (store, witness) = (laptop.store.backup(), laptop.witness.backup());
    world.edit(&at_laptop, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.kill(&laptop);
    (laptop.store, laptop.witness) = (store, witness);
    let restored = world.open(&laptop);
    assert_eq!(restored.peer_id(), at_laptop.peer_id(), "nothing on the device tells");
    world.edit(&restored, &[add(3)]);
    let receipt = restored.edit(add(4)).unwrap();
    world.sync(&restored, &phone).unwrap();
    assert_ne!(restored.peer_id(), at_laptop.peer_id());
    assert!(matches!(world.run(restored.settled(receipt)), Outcome::Durable(_)));
    assert_same(&restored, &at_phone);
    assert_eq!(restored.graph().nodes.len(), 4, "no edit is lost");
    assert!(world.run(restored.history()).unwrap().len() == 4, "and none is there twice");
    world.kill(&laptop);
    let again = world.open(&laptop);
    assert_same(&again, &at_phone);
}

#[test]
fn a_fork_that_left_the_device_is_told_on_both_sides() {
    let mut world = World::new();
    let (mut laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    let (desk, at_desk) = world.device(3);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone), (&desk, &at_desk)]);
    world.edit(&at_laptop, &[add(1)]);
    world.sync(&at_laptop, &phone).unwrap();
    let (store, witness) = (laptop.store.backup(), laptop.witness.backup());
    world.edit(&at_laptop, &[add(2)]);
    world.sync(&at_laptop, &phone).unwrap();
    world.kill(&laptop);
    (laptop.store, laptop.witness) = (store, witness);
    let restored = world.open(&laptop);
    world.edit(&restored, &[add(3)]);
    world.sync(&restored, &desk).unwrap();
    let (mut phone_events, mut desk_events) = (at_phone.subscribe(), at_desk.subscribe());
    let (tablet, at_tablet) = world.device(4);
    world.share(&[(&desk, &at_desk), (&tablet, &at_tablet)]);
    world.edit(&at_tablet, &[add(10)]);
    world.sync(&at_desk, &tablet).unwrap();
    world.edit(&at_desk, &[add(20)]);
    for _ in 0..3 {
        let _ = world.sync(&at_phone, &desk);
        let _ = world.sync(&at_desk, &phone);
    }
    let forked = at_laptop.peer_id();
    for events in [&mut phone_events, &mut desk_events] {
        let told = std::iter::from_fn(|| events.try_next()).any(|event| {
            matches!(event, Event::Fork { author, common: 1, proven: true } if author == forked)
        });
        assert!(told, "both users are told of the fork after entry 1");
    }
    assert!(at_phone.node(page(10)).is_some(), "what does not rely on the fork still flows");
    assert!(at_phone.node(page(20)).is_none(), "what was made on top of the other history waits");
    assert!(at_phone.node(page(3)).is_none() && at_desk.node(page(2)).is_none());
}

#[test]
fn a_conflict_has_one_name_everywhere_and_its_settlement_travels() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1), title(1, "draft")]);
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[LogEntry::RemoveNode { node_id: page(1) }]);
    world.edit(&at_phone, &[title(1, "final")]);
    world.sync(&at_laptop, &phone).unwrap();
    let [conflict] = &at_laptop.conflicts()[..] else { panic!("one conflict") };
    assert_eq!(conflict.kind, ConflictKind::DeleteVsUpdate);
    assert_eq!(at_phone.conflicts(), at_laptop.conflicts());
    let chosen = vec![conflict.claims[0].stamp.dot];
    let receipt = at_phone.resolve(conflict.id, &Resolution::Restore { chosen }).unwrap();
    world.run(at_phone.settled(receipt));
    world.sync(&at_phone, &laptop).unwrap();
    assert!(at_laptop.conflicts().is_empty());
    assert_eq!(at_laptop.node(page(1)).unwrap().title, "final");
}

#[test]
fn an_edit_to_a_removed_node_restores_it_first() {
    let mut world = World::new();
    let (_, workspace) = world.device(1);
    world.edit(&workspace, &[add(1)]);
    world.edit(&workspace, &[LogEntry::RemoveNode { node_id: page(1) }]);
    world.edit(&workspace, &[title(1, "back")]);
    assert_eq!(workspace.node(page(1)).unwrap().title, "back");
    assert!(workspace.conflicts().is_empty());
    assert_eq!(workspace.edit(title(9, "never")), Err(EditError::NoSuchNode(page(9))));
}

#[test]
fn one_refused_operation_refuses_the_whole_edit() {
    let mut world = World::new();
    let (_, workspace) = world.device(1);
    let refused = workspace.edit_all(&[add(1), title(2, "nobody")]);
    assert_eq!(refused, Err(EditError::NoSuchNode(page(2))));
    let unconnected = LogEntry::RemoveEdge { from: page(1), to: page(2), kind: None };
    let cleared = workspace.edit_all(&[add(1), LogEntry::ClearGraph, unconnected]);
    assert_eq!(cleared, Err(EditError::NoSuchEdge(page(1), page(2))));
    assert!(workspace.graph().nodes.is_empty() && workspace.version_vector().is_empty());
    world.run(workspace.close());
}

#[test]
fn closing_flushes_and_ends_everything() {
    let mut world = World::new();
    let (laptop, workspace) = world.device(1);
    let mut events = workspace.subscribe();
    for number in 0..3000 {
        workspace.edit(add(number)).unwrap();
    }
    world.run(workspace.close());
    assert_eq!(workspace.edit(add(1)), Err(EditError::Closed));
    assert_eq!(world.sync(&workspace, &laptop), Err(SyncError::Closed));
    assert_eq!(world.open(&laptop).graph().nodes.len(), 3000);
    let first = world.run(events.next());
    assert!(matches!(first, Some(Event::Lagged(missed)) if missed as usize >= MAX_QUEUED_EVENTS));
    while world.run(events.next()).is_some() {}
}

#[test]
fn the_orchestrator_syncs_with_all_that_are_shared_and_in_reach() {
    let mut world = World::new();
    let (laptop, at_laptop) = world.device(1);
    let (phone, at_phone) = world.device(2);
    let (_stranger, _at_stranger) = world.device(3);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_phone, &[add(1)]);
    let orchestrator = SyncOrchestrator::new(at_laptop.clone());
    let results = world.run(orchestrator.sync_with_all()).unwrap();
    let reached: Vec<_> = results.iter().map(|(peer, _)| peer.device).collect();
    assert_eq!(reached, [phone.id]);
    assert_same(&at_laptop, &at_phone);
}
