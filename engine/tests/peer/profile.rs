//! The profile folder: begun once, refused when it is not understood, held by one program.

use crate::support::Device;

#[test]
fn command_without_a_profile_says_how_to_begin() {
    let ada = Device::empty("ada");
    for args in [&["list"][..], &["sync"], &["watch"], &["pair"]] {
        let error = ada.fails(3, args);
        assert!(error.contains("graphshell-peer init"), "{error}");
    }
    assert!(!ada.profile().exists());
}

#[test]
fn second_init_changes_nothing() {
    let ada = Device::new("ada");
    ada.ok(&["add", "https://a.example/"]);
    let before = std::fs::read(ada.profile().join("profile.json")).unwrap();
    ada.fails(3, &["init", "--key", "file"]);
    assert_eq!(std::fs::read(ada.profile().join("profile.json")).unwrap(), before);
    assert_eq!(ada.ok(&["list"]).lines().count(), 1);
}

#[test]
fn profile_of_a_later_version_is_refused_and_left_alone() {
    let ada = Device::new("ada");
    let path = ada.profile().join("profile.json");
    let later = std::fs::read_to_string(&path).unwrap().replace("\"version\": 1", "\"version\": 2");
    std::fs::write(&path, &later).unwrap();
    for args in [&["list"][..], &["watch"], &["add", "https://a.example/"]] {
        assert!(ada.fails(3, args).contains("version 2"));
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), later);
}

#[test]
fn passphrase_opens_the_store_and_another_does_not() {
    let ada = Device::empty("ada");
    let right = ada.path("right");
    let wrong = ada.path("wrong");
    std::fs::write(&right, "correct horse\nsecond line\n").unwrap();
    std::fs::write(&wrong, "correct horsf\n").unwrap();
    let (right, wrong) = (right.to_str().unwrap(), wrong.to_str().unwrap());
    ada.ok(&["init", "--key", "passphrase", "--passphrase-file", right]);
    ada.ok(&["add", "https://a.example/", "--passphrase-file", right]);
    assert_eq!(ada.ok(&["list", "--passphrase-file", right]).lines().count(), 1);
    let error = ada.fails(3, &["list", "--passphrase-file", wrong]);
    assert!(error.contains("passphrase"), "{error}");
    assert!(ada.fails(3, &["list"]).contains("--passphrase-file"));
    let by_env = ada
        .command(&["list", "--passphrase-env", "HORSE"])
        .env("HORSE", "correct horse")
        .output()
        .unwrap();
    assert!(by_env.status.success());
    assert!(ada.fails(2, &["list", "--passphrase-env", "NO_SUCH_HORSE"]).contains("NO_SUCH_HORSE"));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_profile() {
    use std::os::unix::fs::PermissionsExt;
    let ada = Device::new("ada");
    let _watch = ada.watch();
    let mode = |path: std::path::PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(ada.profile()), 0o700);
    for file in ["profile.json", "device.key", "store.key", "watch.sock"] {
        assert_eq!(mode(ada.profile().join(file)), 0o600, "{file}");
    }
}

#[test]
fn missing_key_is_named_and_not_made_anew() {
    let ada = Device::new("ada");
    let key = ada.profile().join("device.key");
    std::fs::remove_file(&key).unwrap();
    assert!(ada.fails(3, &["list"]).contains("device.key"));
    assert!(!key.exists());
}

#[test]
fn keyring_that_does_not_run_is_said() {
    let ada = Device::empty("ada");
    // No session bus, so no keyring of a desktop.
    let output = ada
        .command(&["init", "--key", "keyring"])
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("DISPLAY")
        .output()
        .unwrap();
    if cfg!(target_os = "linux") {
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("--key file"), "{error}");
        assert!(!ada.profile().join("profile.json").exists());
    }
}
