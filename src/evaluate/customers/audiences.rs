//! Audiences, held against the weeks after: did those picked do what they were picked for?

use rustc_hash::{FxHashMap, FxHashSet};

use super::measures::interval;
use super::{Beside, CustomerCase, CustomerReport};
use crate::audiences::{Audience, Picker};
use crate::catalog::Item;
use crate::customers::Buyer;
use crate::events::EventKind;
use crate::ids::ItemId;

/// Picks that are judged, at most.
const MOST_PICKS: usize = 1_000;
/// New items judged, at most, and how often each must have sold.
const NEW_ITEMS: usize = 50;
const LEAST_SOLD: u32 = 10;
/// Customers picked for each.
const PER_NEW_ITEM: usize = 100;
const DUE_DAYS: u32 = 7;
const INTEREST_DAYS: u32 = 14;

/// Whom, how sure, and whether they did.
type Picked = (usize, f64, bool);

fn bought_after(case: &CustomerCase<'_>, days: u32) -> FxHashSet<(usize, ItemId)> {
    let purchases = case.after(days).filter(|event| event.kind == EventKind::Purchase);
    purchases.filter_map(|event| Some((event.customer?.index(), event.item))).collect()
}

fn buyers<'a>(case: &CustomerCase<'a>) -> impl Iterator<Item = (usize, &'a Buyer)> {
    let profiles = case.profiles.iter().enumerate();
    profiles.filter_map(|(customer, profile)| Some((customer, profile.buyer.as_ref()?)))
}

/// Pairs of customer and item whose time has come, beside the pairs bought last, and most often.
pub(super) fn reorder_due(case: &CustomerCase<'_>, report: &mut CustomerReport) {
    let audience = Audience::ReorderDue { within_days: DUE_DAYS };
    let Ok(picker) = Picker::new(case.contents, case.clientele, &audience) else { return };
    let came = bought_after(case, DUE_DAYS);
    let (mut ours, mut latest, mut often): (Vec<Picked>, Vec<Picked>, Vec<Picked>) =
        Default::default();
    for (customer, buyer) in buyers(case) {
        for bought in &case.histories[customer].bought {
            let did = came.contains(&(customer, bought.item));
            if let Some(score) = picker.due_score(bought, DUE_DAYS, buyer) {
                ours.push((customer, score, did));
            }
            if bought.times > 0 {
                latest.push((customer, bought.last.0 as f64, did));
                often.push((customer, f64::from(bought.times), did));
            }
        }
    }
    if ours.len() < 100 {
        report.left_out.push("reorder-due: hardly anything is bought again here".into());
        return;
    }
    let most = MOST_PICKS.min(ours.len().div_ceil(4));
    let what = "reorder-due: bought within 7 days";
    let ours = best(ours, most);
    let rules = [("what was bought last", latest), ("what was bought most often", often)];
    for (rule, theirs) in rules {
        report.figures.push(precision(what, rule, ours.clone(), best(theirs, most)));
    }
}

/// Customers with something in the cart, best first, beside all of them.
pub(super) fn interest(case: &CustomerCase<'_>, report: &mut CustomerReport) {
    let audience = Audience::Interest { from_days: 3, to_days: 10 };
    let Ok(picker) = Picker::new(case.contents, case.clientele, &audience) else { return };
    let came = bought_after(case, INTEREST_DAYS);
    let mut all: Vec<Picked> = Vec::new();
    for (customer, profile) in case.profiles.iter().enumerate() {
        if let Some(pick) = picker.pick(profile, Some(&case.histories[customer])) {
            let did = pick.items.iter().any(|&item| came.contains(&(customer, item)));
            all.push((customer, pick.score, did));
        }
    }
    if all.len() < 100 {
        let count = all.len();
        report
            .left_out
            .push(format!("interest: {count} carts and wishes were left 3 to 10 days before"));
        return;
    }
    let most = all.len().div_ceil(5);
    let what = "interest: bought what was left in the cart within 14 days, best fifth";
    report.figures.push(precision(what, "all cart-abandoners", best(all.clone(), most), all));
}

