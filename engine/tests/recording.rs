//! Recordings of real workspaces: what is played again is the same, with its texts or without.

mod support;

use graphshell_sync::recording::{
    Difference, NextStep, NotRecorded, Played, Player, RECORDING_VERSION, Recorder, Recording,
    RecordingError, Step, redact,
};
use graphshell_sync::{Access, LogEntry, Resolution, SystemEntropy, Workspace};
use support::{Device, World, add, page, title};

const ROOM: usize = 4 << 20;
/// Stands in every url and title of these stories.
const SECRET: &str = "kohlrabi";

fn secret(number: u128) -> LogEntry {
    let LogEntry::AddNode { node_id, position, .. } = add(number) else { unreachable!() };
    LogEntry::AddNode { node_id, url: format!("https://{SECRET}.example/{number}"), position }
}

fn secret_title(number: u128, words: &str) -> LogEntry {
    title(number, &format!("{SECRET} {words}"))
}

/// Plays all of it.
fn play(bytes: &[u8]) -> Vec<(NextStep, Played)> {
    let recording = Recording::decode(bytes.to_vec()).unwrap();
    let mut player = Player::new(&recording);
    std::iter::from_fn(|| {
        let step = player.next_step()?;
        Some((step.clone(), player.play(step)))
    })
    .collect()
}

/// The first step after which something differs.
fn difference(bytes: &[u8]) -> Option<(NextStep, Difference)> {
    let differs = |(step, played): (NextStep, Played)| Some((step, played.difference?));
    play(bytes).into_iter().find_map(differs)
}

#[track_caller]
fn assert_same(bytes: &[u8]) -> Vec<(NextStep, Played)> {
    assert_eq!(difference(bytes).map(|(step, difference)| (step.number, difference)), None);
    let played = play(bytes);
    assert!(!played.is_empty());
    played
}

/// Two devices that edit, disagree, settle, take snapshots, cut their logs and restart.
fn story(recorders: [&Recorder; 2], room: (u64, u64)) -> [(Device, Workspace<Device>); 2] {
    let mut world = World::new();
    let [laptop, phone] = [1, 2].map(|number| Device::new(number, &world.hub));
    let at_laptop = world.open_recorded(&laptop, recorders[0], room);
    let at_phone = world.open_recorded(&phone, recorders[1], room);
    world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
    for number in 0..30 {
        laptop.set_clock(2_000 + number as u64);
        world.edit(&at_laptop, &[secret(number), secret_title(number, "one")]);
    }
    world.sync(&at_laptop, &phone).unwrap();
    world.edit(&at_laptop, &[LogEntry::RemoveNode { node_id: page(3) }]);
    world.edit(&at_phone, &[secret_title(3, "two"), secret_title(4, "three")]);
    world.edit(&at_phone, &[LogEntry::AssertEdge { from: page(3), to: page(4) }]);
    at_phone.edit(secret(40)).unwrap();
    at_phone.graph();
    assert!(at_phone.edit(title(99, "nobody")).is_err());
    assert!(at_phone.edit(title(1, &"x".repeat(100_000))).is_err());
    world.sync(&at_phone, &laptop).unwrap();
    let conflict = at_laptop.conflicts()[0].id;
    at_laptop.resolve(conflict, &Resolution::Restore { chosen: Vec::new() }).unwrap();
    world.run(at_laptop.checkpoint()).unwrap();
    world.sync(&at_laptop, &phone).unwrap();
    world.run(at_laptop.compact()).unwrap();
    at_phone.share_with(support::device(9), Access::Full).unwrap();
    world.edit(&at_phone, &[secret(41)]);
    world.sync(&at_phone, &laptop).unwrap();
    [(laptop, at_laptop), (phone, at_phone)]
}

#[test]
fn a_recorded_workspace_does_the_same_when_it_is_played() {
    let recorders = [Recorder::new(ROOM), Recorder::new(ROOM)];
    let devices = story([&recorders[0], &recorders[1]], (10, 20));
    for (recorder, (_, workspace)) in recorders.iter().zip(devices) {
        let bytes = recorder.recording().unwrap();
        let recording = Recording::decode(bytes).unwrap();
        assert_eq!(recording.cut(), None);
        let mut player = Player::new(&recording);
        while let Some(step) = player.next_step() {
            assert_eq!(player.play(step.clone()).difference, None, "{step:?}");
        }
        assert_eq!(player.graph(), Some(workspace.graph()));
        assert_eq!(player.state_bytes(), Some(workspace.state_bytes()));
        assert_eq!(player.peer_id(), Some(workspace.peer_id()));
    }
}

#[test]
fn a_recording_goes_on_from_an_image_within_its_bound() {
    for room in [64 << 10, 128 << 10] {
        let recorders = [Recorder::new(room), Recorder::new(room)];
        let mut world = World::new();
        let [laptop, phone] = [1, 2].map(|number| Device::new(number, &world.hub));
        let at_laptop = world.open_recorded(&laptop, &recorders[0], (10, 30));
        let at_phone = world.open_recorded(&phone, &recorders[1], (0, 0));
        world.share(&[(&laptop, &at_laptop), (&phone, &at_phone)]);
        let mut images = 0;
        for turn in 0..300u128 {
            world.edit(&at_laptop, &[secret(turn % 20), secret_title(turn % 20, "x")]);
            world.edit(&at_phone, &[secret(turn % 20), secret_title(turn % 20, "y")]);
            if turn % 3 == 0 {
                world.sync(&at_laptop, &phone).unwrap();
            }
            for recorder in &recorders {
                if let Ok(bytes) = recorder.recording() {
                    assert!(bytes.len() <= room + 64, "{} bytes", bytes.len());
                    if turn % 20 == 0 {
                        let played = assert_same(&bytes);
                        images += usize::from(matches!(played[0].0.step, Step::Image(_)));
                    }
                }
            }
        }
        assert!(images > 2, "{images} recordings began with an image");
    }
}

