//! Everybody held against an audience: the best of them, and the part that is held out.

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

use super::ask::Audience;
use super::pick::{Pick, Picker, day_text};
use crate::catalog::Shelf;
use crate::error::{Error, Result, Violation};
use crate::index::Snapshot;

/// Fewer are not worth looking through.
const LEAST_PRUNED: usize = 512;

/// Whom of it, how many, and how much of them is held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Only those who meet this condition over the customer's fields, if there is one: `attributes.consent = "yes"`.
    pub only: Option<String>,
    /// At most so many, the best; `None` = all.
    pub limit: Option<usize>,
    /// Share that is not written to, so that the campaign can be judged; 0 to 1.
    pub holdout: f64,
    /// Decides, with the salt, who is held out: another campaign holds out others.
    pub campaign: String,
    /// Of the shop; keeps others from telling who is held out.
    pub salt: String,
}

/// One customer of an audience.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The shop's key, or the hash it keeps instead.
    pub customer: String,
    /// Score, reason, items.
    pub pick: Pick,
    /// True for those who are not to be written to.
    pub held_out: bool,
}

impl Chosen {
    /// The day on which the first item is due, as YYYY-MM-DD; empty if the audience is not about that.
    pub fn due_day(&self) -> String {
        self.pick.due.map(day_text).unwrap_or_default()
    }
}

/// The audience of a generation, best first, then by name. Nothing is shown that is not on the shelf.
///
/// Errors: the audience makes no sense here; the share is none; the disk.
pub fn select(
    snapshot: &Snapshot,
    shelf: &Shelf,
    audience: &Audience,
    selection: &Selection,
) -> Result<Vec<Chosen>> {
    if !(0.0..=1.0).contains(&selection.holdout) {
        return Err(Error::InvalidRequest(vec![Violation {
            field: "holdout".into(),
            description: format!("must be a share from 0 to 1, and is {}", selection.holdout),
        }]));
    }
    let clientele = snapshot.customers.clientele()?;
    let picker = |audience| Picker::new(&snapshot.contents, shelf, &clientele, audience);
    let only = selection.only.clone().map(Audience::Where);
    let only = only.as_ref().map(picker).transpose().map_err(|error| error.within("only."))?;
    let picker = picker(audience)?;
    let limit = selection.limit.unwrap_or(usize::MAX);
    let best_first = |a: &Chosen, b: &Chosen| {
        b.pick.score.total_cmp(&a.pick.score).then_with(|| a.customer.cmp(&b.customer))
    };
    let mut chosen = Vec::new();
    for entry in snapshot.customers.profiles() {
        let (customer, profile) = entry?;
        if only.as_ref().is_some_and(|only| only.pick(&profile, None).is_none()) {
            continue;
        }
        let history = match picker.needs_history() {
            true => snapshot.customers.stored_history(&customer)?,
            false => None,
        };
        if let Some(pick) = picker.pick(&profile, history.as_ref()) {
            let held_out = is_held_out(&customer, selection);
            chosen.push(Chosen { customer, pick, held_out });
        }
        // Of a few out of many, most are let go as they come.
        if chosen.len() / 2 > limit.max(LEAST_PRUNED) {
            chosen.select_nth_unstable_by(limit, best_first);
            chosen.truncate(limit);
        }
    }
    chosen.sort_by(best_first);
    chosen.truncate(limit);
    Ok(chosen)
}

/// Whether a customer is held out of a campaign: the first 8 bytes of BLAKE2b over salt, campaign and
/// customer, as a share of all there could be, below [`Selection::holdout`].
pub fn is_held_out(customer: &str, selection: &Selection) -> bool {
    let mut hasher = Blake2b::<U8>::new();
    for part in [&selection.salt, &selection.campaign, customer] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let place = u64::from_be_bytes(hasher.finalize().into());
    (place as f64) < selection.holdout * 2f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(campaign: &str, salt: &str) -> Selection {
        let (campaign, salt) = (campaign.to_owned(), salt.to_owned());
        Selection { only: None, limit: None, holdout: 0.1, campaign, salt }
    }

    #[test]
    fn a_tenth_is_held_out_always_the_same_and_others_in_another_campaign() {
        let held = |campaign: &str, salt: &str| -> Vec<usize> {
            let selection = selection(campaign, salt);
            (0..20_000).filter(|n| is_held_out(&format!("c{n}"), &selection)).collect()
        };
        let spring = held("spring", "s");
        assert!((1_850..2_150).contains(&spring.len()), "{}", spring.len());
        assert_eq!(spring, held("spring", "s"));
        for other in [held("summer", "s"), held("spring", "t")] {
            let both = spring.iter().filter(|n| other.contains(n)).count();
            assert!(both < 300, "a tenth of a tenth: {both}");
        }
    }

    #[test]
    fn nobody_and_everybody_can_be_held_out() {
        let none = Selection { holdout: 0.0, ..selection("a", "b") };
        let all = Selection { holdout: 1.0, ..selection("a", "b") };
        assert!((0..100).all(|n| !is_held_out(&n.to_string(), &none)));
        assert!((0..100).all(|n| is_held_out(&n.to_string(), &all)));
    }
}
