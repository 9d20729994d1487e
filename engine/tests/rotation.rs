//! A device changes its key, and its workspace goes on under a new name.

mod support;

use graphshell_sync::device_key::{DeviceKey, Lineage, Succession};
use graphshell_sync::legacy::{LegacyLogEntry, encode_legacy};
use graphshell_sync::pairing::Followed;
use graphshell_sync::wire::Reject;
use graphshell_sync::{
    Access, DeviceId, EditError, ImportError, SyncError, SystemEntropy, Workspace, WorkspaceId,
};
use support::{Device, WORKSPACE, World, add, assert_same, page, title};
use uuid::Uuid;

/// A device whose id is that of a real key.
fn keyed(world: &World, number: u8) -> (DeviceKey, Device) {
    let key = DeviceKey::generate(&SystemEntropy);
    let device = Device::new(number, &world.hub).under(key.device_id());
    (key, device)
}

fn changed(key: &DeviceKey) -> DeviceKey {
    key.rotate(&SystemEntropy, 1_000).expect("it was not changed too often")
}

fn lineage(key: &DeviceKey) -> Lineage {
    Lineage::verify(key.device_id(), key.successions()).expect("both keys signed")
}

/// Lets a workspace follow a device, durably.
fn follow(world: &mut World, workspace: &Workspace<Device>, lineage: &Lineage) -> Followed {
    let followed = workspace.follow(lineage).expect("the workspace is open");
    if let Followed::Moved(receipt) = followed {
        world.run(workspace.settled(receipt));
    }
    followed
}

fn trusted(workspace: &Workspace<Device>) -> Vec<(DeviceId, Access)> {
    workspace.shared_with().into_iter().collect()
}

/// A laptop and a phone in step, the laptop's last edit still at home.
struct Story {
    world: World,
    key: DeviceKey,
    laptop: Device,
    phone: Device,
    at_laptop: Workspace<Device>,
    at_phone: Workspace<Device>,
}

fn story() -> Story {
    let mut world = World::new();
    let (key, laptop) = keyed(&world, 1);
    let (_, phone) = keyed(&world, 2);
    let (at_laptop, at_phone) = (world.open(&laptop), world.open(&phone));
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    world.edit(&at_laptop, &[add(1), title(1, "before")]);
    world.sync(&at_laptop, &phone).expect("they share");
    world.edit(&at_phone, &[add(2)]);
    world.sync(&at_phone, &laptop).expect("they share");
    world.edit(&at_laptop, &[add(3)]);
    Story { world, key, laptop, phone, at_laptop, at_phone }
}

#[test]
fn workspace_goes_on_under_a_changed_key_with_whoever_follows() {
    let Story { mut world, key, laptop, phone, at_laptop, at_phone } = story();
    let (graph, author) = (at_laptop.graph(), at_laptop.peer_id());
    world.run(at_laptop.close());

    let new_key = changed(&key);
    let renamed = laptop.under(new_key.device_id());
    world.kill(&laptop);
    let at_laptop = world.open(&renamed);
    assert_eq!(at_laptop.graph(), graph);
    assert_ne!(at_laptop.peer_id(), author);
    assert_eq!(trusted(&at_laptop), [(phone.id, Access::Full)]);
    world.edit(&at_laptop, &[title(1, "after")]);

    // Until the phone follows, the new key is a stranger.
    let refused = world.sync(&at_laptop, &phone).unwrap_err();
    assert_eq!(refused, SyncError::Refused(Reject::NotShared));
    let lineage = lineage(&new_key);
    assert!(matches!(follow(&mut world, &at_phone, &lineage), Followed::Moved(_)));
    assert_eq!(trusted(&at_phone), [(renamed.id, Access::Full)]);

    // What the old name authored and never sent arrives too.
    world.sync(&at_laptop, &phone).expect("the consent was moved");
    assert_same(&at_laptop, &at_phone);
    assert_eq!(at_phone.node(page(1)).unwrap().title, "after");
    assert!(at_phone.node(page(3)).is_some());
    world.edit(&at_phone, &[title(2, "from the phone")]);
    world.sync(&at_phone, &renamed).expect("the laptop answers under its new key");
    assert_same(&at_laptop, &at_phone);

    // Told again it is the same; the old key is a stranger now.
    assert_eq!(follow(&mut world, &at_phone, &lineage), Followed::Already);
    let refused = world.sync(&at_phone, &laptop).unwrap_err();
    assert!(matches!(refused, SyncError::NoConsent(_)), "{refused:?}");
}

