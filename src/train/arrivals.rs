//! Places what is new: items that hardly anybody has touched get their vector from what the catalogue says, and
//! every item gets its nearest arrivals.
//!
//! Done once, on the whole log: the rehearsals do without, and the lists of neighbours that they were tuned on
//! stay as they are but for the items placed.

use super::{Learnt, TrainOptions};
use crate::catalog::Item;
use crate::embed::{ContentModel, neighbours_among};
use crate::ids::ItemId;
use crate::index::Contents;
use crate::lists::Ranked;

/// An item that so many have touched is recommended for what they did, however new it is.
const SPEAKS_FOR_ITSELF: u32 = 10;

/// Learns the content model, and from it the vectors and neighbours of items touched less than
/// `content.enough` times, and everybody's arrivals.
pub(super) fn place(learnt: &mut Learnt, items: &[Item], options: &TrainOptions) {
    let Learnt { contents, touched, .. } = learnt;
    contents.content = ContentModel::learn(items, &contents.vectors, touched, &options.content);
    let all: Vec<ItemId> = (0..contents.len()).map(ItemId::new).collect();
    let (trained, mut placed): (Vec<ItemId>, Vec<ItemId>) =
        all.iter().partition(|id| touched[id.index()] >= options.content.enough);
    placed.retain(|&id| set_vector(contents, id, &items[id.index()]));
    set_neighbours(contents, &placed, &trained, options);

    let is_little_known = |id: ItemId| touched[id.index()] < SPEAKS_FOR_ITSELF;
    let new: Vec<ItemId> = all
        .iter()
        .copied()
        .filter(|&id| is_new(contents, id, options) && is_little_known(id))
        .collect();
    let per_item = options.arrivals_per_item;
    let arrivals = neighbours_among(&contents.vectors, &all, &new, per_item, &options.neighbours);
    contents.arrivals = Ranked::of(contents.len(), &arrivals);
}

/// Puts the item where the catalogue says it belongs; false if it does not say.
fn set_vector(contents: &mut Contents, id: ItemId, item: &Item) -> bool {
    let vector = contents.content.vector(item);
    if let Some(vector) = &vector {
        contents.vectors.set(id, vector);
    }
    vector.is_some()
}

/// Their neighbours are trained items; nobody else's list changes.
fn set_neighbours(
    contents: &mut Contents,
    placed: &[ItemId],
    trained: &[ItemId],
    options: &TrainOptions,
) {
    if placed.is_empty() {
        return;
    }
    let per_item = options.neighbours_per_item;
    let found = neighbours_among(&contents.vectors, placed, trained, per_item, &options.neighbours);
    let mut found = placed.iter().zip(found.rows()).peekable();
    let mut neighbours = Ranked::new(contents.len());
    for index in 0..contents.len() {
        match found.next_if(|(id, _)| id.index() == index) {
            Some((_, row)) => neighbours.push(row.iter().map(From::from)),
            None => neighbours.push(contents.neighbours.row(index).iter()),
        }
    }
    contents.neighbours = neighbours;
}

/// Launched lately, as far as the end of the log knows.
fn is_new(contents: &Contents, id: ItemId, options: &TrainOptions) -> bool {
    let launched_at = contents.shelf.launched_at(id);
    launched_at.is_some_and(|at| {
        let days = contents.now.days_since(at);
        contents.timed && (-1.0..=f64::from(options.arrival_days)).contains(&days)
    })
}
