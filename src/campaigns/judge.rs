//! Figures of a campaign, and a verdict in plain words.

use std::collections::BTreeMap;

use serde::Serialize;

use super::stats::{Interval, cuped, detectable, difference, mean, newcombe, standard_error};
use super::subjects::{Assigned, Subject};
use crate::error::thousands;
use crate::time::Timestamp;

/// Fewer customers on either side tell nothing.
const LEAST: usize = 30;
/// Spending before the campaign must not differ by more than so many standard errors (z).
const ALIKE: f64 = 3.0;

/// What one side did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Group {
    /// Customers.
    pub customers: u64,
    /// Those of them with an order in the window.
    pub buyers: u64,
    /// Orders in the window.
    pub orders: u64,
    /// Money of these.
    pub revenue: f64,
    /// Money in the days before, per customer.
    pub before_per_customer: f64,
}

/// One side beside the other; differences are treated minus held out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Those who were written to.
    pub treated: Group,
    /// Those who were held out.
    pub held_out: Group,
    /// Share that bought (Newcombe).
    pub rate: Option<Interval>,
    /// Orders per customer (bootstrap, no narrower than one spread for both sides has it).
    pub orders: Option<Interval>,
    /// Money per customer (the same).
    pub revenue: Option<Interval>,
    /// Money per customer, less what spending before foretells (CUPED; the same). What the hundredth of customers who
    /// spend most spend counts no higher than what comes next: chance deals those few to one side or the other.
    pub adjusted_revenue: Option<Interval>,
    /// The least difference of adjusted money per customer that would be found four times in five.
    pub detectable_revenue: Option<f64>,
}

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// More was bought because of it.
    Worked,
    /// Less was bought because of it.
    Harmed,
    /// There may be an effect, or none: these groups can't tell.
    Undecided,
    /// Nothing can be concluded from how the groups came about.
    NotConclusive,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// Everybody.
    pub all: Comparison,
    /// By segment, where assignments name any.
    pub segments: BTreeMap<String, Comparison>,
    /// What can be said.
    pub verdict: Verdict,
    /// The same in words, for people.
    pub words: String,
}

/// Compares those who were written to with those who were held out. `randomised` says that chance decided
/// who was which.
pub fn judge(subjects: &[Subject], randomised: bool) -> Judgement {
    let whole: Vec<&Subject> = subjects.iter().collect();
    let all = compare(&whole);
    let mut by_segment: BTreeMap<String, Vec<&Subject>> = BTreeMap::new();
    for subject in subjects.iter().filter(|subject| !subject.segment.is_empty()) {
        by_segment.entry(subject.segment.clone()).or_default().push(subject);
    }
    let segments =
        by_segment.into_iter().map(|(name, subjects)| (name, compare(&subjects))).collect();
    let (verdict, words) = verdict(&all, &whole, randomised);
    Judgement { all, segments, verdict, words }
}

impl Judgement {
    /// Says that the events end before the campaign does: whoever looks every day until there is a winner finds one
    /// by chance, so none is called until then.
    pub fn note_unfinished(&mut self, last: Timestamp) {
        if matches!(self.verdict, Verdict::Worked | Verdict::Harmed) {
            self.verdict = Verdict::Undecided;
        }
        self.words = format!(
            "The campaign isn't over in the events, the last of which is of {last}: no winner is called before it is. So \
             far: {}",
            self.words
        );
    }

    /// Says that so many of the customers have never been in the events.
    pub fn note_strangers(&mut self, strangers: usize) {
        if strangers > 0 {
            let all = self.all.treated.customers + self.all.held_out.customers;
            self.words += &format!(
                " {} of {} customers have never been in the events, and count as such who bought nothing: are their \
                 keys written as they are there?",
                thousands(strangers as u64),
                thousands(all)
            );
        }
    }
}

