//! The keys of a profile: the store's, and the device's own.

use std::io::IsTerminal;

use graphshell_sync::SystemEntropy;
use graphshell_sync::device_key::{self, DeviceKey};
use graphshell_sync::store::disk::KeySource;
use zeroize::Zeroizing;

use crate::args::{Common, KeyPlace};
use crate::failure::{Failure, Kind, Result};
use crate::files;
use crate::profile::{Contents, Profile};

/// The service under which a keyring keeps them.
const SERVICE: &str = "graphshell-peer";
/// Longest passphrase file that is read, in bytes.
const MAX_PASSPHRASE: u64 = 4096;

/// See the module.
pub(crate) struct Keys {
    /// What opens the store.
    pub(crate) store: KeySource,
    /// The device's key.
    pub(crate) device: DeviceKey,
}

/// What a person has to say before a store opens; overwritten when it is dropped.
pub(crate) struct Secret(Option<Zeroizing<String>>);

impl Secret {
    /// Asks for the passphrase, if the profile has one; twice for a `new` one.
    pub(crate) fn ask(profile: &Profile, common: &Common, new: bool) -> Result<Self> {
        match profile.read().key {
            KeyPlace::Passphrase => Ok(Secret(Some(Zeroizing::new(passphrase(common, new)?)))),
            KeyPlace::Keyring | KeyPlace::File => Ok(Secret(None)),
        }
    }
}

impl Keys {
    /// The keys of a profile. In a `new` one the device's key is made.
    pub(crate) fn load(profile: &Profile, secret: &Secret, new: bool) -> Result<Self> {
        let contents = profile.read();
        let place = place(profile, &contents);
        let failed = |error: graphshell_sync::ports::StoreError| {
            let failure = Failure::new(Kind::Profile, format!("the device's key: {error}"));
            match contents.key {
                KeyPlace::Keyring => failure.next("unlock the keyring, then try again"),
                KeyPlace::File | KeyPlace::Passphrase => failure,
            }
        };
        let device = match new {
            true => place.load_or_make(&SystemEntropy).map_err(failed)?,
            false => place.load().map_err(failed)?.ok_or_else(|| {
                Failure::new(Kind::Profile, format!("the device's key is missing: {place}"))
                    .next("bring it back from a backup, or begin another profile and pair it anew")
            })?,
        };
        let store = match contents.key {
            KeyPlace::Keyring => KeySource::keyring(SERVICE, format!("store {}", contents.slot)),
            KeyPlace::File => KeySource::key_file(profile.file("store.key")),
            KeyPlace::Passphrase => {
                KeySource::passphrase(secret.0.as_ref().map_or("", |text| text.as_str()))
            }
        };
        Ok(Keys { store, device })
    }
}

/// Where the device's key lies.
pub(crate) fn place(profile: &Profile, contents: &Contents) -> device_key::KeyPlace {
    match contents.key {
        KeyPlace::Keyring => {
            device_key::KeyPlace::keyring(SERVICE, format!("device {}", contents.slot))
        }
        KeyPlace::File | KeyPlace::Passphrase => {
            device_key::KeyPlace::file(profile.file("device.key"))
        }
    }
}

/// Where keys are to lie: as wanted, else in the keyring, if one runs.
pub(crate) fn choose(wanted: Option<KeyPlace>) -> Result<KeyPlace> {
    let runs = || {
        // A file that is not there, so that only the keyring counts.
        let nowhere = std::env::temp_dir().join("graphshell-peer-no-such-folder").join("key");
        device_key::KeyPlace::keyring_or_file(SERVICE, "probe", nowhere)
    };
    match wanted {
        Some(KeyPlace::Keyring) => {
            match runs() {
                Ok(place) if place.is_keyring() => Ok(KeyPlace::Keyring),
                Ok(_) => Err(Failure::failed("no keyring runs here")
                    .next("use --key file or --key passphrase")),
                Err(error) => Err(Failure::failed(format!("the keyring gives no answer: {error}"))
                    .next("unlock it, or use --key file")),
            }
        }
        Some(place) => Ok(place),
        None => match runs() {
            Ok(place) if place.is_keyring() => Ok(KeyPlace::Keyring),
            Ok(_) => Ok(KeyPlace::File),
            Err(error) => Err(Failure::failed(format!("the keyring gives no answer: {error}"))
                .next("unlock it, or say --key file")),
        },
    }
}

fn passphrase(common: &Common, new: bool) -> Result<String> {
    let given = match (&common.passphrase_file, &common.passphrase_env) {
        (Some(path), _) => {
            let bytes = files::read(path, MAX_PASSPHRASE)?.ok_or_else(|| {
                Failure::new(Kind::Usage, format!("there is no file {}", path.display()))
            })?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::new(Kind::Usage, format!("{} is not UTF-8", path.display()))
            })?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        (None, Some(name)) => Some(environment(name)?),
        (None, None) => None,
    };
    let passphrase = match given {
        Some(passphrase) => passphrase,
        None if std::io::stdin().is_terminal() => {
            let mut question = dialoguer::Password::new().with_prompt("Passphrase of the graph");
            if new {
                question = question.with_confirmation("The same again", "They differ; once more.");
            }
            question.interact().map_err(|error| {
                Failure::new(Kind::Profile, format!("no passphrase was read: {error}"))
            })?
        }
        None => {
            return Err(Failure::new(
                Kind::Profile,
                "this profile is sealed with a passphrase, and nobody is there to be asked",
            )
            .next("give it with --passphrase-file FILE or --passphrase-env NAME"));
        }
    };
    match passphrase.is_empty() {
        true => Err(Failure::new(Kind::Usage, "the passphrase is empty")
            .next("a few words that nobody guesses are a good one")),
        false => Ok(passphrase),
    }
}

#[expect(clippy::disallowed_methods, reason = "the person named the variable in a flag")]
fn environment(name: &str) -> Result<String> {
    std::env::var(name).map_err(|error| {
        Failure::new(Kind::Usage, format!("the environment variable {name:?}: {error}"))
    })
}
