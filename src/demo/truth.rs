//! What was planted in a made-up shop, by the shop's own keys.

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::calendar::Calendar;
use super::customer_key;
use super::goods::Goods;
use super::visits::Visits;

/// What the answers are checked against. Every list is in the order of the catalogue or of the customers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// Items bought together, across categories.
    pub complements: Vec<Complement>,
    /// Groups of 3 to 5 items of one category that are compared and hardly ever bought together.
    pub substitutes: Vec<Vec<String>>,
    /// Items that customers buy again and again.
    pub reorder: Vec<ReorderItem>,
    /// Customers whose next reorder falls on one of the four days after the log.
    pub due: Vec<DueCustomer>,
    /// Items that rose suddenly; the last one is still rising when the log ends.
    pub bursts: Vec<Burst>,
    /// Items first sold during the log.
    pub new_arrivals: Vec<NewArrival>,
    /// Items that can't be had any more.
    pub sold_out: Vec<SoldOut>,
    /// Customers who left for good during the log.
    pub churned: Vec<FormerCustomer>,
    /// Customers who come for the sales.
    pub bargain_hunters: Vec<String>,
}

/// Of the orders with `anchor`, about `share` hold `complement` too. Not the other way round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Complement {
    /// The item that is bought first in mind.
    pub anchor: String,
    /// The item that goes with it.
    pub complement: String,
    /// 0 to 1.
    pub share: f64,
}

/// An item that is used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReorderItem {
    /// The item.
    pub item: String,
    /// The usual number of days between two purchases of one customer.
    pub every_days: u32,
}

/// A customer who needs an item again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DueCustomer {
    /// The customer.
    pub customer: String,
    /// What they are about to reorder.
    pub item: String,
}

/// An item that rose suddenly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Burst {
    /// The item.
    pub item: String,
    /// The first day of the burst.
    #[serde(serialize_with = "as_text")]
    pub first_day: Date,
    /// The last day of the burst.
    #[serde(serialize_with = "as_text")]
    pub last_day: Date,
}

/// An item first sold during the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewArrival {
    /// The item.
    pub item: String,
    /// The day from which it was sold.
    #[serde(serialize_with = "as_text")]
    pub launched_on: Date,
}

/// An item that can't be had any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SoldOut {
    /// The item.
    pub item: String,
    /// The first day without it.
    #[serde(serialize_with = "as_text")]
    pub from_day: Date,
}

/// A customer who left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FormerCustomer {
    /// The customer.
    pub customer: String,
    /// From this day on they stayed away (what they had bought may still come back).
    #[serde(serialize_with = "as_text")]
    pub left_on: Date,
}

pub(super) fn tell(goods: &Goods, calendar: &Calendar, visits: &Visits) -> Truth {
    let key = |item: usize| goods.items[item].item_id.clone();
    let date = |day: u32| calendar.days[day as usize].date;
    let facts = || goods.facts.iter().enumerate();
    let complements = goods.complements.iter().enumerate().flat_map(|(anchor, complements)| {
        complements.iter().map(move |&(complement, share)| Complement {
            anchor: key(anchor),
            complement: key(complement),
            share,
        })
    });
    let group = |members: &Vec<usize>| members.iter().map(|&item| key(item)).collect();
    let reorder = goods.reorder.iter();
    let due = visits.due.iter();
    let launched = facts().filter(|(_, facts)| facts.launch_day > 0);
    let gone = facts().filter(|(_, facts)| facts.sold_out_day < u32::MAX);
    let former = visits.former.iter();
    Truth {
        complements: complements.collect(),
        substitutes: goods.substitutes.iter().map(group).collect(),
        reorder: reorder
            .map(|&(item, every_days)| ReorderItem { item: key(item), every_days })
            .collect(),
        due: due
            .map(|&(id, item)| DueCustomer { customer: customer_key(id), item: key(item) })
            .collect(),
        bursts: (calendar.bursts.iter())
            .map(|burst| Burst {
                item: key(burst.item),
                first_day: date(burst.first),
                last_day: date(burst.last),
            })
            .collect(),
        new_arrivals: launched
            .map(|(item, facts)| NewArrival {
                item: key(item),
                launched_on: date(facts.launch_day),
            })
            .collect(),
        sold_out: gone
            .map(|(item, facts)| SoldOut { item: key(item), from_day: date(facts.sold_out_day) })
            .collect(),
        churned: former
            .map(|&(id, day)| FormerCustomer { customer: customer_key(id), left_on: date(day) })
            .collect(),
        bargain_hunters: visits.bargain_hunters.iter().copied().map(customer_key).collect(),
    }
}

/// ISO 8601: `2025-03-02`.
fn as_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}
