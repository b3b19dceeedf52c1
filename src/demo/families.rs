//! What the made-up shop could sell: departments, families of goods, and which family goes with which.
//!
//! Only words and numbers; [`super::goods`] makes items of them. Families stand in the order in which
//! a small shop takes them up, so the first few already hold complements and things to reorder.

/// A top-level category with its own brands and season.
pub(super) struct Department {
    /// The first part of the category path.
    pub(super) name: &'static str,
    /// The first letters of its item ids.
    pub(super) prefix: &'static str,
    pub(super) brands: [&'static str; 8],
    /// Interest per month, January first; 1.0 is the best month.
    pub(super) season: [f64; 12],
}

/// How customers choose within a family.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// They compare several and buy one: members of a shelf are substitutes.
    PickOne,
    /// They may well take several kinds.
    Mix,
}

/// What tells the variants of one product apart.
#[derive(Clone, Copy)]
pub(super) enum Variants {
    Color(&'static [&'static str]),
    /// With the price of each, in percent of the usual size's.
    Size(&'static [(&'static str, u32)]),
}

/// Goods of one kind: the items of a family share noun and category.
pub(super) struct Family {
    pub(super) category: &'static str,
    pub(super) noun: &'static str,
    pub(super) styles: [&'static str; 6],
    pub(super) variants: Variants,
    /// Cheapest and dearest of the usual size, in cents.
    pub(super) price_cents: (u32, u32),
    pub(super) choice: Choice,
    /// Things that are used up: fewest and most days a customer gets by with one.
    pub(super) lasts_days: Option<(u32, u32)>,
}

/// `anchor → complement`: of the orders with the anchor, this share gets the complement too.
pub(super) struct GoesWith {
    pub(super) anchor: &'static str,
    pub(super) complement: &'static str,
    pub(super) share: f64,
}

const ALL_YEAR: [f64; 12] = [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.95, 1.0, 1.0];
const SUMMER: [f64; 12] = [0.35, 0.45, 0.75, 1.0, 1.0, 0.95, 0.85, 0.75, 0.65, 0.5, 0.35, 0.35];
const WINTER: [f64; 12] = [0.75, 0.7, 0.6, 0.55, 0.5, 0.5, 0.5, 0.5, 0.65, 0.8, 1.0, 1.0];

pub(super) const DEPARTMENTS: [Department; 10] = [
    Department {
        name: "Kitchen",
        prefix: "KIT",
        brands: [
            "Copperpot",
            "Hob & Hearth",
            "Saltmarsh",
            "Mrs Pemberton",
            "Nordvik",
            "Tin Whistle",
            "Stovetop Co.",
            "Ladle & Son",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Pantry",
        prefix: "PAN",
        brands: [
            "Nonna Rosa",
            "Millstone",
            "Three Larders",
            "Harvest Home",
            "Sunny Acre",
            "Old Jetty",
            "Corner Cupboard",
            "Pick of the Patch",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Drinks",
        prefix: "DRK",
        brands: [
            "Early Bird",
            "Kettle & Leaf",
            "Black Cat Roasters",
            "Ferrywoman",
            "Hilltop",
            "Two Spoons",
            "Lantern Street",
            "Morning Post",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Bath",
        prefix: "BAT",
        brands: [
            "Pebble & Foam",
            "Wild Nettle",
            "Aunt Clara's",
            "Seagrass",
            "Barber Brothers",
            "Plain Jane",
            "Blue Basin",
            "Meadowsweet",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Cleaning",
        prefix: "CLN",
        brands: [
            "Bright Bucket",
            "Elbow Grease & Co",
            "Spick",
            "Lemon Lane",
            "Tidy Fox",
            "Monday Wash",
            "Clearwater",
            "Good Riddance",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Garden",
        prefix: "GAR",
        brands: [
            "Green Thumb",
            "Robin & Spade",
            "Potting Shed",
            "Slow Snail",
            "Hedgerow",
            "Allotment No. 9",
            "Bramble",
            "Rain Barrel",
        ],
        season: SUMMER,
    },
    Department {
        name: "Pets",
        prefix: "PET",
        brands: [
            "Good Boy Bruno",
            "Whisker & Co",
            "Muddy Paws",
            "Captain Fluff",
            "Barkley",
            "Nine Lives",
            "Tail End",
            "Little Growl",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Home",
        prefix: "HOM",
        brands: [
            "Fireside",
            "Linen Lark",
            "Quiet House",
            "Oak & Ember",
            "Lamplighter",
            "Sunday Best",
            "Cosy Nook",
            "Hallway",
        ],
        season: WINTER,
    },
    Department {
        name: "Baby",
        prefix: "BAB",
        brands: [
            "Little Acorn",
            "Lullaby",
            "Tiny Toes",
            "Peekaboo",
            "Dandelion",
            "Bib & Tucker",
            "Moonbeam",
            "Patter",
        ],
        season: ALL_YEAR,
    },
    Department {
        name: "Stationery",
        prefix: "STA",
        brands: [
            "Inkwell",
            "Paper Kite",
            "Scribe & Co",
            "Blotter",
            "Margin Notes",
            "Post Haste",
            "Dog-Ear",
            "Fine Line",
        ],
        season: WINTER,
    },
];

const COLORS: Variants =
    Variants::Color(&["sage green", "cream", "ink blue", "terracotta", "charcoal", "mustard"]);
const WEIGHTS: Variants =
    Variants::Size(&[("500 g", 100), ("250 g", 60), ("1 kg", 180), ("750 g", 140), ("2 kg", 330)]);
const VOLUMES: Variants =
    Variants::Size(&[("500 ml", 100), ("250 ml", 60), ("1 l", 170), ("750 ml", 135), ("2 l", 310)]);
const PACKS: Variants = Variants::Size(&[
    ("pack of 6", 100),
    ("pack of 12", 180),
    ("pack of 24", 330),
    ("pack of 3", 60),
    ("pack of 8", 125),
]);
const SIZES: Variants = Variants::Size(&[
    ("medium", 100),
    ("small", 75),
    ("large", 140),
    ("extra large", 190),
    ("mini", 55),
]);

/// A family that lasts: compared, then bought once.
const fn lasting(
    category: &'static str,
    noun: &'static str,
    price_cents: (u32, u32),
    variants: Variants,
    styles: [&'static str; 6],
) -> Family {
    Family {
        category,
        noun,
        styles,
        variants,
        price_cents,
        choice: Choice::PickOne,
        lasts_days: None,
    }
}

/// A family that is bought now and then, several kinds at a time.
const fn assorted(
    category: &'static str,
    noun: &'static str,
    price_cents: (u32, u32),
    variants: Variants,
    styles: [&'static str; 6],
) -> Family {
    Family { choice: Choice::Mix, ..lasting(category, noun, price_cents, variants, styles) }
}

/// A family that is used up and bought again; customers keep to one.
const fn staple(
    category: &'static str,
    noun: &'static str,
    price_cents: (u32, u32),
    lasts_days: (u32, u32),
    variants: Variants,
    styles: [&'static str; 6],
) -> Family {
    Family {
        lasts_days: Some(lasts_days),
        ..lasting(category, noun, price_cents, variants, styles)
    }
}

#[rustfmt::skip] // a table: one family, two lines
pub(super) const FAMILIES: [Family; 72] = [
    lasting("Kitchen > Coffee > Machines", "Coffee Machine", (3900, 22900), COLORS,
        ["Slow Drip", "Little Barista", "Sunday", "Steam & Hiss", "One-Cup", "Grand Café"]),
    staple("Drinks > Coffee > Beans", "Coffee Beans", (590, 1690), (14, 28), WEIGHTS,
        ["Dark Roast", "Breakfast Blend", "Single Farm", "Half-Caf", "Espresso", "Hazelnut"]),
    assorted("Kitchen > Coffee > Care", "Descaler", (390, 990), VOLUMES,
        ["Gentle", "Lemon", "Once-a-Month", "Quick", "No-Fuss", "Extra Strength"]),
    assorted("Pantry > Pasta", "Pasta", (110, 420), WEIGHTS,
        ["Rigatoni", "Spaghetti", "Farfalle", "Wholewheat Penne", "Orecchiette", "Egg Tagliatelle"]),
    assorted("Pantry > Sauces > Pesto", "Pesto", (240, 590), SIZES,
        ["Basil", "Red Pepper", "Wild Garlic", "Walnut", "Sun-Dried Tomato", "Rocket"]),
    assorted("Garden > Pots", "Plant Pot", (490, 3900), COLORS,
        ["Terracotta", "Hanging", "Glazed", "Windowsill", "Self-Watering", "Grandmother's"]),
    assorted("Garden > Soil", "Potting Soil", (490, 1490), SIZES,
        ["Peat-Free", "Tomato", "Herb", "Cactus", "Seedling", "Rich & Crumbly"]),
    staple("Pets > Dogs > Food", "Dog Food", (990, 4900), (21, 40), WEIGHTS,
        ["Chicken & Rice", "Old Dog's", "Puppy", "Salmon", "Grain-Free", "Beef & Carrot"]),
    lasting("Bath > Shaving > Razors", "Razor", (890, 5900), COLORS,
        ["Butterfly", "Grandpa's Safety", "Sensitive", "Travel", "Heavy Brass", "Everyday"]),
    assorted("Bath > Shaving > Blades", "Razor Blades", (390, 1490), PACKS,
        ["Platinum", "Swedish Steel", "Sensitive", "Long-Life", "Double-Edge", "Plain"]),
    lasting("Home > Candles > Holders", "Candle Holder", (690, 3900), COLORS,
        ["Brass", "Wonky", "Three-Arm", "Wall", "Story-Time", "Hobnail Glass"]),
    assorted("Home > Candles", "Dinner Candles", (390, 1590), PACKS,
        ["Beeswax", "Twisted", "Long-Burning", "Dripless", "Honey-Scented", "Unscented"]),
    assorted("Pantry > Mexican > Tacos", "Taco Shells", (190, 420), PACKS,
        ["Blue Corn", "Crunchy", "Stand-Up", "Soft", "Mini", "Stone-Ground"]),
    assorted("Pantry > Mexican > Salsa", "Salsa", (220, 490), SIZES,
        ["Mild", "Fire Alarm", "Mango", "Green Tomatillo", "Chunky", "Smoky Chipotle"]),
    staple("Cleaning > Laundry", "Washing Powder", (590, 1990), (28, 56), WEIGHTS,
        ["Spring Breeze", "Colour-Safe", "Sensitive", "Wool & Silk", "Whites", "No-Perfume"]),
    lasting("Garden > Birds > Feeders", "Bird Feeder", (890, 4500), COLORS,
        ["Squirrel-Proof", "Window", "Little Chapel", "Hanging", "Copper Roof", "Robin's"]),
    assorted("Garden > Birds > Seed", "Bird Seed", (390, 1690), WEIGHTS,
        ["No-Mess", "Sunflower", "Winter Fat", "Song Thrush", "Finch", "Mixed"]),
    lasting("Drinks > Tea > Pots", "Teapot", (1490, 5900), COLORS,
        ["Brown Betty", "Glass", "Cast Iron", "For-One", "Spotty", "Long-Spout"]),
    assorted("Drinks > Tea > Leaf", "Loose-Leaf Tea", (390, 1590), WEIGHTS,
        ["Earl Grey", "Assam", "Peppermint", "Smoky Lapsang", "Jasmine", "Chamomile"]),
    staple("Pets > Cats > Litter", "Cat Litter", (590, 1890), (14, 28), WEIGHTS,
        ["Clumping", "Pine", "Scent-Free", "Featherlight", "Paper", "Walnut Shell"]),
    lasting("Stationery > Pens", "Fountain Pen", (990, 8900), COLORS,
        ["Pocket", "Schoolday", "Gold Nib", "Left-Handed", "Love Letter", "Oblique"]),
    assorted("Stationery > Ink", "Ink", (490, 1690), COLORS,
        ["Quick-Dry", "Waterproof", "Shimmering", "Archive", "Washable", "Midnight"]),
    staple("Baby > Nappies", "Nappies", (690, 2490), (14, 21), PACKS,
        ["Newborn", "Overnight", "Crawler", "Swim", "Bamboo", "Pull-Up"]),
    assorted("Baby > Wipes", "Baby Wipes", (190, 790), PACKS,
        ["Water-Only", "Aloe", "Chamomile", "Plastic-Free", "Pocket", "Extra Thick"]),
    assorted("Pantry > Baking > Mixes", "Pancake Mix", (290, 690), WEIGHTS,
        ["Buttermilk", "Buckwheat", "Fluffy", "Sunday Morning", "Oat", "Blueberry"]),
    assorted("Pantry > Syrups", "Syrup", (390, 1490), VOLUMES,
        ["Maple", "Golden", "Date", "Salted Caramel", "Elderflower", "Ginger"]),
    staple("Cleaning > Dishes > Tablets", "Dishwasher Tablets", (490, 1690), (21, 45), PACKS,
        ["All-in-One", "Eco", "Lemon", "Plastic-Free", "Sparkling", "Night-Time"]),
    lasting("Home > Lighting > Lanterns", "Lantern", (1290, 6900), COLORS,
        ["Porch", "Camping", "Storm", "Folding", "Moonlight", "Hurricane"]),
    assorted("Home > Lighting > Batteries", "Batteries", (390, 1490), PACKS,
        ["AA", "AAA", "Rechargeable AA", "C-Cell", "Long-Life", "Button"]),
    staple("Bath > Paper", "Toilet Paper", (390, 1490), (21, 42), PACKS,
        ["Recycled", "Quilted", "Bamboo", "Extra Long", "Three-Ply", "Cloud-Soft"]),
    lasting("Kitchen > Bakeware > Tins", "Cake Tin", (790, 2900), SIZES,
        ["Springform", "Loaf", "Bundt", "Madeleine", "Heart-Shaped", "Deep"]),
    assorted("Kitchen > Bakeware > Paper", "Baking Paper", (190, 590), PACKS,
        ["Unbleached", "Pre-Cut", "Silicone", "Round", "Never-Stick", "Compostable"]),
    lasting("Bath > Teeth > Brushes", "Electric Toothbrush", (1990, 11900), COLORS,
        ["Sonic", "Quiet", "Children's", "Two-Minute", "Travel", "Gum-Friendly"]),
    assorted("Bath > Teeth > Heads", "Brush Heads", (590, 1990), PACKS,
        ["Soft", "Bamboo", "Deep-Clean", "Junior", "Whitening", "Charcoal"]),
    assorted("Stationery > Gift > Wrap", "Gift Wrap", (290, 990), COLORS,
        ["Robins & Holly", "Polka Dot", "Plain Kraft", "Marbled", "Birthday Bear", "Botanical"]),
    assorted("Stationery > Gift > Ribbon", "Ribbon", (190, 690), COLORS,
        ["Velvet", "Satin", "Gingham", "Raffia", "Curling", "Organza"]),
    staple("Pets > Cats > Food", "Cat Food", (690, 3900), (18, 35), PACKS,
        ["Tuna", "Chicken in Gravy", "Kitten", "Senior", "Fussy Eater", "Sardine"]),
    lasting("Cleaning > Floors > Mops", "Mop", (990, 5900), COLORS,
        ["Spin", "Flat", "String", "Steam", "Corner", "Folding"]),
    assorted("Cleaning > Floors > Cleaner", "Floor Cleaner", (290, 890), VOLUMES,
        ["Oak & Wax", "Tile", "Lavender", "Black Soap", "No-Rinse", "Orange Peel"]),
    lasting("Home > Bedroom > Duvets", "Duvet", (3900, 18900), SIZES,
        ["Goose Down", "Summer", "Wool", "Four Seasons", "Feather-Free", "Snug"]),
    assorted("Home > Bedroom > Covers", "Duvet Cover", (2490, 8900), COLORS,
        ["Washed Linen", "Striped", "Flannel", "Percale", "Wildflower", "Patchwork"]),
    staple("Drinks > Milk", "Oat Drink", (190, 390), (14, 21), VOLUMES,
        ["Barista", "Plain", "Vanilla", "No-Sugar", "Creamy", "Chocolate"]),
    lasting("Kitchen > Pans", "Frying Pan", (1990, 12900), SIZES,
        ["Cast Iron", "Copper", "Crêpe", "Non-Stick", "Carbon Steel", "Egg"]),
    assorted("Kitchen > Pans > Care", "Pan Scrubber", (290, 1290), PACKS,
        ["Chainmail", "Coconut", "Walnut", "Copper", "Soft", "Bottle-Brush"]),
    lasting("Home > Walls > Frames", "Picture Frame", (590, 4900), COLORS,
        ["Oak", "Gallery", "Oval", "Family Portrait", "Floating", "Gilded"]),
    assorted("Home > Walls > Hanging", "Picture Hooks", (190, 890), PACKS,
        ["No-Nail", "Brass", "Heavy-Duty", "Invisible", "Plaster-Safe", "Removable"]),
    staple("Bath > Hair > Shampoo", "Shampoo", (390, 1690), (28, 60), VOLUMES,
        ["Nettle", "Baby-Soft", "Oat Milk", "Rosemary", "Curly", "Anti-Dandruff"]),
    assorted("Garden > Seeds", "Seeds", (150, 490), PACKS,
        ["Tomato", "Sweet Pea", "Rainbow Chard", "Sunflower", "Radish", "Cornflower"]),
    lasting("Garden > Propagation", "Seed Tray", (390, 1490), SIZES,
        ["Heated", "Windowsill", "Cork", "Lidded", "Deep-Root", "Stackable"]),
    assorted("Pantry > Crackers", "Crackers", (190, 590), PACKS,
        ["Rye", "Sea Salt", "Charcoal", "Seeded", "Oat", "Rosemary"]),
    assorted("Pantry > Chutney", "Chutney", (290, 690), SIZES,
        ["Apple", "Fig", "Green Tomato", "Caramelised Onion", "Plum", "Beetroot"]),
    staple("Pantry > Rice", "Rice", (190, 990), (30, 60), WEIGHTS,
        ["Basmati", "Risotto", "Jasmine", "Wild", "Brown", "Sushi"]),
    lasting("Drinks > Water > Makers", "Soda Maker", (4900, 15900), COLORS,
        ["Fizzy", "Compact", "Quiet", "Glass", "Retro", "Family"]),
    assorted("Drinks > Water > Flavours", "Soda Cordial", (290, 890), VOLUMES,
        ["Rhubarb", "Elderflower", "Cola", "Lime & Mint", "Blood Orange", "Tonic"]),
    lasting("Kitchen > Knives", "Kitchen Knife", (1490, 14900), SIZES,
        ["Chef's", "Bread", "Paring", "Santoku", "Oyster", "Tomato"]),
    assorted("Kitchen > Textiles > Tea Towels", "Tea Towel", (490, 1490), COLORS,
        ["Waffle", "Linen", "Herring", "Gingham", "Hen Party", "Bistro"]),
    assorted("Kitchen > Mugs", "Mug", (590, 1890), COLORS,
        ["Stoneware", "Speckled", "World's Okayest Cook", "Enamel", "Tall", "Fox"]),
    staple("Pantry > Oil", "Olive Oil", (590, 2490), (35, 60), VOLUMES,
        ["Early Harvest", "Everyday", "Lemon", "Unfiltered", "Cold-Pressed", "Peppery"]),
    assorted("Pantry > Chocolate", "Chocolate", (190, 690), WEIGHTS,
        ["Sea Salt", "Milk", "72 % Dark", "Hazelnut", "Orange", "Ruby"]),
    assorted("Pantry > Biscuits", "Biscuits", (150, 490), PACKS,
        ["Ginger", "Shortbread", "Oat & Raisin", "Custard", "Lemon Thins", "Dunking"]),
    assorted("Pets > Dogs > Treats", "Dog Treats", (290, 1190), PACKS,
        ["Peanut", "Liver", "Training", "Dental", "Sweet Potato", "Sheepdog's"]),
    lasting("Pets > Dogs > Leads", "Dog Lead", (790, 3900), COLORS,
        ["Rope", "Leather", "Long-Walk", "Reflective", "Hands-Free", "Sniffer's"]),
    lasting("Pets > Cats > Trees", "Cat Tree", (2900, 14900), SIZES,
        ["Window", "Mountain", "Hammock", "Corner", "Castle", "Retired Tom's"]),
    staple("Bath > Soap", "Hand Soap", (290, 990), (20, 45), VOLUMES,
        ["Olive", "Gardener's", "Sea Kelp", "Almond", "Citrus", "Foaming"]),
    lasting("Bath > Towels", "Bath Towel", (990, 3900), COLORS,
        ["Thirsty", "Waffle", "Turkish", "Quick-Dry", "Hotel", "Striped"]),
    lasting("Cleaning > Brushes", "Broom", (690, 2900), COLORS,
        ["Horsehair", "Yard", "Crumb", "Cobweb", "Short-Handled", "Rubber"]),
    lasting("Garden > Tools", "Trowel", (690, 3900), SIZES,
        ["Ash-Handled", "Bulb", "Left-Handed", "Copper", "Weeding", "Children's"]),
    lasting("Garden > Watering", "Watering Can", (990, 4900), COLORS,
        ["Long-Reach", "Galvanised", "Indoor", "Swan-Neck", "Elephant", "Fine-Rose"]),
    lasting("Home > Blankets", "Blanket", (1990, 9900), COLORS,
        ["Merino", "Picnic", "Herringbone", "Chunky Knit", "Sofa", "Fisherman's"]),
    lasting("Baby > Sleep", "Sleeping Bag", (1990, 5900), COLORS,
        ["Starry Night", "Summer", "Woolly Lamb", "Hop-Along", "Cotton", "Snuggle"]),
    assorted("Baby > Meals", "Baby Puree", (90, 290), PACKS,
        ["Pear & Oat", "Carrot", "Apple", "Pea & Mint", "Banana", "Sweet Potato"]),
    assorted("Stationery > Notebooks", "Notebook", (390, 2490), COLORS,
        ["Dotted", "Recipe", "Pocket", "Hardback", "Dream", "Squared"]),
];

const fn pair(anchor: &'static str, complement: &'static str, share: f64) -> GoesWith {
    GoesWith { anchor, complement, share }
}

/// By noun, across categories. An anchor with two lines makes a trio.
pub(super) const GOES_WITH: [GoesWith; 24] = [
    pair("Coffee Machine", "Descaler", 0.46),
    pair("Pasta", "Pesto", 0.48),
    pair("Plant Pot", "Potting Soil", 0.48),
    pair("Razor", "Razor Blades", 0.5),
    pair("Candle Holder", "Dinner Candles", 0.5),
    pair("Taco Shells", "Salsa", 0.5),
    pair("Bird Feeder", "Bird Seed", 0.5),
    pair("Teapot", "Loose-Leaf Tea", 0.46),
    pair("Fountain Pen", "Ink", 0.48),
    pair("Nappies", "Baby Wipes", 0.44),
    pair("Pancake Mix", "Syrup", 0.48),
    pair("Lantern", "Batteries", 0.5),
    pair("Cake Tin", "Baking Paper", 0.44),
    pair("Electric Toothbrush", "Brush Heads", 0.46),
    pair("Gift Wrap", "Ribbon", 0.5),
    pair("Mop", "Floor Cleaner", 0.46),
    pair("Duvet", "Duvet Cover", 0.46),
    pair("Frying Pan", "Pan Scrubber", 0.44),
    pair("Picture Frame", "Picture Hooks", 0.48),
    pair("Seeds", "Seed Tray", 0.44),
    pair("Crackers", "Chutney", 0.46),
    pair("Soda Maker", "Soda Cordial", 0.5),
    pair("Coffee Machine", "Mug", 0.36),
    pair("Taco Shells", "Rice", 0.36),
];
