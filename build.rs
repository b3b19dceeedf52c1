//! Compiles the protos in pure Rust: no protoc is needed.

use std::path::PathBuf;

use prost::Message;

/// The questions of the shop: its messages can be written as JSON, and its server's replies come encoded.
const QUESTIONS: &str = "cartwright/v1/recommendation.proto";
/// All protos.
const PROTOS: [&str; 6] = [
    QUESTIONS,
    "cartwright/v1/audience.proto",
    "cartwright/v1/catalog.proto",
    "cartwright/v1/customer.proto",
    "cartwright/v1/index.proto",
    "cartwright/v1/merchandising.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(PROTOS, ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), files.encode_to_vec())?; // for reflection
    let mut builder = tonic_prost_build::configure();
    let questions = files.file.iter().find(|file| file.name() == QUESTIONS);
    let questions = questions.ok_or("the questions were compiled")?;
    // For `ask --json`: the reply as JSON, a reason under its own name.
    let messages = questions.message_type.iter().map(|message| message.name());
    for name in messages.chain(questions.enum_type.iter().map(|kind| kind.name())) {
        let path = format!(".cartwright.v1.{name}");
        let snake = "#[derive(serde::Serialize)] #[serde(rename_all = \"snake_case\")]";
        builder = builder
            .message_attribute(&path, "#[derive(serde::Serialize)]")
            .enum_attribute(&path, snake);
    }
    builder
        .field_attribute("cartwright.v1.Reason.why", "#[serde(flatten)]")
        .field_attribute("cartwright.v1.Recommendation.source", named("source"))
        .field_attribute("cartwright.v1.SeenBefore.kind", named("kind"))
        .field_attribute("cartwright.v1.RuleApplied.act", named("act"))
        .compile_fds(files.clone())?;
    serving(protox::compile([QUESTIONS], ["proto"])?, out.join("served"))?;
    Ok(())
}

/// A field that holds a value of an enum, by the value's name.
fn named(by: &str) -> String {
    format!("#[serde(serialize_with = \"crate::grpc::names::{by}\")]")
}

/// The questions once more, for the server: its replies come encoded.
fn serving(files: prost_types::FileDescriptorSet, out: PathBuf) -> std::io::Result<()> {
    std::fs::create_dir_all(&out)?;
    let mut service = tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::grpc::wire::ReplyCodec")
        .extern_path(".cartwright.v1", "crate::grpc::pb");
    for method in [
        "RelatedItems",
        "BasketUpsell",
        "ForCustomer",
        "TrendingItems",
        "BuyAgainItems",
        "RecommendPage",
        "StreamForCustomers",
    ] {
        let response = format!(".cartwright.v1.{method}Response");
        service = service.extern_path(response, "crate::grpc::wire::Reply");
    }
    service.out_dir(out).compile_fds(files)
}
