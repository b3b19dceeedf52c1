//! Who may want an item that is new: what is near it, by sales where there are any, by content where not, and who
//! took to new things before.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::customers::{ArrivalModel, Clientele, History, Interests, Kin, Likeness};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::time::Timestamp;

/// Sales of the item that speak as loudly as its content does.
const SALES_PRIOR: f32 = 20.0;

/// What is new, and how pasts speak for it.
#[derive(Clone, Debug)]
pub(super) struct Newcomers {
    kin: Vec<Kin>,
    items: FxHashSet<ItemId>,
    model: ArrivalModel,
    interests: Interests,
    now: Timestamp,
}

impl Newcomers {
    pub(super) fn of(contents: &Contents, clientele: &Clientele, new: &[ItemId]) -> Self {
        let likeness = Likeness::of_shelf(&contents.shelf, &contents.categories);
        let kin = |&item: &ItemId| {
            let sold = contents.bought.item_groups.get(item.index()).copied().unwrap_or(0) as f32;
            let mut kin = likeness.kin(item);
            kin.told_by_sales(&by_sales(contents, item), sold / (sold + SALES_PRIOR));
            kin
        };
        Self {
            kin: new.iter().map(kin).collect(),
            items: new.iter().copied().collect(),
            model: clientele.arrivals.clone(),
            interests: contents.interests,
            now: contents.now,
        }
    }

    /// How much a customer's past speaks for the new items, all odds together, and the item that does most; `None`
    /// for one who has bought one of them already, or of whose past nothing is near.
    pub(super) fn called_by(&self, history: &History) -> Option<(f64, ItemId)> {
        let has = |item: &ItemId| self.items.contains(item);
        if history.bought.iter().any(|bought| has(&bought.item)) {
            return None;
        }
        let callings = self
            .kin
            .iter()
            .filter_map(|kin| self.model.calling(kin, history, &self.interests, self.now));
        let (mut sum, mut best) = (0.0, None::<(f64, ItemId)>);
        for calling in callings {
            sum += calling.odds;
            if best.is_none_or(|(most, _)| calling.odds > most) {
                best = Some((calling.odds, calling.because));
            }
        }
        best.map(|(_, because)| (sum, because))
    }
}

/// What is bought with it, wanted by the same customers, or calls for it.
fn by_sales(contents: &Contents, item: ItemId) -> FxHashMap<ItemId, f32> {
    let mut near: FxHashMap<ItemId, f32> = FxHashMap::default();
    let mut raise = |other: ItemId, by: f32| *near.entry(other).or_default() += by;
    for rules in [&contents.bought.lists, &contents.collected.lists] {
        let row = rules.ranked().row(item.index());
        row.iter().for_each(|(other, score)| raise(other, score / row.best()));
    }
    contents.neighbours.row(item.index()).iter().for_each(|(other, cosine)| raise(other, cosine));
    for (other, pulls) in contents.drawn.rows().enumerate() {
        if let Some(weight) = pulls.of(item) {
            raise(ItemId::new(other), 2.0 * weight);
        }
    }
    near.retain(|_, says| *says > 0.0);
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Item;
    use crate::customers::{Bought, Glance};
    use crate::ids::Interner;

    fn bought(item: usize) -> Bought {
        let never = Bought::never(ItemId::new(item), Timestamp(0));
        Bought { times: 1, strength: 1.0, lately: 1.0, ..never }
    }

    #[test]
    fn an_item_that_was_never_sold_is_wanted_by_those_who_bought_its_like() {
        let item = |title: &str, category: &str| Item {
            title: Some(title.into()),
            category: vec!["Home".into(), category.into()],
            ..Item::default()
        };
        let items = vec![
            item("red tea pot", "Kitchen"),
            item("blue tea pot", "Kitchen"),
            item("garden hose", "Garden"),
        ];
        let mut keys = Interner::default();
        (0..items.len()).for_each(|item| _ = keys.intern(&item.to_string()));
        let contents = Contents::of(keys.into(), &items).finish();
        let newcomers = Newcomers::of(&contents, &Clientele::default(), &[ItemId::new(0)]);
        let past = |items: &[usize]| History {
            bought: items.iter().copied().map(bought).collect(),
            glances: Vec::<Glance>::new(),
            orders: 1,
            ..History::default()
        };
        let like = newcomers.called_by(&past(&[1])).unwrap();
        let unlike = newcomers.called_by(&past(&[2]));
        assert!(unlike.is_none_or(|(odds, _)| odds < 0.5 * like.0), "{like:?} {unlike:?}");
        assert_eq!(like.1, ItemId::new(1));
        assert_eq!(newcomers.called_by(&past(&[0, 1])), None, "who has it is left in peace");
        assert_eq!(newcomers.called_by(&past(&[])), None);
    }
}