fn compare(subjects: &[&Subject]) -> Comparison {
    let treated = side(subjects, Assigned::Treated);
    let held = side(subjects, Assigned::HeldOut);
    let mut comparison =
        Comparison { treated: group(&treated), held_out: group(&held), ..Comparison::default() };
    if treated.len() < LEAST || held.len() < LEAST {
        return comparison;
    }
    let values = |side: &[&Subject], of: fn(&Subject) -> f64| -> Vec<f64> {
        side.iter().map(|subject| of(subject)).collect()
    };
    let both = |of: fn(&Subject) -> f64| (values(&treated, of), values(&held, of));
    let (orders, held_orders) = both(|subject| f64::from(subject.orders));
    let (revenue, held_revenue) = both(|subject| subject.revenue);
    let (before, held_before) = both(|subject| subject.before);
    let (adjusted, held_adjusted) = cuped(
        (&capped(&revenue, &held_revenue), &capped(&before, &held_before)),
        (&capped(&held_revenue, &revenue), &capped(&held_before, &before)),
    );
    let share = |group: &Group| (group.buyers, group.customers);
    comparison.rate = Some(newcombe(share(&comparison.treated), share(&comparison.held_out)));
    comparison.orders = Some(difference(&orders, &held_orders));
    comparison.revenue = Some(difference(&revenue, &held_revenue));
    comparison.adjusted_revenue = Some(difference(&adjusted, &held_adjusted));
    comparison.detectable_revenue = Some(detectable(&adjusted, &held_adjusted));
    comparison
}

/// What some spent, where those who spend most of these and the others, one in a hundred of them and one in ten of the
/// buyers at most, count as the next (winsorized).
fn capped(some: &[f64], others: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = some.iter().chain(others).copied().collect();
    all.sort_unstable_by(|a, b| b.total_cmp(a));
    let buyers = all.partition_point(|value| *value > 0.0);
    let most = all[(all.len() / 100).min(buyers / 10)];
    some.iter().map(|value| value.min(most)).collect()
}

fn side<'a>(subjects: &[&'a Subject], assigned: Assigned) -> Vec<&'a Subject> {
    subjects.iter().copied().filter(|subject| subject.assigned == assigned).collect()
}

fn group(side: &[&Subject]) -> Group {
    let before: Vec<f64> = side.iter().map(|subject| subject.before).collect();
    Group {
        customers: side.len() as u64,
        buyers: side.iter().filter(|subject| subject.orders > 0).count() as u64,
        orders: side.iter().map(|subject| u64::from(subject.orders)).sum(),
        revenue: side.iter().fold(0.0, |sum, subject| sum + subject.revenue), // of nobody 0, where `sum` says -0
        before_per_customer: mean(&before),
    }
}

fn verdict(all: &Comparison, subjects: &[&Subject], randomised: bool) -> (Verdict, String) {
    let nothing = |why: &str| (Verdict::NotConclusive, why.to_owned());
    if all.held_out.customers == 0 {
        return nothing(
            "Nobody was held out: what those who were written to bought, they may have bought \
             anyway. Nothing can be concluded. Hold out a part next time (audience --holdout 0.1).",
        );
    }
    let (Some(rate), Some(money), Some(least)) =
        (all.rate, all.adjusted_revenue, all.detectable_revenue)
    else {
        return nothing(&format!(
            "{} written to and {} held out are too few: at least {LEAST} on either side are needed.",
            all.treated.customers, all.held_out.customers
        ));
    };
    let bought = format!(
        "Of those written to {} bought, of those held out {}; the difference is {} (95 % between {} \
         and {}).",
        percent(share(&all.treated)),
        percent(share(&all.held_out)),
        points(rate.estimate),
        points(rate.low),
        points(rate.high),
    );
    // Nobody spent anything: nobody bought, or the events have no prices.
    let has_money = least > 0.0;
    let spent = format!(
        " Per customer they spent {:+.2} (between {:+.2} and {:+.2}), spending before considered, and the few who spend \
         most counted as the next.",
        money.estimate, money.low, money.high
    );
    let observed = if has_money { bought + &spent } else { bought };
    if !randomised {
        return nothing(&format!(
            "{observed} But chance did not decide who was written to: whoever chose may have chosen \
             those who buy more. This difference is not the campaign's doing, as far as one can tell."
        ));
    }
    if differ_before(subjects) {
        return nothing(&format!(
            "{observed} But the two sides spent very differently before it, as chance hardly makes \
             them: check how they were drawn."
        ));
    }
    match (rate.side_of_two(), money.side_of_two()) {
        (0, 0) => {
            let nearly = match rate.is_decided() || money.is_decided() {
                true => {
                    " As two figures are looked at, each has to be beyond 97.5 %, and neither is."
                }
                false => "",
            };
            let hidden = format!(
                " Groups of this size would have found a difference of {least:.2} per customer four times in five; a \
                 smaller one stays hidden."
            );
            let hidden = if has_money { &hidden } else { "" };
            let words = format!("No winner can be called. {observed}{nearly}{hidden}");
            (Verdict::Undecided, words)
        }
        (0 | 1, 0 | 1) => (Verdict::Worked, format!("It worked. {observed}")),
        (0 | -1, 0 | -1) => (Verdict::Harmed, format!("It did harm. {observed}")),
        (rate, _) => {
            let (buyers, spent) = if rate > 0 { ("More", "less") } else { ("Fewer", "more") };
            let words = format!(
                "No winner can be called: {buyers} bought, and they spent {spent}. {observed}"
            );
            (Verdict::Undecided, words)
        }
    }
}

