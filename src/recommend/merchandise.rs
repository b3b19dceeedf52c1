//! The shop's rules that act on one answer, made ready to be asked.

use std::sync::Arc;

use super::reason::{Reason, RuleAct};
use super::sieve::{Condition, Sieves};
use super::terms::Terms;
use crate::catalog::Shelf;
use crate::ids::ItemId;
use crate::merchandising::Action;

/// What the shop's rules ask of one answer.
#[derive(Debug, Default)]
pub(super) struct Acting {
    /// Item, place from 1, and the rule that wants it there; by place.
    pub(super) pins: Vec<(ItemId, usize, Arc<str>)>,
    pub(super) weighs: Vec<Weigh>,
    pub(super) promotions: Vec<Promotion>,
    /// What passes one of these is left out.
    pub(super) hides: Vec<Condition>,
}

/// A score that is multiplied.
#[derive(Debug)]
pub(super) struct Weigh {
    pub(super) condition: Condition,
    pub(super) factor: f32,
    rule: Arc<str>,
}

/// Places that are kept.
#[derive(Debug)]
pub(super) struct Promotion {
    pub(super) condition: Condition,
    /// Of all places, 0 to 1.
    pub(super) share: f64,
    rule: Arc<str>,
}

impl Weigh {
    pub(super) fn reason(&self) -> Reason {
        let act = if self.factor > 1.0 { RuleAct::Boosted } else { RuleAct::Buried };
        Reason::Rule { id: self.rule.clone(), act }
    }
}

impl Promotion {
    pub(super) fn reason(&self) -> Reason {
        Reason::Rule { id: self.rule.clone(), act: RuleAct::Promoted }
    }
}

impl Acting {
    /// The rules that act in `placement`, where `asked` are the items asked about.
    pub(super) fn of(
        terms: &Terms<'_>,
        placement: &str,
        shelf: &Shelf,
        asked: &[ItemId],
        sieves: &mut Sieves,
    ) -> Self {
        let mut acting = Self::default();
        let Some(rules) = terms.rules.filter(|rules| !rules.is_empty()) else { return acting };
        let rows: Vec<_> = asked.iter().map(|item| shelf.row(*item)).collect();
        for rule in rules.acting(placement, terms.now, &rows) {
            let id = rule.id.clone();
            match &rule.action {
                Action::Pin { item, position } => {
                    acting.pins.extend(shelf.get(item).map(|item| (item, *position, id)));
                }
                Action::Weigh { filter, factor } => {
                    let condition = sieves.condition(filter, None);
                    acting.weighs.push(Weigh { condition, factor: *factor, rule: id });
                }
                Action::Hide { filter } => acting.hides.push(sieves.condition(filter, None)),
                Action::Promote { filter, share } => {
                    let condition = sieves.condition(filter, None);
                    acting.promotions.push(Promotion { condition, share: *share, rule: id });
                }
            }
        }
        acting.pins.sort_by_key(|(_, position, _)| *position);
        acting
    }
}
