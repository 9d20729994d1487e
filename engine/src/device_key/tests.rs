use uuid::Uuid;

use super::record::RecordError;
use super::succession::{put_chain, read_chain};
use super::*;
use crate::codec::Reader;
use crate::id::WorkspaceId;
use crate::system::SystemEntropy;

fn key(seed: u8) -> DeviceKey {
    SecretKey::from_bytes(&[seed; 32]).into()
}

/// A key that was changed that many times.
fn changed(times: usize) -> DeviceKey {
    (0..times).fold(key(1), |key, _| key.rotate(&SystemEntropy, 5).unwrap())
}

#[test]
fn new_key_can_say_where_it_comes_from() {
    let first = key(1);
    let second = first.rotate(&SystemEntropy, 5).unwrap();
    let third = second.rotate(&SystemEntropy, 6).unwrap();
    let lineage = Lineage::verify(third.device_id(), third.successions()).unwrap();
    assert_eq!(lineage.earlier(), [first.device_id(), second.device_id()]);
    assert_eq!((lineage.device(), lineage.time_ms()), (third.device_id(), 6));
    assert_eq!(lineage.workspace(), None);
    assert_ne!(second.device_id(), third.device_id());
    assert!(third.without_successions().successions().is_empty());
}

#[test]
fn key_is_not_changed_more_often_than_its_successions_are_kept() {
    let last = changed(MAX_SUCCESSIONS);
    assert_eq!(last.rotate(&SystemEntropy, 5).unwrap_err(), TooManySuccessions);
    assert!(last.without_successions().rotate(&SystemEntropy, 5).is_ok());
}

#[test]
fn succession_of_another_device_is_refused() {
    let (stolen, thief) = (changed(1), key(9));
    let refused = Lineage::verify(thief.device_id(), stolen.successions()).unwrap_err();
    let (from, new) = (thief.device_id(), stolen.device_id());
    assert_eq!(refused, SuccessionError::Another { from, new });
    assert_eq!(Lineage::verify(from, &[]), Err(SuccessionError::Empty));
}

#[test]
fn succession_needs_the_signatures_of_both_keys() {
    let (old, thief) = (key(1), key(9));
    let good = Succession::new(&old.secret, &thief.secret, None, 5);
    assert!(Lineage::verify(thief.device_id(), std::slice::from_ref(&good)).is_ok());
    let mut bytes = Vec::new();
    good.encode(&mut bytes);
    // Whatever is changed, a signature does not fit any more.
    for at in 0..bytes.len() {
        let mut forged = bytes.clone();
        forged[at] ^= 1;
        let mut reader = Reader::new(&forged);
        let Ok(forged) = Succession::decode(&mut reader) else { continue };
        let refused = Lineage::verify(thief.device_id(), &[forged]).unwrap_err();
        let another = matches!(refused, SuccessionError::Another { .. });
        assert!(another || matches!(refused, SuccessionError::Forged(_)), "{at}: {refused}");
    }
    // A place that the old key's device never gave.
    let mut taken = Succession::new(&thief.secret, &thief.secret, None, 5);
    taken.old = old.device_id();
    let refused = Lineage::verify(thief.device_id(), &[taken]);
    assert_eq!(refused, Err(SuccessionError::Forged(old.device_id())));
    // A place that was given to a key whose holder does not want it.
    let mut given = Succession::new(&old.secret, &old.secret, None, 5);
    given.new = thief.device_id();
    let refused = Lineage::verify(thief.device_id(), &[given]);
    assert_eq!(refused, Err(SuccessionError::Forged(old.device_id())));
}