fn differ_before(subjects: &[&Subject]) -> bool {
    let before = |assigned| -> Vec<f64> {
        side(subjects, assigned).iter().map(|subject| subject.before).collect()
    };
    let (treated, held) = (before(Assigned::Treated), before(Assigned::HeldOut));
    let (treated, held) = (capped(&treated, &held), capped(&held, &treated));
    let error = standard_error(&treated, &held);
    error > 0.0 && (mean(&treated) - mean(&held)).abs() > ALIKE * error
}

fn share(group: &Group) -> f64 {
    group.buyers as f64 / group.customers.max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn points(difference: f64) -> String {
    format!("{:+.1} points", 100.0 * difference)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people(count: usize, assigned: Assigned, rate: f64, seed: u64) -> Vec<Subject> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count)
            .map(|_| {
                let before = 50.0 * random.f64();
                let buys = random.f64() < rate;
                Subject {
                    assigned,
                    segment: if random.bool() { "a" } else { "b" }.into(),
                    orders: u32::from(buys),
                    revenue: if buys { 20.0 + 0.5 * before } else { 0.0 },
                    before,
                }
            })
            .collect()
    }

    fn campaign(treated: f64, held: f64, count: usize) -> Vec<Subject> {
        let mut all = people(count, Assigned::Treated, treated, 1);
        all.extend(people(count / 4, Assigned::HeldOut, held, 2));
        all
    }

    #[test]
    fn a_large_effect_is_found_and_no_effect_is_not() {
        assert_eq!(judge(&campaign(0.4, 0.2, 4_000), true).verdict, Verdict::Worked);
        assert_eq!(judge(&campaign(0.1, 0.3, 4_000), true).verdict, Verdict::Harmed);
        let none = judge(&campaign(0.2, 0.2, 4_000), true);
        assert_eq!(none.verdict, Verdict::Undecided, "{}", none.words);
        assert!(none.words.contains("No winner"));
        assert_eq!(none.segments.len(), 2);
    }

    #[test]
    fn those_few_who_spend_most_count_as_the_next() {
        let mut all = vec![0.0; 900];
        all.extend((1..=100).map(f64::from));
        let capped = capped(&all, &[]);
        assert_eq!(capped[989..].iter().filter(|value| **value == 90.0).count(), 11);
        assert_eq!(capped[..989], all[..989]);
        let everybody: Vec<f64> = (1..=1_000).map(f64::from).collect();
        assert_eq!(super::capped(&everybody, &[])[989..], [990.0; 11]);
        let mut few = vec![0.0; 995];
        few.extend([5.0; 5]);
        assert_eq!(super::capped(&few, &[1e6]), few, "of five buyers none is capped");
    }

    #[test]
    fn more_buyers_who_spend_less_are_no_winner() {
        let mut all = campaign(0.4, 0.2, 4_000);
        for subject in all.iter_mut().filter(|s| s.assigned == Assigned::Treated) {
            subject.revenue *= 0.1;
        }
        let judged = judge(&all, true);
        assert_eq!(judged.verdict, Verdict::Undecided, "{}", judged.words);
        assert!(judged.words.contains("More bought, and they spent less"), "{}", judged.words);
    }

    #[test]
    fn where_nothing_happened_one_campaign_in_twenty_is_called_at_most() {
        let mut seeds = fastrand::Rng::with_seed(8);
        let called = (0..200).filter(|_| {
            let mut all = people(400, Assigned::Treated, 0.3, seeds.u64(..));
            all.extend(people(400, Assigned::HeldOut, 0.3, seeds.u64(..)));
            judge(&all, true).verdict != Verdict::Undecided
        });
        let called = called.count();
        assert!(called <= 12, "{called} of 200"); // 10 are expected, of figures that have nothing to do with each other
    }

    #[test]
    fn where_hardly_anybody_was_held_out_or_bought_chance_is_not_taken_for_an_effect() {
        let mut seeds = fastrand::Rng::with_seed(11);
        for (treated, held, rate) in [(540, 60, 0.03), (900, 100, 0.01), (270, 30, 0.05)] {
            let called = (0..100).filter(|_| {
                let mut all = people(treated, Assigned::Treated, rate, seeds.u64(..));
                all.extend(people(held, Assigned::HeldOut, rate, seeds.u64(..)));
                judge(&all, true).verdict != Verdict::Undecided
            });
            let called = called.count();
            assert!(called <= 12, "{called} of 100, {held} held out"); // at most 5 are expected
        }
    }

    #[test]
    fn before_a_campaign_is_over_no_winner_is_called() {
        let mut judged = judge(&campaign(0.4, 0.2, 4_000), true);
        judged.note_unfinished(Timestamp(0));
        assert_eq!(judged.verdict, Verdict::Undecided);
        assert!(judged.words.contains("1970-01-01") && judged.words.contains("So far: It worked"));
        let mut alone = judge(&people(500, Assigned::Treated, 0.5, 3), true);
        alone.note_unfinished(Timestamp(0));
        assert_eq!(alone.verdict, Verdict::NotConclusive);
    }

    #[test]
    fn without_prices_nothing_is_said_of_money() {
        let mut all = campaign(0.4, 0.2, 4_000);
        all.iter_mut().for_each(|subject| (subject.revenue, subject.before) = (0.0, 0.0));
        let judged = judge(&all, true);
        assert_eq!(judged.verdict, Verdict::Worked);
        assert!(!judged.words.contains("spen"), "{}", judged.words);
        let none: Vec<Subject> = all.into_iter().map(|s| Subject { orders: 0, ..s }).collect();
        let words = judge(&none, true).words;
        assert!(words.contains("No winner") && !words.contains("0.00"), "{words}");
    }

    #[test]
    fn without_a_holdout_or_without_chance_nothing_is_concluded() {
        let all = people(500, Assigned::Treated, 0.5, 3);
        let alone = judge(&all, true);
        assert_eq!(alone.verdict, Verdict::NotConclusive);
        assert!(alone.words.contains("held out"));
        assert!(alone.all.held_out.revenue.is_sign_positive());
        let chosen = judge(&campaign(0.4, 0.2, 4_000), false);
        assert_eq!(chosen.verdict, Verdict::NotConclusive);
        assert!(chosen.words.contains("chance did not decide"));
        assert_eq!(judge(&campaign(0.9, 0.1, 40), true).verdict, Verdict::NotConclusive);
    }

    #[test]
    fn sides_that_were_not_alike_before_are_not_compared() {
        let mut all = campaign(0.3, 0.2, 4_000);
        for subject in all.iter_mut().filter(|s| s.assigned == Assigned::Treated) {
            subject.before += 30.0;
        }
        assert_eq!(judge(&all, true).verdict, Verdict::NotConclusive);
    }
}
