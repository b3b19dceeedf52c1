//! The columns an item can have, and the names shops give them.

use crate::tables::{Content, Role};

pub(super) const ITEM: usize = 0;
pub(super) const TITLE: usize = 1;
pub(super) const CATEGORY: usize = 2;
pub(super) const BRAND: usize = 3;
pub(super) const PRICE: usize = 4;
pub(super) const COST: usize = 5;
pub(super) const IN_STOCK: usize = 6;
pub(super) const GROUP: usize = 7;
pub(super) const LAUNCHED: usize = 8;
pub(super) const STOCK: usize = 9;
pub(super) const SELLABLE: usize = 10;

/// In the order of the constants above; several category columns are levels, widest first.
pub(super) const ROLES: [Role; 11] = [
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
                "sku_id",
                "goods_id",
                "content_id",
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
            &["variant_sku"],
            &["artikelnummer", "artikelnr", "artikel_nr"],
            &["product", "aid", "pid", "id"],
            // A catalogue of bare names, like groceries.
            &["name"],
            &["item_name", "product_name", "item_description", "item_title", "product_title"],
        ],
    ),
    Role::one(
        "title",
        Content::Text,
        &[
            &[
                "item_title",
                "product_title",
                "product_name",
                "item_name",
                "prod_name",
                "article_name",
            ],
            &["name"],
            &["artikelbezeichnung", "produktname", "artikelname"],
            &["bezeichnung", "titel"],
            &["description", "product_description", "item_description", "detail_desc"],
        ],
    ),
    Role {
        name: "category",
        aliases: &[&[
            "department",
            "department_name",
            "division",
            "index_group_name",
            "level0",
            "level1",
            "category1",
            "category_1",
            "main_category",
            "hauptkategorie",
            "warengruppe",
            "category",
            "kategorie",
            "l1",
            "category_name",
            "category_path",
            "category_code",
            "categories",
            "product_category",
            "product_group_name",
            "product_category_name",
            "level2",
            "category2",
            "category_2",
            "sub_category",
            "unterkategorie",
            "l2",
            "aisle",
            "level3",
            "category3",
            "category_3",
            "l3",
            "product_type",
            "product_type_name",
            "level4",
            "category4",
        ]],
        content: Content::Text,
        several: true,
    },
    Role::one(
        "brand",
        Content::Text,
        &[
            &["brand_name", "product_brand", "maker", "label", "vendor"],
            &["manufacturer"],
            &["marke", "hersteller"],
        ],
    ),
    Role::one(
        "price",
        Content::Number,
        &[
            &[
                "unit_price",
                "selling_price",
                "list_price",
                "item_price",
                "product_price",
                "retail_price",
                "product_retail_price",
            ],
            &["variant_price"],
            &["regular_price"],
            &["verkaufspreis"],
            &["preis"],
        ],
    ),
    Role::one(
        "cost",
        Content::Number,
        &[
            &["unit_cost", "cost_price", "purchase_price", "item_cost", "product_cost"],
            &["cost_per_item"],
            &["einkaufspreis"],
        ],
    ),
    Role::one(
        "in_stock",
        Content::Text,
        &[
            &[
                "available",
                "availability",
                "is_available",
                "stock",
                "stock_quantity",
                "inventory",
                "inventory_quantity",
            ],
            &["variant_inventory_qty"],
            &["stock_status"],
            &["lagerbestand"],
            &["bestand"],
        ],
    ),
    Role::one(
        "group_id",
        Content::Text,
        &[
            &[
                "item_group_id",
                "parent_id",
                "parent_sku",
                "product_group_id",
                "primary_product_id",
                "variant_group_id",
            ],
            &["handle"],
        ],
    ),
    Role::one(
        "launched_at",
        Content::Moment,
        &[
            &["launch_date", "launched", "available_from", "release_date", "introduced_at"],
            &["created_at"],
        ],
    ),
    Role::one(
        "stock",
        Content::Number,
        &[
            &["stock_quantity", "inventory", "inventory_quantity", "units_in_stock"],
            &["variant_inventory_qty"],
            &["lagerbestand"],
            &["bestand"],
        ],
    ),
    Role {
        name: "sellable",
        aliases: &[&[
            "status",
            "product_status",
            "item_status",
            "published",
            "is_published",
            "visibility",
            "visibility_in_catalog",
            "visible",
            "is_visible",
            "active",
            "is_active",
            "enabled",
            "is_enabled",
            "is_sellable",
            "for_sale",
        ]],
        content: Content::Text,
        several: true,
    },
];