#[test]
fn chain_that_does_not_hold_together_is_refused() {
    let (one, two, three) = (key(1), key(2), key(3));
    let step =
        |old: &DeviceKey, new: &DeviceKey| Succession::new(&old.secret, &new.secret, None, 5);
    let verify = |key: &DeviceKey, chain: &[Succession]| Lineage::verify(key.device_id(), chain);
    assert!(verify(&three, &[step(&one, &two), step(&two, &three)]).is_ok());
    let gap = verify(&three, &[step(&one, &two), step(&one, &three)]);
    assert_eq!(gap, Err(SuccessionError::Broken));
    let circle = verify(&one, &[step(&one, &two), step(&two, &one)]);
    assert_eq!(circle, Err(SuccessionError::Broken));
    let itself = verify(&one, &[step(&one, &one)]);
    assert_eq!(itself, Err(SuccessionError::Broken));
    let workspace = Some(WorkspaceId(Uuid::from_u128(7)));
    let narrower = Succession::new(&two.secret, &three.secret, workspace, 5);
    let mixed = verify(&three, &[step(&one, &two), narrower.clone()]);
    assert_eq!(mixed, Err(SuccessionError::Broken));
    assert_eq!(verify(&three, &[narrower]).unwrap().workspace(), workspace);
}

#[test]
fn layout_of_a_succession_is_frozen() {
    let workspace = Some(WorkspaceId(Uuid::from_u128(7)));
    let one = Succession::new(&key(1).secret, &key(2).secret, workspace, 1_800_000_000_000);
    let mut bytes = Vec::new();
    put_chain(&mut bytes, std::slice::from_ref(&one));
    let statement = [
        "01",
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c",
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394",
        "0100000000000000000000000000000007",
        "00505c18a3010000",
    ];
    let statement = statement.concat();
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    assert_eq!(hex[..statement.len()], statement);
    // Ed25519 signs the same bytes to the same signature: so the signed message is frozen as well.
    let signatures = blake3::hash(&hex.as_bytes()[statement.len()..]).to_hex();
    assert_eq!(
        signatures.as_str(),
        "c7ba2acea0bff4154b039f338976c3cea7c22a5da47e45e39532756733b4ee87"
    );
    let mut reader = Reader::new(&bytes);
    assert_eq!(read_chain(&mut reader), Ok(vec![one]));
    assert!(reader.is_empty());
}

#[test]
fn chain_longer_than_any_is_not_read() {
    let mut bytes = Vec::new();
    put_chain(&mut bytes, &vec![changed(1).successions[0].clone(); MAX_SUCCESSIONS + 1]);
    let error = read_chain(&mut Reader::new(&bytes)).unwrap_err();
    assert_eq!((error.offset, error.expected), (0, "a count of successions, at most 4"));
}

#[test]
fn kept_text_of_a_key_comes_back() {
    for times in [0, 1, MAX_SUCCESSIONS] {
        let key = changed(times);
        let text = record::encode(&key);
        // What a keyring of Windows takes.
        assert!(text.len() <= 1280, "{}", text.len());
        let back = record::decode(format!("{}\n", *text).as_bytes()).unwrap();
        assert_eq!(back.secret.to_bytes(), key.secret.to_bytes());
        assert_eq!(back.successions, key.successions);
    }
    let frozen = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBA";
    let text = record::encode(&key(1));
    assert_eq!(text[..frozen.len()], *frozen);
}

#[test]
fn every_change_of_the_kept_text_is_noticed() {
    let text = record::encode(&changed(1));
    for at in 0..text.len() {
        let mut changed = text.to_string();
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        changed.replace_range(at..=at, other);
        for text in [&changed, &text[..at]] {
            let error = record::decode(text.as_bytes()).unwrap_err();
            assert!(matches!(error, RecordError::Damaged(_)), "{at}: {error:?}");
        }
    }
    let error = record::decode(&vec![b'A'; 1 << 20]).unwrap_err();
    assert_eq!(error, RecordError::Damaged("it is too long"));
    let mut later = vec![2, 9, 9];
    later.extend_from_slice(&blake3::hash(&[2, 9, 9]).as_bytes()[..16]);
    let later = data_encoding::BASE64URL_NOPAD.encode(&later);
    assert_eq!(record::decode(later.as_bytes()).unwrap_err(), RecordError::Newer(2));
}

