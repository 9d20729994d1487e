//! Honest devices, and users who change their minds.

use std::sync::Mutex;

use graphshell_sync::Access;
use graphshell_sync::pairing::{CloseCode, Fingerprint, PairingError, Ticket, TicketError};

use super::support::{LONG, Laptop, PATIENT, Phone, SHORT, WORKSPACE, name};

#[tokio::test]
async fn two_devices_pair_and_show_the_same_fingerprint() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let ticket: Ticket = laptop.ticket().to_string().parse().unwrap();
    let seen = Mutex::new(None);
    let paired = phone.join_and(&ticket, async |introduction| {
        *seen.lock().unwrap() = Some(introduction);
        true
    });
    let at_phone = paired.await.unwrap();
    let seen = seen.into_inner().unwrap().unwrap();
    let shown = laptop.program.shown.lock().unwrap().clone();
    let at_laptop = laptop.paired();

    assert_eq!(seen.fingerprint, shown[0].fingerprint);
    assert_eq!((seen.device, shown[0].device), (laptop.device(), phone.device()));
    assert_eq!((&at_phone.name, &at_laptop[0].name), (&name("laptop"), &name("phone")));
    assert_eq!((at_phone.device, at_laptop[0].device), (laptop.device(), phone.device()));
    assert_eq!(at_phone.address, laptop.router.endpoint().addr());
    assert_eq!(at_laptop[0].address, phone.endpoint.addr());
    assert_eq!((at_phone.workspace, at_laptop[0].workspace), (WORKSPACE, WORKSPACE));
    assert_eq!((at_phone.access, at_laptop[0].access), (Access::Full, Access::Full));
    assert!(laptop.inviter.invitations().is_empty());
    assert!(laptop.program.failed.borrow().is_empty());
}

#[tokio::test]
async fn each_pairing_has_a_fingerprint_of_its_own() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    for _ in 0..2 {
        phone.join(&laptop.ticket(), true).await.unwrap();
    }
    let shown = laptop.program.shown.lock().unwrap();
    assert_ne!(shown[0].fingerprint, shown[1].fingerprint);
}

#[tokio::test]
async fn who_sits_between_with_the_ticket_is_seen_in_the_fingerprints() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let (its_laptop, its_phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    // It read the laptop's ticket, and slips the phone one of its own that looks the same.
    its_phone.join(&laptop.ticket(), true).await.unwrap();
    let seen: Mutex<Option<Fingerprint>> = Mutex::new(None);
    let slipped = its_laptop.ticket();
    let declined = phone.join_and(&slipped, async |introduction| {
        assert_eq!(introduction.name, name("laptop"));
        *seen.lock().unwrap() = Some(introduction.fingerprint);
        false
    });
    assert_eq!(declined.await, Err(PairingError::Declined));
    let shown = laptop.program.shown.lock().unwrap()[0].fingerprint;
    assert_ne!(seen.into_inner().unwrap(), Some(shown));
}

#[tokio::test]
async fn no_of_the_joining_user_ends_the_invitation() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    laptop.program.answer.send_replace(None);
    let ticket = laptop.ticket();
    assert_eq!(phone.join(&ticket, false).await, Err(PairingError::Declined));
    assert_eq!(laptop.failure(1).await.refusal(), Some(CloseCode::Declined));
    let again = phone.join(&ticket, true).await.unwrap_err();
    assert_eq!(again.refusal(), Some(CloseCode::Declined));
    assert!(laptop.paired().is_empty());
}

#[tokio::test]
async fn no_of_the_inviting_user_ends_the_question_on_the_other_device() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    laptop.program.answer.send_replace(Some(false));
    let ticket = laptop.ticket();
    let refused = phone.join_and(&ticket, async |_| std::future::pending().await).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::Declined));
    assert!(refused.to_string().contains("ask for a new ticket"), "{refused}");
    assert_eq!(laptop.failure(1).await, PairingError::Declined);
    assert!(laptop.paired().is_empty());
}

#[tokio::test]
async fn expired_ticket_is_refused_by_the_inviters_clock() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let ticket = laptop.ticket();
    *laptop.program.now_ms.lock().unwrap() += 61_000;
    let refused = phone.join(&ticket, true).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::Expired));
    assert!(refused.to_string().contains("expired; ask for a new ticket"), "{refused}");
}