/// For items that nobody had bought: customers near them, beside buyers of their category.
pub(super) fn new_arrival(case: &CustomerCase<'_>, report: &mut CustomerReport) {
    let fresh = case.new_items();
    let fresh: Vec<ItemId> = fresh
        .into_iter()
        .filter(|&(_, sold)| sold >= LEAST_SOLD)
        .map(|(item, _)| item)
        .take(NEW_ITEMS)
        .collect();
    if fresh.is_empty() {
        report.left_out.push("new-arrival: nothing new was sold often enough".into());
        return;
    }
    let came = bought_after(case, case.days);
    let (mut ours, mut theirs): (Vec<Picked>, Vec<Picked>) = Default::default();
    for &item in &fresh {
        let audience = Audience::NewArrival { items: vec![item] };
        let Ok(picker) = Picker::new(case.contents, case.clientele, &audience) else { return };
        let score = |customer: usize| {
            let profile = &case.profiles[customer];
            Some(picker.pick(profile, Some(&case.histories[customer]))?.score)
        };
        let in_category = category_counts(case, item);
        let count = |customer: usize| in_category.get(&customer).map(|&count| f64::from(count));
        let picked = |score: &dyn Fn(usize) -> Option<f64>| -> Vec<Picked> {
            let all = buyers(case).filter_map(|(customer, _)| {
                Some((customer, score(customer)?, came.contains(&(customer, item))))
            });
            best(all.collect(), PER_NEW_ITEM)
        };
        ours.extend(picked(&score));
        theirs.extend(picked(&count));
    }
    let what = format!("new-arrival: bought one of {} new items", fresh.len());
    report.figures.push(precision(&what, "buyers of the category", ours, theirs));
}

/// By customer, how often they bought of the item's category; of anything, if it has none.
fn category_counts(case: &CustomerCase<'_>, item: ItemId) -> FxHashMap<usize, u32> {
    let category = |item: ItemId| -> &Item { &case.contents.items[item.index()] };
    let wanted = &category(item).category;
    let mut counts = FxHashMap::default();
    for (customer, _) in buyers(case) {
        let bought = case.histories[customer].bought.iter();
        let within = bought.filter(|b| category(b.item).category == *wanted);
        let count: u32 = within.map(|bought| bought.times).sum();
        if count > 0 {
            counts.insert(customer, count);
        }
    }
    counts
}

/// The `most` with the highest scores; ties by customer.
fn best(mut picks: Vec<Picked>, most: usize) -> Vec<Picked> {
    picks.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    picks.truncate(most);
    picks
}

/// Shares of picks that came true, beside each other; the interval is over customers.
fn precision(what: &str, rule: &str, ours: Vec<Picked>, theirs: Vec<Picked>) -> Beside {
    let mut customers: Vec<usize> = ours.iter().chain(&theirs).map(|pick| pick.0).collect();
    customers.sort_unstable();
    customers.dedup();
    let tally = |picks: &[Picked]| -> Vec<(f64, f64)> {
        let mut tally = vec![(0.0, 0.0); customers.len()];
        for (customer, _, did) in picks {
            let place = customers.binary_search(customer).expect("it was collected above");
            tally[place].0 += f64::from(u8::from(*did));
            tally[place].1 += 1.0;
        }
        tally
    };
    let (ours_by, theirs_by) = (tally(&ours), tally(&theirs));
    let share = |by: &[(f64, f64)], places: &[usize]| {
        let (hits, picks) =
            places.iter().fold((0.0, 0.0), |sum, &p| (sum.0 + by[p].0, sum.1 + by[p].1));
        hits / f64::max(picks, 1.0)
    };
    let all: Vec<usize> = (0..customers.len()).collect();
    let (low, high) =
        interval(customers.len(), |places| share(&ours_by, places) - share(&theirs_by, places));
    Beside {
        what: what.into(),
        metric: format!("precision@{}", ours.len()),
        rule: rule.into(),
        cases: ours.len() as u64,
        ours: share(&ours_by, &all),
        theirs: share(&theirs_by, &all),
        low,
        high,
        less_is_better: false,
    }
}