#[test]
fn a_redacted_recording_holds_no_text_and_goes_the_same_way() {
    let recorders = [Recorder::new(ROOM), Recorder::new(ROOM)];
    let devices = story([&recorders[0], &recorders[1]], (10, 20));
    for (recorder, (_, workspace)) in recorders.iter().zip(devices) {
        let bytes = recorder.recording().unwrap();
        let holds = |bytes: &[u8], text: &str| {
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        assert!(holds(&bytes, SECRET));
        let redacted = redact(&bytes, &SystemEntropy).unwrap();
        assert!(!holds(&redacted, SECRET) && !holds(&redacted, "example"));
        assert!(Recording::decode(redacted.clone()).unwrap().head().replaced);
        let (before, after) = (assert_same(&bytes), assert_same(&redacted));
        let kinds = |played: &[(NextStep, Played)]| -> Vec<_> {
            let outputs = played.iter().flat_map(|(_, played)| &played.outputs);
            outputs.map(std::mem::discriminant).collect()
        };
        assert_eq!(kinds(&before), kinds(&after));
        let recording = Recording::decode(redacted).unwrap();
        let mut player = Player::new(&recording);
        while let Some(step) = player.next_step() {
            player.play(step);
        }
        let (graph, shown) = (workspace.graph(), player.graph().unwrap());
        let ids = |graph: &graphshell_sync::Graph| graph.nodes.keys().copied().collect::<Vec<_>>();
        assert_eq!(ids(&graph), ids(&shown));
        assert_eq!(graph.edges, shown.edges);
        assert_eq!(graph.conflicts.len(), shown.conflicts.len());
        for (node, shown) in graph.nodes.values().zip(shown.nodes.values()) {
            assert_eq!((node.url.len(), node.title.len()), (shown.url.len(), shown.title.len()));
            assert!(node.url.is_empty() || shown.url.starts_with("https://"), "{shown:?}");
        }
    }
}

fn recorded() -> Vec<u8> {
    let recorders = [Recorder::new(ROOM), Recorder::new(ROOM)];
    story([&recorders[0], &recorders[1]], (10, 20));
    recorders[1].recording().unwrap()
}

#[test]
fn a_recording_says_in_which_version_and_where_it_cannot_be_read() {
    let bytes = recorded();
    let said = |bytes: &[u8]| Recording::decode(bytes.to_vec()).unwrap_err();
    assert_eq!(said(b"{}"), RecordingError::Other);
    let mut newer = bytes.clone();
    newer[8] = RECORDING_VERSION + 1;
    let found = RECORDING_VERSION + 1;
    assert_eq!(said(&newer), RecordingError::Version { found });
    assert!(said(&newer).to_string().contains("expected format 1"), "{}", said(&newer));
    for at in (9..bytes.len()).step_by(bytes.len() / 97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        match Recording::decode(damaged) {
            // The head has one checksum, at its end; a frame begins with its length.
            Err(RecordingError::Damaged { offset, .. }) => {
                assert!(offset <= (at + 4).max(100), "{at}: {offset}");
            }
            Err(other) => panic!("byte {at}: {other}"),
            Ok(recording) => assert!(recording.cut().is_some(), "byte {at}"),
        }
    }
}

#[test]
fn a_workspace_that_does_not_open_is_recorded_too() {
    let mut world = World::new();
    let (device, workspace) = world.device(1);
    world.edit(&workspace, &[add(1)]);
    world.run(workspace.close());
    let another = graphshell_sync::WorkspaceId(uuid::Uuid::from_u128(8));
    let recorder = Recorder::new(ROOM);
    assert_eq!(recorder.recording(), Err(NotRecorded::NotOpened));
    let config = graphshell_sync::Config {
        workspace: another,
        device: device.id,
        snapshot_every: 0,
        compact_every: 0,
    };
    let opened = Workspace::open_recorded(config, device, &recorder);
    assert!(futures_executor::block_on(opened).is_err());
    let played = assert_same(&recorder.recording().unwrap());
    assert!(matches!(played.last().unwrap().0.step, Step::NotOpened));
}

#[test]
fn a_workspace_too_large_for_its_recorder_says_how_much_it_needs() {
    let mut world = World::new();
    let recorder = Recorder::new(0);
    let device = Device::new(1, &world.hub);
    let workspace = world.open_recorded(&device, &recorder, (0, 0));
    let pages: Vec<LogEntry> = (0..2_000).map(secret).collect();
    for edit in pages.chunks(200) {
        world.edit(&workspace, edit);
    }
    let Err(NotRecorded::TooSmall { least, most }) = recorder.recording() else {
        panic!("{:?}", recorder.recording().map(|bytes| bytes.len()))
    };
    assert!(least > most && most >= 64 << 10, "{least} {most}");
}