#[tokio::test]
async fn ticket_that_expired_long_ago_is_not_even_tried() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    *laptop.program.now_ms.lock().unwrap() = 1_000;
    let refused = phone.join(&laptop.ticket(), true).await.unwrap_err();
    assert!(matches!(refused, PairingError::Ticket(TicketError::Expired { .. })), "{refused}");
}

#[tokio::test]
async fn ticket_holds_for_one_device() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let ticket = laptop.ticket();
    phone.join(&ticket, true).await.unwrap();
    let refused = Phone::new().await.join(&ticket, true).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::Used));
    assert_eq!(laptop.paired().len(), 1);
}

#[tokio::test]
async fn withdrawn_invitation_is_refused_also_while_users_think() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    let (early, late) = (laptop.ticket(), laptop.ticket());
    assert!(laptop.inviter.withdraw(early.invitation().id));
    let refused = phone.join(&early, true).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::UnknownInvitation));
    let refused = phone.join_and(&late, async |_| laptop.inviter.withdraw(late.invitation().id));
    let refused = refused.await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::UnknownInvitation));
    assert!(laptop.paired().is_empty());
}

#[tokio::test]
async fn own_ticket_is_named() {
    let laptop = Laptop::new(PATIENT).await;
    let own = Phone { endpoint: laptop.router.endpoint().clone() };
    let refused = own.join(&laptop.ticket(), true).await.unwrap_err();
    assert_eq!(refused, PairingError::Ticket(TicketError::Own));
}

#[tokio::test]
async fn joiner_that_is_gone_in_the_middle_may_come_again() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    laptop.program.answer.send_replace(None);
    let ticket = laptop.ticket();
    let (asked, was_asked) = tokio::sync::oneshot::channel();
    let first = phone.join_and(&ticket, async |_| {
        asked.send(()).unwrap();
        std::future::pending().await
    });
    tokio::select! {
        _ = first => panic!("nobody answers"),
        asked = was_asked => asked.unwrap(),
    }
    // The future was dropped, and the laptop learns of it.
    assert_eq!(laptop.failure(1).await.refusal(), Some(CloseCode::Closing));
    laptop.program.answer.send_replace(Some(true));
    phone.join(&ticket, true).await.unwrap();
    assert_eq!(laptop.paired().len(), 1);
}

#[tokio::test]
async fn inviter_that_ends_after_the_yes_leaves_the_joiner_in_doubt() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    laptop.program.answer.send_replace(None);
    let ticket = laptop.ticket();
    let joining = phone.join_and(&ticket, async |_| true);
    let ending = async {
        // Until its user is asked.
        while laptop.program.shown.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        laptop.router.shutdown().await.unwrap();
    };
    let (joined, ()) = tokio::join!(joining, ending);
    let error = joined.unwrap_err();
    assert!(matches!(error, PairingError::Unfinished(_)), "{error:?}");
    assert!(laptop.paired().is_empty());
}

#[tokio::test]
async fn joiner_is_told_that_nothing_was_recorded_and_not_why() {
    let (laptop, phone) = (Laptop::new(PATIENT).await, Phone::new().await);
    *laptop.program.records.lock().unwrap() = Err("the disk at a secret place is full".to_owned());
    let ticket = laptop.ticket();
    let refused = phone.join(&ticket, true).await.unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::NotRecorded));
    let PairingError::Refused { reason, .. } = &refused else { panic!("{refused}") };
    assert!(!reason.contains("secret"), "{reason}");
    assert!(matches!(laptop.failure(1).await, PairingError::NotRecorded(_)));
    *laptop.program.records.lock().unwrap() = Ok(());
    phone.join(&ticket, true).await.unwrap();
}

#[tokio::test]
async fn users_who_do_not_answer_are_not_waited_for_forever() {
    let (laptop, phone) = (Laptop::new(SHORT).await, Phone::new().await);
    laptop.program.answer.send_replace(None);
    let joined = tokio::time::timeout(LONG, phone.join(&laptop.ticket(), true)).await;
    let refused = joined.expect("it ends").unwrap_err();
    assert_eq!(refused.refusal(), Some(CloseCode::TooSlow));
    assert_eq!(laptop.failure(1).await, PairingError::TooSlow("both users' answers"));
}
