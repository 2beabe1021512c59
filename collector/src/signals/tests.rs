//! Who gets which signal.

use super::*;

const SITE: &str = "shop";
const ADA: VisitorId = VisitorId(1);
const BOB: VisitorId = VisitorId(2);
const ONE: StreamId = StreamId(11);
const TWO: StreamId = StreamId(12);

fn signal(id: u64, expires_ms: u64) -> Signal {
    Signal {
        id,
        name: "offer".into(),
        payload: "null".into(),
        expires_ms,
    }
}

fn ids(signals: Vec<Arc<Signal>>) -> Vec<u64> {
    signals.iter().map(|signal| signal.id).collect()
}

fn heard(inbox: &mut mpsc::Receiver<Arc<Signal>>) -> Vec<u64> {
    std::iter::from_fn(|| inbox.try_recv().ok().map(|signal| signal.id)).collect()
}

#[test]
fn every_open_stream_of_the_visitor_gets_it_and_nobody_else() {
    let signals = Signals::default();
    let (inbox, mut one) = mpsc::channel(INBOX_MAX);
    let _one = signals.join(SITE, ADA, ONE, inbox, 0);
    let (inbox, mut two) = mpsc::channel(INBOX_MAX);
    let _two = signals.join(SITE, ADA, TWO, inbox, 0);
    let (inbox, mut bob) = mpsc::channel(INBOX_MAX);
    let _bob = signals.join(SITE, BOB, StreamId(3), inbox, 0);
    let (inbox, mut elsewhere) = mpsc::channel(INBOX_MAX);
    let _elsewhere = signals.join("blog", ADA, StreamId(4), inbox, 0);
    assert_eq!(signals.send(SITE, ADA, signal(7, 100), 0), Ok(2));
    assert_eq!((heard(&mut one), heard(&mut two)), (vec![7], vec![7]));
    assert!(heard(&mut bob).is_empty() && heard(&mut elsewhere).is_empty());
}

#[test]
fn who_is_not_there_finds_it_with_the_next_page_once() {
    let signals = Signals::default();
    assert_eq!(signals.send(SITE, ADA, signal(7, 100), 0), Ok(0));
    assert!(signals.take(SITE, BOB, ONE, 1).is_empty());
    assert!(signals.take("blog", ADA, ONE, 1).is_empty());
    assert_eq!(ids(signals.take(SITE, ADA, ONE, 1)), [7]);
    assert!(signals.take(SITE, ADA, TWO, 2).is_empty());
    assert_eq!(signals.lock().count, 0);

    assert_eq!(signals.send(SITE, ADA, signal(8, 100), 3), Ok(0));
    let (inbox, mut one) = mpsc::channel(INBOX_MAX);
    let _one = signals.join(SITE, ADA, ONE, inbox, 4);
    let (inbox, mut two) = mpsc::channel(INBOX_MAX);
    let _two = signals.join(SITE, ADA, TWO, inbox, 4);
    assert_eq!((heard(&mut one), heard(&mut two)), (vec![8], vec![]));
}

#[test]
fn a_page_whose_stream_broke_gets_it_again_and_others_do_not() {
    let signals = Signals::default();
    let (inbox, mut one) = mpsc::channel(INBOX_MAX);
    let presence = signals.join(SITE, ADA, ONE, inbox, 0);
    assert_eq!(signals.send(SITE, ADA, signal(7, 100), 0), Ok(1));
    drop(presence);
    assert_eq!(heard(&mut one), [7]);
    assert!(signals.take(SITE, ADA, TWO, 1).is_empty());
    assert_eq!(ids(signals.take(SITE, ADA, ONE, 1)), [7]);
    // Gone for good now, and so is the stream.
    assert!(signals.take(SITE, ADA, ONE, 1).is_empty());
    assert_eq!(signals.send(SITE, ADA, signal(8, 100), 0), Ok(0));
    assert!(signals.lock().open.is_empty());
}

#[test]
fn what_has_expired_goes_to_nobody() {
    let signals = Signals::default();
    assert_eq!(signals.send(SITE, ADA, signal(7, 100), 0), Ok(0));
    assert_eq!(signals.send(SITE, BOB, signal(8, 100), 0), Ok(0));
    assert!(signals.take(SITE, ADA, ONE, 100).is_empty());
    let (inbox, mut one) = mpsc::channel(INBOX_MAX);
    let _one = signals.join(SITE, ADA, ONE, inbox, 100);
    assert!(heard(&mut one).is_empty());
    // Who never comes is swept out by what is sent to others.
    assert_eq!(
        signals.send(SITE, ADA, signal(9, 99_999), SWEEP_EVERY_MS),
        Ok(1)
    );
    assert_eq!(signals.lock().count, 1);
}

#[test]
fn no_more_wait_than_the_limits_say() {
    let signals = Signals::default();
    for id in 0..HELD_A_VISITOR_MAX as u64 {
        assert_eq!(signals.send(SITE, ADA, signal(id, 100), 0), Ok(0));
    }
    let more = signals.send(SITE, ADA, signal(99, 100), 0);
    assert_eq!(more, Err(SignalError::VisitorFull));
    signals.lock().count = HELD_MAX;
    let more = signals.send(SITE, BOB, signal(99, 100), 0);
    assert_eq!(more, Err(SignalError::Full));

    // What a page has makes room.
    let signals = Signals::default();
    let (inbox, mut one) = mpsc::channel(INBOX_MAX);
    let _presence = signals.join(SITE, ADA, ONE, inbox, 0);
    for id in 0..3 * HELD_A_VISITOR_MAX as u64 {
        assert_eq!(signals.send(SITE, ADA, signal(id, 100), 0), Ok(1));
        assert_eq!(heard(&mut one), [id]);
    }
    assert_eq!(signals.lock().count, HELD_A_VISITOR_MAX);

    // A stream that does not read loses none of them.
    let signals = Signals::default();
    let (inbox, one) = mpsc::channel(1);
    let presence = signals.join(SITE, ADA, ONE, inbox, 0);
    assert_eq!(signals.send(SITE, ADA, signal(1, 100), 0), Ok(1));
    assert_eq!(signals.send(SITE, ADA, signal(2, 100), 0), Ok(0));
    drop((one, presence));
    assert_eq!(ids(signals.take(SITE, ADA, ONE, 1)), [1, 2]);
}
