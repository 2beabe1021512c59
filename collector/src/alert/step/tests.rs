//! A step from the first visitor to a loss and out of it again.

use super::*;

const ENOUGH: f64 = 720.0;
const DAY: u64 = 144;

/// Lets days pass in which ten visitors a tick of each of three campaigns come, and five go on a
/// tick later, or as many as `left` says of a campaign and tick. Returns what began and ended.
fn passed(days: u64, left: impl Fn(u64, usize) -> u64) -> Vec<(Option<String>, Lost)> {
    let mut step = Step::new(10);
    let mut told = Vec::new();
    for tick in 1..days * DAY {
        let came = (0..3).flat_map(|campaign| {
            let name = format!("c{campaign}");
            let went_on = Came::WentOn(1, left(tick, campaign));
            [(name.clone(), Came::Arrived(10)), (name, went_on)]
        });
        let came: Vec<_> = came.collect();
        let lost = step.end_tick(tick, &came, ENOUGH);
        told.extend(
            lost.into_iter()
                .filter(|(_, lost)| lost.opened == tick || lost.closed.is_some()),
        );
    }
    assert_eq!(step.watched(), 4);
    told
}

#[test]
fn a_healthy_step_is_quiet() {
    assert_eq!(passed(20, |_, _| 5), []);
}

#[test]
fn a_campaign_that_breaks_is_told_and_over_when_it_is_back() {
    let broken = 10 * DAY..11 * DAY;
    let told = passed(13, |tick, campaign| match campaign {
        1 if broken.contains(&tick) => 0,
        _ => 5,
    });
    // A third of all is gone as well, which is told of all.
    let of = |name: Option<&str>| {
        let of = told
            .iter()
            .filter(|(campaign, _)| campaign.as_deref() == name);
        of.map(|(_, lost)| *lost).collect::<Vec<_>>()
    };
    for lost in [of(Some("c1")), of(None)] {
        assert_eq!(lost.len(), 2, "{told:?}");
        assert!(lost[0].opened - broken.start < 36, "{told:?}");
        assert!(lost[0].since.abs_diff(broken.start) <= 6, "{told:?}");
        let closed = lost[1].closed.unwrap();
        assert!((broken.end..broken.end + 36).contains(&closed), "{told:?}");
        assert!(lost[1].arrived >= 10 * DAY, "{told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
}

#[test]
fn what_breaks_for_everybody_is_told_once() {
    let told = passed(12, |tick, _| if tick >= 10 * DAY { 0 } else { 5 });
    let (campaign, lost) = &told[0];
    assert_eq!((campaign, told.len()), (&None, 1), "{told:?}");
    assert!(lost.opened - 10 * DAY <= 3, "{told:?}");
}

#[test]
fn campaigns_beyond_the_bound_count_among_all() {
    let mut step = Step::new(2);
    for tick in 0..10 {
        let came: Vec<_> = (0..9)
            .map(|one| (one.to_string(), Came::Arrived(1)))
            .collect();
        step.end_tick(tick, &came, ENOUGH);
    }
    assert_eq!(step.campaigns.len(), 2);
    assert_eq!(step.all.unwrap().arrived, 90.0);
}