#[test]
fn name_under_a_changed_key_is_kept_from_the_first_edit_on() {
    let Story { mut world, key, laptop, at_laptop, .. } = story();
    world.run(at_laptop.close());
    let renamed = laptop.under(changed(&key).device_id());
    let at_laptop = world.open(&renamed);
    world.edit(&at_laptop, &[add(4)]);
    let (author, graph) = (at_laptop.peer_id(), at_laptop.graph());
    world.run(at_laptop.checkpoint()).unwrap();
    world.run(at_laptop.close());
    let at_laptop = world.open(&renamed);
    assert_eq!((at_laptop.peer_id(), at_laptop.graph()), (author, graph.clone()));
    world.run(at_laptop.compact()).expect("what everybody has is cut");
    world.run(at_laptop.close());
    let at_laptop = world.open(&renamed);
    assert_eq!((at_laptop.peer_id(), at_laptop.graph()), (author, graph));
}

#[test]
fn legacy_log_is_not_imported_again_under_a_changed_key() {
    let mut world = World::new();
    let (key, laptop) = keyed(&world, 1);
    let at_laptop = world.open(&laptop);
    let payload = encode_legacy(&LegacyLogEntry::AddNode {
        node_id: "legacy".into(),
        url: "https://example.org/".into(),
        position_x: 0.0,
        position_y: 0.0,
    });
    for receipt in at_laptop.import_legacy(&[&payload]).expect("it was not imported before") {
        world.run(at_laptop.settled(receipt));
    }
    world.run(at_laptop.close());
    let at_laptop = world.open(&laptop.under(changed(&key).device_id()));
    let refused = at_laptop.import_legacy(&[&payload]).unwrap_err();
    assert_eq!(refused, ImportError::Edit(EditError::ImportedBefore));
}

#[test]
fn device_that_was_away_for_two_changes_follows_both() {
    let Story { mut world, key, at_phone, .. } = story();
    let third = changed(&changed(&key));
    assert!(matches!(follow(&mut world, &at_phone, &lineage(&third)), Followed::Moved(_)));
    assert_eq!(trusted(&at_phone), [(third.device_id(), Access::Full)]);
}

#[test]
fn new_key_is_allowed_what_the_old_one_was_and_no_more() {
    let Story { mut world, key, at_phone, .. } = story();
    let receipt = at_phone.share_with(key.device_id(), Access::ReadOnly).unwrap();
    world.run(at_phone.settled(receipt));
    let new_key = changed(&key);
    follow(&mut world, &at_phone, &lineage(&new_key));
    assert_eq!(trusted(&at_phone), [(new_key.device_id(), Access::ReadOnly)]);
}

#[test]
fn revoked_device_is_not_followed() {
    let Story { mut world, key, at_phone, .. } = story();
    let new_key = changed(&key);
    let receipt = at_phone.share_with(key.device_id(), Access::None).unwrap();
    // Not even before the disk knows.
    assert_eq!(at_phone.follow(&lineage(&new_key)), Ok(Followed::NotTrusted));
    world.run(at_phone.settled(receipt));
    assert_eq!(at_phone.follow(&lineage(&new_key)), Ok(Followed::NotTrusted));
    assert!(trusted(&at_phone).is_empty());
}

#[test]
fn replayed_succession_brings_nobody_back() {
    let Story { mut world, key, at_phone, .. } = story();
    let (second, thief) = (changed(&key), changed(&key));
    follow(&mut world, &at_phone, &lineage(&second));
    // A second succession of the same key comes too late.
    assert_eq!(at_phone.follow(&lineage(&thief)), Ok(Followed::NotTrusted));
    let receipt = at_phone.share_with(second.device_id(), Access::None).unwrap();
    world.run(at_phone.settled(receipt));
    assert_eq!(at_phone.follow(&lineage(&second)), Ok(Followed::NotTrusted));
    assert!(trusted(&at_phone).is_empty());
}

#[test]
fn succession_for_another_workspace_moves_nothing_here() {
    let Story { mut world, key, at_phone, .. } = story();
    let new_key = DeviceKey::generate(&SystemEntropy);
    let about = |workspace| {
        let one = Succession::new(key.secret(), new_key.secret(), Some(workspace), 1_000);
        Lineage::verify(new_key.device_id(), &[one]).unwrap()
    };
    let elsewhere = about(WorkspaceId(Uuid::from_u128(8)));
    assert_eq!(at_phone.follow(&elsewhere), Ok(Followed::NotTrusted));
    assert_eq!(trusted(&at_phone), [(key.device_id(), Access::Full)]);
    assert!(matches!(follow(&mut world, &at_phone, &about(WORKSPACE)), Followed::Moved(_)));
}
