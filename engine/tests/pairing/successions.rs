//! Devices that show how they came to another key.

use graphshell_sync::SystemEntropy;
use graphshell_sync::device_key::{DeviceKey, Succession, SuccessionError};
use graphshell_sync::pairing::{CloseCode, PairingError, present_within};

use super::support::{Laptop, PATIENT, endpoint};

fn key() -> DeviceKey {
    DeviceKey::generate(&SystemEntropy)
}

fn changed(key: &DeviceKey) -> DeviceKey {
    key.rotate(&SystemEntropy, 5).expect("it was not changed too often")
}

async fn present(
    laptop: &Laptop,
    key: &DeviceKey,
    chain: &[Succession],
) -> Result<(), PairingError> {
    let endpoint = endpoint(key).await;
    present_within(&endpoint, laptop.router.endpoint().addr(), chain, PATIENT).await
}

#[tokio::test]
async fn device_with_a_changed_key_is_followed_also_when_it_comes_again() {
    let laptop = Laptop::new(PATIENT).await;
    let old = key();
    let new = changed(&changed(&old));
    laptop.program.trusts.lock().unwrap().push(old.device_id());
    for _ in 0..2 {
        present(&laptop, &new, new.successions()).await.expect("its first key is trusted");
        assert_eq!(*laptop.program.trusts.lock().unwrap(), [new.device_id()]);
    }
    let lineages = laptop.program.lineages.lock().unwrap();
    assert_eq!(lineages[0].earlier()[0], old.device_id());
    assert_eq!(lineages[0].device(), new.device_id());
}

#[tokio::test]
async fn device_whose_earlier_keys_nobody_trusts_is_refused() {
    let laptop = Laptop::new(PATIENT).await;
    let new = changed(&key());
    let refused = present(&laptop, &new, new.successions()).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::NotTrusted));
    assert_eq!(laptop.failure(1).await, PairingError::NotTrusted);
}

#[tokio::test]
async fn succession_of_another_device_moves_nothing() {
    let laptop = Laptop::new(PATIENT).await;
    let (old, thief) = (key(), key());
    let new = changed(&old);
    laptop.program.trusts.lock().unwrap().push(old.device_id());
    let here = present(&laptop, &thief, new.successions()).await.unwrap_err();
    assert!(matches!(here, PairingError::Succession(SuccessionError::Another { .. })), "{here}");
    assert_eq!(*laptop.program.trusts.lock().unwrap(), [old.device_id()]);
}
