//! What shops say of an item's stock and of whether it is sold, in their own words.

use crate::tables::{NumberStyle, decoded};

/// Yes, no, or how many there are.
pub(super) fn in_stock(text: &[u8]) -> Option<bool> {
    let word = word(text);
    match word.trim_start_matches("https://schema.org/").trim_start_matches("http://schema.org/") {
        "true"
        | "t"
        | "yes"
        | "y"
        | "instock"
        | "available"
        | "preorder"
        | "presale"
        | "backorder"
        | "onbackorder"
        | "limitedavailability"
        | "instoreonly"
        | "onlineonly"
        | "madetoorder"
        | "ja"
        | "oui"
        | "si"
        | "sí"
        | "sì"
        | "lieferbar"
        | "sofortlieferbar"
        | "verfügbar"
        | "vorrätig"
        | "auflager"
        | "enstock"
        | "disponible"
        | "disponibile"
        | "opvoorraad" => Some(true),
        "false" | "f" | "no" | "n" | "outofstock" | "unavailable" | "notavailable" | "soldout"
        | "discontinued" | "nein" | "non" | "ausverkauft" | "nichtlieferbar" | "nichtverfügbar"
        | "nichtvorrätig" | "nichtauflager" | "vergriffen" | "rupturedestock" | "enrupture"
        | "enrupturedestock" | "épuisé" | "indisponible" | "nodisponible" | "agotado"
        | "sinstock" | "esaurito" | "nondisponibile" | "uitverkocht" | "nietopvoorraad" => {
            Some(false)
        }
        _ => NumberStyle::Point.read(text).map(|units| units > 0.0),
    }
}

/// Whether a status says that the item is not sold, whatever there is of it.
pub(super) fn is_withdrawn(status: &[u8]) -> bool {
    matches!(
        word(status).as_str(),
        "draft"
            | "archived"
            | "hidden"
            | "private"
            | "trash"
            | "disabled"
            | "inactive"
            | "unpublished"
            | "discontinued"
            | "deleted"
            | "blocked"
            | "obsolete"
            | "delisted"
            | "false"
            | "no"
            | "0"
            | "-1"
            | "f"
            | "n"
            | "nein"
            | "non"
            | "inaktiv"
            | "deaktiviert"
            | "gesperrt"
            | "ausgelaufen"
    )
}

/// A word as it is compared: in lower case, and together.
fn word(text: &[u8]) -> String {
    let word = decoded(text).to_lowercase();
    match word.strip_prefix('-') {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => word,
        _ => word.replace([' ', '_', '-'], ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_is_read_in_the_shops_own_words_and_what_is_owed_is_not_there() {
        for yes in ["yes", "Ja", "oui", "si", "Sí", "in stock", "3"] {
            assert_eq!(in_stock(yes.as_bytes()), Some(true), "{yes}");
        }
        for yes in ["https://schema.org/InStock", "onbackorder", "Vorrätig"] {
            assert_eq!(in_stock(yes.as_bytes()), Some(true), "{yes}");
        }
        for no in [
            "no",
            "Nein",
            "non",
            "sold-out",
            "0",
            "-3",
            "Nicht lieferbar",
            "http://schema.org/OutOfStock",
            "Épuisé",
        ] {
            assert_eq!(in_stock(no.as_bytes()), Some(false), "{no}");
        }
        assert_eq!(in_stock(b"perhaps"), None);
    }

    #[test]
    fn a_status_says_whether_an_item_is_sold_at_all() {
        for gone in ["draft", "Archived", "FALSE", "-1", "0", "gesperrt"] {
            assert!(is_withdrawn(gone.as_bytes()), "{gone}");
        }
        for sold in [
            "active",
            "publish",
            "Catalog, Search",
            "Not Visible Individually",
            "1",
            "2",
            "TRUE",
            "",
            "new",
            "-10",
        ] {
            assert!(!is_withdrawn(sold.as_bytes()), "{sold}");
        }
    }
}
