//! The columns an event can have, and the names shops give them.

use crate::tables::{Content, Role};

pub(super) const ITEM: usize = 0;
pub(super) const CUSTOMER: usize = 1;
pub(super) const ORDER: usize = 2;
pub(super) const SESSION: usize = 3;
pub(super) const TIMESTAMP: usize = 4;
pub(super) const EVENT_TYPE: usize = 5;
pub(super) const QUANTITY: usize = 6;
pub(super) const UNIT_PRICE: usize = 7;
pub(super) const LINE_TOTAL: usize = 8;
pub(super) const DISCOUNT: usize = 9;
pub(super) const TITLE: usize = 10;
pub(super) const TIME_OF_DAY: usize = 11;
pub(super) const STATUS: usize = 12;
pub(super) const CATEGORY: usize = 13;
pub(super) const BRAND: usize = 14;

/// In the order of the constants above.
pub(super) const ROLES: [Role; 15] = [
    Role::one(
        "item_id",
        Content::Text,
        &[
            &[
                "product_id",
                "sku",
                "article_id",
                "item",
                "article",
                "variant_id",
                "line_item_sku",
                "sku_id",
                "goods_id",
                "content_id",
                "product_key",
            ],
            &[
                "stock_code",
                "product_code",
                "item_code",
                "item_no",
                "item_number",
                "product_number",
                "product_no",
                "article_no",
                "article_number",
                "material_number",
            ],
            &["asin", "upc", "ean", "gtin", "isbn"],
            &["product", "stockcode", "aid", "pid"],
            &["variant_sku"],
            &["artikelnummer", "artikelnr", "artikel_nr"],
            // Where a till knows its goods by name only.
            &["item_name", "product_name", "item_description", "item_title", "product_title"],
            &["description"],
        ],
    ),
    Role::one(
        "customer_id",
        Content::PrivateText,
        &[
            &[
                "user_id",
                "household_id",
                "household_key",
                "visitor_id",
                "client_id",
                "member_id",
                "member_number",
                "shopper_id",
                "buyer_id",
                "customer_no",
                "customer_number",
                "customer_key",
                "cust_id",
                "consumer_id",
                "person_id",
                "account_id",
                "customer_unique_id",
            ],
            &[
                "customer",
                "user",
                "household",
                "visitor",
                "client",
                "member",
                "email",
                "customer_email",
                "email (billing)",
                "customer_user_id",
                "uid",
            ],
            &["user_pseudo_id"],
            &["kundennummer", "kundennr", "kunden_nr"],
            // Where a file knows its customers by name only.
            &["customer_name"],
        ],
    ),
    Role::one(
        "order_id",
        Content::PrivateText,
        &[
            &[
                "invoice_no",
                "invoice",
                "invoice_id",
                "invoice_number",
                "basket_id",
                "transaction_id",
                "order_no",
                "order_number",
                "receipt_id",
                "receipt_no",
                "receipt",
                "ticket_id",
                "ticket_no",
                "bill_no",
                "purchase_id",
                "sales_order_id",
            ],
            &["order", "basket", "transaction", "cart_id", "tid"],
            &["bestellnummer", "bestellnr"],
            &["auftragsnummer"],
            &["rechnungsnummer"],
            &["belegnummer"],
        ],
    ),
    Role::one(
        "session_id",
        Content::PrivateText,
        &[&[
            "session",
            "user_session",
            "visit_id",
            "session_key",
            "session_no",
            "ga_session_id",
            "sid",
        ]],
    ),
    Role::one(
        "timestamp",
        Content::Moment,
        &[
            &[
                "invoice_date",
                "transaction_timestamp",
                "event_time",
                "event_timestamp",
                "t_dat",
                "datetime",
                "date_time",
                "order_date",
                "order_time",
                "order_timestamp",
                "purchase_date",
                "purchase_time",
                "transaction_date",
                "transaction_dt",
                "transaction_time",
                "ts",
                "event_datetime",
                "occurred_at",
                "order_purchase_timestamp",
                "invoice_time",
                "sale_date",
            ],
            &["event_date", "date", "created_at", "moment"],
            // Beside each other an order's beginning goes before what became of it.
            &["order_created"],
            &["date_created"],
            &["date_paid"],
            &["date_completed"],
            &["bestelldatum"],
            &["auftragsdatum"],
            &["rechnungsdatum"],
            &["belegdatum"],
            &["datum"],
            &["time", "at"],
            &["dt", "ds"],
        ],
    ),
    Role::one(
        "event_type",
        Content::Text,
        &[
            &[
                "event",
                "event_name",
                "event_kind",
                "action",
                "action_type",
                "behavior",
                "behaviour",
                "behavior_type",
                "behaviour_type",
                "interaction",
                "interaction_type",
                "activity",
            ],
            &["type", "kind"],
        ],
    ),
    Role::one(
        "quantity",
        Content::Number,
        &[
            &[
                "qty",
                "units",
                "quantity_sold",
                "item_quantity",
                "order_quantity",
                "line_item_quantity",
                "num_units",
                "units_sold",
                "unit_quantity",
                "quantity_ordered",
                "ordered_quantity",
                "order_qty",
                "units_ordered",
                "pcs",
            ],
            &["count"],
            &["qty_ordered"],
            &["product_qty"],
            &["menge"],
            &["anzahl"],
        ],
    ),
    Role::one(
        "unit_price",
        Content::Number,
        &[
            &[
                "price",
                "item_price",
                "price_per_unit",
                "unit_cost_price",
                "line_item_price",
                "selling_price",
                "price_each",
                "product_price",
                "unit_spend",
            ],
            &["einzelpreis"],
            &["stueckpreis"],
        ],
    ),
    Role::one(
        "line_total",
        Content::Number,
        &[
            &[
                "sales_value",
                "line_amount",
                "total_price",
                "line_value",
                "sales_amount",
                "item_total",
                "sales_price",
                "extended_price",
                "line_total_price",
                "spend",
                "amount_spent",
            ],
            &["sales", "revenue", "total", "amount"],
            &["product_net_revenue"],
            &["zeilensumme"],
            &["gesamtpreis"],
        ],
    ),
    Role {
        name: "discount",
        aliases: &[&[
            "retail_disc",
            "coupon_disc",
            "coupon_match_disc",
            "discount_amount",
            "line_discount",
            "item_discount",
        ]],
        content: Content::Number,
        several: true,
    },
    Role::one(
        "title",
        Content::Text,
        &[
            &[
                "item_title",
                "product_title",
                "product_name",
                "item_name",
                "line_item_name",
                "prod_name",
                "article_name",
            ],
            &["name"],
            &["artikelbezeichnung"],
            &["bezeichnung"],
            &["artikelname"],
            &["produktname", "titel"],
            &["description", "product_description", "item_description"],
        ],
    ),
    Role::one(
        "time_of_day",
        Content::TimeOfDay,
        &[
            &[
                "order_time",
                "invoice_time",
                "transaction_time",
                "purchase_time",
                "sale_time",
                "receipt_time",
                "event_time",
            ],
            &["time"],
        ],
    ),
    Role::one(
        "status",
        Content::Text,
        &[
            &["item_status"],
            &["line_status"],
            &["order_status"],
            &["financial_status"],
            &["payment_status"],
            &["fulfillment_status"],
        ],
    ),
    // Levels, the widest first.
    Role {
        name: "category",
        aliases: &[&[
            "department",
            "department_name",
            "main_category",
            "hauptkategorie",
            "warengruppe",
            "level1",
            "category1",
            "category_1",
            "category",
            "kategorie",
            "category_name",
            "category_path",
            "category_code",
            "categories",
            "item_category",
            "product_category",
            "product_category_name",
            "product_line",
            "level2",
            "category2",
            "category_2",
            "sub_category",
            "unterkategorie",
            "product_sub_category",
            "aisle",
            "level3",
            "category3",
            "category_3",
            "product_type",
            "product_type_name",
        ]],
        content: Content::Text,
        several: true,
    },
    Role::one(
        "brand",
        Content::Text,
        &[&["brand_name", "item_brand", "vendor"], &["manufacturer"], &["marke", "hersteller"]],
    ),
];

/// The roles in a file with such columns: where lines are `Lineitem …`, in Shopify's export, the order is `Name`, and
/// money that is no line's is none of theirs.
pub(super) fn roles(columns: &[String]) -> [Role; ROLES.len()] {
    let mut roles = ROLES;
    if columns.iter().any(|column| column.eq_ignore_ascii_case("Lineitem name")) {
        roles[ORDER].aliases = &[&["name"]];
        // `Discount Amount` and `Total` are the order's, and stand on its first line.
        roles[DISCOUNT].aliases = &[&["lineitem_discount"]];
        roles[LINE_TOTAL].aliases = &[];
    }
    roles
}