#[test]
fn secret_is_not_printed() {
    let printed = format!("{:?}", changed(1));
    assert!(printed.starts_with("DeviceKey(") && printed.len() < 100, "{printed}");
}

#[cfg(feature = "store")]
mod place {
    use std::path::Path;

    use super::*;
    use crate::ports::StoreError;

    fn make(path: &Path) -> DeviceKey {
        KeyPlace::file(path).load_or_make(&SystemEntropy).unwrap()
    }

    fn loaded(path: &Path) -> DeviceId {
        KeyPlace::file(path).load().unwrap().unwrap().device_id()
    }

    #[test]
    fn key_file_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        assert!(KeyPlace::file(&path).load().unwrap().is_none());
        let made = make(&path);
        assert_eq!(make(&path).device_id(), made.device_id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |mode| std::fs::Permissions::from_mode(mode);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, mode(0o644)).unwrap();
            let refused = KeyPlace::file(&path).load().unwrap_err();
            assert!(
                matches!(&refused, StoreError::Refused(why) if why.contains("644")),
                "{refused}"
            );
        }
    }

    #[test]
    fn changed_key_takes_the_place_of_the_old_one_with_its_succession() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let old = make(&path);
        let new = KeyPlace::file(&path).rotate(&SystemEntropy, 5).unwrap();
        let back = KeyPlace::file(&path).load().unwrap().unwrap();
        assert_eq!(back.device_id(), new.device_id());
        let lineage = Lineage::verify(back.device_id(), back.successions()).unwrap();
        assert_eq!(lineage.earlier(), [old.device_id()]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        KeyPlace::file(&path).replace(&back.without_successions()).unwrap();
        assert_eq!(loaded(&path), new.device_id());
    }

    #[test]
    fn crash_at_any_step_of_a_change_leaves_a_key() {
        // A change writes the new key beside the old one, makes it durable, and renames it.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let old = make(&path).device_id();
        let aside = folder.path().join("device.key.new");
        let new = KeyPlace::file(&path).load().unwrap().unwrap().rotate(&SystemEntropy, 5).unwrap();
        let text = record::encode(&new);
        for written in 0..=text.len() {
            std::fs::write(&aside, &text.as_bytes()[..written]).unwrap();
            assert_eq!(loaded(&path), old);
        }
        // The change that comes after such a crash is not in the way of what that one left.
        let next = KeyPlace::file(&path).rotate(&SystemEntropy, 6).unwrap();
        assert_eq!(loaded(&path), next.device_id());
        assert!(!aside.exists());
    }

    #[test]
    fn change_that_cannot_be_kept_leaves_the_old_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let old = make(&path).device_id();
        // A folder where the file is to be written.
        let aside = folder.path().join("device.key.new");
        std::fs::create_dir(&aside).unwrap();
        let refused = KeyPlace::file(&path).rotate(&SystemEntropy, 5).unwrap_err();
        assert!(matches!(refused, RotateError::Place(StoreError::Refused(_))), "{refused}");
        assert_eq!(loaded(&path), old);
        let nothing = KeyPlace::file(folder.path().join("other")).rotate(&SystemEntropy, 5);
        assert!(nothing.unwrap_err().to_string().contains("make one first"));
    }

    #[test]
    fn damaged_key_is_named_and_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        make(&path);
        let text = std::fs::read(&path).unwrap();
        crate::store::disk::Place::file(&path).replace(&text[1..]).unwrap();
        let error = KeyPlace::file(&path).load().unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
        assert!(error.to_string().contains("device.key"), "{error}");
        let error = KeyPlace::file(&path).load_or_make(&SystemEntropy).unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), text[1..]);
    }

    #[test]
    fn file_that_is_there_is_taken_before_the_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        let made = make(&path);
        let place = KeyPlace::keyring_or_file("graphshell test", "device", &path).unwrap();
        assert!(!place.is_keyring());
        assert_eq!(place.load().unwrap().unwrap().device_id(), made.device_id());
    }
}
