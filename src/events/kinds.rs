//! The words shops use for what customers do.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::EventKind;
use crate::{Error, Result};

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Kind(EventKind),
    /// Known, and nothing is learnt from it.
    Ignore,
}

const WORDS: [(EventKind, &[&str]); 5] = [
    (
        EventKind::View,
        &[
            "view",
            "views",
            "viewed",
            "pageview",
            "detailpageview",
            "productview",
            "viewitem",
            "viewproduct",
            "productviewed",
            "itemview",
            "visit",
            "click",
            "clicks",
            "clicked",
            "selectitem",
            "browse",
            "detail",
            "pv",
        ],
    ),
    (
        EventKind::Cart,
        &[
            "cart",
            "carts",
            "addtocart",
            "addcart",
            "cartadd",
            "addedtocart",
            "productadded",
            "basket",
            "addtobasket",
            "addtobag",
            "bag",
        ],
    ),
    (
        EventKind::Favorite,
        &[
            "favorite",
            "favourite",
            "favorites",
            "favourites",
            "fav",
            "wishlist",
            "addtowishlist",
            "addtofavorites",
            "addtofavourites",
            "like",
            "liked",
            "love",
            "bookmark",
            "save",
            "saved",
        ],
    ),
    (
        EventKind::Purchase,
        &[
            "purchase",
            "purchases",
            "purchased",
            "purchasecomplete",
            "buy",
            "bought",
            "order",
            "orders",
            "ordered",
            "ordercompleted",
            "transaction",
            "sale",
            "sold",
            "sell",
            "payment",
            "paid",
        ],
    ),
    (
        EventKind::Return,
        &[
            "return",
            "returns",
            "returned",
            "refund",
            "refunded",
            "cancel",
            "canceled",
            "cancelled",
            "cancellation",
            "chargeback",
        ],
    ),
];

const IGNORED: [&str; 14] = [
    "removefromcart",
    "removedfromcart",
    "cartremove",
    "remove",
    "impression",
    "impressions",
    "viewitemlist",
    "viewcart",
    "begincheckout",
    "checkout",
    "search",
    "homepageview",
    "categorypageview",
    "shoppingcartpageview",
];

/// Word → meaning, the shop's own words before ours.
#[derive(Clone, Debug)]
pub(super) struct Words(FxHashMap<String, Meaning>);

impl Words {
    /// Errors: a word is mapped to something that is no kind.
    pub(super) fn with(own: &BTreeMap<String, String>) -> Result<Self> {
        let mut words = FxHashMap::default();
        for (kind, ours) in WORDS {
            words.extend(ours.iter().map(|word| (word.to_string(), Meaning::Kind(kind))));
        }
        words.extend(IGNORED.map(|word| (word.to_string(), Meaning::Ignore)));
        for (word, meaning) in own {
            words.insert(plain(word), canonical(word, meaning)?);
        }
        Ok(Self(words))
    }

    pub(super) fn meaning(&self, word: &[u8]) -> Option<Meaning> {
        let word = std::str::from_utf8(word).ok()?;
        // Most words are written plainly: no need to make a plain one.
        self.0.get(word).or_else(|| self.0.get(&plain(word))).copied()
    }
}

fn canonical(word: &str, meaning: &str) -> Result<Meaning> {
    Ok(match meaning {
        "view" => Meaning::Kind(EventKind::View),
        "cart" => Meaning::Kind(EventKind::Cart),
        "favorite" => Meaning::Kind(EventKind::Favorite),
        "purchase" => Meaning::Kind(EventKind::Purchase),
        "return" => Meaning::Kind(EventKind::Return),
        "ignore" => Meaning::Ignore,
        _ => {
            return Err(Error::Config(format!(
                "event_types: {word:?} = {meaning:?}: expected view, cart, favorite, purchase, return or ignore"
            )));
        }
    })
}

fn plain(word: &str) -> String {
    let letters = word.chars().filter(|letter| !letter.is_whitespace() && !"_-.".contains(*letter));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_however_it_is_spelt_and_the_shops_own_words_come_first() {
        let own = BTreeMap::from([
            ("Vu".to_string(), "view".to_string()),
            ("like".to_string(), "ignore".to_string()),
        ]);
        let words = Words::with(&own).unwrap();
        assert_eq!(words.meaning(b"Add to Cart"), Some(Meaning::Kind(EventKind::Cart)));
        assert_eq!(words.meaning(b"detail-page-view"), Some(Meaning::Kind(EventKind::View)));
        assert_eq!(words.meaning(b"VU"), Some(Meaning::Kind(EventKind::View)));
        assert_eq!(words.meaning(b"like"), Some(Meaning::Ignore));
        assert_eq!(words.meaning(b"dance"), None);
        assert_eq!(words.meaning(b"\xff"), None);
        let wrong = BTreeMap::from([("x".to_string(), "y".to_string())]);
        assert!(Words::with(&wrong).unwrap_err().to_string().contains("expected view"));
    }
}
